"""One writer at a time: the lock, the epoch behind it, and readers who need neither."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from store_events import claimed, configured, ended, fill, study

from netwright.errors import InputError, ResourceError, StoreError, StudyInUseError
from netwright.stores import LateResult, SQLiteStore, check, lock, open_readonly

HOLD = (
    "import sys; from pathlib import Path; from netwright.stores import SQLiteStore\n"
    "store = SQLiteStore(Path(sys.argv[1]), create=False)\n"
    "print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def held(tmp_path: Path) -> tuple[Path, subprocess.Popen[str]]:
    """A study that another process holds until its standard input ends."""
    folder = study(tmp_path / "study", 2)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert "held\n" == process.stdout.readline()
    yield folder, process  # type: ignore[misc]
    process.kill()
    process.communicate()


def test_a_second_process_is_told_who_has_the_study(held: tuple[Path, subprocess.Popen[str]]) -> None:
    """Exit 5 with the holder's process, host and since when, and the way out."""
    folder, process = held
    sentence = (
        rf"in use by pid {process.pid} on {re.escape(socket.gethostname()[:30])} since \d{{4}}-\d\d-\d\d .*takeover"
    )
    with pytest.raises(StudyInUseError, match=sentence) as caught:
        SQLiteStore(folder, create=False)
    assert 5 == caught.value.code
    assert len(str(caught.value)) <= 200


def test_a_killed_holder_frees_the_study(held: tuple[Path, subprocess.Popen[str]]) -> None:
    """The kernel frees the lock at once, and the next opening has a higher epoch."""
    folder, process = held
    process.send_signal(signal.SIGKILL)
    process.wait()
    with SQLiteStore(folder, create=False) as store:
        assert 3 == store.epoch


def test_a_second_store_of_the_same_process_is_refused(tmp_path: Path) -> None:
    """The lock is per opening, not per process."""
    with SQLiteStore(tmp_path, create=True), pytest.raises(StudyInUseError, match=f"pid {os.getpid()}"):
        SQLiteStore(tmp_path, create=True)


def test_a_closed_study_leaves_one_file_beside_its_head(tmp_path: Path) -> None:
    """No lock, no log, no temporary file."""
    folder = study(tmp_path / "study")
    open_readonly(folder).close()
    assert [] == check(folder)
    assert ["study.db", "study.head"] == sorted(os.listdir(folder))


def test_takeover_fences_the_first_writer(tmp_path: Path) -> None:
    """After a takeover the first one's next append is refused whole, and the second one's stands."""
    first = SQLiteStore(tmp_path, create=True)
    first.append([configured(), claimed(0)])
    second = SQLiteStore(tmp_path, create=False, takeover=True)
    with pytest.raises(StudyInUseError, match="taken over by another process"):
        first.append([ended(0)])
    second.append([claimed(0, attempt=2), ended(0, attempt=2)])
    with pytest.raises(StudyInUseError, match="in use"):
        SQLiteStore(tmp_path, create=False)
    first.close()
    with pytest.raises(StudyInUseError, match="in use"):
        SQLiteStore(tmp_path, create=False)
    second.append([claimed(1)])
    second.close()
    assert [] == check(tmp_path)
    with open_readonly(tmp_path) as reader:
        assert [(0, 2, "finished"), (1, 1, "running")] == [(r.number, r.attempt, r.state) for r in reader.trials()]


def test_takeover_from_a_stopped_process(held: tuple[Path, subprocess.Popen[str]]) -> None:
    """A holder that does not answer (stopped, or out of reach) is passed by."""
    folder, process = held
    process.send_signal(signal.SIGSTOP)
    with SQLiteStore(folder, create=False, takeover=True) as store:
        store.append([claimed(9)])
    process.send_signal(signal.SIGCONT)
    assert [] == check(folder)


def test_takeover_of_a_free_study_is_an_opening(tmp_path: Path) -> None:
    """Nothing to take over is no error."""
    with SQLiteStore(study(tmp_path / "study"), create=False, takeover=True) as store:
        assert 2 == store.epoch


def test_what_an_older_epoch_claimed_must_be_claimed_again(tmp_path: Path) -> None:
    """A result of the run before a resume is late: only a new attempt may end."""
    with SQLiteStore(tmp_path, create=True) as store:
        store.append([configured(), claimed(0)])
    with SQLiteStore(tmp_path, create=False) as store:
        with pytest.raises(LateResult, match="trial 0, attempt 1"):
            store.append([ended(0)])
        store.append([claimed(0, attempt=2)])
        store.append([ended(0, attempt=2)])


def test_a_lock_replaced_while_it_was_opened_is_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between opening the file and locking it the last holder may have removed it."""
    real, once = lock.fcntl.flock, [True]

    def flock(file: int, how: int) -> None:
        if once and once.pop():
            (tmp_path / lock.NAME).unlink()
        real(file, how)

    monkeypatch.setattr(lock.fcntl, "flock", flock)
    held = lock.StudyLock(tmp_path)
    assert os.getpid() == json.loads((tmp_path / lock.NAME).read_text())["pid"]
    held.release()
    assert [] == list(tmp_path.iterdir())


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    """Nothing is written through a symbolic link."""
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "study.lock").symlink_to(tmp_path / "victim")
    with pytest.raises(ResourceError, match="cannot be written"):
        SQLiteStore(tmp_path, create=True)
    assert "mine" == (tmp_path / "victim").read_text()


def test_a_reader_needs_no_lock_and_sees_what_is_acknowledged(tmp_path: Path) -> None:
    """It follows a running writer, also across the log's return into the database."""
    with SQLiteStore(tmp_path, create=True) as store:
        store.append([configured()])
        with open_readonly(tmp_path) as reader:
            for number in range(20):
                fill(store, 20, first=number * 20)
                assert 1 + 40 * (number + 1) == len(list(reader.read()))
                assert 20 * (number + 1) == len(reader.trials())
                with open_readonly(tmp_path) as another:
                    assert reader.trials() == another.trials()
    assert [] == check(tmp_path)


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    """Not by its interface, and not by its connection."""
    with open_readonly(study(tmp_path / "study")) as reader:
        assert not hasattr(reader, "append")
        with pytest.raises(Exception, match="readonly database"):
            reader._connection.exec_driver_sql("DELETE FROM events")


