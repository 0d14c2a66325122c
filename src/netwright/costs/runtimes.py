"""What networks can be timed in: a name, the packages that it needs, and a program of any network."""

from __future__ import annotations

import copy
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn

from netwright.costs.timing import Program, clocked, processor
from netwright.errors import CheckError, InputError, MissingExtra, nearest

Inputs = tuple[Tensor, ...]


class Runtime(ABC):
    """A way to run networks. ``number`` is that of threads, or which one it is of several devices."""

    name: ClassVar[str]
    extra: ClassVar[str | None] = None
    """Of netwright; it brings :attr:`packages`."""
    packages: ClassVar[tuple[str, ...]] = ()
    modules: ClassVar[tuple[str, ...]] = ()
    """Their names for Python."""
    processor: ClassVar[str] = "cpu"

    def missing(self) -> str | None:
        """Why nothing can be timed in it here; None where it can."""
        lacking = [name for name in self.modules if importlib.util.find_spec(name) is None]
        if not lacking:
            return None
        return f"{' and '.join(lacking)} missing: pip install 'netwright[{self.extra}]'"

    def require(self) -> None:
        """Raises MissingExtra or InputError where :meth:`missing` has a reason."""
        lacking = [name for name in self.modules if importlib.util.find_spec(name) is None]
        if lacking and self.extra is not None:
            raise MissingExtra(" and ".join(lacking), self.extra, f"Timing in {self.name}")
        reason = self.missing()
        if reason is not None:
            raise InputError(f"nothing can be timed on '{self.name}' here: {reason}", hint=_there())

    @abstractmethod
    def program(self, network: nn.Module, inputs: Inputs, number: int) -> Program:
        """The network, in evaluation mode, ready to run on these inputs; CheckError where it cannot be written so."""

    def parts(self, networks: Sequence[tuple[nn.Module, Inputs]], number: int, copies: int = 1) -> list[Program]:
        """Programs of many small networks, for the shapes of their inputs alone.

        A program may run a network ``copies`` times in one call; it answers with the time of one.
        """
        return [self.program(network, inputs, number) for network, inputs in networks]

    @contextmanager
    def running(self, number: int) -> Iterator[None]:
        """What programs are called in."""
        yield

    def versions(self) -> dict[str, str]:
        """Of the packages that a figure depends on."""
        return {"torch": torch.__version__} | {name: _version(name) for name in self.packages}

    def host(self) -> str:
        """The name of the processor."""
        return processor()


class _InTorch(Runtime):
    """Runs in this process, in torch, on ``number`` threads."""

    @contextmanager
    def running(self, number: int) -> Iterator[None]:
        before = torch.get_num_threads()
        torch.set_num_threads(number)
        try:
            with torch.random.fork_rng(devices=[]), torch.inference_mode():
                yield
        finally:
            torch.set_num_threads(before)


@final
class Eager(_InTorch):
    """PyTorch as it runs by itself: operation after operation, from Python."""

    name = "torch"

    def program(self, network: nn.Module, inputs: Inputs, number: int) -> Program:
        twin = copy.deepcopy(network).cpu().eval()
        return clocked(lambda: twin(*inputs))


@final
class Exported(_InTorch):
    """The program of torch.export, run by torch."""

    name = "torch-exported"

    def program(self, network: nn.Module, inputs: Inputs, number: int) -> Program:
        twin: Any = fixed(network, inputs).module()
        return clocked(lambda: twin(*inputs))


@final
class Cuda(Runtime):
    """PyTorch on a CUDA device, timed by the device's own events; ``number`` says which device."""

    name = "cuda"
    processor = "cuda"

    def missing(self) -> str | None:
        return None if torch.cuda.is_available() else "no CUDA device"

    def program(self, network: nn.Module, inputs: Inputs, number: int) -> Program:
        device = torch.device("cuda", number)
        twin = copy.deepcopy(network).to(device).eval()
        rows = tuple(value.to(device) for value in inputs)

        def once() -> float:
            before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            with torch.cuda.device(device):
                before.record()
                twin(*rows)
                after.record()
                after.synchronize()
            return float(before.elapsed_time(after))

        return once

    @contextmanager
    def running(self, number: int) -> Iterator[None]:
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            yield

    def host(self) -> str:
        return torch.cuda.get_device_name() if torch.cuda.is_available() else processor()


@final
class OnnxRuntime(Runtime):
    """ONNX Runtime on the CPU, on the graph that ``export --to onnx`` writes."""

    name = "onnxruntime"
    extra = "onnx"
    packages = ("onnxruntime", "onnxscript")
    modules = ("onnx", "onnxscript", "onnxruntime")

    def program(self, network: nn.Module, inputs: Inputs, number: int) -> Program:
        from netwright.graphs import onnx_bytes

        try:
            model = onnx_bytes(network, inputs)
        except CheckError as error:
            raise CheckError(
                error.message, hint="Or time it in eager PyTorch, which runs everything: --on torch"
            ) from error
        return self._session(model, inputs, number)

    def parts(self, networks: Sequence[tuple[nn.Module, Inputs]], number: int, copies: int = 1) -> list[Program]:
        from netwright.graphs.onnx_parts import onnx_parts

        # A call from Python takes as long as many a small network: several of them share one.
        models = onnx_parts(networks, [copies] * len(networks))
        return [
            self._session(model, inputs * copies, number, copies)
            for model, (_, inputs) in zip(models, networks, strict=True)
        ]

    def _session(self, model: bytes, inputs: Inputs, number: int, copies: int = 1) -> Program:
        from netwright.graphs import OnnxSession

        session = OnnxSession(model, number)
        given = dict(zip(session.names, (value.numpy() for value in inputs), strict=True))
        run = session.session.run
        return clocked(lambda: run(None, given), copies)


