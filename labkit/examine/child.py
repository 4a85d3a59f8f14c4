"""The process that runs a stranger's code: it loads one generator, and draws what it is asked for.

python -m labkit.examine.child <number of an open socket> <a JSON object: what to load, and the limits>

What is loaded here, and what it prints, stays here; see `frames` for what leaves.
"""

import contextlib
import json
import resource
import socket
import sys
from collections.abc import Callable

import torch

from .frames import Refused, line_of, receive, send
from .loading import load


def _read(sock: socket.socket) -> Callable[[int], bytes]:
    def read(n: int) -> bytes:
        parts = bytearray()
        while len(parts) < n:
            part = sock.recv(n - len(parts))
            if not part:
                raise SystemExit(0)  # nobody asks any more
            parts += part
        return bytes(parts)

    return read


def _limit(memory: int, seconds: int) -> None:
    """Memory in bytes, and seconds of processor time, of this process; no file above a gigabyte, no core dump."""
    wanted = {"RLIMIT_DATA": memory, "RLIMIT_CPU": seconds, "RLIMIT_FSIZE": 1 << 30, "RLIMIT_CORE": 0}
    for name, value in wanted.items():
        kind = getattr(resource, name)
        hard = resource.getrlimit(kind)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):  # a system that has no such limit
            resource.setrlimit(kind, (value, value))


def _fault(error: BaseException, loading: bool) -> str:
    """In a line, why a stranger's code did not do what it should."""
    text = line_of(error)
    if isinstance(error, Refused):
        return str(error)
    if isinstance(error, MemoryError) or "can't allocate memory" in text or "not enough memory" in text:
        return "it fills the memory: its limit was reached (see --memory)"
    if isinstance(error, SystemExit):
        return f"it ends the program (sys.exit({error.code!r})){' when it is imported' if loading else ''}"
    if isinstance(error, EOFError):
        return "it asks for input, and nobody is there to answer"
    if "CUDA" in text or "NVIDIA" in text:
        return (
            f"it asks for a GPU ({text}): let it run on a CPU as well,"
            " device = 'cuda' if torch.cuda.is_available() else 'cpu'"
        )
    if "indices" in text and "Long" in text:
        return (
            "its first layer is an Embedding, of labels as in a conditional GAN: name a function of z alone that fills"
            " them in"
        )
    where = "when it is loaded: " if loading else ""
    return f"{where}{type(error).__name__}: {text}"


def main() -> None:
    """Load what the command line says, tell about it, and draw until nobody asks."""
    sock, what = socket.socket(fileno=int(sys.argv[1])), json.loads(sys.argv[2])
    read = _read(sock)
    torch.set_num_threads(what["threads"])
    _limit(what["memory"], what["processor"])
    send(sock, {})  # from here on it is a stranger's time
    try:
        drawer = load(what)
        send(sock, drawer.about())
    except BaseException as error:
        send(sock, {"error": _fault(error, loading=True)})
        return
    while True:
        asked, content = receive(read)
        try:
            frame = drawer.answer(asked, content)
        except BaseException as error:
            frame = {"error": _fault(error, loading=False)}, b""
        send(sock, *frame)


if __name__ == "__main__":
    main()
