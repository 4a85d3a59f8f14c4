"""What can be measured on a picture of a garment: images (n, 1, 28, 28) in [-1, 1] to one number each, (n,).

The garment is where a picture is brighter than `GARMENT` grey levels; its outline are the pixels within one pixel of
that region's border.
"""

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d


def mean_change(images: Tensor, others: Tensor) -> Tensor:
    """Mean absolute difference per image in grey levels (of 255), over the last three axes."""
    return (images - others).abs().mean((-3, -2, -1)) * 127.5


def roughness(images: Tensor) -> Tensor:
    """Mean absolute step between neighbouring pixels per image, (n,), in grey levels: noise has more, blur less."""
    across, down = images.diff(dim=-1).abs(), images.diff(dim=-2).abs()
    return (across.mean((1, 2, 3)) + down.mean((1, 2, 3))) / 2 * 127.5


def diversity(images: Tensor) -> Tensor:
    """Mean absolute difference per pixel between two images of the set, a scalar in grey levels."""
    flat, n = images.flatten(1), len(images)
    return torch.cdist(flat, flat, p=1).sum() / (n * (n - 1)) / flat.shape[1] * 127.5


def nearest(images: Tensor, reference: Tensor) -> tuple[Tensor, Tensor]:
    """For each of ``images`` (n, 1, 28, 28) the nearest of ``reference`` (m, 1, 28, 28): index (n,), distance (n,).

    The distance is the root mean square difference per pixel in grey levels (of 255).
    """
    distance, index = torch.cdist(images.flatten(1), reference.flatten(1)).min(1)
    return index, distance / 28 * 127.5


GARMENT = 64  # grey levels, of 255


def grey(images: Tensor) -> Tensor:
    """The pixels in grey levels, 0 to 255, (n, 28, 28)."""
    return (images[:, 0] + 1) * 127.5


def _mask(images: Tensor) -> Tensor:
    return (grey(images) > GARMENT).float()


def _grown(mask: Tensor) -> Tensor:
    return max_pool2d(mask.unsqueeze(1), 3, stride=1, padding=1).squeeze(1)


def _shrunk(mask: Tensor) -> Tensor:
    return 1 - _grown(1 - mask)


def _mean_over(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of ``values`` where ``mask`` is 1; 0 where it is nowhere."""
    return (values * mask).sum((1, 2)) / mask.sum((1, 2)).clamp(min=1)


def brightness(images: Tensor) -> Tensor:
    """Mean of the pixels, in grey levels: 0 is black, 255 white."""
    return grey(images).mean((1, 2))


def contrast(images: Tensor) -> Tensor:
    """Standard deviation of the pixels, in grey levels."""
    return grey(images).std((1, 2), correction=0)


def background(images: Tensor) -> Tensor:
    """Mean of the pixels that are neither garment nor outline, in grey levels: 0 is a clean background."""
    return _mean_over(grey(images), 1 - _grown(_mask(images)))


def outline_sharpness(images: Tensor) -> Tensor:
    """Mean size of the gradient on the outline, in grey levels per pixel: blurred borders have less."""
    pixels, mask = grey(images), _mask(images)
    down = torch.nn.functional.pad(pixels.diff(dim=1), (0, 0, 0, 1))
    across = torch.nn.functional.pad(pixels.diff(dim=2), (0, 1))
    return _mean_over((down.square() + across.square()).sqrt(), _grown(mask) - _shrunk(mask))


def completeness(images: Tensor) -> Tensor:
    """Share of garment among the pixels that have garment on both sides of them, in their row or their column.

    1 is a body without holes.
    """
    mask = _mask(images)

    def spanned(dim):
        before, after = mask.cummax(dim).values, mask.flip(dim).cummax(dim).values.flip(dim)
        return before * after

    return mask.sum((1, 2)) / (spanned(1).maximum(spanned(2))).sum((1, 2)).clamp(min=1)


def texture(images: Tensor) -> Tensor:
    """Mean difference of a pixel from its four neighbours inside the garment, in grey levels: folds, prints, noise."""
    pixels, inside = grey(images), _shrunk(_mask(images))
    around = torch.nn.functional.pad(pixels.unsqueeze(1), (1, 1, 1, 1), mode="replicate").squeeze(1)
    neighbours = (around[:, :-2, 1:-1] + around[:, 2:, 1:-1] + around[:, 1:-1, :-2] + around[:, 1:-1, 2:]) / 4
    return _mean_over((pixels - neighbours).abs(), inside)


def symmetry(images: Tensor) -> Tensor:
    """Correlation of a picture with its mirror image, left to right: 1 is symmetric."""
    pixels = grey(images)
    centred = pixels - pixels.mean((1, 2), keepdim=True)
    return (centred * centred.flip(2)).sum((1, 2)) / centred.square().sum((1, 2)).clamp(min=1e-6)


def width(images: Tensor) -> Tensor:
    """Columns that hold some garment."""
    return _mask(images).amax(1).sum(1)


def height(images: Tensor) -> Tensor:
    """Rows that hold some garment."""
    return _mask(images).amax(2).sum(1)


def aspect(images: Tensor) -> Tensor:
    """Height over width; 1 where there is no garment."""
    return torch.where(width(images) > 0, height(images) / width(images).clamp(min=1), 1.0)


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


def measure(images: Tensor) -> Tensor:
    """All attributes, (n, len(ATTRIBUTES)), in their order."""
    return torch.stack([attribute(images) for attribute in ATTRIBUTES.values()], 1)
