"""What can be found out about a generator by drawing from it: what z it takes, and what its pictures mean.

Its pictures are brought to the lab's form, (n, 1, 28, 28) in [-1, 1], and every step that this takes is said.
"""

from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.nn.functional import interpolate

from .. import latent
from ..base.errors import LabError
from .process import Process

GUESSES = (100, 128, 64, 256, 512, 32, 62, 10, 2)  # lengths of z that are tried when nothing tells
LONGEST = 65_536  # z that a first layer may ask for
TRIED = 4  # vectors of a try
SHOWN = 8  # vectors of the test of figure 14
LOOKED = 100  # pictures from which is told what they mean
EDIT = 3.0  # to which the first vector is edited, as in the report
MOVED = 0.5  # grey levels: so far a pixel has to go to count as moved
SLACK = 0.05  # so far beyond a range numbers may lie that still mean it
LARGEST = 256  # pixels of a side
CHUNK = 100  # vectors drawn at once


@dataclass(frozen=True)
class Form:
    """What is done to the numbers that are drawn to have pictures."""

    shape: tuple[int, int, int]  # channels, height, width
    channels_last: bool
    low: float  # means black
    high: float  # means white
    crop: bool  # the border is cut off, and not shrunk

    def pictures(self, drawn: Tensor) -> Tensor:
        """``drawn`` as (n, 1, 28, 28) in [-1, 1].

        Raises:
            LabError: a number is not finite, or they have another shape than before.
        """
        c, h, w = self.shape
        if drawn.numel() != len(drawn) * c * h * w:
            raise LabError(f"it draws {tuple(drawn.shape)}, and drew {self.shape} for each vector before")
        if not drawn.isfinite().all():
            raise LabError("its pictures hold numbers that are not finite (nan or inf)")
        x = drawn.reshape(-1, h, w, c).permute(0, 3, 1, 2) if self.channels_last else drawn.reshape(-1, c, h, w)
        x = x[:, :3].mean(1, keepdim=True)
        x = ((x - self.low) / (self.high - self.low)).clamp(0, 1) * 2 - 1
        if self.crop:
            top, left = (h - 28) // 2, (w - 28) // 2
            x = x[:, :, top : top + 28, left : left + 28]
        elif (h, w) != (28, 28):
            x = interpolate(x, (28, 28), mode="bilinear", antialias=True, align_corners=False).clamp(-1, 1)
        return x.contiguous()


class Generator(nn.Module):
    """A submission as a generator of the lab: z, (n, latent_dim), to pictures (n, 1, 28, 28) in [-1, 1]."""

    def __init__(self, process: Process, latent_dim: int, flat: bool, form: Form, mode: str):
        super().__init__()
        self.process, self.latent_dim, self.flat, self.form, self.mode, self.seed = (
            process,
            latent_dim,
            flat,
            form,
            mode,
            0,
        )

    def draw(self, z: Tensor, mode: str, seed: int) -> Tensor:
        """G(z) in ``mode``: eval, train or brought, with random numbers of its own that ``seed`` decides."""
        shape = tuple(z.shape) if self.flat else (*z.shape, 1, 1)
        return self.form.pictures(self.process.draw(z, shape, mode, seed)[0])

    def forward(self, z: Tensor) -> Tensor:
        self.seed += 1
        return self.draw(z, self.mode, self.seed)


@dataclass
class Probe:
    """What was found out about a submission."""

    form: Form
    g: Generator | None  # None: pictures were brought, and no generator
    notes: list[str]  # what was done, in sentences
    faults: list[str]  # what is wrong with it
    before: dict[str, Tensor] = field(default_factory=dict)  # by mode, pictures (8, 1, 28, 28) before and after an edit
    after: dict[str, Tensor] = field(default_factory=dict)  # of the first vector alone, as in figure 14
    batch: bool = False  # pictures depend on their batch, as it was brought


def probe(process: Process, latent_dim: int = 0) -> Probe:
    """Find out what the submission in ``process`` takes and draws; ``latent_dim`` is the length of its z, if known.

    Raises:
        LabError: it takes no z that was tried, or what it draws are no pictures.
    """
    about = process.about
    if about["of_pictures"]:
        drawn, whole = process.pictures(0, min(LOOKED, about["pictures"]))
        form, notes, faults = form_of(drawn, whole, "")
        return Probe(form, None, [*about["notes"], *notes], faults)
    known = [("brought", "eval")[bool(about["network"])]]
    d, flat = _takes(process, about["hints"], latent_dim, known[0])
    z = latent.latents(LOOKED, d, 2000)
    drawn, whole = process.draw(z, tuple(z.shape) if flat else (*z.shape, 1, 1), known[0], 1)
    form, notes, faults = form_of(drawn, whole, about["last"])
    shape = f"(n, {d})" if flat else f"(n, {d}, 1, 1)"
    g = Generator(process, d, flat, form, known[0])
    found = Probe(form, g, [*about["notes"], f"Its z is {shape}", *notes], faults)
    _look_at_modes(g, about, found)
    return found


