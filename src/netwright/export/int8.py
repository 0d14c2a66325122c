"""A network in eight bits: post-training static quantisation, and what it costs and brings."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from netwright.costs.timing import Timing, clocked, in_rounds, processor
from netwright.errors import CheckError, InputError
from netwright.export.examples import Array, Examples, Rows
from netwright.graphs.exported import quiet
from netwright.graphs.onnx_model import OnnxSession, require_onnx

WANTED_LOSS = 0.005
"""The loss of accuracy (or R²) above which other ways to quantise are tried, and that is told as falling short."""
WANTED_SPEED = 1.5
BATCHES = (1, 32)
SECONDS = 1.5
"""For about so long the two take turns, for each batch."""
ENOUGH = 200
"""Rows of the training part that a calibration needs at least, where there are as many."""
OPERATIONS = (
    "Conv", "Gemm", "MatMul", "Relu", "Clip", "Add", "Mul", "Concat", "MaxPool", "AveragePool", "GlobalAveragePool",
)  # fmt: skip
"""What is done in eight bits. Means, softmax and norms stay in float32: they cost little, and the accuracy most."""


@dataclass(frozen=True)
class Quantised:
    """An ONNX model in eight bits, and its figures beside those in float32.

    ``before`` and ``after`` are the scores (accuracy or R²) on ``rows`` rows that nothing was chosen by, ``size`` and
    ``size_before`` bytes, ``times`` by batch the two :class:`~netwright.costs.timing.Timing`, in turns and on
    one thread of this host. ``way`` says how.
    """

    content: bytes
    way: str
    before: float
    after: float
    rows: int
    size_before: int
    size: int
    times: Mapping[int, tuple[Timing, Timing]]
    calibrated: int
    metric: str
    host: str

    @property
    def lost(self) -> float:
        return self.before - self.after

    def speed(self, batch: int) -> float:
        """How many times as fast as float32, by the medians."""
        before, after = self.times[batch]
        return before.median / after.median

    def to_value(self) -> dict[str, Any]:
        """The figures as JSON."""
        return {
            "way": self.way,
            "calibrated_on": self.calibrated,
            "metric": self.metric,
            "rows": self.rows,
            "host": self.host,
            "float32": self.before,
            "int8": self.after,
            "lost": self.lost,
            "bytes_float32": self.size_before,
            "bytes_int8": self.size,
            "latency": {
                str(batch): {"float32": one.to_value(), "int8": two.to_value(), "speed": round(self.speed(batch), 3)}
                for batch, (one, two) in self.times.items()
            },
        }

    def lines(self) -> dict[str, str]:
        """What is told of it, by what it is about; every figure that falls short says by how much."""
        units = {"accuracy": ("points", 100.0), "accuracy of labels": ("points", 100.0), "r2": ("of R²", 1.0)}
        unit, scale = units.get(self.metric, (self.metric.removeprefix("minus "), 1.0))
        lost = f"{self.lost * scale:.2f} {unit} lost" if self.lost > 0 else "nothing lost"
        if self.lost > WANTED_LOSS:
            lost += f", {(self.lost - WANTED_LOSS) * scale:.2f} more than the {WANTED_LOSS * scale:g} wanted"
        told = {
            "int8": f"{self.way}, calibrated on {self.calibrated:,} training rows",
            self.metric: f"float32 {self.before:.4f}, int8 {self.after:.4f} on {self.rows:,} held-out rows: {lost}",
            "size": f"float32 {self.size_before:,} bytes, int8 {self.size:,} bytes",
        }
        for batch, (one, two) in self.times.items():
            speed = self.speed(batch)
            short = (
                "" if speed >= WANTED_SPEED else f", {WANTED_SPEED - speed:.2f} short of the {WANTED_SPEED:g} wanted"
            )
            told[f"latency, batch {batch}"] = (
                f"float32 {one.median:.4g} ms (p95 {one.p95:.4g}), int8 {two.median:.4g} ms (p95 {two.p95:.4g}), "
                f"one thread, in turns: {speed:.2f} times as fast{short}"
            )
        told["measured on"] = self.host
        return told


def quantise(model: bytes, examples: Examples) -> Quantised:
    """The ONNX ``model`` with weights (by channel) and activations in eight bits, in the form of Q and DQ nodes.

    Ranges are learned on ``examples.calibration``, rows of the training part. Ways are tried in turn (plain ranges,
    those without the rarest values, those of least entropy, then with the first and the last layer left in float32)
    until one loses at most half a point on ``examples.selection``; else the best of them is taken. What it is worth is
    said by ``examples.test``, which no choice has seen.

    Weights have seven of the eight bits: without VNNI an x86 processor adds products of eight bits with saturation.
    """
    require_onnx()
    if examples.calibration is None or examples.test is None or not len(examples.calibration):
        raise InputError(
            "int8 needs data of the search to calibrate on",
            hint="Export from the folder of a study, whose data are still there",
        )
    judge = examples.selection if examples.selection is not None and len(examples.selection) else examples.test
    plain = OnnxSession(model)
    best: tuple[float, str, bytes] | None = None
    wanted = _score(plain, examples, judge) - WANTED_LOSS
    with tempfile.TemporaryDirectory(prefix="netwright-int8-") as folder:
        prepared = _prepared(model, Path(folder))
        problem: CheckError | None = None
        for way, method, kept in _ways(prepared):
            path = Path(folder) / "int8.onnx"
            try:
                content = _quantised(prepared, path, examples.calibration, plain.names, method, kept)
            except CheckError as error:
                # Histograms fail for values of changing shapes, for instance; another way may not.
                problem = problem or error
                continue
            score = _score(OnnxSession(content), examples, judge)
            if best is None or score > best[0]:
                best = score, way, content
            if best[0] >= wanted:
                break
    if best is None:
        assert problem is not None
        raise problem
    _, way, content = best
    content = _with_metadata(content, model)
    small = OnnxSession(content)
    rows = examples.test
    return Quantised(
        content=content,
        way=way,
        before=_score(plain, examples, rows),
        after=_score(small, examples, rows),
        rows=len(rows),
        size_before=len(model),
        size=len(content),
        times={batch: _times(plain, small, rows.X, batch) for batch in BATCHES},
        calibrated=len(examples.calibration),
        metric=examples.metric,
        host=_host(),
    )


def _ways(prepared: Path) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Words, the method of calibration, and the nodes that stay in float32."""
    import onnx

    nodes = [node for node in onnx.load(prepared).graph.node if node.op_type in ("Conv", "Gemm", "MatMul")]
    if not nodes:
        raise CheckError(
            "the network has no convolution and no linear layer that could be done in eight bits",
            hint="Export it in float32: --to onnx",
        )
    ends = list(dict.fromkeys([nodes[0].name, nodes[-1].name]))
    yield "ranges as they were seen", "MinMax", ()
    yield "ranges without the rarest values (99.99 %)", "Percentile", ()
    yield "ranges of least entropy", "Entropy", ()
    if len(nodes) > len(ends):
        yield "ranges as they were seen, first and last layer in float32", "MinMax", ends
        yield "ranges without the rarest values, first and last layer in float32", "Percentile", ends


