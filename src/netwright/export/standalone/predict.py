"""Predicts raw data with the network of this folder.

    python predict.py DATA … [--json]

DATA are image files, folders of them, or an .npy or .npz file (array X) of images; for a table or series a .csv, .tsv
or .parquet file, or an .npy or .npz file; for a language model a file of text; for several inputs NAME=FILE for each of
them, or one .npz file with their arrays. Each row gives a line; with --json one object with the predictions and, of a
classifier, the classes and the probabilities. From Python: `predict(X)` for rows as they are, `answer(outputs)` for
what they mean.

It needs numpy and what runs the network (requirements.txt); Pillow for image files, pyarrow for Parquet, tokenizers for
texts that are cut by byte pairs. All that is known of the data, the scaling, the categories and the names of the
classes, stands in manifest.json, with the size and hash of each file. No file is unpickled.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import json
import re
import sys
import wave
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
MISSING = {
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
}  # fmt: skip
"""What stands in a CSV file for a missing value, in a column of numbers a question mark, too."""
DATE = re.compile(r"(\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2})?)?)(?:\.\d+)?(?:Z|[+-]\d{2}:?\d{2})?", re.ASCII)
BATCH = 256

Array = np.ndarray[Any, Any]
Run = Callable[[Array], Array]


class Refused(Exception):
    """Something that the user can mend; it is told in one line."""


def predict(X: Any) -> Any:
    """Labels as they were given in training, or numbers in the target's own unit, for raw rows (an array)."""
    return answer(outputs(prepare(X)))["predictions"]


def outputs(inputs: Array) -> Array:
    """The network's outputs (N, outputs) for prepared inputs, float32."""
    run = network()
    parts = [run(np.ascontiguousarray(inputs[at : at + BATCH])) for at in range(0, len(inputs), BATCH)]
    return np.concatenate(parts)


def answer(outputs: Array) -> dict[str, Any]:
    """What outputs mean: ``predictions``, and of a classifier ``classes`` and ``probabilities``."""
    target = about()["preprocessing"]["target"]
    if about()["preprocessing"]["kind"] == "language":
        # What comes after a text is what its last token is answered with.
        target, outputs = {"classes": about()["preprocessing"]["inputs"]["tokens"]}, outputs[:, -1]
    if about()["preprocessing"]["kind"] == "forecast":
        series = about()["preprocessing"]["inputs"]["series"]
        center, scale = (np.array([each[name] for each in series])[:, None] for name in ("center", "scale"))
        steps = outputs.astype(np.float64) * scale + center
        return {"predictions": steps.tolist(), "series": [each["name"] for each in series]}
    if "labels" in target:
        return {
            "predictions": (outputs > 0).astype(int).tolist(),
            "labels": target["labels"],
            "probabilities": (1 / (1 + np.exp(-outputs.astype(np.float64).clip(-500, 500)))).tolist(),
        }
    if "heads" in target:
        return _heads(target["heads"], outputs)
    return _answer(target, outputs)


def _heads(heads: list[dict[str, Any]], outputs: Array) -> dict[str, Any]:
    """Several things at once, each by its name."""
    ends = np.cumsum([len(head.get("classes", ("a number",))) for head in heads])
    told = {
        head["name"]: _answer(head, part)
        for head, part in zip(heads, np.split(outputs, ends[:-1], axis=1), strict=True)
    }
    return {
        key: {name: each[key] for name, each in told.items() if key in each}
        for key in ("predictions", "classes", "probabilities")
    }


def _answer(target: dict[str, Any], outputs: Array) -> dict[str, Any]:
    if "classes" not in target:
        numbers = outputs.reshape(len(outputs)).astype(np.float64) * target["std"] + target["mean"]
        return {"predictions": numbers.tolist()}
    shifted = np.exp(outputs.astype(np.float64) - outputs.max(1, keepdims=True))
    return {
        "predictions": [target["classes"][place] for place in outputs.argmax(1)],
        "classes": target["classes"],
        "probabilities": (shifted / shifted.sum(1, keepdims=True)).tolist(),
    }


def prepare(data: Any) -> Array:
    """Raw rows as inputs of the network: an array, or the columns of a table by their names."""
    preprocessing = about()["preprocessing"]
    return _prepared(preprocessing["kind"], data, preprocessing["inputs"])


