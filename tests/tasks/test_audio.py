"""Sounds: from recordings to pictures of mel bands, to a network."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

import netwright as nw
from netwright.errors import DataError, InputError
from netwright.tasks import audio, readers

RATE = 4000


def tones(rows: int = 32) -> tuple[list[np.ndarray], np.ndarray]:
    """Low and high tones of a quarter of a second or a little more, with noise."""
    rng = np.random.default_rng(0)
    high = np.arange(rows) % 2
    X = []
    for row in range(rows):
        time = np.arange(1000 + 50 * (row % 3)) / RATE
        sound = 0.5 * np.sin(2 * np.pi * (300 + 900 * high[row]) * time) + 0.01 * rng.normal(size=len(time))
        X.append(sound.astype(np.float32))
    return X, np.where(high, "high", "low")


def write(path: Path, samples: np.ndarray, width: int = 2, channels: int = 1, rate: int = RATE) -> Path:
    """A .wav file of so many bytes a sample."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = np.round(np.repeat(samples, channels) * (2 ** (8 * width - 1) - 1)).astype(np.int64)
    if width == 1:
        whole = whole + 128
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(b"".join(int(value).to_bytes(width, "little", signed=width > 1) for value in whole))
    return path


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_files_of_all_widths(width: int, tmp_path: Path) -> None:
    """8, 16, 24 and 32 bits, two channels made one."""
    samples = tones(1)[0][0][:50]
    read, rate = audio.read_wave(write(tmp_path / "tone.wav", samples, width, channels=2))
    assert (RATE, 50) == (rate, len(read))
    np.testing.assert_allclose(samples, read, atol=2.0 ** (2 - 8 * width) + 1e-7)


def test_bands_cover_every_frequency_once() -> None:
    """Between the tops of the first and the last band the triangles add up to one, and tops are even in mel."""
    bank = audio.filterbank(8000, 1024, 20)
    tops = np.arange(513)[bank.argmax(1)] * 8000 / 1024
    mel = 2595 * np.log10(1 + tops / 700)
    assert np.diff(mel).std() < 0.1 * np.diff(mel).mean()
    np.testing.assert_allclose(1.0, bank[:, bank[0].argmax() : bank[-1].argmax()].sum(0), atol=1e-9)


def test_a_tone_is_loudest_in_its_band() -> None:
    """300 Hz lie in a lower band than 1,200 Hz."""
    X, _ = tones(8)
    constants = audio.learn(audio.take(X, rate=RATE))
    flat = {**constants, "mean": [0.0] * constants["bands"], "std": [1.0] * constants["bands"]}
    loudest = audio.apply(flat, audio.take(X, rate=RATE))[:, 0, :, 2].argmax(1)
    assert 1 == len(set(loudest[::2])) == len(set(loudest[1::2]))
    assert loudest[0] < loudest[1]


def test_whole_numbers_are_scaled() -> None:
    """16 bits become numbers between -1 and 1."""
    clips = audio.take([np.array([0, 16384, -32768], dtype=np.int16)])
    np.testing.assert_array_equal(np.array([0.0, 0.5, -1.0], dtype=np.float32), clips.samples[0])


def test_longer_recordings_keep_their_middle() -> None:
    """And shorter ones are followed by silence."""
    X, _ = tones(8)
    constants = audio.learn(audio.take(X, rate=RATE))
    long = np.concatenate([np.zeros(4000, np.float32), X[0], np.zeros(4000, np.float32)])
    made = audio.apply(constants, audio.take([X[0][:200], long], rate=RATE))
    assert (2, 1, constants["bands"], constants["frames"]) == made.shape
    assert made[0, 0, :, -1].max() < -3 < made[1, 0, :, constants["frames"] // 2].max()


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((2, 2, 2)), "holds no recordings"),
        ([np.zeros(3), np.zeros(0)], r"X\[1\] has no samples"),
        ([np.zeros((3, 2))], r"X\[0\] of shape \(3, 2\) is no recording"),
        ([np.array([0.0, np.nan, 1.0])], r"Input X\[0\] contains NaN"),
    ],
)
def test_what_is_no_recording(X: object, message: str) -> None:
    """Is refused in one line."""
    with pytest.raises(DataError, match=message):
        audio.take(X)


def test_rates_have_to_agree(tmp_path: Path) -> None:
    """Within a folder, and with those of training; a rate is a number."""
    samples = tones(1)[0][0]
    write(tmp_path / "a" / "1.wav", samples)
    write(tmp_path / "a" / "2.wav", samples, rate=8000)
    with pytest.raises(DataError, match=r"2\.wav has 8,000 samples a second, '1\.wav' 4,000"):
        audio.read_folder(tmp_path)
    constants = audio.learn(audio.take([samples], rate=RATE))
    with pytest.raises(DataError, match="X has 8,000 samples a second, the network was trained on 4,000"):
        audio.apply(constants, audio.Clips((samples,), 8000))
    with pytest.raises(InputError, match="the rate is a number of samples a second from 1,000 on, found 0"):
        audio.take([samples], rate=0)


def test_files_that_are_none(tmp_path: Path) -> None:
    """A text by the name of a sound is named."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.wav").write_text("hello")
    with pytest.raises(DataError, match=r"1\.wav is no \.wav file of plain PCM"):
        audio.read_folder(tmp_path)


def test_the_way_from_a_folder(quick: None, tmp_path: Path) -> None:
    """A folder of sounds by class is searched, and what is exported says the same of its files by itself."""
    X, y = tones()
    for row, (samples, name) in enumerate(zip(X, y, strict=True)):
        write(tmp_path / "tones" / str(name) / f"{row:02}.wav", samples)
    loaded = readers.read(tmp_path / "tones", task="audio")
    assert ("audio", "classification", 32) == (loaded.kind, loaded.task, len(loaded.raw))
    outcome = nw.tasks.search(tmp_path / "tones", task="audio", max_trials=1, n_jobs=1, out=tmp_path / "run")
    said = nw.tasks.predict(outcome.out, tmp_path / "tones")
    folder = nw.tasks.shipping.write(outcome.out, "onnx", tmp_path / "shipped").path
    command = [sys.executable, str(folder / "predict.py"), str(tmp_path / "tones"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    np.testing.assert_allclose(said["probabilities"], json.loads(done.stdout)["probabilities"], atol=1e-3)


def test_the_estimator(quick: None) -> None:
    """Recordings of different lengths in memory, at a rate."""
    X, y = tones()
    search = nw.AudioClassifier(rate=RATE, max_trials=1, n_jobs=1).fit(X, y)
    assert {"high", "low"} >= set(search.predict(X[:4]))
    assert (4, 2) == search.predict_proba(X[:4]).shape
