"""Latencies of a whole space from a file: the time of every kernel on a device, and what corrects their sum.

A network takes about as long as its kernels do one by one. What differs (a call from Python for each, layouts that are
turned round, caches that are warm) is learned from some dozens of whole networks: a linear correction, which is itself
a sum over kernels, so that the cost of each is still its own. How far off it is, is told by networks that it has not
learned from.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np
import numpy.typing as npt

from netwright import strict_json
from netwright.architecture import Architecture
from netwright.costs.timing import Timing
from netwright.errors import InputError, ResourceError

if TYPE_CHECKING:
    from torch import nn

    from netwright.costs.base import Example
    from netwright.costs.kernels import Kernel
    from netwright.space import SearchSpace

KIND, FORMAT = "netwright profile", 1
FOLDS = 8
FEWEST = 8
"""So many whole networks at least, or kernels are added up as they are."""
STRENGTHS = tuple(10.0**power for power in np.arange(-4, 2.5, 0.5))
"""Of the ridge; which of them is decided by networks left out one at a time."""
KNOWN = 0.5
"""A network of which less is known than this part of its kernels is of another space."""
LEAST_PART = 0.1
"""A correction leaves at least this part of the sum of the kernels."""
NEIGHBOURS = 3
BLOCK = 8
"""Channels."""
MORE = 5
"""Features that kernels of all classes have."""
Floats = npt.NDArray[np.float64]


@final
@dataclass(frozen=True)
class Whole:
    """A network that was timed as a whole: drawn as the space draws (``uniform``), or chosen to be far from others."""

    architecture: Architecture
    kernels: Mapping[str, int]
    timing: Timing
    uniform: bool = True


@final
@dataclass(frozen=True)
class Error:
    """How far predictions are from ``networks`` whole networks: relative errors, and Kendall's τ of their ranking."""

    networks: int
    median: float
    p95: float
    tau: float

    @classmethod
    def between(cls, predicted: Sequence[float] | Floats, measured: Sequence[float] | Floats) -> Error:
        """Of some predictions, beside what was measured."""
        from scipy.stats import kendalltau

        found, truth = np.asarray(predicted, dtype=np.float64), np.asarray(measured, dtype=np.float64)
        off = np.abs(found / truth - 1)
        tau = float(kendalltau(found, truth).statistic) if len(found) > 1 else float("nan")
        return cls(len(found), float(np.median(off)), float(np.quantile(off, 0.95)), tau)

    def to_value(self) -> dict[str, Any]:
        """As JSON: parts of one, not percent."""
        tau = None if np.isnan(self.tau) else round(self.tau, 4)
        return {"networks": self.networks, "median": round(self.median, 4), "p95": round(self.p95, 4), "tau": tau}

    def __str__(self) -> str:
        return (
            f"median error {100 * self.median:.1f} %, 95th percentile {100 * self.p95:.1f} %, Kendall's τ "
            f"{self.tau:.2f} on {self.networks} networks"
        )


