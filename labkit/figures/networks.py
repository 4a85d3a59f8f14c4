"""Figures of networks: their layers as boxes, grouped by the parts that the code names."""

import re
from itertools import groupby
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from ..gans.description import Layer
from ..texts import say
from . import labels, palette
from .catalogue import report_figure

MARGIN, BOX, ALONE = 0.22, 2.16, 3.0  # inches: for the names of parts, of a box, of a box that has the figure to itself
PARAMETERS = 0.5  # inches: for their number, at the right of a box
ROW, GAP = 0.25, 0.45  # inches of a row; rows between two parts


@report_figure(1, "vanilla_structure")
@report_figure(9, "dcgan_generator")
@report_figure(10, "dcgan_discriminator")
def structure(panels: list[tuple[str, tuple[int, ...], list[Layer]]]) -> Figure:
    """Figures 1, 9, 10: for each (title, input shape, layers of `description.describe`) a column of boxes."""
    widths = [2 if any(layer.part == "shortcut" for layer in layers) else 1 for _, _, layers in panels]
    drawn = [_places(layers) for _, _, layers in panels]
    depth = -min(y for places in drawn for y in places.rows)
    box = BOX if sum(widths) > 1 else ALONE
    column = MARGIN + box + 0.07
    figure = Figure(figsize=(column * sum(widths) + 0.06, ROW * (depth + 1.6) + 0.3))
    axes = figure.subplots(1, len(panels), squeeze=False, gridspec_kw={"width_ratios": widths})[0]
    for ax, width, (title, shape, layers), places in zip(axes, widths, panels, drawn, strict=True):
        ax.set_title(_titled(title))
        ax.set(xlim=(0, column * width), ylim=(-depth - 0.6, 0.95))
        ax.axis("off")
        total = say("figures.structure.parameters", parameters=sum(layer.parameters for layer in layers))
        ax.text(MARGIN + box, 0.72, total, ha="right", va="center", fontsize=7.5, color=palette.QUIET)
        _column(ax, shape, layers, places, box)
    return figure


def _titled(title: str) -> str:
    """A title like "(a) generator" or "DCGAN generator" in the language that is spoken."""
    found = re.fullmatch(r"(\(\w\) )?(?:(.+) )?(generator|discriminator)", title)
    if not found:
        return title
    part = say(f"figures.structure.{found[3]}")
    whole = say("figures.structure.of", network=labels.network(found[2]), part=part) if found[2] else part
    return f"{found[1] or ''}{whole}"


class Places(NamedTuple):
    """The rows, from 0 downwards, of the layers in the first column, and that of the sum; None if there is none."""

    rows: list[float]
    sum: float | None


def _places(layers: list[Layer]) -> Places:
    """The part `shortcut` has no row here: it stands beside `main` and is added to it before `output`."""
    rows, total, before, y = [], None, "", 0.0
    side = any(layer.part == "shortcut" for layer in layers)
    for layer in layers:
        if layer.part == "shortcut":
            continue
        y -= 1 + (GAP if layer.part != before else 0)
        if layer.part == "output" != before and side:
            total = y - GAP
            y -= 1 + GAP
        rows.append(y)
        before = layer.part
    return Places(rows, total)


def _box(ax: Axes, x: float, y: float, wide: float, label: str, shape: tuple[int, ...], parameters: int = 0) -> None:
    """A layer; those with parameters are grey."""
    face = "#E4E4E4" if parameters else "#FFFFFF"
    style = "round,pad=0,rounding_size=0.04"
    ax.add_patch(FancyBboxPatch((x, y - 0.4), wide, 0.8, boxstyle=style, mutation_aspect=4, fc=face, ec="0.65", lw=0.7))
    text: dict[str, Any] = {"va": "center", "fontsize": 7.5}
    label = label.replace(", spectral norm", say("figures.structure.spectral_norm")).replace("e-0", "e-")
    ax.text(x + 0.06, y, label, **text)
    ax.text(x + wide - PARAMETERS - 0.07, y, "\u00d7".join(map(str, shape)), ha="right", **text)
    ax.text(x + wide - 0.06, y, f"{parameters:,}" if parameters else "", ha="right", color=palette.QUIET, **text)


