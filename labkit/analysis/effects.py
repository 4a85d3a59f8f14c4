"""What each dimension of z does to what can be measured on a garment, beside random directions.

Every edit is paired: the same base vectors, of which only one coordinate moves. z ~ N(0, I) looks the same from all
sides, so an effect says something about a dimension only if it is larger than that of unit vectors picked at random.
"""

import contextlib
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .. import latent, pictures
from ..base import cache
from ..base.errors import LabError
from ..base.machine import progress
from ..config import BUDGETS
from ..evaluation.classifier import load_classifier
from ..evaluation.scoring import OF_PROFILE, Reference, load_reference
from ..latent import LAB_VALUES
from ..training.runs import Run
from .statistics import bootstrap, false_discovery, t_two_sided

VERSION = 1  # of the definitions below
BASES = {name: budget.bases for name, budget in BUDGETS.items()}  # base vectors of the edits, by profile
STEPS = 13  # of a sweep from the first value to the last
NULL = 50  # random directions; even, for `t_two_sided`
NAMES = (*pictures.ATTRIBUTES, "image change", "class flips", "breakage")
SWEEPS = ("straightness", "monotonicity", "largest step", "crossings")


@dataclass(frozen=True)
class Effects:
    """What edits along k directions do to n base vectors; the attributes are `NAMES`, a in all."""

    change: Tensor  # (k, n, a): at the last value minus at the first; the last three as described in `edit_effects`
    at_values: Tensor  # (k, values, a): means at each value of the attributes themselves
    sweeps: Tensor  # (k, len(SWEEPS)): means over the walkers


