"""Profiles made: the kernels of a space found, timed on this host or written out to be timed on another."""

from __future__ import annotations

import platform
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
from torch import nn

from netwright import strict_json
from netwright.architecture import Architecture
from netwright.costs import timing
from netwright.costs.kernels import Kernel, kernels_of
from netwright.costs.profiles import FORMAT, KIND, Error, Profile, Whole, identity, keyed
from netwright.costs.runtimes import RUNTIMES, Place, fixed
from netwright.costs.timing import Timing, in_rounds
from netwright.errors import InputError, ResourceError
from netwright.space import SearchSpace

NETWORKS = 48
"""Whole networks: half drawn as the space draws them, half of those to be far apart."""
SECONDS = 60.0
"""About so long everything takes turns."""
DRAWS, QUIET = 1500, 100
"""So many architectures are looked at for their kernels at most, and so many in a row without a new one at least."""
MOST_KERNELS = 800
"""So many are timed at most, those met most often; the others are estimated from them."""
COPIES = 6
"""So often a kernel runs in one call, where a runtime can."""
CARRIED = {"onnxruntime": ".onnx", "torch-exported": ".pt2"}
"""Runtimes of the script that is carried to a device, and the files that it opens."""

Said = Callable[[str, float | None], None]
"""Told what is being done, and which part of it is done where that is known."""


@final
@dataclass(frozen=True, eq=False)
class Plan:
    """What is to be timed: kernels, and whole networks with the kernels of each."""

    space: SearchSpace
    input_shape: tuple[int, ...]
    batch: int
    kernels: tuple[Kernel, ...]
    wholes: tuple[tuple[Architecture, Counter[Kernel], bool], ...]

    def about(self) -> dict[str, Any]:
        """The space, as a profile names it."""
        return {
            "name": self.space.name,
            "signature": identity(self.space),
            "input_shape": list(self.input_shape),
        }

    def inputs(self) -> tuple[torch.Tensor, ...]:
        """Of a whole network."""
        return (torch.zeros(self.batch, *self.input_shape),)

    def networks(self) -> list[nn.Module]:
        """The whole networks, built."""
        with torch.random.fork_rng(devices=[]):
            return [self.space.build(architecture).eval() for architecture, _, _ in self.wholes]

    def timed(self, times: Sequence[Timing], host: Mapping[str, Any]) -> Profile:
        """The profile, from times of the kernels and then of the whole networks."""
        alone, together = times[: len(self.kernels)], times[len(self.kernels) :]
        wholes = tuple(
            Whole(architecture, keyed(counts), found, uniform)
            for (architecture, counts, uniform), found in zip(self.wholes, together, strict=True)
        )
        return Profile(self.about(), host, self.batch, dict(zip(self.kernels, alone, strict=True)), wholes)


def plan(
    space: SearchSpace,
    input_shape: Sequence[int],
    *,
    batch: int = 1,
    networks: int = NETWORKS,
    most: int = MOST_KERNELS,
    seed: int = 0,
    said: Said | None = None,
) -> Plan:
    """Looks at architectures until no new kernels are met, and chooses the whole networks among them.

    Every option of every decision is met at least once. InputError where the inputs do not fit the network.
    """
    shape = tuple(int(size) for size in input_shape)
    rng = np.random.default_rng(seed)
    met: Counter[Kernel] = Counter()
    drawn: dict[Architecture, Counter[Kernel]] = {}

    def look(architecture: Architecture) -> bool:
        if architecture in drawn:
            return False
        found = drawn[architecture] = _kernels(space, architecture, shape, batch)
        fresh = any(kernel not in met for kernel in found)
        met.update(dict.fromkeys(found, 1))
        if said is not None:
            said(f"looking for kernels: {len(met)} in {len(drawn)} architectures", None)
        return fresh

    uniform: list[Architecture] = []
    quiet = 0
    while len(uniform) < DRAWS and (quiet < QUIET or len(uniform) < networks):
        architecture = space.sample(rng)
        uniform.append(architecture)
        quiet = 0 if look(architecture) else quiet + 1
    for decision in space.decisions:
        for option in decision.options or ():
            if not any(seen.get(decision.name) == option for seen in uniform):
                try:
                    look(space.complete({decision.name: option}, rng))
                except ValueError:
                    continue  # rules forbid it, or with nothing else it is never asked
    wholes = _chosen(space, list(dict.fromkeys(uniform)), drawn, networks)
    needed = {kernel for _, counts, _ in wholes for kernel in counts}
    others = [kernel for kernel, _ in met.most_common() if kernel not in needed]
    kernels = (*needed, *others[: max(0, most - len(needed))])
    return Plan(space, shape, batch, tuple(sorted(kernels, key=lambda kernel: kernel.key)), tuple(wholes))