def _prepared(kind: str, data: Any, constants: dict[str, Any]) -> Array:
    if hasattr(data, "columns"):
        data = {str(name): list(data[name]) for name in data.columns}
    if kind == "images":
        return _images(np.asarray(data), constants)
    if kind in PREPARED:
        return PREPARED[kind](data, constants)
    return _table(data if isinstance(data, dict) else _columns(np.asarray(data), constants), constants)


def read(paths: Sequence[str]) -> Any:
    """The raw rows of files: an array of images, the columns of a table by their names, or each of several inputs."""
    preprocessing = about()["preprocessing"]
    if preprocessing["kind"] != "several":
        return _read(preprocessing["kind"], paths, preprocessing["inputs"])
    parts = {part["name"]: part for part in preprocessing["inputs"]["parts"]}
    files: dict[str, list[str]] = {}
    for path in paths:
        name, _, file = path.partition("=")
        files.setdefault(name, []).append(file)
    if len(paths) == 1 and not set(files) <= set(parts):
        return _arrays(Path(paths[0]))
    if set(files) != set(parts):
        raise Refused(f"the network takes several inputs: give {' '.join(f'{name}=FILE' for name in parts)}")
    return {name: _read(part["kind"], files[name], part["inputs"]) for name, part in parts.items()}


def _read(kind: str, paths: Sequence[str], constants: dict[str, Any]) -> Any:
    """The raw rows of one kind."""
    files: list[Path] = []
    named = {"audio": IMAGES | {".wav"}, "text": {".txt"}}.get(kind, IMAGES)
    for path in map(Path, paths):
        if not path.exists():
            raise Refused(f"there is no file or folder {path}")
        files += sorted(each for each in path.rglob("*") if each.suffix.lower() in named) if path.is_dir() else [path]
    if not files:
        wanted = {"audio": "recordings", "text": "texts"}.get(kind, "images")
        raise Refused(f"{paths[0]} holds no {wanted}")
    if kind == "text" and all(path.suffix.lower() == ".txt" for path in files):
        return [_utf8(path) for path in files]
    images = kind == "images"
    suffixes = {path.suffix.lower() for path in files}
    if kind == "audio" and suffixes == {".wav"}:
        return [_sound(path, constants["rate"]) for path in files]
    if images and suffixes <= IMAGES:
        return np.stack([_image(path, constants["shape"]) for path in files])
    if len(files) != 1:
        raise Refused("give one file, or images alone")
    (path,), (suffix,) = files, suffixes
    if kind == "language":
        return _read_text(path)
    if suffix in (".npy", ".npz"):
        return _array(path)
    if suffix in (".csv", ".tsv", ".gz") and not images:
        return _csv(path)
    if suffix in (".parquet", ".pq") and not images:
        return _parquet(path)
    raise Refused(f"{path} is not read: give {'images, ' if images else 'a .csv, '}an .npy or an .npz file")


def about() -> dict[str, Any]:
    """What manifest.json knows of the data: ``kind``, ``input_shape``, ``outputs``, ``preprocessing``."""
    extra: dict[str, Any] = manifest()["extra"]
    return extra


def manifest() -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads((HERE / "manifest.json").read_bytes())
    except (OSError, ValueError) as error:
        raise Refused(f"manifest.json beside predict.py cannot be read: {error}") from None
    if not isinstance(value, dict) or not {"extra", "files", "format", "model"} <= set(value):
        raise Refused("manifest.json beside predict.py is not as it was written: export the network again")
    return value


def network() -> Run:
    """The network of this folder: a function from prepared inputs to outputs."""
    known = manifest()
    for name in known["model"]:
        content = (HERE / name).read_bytes() if (HERE / name).exists() else b""
        if hashlib.sha256(content).hexdigest() != known["files"][name]["sha256"]:
            raise Refused(f"{name} is not as it was written: bring it back, or export the network again")
    runtime: Callable[[Path], Run] = RUNTIMES[known["format"]]
    try:
        return runtime(HERE / known["model"][0])
    except ImportError as error:
        raise Refused(f"{error.name} is not installed: pip install -r {HERE / 'requirements.txt'}") from None


def _source(path: Path) -> Run:
    import torch

    sys.path.insert(0, str(path.parent))
    import model

    loaded = model.load()

    def run(inputs: Array) -> Array:
        with torch.inference_mode():
            found: Array = loaded(torch.from_numpy(inputs)).numpy()
        return found

    return run


