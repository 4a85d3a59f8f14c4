"""The networks that the editor opens: finished runs, and those runs of a study whose weights were kept.

A world is the folder of one of them.
"""

import json
from pathlib import Path

from ..base import doors, paths
from ..base.errors import LabError
from ..gans import GANS
from ..study import records
from ..texts import say
from ..training import runs


def worlds(model: str | None = None) -> list[Path]:
    """All that can be opened, or those of ``model``: finished runs, the longest profile first, then runs of studies.

    Runs on other pictures come last among the finished ones, and their `label` says so.
    """
    found, kept = sorted(runs.finished(), key=_of_other_pictures), records.with_weights()
    if model:
        found = [folder for folder in found if folder.parts[-2] == model]
        kept = [folder for folder in kept if folder.parts[-2].startswith(f"{model}-")]
    return found + kept


def open_world(folder: str | Path) -> runs.Run:
    """The run in ``folder``, verified.

    Raises:
        LabError: there is none, or it is damaged.
    """
    folder = doors.path("folder", folder)
    return records.load_record(folder).run() if (folder / "record.json").exists() else runs.load_run(folder)


def listed(folder: str | Path) -> Path:
    """``folder`` as `worlds` spells it, or as it is if it holds no run.

    Raises:
        LabError: it is no path, or it holds a run that is not in the list.
    """
    folder = doors.path("run", folder)
    found = next((known for known in worlds() if known.resolve() == folder.resolve()), None)
    if not found and (folder / "run.json").exists():
        raise LabError(f"{folder} is not below {paths.RUNS}: the editor opens the runs there")
    return found or folder


def name_of_world(folder: Path) -> str:
    """What a recipe calls ``folder``: the path below data/runs, or below data with studies/ before it."""
    if folder.is_relative_to(paths.RUNS):
        return folder.relative_to(paths.RUNS).as_posix()
    return f"studies/{folder.relative_to(paths.STUDIES).as_posix()}"


def label(folder: Path) -> str:
    """What the list of networks shows for ``folder``."""
    *_, first, second, name = folder.parts
    study = not folder.is_relative_to(paths.RUNS)
    world = (
        say("editor.world_of_study", study=first, arm=second, name=name)
        if study
        else say("editor.world", profile=first, name=name)
    )
    if not _of_other_pictures(folder):
        return world
    return say("editor.world_of", world=world, pictures=runs.dataset_of(folder) or say("editor.other_pictures"))


def distance_of(folder: Path) -> float | None:
    """The Frechet distance to test images of ``folder``'s network when it was scored last; None if it was not."""
    try:
        if (folder / "record.json").exists():
            looks = json.loads((folder / "record.json").read_text(encoding="utf-8"))["scores"]
            return float(looks[max(looks, key=int)]["frechet"])
        return float(json.loads((folder / "scores.json").read_text(encoding="utf-8"))[-1]["frechet"])
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def entitled(folder: Path) -> str:
    """What a list of networks calls ``folder``: the GAN, which training, and how near its pictures come, if known."""
    name = say("editor.network", network=title_of(folder.parts[-2].partition("-")[0]), world=label(folder))
    distance = distance_of(folder)
    return name if distance is None else say("editor.scored", name=name, distance=distance)


def title_of(model: str) -> str:
    """What a reader knows the GAN ``model`` as."""
    return say(f"common.network.{model}", GANS[model].title)


def length_of(run: runs.Run) -> str:
    """How long ``run`` was trained, in words."""
    whole = run.epochs == run.config.epochs
    return say("editor.length" if whole else "editor.length_of", epochs=run.epochs, all=run.config.epochs)


def _of_other_pictures(folder: Path) -> bool:
    return runs.images_of(folder) not in (None, runs.GARMENTS)
