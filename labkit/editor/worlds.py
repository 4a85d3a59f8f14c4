"""The networks that the editor opens: finished runs, and those runs of a study whose weights were kept.

A world is the folder of one of them.
"""

from pathlib import Path

from ..base import paths
from ..base.errors import LabError
from ..study import records
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


def open_world(folder: Path) -> runs.Run:
    """The run in ``folder``, verified.

    Raises:
        LabError: there is none, or it is damaged.
    """
    return records.load_record(folder).run() if (folder / "record.json").exists() else runs.load_run(folder)


def listed(folder: Path) -> Path:
    """``folder`` as `worlds` spells it, or as it is if it holds no run.

    Raises:
        LabError: it is no path, or it holds a run that is not in the list.
    """
    if not isinstance(folder, str | Path):
        raise LabError(f"run = {folder!r} is not the folder of a run")
    found = next((known for known in worlds() if known.resolve() == Path(folder).resolve()), None)
    if not found and (Path(folder) / "run.json").exists():
        raise LabError(f"{folder} is not below {paths.RUNS}: the editor opens the runs there")
    return found or Path(folder)


def name_of_world(folder: Path) -> str:
    """What a recipe calls ``folder``: the path below data/runs, or below data with studies/ before it."""
    if folder.is_relative_to(paths.RUNS):
        return folder.relative_to(paths.RUNS).as_posix()
    return f"studies/{folder.relative_to(paths.STUDIES).as_posix()}"


def label(folder: Path) -> str:
    """What the list of networks shows for ``folder``."""
    *_, first, second, name = folder.parts
    if _of_other_pictures(folder):
        name += f" ({runs.dataset_of(folder) or 'other pictures'})"
    return f"{first}, {name}" if folder.is_relative_to(paths.RUNS) else f"{first}: {second}, {name}"


def _of_other_pictures(folder: Path) -> bool:
    return runs.images_of(folder) not in (None, runs.GARMENTS)
