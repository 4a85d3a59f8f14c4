"""A finished report, put in the place of the last one: file by file, with a journal, so that a kill leaves no mixture.

What is published is first copied into each of its folders, as ``.<profile>.new`` there, whatever disk that is on. A
journal then says that all is there, and single files are renamed within their folder: each is at any moment the old or
the new one, and a publication that was killed is finished by the next start. A target may be a link, or a mount.
"""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ..base import paths
from ..base.errors import LabError
from ..base.files import sync_folder, write_atomic, write_fault


@dataclass(frozen=True)
class Target:
    """A folder that is published: all of it is ``whole``, or else only some of its files are ours."""

    folder: Path
    whole: bool = True


def probe(targets: Iterable[Target]) -> None:
    """See whether a file can be made in every folder of ``targets``; nothing stays.

    Raises:
        LabError: it cannot; the line names the folder.
    """
    for target in targets:
        made: list[Path] = []
        try:
            folder = _real(target)
            made = [parent for parent in (folder, *folder.parents) if not parent.exists()]
            folder.mkdir(parents=True, exist_ok=True)
            for place in [folder, *(filter(Path.is_dir, folder.rglob("*")) if target.whole else ())]:
                with tempfile.NamedTemporaryFile(dir=place, prefix=".probe."):
                    pass
        except OSError as error:
            raise LabError(write_fault(target.folder, 0, error)) from None
        finally:
            for parent in made:
                with contextlib.suppress(OSError):
                    parent.rmdir()


def publish(profile: str, parts: dict[Target, Path]) -> None:
    """Put the files of the folder ``parts[target]`` into each target, all of them or none.

    Raises:
        LabError: a disk is full, or takes no file: before the journal is written, all is as it was.
    """
    try:
        for target, new in parts.items():
            for path in _files(new):
                write_atomic(_staged(profile, target) / path, (new / path).read_bytes())
    except BaseException:
        sweep(profile, parts)
        raise
    names = {_name(target): _files(new) for target, new in parts.items()}
    write_atomic(_journal(profile), json.dumps(names).encode())
    finish(profile, parts)


def finish(profile: str, targets: Iterable[Target]) -> None:
    """Do what is left of a publication to some of ``targets`` whose journal is there; without one, nothing.

    Raises:
        LabError: a file cannot be renamed, or the journal is damaged.
    """
    journal = _journal(profile)
    if not journal.exists():
        return
    known = {_name(target): target for target in targets}
    try:
        for name, files in json.loads(journal.read_bytes()).items():
            _move_in(_staged(profile, known[name]), known[name], files)
    except OSError as error:
        raise LabError(write_fault(Path(error.filename or journal), 0, error)) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LabError(f"{journal} is damaged ({error}): delete it, and make the report again") from None
    journal.unlink()


def _move_in(staged: Path, target: Target, files: list[str]) -> None:
    """Rename ``files`` that are still ``staged`` into ``target``, and remove what a whole one has besides."""
    folder = _real(target)
    for name in filter(lambda name: (staged / name).exists(), files):
        place = folder / name
        for above in reversed([above for above in place.parents if folder in above.parents]):
            _make_room(above, for_folder=True)
            above.mkdir(exist_ok=True)
        _make_room(place)
        (staged / name).replace(place)
        sync_folder(place.parent)
    shutil.rmtree(staged, ignore_errors=True)
    kept = {path for name in files for path in (folder / name, *(folder / name).parents)}
    for path in sorted(folder.rglob("*"), reverse=True) if target.whole else ():  # what is in a folder comes before it
        if path not in kept and not path.relative_to(folder).parts[0].startswith("."):
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def _make_room(path: Path, for_folder: bool = False) -> None:
    """Remove what stands at ``path`` if it is a folder where a file is to be, or the other way round."""
    if path.is_dir() and not path.is_symlink():
        if not for_folder:
            shutil.rmtree(path)
    elif for_folder and path.exists():
        path.unlink()


def sweep(profile: str, targets: Iterable[Target]) -> None:
    """Remove what publications that never had a journal have left in ``targets``."""
    for target in targets:
        shutil.rmtree(_staged(profile, target), ignore_errors=True)
    for part in paths.BUILD.glob(f".{_journal(profile).name}.*.part"):  # of a journal that was not written to its end
        part.unlink(missing_ok=True)


def _files(folder: Path) -> list[str]:
    """The names of all files below ``folder``, in order."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _name(target: Target) -> str:
    """What the journal calls ``target``: the project may be moved meanwhile."""
    return target.folder.relative_to(paths.ROOT).as_posix()


def _real(target: Target) -> Path:
    """Where the link leads that ``target`` may be."""
    return Path(os.path.realpath(target.folder))


def _staged(profile: str, target: Target) -> Path:
    return _real(target) / f".{profile}.new"


def _journal(profile: str) -> Path:
    return paths.BUILD / f".{profile}.publishing"
