"""The command line: help for every command, one line for every fault, and a training from end to end."""

import json

import pytest

from labkit import cli
from labkit.base import paths

OPTIONS = {
    "data": ["what", "--name"],
    "train": ["model", "name=value", "--profile", "--device", "--watch", "--dataset"],
    "study": [
        *("--models", "--recipes", "--seeds", "--looks", "--without", "--profile", "--name", "--scheduler"),
        *("--weights", "--epochs", "--workers", "--group", "--list", "--device", "--dataset"),
    ],
    "score": ["--device", "--images", "--features", "--dataset"],
    "classifier": ["--dataset"],
    "report": ["name=value", "--profile", "--device", "--retrain", "--site", "--dataset", "--edition"],
    "pdf": ["--profile", "--device", "--dataset", "--edition"],
    "predict": ["sentences", "name=value", "--dataset", "--profile", "--device", "--model"],
    "handin": [
        *("--dataset", "--edition", "--profile", "--device", "--name", "--student", "--course", "--group", "--no-code"),
    ],
    "verify": ["handin", "--csv"],
    "examine": [
        *("submission", "--weights", "--arguments", "--latent", "--dims", "--sentences"),
        *("--out", "--csv", "--seconds", "--memory"),
    ],
    "doctor": [],
}
TINY = ["train", "vanilla", "epochs=1", "examples=64", "batch=8", "--profile", "smoke", "--device", "cpu"]


@pytest.fixture
def said(capsys):
    """``said(*arguments)``: (exit status, lines on stdout, lines on stderr) of the command line."""

    def call(*arguments):
        try:
            status = cli.main(list(arguments))
        except SystemExit as end:
            status = end.code
        out, err = capsys.readouterr()
        return status, out.splitlines(), err.splitlines()

    return call


@pytest.fixture
def broken(monkeypatch):
    """``broken(error)``: a command line with one command, `data`, that raises ``error``."""

    def plant(error):
        def data(options):
            """Break."""
            raise error

        monkeypatch.setattr(cli, "data", data)
        monkeypatch.setattr(cli, "COMMANDS", (data, *cli.COMMANDS[1:]))

    return plant


def test_the_list_of_commands_is_complete():
    assert [command.__name__ for command in cli.COMMANDS] == list(OPTIONS)


def test_help_names_every_command(said):
    status, out, err = said("--help")
    assert status == 0 and not err
    for command in cli.COMMANDS:
        assert [command.__name__] in [line.split()[:1] for line in out]
        assert " ".join(command.__doc__.split()) in " ".join(" ".join(out).split())


@pytest.mark.parametrize("command", OPTIONS)
def test_help_of_a_command_names_its_options(said, command):
    status, out, err = said(command, "--help")
    assert status == 0 and not err
    heads = {line.split()[0].rstrip(",") for line in out if line.startswith("  ") and line.split()}
    assert {*OPTIONS[command], "-h"} <= heads
    named = {head for head in heads if head.startswith("--")}
    assert named == {name for name in OPTIONS[command] if name.startswith("--")}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "the following arguments are required: command"),
        (["bake"], "invalid choice: 'bake'"),
        (["data", "--quickly"], "unrecognized arguments: --quickly"),
        (["train"], "the following arguments are required: model"),
        (["score", "--features", "pixels"], "invalid choice: 'pixels'"),
        (["score", "--images", "many"], "invalid int value: 'many'"),
    ],
)
def test_what_is_unknown_is_refused_with_the_usage(said, arguments, words):
    status, out, err = said(*arguments)
    assert status == 2 and not out
    assert err[0].startswith("usage: labkit") and err[-1].startswith("labkit") and words in err[-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "vanilla", "epochs=0"], "epochs = 0"),
        (["train", "vanilla", "epochs"], "epochs"),
        (["train", "vanilla", "--profile", "hasty"], "profile = 'hasty' is unknown"),
        (["train", "vanilla", "--device", "abacus"], "device = 'abacus' is unknown"),
        (["train", "stylegan"], "stylegan"),
        (["score", "--device", "cpu"], "no finished run"),
    ],
)
def test_a_wrong_setting_is_one_line(said, tmp_path, monkeypatch, arguments, words):
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    status, out, err = said(*arguments)
    assert status == 1 and not out
    assert len(err) == 1 and err[0].startswith("labkit: ") and words in err[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_training_is_trained_once(said, tmp_path, monkeypatch):
    """The second call says where the finished run is, with no step."""
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    status, out, _ = said(*TINY)
    assert status == 0
    (run,) = tmp_path.rglob("run.json")
    config = json.loads(run.read_bytes())["config"]
    assert (config["model"], config["epochs"], config["examples"], config["batch"]) == ("vanilla", 1, 64, 8)
    assert out[-1].startswith("vanilla: 1 epoch") and out[-1].endswith(f", in {run.parent}")
    assert (run.parent / "scores.json").exists()
    before = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.setattr("labkit.training.runs.train", None)
    assert said(*TINY) == (0, out[-1:], [])
    assert before == {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in before}


@pytest.mark.slow
def test_a_training_that_is_interrupted_says_what_is_kept(said, tmp_path, monkeypatch):
    """And the same command goes on from there, to the same end."""

    def press(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(paths, "RUNS", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr("labkit.training.runs.train", press)
        status, out, err = said(*TINY)
    assert status == 130 and len(err) == 1 and not list(tmp_path.rglob("run.json"))
    assert err[0].startswith("labkit: interrupted: vanilla has 0 of 1 epochs in ") and "to go on from there" in err[0]
    assert said(*TINY)[0] == 0 and len(list(tmp_path.rglob("run.json"))) == 1


def test_ctrl_c_is_one_line_and_130(said, broken):
    broken(KeyboardInterrupt())
    status, out, err = said("data")
    assert status == 130 and not out
    assert err[0] == "" and err[1:] == [
        "labkit: interrupted: what is done is kept; run the same command to go on from there"
    ]


def test_a_full_disk_is_one_line(said, broken, tmp_path):
    broken(OSError(28, "No space left on device", str(tmp_path / "kept")))
    status, out, err = said("data")
    assert status == 1 and not out
    assert len(err) == 1 and err[0].startswith("labkit: ") and str(tmp_path / "kept") in err[0] and "disk" in err[0]


def test_a_fault_of_the_program_is_not_hidden(broken):
    """What is no LabError is a mistake in the code, and its traceback is wanted."""
    broken(ZeroDivisionError("a mistake"))
    with pytest.raises(ZeroDivisionError, match="a mistake"):
        cli.main(["data"])
