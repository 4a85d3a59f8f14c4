"""Figures of many runs: the same vectors in every run, the scatter of scores, claims run by run."""

import math
import re
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator
from torch import Tensor

from ..analysis.claims import RUNS, Verdict, too_few, untested, verdict_word
from ..analysis.comparisons import OUTCOMES
from ..analysis.design import DESIGN
from ..analysis.statistics import t_interval
from ..texts import say, terms
from . import labels, palette
from .catalogue import WIDTH, report_figure, tell
from .sheets import show_images

ENOUGH = 3  # runs of an arm for an interval of their mean


def _seeds(of: Mapping[int, object]) -> list[str]:
    return [say("figures.word.seed", seed=seed) for seed in of]


@report_figure(21, "worlds")
def worlds(images: Mapping[str, Mapping[int, Tensor]]) -> Figure:
    """Figure 21: for each network, by its title, and each seed the images (n, 28, 28) of the same n vectors."""
    rows = max(len(of) for of in images.values())
    figure = Figure(figsize=(WIDTH, 0.41 * rows + 0.4))
    for ax, (title, of) in zip(figure.subplots(1, len(images), squeeze=False)[0], images.items(), strict=True):
        show_images(ax, torch.stack(list(of.values())), _seeds(of), labels.network(title))
        ax.set_anchor("NW")
    return figure


