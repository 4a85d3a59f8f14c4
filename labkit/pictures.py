"""What can be measured on a picture of a garment: images (n, 1, 28, 28) in [-1, 1] to one number each, (n,).

The garment is where a picture is brighter than a fifth of its own bright level (its 40th brightest pixel, of 784), and
than 16 grey levels: a dark garment is as complete, as wide and as large as the same one in the light. Every attribute
that asks where the garment is uses this one region. Its outline are the pixels within one pixel of its border.

Every measure takes pictures as `base.doors.unit_images` does, grey levels or floats, in their usual shapes, and refuses
what could mean two things in one line. With ``signed=True`` they are known to go from -1 to 1, as those of a generator.
"""

from .base import whole  # noqa: F401, before torch

# isort: split
from functools import wraps

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from .base import doors
from .base.machine import own_torch


def _of_pictures(measure):
    """Let ``measure``, a function of images (n, 1, 28, 28) in [-1, 1], take all that `_taken` takes.

    The function itself, for images that are known to be so, is its ``__wrapped__``.
    """

    @wraps(measure)
    @own_torch(gradients=False)
    def checked(*images, signed: bool = False, **named):
        return measure(
            *(_taken(one, signed) for one in images), **{name: _taken(one, signed) for name, one in named.items()}
        )

    return checked


def _taken(images, signed: bool) -> Tensor:
    """``images`` in [-1, 1], (n, 1, 28, 28), or with as many axes before these as they had."""
    axes = tuple(images.shape[:-3]) if isinstance(images, Tensor | np.ndarray) and images.ndim > 4 else ()
    found = doors.unit_images(images.reshape(-1, *images.shape[-3:]) if axes else images, signed=signed)
    return found.unflatten(0, axes) if axes else found


@_of_pictures
def mean_change(images: Tensor, others: Tensor) -> Tensor:
    """Mean absolute difference per image in grey levels (of 255), over the last three axes."""
    return (images - others).abs().mean((-3, -2, -1)) * 127.5


@_of_pictures
def roughness(images: Tensor) -> Tensor:
    """Mean absolute step between neighbouring pixels per image, (n,), in grey levels: noise has more, blur less."""
    across, down = images.diff(dim=-1).abs(), images.diff(dim=-2).abs()
    return (across.mean((1, 2, 3)) + down.mean((1, 2, 3))) / 2 * 127.5


@_of_pictures
def diversity(images: Tensor) -> Tensor:
    """Mean absolute difference per pixel between two images of the set, a scalar in grey levels."""
    flat, n = images.flatten(1), len(images)
    return torch.cdist(flat, flat, p=1).sum() / (n * (n - 1)) / flat.shape[1] * 127.5


