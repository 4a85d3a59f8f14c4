"""Settings of a report: what notebooks declare, what is given, checked before anything is run."""

import ast
import json
from pathlib import Path
from typing import Any

from ..base.errors import LabError
from ..base.machine import pick_device
from ..config import ALIASES, SETTINGS, config_for
from ..gans import reported
from ..latent import check_edits


def training_settings(settings: dict) -> dict:
    """Those of ``settings`` that are fields of TrainConfig, under their own names."""
    return {name: value for name, value in settings.items() if name in SETTINGS or name in ALIASES}


def check_settings(profile: str, device: str, settings: dict, notebooks: list[Path]) -> dict:
    """All notebook parameters for ``settings``, or a LabError before anything is run or written."""
    declared = {name: value for notebook in notebooks for name, value in declared_parameters(notebook).items()}
    free = {name: value for name, value in declared.items() if name not in ("profile", "device", "changes")}
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
    own = {name: value for name, value in settings.items() if name in free}
    changes = {name: value for name, value in settings.items() if name not in free}
    seed = {"seed": own["seed"]} if "seed" in own else {}
    configs = [config_for(model, profile, **seed, **changes) for model in reported()]
    if "dims" in free:
        dims, values = (own.get(name, free[name]) for name in ("dims", "values"))
        check_edits(dims, values, configs[0].latent_dim, len(free["dims"]))
    return {"profile": profile, "device": pick_device(device), "changes": changes, **own}


def declared_parameters(notebook: Path) -> dict[str, Any]:
    """The names that the cell tagged `parameters` assigns, with their values."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        source = next("".join(cell["source"]) for cell in cells if "parameters" in cell["metadata"].get("tags", []))
        return {
            node.targets[0].id: ast.literal_eval(node.value)  # type: ignore[attr-defined]  # no plain name: see below
            for node in ast.parse(source).body
            if isinstance(node, ast.Assign)
        }
    except StopIteration:
        raise LabError(f"{notebook} has no cell tagged 'parameters': tag the one with its settings") from None
    except (OSError, ValueError, KeyError, SyntaxError, AttributeError) as error:
        raise LabError(
            f"{notebook} is not a notebook with plain settings ({error}): mend it, or take the project's own"
        ) from None


def parse_setting(text: str) -> tuple[str, object]:
    """`name=value` of the command line; the value is JSON, or else text."""
    name, sign, value = text.partition("=")
    if not sign:
        raise LabError(f"setting {text!r} has no value: write name=value, for instance epochs=3")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
