"""Settings of a report: what notebooks declare, what is given, checked before anything is run."""

import ast
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ..base.errors import LabError
from ..base.machine import pick_device
from ..config import ALIASES, SETTINGS, config_for
from ..gans import reported
from ..latent import check_edits, dims_of
from ..study import records
from ..training.runs import choose_profile

# What the chapters share, as it comes with the project: a chapter in which it was changed has it changed for the whole
# report, which is made of one training.
SHARED: dict[str, Any] = {"profile": "auto", "device": "auto", "seed": 0, "latent_seed": 0, "changes": {}}
NAME = r"[A-Za-z_]\w*\s*=(?!=)"
# name=value, or name = value: the value ends where the next name begins, but not within quotes.
SETTING = re.compile(rf"""({NAME})((?:"(?:\\.|[^"\\])*"|'[^']*'|(?![\s,;]+{NAME}).)*)""", re.S)
QUOTED = re.compile(rf"""(["'])({NAME}.*?)\1(?=\s|$)""", re.S)  # a setting in quotes, as a shell would want it


def check_settings(profile: str, device: str, settings: dict, notebooks: Sequence[Path]) -> dict:
    """All parameters of ``notebooks`` for what was typed, or a LabError before anything is run or written.

    What was typed, ``profile`` and ``device`` other than auto and ``settings``, comes first, then what a notebook has
    in its settings cell. Dimensions that neither names are those that the run has.
    """
    declared = {notebook: declared_parameters(notebook) for notebook in notebooks}
    own = {name: value for of in declared.values() for name, value in of.items() if name not in SHARED}
    shared = {name: value for name, value in SHARED.items() if any(name in of for of in declared.values())}
    free = {name: value for name, value in (shared | own).items() if name not in ("profile", "device", "changes")}
    _check_names_and_types(settings, free)
    saved = {name: _saved(name, declared) for name in SHARED}
    changes = _renamed(saved["changes"]) | _renamed({k: v for k, v in settings.items() if k not in free})
    seed = settings.get("seed", saved["seed"])
    device = pick_device(saved["device"] if device == "auto" else device)
    profile = choose_profile(saved["profile"] if profile == "auto" else profile, device, seed=seed, **changes)
    configs = [config_for(model, profile, seed=seed, **changes) for model in reported()]
    found = {"profile": profile, "device": device, "changes": changes, "seed": seed}
    found |= {name: saved[name] for name in shared if name not in found}
    found |= {name: value for name, value in settings.items() if name in free}
    if "dims" in free:
        dims, values = found.get("dims", free["dims"]), found.get("values", free["values"])
        found["dims"] = dims if "dims" in settings else dims_of(dims, configs[0].latent_dim)
        check_edits(found["dims"], values, configs[0].latent_dim, drawn=True)
    if "dim" in free:
        studied = next(iter(records.load("seeds").values()))[0].config.latent_dim
        if type(dim := found.get("dim", free["dim"])) is not int or not 0 <= dim < studied:
            raise LabError(f"dim = {dim!r} is not a dimension of z: they are numbered 0 to {studied - 1}")
    return found


def _check_names_and_types(settings: dict, free: dict) -> None:
    """Refuse a setting that there is not, and one of ``free`` of another type than the notebooks have."""
    known = [*free, *(name for name in SETTINGS if name not in free), *ALIASES]
    for name, value in settings.items():
        if name not in known:
            raise LabError(
                f"{name} = {value!r}: there is no such setting (profile and device are options);"
                f" the settings are {', '.join(known)}"
            )
        if name in free and type(value) is not type(free[name]):
            raise LabError(
                f"{name} = {value!r} has the wrong type:"
                f" it takes {type(free[name]).__name__}, for instance {free[name]!r}"
            )


def _saved(name: str, declared: dict[Path, dict[str, Any]]) -> Any:
    """The value of `SHARED` that the settings cells have for ``name``: of those that were changed there is one."""
    changed = {path: of[name] for path, of in declared.items() if name in of and of[name] != SHARED[name]}
    for path, value in changed.items():
        first = next(iter(changed))
        if value != changed[first]:
            raise LabError(
                f"{first.name} has {name} = {changed[first]!r} and {path.name} {value!r}: a report is of one training,"
                " save the same in both, or leave it to one of them"
            )
        if type(value) is not type(SHARED[name]):
            raise LabError(f"{path.name} has {name} = {value!r}: it takes {type(SHARED[name]).__name__}")
        print(f"{path.name} has {name} = {value!r}: it holds for the whole report, where nothing else is given")
    return next(iter(changed.values()), SHARED[name])


def _renamed(changes: dict) -> dict:
    """``changes`` by the names of the fields, where they have others too.

    Raises:
        LabError: one field is named twice.
    """
    for alias, name in ALIASES.items():
        if alias in changes and name in changes:
            raise LabError(
                f"{alias} = {changes[alias]!r} and {name} = {changes[name]!r} are one setting: give one of them"
            )
    return {ALIASES.get(name, name): value for name, value in changes.items()}


def read_notebook(path: Path):
    """The notebook in the file ``path``, as nbformat has it.

    Raises:
        LabError: there is none, or it is damaged.
    """
    import nbformat

    try:
        notebook = nbformat.read(path, 4)
        nbformat.validate(notebook)
        return notebook
    except Exception as error:  # whatever a file can hold that is no notebook
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise LabError(f"{path} is no notebook ({why}): mend it, or take the project's own") from None


def declared_parameters(notebook: Path) -> dict[str, Any]:
    """The names that the cell tagged `parameters` assigns, with their values.

    Raises:
        LabError: it is no notebook, or its settings are no plain values.
    """
    for cell in read_notebook(notebook).cells:
        if "parameters" in cell.metadata.get("tags", []):
            break
    else:
        raise LabError(f"{notebook} has no cell tagged 'parameters': tag the one with its settings")
    try:
        found = {}
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.Assign | ast.AnnAssign):
                target = node.targets[0] if isinstance(node, ast.Assign) else node.target
                found[ast.unparse(target)] = ast.literal_eval(node.value or ast.Constant(None))
        return found
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise LabError(
            f"{notebook}: its settings are no plain values ({error}): mend them, or take the project's own"
        ) from None


def parse_settings(texts: Iterable[str]) -> dict[str, object]:
    """``name=value``, one or several in a text, as the command line has them: values by name.

    A value is JSON, or what Python writes for it, or else text.

    Raises:
        LabError: a word without a value, or one name twice.
    """
    found: dict[str, object] = {}
    text = " ".join(texts).strip()
    while text:
        quoted = QUOTED.match(text)
        match = SETTING.fullmatch(quoted[2]) if quoted else SETTING.match(text)
        if not match:
            raise LabError(f"setting {text!r} has no value: write name=value, for instance epochs=3")
        name, text = match[1].rstrip("= \t\n"), text[(quoted or match).end() :].lstrip(" \t\n,;")
        if name in found:
            raise LabError(f"{name} is given twice: give it once")
        found[name] = _value(match[2].strip())
    return found


def _value(text: str) -> object:
    """What ``text`` says: a number, a list, ..., or the text itself."""
    for read in (json.loads, ast.literal_eval):
        try:
            value = read(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
        if isinstance(value, bool | int | float | str | list | tuple | dict | None):
            return list(value) if isinstance(value, tuple) else value
    return text
