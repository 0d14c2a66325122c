"""A process that claims and ends trials without end, and says on standard output which endings are acknowledged.

``store_writer.py FOLDER [early]``; with ``early`` it has a planted bug: it acknowledges before the commit.
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

from store_events import claimed, configured, ended

from netwright.stores import SQLiteStore


def main(folder: Path, early: bool) -> None:
    store = SQLiteStore(folder, create=True)
    attempts = {row.number: row.attempt for row in store.trials() if row.state == "running"}
    known = len(store.trials())
    if not known:
        store.append([configured()])
    for number in itertools.chain(sorted(attempts), itertools.count(known)):
        attempt = attempts.get(number, 0) + 1
        store.append([claimed(number, attempt)])
        if early:
            acknowledge(number)
        store.append([ended(number, attempt)])
        if not early:
            acknowledge(number)


def acknowledge(number: int) -> None:
    os.write(1, f"{number}\n".encode())


if __name__ == "__main__":
    main(Path(sys.argv[1]), "early" in sys.argv[2:])
