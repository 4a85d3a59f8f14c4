"""Pictures through a training: as a figure, live in a notebook, and as a sheet on disk."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..base import paths
from ..base.files import write_atomic
from ..evaluation.album import Album
from ..texts import say
from . import labels, palette
from .catalogue import PIXELS, WIDTH, encode, on_page, report_figure
from .curves import plain_log_ticks, share_axis
from .sheets import show_images

COLUMNS, GARMENTS = 9, 8  # of a sheet: looks, and latent vectors
OWN = WIDTH / 2  # inches: of one training


@report_figure(20, "growth")
def growth(trainings: Mapping[str, tuple[Album, Sequence[dict]]]) -> Figure:
    """Figure 20: for each training, by its title, an album and the rows of its scores (`monitor.read`).

    Of many looks the first, the last and some between are shown, evenly spaced in the list of looks.
    """
    figure = Figure(figsize=(OWN * len(trainings), 5.2))
    axes = figure.subplots(2, len(trainings), squeeze=False, height_ratios=(GARMENTS, 3.4))
    for (title, (album, scores)), (sheet, below) in zip(trainings.items(), axes.T, strict=True):
        shown = np.unique(np.linspace(0, len(album.epochs) - 1, COLUMNS).round().astype(int))
        epochs = [album.epochs[i] for i in shown]
        pictures = torch.full((GARMENTS, COLUMNS, 28, 28), torch.nan)  # what is to come is blank
        pictures[:, : len(epochs)] = album.pictures[shown, :GARMENTS].transpose(0, 1) / 127.5 - 1
        said = say("figures.growth.title", network=labels.network(title))
        show_images(sheet, pictures, title=said, top=[str(epoch) for epoch in epochs])
        sheet.set_aspect("auto")
        _scores(below, scores, epochs)
    return figure


def _scores(ax: Axes, scores: Sequence[dict], epochs: list[int]) -> None:
    """Frechet distance, precision and recall, each look below the column of its pictures."""
    rows = [row for row in scores if epochs[0] <= row["epoch"] <= epochs[-1]]
    at = np.interp([row["epoch"] for row in rows], epochs, np.arange(len(epochs)))
    distances = [row.get("frechet", np.nan) for row in rows]
    ax.plot(at, distances, ".-", color=palette.INK, label=say("figures.growth.frechet_left"))
    ax.set(xlim=(-0.5, COLUMNS - 0.5), ylabel=say("figures.word.frechet"), yscale="log")
    ax.set_xlabel(say("figures.word.epoch"))
    ax.set_xticks(range(len(epochs)), [str(epoch) for epoch in epochs])
    plain_log_ticks(ax)
    shares = share_axis(ax)
    for name, colour, marker in (("precision", palette.PRECISION, "o"), ("recall", palette.RECALL, "s")):
        values = [row.get(name, np.nan) for row in rows]
        shares.plot(at, values, marker + "-", color=colour, ms=3, label=say(f"figures.word.{name}"))
    lines = [*ax.get_lines(), *shares.get_lines()]
    compact = {"handlelength": 1.2, "columnspacing": 0.9, "handletextpad": 0.4}
    ax.legend(handles=lines, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), **compact)


def live(title: str):
    """What a `Monitor` shows in a notebook: a figure that is drawn anew at every check; nothing in a headless run."""
    if paths.HEADLESS:
        return None
    from IPython.display import HTML, display

    place = None  # until there is something to see

    def show(folder: Path, album: Album, scores: Sequence[dict]) -> None:
        nonlocal place
        place = place or display(display_id=True)
        figure = growth({title: (album, scores)})
        caption = say("figures.growth.live", network=labels.network(title), epoch=album.epochs[-1])
        place.update(HTML(on_page(encode(figure)["png"], caption, round(OWN * PIXELS))))

    return show


def to_file(folder: Path, album: Album, scores: Sequence[dict]) -> None:
    """What a `Monitor` shows at a terminal: ``folder``/growth.png, written whole at every check; it says so once."""
    content = encode(growth({folder.parent.name: (album, scores)}))["png"]
    if len(album.epochs) == 1:
        print(f"\npictures through the training: {folder / 'growth.png'}", flush=True)
    write_atomic(folder / "growth.png", content)
