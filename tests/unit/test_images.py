"""Pictures of the page: what is cut off, what is kept, where they lie."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from labkit.report import images

WHITE = np.full((60, 40, 3), 255, np.uint8)


def inked(rows, mode="RGB"):
    """A white picture with a black bar over ``rows``."""
    pixels = WHITE.copy()
    pixels[rows, 10:20] = 0
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(
    ("rows", "kept"),
    [(slice(20, 30), slice(12, 38)), (slice(3, 30), slice(0, 38)), (slice(20, 57), slice(12, 60))],
    ids=["both", "below", "above"],
)
def test_white_above_and_below_is_cut_but_for_a_margin(mode, rows, kept):
    picture = inked(rows, mode)
    seen = images.without_white(picture)
    assert seen.size == (40, kept.stop - kept.start) and images.MARGIN == 8
    np.testing.assert_array_equal(np.asarray(seen), np.asarray(picture)[kept])


def test_an_empty_picture_and_one_that_is_seen_through_stay_whole():
    assert images.without_white(Image.fromarray(WHITE)).size == (40, 60)
    clear = inked(slice(20, 30), "RGBA")
    clear.putpixel((0, 0), (255, 255, 255, 254))
    assert images.as_shown(clear).mode == "RGBA" and images.as_shown(clear).size == (40, 60)


def test_an_alpha_channel_that_hides_nothing_goes():
    seen = images.as_shown(inked(slice(20, 30), "RGBA"))
    assert seen.mode == "RGB" and seen.size == (40, 26)


def test_a_picture_beside_the_page_is_written_once_under_a_name_of_its_own():
    content = [io.BytesIO(), io.BytesIO()]
    for file, rows in zip(content, (slice(20, 30), slice(5, 50)), strict=True):
        inked(rows).save(file, "PNG")
    one, two = (base64.b64encode(file.getvalue()).decode() for file in content)
    body = "".join(f'<img alt="x" src="data:image/png;base64,{text}">' for text in (one, two, one))
    encoded, written = images.encode([body, body]), []

    def place(content, name):
        written.append((name, content))
        return f"pictures/{name}"

    seen = images.put(body, encoded, place)
    names = [name for name, _ in written]
    assert names[0] == names[2] != names[1] and all(name.endswith(".webp") for name in names)
    assert seen == "".join(f'<img alt="x" src="pictures/{name}">' for name in names)
    assert [Image.open(io.BytesIO(content)).height for _, content in written] == [26, 58, 26]
