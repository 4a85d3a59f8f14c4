"""What is brought to be examined, as it is typed or as it lies in a folder: where it is, and of what kind.

my_gan.py:Generator      a class, a network, or a function, of a Python file; my_gan.py alone: its only generator
generator.pt             TorchScript
generator.onnx           ONNX, through the package onnxruntime
samples/                 a folder of pictures
samples.npz              an array of pictures, .npy too

A folder with a submission.toml, or with one Python file, is a submission as well; one with such folders in it is many.
Nothing that is brought is opened here but this file, a table of plain values.
"""

import dataclasses
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..base.errors import LabError
from ..base.files import FAULTS, fault_of
from .loading import PICTURES

WEIGHTS = (".pt", ".pth", ".ckpt", ".bin", ".safetensors")
ARRAYS = (".npz", ".npy")
SETTINGS, SENTENCES = "submission.toml", "sentences.toml"
KEYS = ("generator", "weights", "arguments", "latent", "sentences")  # of a submission.toml


@dataclass(frozen=True)
class Submission:
    """One thing to examine."""

    name: str  # on its page and in the table
    kind: str  # code, script, onnx, images, array: as `loading` has them; "" if ``fault`` says why there is none
    path: Path = Path()
    object: str = ""  # of a Python file
    weights: Path | None = None
    arguments: dict = field(default_factory=dict)  # of the class
    latent: int = 0  # length of its z; 0: to be found out
    sentences: Path | None = None  # of which each is to be judged
    fault: str = ""

    def what(self) -> dict:
        """For `loading.load`, in another process."""
        weights = str(self.weights) if self.weights else ""
        return {
            "kind": self.kind,
            "path": str(self.path),
            "object": self.object,
            "weights": weights,
            "arguments": self.arguments,
        }


def submissions(specs: list[str], given: Submission) -> list[Submission]:
    """All that ``specs`` name, each with what is ``given`` for all: weights, arguments, latent, sentences.

    One of which nothing can be made has a ``fault`` and takes its place among the others.

    Raises:
        LabError: nothing is named.
    """
    if not specs or not all(specs):
        raise LabError("nothing to examine: give file.py:Class, a file, or a folder")
    found = [one for spec in specs for one in _of_spec(spec, given)]
    seen: dict[str, int] = {}
    named = []
    for one in found:
        seen[one.name] = seen.get(one.name, 0) + 1
        again = seen[one.name] > 1
        named.append(dataclasses.replace(one, name=f"{one.name} ({seen[one.name]})") if again else one)
    return named


def _of_spec(spec: str, given: Submission) -> list[Submission]:
    path = Path(spec).expanduser().absolute()
    if path.is_dir() and not _is_one(path):
        inside = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith((".", "__")))
        if not inside:
            return [_fault(path.name, f"{path} holds no submission: no Python file, no pictures, no folders")]
        return [_of_folder(folder, given) for folder in inside]
    return [_of_folder(path, given) if path.is_dir() else _of_file(spec, given)]


def _files(folder: Path, *endings: str) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in endings and p.is_file() and p.name[0] != ".")


def _is_one(folder: Path) -> bool:
    """Whether something lies in ``folder`` itself that can be examined."""
    return (folder / SETTINGS).is_file() or bool(_files(folder, ".py", ".onnx", *WEIGHTS, *ARRAYS, *PICTURES))


