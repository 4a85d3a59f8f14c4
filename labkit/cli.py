"""The command line: what can be done, each with its options. `make` calls it."""

import argparse
import signal
from collections.abc import Callable
from pathlib import Path

from .base import paths
from .base import system as system  # first of all: without what it asks for, nothing below works
from .base.command import guarded, interrupt
from .base.errors import LabError

PROFILES = "smoke, quick or full; auto is full on a GPU or if its runs are at hand, else quick"


def says(text: str) -> Callable[[Callable], Callable]:
    """Decorate a command with its help, which it keeps where Python drops docstrings (PYTHONOPTIMIZE=2)."""

    def keep(command: Callable) -> Callable:
        command.__doc__ = text
        return command

    return keep


@says("Find or fetch a data set and verify it, or bring in a folder or an .npz of your own pictures.")
def data(options) -> None:
    from .data import loading

    loading.verify(loading.find(_dataset(options.what, options.name)))


@says("Train a GAN, go on with an interrupted training, or say where the finished run is.")
def train(options) -> None:
    from .base.machine import pick_device
    from .config import config_for
    from .evaluation.monitor import Monitor, Show
    from .report.settings import parse_settings
    from .training.runs import choose_profile, fit_or_load

    settings = _settings(parse_settings(options.settings), options.dataset)
    device = pick_device(options.device)
    profile = choose_profile(options.profile, device, **settings)
    show: Show | None = None
    if options.watch:
        from .figures.growth import to_file

        show = to_file
    monitor = Monitor(profile, device, show)
    run = fit_or_load(config_for(options.model, profile, **settings), device, monitor=monitor)
    print(f"{options.model}: {run.length}, in {run.folder}")


@says("Train many runs, on all cores or a cluster, and keep a record of each; go on with an interrupted study.")
def study(options) -> int:
    from .study.engine import study

    options.dataset = _dataset(options.dataset)
    return study(**{name: value for name, value in vars(options).items() if name != "run"})


@says("Measure every finished run, print the table, and write build/scores.json.")
def score(options) -> None:
    from .evaluation.scoring import score_all

    score_all(options.images, options.device, options.features, _dataset(options.dataset))


@says("Train the classifier of a data set anew that scores are measured with; all its scores begin anew.")
def classifier(options) -> None:
    from .evaluation.classifier import retrain

    retrain(_dataset(options.dataset))


@says("Execute the notebooks and publish build/<profile>/report.html and figures/<profile>/.")
def report(options) -> None:
    edition = _edition(options.edition)
    from .report.environment import clean_environment

    with clean_environment():  # before matplotlib is imported
        from .report.make import make_report
        from .report.settings import parse_settings

        settings = _settings(parse_settings(options.settings), options.dataset)
        more = {"retrain": options.retrain, "site": options.site, "edition": edition}
        made = make_report(options.profile, options.device, settings, **more)
    print(f"report: {made}")
    if options.site:
        print(f"site: {paths.BUILD / 'site'}")


@says("Print the report that was made to PDF, with a Chromium.")
def pdf(options) -> None:
    from .base.machine import pick_device
    from .report.pdf import make_pdf
    from .training.runs import choose_profile

    edition, dataset = _edition(options.edition), _dataset(options.dataset)
    profile = choose_profile(options.profile, pick_device(options.device), dataset=dataset)
    print(f"report: {make_pdf(profile, dataset, edition)}")


@says("Seal sentences about a training before it is run; without a file, judge by its measures what was sealed.")
def predict(options) -> int:
    from .base.machine import pick_device
    from .config import config_for
    from .report import predictions
    from .report.settings import parse_settings
    from .training.runs import choose_profile

    device = pick_device(options.device)
    if not options.sentences:
        seals, faults = predictions.chain(predictions.kept())
        print("\n".join([*predictions.lines(predictions.judge(seals, device=device)), *faults]) or "nothing was sealed")
        return int(bool(faults))
    settings = _settings(parse_settings(options.settings), options.dataset)
    profile = choose_profile(options.profile, device, **settings)
    sealed = predictions.predict(Path(options.sentences), config_for(options.model, profile, **settings))
    print(predictions.said(sealed))
    return 0


