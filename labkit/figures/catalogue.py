"""The functions that draw the figures: arrays in, matplotlib `Figure` out; `publish` saves and shows one."""

import base64
import html
import io
from dataclasses import dataclass
from pathlib import Path

import matplotlib.style
from matplotlib.figure import Figure

from ..base import paths
from ..base.errors import LabError
from ..base.files import write_atomic

matplotlib.style.use(Path(__file__).with_name("report.mplstyle"))

CHANGE = 20  # grey levels of full colour in figure 14
# Number: file name, caption.
FIGURES = {
    1: (
        "vanilla_structure",
        "Vanilla GAN: (a) generator, (b) discriminator. Output shape and parameters of each layer.",
    ),
    2: ("vanilla_losses", "Vanilla GAN: losses, and what the discriminator answers, over training."),
    3: (
        "vanilla_latents",
        "Eight latent vectors of our own, what the vanilla GAN makes of them, and the nearest real images.",
    ),
    4: ("vanilla_dim_1", "Vanilla GAN: the first of five dimensions of z is set, everything else kept."),
    5: ("vanilla_dim_2", "Vanilla GAN: the second of five dimensions of z is set, everything else kept."),
    6: ("vanilla_dim_3", "Vanilla GAN: the third of five dimensions of z is set, everything else kept."),
    7: ("vanilla_dim_4", "Vanilla GAN: the fourth of five dimensions of z is set, everything else kept."),
    8: ("vanilla_dim_5", "Vanilla GAN: the fifth of five dimensions of z is set, everything else kept."),
    9: ("dcgan_generator", "DCGAN generator. Output shape and parameters of each layer."),
    10: ("dcgan_discriminator", "DCGAN discriminator. Output shape and parameters of each layer."),
    11: ("dcgan_losses", "DCGAN: losses, and what the discriminator answers, over training."),
    12: ("samples", "Eight real images, eight DCGAN samples, eight vanilla GAN samples."),
    13: ("dcgan_dims", "DCGAN: five dimensions of z, one at a time, in the same eight vectors."),
    14: (
        "train_mode",
        f"DCGAN: the same edit of one vector, sampled in eval mode and in train mode. Full colour is {CHANGE} grey levels.",
    ),
    15: (
        "atlas",
        "What each dimension of z does, from \u22123 to 3, beside what random directions do. A dot: more than they do.",
    ),
    16: ("ranking", "How far each dimension moves the image, in order, with 95 % intervals, beside random directions."),
    17: ("by_class", "Real images and samples of both networks, sorted into classes by the ruler."),
    18: ("loss_movement", "The losses of both networks on one scale: level, and swing."),
    19: (
        "directions",
        "Directions found by four methods, and the axis that does most for each measure, beside what random directions do.",
    ),
}

BLUE, ORANGE = "#0072B2", "#D55E00"
SIGNED = "PuOr_r"  # orange is positive (brighter), violet negative


@dataclass(frozen=True)
class Published:
    """A saved figure; a notebook shows it with its caption."""

    png: Path
    caption: str
    width: int  # on the page, in CSS pixels

    def _repr_html_(self) -> str:
        return on_page(self.png.read_bytes(), self.caption, self.width)


def on_page(png: bytes, caption: str, width: int) -> str:
    """A PNG file as an HTML figure with its caption, ``width`` in CSS pixels; the file is inside."""
    data, text = base64.b64encode(png).decode(), html.escape(caption)
    return (
        f'<figure style="margin:1em 0"><img width="{width}" style="max-width:100%" alt="{text}"'
        f' src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'
    )


def publish(figure: Figure, number: int, profile: str, note: str = "") -> Published:
    """Save figure ``number`` as PNG and SVG under figures/<profile>/ and return it for display with its caption.

    The report runner collects figures elsewhere first (LABKIT_FIGURES), to publish all of them or none.
    """
    if number not in FIGURES:
        raise LabError(f"figure = {number} is not in the report: its figures are 1 to {max(FIGURES)}")
    slug, caption = FIGURES[number]
    folder = paths.COLLECT or paths.FIGURES / profile
    path = save(figure, folder, f"fig{number:02d}_{slug}")
    return Published(path, f"Figure {number}. {caption} {note}".strip(), round(figure.get_figwidth() * 90))


def save(figure: Figure, folder: Path, name: str) -> Path:
    """Write ``folder/name.svg`` and ``.png``, whole or not at all and always with the same bytes; the path of the PNG."""
    for kind, content in encode(figure).items():
        path = write_atomic(folder / f"{name}.{kind}", content)
    return path


def encode(figure: Figure) -> dict[str, bytes]:
    """``figure`` as the content of a file, by kind: svg, png. The same figure gives the same bytes."""
    files = {}
    for kind, metadata in (("svg", {"Date": None}), ("png", {"Software": None})):
        content = io.BytesIO()
        figure.savefig(content, format=kind, metadata=metadata)
        files[kind] = content.getvalue()
    return files
