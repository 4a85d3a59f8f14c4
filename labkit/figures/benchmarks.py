"""Figures of the benchmarks."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..texts import say
from . import labels, palette
from .catalogue import WIDTH, house_style
from .curves import plain_log_ticks


@house_style()
def benchmark(results: dict) -> Figure:
    """Results of benchmarks/training.py: ratios to the plain script, and where a training step spends its time.

    The networks are those of ``results["sample"]``, in the order of their names.
    """
    figure = Figure(figsize=(WIDTH, 4.6))
    top, bottom = figure.subplots(2, 1, height_ratios=[1.6, 1])
    models = sorted(results["sample"])
    rows = []
    for m in models:
        name = labels.network(m)
        exact = [("exact", results[m]["float32"])] if "float32" in results[m] else []
        for part, row in (("training", results[m]), *exact, ("sampling", results["sample"][m])):
            rows.append((say(f"figures.speed.{part}", network=name), row))
    for y, (_, row) in enumerate(rows):
        low, high = row["ratio_spread"]["quartiles"]
        top.barh(y, row["ratio"], color=palette.OURS, height=0.6)
        top.errorbar(row["ratio"], y, xerr=[[row["ratio"] - low], [high - row["ratio"]]], color=palette.INK, capsize=2)
        top.text(0.05, y, f"{row['ratio']:.2f}", va="center", color="white", fontweight="bold")
    top.axvline(1, color=palette.INK, ls="--", lw=0.8)
    top.set_yticks(range(len(rows)), [label for label, _ in rows])
    top.invert_yaxis()
    top.set(title=say("figures.speed.title"), xlabel=say("figures.speed.axis"))
    _shares(bottom, {model: results[model]["time_by_kind"] for model in models})
    return figure


def _shares(ax: Axes, times: dict[str, dict[str, float]]) -> None:
    """Where the time of a step goes, in greys from dark to light; large shares are named where they are."""
    for y, model in enumerate(times):
        start = 0.0
        for i, (kind, share) in enumerate(times[model].items()):
            grey = 0.35 + 0.6 * i / max(1, len(times[model]) - 1)
            ax.barh(y, share, left=start, color=str(grey), ec="white", height=0.6, label=kind if y == 0 else None)
            if share > 0.06:
                ink = "white" if grey < 0.6 else palette.INK
                ax.text(start + share / 2, y, f"{share:.0%}", ha="center", va="center", fontsize=7.5, color=ink)
            start += share
    ax.set_yticks(range(len(times)), [labels.network(model) for model in times])
    ax.invert_yaxis()
    ax.set(title=say("figures.speed.where"), xlim=(0, 1), xlabel=say("figures.speed.share"))
    ax.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.3))


@house_style()
def latency(results: dict) -> Figure:
    """Results of benchmarks/explorer.py, the editor's: every move a dot, with median and 95th percentile.

    ``results[network][name]["times_ms"]`` are milliseconds from key to pixels; a name without them has no row. Networks
    are sorted by name.
    """
    figure = Figure(figsize=(WIDTH, 2.4))
    ax = figure.subplots()
    tables = {model: rows for model, rows in sorted(results.items()) if isinstance(rows, dict) and model != "machine"}
    rows = [(model, name, row) for model, table in tables.items() for name, row in table.items() if "times_ms" in row]
    for y, (model, _, row) in enumerate(rows):
        times, colour = np.array(row["times_ms"]), palette.network(model)
        ax.plot(times, y + np.linspace(-0.25, 0.25, len(times)), ".", color=colour, alpha=0.5, ms=3)
        median, most = say("figures.speed.median"), say("figures.speed.most")
        for value, style, label in ((row["median_ms"], "-", median), (row["p95_ms"], ":", most)):
            own = label if y == 0 else None
            ax.plot([value, value], [y - 0.35, y + 0.35], style, color=palette.INK, lw=1.6, label=own)
    ax.set_yticks(range(len(rows)), [f"{labels.network(model)}, {name}" for model, name, _ in rows])
    ax.invert_yaxis()
    ax.set(xlabel=say("figures.speed.latency"), xlim=(0, None))
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


@house_style()
def time_to_quality(curves: dict[str, list[dict]], level: float, reached: float | None) -> Figure:
    """Results of benchmarks/quality.py: Frechet distance over seconds of training, for the plain script and the lab.

    ``curves`` are rows with ``seconds`` and ``frechet`` for the ways "plain" and "lab"; ``level`` is the plain script's
    best, ``reached`` the second at which the lab has it, if it does.
    """
    figure = Figure(figsize=(WIDTH * 0.8, 3.2))
    ax = figure.subplots()
    for way, colour in (("plain", palette.PLAIN), ("lab", palette.OURS)):
        rows, said = curves[way], say(f"figures.speed.{way}")
        seconds, distances = [row["seconds"] for row in rows], [row["frechet"] for row in rows]
        ax.plot(seconds, distances, "o-", color=colour, ms=3, label=said)
    ax.axhline(level, color=palette.QUIET, lw=0.8, ls="--", label=say("figures.speed.plain_best"))
    if reached:
        ax.axvline(reached, color=palette.OURS, lw=1, ls=":")
        note = say("figures.speed.seconds", seconds=reached)
        ax.annotate(note, (reached, level), (6, 8), textcoords="offset points", color=palette.OURS)
    ax.set(xlabel=say("figures.speed.time"), ylabel=say("figures.speed.frechet"), yscale="log", xlim=(0, None))
    plain_log_ticks(ax)
    ax.legend(loc="upper right")
    return figure
