"""What a dimension or a direction is called, and what it was measured to do, in words that are true.

A direction has the name of the attribute that it changes most, beside what random directions do; how it was found
stands behind, in brackets. "more width" is what widens most of all, whatever the method was after.
"""

import contextlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .. import latent, pictures
from ..base.errors import LabError
from ..texts import say, terms
from ..training.runs import Run
from . import alone, directions, effects
from .alone import MORE, ONLY

BASES, RANDOM = 48, 24  # base vectors and random directions, of a quick measurement
HOW = {MORE: "regression", ONLY: "held"}  # how a direction was found, by the beginning of its name


class Deed(NamedTuple):
    """What a direction was measured to do most."""

    attribute: str  # the largest of its effects, beside random directions
    mean: float  # of that attribute, from -3 to 3, in its own unit
    purity: float  # the share of the largest effect in all, of squares; 1: nothing else changes

    def words(self) -> str:
        """The effect with its unit, and the purity."""
        unit, scale = effects.UNITS[self.attribute]
        value = f"{self.mean * scale:+.3g}".replace("-", "\N{MINUS SIGN}")
        change = say(f"measures.changes.{unit or 'none'}", value=value)
        return say("measures.deeds.deed", change=change, purity=self.purity)


def measured_directions(run: Run) -> tuple[dict[str, Tensor], dict[str, Deed]]:
    """Directions of ``run`` that were measured before, and what each does most; both by name, or empty.

    Those in which one attribute grows alone come last.
    """
    try:
        found, measured = directions.cached_directions(run)
    except (LookupError, TypeError, LabError):
        return {}, {}
    deeds = largest(found, measured.mean, measured.score)
    with contextlib.suppress(LookupError, TypeError, LabError):
        only, of_only = alone.cached_alone(run)
        found, deeds = found | only, deeds | largest(only, of_only.mean, of_only.score)
    return found, deeds


def deeds_of(g: nn.Module, found: dict[str, Tensor]) -> dict[str, Deed]:
    """What each of ``found``, unit vectors (latent_dim,) by name, does most to pictures of ``g``; measured in seconds.

    As `analysis.effects` does it, on few base vectors: the mean change from -3 to 3, beside that of random directions.
    """
    if not found:
        return {}
    return largest(found, *_effects(g, torch.stack([*found.values()])))


def alone_of(g: nn.Module, latent_dim: int, deeds: Mapping[str, Deed]) -> tuple[dict[str, Tensor], dict[str, Deed]]:
    """Directions in which one attribute grows alone, and what each does most; measured in seconds, see `alone`.

    ``deeds`` are of the plain directions, which they are to beat; none if the first ones are there already.
    """
    plain = {name: deed.purity for name, deed in deeds.items() if name.startswith(MORE)}
    if not plain or any(name.startswith(ONLY) for name in deeds):
        return {}, {}
    found = alone.alone(_effects(g, torch.eye(latent_dim))[1])
    if not found:
        return {}, {}
    mean, score = _effects(g, torch.stack([*found.values()]), seed=902)
    names, which = list(found), alone.purer(list(found), score, plain)
    kept = {names[k]: found[names[k]] for k in which}
    return kept, largest(kept, mean[which], score[which])


def _effects(g: nn.Module, units: Tensor, seed: int = 900) -> tuple[Tensor, Tensor]:
    """What ``units`` (k, latent_dim) change from -3 to 3: means, and in deviations of random directions, (k, a) each.

    ``seed`` draws the base vectors.
    """
    z = latent.latents(BASES, units.shape[1], seed)
    random = latent.random_directions(RANDOM, units.shape[1], 901)
    low, high = latent.LAB_VALUES[0], latent.LAB_VALUES[-1]

    def changes(all_of: Tensor) -> Tensor:
        ends = [torch.cat([latent.perturb_along(z, unit, value) for unit in all_of]) for value in (low, high)]
        first, last = (pictures.measure(latent.sample(g, end), signed=True) for end in ends)
        return (last - first).view(len(all_of), BASES, -1).mean(1)  # (k, attributes)

    mean, null = changes(units), changes(random)
    return mean, mean / null.square().mean(0).sqrt().clamp(min=1e-9)


def largest(found: Iterable[str], mean: Tensor, score: Tensor) -> dict[str, Deed]:
    """What each of ``found`` does most; ``mean`` and ``score`` are (k, at least attributes), of an `EffectTable`."""
    attributes = list(pictures.ATTRIBUTES)
    strongest, pure = score[:, : len(attributes)].abs().argmax(1).tolist(), directions.purity(score).tolist()
    return {
        name: Deed(attributes[i], mean[k, i].item(), pure[k])
        for k, (name, i) in enumerate(zip(found, strongest, strict=True))
    }


def title_of(dim: int | str, deed: Deed | None = None) -> str:
    """What a slider is called: of a direction, what it was measured to do, and how it was found."""
    if not isinstance(dim, str):
        return f"z[{dim}]"
    kind = next((kind for kind in HOW if dim.startswith(kind)), "")
    own = dim.removeprefix(kind).replace(" ", "_") if kind else ""
    method = say(f"measures.deeds.{HOW[kind]}", measure=terms.measure(own)) if kind else terms.direction(dim)
    if deed is None:
        return method
    if kind == ONLY and own == deed.attribute and deed.mean > 0:
        return terms.direction(dim, deed.purity)
    effect = say(f"measures.deeds.{'more' if deed.mean > 0 else 'less'}", measure=terms.measure(deed.attribute))
    return effect if own == deed.attribute and deed.mean > 0 else say("measures.deeds.by", effect=effect, how=method)
