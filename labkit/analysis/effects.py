"""What each dimension of z does to what can be measured on a garment, beside random directions.

Every edit is paired: the same base vectors, of which only one coordinate moves. z ~ N(0, I) looks the same from all
sides, so an effect says something about a dimension only if it is larger than that of unit vectors picked at random.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .. import data, latent, pictures
from ..base import cache, doors
from ..base.files import sha256
from ..base.machine import own_torch, progress
from ..config import BUDGETS
from ..evaluation.classifier import load_classifier
from ..evaluation.scoring import OF_PROFILE, Reference, load_reference
from ..latent import LAB_DIMS, LAB_VALUES
from ..texts import listed, say, terms
from ..training.runs import Run, checked
from .statistics import bootstrap, false_discovery, t_two_sided

VERSION = 2  # of the definitions below
BASES = {name: budget.bases for name, budget in BUDGETS.items()}  # base vectors of the edits, by profile
STEPS = 13  # of a sweep from the first value to the last
CHUNK = 100  # pictures that the classifier is given at a time: what they need fits into a processor's cache
NULL = 50  # random directions; even, for `t_two_sided`
NAMES = (*pictures.ATTRIBUTES, "image change", "class flips", "breakage")
SWEEPS = ("straightness", "monotonicity", "largest step", "crossings")
# Of each of `NAMES`, as a reader sees it: its unit, and how many make 1 of what is measured.
UNITS = {
    "brightness": ("grey levels", 1),
    "contrast": ("grey levels", 1),
    "background": ("grey levels", 1),
    "outline_sharpness": ("grey levels/px", 1),
    "completeness": ("%", 100),
    "texture": ("grey levels", 1),
    "symmetry": ("", 1),
    "width": ("px", 1),
    "height": ("px", 1),
    "aspect": ("", 1),
    "area": ("%", 100),
    "image change": ("grey levels", 1),
    "class flips": ("%", 100),
    "breakage": ("%", 100),
}


@dataclass(frozen=True)
class Effects:
    """What edits along k directions do to n base vectors; what is measured are `NAMES`, a in all."""

    change: Tensor  # (k, n, a): as described in `edit_effects`
    entering: Tensor  # (k, n): likewise
    sweeps: Tensor  # (k, len(SWEEPS)): means over the walkers


@own_torch()
def edit_effects(
    g: nn.Module,
    directions: Tensor,
    reference: Reference,
    latent_dim: int,
    bases: int = 1000,
    seed: int = 0,
    walk: bool = True,
) -> Effects:
    """Edit base vectors along every row of ``directions`` (k, latent_dim), to either end of `LAB_VALUES`, and measure.

    Attributes: at the last value minus at the first, per vector. The others compare the pictures at both ends with the
    vector's own, and are means over the ends. image change: mean |difference|, in grey levels. class flips: 1 where the
    class differs. breakage: of the vectors whose own picture lies inside the real manifold (in the ball of a real test
    image), how often an end lies outside; entering: of those outside, how often an end lies inside. So that a mean over
    all vectors is that share, a vector inside counts n / (number of vectors inside) times what happens to it, one
    outside 0; for entering the other way round. Both are 0 where there is no such vector.

    A sweep walks from end to end in `STEPS`: straightness is the distance of the ends over the length of the way, in
    features; monotonicity the share of steps that go towards the end; largest step its share of the way; crossings how
    often the class changes. One vector in twenty walks; without ``walk`` none does, and all four are nan.

    Raises:
        LabError: directions of another length or without one, or fewer than one base vector.
    """
    latent_dim, bases = doors.whole("latent_dim", latent_dim, 1), doors.whole("bases", bases, 1)
    directions = doors.latents(directions, latent_dim, "directions")
    z = latent.latents(bases, latent_dim, doors.whole("seed", seed) + 500)
    _, classes, inside, own = _look(g, z, reference)
    weights = torch.stack([part / part.mean().clamp(min=1 / bases) for part in (inside, 1 - inside)])  # (2, n)
    change, entering, sweeps = [], [], []
    with progress(total=len(directions), unit="direction", desc="effects") as bar:
        for direction in directions:
            edited = torch.cat([latent.perturb_along(z, direction, LAB_VALUES[end]) for end in (0, -1)])
            ends = [part.unflatten(0, (2, bases)) for part in _look(g, edited, reference)]  # (2, n, ...) each
            attributes, flipped, is_in = ends[0], (ends[1] != classes).float().mean(0), ends[2].mean(0)
            moved = pictures.mean_change(ends[3], own, signed=True).mean(0)
            broken, entered = weights * torch.stack([1 - is_in, is_in])
            change.append(torch.cat([attributes[1] - attributes[0], torch.stack([moved, flipped, broken], 1)], 1))
            entering.append(entered)
            walked = _sweep(g, z[: max(3, bases // 20)], direction, reference) if walk else None
            sweeps.append(torch.full((len(SWEEPS),), torch.nan) if walked is None else walked)
            bar.update()
    return Effects(torch.stack(change), torch.stack(entering), torch.stack(sweeps))


def _look(g: nn.Module, z: Tensor, reference: Reference):
    """Attributes (n, a), classes (n,), inside the real manifold (1.) or not (0.) (n,), and the images."""
    images = latent.sample(g, z)
    features, probabilities = reference.classifier.measure(images, CHUNK, signed=True)
    return pictures.measure(images, signed=True), probabilities.argmax(1), _inside(features, reference).float(), images


@own_torch()
def inside(images: Tensor, reference: Reference) -> Tensor:
    """Which of ``images`` (n, 1, 28, 28) lie among the real ones, in the ball of a real test image, bool (n,)."""
    return _inside(reference.classifier.measure(images, CHUNK, signed=True)[0], reference)


def broken(base: Tensor, edited: Tensor, reference: Reference) -> Tensor:
    """Where ``edited`` (..., n, 1, 28, 28) leave the real pictures, among which ``base`` (n, 1, 28, 28) lie, bool."""
    after = inside(edited.reshape(-1, *edited.shape[-3:]), reference).view(edited.shape[:-3])
    return inside(base, reference) & ~after


def broken_of(run: Run, z: Tensor, grid: Tensor, device: str = "cpu") -> Tensor:
    """Which pictures of ``grid`` (..., n, latent_dim), edits of ``z`` (n, latent_dim), are `broken`; kept with it."""
    z = doors.latents(z, checked(run).config.latent_dim)
    edits = doors.latents(grid.reshape(-1, grid.shape[-1]), z.shape[1], "grid")
    identity: tuple = VERSION, run.generator_sha256, load_classifier(dataset=run.config.dataset)[1]["sha256"]
    identity += OF_PROFILE[run.config.profile], *(sha256(part.contiguous().numpy().tobytes()) for part in (z, edits))
    with contextlib.suppress(LookupError):
        return cache.load(run.folder, "broken", identity, ["broken"])["broken"].bool()
    g, reference = run.generator(device), load_reference(OF_PROFILE[run.config.profile], device, run.config.dataset)
    edited = latent.sample(g, edits).unflatten(0, grid.shape[:-1])
    found = broken(latent.sample(g, z), edited, reference)
    cache.save(run.folder, "broken", identity, {"broken": found.to(torch.uint8)})
    return found


def _inside(features: Tensor, reference: Reference) -> Tensor:
    return torch.cat(
        [(torch.cdist(part, reference.features) <= reference.radii[0]).any(1) for part in features.split(500)]
    )


def _sweep(g: nn.Module, z: Tensor, direction: Tensor, reference: Reference) -> Tensor:
    """(len(SWEEPS),): means over ``z`` (n, latent_dim)."""
    values = torch.linspace(LAB_VALUES[0], LAB_VALUES[-1], STEPS).tolist()
    way = torch.stack([latent.perturb_along(z, direction, value) for value in values], 1).flatten(0, 1)
    features, probabilities = reference.classifier.measure(latent.sample(g, way), CHUNK, signed=True)
    features, classes = features.view(len(z), STEPS, -1), probabilities.argmax(1).view(len(z), STEPS)
    steps, whole = features.diff(dim=1), features[:, -1] - features[:, 0]
    lengths = steps.norm(dim=2)  # (n, STEPS - 1)
    path = lengths.sum(1).clamp(min=1e-9)
    forward = ((steps * whole.unsqueeze(1)).sum(2) > 0).float().mean(1)
    crossings = (classes.diff(dim=1) != 0).float().sum(1)
    return torch.stack([whole.norm(dim=1) / path, forward, lengths.amax(1) / path, crossings], 1).mean(0)


@dataclass(frozen=True)
class EffectTable:
    """The effects of k dimensions beside the null, for what is measured, `NAMES` (a in all); see `edit_effects`."""

    mean: Tensor  # (k, a): mean over base vectors
    low: Tensor  # (k, a): its 95 % interval over base vectors
    high: Tensor
    null: Tensor  # (m, a): the same mean for random directions
    score: Tensor  # (k, a): mean in deviations of the null
    q: Tensor  # (k, a): chance of the score under the null, adjusted for all k * a looks
    sweeps: Tensor  # (k, len(SWEEPS))
    null_sweeps: Tensor  # (m, len(SWEEPS))
    pairs: Tensor  # (2,): image change, in grey levels, and share of class flips between two vectors drawn at random
    entering: Tensor  # (k,): of vectors outside the real manifold, the share that an edit brings inside; as breakage
    null_entering: Tensor  # (m,)
    lab_low: Tensor  # (a,): 95 % interval over base vectors of the mean over `LAB_DIMS`; (0,) where they are not all
    lab_high: Tensor  # among the k

    def lab(self, name: str) -> tuple[float, float, float]:
        """Mean effect on ``name``, of `NAMES`, over the dimensions `LAB_DIMS`, and the ends of its 95 % interval."""
        i = NAMES.index(name)
        return self.mean[list(LAB_DIMS), i].mean().item(), self.lab_low[i].item(), self.lab_high[i].item()

    def strongest(self, dim: int) -> tuple[str, float, float]:
        """The effect of ``dim`` that stands out most beside random directions: its name, mean and q."""
        at = dim, int(self.score[dim].abs().argmax())
        return NAMES[at[1]].replace("_", " "), self.mean[at].item(), self.q[at].item()

    def caption(self, dim: int) -> str:
        """The largest effect of ``dim`` in a sentence, for the caption of a grid."""
        name = NAMES[int(self.score[dim].abs().argmax())]
        _, mean, q = self.strongest(dim)
        kind = "change" if name in pictures.ATTRIBUTES else "level"
        key = f"measures.strongest.{kind}_{'more' if q < 0.05 else 'no_more'}"
        first, last = (number(value, plain=True) for value in (LAB_VALUES[0], LAB_VALUES[-1]))
        return say(key, dim=dim, name=terms.measure(name), amount=in_unit(name, mean), first=first, last=last, q=q)

    def captions(self, dims: Sequence[int]) -> str:
        """The same of several, one after the other."""
        return say("measures.strongest.between").join(map(self.caption, dims))

    @property
    def special(self) -> Tensor:
        """(k, a): where a dimension does more than a random direction, at a false discovery rate of 5 %."""
        return self.q < 0.05


def number(value: float, plain: bool = False) -> str:
    """``value`` in some three digits with its sign; ``plain``: as it is, without a +."""
    size = abs(value)
    text = f"{value:g}" if plain else f"{value:+.{2 if size < 9.995 else 1 if size < 99.95 else 0}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def in_unit(name: str, value: float) -> str:
    """A mean effect on ``name``, of `NAMES`, with its unit: of an attribute a change, with its sign; else a level."""
    unit, scale = UNITS[name]
    shown, kind = (
        (number(value * scale), "changes") if name in pictures.ATTRIBUTES else (f"{value * scale:.3g}", "levels")
    )
    return say(f"measures.{kind}.{unit or 'none'}", value=shown)


def with_unit(name: str) -> str:
    """What is measured, of `NAMES`, in words, and in brackets its unit, if it has one."""
    measure, unit = terms.measure(name), UNITS[name][0]
    return say("measures.measured_in", measure=measure, unit=terms.unit(unit)) if unit else measure


def compare(effects: Effects, null: Effects, pairs: Tensor) -> EffectTable:
    """Effects of directions beside those of random directions.

    A change of sign of a random direction changes that of an attribute's difference, so its null has mean zero; the
    last three of `NAMES` have no sign, and a null mean of their own. Over random directions both are close to normal.
    """
    mean, of_null = effects.change.mean(1), null.change.mean(1)
    centre, deviation = spread_of(of_null)
    score = (mean - centre) / deviation
    q = false_discovery(t_two_sided(score, (len(of_null) - 1) // 2 * 2))
    entering, null_entering = effects.entering.mean(1), null.entering.mean(1)
    lab = mean_interval(effects, LAB_DIMS)[1:] if len(mean) > max(LAB_DIMS) else (mean[0, :0], mean[0, :0])
    ends, sweeps = bootstrap(effects.change), (effects.sweeps, null.sweeps)
    return EffectTable(mean, *ends, of_null, score, q, *sweeps, pairs, entering, null_entering, *lab)


def spread_of(null: Tensor) -> tuple[Tensor, Tensor]:
    """Where the effects of random directions, ``null`` (m, a), lie, and their deviation, (a,) each; see `compare`."""
    signed = torch.tensor([name in pictures.ATTRIBUTES for name in NAMES])
    centre = torch.where(signed, 0.0, null.mean(0))
    deviation = ((null - centre).square().sum(0) / (len(null) - (~signed).float())).sqrt().clamp(min=1e-12)
    return centre, deviation


def mean_interval(effects: Effects, dims: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Mean over ``dims`` of what is measured, and the ends of its 95 % interval over base vectors, (a,) each.

    The dimensions edit the same vectors, so a resample of these is one for all dimensions; ends of intervals of single
    dimensions cannot be averaged.
    """
    change = effects.change[list(dims)].mean(0, keepdim=True)  # (1, n, a)
    low, high = bootstrap(change)
    return change.mean((0, 1)), low[0], high[0]


