"""What a dimension or a direction is called, and what it was measured to do, in words that are true.

A direction has the name of the attribute that it changes most, beside what random directions do; how it was found
stands behind, in brackets. "more width" is what widens most of all, whatever the method was after.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .. import latent, pictures
from ..base.errors import LabError
from ..texts import say, terms
from ..training.runs import Run
from . import directions, effects

BASES, RANDOM = 48, 24  # base vectors and random directions, of a quick measurement
OWN = "more "  # before the attribute, in the name of a direction that a regression on it found


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
    """Directions of ``run`` that were measured before, and what each does most; both by name, or empty."""
    try:
        found, measured = directions.cached_directions(run)
    except (LookupError, TypeError, LabError):
        return {}, {}
    return found, largest(found, measured.mean, measured.score)


def deeds_of(g: nn.Module, found: dict[str, Tensor]) -> dict[str, Deed]:
    """What each of ``found``, unit vectors (latent_dim,) by name, does most to pictures of ``g``; measured in seconds.

    As `analysis.effects` does it, on few base vectors: the mean change from -3 to 3, beside that of random directions.
    """
    if not found:
        return {}
    units = torch.stack([*found.values()])
    z = latent.latents(BASES, units.shape[1], 900)
    random = latent.random_directions(RANDOM, units.shape[1], 901)
    low, high = latent.LAB_VALUES[0], latent.LAB_VALUES[-1]

    def changes(all_of: Tensor) -> Tensor:
        ends = [torch.cat([latent.perturb_along(z, unit, value) for unit in all_of]) for value in (low, high)]
        first, last = (pictures.measure(latent.sample(g, end), signed=True) for end in ends)
        return (last - first).view(len(all_of), BASES, -1).mean(1)  # (k, attributes)

    mean, null = changes(units), changes(random)
    return largest(found, mean, mean / null.square().mean(0).sqrt().clamp(min=1e-9))


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
    own = dim.removeprefix(OWN).replace(" ", "_") if dim.startswith(OWN) else ""
    method = say("measures.deeds.regression", measure=terms.measure(own)) if own else terms.direction(dim)
    if deed is None:
        return method
    effect = say(f"measures.deeds.{'more' if deed.mean > 0 else 'less'}", measure=terms.measure(deed.attribute))
    return effect if own == deed.attribute and deed.mean > 0 else say("measures.deeds.by", effect=effect, how=method)
