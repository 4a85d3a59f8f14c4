"""Doors: what people bring as numbers, as paths, as latent vectors and as pictures is taken, or refused in one line.

numbers   `whole`, `real`, `wholes`, `reals`, `text`, `switch`: Python's, NumPy's and torch's, as Python's own
paths     `path`: text or a path, as an absolute path
latents   `latents`: vectors of z as float32 (n, latent_dim)
pictures  `grey_images`: uint8 (n, 28, 28), to train on; `unit_images`: float32 (n, 1, 28, 28) in [-1, 1], to measure

Whose meaning cannot be told is refused: a door never guesses. Public functions ask here, once; loops inside do not.
"""

import math
import numbers
import operator
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .errors import LabError

SHAPES = "(n, 1, 28, 28), (n, 28, 28), (n, 28, 28, 1), (n, 784), or one picture, (28, 28)"
LARGEST = 2**63 - 1  # whole number that torch and a file of ours hold
ROUNDING = 1e-3  # of pixels: so far from what it should be a number may lie
NOISE = 0.05  # so far below 0 a resized picture of 0 to 1 may reach; one of -1 to 1 reaches farther
DARK = 1 / 256  # a picture of 0 to 1 has a pixel below this; the darkest grey of -1 to 1 that is above 0 is 1 / 255