@final
class OpenVino(Runtime):
    """OpenVINO on the CPU, in float32."""

    name = "openvino"
    extra = "openvino"
    packages = ("openvino",)
    modules = ("openvino",)

    def program(self, network: nn.Module, inputs: Inputs, number: int) -> Program:
        import openvino

        from netwright.graphs.exported import quiet

        with quiet(), torch.no_grad():
            model = openvino.convert_model(fixed(network, inputs))
        compiled = openvino.Core().compile_model(
            model,
            "CPU",
            {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": number, "NUM_STREAMS": 1},
        )
        request, rows = compiled.create_infer_request(), [value.numpy() for value in inputs]
        return clocked(lambda: request.infer(rows, share_inputs=True))


@final
class ExecuTorch(Runtime):
    """ExecuTorch with XNNPACK, which chooses its threads itself."""

    name = "executorch"
    extra = "executorch"
    packages = ("executorch",)
    modules = ("executorch",)

    def program(self, network: nn.Module, inputs: Inputs, number: int) -> Program:
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import to_edge_transform_and_lower
        from executorch.runtime import Runtime as Engine

        from netwright.graphs.exported import quiet

        with quiet(), torch.no_grad():
            lowered = to_edge_transform_and_lower(fixed(network, inputs), partitioner=[XnnpackPartitioner()])
            content = bytes(lowered.to_executorch().buffer)
        program = Engine.get().load_program(content)
        method = program.load_method("forward")
        assert method is not None
        rows = list(inputs)

        def run(held: object = (content, program)) -> None:
            # A method points into its program, and that into its bytes: both must stay.
            method.execute(rows)

        return clocked(run)


def fixed(network: nn.Module, inputs: Inputs) -> torch.export.ExportedProgram:
    """The network through torch.export for inputs of these shapes; CheckError where that cannot follow it."""
    from netwright.graphs.exported import quiet
    from netwright.graphs.where import refusal

    twin = copy.deepcopy(network).cpu().eval()
    try:
        with quiet(), torch.no_grad(), torch.random.fork_rng(devices=[]):
            return torch.export.export(twin, inputs, strict=False)
    except Exception as error:
        raise CheckError(
            refusal(f"{type(network).__name__}.forward cannot be followed", {"torch.export": error}),
            hint="Or time it in eager PyTorch, which runs everything: --on torch",
        ) from error


RUNTIMES: dict[str, Runtime] = {
    each.name: each for each in (OnnxRuntime(), Eager(), Exported(), OpenVino(), ExecuTorch(), Cuda())
}
"""Name → runtime."""

MOST_THREADS = 1024


@final
@dataclass(frozen=True)
class Place:
    """Where something is timed: a runtime, and its number of threads (or which device)."""

    runtime: Runtime
    number: int = 1

    def __str__(self) -> str:
        return f"{self.runtime.name}:{self.number}"

    @classmethod
    def read(cls, text: str) -> Place:
        """``onnxruntime``, ``torch:4`` (threads), ``cuda:1`` (a device), ``auto``; InputError with what there is."""
        name, colon, rest = text.strip().partition(":")
        runtime = default_runtime() if name == "auto" else RUNTIMES.get(name)
        if runtime is None:
            close = nearest(name, RUNTIMES)
            guess = f" ({close})" if close.startswith("did") else ""
            raise InputError(f"networks cannot be timed on '{name}'{guess}", hint=_there())
        lowest = 0 if runtime.processor == "cuda" else 1
        number = lowest
        if colon:
            if not (rest.isascii() and rest.isdigit() and lowest <= int(rest) <= MOST_THREADS):
                what = "the number of a device" if runtime.processor == "cuda" else "a number of threads"
                raise InputError(f"'{text}' ends in {rest!r}, which is not {what}", hint=f"Write for example {name}:1")
            number = int(rest)
        runtime.require()
        if runtime.processor == "cuda" and number >= torch.cuda.device_count():
            raise InputError(f"there is no device '{text}'; there are {torch.cuda.device_count()}")
        return cls(runtime, number)


def default_runtime() -> Runtime:
    """ONNX Runtime where the extra ``onnx`` is installed, else eager PyTorch."""
    onnx = RUNTIMES["onnxruntime"]
    return RUNTIMES["torch"] if onnx.missing() else onnx


def _there() -> str:
    """All runtimes, and what brings those that are missing."""
    here = ", ".join(name for name, runtime in RUNTIMES.items() if runtime.missing() is None)
    lacking = [
        f"{name} (pip install 'netwright[{runtime.extra}]')" if runtime.extra else f"{name} ({runtime.missing()})"
        for name, runtime in RUNTIMES.items()
        if runtime.missing() is not None
    ]
    return f"Here are: {here}" + (f". Not here: {', '.join(lacking)}" if lacking else "")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def rows_of(inputs: Inputs, batch: int) -> Inputs:
    """``batch`` rows, repeated from those that there are."""
    return tuple(torch.cat([value] * -(-batch // len(value)))[:batch].detach().clone() for value in inputs)
