"""Sounds: recordings of one or different lengths, which become pictures of their loudness by frequency and time.

A recording is cut into overlapping frames; the power of each frame's spectrum is summed up in bands that are evenly
spread on the mel scale (Stevens, Volkmann and Newman 1937; the formula 2595·log10(1 + f/700) is O'Shaughnessy's), and
the logarithm of that is standardised band by band. Longer recordings keep their middle, shorter ones are followed by
silence.
"""

from __future__ import annotations

import wave
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from netwright.errors import DataError, InputError
from netwright.tasks.checks import alike, as_array, check_finite, check_memory, numbers, one_line, shorten
from netwright.tasks.kinds import Source

Array = np.ndarray[Any, Any]

RATE = 16_000
"""Samples a second where nobody says."""
FRAME, HOP = 0.032, 0.010
"""Seconds of a frame at least (it has a power of two of samples), and from one to the next."""
BANDS = 40
FRAMES = 128
"""At most so many frames; those of longer recordings are further apart."""
LONGEST = 0.95
"""So many of the recordings are whole; of longer ones the middle is."""
FLOOR = 1e-10
"""The power that is taken for silence."""


@dataclass(frozen=True)
class Clips:
    """N recordings: a tuple of float32 arrays (samples,) between -1 and 1, and how many samples there are a second."""

    samples: tuple[Array, ...] = field(repr=False)
    rate: int = RATE

    kind: ClassVar[str] = "audio"

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self), max((len(each) for each in self.samples), default=0)


def take(X: Any, name: str = "X", rate: int = RATE) -> Clips:
    """Recordings of a user: an array (N, samples) or a list of arrays (samples,), of real numbers.

    Whole numbers of 8, 16 and 32 bits are brought between -1 and 1. NaN at the end of a row means that it is shorter.
    """
    if isinstance(X, Clips):
        return X
    if isinstance(rate, bool) or not isinstance(rate, int | np.integer) or rate < 1000:
        raise InputError(f"the rate is a number of samples a second from 1,000 on, found {rate!r}")
    array = isinstance(X, np.ndarray) and X.dtype != object
    if array and X.ndim != 2:
        raise DataError(
            f"{name} of shape {X.shape} holds no recordings", hint="Give (N, samples), or a list of arrays (samples,)"
        )
    return Clips(tuple(_clip(row, f"{name}[{place}]") for place, row in enumerate(X)), int(rate))


