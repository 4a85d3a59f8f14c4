"""Pictures of a page: every PNG in it as lossless WebP, less than half as large, inside the page or beside it."""

import base64
import io
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

from ..base.files import sha256

Place = Callable[[bytes, str], str]  # of the content of a WebP file and its name: the address that the page shows
PNG = re.compile(r'src="data:image/png;base64,([^"]+)"')


def encode(bodies: Iterable[str]) -> dict[str, bytes]:
    """The content of a WebP file for each PNG in ``bodies`` (HTML), by the PNG's base64 text."""
    found = sorted({text for body in bodies for text in PNG.findall(body)})
    with ThreadPoolExecutor() as pool:
        return dict(zip(found, pool.map(_webp, found), strict=True))


def put(body: str, encoded: Mapping[str, bytes], place: Place) -> str:
    """``body`` with every PNG replaced by its WebP, where ``place`` puts it."""
    return PNG.sub(lambda match: f'src="{place(encoded[match[1]], _name(match[1]))}"', body)


def inside(content: bytes, name: str) -> str:
    """The picture in the page itself, as a `Place`."""
    return f"data:image/webp;base64,{base64.b64encode(content).decode()}"


def _name(png: str) -> str:
    return f"{sha256(png.encode())[:16]}.webp"


def _webp(png: str) -> bytes:
    image, content = Image.open(io.BytesIO(base64.b64decode(png))), io.BytesIO()
    if image.mode == "RGBA" and image.getextrema()[3] == (255, 255):
        image = image.convert("RGB")
    image.save(content, "WEBP", lossless=True, exact=True, quality=50, method=2)
    return content.getvalue()
