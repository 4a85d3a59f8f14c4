"""A report as it is handed in: a title page, the chapters, the student's answers, references; one zip with all of it.

build/handin/<student>-<title>.zip holds report.html and report.pdf, the executed notebooks, sealed predictions and what
became of them, claims.json, and manifest.json: who, when, the settings, the digests of the networks and of every file.
It is written whole or not at all; of the same report the same bytes are made again. `verify` checks it.
"""

import html
import io
import json
import re
import tempfile
import unicodedata
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import nbformat

from .. import data
from ..analysis.claims import CLAIMS as CLAIMS_OF_ORIGINAL
from ..analysis.claims import RUNS
from ..base import paths
from ..base.errors import LabError
from ..base.files import FAULTS, exclusive, fault_of, seal, sha256, write_atomic
from ..base.version import VERSION
from ..config import TrainConfig, config_for
from ..gans import reported
from ..texts import edition, listed, say, terms
from ..training.runs import Run, load_run, run_folder
from . import answers, predictions, render
from .chapters import chapters_of
from .environment import kernels_own
from .make import DEFAULT, NOTEBOOKS, name_of
from .pdf import print_page
from .settings import read_notebook

FORMAT = 1
KIND = "labkit hand-in"
LONGEST = 120  # characters of a name or title
PAGE, PDF, MANIFEST, CLAIMS, VERDICTS = "report.html", "report.pdf", "manifest.json", "claims.json", "verdicts.json"
CODE = re.compile(r'<details class="code"[^<>]*>\s*<summary>.*?</summary>(.*?)</details>', re.S)  # a folded cell
H1 = re.compile(r"<h1\b.*?</h1>", re.S)
LINK = re.compile(r'<a href="\.\./[^"]*"[^>]*>(.*?)</a>', re.S)  # to a file of the project, which is not in the zip
# The order of the original exercise: a chapter, or a part of one, and the heading over it in texts/*/handin.toml. The
# chapter of perturbations is cut where the DCGAN's figure has its heading.
EXERCISE = (
    ("00_in_short", "", "summary"),
    ("01_vanilla_gan", "", "vanilla"),
    ("03_latent_perturbation", "before", "perturbation"),
    ("02_dcgan", "", "dcgan"),
    ("03_latent_perturbation", "after", "dcgan_perturbation"),
    ("04_comparison", "", "conclusions"),
    ("05_eight_worlds", "", "worlds"),
)
CUT = 13  # the figure


def line(text: object, longest: int = LONGEST) -> str:
    """``text`` as a line of at most ``longest`` characters that shows as what it is: no control, no turned writing."""
    kept = "".join(
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c
        for c in unicodedata.normalize("NFC", str(text)[: 8 * longest])
        if unicodedata.category(c) not in ("Cs", "Cf", "Co", "Cn") or c in "\u200c\u200d"
    )
    words = " ".join(kept.split())
    return words if len(words) <= longest else words[: longest - 1].rstrip() + "\u2026"


@dataclass(frozen=True)
class Who:
    """What stands on the title page."""

    name: str  # title of the hand-in
    student: str
    course: str = ""
    group: str = ""

    @classmethod
    def of(cls, name: str, student: str, course: str = "", group: str = "") -> "Who":
        """As it was typed, each in a `line`.

        Raises:
            LabError: the title or the student is missing.
        """
        made = cls(*map(line, (name, student, course, group)))
        for what, said in (("name", made.name), ("student", made.student)):
            if not said:
                raise LabError(
                    f"a hand-in needs a {what}: give NAME=title STUDENT=name, and COURSE= and GROUP= as you like"
                )
        return made

    @property
    def slug(self) -> str:
        """What its file is called: letters of any script, digits and hyphens."""
        parts = (
            re.sub(r"[\W_]+", "-", unicodedata.normalize("NFKC", part)).strip("-") for part in (self.student, self.name)
        )
        short = "-".join(filter(None, parts)).lower().encode()[:120].decode(errors="ignore").strip("-")
        return short or f"handin-{sha256(repr(self).encode())[:8]}"


@dataclass(frozen=True)
class Report:
    """A complete report on disk, read while nobody makes another."""

    folder: Path
    notebooks: dict[str, nbformat.NotebookNode]  # executed, by file name; with the answers as they are written now
    parameters: dict
    made: str  # date, when its last notebook was done
    claims: list[dict]
    runs: list[Run]
    dataset: data.Dataset


