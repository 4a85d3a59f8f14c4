"""What not every system has, asked for here and assumed nowhere: Linux has all of it, macOS some, Windows none.

Where it is missing that costs speed or a word in a message, never a result; only file locks must be there.
"""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from .errors import LabError

try:
    import fcntl
    import resource
except ImportError:
    raise LabError("this is no Unix: on Windows, work in WSL (wsl --install; there, the same command)") from None

LINUX = sys.platform == "linux"


@contextlib.contextmanager
def open_files(needed: int) -> Iterator[None]:
    """While this lasts, this process and those that it starts may each have ``needed`` files open.

    Raises:
        LabError: the system does not allow that.
    """
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed, most = (limit if limit != resource.RLIM_INFINITY else needed for limit in before)
    if most < needed:
        raise LabError(f"only {most} files may be open at a time (see ulimit -n): allow at least {needed}")
    if allowed < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, before[1]))
    try:
        yield
    finally:
        if allowed < needed:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)


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
