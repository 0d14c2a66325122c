"""Smaller networks from the one that was found: channels pruned by magnitude, others of the front taught by it.

Pruning removes the channels whose weights are smallest, in all layers that have to agree on them together, and trains
what is left again (Li et al. 2017). The dependencies between layers are found by the library Torch-Pruning (Fang et
al. 2023, DepGraph). What comes of it stands beside the networks of the searched front, judged by the same test data.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from netwright.errors import InputError, MissingExtra
from netwright.progress import Progress, Watch
from netwright.tasks.picking import COMPRESSED, take

if TYPE_CHECKING:
    import torch
    from torch import nn

    from netwright.evaluators.train import Train
    from netwright.training.recipes import Recipe

SHARES = (0.25, 0.5, 0.75)
"""The shares of channels that are pruned."""
GENTLE = 3.0
"""What is left of a pruned network trains again with a learning rate so many times smaller, for half of the epochs."""
COUNTED = ("params", "macs")
TIMED = 0.5
"""Seconds, for each of the networks."""


@final
@dataclass(frozen=True)
class Small:
    """A network beside others: what it is, its folder, its test score with a 95 % interval, its costs."""

    name: str
    folder: Path
    score: float
    low: float
    high: float
    costs: Mapping[str, float]

    def to_value(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "name": self.name, "folder": str(self.folder), "test": {"score": self.score, "low": self.low,
            "high": self.high}, **self.costs,
        }  # fmt: skip


def compress(
    folder: str | Path,
    *,
    shares: Sequence[float] = SHARES,
    picks: Sequence[str | int] = ("knee", "fastest"),
    distill: bool = False,
    seed: int = 0,
    watch: Watch | None = None,
) -> list[Small]:
    """Prunes ``shares`` of the channels of the network in ``folder``, and sets the outcomes beside the ``picks``.

    The picks are networks of the same search (:func:`netwright.tasks.picking.take`). With ``distill`` they are also
    trained with the found network as their teacher, and what is pruned learns from it again; a weight of one half, at
    temperature 4 (:class:`netwright.training.distillation.Teacher`). Each new network is a package in
    ``compressed``, which ``export --pick NAME`` writes in every form.

    In the end all are timed together, in turns, on the runtime that the search measured on. A profile of another
    device does not know what was pruned: then they are timed on the usual runtime of this host.

    InputError for a search that has not ended and for shares that leave nothing; MissingExtra where Torch-Pruning, or
    the runtime, is not installed.
    """
    folder = Path(folder)
    wrong = [share for share in shares if isinstance(share, bool) or not 0 < float(share) < 1]
    if wrong:
        raise InputError(f"a share of channels is a number between 0 and 1, found {wrong[0]!r}")
    take(folder)
    # Also where there is an ensemble: a network is made smaller, not several.
    best = folder / "best"
    if shares:
        _require()
    work = _Work(folder, best, seed)
    found = [work.judged("found", best)]
    known = {_architecture(best)}
    for pick in picks:
        package = take(folder, pick, watch=watch)
        answers = _architecture(package)
        if answers in known:
            continue
        known.add(answers)
        found.append(work.judged(str(pick), package))
        if distill:
            _tell(watch, f"teaching {pick}")
            found.append(work.taught(str(pick), package))
    for share in shares:
        _tell(watch, f"pruning {share:.0%} of the channels")
        found.append(work.pruned(float(share), distill))
    _tell(watch, f"timing {len(found)} networks")
    return work.timed(found)


def table(found: Iterable[Small], metric: str) -> list[str]:
    """The networks as lines of text, with a head."""
    head = ("", f"test {metric}", "95 % interval", "parameters", "MACs", "latency ms")
    rows = [head]
    for one in found:
        rows.append((
            one.name, f"{one.score:.4f}", f"{one.low:.4f}–{one.high:.4f}", f"{one.costs['params']:,.0f}",
            f"{one.costs['macs']:,.0f}", f"{one.costs['latency_ms']:.3f}",
        ))  # fmt: skip
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]


class _Work:
    """The data of a study, the recipe of its network, and that network."""

    def __init__(self, folder: Path, best: Path, seed: int) -> None:
        from netwright.costs import Latency
        from netwright.export import load_network, read_manifest
        from netwright.tasks.job import configuration, evaluator_of
        from netwright.tasks.profiles import again
        from netwright.training.recipes import Recipe

        self.folder, self.best, self.seed = folder, best, seed
        self.about = configuration(folder)
        self.train: Train = evaluator_of(self.about, folder)
        self.manifest = read_manifest(best)
        if "recipe" not in self.manifest["extra"]:
            raise InputError(
                f"{best} does not say how its network was trained", hint=f"Write it anew: netwright resume {folder}"
            )
        self.recipe: Recipe = Recipe(**self.manifest["extra"]["recipe"])
        self.network: nn.Module = load_network(best, self.manifest)
        on = again(self.about.get("on"), folder)
        self.latency = on if isinstance(on, Latency) else Latency()
        self.latency.require()
        self._networks: list[nn.Module] = []

    def judged(self, name: str, package: Path) -> Small:
        """A package that is there."""
        from netwright.export import load_network

        return self._small(name, package, load_network(package))

    def taught(self, pick: str, package: Path) -> Small:
        """The network of a package trained from scratch, with the found one as its teacher."""
        from netwright.architecture import Architecture
        from netwright.export import read_manifest
        from netwright.space.traceless import generators_kept
        from netwright.tasks.spaces import find_again, like
        from netwright.training.recipes import Recipe

        about = read_manifest(package)["extra"]
        architecture = Architecture.from_json((package / "architecture.json").read_bytes())
        with generators_kept(seed=self.seed):
            network = find_again(about["space"], **like(about)).space.build(architecture)
        self._fit(network, Recipe(**about["recipe"]), taught=True)
        return self._kept(f"{pick}-taught", network, architecture, "trained with the found network as its teacher")

    def pruned(self, share: float, distill: bool) -> Small:
        """The found network without that share of its channels, trained again."""
        from netwright.architecture import Architecture

        network = without_channels(self.network, self._example(), share)
        recipe = self.recipe.replace(lr=self.recipe.lr / GENTLE, epochs=math.ceil(self.recipe.epochs / 2))
        self._fit(network, recipe, taught=distill)
        architecture = Architecture.from_json((self.best / "architecture.json").read_bytes())
        how = f"the found network without {share:.0%} of its channels, trained again"
        return self._kept(f"pruned-{share * 100:.0f}", network, architecture, how + " by it" * distill)

    def _fit(self, network: nn.Module, recipe: Recipe, *, taught: bool) -> None:
        from netwright.training.distillation import Teacher
        from netwright.training.loop import train_network

        train_network(
            network, self.train.data, self.train.split.development, recipe, seed=self.seed,
            teacher=Teacher(self.network) if taught else None,
        )  # fmt: skip

    def _example(self) -> torch.Tensor:
        import torch

        return torch.from_numpy(np.array(self.train.data.X[:32], dtype=np.float32))

    def _kept(self, name: str, network: nn.Module, architecture: Any, how: str) -> Small:
        """The network as a package of its own."""
        from netwright.export import package

        destination = self.folder / COMPRESSED / name
        destination.parent.mkdir(exist_ok=True)
        small = self._small(name, destination, network)
        text = "\n".join([
            f"# {self.about['name']}: {name}", "", f"{how[0].upper()}{how[1:]}. Test score {small.score:.4f}, 95 % "
            f"interval {small.low:.4f} to {small.high:.4f}; {small.costs['params']:,.0f} parameters, "
            f"{small.costs['macs']:,.0f} multiply-accumulates.", "",
        ])  # fmt: skip
        package(network, architecture, self._example(), destination, text, self.manifest["extra"])
        return dataclasses.replace(small, folder=destination)

    def _small(self, name: str, folder: Path, network: nn.Module) -> Small:
        import torch

        from netwright.costs import COSTS
        from netwright.statistics import score_interval
        from netwright.training.goals import read_goal
        from netwright.training.loop import predict

        train, data = self.train, self.train.data
        judges = train.test if train.test is not None else data.subset(train.split.test)
        goal = read_goal(data.task)
        outputs = predict(network, judges.X)
        if goal.standardised:
            outputs = self._in_unit_of_data(outputs)
        examples = goal.credits(outputs, np.asarray(judges.y))
        interval = score_interval(examples[None])
        example = torch.zeros(1, *data.input_shape)
        costs = {cost: float(COSTS[cost](network, example)) for cost in COUNTED}
        self._networks.append(network)
        low, high = sorted((goal.shown_score(interval.low), goal.shown_score(interval.high)))
        return Small(name, folder, goal.shown_score(float(examples.mean())), low, high, costs)

    def timed(self, found: Sequence[Small]) -> list[Small]:
        """All that were made, in that order, with their latencies; they take turns."""
        import torch

        example = torch.zeros(1, *self.train.data.input_shape)
        times = self.latency.compare(self._networks, example, seconds=TIMED * len(found))
        return [
            dataclasses.replace(one, costs={**one.costs, "latency_ms": time.median})
            for one, time in zip(found, times, strict=True)
        ]

    def _in_unit_of_data(self, outputs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Outputs (N,) in the unit of the data: what the network answers is standardised once more."""
        ours = self.about["preprocessing"]["target"]
        theirs = self.manifest["extra"]["preprocessing"]["target"]
        numbers = outputs.astype(np.float64).reshape(len(outputs))
        return np.asarray((numbers * theirs["std"] + theirs["mean"] - ours["mean"]) / ours["std"])


