"""The pages and the table of what was examined; a page is one file, and asks the network for nothing."""

import base64
import csv
import io
import re
import struct
from pathlib import Path

import jinja2

from ..analysis.effects import NAMES
from ..evaluation import monitor
from ..figures import catalogue, charts, sheets
from ..latent import LAB_VALUES
from .measure import Examination
from .sentences import HOLDS, UNTESTED

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
FOOTER = (
    "Made by labkit examine, which ran the code that it was told to run in a process of its own, with a limit on its"
    " time and memory, and nothing else. The scores are those of the report's own networks, measured alike."
)
SHOWN = {  # scores of the table: what they are called, and how many digits
    "frechet": ("Fr\u00e9chet distance", "{:.2f}"),
    "precision": ("precision", "{:.2f}"),
    "recall": ("recall", "{:.2f}"),
    "coverage": ("coverage", "{:.2f}"),
    "dropped_classes": ("classes missing", "{:.0f}"),
    "crowding": ("spread", "{:.2f}"),
    "neighbour_ratio": ("neighbour ratio", "{:.2f}"),
    "copies": ("copies", "{:.1%}"),
}
INDEXED = (0, 1, 2, 5, 7)  # those that stand in the index, too
COLUMNS = ("name", "status", "seconds", "kind", "z", "parameters", *monitor.RECORDED)
ENDS = ("distinct", "depends_on_batch", "sentences_hold", "sentences_tested", "faults", "page")


def _template(name: str) -> jinja2.Template:
    folder = Path(__file__).parent / "templates"
    texts = {one: (folder / f"{one}.html.j2").read_text(encoding="utf-8") for one in ("page", "submission", "index")}
    return jinja2.Environment(autoescape=True, loader=jinja2.DictLoader(texts)).get_template(name)


def file_names(names: list[str]) -> list[str]:
    """A name for the page of each submission that every file system takes; no two are the same."""
    found: list[str] = []
    for name in names:
        stem = re.sub(r"[^\w.-]+", "_", name).strip("._")[:80] or "submission"
        stem = f"{stem}_" if stem.lower() == "index" else stem
        taken = {one.lower() for one in found}
        ends = ["", *(f"-{number}" for number in range(2, len(names) + 2))]
        found.append(next(f"{stem}{end}.html" for end in ends if f"{stem}{end}.html".lower() not in taken))
    return found


def page(found: Examination, back: bool = False) -> str:
    """The page of one submission as HTML; ``back``: there is an index beside it."""
    one, about = found.submission, found.about
    what = {"code": f"{one.path.name}, {one.object or 'its generator'}", "images": "a folder of pictures"}
    words = [what.get(one.kind, one.path.name) or "nothing that can be opened"]
    words += [f"with {one.weights.name}"] if one.weights else []
    words += [f"{about['parameters']:,} parameters"] if about.get("parameters") else []
    parts = [part for make in (_samples, _batch, _scores, _memory, _grid, _effects) if (part := make(found))]
    return _template("submission").render(
        policy=POLICY,
        footer=f"{FOOTER} This took {found.seconds:.0f} seconds.",
        title=one.name,
        what=", ".join(words),
        back=back,
        fault=_sentence(found.fault) if found.fault else "",
        images=found.images is not None,
        faults=[_sentence(text) for text in found.faults],
        notes=[_sentence(text) for text in found.probed.notes] if found.probed else [],
        sentences=found.judged,
        bases=found.bases if found.effects else 0,
        parts=parts,
        own=one.name,
    )


def _figure(drawn, caption: str, wide: bool = False) -> dict:
    png = catalogue.encode(drawn)["png"]
    width, height = struct.unpack(">II", png[16:24])
    shown = round(drawn.get_figwidth() * catalogue.PIXELS)
    size = {"width": shown, "height": round(height * shown / width)}
    return {"data": base64.b64encode(png).decode(), "caption": caption, "wide": wide, **size}


def _part(title: str, *texts: str, figures=(), columns=(), rows=()) -> dict:
    return {"title": title, "texts": texts, "figures": figures, "columns": columns, "rows": rows}


def _samples(found: Examination) -> dict | None:
    if found.images is None:
        return None
    n = len(found.images)
    text = f"The first {min(n, 64)} of {n:,} pictures, none picked; {found.distinct:,} of them differ in some pixel."
    return _part("Pictures", text, figures=[_figure(sheets.album(found.images[:64]), "As they come.")])


def _batch(found: Examination) -> dict | None:
    if not found.probed or not found.probed.before:
        return None
    text = (
        "Eight vectors are drawn, then the first of them is edited and all are drawn again. A picture is a function of"
        " its own vector: only the first may move. Where others move, BatchNorm takes its statistics from the batch, as"
        " it does in train mode, and a grid of edits shows the edit and its side effects mixed."
    )
    drawn = sheets.train_mode(found.probed.before, found.probed.after)
    return _part("One vector, one picture?", text, figures=[_figure(drawn, "Orange is brighter, violet darker.", True)])


def _sentence(text: str) -> str:
    """``text`` with a capital at its beginning and a full stop at its end."""
    first = text[:1].upper() if "." not in text.partition(" ")[0] else text[:1]  # the name of a file stays
    return first + text[1:] + ("" if text[-1:] in ".?!" else ".")


def _cells(scores: dict[str, float]) -> list[str]:
    return [form.format(scores[name]) for name, (_, form) in SHOWN.items()]