def said(value: object) -> str:
    """``value`` in a line, short, for an error: of a tensor or array its type and shape."""
    if isinstance(value, Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} tensor of shape {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"{value.dtype} array of shape {value.shape}"
    try:
        shown = " ".join(repr(value).splitlines())
    except Exception:  # a number of more digits than Python prints, or whatever a stranger's class does
        shown = f"a {type(value).__name__} that cannot be shown"
    return shown if len(shown) <= 100 else f"{shown[:97]}..."


# ----- numbers


def plain(value: object) -> object:
    """A scalar of NumPy or torch, or their array of one element, as Python's own number; all else as it is.

    A float of fewer bits than Python's is the shortest decimal that it stands for: float32's 2e-4 is 2e-4.
    """
    if isinstance(value, Tensor) and value.numel() == 1 and _is_dense(value):
        value = np.float32(value.item()) if value.dtype == torch.float32 else value.item()
    if isinstance(value, np.generic | np.ndarray) and value.size == 1 and not np.ma.is_masked(value):
        scalar = np.asarray(value).reshape(())[()]
        if value.dtype.kind in "iub":
            return scalar.item()
        if value.dtype.kind == "f":
            return float(str(scalar))
    return value


def whole(name: str, value: object, low: float = -LARGEST, high: float = LARGEST, unit: str = "") -> int:
    """``value``, of any integer type, as an int from ``low`` to ``high``; no bool, and no float, however whole.

    Raises:
        LabError: it is none; the line says ``name``, what came, and what is wanted, in ``unit``.
    """
    try:
        number = plain(value)
        if isinstance(number, bool):
            raise TypeError
        found = operator.index(number)  # type: ignore[arg-type]
    except Exception:
        raise LabError(f"{name} = {said(value)}: give a whole number{_range(low, high, unit)}") from None
    if not low <= found <= high:
        raise LabError(f"{name} = {said(value)} is out of range{_range(low, high, unit, ':')}")
    return found


def real(name: str, value: object, low: float = -math.inf, high: float = math.inf, unit: str = "") -> float:
    """``value``, a real number of any type, as a finite float from ``low`` to ``high``; no bool, and no text.

    Raises:
        LabError: it is none; the line says ``name``, what came, and what is wanted, in ``unit``.
    """
    try:
        number = plain(value)
        if isinstance(number, bool | np.generic) or not isinstance(number, numbers.Real) or not math.isfinite(number):
            raise TypeError
        found = float(number)
    except Exception:  # an int that no float holds is one, too
        raise LabError(f"{name} = {said(value)}: give a finite number{_range(low, high, unit)}") from None
    if not low <= found <= high:
        raise LabError(f"{name} = {said(value)} is out of range{_range(low, high, unit, ':')}")
    return found


def _range(low: float, high: float, unit: str, sign: str = "") -> str:
    """The range in words; one end alone, or none, where there is no other."""
    ends = [not math.isinf(low) and low > -LARGEST, not math.isinf(high) and high < LARGEST]
    words = {
        (True, True): f" {'' if sign else 'from '}{low} to {high}",
        (True, False): f" {'' if sign else 'of '}at least {low}",
        (False, True): f" {'' if sign else 'of '}at most {high}",
        (False, False): "",
    }[ends[0], ends[1]]
    return sign + words + (f" ({unit})" if unit else "")


def wholes(name: str, values: object, low: float = -LARGEST, high: float = LARGEST) -> list[int]:
    """``values`` as a list of at least one int; they may be a list, a tuple, a range, or a row of an array or tensor.

    Raises:
        LabError: they are none, or one of them is no `whole` number from ``low`` to ``high``.
    """
    return [whole(_one_of(name, values), value, low, high) for value in listed(name, values)]


def reals(name: str, values: object, low: float = -math.inf, high: float = math.inf) -> list[float]:
    """``values`` as a list of at least one float, likewise.

    Raises:
        LabError: they are none, or one of them is no `real` number from ``low`` to ``high``.
    """
    return [real(_one_of(name, values), value, low, high) for value in listed(name, values)]


def listed(name: str, values: object) -> list:
    """``values``, at least one, as a list: of a list, tuple or range, or of an array or tensor of one axis.

    Raises:
        LabError: they are something else, or none.
    """
    if isinstance(values, Tensor) and values.dim() == 1 and _is_dense(values):
        found = values.tolist()
    elif isinstance(values, np.ndarray) and values.ndim == 1:
        found = list(values)
    else:
        found = list(values) if isinstance(values, list | tuple | range) else []
    if not found:
        raise LabError(f"{name} = {said(values)}: give a list with at least one number")
    return found


def _one_of(name: str, values: object) -> str:
    return f"{name} = {said(values)}: one of them"


def text(name: str, value: object, unit: str = "name") -> str:
    """``value``, if it is text, as Python's own.

    Raises:
        LabError: it is something else.
    """
    if not isinstance(value, str):
        raise LabError(f"{name} = {said(value)}: give text ({unit})")
    return str.__str__(value)


def switch(name: str, value: object, unit: str = "yes or no") -> bool:
    """``value``, if it is True or False, Python's, NumPy's or torch's, as Python's own.

    Raises:
        LabError: it is something else.
    """
    found = plain(value)
    if not isinstance(found, bool):
        raise LabError(f"{name} = {said(value)}: give True or False ({unit})")
    return found


def path(name: str, value: object) -> Path:
    """``value``, text or a path, as the absolute path of a file or folder; ~ is the reader's home.

    Raises:
        LabError: it is something else, or empty, or nobody's home.
    """
    try:
        if isinstance(value, str | os.PathLike) and (found := os.fspath(value)) and "\0" not in found:
            return Path(found).expanduser().absolute()
    except (RuntimeError, TypeError):  # a home that is not known; bytes
        pass
    raise LabError(f"{name} = {said(value)}: give the path of a file or folder")


# ----- arrays


def _is_dense(value: Tensor) -> bool:
    return value.layout is torch.strided and value.device.type != "meta" and not value.is_quantized


def _numbers(name: str, value: object, wanted: str) -> tuple[Tensor, bool]:
    """``value`` as a dense tensor of real numbers, and whether their type is whole; uint8 stays, the rest is float32.

    A tensor stays on its device, and in its graph.
    """
    refusal = LabError(f"{name} = {said(value)}: give {wanted}, as numbers in a tensor or array")
    if isinstance(value, Tensor):
        if not _is_dense(value) or value.dtype.is_complex or value.dtype == torch.bool:
            raise refusal
        value = value.resolve_neg()
        if value.dtype == torch.uint8:
            return value, True
        try:
            return value.to(torch.float32), not value.dtype.is_floating_point
        except (RuntimeError, TypeError):
            raise refusal from None
    if isinstance(value, str | bytes) or not (isinstance(value, list | tuple) or hasattr(type(value), "__array__")):
        raise refusal
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "iuf" or np.ma.is_masked(value):
            raise refusal
        with np.errstate(all="ignore"):  # what float32 does not hold is infinite, and refused as that
            kept = np.array(array, dtype=np.uint8 if array.dtype == np.uint8 else np.float32, order="C")
    except (ValueError, TypeError, RuntimeError, OverflowError):
        raise refusal from None
    return torch.from_numpy(kept), array.dtype.kind in "iu"


# ----- latent vectors


def latents(z: object, latent_dim: int | None = None, name: str = "z") -> Tensor:
    """``z``, a tensor or array of any real type, as float32 (n, latent_dim), contiguous, on its device, in its graph.

    One vector, (latent_dim,), is a set of one; axes of length one are left out, as of (n, latent_dim, 1, 1). Without
    ``latent_dim`` vectors of any length are taken.

    Raises:
        LabError: no vectors, of another length, with a number that is not finite, or of no real numbers.
    """
    wanted = f"(n, {latent_dim or 'latent_dim'})"
    found, _ = _numbers(name, z, wanted)
    shape = tuple(found.shape)
    if found.dim() == 1:
        found = found.unsqueeze(0)
    elif found.dim() > 2 and sum(size != 1 for size in shape[1:]) <= 1:
        found = found.flatten(1)
    if found.dim() != 2 or not found.numel() or found.shape[1] != (latent_dim or found.shape[1]):
        raise LabError(f"{name} of shape {shape}: give vectors, {wanted}, at least one")
    found = found.to(torch.float32)
    if not found.isfinite().all():
        raise LabError(f"{name} of shape {shape} has a number that is not finite: give {wanted}, finite numbers")
    return found.contiguous()


# ----- pictures


def grey_images(images: object, name: str = "images") -> Tensor:
    """``images`` as grey levels, uint8 (n, 28, 28), contiguous, on their device: as data sets have them.

    A tensor or array of any real type, (n, 1, 28, 28), (n, 28, 28), (n, 28, 28, 1), (n, 784) or (28, 28), contiguous or
    not. What its numbers mean is told by them all together:

    grey levels   whole numbers from 0 to 255 (to `ROUNDING`), of any type, one of them above 1; or all 0, in a type for
                  whole numbers
    -1 to 1       floats from -1 (black) to 1 (white), one of them below -`NOISE`
    0 to 1        floats from 0 (black) to 1 (white), not all of them 0 or 1, one of them below `DARK`

    Whatever else there is could mean two things, or nothing, and is refused: 0 and 1 alone (black and white, or two of
    256 levels?), pictures without a dark pixel, numbers beyond these ranges, truth values, colours.

    Raises:
        LabError: as said, or no images; the line says what came and what is wanted.
    """
    found, meaning = _pictures(name, images)
    if found.dtype != torch.uint8:
        level = found if meaning == "levels" else 255 * found if meaning == "unit" else 127.5 * (found + 1)
        found = level.round().to(torch.uint8)
    return found.detach().contiguous()


def unit_images(images: object, name: str = "images", signed: bool = False) -> Tensor:
    """``images`` as float32 (n, 1, 28, 28) from -1, black, to 1, white: as generators draw them; of the same shapes.

    What the numbers mean is told as in `grey_images`. With ``signed`` it is known: -1 to 1, as of a generator, which
    may draw no dark pixel. A tensor stays on its device, and in its graph.

    Raises:
        LabError: as `grey_images`; with ``signed``, a number beyond -1 to 1.
    """
    if signed:
        found, _ = _numbers(name, images, SHAPES)
        found = _in_shape(name, found, images).to(torch.float32)
        low, high = _ends(found)
        if not -1 - ROUNDING <= low <= high <= 1 + ROUNDING:  # also refuses nan
            raise LabError(f"{name} from {low:.3g} to {high:.3g}: give finite values in [-1, 1]")
        meaning = "signed"
    else:
        found, meaning = _pictures(name, images, "; of a generator's pictures say signed=True")
    found = found.unsqueeze(1).to(torch.float32)  # (n, 1, 28, 28)
    if meaning == "levels":
        return found / 127.5 - 1.0
    return (2 * found - 1 if meaning == "unit" else found).contiguous()


def _in_shape(name: str, found: Tensor, given: object) -> Tensor:
    """``found`` as (n, 28, 28), at least one."""
    shape = tuple(found.shape)
    for tail in ((1, 28, 28), (28, 28, 1), (28, 28), (784,)):
        if shape[-len(tail) :] == tail and len(shape) <= len(tail) + 1 and found.numel():
            return found.reshape(-1, 28, 28)
    colours = len(shape) > 2 and (3 in shape[-3:] or 4 in shape[-3:])
    hint = ": pictures are grey, make one channel of their colours" if colours else ""
    what = said(found) if isinstance(given, list | tuple) else said(given)
    raise LabError(f"{name} = {what}{hint}: give {SHAPES}, at least one")


def _ends(found: Tensor) -> tuple[float, float]:
    low, high = found.detach().aminmax()
    return low.item(), high.item()


def _pictures(name: str, images: object, hint: str = "") -> tuple[Tensor, str]:
    """``images`` as (n, 28, 28), uint8 or float32, and what their numbers mean: "levels", "signed" or "unit"."""
    numbers_, is_whole = _numbers(name, images, SHAPES)
    found = _in_shape(name, numbers_, images)
    low, high = _ends(found)
    if not (math.isfinite(low) and math.isfinite(high)):
        raise LabError(f"{name} of shape {tuple(numbers_.shape)} have a pixel that is not finite")
    if is_whole:
        if low >= 0 and (1 < high <= 255 or high == 0):
            return found, "levels"
    elif low >= -1 - ROUNDING and high <= 1 + ROUNDING:
        if low < -NOISE:
            return found.clamp(-1, 1), "signed"
        if 0 <= low < DARK and ((found > 0) & (found < 1)).any():
            return found.clamp(max=1), "unit"
    elif low >= 0 and high <= 255 + ROUNDING and ((found - found.round()).abs() <= ROUNDING).all():
        return found.round(), "levels"
    raise LabError(
        f"{name}, a {said(images)} from {low:.3g} to {high:.3g}: what is black and what is white cannot be told;"
        f" give grey levels, whole numbers from 0 to 255, or floats from -1 (black) to 1 (white){hint}"
    )