def without_channels(network: nn.Module, example: torch.Tensor, share: float) -> nn.Module:
    """A copy of ``network`` without ``share`` of its channels, those of the least weights (L1); outputs stay as many.

    Of layers that must agree on their channels, such as those of a residual sum, the same ones go. InputError where
    nothing can be removed.
    """
    _require()
    import torch
    import torch_pruning  # type: ignore[import-untyped]

    twin = copy.deepcopy(network).cpu().train()
    for parameter in twin.parameters():
        parameter.requires_grad_(True)
    with torch.no_grad():
        width = twin.eval()(example[:2]).shape[1]
    before = sum(parameter.numel() for parameter in twin.parameters())
    last = [module for module in twin.modules() if getattr(module, "out_features", None) == width][-1:]
    pruner = torch_pruning.pruner.BasePruner(
        twin,
        example[:2],
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=1),
        pruning_ratio=share,
        ignored_layers=last,
    )
    pruner.step()
    after = sum(parameter.numel() for parameter in twin.parameters())
    with torch.no_grad():
        outputs = twin(example[:2])
    if after == before or outputs.shape[1] != width:
        raise InputError(f"no channel of a {type(network).__name__} can be removed")
    return twin


def _require() -> None:
    import importlib.util

    if importlib.util.find_spec("torch_pruning") is None:
        raise MissingExtra("torch-pruning", "prune", "Pruning channels")


def _architecture(package: Path) -> str:
    return (package / "architecture.json").read_text()


def _tell(watch: Watch | None, message: str) -> None:
    if watch is not None:
        watch(Progress(phase="refit", metric="", message=message))
