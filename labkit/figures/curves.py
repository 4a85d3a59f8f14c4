"""Figures over the time of a training."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from torch import Tensor

from ..evaluation.monitor import cause
from ..gans.losses import Loss, Mark, NonSaturating
from ..texts import say
from . import labels, palette
from .catalogue import WIDTH, report_figure, tell

BLOCKS = 100  # of a training: for each a band, from the tenth to the ninetieth of a hundred steps in order, and a mean
BAND = (0.1, 0.9)


@report_figure(2, "vanilla_losses")
@report_figure(11, "dcgan_losses")
def loss_curves(
    history: Tensor,
    title: str,
    scores: Sequence[dict] = (),
    alarms: Sequence[dict] = (),
    loss: type[Loss] = NonSaturating,
) -> Figure:
    """Figures 2 and 11 from a history (epochs, steps, 4) of ``loss``: losses, and D's answers, with their equilibria.

    With ``scores`` (`monitor.read`), a third panel: what the pictures were worth meanwhile, and its ``alarms``. Where
    either file is damaged, the figure says so.
    """
    epochs = len(history)
    figure = Figure(figsize=(WIDTH, 5.0 if scores else 3.0))
    if scores:
        axes = figure.subplot_mosaic([["loss", "loss"], ["answers", "scores"]], height_ratios=(1.1, 1))
    else:
        axes = figure.subplot_mosaic([["loss", "answers"]])
    left, right = axes["loss"], axes["answers"]
    for ax, column, colour, label in (
        (left, 0, palette.D, "D"),
        (left, 1, palette.G, "G"),
        (right, 2, palette.D, "D(x)"),
        (right, 3, palette.G, "D(G(z))"),
    ):
        training_curve(ax, history, column, colour, label)
    losses = history[..., :2].numpy()
    lowest, highest = min(0, np.quantile(losses, 0.001)), max(loss.in_view, np.quantile(losses, 0.999))
    left.set(title=say("figures.losses.title", network=labels.network(title)), ylim=(1.15 * lowest, 1.15 * highest))
    left.set_ylabel(say("figures.losses.axis"))
    right.set(title=say("figures.losses.answers"), ylim=loss.answer_range)
    right.set_ylabel(loss.words("answers"))
    marks = {name: loss.of(column) for name, column in (("D", "loss_d"), ("G", "loss_g"), ("real", "d_real"))}
    _show_marks(left, loss, {palette.D: marks["D"], palette.G: marks["G"]}, wide=bool(scores))
    _show_marks(right, loss, {palette.INK: marks["real"]})
    for ax in (left, right):
        ax.set(xlabel=say("figures.word.epoch"), xlim=(0, epochs))
        ax.locator_params(axis="x", integer=True)
        ax.locator_params(axis="y", nbins=5)
        ax.legend(loc="lower right", bbox_to_anchor=(1.01, 0.97), ncols=2, handlelength=1.2, columnspacing=1.2)
    tell(figure, say("figures.losses.band") if _banded(history) else "")
    if scores:
        _score_curves(axes["scores"], scores, alarms, epochs)
    if faults := [fault for rows in (scores, alarms) if (fault := getattr(rows, "fault", ""))]:
        figure.text(0.99, 0.01, "; ".join(faults), color=palette.WRONG, ha="right", fontsize=7.5)
    return figure


TALL = 0.25  # share of an axis that the text of a mark takes


def _show_marks(ax: Axes, loss: type[Loss], marks: dict[str, Mark | None], wide: bool = False) -> None:
    """A line at each of ``marks``, by colour, and beside it what it means; texts make way for one another."""
    here = {colour: mark for colour, mark in marks.items() if mark}
    levels, (low, high) = [mark.level for mark in here.values()], ax.get_ylim()
    crowded = len(here) > 1 and max(levels) - min(levels) < TALL * (high - low)
    lowest = max(0.0, (min(levels, default=low) - low) / (high - low) - TALL / 2)
    for colour, mark in here.items():
        at = lowest + TALL * (mark.level > min(levels)) if crowded else (mark.level - low) / (high - low)
        ax.axhline(mark.level, color=palette.INK, ls="--", lw=0.8)
        side, text = "bottom" if crowded else "center", loss.words(mark.column)
        ax.text(1.01, at, text, transform=ax.transAxes, va=side, fontsize=7.5, color=colour)


def _banded(history: Tensor) -> int:
    """Steps of a block; 0 where a block would be too short for a band."""
    steps = history.shape[0] * history.shape[1]
    length = steps // BLOCKS
    return length if length >= 5 else 0


def training_curve(ax: Axes, history: Tensor, column: int, colour: str, label: str) -> None:
    """One ``column`` of a history (epochs, steps, columns) over epochs.

    For each of `BLOCKS` blocks of steps a band that holds four fifths of its steps, and a line through the means; every
    step by itself where there are too few for that.
    """
    epochs, steps, _ = history.shape
    values = history[..., column].flatten().numpy()
    length = _banded(history) or 1
    blocks = values[: len(values) // length * length].reshape(-1, length)
    x = (np.arange(len(blocks)) + 0.5) * length / steps
    if length > 1:
        low, high = np.quantile(blocks, BAND, axis=1)
        ax.fill_between(x, low, high, color=colour, alpha=0.28, lw=0)
    few = len(blocks) <= 40
    ax.plot(x, blocks.mean(1), "o-" if few else "-", color=colour, lw=1.5, ms=4, label=label)


def _score_curves(ax: Axes, scores: Sequence[dict], alarms: Sequence[dict], epochs: int) -> None:
    """Frechet distance on the left axis, precision and recall on the right one."""
    epoch = [row["epoch"] for row in scores]
    distances = [row.get("frechet", np.nan) for row in scores]
    ax.plot(epoch, distances, ".-", color=palette.INK)
    ax.annotate(say("figures.word.frechet"), (epoch[0], distances[0]), (7, 0), textcoords="offset points",
                fontsize=7.5, va="top")  # fmt: skip
    n = scores[-1].get("images")  # runs of earlier versions did not say
    ax.set(
        title=say("figures.losses.scores_of", images=n) if n else say("figures.losses.scores"),
        xlabel=say("figures.word.epoch"),
        xlim=(0, epochs),
        ylabel=say("figures.word.frechet"),
        yscale="log",
    )
    ax.locator_params(axis="x", integer=True)
    plain_log_ticks(ax)
    shares = share_axis(ax)
    for name, colour, marker in (("precision", palette.PRECISION, "o"), ("recall", palette.RECALL, "s")):
        values, word = [row.get(name, np.nan) for row in scores], say(f"figures.word.{name}")
        shares.plot(epoch, values, marker + "-", color=colour, ms=3, label=word)
        shares.annotate(
            word, (epoch[-1], values[-1]), (-4, 7), textcoords="offset points", ha="right", color=colour, fontsize=7.5
        )
    for row in alarms:
        ax.axvline(row["epoch"], color=palette.WRONG, lw=2)
        place = ax.get_xaxis_transform()
        ax.text(row["epoch"], 0.5, " " + cause(row), transform=place, color=palette.WRONG, rotation=90, ha="right")


def share_axis(ax: Axes) -> Axes:
    """A second y axis, at the right of ``ax``, for precision and recall."""
    shares = ax.twinx()
    shares.set(ylim=(0, 1), ylabel=say("figures.word.precision_and_recall"))
    shares.set_yticks([0, 0.5, 1])
    shares.grid(False)
    shares.spines["right"].set_visible(True)
    return shares


def plain_log_ticks(ax: Axes) -> None:
    """A few ticks like 0.5, 1, 2 on a logarithmic y axis."""
    low, high = ax.get_ylim()
    ratio = high / low
    few = (
        (1, 1.2, 1.5, 2, 3, 5, 7) if ratio < 2.5 else (1, 2, 3, 5) if ratio < 12 else (1, 2, 5) if ratio < 60 else (1,)
    )
    ax.yaxis.set_major_locator(LogLocator(subs=few))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter("{x:g}")


@report_figure(18, "loss_movement")
def loss_movement(histories: dict[str, Tensor], blocks: int = 60) -> Figure:
    """Figure 18: both networks' losses on one scale, from histories (epochs, steps, 4): means and swings of blocks."""
    figure = Figure(figsize=(WIDTH, 2.9))
    level, swing = figure.subplots(1, 2)
    for name, history in histories.items():
        values, colour = history.flatten(0, 1), palette.network(name)
        length = max(2, len(values) // blocks)
        parts = values[: len(values) // length * length].view(-1, length, values.shape[1])
        x = (np.arange(len(parts)) + 0.5) / len(parts)
        for column, style, loss in ((0, "-", "D"), (1, "--", "G")):
            label = say("figures.movement.loss_of", network=labels.network(name), loss=loss)
            level.plot(x, parts[..., column].mean(1).numpy(), style, color=colour, label=label)
            swing.plot(x, parts[..., column].std(1).numpy(), style, color=colour)
    level.set(title=say("figures.movement.level"), ylabel=say("figures.movement.level_axis"))
    if level.dataLim.y0 >= 0:  # not so for a critic's
        level.set_ylim(0, None)
    swing.set(title=say("figures.movement.swing"), ylabel=say("figures.movement.swing_axis"), ylim=(0, None))
    for ax in (level, swing):
        ax.set(xlabel=say("figures.movement.time"), xlim=(0, 1))
        ax.set_xticks([0, 0.5, 1])
        ax.locator_params(axis="y", nbins=5)
    figure.legend(*level.get_legend_handles_labels(), ncols=4, loc="outside lower center", handlelength=2.4)
    return figure
