"""Pictures through a training: the same latent vectors, drawn again and again, in one file beside the run.

album.safetensors holds the epochs, (k,), and the pictures, uint8 (k, `PICTURES`, 28, 28): 50 kB a look.
"""

from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from torch import Tensor, nn

from .. import latent, pictures
from ..base import cache, doors, kept
from ..base.errors import LabError
from ..base.files import faults_in

PICTURES = 64
FILE = "album.safetensors"


class Album(NamedTuple):
    """What was drawn, from the first look to the last."""

    epochs: list[int]  # k of them
    pictures: Tensor  # uint8 (k, PICTURES, 28, 28)


def draw(g: nn.Module, latent_dim: int) -> Tensor:
    """The album's latent vectors as ``g`` draws them, uint8 (PICTURES, 28, 28)."""
    return pictures.levels(latent.sample(g, latent.latents(PICTURES, latent_dim, 3000)), signed=True)


def keep(g: nn.Module, latent_dim: int, epoch: int, folder: Path) -> Album:
    """Add what ``g`` draws after ``epoch`` to the album in ``folder``; looks of that epoch and later ones are replaced.

    Raises:
        LabError: the disk takes no more; the album before is as it was.
    """
    before = read(folder)
    earlier = [i for i, one in enumerate(before.epochs) if one < epoch]
    drawn = torch.cat([before.pictures[earlier], draw(g, latent_dim).unsqueeze(0)])
    album = Album([*(before.epochs[i] for i in earlier), epoch], drawn)
    content = safetensors.torch.save({"epochs": torch.tensor(album.epochs), "pictures": album.pictures})
    kept.write(folder / FILE, content)
    return album


def read(folder: str | Path) -> Album:
    """The album in ``folder``; an empty one if there is none, or a damaged one, which is named in a line."""
    path, none = doors.path("folder", folder) / FILE, Album([], torch.empty(0, PICTURES, 28, 28, dtype=torch.uint8))
    try:
        with faults_in(path, kept.REMEDY):
            try:
                content = kept.read(path)
            except FileNotFoundError:
                return none
            found = cache.tensors_in(content)
            epochs, drawn = found["epochs"].tolist(), found["pictures"]
            if drawn.shape != (len(epochs), PICTURES, 28, 28) or drawn.dtype != torch.uint8:
                raise ValueError("its pictures are not those of an album")
            return Album(epochs, drawn)
    except LabError as error:
        print(f"left out: {error}", flush=True)
        return none
