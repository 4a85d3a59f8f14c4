"""The letters of a page that its reader's machine may lack, as a font inside the page."""

import base64
import io
import logging
import re
from pathlib import Path

from ..figures import fonts
from ..texts import edition

FAMILY = "Report Chinese"
# What is taken from the font: Chinese letters and what goes with them, the dashes and quotes that are as wide there.
RANGES = ((0x2014, 0x2014), (0x2018, 0x201D), (0x2026, 0x2026), (0x2E80, 0x9FFF), (0xF900, 0xFAFF), (0xFE30, 0xFFEF))
# What our lists of families begin with.
STACK = re.compile(r'(?:system-ui|Georgia|ui-monospace|"DejaVu Sans Condensed")(?=,)')


def letters_of(page: str) -> str:
    """The letters of ``page`` that are taken from the font, in order."""
    return "".join(sorted({letter for letter in page if any(low <= ord(letter) <= high for low, high in RANGES)}))


def face(font: Path, letters: str) -> str:
    """The rule that gives a page the ``letters`` of ``font``, which are inside it, as WOFF, under the name `FAMILY`."""
    from fontTools import subset

    options = subset.Options(flavor="woff", font_number=0, notdef_outline=True, name_IDs=[0, 1, 2, 13, 14])
    options.layout_features = ["halt"]  # by which a browser closes the gap between two punctuation marks
    options.drop_tables += ["GSUB", "BASE", "vhea", "vmtx", "VORG", "DSIG", "MATH"]
    logging.getLogger("fontTools").setLevel(logging.ERROR)  # it tells of every table that it leaves out
    loaded = subset.load_font(str(font), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=letters)
    subsetter.subset(loaded)
    content = io.BytesIO()
    loaded.flavor = "woff"
    loaded.save(content, reorderTables=True)
    ranges = ",".join(f"U+{low:X}-{high:X}" if low < high else f"U+{low:X}" for low, high in RANGES)
    data = base64.b64encode(content.getvalue()).decode()
    return (
        f'@font-face {{ font-family: "{FAMILY}"; src: url(data:font/woff;base64,{data}) format("woff");'
        f" unicode-range: {ranges}; }}"
    )


def first(style: str) -> str:
    """``style`` with the font before every list of families: of its letters, the font's own are taken."""
    return STACK.sub(rf'"{FAMILY}", \g<0>', style)


def with_letters(page: str) -> str:
    """``page``, in Chinese with those of its letters inside that a reader's machine may lack; else as it is.

    Raises:
        LabError: there is no font that has them.
    """
    letters = letters_of(page) if edition() == "zh" else ""
    if not letters:
        return page
    head, style, rest = re.split(r"(?<=<style>)(.*?)(?=</style>)", page, maxsplit=1, flags=re.S)
    return f"{head}\n{face(fonts.chinese(), letters)}\n{first(style)}{rest}"
