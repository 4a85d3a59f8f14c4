"""Directions in the latent space that may do better than its axes, all as unit vectors, (k, latent_dim).

Each method asks another question: which way does the first layer stretch (`sefa`), the picture change fastest
(`steepest`), do pictures vary most (`principal`), does an attribute grow (`regression`)?
"""

import contextlib

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from .. import latent, pictures
from ..base import cache
from ..base.errors import LabError
from ..evaluation.classifier import load_classifier
from ..evaluation.scoring import OF_PROFILE, load_reference
from ..training.runs import Run
from . import effects
from . import effects as analysis_effects
from .effects import Effects, EffectTable

VERSION = 1  # of the methods below


def sefa(g: nn.Module, latent_dim: int, k: int = 5) -> Tensor:
    """The ``k`` directions that the layers on z stretch most: eigenvectors of W^T W (Shen and Zhou 2021)."""
    weights = [layer.weight.detach().double().cpu() for layer in _layers_on_z(g, latent_dim)]
    if not weights:
        raise LabError(f"no linear layer of this generator takes {latent_dim} numbers: SeFa has no weights to look at")
    stacked = torch.cat(weights)
    return _largest(stacked.T @ stacked, k)


def _layers_on_z(g: nn.Module, latent_dim: int) -> list[nn.Linear]:
    """The linear layers that are given z itself; a hidden one may be as wide."""
    z, found = latent.latents(2, latent_dim), []

    def look(layer, inputs):
        if inputs[0].shape == z.shape and torch.equal(inputs[0].cpu(), z):
            found.append(layer)

    hooks = [
        layer.register_forward_pre_hook(look)
        for layer in g.modules()
        if isinstance(layer, nn.Linear) and layer.in_features == latent_dim
    ]
    try:
        if hooks:
            latent.sample(g, z)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def steepest(g: nn.Module, latent_dim: int, k: int = 5, n: int = 32, step: float = 0.1, seed: int = 0) -> Tensor:
    """The ``k`` directions along which pictures change fastest: eigenvectors of the mean J^T J over ``n`` vectors.

    J is the derivative of the pixels by z, from central differences of ``step``.
    """
    total = torch.zeros(latent_dim, latent_dim, dtype=torch.float64)
    for z in latent.latents(n, latent_dim, seed + 600):
        offsets = step * torch.eye(latent_dim)
        up, down = (latent.sample(g, z + sign * offsets).flatten(1).double() for sign in (1, -1))
        jacobian = (up - down) / (2 * step)  # (latent_dim, pixels)
        total += jacobian @ jacobian.T / n
    return _largest(total, k)


def principal(g: nn.Module, latent_dim: int, k: int = 5, n: int = 4000, seed: int = 0) -> Tensor:
    """For each of the ``k`` largest principal components of the pictures the direction in z that raises it most.

    As in GANSpace (Harkonen et al. 2020), by linear regression of the component on z.
    """
    z = latent.latents(n, latent_dim, seed + 700)
    pixels = latent.sample(g, z).flatten(1)
    size = pixels.norm(dim=1).mean().expand(k)
    pixels = pixels - pixels.mean(0)
    components = torch.linalg.eigh(pixels.T @ pixels / n).eigenvectors.flip(1)[:, :k]  # (pixels, k)
    return _slopes(z, pixels @ components, size)


def regression(g: nn.Module, latent_dim: int, n: int = 4000, seed: int = 0) -> dict[str, Tensor]:
    """For each attribute the direction in which it grows fastest, (latent_dim,), by linear regression on z."""
    z = latent.latents(n, latent_dim, seed + 800)
    measured = torch.cat([pictures.measure(latent.sample(g, part)) for part in z.split(500)])
    return dict(zip(pictures.ATTRIBUTES, _slopes(z, measured - measured.mean(0), measured.abs().mean(0))))


def _slopes(z: Tensor, values: Tensor, size: Tensor) -> Tensor:
    """Slopes of ``values`` (n, a), without their means, on z (n, d), as unit vectors (a, d); zero for values that hardly differ, beside their ``size`` (a,)."""
    slopes = torch.linalg.lstsq(z.double(), values.double()).solution.T
    return normalize(slopes * (values.std(0) > 1e-6 * size).unsqueeze(1), dim=1).float()


def _largest(matrix: Tensor, k: int) -> Tensor:
    """Eigenvectors of the ``k`` largest eigenvalues, (k, d), each with its largest entry positive."""
    vectors = torch.linalg.eigh(matrix).eigenvectors.flip(1)[:, :k].T
    return (vectors * vectors.gather(1, vectors.abs().argmax(1, keepdim=True)).sign()).float()


def all_directions(g: nn.Module, latent_dim: int) -> dict[str, Tensor]:
    """Every method's, by name."""
    found = {
        f"{method.__name__} {i + 1}": u
        for method in (sefa, steepest, principal)
        for i, u in enumerate(method(g, latent_dim))
    }
    found |= {f"more {name.replace('_', ' ')}": u for name, u in regression(g, latent_dim).items()}
    return {name: u for name, u in found.items() if u.norm() > 0.5}  # nothing raises an attribute that never changes


def directions_of(run: Run, device: str = "cpu") -> tuple[dict[str, Tensor], EffectTable]:
    """All directions of a run's generator, by name, and what they do, beside the null of the run's effects; kept in the run's folder."""
    with contextlib.suppress(LookupError, TypeError):
        return cached_directions(run)
    axes, bases = analysis_effects.effects_of(run, device), analysis_effects.BASES[run.config.profile]
    g, latent_dim = run.generator(device), run.config.latent_dim
    found = all_directions(g, latent_dim)
    effects = analysis_effects.edit_effects(
        g, torch.stack(list(found.values())), load_reference(OF_PROFILE[run.config.profile], device), latent_dim, bases
    )
    null = Effects(axes.null.unsqueeze(1), axes.null[:0], axes.null_sweeps)
    measured = analysis_effects.compare(effects, null, axes.pairs)
    vectors = {f"u:{key}": u for key, u in found.items()} | {f"i:{key}": torch.tensor(i) for i, key in enumerate(found)}
    cache.save(
        run.folder,
        "directions",
        _identity(run),
        {key: value.float() for key, value in (vars(measured) | vectors).items()},
    )
    return found, measured


def cached_directions(run: Run) -> tuple[dict[str, Tensor], EffectTable]:
    """What `directions_of` found, if it is kept; else a LookupError or TypeError."""
    kept = cache.load(run.folder, "directions", _identity(run))
    names = sorted((key[2:] for key in kept if key.startswith("u:")), key=lambda key: int(kept[f"i:{key}"]))
    return {key: kept[f"u:{key}"] for key in names}, EffectTable(
        **{key: value for key, value in kept.items() if ":" not in key}
    )


def _identity(run: Run) -> tuple:
    return (
        VERSION,
        effects.VERSION,
        run.manifest["files"]["generator.safetensors"],
        load_classifier()[1]["sha256"],
        effects.BASES[run.config.profile],
    )


def purity(score: Tensor) -> Tensor:
    """For each direction, (k,): the share that its largest effect on an attribute has in the sum of squares of all (1: nothing else changes)."""
    squares = score[:, : len(pictures.ATTRIBUTES)].square()
    return squares.amax(1) / squares.sum(1).clamp(min=1e-12)
