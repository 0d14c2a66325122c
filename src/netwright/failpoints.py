"""Named places where a process can be made to die, so that tests can try each of them.

``NETWRIGHT_FAILPOINT=name:k`` sends SIGKILL to this process when it passes ``name`` for the k-th time. Without the
variable a failpoint costs one comparison. The names stand in :data:`NAMES`, in the order in which a trial passes them.
"""

from __future__ import annotations

import os
import signal

NAMES = (
    "before_claim",
    "in_claim",
    "after_claim",
    "after_evaluate",
    "in_complete",
    "after_commit",
    "after_ack",
    "checkpoint_written",
    "checkpoint_renamed",
    "checkpoint_synced",
)

_armed, _, _count = os.environ.get("NETWRIGHT_FAILPOINT", "").partition(":")
_passes = 0


def failpoint(name: str) -> None:
    """Dies here by SIGKILL if the environment asks for it."""
    if _armed != name:
        return
    global _passes
    _passes += 1
    if _passes == int(_count or 1):
        os.kill(os.getpid(), signal.SIGKILL)
