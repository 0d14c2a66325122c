"""Limits that are dear to ask: candidates are made without them, and few are asked."""

import numpy as np
import pytest

from netwright import strategies
from netwright.strategies.limits import CHECKS, first_allowed
from netwright.testing import toy
from netwright.trial import State, Trial


def limited(share):
    """A space of twenty decisions of four options whose limit about ``share`` of it keeps, and its questions."""
    asked = []

    def rule(architecture):
        asked.append(architecture)
        return toy.digest_of(architecture)["price"] < share

    return toy.SPACES["dials"]().restrict(rule), asked, rule


@pytest.mark.parametrize("name", ["auto", "gp", "random-forest", "bananas"])
@pytest.mark.parametrize("share", [0.3, 0.01])
def test_surrogates_ask_few_limits_and_keep_them(name, share):
    """Each ask costs some questions, not one for each candidate of a pool; what is proposed is within the limits."""
    space, asked, rule = limited(share)
    strategy = strategies.make(name)
    strategy.start(space, (toy.OBJECTIVE,))
    counts = []
    for number in range(40):
        before = len(asked)
        proposal = strategy.ask(np.random.default_rng([0, number]))
        counts.append(len(asked) - before)
        assert rule(proposal.architecture)
        strategy.tell(Trial(number, proposal, State.FINISHED, toy.digest_of(proposal.architecture)))
    assert np.median(counts[15:]) <= (12 if share > 0.1 else 2 * CHECKS + 2 / share)
    assert len(set(asked)) > 40


def test_the_first_allowed_is_found_by_asking_in_order():
    """Nothing is asked beyond it, and nothing beyond so many refused ones."""
    space, asked, rule = limited(0.3)
    rng = np.random.default_rng(1)
    drawn = [space.unrestricted.sample(rng) for _ in range(200)]
    expected = next(place for place, architecture in enumerate(drawn) if rule(architecture))
    asked.clear()
    assert (expected, expected) == first_allowed(space, drawn)
    assert asked == drawn[: expected + 1]
    refused = [architecture for architecture in drawn if not rule(architecture)]
    asked.clear()
    assert (None, CHECKS) == first_allowed(space, refused)
    assert len(asked) == CHECKS
