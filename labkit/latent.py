"""Pure functions on latent vectors z, float32 (n, latent_dim), and on images, float32 (n, 1, 28, 28) in [-1, 1]."""

import torch
from torch import Tensor, nn

from .base.errors import LabError
from .base.rng import stream_seed
from .pictures import mean_change

LAB_DIMS = (5, 20, 40, 60, 80)  # the dimensions that the lab edits
LAB_VALUES = (-3.0, 0.0, 3.0)  # and the values that it sets them to


def latents(n: int, latent_dim: int = 100, seed: int = 0) -> Tensor:
    """``n`` vectors from N(0, I), (n, latent_dim), that depend on ``seed`` alone."""
    own = torch.Generator().manual_seed(
        stream_seed(seed, "latents")
    )  # a slider may be moved while another thread trains
    return torch.randn(n, latent_dim, generator=own)


@torch.no_grad()
def sample(g: nn.Module, z: Tensor, chunk: int = 100) -> Tensor:
    """Images G(z), (n, 1, 28, 28) on the CPU: one image per z, whatever else is in the batch.

    The generator is put in eval mode, so that BatchNorm uses its stored statistics and dropout is off. In
    train mode every image would depend on all others in its batch. Memory is bounded by ``chunk``.
    """
    modes, device = {module: module.training for module in g.modules()}, next(g.parameters()).device
    g.eval()
    try:
        return torch.cat([g(part.to(device)).float().cpu() for part in z.split(chunk)])
    finally:
        for module, training in modes.items():
            module.training = training


def check_edits(dims: list[int], values: list[float], latent_dim: int, count: int | None = None) -> None:
    """Accept ``dims`` that are columns of z, counted from 0 (``count`` of them), and ``values`` that are finite numbers.

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
    if count and len(dims) != count:
        raise LabError(f"dims = {dims}: the figures show {count} dimensions, give as many")


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
    """How far one unit along each of ``directions`` (k, latent_dim) moves the image, (k,): mean over ``z`` of |G(z + u) - G(z - u)| / 2, in grey levels."""
    steps = directions.unsqueeze(1)  # (k, 1, latent_dim)
    up, down = (sample(g, (z + sign * steps).flatten(0, 1)) for sign in (1, -1))
    return mean_change(up, down).view(len(directions), len(z)).mean(1) / 2
