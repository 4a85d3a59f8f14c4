"""Directions that do one thing: "wider, and little else".

What widens a garment most, "more width", also does much else: of the squares of its effects a third at best is the
largest one's (`directions.purity`). "only width" gives up some of the width for the rest to stay. The effects s_j of
the axes, in deviations of random directions, say how fast each attribute j grows; along a unit vector u it changes by
about s_j u. Of all directions, u is the one with the largest

    (s_i u)^2 / (sum over the other j of (s_j u)^2 + FLOOR^2),

for attribute i: a ridge regression, solved in closed form. Without a floor all others stay to the last digit, and so
almost does i, since attributes are nearly functions of each other (aspect is height over width, brightness is area
times grey level). Tried on the two networks that ship, on vectors that nothing was found on, and means over the
attributes: with a floor of 2 the attribute's own share of the squares grows from 0.22 to 0.63 (DCGAN) and from 0.15 to
0.48 (vanilla GAN), with 58 % and 37 % of the effect left; with 0.03 it is 0.47 and 0.40, and 16 % and 7 % are left;
with 6 it is 0.47 and 0.31. Slopes of a regression on z do less well than effects of axes (0.60 and 0.41 at best): edits
go to -3 and 3, where curves bend. To let dependent attributes go (aspect for width and height) made nothing purer.

How far it went is measured like the effects of the other directions, and on other vectors than those of the axes.
"""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .. import pictures
from ..base.errors import LabError
from ..base.machine import own_torch
from ..evaluation.scoring import OF_PROFILE, load_reference
from ..training.runs import Run, checked
from . import directions, effects
from .effects import EffectTable

VERSION = 1  # of `alone`
FLOOR = 2.0  # deviations of random directions: where effects on the others no longer count
SEED = 1  # of the vectors on which they are measured: effects of axes are of seed 0
MORE, ONLY = "more ", "only "  # before the attribute, in names


def alone(score: Tensor) -> dict[str, Tensor]:
    """For each attribute the direction in which it grows while the others stay, (latent_dim,), by name.

    ``score`` has the effects of every axis of z, (latent_dim, at least attributes), in deviations of random directions.
    An attribute that no axis changes has none.
    """
    slopes = score[:, : len(pictures.ATTRIBUTES)].double().T  # (attributes, latent_dim)
    floor, found = FLOOR**2 * torch.eye(slopes.shape[1], dtype=torch.float64), {}
    for i, attribute in enumerate(pictures.ATTRIBUTES):
        others = torch.cat([slopes[:i], slopes[i + 1 :]])
        unit = normalize(torch.linalg.solve(others.T @ others + floor, slopes[i]), dim=0)
        if unit.norm() > 0.5:
            found[ONLY + attribute.replace("_", " ")] = unit.float()
    return found


def purer(found: Sequence[str], score: Tensor, plain: Mapping[str, float]) -> list[int]:
    """Which of ``found``, names as `alone` gives them, are worth offering, by place.

    Those whose largest effect is on the attribute that they are named after, and who are purer than the plain direction
    of that attribute: ``score`` are their effects, (k, at least attributes), ``plain`` has purities by name, and an
    attribute that it does not know is left out.
    """
    attributes, pure = list(pictures.ATTRIBUTES), directions.purity(score).tolist()
    largest = score[:, : len(attributes)].abs().argmax(1).tolist()
    kept = []
    for k, name in enumerate(found):
        own = attributes.index(name.removeprefix(ONLY).replace(" ", "_"))
        grows = largest[k] == own and score[k, own] > 0
        if grows and pure[k] > plain.get(MORE + name.removeprefix(ONLY), 1.0):
            kept.append(k)
    return kept


@own_torch()
def alone_of(run: Run, device: str = "cpu") -> tuple[dict[str, Tensor], EffectTable]:
    """Those of a run's generator that are `purer` than its `directions_of`, and what they do, as there.

    Measured once and kept in the run's folder. Their table says nothing of sweeps.
    """
    run = checked(run)
    with contextlib.suppress(LookupError, TypeError, LabError):  # no classifier yet, of another data set
        return cached_alone(run)
    axes, _ = effects.effects_of(run, device), directions.directions_of(run, device)
    found, bases = alone(axes.score), effects.BASES[run.config.profile]
    if not found:
        return {}, _rows(axes, [])
    reference = load_reference(OF_PROFILE[run.config.profile], device, run.config.dataset)
    g, units = run.generator(device), torch.stack(list(found.values()))
    edits = effects.edit_effects(g, units, reference, run.config.latent_dim, bases, SEED, walk=False)
    directions.keep(run, "only", _identity(run), found, directions.beside_random(edits, axes))
    return cached_alone(run)


def cached_alone(run: Run) -> tuple[dict[str, Tensor], EffectTable]:
    """What `alone_of` found, if it is kept; else a LookupError or TypeError."""
    found, measured = directions.kept(run, "only", _identity(run))
    plain, of_plain = directions.cached_directions(run)
    pure = dict(zip(plain, directions.purity(of_plain.score).tolist(), strict=True))
    which, names = purer(list(found), measured.score, pure), list(found)
    return {names[k]: found[names[k]] for k in which}, _rows(measured, which)


def _rows(table: EffectTable, which: Sequence[int]) -> EffectTable:
    """The effects of some of those in ``table`` alone."""
    of_each = ("mean", "low", "high", "score", "q", "sweeps", "entering")
    return replace(table, **{name: getattr(table, name)[list(which)] for name in of_each})


def _identity(run: Run) -> tuple:
    return VERSION, FLOOR, SEED, directions.identity_of(run)
