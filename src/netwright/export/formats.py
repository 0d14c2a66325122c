"""A packaged network in another form: a file, or a folder with all that predictions need."""

from __future__ import annotations

import hashlib
import importlib.util
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load
from torch import nn

from netwright import strict_json
from netwright.errors import InputError, MissingExtra
from netwright.export import FORMATS, NEEDS, SUFFIXES, unknown_format
from netwright.export.checking import TOLERANCE, difference
from netwright.export.examples import Examples
from netwright.export.folder import MANIFEST, SCHEMA, load_network, read_manifest, write_folder
from netwright.export.training import Training, train_script
from netwright.graphs.comparing import OTHER_TOLERANCE, compare, demand

STANDALONE = Path(__file__).parent / "standalone"
REQUIREMENTS = {
    "source": ("torch", "safetensors"),
    "torch": ("torch",),
    "onnx": ("onnxruntime",),
    "int8": ("onnxruntime",),
    "openvino": ("openvino",),
    "executorch": ("executorch", "torch"),
}
"""What ``predict.py`` of a format imports, beside numpy."""


@dataclass(frozen=True)
class Written:
    """What was written: ``path`` as it was asked for, ``model`` the file of the network itself.

    ``difference`` is the largest between its outputs and the network's on ``rows`` real rows, relative to the largest
    output where that is above one, and ``allowed`` what it may be (None of int8, which is judged by its score).
    ``figures`` are the measurements of int8 as JSON, and ``lines`` what is told of them.
    """

    path: Path
    model: Path
    format: str
    difference: float
    allowed: float | None
    rows: int
    seconds: float
    bytes: int
    figures: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, str] = field(default_factory=dict)

    def to_value(self) -> dict[str, Any]:
        """The JSON object of the command line."""
        return {
            "out": str(self.path),
            "format": self.format,
            "model": str(self.model),
            "bytes": self.bytes,
            "difference": self.difference,
            "rows": self.rows,
            "seconds": round(self.seconds, 2),
            **({"int8": dict(self.figures)} if self.figures else {}),
        }

    def text(self) -> str:
        """The same for people."""
        at_most = f", at most {self.allowed:g} is allowed" if self.allowed is not None else ""
        told = {
            "difference": f"{self.difference:.3g} from the network of the search on {self.rows:,} rows{at_most}",
            **self.lines,
        }
        width = max(map(len, told))
        return "\n".join([f"wrote {self.path}", *(f"{name:<{width}}  {text}" for name, text in told.items())])


@dataclass(frozen=True)
class _Made:
    """The files of a form, the model first, and what was found out about it."""

    files: Mapping[str, bytes]
    difference: float
    allowed: float | None
    figures: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, str] = field(default_factory=dict)


def to(folder: Path | str, format: str, destination: Path | str, **options: Any) -> Path:
    """:func:`write`; the path of what was written."""
    return write(folder, format, destination, **options).path


def write(
    folder: Path | str,
    format: str,
    destination: Path | str,
    *,
    network: nn.Module | None = None,
    examples: Examples | None = None,
    training: Training | None = None,
    anew: bool = False,
) -> Written:
    """Writes the network of a packaged ``folder`` as ``format`` (one of ``FORMATS``) at ``destination``.

    A destination that ends like a file of the format (``.pt2``, ``.onnx``, ``.xml``, ``.pte``) becomes that file
    alone. Any other becomes a folder with the model, ``predict.py`` (takes raw inputs, needs no Netwright),
    ``requirements.txt``, ``card.md`` and a manifest with the constants of the preprocessing; of ``source`` also
    ``train.py`` where ``training`` says how. It must not exist; ``anew`` replaces one that was exported before.

    Before it has its name it is compared with ``network`` (that of the search; the package's own where it is not
    given) on ``examples.inputs``, real rows, in batches of one, two and all; a difference above 1e-5 (``source``,
    ``torch``) or 1e-4 (``onnx``, ``openvino``, ``executorch``) is a :class:`CheckError`. ``int8`` needs examples of
    a search. The package's files are compared with its manifest first. Missing packages are a :class:`MissingExtra`.
    """
    began = time.monotonic()
    folder, destination = Path(folder), Path(destination)
    if format not in FORMATS:
        raise unknown_format(format)
    require(format)
    single = _is_file(format, destination)
    if destination.exists() and not single and not (anew and (destination / MANIFEST).is_file()):
        raise InputError(f"{destination} exists already", hint="Name a folder that does not exist.")
    manifest = read_manifest(folder)
    network = (network if network is not None else load_network(folder, manifest)).cpu().eval()
    inputs = _inputs(manifest, examples)
    made = _MAKERS[format](folder, manifest, network, inputs, examples)
    written = Written(
        path=destination,
        model=destination if single else destination / next(iter(made.files)),
        format=format,
        difference=made.difference,
        allowed=made.allowed,
        rows=len(inputs[0]),
        seconds=0.0,
        bytes=sum(map(len, made.files.values())),
        figures=made.figures,
        lines=made.lines,
    )
    if single:
        _write_files(destination, made.files)
    else:
        write_folder(destination, _folder(folder, manifest, made, written, training))
    return replace(written, seconds=time.monotonic() - began)


