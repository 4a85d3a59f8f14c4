"""A stranger's code in a process of its own, with a limit on its time and on its memory.

What this does: the code runs in another process, with an environment of a few plain variables, in an empty folder of
its own, without a GPU, without a terminal; when its time or its memory is used up, or its examination is over, it ends
with all that it has started. What comes back are numbers, of bounded size, and text.

What it does not do: it is no wall. The code may read and write what whoever starts it may, and reach the network. Where
that matters, examine in a container or as a user who owns nothing.
"""

import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch import Tensor

from ..base import paths
from ..base.errors import LabError
from ..base.files import FAULTS
from . import frames

START = 300  # seconds that the interpreter and torch may take to start, on a busy machine
CHILD = "labkit.examine.child"
POLL, LOOK = 0.1, 0.3  # seconds between two looks at the process, and at its memory
MARK = "LABKIT_EXAMINED"  # in the environment of the process and of all that it starts
KEPT = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "PYTHONPATH")  # variables that are handed on
SMALL, FEW = 20_000_000, 50  # bytes of a file that lies beside the code and is copied to where it runs; so many


class Process:
    """One submission, loaded. A context: it ends with its processes ended.

    ``what`` is what `loading.load` takes; ``seconds`` is all the time that is waited for it, ``memory`` in MB.

    Raises:
        LabError: of every method: what was brought cannot be used, died, hangs, or takes too much.
    """

    def __init__(self, what: dict, seconds: float, memory: int):
        self.left, self.seconds, self.memory, self.mark = seconds, seconds, memory, secrets.token_hex(16)
        self.looked = 0.0  # when its memory was looked at last
        self.folder = tempfile.mkdtemp(prefix="labkit-")
        if what["kind"] == "code":
            _copy_beside(Path(what["path"]).parent, Path(self.folder))
        ours, theirs = socket.socketpair()
        threads = torch.get_num_threads()
        limits = {"memory": memory * 1_000_000, "threads": threads, "processor": int(seconds * threads + 30)}
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment |= dict.fromkeys(("HOME", "TMPDIR", "MPLCONFIGDIR"), self.folder)
        environment |= {
            "CUDA_VISIBLE_DEVICES": "",
            "MPLBACKEND": "Agg",
            "PYTHONDONTWRITEBYTECODE": "1",
            MARK: self.mark,
        }
        others = [os.path.abspath(one) for one in environment.get("PYTHONPATH", "").split(os.pathsep) if one]
        environment["PYTHONPATH"] = os.pathsep.join([str(paths.ROOT), *others])
        command = [sys.executable, "-P", "-m", CHILD, str(theirs.fileno()), json.dumps(what | limits)]
        self.socket = ours
        try:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        finally:
            theirs.close()
        try:
            self._answer("before it is loaded", START)
            self.about = _checked(self._answer("while it is loaded")[0])
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *error) -> None:
        self.close()

    @property
    def ended(self) -> bool:
        """Whether the process is no more."""
        return self.process.poll() is not None

    def draw(self, z: Tensor, shape: tuple[int, ...], mode: str, seed: int) -> tuple[Tensor, bool]:
        """What it draws for ``z`` (n, d), handed over in ``shape``; and whether its numbers were of a whole type.

        ``mode`` is eval, train or brought: as it was when it was loaded.
        """
        content = z.contiguous().numpy().tobytes()
        return self._pictures({"shape": list(shape), "mode": mode, "seed": seed}, content)

    def pictures(self, first: int, last: int) -> tuple[Tensor, bool]:
        """The pictures that were brought, from ``first`` to before ``last``."""
        return self._pictures({"first": first, "last": last})

    def _pictures(self, asked: dict, content: bytes = b"") -> tuple[Tensor, bool]:
        try:
            frames.send(self.socket, asked, content)
        except OSError:
            raise LabError(self._end()) from None
        head, content = self._answer("while it draws")
        try:
            shape, whole = [int(size) for size in head["shape"]], bool(head["whole"])
            if not content or min(shape) < 1:
                raise ValueError
            return torch.frombuffer(bytearray(content), dtype=torch.float32).view(shape), whole
        except (ValueError, TypeError, LookupError, RuntimeError):
            raise LabError(f"it draws nothing that can be used (shape {str(head.get('shape'))[:60]})") from None

    def _answer(self, when: str, free: float = 0) -> tuple[dict, bytes]:
        """The next frame; a LabError with its text if it tells of an error. ``free`` seconds are not counted."""
        start = time.monotonic()
        until = start + (free or self.left)
        try:
            head, content = frames.receive(lambda n: self._read(n, until, when))
        except (ValueError, OSError) as error:
            raise LabError(self._end() if isinstance(error, OSError) else "it disturbs what is asked of it") from None
        finally:
            self.left -= 0 if free else time.monotonic() - start
        if "error" in head:
            raise LabError("".join(c if c.isprintable() else " " for c in str(head["error"]))[:600])
        return head, content

    def _read(self, n: int, until: float, when: str) -> bytes:
        """``n`` bytes; meanwhile its time and its memory are watched."""
        parts = bytearray()
        while len(parts) < n:
            if time.monotonic() > until:
                self.close()
                raise LabError(f"it hangs or is too slow: {self.seconds:g} seconds were used up {when} (see --seconds)")
            self._check_memory(when)
            if select.select([self.socket], [], [], POLL)[0]:
                part = self.socket.recv(min(n - len(parts), 1 << 20))
                if not part:
                    raise OSError
                parts += part
            elif self.process.poll() is not None:
                raise OSError
        return bytes(parts)

    def _check_memory(self, when: str) -> None:
        """End all of it if it holds too much; looked at from time to time."""
        if time.monotonic() - self.looked < LOOK:
            return
        self.looked, tree, limit = time.monotonic(), {self.process.pid, *marked(self.mark)}, self.memory * 1e6
        if resident(tree) > limit and (used := proportional(tree)) > limit:
            self.close()
            raise LabError(
                f"it fills the memory: {used / 1e6:.0f} MB {when}, the limit is {self.memory} (see --memory)"
            )

    def _end(self) -> str:
        """Why it ended, in a line."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        status = self.process.poll()
        if status in (-signal.SIGXCPU, -signal.SIGKILL):
            return "it was killed: its processor time or the machine's memory was used up"
        how = f"signal {-status}" if status is not None and status < 0 else f"exit status {status}"
        return f"its process ended by itself ({how})"

    def close(self) -> None:
        """End the process, and all that it started."""
        if self.socket.fileno() < 0:
            return
        for _ in range(3):  # one that is being born in the first round is met in the next
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            rest = marked(self.mark)
            for number in rest:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(number, signal.SIGKILL)
            if not rest:
                break
        self.process.wait()
        self.socket.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _checked(about: dict) -> dict:
    """What a process tells of what it has loaded, `Drawer.about`, if it has that form: it may be a stranger's word."""
    try:
        return {
            "hints": [(int(axes), int(size)) for axes, size in about["hints"][:20]],
            "notes": [str(text)[:500] for text in about["notes"][:20]],
            "last": str(about["last"])[:100],
            **{name: int(about[name]) for name in ("parameters", "pictures")},
            **{name: bool(about[name]) for name in ("of_pictures", "network", "brings_mode", "training")},
        }
    except FAULTS:
        raise LabError("it disturbs what is asked of it") from None


