"""A recipe: the file from which the editor brings back the same network, the same vectors and the same pixels.

A JSON object: format, run (its folder below data/runs, or studies/
and that below data/studies), generator_sha256, seed, dims (of the sliders), directions
(a unit vector for each name among dims), base and z (eight vectors each).
"""

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
    return latent.latents(GARMENTS, latent_dim, doors.whole("seed", seed, 0, 2**31 - 1))


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


def read_recipe(path: Path) -> Recipe:
    """The recipe in the file ``path``, with the run that it was made with, verified.

    Raises:
        LabError: the file is damaged or no recipe; its run is missing, damaged, or another one by now.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        base, z = _vectors(content)
        seed, dims, name, digest = (content[key] for key in ("seed", "dims", "run", "generator_sha256"))
        directions = _directions(content, z.shape[1])
        latent.check_edits([0, *(dim for dim in dims if dim not in directions)], [0.0], z.shape[1])
        base_vectors(z.shape[1], seed)  # refuses what is no seed
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, OverflowError, AttributeError, LabError) as error:
        raise LabError(f"{path} is damaged or no recipe ({error}): delete its folder") from None
    folder = next((folder for folder in worlds() if name_of_world(folder) == name), None)
    run = open_world(folder) if folder else None
    if not run or run.generator_sha256 != digest or run.config.latent_dim != z.shape[1]:
        raise LabError(
            f"{path} was made with run {name}, generator {str(digest)[:8]}, which is not here: train it first"
        )
    return Recipe(run, seed, list(dims), directions, base, z)


def _vectors(content: dict) -> tuple[Tensor, Tensor]:
    """Base and edited vectors in the ``content`` of a recipe, (8, latent_dim) each; ValueError if there are no such."""
    base, z = (torch.tensor(content[key], dtype=torch.float32) for key in ("base", "z"))
    sound = base.shape == z.shape and z.dim() == 2 and len(z) == GARMENTS and (base + z).isfinite().all()
    if content["format"] != FORMAT or not sound:
        raise ValueError("its vectors are not two sets of eight")
    return base, z


def _directions(content: dict, latent_dim: int) -> dict[str, Tensor]:
    """Directions in the ``content`` of a recipe, by name; ValueError if one is no unit vector, (latent_dim,)."""
    units = {name: torch.tensor(unit, dtype=torch.float32) for name, unit in content.get("directions", {}).items()}
    if not all(unit.shape == (latent_dim,) and abs(unit.norm() - 1) < 1e-3 for unit in units.values()):
        raise ValueError("a direction is no unit vector")
    return units
