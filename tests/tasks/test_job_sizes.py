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
    # A transformer has no dropout.
    blocks = [trial["architecture"] for trial in trials if trial["architecture"]["network"] == "blocks"]
    assert {architecture["dropout"] for architecture in blocks} <= {0.1}
    (kept,) = (message for message in messages if message and message.startswith("keeping "))
    # No start that is known to be good has a spread: so it is the first.
    assert kept.startswith("keeping dropout=0.1, spread=0.05, ")
    assert kept.endswith(": darts mixes weights, which do not depend on it")
    assert tasks.resume(outcome.out).winner.score == outcome.winner.score
