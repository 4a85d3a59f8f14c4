"""What a teacher checks of a hand-in: that it is as it was made, and what is in it. Nothing of it is run or unpacked.

Digests show that nothing was changed since the zip was made, and the answers, pictures and settings of the page are
held against those of the notebooks. Whoever makes all files anew, digests too, with results of another's is not found
by this: then the same settings, run again, tell.
"""

import ast
import base64
import csv
import html
import io
import json
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from ..base import doors, paths
from ..base.errors import LabError
from ..base.files import FAULTS, fault_of, seal, sha256, write_atomic
from ..texts import EDITIONS, chapter
from ..training.runs import FILES as FILES_OF_RUN
from . import answers, images, predictions, render
from .handin import CLAIMS, FORMAT, KIND, MANIFEST, PAGE, VERDICTS, injected, line

ZIP, FILE, TOTAL = 256 << 20, 64 << 20, 512 << 20  # bytes of a zip, of a file in it, and of all files, at most
JSON = 32 << 20  # bytes of a file of JSON, which is ten times as large in memory, at most
FILES, DIRECTORY = 1000, 1 << 20  # files, and bytes of the list of them, at most
PIXELS = 100_000_000  # of a picture, at most
POLICY = f"{render.POLICY}; font-src data:"  # of a page that runs and fetches nothing
SHIPPED, OWN = "those that ship with the project", "the student's own"
NAME = re.compile(r"(?:(?!\.)[\w.-]{1,100}/)?(?!\.)[\w.-]{1,100}")  # of a file, in a folder at most, and no way out
ACTIVE = re.compile(r"<(?:script|iframe|object|embed|base|form)\b|\son\w+\s*=\s*[\"']", re.I)  # in no such page
SHOWN = re.compile(r'<img\b[^<>]*?\ssrc="data:image/\w+;base64,([^"<>]+)"')  # a picture in a page or an output
READING = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, SyntaxError, *FAULTS)


@dataclass
class Found:
    """What was found in one hand-in."""

    path: Path
    findings: list[str] = field(default_factory=list)  # what is wrong with it, a line each
    manifest: dict = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    answered: int = 0
    questions: int = 0
    verdicts: list[dict] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)  # cells of code or prose that are not the project's own, and how

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.findings

    def said(self, name: str) -> str:
        """What the manifest says under ``name``, in a line; for files of strangers."""
        return line(self.manifest.get(name) or "")

    @property
    def networks(self) -> str:
        """Whose the networks are."""
        digests = {str(run["generator_sha256"]) for run in self.manifest["runs"].values()}
        return SHIPPED if digests <= shipped() else OWN if not digests & shipped() else f"in part {OWN}"

    @property
    def summary(self) -> str:
        """What it is, in a line."""
        digests = {line(model): line(run["generator_sha256"])[:8] for model, run in self.manifest["runs"].items()}
        runs = ", ".join(f"{model} {digest}" for model, digest in digests.items())
        who = [f"«{self.said('name')}»", *map(self.said, ("student", "group", "course", "date"))]
        commit = self.said("commit") or "unknown"
        judged = [one for one in self.verdicts if one["generator_sha256"]]  # by these networks, not by others
        early = sum(one["when"] == predictions.BEFORE for one in judged)
        parts = [
            f"labkit {self.said('labkit')}, commit {commit}",
            f"profile {line(self.manifest['settings'].get('profile', ''))}",
            f"networks are {self.networks} ({runs})",
            f"{self.answered} of {self.questions} questions answered, as in the report",
            f"predictions: {len(judged)}, sealed before the run: {early}" if judged else "no predictions",
            f"cells changed: {len(self.changed)}" if self.changed else "code and prose are the project's own",
        ]
        return f"{', '.join(filter(None, who))}: {'; '.join(parts)}"


def verify(path: str | Path) -> Found:
    """All that can be said about the hand-in ``path``; what is wrong with it stands in the result."""
    path = doors.path("path", path)
    found = Found(path)
    try:
        found.files = _contents(path, found.findings)
        manifest = _json(found.files[MANIFEST])
        _check_manifest(manifest, found.findings)
        found.manifest = manifest
    except READING as error:
        missing = isinstance(error, KeyError) and MANIFEST in str(error)
        why = f"no {MANIFEST} is in it" if missing else line(fault_of(error), 200)
        found.findings.append(f"no hand-in of labkit: {why}")
        return found
    for check in (_check_files, _check_page, _check_notebooks, _check_predictions, _check_pictures):
        try:
            check(found)
        except (LabError, *READING) as error:
            about = check.__name__.removeprefix("_check_")
            found.findings.append(f"its {about} cannot be read: {line(fault_of(error), 200)}")
    return found


