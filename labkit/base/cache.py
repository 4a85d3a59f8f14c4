"""Measurements that need not be made twice: tensors in a file whose name says what they are of, and vouches for it."""

import json
import struct
from collections.abc import Collection
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from . import kept
from .files import FAULTS, fault_of, sha256


def save(folder: Path, kind: str, identity: tuple, tensors: dict[str, Tensor]) -> None:
    """Write ``tensors`` into ``folder``.

    ``identity`` is all that they depend on: digests, numbers, version of the method.
    """
    content = safetensors.torch.save({key: value.contiguous() for key, value in tensors.items()})
    kept.write(folder / f"{_stem(kind, identity)}-{sha256(content)[:16]}.safetensors", content)


def load(folder: Path, kind: str, identity: tuple, needed: Collection[str] = ()) -> dict[str, Tensor]:
    """What `save` wrote; a LookupError if it is not there, or lacks a key that is ``needed``.

    A damaged file is named in a line and passed over.
    """
    for path in folder.glob(f"{_stem(kind, identity)}-*.safetensors"):
        try:
            content = path.read_bytes()
            if not path.stem.endswith(sha256(content)[:16]):
                raise ValueError("its sha256 is not that of its name")
            tensors = tensors_in(content)
        except FAULTS as error:
            print(f"{path} is passed over, it is damaged ({fault_of(error)}): what it held is measured anew")
            continue
        if tensors.keys() >= set(needed):
            return tensors
    raise LookupError(kind)


def tensors_in(content: bytes) -> dict[str, Tensor]:
    """The tensors in the content of a file of them.

    Raises:
        ValueError: it is no such file.
    """
    try:
        return safetensors.torch.load(content)
    except (SafetensorError, *FAULTS) as error:
        raise ValueError(f"no file of tensors, {fault_of(error)}") from None


def note_in(head: bytes) -> dict[str, str]:
    """What was noted in a file of tensors beside them, from its content or the beginning of it.

    Raises:
        ValueError: it is no such file, or nothing was noted.
    """
    try:
        (size,) = struct.unpack("<Q", head[:8])
        return json.loads(head[8 : 8 + size])["__metadata__"]
    except (struct.error, *FAULTS) as error:
        raise ValueError(f"no file of tensors with a note, {fault_of(error)}") from None


def check_finite(tensors: dict[str, Tensor]) -> None:
    """Raise a ValueError if a number among ``tensors`` is not finite."""
    for name, value in tensors.items():
        if not value.isfinite().all():
            raise ValueError(f"{name} is not finite")


def _stem(kind: str, identity: tuple) -> str:
    return f"{kind}-{sha256(repr(identity).encode())[:24]}"
