"""The figure of garments that are looked for in the networks."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor, stack

from ..analysis.inversion import Inversion, missed_classes
from ..data.loading import to_unit
from .catalogue import BLUE, ORANGE, report_figure
from .sheets import show_images

COLOURS = (ORANGE, BLUE)


@report_figure(
    25,
    "found",
    "Test garments looked for in both networks: the nearest picture that was found and its absolute error (black is "
    "none), with the error of the whole picture above; the errors of all garments that were looked for; and the share "
    "of each class that was missed: a training garment is nearer than what was found.",
)
def found(real: Tensor, networks: dict[str, Inversion], classes: list[str], noun: str = "garment") -> Figure:
    """Figure 25: ``real`` (k, 1, 28, 28), the first of each class, beside what was found of it in each network."""
    more = max(0, len(classes) - 10)
    figure = Figure(figsize=(11.5 + 0.5 * more, 5.2 + 0.12 * more))
    sheets, charts = figure.subfigures(1, 2, squeeze=False, width_ratios=[1.75, 1])[0]
    axes = sheets.subplots(1 + len(networks), 1, height_ratios=[1, *[2.07] * len(networks)])
    show_images(axes[0], real.transpose(0, 1), ["real"], top=classes)
    for ax, (name, result) in zip(axes[1:], networks.items(), strict=True):
        made = to_unit(result.pictures)  # (k, 1, 28, 28)
        error = (made - real).abs() - 1  # no error is black, as much as can be (255 grey levels) white
        rms = [f"{value:.0f}" for value in result.rms[:: len(result.rms) // len(real)]]
        show_images(ax, stack([made[:, 0], error[:, 0]]), [f"{name}:\nfound", "|error|"], top=rms)
    top, bottom = charts.subplots(2, 1)
    _errors(top, networks, noun)
    _missed(bottom, networks, classes)
    return figure


def _errors(ax: Axes, networks: dict[str, Inversion], noun: str) -> None:
    """The share of garments that are found at least as near as x."""
    first = next(iter(networks.values()))
    for (name, result), colour in zip(networks.items(), COLOURS, strict=False):
        ax.ecdf(result.rms.numpy(), color=colour, label=name)
        ax.axvline(result.own.median().item(), color=colour, ls=":", lw=1.2)
        ax.axvline(result.noise.median().item(), color=colour, ls="--", lw=1.2)
    ax.ecdf(first.nearest.numpy(), color="0.4", label=f"nearest training {noun}")
    ax.plot([], [], color="0.4", ls=":", lw=1.2, label="own pictures (median)")
    ax.plot([], [], color="0.4", ls="--", lw=1.2, label="noise (median)")
    ax.set(xlabel="error per pixel (RMS), grey levels", ylabel=f"share of {noun}s", xlim=(0, None), ylim=(0, 1))
    ax.figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=2, fontsize=9)


def _missed(ax: Axes, networks: dict[str, Inversion], names: list[str]) -> None:
    """The share of each class that is missed; classes from top to bottom."""
    place = np.arange(len(names))
    for i, ((name, result), colour) in enumerate(zip(networks.items(), COLOURS, strict=False)):
        share = missed_classes(result).numpy()
        ax.barh(place + 0.4 * (i - 0.5), share, 0.38, color=colour, label=name)
    ax.set(yticks=place, yticklabels=names, xlim=(0, 1), xlabel="share missed")
    ax.invert_yaxis()
    ax.grid(False, axis="y")
