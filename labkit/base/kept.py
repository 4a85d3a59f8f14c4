"""What vouches for the files of a folder that were measured, or added later: kept.sha256, as `sha256sum` writes it.

A line is added before its file is written, in one piece, and stays: a file is sound if one of the lines of its name is
its digest. So whoever is killed between the two leaves a sound file, and two who write at once lose no line. What a
run or a record was finished with is vouched for by its manifest, run.json or record.json.
"""

import contextlib
import json
import os
from pathlib import Path

from .errors import LabError
from .files import FAULTS, fault_of, sha256, write_atomic, write_fault

LIST = "kept.sha256"
MANIFESTS = ("run.json", "record.json")
SHOWN = ("scores.json", "alarm.json", "album.safetensors")  # of a training; other names vouch for their content
REMEDY = "get it back from git, or delete it to have it measured anew"
NAMED = ("atlas-*", "directions-*", "inversion-*", "only-*", "scores-*")  # kept measurements, see `cache`


def write(path: Path, content: bytes) -> Path:
    """`write_atomic`, and vouch for it in the list of its folder.

    Raises:
        LabError: the disk takes no more; the file before is as it was, and vouched for.
    """
    folder = path.parent
    if sha256(content) not in _listed(folder).get(path.name, ()):
        old = [] if (folder / LIST).exists() else [other for other in shown(folder) if other.is_file()]
        digests = [(sha256(other.read_bytes()), other.name) for other in old]  # of a labkit that kept no list
        text = "".join(f"{digest}  {name}\n" for digest, name in [*digests, (sha256(content), path.name)])
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / LIST).open("ab", buffering=0) as f:
                f.write(b"\n" * _cut(folder / LIST) + text.encode())
                os.fsync(f.fileno())
        except OSError as error:
            raise LabError(write_fault(folder / LIST, len(text), error)) from error
    return write_atomic(path, content)


def _cut(path: Path) -> bool:
    """Whether the last line of ``path`` has no end, as after a full disk."""
    content = path.read_bytes()
    return bool(content) and not content.endswith(b"\n")


def shown(folder: Path) -> list[Path]:
    """The files in ``folder`` that a list should vouch for."""
    return [path for pattern in (*SHOWN, *NAMED) for path in sorted(folder.glob(pattern))]


def _listed(folder: Path) -> dict[str, set[str]]:
    """The digests in the list of ``folder``, by name; none if there is no list."""
    found: dict[str, set[str]] = {}
    with contextlib.suppress(OSError):
        for line in (folder / LIST).read_bytes().decode(errors="replace").split("\n")[:-1]:  # a cut one says nothing
            digest, _, name = line.partition("  ")
            if name:
                found.setdefault(name, set()).add(digest)
    return found


def compact(folder: Path) -> None:
    """Leave in the list of ``folder`` what vouches for files that are there; while nobody else writes to it."""
    if (folder / LIST).exists():
        known = _listed(folder)
        lines = []
        for path in shown(folder):
            with contextlib.suppress(OSError):
                digest = sha256(path.read_bytes())
                kept = [digest] if digest in known.get(path.name, ()) else sorted(known.get(path.name, ()))
                lines += [f"{one}  {path.name}\n" for one in kept]
        write_atomic(folder / LIST, "".join(lines).encode())


def vouched(folder: Path) -> dict[str, set[str]]:
    """The digests that vouch for each file in ``folder``, by name: of the list, and of a manifest if it can be read."""
    found = _listed(folder)
    for manifest in MANIFESTS:
        with contextlib.suppress(*FAULTS):
            for name, digest in json.loads((folder / manifest).read_bytes())["files"].items():
                found.setdefault(name, set()).add(digest)
    return found


def read(path: Path) -> bytes:
    """The content of ``path``, vouched for. Where nothing vouches for anything, as in older runs, it is as it is.

    Raises:
        FileNotFoundError: it is not there, and was never.
        LabError: it was there and is not, cannot be read, or is not what it was.
    """
    folder, known = path.parent, vouched(path.parent)
    digests = known.get(path.name)
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        if not digests:
            raise FileNotFoundError(path) from None
        raise LabError(f"{path} is missing: get it back from git, or delete its line in {LIST}") from None
    except FAULTS as error:
        raise LabError(f"{path} is {fault_of(error)}: {REMEDY}") from None
    if digests is None and (folder / LIST).exists():
        raise LabError(f"{path} is named by nothing that vouches for it, such as {LIST} beside it: {REMEDY}")
    if digests is not None and sha256(content) not in digests:
        raise LabError(f"{path} is damaged (its sha256 is not that of {LIST} or of its manifest): {REMEDY}")
    return content


def damages(folder: Path) -> list[str]:
    """A line for everything in ``folder`` that is not as it was kept, but for the manifests themselves."""
    if os.path.lexists(folder / LIST) and not (folder / LIST).is_file():
        return [f"{folder / LIST} is no file: {REMEDY}"]
    lines = []
    for name in sorted({*vouched(folder), *(path.name for path in shown(folder))}):
        try:
            read(folder / name)
        except LabError as error:
            anew = name.rpartition("-")[0]  # of a measurement; made on another machine, it has another digest
            if os.path.lexists(folder / name) or not (anew and list(folder.glob(f"{anew}-*.safetensors"))):
                lines.append(str(error))
        except FileNotFoundError:
            pass  # removed meanwhile, and never vouched for
    return lines
