"""A damaged store is named as damaged, or answers rightly; it never answers wrongly."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from store_events import claimed, configured, ended, fill, study

from netwright.errors import InputError, NetwrightError, StoreError
from netwright.stores import Event, Row, SQLiteStore, check, open_readonly, salvage

Answer = tuple[list[Event], list[Row]]


def answer(folder: Path) -> Answer:
    with open_readonly(folder) as reader:
        return list(reader.read()), reader.trials()


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of 60 trials, closed: one plain file and its head."""
    return study(tmp_path_factory.mktemp("closed"), 60)


@pytest.fixture(scope="module")
def crashed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose writer was killed: ten trials in the database, fifty in the log beside it."""
    folder = study(tmp_path_factory.mktemp("crashed"), 10)
    script = (
        "import os, signal, sys; from pathlib import Path; from store_events import fill\n"
        "from netwright.stores import SQLiteStore\n"
        "fill(SQLiteStore(Path(sys.argv[1]), create=False), 50, first=10)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(folder)], cwd=Path(__file__).parent, check=False)
    assert -signal.SIGKILL == done.returncode
    return folder


def copied(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    (target / "study.lock").unlink(missing_ok=True)
    return target


def outcome(folder: Path, truth: Answer) -> str:
    """``right``, or ``refused`` with one short line and exit code 6; anything else fails."""
    try:
        found = answer(folder)
    except StoreError as caught:
        refusal: StoreError | None = caught
    else:
        refusal = None
    if refusal is not None:
        text = str(refusal)
        assert 6 == refusal.code
        assert "\n" not in text
        assert len(text) <= 200, text
        with pytest.raises(StoreError):
            SQLiteStore(folder, create=False)
        assert [] != check(folder)
        events = salvage(folder)
        assert truth[0][: len(events)] == events
        return "refused"
    assert truth == found
    with SQLiteStore(folder, create=False) as store:
        assert truth == (list(store.read()), store.trials())
    return "right"


def cut_in_half(folder: Path) -> None:
    path = folder / "study.db"
    os.truncate(path, path.stat().st_size // 2)


def empty(folder: Path) -> None:
    os.truncate(folder / "study.db", 0)


def zero_the_start(folder: Path) -> None:
    with open(folder / "study.db", "r+b") as file:
        file.write(bytes(100))


def flip_in_an_event(folder: Path) -> None:
    content = bytearray((folder / "study.db").read_bytes())
    place = content.index(b'"seed":42')
    content[place + 8] ^= 1
    (folder / "study.db").write_bytes(content)


def forget_the_head(folder: Path) -> None:
    (folder / "study.head").unlink()


def spoil_the_head(folder: Path) -> None:
    (folder / "study.head").write_bytes(os.urandom(8192))


def lose_the_database(folder: Path) -> None:
    (folder / "study.db").unlink()


def write_text(folder: Path) -> None:
    (folder / "study.db").write_text("hello\n" * 1000)


@pytest.mark.parametrize(
    "harm",
    [
        cut_in_half, empty, zero_the_start, flip_in_an_event, forget_the_head, spoil_the_head, lose_the_database,
        write_text,
    ],
)  # fmt: skip
def test_each_plain_damage_is_refused(tmp_path: Path, closed: Path, harm: Callable[[Path], None]) -> None:
    """Half a file, no byte, zeros, a flipped bit, no head: exit 6 in one line."""
    folder = copied(closed, tmp_path / "study")
    truth = answer(folder)
    harm(folder)
    assert "refused" == outcome(folder, truth)


def test_the_database_of_another_study_is_refused(tmp_path: Path, closed: Path) -> None:
    """A longer journal with the same events, but not the one whose end was acknowledged."""
    folder = copied(closed, tmp_path / "study")
    other = study(tmp_path / "other", 61)
    os.replace(other / "study.db", folder / "study.db")
    with pytest.raises(StoreError, match=r"event 121 is not the one that study\.head knows"):
        open_readonly(folder)


@pytest.mark.parametrize("seed", range(40))
def test_a_page_of_noise_is_refused_or_does_not_matter(tmp_path: Path, closed: Path, seed: int) -> None:
    """A random page overwritten: never a wrong answer."""
    folder = copied(closed, tmp_path / "study")
    truth = answer(folder)
    generator = random.Random(seed)
    with open(folder / "study.db", "r+b") as file:
        file.seek(4096 * generator.randrange((folder / "study.db").stat().st_size // 4096))
        file.write(generator.randbytes(4096))
    outcome(folder, truth)


@pytest.mark.parametrize("seed", range(100))
def test_a_flipped_bit_is_refused_or_does_not_matter(tmp_path: Path, closed: Path, seed: int) -> None:
    """One bit flipped anywhere in the database: never a wrong answer."""
    folder = copied(closed, tmp_path / "study")
    truth = answer(folder)
    generator = random.Random(seed)
    content = bytearray((folder / "study.db").read_bytes())
    content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    (folder / "study.db").write_bytes(content)
    outcome(folder, truth)


@pytest.mark.parametrize("seed", range(30))
def test_a_flipped_bit_of_the_head_is_noticed_or_does_not_matter(tmp_path: Path, closed: Path, seed: int) -> None:
    """The other slot stands in for the one that was hit."""
    folder = copied(closed, tmp_path / "study")
    truth = answer(folder)
    generator = random.Random(seed)
    content = bytearray((folder / "study.head").read_bytes())
    content[generator.choice((0, 4096)) + generator.randrange(200)] ^= 1 << generator.randrange(8)
    (folder / "study.head").write_bytes(content)
    assert "right" == outcome(folder, truth)


@pytest.mark.parametrize("part", range(20))
def test_a_cut_log_is_a_named_loss(tmp_path: Path, crashed: Path, part: int) -> None:
    """The log cut at each twentieth: the store ends at a whole commit, and what is lost is named until accepted."""
    folder = copied(crashed, tmp_path / "study")
    truth = answer(folder)
    log = folder / "study.db-wal"
    os.truncate(log, log.stat().st_size * part // 20)
    with pytest.raises(StoreError, match=r"events \d+ to 121 are lost, and with them \d+ result") as caught:
        SQLiteStore(folder, create=False)
    assert len(str(caught.value)) <= 200
    assert "--accept-loss" in str(caught.value)
    with pytest.raises(StoreError, match="are lost"):
        open_readonly(folder)
    with SQLiteStore(folder, create=False, accept_loss=True) as store:
        kept = list(store.read())
        assert truth[0][: len(kept)] == kept
        assert f"events {len(kept) + 1} to 121" in str(caught.value)
        assert sum(event.kind == "ended" for event in kept) == sum(row.state == "finished" for row in store.trials())
        store.append([claimed(1000)])
    assert [] == check(folder)


def test_a_deleted_log_is_a_named_loss(tmp_path: Path, crashed: Path) -> None:
    """Without its log the database is a sound one of ten trials; the head file knows better."""
    folder = copied(crashed, tmp_path / "study")
    (folder / "study.db-wal").unlink()
    with pytest.raises(StoreError, match="events 22 to 121 are lost, and with them 50 results"):
        SQLiteStore(folder, create=False)
    with SQLiteStore(folder, create=False, accept_loss=True) as store:
        assert 10 == len(store.trials())


def test_looking_at_a_damaged_log_does_not_change_it(tmp_path: Path, crashed: Path) -> None:
    """A refusal leaves the files as they are, for a better rescuer."""
    folder = copied(crashed, tmp_path / "study")
    log = folder / "study.db-wal"
    content = bytearray(log.read_bytes())
    content[len(content) // 2] ^= 1
    log.write_bytes(content)
    before = [(folder / "study.db").read_bytes(), log.read_bytes(), (folder / "study.head").read_bytes()]
    with pytest.raises(StoreError):
        SQLiteStore(folder, create=False)
    assert before == [(folder / "study.db").read_bytes(), log.read_bytes(), (folder / "study.head").read_bytes()]


@pytest.mark.parametrize("content", [b"", b"\xff" * 32768, bytes(32768), None])
def test_a_spoilt_index_of_the_log_does_not_matter(tmp_path: Path, crashed: Path, content: bytes | None) -> None:
    """``study.db-shm`` is made anew from the log."""
    folder = copied(crashed, tmp_path / "study")
    truth = answer(crashed)
    (folder / "study.db-shm").write_bytes(random.Random(0).randbytes(32768) if content is None else content)
    assert "right" == outcome(folder, truth)


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_bit_of_the_log_is_a_loss_or_does_not_matter(tmp_path: Path, crashed: Path, seed: int) -> None:
    """One bit flipped anywhere in the log: never a wrong answer."""
    folder = copied(crashed, tmp_path / "study")
    truth = answer(crashed)
    generator = random.Random(seed)
    content = bytearray((folder / "study.db-wal").read_bytes())
    content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    (folder / "study.db-wal").write_bytes(content)
    outcome(folder, truth)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE trials SET state = 'failed' WHERE number = 3",
        "UPDATE trials SET seed = 4 WHERE number = 3",
        "UPDATE trials SET metrics = '{\"val_accuracy\":1.0}' WHERE number = 3",
        "UPDATE trials SET seconds = 0.25 WHERE number = 3",
        "UPDATE trials SET epoch = 9 WHERE number = 3",
        "UPDATE metrics SET value = 1.0 WHERE number = 3",
        "DELETE FROM metrics WHERE number = 3",
        "DELETE FROM trials WHERE number = 3",
        "DELETE FROM events WHERE sequence = 3",
        "DELETE FROM events WHERE sequence >= 100",
        "UPDATE events SET time = time + 1 WHERE sequence = 3",
        "UPDATE events SET epoch = 2 WHERE sequence = 3",
        "UPDATE events SET kind = 'noted' WHERE sequence = 3",
        "UPDATE events SET body = replace(body, '0.5', '0.6') WHERE sequence = 3",
        "UPDATE meta SET value = '0' WHERE name = 'epoch'",
        "UPDATE meta SET value = 'x' WHERE name = 'epoch'",
        "UPDATE meta SET value = 'photographs' WHERE name = 'format'",
        "DROP TABLE metrics",
        "DROP TABLE alembic_version",
    ],
)
def test_an_edited_store_is_refused(tmp_path: Path, closed: Path, statement: str) -> None:
    """Whoever edits the tables by hand is found out: they are held against the journal, and that by its hashes."""
    folder = copied(closed, tmp_path / "study")
    truth = answer(folder)
    database = sqlite3.connect(folder / "study.db")
    with database:
        database.execute(statement)
    database.close()
    assert "refused" == outcome(folder, truth)


def test_another_version_is_named(tmp_path: Path) -> None:
    """A store of a later version is refused with both numbers."""
    folder = study(tmp_path / "study")
    database = sqlite3.connect(folder / "study.db")
    with database:
        database.execute("UPDATE alembic_version SET version_num = '7'")
    database.close()
    with pytest.raises(StoreError, match="has a store of version 7, this Netwright reads version 1"):
        SQLiteStore(folder, create=False)
    with pytest.raises(StoreError, match="version 7"):
        open_readonly(folder)


def test_salvage_gives_what_stands_before_the_damage(tmp_path: Path, closed: Path) -> None:
    """The journal up to the event before the flipped one."""
    folder = copied(closed, tmp_path / "study")
    whole = answer(folder)[0]
    flip_in_an_event(folder)
    assert whole[:85] == salvage(folder)


def test_the_message_names_the_command_that_salvages(
    tmp_path: Path, closed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next step stands in the line."""
    copied(closed, tmp_path / "one")
    monkeypatch.chdir(tmp_path)
    flip_in_an_event(Path("one"))
    with pytest.raises(StoreError, match=r"event 86 does not fit its hash. Save .*: netwright show one --salvage"):
        open_readonly(Path("one"))


