"""The functions that draw the figures: arrays in, matplotlib `Figure` out; `publish` saves and shows one."""

import base64
import html
import io
import math
import os
from dataclasses import dataclass
from pathlib import Path

import matplotlib.style
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import LogLocator, NullLocator
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .models import Layer
from .system import ROOT, LabError, write_atomic

matplotlib.style.use(Path(__file__).with_name("report.mplstyle"))

CHANGE = 20  # grey levels of full colour in figure 14

# Number: file name, caption.
FIGURES = {
    1: ("vanilla_structure", "Vanilla GAN: (a) generator, (b) discriminator. Output shape and parameters of each layer."),
    2: ("vanilla_losses", "Vanilla GAN: losses, and what the discriminator answers, over training."),
    3: ("vanilla_latents", "Eight latent vectors of our own, what the vanilla GAN makes of them, and the nearest real images."),
    4: ("vanilla_dim_1", "Vanilla GAN: the first of five dimensions of z is set, everything else kept."),
    5: ("vanilla_dim_2", "Vanilla GAN: the second of five dimensions of z is set, everything else kept."),
    6: ("vanilla_dim_3", "Vanilla GAN: the third of five dimensions of z is set, everything else kept."),
    7: ("vanilla_dim_4", "Vanilla GAN: the fourth of five dimensions of z is set, everything else kept."),
    8: ("vanilla_dim_5", "Vanilla GAN: the fifth of five dimensions of z is set, everything else kept."),
    9: ("dcgan_generator", "DCGAN generator. Output shape and parameters of each layer."),
    10: ("dcgan_discriminator", "DCGAN discriminator. Output shape and parameters of each layer."),
    11: ("dcgan_losses", "DCGAN: losses, and what the discriminator answers, over training."),
    12: ("samples", "Eight real images, eight DCGAN samples, eight vanilla GAN samples."),
    13: ("dcgan_dims", "DCGAN: five dimensions of z, one at a time, in the same eight vectors."),
    14: ("train_mode", f"DCGAN: the same edit of one vector, sampled in eval mode and in train mode. Full colour is {CHANGE} grey levels."),
    15: ("atlas", "What each dimension of z does, from \u22123 to 3, beside what random directions do. A dot: more than they do."),
    16: ("ranking", "How far each dimension moves the image, in order, with 95 % intervals, beside random directions."),
    17: ("by_class", "Real images and samples of both networks, sorted into classes by the ruler."),
    18: ("loss_movement", "The losses of both networks on one scale: level, and swing."),
    19: ("directions", "Directions found by four methods, and the axis that does most for each measure, beside what random directions do."),
}
BLUE, ORANGE = "#0072B2", "#D55E00"
SIGNED = "PuOr_r"  # orange is positive (brighter), violet negative


@dataclass(frozen=True)
class Published:
    """A saved figure; a notebook shows it with its caption."""

    png: Path
    caption: str
    width: int  # on the page, in CSS pixels

    def _repr_html_(self) -> str:
        return on_page(self.png.read_bytes(), self.caption, self.width)


def on_page(png: bytes, caption: str, width: int) -> str:
    """A PNG file as an HTML figure with its caption, ``width`` in CSS pixels; the file is inside."""
    data, text = base64.b64encode(png).decode(), html.escape(caption)
    return (
        f'<figure style="margin:1em 0"><img width="{width}" style="max-width:100%" alt="{text}"'
        f' src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'
    )


def publish(figure: Figure, number: int, profile: str, note: str = "") -> Published:
    """Save figure ``number`` as PNG and SVG under figures/<profile>/ and return it for display with its caption.

    The report runner collects figures elsewhere first (LABKIT_FIGURES), to publish all of them or none.
    """
    if number not in FIGURES:
        raise LabError(f"figure = {number} is not in the report: its figures are 1 to {max(FIGURES)}")
    slug, caption = FIGURES[number]
    folder = Path(os.environ.get("LABKIT_FIGURES") or ROOT / "figures" / profile)
    path = save(figure, folder, f"fig{number:02d}_{slug}")
    return Published(path, f"Figure {number}. {caption} {note}".strip(), round(figure.get_figwidth() * 90))