def _part(ax: Axes, x: float, top: float, bottom: float, name: str) -> None:
    """The bracket of a part, at the left of its boxes, with the name that it has in the code."""
    x -= 0.05
    ax.plot([x + 0.03, x, x, x + 0.03], [top + 0.4, top + 0.4, bottom - 0.4, bottom - 0.4], color=palette.QUIET, lw=0.8)
    ax.text(x - 0.02, (top + bottom) / 2, name, rotation=90, ha="right", va="center", fontsize=7.5, color=palette.INK)


def _column(ax: Axes, shape: tuple[int, ...], layers: list[Layer], places: Places, box: float) -> None:
    """Boxes from top to bottom, by parts, and the shortcut beside them."""
    middle = MARGIN + box / 2
    _box(ax, MARGIN, 0, box, say("figures.structure.input"), shape)
    own = [layer for layer in layers if layer.part != "shortcut"]
    stops = sorted([0.0, *places.rows, *([] if places.sum is None else [places.sum])], reverse=True)
    for above, y in zip(stops, stops[1:], strict=False):
        if above - y > 1.01:  # from part to part
            ends = (
                (middle, y + (0.3 if y == places.sum else 0.42)),
                (middle, above - (0.3 if above == places.sum else 0.4)),
            )
            ax.annotate("", *ends, arrowprops=_arrow(0.8))
    for layer, y in zip(own, places.rows, strict=True):
        _box(ax, MARGIN, y, box, layer.label, layer.shape, layer.parameters)
    for part, rows in groupby(zip(own, places.rows, strict=True), key=lambda pair: pair[0].part):
        ys = [y for _, y in rows]
        _part(ax, MARGIN, ys[0], ys[-1], part)
    side = [layer for layer in layers if layer.part == "shortcut"]
    if side and places.sum is not None:
        _shortcut(ax, side, places.sum, box)


def _arrow(width: float) -> dict:
    head = f"-|>,head_width={0.12 + 0.06 * width},head_length={0.24 + 0.12 * width}"
    return {"arrowstyle": head, "color": palette.INK, "lw": width, "shrinkA": 0, "shrinkB": 0}


def _shortcut(ax: Axes, side: list[Layer], total: float, box: float) -> None:
    """The residual connection: from the input around `main` to the sum, seen at once."""
    middle, column, heavy, top = MARGIN + box / 2, MARGIN + box + 0.07, 2.2, total / 2
    x, bottom = column + middle, top - len(side) + 1
    line: dict[str, Any] = {"color": palette.INK, "lw": heavy, "solid_capstyle": "butt"}
    ax.plot([MARGIN + box, x, x], [0, 0, top + 0.6], solid_joinstyle="miter", **line)
    ax.annotate("", (x, top + 0.42), (x, top + 1.2), arrowprops=_arrow(heavy))
    for i, layer in enumerate(side):
        _box(ax, column + MARGIN, top - i, box, layer.label, layer.shape, layer.parameters)
    _part(ax, column + MARGIN, top, bottom, "shortcut")
    ax.plot([x, x, middle + 0.4], [bottom - 0.4, total, total], solid_joinstyle="miter", **line)
    ax.annotate("", (middle + 0.13, total), (middle + 0.6, total), arrowprops=_arrow(heavy))
    ring = {"boxstyle": "circle,pad=0.2", "fc": "white", "ec": palette.INK, "lw": 1.2}
    ax.text(middle, total, "+", ha="center", va="center", fontsize=9, fontweight="bold", bbox=ring)
    ax.text(
        x + 0.07, (bottom + total) / 2, say("figures.structure.residual"), fontsize=8, fontweight="bold", va="center"
    )
