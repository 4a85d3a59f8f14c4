"""Executed notebooks as one HTML page that asks the network for nothing."""

import shutil
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from pygments.formatters import HtmlFormatter

from .. import data, latent
from ..analysis.alone import alone_of
from ..analysis.inversion import inversion_of
from ..base import paths
from ..base.errors import LabError
from ..base.files import write_atomic
from ..config import config_for
from ..figures import catalogue
from ..gans import reported
from ..gans.losses import NonSaturating
from ..page import contents
from ..page.bundle import Embedded, script_hash
from ..study import records
from ..texts import EDITIONS, say, terms
from ..training.runs import Run, load_run, run_folder
from . import answers, images, webfont
from .appendix import with_sources
from .chapters import alone, chapters_of, figures_of, scrolling
from .environment import kernels_own
from .site import TEMPLATES, other_editions, template, write_site

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"  # of a page without a script
SCRIPT = TEMPLATES / "page.js"  # marks what is read in the contents, unfolds what a link leads to


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
        seen = {n: alone(n, caption) for chapter in chapters for n, caption in chapter["figures"]}
        figures = {n: (slug, seen.get(n, caption)) for n, (slug, caption) in figures.items()}
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
    """The HTML of ``chapters`` (as `chapters_of` gives them), alive where ``lab`` is given.

    Of a ``site`` it may show pictures that lie beside it. ``front`` is HTML in the place of the page's own head, as the
    title page of a hand-in with another ``title``: such a page has no script. ``back`` is what comes after the
    chapters.
    """
    bodies, sources = with_sources([chapter["body"] for chapter in chapters])
    chapters = [
        chapter | {"body": body, "headings": [h for h in chapter.get("headings", ()) if f'id="{h.id}"' in body]}
        for chapter, body in zip(chapters, bodies, strict=True)
    ]
    script = "" if front else SCRIPT.read_text(encoding="utf-8")
    words = {"what": dataset.title, "noun": terms.noun(dataset.noun), "nouns": terms.nouns(dataset.noun)}
    sixty = dataset.sizes["train"] == 60_000
    named = say("report.title_sixty" if sixty else "report.title", many=dataset.sizes["train"], **words)
    whole = template("page").render(
        title=title or named,
        front=scrolling(front),
        back=back,
        lead=say("report.lead", **words),
        notice="" if dataset.plain else say("report.notice", **words),
        source=say("report.zalando") if dataset.plain else f"{dataset.title}: {dataset.source}",
        made=made,
        chapters=chapters,
        figures=figures_of(chapters),
        sources=sources,
        style=_style(lab),
        script=script,
        lab=lab,
        policy=_policy(lab, script, site),
        site=site,
        others=other_editions() if site else {},
        EDITIONS=EDITIONS,
        say=say,
    )
    return webfont.with_letters(whole)


def _style(lab: Embedded | None) -> str:
    """The look of the page, in which that of ``lab`` has its place."""
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    print_style = (TEMPLATES / "print.css").read_text(encoding="utf-8")
    parts = [
        HtmlFormatter().get_style_defs(".highlight"),
        f"@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}",
        *(path.read_text(encoding="utf-8") for path in contents.STYLES if lab),
        (TEMPLATES / "page.css").read_text(encoding="utf-8"),
        answers.STYLE.read_text(encoding="utf-8"),
        f"@media print {{\n{print_style}}}",
    ]
    return "\n".join(part for part in parts if part)


def _policy(lab: Embedded | None, script: str, site: bool) -> str:
    """The content-security policy: the page's own scripts, fonts and pictures inside it, and no request at all."""
    policy = f"{lab.policy if lab else POLICY}; font-src data:"
    if script:
        own = f"script-src '{script_hash(script)}'"
        policy = policy.replace("script-src", own) if lab else f"{policy}; {own}"
    return policy.replace("img-src data:", "img-src data: 'self'") if site else policy


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


def _lab(parameters: dict, models: list[str]) -> Embedded | None:
    """The lab of this report with its networks ``models``; None, and a line, where it cannot be made."""
    seed = {"seed": parameters["seed"]} if "seed" in parameters else {}
    configs = {model: config_for(model, parameters["profile"], **seed, **parameters["changes"]) for model in reported()}
    start = {name: parameters[name] for name in ("dims",) if name in parameters}
    try:
        arms = records.load() if (paths.STUDIES / "seeds").is_dir() else {}
        runs = {model: load_run(run_folder(config)) for model, config in configs.items()}
        for run in runs.values():
            alone_of(run)  # also of those that only the site shows, and the editor
        found = [runs[model] for model in models]
        searched = {run.config.model: inversion_of(run) for run in found}  # as chapter four did
        rms = {name: (of.rms.median().item(), of.noise.median().item()) for name, of in searched.items()}
        return contents.lab(found, seed=parameters.get("latent_seed", 0), arms=arms, rms=rms, **start)
    except LabError as error:
        print(f"the sliders of the report are left out: {error}", file=sys.stderr)
        return None


def provenance(parameters: dict, seconds: float, dataset: data.Dataset) -> list[tuple[str, str]]:
    """How the report was made: name and value, for the foot of the page."""
    made = say("report.made.when", when=datetime.now(), profile=parameters["profile"], seconds=seconds)
    seed = {"seed": parameters["seed"]} if "seed" in parameters else {}
    digest = dataset.digests[dataset.splits["train"].images] if dataset.digests else dataset.images_sha256
    rows = [(say("report.made.made"), made)]
    for model in reported():
        config = config_for(model, parameters["profile"], **seed, **parameters["changes"])
        rows.append((say(f"common.network.{model}", model), _training(load_run(run_folder(config)))))
    kind = "md5" if digest.startswith("md5:") else "sha256"
    known = say("report.made.digest", what=dataset.title, kind=kind, digest=digest.removeprefix("md5:")[:12])
    rows.append((say("report.made.data"), known))
    return rows + ([(say("report.made.code"), found)] if (found := commit()) else [])


def commit() -> str:
    """The commit of the project's code, and whether it was changed since; empty where there is no git."""
    git = ["git", "-C", str(paths.ROOT), "describe", "--always", "--dirty"]
    done = subprocess.run(git, capture_output=True, text=True) if shutil.which("git") else None
    return done.stdout.strip() if done and done.returncode == 0 else ""


def _training(run: Run) -> str:
    """How ``run`` was trained, in a line."""
    config, machine = run.config, run.manifest["machine"]
    whole = run.epochs == config.epochs
    recipe = [
        say("report.made.length" if whole else "report.made.length_some", epochs=run.epochs, all=config.epochs),
        say("report.made.batch", images=config.examples, batch=config.batch),
        say("report.made.adam_two" if config.lr_d else "report.made.adam", lr=config.lr, lr_d=config.lr_d),
    ]
    if config.d_steps > 1:
        recipe.append(say("report.made.d_steps", steps=config.d_steps))
    if config.loss != NonSaturating.name:
        recipe.append(say("report.made.loss", loss=config.loss))
    recipe.append(say("report.made.ema", ema=config.ema, seed=config.seed))
    return say(
        "report.made.training",
        recipe=say("report.made.between").join(recipe),
        seconds=run.manifest["seconds"],
        device=machine["device"],
        threads=machine["threads"],
        torch=machine["torch"],
        precision=machine.get("precision", "float32"),
        digest=run.generator_sha256[:12],
    )
