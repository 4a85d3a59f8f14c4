"""Figures made of images: sheets, grids, the live picture, animations."""

import io
import math
from collections.abc import Sequence

import matplotlib
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..texts import say
from . import fonts, labels, palette
from .catalogue import WIDTH, house_style, report_figure, tell
from .palette import SIGNED

CHANGE = 20  # grey levels of full colour in figure 14


def montage(images: Tensor, gap: int = 2) -> np.ndarray:
    """Images (rows, columns, h, w) as one array, ``gap`` pixels of nan between them."""
    rows, columns, h, w = images.shape
    sheet = np.full((rows, h + gap, columns, w + gap), np.nan, dtype=np.float32)
    sheet[:, :h, :, :w] = images.detach().float().cpu().permute(0, 2, 1, 3).numpy()
    return sheet.reshape(rows * (h + gap), columns * (w + gap))[: rows * (h + gap) - gap, : columns * (w + gap) - gap]


def show_images(
    ax: Axes,
    images: Tensor,
    rows: Sequence[str] = (),
    title: str = "",
    top: Sequence[str] = (),
    limit: float = 1.0,
    cmap: str = "gray",
) -> AxesImage:
    """Images (rows, columns, h, w), any tensor, as a sheet in the axes ``ax``; what to give to `Figure.colorbar`.

    The colours of ``cmap`` span -``limit`` to ``limit``; nan is blank. ``rows`` and ``top`` are labels at the left of
    each row and above each column: as many as there are, or none.
    """
    h, w = images.shape[2] + 2, images.shape[3] + 2
    shown = ax.imshow(montage(images), cmap=cmap, vmin=-limit, vmax=limit)
    ax.set_yticks(np.arange(len(rows)) * h + h / 2 - 1.5, rows)
    ax.set_xticks(np.arange(len(top)) * w + w / 2 - 1.5, top)
    ax.xaxis.tick_top()
    ax.tick_params(length=0, pad=2)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set_title(title)
    return shown


@report_figure(3, "vanilla_latents")
def latent_cards(z: Tensor, images: Tensor, nearest: Tensor, distance: Tensor, real: Tensor) -> Figure:
    """Figure 3: vectors z (n, latent_dim), images G(z), nearest real images with their distance (n,), real images.

    Images are (n, 1, 28, 28). A vector is drawn row by row: z[0] top left, z[9] top right, z[99] bottom right.
    """
    n, side = len(z), math.ceil(z.shape[1] ** 0.5)
    cells = torch.full((n, side * side), torch.nan)
    cells[:, : z.shape[1]] = z
    cells = cells.view(1, n, side, side).repeat_interleave(3, 2).repeat_interleave(3, 3)  # (1, n, 30, 30) for 100
    figure = Figure(figsize=(WIDTH, 3.7))
    axes = figure.subplots(4, 1)
    vectors = say("figures.latents.vectors") if side == 10 else "z"
    shown = show_images(axes[0], cells, [vectors], top=[f"z{i + 1}" for i in range(n)], limit=3, cmap=SIGNED)
    figure.colorbar(shown, ax=axes[0], ticks=[-3, 0, 3], pad=0.01, extend="both")
    show_images(axes[1], images.transpose(0, 1), ["G(z)"])
    away = [f"{d:.0f}" for d in distance]
    show_images(axes[2], nearest.transpose(0, 1), [say("figures.latents.nearest")], top=away)
    show_images(axes[3], real.transpose(0, 1), [say("figures.latents.real")])
    return figure


