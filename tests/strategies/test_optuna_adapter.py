"""Optuna's samplers behind ask and tell, against Optuna itself."""

import builtins
import json
import logging
import warnings

import numpy as np
import optuna
import pytest
from tests.strategies.player import play, started, trial

from netwright.architecture import Architecture
from netwright.errors import InputError, MissingExtra
from netwright.space import SearchSpace, choose, one_of
from netwright.space.conditions import asked
from netwright.space.decisions import of_candidates, of_inputs, of_options, of_range, of_repeat
from netwright.strategies import STRATEGIES, Optuna, make
from netwright.strategies.optuna import _distribution
from netwright.testing import check_strategy, toy
from netwright.trial import Objective, Proposal, Report, State, Trial

PRICE = Objective("price", "minimize")
SMALL = {"flat": toy.SPACES["flat"]()}


@pytest.fixture(autouse=True)
def quiet():
    """Optuna's own use in these tests, as reference, is not to fill the log."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    yield
    optuna.logging.set_verbosity(before)


def optunas_own(sampler, space, trials, seed):
    """The same search by Optuna alone, define-by-run, with suggestions spelled out."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = np.random.default_rng([seed, 0])
        study = optuna.create_study(direction="maximize", sampler=sampler(int(first.integers(2**32))))
        history = []
        for _ in range(trials):
            asking = study.ask()
            answers = {}
            for decision in space.decisions:
                if not asked(decision, answers):
                    continue
                if decision.kind == "range" and isinstance(decision.low, int):
                    value = asking.suggest_int(decision.name, decision.low, decision.high)
                elif decision.kind == "range":
                    value = asking.suggest_float(
                        decision.name, decision.low, decision.high, log=decision.log, step=decision.step
                    )
                elif decision.kind == "repeat" or all(type(option) is int for option in decision.options):
                    value = decision.options[asking.suggest_int(decision.name, 0, len(decision.options) - 1)]
                elif decision.kind == "inputs":
                    if len(decision.options) == 1:
                        value = decision.options[0]
                    else:
                        texts = [json.dumps(option) for option in decision.options]
                        value = tuple(json.loads(asking.suggest_categorical(decision.name, texts)))
                else:
                    value = asking.suggest_categorical(decision.name, decision.options)
                answers[decision.name] = value
            architecture = Architecture(answers)
            history.append(architecture)
            study.tell(asking, toy.digest_of(architecture)["score"])
        return history


@pytest.mark.parametrize("space", ["flat", "conditional", "mixed", "cell"])
def test_tpe_is_optunas(space):
    """The history is what Optuna finds by itself with the seed that the first ask draws."""
    space = toy.SPACES[space]()
    expected = optunas_own(lambda seed: optuna.samplers.TPESampler(seed=seed), space, 25, seed=3)
    found = play(started(Optuna("tpe"), space), 25, seed=3)
    assert expected == [proposal.architecture for proposal in found]


@pytest.mark.parametrize(
    ("name", "sampler", "space", "trials"),
    [
        ("nsga3", optuna.samplers.NSGAIIISampler, "flat", 70),
        ("nsga2", optuna.samplers.NSGAIISampler, "conditional", 70),
        ("cmaes", optuna.samplers.CmaEsSampler, "mixed", 20),
        ("random", optuna.samplers.RandomSampler, "cell", 10),
        ("gp", optuna.samplers.GPSampler, "flat", 12),
    ],
)
def test_every_short_name_is_optunas(name, sampler, space, trials):
    """Each with Optuna's own defaults."""
    space = toy.SPACES[space]()
    expected = optunas_own(lambda seed: sampler(seed=seed), space, trials, seed=1)
    assert expected == [proposal.architecture for proposal in play(started(Optuna(name), space), trials, seed=1)]


