"""Directions in the latent space that may do better than its axes, all as unit vectors, (k, latent_dim).

Each method asks another question: which way does the first layer stretch (`sefa`), the picture change fastest
(`steepest`), do pictures vary most (`principal`), does an attribute grow (`regression`)? A method is one function of
a generator and the length of z, registered by `method`.
"""

import contextlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.modules.batchnorm import _BatchNorm

from .. import latent, pictures
from ..base import cache
from ..base.errors import LabError
from ..base.machine import own_torch
from ..evaluation.classifier import load_classifier
from ..evaluation.scoring import OF_PROFILE, load_reference
from ..training.runs import Run, checked
from . import effects
from .effects import Effects, EffectTable

VERSION = 2  # of the methods below
METHODS: dict[str, str] = {}  # what each method finds, by its name: the first line of its docstring
_FINDERS: dict[str, Callable[[nn.Module, int], Tensor | dict[str, Tensor]]] = {}  # by the label of what they find


def method(label: str):
    """Register a method of finding directions: a function of (generator, latent_dim) that gives unit vectors.

    They are either (k, latent_dim), and numbered from 1, or (latent_dim,) each, by name: in ``label`` number or name
    take the place of {}. A zero vector says that there is no such direction. What a method draws depends on its own
    seed alone. Directions that a run keeps know nothing of a new method: raise `VERSION`, and all are found anew.
    """

    def register(find):
        find = own_torch()(find)
        _FINDERS[label] = find
        METHODS[find.__name__] = (find.__doc__ or "").partition("\n")[0]
        return find

    return register


@method("sefa {}")
def sefa(g: nn.Module, latent_dim: int, k: int = 5) -> Tensor:
    """The ``k`` directions that the layers on z stretch most: eigenvectors of W^T W (Shen and Zhou 2021).

    A BatchNorm that is given what a layer puts out, in whatever shape, belongs to it: its fixed scale in eval mode,
    weight / sqrt(running variance + eps), is multiplied into the rows of W.
    """
    weights = _weights_on_z(g, latent_dim)
    if not weights:
        raise LabError(f"no linear layer of this generator takes {latent_dim} numbers: SeFa has no weights to look at")
    stacked = torch.cat(weights)
    return _largest(stacked.T @ stacked, k)


