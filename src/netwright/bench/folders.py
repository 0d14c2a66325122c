"""Folders that hold studies and are no search: the runs of a bench, the training of a table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from netwright.errors import InputError, StoreError, StudyInUseError

FINGERPRINT = frozenset({"table", "content", "searched", "queries", "workers"})
"""What a run of a bench says of its data: the keys of ``Race.fingerprint``."""

SETTINGS = "settings.json"
"""What the table is made of, in the folder of its training."""


def refuse(folder: Path) -> None:
    """Raises InputError, with the command that goes on, for the folder of a bench or of a table's training.

    The folder of one of the studies in it is refused alike. Nothing is said of any other folder.
    """
    own = (folder / "study.db").exists()
    if own and _is_search(_first(folder)):
        return
    whole = folder if not own else folder.parent if folder.name else folder.resolve().parent
    bodies = [_first(folder)] if own else [_first(place.parent) for place in sorted(whole.glob("*/study.db"))]
    if not bodies or any(_is_search(body) for body in bodies):
        return
    if (whole / SETTINGS).is_file():
        raise InputError(
            f"{whole} holds the training of a table, not a search",
            hint=f"Go on with the same netwright tables make command, and --out {whole.with_suffix('.npz')}",
        )
    data = next((body["data"] for body in bodies if _is_run(body)), None)
    if data is not None:
        report = whole / "report.html"
        seen = f"; what it found is in {report}" if report.exists() else ""
        raise InputError(
            f"{whole} holds the runs of a bench on the table '{data['table']}', not a search",
            hint=f"Go on with the same netwright bench command, and --out {whole}{seen}",
        )


@contextmanager
def repeating(folder: Path) -> Iterator[None]:
    """What is wrong with a study in ``folder``, with hints for what can be run again instead of being resumed."""
    try:
        yield
    except StudyInUseError as error:
        raise StudyInUseError(error.message, hint="Wait for its end, or give another --out") from error
    except StoreError as error:
        raise StoreError(
            error.message, hint=f"Remove that study's folder in {folder}; the same command runs again what was in it"
        ) from error


def _first(folder: Path) -> dict[str, Any]:
    """How the study in ``folder`` describes itself; empty for one that cannot be read."""
    from netwright.stores import open_readonly

    try:
        with open_readonly(folder) as reader:
            first = next(iter(reader.read()), None)
    except StoreError:
        return {}  # whoever opens it says what is wrong with it, and others beside it may tell what they are
    return {} if first is None else dict(first.body)


def _is_search(body: dict[str, Any]) -> bool:
    return "source" in (body.get("about") or {})


def _is_run(body: dict[str, Any]) -> bool:
    data = body.get("data")
    return isinstance(data, dict) and set(data) == FINGERPRINT