def _scores(found: Examination) -> dict | None:
    if not found.scores:
        return None
    rows = [(found.submission.name, _cells(found.scores)), *((name, _cells(row)) for name, row in found.beside.items())]
    texts = (
        f"Of {found.scores['images']:,} pictures each, against as many test images, in the features of the lab's"
        " classifier. Real pictures are the best that can be had, noise the worst.",
        "Fr\u00e9chet distance: how far the pictures are from real ones as a whole, 0 is best. Precision: the share of"
        " them that looks real. Recall and coverage: the share of real ones that they reach. Spread: how far they are"
        " from one another, over that of real ones; near 0 is a collapse.",
    )
    return _part("Scores", *texts, columns=[name for name, _ in SHOWN.values()], rows=rows)


def _memory(found: Examination) -> dict | None:
    if not found.nearest:
        return None
    text = (
        f"{found.scores['copies']:.1%} of the pictures are copies: less than a third as far from a training image as"
        f" from any test image (of real pictures {found.beside['real pictures']['copies']:.1%}). All together are"
        f" {found.scores['neighbour_ratio']:.2f} times as far from training images as from test images, where real"
        " pictures are at 1. Here are the eight that come nearest to copies; if the row below is the same, they are."
    )
    labels = {"drawn": "brought", "train": "nearest\ntraining\nimage", "test": "nearest\ntest\nimage"}
    drawn = sheets.samples({labels[name]: images for name, images in found.nearest.items()})
    return _part("Memorised?", text, figures=[_figure(drawn, "The training set was searched whole, and the test set.")])


def _grid(found: Examination) -> dict | None:
    if not found.grid:
        return None
    base, edited, dims = found.grid
    text = "The same eight vectors in every row; one dimension is set to \u22123, 0 or 3 in all of them."
    drawn = sheets.perturbation(base, edited, dims, list(LAB_VALUES))
    caption = "Left the pictures, right what an edit changes: orange is brighter, violet darker."
    title = f"Dimensions {', '.join(map(str, dims))}" if len(dims) > 1 else f"Dimension {dims[0]}"
    return _part(title, text, figures=[_figure(drawn, caption, True)])


def _effects(found: Examination) -> dict | None:
    table = found.effects
    if not table or not found.grid:
        return None
    dims = found.grid[2]
    name, special = found.submission.name, int(table.special.sum())
    text = (
        f"Every dimension of z is edited in the same {found.bases} vectors, from \u22123 to 3, and so are"
        f" {len(table.null)} random directions. z looks the same from all sides, so an effect says something about a"
        f" dimension only if it is larger than theirs: {special:,} of {table.special.numel():,} are, at a false"
        " discovery rate of 5 %."
    )
    drawn = charts.effects({name: (table.score, table.special)}, list(NAMES), dims)
    caption = "Effects in deviations of random directions' effects; a dot: more than they do."
    at = NAMES.index("image change")
    order = charts.ranking({name: (table.mean[:, at], table.low[:, at], table.high[:, at], table.null[:, at])}, dims)
    figures = [
        _figure(drawn, caption, True),
        _figure(order, "How far each dimension moves the picture, in order.", True),
    ]
    return _part("All dimensions", text, *(table.caption(dim) for dim in dims), figures=figures)


def index(examined: list[Examination], files: list[str]) -> str:
    """The page of all submissions as HTML, with links to their own ones."""
    beside = next((found.beside for found in examined if found.beside), {})
    rows = []
    for found, file in zip(examined, files, strict=True):
        cells = [_cells(found.scores)[at] for at in INDEXED] if found.scores else [""] * len(INDEXED)
        status = "examined" if not found.fault else "not to the end" if found.scores else "not examined"
        text = " ".join(map(_sentence, [*([found.fault] if found.fault else []), *found.faults]))
        rows.append(
            {"name": found.submission.name, "page": file, "status": status, "cells": cells, "text": text, "own": False}
        )
    for name, row in beside.items():
        cells = [_cells(row)[at] for at in INDEXED]
        rows.append({"name": name, "status": "", "cells": cells, "text": "", "own": True})
    columns = [list(SHOWN.values())[at][0] for at in INDEXED]
    whole, faulty = sum(not found.fault for found in examined), sum(bool(found.faults) for found in examined)
    text = f"{len(examined)} submissions: {whole} were examined to the end, and faults were found in {faulty}."
    return _template("index").render(
        policy=POLICY, footer=FOOTER, title="Examined", rows=rows, columns=columns, text=text
    )


def table(examined: list[Examination], files: list[str]) -> str:
    """A row for each submission, as CSV: text that a spreadsheet would take for a formula is quoted."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *ENDS])
    for found, file in zip(examined, files, strict=True):
        one, g = found.submission, found.probed.g if found.probed else None
        tested = [sentence for sentence in found.judged if sentence.verdict != UNTESTED]
        row: list = [one.name, found.fault or "examined", f"{found.seconds:.1f}", one.kind, g.latent_dim if g else ""]
        row += [found.about.get("parameters") or "", *(_number(found.scores.get(name)) for name in monitor.RECORDED)]
        holds = sum(sentence.verdict == HOLDS for sentence in tested)
        batch = ("yes" if found.batch else "no") if g else ""
        row += [found.distinct or "", batch, holds, len(tested), "; ".join(found.faults), file]
        writer.writerow([_safe(cell) for cell in row])
    return out.getvalue()


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _safe(cell: object) -> object:
    formula = isinstance(cell, str) and re.match(r"[=+@\t\r-]", cell) and not re.fullmatch(r"-?\d[\d.e+-]*", cell)
    return f"'{cell}" if formula else cell
