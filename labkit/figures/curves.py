"""Figures over the time of a training."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator
from torch import Tensor

from ..gans.losses import Loss, Mark, NonSaturating
from .catalogue import BLUE, ORANGE, report_figure


@report_figure(2, "vanilla_losses", "Vanilla GAN: losses, and what the discriminator answers, over training.")
@report_figure(11, "dcgan_losses", "DCGAN: losses, and what the discriminator answers, over training.")
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
    panels = 3 if scores else 2
    figure = Figure(figsize=(5.5 * panels if panels == 2 else 15, 4.2))
    left, right, *rest = figure.subplots(1, panels)
    for ax, column, colour, marker, label in (
        (left, 0, BLUE, "o", "D"),
        (left, 1, ORANGE, "s", "G"),
        (right, 2, BLUE, "o", "D(x)"),
        (right, 3, ORANGE, "s", "D(G(z))"),
    ):
        training_curve(ax, history, column, colour, marker, label)
    losses = history[..., :2].numpy()
    lowest, highest = min(0, np.quantile(losses, 0.001)), max(loss.in_view, np.quantile(losses, 0.999))
    left.set(title=f"{title}: loss", ylabel="mean over the batch", ylim=(1.15 * lowest, 1.15 * highest))
    right.set(title="answer of D", ylabel=loss.answers, ylim=loss.answer_range)
    _show_marks(left, {BLUE: loss.of("loss_d"), ORANGE: loss.of("loss_g")})
    _show_marks(right, {"0.2": loss.of("d_real")})
    for ax in (left, right):
        ax.set(xlabel="epoch", xlim=(0, epochs))
        ax.locator_params(axis="x", integer=True)
        ax.legend(loc="lower right", bbox_to_anchor=(1.01, 0.98), ncols=2)
    for ax in rest:
        _score_curves(ax, scores, alarms, epochs)
    if faults := [fault for rows in (scores, alarms) if (fault := getattr(rows, "fault", ""))]:
        figure.text(0.99, 0.01, "; ".join(faults), color="red", ha="right", fontsize=9)
    return figure


def _show_marks(ax: Axes, marks: dict[str, Mark | None]) -> None:
    """A line at each of ``marks``, by colour, and beside it what it means; texts make way for one another."""
    here = {colour: mark for colour, mark in marks.items() if mark}
    levels, (low, high) = [mark.level for mark in here.values()], ax.get_ylim()
    crowded = len(here) > 1 and max(levels) - min(levels) < 0.25 * (high - low)
    for colour, mark in here.items():
        side = ("bottom" if mark.level == max(levels) else "top") if crowded else "center"
        ax.axhline(mark.level, color="0.2", ls="--", lw=1)
        ax.text(1.02, mark.level, mark.text, transform=ax.get_yaxis_transform(), va=side, fontsize=9, color=colour)


def training_curve(ax: Axes, history: Tensor, column: int, colour: str, marker: str, label: str) -> None:
    """One ``column`` of a history (epochs, steps, columns) over epochs.

    Faint: every step. Line: mean over a tenth of an epoch (an epoch, if there are many). Dots: means over an epoch,
    about twenty of them.
    """
    epochs, steps, columns = history.shape
    few = epochs <= 20
    window = max(1, steps // 10) if few else steps
    values = history.flatten(0, 1).numpy()  # (epochs * steps, columns)
    windows = values[: len(values) // window * window].reshape(-1, window, columns).mean(1)
    x = (np.arange(len(values)) + 0.5) / steps
    ax.plot(x, values[:, column], color=colour, alpha=0.2, lw=0.5, rasterized=True)
    ax.plot((np.arange(len(windows)) + 0.5) * window / steps, windows[:, column], color=colour, lw=1.5)
    ax.plot(
        np.arange(epochs) + 0.5,
        history[..., column].mean(1).numpy(),
        marker,
        color=colour,
        mec="white",
        ms=8 if few else 6,
        markevery=max(1, epochs // 20),
        label=label,
    )


def _score_curves(ax: Axes, scores: Sequence[dict], alarms: Sequence[dict], epochs: int) -> None:
    """Frechet distance on the left axis, precision and recall on the right one."""
    epoch = [row["epoch"] for row in scores]
    distances = [row.get("frechet", np.nan) for row in scores]
    ax.plot(epoch, distances, "k.-", label="Frechet distance")
    ax.annotate("Frechet distance", (epoch[0], distances[0]), (6, 2), textcoords="offset points")
    n = scores[-1].get("images")  # runs of earlier versions did not say
    ax.set(
        title=f"scores of {n:,} pictures" if n else "scores",
        xlabel="epoch",
        xlim=(0, epochs),
        ylabel="Frechet distance",
        yscale="log",
    )
    ax.locator_params(axis="x", integer=True)
    plain_log_ticks(ax)
    shares = ax.twinx()
    for name, colour, marker in (("precision", BLUE, "o"), ("recall", ORANGE, "s")):
        values = [row.get(name, np.nan) for row in scores]
        shares.plot(epoch, values, marker + "-", color=colour, ms=4, label=name)
        shares.annotate(name, (epoch[-1], values[-1]), (-6, 14), textcoords="offset points", ha="right", color=colour)
    shares.set(ylim=(0, 1), ylabel="precision, recall")
    shares.grid(False)
    shares.spines["right"].set_visible(True)
    for row in alarms:
        ax.axvline(row["epoch"], color="red", lw=2)
        ax.text(
            row["epoch"],
            0.5,
            " " + (row.get("reasons") or ["alarm"])[0].partition(":")[0],
            transform=ax.get_xaxis_transform(),
            color="red",
            rotation=90,
            ha="right",
        )


def plain_log_ticks(ax: Axes) -> None:
    """Ticks like 0.5, 1, 2 on a logarithmic y axis."""
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 1.2, 1.5, 2, 3, 5, 7)))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_major_formatter("{x:g}")


@report_figure(18, "loss_movement", "The losses of both networks on one scale: level, and swing.")
def loss_movement(histories: dict[str, Tensor], blocks: int = 60) -> Figure:
    """Figure 18: both networks' losses on one scale, from histories (epochs, steps, 4): means and swings of blocks."""
    figure = Figure(figsize=(11, 3.8))
    level, swing = figure.subplots(1, 2)
    for (name, history), colour in zip(histories.items(), (ORANGE, BLUE), strict=False):
        values = history.flatten(0, 1)
        length = max(2, len(values) // blocks)
        parts = values[: len(values) // length * length].view(-1, length, values.shape[1])
        x = (np.arange(len(parts)) + 0.5) / len(parts)
        for column, style, loss in ((0, "-", "D"), (1, "--", "G")):
            level.plot(x, parts[..., column].mean(1).numpy(), style, color=colour, label=f"{name}, {loss}")
            swing.plot(x, parts[..., column].std(1).numpy(), style, color=colour)
    level.set(title="loss", ylabel="mean of a block of steps")
    if level.dataLim.y0 >= 0:  # not so for a critic's
        level.set_ylim(0, None)
    swing.set(title="swing", ylabel="standard deviation inside a block", ylim=(0, None))
    for ax in (level, swing):
        ax.set(xlabel="share of the training", xlim=(0, 1))
    level.legend(ncols=2, loc="lower right")
    return figure
