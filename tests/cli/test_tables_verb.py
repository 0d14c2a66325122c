"""netwright tables show and import."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from netwright.evaluators.tables import TABLES, open_table


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, and one for tables."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("NETWRIGHT_TABLES", str(tmp_path / "tables"))
    return tmp_path


@pytest.fixture
def file(folder: Path) -> Path:
    """A table of one's own."""
    path = folder / "results.npz"
    columns = {"accuracy@3": np.array([0.5, 0.6, 0.7]), "accuracy@9": np.ones((3, 2))}
    columns |= {"cost@9": np.ones(3), "params": np.ones(3)}
    np.savez(path, choices=np.array([[0, 0], [0, 1], [1, 0]]), decisions=np.array(["width", "kind"]), **columns)
    return path


def test_what_there_is(netwright: Any, folder: Path) -> None:
    """Every known table with whether its file is there, and how to have the others."""
    ran = netwright("tables", "show", "--json")
    rows = {row["name"]: row for row in json.loads(ran.out)["tables"]}
    assert (0, set(TABLES)) == (ran.code, set(rows))
    assert rows["nasbench201"]["file"] is None
    assert "NATS-tss-v1_0-3ffb9-simple" in rows["nasbench201"]["get"]
    text = netwright("tables", "show").out
    assert "nasbench201" in text
    assert "absent" in text


def test_import_and_show(netwright: Any, file: Path, folder: Path) -> None:
    """An imported table is found by its name, and shown with all that a bench needs to know."""
    ran = netwright("tables", "import", str(file), "--name", "mine", "--json")
    said = json.loads(ran.out)
    assert (0, str(folder / "tables" / "mine.npz"), 3) == (ran.code, said["out"], said["architectures"])
    assert [0.5, 0.6, 0.7] == open_table("mine").column("accuracy@3").mean.tolist()
    shown = json.loads(netwright("tables", "show", "mine", "--json").out)
    assert [{"name": "width", "options": [0, 1]}, {"name": "kind", "options": [0, 1]}] == shown["decisions"]
    (metric,) = shown["metrics"]
    assert {"metric": "accuracy", "fidelities": [3, 9], "seeds": [None, 2], "seconds": "cost"} == metric
    assert ["params"] == shown["costs"]
    text = netwright("tables", "show", "mine").out
    for part in ("mine: 3 architectures", "width", "accuracy@3", "the mean", "2 seeds", "params"):
        assert part in text
    assert "mine" in netwright("tables", "show").out


def test_import_to_a_file(netwright: Any, file: Path, folder: Path) -> None:
    """Where it is told."""
    out = folder / "elsewhere" / "t.npz"
    ran = netwright("tables", "import", str(file), "--out", str(out))
    assert f"{out}: 3 architectures, 4 columns" == ran.out.strip()
    assert "results" == open_table(out).name


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "nasbench210"), "no table is called 'nasbench210'. Did you mean 'nasbench201'?"),
        (("show", "nats-size"), "Get the folder NATS-sss-v1_0-50262-simple"),
        (("show", "none.npz"), "there is no table file none.npz"),
        (("import", "none.npz"), "there is no table file none.npz"),
        (("import",), "See: netwright tables --help"),
        (("shwo",), "no such command 'shwo'"),
    ],
)
def test_what_is_wrong_is_said(netwright: Any, folder: Path, arguments: tuple[str, ...], said: str) -> None:
    """In one line, with exit code 2."""
    ran = netwright("tables", *arguments)
    assert (2, "") == (ran.code, ran.out)
    assert said in ran.err
    assert 1 == ran.err.count("\n")


def test_an_import_overwrites_nothing(netwright: Any, file: Path, folder: Path) -> None:
    """Neither the file that --out names nor the table of that name."""
    for place, arguments in (("t.npz", ("--out", str(folder / "t.npz"))), ("tables/mine.npz", ("--name", "mine"))):
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_text("dear")
        ran = netwright("tables", "import", str(file), *arguments)
        assert (2, "") == (ran.code, ran.out)
        assert f"there is a file {folder / place} already. Choose another --out or --name, or remove it" in ran.err
        assert "dear" == (folder / place).read_text()


def test_a_place_that_cannot_be_written_to_is_said(netwright: Any, file: Path) -> None:
    """In one line, with exit code 7."""
    ran = netwright("tables", "import", str(file), "--out", str(file / "below" / "t.npz"))
    assert (7, "") == (ran.code, ran.out)
    assert f"cannot write {file / 'below' / 't.npz'}: Not a directory. Choose another place with --out" in ran.err
    assert 1 == ran.err.count("\n")


def test_a_name_is_no_path(netwright: Any, file: Path, folder: Path) -> None:
    """A table cannot be written out of its folder by its name."""
    ran = netwright("tables", "import", str(file), "--name", "../evil")
    assert 2 == ran.code
    assert "cannot be the name of a table" in ran.err
    assert not (folder / "evil.npz").exists()


def test_a_damaged_file_is_not_imported(netwright: Any, file: Path, folder: Path) -> None:
    """Nothing is written."""
    file.write_bytes(file.read_bytes()[:200])
    ran = netwright("tables", "import", str(file), "--json")
    assert 2 == ran.code
    assert "truncated" in json.loads(ran.out)["error"]["message"]
    assert not (folder / "tables").exists()


def test_tables_are_found_beside_the_project(folder: Path) -> None:
    """In ../shared/data too, so that a bench runs where they are; the error names the first places."""
    place = folder / "shared" / "data" / "ec_nas_bench"
    place.mkdir(parents=True)
    with pytest.raises(Exception, match=r"^no ecnas_5V9E_4epochs.npz in .*tables, tables, data\."):
        open_table("ec-nas")
    np.savez(place / "ecnas_5V9E_4epochs.npz", choices=np.array([[0], [1]]), accuracy=np.ones(2))
    assert 2 == len(open_table("ec-nas"))


def test_where_a_missing_table_was_looked_for_is_not_cut(
    netwright: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file, the places and how to get it stand in the one line."""
    monkeypatch.delenv("NETWRIGHT_TABLES")
    for name in ("nasbench101", "nasbench201"):
        ran = netwright("tables", "show", name)
        assert 2 == ran.code
        assert f"no {name}.npz in tables, data, ../shared/data. Get " in ran.err


def test_help(netwright: Any) -> None:
    """Without a word, and for one."""
    ran = netwright("tables")
    assert 0 == ran.code
    for word in ("show", "import"):
        assert word in ran.out
    assert "--out" in netwright("tables", "import", "--help").out