def _takes(process: Process, hints: list, latent_dim: int, mode: str) -> tuple[int, bool]:
    """Length of z, and whether it is (n, d), or else (n, d, 1, 1): the first that gives a picture for each vector."""
    if latent_dim:
        tries = [(latent_dim, 2), (latent_dim, 4)]
    else:
        tries = [(d, axes) for axes, d in hints if 0 < d <= LONGEST]
        tries += [(d, 6 - axes) for d, axes in tries]
        tries += [(d, axes) for d in GUESSES for axes in (2, 4)]
    said: list[str] = []
    for d, axes in dict.fromkeys(tries):
        shape = (TRIED, d) if axes == 2 else (TRIED, d, 1, 1)
        try:
            drawn, _ = process.draw(latent.latents(TRIED, d, 1), shape, mode, 1)
            if len(drawn) == TRIED and _shape(drawn):
                return d, axes == 2
            said.append(f"{shape}: it gives {tuple(drawn.shape)}, and no pictures")
        except LabError as error:
            if process.ended:
                raise
            said.append(f"{shape}: {error}")
    others = ", nor for other lengths that were tried (see --latent)" if not latent_dim else ""
    raise LabError(f"it draws nothing that can be used{others}; for z of shape {said[0]}")


def _shape(drawn: Tensor) -> tuple[tuple[int, int, int], bool] | None:
    """Channels, height and width of each picture in ``drawn``, and whether channels come last; None if it is none."""
    size = tuple(drawn.shape[1:])
    if len(size) > 3:
        size = tuple(s for s in size if s != 1)
    if len(size) == 3 and size[2] in (1, 3) and min(size[:2]) > 4:
        found, last = (size[2], size[0], size[1]), True
    elif len(size) == 3 and size[0] in (1, 3):
        found, last = size, False
    elif len(size) == 2:
        found, last = (1, *size), False
    elif len(size) == 1 and (side := round(size[0] ** 0.5)) ** 2 == size[0]:
        found, last = (1, side, side), False
    else:
        return None
    return (found, last) if min(found[1:]) >= 8 and max(found[1:]) <= LARGEST else None


def form_of(drawn: Tensor, whole: bool, last: str) -> tuple[Form, list[str], list[str]]:
    """What the numbers in ``drawn`` mean, in what sentences it is told, and what is wrong with them.

    ``whole``: they were of a type for whole numbers; ``last`` is the class of the generator's last layer.

    Raises:
        LabError: they are no pictures, or not finite.
    """
    shaped = _shape(drawn)
    if not shaped:
        raise LabError(
            f"it draws {tuple(drawn.shape[1:])} for a vector: no grey picture of 28 x 28, nor one to make it of"
        )
    if not drawn.isfinite().all():
        raise LabError("its pictures hold numbers that are not finite (nan or inf)")
    shape, channels_last = shaped
    (low, high), notes, faults = _range(drawn, whole, last)
    c, h, w = shape
    form = Form(shape, channels_last, low, high, crop=False)
    if len(drawn.shape) == 2:
        notes.append(f"It draws flat rows of {h * w} numbers: taken as {h} x {w}")
    if c == 3:
        notes.append("It draws three channels: their mean is taken, as grey")
    if (h, w) != (28, 28):
        crop = h == w == 32 and _has_border(drawn, form)
        form = Form(shape, channels_last, low, high, crop)
        how = "its empty border of 2 pixels is cut off" if crop else "shrunk to 28 x 28, which makes them smoother"
        how = how if min(h, w) > 28 or crop else "enlarged to 28 x 28"
        notes.append(f"It draws {h} x {w} pixels: {how}")
    return form, notes, faults


