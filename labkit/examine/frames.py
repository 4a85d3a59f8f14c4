"""What a stranger's process is asked and answers: frames over a socket, JSON and the bytes of at most one array.

No pickle crosses it either way, and nothing is taken that is larger than a frame may be.
"""

import json
import socket
import struct
from collections.abc import Callable

HEAD = struct.Struct(">II")  # lengths of the JSON and of the array, in bytes
LARGEST_JSON, LARGEST_ARRAY = 1 << 16, 1 << 28  # bytes of a frame


class Refused(Exception):
    """What was brought cannot be examined; the text is one line for whoever brought it."""


def send(to: socket.socket, head: dict, array: bytes = b"") -> None:
    """Send one frame."""
    text = json.dumps(head).encode()
    to.sendall(HEAD.pack(len(text), len(array)) + text + array)


def receive(read: Callable[[int], bytes]) -> tuple[dict, bytes]:
    """One frame, of which ``read(n)`` gives the next n bytes.

    Raises:
        ValueError: it is none, or larger than a frame may be.
    """
    length, size = HEAD.unpack(read(HEAD.size))
    if length > LARGEST_JSON or size > LARGEST_ARRAY:
        raise ValueError("a frame beyond all bounds")
    head = json.loads(read(length))
    if type(head) is not dict:
        raise ValueError("a frame without a head")
    return head, read(size)


def line_of(error: BaseException) -> str:
    """The last line of what ``error`` says, short."""
    text = next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), "")
    return (text or type(error).__name__)[:300]