def _weights_on_z(g: nn.Module, latent_dim: int) -> list[Tensor]:
    """The weights, (out, latent_dim) float64, of each linear layer that is given z itself, times a BatchNorm's scale.

    A hidden layer may be as wide as z, so layers are known by what goes into them when z is drawn.
    """
    z = latent.latents(2, latent_dim)
    found: list[list[Tensor]] = []  # of each layer: its weights, and what it puts out

    def linear(layer, inputs, output):
        if inputs[0].shape == z.shape and torch.equal(inputs[0].cpu(), z):
            found.append([layer.weight.detach().cpu().double(), output.flatten(1).clone()])

    def norm(layer, inputs):
        for entry in found:
            if inputs[0].numel() == entry[1].numel() and torch.equal(inputs[0].flatten(1), entry[1]):
                scale = (layer.running_var + layer.eps).rsqrt() * (1 if layer.weight is None else layer.weight)
                scale = scale.detach().cpu().double()
                entry[0] = entry[0] * scale.repeat_interleave(len(entry[0]) // len(scale)).unsqueeze(1)

    layers = [layer for layer in g.modules() if isinstance(layer, nn.Linear) and layer.in_features == latent_dim]
    norms = [layer for layer in g.modules() if isinstance(layer, _BatchNorm) and layer.running_var is not None]
    hooks = [layer.register_forward_hook(linear) for layer in layers]
    hooks += [layer.register_forward_pre_hook(norm) for layer in norms]
    try:
        if layers:
            latent.sample(g, z)
    finally:
        for hook in hooks:
            hook.remove()
    return [weight for weight, _ in found]


@method("steepest {}")
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


@method("principal {}")
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


@method("more {}")
def regression(g: nn.Module, latent_dim: int, n: int = 4000, seed: int = 0) -> dict[str, Tensor]:
    """For each attribute the direction in which it grows fastest, (latent_dim,), by linear regression on z."""
    z = latent.latents(n, latent_dim, seed + 800)
    measured = torch.cat([pictures.measure(latent.sample(g, part), signed=True) for part in z.split(500)])
    slopes = _slopes(z, measured - measured.mean(0), measured.abs().mean(0))
    return dict(zip(pictures.ATTRIBUTES, slopes, strict=True))


def _slopes(z: Tensor, values: Tensor, size: Tensor) -> Tensor:
    """Slopes of ``values`` (n, a), without their means, on z (n, d), as unit vectors (a, d).

    Zero for values that hardly differ, beside their ``size`` (a,).
    """
    slopes = torch.linalg.lstsq(z.double(), values.double()).solution.T
    return normalize(slopes * (values.std(0) > 1e-6 * size).unsqueeze(1), dim=1).float()


def _largest(matrix: Tensor, k: int) -> Tensor:
    """Eigenvectors of the ``k`` largest eigenvalues, (k, d), each with its largest entry positive."""
    vectors = torch.linalg.eigh(matrix).eigenvectors.flip(1)[:, :k].T
    return (vectors * vectors.gather(1, vectors.abs().argmax(1, keepdim=True)).sign()).float()


def all_directions(g: nn.Module, latent_dim: int) -> dict[str, Tensor]:
    """Every method's, (latent_dim,) each, by name, in the order of `METHODS`."""
    found: dict[str, Tensor] = {}
    for label, find in _FINDERS.items():
        vectors = find(g, latent_dim)
        named = vectors.items() if isinstance(vectors, dict) else enumerate(vectors, 1)
        found |= {label.format(name).replace("_", " "): u for name, u in named}
    return {name: u for name, u in found.items() if u.norm() > 0.5}  # nothing raises an attribute that never changes


@own_torch()
def directions_of(run: Run, device: str = "cpu") -> tuple[dict[str, Tensor], EffectTable]:
    """All directions of a run's generator, by name, and what they do, beside the null of the run's effects.

    Measured once and kept in the run's folder.
    """
    run = checked(run)
    with contextlib.suppress(LookupError, TypeError, LabError):  # no classifier yet, of another data set
        return cached_directions(run)
    axes = effects.effects_of(run, device)
    g, latent_dim = run.generator(device), run.config.latent_dim
    found = all_directions(g, latent_dim)
    units, bases = torch.stack(list(found.values())), effects.BASES[run.config.profile]
    reference = load_reference(OF_PROFILE[run.config.profile], device, run.config.dataset)
    measured = beside_random(effects.edit_effects(g, units, reference, latent_dim, bases), axes)
    keep(run, "directions", identity_of(run), found, measured)
    return found, measured


def beside_random(edits: Effects, axes: EffectTable) -> EffectTable:
    """The effects of ``edits`` beside those of the random directions that the ``axes`` of the run were held against."""
    null = Effects(axes.null.unsqueeze(1), axes.null_entering.unsqueeze(1), axes.null_sweeps)
    return effects.compare(edits, null, axes.pairs)


def keep(run: Run, kind: str, identity: tuple, found: dict[str, Tensor], measured: EffectTable) -> None:
    """Keep directions, by name, and what they do, in the run's folder, for `kept`."""
    vectors = {f"u:{key}": u for key, u in found.items()} | {f"i:{key}": torch.tensor(i) for i, key in enumerate(found)}
    cache.save(run.folder, kind, identity, {key: value.float() for key, value in (vars(measured) | vectors).items()})


def cached_directions(run: Run) -> tuple[dict[str, Tensor], EffectTable]:
    """What `directions_of` found, if it is kept; else a LookupError or TypeError."""
    return kept(run, "directions", identity_of(run))


def kept(run: Run, kind: str, identity: tuple) -> tuple[dict[str, Tensor], EffectTable]:
    """What was kept with `keep`; else a LookupError or TypeError."""
    held = cache.load(run.folder, kind, identity)
    names = sorted((key[2:] for key in held if key.startswith("u:")), key=lambda key: int(held[f"i:{key}"]))
    measured = EffectTable(**{key: value for key, value in held.items() if ":" not in key})
    return {key: held[f"u:{key}"] for key in names}, measured


def identity_of(run: Run) -> tuple:
    """All that the directions of ``run`` and their effects depend on; a LabError if there is no classifier yet."""
    return (
        VERSION,
        effects.VERSION,
        run.generator_sha256,
        load_classifier(dataset=run.config.dataset, train=False)[1]["sha256"],
        effects.BASES[run.config.profile],
    )


def beside_axes(found: Sequence[str], measured: EffectTable, axes: EffectTable) -> tuple[list[str], Tensor, Tensor]:
    """Names, scores and which are special: of directions, and below them of the axes that do most for an attribute."""
    strongest = sorted({int(k) for k in axes.score[:, : len(pictures.ATTRIBUTES)].abs().argmax(0)})
    score, special = (torch.cat([getattr(measured, of), getattr(axes, of)[strongest]]) for of in ("score", "special"))
    return [*found, *(f"axis z[{k}]" for k in strongest)], score, special


def purity(score: Tensor) -> Tensor:
    """For each direction, (k,): how much of the sum of squares of its effects on all attributes is the largest one's.

    ``score`` is (k, a), of an `EffectTable`. 1: nothing else changes.
    """
    squares = score[:, : len(pictures.ATTRIBUTES)].square()
    return squares.amax(1) / squares.sum(1).clamp(min=1e-12)