def hand_in(who: Who, profile: str, dataset: str = data.DEFAULT, code: bool = True) -> Path:
    """Make the zip of the last report of ``profile``, in the language that is spoken; its path.

    Raises:
        LabError: there is no such report, or a notebook has changed since; nothing is written.
    """
    folder = paths.BUILD / name_of(profile, dataset, edition())
    with exclusive(paths.BUILD / f".{name_of(profile, dataset)}.busy"):
        report = _read(folder, profile, dataset)
        seals, faults = predictions.chain(sealed := predictions.kept())
        if faults:
            raise LabError(
                f"{faults[0]}: a hand-in needs the predictions as they were sealed, or {paths.PREDICTIONS} moved away"
            )
        verdicts = predictions.judge(seals, report.runs)
        page = _page(report, who, code, verdicts)
    files = {PAGE: page.encode()}
    files |= {f"notebooks/{name}": _content(notebook) for name, notebook in report.notebooks.items()}
    files |= {f"predictions/{name}": content for name, content in sealed.items()}
    files[CLAIMS] = (json.dumps(report.claims, indent=1) + "\n").encode()
    files[VERDICTS] = (json.dumps(predictions.records(verdicts), indent=1) + "\n").encode()
    if (printed := _printed(files[PAGE])) is not None:
        files[PDF] = printed
    files[MANIFEST] = (json.dumps(_manifest(report, who, code, files), indent=1, ensure_ascii=False) + "\n").encode()
    return write_atomic(paths.BUILD / "handin" / f"{who.slug}.zip", archive(files))


