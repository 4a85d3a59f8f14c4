"""The notebooks in another language than English, for JupyterLab: the same code between other prose.

They are written to notebooks/<language>/, one for each notebook; a reader may change them like any other.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

from ..base import paths
from ..base.files import write_atomic
from ..texts import chapter

UP = re.compile(r"(\]\(|(?:href|src)=\")\.\./")  # a link out of the folder of notebooks


def write_copies(language: str, notebooks: Path = paths.ROOT / "notebooks") -> Path:
    """The folder with a copy of each of ``notebooks`` in ``language``; what a reader has changed there stays."""
    folder = notebooks / language
    folder.mkdir(exist_ok=True)
    for path in sorted(notebooks.glob("*.ipynb")):
        wanted, own = copy_of(path, language), folder / path.name
        there = _read(own)
        if there is not None and digest(there) == digest(wanted):
            continue
        if there is None or digest(there) == there["metadata"].get("labkit_copy"):
            write_atomic(own, (json.dumps(wanted, ensure_ascii=False, indent=1) + "\n").encode())
        else:
            print(f"labkit: {own} was changed here and is kept; without it, it is written anew", file=sys.stderr)
    return folder


def copy_of(path: Path, language: str) -> dict:
    """The notebook ``path`` with its prose in ``language``, as it stands one folder further down."""
    notebook, prose = json.loads(path.read_text(encoding="utf-8")), chapter(path.stem, language)
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = UP.sub(r"\1../../", prose.get(cell["id"]) or "".join(cell["source"]))
            cell["source"] = text.splitlines(keepends=True)
    notebook["metadata"]["labkit_copy"] = digest(notebook)
    return notebook


def digest(notebook: dict) -> str:
    """SHA-256 of what a reader could have changed in ``notebook``: its cells, and what they have put out."""
    cells = [
        [cell.get("id"), cell["cell_type"], "".join(cell["source"]), cell.get("outputs", [])]
        for cell in notebook["cells"]
    ]
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()


def _read(path: Path) -> dict | None:
    """The notebook in ``path``; None if there is none. What is no notebook is the reader's own, whatever it is."""
    if not path.exists():
        return None
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        digest(notebook), notebook["metadata"].get("labkit_copy")
        return notebook
    except (ValueError, KeyError, TypeError, AttributeError):
        return {"cells": [], "metadata": {}}
