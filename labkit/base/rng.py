"""Random numbers that have an owner: everything random is a function of a stream's name."""

from contextlib import contextmanager

import torch

from .files import sha256


@contextmanager
def seeded(*stream):
    """Random numbers of torch that depend on ``stream`` alone; the caller's own go on as if nothing had happened."""
    with torch.random.fork_rng(range(torch.cuda.device_count() if torch.cuda.is_initialized() else 0)):
        torch.manual_seed(stream_seed(*stream))
        yield


def stream_seed(*stream) -> int:
    """The seed that ``stream`` stands for."""
    return int(sha256(repr(stream).encode())[:15], 16)