def save(figure: Figure, folder: Path, name: str) -> Path:
    """Write ``folder/name.svg`` and ``.png``, whole or not at all and always with the same bytes; the path of the PNG."""
    for kind, content in encode(figure).items():
        path = write_atomic(folder / f"{name}.{kind}", content)
    return path


def encode(figure: Figure) -> dict[str, bytes]:
    """``figure`` as the content of a file, by kind: svg, png. The same figure gives the same bytes."""
    files = {}
    for kind, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
        content = io.BytesIO()
        figure.savefig(content, format=kind, metadata=metadata)
        files[kind] = content.getvalue()
    return files


def structure(panels: list[tuple[str, tuple[int, ...], list[Layer]]]) -> Figure:
    """Figures 1, 9, 10: for each (title, input shape, layers of `models.describe`) a column of boxes."""
    widths = [2 if any(layer.part == "shortcut" for layer in layers) else 1 for _, _, layers in panels]
    rows = max(sum(layer.part != "shortcut" for layer in panel[2]) + width for panel, width in zip(panels, widths))
    figure = Figure(figsize=(4.3 * sum(widths), 0.34 * rows + 0.6))
    axes = figure.subplots(1, len(panels), squeeze=False, gridspec_kw={"width_ratios": widths})[0]
    for ax, width, (title, shape, layers) in zip(axes, widths, panels):
        ax.set_title(f"{title}: {sum(layer.parameters for layer in layers):,} parameters")
        ax.set(xlim=(0, width), ylim=(-rows - 0.5, 1.0))
        ax.axis("off")
        for x, text in ((0.74, "output"), (0.93, "parameters")):
            ax.text(x, 0.7, text, ha="right", va="center", fontsize=8, color="0.35")
        _column(ax, shape, layers)
    return figure


_KINDS = {"Linear": "#cfe3f2", "Conv2d": "#cfe3f2", "BatchNorm": "#fbe3cf", "Upsample": "#d3ede3", "input": "#dddddd"}


def _column(ax, shape: tuple[int, ...], layers: list[Layer]) -> None:
    """Boxes from top to bottom; the part `shortcut` stands beside `main` and is added to it before `output`."""

    def box(x, y, label, shape, parameters=0):
        colour = next((c for kind, c in _KINDS.items() if label.startswith(kind)), "#f6f6f6")
        outline = FancyBboxPatch((x + 0.01, y - 0.4), 0.94, 0.8, boxstyle="round,pad=0,rounding_size=0.015", fc=colour, ec="0.6")
        ax.add_patch(outline)
        text = dict(va="center", fontsize=8.5)
        ax.text(x + 0.03, y, label, **text)
        ax.text(x + 0.74, y, "\u00d7".join(map(str, shape)), ha="right", **text)
        ax.text(x + 0.93, y, f"{parameters:,}" if parameters else "", ha="right", color="0.35", **text)

    def arrow(*points):
        ax.plot(*zip(*points), color="0.3", lw=1.2)
        ax.annotate("", points[-1], points[-2], arrowprops={"arrowstyle": "-|>", "color": "0.3", "shrinkA": 0, "shrinkB": 0})

    box(0, 0, "input", shape)
    side = [layer for layer in layers if layer.part == "shortcut"]
    y = 0
    for layer in layers:
        if layer.part == "shortcut":
            continue
        y -= 1
        if layer.part == "output" and side:  # the sum of both branches feeds the output
            top = y // 2
            arrow((0.95, 0), (1.5, 0), (1.5, top + 0.4))
            for i, branch in enumerate(side):
                box(1.02, top - i, branch.label, branch.shape, branch.parameters)
            arrow((1.5, top - len(side) + 0.6), (1.5, y), (0.51, y))
            arrow((0.48, y + 0.6), (0.48, y - 0.6))
            ax.text(0.48, y, "+", ha="center", va="center", bbox={"boxstyle": "circle", "fc": "white", "ec": "0.3"})
            side = []
            y -= 1
        box(0, y, layer.label, layer.shape, layer.parameters)


