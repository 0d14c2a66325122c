"""``netwright profile SPACE``: what every part of a space takes on a device."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from netwright.cli.options import Debug, Json, Quiet
from netwright.cli.output import Careful, answer, answer_json, plain
from netwright.durations import format_duration, parse_duration
from netwright.errors import InputError


def profile(
    space: Annotated[
        str, typer.Argument(metavar="SPACE", help="See netwright spaces; or FILE.py:Net, a network of your own.")
    ],
    data: Annotated[
        str | None, typer.Option(metavar="DATA", help="The data of the search: they say what inputs and outputs are.")
    ] = None,
    input: Annotated[str | None, typer.Option(metavar="SHAPE", help="Of one example, as 3x32x32.")] = None,
    outputs: Annotated[int | None, typer.Option(metavar="N", min=1, help="Classes, or values to predict.")] = None,
    target: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of a CSV file to predict.")] = None,
    device: Annotated[
        str,
        typer.Option(
            metavar="D", help="onnxruntime, torch, torch-exported, openvino, executorch, cuda; torch:4 has 4 threads."
        ),
    ] = "auto",
    batch: Annotated[int, typer.Option(metavar="N", min=1, help="Examples that go through at once.")] = 1,
    networks: Annotated[
        int | None, typer.Option(metavar="N", min=8, help="Whole networks to learn from and be judged by. Default: 48.")
    ] = None,
    seconds: Annotated[
        str | None,
        typer.Option(
            "--time", metavar="TIME", help="So long everything is timed; writing it comes on top. Default: 60s."
        ),
    ] = None,
    for_device: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Time nothing here: write a folder to be timed elsewhere by one script."),
    ] = None,
    check: Annotated[
        str | None, typer.Option(metavar="FILE", help="Judge a profile by networks that are timed now.")
    ] = None,
    out: Annotated[
        str | None, typer.Option(metavar="FILE.json", help="Where the profile goes. Default: SPACE.DEVICE.json.")
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="Which networks are drawn.")] = 0,
    json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Time every operation of SPACE on this host, for netwright search --on FILE.

    The profile tells how far it is off. Carried from a phone, a board or another server it serves a search here: see
    --for-device.
    """
    if for_device is not None and check is not None:
        raise InputError("--for-device and --check are two things", hint="Do one after the other")
    if out is not None and (not out.strip() or Path(out).is_dir()):
        raise InputError("--out names no file", hint="Write for example --out phone.json")
    duration = None if seconds is None else parse_duration(seconds, what="--time")
    from netwright.tasks import profiles

    found = profiles.subject(
        space,
        data=data,
        input_shape=None if input is None else profiles.read_shape(input),
        outputs=outputs,
        target=target,
    )
    with Saying(quiet=quiet or json) as said:
        if for_device is not None:
            on = "onnxruntime" if device == "auto" else device
            count = profiles.write_for_device(
                found, for_device, on=on, batch=batch, networks=networks, seed=seed, said=said
            )
            value: Mapping[str, Any] = {"folder": for_device, "networks": count, "script": "profile_device.py"}
            text = (
                f"{plain(for_device)}: {count} networks and profile_device.py; it needs {on.partition(':')[0]} alone\n"
                f"there:  python profile_device.py --out phone.json\n"
                f"here:   netwright search DATA --space {plain(space)} --on phone.json --constraint latency_ms=…"
            )
        elif check is not None:
            made, error = profiles.check(found, check)
            value = {"profile": check, "error": error.to_value(), "own": made.error and made.error.to_value()}
            text = f"{plain(check)}: {error}\nits own account: {made.error}"
        else:
            made = profiles.make(
                found, on=device, batch=batch, networks=networks, seconds=duration, seed=seed, said=said
            )
            file = out or f"{_stem(space)}.{str(made.host['on']).partition(':')[0]}.json"
            made.save(file)
            value = {"out": file, **_told(made)}
            text = _text(file, made)
    if json:
        answer_json(value)
    else:
        answer(text)


def _told(made: Any) -> dict[str, Any]:
    error, sums = made.error, made.error_of_sums
    return {
        "space": dict(made.space),
        "host": dict(made.host),
        "batch": made.batch,
        "kernels": len(made.kernels),
        "networks": len(made.wholes),
        "error": None if error is None else error.to_value(),
        "error_of_sums": None if sums is None else sums.to_value(),
    }


def _text(file: str, made: Any) -> str:
    times = sorted(whole.timing.median for whole in made.wholes)
    host = made.host
    busy = "" if host.get("load") is None else f", {host['load']:g} other processes waiting"
    lines = [
        f"profile   {plain(file)}",
        f"host      {plain(host['processor'])}, {plain(host['on'])}{busy}",
        f"kernels   {len(made.kernels)}, in networks of {times[0]:.3g} to {times[-1]:.3g} ms",
    ]
    if made.error is not None:
        lines.append(f"error     {made.error}")
        if made.error.median > 0.1 or (not math.isnan(made.error.tau) and made.error.tau < 0.9):
            lines.append("          more than it should be: close what else runs, or give it longer with --time")
    lines.append(f"use it    netwright search DATA --space … --on {plain(file)} --minimize latency_ms")
    return "\n".join(lines)


def _stem(space: str) -> str:
    from netwright.names import slug

    name = space.rpartition(":")[2] if ".py" in space else space
    return name if name.replace("-", "").isalnum() and name.isascii() else slug(name)


class Saying:
    """Tells on standard error what is being done: a line that changes on a terminal, a line a step elsewhere."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._stream = Careful(sys.stderr)
        self._terminal = self._stream.isatty() and os.environ.get("TERM", "") not in ("", "dumb", "unknown")
        self._quiet = quiet
        self._began = time.monotonic()
        self._spoke = 0.0
        self._step = ""

    def __call__(self, what: str, part: float | None) -> None:
        now = time.monotonic()
        step = what.partition(":")[0]
        if self._quiet or (step == self._step and now - self._spoke < (0.2 if self._terminal else 20)):
            return
        self._step, self._spoke = step, now
        text = f"[{format_duration(now - self._began):>6}] {what}{'' if part is None else f' {100 * part:.0f} %'}"
        self._stream.write(f"\r{text[:100].ljust(100)}" if self._terminal else f"{text}\n")

    def __enter__(self) -> Saying:
        return self

    def __exit__(self, *error: object) -> None:
        if self._terminal and self._spoke:
            self._stream.write("\r" + " " * 100 + "\r")
