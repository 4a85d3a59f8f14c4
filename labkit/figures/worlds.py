"""Figures of many runs: the same vectors in every run, the scatter of scores, claims run by run."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from torch import Tensor

from ..analysis.claims import RUNS, Verdict, too_few
from ..analysis.comparisons import OUTCOMES
from ..analysis.design import DESIGN
from ..analysis.statistics import t_interval
from .catalogue import BLUE, ORANGE, report_figure
from .sheets import show_images

COLOURS = (ORANGE, "#E69F00", BLUE, "#56B4E9")  # of arms: two networks, two recipes
GREY = "0.55"


@report_figure(21, "worlds", "The same eight latent vectors in every run: one row for each seed.")
def worlds(images: Mapping[str, Mapping[int, Tensor]]) -> Figure:
    """Figure 21: for each network, by its title, and each seed the images (n, 28, 28) of the same n vectors."""
    rows = max(len(of) for of in images.values())
    figure = Figure(figsize=(5.4 * len(images), 0.55 * rows + 0.6))
    for ax, (title, of) in zip(figure.subplots(1, len(images), squeeze=False)[0], images.items(), strict=True):
        show_images(ax, torch.stack(list(of.values())), [f"seed {seed}" for seed in of], title)
        ax.set_anchor("N")
    return figure


@report_figure(22, "worlds_edited", "The same edit of the same vectors in every run, and what it changed most there.")
def worlds_edited(
    edits: Mapping[str, Mapping[int, Tensor]], words: Mapping[str, Mapping[int, str]], dim: int, shown: int = 4
) -> Figure:
    """Figure 22: for each network and seed the images (2, n, 28, 28) with z[``dim``] at either end, and a few words.

    The first ``shown`` vectors are drawn, each as a pair.
    """
    rows = max(len(of) for of in edits.values())
    figure = Figure(figsize=(6.6 * len(edits), 0.55 * rows + 1.0))
    for ax, (title, of) in zip(figure.subplots(1, len(edits), squeeze=False)[0], edits.items(), strict=True):
        pairs = torch.stack([pair[:, :shown].transpose(0, 1).flatten(0, 1) for pair in of.values()])
        top = ["\u22123", "+3"] * shown
        show_images(ax, pairs, [f"seed {seed}" for seed in of], f"{title}: z[{dim}] at either end", top)
        ax.set_anchor("N")
        for row, seed in enumerate(of):
            ax.text(
                1.02, (row + 0.5) / len(of), words[title][seed], transform=_upside_down(ax), va="center", fontsize=9
            )
    return figure


def _upside_down(ax: Axes):
    """Coordinates of ``ax`` from 0 to 1 that count from the top, as rows of a sheet do."""
    from matplotlib.transforms import Affine2D

    return Affine2D().scale(1, -1).translate(0, 1) + ax.transAxes


@report_figure(23, "scatter", "Scores of every run: how far they scatter over seeds, beside how far arms are apart.")
def scatter(arms: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Figure 23: for each arm, by its title, the scores of its runs; the bar, of three and more, is
    the mean with its 95 % t interval.
    """
    figure = Figure(figsize=(11.5, 5.6))
    axes = figure.subplots(2, 4).flatten()
    names = list(arms)
    for ax, outcome in zip(axes, OUTCOMES, strict=False):
        for x, (name, colour) in enumerate(zip(names, COLOURS, strict=False)):
            values = np.array([scores[outcome.score] for scores in arms[name]])
            ax.plot(x + np.linspace(-0.18, 0.18, len(values)), values, "o", color=colour, mec="white", ms=6)
            if len(values) > 2:
                middle, ends = _mean(values, outcome.log)
                ax.errorbar(x + 0.34, middle, [[middle - ends[0]], [ends[1] - middle]], fmt="_", color="0.2", capsize=3)
        better = "less" if outcome.less else "more"
        title = outcome.title.removeprefix("log ").replace(", ", ",\n")
        ax.set(title=f"{title[0].upper()}{title[1:]}", ylabel=f"{better} is better", xlim=(-0.5, len(names) - 0.3))
        ax.set_xticks([])
        if outcome.log:
            ax.set_yscale("log")
            low, high = ax.get_ylim()
            few = (1, 1.5, 2, 3, 5, 7) if high < 5 * low else (1, 2, 5) if high < 100 * low else (1,)
            ax.yaxis.set_major_locator(LogLocator(subs=few))
            ax.yaxis.set_major_formatter("{x:g}")
            ax.yaxis.set_minor_locator(NullLocator())
    axes[-1].axis("off")
    for name, colour in zip(names, COLOURS, strict=False):
        axes[-1].plot([], [], "o", color=colour, label=f"{name}, {len(arms[name])} runs")
    axes[-1].legend(loc="center left", title="20 epochs each", alignment="left")
    return figure


