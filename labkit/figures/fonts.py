"""The font of the Chinese edition: in a package, or on this machine."""

import contextlib
import dataclasses
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from matplotlib import font_manager

from ..base.errors import LabError
from ..texts import edition

LATIN = "DejaVu Sans"  # comes with matplotlib; what it lacks is taken from the other font, letter by letter
PACKAGE, FILE = "pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf"  # Noto Sans SC, SIL Open Font License 1.1
INSTALLED = (  # with Simplified Chinese: on Linux, macOS, Windows
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Source Han Sans CN", "WenQuanYi Micro Hei"),
    *("WenQuanYi Zen Hei", "Droid Sans Fallback", "Noto Sans CJK JP", "PingFang SC", "Hiragino Sans GB", "Heiti SC"),
    *("STHeiti", "Songti SC", "Arial Unicode MS", "Microsoft YaHei", "DengXian", "SimHei", "SimSun"),
)
SAMPLE = "\u751f\u6210\u5668\u9690\uff0c"  # a font of another script lacks one of these


@cache
def chinese() -> Path:
    """The file of a font with Simplified Chinese: that of the package, else one that is installed.

    It may hold several fonts (.ttc): the first is meant, which is what matplotlib takes.

    Raises:
        LabError: there is none.
    """
    spec = find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(folder, FILE)).is_file():
            return path
    for look in (_listed, _scanned):  # matplotlib's list is kept from an earlier day, and may lack a new font
        found = look()
        for name in INSTALLED:
            if name in found and _speaks_chinese(found[name]):
                return found[name]
    raise LabError(
        "the Chinese edition needs a font with Chinese letters, and there is none on this machine:"
        f" 'pip install {PACKAGE.replace('_', '-')}' brings Noto Sans SC (17 MB, SIL Open Font License)"
    )


def check(language: str) -> None:
    """Make sure, before any work is done, that figures in ``language`` can be drawn.

    Raises:
        LabError: they need a font that is not there.
    """
    if language == "zh":
        chinese()


def families() -> list[str]:
    """The font families of a figure in the language that is spoken, for rcParams; the Chinese one is made known.

    Raises:
        LabError: there is no font for this language.
    """
    if edition() != "zh":
        return [LATIN]
    path = chinese()
    known = {entry.fname: entry.name for entry in font_manager.fontManager.ttflist}
    if str(path) not in known:
        font_manager.fontManager.addfont(path)
        added = next(entry for entry in font_manager.fontManager.ttflist if entry.fname == str(path))
        # One weight is all that it has: that of bold letters too.
        font_manager.fontManager.ttflist.append(dataclasses.replace(added, weight=700))
        known = {entry.fname: entry.name for entry in font_manager.fontManager.ttflist}
    return [LATIN, known[str(path)]]


def _listed() -> dict[str, Path]:
    """Files of the fonts that matplotlib knows, by family."""
    return {entry.name: Path(entry.fname) for entry in reversed(font_manager.fontManager.ttflist)}


def _scanned() -> dict[str, Path]:
    """Files of the fonts that lie where this system keeps them, by family."""
    found: dict[str, Path] = {}
    for name in sorted(font_manager.findSystemFonts()):
        with contextlib.suppress(OSError, RuntimeError):
            found.setdefault(font_manager.get_font(name).family_name, Path(name))
    return found


def _speaks_chinese(path: Path) -> bool:
    """Whether the font in ``path`` has the letters of `SAMPLE`."""
    try:
        has = font_manager.get_font(path).get_charmap()
    except (OSError, RuntimeError):  # what FreeType raises for a damaged file
        return False
    return all(ord(letter) in has for letter in SAMPLE)
