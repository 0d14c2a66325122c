"""IDX files, the format of MNIST and its relatives: a header of sizes, then the numbers, perhaps gzipped."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from netwright.errors import DataError
from netwright.tasks.checks import check_memory

TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
MAX_DIMENSIONS = 8


def is_idx(path: Path) -> bool:
    """Whether the name is that of an IDX file, such as ``train-images-idx3-ubyte.gz``."""
    name = path.name.lower().removesuffix(".gz")
    return name.endswith((".idx", "-ubyte", ".ubyte")) or any(f"idx{digit}" in name for digit in "1234")


def read_idx(path: Path) -> np.ndarray:
    """The array of an IDX file; raises DataError when it is empty, cut off, too long or of another format."""
    if path.stat().st_size == 0:
        raise DataError(f"{path} is empty")
    try:
        with path.open("rb") as file:
            if not path.name.endswith(".gz"):
                return _read(file, path)
            with gzip.GzipFile(fileobj=file) as unpacked:
                return _read(unpacked, path)
    except (EOFError, zlib.error):
        raise DataError(f"{path} is cut off or damaged", hint="Fetch it again") from None
    except gzip.BadGzipFile:
        raise DataError(f"{path} is not a gzip file, or is damaged", hint="Fetch it again") from None


def find_pair(folder: Path, part: str) -> tuple[Path, Path] | None:
    """The images and labels of a ``part`` ("train", "t10k", "test") in a folder; None without images."""
    images = sorted(p for p in folder.iterdir() if p.is_file() and f"{part}-images" in p.name and is_idx(p))
    return (images[0], labels_beside(images[0])) if images else None


def labels_beside(images: Path) -> Path:
    """The labels that belong to a file of images; raises DataError when they are not beside it."""
    if "images" not in images.name:
        raise DataError(
            f"{images} is not named as a file of images", hint="Expected a name like train-images-idx3-ubyte.gz"
        )
    stem = images.name.removesuffix(".gz").replace("images", "labels")
    for digit in "234":
        stem = stem.replace(f"idx{digit}", "idx1")
    for name in (stem, stem + ".gz"):
        if (images.parent / name).is_file():
            return images.parent / name
    raise DataError(f"{images} has no labels beside it", hint=f"Expected {images.parent / stem} or {stem}.gz")


def _read(file: IO[bytes] | gzip.GzipFile, path: Path) -> np.ndarray:
    header = file.read(4)
    if len(header) < 4:
        raise DataError(f"{path} is cut off in its header", hint="Fetch it again")
    if header[:2] != b"\0\0" or header[2] not in TYPES or not 1 <= header[3] <= MAX_DIMENSIONS:
        raise DataError(
            f"{path} is no IDX file: it begins with {header.hex(' ')}",
            hint="Expected 00 00, a type and a number of dimensions",
        )
    sizes = file.read(4 * header[3])
    if len(sizes) < 4 * header[3]:
        raise DataError(f"{path} is cut off in its header", hint="Fetch it again")
    shape = tuple(int(length) for length in np.frombuffer(sizes, ">u4"))
    dtype = np.dtype(TYPES[header[2]])
    count = math.prod(shape)
    check_memory(shape[0], math.prod(shape[1:]), str(path))
    # One byte more than announced, so that a longer file is noticed and a compression bomb never unpacked.
    body = file.read(count * dtype.itemsize + 1)
    if len(body) < count * dtype.itemsize:
        raise DataError(
            f"{path} is cut off: its header announces {shape} = {count * dtype.itemsize:,} bytes, found {len(body):,}",
            hint="Fetch it again",
        )
    if len(body) > count * dtype.itemsize:
        raise DataError(f"{path} is longer than the {shape} that its header announces")
    return np.frombuffer(body, dtype, count).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
