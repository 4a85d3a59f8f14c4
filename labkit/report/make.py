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

from .. import data
from ..base import paths
from ..base.errors import LabError
from ..base.files import exclusive, sha256, write_atomic
from ..base.system import open_files
from ..config import config_for
from ..figures import catalogue
from ..gans import reported
from ..training.runs import run_folder
from .environment import HOME, clean_environment
from .execute import execute
from .publish import Target, finish, probe, publish, sweep
from .render import render
from .settings import check_settings

CHAPTERS = ("01_vanilla_gan", "02_dcgan", "03_latent_perturbation", "04_comparison", "05_eight_worlds")
FILES = 128  # that may have to be open at a time: a kernel with torch and matplotlib has 63
NOTEBOOKS = [paths.ROOT / f"notebooks/{name}.ipynb" for name in CHAPTERS]  # those of a report, in order


@clean_environment()
def make_report(
    profile: str = "auto",
    device: str = "auto",
    settings: dict | None = None,
    notebooks: Sequence[Path] = NOTEBOOKS,
    retrain: bool = False,
    site: bool = False,
) -> Path:
    """Run ``notebooks`` with ``settings``, publish build/<profile>/report.html and figures/<profile>/.

    With ``site``, build/site/ too: the report for a static host, with the sliders of all networks.

    A report on another data set than the default has its name in these folders, as in build/smoke-mnist/.

    ``settings`` are parameters of the notebooks or fields of TrainConfig. With ``retrain`` no finished run is loaded:
    networks are trained anew, and a published report's are kept in `paths.RETRAINED`; the same call goes on with what
    an interrupted one has trained. Returns the path of the HTML report.

    Raises:
        LabError: bad settings, a folder that cannot be written, a notebook that failed; the last report is as it was.
    """
    parameters = check_settings(profile, device, dict(settings or {}), notebooks)
    profile, dataset = parameters["profile"], data.find(parameters["changes"].get("dataset", data.DEFAULT))
    name = name_of(profile, dataset.name)
    figures, pages, book = Target(paths.FIGURES / name), Target(paths.BUILD / name), Target(paths.BUILD, False)
    static = Target(paths.BUILD / "site")
    all_targets = [figures, pages, book, static]
    with contextlib.ExitStack() as held:
        held.enter_context(open_files(FILES))
        held.enter_context(exclusive(paths.BUILD / f".{name}.busy"))  # a folder: one report of a profile at a time
        if site:
            held.enter_context(exclusive(paths.BUILD / ".site.busy"))
        probe(all_targets if site else all_targets[:3])
        finish(name, all_targets)
        sweep(name, all_targets)
        held.enter_context(_runs_of(profile, retrain))
        data.ensure(paths.DATA, dataset)
        stage = paths.BUILD / f".{name}.staging"
        _work(notebooks, parameters, stage, site)
        parts = {figures: stage / "figures", pages: stage / "pages"}
        catalogue.keep_unchanged(stage / "figures", figures.folder)
        if site:
            parts[static] = stage / "site"
        if (stage / "pages/claims.json").exists() and profile != "smoke" and dataset.plain:
            write_atomic(stage / "book/claims.json", (stage / "pages/claims.json").read_bytes())
            parts[book] = stage / "book"
        publish(name, parts)
        shutil.rmtree(stage)
    return pages.folder / "report.html"


def name_of(profile: str, dataset: str = data.DEFAULT) -> str:
    """What the folders of a report are called."""
    return profile if dataset == data.DEFAULT else f"{profile}-{dataset}"


def _work(notebooks: Sequence[Path], parameters: dict, stage: Path, site: bool) -> None:
    """Run ``notebooks`` and render them: ``stage`` is then what is to be published, in the folders of its parts."""
    failed = paths.BUILD / f"{stage.name.split('.')[1]}-failed"
    start = time.perf_counter()
    for folder in (stage, failed):
        shutil.rmtree(folder, ignore_errors=True)
    pages = stage / "pages"
    for folder in (pages, stage / "figures"):
        folder.mkdir(parents=True)
    trained: dict[Path, str] = {}
    try:
        for number, notebook in enumerate(notebooks, 1):
            print(f"[{number}/{len(notebooks)}] {notebook.name}", flush=True)
            execute(notebook, pages / notebook.name, parameters, stage)
            trained = _same_runs(trained, parameters)
        names = [notebook.name for notebook in notebooks]
        render(stage, names, parameters, time.perf_counter() - start, site)
    except LabError:
        shutil.rmtree(stage / HOME, ignore_errors=True)
        if pages.exists():
            os.replace(pages, failed)
            print(f"the failed notebook is kept as {failed / notebook.name}", file=sys.stderr)
        shutil.rmtree(stage)
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