def learn(X: Clips, places: Array | None = None) -> dict[str, Any]:
    """The sizes of frames and bands, and mean and deviation of each band, learned at these places alone (None: all)."""
    chosen = X.samples if places is None else [X.samples[place] for place in places]
    frame = 1 << int(np.ceil(np.log2(max(16, FRAME * X.rate))))
    longest = int(np.quantile([len(each) for each in chosen], LONGEST))
    hop = max(1, int(HOP * X.rate), -(-max(0, longest - frame) // (FRAMES - 1)))
    frames = max(8, 1 + -(-max(0, longest - frame) // hop))
    constants = {"rate": X.rate, "frame": frame, "hop": hop, "frames": frames, "bands": min(BANDS, frame // 8)}
    # What is silence after a recording's end would count for the bands.
    made = np.concatenate([_whole(constants, each) for each in chosen], 1)
    std = made.std(1)
    return {**constants, "mean": made.mean(1).tolist(), "std": np.where(std > 1e-6, std, 1.0).tolist()}


def apply(constants: Mapping[str, Any], X: Any, name: str = "X") -> Array:
    """Recordings as pictures, float32 (N, 1, bands, frames), low bands first; DataError for another rate."""
    clips = take(X, name, constants["rate"])
    if clips.rate != constants["rate"]:
        raise DataError(
            f"{name} has {clips.rate:,} samples a second, the network was trained on {constants['rate']:,}",
            hint="Resample the recordings",
        )
    bands, frames = constants["bands"], constants["frames"]
    check_memory(len(clips), bands * frames, name)
    mean, std = (np.array(constants[name])[:, None] for name in ("mean", "std"))
    inputs = np.zeros((len(clips), 1, bands, frames), dtype=np.float32)
    inputs[:, 0] = (np.log(FLOOR) - mean) / std
    for row, samples in enumerate(clips.samples):
        made = (_whole(constants, _middle(constants, samples)) - mean) / std
        inputs[row, 0, :, : made.shape[1]] = made[:, :frames]
    return inputs


def remarks(X: Clips, y: Array, classes: int | None) -> list[str]:
    """A note where all recordings are the same, and where none holds a sound."""
    if not any(each.any() for each in X.samples):
        return [f"all {len(X):,} recordings are silent"]
    return [f"all {len(X):,} recordings are the same"] if alike(X.samples) else []


def describe(constants: Mapping[str, Any]) -> str:
    """How raw rows become inputs of the network."""
    seconds = (constants["frame"] + (constants["frames"] - 1) * constants["hop"]) / constants["rate"]
    return (
        f"recordings of {constants['rate']:,} samples a second, {seconds:.2f} s of each, as the logarithm of"
        f" {constants['bands']} mel bands in {constants['frames']} frames; standardised as in manifest.json"
    )


def read(path: Path, target: str | None, rate: int = RATE) -> Source:
    """A folder of .wav files, a sub-folder a class (or ``train`` and ``test`` with such each), or an .npz of X, y."""
    from netwright.tasks.readers import read_npz

    if target is not None:
        raise InputError(f"--target names a column of a table, {path} holds recordings", hint="Leave it out")
    if path.suffix.lower() == ".npz":
        arrays = read_npz(path, ("X", "y"), ("X_test", "y_test", "rate"))
        rate = int(arrays.get("rate", rate))
        test = arrays.get("X_test")
        held_out = None if test is None else take(test, "X_test", rate)
        return Source(take(arrays["X"], str(path), rate), arrays["y"], held_out, arrays.get("y_test"))
    if not path.is_dir():
        raise DataError(f"{path} holds no recordings", hint="Give a folder with a sub-folder of .wav files a class")
    parts = {each.name.lower(): each for each in path.iterdir() if each.is_dir() and not each.name.startswith(".")}
    if set(parts) == {"train", "test"}:
        (X, y), (X_test, y_test) = read_folder(parts["train"]), read_folder(parts["test"])
        return Source(X, y, X_test, y_test)
    return Source(*read_folder(path))


def read_new(path: Path, preprocessing: Mapping[str, Any] | None = None) -> Any:
    """A .wav file, or those of a folder and its sub-folders by name; an .npz or .npy file of recordings."""
    from netwright.tasks.readers import read_array, read_rows

    if path.is_dir():
        return _read_all(sorted(path.rglob("*.wav")), path)
    suffix = path.suffix.lower()
    if suffix == ".wav":
        return _read_all([path], path)
    if suffix == ".npz":
        return read_rows(path)
    if suffix == ".npy":
        return read_array(path)
    raise DataError(f"{path} holds no recordings", hint="Give .wav files, a folder of them, or an .npz file")


def read_folder(folder: Path) -> tuple[Clips, Array]:
    """The .wav files in the sub-folders, and the names of these as their classes."""
    files = [
        file
        for each in sorted(folder.iterdir())
        if each.is_dir() and not each.name.startswith(".")
        for file in sorted(each.iterdir())
        if file.suffix.lower() == ".wav"
    ]
    if not files:
        raise DataError(f"{folder} has no sub-folders of .wav files", hint="Make one for each class")
    return _read_all(files, folder), np.array([file.parent.name for file in files])


def read_wave(path: Path) -> tuple[Array, int]:
    """The samples of a .wav file, the mean of its channels, float32 between -1 and 1; and how many there are a second.

    Plain PCM of 8, 16, 24 or 32 bits.
    """
    try:
        with wave.open(str(path), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            content = file.readframes(file.getnframes())
    except (wave.Error, EOFError, ValueError) as error:
        raise DataError(
            f"{path} is no .wav file of plain PCM, or damaged: {one_line(error, 60)}", hint="Convert it to 16 bits"
        ) from None
    content = content[: len(content) // (width * channels) * width * channels]
    made: Array
    if width == 1:
        made = (np.frombuffer(content, np.uint8).astype(np.float32) - 128) / 128
    elif width == 3:
        parts = np.frombuffer(content, np.uint8).reshape(-1, 3).astype(np.int32)
        made = (((parts[:, 0] << 8) | (parts[:, 1] << 16) | (parts[:, 2] << 24)) / 2**31).astype(np.float32)
    else:
        made = np.frombuffer(content, "<i2" if width == 2 else "<i4").astype(np.float32) / float(2 ** (8 * width - 1))
    if not len(made):
        raise DataError(f"{path} has no samples", hint="Leave it out")
    return made.reshape(-1, channels).mean(1), rate


@lru_cache(maxsize=8)
def filterbank(rate: int, frame: int, bands: int) -> Array:
    """Triangles (bands, frame / 2 + 1) over the frequencies of a spectrum, their tops even on the mel scale."""
    top = 2595 * np.log10(1 + rate / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, bands + 2) / 2595) - 1)
    frequencies = np.arange(frame // 2 + 1) * rate / frame
    rising = (frequencies - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - frequencies) / (edges[2:] - edges[1:-1])[:, None]
    return np.asarray(np.maximum(0, np.minimum(rising, falling)))


def _whole(constants: Mapping[str, Any], samples: Array) -> Array:
    """The logarithm of the power in each band and frame, (bands, frames); at least one frame."""
    frame, hop = constants["frame"], constants["hop"]
    count = 1 + -(-max(0, len(samples) - frame) // hop)
    padded = np.zeros(frame + (count - 1) * hop)
    padded[: len(samples)] = samples
    cut = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop] * np.hanning(frame + 1)[:-1]
    power = np.abs(np.fft.rfft(cut, axis=1)) ** 2 / frame
    return np.asarray(np.log(filterbank(constants["rate"], frame, constants["bands"]) @ power.T + FLOOR))


def _middle(constants: Mapping[str, Any], samples: Array) -> Array:
    longest = constants["frame"] + (constants["frames"] - 1) * constants["hop"]
    start = max(0, (len(samples) - longest) // 2)
    return samples[start : start + longest]


def _clip(row: Any, name: str) -> Array:
    samples = numbers(as_array(row, name), name)
    if samples.ndim != 1:
        raise DataError(f"{name} of shape {samples.shape} is no recording", hint="Give one channel: (samples,)")
    if samples.dtype.kind == "f":
        there = np.flatnonzero(~np.isnan(samples))
        samples = samples[: there[-1] + 1] if len(there) else samples[:0]
        check_finite(samples, name)
    if not len(samples):
        raise DataError(f"{name} has no samples", hint="Leave it out")
    if samples.dtype.kind == "u":
        half = float(2 ** (8 * samples.dtype.itemsize - 1))
        return (samples.astype(np.float32) - np.float32(half)) / np.float32(half)
    if samples.dtype.kind == "i" and samples.dtype.itemsize < 8:
        return samples.astype(np.float32) / np.float32(2 ** (8 * samples.dtype.itemsize - 1))
    return samples.astype(np.float32)


def _read_all(files: list[Path], where: Path) -> Clips:
    if not files:
        raise DataError(f"{where} holds no .wav files")
    made = [read_wave(file) for file in files]
    rates = {rate for _, rate in made}
    if len(rates) > 1:
        odd, other = next((file, rate) for file, (_, rate) in zip(files, made, strict=True) if rate != made[0][1])
        raise DataError(
            f"{odd} has {other:,} samples a second, {shorten(files[0].name)} {made[0][1]:,}",
            hint="Resample them to one rate",
        )
    return Clips(tuple(samples for samples, _ in made), made[0][1])