@own_torch()
def random_pairs(g: nn.Module, reference: Reference, latent_dim: int, n: int = 1000) -> Tensor:
    """(2,): mean image change, in grey levels, between two random vectors, and how often their classes differ."""
    _, classes, _, images = _look(g, latent.latents(2 * n, latent_dim, 900), reference)
    return torch.stack(
        [pictures.mean_change(images[:n], images[n:], signed=True).mean(), (classes[:n] != classes[n:]).float().mean()]
    )


@own_torch()
def effects_of(run: Run, device: str = "cpu") -> EffectTable:
    """The effects of a run's generator over all its dimensions; measured once and kept in the run's folder."""
    run = checked(run)
    card, bases = load_classifier(dataset=run.config.dataset)[1], BASES[run.config.profile]
    identity = (VERSION, run.generator_sha256, card["sha256"], bases)
    with contextlib.suppress(LookupError, TypeError):
        return EffectTable(**cache.load(run.folder, "atlas", identity))
    d, g = run.config.latent_dim, run.generator(device)
    reference = load_reference(OF_PROFILE[run.config.profile], device, run.config.dataset)
    effects, null = (
        edit_effects(g, directions, reference, d, bases)
        for directions in (torch.eye(d), latent.random_directions(NULL, d, 77))
    )
    found = compare(effects, null, random_pairs(g, reference, d, bases))
    cache.save(run.folder, "atlas", identity, {key: value.float() for key, value in vars(found).items()})
    return found


def redundancy(dataset: str = data.DEFAULT) -> str:
    """How many of the attributes are independent of each other on the test images, and which, in a sentence."""
    measured = torch.cat([pictures.measure(part) for part in data.load("test", dataset=dataset)[0].split(1000)])
    rank, names = pictures.independent(measured)
    return say("measures.redundancy.sentence", n=measured.shape[1], rank=rank, names=listed(map(terms.measure, names)))
