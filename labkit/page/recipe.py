"""A recipe: the file from which the editor brings back the same network, the same vectors and the same pixels.

A JSON object: format, run (its folder below data/runs, or studies/
and that below data/studies), generator_sha256, seed, dims (of the sliders), directions
(a unit vector for each name among dims), base and z (eight vectors each).
"""

from ..base import whole  # noqa: F401, before torch

# isort: split
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from .. import latent
from ..base import doors
from ..base.errors import LabError
from ..training import runs
from .worlds import name_of_world, open_world, worlds

FORMAT = 1
GARMENTS = 8  # vectors in a recipe
LARGEST = 1 << 23  # bytes of a file
MOST = 128  # sliders; each is drawn, and its effect measured
DIRECTIONS = 48  # among them; the editor finds fewer
FARTHEST = 1e6  # of a number in a vector
LONGEST = 100  # letters of a direction's name


@dataclass(frozen=True)
class Recipe:
    """What decides the picture, and which sliders were at hand."""

    run: runs.Run  # whose generator makes the images
    seed: int  # of the base vectors
    dims: list[int | str]  # of the sliders: dimensions of z by number, directions by name
    directions: dict[str, Tensor]  # unit vectors, (latent_dim,), of the names in dims
    base: Tensor  # (8, latent_dim), before all edits
    z: Tensor  # (8, latent_dim), after them


def base_vectors(latent_dim: int, seed: int) -> Tensor:
    """The vectors that ``seed`` draws, (8, latent_dim).

    Raises:
        LabError: ``seed`` is not a whole number from 0 to 2**31 - 1.
    """
    return latent.latents(GARMENTS, latent_dim, seed_of(seed))


def seed_of(value: object) -> int:
    """``value`` as the seed of base vectors, or a LabError."""
    return doors.whole("seed", value, 0, 2**31 - 1)


def encode_recipe(recipe: Recipe) -> bytes:
    """``recipe`` as the content of its file."""
    content = {
        "format": FORMAT,
        "run": name_of_world(recipe.run.folder),
        "generator_sha256": recipe.run.generator_sha256,
        "seed": recipe.seed,
        "dims": recipe.dims,
        "directions": {name: unit.tolist() for name, unit in recipe.directions.items()},
        "base": recipe.base.tolist(),
        "z": recipe.z.tolist(),
    }
    return json.dumps(content).encode()


def read_recipe(path: str | Path) -> Recipe:
    """The recipe in the file ``path``, with the run that it was made with, verified. All is checked before it returns.

    Raises:
        LabError: the file is damaged or no recipe; its run is missing, damaged, or another one by now.
    """
    path = doors.path("path", path)
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            raise ValueError(f"it is no file of at most {LARGEST >> 20} MB")
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise LabError(f"{path} is damaged or no recipe ({str(error)[:200]}): delete its folder") from None
    return open_recipe(text, str(path), ": delete its folder")


def open_recipe(text: str, source: str, remedy: str = "") -> Recipe:
    """The recipe ``text``, as `read_recipe`; errors call it ``source`` and say how to mend it, ``remedy``."""
    try:
        if type(text) is not str or len(text) > LARGEST:
            raise ValueError(f"it is no text of at most {LARGEST >> 20} MB")
        base, z, seed, dims, directions, name, digest = _parts(json.loads(text))
    except (ValueError, RecursionError, LabError) as error:
        raise LabError(f"{source} is damaged or no recipe ({str(error)[:200]}){remedy}") from None
    folder = next((folder for folder in worlds() if name_of_world(folder) == name), None)
    run = open_world(folder) if folder else None
    if not run or run.generator_sha256 != digest or run.config.latent_dim != z.shape[1]:
        raise LabError(
            f"{source} was made with run {name[:LONGEST]}, generator {digest[:8]}, which is not here: train it first"
        )
    return Recipe(run, seed, dims, directions, base, z)


def _parts(content) -> tuple:
    """Base, z, seed, dims, directions, the run's name and the generator's digest in ``content``, whatever JSON it is.

    Raises:
        ValueError, LabError: one is missing, or is not what the format says.
    """
    if type(content) is not dict or content.get("format") != FORMAT:
        raise ValueError(f"it is not of format {FORMAT}")
    base, z = (_vectors(content.get(key), key) for key in ("base", "z"))
    if base.shape != z.shape or len(z) != GARMENTS:
        raise ValueError(f"base and z are not {GARMENTS} vectors each, of one length")
    seed, dims, units = seed_of(content.get("seed")), content.get("dims"), content.get("directions", {})
    if type(units) is not dict or len(units) > DIRECTIONS or any(len(name) > LONGEST for name in units):
        raise ValueError(f"directions are not at most {DIRECTIONS} vectors by name")
    directions = {name: _vectors([unit], f"direction {name!r}")[0] for name, unit in units.items()}
    if any(len(unit) != z.shape[1] or not abs(unit.norm() - 1) < 1e-3 for unit in directions.values()):
        raise ValueError("a direction is no unit vector")
    if type(dims) is not list or len(dims) > MOST or any(type(dim) not in (int, str) for dim in dims):
        raise ValueError(f"dims are not a list of at most {MOST} dimensions of z and names of directions")
    if len(set(dims)) < len(dims):
        raise ValueError("dims has one twice")
    latent.check_edits([0, *(dim for dim in dims if dim not in directions)], [0.0], z.shape[1])
    name, digest = content.get("run"), content.get("generator_sha256")
    if type(name) is not str or type(digest) is not str:
        raise ValueError("it names no run and generator")
    return base, z, seed, dims, directions, name, digest


def _vectors(rows, name: str) -> Tensor:
    """``rows``, a list of lists of numbers, all of one length, as a matrix; ValueError if it is anything else."""
    lists = type(rows) is list and all(type(row) is list for row in rows)
    if not lists or not rows or not rows[0] or len({len(row) for row in rows}) != 1:
        raise ValueError(f"{name} is no list of vectors of one length")
    if not all(type(x) in (int, float) and abs(x) <= FARTHEST for row in rows for x in row):  # nan is refused, too
        raise ValueError(f"{name} has what is no number up to {FARTHEST:g}")
    return torch.tensor(rows, dtype=torch.float32)
