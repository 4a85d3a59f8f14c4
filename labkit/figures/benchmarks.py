"""Figures of the benchmarks."""

import numpy as np
from matplotlib.figure import Figure

from .catalogue import BLUE, ORANGE, house_style
from .curves import plain_log_ticks


@house_style()
def benchmark(results: dict) -> Figure:
    """Results of benchmarks/training.py: ratios to the plain script, and where a training step spends its time.

    The networks are those of ``results["sample"]``, in the order of their names.
    """
    figure = Figure(figsize=(11, 3.4))
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.6])
    models = sorted(results["sample"])
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
        for (kind, share), colour in zip(results[model]["time_by_kind"].items(), colours, strict=False):
            right.barh(y, share, left=start, color=colour, height=0.6, label=kind if y == 0 else None)
            if share > 0.06:
                right.text(start + share / 2, y, f"{share:.0%}", ha="center", va="center", fontsize=9)
            start += share
    right.set_yticks(range(len(models)), models)
    right.invert_yaxis()
    right.set(title="where a training step spends its time", xlim=(0, 1), xlabel="share of the step")
    right.legend(ncols=5, loc="upper center", bbox_to_anchor=(0.5, -0.25), fontsize=9)
    return figure


@house_style()
def latency(results: dict) -> Figure:
    """Results of benchmarks/explorer.py, the editor's: every move a dot, with median and 95th percentile.

    ``results[network][name]["times_ms"]`` are milliseconds from key to pixels. Networks are sorted by name.
    """
    figure = Figure(figsize=(8, 2.6))
    ax = figure.subplots()
    tables = {model: rows for model, rows in sorted(results.items()) if isinstance(rows, dict) and model != "machine"}
    rows = [(f"{model}, {name}", row) for model, table in tables.items() for name, row in table.items()]
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


@house_style()
def time_to_quality(curves: dict[str, list[dict]], level: float, reached: float | None) -> Figure:
    """Results of benchmarks/quality.py: Frechet distance over seconds of training, for the plain script and the lab.

    ``curves`` are rows with ``seconds`` and ``frechet`` for the ways "plain" and "lab"; ``level`` is the plain script's
    best, ``reached`` the second at which the lab has it, if it does.
    """
    figure = Figure(figsize=(7.5, 4))
    ax = figure.subplots()
    for way, colour, label in (("plain", ORANGE, "plain tutorial script"), ("lab", BLUE, "the lab, profile quick")):
        ax.plot(
            [row["seconds"] for row in curves[way]],
            [row["frechet"] for row in curves[way]],
            "o-",
            color=colour,
            ms=3,
            label=label,
        )
    ax.axhline(level, color="0.5", lw=1, ls="--", label="the plain script's best")
    if reached:
        ax.axvline(reached, color=BLUE, lw=1, ls=":")
        ax.annotate(f"{reached:.0f} s", (reached, level), (6, 8), textcoords="offset points", color=BLUE)
    ax.set(xlabel="seconds of training", ylabel="Frechet distance (less is better)", yscale="log", xlim=(0, None))
    plain_log_ticks(ax)
    ax.legend(loc="upper right")
    return figure