@pytest.mark.parametrize(
    ("decision", "kind", "facts"),
    [
        (of_candidates("a", ["conv", "skip"]), "Categorical", {"choices": ("conv", "skip")}),
        (of_options("a", [None, "x", 2.5]), "Categorical", {"choices": (None, "x", 2.5)}),
        (of_options("a", [1, True, 2]), "Categorical", {"choices": ("1", "true", "2")}),
        (of_options("a", [3, 1, 2]), "Categorical", {"choices": (3, 1, 2)}),
        (of_options("a", [16, 32, 64]), "Int", {"low": 0, "high": 2}),
        (of_inputs("a", 3, 2), "Categorical", {"choices": ("[0, 1]", "[0, 2]", "[1, 2]")}),
        (of_repeat("a", 2, 5), "Int", {"low": 0, "high": 3}),
        (of_range("a", 1, 10, False, None), "Int", {"low": 1, "high": 10, "step": 1, "log": False}),
        (of_range("a", 1, 100, True, None), "Int", {"low": 1, "high": 100, "log": True}),
        (of_range("a", 8, 31, False, 8), "Int", {"low": 8, "high": 24, "step": 8}),
        (of_range("a", 8, 64, True, 8), "Float", {"low": 8.0, "high": 64.0, "log": True}),
        (of_range("a", 0.0, 0.5, False, None), "Float", {"low": 0.0, "high": 0.5, "step": None}),
        (of_range("a", 0.0, 0.5, False, 0.1), "Float", {"step": 0.1}),
        (of_range("a", 1e-4, 1.0, True, None), "Float", {"log": True}),
    ],
)
def test_decisions_become_distributions(decision, kind, facts):
    """Unordered options are categories, ordered ones numbers; each value finds its way there and back."""
    distribution, value, back = _distribution(decision)
    assert type(distribution).__name__ == f"{kind}Distribution"
    assert {name: getattr(distribution, name) for name in facts} == facts
    values = [decision.draw(u) for u in np.linspace(0, 0.999, 30).tolist()]
    for answer in values:
        assert value(back(answer)) == answer
        assert type(value(back(answer))) is type(answer)


@pytest.mark.parametrize(
    ("name", "spaces"),
    [("tpe", ["conditional", "constrained", "mixed"]), ("nsga3", ["shared", "mixed"]), ("cmaes", ["mixed", "point"])],
)
def test_conformance(name, spaces):
    """They keep the contract, but that asking costs more and more; the Gaussian process is too slow for the suite."""
    spaces = {space: toy.SPACES[space]() for space in spaces}
    check_strategy(lambda: Optuna(name), spaces, trials=13, incremental=False)


@pytest.mark.parametrize("name", ["tpe", "nsga3"])
def test_several_objectives(name):
    """Both are told, each in its direction."""
    objectives = (toy.OBJECTIVE, PRICE)
    check_strategy(lambda: Optuna(name), SMALL, objectives=objectives, trials=13, incremental=False)
    strategy = started(Optuna(name), "flat", objectives)
    play(strategy, 4)
    told = strategy._study.trials
    assert [optuna.study.StudyDirection.MAXIMIZE, optuna.study.StudyDirection.MINIMIZE] == strategy._study.directions
    assert all(len(told.values) == 2 for told in told)


def test_cmaes_takes_one_objective():
    """It says so before the search, and what to use."""
    with pytest.raises(InputError, match=r"CMA-ES optimises one objective, found 2: score, price\. Use nsga3"):
        started(Optuna("cmaes"), "flat", (toy.OBJECTIVE, PRICE))


@pytest.mark.parametrize(
    "sampler",
    [
        pytest.param(optuna.samplers.TPESampler(n_startup_trials=3, seed=99), id="an instance"),
        pytest.param(lambda seed: optuna.samplers.TPESampler(n_startup_trials=3, seed=seed), id="a function"),
    ],
)
def test_a_sampler_of_ones_own(sampler):
    """An instance or a function of a seed: the same history twice, another one under another seed."""
    check_strategy(lambda: Optuna(sampler), SMALL, trials=8, incremental=False)