# ----- the zip


def _contents(path: Path, findings: list[str]) -> dict[str, bytes]:
    """The content of every file in the zip ``path``, by name, as far as it can be read within the bounds.

    Raises:
        One of `READING`: it is no zip, or one too large.
    """
    if not path.is_file():
        raise ValueError("there is no such file")
    if path.stat().st_size > ZIP:
        raise ValueError(f"larger than {ZIP >> 20} MB")
    _check_end(path)
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(path) as opened:
        entries = opened.infolist()
        if len(entries) > FILES:
            raise ValueError(f"{len(entries)} files, more than {FILES}")
        for name, n in Counter(entry.filename.lower() for entry in entries).items():
            if n > 1:
                findings.append(f"{line(name)} is in it {n} times")
        for entry in entries:
            shown = line(entry.filename)
            if not NAME.fullmatch(entry.filename):
                findings.append(f"{shown} is no plain name: it could be unpacked elsewhere")
            elif (entry.external_attr >> 16) & 0o170000 not in (0, 0o100000):
                findings.append(f"{shown} is no plain file")
            else:
                _read(opened, entry, found, findings)
    return found


def _check_end(path: Path) -> None:
    """Refuse a zip whose list of files is too long to be read, before it is read; or that goes on after its end."""
    with path.open("rb") as f:
        f.seek(max(0, path.stat().st_size - 42))
        tail = f.read()
    end = tail[-22:]
    if len(end) < 22 or end[:4] != b"PK\5\6" or end[20:] != b"\0\0":
        raise ValueError("it is no zip, or was cut, or something was added to its end")
    if tail[:4] == b"PK\6\7" or int.from_bytes(end[12:16], "little") > DIRECTORY:
        raise ValueError("its list of files is too long")


def _read(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, found: dict[str, bytes], findings: list[str]) -> None:
    name, shown = entry.filename, line(entry.filename)
    left = min(FILE, TOTAL - sum(map(len, found.values())))
    if entry.file_size > left:
        findings.append(f"{shown} is too large: {entry.file_size:,} bytes")
        return
    try:
        with opened.open(entry) as f:
            content = f.read(left + 1)
        if len(content) > left:
            raise ValueError("it is longer than it says")
        found[name] = content
    except READING as error:
        findings.append(f"{shown} is damaged: {line(fault_of(error), 200)}")


# ----- what is in it


def _json(content: bytes) -> Any:
    if len(content) > JSON:
        raise ValueError(f"larger than {JSON >> 20} MB")
    return json.loads(content)


def _check_manifest(m: dict, findings: list[str]) -> None:
    """Raise one of `READING` if ``m`` is no manifest; a finding, if it was changed."""
    if m["kind"] != KIND or m["format"] != FORMAT:
        raise ValueError(f"{MANIFEST} is of another kind or format")
    digests = [run["generator_sha256"] for run in m["runs"].values()] + [one["sha256"] for one in m["files"].values()]
    if not m["runs"] or not all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests):
        raise ValueError(f"{MANIFEST} lacks digests")
    if not all(type(part) is dict for part in (m["settings"], m["answers"], *m["answers"].values())):
        raise ValueError(f"{MANIFEST} is of another form")
    if m["sha256"] != seal(m):
        findings.append(f"{MANIFEST} was changed: its own sha256 differs")


def _check_files(found: Found) -> None:
    wanted = found.manifest["files"]
    for name, content in found.files.items():
        if name not in wanted and name != MANIFEST:
            found.findings.append(f"{line(name)} is in no list: it was added")
        elif name in wanted and (sha256(content), len(content)) != (wanted[name]["sha256"], wanted[name]["bytes"]):
            found.findings.append(f"{line(name)} was changed: its sha256 is not that of {MANIFEST}")
    told = " ".join(found.findings)
    for name in [*wanted, *(name for name in (PAGE, CLAIMS, VERDICTS) if name not in wanted)]:
        if name not in found.files and line(name) not in told:
            found.findings.append(f"{line(name)} is missing")


def _page(found: Found) -> str:
    return found.files.get(PAGE, b"").decode(errors="replace")


