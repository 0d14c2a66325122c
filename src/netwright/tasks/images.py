"""Images: layouts of arrays, folders with one sub-folder a class, and the constants that scale pixels."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netwright.errors import DataError, MissingExtra
from netwright.tasks.checks import alike, as_array, batch, check_finite, check_memory, numbers, one_line, slabs

CHANNELS = (1, 2, 3, 4)
"""A dimension of this length at the second or last place of an array is taken for the channels of images."""

OTHERS = {".wav": ("recordings", "audio"), ".txt": ("texts", "text")}
"""What a file is that is no image, and the task that reads a folder of such."""


def channels_first(X: np.ndarray, name: str = "X") -> np.ndarray:
    """(N, H, W), (N, H, W, C) or (N, C, H, W) as (N, C, H, W), without a copy."""
    if X.ndim == 3:
        return X[:, None]
    _, second, third, last = X.shape
    if second in CHANNELS and (last not in CHANNELS or third not in CHANNELS):
        return X
    if last in CHANNELS and second not in CHANNELS:
        return np.moveaxis(X, 3, 1)
    if third == last:
        return X
    if second == third:
        return np.moveaxis(X, 3, 1)
    raise DataError(
        f"which dimension of {name} with shape {X.shape} holds the channels?",
        hint="Give images as (N, C, H, W), (N, H, W, C) or (N, H, W)",
    )


def unflatten(X: np.ndarray, name: str = "X") -> np.ndarray:
    """(N, F) as square images (N, C, H, W) of one or three channels; raises DataError when F is neither."""
    width = X.shape[1]
    for channels in (1, 3):
        side = round((width / channels) ** 0.5)
        if side * side * channels == width:
            return X.reshape(len(X), channels, side, side)
    raise DataError(
        f"{name} has rows of {width} numbers, which are no square image of one or three channels",
        hint="Give images as (N, H, W) or (N, C, H, W)",
    )


def fit_shape(X: np.ndarray, shape: Sequence[int], name: str = "X") -> np.ndarray:
    """``X`` as (N, C, H, W) for a network that was trained on images of ``shape`` (C, H, W); raises DataError."""
    channels, height, width = shape
    if X.shape[1:] == (channels, height, width):
        return X
    if X.shape[1:] == (height, width, channels):
        return np.moveaxis(X, 3, 1)
    if channels == 1 and X.shape[1:] == (height, width):
        return X[:, None]
    if X.ndim == 2:
        if X.shape[1] == channels * height * width:
            return X.reshape(len(X), channels, height, width)
        raise DataError(
            f"{name} has {X.shape[1]} features, but Netwright is expecting"
            f" {channels * height * width} features as input"
        )
    raise DataError(
        f"{name} has images of shape {X.shape[1:]}, the network was trained on {tuple(shape)}",
        hint="Give images as (N, C, H, W) of the same size",
    )


def learn(X: np.ndarray, rows: np.ndarray | None = None) -> dict[str, Any]:
    """Mean and standard deviation of each channel of (N, C, H, W), learned on ``rows`` alone (all when None)."""
    chosen = np.arange(len(X)) if rows is None else np.asarray(rows)
    channels, height, width = X.shape[1:]
    total, spread = np.zeros(channels), np.zeros(channels)
    count = max(1, len(chosen) * height * width)
    for slab in slabs(len(chosen), channels * height * width):
        total += np.asarray(X[chosen[slab]]).sum((0, 2, 3), dtype=np.float64)
    mean = total / count
    for slab in slabs(len(chosen), channels * height * width):
        part = np.asarray(X[chosen[slab]], dtype=np.float64) - mean[:, None, None]
        spread += (part * part).sum((0, 2, 3))
    std = np.sqrt(spread / count)
    std[std <= 1e-12 * np.maximum(1e-300, np.abs(mean))] = 1.0
    return {"shape": [channels, height, width], "mean": mean.tolist(), "std": std.tolist()}


def take(X: Any, name: str = "X") -> np.ndarray:
    """Images of a user as (N, C, H, W), checked: (N, H, W), (N, H, W, C), (N, C, H, W), or rows of square ones."""
    array = numbers(batch(X, name), name)
    check_finite(array, name)
    return unflatten(array, name) if array.ndim == 2 else channels_first(array, name)


def remarks(X: np.ndarray, y: np.ndarray, classes: int | None) -> list[str]:
    """A note where all images are the same."""
    return [f"all {len(X):,} images are the same"] if alike(X) else []


def describe(constants: Mapping[str, Any]) -> str:
    """How raw rows become inputs of the network."""
    mean, std = (", ".join(f"{value:.6g}" for value in constants[name]) for name in ("mean", "std"))
    shape = ", ".join(map(str, constants["shape"]))
    return f"images (N, {shape}) standardised: (x - mean) / std with mean {mean}, std {std} per channel"


def apply(constants: Mapping[str, Any], X: Any, name: str = "X") -> np.ndarray:
    """Images as inputs of a network: float32 (N, C, H, W), each channel with mean 0 and deviation 1 in training."""
    X = numbers(as_array(X, name), name)
    check_finite(X, name)
    X = fit_shape(X, constants["shape"], name)
    width = int(np.prod(X.shape[1:], dtype=np.int64))
    check_memory(len(X), width, name)
    mean = np.array(constants["mean"])[:, None, None]
    std = np.array(constants["std"])[:, None, None]
    result = np.empty(X.shape, dtype=np.float32)
    for slab in slabs(len(X), width):
        result[slab] = (np.asarray(X[slab], dtype=np.float64) - mean) / std
    return result


def check_classes(folder: Path) -> None:
    """DataError for a folder whose images are all of one class."""
    classes = visible(folder, folders=True)
    if len(classes) == 1:
        sort = f"Sort the images by class, as in {folder.name}/cat/1.png and {folder.name}/dog/1.png"
        raise DataError(
            f"{folder} has one sub-folder, {classes[0].name}; each is a class, and a classifier needs two or more",
            hint=f"Give {classes[0]}, which has the classes" if visible(classes[0], folders=True) else sort,
        )


def read_folder(folder: Path, bad: list[str] | None = None) -> tuple[np.ndarray, list[str]]:
    """Images (N, C, H, W) and the class of each, the name of the sub-folder that it lies in.

    Gray when all of them are, colour otherwise. Hidden files are passed over. Raises DataError for a folder without
    sub-folders or images, for a file that is no image or is cut off, and for images of different sizes. With a list
    ``bad`` files that are no images are left out, and what is wrong with each is added to it.
    """
    classes = visible(folder, folders=True)
    if not classes:
        raise DataError(
            f"{folder} has no sub-folders, expected one sub-folder of images a class",
            hint="Or give an .npz, .csv or IDX file",
        )
    files: list[Path] = []
    labels: list[str] = []
    for sub in classes:
        inside = sorted(path for path in sub.iterdir() if not path.name.startswith("."))
        if not inside:
            raise DataError(f"the class folder {sub} holds no images", hint="Fill or remove it")
        if bad is not None:
            inside = [path for path in inside if _readable(path, bad)]
        files += inside
        labels += [sub.name] * len(inside)
    return read_files(files), labels


def _readable(path: Path, bad: list[str]) -> bool:
    """Whether a file is a whole image; if not, why is added to ``bad``."""
    try:
        read_files([path])
    except DataError as error:
        bad.append(error.message)
        return False
    return True


def read_files(files: Sequence[Path], shape: Sequence[int] | None = None) -> np.ndarray:
    """Image files as (N, C, H, W); with a ``shape`` (C, H, W), images of another size are refused."""
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise MissingExtra("Pillow", "data", "Reading images") from None
    modes: set[str] = set()
    first: tuple[Path, tuple[int, int]] | None = None
    for path in files:
        if path.is_dir():
            raise DataError(f"{path} is a folder inside a class folder, expected images", hint="Move its images up")
        mode, extent = _header(path, new=shape is not None)
        modes.add(mode)
        if shape is not None and extent != (shape[2], shape[1]):
            raise DataError(
                f"{path} is {extent[0]}×{extent[1]}, the network was trained on {shape[2]}×{shape[1]}",
                hint="Resize it",
            )
        if first is None:
            first = (path, extent)
        elif extent != first[1]:
            raise DataError(
                f"images of different sizes: {first[0]} is {first[1][0]}×{first[1][1]},"
                f" {path} is {extent[0]}×{extent[1]}",
                hint="Resize all of them to one size",
            )
    if first is None:
        raise DataError("no images to read")
    gray = modes <= {"1", "L"} if shape is None else shape[0] == 1
    deep = modes <= {"I;16", "I;16B", "I;16L", "I", "F"}
    channels = 1 if gray or deep else 3
    check_memory(len(files), channels * first[1][0] * first[1][1], "the images")
    result: np.ndarray | None = None
    for index, path in enumerate(files):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                with Image.open(path) as image:
                    upright = ImageOps.exif_transpose(image)
                    pixels = np.asarray(upright if deep else upright.convert("L" if gray else "RGB"))
        except (OSError, SyntaxError, ValueError, MemoryError, EOFError) as error:
            raise DataError(f"{path} is damaged or cut off: {one_line(error)}", hint="Replace or remove it") from None
        pixels = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, 2, 0)
        if result is None:
            result = np.empty((len(files), *pixels.shape), dtype=pixels.dtype)
        result[index] = pixels
    assert result is not None
    return result


def visible(folder: Path, *, folders: bool) -> list[Path]:
    """The files or the sub-folders of a folder that are not hidden, by name."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".") and path.is_dir() == folders)


def _header(path: Path, new: bool) -> tuple[str, tuple[int, int]]:
    """Mode and (width, height) of an image as it is to be seen, from its header alone; ``new`` ones are to predict."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                width, height = image.size
                turned = image.getexif().get(0x0112) in (5, 6, 7, 8)
                return image.mode, (height, width) if turned else (width, height)
    except UnidentifiedImageError:
        empty = path.stat().st_size == 0
        other = OTHERS.get(path.suffix.lower())
        if other is not None and not new:
            hint = f"For a folder of {other[0]} say --task {other[1]}; or leave such files out by --skip-bad"
        else:
            left_out = "" if new else ", or leave all such files out by --skip-bad"
            hint = f"Remove it or replace it by an image{left_out}"
        raise DataError(f"{path} is {'empty' if empty else 'no image'}", hint=hint) from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise DataError(f"{path} is an image of too many pixels", hint="Resize it") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise DataError(f"{path} is damaged or cut off: {one_line(error)}", hint="Replace or remove it") from None
