"""The proxies by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from netwright.errors import InputError, nearest
from netwright.evaluators.proxies.base import Proxy
from netwright.evaluators.proxies.blocks import az_expressivity, az_progressivity, az_trainability
from netwright.evaluators.proxies.counts import macs, params
from netwright.evaluators.proxies.jacobian import epe_nas, jacob_cov
from netwright.evaluators.proxies.kernel import ntk
from netwright.evaluators.proxies.meco import meco, meco_opt
from netwright.evaluators.proxies.patterns import naswot, swap
from netwright.evaluators.proxies.saliency import fisher, grad_norm, grasp, l2_norm, plain, snip
from netwright.evaluators.proxies.synflow import synflow
from netwright.evaluators.proxies.zen import zen
from netwright.evaluators.proxies.zico import zico

PROXIES: Mapping[str, Proxy] = MappingProxyType(
    {
        each.name: each
        for each in (
            synflow,
            snip,
            grasp,
            fisher,
            grad_norm,
            l2_norm,
            plain,
            jacob_cov,
            epe_nas,
            naswot,
            swap,
            zen,
            zico,
            meco,
            meco_opt,
            ntk,
            az_expressivity,
            az_progressivity,
            az_trainability,
            params,
            macs,
        )
    }
)
"""Name → proxy; each knows its direction (higher is better, except ``ntk``)."""


def select(names: Iterable[str]) -> tuple[Proxy, ...]:
    """The proxies of these names, each once; InputError with the closest known name for an unknown one."""
    wanted = tuple(dict.fromkeys([names] if isinstance(names, str) else names))
    for name in wanted:
        if name not in PROXIES:
            raise InputError(f"there is no proxy '{name}'", hint=nearest(str(name), PROXIES).capitalize())
    if not wanted:
        raise InputError("no proxy is named", hint=f"Known: {', '.join(PROXIES)}")
    return tuple(PROXIES[name] for name in wanted)
