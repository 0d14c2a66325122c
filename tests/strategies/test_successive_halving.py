"""Successive halving, against a simulation written out by hand; and the rungs that others share with it."""

import itertools

import numpy as np
import pytest
from tests.strategies.fidelities import noisy, play, steps

from netwright.errors import InputError
from netwright.strategies import ASHA, BOHB, CurveStopping, Hyperband, SuccessiveHalving
from netwright.strategies.rungs import ladder
from netwright.testing import toy
from netwright.trial import Objective, State, Trial

ALL = (SuccessiveHalving, Hyperband, ASHA, BOHB, CurveStopping)


def simulated(size, budgets, eta, brackets, seed=0, score=noisy):
    """Bracket after bracket, each rung sorted whole: (architecture, budget, inherits) in order."""
    space = toy.SPACES["dials"]()
    found = []
    for _ in range(brackets):
        rung = []
        for _ in range(size):
            architecture = space.sample(np.random.default_rng([seed, len(found)]))
            rung.append((architecture, len(found)))
            found.append((architecture, budgets[0], None))
        for before, budget in itertools.pairwise(budgets):
            rung.sort(key=lambda pair: (-score(pair[0], before), pair[1]))
            rung = rung[: len(rung) // eta]
            promoted = []
            for architecture, number in rung:
                promoted.append((architecture, len(found)))
                found.append((architecture, budget, number))
            rung = promoted
    return found


@pytest.mark.parametrize(
    ("strategy", "size", "budgets", "eta"),
    [
        (SuccessiveHalving(1, 27), 27, (1, 3, 9, 27), 3),
        (SuccessiveHalving(2, 8, 2), 4, (2, 4, 8), 2),
        (SuccessiveHalving(budgets=(12, 200)), 3, (12, 200), 3),
    ],
)
def test_written_out(strategy, size, budgets, eta):
    """The history is that of the rungs sorted by hand, three brackets long."""
    expected = simulated(size, budgets, eta, 3)
    assert expected == steps(play(strategy, len(expected)))


def test_another_size():
    """20 begin where that is asked for: 6 and 2 go on, and one where a third of them is none."""
    found = steps(play(SuccessiveHalving(configurations=20), 29))
    assert [20, 6, 2, 1] == [sum(budget == b for _, budget, _ in found) for b in (1, 3, 9, 27)]
    assert simulated(20, (1, 3, 9), 3, 1) == found[:28]


def test_what_is_promoted_does_not_depend_on_the_window():
    """With four pending, each bracket still promotes its own best third, and the next one begins meanwhile."""
    made = play(SuccessiveHalving(1, 9), 200, window=4)
    begun = [trial for trial in made if trial.proposal.budget == 1]
    assert begun[12].number > 12  # promotions stand between those of the second bracket
    for bracket in range(10):
        members = begun[9 * bracket : 9 * bracket + 9]
        best = sorted(members, key=lambda trial: (-trial.metrics["score"], trial.number))[:3]
        promoted = {trial.proposal.inherits for trial in made if trial.proposal.budget == 3}
        assert {trial.number for trial in best} == promoted & {trial.number for trial in members}


def test_the_next_bracket_begins_while_a_rung_waits():
    """Proposals 9 to 11 know too little to promote, so they begin the next bracket; 12 promotes the first one's."""
    made = play(SuccessiveHalving(1, 9), 13, window=4)
    assert [1] * 12 + [3] == [trial.proposal.budget for trial in made]


def test_failures_are_the_worst():
    """A trial without a score is never promoted, and its place is not given to another rung's."""
    made = play(SuccessiveHalving(1, 9), 9 + 2 + 9, fails=lambda number: number % 9 not in (2, 5))
    assert {2, 5} == {trial.proposal.inherits for trial in made[9:11]}
    assert [1] * 9 == [trial.proposal.budget for trial in made[11:20]]


def test_ties_go_by_number():
    """Of equal scores the earlier trials are promoted."""
    made = play(SuccessiveHalving(1, 9), 13, score=lambda architecture, budget: 0.5)
    assert [0, 1, 2, 9] == [trial.proposal.inherits for trial in made[9:]]


def test_the_objective_has_a_direction():
    """What is minimised is promoted by the smallest."""
    strategy = SuccessiveHalving(1, 3)
    strategy.start(toy.SPACES["dials"](), (Objective("score", "minimize"),))
    for number, score in enumerate((2.0, 1.0, 3.0)):
        strategy.tell(
            Trial(number, strategy.ask(np.random.default_rng(number)), State.FINISHED, {"score": score})
        )
    assert strategy.ask(np.random.default_rng(3)).inherits == 1


@pytest.mark.parametrize("make", [SuccessiveHalving, Hyperband])
def test_heirs_are_what_can_be_promoted(make):
    """Every promotion was among the heirs before it, and there are never more of them than can be promoted."""
    strategy = make(1, 9)
    strategy.start(toy.SPACES["dials"](), (toy.OBJECTIVE,))
    for number in range(120):
        heirs = strategy.heirs()
        proposal = strategy.ask(np.random.default_rng(number))
        assert proposal.inherits is None or proposal.inherits in heirs
        assert len(heirs) <= 3
        strategy.tell(Trial(number, proposal, State.FINISHED, {"score": noisy(proposal.architecture, 0)}))


def test_an_exhausted_space():
    """Of a space of 24 all begin once; the bracket that is short promotes its best, and then nothing is left."""
    made = play(SuccessiveHalving(1, 9), 1_000, space="flat", window=4)
    begun = [trial.architecture for trial in made if trial.proposal.budget == 1]
    assert 24 == len(begun) == len(set(begun))
    assert [24, 8, 3] == [sum(trial.proposal.budget == budget for trial in made) for budget in (1, 3, 9)]


def test_a_single_architecture_gets_to_the_top():
    """The only one there is goes up the whole ladder, also with others pending."""
    assert [1, 3, 9] == [t.proposal.budget for t in play(SuccessiveHalving(1, 9), 9, space="point", window=4)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((1, 81, 3), (1, 3, 9, 27, 81)),
        ((1, 243, 3), (1, 3, 9, 27, 81, 243)),  # log(243)/log(3) = 4.999…
        ((1, 125, 5), (1, 5, 25, 125)),  # log(125)/log(5) = 3.0000…4
        ((2, 81, 3), (3, 9, 27, 81)),
        ((1, 10, 3), (1, 3, 10)),
        ((1, 50, 3), (2, 6, 17, 50)),
        ((5, 5, 3), (5,)),
        ((0.1, 0.9, 3), (0.1, 0.3, 0.9)),
        ((1.0, 10, 3), (10 / 9, 10 / 3, 10.0)),
    ],
)
def test_ladder(arguments, expected):
    """max·eta^−k down to min, without a floating logarithm; whole between whole ends."""
    assert pytest.approx(expected) == ladder("It", *arguments, None)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"eta": 1}, "eta is a whole number of at least 2, found 1"),
        ({"eta": 2.5}, "eta is a whole number of at least 2, found 2.5"),
        ({"min_budget": 0}, "min_budget is a number above 0, found 0"),
        ({"max_budget": "9"}, "max_budget is a number above 0, found '9'"),
        ({"min_budget": 9, "max_budget": 3}, "min_budget is at most max_budget, found 9 and 3"),
        ({"budgets": ()}, r"budgets are numbers above 0, the last may be None \(the full budget\), found \(\)"),
        ({"budgets": ("proxy", 3)}, "budgets are numbers above 0"),
        ({"budgets": (3, 1)}, "budgets ascend, found 3, 1"),
        ({"budgets": (None, 3)}, "budgets are numbers above 0"),
    ],
)
def test_nonsense_is_refused(kind, arguments, sentence):
    """Whatever is no ladder is an error that names the strategy and what was found."""
    with pytest.raises(InputError, match=f"{kind.__name__}: {sentence}"):
        kind(**arguments)


@pytest.mark.parametrize("kind", ALL)
def test_one_objective(kind):
    """Several objectives are refused at the start, with what to do."""
    with pytest.raises(InputError, match=rf"{kind.__name__} compares trials by one objective, found 2: score, price"):
        kind().start(toy.SPACES["flat"](), (toy.OBJECTIVE, Objective("price")))


@pytest.mark.parametrize("kind", ALL)
def test_what_was_given_is_kept(kind):
    """Arguments stand under their names, and the class says that it is multi-fidelity."""
    strategy = kind(2, 50, 4)
    assert (2, 50, 4, None) == (strategy.min_budget, strategy.max_budget, strategy.eta, strategy.budgets)
    assert (12, None) == kind(budgets=[12, None]).budgets
    assert kind.multi_fidelity


def test_the_full_budget_on_top():
    """A ladder may end with None, the full budget."""
    made = play(SuccessiveHalving(budgets=(3, None)), 4)
    assert [3, 3, 3, None] == [trial.proposal.budget for trial in made]


def test_configurations():
    """What is no number of configurations is refused."""
    with pytest.raises(InputError, match="configurations is a whole number of at least 1, found 0"):
        SuccessiveHalving(configurations=0)
