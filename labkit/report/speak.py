"""An executed notebook in another language: its prose from the files of texts, its outputs as they were made."""

from pathlib import Path

import nbformat

from .. import texts

SUMMARY = "summary"  # in a cell's metadata: the line that stands for its folded code


def speak(path: Path) -> None:
    """Let the executed notebook ``path`` say its prose in the language that is spoken; what has no partner stays.

    A cell of prose is replaced by its text; one of code gets the line that stands for it where it is folded.
    """
    own = texts.chapter(path.stem, texts.edition())
    if not own:
        return
    notebook = nbformat.read(path, 4)
    for cell in notebook.cells:
        if text := own.get(cell.get("id", "")):
            if cell.cell_type == "markdown":
                cell.source = text
            elif cell.cell_type == "code":
                cell.metadata[SUMMARY] = text
    nbformat.write(notebook, path)