def _check_page(found: Found) -> None:
    """The page runs and fetches nothing, and is about who and what the manifest names."""
    page = _page(found)
    policies = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    if policies[:1] != [POLICY] or ACTIVE.search(_bare(page)):
        found.findings.append(f"{PAGE} could run or fetch something: a hand-in's page does not")
    shown = html.unescape(page)
    for name in ("name", "student", "course", "group"):
        if str(found.manifest.get(name) or "") not in shown:
            found.findings.append(f"{PAGE} names another {name} than {MANIFEST}")
    for model, run in found.manifest["runs"].items():
        if run["generator_sha256"][:12] not in page:
            found.findings.append(f"{PAGE} does not name the {line(model)} of {MANIFEST}")


def _bare(page: str) -> str:
    """The tags of ``page`` alone, without long texts in their attributes."""
    return " ".join(re.sub(r'"[^"]{200,}"', '""', tag) for tag in re.findall(r"<[^<>]*>", page))


def _notebooks(found: Found) -> dict[str, list[dict]]:
    """The cells of every notebook, by its file's name."""
    return {
        PurePosixPath(name).name: [cell for cell in _json(content)["cells"] if isinstance(cell["metadata"], dict)]
        for name, content in sorted(found.files.items())
        if name.startswith("notebooks/")
    }


def _check_notebooks(found: Found) -> None:
    """The answers of the page are those of the notebooks and of the manifest; what differs from the project's own."""
    shown, notebooks = answers.in_page(_page(found)), _notebooks(found)
    written: dict[str, str] = {}
    for name, cells in notebooks.items():
        given = answers.of(cells)
        found.questions += len(given)
        given = {what: text for what, text in given.items() if text}
        written |= given
        if {what: sha256(text.encode()) for what, text in given.items()} != found.manifest["answers"].get(name, {}):
            found.findings.append(f"the answers in {line(name)} are not those of {MANIFEST}")
        for cell in filter(injected, cells):
            _check_settings(found, name, cell)
        found.changed += differences(name, cells, str(found.manifest.get("edition")))
    found.answered = len(written)
    for what in sorted(written.keys() | shown.keys()):
        if shown.get(what) != (answers.plain(what, written[what]) if what in written else None):
            found.findings.append(f"the answer {line(what)} in {PAGE} is not that of the notebook")


def _check_settings(found: Found, name: str, cell: dict) -> None:
    for node in ast.parse(_source(cell)).body:
        if isinstance(node, ast.Assign):
            key, value = ast.unparse(node.targets[0]), ast.literal_eval(node.value)
            if key != "device" and found.manifest["settings"].get(key) != value:
                found.findings.append(f"{line(name)} was run with another {line(key)} than {MANIFEST} says")


def _source(cell: Mapping) -> str:
    return cell["source"] if isinstance(cell["source"], str) else "".join(cell["source"])


def differences(name: str, cells: list[dict], language: str) -> list[str]:
    """In what the ``cells`` of a notebook differ from the project's own of that ``name``, a line for each."""
    path = paths.ROOT / "notebooks" / name
    stem = path.stem
    if not re.fullmatch(r"[\w-]+\.ipynb", name) or not path.is_file():
        return [f"{line(stem)}: the project has no such notebook"]
    own = {cell["id"]: cell for cell in json.loads(path.read_bytes())["cells"]}
    spoken = chapter(stem, language) if language in EDITIONS else {}
    lines, seen = [], set()
    for cell in cells:
        if injected(cell) or answers.is_answer(cell):
            seen.add(cell.get("id"))
            continue
        kind, id = ("code" if cell["cell_type"] == "code" else "prose"), str(cell.get("id"))
        seen.add(id)
        if id not in own:
            lines.append(f"{stem}, {line(id)}: {kind} that was added")
        elif cell["cell_type"] != own[id]["cell_type"] or _source(cell).strip() not in (
            _source(own[id]).strip(),
            *([spoken[id]] if kind == "prose" and id in spoken else []),
        ):
            what = "settings" if "parameters" in own[id]["metadata"].get("tags", []) else kind
            lines.append(f"{stem}, {line(id)}: {what} changed")
    gone = [id for id, cell in own.items() if id not in seen and not answers.is_answer(cell)]
    return lines + [f"{stem}, {id}: taken out" for id in gone]


