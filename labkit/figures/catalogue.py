"""The catalogue of the report's figures, their look, and how they are written and shown.

A figure stands in the catalogue by the decorator `report_figure` of the function that draws it, in any file of this
folder: a new figure needs no entry elsewhere.
"""

import base64
import contextlib
import html
import io
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from weakref import WeakKeyDictionary
from xml.etree import ElementTree

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from ..base import paths
from ..base.errors import LabError
from ..base.files import write_atomic
from ..texts import edition, say
from . import fonts

# number: file name, and the caption of a figure that has none in texts/<language>/figures.toml; complete and in order
# once the room is imported
FIGURES: dict[int, tuple[str, str]] = {}
NEEDED: dict[
    int, int
] = {}  # number: so many dimensions a report has to edit, that there is this figure; else one will do

SAME = 4  # of 255: the widest step between neighbours in our colour maps (4 in SIGNED, 2 in grey)
WIDTH = 7.4  # inches: of a figure as wide as the page; A4 leaves 7.0 for it, so that 7.5 points print as 7.1
PIXELS = 130  # CSS pixels for an inch: 962 for such a figure, as wide as the page's column

_style_lock = threading.RLock()  # rcParams belong to the whole process, and sliders are served beside the cells


@contextlib.contextmanager
def house_style() -> Iterator[None]:
    """The look of every figure, report.mplstyle over matplotlib's own defaults: a context, or a decorator.

    The reader's rcParams have no part in it, and are as before afterwards. The backend is left alone.
    """
    spoken: dict = {"font.family": fonts.families()}
    if len(spoken["font.family"]) > 1:  # of the Chinese font there is one weight
        spoken["axes.titleweight"] = "normal"
    with _style_lock, matplotlib.style.context(["default", Path(__file__).with_name("report.mplstyle"), spoken]):
        yield


def report_figure(
    number: int, slug: str, caption: str = "", dims: int = 1
) -> Callable[[Callable[..., Figure]], Callable[..., Figure]]:
    """Decorator: the function draws figure ``number`` of the report, in `house_style`. One may draw several figures.

    ``slug`` is the file's name after its number, ``caption`` a sentence of plain text, unless [caption] of
    texts/<language>/figures.toml has one for ``slug``. A report that edits fewer than ``dims`` dimensions goes without
    the figure.

    Raises:
        LabError: another figure has this number or slug.
    """
    for taken, (name, _) in FIGURES.items():
        if number == taken or slug == name:
            raise LabError(f"figure {number}, {slug}: there is a figure {taken}, {name}: take another number and name")

    def register(draw: Callable[..., Figure]) -> Callable[..., Figure]:
        entries = sorted([*FIGURES.items(), (number, (slug, caption))])
        FIGURES.clear()
        FIGURES.update(entries)
        NEEDED[number] = dims
        return house_style()(draw)

    return register


_told: WeakKeyDictionary[Figure, tuple[dict[str, object], list[str]]] = WeakKeyDictionary()


def tell(figure: Figure, *sentences: str, **fields: object) -> Figure:
    """``figure``, whose caption is to know ``fields`` and to end in ``sentences``, for instance on its marks."""
    known, after = _told.setdefault(figure, ({}, []))
    known.update(fields)
    after += [sentence for sentence in sentences if sentence]
    return figure


def caption(number: int, figure: Figure | None = None) -> str:
    """The caption of figure ``number`` in the language that is spoken, without its number.

    What is drawn in ``figure`` fills it; without one it speaks of any.
    """
    slug, given = FIGURES[number]
    known, after = _told.get(figure, ({}, [])) if figure else ({}, [])
    fields = {"dim": say("figures.word.a_dimension")} | known
    return say("figures.space").join([say(f"figures.caption.{slug}", given or None, **fields), *after])


@dataclass(frozen=True)
class Published:
    """A saved figure; a notebook shows it with its caption."""

    png: Path
    caption: str
    width: int  # on the page, in CSS pixels
    number: int

    def _repr_html_(self) -> str:
        return on_page(self.png.read_bytes(), self.caption, self.width, self.number)