def _of_file(spec: str, given: Submission) -> Submission:
    """A submission as it is typed."""
    path, _, name = spec.rpartition(":") if ".py:" in spec else (spec, "", "")
    found = Path(path).expanduser().absolute()
    kinds = {".py": "code", ".onnx": "onnx", **dict.fromkeys(ARRAYS, "array"), **dict.fromkeys(WEIGHTS[:2], "script")}
    kind = kinds.get(found.suffix.lower())
    if not kind:
        return _fault(found.name, f"{spec}: give file.py:Class, a .pt of TorchScript, a .onnx, an .npz or a folder")
    if not found.is_file():
        return _fault(found.stem, f"{found} is not there")
    if given.weights and not given.weights.is_file():
        return _fault(found.stem, f"{given.weights} is not there")
    if kind == "script" and not _is_script(found):
        return _fault(
            found.stem,
            f"{found.name} is no TorchScript: weights alone draw nothing, name the class that they belong to,"
            f" labkit examine my_gan.py:Generator --weights {found.name}",
        )
    return dataclasses.replace(given, name=found.stem, kind=kind, path=found, object=name)


def _is_script(path: Path) -> bool:
    """Whether the file ``path`` holds TorchScript, by the names of its parts."""
    import zipfile

    try:
        with zipfile.ZipFile(path) as archive:
            return any("/code/" in name for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _of_folder(folder: Path, given: Submission) -> Submission:
    """The submission that lies in ``folder``: by its submission.toml, or by what there is."""
    sentences = folder / SENTENCES
    own = dataclasses.replace(given, sentences=sentences) if sentences.is_file() else given
    try:
        found = _of_settings(folder, own) if (folder / SETTINGS).is_file() else _by_convention(folder, own)
    except LabError as error:
        return _fault(folder.name, str(error))
    return dataclasses.replace(found, name=folder.name)


def _of_settings(folder: Path, given: Submission) -> Submission:
    try:
        table = tomllib.loads((folder / SETTINGS).read_text(encoding="utf-8"))
        if unknown := table.keys() - set(KEYS):
            raise ValueError(f"it has {', '.join(sorted(unknown))}, it may have {', '.join(KEYS)}")
        found: dict[str, Any] = {
            "weights": folder / table["weights"] if "weights" in table else given.weights,
            "arguments": given.arguments | dict(table.get("arguments", {})),
            "latent": int(table.get("latent", given.latent)),
            "sentences": folder / table["sentences"] if "sentences" in table else given.sentences,
        }
        spec = os.path.join(folder, table["generator"]) if "generator" in table else ""
    except FAULTS as error:
        raise LabError(f"{SETTINGS}: {fault_of(error)}") from None
    given = dataclasses.replace(given, **found)
    return _of_file(spec, given) if spec else _by_convention(folder, given)


def _by_convention(folder: Path, given: Submission) -> Submission:
    """What ``folder`` can only mean: one Python file and one of weights, one of another kind, or pictures."""
    codes, weights = _files(folder, ".py"), _files(folder, *WEIGHTS)
    codes = [p for p in codes if p.name != "__init__.py"]
    if len(codes) > 1:
        codes = [p for p in codes if b"nn.Module" in p.read_bytes() and b"def forward" in p.read_bytes()] or codes
    if len(codes) > 1:
        names = ", ".join(p.name for p in codes[:5])
        raise LabError(f'which of {names} is it? Write {SETTINGS} beside them: generator = "my_gan.py:Generator"')
    if codes and len(weights) > 1 and not given.weights:
        names = ", ".join(p.name for p in weights[:5])
        raise LabError(f'which of {names} are the weights? Write {SETTINGS} beside them: weights = "g.pt"')
    if codes:
        found = given if given.weights or not weights else dataclasses.replace(given, weights=weights[0])
        return _of_file(str(codes[0]), found)
    others = _files(folder, ".onnx", *ARRAYS) or weights
    if len(others) == 1:
        return _of_file(str(others[0]), given)
    if not others and _files(folder, *PICTURES):
        return dataclasses.replace(given, kind="images", path=folder)
    raise LabError(
        "the folder holds nothing to examine: no Python file, no .onnx, no .npz, no pictures"
        if not others
        else f"which of {', '.join(p.name for p in others[:5])} is it? Write {SETTINGS} beside them"
    )


def _fault(name: str, text: str) -> Submission:
    return Submission(name, "", fault=text)
