"""Pure functions on latent vectors z, float32 (n, latent_dim), and on images, float32 (n, 1, 28, 28) in [-1, 1].

All take what `base.doors` takes: vectors as tensors or arrays of any real type, one alone as (latent_dim,); pictures in
their usual shapes and ranges; numbers of any type. Whatever else comes is refused in one line.
"""

from .base import whole  # noqa: F401, before torch

# isort: split
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from .base import doors
from .base.errors import LabError
from .base.machine import deterministic, keeping_memory, own_torch
from .base.rng import stream_seed
from .pictures import mean_change

LAB_DIMS = (5, 20, 40, 60, 80)  # the dimensions that the lab edits
LAB_VALUES = (-3.0, 0.0, 3.0)  # and the values that it sets them to
RANGE = 4.0  # of a slider, either way; one number in 16,000 lies beyond
MOST = 10_000_000  # vectors, or steps between two, that one may ask for at once
MOST_DIMS, MOST_EDITS = 12, 144  # of a figure: a picture of more rows is too high for a browser
STARTS, KEPT, STEPS = 64, 2, 120  # of a search: vectors that are tried, those that are followed, steps of Adam
# Found on training garments. With Adam's usual (0.9, 0.999) the same steps end a fifth farther away.
RATE, BETA1, BETA2, EPS = 0.1, 0.8, 0.9, 1e-8
LONGEST = 1.2  # times sqrt(latent_dim): of vectors from N(0, I) in 100 dimensions, one in 400 is longer


@own_torch()
def latents(n: int, latent_dim: int = 100, seed: int = 0) -> Tensor:
    """``n`` vectors from N(0, I), (n, latent_dim), that depend on ``seed`` alone, a whole number of any type.

    Raises:
        LabError: ``n``, ``latent_dim`` or ``seed`` is no whole number, or there are to be no vectors.
    """
    n, latent_dim = doors.whole("n", n, 1, MOST), doors.whole("latent_dim", latent_dim, 1, MOST)
    # Of its own, since a slider may be moved while another thread trains.
    own = torch.Generator().manual_seed(stream_seed(doors.whole("seed", seed), "latents"))
    return torch.randn(n, latent_dim, generator=own)


@own_torch()
@deterministic()
@torch.no_grad()
def sample(g: nn.Module, z: Tensor, chunk: int = 100) -> Tensor:
    """Images G(z), (n, 1, 28, 28) on the CPU: one image per z, whatever else is in the batch.

    ``z`` is (n, latent_dim), a tensor or array; its length is checked where the generator is one of ours. The generator
    is put in eval mode, so that BatchNorm uses its stored statistics and dropout is off. In train mode every image
    would depend on all others in its batch. Memory is bounded by ``chunk``.

    Raises:
        LabError: no network, or no vectors for it: of another length, not finite, no real numbers.
    """
    z, chunk = doors.latents(z, length_of(g)), doors.whole("chunk", chunk, 1)
    device = next(g.parameters(), z).device
    with _evaluating(g), keeping_memory() if len(z) > chunk else nullcontext():
        return torch.cat([g(part.to(device)).float().cpu() for part in z.split(chunk)])


def length_of(g: nn.Module) -> int | None:
    """The length of the vectors that ``g`` takes, if it is a generator of `gans.build`; None for a stranger's network.

    Raises:
        LabError: it is no network.
    """
    if not isinstance(g, nn.Module):
        raise LabError(f"g = {doors.said(g)}: give a network, for instance labkit.load('dcgan')")
    found = getattr(g, "latent_dim", None)
    return found if type(found) is int else None


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