def loss_curves(history: Tensor, title: str, scores: list[dict] = (), alarms: list[dict] = ()) -> Figure:
    """Figures 2 and 11 from a history (epochs, steps, 4): losses, and D(x) and D(G(z)), with their equilibria.

    Faint: every step. Line: mean over a tenth of an epoch (an epoch, if there are many). Dots: means over an
    epoch, about twenty of them.
    With ``scores`` (`watch.read`), a third panel: what the pictures were worth meanwhile; ``alarms`` are marked in it.
    """
    epochs, steps, _ = history.shape
    few = epochs <= 20
    window = max(1, steps // 10) if few else steps
    values = history.flatten(0, 1).numpy()  # (epochs * steps, 4)
    windows = values[: len(values) // window * window].reshape(-1, window, values.shape[1]).mean(1)

    panels = 3 if scores else 2
    figure = Figure(figsize=(5.5 * panels if panels == 2 else 15, 4.2))
    left, right, *rest = figure.subplots(1, panels)
    for ax, column, colour, marker, label in (
        (left, 0, BLUE, "o", "D"),
        (left, 1, ORANGE, "s", "G"),
        (right, 2, BLUE, "o", "D(x)"),
        (right, 3, ORANGE, "s", "D(G(z))"),
    ):
        ax.plot((np.arange(len(values)) + 0.5) / steps, values[:, column], color=colour, alpha=0.2, lw=0.5, rasterized=True)
        ax.plot((np.arange(len(windows)) + 0.5) * window / steps, windows[:, column], color=colour, lw=1.5)
        means = history[..., column].mean(1).numpy()
        ax.plot(np.arange(epochs) + 0.5, means, marker, color=colour, mec="white", ms=8 if few else 6, markevery=max(1, epochs // 20), label=label)
    for ax, level, text, colour in (
        (left, 2 * np.log(2), "D at\nequilibrium:\n2 ln 2 = 1.386", BLUE),
        (left, np.log(2), "G at\nequilibrium:\nln 2 = 0.693", ORANGE),
        (right, 0.5, "D cannot\ntell: 0.5", "0.2"),
    ):
        ax.axhline(level, color="0.2", ls="--", lw=1)
        ax.text(1.02, level, text, transform=ax.get_yaxis_transform(), va="center", fontsize=9, color=colour)
    left.set(title=f"{title}: loss", ylabel="mean over the batch", ylim=(0, 1.15 * max(1.45, np.quantile(values[:, :2], 0.999))))
    right.set(title="answer of D", ylabel="mean probability of being real", ylim=(0, 1))
    for ax in (left, right):
        ax.set(xlabel="epoch", xlim=(0, epochs))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend(loc="lower right", bbox_to_anchor=(1.01, 0.98), ncols=2)
    for ax in rest:
        _score_curves(ax, scores, alarms, epochs)
    return figure


def _score_curves(ax, scores: list[dict], alarms: list[dict], epochs: int) -> None:
    """Frechet distance on the left axis, precision and recall on the right one."""
    epoch = [row["epoch"] for row in scores]
    distances = [row["frechet"] for row in scores]
    ax.plot(epoch, distances, "k.-", label="Frechet distance")
    ax.annotate("Frechet distance", (epoch[0], distances[0]), (6, 2), textcoords="offset points")
    ax.set(title="scores", xlabel="epoch", xlim=(0, epochs), ylabel="Frechet distance", yscale="log")
    ax.xaxis.get_major_locator().set_params(integer=True)
    _plain_log_ticks(ax)
    shares = ax.twinx()
    for name, colour, marker in (("precision", BLUE, "o"), ("recall", ORANGE, "s")):
        values = [row[name] for row in scores]
        shares.plot(epoch, values, marker + "-", color=colour, ms=4, label=name)
        shares.annotate(name, (epoch[-1], values[-1]), (-6, 14), textcoords="offset points", ha="right", color=colour)
    shares.set(ylim=(0, 1), ylabel="precision, recall")
    shares.grid(False)
    shares.spines["right"].set_visible(True)
    for row in alarms:
        ax.axvline(row["epoch"], color="red", lw=2)
        ax.text(row["epoch"], 0.5, " " + row["reasons"][0].partition(":")[0], transform=ax.get_xaxis_transform(), color="red", rotation=90, ha="right")


def _plain_log_ticks(ax) -> None:
    """Ticks like 0.5, 1, 2 on a logarithmic y axis."""
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 1.2, 1.5, 2, 3, 5, 7)))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter("{x:g}")


def montage(images: Tensor, gap: int = 2) -> np.ndarray:
    """Images (rows, columns, h, w) as one array, ``gap`` pixels of nan between them."""
    rows, columns, h, w = images.shape
    sheet = np.full((rows, h + gap, columns, w + gap), np.nan, dtype=np.float32)
    sheet[:, :h, :, :w] = images.permute(0, 2, 1, 3).numpy()
    return sheet.reshape(rows * (h + gap), columns * (w + gap))[: rows * (h + gap) - gap, : columns * (w + gap) - gap]


def _sheet(ax, images: Tensor, rows: list[str], title: str = "", top: list[str] = (), limit: float = 1.0, cmap: str = "gray"):
    """Images (rows, columns, h, w) in one axes, with a label per row and, on request, per column."""
    h, w = images.shape[2] + 2, images.shape[3] + 2
    shown = ax.imshow(montage(images), cmap=cmap, vmin=-limit, vmax=limit)
    ax.set_yticks(np.arange(len(rows)) * h + h / 2 - 1.5, rows)
    ax.set_xticks(np.arange(len(top)) * w + w / 2 - 1.5, top)
    ax.xaxis.tick_top()
    ax.tick_params(length=0)
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.set_title(title)
    return shown


def latent_cards(z: Tensor, images: Tensor, nearest: Tensor, distance: Tensor, real: Tensor) -> Figure:
    """Figure 3: vectors z (n, latent_dim), images G(z), nearest real images with their distance (n,), real images.

    Images are (n, 1, 28, 28). A vector is drawn row by row: z[0] top left, z[9] top right, z[99] bottom right.
    """
    n, side = len(z), math.ceil(z.shape[1] ** 0.5)
    cells = torch.full((n, side * side), torch.nan)
    cells[:, : z.shape[1]] = z
    cells = cells.view(1, n, side, side).repeat_interleave(3, 2).repeat_interleave(3, 3)  # (1, n, 30, 30) for 100
    figure = Figure(figsize=(11, 6.2))
    axes = figure.subplots(4, 1)
    shown = _sheet(axes[0], cells, ["z, 100 numbers\nin rows of ten" if side == 10 else "z"], top=[f"z{i + 1}" for i in range(n)], limit=3, cmap=SIGNED)
    figure.colorbar(shown, ax=axes[0], ticks=[-3, 0, 3], pad=0.01, extend="both")
    _sheet(axes[1], images.transpose(0, 1), ["G(z)"])
    _sheet(axes[2], nearest.transpose(0, 1), ["nearest\nreal image"], top=[f"{d:.0f} grey levels" for d in distance])
    _sheet(axes[3], real.transpose(0, 1), ["eight real\nimages"])
    return figure


def perturbation(base: Tensor, edited: Tensor, dims: list[int], values: list[float]) -> Figure:
    """Figures 4-8 and 13: base (n, 1, 28, 28) above its edits, and beside them edit minus base.

    ``edited`` is (len(dims), len(values), n, 1, 28, 28): z[dim] = value in every vector. At the right of a row
    stands its mean absolute change in grey levels (of 255).
    """
    edited = edited.flatten(0, 1)  # (rows, n, 1, 28, 28)
    labels = [f"z[{dim}] = {value:g}".replace("-", "\u2212") for dim in dims for value in values]
    rows, n = edited.shape[:2]
    change = edited - base  # (rows, n, 1, 28, 28)
    figure = Figure(figsize=(11.5, 0.6 * (rows + 1) + 0.5))
    left, right = figure.subplots(1, 2)
    _sheet(left, torch.cat([base[None], edited])[:, :, 0], ["base", *labels], f"z[{dims[0]}] set" if len(dims) == 1 else "one dimension set")
    blank = torch.full_like(base[None], torch.nan)
    shown = _sheet(right, torch.cat([blank, change])[:, :, 0], [], "edit minus base, and mean |change|", cmap=SIGNED)
    for row, amount in enumerate(change.abs().mean((1, 2, 3, 4)) * 127.5, start=1):
        right.text(n * 30 + 2, row * 30 + 13.5, f"{amount:.1f}", va="center", fontsize=9)
    bar = figure.colorbar(shown, ax=right, ticks=[-1, 0, 1], shrink=min(1.0, 5 / (rows + 1)), pad=0.07, extend="both")
    bar.ax.set_yticklabels(["\u2212128", "0", "+128"])
    bar.set_label("grey levels")
    return figure


def samples(rows: dict[str, Tensor]) -> Figure:
    """Figure 12: a row of images (n, 1, 28, 28) per label."""
    figure = Figure(figsize=(9, 1.1 * len(rows) + 0.1))
    _sheet(figure.subplots(), torch.stack([images[:, 0] for images in rows.values()]), list(rows))
    return figure


def train_mode(before: dict[str, Tensor], after: dict[str, Tensor]) -> Figure:
    """Figure 14: per mode, images (n, 1, 28, 28) before and after an edit of the first vector alone, and the change."""
    figure = Figure(figsize=(11.5, 2.5))
    axes = figure.subplots(2, len(before), squeeze=False, height_ratios=[2.07, 1])
    for (top, bottom), mode in zip(axes.T, before):
        change = after[mode] - before[mode]  # (n, 1, 28, 28)
        moved = int((change.abs().amax((1, 2, 3)) > 0.5 / 127.5).sum())  # by half a grey level somewhere
        title = f"{mode} mode: one vector edited, {moved} of {len(change)} images moved"
        _sheet(top, torch.stack([before[mode][:, 0], after[mode][:, 0]]), ["before", "after"], title)
        _sheet(bottom, change.transpose(0, 1), ["change"], limit=CHANGE / 127.5, cmap=SIGNED)
    return figure


def edit(base: Tensor, edited: Tensor, title: str) -> Figure:
    """The editor's state: base (n, 1, 28, 28) above edited, and edited minus base with its mean |change| per image."""
    figure = Figure(figsize=(9, 3.9))
    top, bottom = figure.subplots(2, 1, height_ratios=[2.07, 1])
    change = edited - base  # (n, 1, 28, 28)
    _sheet(top, torch.stack([base[:, 0], edited[:, 0]]), ["base", "edited"], title)
    amounts = [f"{amount:.1f}" for amount in change.abs().mean((1, 2, 3)) * 127.5]
    shown = _sheet(bottom, change.transpose(0, 1), ["change, mean\nin grey levels"], top=amounts, cmap=SIGNED)
    bar = figure.colorbar(shown, ax=bottom, ticks=[-1, 0, 1], pad=0.01, extend="both")
    bar.ax.set_yticklabels(["\u2212128", "0", "+128"])
    return figure


def grey_levels(images: Tensor) -> np.ndarray:
    """Images in [-1, 1] as uint8, 0 to 255: what a screen shows."""
    return ((images + 1) * 127.5).round().clip(0, 255).to(torch.uint8).numpy()


def stage(base: Tensor, edited: Tensor, change: bool = False) -> bytes:
    """The live picture, a PNG: base (n, 1, 28, 28) above edited, and with ``change`` edited minus base below.

    One screen pixel each, in cells of 29 pixels whose last column and row are transparent. Colours as in figure 13.
    """
    rows = [np.repeat(grey_levels(images)[:, 0, :, :, None], 3, 3) for images in (base, edited)]  # (n, 28, 28, 3)
    if change:
        rows.append(matplotlib.colormaps[SIGNED](((edited - base)[:, 0] / 2 + 0.5).numpy(), bytes=True)[..., :3])
    n, h, w = rows[0].shape[:3]
    cells = np.zeros((len(rows), h + 1, n, w + 1, 4), np.uint8)
    cells[:, :h, :, :w, :3] = np.stack(rows).transpose(0, 2, 1, 3, 4)
    cells[:, :h, :, :w, 3] = 255
    content = io.BytesIO()
    Image.fromarray(cells.reshape(len(rows) * (h + 1), n * (w + 1), 4)).save(content, "PNG", compress_level=1)
    return content.getvalue()


def animation(frames: list[tuple[str, Tensor]], scale: int = 4, seconds: float = 0.08) -> bytes:
    """A GIF that loops over (label, images (n, 1, 28, 28)): the images side by side under the label."""
    pictures = []
    for label, images in frames:
        sheet = np.pad(grey_levels(images)[:, 0], ((0, 0), (0, 0), (0, 1)), constant_values=255)  # (n, 28, 29)
        sheet = sheet.transpose(1, 0, 2).reshape(28, -1).repeat(scale, 0).repeat(scale, 1)
        picture = Image.fromarray(np.pad(sheet, ((24, 0), (0, 0)), constant_values=255))
        ImageDraw.Draw(picture).text((4, 3), label, fill=0, font=ImageFont.load_default(15))
        pictures.append(picture)
    content = io.BytesIO()
    pictures[0].save(content, "GIF", save_all=True, append_images=pictures[1:], duration=round(seconds * 1000), loop=0)
    return content.getvalue()


def benchmark(results: dict) -> Figure:
    """The benchmark's results (benchmarks/training.py): ratios to the plain script, and where a training step spends its time."""
    figure = Figure(figsize=(11, 3.4))
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.6])
    models = [m for m in ("dcgan", "vanilla") if m in results]
    rows = []
    for m in models:
        exact = [(f"{m}, training, float32", results[m]["float32"])] if "float32" in results[m] else []
        rows += [(f"{m}, training", results[m]), *exact, (f"{m}, sampling", results["sample"][m])]
    for y, (_, row) in enumerate(rows):
        low, high = row["ratio_spread"]["quartiles"]
        left.barh(y, row["ratio"], color=BLUE, height=0.6)
        left.errorbar(row["ratio"], y, xerr=[[row["ratio"] - low], [high - row["ratio"]]], color="0.2", capsize=3)
        left.text(0.05, y, f"{row['ratio']:.2f}", va="center", color="white", fontweight="bold")
    left.axvline(1, color="0.2", ls="--", lw=1)
    left.set_yticks(range(len(rows)), [label for label, _ in rows])
    left.invert_yaxis()
    left.set(title="times the plain script", xlabel="ratio, median and quartiles")
    colours = [BLUE, "#E69F00", "#009E73", "#F0E442", "0.65", "#56B4E9", "#CC79A7", ORANGE, "0.85"]
    for y, model in enumerate(models):
        start = 0.0
        for (kind, share), colour in zip(results[model]["time_by_kind"].items(), colours):
            right.barh(y, share, left=start, color=colour, height=0.6, label=kind if y == 0 else None)
            if share > 0.06:
                right.text(start + share / 2, y, f"{share:.0%}", ha="center", va="center", fontsize=9)
            start += share
    right.set_yticks(range(len(models)), models)
    right.invert_yaxis()
    right.set(title="where a training step spends its time", xlim=(0, 1), xlabel="share of the step")
    right.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.25), fontsize=9)
    return figure


