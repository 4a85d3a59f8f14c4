"""Pure functions on latent vectors z, float32 (n, latent_dim), and on images, float32 (n, 1, 28, 28) in [-1, 1]."""

import math
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .base.errors import LabError
from .base.machine import deterministic, keeping_memory
from .base.rng import stream_seed
from .pictures import mean_change

LAB_DIMS = (5, 20, 40, 60, 80)  # the dimensions that the lab edits
LAB_VALUES = (-3.0, 0.0, 3.0)  # and the values that it sets them to
MOST_DIMS, MOST_EDITS = 12, 144  # of a figure: a picture of more rows is too high for a browser
STARTS, KEPT, STEPS = 64, 2, 120  # of a search: vectors that are tried, those that are followed, steps of Adam
# Found on training garments. With Adam's usual (0.9, 0.999) the same steps end a fifth farther away.
RATE, BETA1, BETA2, EPS = 0.1, 0.8, 0.9, 1e-8
LONGEST = 1.2  # times sqrt(latent_dim): of vectors from N(0, I) in 100 dimensions, one in 400 is longer


def latents(n: int, latent_dim: int = 100, seed: int = 0) -> Tensor:
    """``n`` vectors from N(0, I), (n, latent_dim), that depend on ``seed`` alone."""
    own = torch.Generator().manual_seed(
        stream_seed(seed, "latents")
    )  # a slider may be moved while another thread trains
    return torch.randn(n, latent_dim, generator=own)


@deterministic()
@torch.no_grad()
def sample(g: nn.Module, z: Tensor, chunk: int = 100) -> Tensor:
    """Images G(z), (n, 1, 28, 28) on the CPU: one image per z, whatever else is in the batch.

    The generator is put in eval mode, so that BatchNorm uses its stored statistics and dropout is off. In
    train mode every image would depend on all others in its batch. Memory is bounded by ``chunk``.
    """
    device = next(g.parameters()).device
    with _evaluating(g), keeping_memory() if len(z) > chunk else nullcontext():
        return torch.cat([g(part.to(device)).float().cpu() for part in z.split(chunk)])


@contextmanager
def _evaluating(g: nn.Module) -> Iterator[None]:
    """``g`` in eval mode while this lasts; each of its modules is put back as it was."""
    modes = {module: module.training for module in g.modules()}
    g.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@dataclass(frozen=True)
class Found:
    """The nearest that a search came to n images."""

    z: Tensor  # (n, latent_dim)
    images: Tensor  # G(z), (n, 1, 28, 28) in [-1, 1]
    rms: Tensor  # (n,): root mean square difference per pixel from the images looked for, in grey levels (of 255)


@deterministic()
def invert(
    g: nn.Module,
    images: Tensor,
    starts: Tensor | int = STARTS,
    steps: int = STEPS,
    seed: int = 0,
    latent_dim: int = 100,
) -> Found:
    """For each of ``images``, (n, 1, 28, 28) in [-1, 1], the z whose G(z) is nearest to it, pixel by pixel.

    Gradient descent (Zhu et al. 2016) by Adam, with a step size that falls along a cosine: of ``starts``, (k,
    latent_dim) or as many from N(0, I), the `KEPT` whose pictures are nearest are followed for ``steps``, and the best
    that was met is kept. No vector grows longer than `LONGEST`. It is a search: a nearer z may exist. Each image is
    looked for alone, from the same starts, so others in the batch change nothing. ``g`` is left as it was.

    Raises:
        LabError: no images, or of another shape or range; no starts, or of another length; fewer than 0 steps.
    """
    if images.dim() != 4 or images.shape[1:] != (1, 28, 28) or not len(images):
        raise LabError(f"images of shape {tuple(images.shape)}: give (n, 1, 28, 28), at least one")
    if not images.is_floating_point() or not images.abs().max() <= 1:  # also refuses nan
        raise LabError("images are not floats from -1 to 1: make them so with data.to_unit, for instance")
    if type(steps) is not int or steps < 0:
        raise LabError(f"steps = {steps!r}: give a whole number, at least 0")
    if type(starts) is int and starts > 0:
        starts = latents(starts, latent_dim, seed)
    if not isinstance(starts, Tensor):
        raise LabError(f"starts = {starts!r}: give vectors, (k, {latent_dim}), or how many, at least one")
    if starts.shape[1:] != (latent_dim,) or not len(starts) or not starts.isfinite().all():
        raise LabError(f"starts of shape {tuple(starts.shape)}: give (k, {latent_dim}), at least one, finite numbers")
    with torch.inference_mode(False), torch.enable_grad(), _evaluating(g):
        starts, device = starts.detach().float().cpu().clone(), next(g.parameters()).device
        drawn, found = sample(g, starts), []
        for image in images.detach().float().cpu().clone().split(1):
            nearest = (drawn - image).square().mean((1, 2, 3)).topk(min(KEPT, len(starts)), largest=False).indices
            found.append(_descend(g, image.to(device), starts[nearest].to(device), steps))
    z, made, error = (torch.cat(parts).cpu() for parts in zip(*found, strict=True))
    return Found(z, made, error.sqrt() * 127.5)


