"""Execute the notebooks, decide whether they succeeded, publish the report: all of it or nothing.

The order: the settings are checked, this process alone may make the report, an earlier publication is finished, all
that is to be written is tried, and only then the notebooks run, in a staging folder, in order, each in a fresh kernel
of this very interpreter. What comes out is rendered, and a complete report takes the place of the last.
"""

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from .. import data, texts
from ..base import paths
from ..base.errors import LabError
from ..base.files import exclusive, sha256, write_atomic
from ..base.system import open_files
from ..config import config_for
from ..figures import catalogue, fonts
from ..gans import reported
from ..texts import EDITIONS, checked
from ..training.runs import run_folder
from .environment import HOME, clean_environment
from .execute import execute
from .publish import Target, finish, probe, publish, sweep
from .render import render
from .settings import check_settings
from .speak import speak

DEFAULT = next(iter(EDITIONS))  # the language whose reports have no language in their names
# Those of a report in order of their execution: the first page is made of what the others measured. They are read in
# order of their names.
CHAPTERS = ("01_vanilla_gan", "02_dcgan", "03_latent_perturbation", "04_comparison", "05_eight_worlds", "00_in_short")
NOTEBOOKS = [paths.ROOT / f"notebooks/{name}.ipynb" for name in CHAPTERS]
FILES = 128  # that may have to be open at a time: a kernel with torch and matplotlib has 63


@clean_environment()
def make_report(
    profile: str = "auto",
    device: str = "auto",
    settings: dict | None = None,
    notebooks: Sequence[Path] = NOTEBOOKS,
    retrain: bool = False,
    site: bool = False,
    edition: str = "",
) -> Path:
    """Run ``notebooks`` with ``settings``, publish build/<profile>/report.html and figures/<profile>/.

    A report on another data set than the default has its name in these folders, as in build/smoke-mnist/, and so has
    one in another language than English, as in build/smoke-zh/: that of ``edition``, or else of the environment.
    With ``site`` all languages are made, and build/site/ too: the reports for a static host, with the sliders of all
    networks.

    ``settings`` are parameters of the notebooks or fields of TrainConfig. With ``retrain`` no finished run is loaded:
    networks are trained anew, and a published report's are kept in `paths.RETRAINED`; the same call goes on with what
    an interrupted one has trained. Returns the path of the HTML report.

    Raises:
        LabError: bad settings, a folder that cannot be written, a notebook that failed; the last report is as it was.
    """
    edition = checked(edition or texts.edition())
    parameters = check_settings(profile, device, dict(settings or {}), notebooks)
    profile, dataset = parameters["profile"], data.find(parameters["changes"].get("dataset", data.DEFAULT))
    name, book, static = name_of(profile, dataset.name), Target(paths.BUILD, False), Target(paths.BUILD / "site")
    figures = {of: Target(paths.FIGURES / name_of(profile, dataset.name, of)) for of in EDITIONS}
    pages = {of: Target(paths.BUILD / name_of(profile, dataset.name, of)) for of in EDITIONS}
    all_targets = [*figures.values(), *pages.values(), book, static]
    spoken = list(EDITIONS) if site else [edition]
    for of in spoken:
        fonts.check(of)
    with contextlib.ExitStack() as held:
        held.enter_context(open_files(FILES))
        held.enter_context(exclusive(paths.BUILD / f".{name}.busy"))  # a folder: one report of a profile at a time
        if site:
            held.enter_context(exclusive(paths.BUILD / ".site.busy"))
        probe([target for of in spoken for target in (figures[of], pages[of])] + [book, *([static] if site else [])])
        finish(name, all_targets)
        sweep(name, all_targets)
        held.enter_context(_runs_of(profile, retrain))
        data.ensure(paths.DATA, dataset)
        stage = paths.BUILD / f".{name}.staging"
        shutil.rmtree(stage, ignore_errors=True)
        parts = {static: stage / "site"} if site else {}
        for of in spoken:
            with texts.using(of):
                _work(notebooks, parameters, stage / of, paths.BUILD / f"{pages[of].folder.name}-failed", site)
            parts |= {figures[of]: stage / of / "figures", pages[of]: stage / of / "pages"}
            catalogue.keep_unchanged(stage / of / "figures", figures[of].folder)
        claims = stage / spoken[0] / "pages/claims.json"
        if claims.exists() and profile != "smoke" and dataset.plain:
            write_atomic(stage / "book/claims.json", claims.read_bytes())
            parts[book] = stage / "book"
        publish(name, parts)
        shutil.rmtree(stage)
    return pages[edition].folder / "report.html"


