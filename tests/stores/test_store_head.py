"""The head file: what was acknowledged last, whatever happens to one of its two slots."""

from __future__ import annotations

from pathlib import Path

import pytest

from netwright.stores import head
from netwright.stores.head import Head, HeadFile


def at(sequence: int, epoch: int = 1) -> Head:
    return Head(sequence, f"{sequence:064x}", epoch, sequence // 2)


def written(folder: Path, *heads: Head) -> Path:
    file = HeadFile(folder, at(0))
    for each in heads:
        file.write(each, sync=True)
    file.close()
    return folder / head.NAME


def test_the_newest_head_is_read_back(tmp_path: Path) -> None:
    """After any number of writes, into either slot."""
    for count in range(5):
        written(tmp_path, *(at(sequence) for sequence in range(1, count + 1)))
        assert at(count) == head.read(tmp_path)


@pytest.mark.parametrize("length", range(0, 230, 10))
def test_a_torn_write_leaves_the_head_before(tmp_path: Path, length: int) -> None:
    """The slot being written may hold any beginning of its new record: the other one still stands."""
    path = written(tmp_path, at(1), at(2))
    old = bytearray(path.read_bytes())
    path = written(tmp_path, at(1), at(2), at(3))
    new = path.read_bytes()
    old[:length] = new[:length]
    path.write_bytes(old)
    assert head.read(tmp_path) in (at(2), at(3))
    if length < 150:
        assert at(2) == head.read(tmp_path)


def test_the_two_slots_never_share_a_block(tmp_path: Path) -> None:
    """Two writes in a row touch two blocks of the disk."""
    path = written(tmp_path)
    first, second = written(tmp_path, at(1)).read_bytes(), written(tmp_path, at(1), at(2)).read_bytes()
    assert 8192 == path.stat().st_size
    assert first[4096:] != second[4096:]
    assert first[:4096] == second[:4096]


@pytest.mark.parametrize("content", [b"", b"\n" * 8192, b"{}\n0\n", b"\xff" * 8192])
def test_a_spoilt_file_is_no_head(tmp_path: Path, content: bytes) -> None:
    """Nothing that can be trusted reads as nothing."""
    (tmp_path / head.NAME).write_bytes(content)
    assert None is head.read(tmp_path)


def test_no_file_is_no_head(tmp_path: Path) -> None:
    """Neither in an empty folder nor where there is none."""
    assert None is head.read(tmp_path)
    assert None is head.read(tmp_path / "nowhere")


def test_a_new_epoch_starts_a_new_file(tmp_path: Path) -> None:
    """Who is fenced and still holds the old file cannot touch the new one."""
    old = HeadFile(tmp_path, at(0))
    new = HeadFile(tmp_path, at(4, epoch=2))
    old.write(at(9), sync=True)
    assert at(4, epoch=2) == head.read(tmp_path)
    old.close()
    new.close()
    assert [head.NAME] == [path.name for path in tmp_path.iterdir()]