@says("Make the last report a hand-in: a title page, the student's answers, references; one zip with all of it.")
def handin(options) -> None:
    from . import texts
    from .report.environment import clean_environment

    with clean_environment(), texts.using(_edition(options.edition)):
        from .base.machine import pick_device
        from .report.handin import Who, hand_in
        from .training.runs import choose_profile

        who = Who.of(options.name, options.student, options.course, options.group)
        dataset = _dataset(options.dataset)
        profile = choose_profile(options.profile, pick_device(options.device), dataset=dataset)
        print(f"hand-in: {hand_in(who, profile, dataset, not options.no_code)}")


@says("Check hand-ins: that nothing in them was changed, and what is in them. Nothing of them is run.")
def verify(options) -> int:
    from .report.verify import from_options

    return from_options(options)


@says("Examine a generator that somebody wrote, or a class of them: a page for each, a table of all.")
def examine(options) -> int:
    from .examine.bench import from_options

    return from_options(options)


@says("Say what is wrong on this machine, and what mends it; changes nothing.")
def doctor(options) -> int:
    from .doctor import main

    return main()


def _edition(text: str) -> str:
    """The language that ``text`` says, or else the environment's LABKIT_EDITION, or else English."""
    from . import texts

    return texts.checked(text) if text else texts.edition()


def _dataset(text: str, name: str = "") -> str:
    """The name of the data set that ``text`` says, the default if nothing; a path is brought in first, as ``name``."""
    from . import data

    path = Path(text)
    if text and (name or path.suffix == ".npz" or "/" in text or path.is_dir()) and text not in data.DATASETS:
        return data.bring(path, name).name
    return data.find(text or data.DEFAULT).name


def _settings(settings: dict, dataset: str) -> dict:
    """``settings``, with ``dataset`` if one is given; its name there may be a path, too.

    Raises:
        LabError: it is given twice.
    """
    if dataset and "dataset" in settings:
        raise LabError(f"dataset is given twice, {dataset} and {settings['dataset']}: give it once")
    given = dataset or settings.get("dataset")
    if given and isinstance(given, str):
        return settings | {"dataset": _dataset(given)}
    return settings


COMMANDS = (data, train, study, score, classifier, report, pdf, predict, handin, verify, examine, doctor)


def parser() -> argparse.ArgumentParser:
    """All commands with their options."""
    top = argparse.ArgumentParser(prog="labkit", description="The GAN lab on Fashion-MNIST.")
    commands = top.add_subparsers(metavar="command", required=True)
    of = {}
    for command in COMMANDS:
        text = command.__doc__
        of[command] = commands.add_parser(command.__name__, help=text, description=text)
        of[command].set_defaults(run=command)
    of[data].add_argument(
        "what", nargs="?", default="", help="fashion_mnist (as if left out), mnist, kmnist, emnist-letters, or a path"
    )
    of[data].add_argument("--name", default="", help="of your own pictures; left out: that of the folder or file")
    for command in (train, study, score, classifier, report, pdf, predict, handin):
        of[command].add_argument(
            "--dataset", default="", help="mnist, kmnist, emnist-letters, the name or the path of your own pictures"
        )
    for command in (report, pdf, handin):
        of[command].add_argument(
            "--edition", default="", help="en or zh; left out: LABKIT_EDITION of the environment, or en"
        )
    of[train].add_argument("model", help="which GAN, for instance dcgan")
    of[train].add_argument(
        "--watch",
        action="store_true",
        help="draw the same eight latent vectors after every check: growth.png in the run",
    )
    for command, what in ((train, "fields of TrainConfig"), (report, "parameters of the notebooks or of TrainConfig")):
        of[command].add_argument("settings", nargs="*", metavar="name=value", help=f"{what}, for instance epochs=3")
    for command in (train, report, pdf, predict, handin):
        of[command].add_argument("--profile", default="auto", help=PROFILES)
    for command in (train, study, score, report, pdf, predict, handin):
        of[command].add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    of[report].add_argument(
        "--retrain", action="store_true", help=f"load no finished run: train anew, into {paths.RETRAINED}"
    )
    of[report].add_argument(
        "--site", action="store_true", help="also build/site/, for a static host, in every language"
    )
    _handin_options(of[predict], of[handin], of[verify])
    _study_options(of[study])
    _examine_options(of[examine])
    of[score].add_argument("--images", type=int, default=10_000, help="images of each kind, 100 to 10000")
    of[score].add_argument(
        "--features",
        default="classifier",
        choices=("classifier", "inception"),
        help="the space of the scores; inception gives the usual FID alone",
    )
    return top


