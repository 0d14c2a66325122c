"""Stopping by the learning curve, against the two rules written out."""

import statistics

import numpy as np
import pytest
from tests.strategies.fidelities import noisy, play
from tests.strategies.player import differing

from netwright.errors import InputError
from netwright.strategies import CurveStopping
from netwright.strategies.curve_stopping import _fitness
from netwright.testing import toy
from netwright.trial import Proposal, Report, State, Trial


def candidates(made):
    """The trials of each architecture in their order."""
    found = {}
    for trial in made:
        found.setdefault(trial.architecture, []).append(trial)
    return list(found.values())


def play_curves(strategy, trials, curve, *, window=1, space="dials"):
    """``curve(architecture)`` is a list of (score, training loss) an epoch; a promotion reports its own epochs."""

    def epochs(proposal, made=()):
        begin = 0 if proposal.inherits is None else strategy._ladder[strategy._ladder.index(proposal.budget) - 1]
        points = curve(proposal.architecture)[begin : proposal.budget]
        return tuple(Report(i + 1, {"score": a, "train_loss": b}) for i, (a, b) in enumerate(points))

    return play(
        strategy,
        trials,
        window=window,
        space=space,
        curve=epochs,
        score=lambda architecture, budget: curve(architecture)[budget - 1][0],
    )


def wild(architecture):
    """27 epochs around a level that is the architecture's own."""
    rng = np.random.default_rng(int(noisy(architecture, "curve") * 2**32))
    return (rng.random(2) + 0.1 * rng.random((27, 2))).tolist()


@pytest.mark.parametrize("window", [1, 4])
def test_the_median_rule(window):
    """Written out: the best so far against the median of the others' running means at the end of the same stage."""
    made = play_curves(CurveStopping(1, 27, startup=3), 200, wild, window=window)
    ladder = (1, 3, 9, 27)
    means = {budget: [] for budget in ladder}
    decided = {}
    for trial in made:
        epochs = [score for score, _ in wild(trial.architecture)[: trial.proposal.budget]]
        others = means[trial.proposal.budget]
        lags = len(others) >= 3 and max(epochs) < statistics.median(others)
        others.append(statistics.fmean(epochs))
        decided[trial.architecture] = len(epochs), not lags and len(epochs) < 27
    reached = {group[0].architecture: group[-1].proposal.budget for group in candidates(made)}
    assert {a: budget for a, (budget, _) in decided.items()} == reached
    unfinished = [a for a, (_, goes_on) in decided.items() if goes_on]
    assert len(unfinished) <= window  # what goes on has done so, but for the last
    assert len(set(reached.values())) == 4