def test_a_class_is_a_function_of_a_seed():
    """TPESampler itself is what the name tpe makes."""
    by_class = play(started(Optuna(optuna.samplers.TPESampler), "flat"), 14)
    assert by_class == play(started(Optuna("tpe"), "flat"), 14)


def test_an_instance_is_left_as_it_was():
    """A copy is seeded and used."""
    sampler = optuna.samplers.RandomSampler(seed=5)
    before = sampler._rng.rng.get_state()[1].tolist()
    play(started(Optuna(sampler), "flat"), 5)
    assert before == sampler._rng.rng.get_state()[1].tolist()


def test_what_cannot_be_seeded_is_refused():
    """A sampler in which no generator is found would not be repeatable."""

    class Mine(optuna.samplers.BaseSampler):
        def infer_relative_search_space(self, study, trial):
            return {}

        def sample_relative(self, study, trial, search_space):
            return {}

        def sample_independent(self, study, trial, param_name, param_distribution):
            return param_distribution.choices[0]

    with pytest.raises(InputError, match=r"no random generator was found in Mine, .*Give a function of a seed"):
        play(started(Optuna(Mine()), "flat"), 1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("tpee",), "no sampler 'tpee' here. Did you mean 'tpe'"),
        ((3,), "a sampler is a name, a sampler of Optuna or a function of a seed, found 3"),
    ],
)
def test_what_is_no_sampler(arguments, sentence):
    """It says what was found and what there is."""
    with pytest.raises(InputError, match=sentence):
        Optuna(*arguments)


def test_arguments_belong_to_a_name():
    """A sampler that is made already takes none; a seed is nobody's to give."""
    with pytest.raises(InputError, match="gamma can be given with the name of a sampler only"):
        Optuna(optuna.samplers.TPESampler, gamma=3)
    with pytest.raises(InputError, match="the sampler's seed is drawn from the study's own"):
        Optuna("tpe", seed=3)
    with pytest.raises(InputError, match=r"Optuna's TPESampler refuses startup=3: .*unexpected keyword"):
        play(started(Optuna("tpe", startup=3)), 1)


def test_names_of_the_command_line():
    """Each takes the arguments of its class in Optuna."""
    names = [name for name in STRATEGIES if name.startswith("optuna-")]
    assert names == ["optuna-cmaes", "optuna-gp", "optuna-nsga2", "optuna-nsga3", "optuna-tpe"]
    assert [make(name).sampler for name in names] == ["cmaes", "gp", "nsga2", "nsga3", "tpe"]
    assert make("optuna-tpe(n_startup_trials=3)").arguments == {"n_startup_trials": 3}
    assert STRATEGIES["optuna-tpe"] is STRATEGIES["optuna-tpe"]
    assert STRATEGIES["optuna-tpe"].__doc__.startswith("Tree-structured Parzen estimator")


def test_states():
    """Failed and infeasible trials are failures to Optuna, pruned ones pruned with their last report."""
    strategy = started(Optuna("random"), "flat")
    rng = np.random.default_rng(0)
    states = [State.FINISHED, State.FAILED, State.INFEASIBLE, State.PRUNED, State.REUSED]
    proposals = [strategy.ask(rng) for _ in states]  # all of them pending
    for number, (proposal, state) in enumerate(zip(proposals, states, strict=True)):
        metrics = {"score": 0.5} if state in (State.FINISHED, State.REUSED) else {}
        curve = (Report(1, {"score": 0.1}), Report(2, {"score": 0.2, "loss": 1.0})) if state is State.PRUNED else ()
        strategy.tell(Trial(number, proposal, state, metrics, curve))
    found = [(told.state.name, told.value) for told in strategy._study.trials]
    assert found == [("COMPLETE", 0.5), ("FAIL", None), ("FAIL", None), ("PRUNED", 0.2), ("COMPLETE", 0.5)]
    assert strategy._pending == {}