@pytest.mark.parametrize("function", [open_readonly, check, salvage])
def test_a_folder_without_a_study_is_bad_input(tmp_path: Path, function: Callable[[Path], object]) -> None:
    """Exit 2, not 6: nothing is damaged, it never was a study."""
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match=r"is no study \(no study.db in it\)"):
            function(folder)
    assert [] == list(tmp_path.iterdir())


def test_a_sound_study_passes_its_check(closed: Path, crashed: Path) -> None:
    """Closed or left behind by a crash."""
    assert ([], []) == (check(closed), check(crashed))


def test_a_head_that_is_behind_is_brought_up(tmp_path: Path) -> None:
    """A crash between the commit and the head file is no damage."""
    folder = study(tmp_path / "study", 1)
    old = (folder / "study.head").read_bytes()
    with SQLiteStore(folder, create=False) as store:
        store.append([claimed(7)])
        store.append([ended(7)])
    (folder / "study.head").write_bytes(old)
    assert [] == check(folder)
    with SQLiteStore(folder, create=False) as store:
        assert 2 == len(store.trials())
    assert old != (folder / "study.head").read_bytes()


def test_an_accepted_loss_stays_on_record(tmp_path: Path, crashed: Path) -> None:
    """The database says at which opening what was given up."""
    folder = copied(crashed, tmp_path / "study")
    (folder / "study.db-wal").unlink()
    SQLiteStore(folder, create=False, accept_loss=True).close()
    database = sqlite3.connect(folder / "study.db")
    found = database.execute("SELECT value FROM meta WHERE name LIKE 'loss accepted%'").fetchall()
    database.close()
    assert [("events 22 to 121 are lost, and with them 50 results",)] == found


def test_an_error_is_never_longer_than_a_line(tmp_path: Path) -> None:
    """However long the folder's name, whatever is in it."""
    folder = study(tmp_path / ("very\nlong" * 20), 1)
    flip = folder / "study.db"
    flip.write_bytes(b"x" * 5000)
    with pytest.raises(NetwrightError) as caught:
        open_readonly(folder)
    assert len(str(caught.value)) <= 200
    assert "\n" not in str(caught.value)


def test_a_study_of_nothing_but_its_tables_is_sound(tmp_path: Path) -> None:
    """Made and closed at once, and a crash before the first head file."""
    SQLiteStore(tmp_path, create=True).close()
    assert [] == check(tmp_path)
    (tmp_path / "study.head").unlink()
    with SQLiteStore(tmp_path, create=True) as store:
        store.append([configured()])
        fill(store, 1)
    assert [] == check(tmp_path)