@own_torch()
@deterministic()
def invert(
    g: nn.Module,
    images: Tensor,
    starts: Tensor | int = STARTS,
    steps: int = STEPS,
    seed: int = 0,
    latent_dim: int | None = None,
    signed: bool = False,
) -> Found:
    """For each of ``images`` the z whose G(z) is nearest to it, pixel by pixel.

    Gradient descent (Zhu et al. 2016) by Adam, with a step size that falls along a cosine: of ``starts``, (k,
    latent_dim) or as many from N(0, I), the `KEPT` whose pictures are nearest are followed for ``steps``, and the best
    that was met is kept. No vector grows longer than `LONGEST`. It is a search: a nearer z may exist. Each image is
    looked for alone, from the same starts, so others in the batch change nothing. ``g`` is left as it was.

    ``images`` are what `doors.unit_images` takes, uint8 or floats, with ``signed`` from -1 to 1. ``latent_dim`` is that
    of ``g``, and 100 where the network does not say.

    Raises:
        LabError: no images, or of another shape or range; no starts, or of another length; fewer than 0 steps.
    """
    d = length_of(g) or (100 if latent_dim is None else doors.whole("latent_dim", latent_dim, 1, MOST))
    images = doors.unit_images(images, signed=signed)
    steps = doors.whole("steps", steps, 0)
    many = isinstance(starts, Tensor | np.ndarray | list | tuple) and np.ndim(starts) > 0
    starts = doors.latents(starts, d, "starts") if many else latents(doors.whole("starts", starts, 1, MOST), d, seed)
    with _evaluating(g):
        starts, device = starts.detach().cpu().clone(), next(g.parameters(), starts).device
        drawn, found = sample(g, starts), []
        for image in images.detach().cpu().clone().split(1):
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


def dims_of(dims: Sequence[int], latent_dim: int) -> list[int]:
    """``dims``; of the lab's own those that a z of ``latent_dim`` numbers has, and if it has none the first five.

    So the five of the lab stand for a choice that nobody has made.
    """
    dims = doors.listed("dims", dims)
    if dims != list(LAB_DIMS):
        return dims
    return [dim for dim in LAB_DIMS if dim < latent_dim] or list(range(min(len(LAB_DIMS), latent_dim)))


def check_edits(
    dims: Sequence[int], values: Sequence[float], latent_dim: int, drawn: bool = False
) -> tuple[list[int], list[float]]:
    """``dims``, columns of z counted from 0, and ``values``, finite numbers, as Python's own lists.

    Each may be a list, a tuple, a range, or a row of an array or tensor. ``drawn``: by a figure, which takes each
    dimension once, at most `MOST_DIMS` of them and `MOST_EDITS` in all.

    Raises:
        LabError: the first that is not, by name and value.
    """
    dims, values = doors.listed("dims", dims), doors.listed("values", values)
    found = [_dimension("dims", dims, dim, latent_dim) for dim in dims]
    if drawn and not len(set(found)) == len(found) <= MOST_DIMS:
        raise LabError(f"dims = {found}: figures show 1 to {MOST_DIMS} dimensions, each once; here are {len(found)}")
    if drawn and len(found) * len(values) > MOST_EDITS:
        raise LabError(
            f"values: {len(found)} dimensions at {len(values)} values are {len(found) * len(values)} edits:"
            f" figures show at most {MOST_EDITS}, give {MOST_EDITS // len(found)} values or fewer"
        )
    return found, [_value("values", values, value) for value in values]


FARTHEST = 1e6  # of a value from 0


def _dimension(name: str, given: object, dim: object, latent_dim: int) -> int:
    try:
        return doors.whole(name, dim, 0, latent_dim - 1)
    except LabError:
        raise LabError(
            f"{name} = {doors.said(given)}: {doors.said(dim)} is not a dimension of z:"
            f" they are numbered 0 to {latent_dim - 1}"
        ) from None


def _value(name: str, given: object, value: object) -> float:
    try:
        return doors.real(name, value, -FARTHEST, FARTHEST)
    except LabError:
        raise LabError(
            f"{name} = {doors.said(given)}: {doors.said(value)} is not a finite number of at most 1e6:"
            " use numbers like -3, 0, 3"
        ) from None


def perturb(z: Tensor, dim: int, value: float, rows: Sequence[int] | None = None) -> Tensor:
    """A copy of ``z``, (n, latent_dim), with column ``dim`` set to ``value``, in all vectors or in ``rows`` alone.

    Raises:
        LabError: no vectors, no such dimension or row, or no finite number.
    """
    z = doors.latents(z)
    (dim,), (value,) = check_edits([dim], [value], z.shape[1])
    out = z.clone()
    out[slice(None) if rows is None else doors.wholes("rows", rows, 0, len(z) - 1), dim] = value
    return out


