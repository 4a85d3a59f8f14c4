"""What not every system has, asked for here and assumed nowhere: Linux has all of it, macOS some, Windows none.

Where it is missing that costs speed or a word in a message, never a result; only file locks must be there.
"""

import contextlib
import os
import sys
from pathlib import Path

from .errors import LabError

try:
    import fcntl
except ImportError:
    raise LabError("this is no Unix: on Windows, work in WSL (wsl --install; there, the same command)") from None

LINUX = sys.platform == "linux"


def cores() -> int:
    """How many cores this process may use; where the system does not say, how many there are."""
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def lock(handle: int, wait: bool = True) -> None:
    """Lock the open file, or folder, ``handle`` until it is closed, by whatever end of the process.

    Raises:
        BlockingIOError: another process has locked it, and we are not to ``wait``.
        OSError: its file system has no locks.
    """
    fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)


def holder(handle: int) -> str:
    """Who has locked the open file ``handle``, as far as the system tells."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/locks").read_text().splitlines():
            _, kind, _, _, process, file, *_ = line.split()  # 1: FLOCK ADVISORY WRITE <process> <device>:<inode> 0 EOF
            if kind == "FLOCK" and int(file.rpartition(":")[2]) == os.fstat(handle).st_ino:
                return f"process {process}"
    return "another process"