def _program(path: Path) -> Run:
    import torch

    # torch would unpickle what a file of another origin calls a pickle; one that was exported holds plain tensors.
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if name.endswith("_config.json") and any(
                each.get("use_pickle") for each in json.loads(archive.read(name)).get("config", {}).values()
            ):
                raise Refused(f"{path.name} holds pickled objects, which can run foreign code")
    loaded = torch.export.load(path).module()

    def run(inputs: Array) -> Array:
        with torch.no_grad():
            found: Array = loaded(torch.from_numpy(inputs)).numpy()
        return found

    return run


def _onnx(path: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda inputs: session.run(None, {name: inputs})[0]


def _openvino(path: Path) -> Run:
    import openvino

    compiled = openvino.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda inputs: np.asarray(compiled(inputs)[0])


def _executorch(path: Path) -> Run:
    import torch
    from executorch.runtime import Runtime

    content = path.read_bytes()
    program = Runtime.get().load_program(content)
    method = program.load_method("forward")

    def run(inputs: Array, held: object = (program, content)) -> Array:
        # A method does not keep its program: without `held` it would run what is freed.
        # Its memory is planned for batches of eight rows.
        parts = [method.execute([part.contiguous()])[0].clone() for part in torch.from_numpy(inputs).split(8)]
        found: Array = torch.cat(parts).numpy()
        return found

    return run


RUNTIMES = {
    "source": _source,
    "torch": _program,
    "onnx": _onnx,
    "int8": _onnx,
    "openvino": _openvino,
    "executorch": _executorch,
}


def _image(path: Path, shape: Sequence[int]) -> Array:
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise Refused("reading image files needs Pillow: pip install pillow") from None
    channels, height, width = shape
    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            deep = upright.mode.startswith(("I", "F")) and channels == 1
            pixels = np.asarray(upright if deep else upright.convert("L" if channels == 1 else "RGB"))
    except Exception as error:
        raise Refused(f"{path} is no image, or damaged: {error}") from None
    if pixels.shape[:2] != (height, width):
        raise Refused(
            f"{path} is {pixels.shape[1]}×{pixels.shape[0]}, the network was trained on {width}×{height}: resize it"
        )
    return pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0)


def _array(path: Path) -> Array:
    try:
        found = np.load(path, allow_pickle=False)
        if not isinstance(found, np.ndarray):
            with found as archive:
                names = ("X_test", "x_test", "X", "X_train", "x", "x_train")
                name = next((name for name in names if name in archive.files), "X")
                found = archive[name]
    except Exception as error:
        raise Refused(f"{path} cannot be read: {error}") from None
    return np.asarray(found)


def _arrays(path: Path) -> dict[str, Array]:
    """An array for each of several inputs, by its name."""
    names = [part["name"] for part in about()["preprocessing"]["inputs"]["parts"]]
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except Exception as error:
        raise Refused(f"{path} is no .npz file with the arrays {', '.join(names)}: {error}") from None


def _several(data: Any, constants: dict[str, Any]) -> Array:
    """Each input prepared by its own kind, one beside the other."""
    names = [part["name"] for part in constants["parts"]]
    if not isinstance(data, dict) or set(data) != set(names):
        raise Refused(f"the network takes inputs by their names: {', '.join(names)}")
    made = [_prepared(part["kind"], data[part["name"]], part["inputs"]) for part in constants["parts"]]
    if len({len(part) for part in made}) != 1:
        raise Refused("the inputs have different numbers of rows")
    return np.concatenate([part.reshape(len(part), -1) for part in made], axis=1)


def _csv(path: Path) -> dict[str, list[str]]:
    try:
        opened = gzip.open if path.suffix.lower() == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            rows = [row for row in csv.reader(file, delimiter=max(",;\t|", key=head.count)) if row]
    except (OSError, EOFError, ValueError, zlib.error, csv.Error) as error:
        raise Refused(f"{path} cannot be read: {error}") from None
    if len(rows) < 2:
        raise Refused(f"{path} has no rows")
    for number, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise Refused(f"{path}: row {number} has {len(row)} values, the first line {len(rows[0])} names")
    return {name: [row[place] for row in rows[1:]] for place, name in enumerate(rows[0])}


def _parquet(path: Path) -> dict[str, list[Any]]:
    try:
        import pyarrow.parquet
    except ImportError:
        raise Refused(f"reading {path} needs pyarrow: pip install pyarrow, or give the rows as a .csv file") from None
    try:
        found = pyarrow.parquet.read_table(path).to_pydict()
    except (OSError, ValueError, TypeError, pyarrow.ArrowException) as error:
        raise Refused(f"{path} cannot be read: {error}") from None
    if not any(found.values()):
        raise Refused(f"{path} has no rows")
    return {name: [_seconds(value) for value in column] for name, column in found.items()}