def name_of(profile: str, dataset: str = data.DEFAULT, edition: str = DEFAULT) -> str:
    """What the folders of a report are called."""
    others = [*([dataset] if dataset != data.DEFAULT else []), *([edition] if edition != DEFAULT else [])]
    return "-".join([profile, *others])


def _work(notebooks: Sequence[Path], parameters: dict, stage: Path, failed: Path, site: bool) -> None:
    """Run ``notebooks`` and render them in the language that is spoken: ``stage`` then has what is to be published.

    With ``site`` that is in the folder ``site`` beside it, too. A notebook that fails is kept in ``failed``.
    """
    start = time.perf_counter()
    shutil.rmtree(failed, ignore_errors=True)
    pages = stage / "pages"
    for folder in (pages, stage / "figures"):
        folder.mkdir(parents=True)
    trained: dict[Path, str] = {}
    try:
        for number, notebook in enumerate(notebooks, 1):
            language = "" if texts.edition() == DEFAULT else f", {EDITIONS[texts.edition()]}"
            print(f"[{number}/{len(notebooks)}] {notebook.name}{language}", flush=True)
            execute(notebook, pages / notebook.name, parameters, stage)
            speak(pages / notebook.name)
            trained = _same_runs(trained, parameters)
        names = sorted(notebook.name for notebook in notebooks)  # what is run last may be read first
        render(stage, names, parameters, time.perf_counter() - start, stage.with_name("site") if site else None)
    except LabError:
        shutil.rmtree(stage / HOME, ignore_errors=True)
        if pages.exists():
            os.replace(pages, failed)
            print(f"the failed notebook is kept as {failed / notebook.name}", file=sys.stderr)
        shutil.rmtree(stage.parent)
        raise


def _same_runs(before: dict[Path, str], parameters: dict) -> dict[Path, str]:
    """The runs of the report as they are now, by folder; those of ``before`` must be among them, unchanged."""
    now = {}
    for model in reported():
        config = config_for(model, parameters["profile"], seed=parameters["seed"], **parameters["changes"])
        folder = run_folder(config)
        if (folder / "run.json").exists():
            now[folder] = sha256((folder / "run.json").read_bytes())
    for folder, digest in before.items():
        if now.get(folder) != digest:
            raise LabError(
                f"{folder} was changed while the report was made: nothing is published: run the same command again"
            )
    return now


@contextlib.contextmanager
def _runs_of(profile: str, retrain: bool) -> Iterator[None]:
    """Where the report finds its runs, and trains what is missing, is `paths.RUNS` meanwhile.

    With ``retrain`` that is a place of its own, until the report is published; then its runs take the places of those
    that an earlier one has retrained.
    """
    if not retrain:
        yield
        return
    usual, paths.RUNS = paths.RUNS, paths.RETRAINED / ".unfinished"
    try:
        yield
        for folder in (path.parent for path in sorted(paths.RUNS.glob(f"{profile}/*/*/run.json"))):
            place = paths.RETRAINED / folder.relative_to(paths.RUNS)
            old = place.with_name(f".{place.name}.old")
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(old, ignore_errors=True)
            if place.exists():
                os.replace(place, old)
            os.replace(folder, place)
            shutil.rmtree(old, ignore_errors=True)
    finally:
        paths.RUNS = usual
