"""The card of a network."""

from __future__ import annotations

from dataclasses import replace

from netwright.export import CardFacts, Score, card

FACTS = CardFacts(
    data="digits",
    examples=1797,
    fingerprint="ab12",
    metric="accuracy",
    score=Score(0.9912, 0.985, 0.996),
    verdict="Equal to the baseline, at half of its operations.",
    command="netwright search digits --time-limit 60s",
    architecture={"width": 16, "op": "conv"},
    splits={"train": 1000, "test": 360},
    costs={"params": 12345.0, "macs": 2e6, "memory": 4096.0},
    baseline="conv 16-32-48",
    baseline_score=Score(0.99, 0.98, 0.995),
    baseline_costs={"params": 19354.0, "macs": 4e6},
    seeds={"study": 0},
    trials=1234,
)


def test_card_tells_the_result() -> None:
    """Score with its interval beside the baseline's, then the costs beside the baseline's."""
    text = card(FACTS)
    assert "Equal to the baseline, at half of its operations." in text
    assert "| accuracy | 0.9912 (0.9850 to 0.9960) | 0.9900 (0.9800 to 0.9950) |" in text
    assert "| parameters | 12,345 | 19,354 |" in text
    assert "| peak memory (bytes) | 4,096 |  |" in text


def test_card_tells_the_limits() -> None:
    """As they were given, also those below one."""
    text = card(replace(FACTS, limits={"latency_ms": 0.05, "params": 1e6}, costs={"size_mb": 0.0391}))
    assert "| Limits | latency\\_ms 0.05, params 1,000,000 |" in text
    assert "| size of the weights (MB) | 0.0391 |  |" in text
    assert "Limits" not in card(FACTS)


def test_card_tells_how_to_make_it_again() -> None:
    """Data, splits, seeds, versions and the command."""
    text = card(FACTS)
    for row in (
        "| Data | `digits` |",
        "| Fingerprint | `ab12` |",
        "| Split: train | 1,000 |",
        "| Command | `netwright search digits --time-limit 60s` |",
        "| Seed: study | 0 |",
        "| Trials | 1,234 |",
        "| `width` | `16` |",
    ):
        assert row in text
    assert "| torch | `" in text


def test_card_tells_how_inputs_are_prepared() -> None:
    """Whoever loads the network alone learns where the constants are, and what applies them."""
    use = card(FACTS).partition("## Use")[2]
    assert "network = load()" in use
    assert "`manifest.json`" in use
    assert "`netwright predict DIR DATA`" in use


def test_card_without_a_baseline() -> None:
    """What was not measured is left out, not invented."""
    text = card(CardFacts("d", 1, "f", "loss", Score(1, 0, 2), "Undecided.", "netwright"))
    assert "baseline" not in text
    assert "Trials" not in text


def test_names_are_no_markup() -> None:
    """A file's name cannot become a table, a link or a heading of the card."""
    facts = CardFacts("a`b|c\n# d", 1, "f", "loss", Score(1, 0, 2), "<script>[x](y)\n# z", "netwright")
    text = card(facts)
    assert "| Data | ``a`b\\|c # d`` |" in text
    assert "\\<script\\>\\[x\\](y) \\# z" in text
    assert "\n# z" not in text
