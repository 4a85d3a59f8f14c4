"""What an editor keeps on disk, and shows of it: pictures, animations, recipes, and a small picture of each.

Here: files below `paths.KEPT`. Not here: what a recipe is (`recipe`).
"""

from ..base import whole  # noqa: F401, before torch

# isort: split
import io
from functools import lru_cache
from pathlib import Path

import torch
from PIL import Image

from .. import latent
from ..base import paths
from ..base.files import write_new
from ..figures import catalogue, sheets
from ..page.recipe import Recipe, encode_recipe
from ..page.worlds import length_of, title_of
from ..texts import say

PICTURE, SWEEP, RECIPE = "picture.png", "sweep.gif", "recipe.json"
THUMBNAIL = (220, 90)  # pixels of a small picture, at most


def names() -> list[str]:
    """Names of what can be loaded, sorted."""
    return sorted(path.parent.name for path in paths.KEPT.glob(f"*/{RECIPE}"))


def newest() -> list[str]:
    """Names of what can be loaded, the newest first."""
    when = {name: (paths.KEPT / name / RECIPE).stat().st_mtime_ns for name in names()}
    return sorted(when, key=lambda name: (-when[name], name))


def write(recipe: Recipe, files: dict[str, bytes]) -> tuple[str, str]:
    """Write ``files`` and ``recipe`` to a new folder; its name, and which one it is in words."""
    files = {**files, RECIPE: encode_recipe(recipe)}
    folder = write_new(paths.KEPT, recipe.run.config.model, files)
    place = folder.relative_to(paths.KEPT.parent.parent)
    return folder.name, say("editor.status.kept", folder=place, files=say("common.list.between").join(files))


def figure(editor):
    """The present state of ``editor`` as a matplotlib Figure."""
    run, dims = editor.opened(), (editor.z != editor.base).any(0).nonzero().flatten().tolist()
    edited = say("common.list.between").join([editor.title(dim) for dim in dims[:6]] + ["\u2026"] * (len(dims) > 6))
    title = say(
        "editor.figure",
        network=title_of(run.config.model),
        profile=run.config.profile,
        seed=run.config.seed,
        length=length_of(run),
        vectors=editor.seed,
        edits=say("editor.edited", dims=edited) if dims else say("editor.as_drawn"),
    )
    base, edited = editor.images()
    return sheets.edit(base, edited, title)


def pictures_of(figure) -> dict[str, bytes]:
    """The files of a figure, by name."""
    return {f"picture.{kind}": content for kind, content in catalogue.encode(figure).items()}


def animation_of(editor, dim: int | str) -> dict[str, bytes]:
    """The file of a sweep of ``dim`` from -3 to 3 and back, by name; ``editor`` is told how far it is."""
    values = torch.linspace(latent.LAB_VALUES[0], latent.LAB_VALUES[-1], 25).tolist()
    frames = []
    for value in values + values[-2:0:-1]:
        label = f"{editor.title(dim)} = {value:+.2f}"
        frames.append((label, latent.sample(editor.g, editor.edited(dim, value, editor.rows))))
        editor.progress(len(frames) / (2 * len(values) - 2))
    return {SWEEP: sheets.animation(frames)}


def animation(name: str) -> bytes:
    """The animation that is kept as ``name``, a GIF; empty if there is none."""
    path = paths.KEPT / name / SWEEP
    return path.read_bytes() if name and path.is_file() else b""


def thumbnail(name: str) -> bytes:
    """A small picture of what is kept as ``name``, a PNG; empty if there is none that can be read."""
    for path in (paths.KEPT / name / PICTURE, paths.KEPT / name / SWEEP):
        if path.is_file():
            return _small(path, path.stat().st_mtime_ns)
    return b""


@lru_cache(maxsize=256)
def _small(path: Path, _: int) -> bytes:
    """The picture in ``path``, or the first of several, made small."""
    content = io.BytesIO()
    try:
        with Image.open(path) as picture:
            small = picture.convert("RGB")
            small.thumbnail(THUMBNAIL)
            small.save(content, "PNG")
    except (OSError, ValueError, Image.DecompressionBombError):
        return b""
    return content.getvalue()