def archive(files: Mapping[str, bytes]) -> bytes:
    """A zip of ``files``, content by name, which is the same for the same content."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as made:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o644 << 16
            made.writestr(entry, files[name])
    return out.getvalue()


# ----- the report


def _read(folder: Path, profile: str, dataset: str) -> Report:
    more = "" if dataset == data.DEFAULT else f" DATASET={dataset}"
    more += "" if edition() == DEFAULT else f" EDITION={edition()}"
    again = f"'make report PROFILE={profile}{more}'"
    executed = sorted(folder.glob("[0-9]*.ipynb"))
    if not (folder / PAGE).exists() or not executed:
        raise LabError(f"there is no report in {folder}: run {again} first, and then hand it in")
    notebooks: dict = {}
    parameters: dict = {}
    ends: list[str] = []
    for path in executed:
        notebook = read_notebook(path)
        own = next((one for one in NOTEBOOKS if one.name == path.name), None)
        if own and own.exists():
            _answers_into(notebook, read_notebook(own), own, again)
        try:
            papermill = notebook.metadata["papermill"]
            parameters |= papermill["parameters"]
            ends.append(str(papermill["end_time"])[:10])
            notebook.metadata["papermill"] = {
                name: papermill[name] for name in ("parameters", "start_time", "end_time")
            }
        except FAULTS as error:
            raise LabError(f"{path} does not say how it was executed ({fault_of(error)}): run {again}") from None
        notebooks[path.name] = notebook
    changes, seed = parameters.get("changes", {}), {"seed": parameters["seed"]} if "seed" in parameters else {}
    configs = [config_for(model, profile, **seed, **changes) for model in reported()]
    page = (folder / PAGE).read_text(encoding="utf-8")
    runs = [_run_of(page, config, again) for config in configs]
    claims = json.loads((folder / CLAIMS).read_bytes()) if (folder / CLAIMS).exists() else []
    return Report(folder, notebooks, parameters, max(ends), claims, runs, data.find(dataset))


def _run_of(page: str, config: TrainConfig, again: str) -> Run:
    """The run of ``config`` that the report ``page`` shows, which names its generator."""
    for root in (paths.RUNS, paths.RETRAINED):
        folder = run_folder(config, root)
        if (folder / "run.json").exists() and (run := load_run(folder, config)).generator_sha256[:12] in page:
            return run
    raise LabError(f"the {config.model} that the report shows is no longer in {paths.RUNS}: run {again} again")


def _answers_into(executed, own, path: Path, again: str) -> None:
    """Put the answers that ``own``, the notebook as it stands in the project, has now into ``executed``.

    Raises:
        LabError: its code is no longer that which was executed.
    """
    code = [[(c.id, c.source) for c in of.cells if c.cell_type == "code" and not injected(c)] for of in (executed, own)]
    if code[0] != code[1]:
        name = next((b[0] for a, b in zip(*code, strict=False) if a != b), "one that is new or gone")
        raise LabError(
            f"{path.name} was changed since the report was made (cell {name}): run {again} again, and then hand in"
        )
    written = answers.of(own.cells)
    for cell in filter(answers.is_answer, executed.cells):
        cell.source = written.get(answers.what_of(cell), answers.written(cell)) or say("handin.answer.placeholder")


def injected(cell: Mapping) -> bool:
    """Whether papermill has put ``cell`` into a notebook, for the settings of a report."""
    return "injected-parameters" in cell["metadata"].get("tags", [])


def _content(notebook) -> bytes:
    return (nbformat.writes(notebook, 4) + "\n").encode()


# ----- the page


def _page(report: Report, who: Who, code: bool, verdicts: list[predictions.Verdict]) -> str:
    """The whole hand-in as a page without a script."""
    with tempfile.TemporaryDirectory() as scratch:
        for name, notebook in report.notebooks.items():
            Path(scratch, name).write_bytes(_content(notebook))
        with kernels_own(Path(scratch)):
            chapters = chapters_of(Path(scratch), list(report.notebooks), report.dataset)
    chapters = [chapter | {"body": _plain(chapter["body"], code)} for chapter in chapters]
    if edition() != DEFAULT:
        chapters = _as_exercise(chapters)
    front, back = _front(report, who, verdicts), _part("back", _references())
    made = [(say("report.made.made"), report.made), *render.provenance(report.parameters, 0, report.dataset)[1:]]
    encoded = render.images.encode(chapter["body"] for chapter in chapters)
    placed = [
        chapter | {"body": render.images.put(chapter["body"], encoded, render.images.inside)} for chapter in chapters
    ]
    return render.page(placed, made, None, dataset=report.dataset, front=front, back=back, title=who.name)


def _plain(body: str, code: bool) -> str:
    """``body`` of a chapter, its code unfolded or left out, without links to what is not in the zip."""
    return LINK.sub(r"\1", CODE.sub(r'<div class="code-shown">\1</div>' if code else "", body))


def _as_exercise(chapters: list[dict]) -> list[dict]:
    """``chapters`` in the order, and under the headings, of the original exercise."""
    of_name, found = {chapter["name"]: chapter for chapter in chapters}, []
    for name, part, key in EXERCISE:
        chapter = of_name.get(name)
        if chapter is None:
            continue
        head, body, title = _cut(chapter["body"]), chapter["body"], say(f"handin.section.{key}")
        if part:
            body = head[0] if part == "before" else head[1]
            if not body:
                continue
        marked = f'<h1 id="part-{key}">{html.escape(title)}</h1>'
        body = marked + H1.sub("", body, count=1)
        figures = [(n, caption) for n, caption in chapter["figures"] if f'id="figure-{n}"' in body]
        found.append(
            chapter
            | {"name": name if part != "after" else f"{name}-{key}", "title": title, "body": body, "figures": figures}
        )
    rest = [chapter for chapter in chapters if chapter["name"] not in {name for name, *_ in EXERCISE}]
    return found + rest


def _cut(body: str) -> tuple[str, str]:
    """``body`` before the heading that stands over figure `CUT`, and from there on; all of it if there is none."""
    at = body.rfind("<h2", 0, max(0, body.find(f'id="figure-{CUT}"')))
    return (body[:at], body[at:]) if at > 0 else (body, "")


def _front(report: Report, who: Who, verdicts: list[predictions.Verdict]) -> str:
    """The title page and, if there are any, the predictions."""
    given = [text for notebook in report.notebooks.values() for text in answers.of(notebook.cells).values()]
    networks = listed(
        say("handin.abstract.network", name=say(f"common.network.{run.config.model}"), length=run.length)
        for run in report.runs
    )
    abstract = [say("handin.abstract.what", networks=networks, data=report.dataset.title)]
    ids = {claim.id for claim in CLAIMS_OF_ORIGINAL}
    if over := [row for row in report.claims if row.get("level") == RUNS and row.get("id") in ids]:
        holds = sum(row["verdict"] == "holds" for row in over)
        abstract.append(say("handin.abstract.claims", n=len(over), holds=holds))
    if given:
        abstract.append(say("handin.abstract.answers", given=sum(map(bool, given)), n=len(given)))
    shown = [v for v in verdicts if v.generator_sha256]  # of the runs of this report
    if early := [v for v in shown if v.when == predictions.BEFORE]:
        right = sum(v.verdict == "holds" for v in early)
        abstract.append(say("handin.abstract.predictions", n=len(early), right=right))
    rows = [
        (say(f"handin.front.{key}"), getattr(who, key)) for key in ("course", "student", "group") if getattr(who, key)
    ]
    rows.append((say("handin.front.date"), report.made))
    return _part("front", who, rows, say("handin.abstract.between").join(abstract), [_row(v) for v in shown])


def _part(name: str, *values: object) -> str:
    """The macro ``name`` of the template, filled."""
    return getattr(render.template("handin").module, name)(*values, say)


def _row(v: predictions.Verdict) -> tuple[str, ...]:
    """A row of the table of predictions: the sentence, when it was sealed, what was measured, the verdict."""
    asked = say(f"handin.prediction.{v.direction}", limit=v.limit)
    effect = terms.measure(v.effect)
    about = say(
        "handin.prediction.about",
        network=say(f"common.network.{v.model}", v.model),
        d=v.dimension,
        effect=effect,
        asked=asked,
    )
    measured = "" if v.mean is None else say("handin.prediction.measured", mean=v.mean, low=v.low, high=v.high, q=v.q)
    when = say(f"handin.prediction.{v.when}")
    sealed = say("handin.prediction.sealed", time=v.sealed_at.replace("T", " ").replace("Z", ""), when=when)
    return v.text, about, sealed, measured, say(f"handin.verdict.{v.verdict.replace(' ', '_')}"), v.seal[:12]


def _references() -> list[str]:
    return [say(f"handin.reference.{name}") for name in REFERENCES]


REFERENCES = (
    *(
        "xiao",
        "goodfellow",
        "radford",
        "he",
        "ioffe",
        "srivastava",
        "maas",
        "kingma",
        "salimans",
        "miyato",
        "gulrajani",
    ),
    *("jolicoeur", "heusel", "odena", "binkowski", "kynkaanniemi", "naeem", "meehan", "zhu", "shen", "benjamini"),
)


# ----- beside the page


def _printed(page: bytes) -> bytes | None:
    """The page as PDF; None, and a line, where it cannot be printed."""
    with tempfile.TemporaryDirectory() as scratch:
        source, out = Path(scratch, PAGE), Path(scratch, PDF)
        source.write_bytes(page)
        try:
            print_page(source, out)
        except LabError as error:
            print(f"the hand-in has no {PDF}: {error}", flush=True)
            return None
        return undated(out.read_bytes())


def undated(pdf: bytes) -> bytes:
    """``pdf`` without the time at which it was printed."""
    return re.sub(rb"(/(?:CreationDate|ModDate) ?\(D:)\d{14}", rb"\g<1>19800101000000", pdf)


def _manifest(report: Report, who: Who, code: bool, files: Mapping[str, bytes]) -> dict:
    of_runs = {
        run.config.model: {
            "generator_sha256": run.generator_sha256,
            "epochs": run.epochs,
            "seed": run.config.seed,
            "config": run.config.to_dict(),
        }
        for run in report.runs
    }
    made = {
        "format": FORMAT,
        "kind": KIND,
        **asdict(who),
        "date": report.made,
        "edition": edition(),
        "code": code,
        "labkit": VERSION,
        "commit": render.commit(),
        "settings": {name: value for name, value in report.parameters.items() if name != "device"},
        "dataset": report.dataset.name,
        "runs": of_runs,
        "versions": {run.config.model: run.manifest["machine"]["torch"] for run in report.runs},
        "answers": {
            name: {what: sha256(text.encode()) for what, text in answers.of(notebook.cells).items() if text}
            for name, notebook in report.notebooks.items()
        },
        "files": {name: {"sha256": sha256(content), "bytes": len(content)} for name, content in sorted(files.items())},
    }
    return made | {"sha256": seal(made)}
