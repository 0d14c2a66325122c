"""Metrics know which way is better."""

import pytest

from netwright.errors import InputError
from netwright.training import direction


@pytest.mark.parametrize(
    ("name", "expected"),
    [("val_accuracy", "maximize"), ("val_r2", "maximize"), ("val_loss", "minimize"), ("latency_ms", "minimize")],
)
def test_each_metric_has_its_direction(name, expected):
    """Scores are maximised, losses and costs minimised."""
    assert expected == direction(name)


def test_an_unknown_metric_names_the_closest():
    """A typo is answered with what was meant."""
    with pytest.raises(InputError, match=r"no metric is called 'val_acuracy'.*Did you mean 'val_accuracy'"):
        direction("val_acuracy")