def latency(results: dict) -> Figure:
    """The editor's benchmark (benchmarks/explorer.py): from key to pixels, every move a dot, with median and 95th percentile."""
    figure = Figure(figsize=(8, 2.6))
    ax = figure.subplots()
    rows = [(f"{model}, {name}", results[model][name]) for model in ("dcgan", "vanilla") for name in results[model]]
    for y, (_, row) in enumerate(rows):
        times = np.array(row["times_ms"])
        ax.plot(times, y + np.linspace(-0.25, 0.25, len(times)), ".", color=BLUE, alpha=0.4, ms=4)
        for value, style, label in ((row["median_ms"], "-", "median"), (row["p95_ms"], ":", "95 %")):
            ax.plot([value, value], [y - 0.35, y + 0.35], style, color=ORANGE, lw=2, label=label if y == 0 else None)
    ax.set_yticks(range(len(rows)), [label for label, _ in rows])
    ax.invert_yaxis()
    ax.set(xlabel="milliseconds from key press to new pixels", xlim=(0, None))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def time_to_quality(curves: dict[str, list[dict]], level: float, reached: float | None) -> Figure:
    """The benchmark of that name (benchmarks/quality.py): Frechet distance over seconds of training, for the plain script and the lab."""
    figure = Figure(figsize=(7.5, 4))
    ax = figure.subplots()
    for way, colour, label in (("plain", ORANGE, "plain tutorial script"), ("lab", BLUE, "the lab, profile quick")):
        ax.plot([row["seconds"] for row in curves[way]], [row["frechet"] for row in curves[way]], "o-", color=colour, ms=3, label=label)
    ax.axhline(level, color="0.5", lw=1, ls="--", label="the plain script's best")
    if reached:
        ax.axvline(reached, color=BLUE, lw=1, ls=":")
        ax.annotate(f"{reached:.0f} s", (reached, level), (6, 8), textcoords="offset points", color=BLUE)
    ax.set(xlabel="seconds of training", ylabel="Frechet distance (less is better)", yscale="log", xlim=(0, None))
    _plain_log_ticks(ax)
    ax.legend(loc="upper right")
    return figure