@final
@dataclass(frozen=True, eq=False)
class Profile:
    """The latencies of a space on one device. Called with a space and an architecture: milliseconds of one pass.

    ``space`` has ``name``, ``signature`` and ``input_shape``; ``host`` has ``on`` (runtime and threads),
    ``processor``, ``machine``, ``system``, ``versions`` and ``load`` (how busy the machine was). ``batch`` examples go
    through at once.
    """

    space: Mapping[str, Any]
    host: Mapping[str, Any]
    batch: int
    kernels: Mapping[Kernel, Timing]
    wholes: tuple[Whole, ...]

    def __call__(self, space: SearchSpace, architecture: Architecture) -> float:
        """What the architecture takes; InputError for another space."""
        import torch

        self.check(space)
        shape = tuple(self.space["input_shape"])
        with torch.random.fork_rng(devices=[]):
            try:
                with torch.device("meta"):
                    network = space.build(architecture)
                return self.of(network, torch.empty(1, *shape, device="meta"))
            except (RuntimeError, TypeError, ValueError) as error:
                if isinstance(error, InputError):
                    raise
            return self.of(space.build(architecture), torch.zeros(1, *shape))

    def of(self, network: nn.Module, example: Example) -> float:
        """What a network takes; InputError where most of it is unknown."""
        from netwright.costs.kernels import kernels_of

        counts = kernels_of(network, example, self.batch)
        total, unknown = sum(counts.values()), self.unknown(counts)
        if unknown > (1 - KNOWN) * total:
            raise InputError(
                f"the profile of {self.space['name']} on {self.host['processor']} knows {total - unknown} of the "
                f"{total} kernels of this network",
                hint="Profile the space that it is of: netwright profile SPACE",
            )
        return self.predict(counts)

    def unknown(self, counts: Mapping[Kernel, int]) -> int:
        """How many of the kernels were not timed: what they take is estimated from those like them."""
        return sum(number for kernel, number in counts.items() if kernel not in self.kernels)

    def predict(self, counts: Mapping[Kernel, int]) -> float:
        """What a network of these kernels takes."""
        return float(self._correction(self._features([counts]))[0])

    def raw(self, counts: Mapping[Kernel, int]) -> float:
        """The bare sum of the times of the kernels."""
        return sum(number * self.time(kernel) for kernel, number in counts.items())

    def share(self, kernel: Kernel) -> float:
        """What one kernel adds to a network; of all of them and :attr:`between` a network is the sum."""
        return float(self._features([{kernel: 1}])[0, 1:] @ self._correction.weights[1:])

    @property
    def between(self) -> float:
        """What a network takes beside its kernels."""
        return float(self._correction.weights[0])

    def time(self, kernel: Kernel) -> float:
        """Alone; of one that was not timed, by those of its kind that are most alike."""
        known = self.kernels.get(kernel)
        return self._estimates(kernel) if known is None else known.median

    @cached_property
    def error(self) -> Error | None:
        """On whole networks that were drawn as the space draws them, each predicted from the others; None for few."""
        if len(self.wholes) < FEWEST:
            return None
        judged = [place for place, whole in enumerate(self.wholes) if whole.uniform]
        predicted = crossed(self._rows, self._times, FOLDS)
        return Error.between(predicted[judged], self._times[judged])

    @cached_property
    def error_of_sums(self) -> Error | None:
        """Of the bare sums of kernels, beside the same networks."""
        judged = [place for place, whole in enumerate(self.wholes) if whole.uniform]
        if not judged:
            return None
        sums = self._rows[:, 1 : 1 + len(_classes())].sum(axis=1)
        return Error.between(sums[judged], self._times[judged])

    # Whose it is

    def check(self, space: SearchSpace, input_shape: Sequence[int] | None = None) -> None:
        """Raises InputError, with the difference, where the profile is of another space or of other inputs."""
        problems = []
        if space.name != self.space["name"]:
            problems.append(f"it is of the space {self.space['name']}, not {space.name}")
        elif identity(space) != self.space["signature"]:
            problems.append(f"the decisions of {space.name} are others than when it was made")
        if input_shape is not None and list(input_shape) != list(self.space["input_shape"]):
            made, given = ("×".join(map(str, each)) for each in (self.space["input_shape"], input_shape))
            problems.append(f"it is of inputs of {made}, not {given}")
        if problems:
            raise InputError(
                f"the profile does not fit: {', and '.join(problems)}", hint="Make one: netwright profile SPACE"
            )

    def check_host(self, host: Mapping[str, Any]) -> None:
        """Raises InputError, with the difference, where the profile was made on another machine or runtime."""
        differences = [
            f"{name} {self.host.get(name)!s} there, {host.get(name)!s} here"
            for name in ("on", "processor", "system")
            if self.host.get(name) != host.get(name)
        ]
        mine, others = self.host.get("versions") or {}, host.get("versions") or {}
        differences += [
            f"{name} {mine[name]} there, {others[name]} here"
            for name in mine
            if name in others and mine[name] != others[name]
        ]
        if differences:
            raise InputError(
                f"the profile is of another host: {', '.join(differences)}",
                hint="A search takes it all the same (--on FILE); it is checked where it was made",
            )

    # To keep it

    def to_value(self) -> dict[str, Any]:
        """As JSON; :meth:`from_value` reads it."""
        return {
            "kind": KIND,
            "format": FORMAT,
            "space": dict(self.space),
            "host": dict(self.host),
            "batch": self.batch,
            "error": None if self.error is None else self.error.to_value(),
            "kernels": [{**kernel.to_value(), **timing.to_value()} for kernel, timing in self.kernels.items()],
            "networks": [
                {
                    "architecture": dict(whole.architecture),
                    "kernels": dict(whole.kernels),
                    "uniform": whole.uniform,
                    **whole.timing.to_value(),
                }
                for whole in self.wholes
            ],
        }

    @classmethod
    def from_value(cls, value: Any, what: str = "the profile") -> Profile:
        """What :meth:`to_value` gave; InputError for anything else."""
        from netwright.costs.kernels import Kernel

        if not isinstance(value, Mapping) or value.get("kind") != KIND:
            raise InputError(f"{what} is no profile of latencies", hint="Make one: netwright profile SPACE --out FILE")
        if value.get("format") != FORMAT:
            raise InputError(
                f"{what} has the format {value.get('format')}, this version reads {FORMAT}",
                hint="Make it again: netwright profile SPACE --out FILE",
            )
        try:
            kernels = {Kernel.from_value(entry): Timing.from_value(entry) for entry in value["kernels"]}
            wholes = tuple(
                Whole(
                    Architecture(entry["architecture"]),
                    {str(key): int(number) for key, number in entry["kernels"].items()},
                    Timing.from_value(entry),
                    bool(entry["uniform"]),
                )
                for entry in value["networks"]
            )
            space = {name: value["space"][name] for name in ("name", "signature", "input_shape")}
            host = {"on": str(value["host"]["on"]), "processor": str(value["host"]["processor"]), **value["host"]}
            counts = [
                int(value["batch"]),
                *map(int, space["input_shape"]),
                *(number for whole in wholes for number in whole.kernels.values()),
            ]
            if min(counts) < 1 or not isinstance(host.get("versions", {}), Mapping):
                raise ValueError("it has a size, a number of kernels or a version that is none")
            found = cls(space, host, counts[0], kernels, wholes)
            lost = {key for whole in wholes for key in whole.kernels} - {kernel.key for kernel in kernels}
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise InputError(f"{what} is damaged: {type(error).__name__}: {error}") from None
        if lost or not kernels or any(whole.timing.median <= 0 for whole in wholes):
            raise InputError(f"{what} is damaged: it lacks times of kernels that its networks have")
        return found

    @cached_property
    def digest(self) -> str:
        """Equal for profiles that predict the same."""
        # The error is worked out from times before they are rounded.
        value = {name: part for name, part in self.to_value().items() if name != "error"}
        return hashlib.sha256(strict_json.dumps(value, sort=True).encode()).hexdigest()

    def save(self, path: Path | str) -> None:
        """Writes the file as a whole or not at all."""
        path = Path(path)
        temporary = path.with_name(f".{path.name}.writing")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary.write_text(f"{strict_json.dumps(self.to_value())}\n", encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            raise ResourceError(f"cannot write {path}: {error.strerror}") from None
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: Path | str) -> Profile:
        """The profile in a file; InputError where there is none."""
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise InputError(f"cannot read the profile {path}: {error.strerror}") from None
        return cls.from_value(strict_json.loads(content, what=str(path), max_bytes=MOST_BYTES), str(path))

    def __str__(self) -> str:
        found = self.error
        return (
            f"{len(self.kernels)} kernels of {self.space['name']} on {self.host['processor']} ({self.host['on']})"
            f"{'' if found is None else f': {found}'}"
        )

    # Below: helpers in the order of use

    @cached_property
    def _by_key(self) -> dict[str, Kernel]:
        return {kernel.key: kernel for kernel in self.kernels}

    @cached_property
    def _rows(self) -> Floats:
        return self._features([{self._by_key[k]: n for k, n in whole.kernels.items()} for whole in self.wholes])

    @cached_property
    def _times(self) -> Floats:
        return np.array([whole.timing.median for whole in self.wholes])

    def _features(self, networks: Sequence[Mapping[Kernel, int]]) -> Floats:
        """A row for each network: 1; for each class of kernels the sum of times, and how many; then what all kernels
        have: steps, products, megabytes of parameters, of inputs and outputs of convolutions, of the others."""
        classes = _classes()
        rows = np.zeros((len(networks), 1 + 2 * len(classes) + MORE))
        rows[:, 0] = 1
        for row, counts in zip(rows, networks, strict=True):
            for kernel, number in counts.items():
                place = 1 + classes.index(_class_of(kernel))
                row[place] += number * self.time(kernel)
                row[place + len(classes)] += number
                moved = kernel.moved / 1e6
                inside, outside = (moved, 0.0) if "convolution" in kernel.kind else (0.0, moved)
                row[-MORE:] += number * np.array(
                    [len(kernel.steps) - 1, kernel.products / 1e6, kernel.held / 1e6, inside, outside]
                )
        return rows

    @cached_property
    def _correction(self) -> Correction:
        if len(self.wholes) < FEWEST:
            return Correction.none(1 + 2 * len(_classes()) + MORE)
        return Correction.fitted(self._rows, self._times)

    @cached_property
    def _estimates(self) -> Callable[[Kernel], float]:
        return _Estimates(self.kernels)


