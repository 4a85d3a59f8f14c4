"""Figures of what dimensions and directions do."""

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from .catalogue import BLUE, ORANGE, SIGNED, report_figure


@report_figure(
    15,
    "atlas",
    "What an edit of each dimension of z to \u22123 and to 3 does, beside random directions. A dot: more than they do.",
)
def effects(panels: dict[str, tuple[Tensor, Tensor]], names: list[str], dims: list[int]) -> Figure:
    """Figure 15: for each network, the score (k, a) of k dimensions in a measures; a dot where it is special (k, a).

    A score is a mean effect in deviations of random directions' effects; ``dims`` are named on the axis.
    """
    figure = Figure(figsize=(12, 0.23 * len(names) * len(panels) + 1.5))
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    for ax, (title, (score, special)) in zip(axes, panels.items(), strict=True):
        shown = ax.imshow(score.T.numpy(), aspect="auto", cmap=SIGNED, vmin=-5, vmax=5, interpolation="nearest")
        k, a = special.nonzero(as_tuple=True)
        ax.plot(k.numpy(), a.numpy(), ".", color="black", ms=3)
        ax.set_yticks(range(len(names)), [name.replace("_", " ") for name in names])
        ax.set_xticks(sorted({*range(0, len(score), 10), *dims}))
        for label, tick in zip(ax.get_xticklabels(), ax.get_xticks(), strict=True):
            label.set(fontweight="bold" if tick in dims else "normal", color="black" if tick in dims else "0.5")
        ax.grid(False)
        ax.set_title(f"{title}: {int(special.sum())} of {special.numel()} effects beyond a random direction's")
    axes[-1].set_xlabel("dimension of z")
    figure.colorbar(
        shown, ax=list(axes), pad=0.01, extend="both", label="effect, in deviations of\nrandom directions' effects"
    )
    return figure


@report_figure(
    19,
    "directions",
    "Directions found by four methods, and the axis that does most for each measure, beside what random directions do.",
)
def directions(panels: dict[str, tuple[list[str], Tensor, Tensor]], names: list[str]) -> Figure:
    """Figure 19: for each network the names of k directions, their scores (k, a) in a measures, which are special.

    Scores are as in figure 15; ``names`` are the measures.
    """
    rows = max(len(labels) for labels, _, _ in panels.values())
    figure = Figure(figsize=(6.2 * len(panels) + 0.6, 0.23 * rows + 1.9))
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (title, (labels, score, special)) in zip(axes, panels.items(), strict=True):
        shown = ax.imshow(score.numpy(), aspect="auto", cmap=SIGNED, vmin=-10, vmax=10, interpolation="nearest")
        k, a = special.nonzero(as_tuple=True)
        ax.plot(a.numpy(), k.numpy(), ".", color="black", ms=3)
        ax.set_yticks(range(len(labels)), labels)
        ax.set_xticks(
            range(len(names)),
            [name.replace("_", " ") for name in names],
            rotation=60,
            ha="right",
            rotation_mode="anchor",
        )
        ax.grid(False)
        ax.set_title(title)
    figure.colorbar(
        shown, ax=list(axes), pad=0.01, extend="both", label="effect, in deviations of\nrandom directions' effects"
    )
    return figure


@report_figure(
    16,
    "ranking",
    "How far an edit of each dimension to \u22123 or 3 moves the image, in order, with 95 % intervals, beside random "
    "directions.",
)
def ranking(panels: dict[str, tuple[Tensor, Tensor, Tensor, Tensor]], dims: list[int]) -> Figure:
    """Figure 16: how far each dimension moves the image, in grey levels, in order, beside random directions.

    For each network the mean (k,), the ends of its interval (k,), and the means of random directions (m,).
    """
    figure = Figure(figsize=(11, 3.6))
    axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for ax, (title, (mean, low, high, null)) in zip(axes, panels.items(), strict=True):
        order = mean.argsort(descending=True)
        x, middle = np.arange(len(mean)), mean[order].numpy()
        ax.axhspan(
            null.quantile(0.025).item(), null.quantile(0.975).item(), color="0.85", label="95 % of random directions"
        )
        ax.errorbar(
            x,
            middle,
            [middle - low[order].numpy(), high[order].numpy() - middle],
            fmt=".",
            ms=4,
            lw=0.8,
            color=BLUE,
            label="dimensions",
        )
        for i, at in enumerate(sorted(int((order == dim).nonzero()) for dim in dims)):
            offset = (0, 26) if i % 2 else (0, -30)  # neighbours on either side
            ax.plot(at, middle[at], "o", color=ORANGE, ms=7, mec="white")
            label = {"ha": "center", "color": ORANGE, "fontsize": 9, "fontweight": "bold"}
            label["arrowprops"] = {"arrowstyle": "-", "color": ORANGE}
            ax.annotate(f"z[{int(order[at])}]", (at, middle[at]), offset, textcoords="offset points", **label)
        ax.set(
            title=title,
            xlabel="rank of the dimension",
            ylabel="mean |change| from the base vector\nto \u22123 or 3, in grey levels",
            ylim=(0, None),
        )
        ax.legend(loc="lower left")
    return figure


@report_figure(
    26,
    "smoothness",
    "Sweeps from \u22123 to 3: the share of dimensions of which at least so many steps go forward, beside random "
    "directions.",
)
def smoothness(panels: dict[str, tuple[Tensor, Tensor]], asked: float) -> Figure:
    """Figure 26: for each network the share of steps forward, 0 to 1, of every dimension (k,) and direction (m,).

    ``asked`` is the share that the claims on smoothness ask for.
    """
    figure = Figure(figsize=(11, 3.4))
    axes = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
    lowest = min(shares.min().item() for pair in panels.values() for shares in pair)
    for ax, (title, (forward, null)) in zip(axes, panels.items(), strict=True):
        for shares, colour, label in ((null, "0.55", "random directions"), (forward, BLUE, "dimensions")):
            ordered = np.concatenate([[0.0], np.sort(shares.numpy()), [1.0]])
            left = np.concatenate([[1.0], 1 - np.arange(len(shares)) / len(shares), [0.0]])
            ax.step(100 * ordered, 100 * left, where="pre", color=colour, label=label)
        ax.axvline(100 * asked, color=ORANGE, ls="--", lw=1.2, label=f"{asked:.0%}, asked for")
        ax.set(title=title, xlabel="steps that go forward, %, at least", xlim=(max(0, 100 * lowest - 5), 100))
        ax.legend(loc="lower left")
    axes[0].set_ylabel("share of them, %")
    return figure