def _handin_options(predict_, handin_, verify_) -> None:
    predict_.add_argument("sentences", nargs="?", default="", help="a TOML file, see docs/handin.md; left out: judge")
    predict_.add_argument("settings", nargs="*", metavar="name=value", help="of the training that they are about")
    predict_.add_argument("--model", default="dcgan", help="whose training (default: dcgan)")
    handin_.add_argument("--name", default="", help="title of the hand-in")
    handin_.add_argument("--student", default="", help="who hands in; several names as you write them")
    handin_.add_argument("--course", default="", help="on the title page, if given")
    handin_.add_argument("--group", default="", help="on the title page, if given")
    handin_.add_argument("--no-code", action="store_true", help="leave the code of the chapters out of the pages")
    verify_.add_argument("handins", nargs="+", metavar="handin", help="zips, or folders of zips")
    verify_.add_argument("--csv", default="", help="also a table, a row for each")


def _study_options(command: argparse.ArgumentParser) -> None:
    for name, default, what in (
        ("models", "vanilla,dcgan", "which GANs"),
        ("recipes", "ours,tutorial", "ours: that of the profile; tutorial: the defaults of TrainConfig"),
        ("seeds", "8", "how many, or which: 8 means 1 to 8, else 3,5,9"),
        ("looks", "", "epochs after which a run is measured; left out: 5, 10, 20 and the last"),
        ("without", "", "an arm for each of these parts left out, or for matching: with feature matching"),
        ("profile", "full", "smoke, quick or full: whose recipe is ours, and how much is measured"),
        ("name", "", "of the study; left out: seeds, with parts left out design, of smoke smoke"),
        ("scheduler", "", "tcp://host:port of a cluster of Dask to join, see docs/cluster.md"),
        ("weights", "", "seeds whose generators are kept beside their records, like 1,2"),
    ):
        command.add_argument(f"--{name}", default=default, help=f"{what} (default: {default or 'none'})")
    command.add_argument("--epochs", type=int, default=20, help="of each run (default: 20)")
    command.add_argument("--workers", type=int, default=0, help="processes to start; left out: one per GPU or core")
    command.add_argument("--group", type=int, default=0, help="seeds that a worker takes at a time; left out: 8 or 1")
    command.add_argument("--list", dest="only_list", action="store_true", help="say what is done, and train nothing")


def _examine_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "specs",
        nargs="+",
        metavar="submission",
        help="file.py:Class, a .pt of TorchScript, a .onnx, an .npz, a folder of pictures, or of submissions",
    )
    command.add_argument(
        "--arguments", nargs="*", default=[], metavar="name=value", help="of the class, when it is built"
    )
    for name, default, what in (
        ("weights", "", "file of the class's weights: a state_dict, or a checkpoint that holds one"),
        ("out", str(paths.BUILD / "examined"), "folder of the pages"),
        ("csv", "", "the table, a row for each submission; left out: table.csv beside the pages"),
        ("dims", "5,20,40,60,80", "dimensions whose grids are drawn"),
        ("sentences", "", "a TOML file of sentences about dimensions, each to be judged"),
    ):
        command.add_argument(f"--{name}", default=default, help=f"{what} (default: {default or 'none'})")
    command.add_argument("--latent", type=int, default=0, help="length of z; left out: it is found out")
    command.add_argument(
        "--seconds", type=float, default=120, help="that each submission's code may take (default: 120)"
    )
    command.add_argument("--memory", type=int, default=4096, help="MB that each may hold (default: 4096)")


def main(arguments: list[str] | None = None) -> int:
    """Do what ``arguments``, or else the command line, say; the exit status. A fault is one line."""

    def work():
        options = parser().parse_args(arguments)
        if options.run in (train, study, report, examine):  # as Ctrl-C: what is at hand is ended, what is done is kept
            signal.signal(signal.SIGTERM, interrupt)
        return options.run(options)

    return guarded(work)