def _copy_beside(folder: Path, to: Path) -> None:
    """Copy the small files in ``folder`` to where the code runs, so that it finds them by their names alone."""
    for path in sorted(folder.iterdir())[:FEW]:
        with contextlib.suppress(OSError):
            if path.is_file() and not path.name.startswith(".") and path.stat().st_size <= SMALL:
                shutil.copyfile(path, to / path.name)


def marked(mark: str) -> list[int]:
    """The processes that have ``mark`` in their environment; none where the system does not tell (macOS)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"{MARK}={mark}".encode() in entry.read_bytes():
                found.append(int(entry.parent.name))
    return found


def resident(processes: set[int]) -> int:
    """Bytes of memory that ``processes`` hold, what they share counted for each; 0 where the system does not tell."""
    total = 0
    for number in processes:
        with contextlib.suppress(OSError, ValueError, IndexError):
            total += int(Path(f"/proc/{number}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    return total


def proportional(processes: set[int]) -> int:
    """The same, what they share counted once: milliseconds for each."""
    total = 0
    for number in processes:
        with contextlib.suppress(OSError, ValueError, StopIteration):
            lines = Path(f"/proc/{number}/smaps_rollup").read_text().splitlines()
            total += 1024 * int(next(line for line in lines if line.startswith("Pss:")).split()[1])
    return total
