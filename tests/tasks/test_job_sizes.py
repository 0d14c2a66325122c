"""A search by gradients in a space of open sizes, from data to a verdict."""

from __future__ import annotations

from netwright import tasks


def test_sizes_are_searched_by_gradients_and_what_no_weight_can_say_is_kept(tmp_path):
    """Of tables the width is learnt; dropout stays what it is in a network known to be good, and this is said."""
    messages = []
    outcome = tasks.search(
        "iris",
        strategy="darts",
        time_limit="10s",
        n_jobs=2,
        out=tmp_path / "run",
        watch=lambda progress: messages.append(progress.message),
    )
    trials = tasks.show(outcome.out)["trials"]
    assert len(trials) > 0
    assert {trial["architecture"]["dropout"] for trial in trials} == {0.1}
    assert "keeping dropout=0.1, spread=0.05: darts mixes weights, which do not depend on it" in messages
    assert tasks.resume(outcome.out).winner.score == outcome.winner.score
