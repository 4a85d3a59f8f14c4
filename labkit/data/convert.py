"""Pictures of any size and kind as grey levels, uint8 (28, 28), bright on a dark ground: as the data sets have them.

A picture is turned as its EXIF tag says, made grey (ITU-R 601), made as large as fits into 28 x 28 with its proportions
kept, and put in the middle; what is left of the square has the median grey of the picture's own edge. What is
transparent gets a ground, and what is light all around is inverted: both are decided for a whole set at once.
"""

import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ..base.errors import LabError

SIDE = 28
MOST = 100_000_000  # pixels of a picture: a larger one may be meant to fill the memory
SUFFIXES = frozenset(
    [
        ".png",
        ".jpg",
        ".jpeg",
        ".jfif",
        ".bmp",
        ".gif",
        ".tif",
        ".tiff",
        ".webp",
        ".pgm",
        ".ppm",
        ".pbm",
        ".pnm",
        ".avif",
    ]
)


def read_picture(path: Path) -> Image.Image:
    """The picture in the file ``path``, of an animation the first, with its pixels read.

    Raises:
        LabError: why it cannot be used, in a few words: the caller names the file.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            if picture.width * picture.height > MOST:
                raise Image.DecompressionBombError
            picture.draft("L", (4 * SIDE, 4 * SIDE))  # of a JPEG, no more than is needed
            return ImageOps.exif_transpose(picture)
    except Image.DecompressionBombError:
        raise LabError(f"more than {MOST // 10**6} million pixels") from None
    except Image.UnidentifiedImageError:
        raise LabError("no picture") from None
    except Exception as error:  # whatever a damaged file makes Pillow raise
        raise LabError((str(error) or type(error).__name__).splitlines()[0]) from None


def small(picture: Image.Image) -> tuple[np.ndarray, float | None]:
    """``picture`` in 28 x 28: (2, 28, 28) uint8, on a white and on a black ground, and how bright its opaque part is.

    Without transparency both are the same, and the brightness is None.

    Raises:
        LabError: its pixels are of a kind that has no grey levels we know.
    """
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        levels = np.asarray(picture, np.float64)
        if picture.mode == "F" or levels.min() < 0 or levels.max() > 65535:
            raise LabError(f"pixels of the kind {picture.mode}, from {levels.min():g} to {levels.max():g}")
        deep = picture.mode.startswith("I;16") or levels.max() > 255
        picture = Image.fromarray((levels / 257 if deep else levels).round().astype(np.uint8))
    if not (picture.has_transparency_data or picture.mode in ("RGBA", "LA", "PA", "La", "RGBa")):
        one = _fitted(picture.convert("L"))
        return np.stack([one, one]), None
    full = picture.convert("RGBA")
    grey, alpha = np.asarray(full.convert("RGB").convert("L"), np.float64), np.asarray(full.getchannel("A")) / 255
    if alpha.min() == 1:  # transparency that nothing uses
        one = _fitted(full.convert("L"))
        return np.stack([one, one]), None
    grounds = [Image.fromarray((grey * alpha + ground * (1 - alpha)).round().astype(np.uint8)) for ground in (255, 0)]
    return np.stack([_fitted(one) for one in grounds]), float((grey * alpha).sum() / max(alpha.sum(), 1e-9))


def _fitted(grey: Image.Image) -> np.ndarray:
    """``grey``, of mode L, as large as fits, in the middle of (28, 28)."""
    pixels = np.asarray(grey)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    if grey.size != (SIDE, SIDE):
        scale = SIDE / max(grey.size)
        size = max(1, round(scale * grey.width)), max(1, round(scale * grey.height))
        how = (
            Image.Resampling.BOX
            if scale < 0.25
            else Image.Resampling.LANCZOS
            if scale < 1
            else Image.Resampling.BICUBIC
        )
        grey = grey.resize(size, how)
    square = Image.new("L", (SIDE, SIDE), int(np.median(edge)))
    square.paste(grey, ((SIDE - grey.width) // 2, (SIDE - grey.height) // 2))
    return np.asarray(square)


def grounds(images: np.ndarray) -> np.ndarray:
    """How light ``images``, uint8 (n, 28, 28), are all around, (n,): the median of their outermost pixels."""
    return np.median(np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], 1), 1)
