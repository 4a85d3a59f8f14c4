"""Latent vectors of the reader's own: 100 numbers that were pasted, or in a file, .npy, .csv or JSON; and back."""

from ..base import whole  # noqa: F401, before torch

# isort: split
import io
import json
import math

import numpy as np
import torch
from torch import Tensor

from ..base.errors import LabError
from ..page.recipe import FARTHEST, LARGEST


def read_vectors(content: bytes) -> Tensor:
    """The vectors in ``content``, (n, d): a .npy file, a JSON list or recipe, or numbers with anything between them.

    Of text, each line that has several numbers is a vector; numbers one a line are one.

    Raises:
        LabError: there are none in it.
    """
    if len(content) > LARGEST:
        raise LabError(f"own vector: it has {len(content) >> 20} MB; give at most {LARGEST >> 20}")
    if content.startswith(b"\x93NUMPY"):
        return _matrix(_array(content))
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise LabError("own vector: it is neither text nor a .npy file") from None
    if text[:1] in ("[", "{"):
        return _matrix(_listed(text))
    rows = [_numbers(line) for line in text.splitlines() if line.strip()]
    if all(len(row) == 1 for row in rows):
        rows = [[x for row in rows for x in row]]
    return _matrix(rows)


def checked(vectors: object, latent_dim: int, most: int) -> Tensor:
    """``vectors`` as float32 (n, latent_dim), if there are at most ``most`` and they can be drawn; else a LabError."""
    found = _matrix(vectors)
    if found.shape[1] != latent_dim:
        raise LabError(f"own vector: it has {found.shape[1]} numbers; this network takes {latent_dim}")
    if len(found) > most:
        raise LabError(f"own vector: there are {len(found)} for {most}; choose more under edit, or give fewer")
    return found


def written(vectors: Tensor) -> str:
    """``vectors`` (n, d) as JSON, a list for one and a list of lists for several, from which they come back."""
    rows = [[float(f"{x:.9g}") for x in row] for row in vectors.tolist()]
    return json.dumps(rows[0] if len(rows) == 1 else rows)


def _array(content: bytes) -> np.ndarray:
    try:
        return np.lib.format.read_array(io.BytesIO(content))  # which unpickles nothing
    except (ValueError, EOFError, OSError) as error:
        raise LabError(f"own vector: the .npy file is damaged ({str(error)[:100]})") from None


def _listed(text: str) -> object:
    """What JSON has in ``text``, of a recipe its z; or lists as NumPy prints them, without commas."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        *rows, rest = text.split("]")
        if text.count("[") != len(rows) or rest.strip():
            raise LabError("own vector: its brackets do not close, and it is no JSON") from None
        return [row for row in map(_numbers, rows) if row]
    return found.get("z") if isinstance(found, dict) else found


def _numbers(line: str) -> list[float]:
    for mark in ",;[]()":
        line = line.replace(mark, " ")
    try:
        return [float(word) for word in line.split()]
    except ValueError:
        raise LabError(f"own vector: {line.strip()[:40]!r} is not a row of numbers") from None


def _matrix(values: object) -> Tensor:
    """``values`` as float32 (n, d), one vector as (1, d); LabError if it is anything else."""
    try:
        rows = np.asarray(values)
        if rows.dtype.kind not in "iuf":
            raise ValueError
        rows = rows.astype(np.float64)
    except (ValueError, TypeError, OverflowError):
        raise LabError("own vector: it is no list of numbers, or of lists of as many each") from None
    rows = rows[None] if rows.ndim == 1 else rows
    if rows.ndim != 2 or not rows.size:
        raise LabError(f"own vector: its shape is {rows.shape}; give (n, 100), or 100 numbers")
    if not (abs(rows) <= FARTHEST).all() or math.isnan(rows.sum()):
        raise LabError(f"own vector: it has what is no number up to {FARTHEST:g}")
    return torch.from_numpy(rows.astype(np.float32))
