"""Measurements that need not be made twice: tensors in a file whose name says what they are of, and vouches for it."""

from collections.abc import Collection
from pathlib import Path

import safetensors.torch
from torch import Tensor

from .files import sha256, write_atomic


def save(folder: Path, kind: str, identity: tuple, tensors: dict[str, Tensor]) -> None:
    """Write ``tensors`` into ``folder``.

    ``identity`` is all that they depend on: digests, numbers, version of the method.
    """
    content = safetensors.torch.save({key: value.contiguous() for key, value in tensors.items()})
    write_atomic(folder / f"{_stem(kind, identity)}-{sha256(content)[:16]}.safetensors", content)


def load(folder: Path, kind: str, identity: tuple, needed: Collection[str] = ()) -> dict[str, Tensor]:
    """What `save` wrote; a LookupError if it is not there, or damaged, or lacks a key that is ``needed``."""
    for path in folder.glob(f"{_stem(kind, identity)}-*.safetensors"):
        content = path.read_bytes()
        if path.stem.endswith(sha256(content)[:16]):
            tensors = safetensors.torch.load(content)
            if tensors.keys() >= set(needed):
                return tensors
    raise LookupError(kind)


def _stem(kind: str, identity: tuple) -> str:
    return f"{kind}-{sha256(repr(identity).encode())[:24]}"
