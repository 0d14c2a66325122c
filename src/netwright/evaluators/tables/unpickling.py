"""Reads the pickle files of published benchmarks without running what they say.

A pickle names functions and calls them. Here the only names that mean anything are containers, numbers of numpy and
torch's tensors, each by a stand-in of this file; any other is refused by its name, before anything is called.
"""

from __future__ import annotations

import bz2
import io
import pickle
import zipfile
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, final

import numpy as np

from netwright.errors import InputError, NetwrightError

LARGEST = 16 * 2**30
"""Bytes that a compressed file may unpack to."""
_TORCH_MAGIC = 0x1950A86A20F9469CFC6C


def load_restricted(path: Path) -> Any:
    """The value in a pickle: plain, ``.pbz2``, or written by ``torch.save``; tensors are left out (None).

    InputError for a damaged file and for one that names anything but containers, numbers and tensors.
    """
    try:
        if zipfile.is_zipfile(path):
            return _from_zip(path)
        with path.open("rb") as file:
            start = file.read(3)
        if start == b"BZh":
            with bz2.open(path, "rb") as packed:
                return _load(_Bounded(packed, path), path)
        with path.open("rb") as file:
            return _from_plain(file, path)
    except NetwrightError:
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error}") from None
    except Exception as error:  # the unpickler meets damage with almost any exception
        raise InputError(
            f"{path} is damaged, or no pickle: {type(error).__name__}: {str(error)[:80]}", hint="Copy it again"
        ) from None


def _from_zip(path: Path) -> Any:
    """What newer versions of ``torch.save`` write: an archive in which the object is ``data.pkl``."""
    with zipfile.ZipFile(path) as archive:
        name = next((name for name in archive.namelist() if name.split("/")[1:] == ["data.pkl"]), None)
        if name is None:
            raise InputError(f"{path} is an archive, but none that torch.save writes")
        with archive.open(name) as file:
            return _load(_Bounded(file, path), path)


def _from_plain(file: IO[bytes], path: Path) -> Any:
    """A plain pickle, or what older versions of ``torch.save`` write: a number, two heads, then the object."""
    value = _load(file, path)
    if value != _TORCH_MAGIC:
        return value
    _load(file, path)
    _load(file, path)
    return _load(file, path)


def _load(file: Any, path: Path) -> Any:
    return _Restricted(file, path).load()


@final
class _Bounded(io.RawIOBase):
    """A file that ends in an error when it unpacks to too much."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file = file
        self._left = LARGEST
        self._path = path

    def read(self, size: int = -1) -> bytes:
        return self._count(self._file.read(size))

    def readline(self, size: int | None = -1) -> bytes:
        return self._count(self._file.readline(-1 if size is None else size))

    def _count(self, data: bytes) -> bytes:
        self._left -= len(data)
        if self._left < 0:
            raise InputError(f"{self._path} unpacks to more than {LARGEST:,} bytes")
        return data


class _Type:
    """Stands for a numpy dtype: its code alone, of numbers and texts."""

    def __init__(self, code: str, *_: Any) -> None:
        dtype = np.dtype(str(code)[:8])
        if dtype.kind not in "biufSU" or dtype.fields is not None:
            raise InputError(f"arrays of {code!r:.20} are not read")
        self.dtype = dtype

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) > 1 and state[1] in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """Stands for a numpy array; ``array`` is the true one."""

    array: Any = None

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, data = state
        self.array = np.frombuffer(bytes(data), dtype=kind.dtype).reshape(shape, order="F" if fortran else "C")


def _scalar(kind: _Type, data: bytes) -> Any:
    return np.frombuffer(bytes(data), dtype=kind.dtype)[0].item()


def _array(*_: Any) -> _Array:
    return _Array()


def _nothing(*_: Any, **__: Any) -> None:
    """Stands for whatever makes a tensor: its numbers are not needed."""


def _bytes(text: str, encoding: str) -> bytes:
    """How pickles of protocol 2 write bytes."""
    if encoding != "latin1":
        raise InputError(f"texts in {encoding!r:.20} are not read")
    return text.encode("latin1")


_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core._multiarray_umath")
_ALLOWED: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "defaultdict"): defaultdict,
    **{(module, kind.__name__): kind for module in ("builtins", "__builtin__") for kind in (list, dict, set, tuple)},
    **{(module, kind.__name__): kind for module in ("builtins", "__builtin__") for kind in (frozenset, int, float)},
    ("_codecs", "encode"): _bytes,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Type,
    **{(module, "_reconstruct"): _array for module in _NUMPY},
    **{(module, "scalar"): _scalar for module in _NUMPY},
    **{
        ("torch._utils", name): _nothing
        for name in ("_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_parameter", "_rebuild_qtensor")
    },
    **{
        ("torch", f"{kind}Storage"): _nothing
        for kind in ("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool")
    },
    ("torch", "Size"): tuple,
}


@final
class _Restricted(pickle.Unpickler):
    """An unpickler for which no other name means anything."""

    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file, encoding="latin1")
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise InputError(
                f"{self._path} asks for '{module}.{name}', which no table of numbers needs; nothing of it was run",
                hint="Take the file from the benchmark's authors",
            ) from None

    def persistent_load(self, _: Any) -> None:
        """A tensor's storage."""
