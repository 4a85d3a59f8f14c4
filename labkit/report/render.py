"""Executed notebooks as one HTML page that asks the network for nothing."""

import html
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

import nbformat
from pygments.formatters import HtmlFormatter

from .. import data, latent
from ..analysis.inversion import inversion_of
from ..base import paths
from ..base.errors import LabError
from ..base.files import write_atomic
from ..config import config_for
from ..figures import catalogue
from ..figures.catalogue import FIGURES
from ..gans import reported
from ..gans.losses import NonSaturating
from ..page import contents
from ..page.bundle import Embedded
from ..study import records
from ..training.runs import Run, load_run, run_folder
from . import answers, images
from .environment import kernels_own
from .settings import declared_parameters
from .site import template, write_site

TITLE = "What a GAN learns from {} {}s"
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # of a page without sliders
LEAD = "A lab report on {}: a vanilla GAN, a DCGAN, and what happens when one number of z moves."
NOTICE = (
    "The chapters were written about the garments of Fashion-MNIST. Here they say {noun}s, and where they speak of"
    " sleeves and folds they still mean those. All figures, tables and results but the last chapter's are of {title}."
    " The original's claims are about its own pictures: they are not tested."
)
ELSEWHERE = (
    "<p><strong>This chapter is about Fashion-MNIST.</strong> Its runs ship with the project and were trained on"
    " garments; nothing in it was compared with {title}.</p>"
)


def render(stage: Path, names: list[str], parameters: dict, seconds: float, site: Path | None = None) -> Path:
    """The executed notebooks in ``stage/pages`` as one self-contained HTML page that asks the network for nothing.

    The folder ``site`` is for any static host, and gets the page too, in its place of the language: see
    `site.write_site`.

    Raises:
        LabError: a figure is missing, or there is one that nobody declared.
    """
    dataset = data.find(parameters.get("changes", {}).get("dataset", data.DEFAULT))
    figures = catalogue.expected(len(parameters.get("dims", latent.LAB_DIMS)))
    _check_figures(stage, figures)
    with kernels_own(stage):
        chapters = chapters_of(stage / "pages", names, dataset)
    made = provenance(parameters, seconds, dataset)
    has_lab = any('class="lab-here"' in chapter["body"] for chapter in chapters)
    encoded = images.encode(chapter["body"] for chapter in chapters)

    def made_of(place: images.Place, models: list[str], **more) -> str:
        """The page with pictures where ``place`` says and the sliders of ``models``."""
        placed = [chapter | {"body": images.put(chapter["body"], encoded, place)} for chapter in chapters]
        return page(placed, made, _lab(parameters, models) if has_lab else None, dataset=dataset, **more)

    if site:
        write_site(site, stage / "figures", figures, partial(made_of, models=reported()[::-1], site=True))
    return write_atomic(stage / "pages/report.html", made_of(images.inside, reported()[-1:]).encode())


def page(
    chapters: list[dict],
    made: list[tuple[str, str]],
    lab: Embedded | None,
    site: bool = False,
    dataset: data.Dataset = data.FASHION_MNIST,
    front: str = "",
    back: str = "",
    title: str = "",
) -> str:
    """The HTML of ``chapters`` (name, title, body and figures of each), alive where ``lab`` is given.

    Of a ``site`` it may show pictures that lie beside it. ``front`` is HTML in the place of the page's own head, as the
    title page of a hand-in with another ``title``; ``back`` is what comes after the chapters.
    """
    many = "sixty thousand" if dataset.sizes["train"] == 60_000 else f"{dataset.sizes['train']:,}"
    policy = lab.policy if lab else POLICY
    return template("page").render(
        title=title or TITLE.format(many, dataset.noun),
        front=front,
        back=back,
        answer_style=answers.STYLE.read_text(encoding="utf-8"),
        lead=LEAD.format(dataset.title),
        notice="" if dataset.plain else NOTICE.format(noun=dataset.noun, title=dataset.title),
        source=f"{dataset.title}: {dataset.source}",
        made=made,
        chapters=chapters,
        pygments=HtmlFormatter().get_style_defs(".highlight"),
        pygments_dark=HtmlFormatter(style="github-dark").get_style_defs(".highlight"),
        lab=lab,
        lab_style=contents.STYLE.read_text(encoding="utf-8") if lab else "",
        policy=policy.replace("img-src data:", "img-src data: 'self'") if site else policy,
        site=site,
    )


def _check_figures(stage: Path, figures: Mapping[int, tuple[str, str]]) -> None:
    """Refuse a report that lacks one of ``figures``, entries of the catalogue, or has another."""
    declared = {f"fig{n:02d}_{slug}": n for n, (slug, _) in figures.items()}
    if missing := [str(n) for stem, n in declared.items() if not (stage / f"figures/{stem}.png").exists()]:
        raise LabError(f"figure {', '.join(missing)} was not made by any notebook: the report is not published")
    if strangers := sorted(path.name for path in (stage / "figures").iterdir() if path.stem not in declared):
        raise LabError(
            f"{', '.join(strangers)}: no figure of the report (they are declared in labkit/figures, with"
            " @report_figure): the report is not published"
        )


