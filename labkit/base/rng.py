"""Random numbers that have an owner: everything random is a function of a stream's name."""

from contextlib import contextmanager

import torch

from .doors import whole
from .files import sha256


@contextmanager
def seeded(*stream):
    """Random numbers of torch that depend on ``stream`` alone; the caller's own go on as if nothing had happened."""
    with torch.random.fork_rng(range(torch.cuda.device_count() if torch.cuda.is_initialized() else 0)):
        torch.manual_seed(stream_seed(*stream))
        yield


def stream_seed(*stream) -> int:
    """The seed that ``stream``, of texts and whole numbers, stands for: the same for 3 of any integer type.

    Raises:
        LabError: a part is neither.
    """
    parts = tuple(part if type(part) is str else whole("seed", part) for part in stream)
    return int(sha256(repr(parts).encode())[:15], 16)