def _descend(g: nn.Module, image: Tensor, z: Tensor, steps: int) -> tuple[Tensor, Tensor, Tensor]:
    """From each of ``z`` (k, latent_dim) towards ``image`` (1, 1, 28, 28): best z, its image, mean squared error (1,).

    Adam (Kingma and Ba 2015) is written out, so that the report's page, in another language, can do the same steps.
    """
    m, v, longest = torch.zeros_like(z), torch.zeros_like(z), LONGEST * math.sqrt(z.shape[1])
    best, best_z, best_made = z.new_full((len(z),), math.inf), z, image.repeat(len(z), 1, 1, 1)
    for step in range(steps + 1):
        z = z.detach().requires_grad_()
        made = g(z).float()
        error = (made - image).square().mean((1, 2, 3))  # (k,)
        better = (error < best).detach()
        best = torch.where(better, error.detach(), best)
        best_z = torch.where(better[:, None], z.detach(), best_z)
        best_made = torch.where(better[:, None, None, None], made.detach(), best_made)
        if step == steps:
            break
        (grad,) = torch.autograd.grad(error.sum(), z)  # each vector's own; parameters of g get none
        m, v = BETA1 * m + (1 - BETA1) * grad, BETA2 * v + (1 - BETA2) * grad.square()
        rate = RATE * (1 + math.cos(math.pi * step / steps)) / 2
        move = (m / (1 - BETA1 ** (step + 1))) / ((v / (1 - BETA2 ** (step + 1))).sqrt() + EPS)
        z = z.detach() - rate * move
        z = z * (longest / z.norm(dim=1, keepdim=True)).clamp(max=1)
    first = best.argmin()
    return best_z[first : first + 1], best_made[first : first + 1], best[first : first + 1]


def dims_of(dims: list[int], latent_dim: int) -> list[int]:
    """``dims``; of the lab's own those that a z of ``latent_dim`` numbers has, and if it has none the first five.

    So the five of the lab stand for a choice that nobody has made.
    """
    if list(dims) != list(LAB_DIMS):
        return list(dims)
    return [dim for dim in LAB_DIMS if dim < latent_dim] or list(range(min(len(LAB_DIMS), latent_dim)))


def check_edits(dims: list[int], values: list[float], latent_dim: int, drawn: bool = False) -> None:
    """Accept ``dims`` that are columns of z, counted from 0, and ``values`` that are finite numbers.

    ``drawn``: by a figure, which takes each dimension once, at most `MOST_DIMS` of them and `MOST_EDITS` in all.

    Raises:
        LabError: the first that is not, by name and value.
    """
    for name, entries in (("dims", dims), ("values", values)):
        if type(entries) not in (list, tuple) or not entries:
            raise LabError(f"{name} = {entries!r}: give a list with at least one number")
    for dim in dims:
        if type(dim) is not int or not 0 <= dim < latent_dim:
            raise LabError(f"dims = {dims}: {dim!r} is not a dimension of z: they are numbered 0 to {latent_dim - 1}")
    for value in values:
        if type(value) not in (int, float) or not abs(value) <= 1e6:  # also refuses nan
            raise LabError(
                f"values = {values}: {value!r} is not a finite number of at most 1e6: use numbers like -3, 0, 3"
            )
    if drawn and not len(set(dims)) == len(dims) <= MOST_DIMS:
        raise LabError(f"dims = {dims}: figures show 1 to {MOST_DIMS} dimensions, each once; here are {len(dims)}")
    if drawn and len(dims) * len(values) > MOST_EDITS:
        raise LabError(
            f"values: {len(dims)} dimensions at {len(values)} values are {len(dims) * len(values)} edits:"
            f" figures show at most {MOST_EDITS}, give {MOST_EDITS // len(dims)} values or fewer"
        )


def perturb(z: Tensor, dim: int, value: float, rows: list[int] | None = None) -> Tensor:
    """A copy of ``z`` with column ``dim`` set to ``value``, in all vectors or in ``rows`` alone."""
    check_edits([dim], [value], z.shape[1])
    out = z.clone()
    out[slice(None) if rows is None else rows, dim] = value
    return out


def perturb_along(z: Tensor, direction: Tensor, value: float) -> Tensor:
    """A copy of ``z`` whose coordinate along ``direction``, (latent_dim,), is ``value``; `perturb` for any axis."""
    if not direction.norm() > 0:
        raise LabError("direction has no length: give a vector that is not zero")
    unit = direction / direction.norm()
    return z + (value - z @ unit).unsqueeze(1) * unit


def perturbation_grid(z: Tensor, dims: list[int], values: list[float]) -> Tensor:
    """Every dimension at every value, for every vector: (len(dims), len(values), n, latent_dim)."""
    return torch.stack([torch.stack([perturb(z, dim, value) for value in values]) for dim in dims])


def random_directions(n: int, latent_dim: int = 100, seed: int = 0) -> Tensor:
    """``n`` unit vectors, (n, latent_dim), uniform on the sphere: the null for "dimension k codes ..."."""
    return torch.nn.functional.normalize(latents(n, latent_dim, seed), dim=1)


def interpolate(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """``steps`` vectors from ``start`` to ``end``, (steps, latent_dim), along the great circle (slerp, Shoemake 1985).

    The norm goes evenly from one end's to the other's, so that no step leaves the shell where N(0, I) lives.
    Parallel, opposite or zero vectors have no one great circle between them: those are joined by a straight line.
    """
    t = torch.linspace(0, 1, steps).unsqueeze(1)
    a, b = start / start.norm(), end / end.norm()
    angle = torch.arccos((a @ b).clamp(-1, 1))
    if not angle.sin() > 1e-4:  # also for nan
        return start + t * (end - start)
    on_sphere = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / angle.sin()
    return on_sphere * ((1 - t) * start.norm() + t * end.norm())


def change_along(g: nn.Module, z: Tensor, directions: Tensor) -> Tensor:
    """How far one unit along each of ``directions`` (k, latent_dim) moves the image, (k,), in grey levels.

    That is the mean over ``z``, (n, latent_dim), of |G(z + u) - G(z - u)| / 2.
    """
    steps = directions.unsqueeze(1)  # (k, 1, latent_dim)
    up, down = (sample(g, (z + sign * steps).flatten(0, 1)) for sign in (1, -1))
    return mean_change(up, down).view(len(directions), len(z)).mean(1) / 2
