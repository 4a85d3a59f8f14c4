"""What touches the machine: one error class, atomic files, digests, progress bars, the device."""

import contextlib
import errno
import fcntl
import hashlib
import itertools
import os
import re
import signal
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent  # the project: notebooks/, data/, figures/, build/
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


class LabError(Exception):
    """A fault that the reader can mend. Its text is one line: what is wrong, where, what to do."""

    def __init__(self, text: str):
        super().__init__(" ".join(str(text).splitlines()))

    def _render_traceback_(self) -> list[str]:
        """IPython calls this in place of a traceback: a notebook shows the one line."""
        return [f"labkit: {self}"]


def headless() -> bool:
    """True while the report runner executes a notebook: nobody is there to move a slider."""
    return bool(os.environ.get("LABKIT_HEADLESS"))


def progress(**options):
    """A tqdm bar: a widget in a live notebook, text in a terminal and in the report runner's log."""
    if headless():
        from tqdm import tqdm

        return tqdm(file=sys.stderr, mininterval=2, ncols=100, **options)
    from tqdm.auto import tqdm

    return tqdm(mininterval=0.5, **options)


@contextlib.contextmanager
def postponed_interrupt():
    """Let Ctrl-C, or a polite request to end (SIGTERM), wait until the work in hand can be kept.

    Gives a function that tells whether one came; the work asks it where it can stop, and raises KeyboardInterrupt. A
    second one stops it at once. In a thread other than the main one, which hears no signal, nothing changes.
    """
    came, before = [], {}

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number, frame):
        came.append(number)
        restore()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) not in (None, signal.SIG_IGN):  # as after nohup, or of another language
                before[number] = signal.signal(number, note)
    try:
        yield lambda: bool(came)
    finally:
        restore()
    if came:  # after the last time that the work asked
        raise KeyboardInterrupt


def sha256(content: bytes) -> str:
    """Hex digest of ``content``."""
    return hashlib.sha256(content).hexdigest()


def write_atomic(path: Path, content: bytes) -> Path:
    """Write ``content`` to ``path`` whole or not at all: a neighbour file, fsync, rename.

    Raises:
        LabError: the disk is full, read-only or not ours; what stood at ``path`` still stands.
    """
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", suffix=".part", delete=False) as f:
            part = Path(f.name)
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
        part.chmod(0o644)
        os.replace(part, path)
    except BaseException as error:
        if part:
            part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise LabError(write_fault(path, len(content), error)) from error
        raise
    sync_folder(path.parent)
    return path


def write_new(parent: Path, stem: str, files: dict[str, bytes]) -> Path:
    """Write ``files``, content by name, into a new folder parent/stem-001, or the next free number: all or none.

    Raises:
        LabError: see `write_atomic`. Nothing that exists is replaced.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=parent, prefix=f".{stem}.", suffix=".part") as part:
            new = Path(part) / stem
            for name, content in files.items():
                write_atomic(new / name, content)
            for number in itertools.count(1):
                folder = parent / f"{stem}-{number:03d}"
                with contextlib.suppress(FileExistsError):
                    folder.mkdir()  # ours alone from here on
                    break
            try:
                os.replace(new, folder)  # a rename onto an empty folder
            except OSError:
                folder.rmdir()
                raise
    except OSError as error:
        raise LabError(write_fault(parent, sum(map(len, files.values())), error)) from error
    sync_folder(parent)
    return folder


@contextlib.contextmanager
def exclusive(folder: Path):
    """One process at a time in ``folder``, made if need be; the system frees the lock when its holder ends, however it ends.

    Raises:
        LabError: another process is there; the line names it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise LabError(write_fault(folder, 0, error)) from error
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError(f"{folder} is in use by {_holder(handle)}: wait for it to end, or stop it") from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(handle)


def _holder(handle: int) -> str:
    """Who has locked the open file ``handle``, as far as the system tells."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/locks").read_text().splitlines():  # 1: FLOCK ADVISORY WRITE <process> <device>:<inode> 0 EOF
            number, kind, _, _, process, file, *_ = line.split()
            if kind == "FLOCK" and int(file.rpartition(":")[2]) == os.fstat(handle).st_ino:
                return f"process {process}"
    return "another process"


def sync_folder(folder: Path) -> None:
    """Make a rename in ``folder`` survive a power cut, where the file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def write_fault(path: Path, size: int, error: OSError) -> str:
    """One line for an OSError met while writing ``size`` bytes to ``path``."""
    remedy = {
        errno.ENOSPC: "the disk is full: free some space",
        errno.EDQUOT: "your disk quota is used up: free some space",
        errno.EFBIG: "the file-size limit is reached (see ulimit -f)",
        errno.EROFS: "the disk is read-only: work in a copy of the project on a disk that can be written",
        errno.EACCES: "permission denied: work in a copy of the project that you own",
        errno.EPERM: "permission denied: work in a copy of the project that you own",
    }.get(error.errno, error.strerror or str(error))
    much = f" ({size / 1e6:.1f} MB)" if size else ""
    return f"cannot write {path}{much}: {remedy}; what was there before is untouched"


def pick_device(name: str = "auto") -> str:
    """``auto`` is the GPU when torch sees one, else the CPU; ``cpu``, ``cuda`` and ``cuda:1`` mean themselves."""
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:[0-9]+)?", str(name)):
        raise LabError(f"device = {name!r} is unknown: use auto, cpu, cuda or cuda:N")
    if name != "cpu" and int(name.partition(":")[2] or 0) >= torch.cuda.device_count():
        raise LabError(f"device = {name!r} is not here (torch sees {torch.cuda.device_count()} GPUs): use auto or cpu")
    return name