def _seconds(value: Any) -> Any:
    """A duration in seconds; anything else as it is."""
    return value.total_seconds() if hasattr(value, "total_seconds") else value


def _images(X: Array, constants: dict[str, Any]) -> Array:
    """(N, C, H, W), (N, H, W, C), for one channel (N, H, W), or rows of pixels; scaled channel by channel."""
    channels, height, width = constants["shape"]
    if X.dtype.kind not in "biuf":
        raise Refused(f"images are arrays of numbers, found {X.dtype}")
    if X.shape[1:] == (height, width, channels) and X.shape[1:] != (channels, height, width):
        X = np.moveaxis(X, 3, 1)
    elif (channels == 1 and X.shape[1:] == (height, width)) or (
        X.ndim == 2 and X.shape[1] == channels * height * width
    ):
        X = X.reshape(len(X), channels, height, width)
    if X.shape[1:] != (channels, height, width):
        raise Refused(f"images of shape {X.shape[1:]}, the network was trained on {(channels, height, width)}")
    mean, std = (np.array(constants[name])[:, None, None] for name in ("mean", "std"))
    return _finite(((X.astype(np.float64) - mean) / std).astype(np.float32))


def _series(data: Any, constants: dict[str, Any]) -> Array:
    """(N, length), (N, channels, length) or a list of such rows, standardised by channel, 0 after a series' end."""
    channels, length = constants["channels"], constants["length"]
    if isinstance(data, dict):
        target = about()["preprocessing"]["target"].get("name")
        names = [name for name in data if name != target and not _numbers_rows(name, data[name])]
        data = np.stack([_numbers(name, data[name]) for name in names], 1)
    rows = [np.atleast_2d(np.asarray(row, dtype=np.float64)) for row in data]
    inputs = np.zeros((len(rows), channels, length), dtype=np.float32)
    mean, std = (np.array(constants[name])[:, None] for name in ("mean", "std"))
    for row, values in enumerate(rows):
        missing: Array = np.asarray(np.isnan(values).all(0))
        values = values[:, : len(missing) - int(np.argmin(missing[::-1]))]
        if constants.get("varied"):
            values = values[:, :length]
        if values.ndim != 2 or len(values) != channels or values.shape[1] > length:
            raise Refused(f"a series of shape {values.shape}, the network was trained on {(channels, length)}")
        inputs[row, :, : values.shape[1]] = _finite((values - mean) / std)
    return inputs


def _numbers_rows(name: str, values: Any) -> bool:
    """Whether a column has no name and holds nothing but numbers of rows, as pandas writes them."""
    texts = [str(value) for value in values]
    whole = all(re.fullmatch(r"[+-]?\d+", text) for text in texts)
    return re.fullmatch(r"(?:Unnamed: \d+(?:\.\d+)*)?", name) is not None and whole and len({*texts}) == len(texts)


def _windows(data: Any, constants: dict[str, Any]) -> Array:
    """Of each series the last steps whose target is there, and the covariates of the steps to come that are known."""
    lookback, horizon, known = constants["lookback"], constants["horizon"], constants["known"]
    covariates = constants["covariates"]
    names = [*constants["targets"], *(each["name"] for each in covariates)]
    by, date = constants["by"], constants["date"]
    if not isinstance(data, dict):
        array = np.asarray(data, dtype=np.float64)
        array = array[:, None] if array.ndim == 1 else array
        data = {f"column {place}": array[:, place] for place in range(array.shape[1])}
    for name in [*names, *(each for each in (by, date) if each is not None)]:
        if name not in data:
            raise Refused(f"the table has no column {name!r}")
    columns = {name: _numbers(name, data[name]) for name in names}
    order = np.arange(len(columns[names[0]]))
    if date is not None:
        dates = _moments(date, data[date])
        order = np.argsort(dates, kind="stable")
        if by is None:
            _check_repeated(dates, {name: data[name] for name in data if name not in (*names, date)})
    made = np.zeros((len(constants["series"]), 1 + len(covariates), lookback + horizon), dtype=np.float32)
    for row, about_series in enumerate(constants["series"]):
        name = about_series["name"]
        places = order if by is None else order[[str(data[by][place]) == name for place in order]]
        if date is not None:
            new = np.concatenate([[True], dates[places[1:]] != dates[places[:-1]]])
            places = places[new[: len(places)]]
            _check_gaps(name, dates[places])
        target = columns[name if by is None else constants["targets"][0]][places]
        there = np.flatnonzero(~np.isnan(target))
        end = int(there[-1]) + 1 if len(there) else 0
        if end < lookback:
            raise Refused(f"the series {name!r} has {end} steps, the network looks back on {lookback}")
        made[row, 0, :lookback] = (target[end - lookback : end] - about_series["center"]) / about_series["scale"]
        for channel, each in enumerate(covariates):
            until = end + horizon if channel < known else end
            values = columns[each["name"]][places][end - lookback : until]
            if len(values) < until - end + lookback:
                raise Refused(f"the covariate {each['name']!r} is needed for {horizon} steps after the last target")
            made[row, 1 + channel, : len(values)] = (values - each["mean"]) / each["std"]
    return _finite(made)