MOST_BYTES = 256 * 2**20


@final
@dataclass(frozen=True, eq=False)
class Correction:
    """The weights of features, of which the first is 1 and the next ones are times of kernels."""

    weights: Floats

    def __call__(self, rows: Floats) -> Floats:
        sums = rows[:, 1 : 1 + len(_classes())].sum(axis=1)
        found: Floats = np.maximum(rows @ self.weights, LEAST_PART * sums)
        return found

    @classmethod
    def none(cls, width: int) -> Correction:
        """Which leaves the sum of the kernels as it is."""
        weights = np.zeros(width)
        weights[1 : 1 + len(_classes())] = 1
        return cls(weights)

    @classmethod
    def fitted(cls, rows: Floats, times: Floats) -> Correction:
        """Ridge regression of relative errors, drawn to one factor of all times and to nothing else.

        The strength is that with the least error on networks left out one at a time, which the hat matrix gives
        without fitting again.
        """
        plain = cls.none(rows.shape[1]).weights
        sums = rows @ plain
        prior = plain * float(np.median(times / np.maximum(sums, 1e-9)))
        relative = rows / times[:, None]
        scale = np.sqrt((relative**2).mean(axis=0))
        scale[scale == 0] = 1
        left, singular, right = np.linalg.svd(relative / scale, full_matrices=False)
        wanted = 1 - relative @ prior
        best: tuple[float, Floats] | None = None
        for strength in STRENGTHS:
            kept = singular**2 / (singular**2 + strength)
            fitted = left @ (kept * (left.T @ wanted))
            leverage = np.einsum("ij,j,ij->i", left, kept, left)
            off = np.abs((wanted - fitted) / np.maximum(1e-3, 1 - leverage))
            change = right.T @ ((singular / (singular**2 + strength)) * (left.T @ wanted)) / scale
            # Absolute errors, because one network that was disturbed says little about the others.
            if best is None or off.mean() < best[0]:
                best = float(off.mean()), prior + change
        assert best is not None
        return cls(best[1])


