"""Figures of what dimensions and directions do."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ..texts import say, terms
from . import labels, palette
from .catalogue import WIDTH, report_figure, tell


def _bar(figure: Figure, axes, shown) -> None:
    """The scale of scores, below the axes."""
    bar = figure.colorbar(shown, ax=axes, pad=0.02, extend="both", location="bottom", shrink=0.5, aspect=40)
    bar.set_label(say("figures.effects.scale"))


@report_figure(15, "atlas")
def effects(panels: dict[str, tuple[Tensor, Tensor]], names: list[str], dims: list[int]) -> Figure:
    """Figure 15: for each network, the score (k, a) of k dimensions in a measures; a dot where it is special (k, a).

    A score is a mean effect in deviations of random directions' effects; ``dims`` are named on the axis.
    """
    figure = Figure(figsize=(WIDTH, 0.19 * len(names) * len(panels) + 1.6))
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    dots = 0
    for ax, (name, (score, special)) in zip(axes, panels.items(), strict=True):
        shown = ax.imshow(score.T.numpy(), aspect="auto", cmap=palette.SIGNED, vmin=-5, vmax=5, interpolation="nearest")
        k, a = special.nonzero(as_tuple=True)
        dots += len(k)
        ax.plot(k.numpy(), a.numpy(), ".", color=palette.INK, ms=2)
        ax.set_yticks(range(len(names)), [terms.measure(one) for one in names])
        chosen = [dim for dim in dims if dim < len(score)]
        ax.set_xticks(chosen, [f"z[{dim}]" for dim in chosen])
        for label in ax.get_xticklabels():
            label.set(fontweight="bold", color=palette.LAB)
        ax.tick_params(length=0, axis="y")
        ax.grid(False)
        counts = {"special": int(special.sum()), "all": special.numel()}
        ax.set_title(say("figures.effects.title", network=labels.network(name), **counts))
    axes[-1].set_xlabel(say("figures.effects.dimensions", last=len(score) - 1))
    _bar(figure, list(axes), shown)
    return tell(figure, say("figures.effects.dot") if dots else "")


@report_figure(19, "directions")
def directions(panels: dict[str, tuple[list[str], Tensor, Tensor]], names: list[str]) -> Figure:
    """Figure 19: for each network the names of k directions, their scores (k, a) in a measures, which are special.

    Scores are as in figure 15; ``names`` are the measures.
    """
    rows = max(len(own) for own, _, _ in panels.values())
    figure = Figure(figsize=(WIDTH, 0.165 * rows + 2.3))
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    dots = 0
    for ax, (name, (own, score, special)) in zip(axes, panels.items(), strict=True):
        shown = ax.imshow(score.numpy(), aspect="auto", cmap=palette.SIGNED, vmin=-10, vmax=10, interpolation="nearest")
        k, a = special.nonzero(as_tuple=True)
        dots += len(k)
        ax.plot(a.numpy(), k.numpy(), ".", color=palette.INK, ms=2)
        ax.set_yticks(range(len(own)), [terms.direction(one) for one in own])
        measures = [terms.measure(one) for one in names]
        ax.set_xticks(range(len(names)), measures, rotation=60, ha="right", rotation_mode="anchor")
        ax.tick_params(length=0)
        ax.grid(False)
        ax.set_title(labels.network(name))
    _bar(figure, list(axes), shown)
    return tell(figure, say("figures.directions.dot") if dots else "")


@report_figure(16, "ranking")
def ranking(panels: dict[str, tuple[Tensor, Tensor, Tensor, Tensor]], dims: list[int]) -> Figure:
    """Figure 16: how far each dimension moves the image, in grey levels, in order, beside random directions.

    For each network the mean (k,), the ends of its interval (k,), and the means of random directions (m,).
    """
    figure = Figure(figsize=(WIDTH, 3.1))
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (name, (mean, low, high, null)) in zip(axes, panels.items(), strict=True):
        order = mean.argsort(descending=True)
        x, middle = np.arange(len(mean)), mean[order].numpy()
        ends = null.quantile(0.025).item(), null.quantile(0.975).item()
        ax.axhspan(*ends, color=palette.NULL, alpha=0.35, lw=0)
        ax.text(0.02, ends[0], say("figures.ranking.null"), transform=ax.get_yaxis_transform(), fontsize=7.5,
                ha="left", va="top", color=palette.QUIET)  # fmt: skip
        bars = [middle - low[order].numpy(), high[order].numpy() - middle]
        ax.errorbar(x, middle, bars, fmt=".", ms=3, lw=0.7, color=palette.network(name))
        for i, at in enumerate(sorted(int((order == dim).nonzero()) for dim in dims if dim < len(mean))):
            offset = (0, 24) if i % 2 else (0, -26)  # neighbours on either side
            ax.plot(at, middle[at], "o", color=palette.LAB, ms=5, mec="white")
            label = {"ha": "center", "color": palette.LAB, "fontsize": 7.5, "fontweight": "bold"}
            label["arrowprops"] = {"arrowstyle": "-", "color": palette.LAB, "lw": 0.8}
            ax.annotate(f"z[{int(order[at])}]", (at, middle[at]), offset, textcoords="offset points", **label)
        ax.set(title=labels.network(name), xlabel=say("figures.ranking.rank"), ylim=(0, None))
        ax.locator_params(axis="both", nbins=5)
    axes[0].set_ylabel(say("figures.ranking.axis"))
    return figure


@report_figure(26, "smoothness")
def smoothness(panels: dict[str, tuple[Tensor, Tensor]], asked: float) -> Figure:
    """Figure 26: for each network the share of steps forward, 0 to 1, of every dimension (k,) and direction (m,).

    ``asked`` is the share that the claims on smoothness ask for.
    """
    figure = Figure(figsize=(WIDTH, 2.8))
    axes = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
    lowest = min(shares.min().item() for pair in panels.values() for shares in pair)
    for ax, (name, (forward, null)) in zip(axes, panels.items(), strict=True):
        own = say("figures.word.dimensions")
        for shares, colour, label in (
            (null, palette.NULL, say("figures.word.random_directions")),
            (forward, palette.network(name), own),
        ):
            ordered = np.concatenate([[0.0], np.sort(shares.numpy()), [1.0]])
            left = np.concatenate([[1.0], 1 - np.arange(len(shares)) / len(shares), [0.0]])
            ax.step(100 * ordered, 100 * left, where="pre", color=colour, label=label)
        _asked(ax, 100 * asked)
        ax.set(title=labels.network(name), xlim=(max(0, 100 * lowest - 5), 100), ylim=(0, 104))
        ax.set_xlabel(say("figures.smoothness.axis"))
        ax.locator_params(axis="both", nbins=5)
        ax.legend(loc="lower left", handlelength=1.2)
    axes[0].set_ylabel(say("figures.smoothness.share"))
    return figure


def _asked(ax: Axes, level: float) -> None:
    """The line that claims ask for."""
    ax.axvline(level, color=palette.INK, ls="--", lw=0.8)
    ax.text(level, 1.0, " " + say("figures.smoothness.asked", level=level), transform=ax.get_xaxis_transform(),
            ha="left", va="top", fontsize=7.5)  # fmt: skip