@report_figure(22, "worlds_edited")
def worlds_edited(
    edits: Mapping[str, Mapping[int, Tensor]], words: Mapping[str, Mapping[int, str]], dim: int, shown: int = 2
) -> Figure:
    """Figure 22: for each network and seed the images (2, n, 28, 28) with z[``dim``] at either end, and a few words.

    The first ``shown`` vectors are drawn, each as a pair. ``words`` begin with the name of a measure, in a line.
    """
    rows = max(len(of) for of in edits.values())
    figure = Figure(figsize=(WIDTH, 0.36 * rows + 0.5))
    figure.set_layout_engine("constrained", wspace=0.08)
    for ax, (title, of) in zip(figure.subplots(1, len(edits), squeeze=False)[0], edits.items(), strict=True):
        pairs = torch.stack([pair[:, :shown].transpose(0, 1).flatten(0, 1) for pair in of.values()])
        said = say("figures.worlds.edited", network=labels.network(title), dim=dim)
        show_images(ax, pairs, _seeds(of), said, ["\u22123", "+3"] * min(shown, pairs.shape[1] // 2))
        ax.set_anchor("NW")
        for row, seed in enumerate(of):
            name, _, rest = words[title][seed].partition("\n")
            text = {"transform": _upside_down(ax), "va": "center", "fontsize": 7.5}
            said = f"{terms.measure(name)}\n{rest}".strip().replace("-", "\u2212")
            ax.text(1.02, (row + 0.5) / len(of), said, **text)
    return tell(figure, dim=f"z[{dim}]")


def _upside_down(ax: Axes):
    """Coordinates of ``ax`` from 0 to 1 that count from the top, as rows of a sheet do."""
    from matplotlib.transforms import Affine2D

    return Affine2D().scale(1, -1).translate(0, 1) + ax.transAxes


@report_figure(23, "scatter")
def scatter(arms: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Figure 23: for each arm, by its title, the scores of its runs; the bar, of three and more, is
    the mean with its 95 % t interval.

    The first arm of a network is drawn full, further ones hollow.
    """
    figure = Figure(figsize=(WIDTH, 4.3))
    axes = figure.subplots(2, 4).flatten()
    looks = _looks(list(arms))
    for ax, outcome in zip(axes, OUTCOMES, strict=False):
        for x, (name, look) in enumerate(looks.items()):
            values = np.array([scores[outcome.score] for scores in arms[name]])
            ax.plot(x + np.linspace(-0.18, 0.18, len(values)), values, "o", ms=4, **look)
            if len(values) >= ENOUGH:
                middle, ends = _mean(values, outcome.log)
                bar = {"fmt": "_", "color": palette.INK, "capsize": 2, "lw": 1}
                ax.errorbar(x + 0.34, middle, [[middle - ends[0]], [ends[1] - middle]], **bar)
        better = say(f"figures.scatter.{'less' if outcome.less else 'more'}")
        ax.set(title=say(f"figures.outcome.{outcome.score}", outcome.title), xlim=(-0.5, len(looks) - 0.3))
        ax.set_ylabel(better)
        ax.set_xticks([])
        ax.locator_params(axis="y", nbins=5) if not outcome.log else _few_log_ticks(ax)
    axes[-1].axis("off")
    for name, look in looks.items():
        said = say("figures.scatter.arm", arm=labels.network(name), runs=len(arms[name]))
        axes[-1].plot([], [], "o", ms=4, label=said, **look)
    axes[-1].legend(loc="center left", bbox_to_anchor=(-0.2, 0.5), handletextpad=0.2)
    return tell(figure, say("figures.scatter.bar") if any(len(runs) >= ENOUGH for runs in arms.values()) else "")


def _looks(names: list[str]) -> dict[str, dict]:
    """How the dots of each arm are drawn."""
    looks: dict[str, dict] = {}
    for name in names:
        colour = palette.network(name)
        again = any(palette.network(other) == colour for other in looks)
        looks[name] = {"color": colour, "mfc": "white" if again else colour, "mec": colour, "mew": 0.8, "ls": ""}
    return looks


def _few_log_ticks(ax: Axes) -> None:
    ax.set_yscale("log")
    low, high = ax.get_ylim()
    few = (1, 1.5, 2, 3, 5, 7) if high < 5 * low else (1, 2, 5) if high < 100 * low else (1,)
    ax.yaxis.set_major_locator(LogLocator(subs=few))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_locator(NullLocator())


def _mean(values: np.ndarray, log: bool) -> tuple[float, tuple[float, float]]:
    """Mean of ``values``, of their logarithms if ``log``, and its 95 % t interval."""
    logs = torch.from_numpy(np.log(values) if log else values).double()
    ends, back = t_interval(logs), math.exp if log else float
    return back(logs.mean().item()), (back(ends[0]), back(ends[1]))


@report_figure(24, "claims_by_run")
def claims_by_run(rows: Sequence[Verdict]) -> Figure:
    """Figure 24: a dot for each run, full where it passes; at the right the share that passes, and its interval."""
    rows = [row for row in rows if row.level == RUNS and row.per_run]
    seeds = sorted({run["seed"] for row in rows for run in row.per_run})
    figure = Figure(figsize=(WIDTH, 0.33 * len(rows) + 0.9))
    left, right = figure.subplots(1, 2, width_ratios=(max(1.4, 0.16 * len(seeds)), 1.5), sharey=True)
    for y, row in enumerate(rows):
        for run in row.per_run:
            face = palette.PASSES if run["passes"] else palette.FAILS
            left.plot(seeds.index(run["seed"]), y, "o", mfc=face, mec=palette.PASSES, mew=0.9, ms=5.5)
        low, high = row.share or (0.0, 1.0)
        right.plot([low, high], [y, y], color=palette.QUIET, lw=3, alpha=0.5, solid_capstyle="butt")
        right.plot((row.passes or 0) / row.runs, y, "D", color=palette.INK, ms=4, clip_on=False, zorder=3)
        said = say("figures.claims.too_few") if too_few(row) else _verdict(row)
        right.text(1.07, y, said, va="center", fontsize=7.5)
    left.set_yticks(range(len(rows)), [f"{row.id}  {_claim(row)}" for row in rows])
    left.set_xticks(range(len(seeds)), [str(seed) for seed in seeds])
    left.set(title=say("figures.claims.runs"), xlabel=say("figures.claims.seed"))
    left.set(xlim=(-0.6, len(seeds) - 0.4), ylim=(len(rows) - 0.5, -0.5))
    right.axvline(0.5, color=palette.INK, ls="--", lw=0.8)
    right.set(title=say("figures.claims.share"), xlabel=say("figures.claims.share_axis"), xlim=(0, 1))
    right.set_xticks([0, 0.5, 1])
    for ax in (left, right):
        ax.tick_params(axis="y", length=0)
    return figure


def _claim(row: Verdict, wide: int = 50) -> str:
    """The sentence of a claim, in two lines of so many letters at most."""
    lines = wrapped(say(f"claims.{row.id}.sentence", row.claim), wide)
    return "\n".join(lines[:2]) + (" \u2026" if len(lines) > 2 else "")


def _verdict(row: Verdict) -> str:
    return untested(row.why) if row.why else verdict_word(row.verdict)


def wrapped(text: str, wide: int) -> list[str]:
    """``text`` in lines of ``wide`` letters; a Chinese one counts two, and none begins with its comma or full stop."""
    lines, room = [""], wide
    for piece in re.findall(r"[\x21-\x7e]+|\s+|[^\x00-\x7f][\uff0c\u3002\uff1a\uff1b\u3001\uff09\u201d]?", text):
        size = sum(1 if ord(letter) < 0x2000 else 2 for letter in piece)
        if size > room and lines[-1]:
            lines, room = [*lines, ""], wide
        if lines[-1] or not piece.isspace():
            lines[-1], room = lines[-1] + piece, room - size
    return [line.rstrip() for line in lines]


@report_figure(27, "design")
def design(rows: Sequence[Verdict]) -> Figure:
    """Figure 27: for each design claim the paired differences, their mean and 95 % t interval; right of 0 is for it."""
    known = {one.id: one for one in DESIGN}
    figure = Figure(figsize=(WIDTH, 0.5 * len(rows) + 0.6))
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for ax, row in zip(axes, rows, strict=True):
        values = [run["value"] for run in row.per_run if run["value"] is not None]
        ax.plot(values, [0.0] * len(values), "o", color=palette.VANILLA, mec="white", ms=5)
        if row.value is not None and row.interval is not None:
            bars = [[row.value - row.interval[0]], [row.interval[1] - row.value]]
            ax.errorbar(row.value, 0.5, xerr=bars, fmt="D", color=palette.INK, ms=4, capsize=2, lw=1)
        ax.axvline(0, color=palette.INK, lw=0.8, ls="--")
        one = known.get(row.id)
        least, unit = (one.least, say(f"figures.design.{one.measure.__name__}", one.words)) if one else (0.0, "")
        ax.axvspan(-least, least, color=palette.BAND, lw=0, zorder=0)
        widest = max([abs(end) for end in (*values, *(row.interval or ()))], default=1.0) * 1.15 or 1.0
        ax.set(ylim=(-0.6, 1.1), xlim=(-widest, widest))
        ax.set_yticks([0.25], [f"{row.id}  {_claim(row, 34)}"])
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.tick_params(axis="y", length=0)
        beside = {"transform": ax.transAxes, "va": "center", "fontsize": 7.5}
        ax.text(1.02, 0.72, _verdict(row), **beside)
        ax.text(1.02, 0.22, unit, color=palette.QUIET, **beside)
        ax.grid(axis="y", visible=False)
    axes[-1].set_xlabel(say("figures.design.axis"))
    return figure