def _range(drawn: Tensor, whole: bool, last: str) -> tuple[tuple[float, float], list[str], list[str]]:
    low, high = drawn.min().item(), drawn.max().item()
    ends = f"Its numbers go from {low:.3g} to {high:.3g}"
    if not whole and max(-low, high) <= 1 + SLACK and (last == "Tanh" or low < -SLACK):
        return (-1, 1), [f"{ends}: \u22121 is black, 1 white"], []
    if low >= -SLACK and high <= 1 + SLACK:
        return (0, 1), [f"{ends}: 0 is black, 1 white"], []
    if low >= 0 and high <= 255 and (whole or high > 2):
        return (0, 255), [f"{ends}: 0 is black, 255 white"], []
    fault = f"{ends}, beyond [\u22121, 1]: is a last layer missing, Tanh or Sigmoid? What is beyond was cut off"
    return (-1, 1), [], [fault]


def _has_border(drawn: Tensor, form: Form) -> bool:
    """Whether pictures of 32 x 32 are ones of 28 x 28 with an empty border."""
    c, h, w = form.shape
    x = drawn.reshape(-1, h, w, c) if form.channels_last else drawn.reshape(-1, c, h, w).permute(0, 2, 3, 1)
    level = ((x - form.low) / (form.high - form.low)).mean((0, 3)) * 255  # (32, 32), in grey levels
    inner = level[2:-2, 2:-2]
    border = (level.sum() - inner.sum()) / (32 * 32 - 28 * 28)
    return bool(border < 2 and inner.mean() > 10)


def _look_at_modes(g: Generator, about: dict, found: Probe) -> None:
    """Figure 14's test: edit one of eight vectors; the others' pictures must stay. Adds to ``found`` what there is.

    A network is looked at in eval mode, and in the other mode that it has: train mode, in which it was brought or into
    which it could be put.
    """
    z = latent.latents(SHOWN, g.latent_dim, 3)
    edited = latent.perturb(z, min(latent.LAB_DIMS[0], g.latent_dim - 1), EDIT, [0])
    modes = {"eval": "eval"} if about["network"] else {"given": "brought"}
    if about["network"] and not (about["brings_mode"] and not about["training"]):
        modes["train"] = "brought" if about["brings_mode"] else "train"
    for title, mode in modes.items():
        try:
            found.before[title], found.after[title] = g.draw(z, mode, 1), g.draw(edited, mode, 1)
            apart = (g.draw(z, mode, 2) - found.before[title]).abs().max().item() * 127.5
        except LabError as error:
            if g.process.ended or mode == g.mode:
                raise
            found.notes.append(f"In train mode it cannot draw: {error}")
            continue
        _say_of_mode(g, found, title, mode, apart)
    if not found.faults:
        _look_at_one(g, z, found)


def _say_of_mode(g: Generator, found: Probe, title: str, mode: str, apart: float) -> None:
    """Name what is wrong in ``mode``; ``apart``: so far pictures of the same z are from one another, in grey levels."""
    away = (found.after[title] - found.before[title]).abs().amax((1, 2, 3))[1:] * 127.5
    many, what = int((away > MOVED).sum()), []
    if many:
        what.append(
            f"one vector of eight was edited, and the pictures of {many} others moved, by up to {away.max():.0f} grey"
            " levels: its pictures depend on the batch"
        )
    if apart > MOVED:
        what.append(
            f"the same z gives another picture each time, up to {apart:.0f} grey levels apart: dropout or noise"
        )
    if mode == "train":
        alike = (
            "none moves in train mode either"
            if not many
            else f"in train mode {many} of 7 pictures move that should not"
        )
        found.notes.append(f"A class brings no mode: its pictures were drawn in eval mode; {alike}")
        return
    found.batch = found.batch or bool(many)
    if what and title == "train":
        found.faults.append(
            f"It was left in train mode: {'; '.join(what)}. Call eval() before it draws and before it is saved; all"
            " that follows was measured in eval mode"
        )
    elif what:
        even = ", even in eval mode" if title == "eval" else ": is it in train mode? Call eval() before it draws"
        text = f"{'; '.join(what)}{even}"
        found.faults.append(text[0].upper() + text[1:])


def _look_at_one(g: Generator, z: Tensor, found: Probe) -> None:
    """A vector alone must give the picture that it gives among others."""
    try:
        apart = (g.draw(z[:1], g.mode, 1) - g.draw(z, g.mode, 1)[:1]).abs().max().item() * 127.5
    except LabError as error:
        if g.process.ended:
            raise
        found.faults.append(f"It cannot draw a single vector, only several at once: {error}")
        return
    if apart > MOVED:
        found.faults.append(
            f"A vector alone gives another picture than among others, up to {apart:.0f} grey levels apart"
        )