def test_refused_proposals_are_told_and_asked_again():
    """What a rule refuses Optuna learns as pruned; after twenty in a row the space itself draws."""
    space = toy.SPACES["dials"]().restrict(lambda a: a["dial00"] == 0)
    proposals = play(started(Optuna("tpe"), space), 8)
    assert all(proposal.architecture in space for proposal in proposals)
    none = toy.SPACES["dials"]().restrict(lambda a: sum(a.values()) < 20)
    strategy = started(Optuna("random"), none)
    proposals = play(strategy, 3)
    assert all(proposal.architecture in none for proposal in proposals)
    assert {told.state.name for told in strategy._study.trials} >= {"PRUNED", "COMPLETE"}
    assert len([told for told in strategy._study.trials if told.state.name == "COMPLETE"]) == 3


@pytest.mark.parametrize("early", [True, False])
def test_trials_of_others_are_added(early):
    """Before the first ask or later: Optuna knows them, with their conditional decisions, as its own."""
    space = toy.SPACES["conditional"]()
    strategy = started(Optuna("tpe"), space)
    rng = np.random.default_rng(0)
    if not early:
        strategy.ask(rng)
    architectures = [space.sample(rng) for _ in range(6)]
    for number, architecture in enumerate(architectures):
        strategy.tell(trial(number, architecture, score=float(number)))
    strategy.tell(trial(6, space.sample(rng), State.FAILED))
    if early:
        strategy.ask(rng)
    values = [told.value for told in strategy._study.trials if told.state.name == "COMPLETE"]
    assert values == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    params = [told.params for told in strategy._study.trials if told.state.name == "COMPLETE"]
    assert [set(found) for found in params] == [set(architecture) for architecture in architectures]


def test_fixed_decisions_are_answered():
    """A decision with one option is not asked of Optuna."""
    space = toy.SPACES["flat"]().fix(width=3)
    assert {proposal.architecture["width"] for proposal in play(started(Optuna("tpe"), space), 12)} == {3}
    assert len(play(started(Optuna("tpe"), "point"), 5)) == 1


def test_nothing_is_logged(caplog, capsys):
    """Optuna's log and warnings of experiments are silent inside, and as they were outside."""
    optuna.logging.set_verbosity(optuna.logging.INFO)
    optuna.logging.enable_propagation()
    try:
        with caplog.at_level(logging.INFO, logger="optuna"), warnings.catch_warnings():
            warnings.simplefilter("error")
            play(started(Optuna("gp", n_startup_trials=2, deterministic_objective=True), "conditional"), 5)
            assert logging.getLogger("optuna").level == logging.INFO
    finally:
        optuna.logging.disable_propagation()
    assert [record for record in caplog.records if record.name.startswith("optuna")] == []
    assert capsys.readouterr().err == ""


def test_without_optuna(monkeypatch):
    """It says how to install it."""
    real = builtins.__import__

    def without(name, *rest, **more):
        if name.partition(".")[0] == "optuna":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtra, match=r"Optuna needs optuna\. Install it: pip install 'netwright\[optuna\]'"):
        started(Optuna("tpe"), "flat")


def test_a_rule_and_a_condition_together():
    """A rule that reads a conditional decision meets architectures that do not ask it."""

    class Net(toy.Point):
        def __init__(self, input_shape=toy.INPUT_SHAPE, classes=toy.CLASSES):
            super().__init__(input_shape, classes)
            one_of("block", conv=lambda: choose("kernel", 1, 3) and toy.nn.Identity(), skip=toy.nn.Identity)

    space = SearchSpace(Net, where=lambda a: a.get("kernel", 1) == 1)
    proposals = play(started(Optuna("tpe"), space), 20)
    assert {proposal.architecture.get("kernel") for proposal in proposals} == {1, None}
    assert all(isinstance(proposal, Proposal) for proposal in proposals)
