"""Sliders on a latent vector. Mathematics is in `latent`, pictures in `figures`; this only binds them."""

import math

from torch import Tensor, nn

from .figures import png
from .latent import check_edits, sample
from .system import headless


def explore(g: nn.Module, z: Tensor, dims: list[int]):
    """Eight garments that follow sliders on ``dims`` of ``z`` (n, latent_dim); the upper row is ``z`` itself.

    A slider sets its column in all vectors; until it is moved, each keeps its own number. Headless, the same call gives a picture of the present state.

    Raises:
        LabError: ``dims`` are not dimensions of z.
    """
    from IPython.display import Image

    check_edits(dims, [0.0], z.shape[1])
    base = png(sample(g, z))
    if headless():
        return Image(base, alt="The garments before any slider is moved")
    import ipywidgets as widgets

    edited = z.clone()
    stage = widgets.Image(value=base, format="png")
    sliders = {
        dim: widgets.FloatSlider(value=0.0, min=-3.0, max=3.0, step=0.01, description=f"z[{dim}]", layout={"width": "32em"})
        for dim in dims
    }
    reset = widgets.Button(description="reset", tooltip="all dimensions as they were")

    def move(change, dim):
        if not math.isfinite(change["new"]):  # a widget lets nan through: the last picture stands
            return
        edited[:, dim] = change["new"]
        stage.value = png(sample(g, edited))

    def restore(_):
        for slider in sliders.values():
            slider.value = 0.0
        edited.copy_(z)
        stage.value = base

    for dim, slider in sliders.items():
        slider.observe(lambda change, dim=dim: move(change, dim), names="value")
    reset.on_click(restore)
    return widgets.VBox([widgets.Image(value=base, format="png"), stage, *sliders.values(), reset])