@report_figure(4, "vanilla_dim_1")
@report_figure(5, "vanilla_dim_2", dims=2)
@report_figure(6, "vanilla_dim_3", dims=3)
@report_figure(7, "vanilla_dim_4", dims=4)
@report_figure(8, "vanilla_dim_5", dims=5)
@report_figure(13, "dcgan_dims")
def perturbation(
    base: Tensor, edited: Tensor, dims: list[int], values: list[float], broken: Tensor | None = None
) -> Figure:
    """Figures 4-8 and 13: base (n, 1, 28, 28) above its edits, and beside them edit minus base.

    ``edited`` is (len(dims), len(values), n, 1, 28, 28): z[dim] = value in every vector. At the right of a row
    stands its mean absolute change in grey levels (of 255). Where ``broken``, (len(dims), len(values), n), is true the
    edited picture has a frame: it no longer lies among real ones.
    """
    edited = edited.flatten(0, 1)  # (rows, n, 1, 28, 28)
    rows, n = edited.shape[:2]
    change = edited - base  # (rows, n, 1, 28, 28)
    names = [f"z[{dim}] = {value:g}".replace("-", "\u2212") for dim in dims for value in values]
    figure = Figure(figsize=(WIDTH, 0.385 * (rows + 1) + 0.35))
    left, right = figure.subplots(1, 2)
    title = say("figures.edits.one", dim=dims[0]) if len(dims) == 1 else say("figures.edits.several")
    base_row = say("figures.edits.base")
    show_images(left, torch.cat([base[None], edited])[:, :, 0], [base_row, *names], title)
    blank = torch.full_like(base[None], torch.nan)
    sheet = torch.cat([blank, change])[:, :, 0]
    shown = show_images(right, sheet, title=say("figures.edits.change"), cmap=SIGNED)
    right.text(n * 30 + 2, 13.5, say("figures.edits.mean"), va="center", fontsize=7.5, color=palette.QUIET)
    for row, amount in enumerate(change.abs().mean((1, 2, 3, 4)) * 127.5, start=1):
        right.text(n * 30 + 2, row * 30 + 13.5, f"{amount:.1f}", va="center", fontsize=7.5)
    bar = figure.colorbar(shown, ax=right, ticks=[-1, 0, 1], shrink=min(1.0, 5 / (rows + 1)), pad=0.12, extend="both",
                          fraction=0.06)  # fmt: skip
    bar.ax.set_yticklabels(["\u2212128", "0", "+128"])
    bar.set_label(say("figures.word.grey_levels"))
    framed = torch.zeros(rows, n, dtype=torch.bool) if broken is None else broken.flatten(0, 1).cpu().bool()
    for row, column in framed.nonzero().tolist():
        _frame(left, row + 1, column)
    which = {"dim": f"z[{dims[0]}]"} if len(dims) == 1 else {}
    return tell(figure, say("figures.edits.broken") if framed.any() else "", **which)


def _frame(ax: Axes, row: int, column: int) -> None:
    """A frame around one picture of a sheet."""
    place = (column * 30 - 1.0, row * 30 - 1.0)
    ax.add_patch(Rectangle(place, 29, 29, fill=False, ec=palette.WRONG, lw=1.3, clip_on=False))


@report_figure(28, "walks")
def walks(walks: dict[str, tuple[Tensor, Tensor]], classes: Sequence[str]) -> Figure:
    """Figure 28: for each network, by its name, pictures (w, steps, 1, 28, 28) of w walks, their classes (w, steps).

    Above each picture of a class that is new on its walk stands that class, over a line as long as the class lasts.
    """
    counts = [images.shape[0] for images, _ in walks.values()]
    steps = max(images.shape[1] for images, _ in walks.values())
    cell, room = WIDTH / steps, 13  # inches of a picture; pixels above it, for the name of a class
    figure = Figure(figsize=(WIDTH, cell * (1 + room / 30) * sum(counts) + 0.4 * len(counts)))
    axes = figure.subplots(len(walks), 1, squeeze=False, height_ratios=counts)[:, 0]
    for ax, (name, (images, ids)) in zip(axes, walks.items(), strict=True):
        rows = torch.nn.functional.pad(images[:, :, 0], (0, 0, room, 0), value=torch.nan)  # (w, steps, 28 + room, 28)
        show_images(ax, rows, title=labels.network(name))
        for row, own in enumerate(ids.tolist()):
            starts = [i for i, one in enumerate(own) if i == 0 or one != own[i - 1]]
            for start, end in zip(starts, [*starts[1:], len(own)], strict=True):
                line = row * (30 + room) + room - 3
                ax.plot([start * 30, end * 30 - 3], [line, line], color=palette.INK, lw=1, solid_capstyle="butt")
                said = labels.garment(classes[own[start]])
                ax.text(start * 30, line - 2, said, ha="left", va="bottom", fontsize=7.5)
    return figure


@report_figure(12, "samples")
def samples(rows: dict[str, Tensor]) -> Figure:
    """Figure 12: a row of images (n, 1, 28, 28) per label."""
    figure = Figure(figsize=(WIDTH, 0.84 * len(rows) + 0.1))
    sheet = torch.stack([images[:, 0] for images in rows.values()])
    show_images(figure.subplots(), sheet, [labels.row(name) for name in rows])
    return figure


@report_figure(29, "best")
def best(rows: dict[str, Tensor], classes: Sequence[str]) -> Figure:
    """Figure 29: a row of images (classes, 28, 28) per label, a picture of each class; nan is blank."""
    figure = Figure(figsize=(WIDTH, 7.4 / len(classes) * len(rows) + 0.3))
    said = [labels.garment(name) for name in classes]
    show_images(figure.subplots(), torch.stack([*rows.values()]), [labels.row(name) for name in rows], top=said)
    return figure