def _moments(name: str, values: Any) -> Array:
    """Dates as datetime64[s], 03/31/2021 with the month first unless a first number is above 12; whole numbers stay."""
    texts = [str(value).strip() for value in values]
    if all(re.fullmatch(r"[+-]?\d+", text) for text in texts):
        return np.array(texts, dtype=np.int64)
    parts = [re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", text) for text in texts]
    if all(parts):
        found = np.array([[int(number) for number in part.groups()] for part in parts if part])
        day = 0 if (found[:, 0] > 12).any() else 1
        texts = [f"{row[2]:04}-{row[1 - day]:02}-{row[day]:02}" for row in found]
    made = np.zeros(len(texts), dtype="datetime64[s]")
    for row, text in enumerate(texts):
        try:
            if not re.match(r"\d{4}-\d\d", text):
                raise ValueError
            made[row] = np.datetime64(re.sub(r"(?:Z|[+-]\d\d:\d\d)$", "", text), "s")
        except ValueError:
            raise Refused(f"column {name!r} holds {text!r} in row {row + 1}, expected a date") from None
    return made


def _check_repeated(dates: Array, others: dict[str, Any]) -> None:
    """Refuses several series below each other for a network of one: a column of few values tells rows of a date apart.

    Whole numbers, which may differ by chance, have to have nearly all of the dates each.
    """
    rows, moments = len(dates), len(np.unique(dates))
    for name, values in others.items() if moments < rows else ():
        texts = [str(value) for value in values]
        kinds = len(set(texts))
        whole = all(re.fullmatch(r"[+-]?\d+", text.strip()) for text in texts)
        few = 4 * rows >= 3 * kinds * moments if whole else 8 * kinds <= rows and not _are_numbers(texts)
        if few and len(set(zip(dates.tolist(), texts, strict=True))) == rows:
            raise Refused(f"{rows - moments:,} rows repeat a date, and {name!r} tells them apart: keep those of one")


def _are_numbers(texts: list[str]) -> bool:
    try:
        return bool([float(text) for text in texts if text not in MISSING])
    except ValueError:
        return False


def _check_gaps(name: str, dates: Array) -> None:
    """Refuses dates that are not evenly apart: what is learnt of steps means nothing across a gap."""
    if len(dates) < 3:
        return
    steps: Array = np.diff(dates.astype(np.int64))
    if dates.dtype.kind == "M" and steps.min() >= 28 * 86_400:
        steps = np.diff(dates.astype("datetime64[M]").astype(np.int64))
    if _are_weekdays(dates):
        days = dates.astype("datetime64[D]")
        steps = np.busday_count(days[:-1], days[1:])
    odd = np.flatnonzero(steps != np.median(steps))
    if len(odd):
        before, after = (
            str(dates[odd[0] + place]).removesuffix("T00:00:00").replace("T", " ").removesuffix(":00")
            for place in range(2)
        )
        raise Refused(f"after {before} comes {after}: the dates of the series {name!r} are not evenly apart")


def _are_weekdays(dates: Array) -> bool:
    """Whether these are days from Monday to Friday alone, over a weekend or more, at the same time each."""
    if dates.dtype.kind != "M":
        return False
    days = dates.astype("datetime64[D]")
    steps = set(np.diff(days.astype(np.int64)).tolist())
    return {1, 3} <= steps and bool(np.is_busday(days).all() and (dates - days == dates[0] - days[0]).all())


def _sounds(data: Any, constants: dict[str, Any]) -> Array:
    """Recordings (samples,) as the logarithm of mel bands by frames, standardised; of longer ones the middle."""
    frame, hop, frames, bands = (constants[name] for name in ("frame", "hop", "frames", "bands"))
    top = 2595 * np.log10(1 + constants["rate"] / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    frequencies = np.arange(frame // 2 + 1) * constants["rate"] / frame
    rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    bank = np.maximum(0, np.minimum(rising, falling))
    mean, std = (np.array(constants[name])[:, None] for name in ("mean", "std"))
    inputs = np.zeros((len(data), 1, bands, frames), dtype=np.float32)
    inputs[:, 0] = (np.log(1e-10) - mean) / std
    longest = frame + (frames - 1) * hop
    for row, clip in enumerate(data):
        samples = np.asarray(clip)
        if samples.ndim != 1 or not len(samples) or samples.dtype.kind not in "iuf":
            raise Refused(f"recording {row + 1} of shape {samples.shape} is no row of samples")
        if samples.dtype.kind in "iu" and samples.dtype.itemsize < 8:
            half = 2.0 ** (8 * samples.dtype.itemsize - 1)
            samples = (samples.astype(np.float64) - (half if samples.dtype.kind == "u" else 0)) / half
        missing = np.isnan(samples.astype(np.float64))
        samples = _finite(samples[: len(samples) - int(np.argmin(missing[::-1]))])
        start = max(0, (len(samples) - longest) // 2)
        samples = samples[start : start + longest]
        count = 1 + -(-max(0, len(samples) - frame) // hop)
        padded = np.zeros(frame + (count - 1) * hop)
        padded[: len(samples)] = samples
        cut = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop] * np.hanning(frame + 1)[:-1]
        power = np.abs(np.fft.rfft(cut, axis=1)) ** 2 / frame
        inputs[row, 0, :, :count] = ((np.log(bank @ power.T + 1e-10) - mean) / std)[:, :frames]
    return inputs


def _sound(path: Path, trained: int) -> Array:
    """The samples of a .wav file of plain PCM, the mean of its channels."""
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            content = file.readframes(file.getnframes())
    except (wave.Error, EOFError, ValueError) as error:
        raise Refused(f"{path} is no .wav file of plain PCM, or damaged: {error}") from None
    if rate != trained:
        raise Refused(f"{path} has {rate} samples a second, the network was trained on {trained}: resample it")
    content = content[: len(content) // (width * channels) * width * channels]
    if width == 1:
        made = (np.frombuffer(content, np.uint8).astype(np.float64) - 128) / 128
    elif width == 3:
        parts = np.frombuffer(content, np.uint8).reshape(-1, 3).astype(np.int32)
        made = ((parts[:, 0] << 8) | (parts[:, 1] << 16) | (parts[:, 2] << 24)) / 2**31
    else:
        made = np.frombuffer(content, "<i2" if width == 2 else "<i4") / 2 ** (8 * width - 1)
    found: Array = made.reshape(-1, channels).mean(1)
    return found


def _columns(X: Array, constants: dict[str, Any]) -> dict[str, Any]:
    """The columns of an array by name: in the order of training where they had names."""
    names = [entry["name"] for entry in constants["numbers"] + constants["categories"]]
    if X.ndim != 2 or X.shape[1] != len(names):
        raise Refused(f"a table of shape {X.shape}, the network was trained on {len(names)} columns")
    if X.dtype.kind in "biuf":
        _finite(X)
    places = {f"column {place}": X[:, place] for place in range(X.shape[1])}
    if set(names) == set(places):
        return places
    if constants["categories"]:
        raise Refused(
            "columns with categories are found by their names: give a .csv file, of several inputs NAME=FILE.csv"
        )
    return {name: X[:, place] for place, name in enumerate(names)}


def _table(columns: dict[str, Any], constants: dict[str, Any]) -> Array:
    """Numbers standardised, the mean for a missing one, which has a column of its own; categories as zeros and ones.

    One of many values is a column with the numbers of its values: 0 where one is missing, the last for all others.
    Dates are numbers too; a text is a bag of words.
    """
    entries = [*constants["numbers"], *constants["categories"]]
    names = dict.fromkeys(entry.get("date", entry["name"]) for entry in entries)
    absent = [name for name in names if name not in columns]
    if absent:
        raise Refused(f"the table has no column {absent[0]!r}" + f" and {len(absent) - 1} more" * (len(absent) > 1))
    dates = {name: _dates(name, columns[name]) for name in {e["date"] for e in entries if "date" in e}}
    numbers = [
        dates[entry["date"]][entry["part"]]
        if "date" in entry
        else _numbers(entry["name"], columns[entry["name"]], comma=entry.get("comma", False))
        for entry in constants["numbers"]
    ]
    made = [
        np.where(np.isnan(column), 0.0, (column - entry["mean"]) / entry["std"])
        for entry, column in zip(constants["numbers"], numbers, strict=True)
    ]
    made += [
        np.isnan(column).astype(np.float64)
        for entry, column in zip(constants["numbers"], numbers, strict=True)
        if entry["missing"]
    ]
    for entry in constants["categories"]:
        if "words" in entry:
            made += list(_bags(columns[entry["name"]], entry["words"]).T)
            continue
        words = _words(columns[entry["name"]], entry["values"])
        if "codes" in entry:
            codes = {None: 0, **{value: code for code, value in enumerate(entry["values"], 1)}}
            made.append(np.array([codes.get(word, entry["codes"] - 1) for word in words], dtype=np.float64))
            continue
        made += [np.array([word == value for word in words], dtype=np.float64) for value in entry["values"]]
        if entry.get("other"):
            made.append(
                np.array([word is not None and word not in entry["values"] for word in words], dtype=np.float64)
            )
    return np.stack(made, 1).astype(np.float32)


def _dates(name: str, column: Any) -> dict[str, Array]:
    """The parts of dates as numbers, NaN where one is missing; a time zone is passed over."""
    texts = [str(value).strip() for value in column]
    moments = np.full(len(texts), np.datetime64("NaT"), dtype="datetime64[s]")
    for row, text in enumerate(texts):
        if text in MISSING or text == "NaT":
            continue
        try:
            moments[row] = np.datetime64(DATE.fullmatch(text)[1].replace(" ", "T"), "s")  # type: ignore[index]
        except (TypeError, ValueError):
            raise Refused(f"column {name!r} holds {text!r} in row {row + 1}, expected a date") from None
    holes = np.isnat(moments)
    moments[holes] = np.datetime64(0, "s")
    seconds, months = moments.astype(np.int64), moments.astype("datetime64[M]").astype(np.int64)
    parts = {
        "days": seconds / 86400,
        "year": 1970.0 + months // 12,
        "month": 1.0 + months % 12,
        "weekday": (seconds // 86400 + 3) % 7.0,
        "hour": seconds % 86400 / 3600,
    }
    return {part: np.where(holes, np.nan, values) for part, values in parts.items()}


def _bags(column: Any, buckets: int) -> Array:
    """Bags of words: a word counts in the column that its CRC-32 names."""
    bags = np.zeros((len(column), buckets), dtype=np.float32)
    for row, value in enumerate(column):
        words = [] if str(value) in MISSING else re.findall(r"\w+", str(value).lower())
        for word in words:
            bags[row, zlib.crc32(word.encode(errors="replace")) % buckets] += 1 / len(words) ** 0.5
    return bags


def _numbers(name: str, column: Any, comma: bool = False) -> Array:
    """Numbers, NaN where one is missing; where ``comma``, those with decimal commas, too."""
    truth = {"True": 1.0, "TRUE": 1.0, "true": 1.0, "False": 0.0, "FALSE": 0.0, "false": 0.0}
    numbers = np.empty(len(column))
    for row, value in enumerate(column):
        text = str(value).strip()
        text = text.replace(",", ".") if comma and re.fullmatch(r"[+-]?\d*,\d+", text) else text
        try:
            numbers[row] = np.nan if text in MISSING or text == "?" else truth[text] if text in truth else float(text)
        except ValueError:
            raise Refused(f"column {name!r} holds {text!r} in row {row + 1}, expected a number") from None
    if np.isinf(numbers).any():
        raise Refused(f"column {name!r} holds an infinite number")
    return numbers


def _words(column: Any, values: Sequence[str]) -> list[str | None]:
    """Values of a category as training has them: 1.0 is 1, and true is True, where these are known."""
    known = set(values)
    words = [None if str(value) in MISSING else str(value) for value in column]
    return [word if word is None or word in known else _alike(word, known) for word in words]


def _alike(value: str, known: set[str]) -> str:
    try:
        number = float(value)
        other = str(int(number)) if number == int(number) else str(number)
    except (ValueError, OverflowError):
        other = value.capitalize() if value.lower() in ("true", "false") else value
    return other if other in known else value


def _texts(data: Any, constants: dict[str, Any]) -> Array:
    """Texts as the numbers of their first words, 0 after a text's end: words without one share some by a hash.

    Of texts that are cut by byte pairs those of their first pieces, which all have one.
    """
    if isinstance(data, dict):
        names = constants["columns"] or [max(data, key=lambda name: sum(map(len, map(str, data[name]))))]
        if len(names) == len(data) == 1:
            names = list(data)
        absent = [name for name in names if name not in data]
        if absent:
            raise Refused(f"the data have no column {absent[0]!r}, from which the network reads texts")
        cells = ([("" if str(cell) in MISSING else str(cell)) for cell in data[name]] for name in names)
        data = ["\n".join(row) for row in zip(*cells, strict=True)]
    texts = [data] if isinstance(data, str) else list(data)
    numbers = {word: place for place, word in enumerate(constants["words"], 1)}
    made = np.zeros((len(texts), constants["length"]), dtype=np.float32)
    cut = _pieces(constants["pairs"]) if "pairs" in constants else words_of
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise Refused(f"row {row + 1} is {str(text)[:40]}, expected a text")
        for place, word in enumerate(cut(text)[: constants["length"]]):
            made[row, place] = numbers.get(word) or 1 + len(numbers) + zlib.crc32(word.encode()) % constants["buckets"]
    return made


def words_of(text: str) -> list[str]:
    """The words and punctuation marks of a text in small letters."""
    # What is no letter of any writing, half of a pair of surrogates, has no bytes.
    return [word.encode(errors="replace").decode() for word in re.findall(r"\w+(?:'\w+)*|[^\w\s]", text.lower())]


def _pieces(pairs: dict[str, Any]) -> Callable[[str], list[str]]:
    """What cuts a text into pieces, by a tokenizer as the library tokenizers writes it."""
    try:
        from tokenizers import Tokenizer
    except ImportError:
        raise Refused("the texts are cut by byte pairs, which needs tokenizers: pip install tokenizers") from None
    tokenizer = Tokenizer.from_str(json.dumps(pairs))

    def cut(text: str) -> list[str]:
        found: list[str] = tokenizer.encode(text.encode(errors="replace").decode()).tokens
        return found

    return cut


def _utf8(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise Refused(f"{path} is not UTF-8: save it as UTF-8") from None


def _finite(X: Array) -> Array:
    if not np.isfinite(X).all():
        raise Refused("the data hold NaN or infinity")
    return X


def _read_text(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(f"{path} is no text in UTF-8: {error.reason} at place {error.start:,}") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def tokens_of(text: str, constants: dict[str, Any]) -> list[int]:
    """The numbers of the tokens of a text, 0 for those that the network does not know."""
    known = {token: number for number, token in enumerate(constants["tokens"])}
    cut = re.findall(r"\w+|[^\w\s]|\n", text) if constants["way"] == "words" else text
    return [known.get(token, 0) for token in cut]


def _text(data: Any, constants: dict[str, Any]) -> Array:
    """A text in windows of which the last ends where it does, or the ends of a list of texts; filled up in front."""
    window, tokens = constants["window"], constants["tokens"]
    filler = next((tokens.index(each) for each in ("\n", " ") if each in tokens), 0)
    rows = []
    for text in [data] if isinstance(data, str) else data:
        if not isinstance(text, str):
            raise Refused(f"a text is a string, found {type(text).__name__}")
        numbers = tokens_of(text, constants)
        length = max(1, -(-len(numbers) // window)) * window if isinstance(data, str) else window
        numbers = numbers[-length:]
        rows.append(np.array([filler] * (length - len(numbers)) + numbers, dtype=np.float32).reshape(-1, window))
    return np.concatenate(rows) if rows else np.zeros((0, window), dtype=np.float32)


PREPARED: dict[str, Callable[[Any, dict[str, Any]], Array]] = {
    "audio": _sounds,
    "forecast": _windows,
    "language": _text,
    "series": _series,
    "several": _several,
    "text": _texts,
}
"""From raw rows to inputs, by kinds of data."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Predicts raw data with the network of this folder.")
    parser.add_argument(
        "data", nargs="+", metavar="DATA", help="image files or folders, a .csv, .npy or .npz file, NAME=FILE"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, of a classifier with probabilities")
    arguments = parser.parse_args()
    try:
        inputs = prepare(read(arguments.data))
        if not len(inputs):
            raise Refused("there is nothing to predict: the data have no rows")
        found = answer(outputs(inputs))
    except Refused as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    rows = found["predictions"]
    if isinstance(rows, dict):
        rows = [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]
    print(json.dumps(found) if arguments.json else "\n".join(map(str, rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