def crossed(rows: Floats, times: Floats, folds: int) -> Floats:
    """The prediction for each network by a correction that was fitted without it, nor the others of its fold."""
    predicted = np.empty(len(times))
    places = np.arange(len(times)) % folds
    for fold in range(folds):
        out = places == fold
        if out.any():
            predicted[out] = Correction.fitted(rows[~out], times[~out])(rows[out])
    return predicted


@final
class _Estimates:
    """Times of kernels that were not timed: a line through those of their kind, corrected by the nearest of them."""

    def __init__(self, kernels: Mapping[Kernel, Timing]) -> None:
        from scipy.optimize import nnls

        self._known: dict[str, tuple[Floats, Floats, Floats]] = {}
        for kind in {kernel.kind for kernel in kernels}:
            mine = [(kernel, timing.median) for kernel, timing in kernels.items() if kernel.kind == kind]
            sizes = np.array([_sizes(kernel) for kernel, _ in mine])
            times = np.maximum(1e-6, np.array([time for _, time in mine]))
            line, _ = nnls(sizes / times[:, None], np.ones(len(times)))
            self._known[kind] = sizes, times / np.maximum(1e-9, sizes @ line), line

    def __call__(self, kernel: Kernel) -> float:
        if kernel.kind not in self._known:
            return float(max((_sizes(kernel) @ line for _, _, line in self._known.values()), default=0.0))
        sizes, ratios, line = self._known[kernel.kind]
        mine = _sizes(kernel)
        distances = np.abs(np.log(sizes + 1e-3) - np.log(mine + 1e-3)).sum(axis=1)
        nearest = np.argsort(distances, kind="stable")[:NEIGHBOURS]
        ratio = np.average(np.log(ratios[nearest]), weights=1 / (0.1 + distances[nearest]))
        return float(np.exp(ratio) * (mine @ line))


def _sizes(kernel: Kernel) -> Floats:
    """What a time grows with: a call, its steps, millions of products, megabytes."""
    return np.array([1.0, len(kernel.steps), kernel.products / 1e6, kernel.moved / 1e6, kernel.held / 1e6])


def _classes() -> tuple[str, ...]:
    """What kernels are told apart by when their sum is corrected: see :func:`_class_of`."""
    from netwright.costs.kernels import KINDS

    return tuple(
        text for kind in KINDS for text in ((kind, f"{kind} by {BLOCK}") if "convolution" in kind else (kind,))
    )


def _class_of(kernel: Kernel) -> str:
    """The kind; of convolutions whether runtimes can lay their channels out in blocks, and turn them round for it."""
    shape = kernel.output[0]
    blocked = "convolution" in kernel.kind and len(shape) > 1 and shape[1] % BLOCK == 0
    return f"{kernel.kind} by {BLOCK}" if blocked else kernel.kind


def identity(space: SearchSpace) -> str:
    """Equal for spaces of the same declared decisions, however many of them are answered already."""
    outline = [[name, repr(d.question()[1:]), d.kind] for name, d in sorted(space.declared.items())]
    return hashlib.sha256(strict_json.dumps(outline).encode()).hexdigest()


def keyed(counts: Mapping[Kernel, int]) -> Counter[str]:
    """Kernels by their keys."""
    return Counter({kernel.key: number for kernel, number in counts.items()})
