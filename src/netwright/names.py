"""From a user's name to a name on the disk that can do no harm."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from pathlib import Path

from netwright.errors import InputError

_LONGEST = 40
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def slug(name: str) -> str:
    """``<slug>-<8 hexadecimal digits>``: lower-case ASCII letters, digits and hyphens, never starting with a hyphen.

    The digits are of the name's SHA-256, so names that differ at all (in case, in the way an accent is written) get
    different slugs, on file systems that do not tell case or accents apart too.

    >>> slug("Émile's net")
    'emile-s-net-b601565b'
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_LONGEST].strip("-") or "unnamed"
    return f"{words}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def inside(folder: Path, name: str) -> Path:
    """``folder / name`` for a name that is one plain part of a path; InputError for one that leads elsewhere.

    A link that points out of the folder leads elsewhere too.
    """
    if not name or _CONTROL.search(name) or len(name.encode("utf-8")) > 255:
        raise InputError(f"{name[:60]!r} cannot be the name of a file")
    path = Path(folder) / name
    if "/" in name or os.sep in name or Path(os.path.realpath(path)).parent != Path(os.path.realpath(folder)):
        raise InputError(f"{name[:60]!r} leads out of {folder}")
    return path
