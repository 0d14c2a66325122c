"""What a study remembers of its journal."""

import netwright as nw
from netwright.stores.base import Event
from netwright.study.history import History
from netwright.testing import toy


def run(trials=12, **options):
    study = nw.Study(
        toy.SPACES["conditional"](), "evolution(population=3, tournament=2)", toy.digest, maximize="score", **options
    )
    return study.run(max_trials=trials)


def test_an_architecture_is_held_once():
    """The claim, the trial and the index of what was evaluated share the proposal that the strategy made."""
    history = run().history
    held = {id(architecture) for architecture, _ in history.by_work}
    for claim in history.claims:
        assert history.trials[claim.number].proposal is claim.proposal
        if history.by_work[history.work(claim.proposal)] == claim.number:
            assert id(claim.proposal.architecture) in held


def test_a_resumed_study_holds_the_decisions_in_their_order(tmp_path):
    """The journal sorts names; after a replay every architecture has them as its space has."""
    run(trials=8, store=tmp_path)
    resumed = run(trials=12, store=tmp_path)
    order = [decision.name for decision in resumed.space.decisions]
    for architecture in [trial.architecture for trial in resumed.trials] + [a for a, _ in resumed.history.by_work]:
        assert [name for name in order if name in architecture] == list(architecture)
    assert [t.architecture for t in run(trials=12).trials] == [t.architecture for t in resumed.trials]


def test_the_order_of_what_happened():
    """Claims and ends stand as they came."""
    claim = {"attempt": 1, "architecture": {"x": 1}, "budget": None, "inherits": None, "seed": 0}
    end = {"attempt": 1, "state": "finished", "metrics": {"score": 1.0}}
    happened = [("claimed", 0), ("claimed", 1), ("ended", 1), ("claimed", 2), ("ended", 0), ("ended", 2)]
    events = [Event(kind, {**(claim if kind == "claimed" else end), "number": number}) for kind, number in happened]
    assert happened == History.of(events).order