def require(format: str) -> None:
    """Raises :class:`MissingExtra` where what a format needs is not installed."""
    extra, packages = NEEDS.get(format, ("", ()))
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtra(" and ".join(missing), extra, f"Exporting to {format}")


def _is_file(format: str, destination: Path) -> bool:
    suffix = SUFFIXES[format]
    if destination.suffix == suffix != "":
        return True
    wrong = {each for each in SUFFIXES.values() if each} & {destination.suffix}
    if wrong:
        ending = f"a file that ends in {suffix}, or a folder" if suffix else "a folder"
        raise InputError(f"{format} is written to {ending}, found {destination.name}")
    return False


def _inputs(manifest: Mapping[str, Any], examples: Examples | None) -> tuple[torch.Tensor, ...]:
    """Real rows; without any, numbers of the right shape."""
    if examples is not None:
        return (torch.from_numpy(examples.inputs.copy()),)
    found = []
    generator = torch.Generator().manual_seed(0)
    for each in manifest["inputs"]:
        dtype = getattr(torch, each["dtype"])
        shape = (4, *each["shape"])
        real = torch.randn(shape, generator=generator)
        found.append(real.to(dtype) if dtype.is_floating_point else torch.zeros(shape, dtype=dtype))
    return tuple(found)


# One function a format: the folder, its manifest, the network, rows to compare on, examples of the search.


def _source(
    folder: Path, manifest: Mapping[str, Any], network: nn.Module, inputs: tuple[torch.Tensor, ...], _: Examples | None
) -> _Made:
    files = {name: (folder / name).read_bytes() for name in ("model.py", "weights.safetensors")}
    worst = difference(files["model.py"].decode(), network, inputs, load(files["weights.safetensors"]))
    demand(worst, TOLERANCE)
    return _Made(files, worst, TOLERANCE)


def _torch(
    _: Path, manifest: Mapping[str, Any], network: nn.Module, inputs: tuple[torch.Tensor, ...], __: Examples | None
) -> _Made:
    from netwright.graphs import write_program

    with tempfile.TemporaryDirectory(prefix="netwright-export-") as name:
        path = Path(name) / "model.pt2"
        worst = write_program(network, inputs, path)
        return _Made({"model.pt2": path.read_bytes()}, worst, TOLERANCE)


def _onnx(
    _: Path, manifest: Mapping[str, Any], network: nn.Module, inputs: tuple[torch.Tensor, ...], __: Examples | None
) -> _Made:
    from netwright.graphs import OnnxSession, onnx_bytes

    content = onnx_bytes(network, inputs, _metadata(manifest))
    session = OnnxSession(content, torch.get_num_threads())
    worst = compare(network, inputs, lambda batch: session(*(value.numpy() for value in batch)))
    demand(worst, OTHER_TOLERANCE)
    return _Made({"model.onnx": content}, worst, OTHER_TOLERANCE)


def _int8(
    folder: Path,
    manifest: Mapping[str, Any],
    network: nn.Module,
    inputs: tuple[torch.Tensor, ...],
    examples: Examples | None,
) -> _Made:
    from netwright.export.int8 import quantise
    from netwright.graphs import OnnxSession

    plain = _onnx(folder, manifest, network, inputs, examples).files["model.onnx"]
    found = quantise(plain, examples if examples is not None else Examples(inputs[0].numpy()))
    session = OnnxSession(found.content)
    worst = compare(network, inputs, lambda batch: session(*(value.numpy() for value in batch)))
    return _Made({"model.onnx": found.content}, worst, None, found.to_value(), found.lines())


def _openvino(
    _: Path, manifest: Mapping[str, Any], network: nn.Module, inputs: tuple[torch.Tensor, ...], __: Examples | None
) -> _Made:
    from netwright.graphs.openvino_model import openvino_files, openvino_run

    files = openvino_files(network, inputs, _metadata(manifest))
    worst = compare(network, inputs, openvino_run(files))
    demand(worst, OTHER_TOLERANCE)
    return _Made(files, worst, OTHER_TOLERANCE)