def profile(
    space: SearchSpace,
    input_shape: Sequence[int],
    *,
    on: str = "auto",
    batch: int = 1,
    networks: int = NETWORKS,
    seconds: float = SECONDS,
    most: int = MOST_KERNELS,
    seed: int = 0,
    said: Said | None = None,
) -> Profile:
    """Times every kernel of a space, and some whole networks, on a runtime of this host: see :class:`Profile`.

    ``on`` is a runtime with its threads, as :meth:`~netwright.costs.runtimes.Place.read` takes it.
    """
    place = Place.read(on)
    planned = plan(space, input_shape, batch=batch, networks=networks, most=most, seed=seed, said=said)
    before = host(place)
    with place.runtime.running(place.number):
        if said is not None:
            said(f"writing {len(planned.kernels)} kernels for {place.runtime.name}", None)
        programs = place.runtime.parts([kernel.network() for kernel in planned.kernels], place.number, COPIES)
        for number, network in enumerate(planned.networks()):
            if said is not None:
                said("writing whole networks", number / max(1, len(planned.wholes)))
            programs.append(place.runtime.program(network, planned.inputs(), place.number))
        told = None if said is None else (lambda part: said("timing", part))
        times = in_rounds(programs, seconds=seconds, said=told)
    return planned.timed(times, before)


def check(made: Profile, space: SearchSpace, *, networks: int = 24, seconds: float = 10.0, seed: int = 1) -> Error:
    """How far a profile is from fresh whole networks on its own host; InputError on another host or space."""
    made.check(space)
    place = Place.read(str(made.host["on"]))
    made.check_host(host(place))
    rng = np.random.default_rng([seed, 1])
    known = {whole.architecture for whole in made.wholes}
    drawn = dict.fromkeys(space.sample(rng) for _ in range(4 * networks))
    fresh = [architecture for architecture in drawn if architecture not in known][:networks]
    if not fresh:
        raise InputError("the space has no networks that the profile has not learned from")
    inputs = (torch.zeros(made.batch, *made.space["input_shape"]),)
    with place.runtime.running(place.number):
        programs = [place.runtime.program(space.build(each).eval(), inputs, place.number) for each in fresh]
        times = in_rounds(programs, seconds=seconds)
    return Error.between([made(space, each) for each in fresh], [each.median for each in times])


def host(place: Place) -> dict[str, Any]:
    """This machine and what runs on it."""
    return {
        "on": str(place),
        "processor": place.runtime.host(),
        "machine": platform.machine(),
        "system": platform.system(),
        "versions": place.runtime.versions(),
        "load": timing.load(),
    }