def edit_effects(
    g: nn.Module, directions: Tensor, reference: Reference, latent_dim: int, bases: int = 1000, seed: int = 0
) -> Effects:
    """Edit base vectors along every row of ``directions`` (k, latent_dim), to each of `LAB_VALUES`, and measure.

    Attributes: difference between the ends, per vector. image change: mean |difference| between the ends, in grey
    levels. class flips: 1 where the ends are of different classes. breakage: how much rarer the ends lie in the ball
    of a real test image than the vector's own picture does (0.5 per end). A sweep walks from end to end in `STEPS`:
    straightness is the distance of the ends over the length of the way, in features; monotonicity the share of steps
    that go towards the end; largest step its share of the way; crossings how often the class changes. One vector in
    twenty walks.
    """
    if directions.dim() != 2 or directions.shape[1] != latent_dim:
        raise LabError(f"directions of shape {tuple(directions.shape)}: edits take (k, {latent_dim})")
    z = latent.latents(bases, latent_dim, seed + 500)
    rest = _look(g, z, reference)[2]  # (n,) whether the vector's own picture is inside
    change, at_values, sweeps = [], [], []
    with progress(total=len(directions), unit="direction", desc="effects") as bar:
        for direction in directions:
            edited = torch.cat([latent.perturb_along(z, direction, value) for value in LAB_VALUES])
            looks = list(zip(*(part.split(bases) for part in _look(g, edited, reference)), strict=True))
            (first, p_first, in_first, x_first), (last, p_last, in_last, x_last) = looks[0], looks[-1]
            moved = pictures.mean_change(x_first, x_last)
            flipped = (p_first.argmax(1) != p_last.argmax(1)).float()
            broken = rest - (in_first + in_last) / 2
            change.append(torch.cat([last - first, torch.stack([moved, flipped, broken], 1)], 1))
            at_values.append(torch.stack([look[0].mean(0) for look in looks]))
            sweeps.append(_sweep(g, z[: max(3, bases // 20)], direction, reference))
            bar.update()
    return Effects(torch.stack(change), torch.stack(at_values), torch.stack(sweeps))


def _look(g: nn.Module, z: Tensor, reference: Reference):
    """Attributes (n, a), class probabilities (n, 10), inside the real manifold or not (n,), and the images."""
    images = latent.sample(g, z)
    features, probabilities = reference.classifier.measure(images)
    inside = torch.cat(
        [(torch.cdist(part, reference.features) <= reference.radii[0]).any(1) for part in features.split(500)]
    )
    return pictures.measure(images), probabilities, inside.float(), images


def _sweep(g: nn.Module, z: Tensor, direction: Tensor, reference: Reference) -> Tensor:
    """(len(SWEEPS),): means over ``z`` (n, latent_dim)."""
    values = torch.linspace(LAB_VALUES[0], LAB_VALUES[-1], STEPS).tolist()
    way = torch.stack([latent.perturb_along(z, direction, value) for value in values], 1).flatten(0, 1)
    features, probabilities = reference.classifier.measure(latent.sample(g, way))
    features, classes = features.view(len(z), STEPS, -1), probabilities.argmax(1).view(len(z), STEPS)
    steps, whole = features.diff(dim=1), features[:, -1] - features[:, 0]
    lengths = steps.norm(dim=2)  # (n, STEPS - 1)
    path = lengths.sum(1).clamp(min=1e-9)
    forward = ((steps * whole.unsqueeze(1)).sum(2) > 0).float().mean(1)
    crossings = (classes.diff(dim=1) != 0).float().sum(1)
    return torch.stack([whole.norm(dim=1) / path, forward, lengths.amax(1) / path, crossings], 1).mean(0)


@dataclass(frozen=True)
class EffectTable:
    """The effects of k dimensions beside the null, for the attributes `NAMES` (a in all)."""

    mean: Tensor  # (k, a): mean change from the first value to the last
    low: Tensor  # (k, a): its 95 % interval over base vectors
    high: Tensor
    null: Tensor  # (m, a): the same mean for random directions
    score: Tensor  # (k, a): mean in deviations of the null
    q: Tensor  # (k, a): chance of the score under the null, adjusted for all k * a looks
    sweeps: Tensor  # (k, len(SWEEPS))
    null_sweeps: Tensor  # (m, len(SWEEPS))
    pairs: Tensor  # (2,): image change, in grey levels, and share of class flips between two vectors drawn at random

    def caption(self, dim: int) -> str:
        """The largest effect of ``dim`` in a sentence, for the caption of a grid."""
        strongest = int(self.score[dim].abs().argmax())
        name, mean, q = NAMES[strongest].replace("_", " "), self.mean[dim, strongest], self.q[dim, strongest]
        chance = "more" if self.special[dim, strongest] else "no more"
        return (
            f"z[{dim}] changes {name} most, by {mean:+.3g} from {LAB_VALUES[0]:g} to {LAB_VALUES[-1]:g}: "
            f"{chance} than a random direction does (q = {q:.2g})."
        )

    @property
    def special(self) -> Tensor:
        """(k, a): where a dimension does more than a random direction, at a false discovery rate of 5 %."""
        return self.q < 0.05


def compare(effects: Effects, null: Effects, pairs: Tensor) -> EffectTable:
    """Effects of directions beside those of random directions.

    A change of sign of a random direction changes that of an attribute's difference, so its null has mean zero; the
    last three of `NAMES` have no sign, and a null mean of their own. Over random directions both are close to normal.
    """
    mean, of_null = effects.change.mean(1), null.change.mean(1)
    signed = torch.tensor([name in pictures.ATTRIBUTES for name in NAMES])
    centre = torch.where(signed, 0.0, of_null.mean(0))
    deviation = ((of_null - centre).square().sum(0) / (len(of_null) - (~signed).float())).sqrt().clamp(min=1e-12)
    score = (mean - centre) / deviation
    q = false_discovery(t_two_sided(score, (len(of_null) - 1) // 2 * 2))
    return EffectTable(mean, *bootstrap(effects.change), of_null, score, q, effects.sweeps, null.sweeps, pairs)


def random_pairs(g: nn.Module, reference: Reference, latent_dim: int, n: int = 1000) -> Tensor:
    """(2,): mean image change, in grey levels, between two random vectors, and how often their classes differ."""
    _, probabilities, _, images = _look(g, latent.latents(2 * n, latent_dim, 900), reference)
    classes = probabilities.argmax(1)
    return torch.stack(
        [pictures.mean_change(images[:n], images[n:]).mean(), (classes[:n] != classes[n:]).float().mean()]
    )


def effects_of(run: Run, device: str = "cpu") -> EffectTable:
    """The effects of a run's generator over all its dimensions; measured once and kept in the run's folder."""
    card, bases = load_classifier()[1], BASES[run.config.profile]
    identity = (VERSION, run.manifest["files"]["generator.safetensors"], card["sha256"], bases)
    with contextlib.suppress(LookupError, TypeError):
        return EffectTable(**cache.load(run.folder, "atlas", identity))
    d, g = run.config.latent_dim, run.generator(device)
    reference = load_reference(OF_PROFILE[run.config.profile], device)
    effects, null = (
        edit_effects(g, directions, reference, d, bases)
        for directions in (torch.eye(d), latent.random_directions(NULL, d, 77))
    )
    found = compare(effects, null, random_pairs(g, reference, d, bases))
    cache.save(run.folder, "atlas", identity, {key: value.float() for key, value in vars(found).items()})
    return found