def test_the_sum_of_training_losses():
    """Written out: the sum over the last two epochs is among the smallest ⌈n/3⌉ of its stage."""
    made = play_curves(CurveStopping(2, 18, rule="sotl", last=2, startup=0), 200, wild)
    sums = {2: [], 6: [], 18: []}
    for group in candidates(made[:-3]):
        for trial in group:
            budget = trial.proposal.budget
            found = sum(loss for _, loss in wild(trial.architecture)[budget - 2 : budget])
            sums[budget].append((trial.number, found, trial is not group[-1]))
    for budget in (2, 6):
        known = []
        for _, found, went_on in sorted(sums[budget]):
            known.append(found)
            rank = sorted(known).index(found)
            assert went_on == (rank < -(-len(known) // 3))


def test_training_losses_may_disagree_with_the_score():
    """By the training loss the better score stops, and by the median it does not."""

    def curve(architecture):
        good = architecture["dial00"] > 0
        return [(0.9 if good else 0.1, 2.0 if good else 1.0)] * 9

    for rule, good in (("median", True), ("sotl", False)):
        made = play_curves(CurveStopping(1, 9, rule=rule, startup=8), 200, curve)
        late = [group for group in candidates(made)[20:] if len(group) > 1]
        assert {good} == {group[0].architecture["dial00"] > 0 for group in late}


def test_without_a_curve_the_metric_serves():
    """An evaluator that reports nothing gives a curve of one point a stage."""
    made = play(CurveStopping(1, 9, startup=2), 100, window=2)
    assert {1, 3, 9} == {trial.proposal.budget for trial in made}
    strategy = CurveStopping(1, 9, startup=0, rule="sotl")
    made = play(strategy, 100)
    firsts = [trial.metrics["score"] for trial in made if trial.proposal.budget == 1]
    went_on = {trial.proposal.inherits for trial in made}
    numbers = [trial.number for trial in made if trial.proposal.budget == 1]
    for index, (number, score) in enumerate(zip(numbers[:-1], firsts[:-1], strict=True)):
        rank = sum(other > score for other in firsts[:index])
        assert (number in went_on) == (rank < -(-(index + 1) // 3))


def test_startup():
    """The first of a stage go on whatever they are; here each of them is worse than all before."""
    falling = iter(range(1_000, 0, -1))
    made = play(CurveStopping(1, 9, startup=4), 40, score=lambda architecture, budget: float(next(falling)))
    assert [1, 3, 9] * 4 == [trial.proposal.budget for trial in made[:12]]
    assert [1] * 28 == [trial.proposal.budget for trial in made[12:]]


def test_grace():
    """Below the budget of the grace nothing stops."""
    falling = iter(range(1_000, 0, -1))
    score = lambda architecture, budget: float(next(falling))  # noqa: E731
    made = play(CurveStopping(1, 9, startup=1, grace=3), 20, score=score)
    assert [1, 3, 9, 1, 3, 1, 3] == [trial.proposal.budget for trial in made[:7]]


def test_what_goes_on_comes_before_what_begins():
    """A promotion is proposed as soon as it is decided, and it inherits from its own trial."""
    made = play(CurveStopping(1, 9, startup=100), 9, window=2)
    assert [1, 1, 3, 3, 9, 9, 1, 1, 3] == [trial.proposal.budget for trial in made]
    assert [None, None, 0, 1, 2, 3, None, None, 6] == [trial.proposal.inherits for trial in made]


def test_failures_stop():
    """A candidate without a score is left, at whatever stage."""
    made = play(CurveStopping(1, 9, startup=100), 6, fails=lambda number: number in (1, 3))
    assert [None, 0, None, 2, None, 4] == [trial.proposal.inherits for trial in made]


def told(*stages, inherits=True, **metrics):
    """A candidate's strategy, told its stages: lists of (score, training loss)."""
    strategy = CurveStopping(1, 9, startup=100)
    strategy.start(toy.SPACES["dials"](), (toy.OBJECTIVE,))
    for number, points in enumerate(stages):
        proposal = strategy.ask(np.random.default_rng(number))
        if not inherits:
            proposal = Proposal(proposal.architecture, proposal.budget)
        reports = tuple(Report(i + 1, {"score": a, "train_loss": b}) for i, (a, b) in enumerate(points))
        strategy.tell(Trial(number, proposal, State.FINISHED, {"score": points[-1][0], **metrics}, reports))
    return strategy._going_on[0]


def test_curves_are_joined():
    """What a promotion reports follows what its smaller self did."""
    candidate = told([(0.1, 3.0)], [(0.2, 2.0), (0.3, 1.0)])
    assert [0.1, 0.2, 0.3] == candidate.curve
    assert [3.0, 2.0, 1.0] == candidate.losses


def test_from_scratch_replaces():
    """A stage that inherited nothing, by the study's word or by its epochs, is the whole curve."""
    stages = [(0.1, 3.0)], [(0.15, 3.0), (0.2, 2.0), (0.3, 1.0)]
    assert [0.15, 0.2, 0.3] == told(*stages, inherits=False).curve
    assert [0.15, 0.2, 0.3] == told(*stages, epochs=3.0, lineage_epochs=3.0).curve
    assert [0.1, 0.15, 0.2, 0.3] == told(*stages, epochs=2.0, lineage_epochs=3.0).curve


def test_evolution():
    """Children are one mutation from one of the latest that were good, and start from scratch."""

    def total(architecture, budget):
        return float(sum(architecture.values()))

    made = play(CurveStopping(1, 3, sampler="evolution"), 300, score=total)
    begun = [trial for trial in made if trial.proposal.budget == 1]
    assert all(trial.proposal.inherits is None for trial in begun)
    for index, child in enumerate(begun[1:], 1):
        parents = begun[max(0, index - 20) : index]
        assert min(len(differing(parent.architecture, child.architecture)) for parent in parents) <= 2
    assert statistics.fmean(total(trial.architecture, 1) for trial in begun[-20:]) > 45


def test_evolution_goes_by_the_stage_first():
    """One that got further is the better parent, however large the score of one that stopped early."""
    strategy = CurveStopping(1, 3, sampler="evolution", startup=0)
    strategy.start(toy.SPACES["dials"](), (toy.OBJECTIVE,))
    first = strategy.ask(np.random.default_rng(0))
    strategy.tell(Trial(0, first, State.FINISHED, {"score": 0.9}))
    strategy.tell(Trial(1, strategy.ask(np.random.default_rng(1)), State.FINISHED, {"score": 0.1}))
    other = strategy.ask(np.random.default_rng(2))
    strategy.tell(Trial(2, other, State.FINISHED, {"score": 0.5}))
    assert max(strategy._members, key=_fitness).architecture == first.architecture


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"rule": "mean"}, "rule 'mean' is unknown (did you mean 'median'?)"),
        ({"sampler": "evolutoin"}, "sampler 'evolutoin' is unknown (did you mean 'evolution'?)"),
        ({"startup": -1}, "startup is a whole number of at least 0, found -1"),
        ({"last": 0}, "last is a whole number of at least 1, found 0"),
        ({"grace": "1"}, "grace is a number of at least 0, found '1'"),
    ],
)
def test_nonsense_is_refused(arguments, sentence):
    """Each argument says what it takes."""
    with pytest.raises(InputError) as caught:
        CurveStopping(**arguments)
    assert f"CurveStopping: {sentence}" == str(caught.value)
