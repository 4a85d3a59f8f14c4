"""The machine: device, memory, interruptions, progress bars."""

import contextlib
import ctypes
import functools
import importlib
import re
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from . import paths
from .errors import LabError
from .system import LINUX

MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"  # which is on no PATH
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", MAC)


def progress(**options):
    """A tqdm bar: a widget in a live notebook, text in a terminal and in the report runner's log."""
    if paths.HEADLESS:
        from tqdm import tqdm

        return tqdm(file=sys.stderr, mininterval=2, ncols=100, **options)
    from tqdm.auto import tqdm

    return tqdm(mininterval=0.5, **options)


@contextlib.contextmanager
def _heard(answer: Callable[[int, Callable[[], None]], None]):
    """Ctrl-C, or a polite request to end (SIGTERM), calls ``answer(number, restore)`` while this lasts.

    ``restore`` puts back who heard them before, which the end of this does at the latest. What is ignored, as after
    nohup, stays ignored; a thread other than the main one hears no signal, and nothing changes.
    """
    before: dict[signal.Signals, Any] = {}  # handlers, by signal

    def restore():
        while before:
            signal.signal(*before.popitem())

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) not in (None, signal.SIG_IGN):  # none: that of another language
                before[number] = signal.signal(number, lambda number, frame: answer(number, restore))
    try:
        yield
    finally:
        restore()


@contextlib.contextmanager
def postponed_interrupt():
    """Let Ctrl-C, or a polite request to end, wait until the work in hand can be kept.

    Gives a function that tells whether one came; the work asks it where it can stop, and raises KeyboardInterrupt. A
    second one stops it at once. In a thread other than the main one nothing changes.
    """
    came: list[int] = []

    def note(number, restore):
        came.append(number)
        restore()

    with _heard(note):
        yield lambda: bool(came)
    if came:  # after the last time that the work asked
        raise KeyboardInterrupt


def import_whole(*names: str) -> None:
    """Import modules that take seconds; Ctrl-C, however often, is heard when they are whole.

    An import that is broken off leaves half a module, on which all that needs it fails until the process ends.
    """
    missing = [name for name in names if name not in sys.modules]
    if not missing:
        return
    came: list[int] = []
    with _heard(lambda number, restore: came.append(number)):
        for name in missing:
            importlib.import_module(name)
    if came:
        signal.raise_signal(came[0])  # for whoever heard it before


def pick_device(device: object = "auto") -> str:
    """``auto`` is the GPU when torch sees one of CUDA, else the CPU; others mean themselves: cpu, cuda, cuda:1, mps.

    One of torch's own devices is taken, too. ``mps``, the GPU of a Mac, is untested, which is said where it is chosen,
    and why ``auto`` leaves it alone.

    Raises:
        LabError: it is none of these, or is not here.
    """
    import torch

    name = str(device)  # of torch's own, what it is called
    if not isinstance(device, str | torch.device) or not re.fullmatch(r"auto|cpu(:0)?|mps(:0)?|cuda(:[0-9]+)?", name):
        raise LabError(f"device = {device!r} is unknown: use auto, cpu, cuda, cuda:N or mps")
    kind, _, number = name.partition(":")
    if kind == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "mps":
        if not torch.backends.mps.is_available():
            raise LabError("device = 'mps', the GPU of a Mac, is not here: use auto or cpu")
        _say_untested()
    elif kind == "cuda":
        if int(number or 0) >= torch.cuda.device_count():
            here = torch.cuda.device_count()
            raise LabError(f"device = {name!r} is not here (torch sees {here} GPUs): use auto or cpu")
        return name
    return kind


@functools.cache
def _say_untested() -> None:
    print("labkit: device = mps is untested: if anything fails or looks wrong, take device = cpu", file=sys.stderr)


def on_cuda(device: str) -> bool:
    """Is that a GPU of CUDA: are there graphs, streams and its own generators of random numbers?"""
    return device.startswith("cuda")


_keeping: list[bool] = []  # not empty while `keeping_memory` lasts