def atlas(panels: dict[str, tuple[Tensor, Tensor]], names: list[str], dims: list[int]) -> Figure:
    """Figure 15: for each network, the score (k, a) of k dimensions in a measures, with a dot where it is special (k, a).

    A score is a mean effect in deviations of random directions' effects; ``dims`` are named on the axis.
    """
    figure = Figure(figsize=(12, 0.23 * len(names) * len(panels) + 1.5))
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for ax, (title, (score, special)) in zip(axes, panels.items()):
        shown = ax.imshow(score.T.numpy(), aspect="auto", cmap=SIGNED, vmin=-5, vmax=5, interpolation="nearest")
        k, a = special.nonzero(as_tuple=True)
        ax.plot(k.numpy(), a.numpy(), ".", color="black", ms=3)
        ax.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
        ax.set_xticks(sorted({*range(0, len(score), 10), *dims}))
        for label, tick in zip(ax.get_xticklabels(), ax.get_xticks()):
            label.set(fontweight="bold" if tick in dims else "normal", color="black" if tick in dims else "0.5")
        ax.grid(False)
        ax.set_title(f"{title}: {int(special.sum())} of {special.numel()} effects beyond a random direction's")
    axes[-1].set_xlabel("dimension of z")
    figure.colorbar(shown, ax=list(axes), pad=0.01, extend="both", label="effect, in deviations of\nrandom directions' effects")
    return figure