def test_a_reader_may_stay_while_the_writer_leaves(tmp_path: Path) -> None:
    """The log then stays where it is, and the study is sound."""
    store = SQLiteStore(tmp_path, create=True)
    store.append([configured(), claimed(0)])
    with open_readonly(tmp_path) as reader:
        store.close()
        assert 2 == len(list(reader.read()))
    with SQLiteStore(tmp_path, create=False) as store:
        store.append([claimed(0, attempt=2), ended(0, attempt=2)])
    assert [] == check(tmp_path)


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The write-ahead log does not work there, so nothing is begun."""
    monkeypatch.setattr(lock, "file_system", lambda folder: "nfs4")
    with pytest.raises(ResourceError, match=r"on a network file system \(nfs4\).*Choose a local one") as caught:
        SQLiteStore(tmp_path / "study", create=True)
    assert 7 == caught.value.code


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/data/sets", "ext4"), ("/data/shared/a/b", "nfs4"), ("/data/shared2", "ext4"), ("/with space/x", "cifs"),
        ("/over", "tmpfs"), ("/", "ext4"),
    ],
)  # fmt: skip
def test_the_file_system_is_that_of_the_longest_mount_point(tmp_path: Path, folder: str, kind: str) -> None:
    """As /proc/self/mountinfo tells it, the later of two mounts on one place on top."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
        "2 1 0:9 / /data/shared rw master:3 - nfs4 server:/export rw\n"
        "3 1 0:8 / /with\\040space rw - cifs //server/share rw\n"
        "4 1 0:8 / /over rw - ext4 /dev/vdb rw\n"
        "5 4 0:8 / /over rw - tmpfs tmpfs rw\n"
        "garbage\n"
    )
    assert kind == lock.file_system(Path(folder), mounts)


def test_without_a_list_of_mounts_the_file_system_is_unknown(tmp_path: Path) -> None:
    """Other systems than Linux do not say; the study is then begun."""
    assert None is lock.file_system(tmp_path, tmp_path / "no such file")


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """A file in its place is bad input; no right to write, a lack of the machine."""
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(InputError, match="is a file, a folder was expected"):
            SQLiteStore(folder, create=True)
    with pytest.raises(ResourceError, match=r"folder /proc/no.* cannot be written"):
        SQLiteStore(Path("/proc/no/such"), create=True)


def test_opening_without_creating_leaves_nothing(tmp_path: Path) -> None:
    """A folder that never was a study is bad input and stays empty."""
    with pytest.raises(InputError, match=r"is no study \(no study.db in it\)"):
        SQLiteStore(tmp_path / "nowhere", create=False)
    assert [] == list(tmp_path.iterdir())


def test_a_full_disk_is_named_and_costs_only_what_did_not_fit(tmp_path: Path) -> None:
    """What was acknowledged before stays, and the store goes on when there is room again."""
    with SQLiteStore(tmp_path, create=True) as store:
        store.append([configured(), claimed(0)])
        pages = store._connection.exec_driver_sql("PRAGMA page_count").scalar_one()  # type: ignore[union-attr]
        store._connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")  # type: ignore[union-attr]
        with pytest.raises(ResourceError, match="no space is left for study") as caught:
            store.append([ended(0, error={"message": "x" * 100_000})])
        assert 7 == caught.value.code
        store._connection.exec_driver_sql("PRAGMA max_page_count = 100000")  # type: ignore[union-attr]
        store.append([ended(0)])
    assert [] == check(tmp_path)


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    """Closing twice is no error, using it then is one."""
    store = SQLiteStore(tmp_path, create=True)
    store.close()
    store.close()
    with pytest.raises(StoreError, match="is closed"):
        store.append([configured()])
    with pytest.raises(StoreError, match="is closed"):
        store.read()


def test_durability_has_two_names(tmp_path: Path) -> None:
    """Anything else is bad input."""
    with pytest.raises(InputError, match="durability is 'full' or 'normal', found 'none'"):
        SQLiteStore(tmp_path, create=True, durability="none")  # type: ignore[arg-type]


@pytest.mark.parametrize(("durability", "level"), [("full", 2), ("normal", 1)])
def test_durability_is_the_database_s_own(tmp_path: Path, durability: str, level: int) -> None:
    """FULL syncs the log at each commit, NORMAL at checkpoints."""
    with SQLiteStore(tmp_path, create=True, durability=durability) as store:  # type: ignore[arg-type]
        assert level == store._connection.exec_driver_sql("PRAGMA synchronous").scalar_one()  # type: ignore[union-attr]
        fill(store, 2)
    assert [] == check(tmp_path)