@contextlib.contextmanager
def keeping_memory():
    """While this lasts, the C library (glibc) keeps freed memory for the next step; elsewhere nothing happens.

    Each step of a training frees and needs again the same few hundred MB. The C library would hand them back to the
    system and fault every page in anew.
    """
    trim_threshold, top_pad, mmap_threshold, arena_max = -1, -2, -3, -8  # malloc.h
    kept = {mmap_threshold: 1 << 30, trim_threshold: 2**31 - 1, top_pad: 1 << 28, arena_max: 1}
    usual = {mmap_threshold: 1 << 17, trim_threshold: 1 << 17, top_pad: 1 << 17, arena_max: 0}
    libc = ctypes.CDLL(None) if LINUX else None
    if (
        _keeping or libc is None or not hasattr(libc, "mallopt")
    ):  # what sampled during a training must not end it for the training
        yield
        return
    for option, value in kept.items():
        libc.mallopt(option, value)
    _keeping.append(True)
    try:
        yield
    finally:
        _keeping.clear()
        for option, value in usual.items():
            libc.mallopt(option, value)


_entered: list[list[Any]] = []  # the reader's default dtype and precision, once for each `own_torch` that is open
_entering = threading.Lock()
DTYPE = "float32"  # of all that is made; tests against an oracle ask for float64


@contextlib.contextmanager
def own_torch(gradients: bool = True):
    """While this lasts torch is as it comes, whatever an earlier cell set: the same bits, and then the reader's again.

    That is float32 by default and in products, the CPU where no device is named, no autocast, gradients on and no
    inference mode; these two stay the reader's without ``gradients``. Everything public that makes or trains tensors
    enters here.
    """
    import torch

    _set_defaults()
    try:
        with contextlib.ExitStack() as stack:
            if torch.get_default_device().type != "cpu":
                stack.enter_context(torch.device("cpu"))
            for kind in ("cpu", "cuda", "mps"):
                if torch.is_autocast_enabled(kind):
                    stack.enter_context(torch.autocast(kind, enabled=False))
            if gradients and torch.is_inference_mode_enabled():
                stack.enter_context(torch.inference_mode(False))
            if gradients and not torch.is_grad_enabled():
                stack.enter_context(torch.enable_grad())
            yield
    finally:
        _restore_defaults()


def _set_defaults() -> None:
    """Torch has one default dtype for all threads: who enters first keeps the reader's, who leaves last restores it."""
    import torch

    with _entering:
        theirs = [torch.get_default_dtype(), "highest"]
        if not _entered:
            with contextlib.suppress(RuntimeError):  # a reader who set backends one by one has no one precision
                theirs[1] = torch.get_float32_matmul_precision()
            torch.set_default_dtype(getattr(torch, DTYPE))
            if theirs[1] != "highest":
                torch.set_float32_matmul_precision("highest")
        _entered.append(_entered[0] if _entered else theirs)


def _restore_defaults() -> None:
    import torch

    with _entering:
        dtype, precision = _entered.pop()
        if not _entered:
            torch.set_default_dtype(dtype)
            if precision != "highest":
                torch.set_float32_matmul_precision(precision)


@contextlib.contextmanager
def deterministic():
    """While this lasts, cuDNN takes only algorithms that give the same bits every time."""
    import torch

    cudnn = torch.backends.cudnn
    before = cudnn.deterministic
    cudnn.deterministic = True
    try:
        yield
    finally:
        cudnn.deterministic = before


@contextlib.contextmanager
def kernels(device: str, tf32: bool = True, deterministic: bool = True):
    """How a GPU of CUDA computes while this lasts; elsewhere nothing changes.

    ``tf32``: products of float32 numbers with 10 bits of mantissa. ``deterministic``: only algorithms of cuDNN that
    give the same bits every time; else it tries all and takes the fastest.
    """
    import torch

    if not on_cuda(device):
        yield
        return
    cudnn = torch.backends.cudnn
    before = torch.get_float32_matmul_precision(), cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark = tf32, deterministic, not deterministic
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        cudnn.allow_tf32, cudnn.deterministic, cudnn.benchmark = before[1:]