def directions(panels: dict[str, tuple[list[str], Tensor, Tensor]], names: list[str]) -> Figure:
    """Figure 19: for each network the names of k directions, their scores (k, a) in a measures, and which are special (k, a)."""
    rows = max(len(labels) for labels, _, _ in panels.values())
    figure = Figure(figsize=(6.2 * len(panels) + 0.6, 0.23 * rows + 1.9))
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (title, (labels, score, special)) in zip(axes, panels.items()):
        shown = ax.imshow(score.numpy(), aspect="auto", cmap=SIGNED, vmin=-10, vmax=10, interpolation="nearest")
        k, a = special.nonzero(as_tuple=True)
        ax.plot(a.numpy(), k.numpy(), ".", color="black", ms=3)
        ax.set_yticks(range(len(labels)), labels)
        ax.set_xticks(range(len(names)), [name.replace("_", " ") for name in names], rotation=60, ha="right", rotation_mode="anchor")
        ax.grid(False)
        ax.set_title(title)
    figure.colorbar(shown, ax=list(axes), pad=0.01, extend="both", label="effect, in deviations of\nrandom directions' effects")
    return figure


def ranking(panels: dict[str, tuple[Tensor, Tensor, Tensor, Tensor]], dims: list[int]) -> Figure:
    """Figure 16: how far each dimension moves the image, in grey levels, in order, beside random directions.

    For each network the mean (k,), the ends of its interval (k,), and the means of random directions (m,).
    """
    figure = Figure(figsize=(11, 3.6))
    for ax, (title, (mean, low, high, null)) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items()):
        order = mean.argsort(descending=True)
        x, middle = np.arange(len(mean)), mean[order].numpy()
        ax.axhspan(null.quantile(0.025).item(), null.quantile(0.975).item(), color="0.85", label="95 % of random directions")
        ax.errorbar(x, middle, [middle - low[order].numpy(), high[order].numpy() - middle], fmt=".", ms=4, lw=0.8, color=BLUE, label="dimensions")
        for i, at in enumerate(sorted(int((order == dim).nonzero()) for dim in dims)):
            offset = (0, 26) if i % 2 else (0, -30)  # neighbours on either side
            ax.plot(at, middle[at], "o", color=ORANGE, ms=7, mec="white")
            label = dict(ha="center", color=ORANGE, fontsize=9, fontweight="bold", arrowprops={"arrowstyle": "-", "color": ORANGE})
            ax.annotate(f"z[{int(order[at])}]", (at, middle[at]), offset, textcoords="offset points", **label)
        ax.set(title=title, xlabel="rank of the dimension", ylabel="mean |change| from \u22123 to 3\nin grey levels", ylim=(0, None))
        ax.legend(loc="lower left")
    return figure