def _check_predictions(found: Found) -> None:
    parts = {name.partition("/")[::2]: content for name, content in found.files.items()}
    seals, faults = predictions.chain({name: content for (of, name), content in parts.items() if of == "predictions"})
    found.findings += [line(fault, 300) for fault in faults]
    hashes = {one["sha256"] for one in seals}
    digests = {run["generator_sha256"] for run in found.manifest["runs"].values()}
    verdicts = _json(found.files.get(VERDICTS, b"[]"))
    for one in verdicts:
        if one["seal"] not in hashes or one["generator_sha256"] not in {*digests, ""}:
            found.findings.append(f"{VERDICTS} judges «{line(one['text'])}», which was not sealed, or by another run")
        str.lower(one["when"] + one["verdict"])
    found.verdicts = verdicts


def _check_pictures(found: Found) -> None:
    """Every picture of the page is one of the notebooks, pixel by pixel."""
    seen = {_pixels(text) for text in SHOWN.findall(_page(found))}
    made = set()
    for cells in _notebooks(found).values():
        for output in (output for cell in cells for output in cell.get("outputs", [])):
            for kind, text in dict(output.get("data", {})).items():
                whole = text if isinstance(text, str) else "".join(text) if isinstance(text, list) else ""
                made |= {_pixels(one) for one in SHOWN.findall(whole)}
                made |= {_pixels(whole)} if kind == "image/png" else set()
    if strangers := len(seen - made):
        found.findings.append(f"{strangers} pictures of {PAGE} are in none of the notebooks")


def _pixels(text: str) -> str:
    """A digest of what the picture in base64 ``text`` shows."""
    with Image.open(io.BytesIO(base64.b64decode(text)), formats=("PNG", "WEBP")) as image:
        if image.width * image.height > PIXELS:
            raise ValueError(f"a picture of {image.width} by {image.height} pixels")
        shown = images.as_shown(image).convert("RGBA")
        return sha256(repr(shown.size).encode() + shown.tobytes())


def shipped() -> set[str]:
    """The digests of the generators that ship with the project."""
    found = set()
    for path in (paths.ROOT / "data/runs/full").glob("*/*/run.json"):
        try:
            found.add(json.loads(path.read_bytes())["files"][FILES_OF_RUN[0]])
        except FAULTS:
            continue  # make doctor says so
    return found


# ----- what is said of it


COLUMNS = (
    *("file", "sound", "student", "group", "title", "course", "date", "profile", "networks", "answered", "questions"),
    *("predictions", "sealed before", "held", "changed cells", "findings"),
)


def row(found: Found) -> list[str]:
    """``found`` as a row of `COLUMNS`."""
    if not found.manifest.get("runs"):
        return [found.path.name, "no", *[""] * (len(COLUMNS) - 3), "; ".join(found.findings)]
    judged = [one for one in found.verdicts if one["generator_sha256"]]
    early = [one for one in judged if one["when"] == predictions.BEFORE]
    held = sum(one["verdict"] == "holds" for one in early)
    said = map(found.said, ("student", "group", "name", "course", "date"))
    counts = (found.answered, found.questions, len(judged), len(early), held, len(found.changed))
    profile = line(found.manifest["settings"].get("profile", ""))
    words = [found.path.name, "yes" if found.sound else "no", *said, profile, found.networks]
    return [*words, *map(str, counts), "; ".join(found.findings)]


def table(found: Iterable[Found]) -> str:
    """All of ``found`` as CSV; a cell that a spreadsheet would compute is text there."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in found:
        writer.writerow([f"'{cell}" if cell.startswith(("=", "+", "-", "@")) else cell for cell in row(one)])
    return out.getvalue()


def from_options(options) -> int:
    """What the command line says, done: a line for each hand-in, or for each of its faults; 1 if one is not sound."""
    paths_ = [Path(text) for text in options.handins]
    zips = [one for path in paths_ for one in (sorted(path.glob("*.zip")) if path.is_dir() else [path])]
    if not zips:
        raise LabError(f"no zip is in {', '.join(options.handins)}: name hand-ins, or a folder of them")
    all_found = []
    for path in zips:
        all_found.append(found := verify(path))
        found.files.clear()  # thirty of them are read one after the other
        for text in found.findings:
            print(f"{line(path.name)}: {text}", flush=True)
        if found.sound:
            print(f"{line(path.name)}: sound: {found.summary}", flush=True)
            for text in found.changed:
                print(f"    {text}", flush=True)
    if options.csv:
        print(f"table: {write_atomic(Path(options.csv), table(all_found).encode('utf-8-sig'))}")
    unsound = sum(not found.sound for found in all_found)
    if len(zips) > 1:
        print(f"{len(zips)} hand-ins, {unsound} of them not sound")
    return int(unsound > 0)
