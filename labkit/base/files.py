"""Files read with every fault in a line, written whole or not at all; locks, digests."""

import contextlib
import errno
import hashlib
import itertools
import json
import os
import secrets
import shutil
import tempfile
from pathlib import Path

from .errors import LabError
from .system import holder, lock


def sha256(content: bytes) -> str:
    """Hex digest of ``content``."""
    return hashlib.sha256(content).hexdigest()


def seal(manifest: dict) -> str:
    """SHA-256 over all of ``manifest`` but the seal itself, its entry "sha256"."""
    return sha256(json.dumps({k: v for k, v in manifest.items() if k != "sha256"}, sort_keys=True).encode())


# What reading a file, and taking what is in it for what it should be, can end in: the disk, the permissions, a folder
# or a loop of links in its place; bytes that are no text; JSON that is none, too deep or of another form; tensors that
# are none or do not fit.
FAULTS = (OSError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError, MemoryError)


def fault_of(error: BaseException) -> str:
    """In a few words, why what is in a file cannot be used: for an error among `FAULTS`."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "missing"
    if isinstance(error, OSError):
        return f"not readable, {error.strerror or error}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, MemoryError):
        return "larger than the memory"
    if isinstance(error, KeyError):
        return f"no entry {error}"
    return (str(error).strip() or type(error).__name__).splitlines()[-1].strip()


@contextlib.contextmanager
def faults_in(path: Path, remedy: str):
    """Whatever is wrong with the file ``path``, read and used inside, is a LabError that ends in ``remedy``.

    Raises:
        LabError: one of `FAULTS` came up inside, or a LabError did, which goes on as it is.
    """
    try:
        yield
    except FAULTS as error:
        fault = fault_of(error)
        words = fault if fault.startswith(("missing", "not readable")) else f"damaged ({fault})"
        raise LabError(f"{path} is {words}: {remedy}") from None


def read_sealed(path: Path, form: int) -> dict:
    """The manifest in the file ``path``, of the format ``form``.

    Raises:
        OSError: it cannot be read.
        One of `FAULTS`: its `seal` is broken, it has another format, or is no manifest.
    """
    manifest = json.loads(path.read_bytes())
    if manifest["sha256"] != seal(manifest):
        raise ValueError("its own sha256 differs")
    if manifest["format"] != form:
        raise ValueError(f"format {manifest['format']}, this labkit reads {form}")
    return manifest


def write_atomic(path: Path, content: bytes) -> Path:
    """Write ``content`` to ``path`` whole or not at all: a neighbour file, fsync, rename. The mode is the umask's.

    Raises:
        LabError: the disk is full, read-only or not ours; what stood at ``path`` still stands.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent)
        with part_of(path) as (part, f):
            f.write(content)
            f.flush()
            os.fsync(f.fileno())
            os.replace(part, path)
    except OSError as error:
        raise LabError(write_fault(path, len(content), error)) from error
    sync_folder(path.parent)
    return path


@contextlib.contextmanager
def part_of(path: Path):
    """The name of a new file beside ``path``, and it, open to be written; removed if what is done with it fails.

    It is locked while it is open, which tells `sweep` that its writer lives.
    """
    while True:
        part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
        with open(part, "xb") as f:
            with contextlib.suppress(OSError):  # a file system without locks
                lock(f.fileno())
            if not os.fstat(f.fileno()).st_nlink:  # swept before it was locked
                continue
            try:
                yield part, f
                return
            except BaseException:
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
                raise


def sweep(folder: Path) -> None:
    """Remove what killed writers left half written in ``folder``, and touch nothing of those that live."""
    with contextlib.suppress(OSError):
        for part in folder.glob(".*.part"):
            with contextlib.suppress(OSError):
                handle = os.open(part, os.O_RDONLY | os.O_NOFOLLOW)
                try:
                    lock(handle, wait=False)
                    shutil.rmtree(part) if part.is_dir() else part.unlink()
                finally:
                    os.close(handle)


def write_new(parent: Path, stem: str, files: dict[str, bytes]) -> Path:
    """Write ``files``, content by name, into a new folder parent/stem-001, or the next free number: all or none.

    Raises:
        LabError: see `write_atomic`. Nothing that exists is replaced.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        sweep(parent)
        with _part_folder(parent, stem) as part:
            new = part / stem
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
def _part_folder(parent: Path, stem: str):
    """A new folder in ``parent``, locked while this lasts, where the file system has locks: its writer lives."""
    while True:
        with tempfile.TemporaryDirectory(dir=parent, prefix=f".{stem}.", suffix=".part") as part:
            try:
                handle = os.open(part, os.O_RDONLY)
            except FileNotFoundError:  # swept already
                continue
            try:
                with contextlib.suppress(OSError):
                    lock(handle)
                if os.path.exists(part):  # not swept before it was locked
                    yield Path(part)
                    return
            finally:
                os.close(handle)


@contextlib.contextmanager
def exclusive(folder: Path):
    """One process at a time in ``folder``, made if need be; the system frees the lock however its holder ends.

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
            lock(handle, wait=False)
        except BlockingIOError:
            raise LabError(f"{folder} is in use by {holder(handle)}: wait for it to end, or stop it") from None
        except OSError:  # a file system without locks
            pass
        sweep(folder)
        yield
    finally:
        os.close(handle)


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
    }.get(error.errno or 0, error.strerror or str(error))
    much = f" ({size / 1e6:.1f} MB)" if size else ""
    return f"cannot write {path}{much}: {remedy}; what was there before is untouched"