def by_class(images: dict[str, Tensor], classes: list[str]) -> Figure:
    """Figure 17: for each set of images (len(classes), n, 28, 28) a block of n columns; a row for every class."""
    n = next(iter(images.values())).shape[1]
    figure = Figure(figsize=(0.52 * n * len(images) + 1.2, 0.5 * len(classes) + 0.4))
    for ax, (title, sheet) in zip(figure.subplots(1, len(images)), images.items()):
        _sheet(ax, sheet, list(classes) if title == next(iter(images)) else [], title)
    return figure


def loss_movement(histories: dict[str, Tensor], blocks: int = 60) -> Figure:
    """Figure 18: both networks' losses on one scale, from histories (epochs, steps, 4): means, and swings, of blocks of steps."""
    figure = Figure(figsize=(11, 3.8))
    level, swing = figure.subplots(1, 2)
    for (name, history), colour in zip(histories.items(), (ORANGE, BLUE)):
        values = history.flatten(0, 1)
        length = max(2, len(values) // blocks)
        parts = values[: len(values) // length * length].view(-1, length, values.shape[1])
        x = (np.arange(len(parts)) + 0.5) / len(parts)
        for column, style, loss in ((0, "-", "D"), (1, "--", "G")):
            level.plot(x, parts[..., column].mean(1).numpy(), style, color=colour, label=f"{name}, {loss}")
            swing.plot(x, parts[..., column].std(1).numpy(), style, color=colour)
    level.set(title="loss", ylabel="mean of a block of steps", ylim=(0, None))
    swing.set(title="swing", ylabel="standard deviation inside a block", ylim=(0, None))
    for ax in (level, swing):
        ax.set(xlabel="share of the training", xlim=(0, 1))
    level.legend(ncols=2, loc="lower right")
    return figure