def _prepared(model: bytes, folder: Path) -> Path:
    """Shapes known, norms folded into convolutions, as quantisation wants it."""
    import onnx
    from onnxruntime.quantization.shape_inference import quant_pre_process

    before, after = folder / "float32.onnx", folder / "prepared.onnx"
    before.write_bytes(model)
    try:
        with quiet():
            quant_pre_process(str(before), str(after), skip_symbolic_shape=True)
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckError(f"ONNX Runtime cannot prepare the network for eight bits: {first}") from error
    prepared = onnx.load(after)
    # Nodes are excluded by name.
    for place, node in enumerate(prepared.graph.node):
        node.name = node.name or f"{node.op_type}_{place}"
    onnx.save(prepared, after)
    return after


def _quantised(
    prepared: Path, path: Path, rows: Array, names: Sequence[str], method: str, kept: Sequence[str]
) -> bytes:
    from onnxruntime.quantization import (
        CalibrationDataReader,
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        """The rows in batches of 32."""

        def __init__(self) -> None:
            self.batches = iter(range(0, len(rows), 32))

        def get_next(self) -> dict[str, Array] | None:
            start = next(self.batches, None)
            return None if start is None else {names[0]: np.ascontiguousarray(rows[start : start + 32])}

    try:
        with quiet(), _no_statistics():
            quantize_static(
                str(prepared),
                str(path),
                Reader(),
                quant_format=QuantFormat.QDQ,
                op_types_to_quantize=list(OPERATIONS),
                per_channel=True,
                reduce_range=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                calibrate_method=CalibrationMethod[method],
                nodes_to_exclude=list(kept),
                extra_options={"CalibPercentile": 99.99, "CalibTensorRangeSymmetric": False},
            )
    except Exception as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise CheckError(f"ONNX Runtime cannot do the network in eight bits: {first}") from error
    return path.read_bytes()


@contextlib.contextmanager
def _no_statistics() -> Iterator[None]:
    """Histograms of a constant activation divide by nothing, and say so."""
    with np.errstate(all="ignore"):
        yield


def _with_metadata(content: bytes, model: bytes) -> bytes:
    """What the float32 model says of itself, in the other too."""
    import onnx

    small, large = onnx.load_from_string(content), onnx.load_from_string(model)
    del small.metadata_props[:]
    small.metadata_props.extend(large.metadata_props)
    small.producer_name, small.producer_version = large.producer_name, large.producer_version
    written: bytes = small.SerializeToString()
    return written


def _score(session: OnnxSession, examples: Examples, rows: Rows) -> float:
    parts = [session(np.ascontiguousarray(rows.X[start : start + 256]))[0] for start in range(0, len(rows), 256)]
    return examples.score(np.concatenate(parts), rows)


def _times(plain: OnnxSession, small: OnnxSession, rows: Array, batch: int) -> tuple[Timing, Timing]:
    x = np.ascontiguousarray(np.concatenate([rows[:batch]] * math.ceil(batch / len(rows[:batch])))[:batch])
    before, after = in_rounds([clocked(lambda: plain(x)), clocked(lambda: small(x))], seconds=SECONDS)
    return before, after


def _host() -> str:
    """The processor, and whether it multiplies eight bits faster than 32: without, int8 saves memory more than time."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return processor()
    flags = next((line for line in lines if line.startswith("flags")), None)
    if flags is None:
        return processor()
    return f"{processor()}, {'with' if 'vnni' in flags else 'without'} VNNI (instructions for eight bits)"