def _mean(values: np.ndarray, log: bool) -> tuple[float, tuple[float, float]]:
    """Mean of ``values``, of their logarithms if ``log``, and its 95 % t interval."""
    logs = torch.from_numpy(np.log(values) if log else values).double()
    ends, back = t_interval(logs), math.exp if log else float
    return back(logs.mean().item()), (back(ends[0]), back(ends[1]))


@report_figure(
    24, "claims_by_run", "Every claim that short runs can answer, run by run, and what share of runs passes."
)
def claims_by_run(rows: Sequence[Verdict]) -> Figure:
    """Figure 24: a dot for each run, full where it passes; at the right the share that passes, and its interval."""
    rows = [row for row in rows if row.level == RUNS and row.per_run]
    seeds = sorted({run["seed"] for row in rows for run in row.per_run})
    figure = Figure(figsize=(11, 0.3 * len(rows) + 1.3))
    left, right = figure.subplots(1, 2, width_ratios=(max(2.0, 0.35 * len(seeds)), 4), sharey=True)
    for y, row in enumerate(rows):
        for run in row.per_run:
            face = BLUE if run["passes"] else "white"
            left.plot(seeds.index(run["seed"]), y, "o", mfc=face, mec=BLUE if run["passes"] else ORANGE, ms=8)
        low, high = row.share or (0.0, 1.0)
        right.plot([low, high], [y, y], color=GREY, lw=4, solid_capstyle="butt")
        right.plot((row.passes or 0) / row.runs, y, "D", color="0.1", ms=5, clip_on=False, zorder=3)
        right.text(1.06, y, "too few runs to tell" if too_few(row) else row.verdict, va="center")
    left.set_yticks(range(len(rows)), [f"{row.id}  {_short(row.claim)}" for row in rows])
    left.set_xticks(range(len(seeds)), [str(seed) for seed in seeds])
    left.set(title="runs, full: passes", xlabel="seed", xlim=(-0.6, len(seeds) - 0.4), ylim=(len(rows) - 0.5, -0.5))
    right.axvline(0.5, color="0.2", ls="--", lw=1)
    right.set(title="share of runs that pass, 95 % interval", xlabel="share of runs", xlim=(0, 1))
    right.tick_params(axis="y", length=0)
    return figure


def _short(sentence: str, most: int = 58) -> str:
    """``sentence``, cut at a word."""
    if len(sentence) <= most:
        return sentence
    return sentence[:most].rsplit(" ", 1)[0] + " \u2026"


@report_figure(
    27, "design", "Eight reasons for the design of the vanilla GAN: what taking each part away does, run by run."
)
def design(rows: Sequence[Verdict]) -> Figure:
    """Figure 27: for each design claim the paired differences, their mean and 95 % t interval; right of 0 is for it."""
    least = {one.id: one.least for one in DESIGN}
    figure = Figure(figsize=(10.5, 0.62 * len(rows) + 0.9))
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for ax, row in zip(axes, rows, strict=True):
        values = [run["value"] for run in row.per_run if run["value"] is not None]
        ax.plot(values, [0.0] * len(values), "o", color=BLUE, mec="white", ms=7)
        if row.value is not None and row.interval is not None:
            ax.errorbar(
                row.value, 0.5, xerr=[[row.value - row.interval[0]], [row.interval[1] - row.value]],
                fmt="D", color="0.1", ms=5, capsize=3,
            )  # fmt: skip
        ax.axvline(0, color="0.2", lw=1, ls="--")
        ax.axvspan(-least.get(row.id, 0.0), least.get(row.id, 0.0), color="0.93", lw=0, zorder=0)
        widest = max([abs(end) for end in (*values, *(row.interval or ()))], default=1.0) * 1.15 or 1.0
        ax.set(ylim=(-0.6, 1.1), xlim=(-widest, widest))
        ax.set_yticks([0.25], [f"{row.id}  {_short(row.claim, 52)}"])
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.tick_params(axis="y", length=0)
        ax.text(1.02, 0.5, row.verdict, transform=ax.transAxes, va="center")
        ax.grid(axis="y", visible=False)
    axes[-1].set_xlabel(
        "\u2190 speaks against      effect, in the claim's own unit; grey: too small to matter      speaks for \u2192"
    )
    return figure
