"""The table under the garments, as HTML: a line for each measure, a column for each garment."""

from ..base import whole  # noqa: F401, before torch

# isort: split
from torch import Tensor

from ..texts import say, terms
from ..page.recipe import GARMENTS
from .session import MEASURES

FAR = 2.1  # how far a length of N(0, I) may lie from what is usual: three deviations
Cells = list[tuple[str, bool]]  # of a line: text, and whether it is far from what is usual


def measures(editor, edited: Tensor, beat: int) -> str:
    """The table of ``editor``, whose garments are ``edited``; ``beat`` counts how often it was asked something."""
    typical, norms = (editor.base.shape[1] - 0.5) ** 0.5, editor.z.norm(dim=1).tolist()
    lines: list[tuple[str, Cells]] = [
        (say("editor.measures.noun", noun=editor.nouns["noun"]), [(str(i + 1), False) for i in range(GARMENTS)]),
        (f"\u2016z\u2016 {typical:.2f}\u00b10.7", [(f"{x:.2f}", abs(x - typical) > FAR) for x in norms]),
    ]
    lines += [
        (terms.measure(name), [(f"{x:.0f}", False) for x in measure(edited, signed=True).tolist()])
        for name, measure in MEASURES.items()
    ]
    if editor.classifier:
        chance, seen = editor.classifier.measure(edited, signed=True)[1].max(1)
        named = [(f"{editor.classes[k]} {c:.0%}", False) for k, c in zip(seen, chance, strict=True)]
        lines.append((say("editor.measures.seen_as"), named))
    edited_rows = (editor.z != editor.base).any(1).nonzero().flatten().tolist()
    chosen = editor.rows if len(editor.rows) < GARMENTS else []
    marks = {"touched": editor.touched, "chosen": chosen, "edited": edited_rows}
    rows = "".join(_line(name, cells, marks if i == 0 else {}) for i, (name, cells) in enumerate(lines))
    return f'<div data-beat="{beat}">{rows}</div>'


def _line(name: str, cells: Cells, marks: dict[str, list[int]]) -> str:
    """A line of the table; ``marks`` are classes of the cells of some garments."""
    spans = [f'<span class="name">{name}</span>']
    for row, (text, far) in enumerate(cells):
        shown = say("editor.measures.far", text=text) if far else text
        classes = [mark for mark, rows in marks.items() if row in rows] + ["far"] * far
        spans.append(f'<span class="{" ".join(classes)}">{shown}</span>')
    return "".join(spans)
