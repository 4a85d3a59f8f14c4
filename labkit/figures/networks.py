"""Figures of networks: their layers as boxes."""

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from ..gans.description import Layer
from .catalogue import report_figure


@report_figure(
    1,
    "vanilla_structure",
    "Vanilla GAN: (a) generator, (b) discriminator. Output shape and parameters of each layer.",
)
@report_figure(9, "dcgan_generator", "DCGAN generator. Output shape and parameters of each layer.")
@report_figure(10, "dcgan_discriminator", "DCGAN discriminator. Output shape and parameters of each layer.")
def structure(panels: list[tuple[str, tuple[int, ...], list[Layer]]]) -> Figure:
    """Figures 1, 9, 10: for each (title, input shape, layers of `description.describe`) a column of boxes."""
    widths = [2 if any(layer.part == "shortcut" for layer in layers) else 1 for _, _, layers in panels]
    heights = [sum(layer.part != "shortcut" for layer in layers) for _, _, layers in panels]
    rows = max(height + width for height, width in zip(heights, widths, strict=True))
    figure = Figure(figsize=(4.3 * sum(widths), 0.34 * rows + 0.6))
    axes = figure.subplots(1, len(panels), squeeze=False, gridspec_kw={"width_ratios": widths})[0]
    for ax, width, (title, shape, layers) in zip(axes, widths, panels, strict=True):
        ax.set_title(f"{title}: {sum(layer.parameters for layer in layers):,} parameters")
        ax.set(xlim=(0, width), ylim=(-rows - 0.5, 1.0))
        ax.axis("off")
        for x, text in ((0.74, "output"), (0.93, "parameters")):
            ax.text(x, 0.7, text, ha="right", va="center", fontsize=8, color="0.35")
        _column(ax, shape, layers)
    return figure


_KINDS = {"Linear": "#cfe3f2", "Conv2d": "#cfe3f2", "BatchNorm": "#fbe3cf", "Upsample": "#d3ede3", "input": "#dddddd"}


def _column(ax, shape: tuple[int, ...], layers: list[Layer]) -> None:
    """Boxes from top to bottom; the part `shortcut` stands beside `main` and is added to it before `output`."""

    def box(x, y, label, shape, parameters=0):
        colour = next((c for kind, c in _KINDS.items() if label.startswith(kind)), "#f6f6f6")
        outline = FancyBboxPatch(
            (x + 0.01, y - 0.4), 0.94, 0.8, boxstyle="round,pad=0,rounding_size=0.015", fc=colour, ec="0.6"
        )
        ax.add_patch(outline)
        text = {"va": "center", "fontsize": 8.5}
        ax.text(x + 0.03, y, label, **text)
        ax.text(x + 0.74, y, "\u00d7".join(map(str, shape)), ha="right", **text)
        ax.text(x + 0.93, y, f"{parameters:,}" if parameters else "", ha="right", color="0.35", **text)

    def arrow(*points):
        ax.plot(*zip(*points, strict=True), color="0.3", lw=1.2)
        ax.annotate(
            "", points[-1], points[-2], arrowprops={"arrowstyle": "-|>", "color": "0.3", "shrinkA": 0, "shrinkB": 0}
        )

    box(0, 0, "input", shape)
    side = [layer for layer in layers if layer.part == "shortcut"]
    y = 0
    for layer in layers:
        if layer.part == "shortcut":
            continue
        y -= 1
        if layer.part == "output" and side:  # the sum of both branches feeds the output
            top = y // 2
            arrow((0.95, 0), (1.5, 0), (1.5, top + 0.4))
            for i, branch in enumerate(side):
                box(1.02, top - i, branch.label, branch.shape, branch.parameters)
            arrow((1.5, top - len(side) + 0.6), (1.5, y), (0.51, y))
            arrow((0.48, y + 0.6), (0.48, y - 0.6))
            ax.text(0.48, y, "+", ha="center", va="center", bbox={"boxstyle": "circle", "fc": "white", "ec": "0.3"})
            side = []
            y -= 1
        box(0, y, layer.label, layer.shape, layer.parameters)