def write_for_device(planned: Plan, folder: Path | str, on: str = "onnxruntime", said: Said | None = None) -> int:
    """Writes everything to be timed, and a script that times it on a device, into a new folder; how many files.

    ``on`` is ``onnxruntime`` or ``torch-exported``: what the device has.
    """
    from netwright.graphs import onnx_bytes
    from netwright.graphs.onnx_parts import onnx_parts

    name, folder = check_folder(folder, on)
    parts = [kernel.network() for kernel in planned.kernels]
    wholes = planned.networks()
    suffix, copies = CARRIED[name], COPIES if name == "onnxruntime" else 1
    value: dict[str, Any] = {
        "kind": KIND,
        "format": FORMAT,
        "space": planned.about(),
        "host": {"on": name},
        "batch": planned.batch,
        "error": None,
        "kernels": [
            {**kernel.to_value(), "file": f"kernels/{kernel.key}{suffix}", "copies": copies}
            for kernel in planned.kernels
        ],
        "networks": [
            {
                "architecture": dict(architecture),
                "kernels": dict(keyed(counts)),
                "uniform": uniform,
                "inputs": [[[planned.batch, *planned.input_shape], "float32"]],
                "file": f"networks/{number}{suffix}",
            }
            for number, (architecture, counts, uniform) in enumerate(planned.wholes)
        ],
    }
    if said is not None:
        said(f"writing {len(parts)} kernels", None)
    try:
        for sub in ("kernels", "networks"):
            (folder / sub).mkdir(parents=True, exist_ok=True)
        models = onnx_parts(parts, [COPIES] * len(parts)) if name == "onnxruntime" else [None] * len(parts)
        for entry, model, (network, inputs) in zip(value["kernels"], models, parts, strict=True):
            _write(folder / entry["file"], model, network, inputs)
        for number, (entry, network) in enumerate(zip(value["networks"], wholes, strict=True)):
            if said is not None:
                said("writing whole networks", number / len(wholes))
            whole = onnx_bytes(network, planned.inputs()) if name == "onnxruntime" else None
            _write(folder / entry["file"], whole, network, planned.inputs())
        shutil.copyfile(timing.__file__, folder / "profile_device.py")
        (folder / "plan.json").write_text(strict_json.dumps(value), encoding="utf-8")
    except OSError as error:
        raise ResourceError(f"cannot write {folder}: {error.strerror}") from None
    return len(parts) + len(wholes)


def check_folder(folder: Path | str, on: str) -> tuple[str, Path]:
    """The runtime and the folder of :func:`write_for_device`; InputError where they do not serve."""
    name = on.partition(":")[0]
    if name not in CARRIED:
        raise InputError(
            f"the script for a device runs {' or '.join(CARRIED)}, not '{name}'",
            hint="Give it: --device onnxruntime --for-device FOLDER",
        )
    RUNTIMES[name].require()
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not an empty folder", hint="Name a new one")
    return name, folder


def _write(file: Path, model: bytes | None, network: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
    if model is not None:
        file.write_bytes(model)
    else:
        torch.export.save(fixed(network, inputs), file)


def _kernels(space: SearchSpace, architecture: Architecture, shape: tuple[int, ...], batch: int) -> Counter[Kernel]:
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                network = space.build(architecture)
            return kernels_of(network, torch.empty(1, *shape, device="meta"), batch)
        except (RuntimeError, TypeError, ValueError):
            pass
        try:
            return kernels_of(space.build(architecture), torch.zeros(1, *shape), batch)
        except (RuntimeError, ValueError) as error:
            text = " ".join(str(error).split())[:200]
            raise InputError(
                f"{space.name} cannot run on inputs of {'×'.join(map(str, shape))}: {text}",
                hint="Give the shape of one example: --input 3x32x32",
            ) from error


def _chosen(
    space: SearchSpace,
    uniform: Sequence[Architecture],
    drawn: Mapping[Architecture, Counter[Kernel]],
    count: int,
) -> list[tuple[Architecture, Counter[Kernel], bool]]:
    """The first ones for a half; the other half from the cheapest to the dearest by their work, evenly."""
    first = list(uniform[: -(-count // 2)])
    rest = list(uniform[len(first) :])
    rest.sort(key=lambda each: sum(n * (kernel.products + kernel.moved) for kernel, n in drawn[each].items()))
    wanted = min(count - len(first), len(rest))
    places = sorted({round(place) for place in np.linspace(0, len(rest) - 1, wanted)}) if wanted > 0 else []
    return [(each, drawn[each], True) for each in first] + [
        (rest[place], drawn[rest[place]], False) for place in places
    ]
