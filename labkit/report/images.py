"""Pictures of a page: every PNG in it as lossless WebP, less than half as large, inside the page or beside it."""

import base64
import io
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from PIL import Image, ImageChops

from ..base.files import sha256

Place = Callable[[bytes, str], str]  # of the content of a WebP file and its name: the address that the page shows
MARGIN = 8  # rows of white that a picture may have above and below
PNG = re.compile(r'src="data:image/png;base64,([^"]+)"')


def encode(bodies: Iterable[str]) -> dict[str, bytes]:
    """The content of a WebP file for each PNG in ``bodies`` (HTML), by its base64 text; a damaged one has none."""
    found = sorted({text for body in bodies for text in PNG.findall(body)})
    with ThreadPoolExecutor() as pool:
        return {text: content for text, content in zip(found, pool.map(_webp, found), strict=True) if content}


def put(body: str, encoded: Mapping[str, bytes], place: Place) -> str:
    """``body`` with every PNG that is in ``encoded`` replaced by its WebP, where ``place`` puts it."""

    def placed(match: re.Match) -> str:
        text = match[1]
        return f'src="{place(encoded[text], f"{sha256(text.encode())[:16]}.webp")}"' if text in encoded else match[0]

    return PNG.sub(placed, body)


def inside(content: bytes, name: str) -> str:
    """The picture in the page itself, as a `Place`."""
    return f"data:image/webp;base64,{base64.b64encode(content).decode()}"


def as_shown(image: Image.Image) -> Image.Image:
    """``image`` as the page has it: without an alpha channel that hides nothing, and `without_white`."""
    opaque = image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255)
    return without_white(image.convert("RGB") if opaque else image)


def without_white(picture: Image.Image) -> Image.Image:
    """``picture`` without what is white above and below all else but for `MARGIN` rows; its width stays."""
    ink = ImageChops.invert(picture.convert("RGB")).getbbox() if picture.mode in ("RGB", "L") else None
    if ink is None:
        return picture
    top, bottom = max(0, ink[1] - MARGIN), min(picture.height, ink[3] + MARGIN)
    return picture.crop((0, top, picture.width, bottom))


def _webp(png: str) -> bytes:
    """The picture in base64 text ``png`` as the content of a WebP file; empty if it cannot be read."""
    content = io.BytesIO()
    try:
        picture = as_shown(Image.open(io.BytesIO(base64.b64decode(png))))
        picture.save(content, "WEBP", lossless=True, exact=True, quality=50, method=2)
    except (OSError, ValueError):
        return b""
    return content.getvalue()
