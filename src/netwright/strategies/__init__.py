"""Search strategies: one algorithm a file. Each is imported when it is first used."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from functools import cache, partial
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from netwright.strategies.asha import ASHA
    from netwright.strategies.auto import Auto
    from netwright.strategies.bananas import Bananas
    from netwright.strategies.base import Strategy
    from netwright.strategies.bayesian import Bayesian
    from netwright.strategies.bohb import BOHB
    from netwright.strategies.curve_stopping import CurveStopping
    from netwright.strategies.evolution import Evolution
    from netwright.strategies.genetic import Genetic
    from netwright.strategies.grid import Grid
    from netwright.strategies.hyperband import Hyperband
    from netwright.strategies.local_search import LocalSearch
    from netwright.strategies.making import make
    from netwright.strategies.nsga2 import NSGA2
    from netwright.strategies.optuna import Optuna
    from netwright.strategies.ppo import PPO
    from netwright.strategies.proxy_start import ProxyStart
    from netwright.strategies.random import Random
    from netwright.strategies.reinforce import Reinforce
    from netwright.strategies.starting import StartingFrom
    from netwright.strategies.successive_halving import SuccessiveHalving

__all__ = [
    "ASHA",
    "BOHB",
    "NSGA2",
    "PPO",
    "STRATEGIES",
    "Auto",
    "Bananas",
    "Bayesian",
    "CurveStopping",
    "Evolution",
    "Genetic",
    "Grid",
    "Hyperband",
    "LocalSearch",
    "Optuna",
    "ProxyStart",
    "Random",
    "Reinforce",
    "StartingFrom",
    "Strategy",
    "SuccessiveHalving",
    "make",
]

_WHERE = {
    "ASHA": "asha",
    "Auto": "auto",
    "Bananas": "bananas",
    "Bayesian": "bayesian",
    "BOHB": "bohb",
    "CurveStopping": "curve_stopping",
    "Evolution": "evolution",
    "Genetic": "genetic",
    "Grid": "grid",
    "Hyperband": "hyperband",
    "LocalSearch": "local_search",
    "make": "making",
    "NSGA2": "nsga2",
    "Optuna": "optuna",
    "PPO": "ppo",
    "ProxyStart": "proxy_start",
    "Random": "random",
    "Reinforce": "reinforce",
    "StartingFrom": "starting",
    "Strategy": "base",
    "SuccessiveHalving": "successive_halving",
}

_NAMED = {
    "asha": "ASHA",
    "auto": "Auto",
    "bananas": "Bananas",
    "bohb": "BOHB",
    "curve-stopping": "CurveStopping",
    "ehvi": "Bayesian gp acquisition=ehvi",
    "evolution": "Evolution",
    "genetic": "Genetic",
    "gp": "Bayesian gp",
    "grid": "Grid",
    "hyperband": "Hyperband",
    "local-search": "LocalSearch",
    "nsga2": "NSGA2",
    "optuna-cmaes": "Optuna cmaes",
    "optuna-gp": "Optuna gp",
    "optuna-nsga2": "Optuna nsga2",
    "optuna-nsga3": "Optuna nsga3",
    "optuna-tpe": "Optuna tpe",
    "ppo": "PPO",
    "proxy-start": "ProxyStart",
    "random": "Random",
    "random-forest": "Bayesian random-forest",
    "reinforce": "Reinforce",
    "successive-halving": "SuccessiveHalving",
}
"""The names of the command line, and the class of each, with its first arguments where one class has several names."""

_SUMMARIES = {
    "ehvi": "Several objectives: a Gaussian process of each, and the candidate that enlarges the front most.",
    "gp": "Bayesian optimisation: a Gaussian process of the scores, and the candidate that promises most.",
    "optuna-cmaes": "CMA-ES, Optuna's: it moves numbers, and draws everything else at random.",
    "optuna-gp": "Bayesian optimisation with a Gaussian process, Optuna's.",
    "optuna-nsga2": "NSGA-II, Optuna's: evolution for several objectives.",
    "optuna-nsga3": "NSGA-III, Optuna's: evolution for several objectives.",
    "optuna-tpe": "Tree-structured Parzen estimator, Optuna's: densities of good and of bad answers.",
    "random-forest": "Bayesian optimisation: a random forest of the scores, and the candidate that promises most.",
}
"""What those names are that share a class, in a line each."""


class _Strategies(Mapping[str, "type[Strategy]"]):
    """The strategies by the names of the command line; a package adds its own by the entry point
    ``netwright.strategies``."""

    def __getitem__(self, name: str) -> type[Strategy]:
        if name in _NAMED:
            kind, *arguments = _NAMED[name].split()
            found: type[Strategy] = __getattr__(kind)
            return _with_arguments(name, found, *arguments) if arguments else found
        for point in entry_points(group=__name__, name=name):
            added: type[Strategy] = point.load()
            return added
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        yield from _NAMED
        yield from sorted({point.name for point in entry_points(group=__name__)} - set(_NAMED))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in tuple(self)


@cache
def _with_arguments(name: str, kind: type[Strategy], *arguments: str) -> type[Strategy]:
    named = dict(argument.split("=") for argument in arguments if "=" in argument)
    made: Any = partial(kind, *(argument for argument in arguments if "=" not in argument), **named)
    made.__doc__ = _SUMMARIES[name]
    made.__name__ = " ".join((kind.__name__, *arguments))
    return cast("type[Strategy]", made)


STRATEGIES: Mapping[str, type[Strategy]] = _Strategies()


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        value = getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
