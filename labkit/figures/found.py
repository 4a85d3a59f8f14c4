"""The figure of garments that are looked for in the networks."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, stack

from ..analysis.inversion import Inversion, missed_classes
from ..data.loading import to_unit
from ..texts import say, terms
from . import labels, palette
from .catalogue import WIDTH, report_figure
from .sheets import show_images


@report_figure(25, "found")
def found(real: Tensor, networks: dict[str, Inversion], classes: list[str], noun: str = "garment") -> Figure:
    """Figure 25: ``real`` (k, 1, 28, 28), the first of each class, beside what was found of it in each network."""
    more = max(0, len(classes) - 10)
    figure = Figure(figsize=(WIDTH, 6.9 + 0.12 * more))
    sheets, charts = figure.subfigures(2, 1, squeeze=False, height_ratios=[1.35, 1])[:, 0]
    axes = sheets.subplots(1 + len(networks), 1, height_ratios=[1, *[2.07] * len(networks)])
    said = [labels.garment(name) for name in classes]
    show_images(axes[0], real.transpose(0, 1), [say("figures.word.real")], top=said)
    for ax, (name, result) in zip(axes[1:], networks.items(), strict=True):
        made = to_unit(result.pictures)  # (k, 1, 28, 28)
        error = (made - real).abs() - 1  # no error is black, as much as can be (255 grey levels) white
        rms = [f"{value:.0f}" for value in result.rms[:: len(result.rms) // len(real)]]
        rows = [say("figures.found.found", network=labels.network(name)), say("figures.found.error")]
        show_images(ax, stack([made[:, 0], error[:, 0]]), rows, top=rms)
    left, right = charts.subplots(1, 2)
    _errors(left, networks, noun)
    _missed(right, networks, said)
    return figure


def _errors(ax: Axes, networks: dict[str, Inversion], noun: str) -> None:
    """The share of garments that are found at least as near as x."""
    first = next(iter(networks.values()))
    for name, result in networks.items():
        colour = palette.network(name)
        ax.ecdf(result.rms.numpy(), color=colour, label=labels.network(name))
        ax.axvline(result.own.median().item(), color=colour, ls=":", lw=1.2)
        ax.axvline(result.noise.median().item(), color=colour, ls="--", lw=1.2)
    nearest = say("figures.found.nearest", noun=terms.noun(noun))
    ax.ecdf(first.nearest.numpy(), color=palette.REAL, label=nearest)
    ax.plot([], [], color=palette.QUIET, ls=":", lw=1.2, label=say("figures.found.own"))
    ax.plot([], [], color=palette.QUIET, ls="--", lw=1.2, label=say("figures.found.noise"))
    ax.set(xlabel=say("figures.found.axis"), xlim=(0, None), ylim=(0, 1))
    ax.set_ylabel(say("figures.found.share", nouns=terms.nouns(noun)))
    ax.locator_params(axis="both", nbins=5)
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=5, handlelength=1.4)


def _missed(ax: Axes, networks: dict[str, Inversion], names: list[str]) -> None:
    """The share of each class that is missed; classes from top to bottom."""
    place = np.arange(len(names))
    for i, (name, result) in enumerate(networks.items()):
        share = missed_classes(result).numpy()
        ax.barh(place + 0.4 * (i - 0.5), share, 0.38, color=palette.network(name), label=labels.network(name))
    ax.set(yticks=place, yticklabels=names, xlim=(0, 1), xlabel=say("figures.found.missed"))
    ax.set_xticks([0, 0.5, 1])
    ax.tick_params(length=0, axis="y")
    ax.invert_yaxis()
    ax.grid(False, axis="y")