def chapters_of(pages: Path, names: list[str], dataset: data.Dataset) -> list[dict]:
    """Name, title, body and figures of each notebook in ``pages``; what is said in them of ``dataset`` has its noun."""
    exporter, chapters = _exporter(), []
    for name in names:
        notebook = nbformat.read(pages / name, 4)
        elsewhere = not dataset.plain and "changes" not in declared_parameters(pages / name)  # of what ships alone
        if not dataset.plain and not elsewhere:
            _in_its_words(notebook, dataset.noun)
        given = answers.take(notebook)
        body, _ = exporter.from_notebook_node(notebook)
        body = answers.put(body, given)
        body = re.sub(r'href="(\d\d_\w+)\.ipynb"', r'href="#\1"', body).replace('href="../', 'href="../../')
        body = re.sub(r'<figure style="[^"]*">(?=<img[^>]*alt="Figure (\d+)\.)', r'<figure id="figure-\1">', body)
        numbers = [int(n) for n in re.findall(r'<figure id="figure-(\d+)"', body)]
        if elsewhere:
            body = body.replace("</h1>", f"</h1>{ELSEWHERE.format(title=html.escape(dataset.title))}", 1)
        title = next((line[2:] for line in notebook.cells[0].source.splitlines() if line.startswith("# ")), name)
        figures = [(n, FIGURES[n][1]) for n in numbers]
        chapters.append({"name": name.removesuffix(".ipynb"), "title": title, "body": body, "figures": figures})
    return chapters


def _in_its_words(notebook, noun: str) -> None:
    """Let the text of ``notebook``, and its outputs, say ``noun`` where they say garment."""

    def said(text: str) -> str:
        return re.sub(r"\bgarment(?=s?\b)", noun, text)

    for cell in notebook.cells:
        cell.source = said(cell.source) if cell.cell_type == "markdown" else cell.source
        for shown in (output.get("data", {}) for output in cell.get("outputs", ())):
            shown |= {kind: said(shown[kind]) for kind in shown.keys() & {"text/markdown", "text/html"}}


def _lab(parameters: dict, models: list[str]) -> Embedded | None:
    """The lab of this report with its networks ``models``; None, and a line, where it cannot be made."""
    seed = {"seed": parameters["seed"]} if "seed" in parameters else {}
    configs = [config_for(model, parameters["profile"], **seed, **parameters["changes"]) for model in models]
    start = {name: parameters[name] for name in ("dims",) if name in parameters}
    try:
        arms = records.load() if (paths.STUDIES / "seeds").is_dir() else {}
        found = [load_run(run_folder(config)) for config in configs]
        searched = {run.config.model: inversion_of(run) for run in found}  # as chapter four did
        rms = {name: (of.rms.median().item(), of.noise.median().item()) for name, of in searched.items()}
        return contents.lab(found, seed=parameters.get("latent_seed", 0), arms=arms, rms=rms, **start)
    except LabError as error:
        print(f"the sliders of the report are left out: {error}", file=sys.stderr)
        return None


def _exporter():
    """nbconvert with our chapter template, and formulas as MathML, which browsers draw without a script."""
    from latex2mathml.converter import convert
    from nbconvert import HTMLExporter
    from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath

    class Renderer(IPythonRenderer):
        def inline_math(self, body):
            return convert(body)

        def block_math(self, body):
            return convert(body, display="block")

    class Exporter(HTMLExporter):
        def default_filters(self):
            yield from super().default_filters()
            yield "markdown2html", lambda source: MarkdownWithMath(renderer=Renderer(escape=False)).render(source)

    return Exporter(
        template_name="chapter", extra_template_basedirs=[str(Path(__file__).parent / "templates")], sanitize_html=False
    )


def provenance(parameters: dict, seconds: float, dataset: data.Dataset) -> list[tuple[str, str]]:
    """How the report was made: name and value, for the head of the page."""
    made = f"{datetime.now():%Y-%m-%d %H:%M}, profile {parameters['profile']}, in {seconds:.0f} s beyond earlier runs"
    seed = {"seed": parameters["seed"]} if "seed" in parameters else {}
    digest = dataset.digests[dataset.splits["train"].images] if dataset.digests else dataset.images_sha256
    rows = [("made", made)]
    for model in reported():
        config = config_for(model, parameters["profile"], **seed, **parameters["changes"])
        rows.append((model, _training(load_run(run_folder(config)))))
    kind = "md5" if digest.startswith("md5:") else "sha256"
    rows.append(("data", f"{dataset.title}, training images {kind} {digest.removeprefix('md5:')[:12]}"))
    return rows + ([("code", f"commit {found}")] if (found := commit()) else [])


def commit() -> str:
    """The commit of the project's code, and whether it was changed since; empty where there is no git."""
    git = ["git", "-C", str(paths.ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(git, capture_output=True, text=True) if shutil.which("git") else None
    return done.stdout.strip() if done and done.returncode == 0 else ""


def _training(run: Run) -> str:
    """How ``run`` was trained, in a line."""
    config, machine = run.config, run.manifest["machine"]
    recipe = [f"{run.length} of {config.examples:,} images", f"batch {config.batch}"]
    recipe.append(f"Adam {config.lr:g}" + (f" (D {config.lr_d:g})" if config.lr_d else ""))
    if config.d_steps > 1:
        recipe.append(f"{config.d_steps} steps of D to one of G")
    if config.loss != NonSaturating.name:
        recipe.append(f"loss {config.loss}")
    recipe += [f"EMA {config.ema:g}", f"seed {config.seed}"]
    threads = f"{machine['threads']} thread{'' if machine['threads'] == 1 else 's'}"
    return (
        f"{', '.join(recipe)}; trained in {run.manifest['seconds']:.0f} s on {machine['device']} with {threads},"
        f" torch {machine['torch']}, {machine.get('precision', 'float32')};"
        f" generator sha256 {run.generator_sha256[:12]}"
    )