@report_figure(14, "train_mode")
def train_mode(before: dict[str, Tensor], after: dict[str, Tensor]) -> Figure:
    """Figure 14: per mode, images (n, 1, 28, 28) before and after an edit of the first vector alone, and the change."""
    figure = Figure(figsize=(WIDTH, 1.85))
    axes = figure.subplots(2, len(before), squeeze=False, height_ratios=[2.07, 1])
    for i, ((top, bottom), mode) in enumerate(zip(axes.T, before, strict=True)):
        change = after[mode] - before[mode]  # (n, 1, 28, 28)
        moved = int((change.abs().amax((1, 2, 3)) > 0.5 / 127.5).sum())  # by half a grey level somewhere
        title = say(f"figures.mode.{mode}", moved=moved, n=len(change))
        names = [say(f"figures.mode.{word}") if i == 0 else "" for word in ("before", "after", "change")]
        show_images(top, torch.stack([before[mode][:, 0], after[mode][:, 0]]), names[:2], title)
        show_images(bottom, change.transpose(0, 1), names[2:], limit=CHANGE / 127.5, cmap=SIGNED)
    return tell(figure, say("figures.mode.scale", limit=CHANGE))


@house_style()
def album(images: Tensor, columns: int = 16) -> Figure:
    """Images (n, 1, 28, 28) in rows of ``columns``; the last row is filled with blanks."""
    rows = -(-len(images) // columns)
    sheet = torch.full((rows * columns, *images.shape[2:]), torch.nan)
    sheet[: len(images)] = images[:, 0]
    side = WIDTH / max(columns, 10)  # inches of a picture
    figure = Figure(figsize=(side * columns, side * rows + 0.1))
    show_images(figure.subplots(), sheet.unflatten(0, (rows, columns)))
    return figure


@house_style()
def edit(base: Tensor, edited: Tensor, title: str) -> Figure:
    """The editor's state: base (n, 1, 28, 28) above edited, and edited minus base with its mean |change| per image."""
    figure = Figure(figsize=(WIDTH, 3.3))
    top, bottom = figure.subplots(2, 1, height_ratios=[2.07, 1])
    change = edited - base  # (n, 1, 28, 28)
    rows = [say("figures.edits.base"), say("figures.edits.edited")]
    show_images(top, torch.stack([base[:, 0], edited[:, 0]]), rows)
    top.set_title(title, fontsize=8)
    amounts = [f"{amount:.1f}" for amount in change.abs().mean((1, 2, 3)) * 127.5]
    shown = show_images(bottom, change.transpose(0, 1), [say("figures.edits.mean_change")], top=amounts, cmap=SIGNED)
    bar = figure.colorbar(shown, ax=bottom, ticks=[-1, 0, 1], pad=0.01, extend="both")
    bar.ax.set_yticklabels(["\u2212128", "0", "+128"])
    return figure


def grey_levels(images: Tensor) -> np.ndarray:
    """Images in [-1, 1] as uint8, 0 to 255: what a screen shows."""
    return ((images + 1) * 127.5).round().clip(0, 255).to(torch.uint8).numpy()


def signed_colours() -> bytes:
    """The colours of changes, from -1 to 1: 256 of red, green and blue."""
    return matplotlib.colormaps[SIGNED](np.arange(256), bytes=True)[:, :3].tobytes()


def animation(frames: list[tuple[str, Tensor]], scale: int = 4, seconds: float = 0.08) -> bytes:
    """A GIF that loops over (label, images (n, 1, 28, 28)): the images side by side under the label."""
    pictures, latin = [], all(label.isascii() for label, _ in frames)
    font = ImageFont.load_default(15) if latin else ImageFont.truetype(fonts.chinese(), 15)
    for label, images in frames:
        sheet = np.pad(grey_levels(images)[:, 0], ((0, 0), (0, 0), (0, 1)), constant_values=255)  # (n, 28, 29)
        sheet = sheet.transpose(1, 0, 2).reshape(28, -1).repeat(scale, 0).repeat(scale, 1)
        picture = Image.fromarray(np.pad(sheet, ((24, 0), (0, 0)), constant_values=255))
        ImageDraw.Draw(picture).text((4, 3), label, fill=0, font=font)
        pictures.append(picture)
    content = io.BytesIO()
    pictures[0].save(content, "GIF", save_all=True, append_images=pictures[1:], duration=round(seconds * 1000), loop=0)
    return content.getvalue()


@report_figure(17, "by_class")
def by_class(images: dict[str, Tensor], classes: list[str]) -> Figure:
    """Figure 17: for each set of images (len(classes), n, 28, 28) a block of n columns; a row for every class."""
    n, said = next(iter(images.values())).shape[1], [labels.garment(name) for name in classes]
    cell = min(0.55, (WIDTH - 1.0) / (n * len(images)))  # inches of a picture
    figure = Figure(figsize=(cell * n * len(images) + 1.0, cell * len(classes) + 0.4))
    for i, (ax, (name, sheet)) in enumerate(zip(figure.subplots(1, len(images)), images.items(), strict=True)):
        show_images(ax, sheet, said if i == 0 else [], labels.row(name))
    return figure
