"""Names of users on the disk: never a way out of the folder."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netwright.errors import InputError
from netwright.names import inside, slug

HOSTILE = [
    "../../x", "..", ".", "", "a/b", "/etc/passwd", "nul\0name", "new\nline", "n" * 300, "-rf", "~", "~root",
    "<script>alert(1)</script>", "C:\\x", "con", "%2e%2e%2f", "a\u202eb", "\ud800", "  ", "…",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_slug_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    """Whatever the name, its slug is a plain one, directly below the folder."""
    made = slug(name)
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*-[0-9a-f]{8}", made)
    assert len(made) <= 50
    path = inside(tmp_path, made)
    path.mkdir()
    assert [made] == os.listdir(tmp_path)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")),
        ("Net", "net"),
        ("a b", "a-b"),
        ("a/b", "a_b"),
        ("", " "),
        ("n" * 300, "n" * 301),
        ("日本", "中国"),
    ],
)
def test_twins_get_different_slugs(one: str, other: str) -> None:
    """Also where the file system takes their letters for the same."""
    assert slug(one).casefold() != slug(other).casefold()


def test_a_slug_is_readable_and_stable() -> None:
    """The words of the name, and a digest that will be the same in ten years."""
    assert "emile-s-net-b601565b" == slug("Émile's net")
    assert "unnamed-e3b0c442" == slug("")


@given(st.text())
def test_every_text_has_a_slug(name: str) -> None:
    """Of letters, digits and hyphens, with the digest at its end."""
    assert re.fullmatch(r"[a-z0-9][a-z0-9-]*-[0-9a-f]{8}", slug(name))


@pytest.mark.parametrize("name", ["../../x", "..", ".", "", "a/b", "/etc/passwd", "nul\0name", "new\nline", "\ud800"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    """Before anything is made of it."""
    with pytest.raises(InputError, match=r"cannot be the name of a file|leads out of"):
        inside(tmp_path, name)


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path) -> None:
    """More than 255 bytes, counted as they are written."""
    assert tmp_path / ("é" * 127) == inside(tmp_path, "é" * 127)
    with pytest.raises(InputError, match=r"cannot be the name of a file"):
        inside(tmp_path, "é" * 128)


@pytest.mark.parametrize("name", ["-rf", "~", "<script>", "model.py", "café"])
def test_an_odd_but_harmless_name_is_a_child(tmp_path: Path, name: str) -> None:
    """No shell and no home folder has a part in it."""
    assert tmp_path / name == inside(tmp_path, name)


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    """The name is plain, but the way is not; a link that stays inside would be another file's name."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "escape").symlink_to(tmp_path)
    with pytest.raises(InputError, match="'escape' leads out of"):
        inside(folder, "escape")


def test_a_folder_behind_a_link_is_a_folder(tmp_path: Path) -> None:
    """What counts is where the folder really is."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert tmp_path / "link" / "x" == inside(tmp_path / "link", "x")