@own_torch(gradients=False)
def perturb_along(z: Tensor, direction: Tensor, value: float) -> Tensor:
    """A copy of ``z`` whose coordinate along ``direction``, (latent_dim,), is ``value``; `perturb` for any axis.

    Raises:
        LabError: no vectors; a direction of another length, or without one; no finite number.
    """
    z = doors.latents(z)
    direction, value = _one("direction", direction, z.shape[1]).to(z.device), _value("value", value, value)
    if not direction.norm() > 0:
        raise LabError("direction has no length: give a vector that is not zero")
    unit = direction / direction.norm()
    return z + (value - z @ unit).unsqueeze(1) * unit


def _one(name: str, vector: object, latent_dim: int | None = None) -> Tensor:
    """A single vector, (latent_dim,)."""
    found = doors.latents(vector, latent_dim, name)
    if len(found) != 1:
        raise LabError(f"{name} of shape {tuple(found.shape)}: give one vector, ({found.shape[1]},)")
    return found[0]


def perturbation_grid(z: Tensor, dims: Sequence[int], values: Sequence[float]) -> Tensor:
    """Every dimension at every value, for every vector: (len(dims), len(values), n, latent_dim).

    Raises:
        LabError: no vectors, or one of ``dims`` or ``values`` is not what `check_edits` accepts.
    """
    z = doors.latents(z)
    dims, values = check_edits(dims, values, z.shape[1])
    return torch.stack([torch.stack([perturb(z, dim, value) for value in values]) for dim in dims])


def random_directions(n: int, latent_dim: int = 100, seed: int = 0) -> Tensor:
    """``n`` unit vectors, (n, latent_dim), uniform on the sphere: the null for "dimension k codes ..."."""
    return torch.nn.functional.normalize(latents(n, latent_dim, seed), dim=1)


@own_torch(gradients=False)
def interpolate(start: Tensor, end: Tensor, steps: int) -> Tensor:
    """``steps`` vectors from ``start`` to ``end``, (steps, latent_dim), along the great circle (slerp, Shoemake 1985).

    The norm goes evenly from one end's to the other's, so that no step leaves the shell where N(0, I) lives.
    Parallel, opposite or zero vectors have no one great circle between them: those are joined by a straight line.

    Raises:
        LabError: an end is no vector, or they have different lengths; fewer than one step.
    """
    start = _one("start", start)
    end, steps = _one("end", end, len(start)).to(start.device), doors.whole("steps", steps, 1, MOST)
    t = torch.linspace(0, 1, steps, dtype=start.dtype, device=start.device).unsqueeze(1)
    a, b = start / start.norm(), end / end.norm()
    angle = torch.arccos((a @ b).clamp(-1, 1))
    if not angle.sin() > 1e-4:  # also for nan
        return start + t * (end - start)
    on_sphere = (torch.sin((1 - t) * angle) * a + torch.sin(t * angle) * b) / angle.sin()
    return on_sphere * ((1 - t) * start.norm() + t * end.norm())


@own_torch()
def change_along(g: nn.Module, z: Tensor, directions: Tensor) -> Tensor:
    """How far one unit along each of ``directions`` (k, latent_dim) moves the image, (k,), in grey levels.

    That is the mean over ``z``, (n, latent_dim), of |G(z + u) - G(z - u)| / 2.

    Raises:
        LabError: no network; no vectors for it, or directions of another length.
    """
    z = doors.latents(z, length_of(g))
    directions = doors.latents(directions, z.shape[1], "directions").to(z.device)
    steps = directions.unsqueeze(1)  # (k, 1, latent_dim)
    up, down = (sample(g, (z + sign * steps).flatten(0, 1)) for sign in (1, -1))
    change = mean_change.__wrapped__(up, down)  # a stranger's network may draw beyond -1 and 1
    return change.view(len(directions), len(z)).mean(1) / 2
