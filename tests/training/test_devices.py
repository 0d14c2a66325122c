"""Names of devices: those of this machine are taken, others are refused with what there is."""

from __future__ import annotations

import pytest
import torch

from netwright.errors import InputError
from netwright.training.devices import device_here


def test_devices_that_are_here():
    """The processor always is, and ``auto`` is a device that torch has."""
    assert ["cpu", "cpu:0"] == [device_here(name) for name in ("cpu", "cpu:0")]
    assert 1 == len(torch.zeros(1, device=device_here("auto")))


@pytest.mark.parametrize("name", ["foo", "", "cpu:7", "cpu:x", "cuda:99", "tpu"])
def test_devices_that_are_not(name):
    """One line that says what there is."""
    with pytest.raises(InputError, match=rf"device '{name}' is not on this machine\. There is: .*(cpu|cuda)"):
        device_here(name)