@_of_pictures
def nearest(images: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """For each of ``images`` (n, 1, 28, 28) the nearest of ``reference`` (m, 1, 28, 28): index (n,), distance (n,).

    The distance is the root mean square difference per pixel in grey levels (of 255).
    """
    distance, index = torch.cdist(images.flatten(1), reference.flatten(1)).min(1)
    return index, distance / 28 * 127.5


BRIGHTEST, SHARE, FLOOR = 40, 0.2, 16.0  # which pixel sets the level, share of it, grey levels (of 255)


@_of_pictures
def grey(images: Tensor) -> Tensor:
    """The pixels in grey levels, 0 to 255, (n, 28, 28)."""
    return _grey(images)


@_of_pictures
def levels(images: Tensor) -> Tensor:
    """The same, rounded, as whole numbers, uint8 (n, 28, 28)."""
    return _grey(images).round().to(torch.uint8)


def _grey(images: Tensor) -> Tensor:
    return (images[:, 0] + 1) * 127.5


def _mask(images: Tensor) -> Tensor:
    pixels = _grey(images)
    level = pixels.flatten(1).topk(BRIGHTEST).values[:, -1]
    return (pixels > (SHARE * level).clamp(min=FLOOR).view(-1, 1, 1)).float()


def _grown(mask: Tensor) -> Tensor:
    return max_pool2d(mask.unsqueeze(1), 3, stride=1, padding=1).squeeze(1)


def _shrunk(mask: Tensor) -> Tensor:
    return 1 - _grown(1 - mask)


def _mean_over(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``values`` where ``mask`` is 1; 0 where it is nowhere."""
    return (values * mask).sum((1, 2)) / mask.sum((1, 2)).clamp(min=1)


@_of_pictures
def brightness(images: Tensor) -> Tensor:
    """Mean of the pixels, in grey levels: 0 is black, 255 white."""
    return _grey(images).mean((1, 2))


@_of_pictures
def contrast(images: Tensor) -> Tensor:
    """Standard deviation of the pixels, in grey levels."""
    return _grey(images).std((1, 2), correction=0)


@_of_pictures
def background(images: Tensor) -> Tensor:
    """Mean of the pixels that are neither garment nor outline, in grey levels: 0 is a clean background."""
    return _mean_over(_grey(images), 1 - _grown(_mask(images)))


@_of_pictures
def outline_sharpness(images: Tensor) -> Tensor:
    """Mean size of the gradient on the outline, in grey levels per pixel: blurred borders have less."""
    pixels, mask = _grey(images), _mask(images)
    down = torch.nn.functional.pad(pixels.diff(dim=1), (0, 0, 0, 1))
    across = torch.nn.functional.pad(pixels.diff(dim=2), (0, 1))
    return _mean_over((down.square() + across.square()).sqrt(), _grown(mask) - _shrunk(mask))


@_of_pictures
def completeness(images: Tensor) -> Tensor:
    """Share of garment among the pixels that have garment on both sides of them, in their row or their column.

    1 is a body without holes.
    """
    mask = _mask(images)

    def spanned(dim):
        before, after = mask.cummax(dim).values, mask.flip(dim).cummax(dim).values.flip(dim)
        return before * after

    return mask.sum((1, 2)) / (spanned(1).maximum(spanned(2))).sum((1, 2)).clamp(min=1)


@_of_pictures
def texture(images: Tensor) -> Tensor:
    """Mean difference of a pixel from its four neighbours inside the garment, in grey levels: folds, prints, noise."""
    pixels, inside = _grey(images), _shrunk(_mask(images))
    around = torch.nn.functional.pad(pixels.unsqueeze(1), (1, 1, 1, 1), mode="replicate").squeeze(1)
    neighbours = (around[:, :-2, 1:-1] + around[:, 2:, 1:-1] + around[:, 1:-1, :-2] + around[:, 1:-1, 2:]) / 4
    return _mean_over((pixels - neighbours).abs(), inside)


@_of_pictures
def symmetry(images: Tensor) -> Tensor:
    """Correlation of a picture with its mirror image, left to right: 1 is symmetric.

    The mirror stands at the middle of the garment (the mean column of its pixels, to half a pixel), wherever that is in
    the picture; what would leave the picture on one side comes in on the other.
    """
    pixels, columns = _grey(images), _mask(images).sum(1)  # (n, 28, 28), (n, 28)
    centred, place = pixels - pixels.mean((1, 2), keepdim=True), torch.arange(28, device=images.device)
    middle = (columns * place).sum(1) / columns.sum(1).clamp(min=1)
    opposite = ((2 * middle).round().long().unsqueeze(1) - place) % 28  # (n, 28)
    mirrored = centred.gather(2, opposite.unsqueeze(1).expand(-1, 28, -1))
    return (centred * mirrored).sum((1, 2)) / centred.square().sum((1, 2)).clamp(min=1e-6)


@_of_pictures
def width(images: Tensor) -> Tensor:
    """Columns that hold some garment."""
    return _mask(images).amax(1).sum(1)


@_of_pictures
def height(images: Tensor) -> Tensor:
    """Rows that hold some garment."""
    return _mask(images).amax(2).sum(1)


@_of_pictures
def aspect(images: Tensor) -> Tensor:
    """Height over width; 1 where there is no garment."""
    mask = _mask(images)
    rows, columns = mask.amax(2).sum(1), mask.amax(1).sum(1)
    return torch.where(columns > 0, rows / columns.clamp(min=1), 1.0)


@_of_pictures
def area(images: Tensor) -> Tensor:
    """Share of the picture that is garment."""
    return _mask(images).mean((1, 2))


ATTRIBUTES = {
    f.__name__: f
    for f in (
        brightness,
        contrast,
        background,
        outline_sharpness,
        completeness,
        texture,
        symmetry,
        width,
        height,
        aspect,
        area,
    )
}


@_of_pictures
def measure(images: Tensor) -> Tensor:
    """All attributes, (n, len(ATTRIBUTES)), in their order."""
    return torch.stack([attribute.__wrapped__(images) for attribute in ATTRIBUTES.values()], 1)


def independent(measured: Tensor) -> tuple[float, list[str]]:
    """How many independent attributes there are in ``measured``, (n, len(ATTRIBUTES)) of n images, and which to take.

    The number is the effective rank, (sum of l)^2 / sum of l^2 over the eigenvalues l of Spearman's correlations: 1 if
    all attributes tell the same, as many as there are attributes if none tells of another. One that is the same in all
    images counts for nothing. The names are as many as that, rounded: each next one is the attribute that, with those
    before, explains most of the ranks in all attributes.
    """
    ranks = torch.stack([_ranks(column) for column in measured.T], 1)
    ranks = ranks - ranks.mean(0)
    ranks = ranks / ranks.norm(dim=0).clamp(min=1e-9)
    left, chosen = ranks.T @ ranks, []  # correlations, of what is not explained yet
    rank = (left.trace().square() / left.square().sum().clamp(min=1e-9)).item()
    for _ in range(round(rank)):
        best = int((left.square().sum(0) / left.diagonal().clamp(min=1e-9)).argmax())
        chosen.append(list(ATTRIBUTES)[best])
        left = left - torch.outer(left[:, best], left[best]) / left[best, best]
    return rank, chosen


def _ranks(values: Tensor) -> Tensor:
    """Ranks of ``values`` (n,), float64; equal values share their mean rank."""
    _, inverse, counts = values.unique(return_inverse=True, return_counts=True)
    return (counts.cumsum(0).double() - (counts - 1) / 2)[inverse]