def on_page(png: bytes, caption: str, width: int, number: int | None = None) -> str:
    """A PNG file as an HTML figure with its caption, ``width`` in CSS pixels; the file is inside.

    A figure of the report says its ``number`` in data-figure, in whatever language the caption is.
    """
    data, text = base64.b64encode(png).decode(), html.escape(caption)
    numbered = "" if number is None else f' data-figure="{number}"'
    return (
        f'<figure{numbered} style="margin:1em 0"><img width="{width}" style="max-width:100%" alt="{text}"'
        f' src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'
    )


def expected(dims: int) -> dict[int, tuple[str, str]]:
    """Those of `FIGURES` that a report has which edits so many ``dims``: file name, and caption as it is spoken."""
    return {number: (slug, caption(number)) for number, (slug, _) in FIGURES.items() if NEEDED.get(number, 1) <= dims}


def publish(figure: Figure | None, number: int, profile: str, note: str = "") -> Published | None:
    """Save figure ``number`` as PNG and SVG under figures/<profile>/ and return it for display with its caption.

    Without a figure nothing happens: the report runner knows which of them a report may lack. The ``note`` follows the
    caption.

    The report runner collects figures elsewhere first (LABKIT_FIGURES), to publish all of them or none.
    """
    if number not in FIGURES:
        raise LabError(f"figure = {number} is not in the report: its figures are 1 to {max(FIGURES)}")
    if figure is None:
        return None
    folder = paths.COLLECT or paths.FIGURES / (profile if edition() == "en" else f"{profile}-{edition()}")
    path = save(figure, folder, f"fig{number:02d}_{FIGURES[number][0]}")
    words = say("figures.space").join(part for part in (caption(number, figure), note) if part)
    text = say("figures.numbered", number=number, caption=words)
    return Published(path, text, round(figure.get_figwidth() * PIXELS), number)


def save(figure: Figure, folder: Path, name: str) -> Path:
    """Write ``folder/name.svg`` and ``.png``, each whole or not at all; the path of the PNG.

    Where both are there and look the same (`unchanged`), they stay as they are.
    """
    files, png = encode(figure), folder / f"{name}.png"
    if not unchanged(png, files["png"]):
        for kind, content in files.items():
            write_atomic(folder / f"{name}.{kind}", content)
    return png


def encode(figure: Figure) -> dict[str, bytes]:
    """``figure`` as the content of a file, by kind: svg, png. The same figure gives the same bytes."""
    files = {}
    for kind, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
        content = io.BytesIO()
        with house_style():
            figure.savefig(content, format=kind, metadata=metadata)
        files[kind] = content.getvalue()
    return files


def same_to_the_eye(old: bytes, new: bytes) -> bool:
    """Whether two PNG files have one size, and no channel of a pixel differs by more than `SAME` of 255.

    Another CPU rounds the last bit of a float otherwise, and a grey level or a colour moves by one step; a letter, a
    digit or a dot that changes is far more. A damaged file is like no other.
    """
    try:
        for content in (old, new):
            Image.open(io.BytesIO(content), formats=["PNG"]).verify()  # its checksums, which reading passes over
        a, b = (np.asarray(Image.open(io.BytesIO(content)).convert("RGBA"), np.int16) for content in (old, new))
    except (OSError, SyntaxError, ValueError):  # what Pillow raises for a damaged file
        return False
    whole = old[-12:] == new[-12:]  # every PNG ends alike, and Pillow does not look
    return whole and a.shape == b.shape and bool(abs(a - b).max() <= SAME)


def unchanged(png: Path, new: bytes) -> bool:
    """Whether the file ``png`` looks like ``new``, the content of its successor, and its SVG is there and whole."""
    try:
        ElementTree.parse(png.with_suffix(".svg"))
        return same_to_the_eye(png.read_bytes(), new)
    except (OSError, SyntaxError, ValueError, LookupError):  # none, or a damaged one
        return False


def keep_unchanged(new: Path, old: Path) -> None:
    """Put the pair of files of every figure in ``old`` that looks the same in the place of the one in ``new``.

    So pictures under version control change only where there is something to see, whichever CPU drew them.
    """
    for png in new.glob("*.png"):
        if unchanged(old / png.name, png.read_bytes()):
            for name in (png.name, png.with_suffix(".svg").name):
                shutil.copyfile(old / name, new / name)
