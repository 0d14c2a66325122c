"""Latencies of a space on a device, by names that users know: what ``netwright profile`` does, and ``--on``."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netwright import zoo
from netwright.errors import InputError
from netwright.tasks.spaces import find_space

if TYPE_CHECKING:
    from netwright.costs import Latency, Profile
    from netwright.costs.profiles import Error
    from netwright.space import SearchSpace

FILE = "profile.json"
"""The profile of a search, in its own folder."""
OUTPUTS = 10


@dataclass(frozen=True)
class Subject:
    """A space as it is for some data."""

    name: str
    space: SearchSpace
    input_shape: tuple[int, ...]


def subject(
    space: Any,
    *,
    data: str | None = None,
    input_shape: Sequence[int] | None = None,
    outputs: int | None = None,
    target: str | None = None,
    task: str = "auto",
) -> Subject:
    """The space that a search of ``data`` would have, or for inputs of ``input_shape``.

    With neither it is for the inputs that its network takes by default; InputError where it has no default.
    """
    name = space if isinstance(space, str) else getattr(space, "__name__", type(space).__name__)
    if data is not None:
        from netwright.tasks.readers import read

        if input_shape is not None or outputs is not None:
            raise InputError("--data says what the inputs and outputs are", hint="Leave --input and --outputs out")
        loaded = read(data, target=target, task=task)
        known = loaded.data
        shape = tuple(known.input_shape)
        found = find_space(space, kind=loaded.kind, input_shape=shape, outputs=known.outputs, facts=known.facts)
        return Subject(name, found.space, shape)
    entry = zoo.SPACES.get(space) if isinstance(space, str) else None
    if input_shape is None:
        network = entry.network if entry is not None else space
        usual = inspect.signature(network).parameters.get("input_shape") if callable(network) else None
        if usual is None or usual.default is inspect.Parameter.empty or usual.default is None:
            raise InputError(
                f"'{name}' is made for the inputs of some data, and none are known",
                hint="Give --data DATA as in a search, or --input 3x32x32 and --outputs 10",
            )
        input_shape = usual.default
        outputs = _usual_outputs(network) if outputs is None else outputs
    shape = tuple(int(size) for size in input_shape)
    kind = entry.kind if entry is not None else ("images" if len(shape) == 3 else "tables")
    found = find_space(space, kind=kind, input_shape=shape, outputs=OUTPUTS if outputs is None else outputs)
    return Subject(name, found.space, shape)


def read_shape(text: str) -> tuple[int, ...]:
    """``3x32x32`` as numbers; InputError for anything else."""
    if not re.fullmatch(r"[0-9]{1,6}([x×,][0-9]{1,6})*", text.strip()):
        raise InputError(f"--input is the shape of one example, found {text!r}", hint="Write for example 3x32x32")
    shape = tuple(int(size) for size in re.split("[x×,]", text.strip()))
    if min(shape) < 1:
        raise InputError(f"--input has a size of 0: {text!r}")
    return shape


def make(
    found: Subject,
    *,
    on: str = "auto",
    batch: int = 1,
    networks: int | None = None,
    seconds: float | None = None,
    seed: int = 0,
    said: Callable[[str, float | None], None] | None = None,
) -> Profile:
    """Times the space on a runtime of this host."""
    from netwright.costs import profiling

    return profiling.profile(
        found.space,
        found.input_shape,
        on=on,
        batch=batch,
        networks=profiling.NETWORKS if networks is None else networks,
        seconds=profiling.SECONDS if seconds is None else seconds,
        seed=seed,
        said=said,
    )


def write_for_device(
    found: Subject,
    folder: str | Path,
    *,
    on: str = "onnxruntime",
    batch: int = 1,
    networks: int | None = None,
    seed: int = 0,
    said: Callable[[str, float | None], None] | None = None,
) -> int:
    """Writes a folder that is carried to a device and timed there by one script; how many networks are in it."""
    from netwright.costs import profiling

    count = profiling.NETWORKS if networks is None else networks
    profiling.check_folder(folder, on)
    planned = profiling.plan(found.space, found.input_shape, batch=batch, networks=count, seed=seed, said=said)
    return profiling.write_for_device(planned, folder, on, said)


def check(found: Subject, file: str | Path, *, networks: int = 24, seconds: float = 10.0) -> tuple[Profile, Error]:
    """A profile in a file, and how far it is from networks timed now on the host that it was made on."""
    from netwright.costs import Profile, profiling

    made = Profile.load(file)
    made.check(found.space, found.input_shape)
    return made, profiling.check(made, found.space, networks=networks, seconds=seconds)


def read_on(text: str) -> Latency | Profile:
    """What ``--on`` names: a file with a profile, or a runtime of this host; InputError for neither."""
    from netwright.costs import Latency, Profile
    from netwright.costs.runtimes import RUNTIMES, Place

    runtime = text.partition(":")[0] in (*RUNTIMES, "auto")
    if not runtime and (Path(text).exists() or text.endswith(".json") or "/" in text):
        return Profile.load(text)
    return Latency(on=str(Place.read(text)))


def kept(latency: Latency | Profile | None, folder: Path) -> dict[str, Any] | None:
    """Keeps a profile with the study; what its configuration says of it, as JSON."""
    from netwright.costs import Profile

    if latency is None:
        return None
    if isinstance(latency, Profile):
        latency.save(folder / FILE)
        return {"profile": FILE, "on": str(latency.host["on"]), "processor": str(latency.host["processor"])}
    return {"on": latency.on}


def again(value: Mapping[str, Any] | None, folder: Path) -> Latency | Profile | None:
    """What :func:`kept` kept."""
    from netwright.costs import Latency, Profile

    if value is None:
        return None
    return Profile.load(folder / value["profile"]) if "profile" in value else Latency(on=str(value["on"]))


def _usual_outputs(network: Any) -> int | None:
    parameters = inspect.signature(network).parameters
    for name in ("classes", "outputs"):
        usual = parameters.get(name)
        if usual is not None and isinstance(usual.default, int):
            return usual.default
    return None
