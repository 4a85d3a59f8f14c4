"""Execute the notebooks, decide whether they succeeded, publish the report: all of it or nothing.

`make report` runs this module. Notebooks run in a staging folder, in order, each in a fresh kernel of this very
interpreter; then the report is rendered, and only a complete one takes the place of the last.
"""

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from .. import data
from ..base import paths
from ..base.errors import LabError
from ..base.files import exclusive, write_fault
from ..base.machine import pick_device
from ..config import MODELS, TrainConfig, config_for
from ..figures import catalogue
from ..training import runs
from ..training.runs import run_folder
from .execute import execute
from .pdf import make_pdf
from .render import render
from .settings import check_settings, parse_setting

NOTEBOOKS = sorted((paths.ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def make_report(
    profile: str, device: str = "auto", settings: dict | None = None, notebooks: list[Path] = NOTEBOOKS
) -> Path:
    """Run ``notebooks`` with ``settings``, publish build/<profile>/report.html and figures/<profile>/.

    ``settings`` are parameters of the notebooks or fields of TrainConfig. Returns the path of the HTML report.

    Raises:
        LabError: bad settings, or a notebook failed; the last good report is as it was.
    """
    parameters = check_settings(profile, device, dict(settings or {}), notebooks)
    with exclusive(paths.BUILD / f".{profile}.busy"):  # a folder: one report of a profile at a time
        data.ensure(paths.DATA)
        start, stage, failed = (
            time.perf_counter(),
            paths.BUILD / f".{profile}.staging",
            paths.BUILD / f"{profile}-failed",
        )
        for folder in (stage, failed):
            shutil.rmtree(folder, ignore_errors=True)
        (stage / "figures").mkdir(parents=True)
        try:
            for number, notebook in enumerate(notebooks, 1):
                print(f"[{number}/{len(notebooks)}] {notebook.name}", flush=True)
                execute(notebook, stage / notebook.name, parameters, stage)
            report = render(stage, [n.name for n in notebooks], parameters, time.perf_counter() - start)
        except LabError:
            os.replace(stage, failed)
            print(f"the failed notebook is kept as {failed / notebook.name}", file=sys.stderr)
            raise
        shutil.rmtree(stage / "jupyter")
        publish(stage / "figures", paths.FIGURES / profile)
        publish(stage, paths.BUILD / profile)
        return paths.BUILD / profile / report.name


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


def main() -> None:
    """The command line: make a report, or print the last one to PDF."""
    parser = argparse.ArgumentParser(
        prog="python -m labkit.report.make", description=make_report.__doc__.splitlines()[0]
    )
    parser.add_argument(
        "settings", nargs="*", metavar="name=value", help="parameters of the notebooks or fields of TrainConfig"
    )
    parser.add_argument(
        "--profile",
        default="auto",
        help="smoke, quick or full; auto is full on a GPU or if its runs are there, else quick",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--pdf", action="store_true", help="print the report that was made to PDF")
    parser.add_argument(
        "--retrain", action="store_true", help=f"load no finished run: train anew, into {paths.RETRAINED}"
    )
    options = parser.parse_args()
    settings = dict(map(parse_setting, options.settings))
    own = {
        name: value
        for name, value in settings.items()
        if name in TrainConfig.__dataclass_fields__ and name not in ("model", "profile")
    }
    if options.retrain:
        paths.RUNS = paths.RETRAINED
        os.environ["LABKIT_RUNS"] = str(paths.RETRAINED)  # for the kernels
    profile = runs.choose_profile(options.profile, pick_device(options.device), **own)
    if options.retrain:
        for folder in (run_folder(config_for(model, profile, **own)) for model in MODELS):
            if (folder / "run.json").exists():  # of an earlier call; an interrupted training goes on
                shutil.rmtree(folder)
    made = make_pdf(profile) if options.pdf else make_report(profile, options.device, settings)
    print(f"report: {made}")


if __name__ == "__main__":
    signal.signal(
        signal.SIGTERM, signal.default_int_handler
    )  # as Ctrl-C: the kernel ends its step and keeps what is done
    try:
        main()
    except (LabError, subprocess.TimeoutExpired) as error:
        raise SystemExit(f"labkit: {error}") from None
    except OSError as error:
        raise SystemExit(f"labkit: {write_fault(Path(error.filename or paths.BUILD), 0, error)}") from None
    except (
        KeyboardInterrupt,
        asyncio.CancelledError,
    ):  # the second, if Ctrl-C came while the kernel was being waited for
        print("\nlabkit: interrupted: what is done is kept; run the same command to go on from there", file=sys.stderr)
        raise SystemExit(130) from None
