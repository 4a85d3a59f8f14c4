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
from .catalogue import BLUE, ORANGE, encode, on_page, report_figure
from .curves import plain_log_ticks
from .sheets import show_images

COLUMNS, GARMENTS = 9, 8  # of a sheet: looks, and latent vectors
WIDTH = 5.6  # inches


@report_figure(20, "growth", "The same eight latent vectors through a training, and below what the pictures are worth.")
def growth(trainings: Mapping[str, tuple[Album, Sequence[dict]]]) -> Figure:
    """Figure 20: for each training, by its title, an album and the rows of its scores (`monitor.read`).

    Of many looks the first, the last and some between are shown, evenly spaced in the list of looks.
    """
    figure = Figure(figsize=(WIDTH * len(trainings), 7.4))
    axes = figure.subplots(2, len(trainings), squeeze=False, height_ratios=(GARMENTS, 3.2))
    for (title, (album, scores)), (sheet, below) in zip(trainings.items(), axes.T, strict=True):
        shown = np.unique(np.linspace(0, len(album.epochs) - 1, COLUMNS).round().astype(int))
        epochs = [album.epochs[i] for i in shown]
        pictures = torch.full((GARMENTS, COLUMNS, 28, 28), torch.nan)  # what is to come is blank
        pictures[:, : len(epochs)] = album.pictures[shown, :GARMENTS].transpose(0, 1) / 127.5 - 1
        show_images(sheet, pictures, title=f"{title}: after epoch", top=[str(epoch) for epoch in epochs])
        sheet.set_aspect("auto")
        _scores(below, scores, epochs)
    return figure


def _scores(ax: Axes, scores: Sequence[dict], epochs: list[int]) -> None:
    """Frechet distance, precision and recall, each look below the column of its pictures."""
    rows = [row for row in scores if epochs[0] <= row["epoch"] <= epochs[-1]]
    at = np.interp([row["epoch"] for row in rows], epochs, np.arange(len(epochs)))
    ax.plot(at, [row.get("frechet", np.nan) for row in rows], "k.-", label="Frechet distance (left)")
    ax.set(xlim=(-0.5, COLUMNS - 0.5), ylabel="Frechet distance", yscale="log", xlabel="epoch")
    ax.set_xticks(range(len(epochs)), [str(epoch) for epoch in epochs])
    plain_log_ticks(ax)
    shares = ax.twinx()
    for name, colour, marker in (("precision", BLUE, "o"), ("recall", ORANGE, "s")):
        shares.plot(at, [row.get(name, np.nan) for row in rows], marker + "-", color=colour, ms=4, label=name)
    shares.set(ylim=(0, 1), ylabel="precision, recall")
    shares.grid(False)
    shares.spines["right"].set_visible(True)
    lines = [*ax.get_lines(), *shares.get_lines()]
    ax.legend(handles=lines, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))


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
        caption = f"{title} after epoch {album.epochs[-1]}: eight latent vectors, always the same."
        place.update(HTML(on_page(encode(figure)["png"], caption, round(WIDTH * 90))))

    return show


def to_file(folder: Path, album: Album, scores: Sequence[dict]) -> None:
    """What a `Monitor` shows at a terminal: ``folder``/growth.png, written whole at every check; it says so once."""
    content = encode(growth({folder.parent.name: (album, scores)}))["png"]
    if len(album.epochs) == 1:
        print(f"\npictures through the training: {folder / 'growth.png'}", flush=True)
    write_atomic(folder / "growth.png", content)
