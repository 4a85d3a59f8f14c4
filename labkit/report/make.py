"""Execute the notebooks, decide whether they succeeded, publish the report: all of it or nothing.

Notebooks run in a staging folder, in order, each in a fresh kernel of this very
interpreter; then the report is rendered, and only a complete one takes the place of the last.
"""

import os
import shutil
import sys
import time
from pathlib import Path

from .. import data
from ..base import paths
from ..base.errors import LabError
from ..base.files import exclusive
from ..base.machine import pick_device
from ..config import config_for
from ..figures import catalogue
from ..gans import reported
from ..training.runs import choose_profile, run_folder
from .execute import execute
from .render import render
from .settings import check_settings, training_settings

NOTEBOOKS = sorted((paths.ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def make_report(
    profile: str = "auto",
    device: str = "auto",
    settings: dict | None = None,
    notebooks: list[Path] = NOTEBOOKS,
    retrain: bool = False,
    site: bool = False,
) -> Path:
    """Run ``notebooks`` with ``settings``, publish build/<profile>/report.html and figures/<profile>/.

    With ``site``, build/site/ too: the report for a static host, with the sliders of all networks.

    ``settings`` are parameters of the notebooks or fields of TrainConfig. With ``retrain`` no finished run is loaded:
    networks are trained anew, into `paths.RETRAINED`. Returns the path of the HTML report.

    Raises:
        LabError: bad settings, or a notebook failed; the last good report is as it was.
    """
    settings = dict(settings or {})
    if retrain:
        paths.RUNS = paths.RETRAINED
    profile = choose_profile(profile, pick_device(device), **training_settings(settings))
    parameters = check_settings(profile, device, settings, notebooks)
    with exclusive(paths.BUILD / f".{profile}.busy"):  # a folder: one report of a profile at a time
        if retrain:
            _remove_finished(profile, parameters)
        data.ensure(paths.DATA)
        start = time.perf_counter()
        stage, failed = paths.BUILD / f".{profile}.staging", paths.BUILD / f"{profile}-failed"
        for folder in (stage, failed):
            shutil.rmtree(folder, ignore_errors=True)
        (stage / "figures").mkdir(parents=True)
        try:
            for number, notebook in enumerate(notebooks, 1):
                print(f"[{number}/{len(notebooks)}] {notebook.name}", flush=True)
                execute(notebook, stage / notebook.name, parameters, stage)
            report = render(stage, [n.name for n in notebooks], parameters, time.perf_counter() - start, site)
        except LabError:
            os.replace(stage, failed)
            print(f"the failed notebook is kept as {failed / notebook.name}", file=sys.stderr)
            raise
        shutil.rmtree(stage / "jupyter")
        if site:
            publish(stage / "site", paths.BUILD / "site")
        publish(stage / "figures", paths.FIGURES / profile)
        publish(stage, paths.BUILD / profile)
        return paths.BUILD / profile / report.name


def _remove_finished(profile: str, parameters: dict) -> None:
    """Remove what an earlier call with ``retrain`` finished; an interrupted training goes on."""
    seed = {"seed": parameters["seed"]} if "seed" in parameters else {}
    for model in reported():
        folder = run_folder(config_for(model, profile, **seed, **parameters["changes"]))
        if (folder / "run.json").exists():
            with exclusive(folder):
                shutil.rmtree(folder)


def publish(new: Path, target: Path) -> None:
    """Put the folder ``new`` in the place of ``target`` by rename; figures that look the same stay as they are."""
    old = target.with_name(f".{target.name}.old")
    if old.exists() and not target.exists():  # an earlier publication was killed half-way
        os.replace(old, target)
    shutil.rmtree(old, ignore_errors=True)
    catalogue.keep_unchanged(new, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        os.replace(target, old)
    try:
        os.replace(new, target)
    except BaseException:
        if old.exists():
            os.replace(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