def _executorch(
    _: Path, manifest: Mapping[str, Any], network: nn.Module, inputs: tuple[torch.Tensor, ...], __: Examples | None
) -> _Made:
    from netwright.graphs.executorch_program import executorch_bytes, executorch_run

    content = executorch_bytes(network, inputs)
    worst = compare(network, inputs, executorch_run(content))
    demand(worst, OTHER_TOLERANCE)
    return _Made({"model.pte": content}, worst, OTHER_TOLERANCE)


_MAKERS = {
    "source": _source,
    "torch": _torch,
    "onnx": _onnx,
    "int8": _int8,
    "openvino": _openvino,
    "executorch": _executorch,
}


def _metadata(manifest: Mapping[str, Any]) -> dict[str, str]:
    """What a model alone tells: its writer, its input, how raw rows become inputs, and the names of its outputs."""
    about = manifest["extra"]
    told = {"netwright": version("netwright")}
    told["input_shape"] = strict_json.dumps(manifest["inputs"][0]["shape"])
    preprocessing = about.get("preprocessing")
    if preprocessing is not None:
        told["preprocessing"] = strict_json.dumps(preprocessing)
        if "classes" in preprocessing["target"]:
            told["classes"] = strict_json.dumps(preprocessing["target"]["classes"])
    return told


def _folder(
    folder: Path, manifest: Mapping[str, Any], made: _Made, written: Written, training: Training | None
) -> dict[str, bytes]:
    """All files of the folder, the manifest last."""
    format = written.format
    files = dict(made.files)
    model = list(files)
    files["architecture.json"] = (folder / "architecture.json").read_bytes()
    predicts = "preprocessing" in manifest["extra"]
    card = (folder / "card.md").read_text(encoding="utf-8")
    files["card.md"] = _card(card, written, predicts, training is not None and format == "source").encode()
    if predicts:
        files["predict.py"] = (STANDALONE / "predict.py").read_bytes()
        if format == "source" and training is not None:
            files["train.py"] = train_script(training).encode()
    needed = ["numpy", *REQUIREMENTS[format]]
    if manifest["extra"].get("kind") == "images":
        needed.append("pillow")
    if "pairs" in manifest["extra"].get("preprocessing", {}).get("inputs", {}):
        needed.append("tokenizers")
    files["requirements.txt"] = "".join(f"{name}\n" for name in needed).encode()
    about = {
        "schema": SCHEMA,
        "format": format,
        "model": model,
        "netwright": version("netwright"),
        "torch": torch.__version__,
        "inputs": manifest["inputs"],
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in files.items()
        },
        "check": {"difference": written.difference, "rows": written.rows, **written.figures},
        "extra": manifest["extra"],
    }
    files[MANIFEST] = f"{strict_json.dumps(about, indent=2)}\n".encode()
    return files


_OPENED = {
    "source": ["from model import load", "", "network = load()"],
    "torch": ["import torch", "", 'network = torch.export.load("model.pt2").module()'],
    "onnx": ["import onnxruntime", "", 'network = onnxruntime.InferenceSession("model.onnx")'],
    "int8": ["import onnxruntime", "", 'network = onnxruntime.InferenceSession("model.onnx")'],
    "openvino": ["import openvino", "", 'network = openvino.compile_model("model.xml", "CPU")'],
    "executorch": [
        "from pathlib import Path",
        "",
        "from executorch.runtime import Runtime",
        "",
        'program = Runtime.get().load_program(Path("model.pte"))',
        'network = program.load_method("forward")',
    ],
}


def _card(card: str, written: Written, predicts: bool, trains: bool) -> str:
    """The card of the network with what is true of this form: how it differs, what it measured, how it is used."""
    rows = {
        "Format": f"`{written.format}`",
        "Largest difference": f"{written.difference:.3g} from the network of the search on {written.rows:,} rows",
        **written.lines,
    }
    head, _, _ = card.partition("\n## Use\n")
    lines = [head.rstrip(), "", "## This form", "", "|  |  |", "| --- | --- |"]
    lines += [f"| {name} | {text} |" for name, text in rows.items()]
    lines += ["", "## Use", "", "```python", *_OPENED[written.format], "```", ""]
    lines += [
        "The network takes inputs prepared as in training and answers with plain numbers: the constants of both are in "
        "`manifest.json`, under `extra`."
    ]
    if predicts:
        lines[-1] += " `python predict.py DATA` takes data as they are and does both; it needs no Netwright."
    if trains:
        lines[-1] += " `python train.py DATA` trains the network again from scratch."
    return "\n".join(lines) + "\n"


def _write_files(destination: Path, files: Mapping[str, bytes]) -> None:
    """One file at ``destination``; a second one beside it, of the same stem. Each takes its name when it is whole."""
    destination.parent.mkdir(parents=True, exist_ok=True)
    for name, content in reversed(list(files.items())):
        path = destination.with_suffix(Path(name).suffix)
        temporary = path.with_name(f".{path.name}.writing")
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
