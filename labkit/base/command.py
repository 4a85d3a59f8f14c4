"""What every command is wrapped in: a fault is one line, Ctrl-C is one line, and no terminal is too poor to be told.

Read before anything that is slow to import, and by Pythons that are too old for the rest.
"""

import contextlib
import errno
import os
import signal
import sys

from .errors import LabError

INTERRUPTED = "labkit: interrupted: what is done is kept; run the same command to go on from there"
WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)  # faults that only a write can meet
OPEN = (errno.EMFILE, errno.ENFILE)


def command(work) -> int:
    """Do ``work()``, all that a process is for, and return its exit status; see `guarded`.

    To be called before slow imports, which ``work`` makes: Ctrl-C, from the first moment on, is one line and status
    130. What a terminal cannot show is replaced, and a reader that goes away (``| head``) ends the command in silence.
    """
    for descriptor in (0, 1, 2):  # one that is closed would be given to the next file that is opened
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    if signal.getsignal(signal.SIGINT) == signal.default_int_handler:  # not ignored, as after nohup
        signal.signal(signal.SIGINT, interrupt)
    try:
        try:
            status = guarded(work)
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(bool(end.code))
            if isinstance(end.code, str):
                _say(end.code)
        return guarded(_flush) or status
    finally:
        if signal.getsignal(signal.SIGINT) == interrupt:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is left to be kept, and Python is taking itself down


def guarded(work) -> int:
    """``work()``, the exit status: 0 if it returns none. A fault that has a remedy is one line on stderr and status 1.

    An interruption is one line and 130. What is a mistake in the program keeps its traceback.
    """
    try:
        return work() or 0
    except BrokenPipeError:
        _abandon_output()
        return 128 + signal.SIGPIPE
    except BaseException as error:
        if isinstance(error, SystemExit):  # argparse has said why
            raise
        if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "CancelledError":
            _say("\n" + INTERRUPTED)  # the second, if Ctrl-C came while a kernel was waited for
            return 130
        text = fault(error)
        if not text:
            raise
        _say(f"labkit: {text}")
        return 130 if isinstance(error.__context__, KeyboardInterrupt) else 1


def interrupt(number, frame):
    """Ctrl-C: a KeyboardInterrupt, but amid an import, which would be left half-done or swallow it, the end at once."""
    above = frame
    while above:
        if above.f_code.co_filename.startswith("<frozen importlib"):
            os.write(2, ("\n" + INTERRUPTED + "\n").encode())
            os._exit(130)
        above = above.f_back
    raise KeyboardInterrupt


def fault(error: BaseException) -> str:
    """What is wrong and what to do, in a line, if ``error`` is one that the reader can mend; else nothing."""
    if isinstance(error, LabError) or type(error).__name__ == "TimeoutExpired":  # of a Chromium
        return str(error)
    if isinstance(error, OSError) or getattr(error, "errno", None) in OPEN:  # of a library that has its own class
        return _system_fault(error)
    if isinstance(error, ImportError) and not (error.name or "").startswith("labkit"):
        return f"{' '.join(str(error).split())}: run 'make doctor', or the same command again if it was interrupted"
    if isinstance(error, RecursionError):
        return "something is nested too deeply, most likely in a damaged file: run 'make doctor'"
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error) or "out of memory" in str(error):
        return "out of memory: close other programs and try again"
    return ""


def _system_fault(error) -> str:
    """A line for what the system refused; it names the file, if the system has."""
    name = getattr(error, "filename", None)
    name = os.fsdecode(name) if isinstance(name, (str, bytes)) else ""
    if error.errno in WRITING:
        from pathlib import Path

        from . import paths
        from .files import write_fault

        return write_fault(Path(name or paths.BUILD), 0, error)
    what = error.strerror or str(error) or type(error).__name__
    if error.errno in OPEN:
        what += " (see ulimit -n): allow more, or close other programs"
    else:
        what += ": run 'make doctor'"
    return f"{name}: {what}" if name else what


def _say(text: str) -> None:
    """A line on stderr, if there is one."""
    with contextlib.suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def _flush() -> None:
    """What is still to be written, written: else Python does it while it ends, and complains with a traceback."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        _abandon_output()
        error.filename = "the output"
        raise


def _abandon_output() -> None:
    """Nobody reads what is still to be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
