"""Which run is whose; a longer run goes on from a shorter one; all that is shown is vouched for; damage is found."""

import errno
import functools
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

import labkit
from labkit import data, doctor
from labkit.base import cache, files, kept, paths
from labkit.base.errors import LabError
from labkit.base.files import exclusive, seal, sha256, write_atomic
from labkit.base.paths import ROOT
from labkit.evaluation import album, monitor
from labkit.evaluation.classifier import load_classifier
from labkit.evaluation.scoring import score_all
from labkit.page import bundle, worlds
from labkit.study import records
from labkit.training import runs, state
from labkit.training.checkpoints import checkpoints_in
from labkit.training.runs import fit_or_load, load_run, run_folder

RESULTS = ("generator.safetensors", "discriminator.safetensors", "history.safetensors")
SHIPPED = sorted((ROOT / "data/runs/full").glob("*/*/"))


@pytest.fixture(autouse=True, scope="module")
def few_z():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "trained_generator", functools.partial(state.trained_generator, n=100))
        yield


@pytest.fixture(scope="module")
def config_of(tiny_config):
    """``config_of(epochs)``: a network with all that a checkpoint must carry, two steps an epoch."""
    return lambda epochs: tiny_config("vanilla", epochs=epochs, examples=16, ema=0.9)


@pytest.fixture(scope="module")
def lengths(config_of, sample_images, tmp_path_factory):
    """The folders of runs of 1, 2 and 3 epochs, each trained by itself."""
    return {
        epochs: fit_or_load(config_of(epochs), "cpu", tmp_path_factory.mktemp("alone"), sample_images).folder
        for epochs in (1, 2, 3)
    }


def bits(folder):
    return {name: sha256((folder / name).read_bytes()) for name in RESULTS}


def put(folder, root):
    """A copy of the run in ``folder`` below ``root``, at the same place."""
    return shutil.copytree(folder, root.joinpath(*folder.parts[-3:]))


# ----- other pictures are another run


def test_a_run_on_other_pictures_has_a_folder_of_its_own(lengths, config_of, sample_images, tmp_path, monkeypatch):
    """In either order: neither is refused, mixed or given for the other."""
    config, other = config_of(1), 255 - sample_images
    first, second = (fit_or_load(config, "cpu", tmp_path, images) for images in (sample_images, other))
    assert first.folder != second.folder and bits(first.folder) == bits(lengths[1]) != bits(second.folder)
    assert first.folder.name == f"{second.folder.name[:-8]}{sha256(sample_images.numpy().tobytes())[:8]}"
    monkeypatch.setattr(runs, "train", None)
    for run, images in ((first, sample_images), (second, other)):
        assert fit_or_load(config, "cpu", tmp_path, images).folder == run.folder

    def fetch(split, dataset):
        raise LabError("the garments are wanted")

    monkeypatch.setattr(data, "load", fetch)
    with pytest.raises(LabError, match="the garments are wanted"):
        fit_or_load(config, "cpu", tmp_path)


@pytest.mark.parametrize("done", [True, False], ids=["finished", "half done"])
def test_an_old_run_on_other_pictures_under_a_plain_name(lengths, config_of, sample_images, tmp_path, done):
    """As versions 0.1 and 0.2 wrote it: known by what it says of itself, given for its own pictures alone."""
    config = config_of(1)
    plain = run_folder(config, tmp_path)
    assert plain.name == f"seed{config.seed}-{config.digest()}"
    shutil.copytree(lengths[1], plain)
    if not done:
        (plain / "run.json").unlink()
    before = {path.name: path.read_bytes() for path in plain.iterdir()}
    digest = sha256(sample_images.numpy().tobytes())
    assert run_folder(config, tmp_path, digest) == plain
    assert run_folder(config, tmp_path).name == f"{plain.name}-{data.FASHION_MNIST.images_sha256[:8]}"
    assert fit_or_load(config, "cpu", tmp_path, 255 - sample_images).folder != plain
    assert {path.name: path.read_bytes() for path in plain.iterdir()} == before
    assert fit_or_load(config, "cpu", tmp_path, sample_images).folder == plain


def test_shipped_runs_have_the_digest_of_the_training_set():
    assert len(SHIPPED) == 2 and {runs.images_of(folder) for folder in SHIPPED} == {runs.GARMENTS}
    assert sha256(data.load("train")[0].numpy().tobytes()) == runs.GARMENTS


def test_nothing_compares_other_pictures_with_garments(lengths, tmp_path, monkeypatch, capsys, refused):
    folder = put(lengths[1], tmp_path)
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    assert runs.finished() == [folder] and runs.finished(dataset="fashion_mnist") == []
    with refused("no finished run of model = 'vanilla'"):
        labkit.load("vanilla")
    with refused("no finished run"):
        score_all(10)
    assert f"{folder.relative_to(tmp_path)} is left out: it was trained on other pictures" in capsys.readouterr().out
    assert worlds.worlds("vanilla")[0] == folder and "other pictures" in worlds.label(folder)


# ----- a longer run goes on from a shorter one


@pytest.mark.parametrize("early", [False, True], ids=["at its end", "finished early"])
@pytest.mark.parametrize("shorter, longer", [(1, 2), (1, 3), (2, 3)])
def test_a_longer_run_goes_on(lengths, config_of, sample_images, tmp_path, monkeypatch, capsys, shorter, longer, early):
    """To the same bits as one that was trained at once, and the other run's folder stays as it is, locked or not."""
    if early:
        stop = pytest.MonkeyPatch()
        stop.setattr(runs, "checkpoint", functools.partial(stop_after, shorter, runs.checkpoint))
        with pytest.raises(LabError, match="interrupted"):
            fit_or_load(config_of(9), "cpu", tmp_path, sample_images)
        stop.undo()
        folder = runs.finish_early(config_of(9), tmp_path, sample_images).folder
    else:
        folder = put(lengths[shorter], tmp_path)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    epochs, real = [], runs.train
    monkeypatch.setattr(
        runs, "train", lambda states, *args, **kw: (epochs.append(states[0].epoch), real(states, *args, **kw))
    )
    with exclusive(folder):
        run = fit_or_load(config_of(longer), "cpu", tmp_path, sample_images)
    assert epochs == [shorter] and bits(run.folder) == bits(lengths[longer])
    assert torch.equal(run.history, load_run(lengths[longer]).history)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert f"goes on from epoch {shorter} of {folder.name}" in capsys.readouterr().out


def stop_after(epochs, save, one, folder):
    save(one, folder)
    if one.epoch == epochs:
        raise KeyboardInterrupt


def test_the_longest_that_is_not_beyond_and_of_the_same_pictures(
    lengths, config_of, tiny_config, sample_images, tmp_path, monkeypatch
):
    for epochs in (1, 3):
        put(lengths[epochs], tmp_path)
    fit_or_load(config_of(2), "cpu", tmp_path, 255 - sample_images)
    fit_or_load(tiny_config("vanilla", epochs=2, examples=16, ema=0.8), "cpu", tmp_path, sample_images)
    epochs, real = [], runs.train
    monkeypatch.setattr(
        runs, "train", lambda states, *args, **kw: (epochs.append(states[0].epoch), real(states, *args, **kw))
    )
    assert bits(fit_or_load(config_of(2), "cpu", tmp_path, sample_images).folder) == bits(lengths[2])
    assert epochs == [1]


def test_a_damaged_checkpoint_of_a_shorter_run_is_named_and_passed_over(
    lengths, config_of, sample_images, tmp_path, capsys
):
    one, two = (put(lengths[epochs], tmp_path) for epochs in (1, 2))
    (path,) = checkpoints_in(two)
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    run = fit_or_load(config_of(3), "cpu", tmp_path, sample_images)
    said = capsys.readouterr().out
    assert f"{path} is passed over" in said and f"from epoch 1 of {one.name}" in said
    assert path.exists() and bits(run.folder) == bits(lengths[3])


def test_an_alarm_of_the_shorter_run_is_taken_along(lengths, config_of, sample_images, tmp_path):
    folder = put(lengths[1], tmp_path)
    rows = [{"epoch": 1, "reasons": ["collapse: all alike"]}]
    kept.write(folder / "alarm.json", json.dumps(rows).encode())
    assert monitor.read(fit_or_load(config_of(2), "cpu", tmp_path, sample_images).folder / "alarm.json") == rows


# ----- whatever is damaged is found


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut(path):
    os.truncate(path, path.stat().st_size * 2 // 3)


def folder_instead(path):
    path.unlink()
    path.mkdir()


PLANTED = {"a flipped bit": flip, "cut": cut, "gone": Path.unlink, "a folder": folder_instead}
PLACES = {  # what the doctor looks at, and the check that does
    "vanilla": (SHIPPED[-1], lambda place: doctor.runs()),
    "dcgan": (SHIPPED[0], lambda place: doctor.runs()),
    "measured": (ROOT / "data/measured", lambda place: doctor.measured()),
    "record": (ROOT / "data/studies/seeds/dcgan-ours/seed2", lambda place: doctor.studies()),
    "vendored": (bundle.VENDORED, lambda place: [("FAIL", bundle.check_vendored(place))]),
}
PLANTS = [
    (where, path.name, how)
    for where, (place, _) in PLACES.items()
    for path in sorted(place.iterdir())
    if path.is_file()
    for how in PLANTED
]


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Copies of `PLACES` where the doctor looks for them; a test restores what it damages."""
    root = tmp_path_factory.mktemp("places")
    below = {"vanilla": "runs/full/vanilla/a", "dcgan": "runs/full/dcgan/a", "record": "studies/seeds/dcgan-ours/seed2"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "RUNS", root / "runs")
        patch.setattr(paths, "STUDIES", root / "studies")
        patch.setattr(paths, "GIVEN", root / "measured")
        yield {name: shutil.copytree(place, root / below.get(name, name)) for name, (place, _) in PLACES.items()}


@pytest.mark.parametrize("where, name, how", PLANTS)
def test_the_doctor_finds_it(places, where, name, how):
    path, look = places[where] / name, PLACES[where][1]
    whole = path.read_bytes()
    if where in ("vanilla", "dcgan"):  # the other one takes time, and is sound
        look = lambda place: doctor._faults_of_run(place, os.path.lexists(place / "run.json"))  # noqa: E731
    PLANTED[how](path)
    try:
        said = list(doctor.examine(lambda: look(path.parent)))
        assert any(state == "FAIL" and name in str(text) and ": " in text for state, text in said), said
        assert all(len(text.splitlines()) == 1 for _, text in said)
    finally:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        path.write_bytes(whole)


def test_the_doctor_is_content_with_what_ships(places):
    for name, (_, look) in PLACES.items():
        if name != "vendored":
            assert {state for state, _ in doctor.examine(lambda: look(places[name]))} == {"ok"}  # noqa: B023


def test_a_damaged_checkpoint_is_found(lengths, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    (path,) = checkpoints_in(put(lengths[1], tmp_path))
    flip(path)
    assert any(state == "FAIL" and str(path) in text for state, text in doctor.examine(doctor.runs))


def test_an_older_run_without_a_list_is_a_note_and_is_read(tmp_path, monkeypatch):
    """What stands there when something is first kept is vouched for from then on."""
    monkeypatch.setattr(paths, "RUNS", tmp_path)
    folder = tmp_path / "full/vanilla/old"
    folder.mkdir(parents=True)
    (folder / "scores.json").write_text('[{"epoch": 1}]')
    assert [state for state, _ in doctor.examine(doctor.runs)] == ["note", "ok"]
    assert monitor.read(folder / "scores.json") == [{"epoch": 1}]
    cache.save(folder, "atlas", (), {"a": torch.zeros(1)})
    assert [state for state, _ in doctor.examine(doctor.runs)] == ["ok"]
    flip(folder / "scores.json")
    assert {state for state, _ in doctor.examine(doctor.runs)} == {"FAIL", "ok"}


# ----- and by whoever reads it


@pytest.mark.parametrize("how", PLANTED)
def test_damaged_scores_and_alarms_are_named_and_never_pass_for_none(tmp_path, capsys, how):
    for name in ("scores.json", "alarm.json"):
        kept.write(tmp_path / name, json.dumps([{"epoch": 1, "reasons": ["collapse"]}]).encode())
        PLANTED[how](tmp_path / name)
        rows = monitor.read(tmp_path / name)
        assert rows == [] and rows.fault == f"{name} is damaged: left out"
        assert f"left out: {tmp_path / name} is " in capsys.readouterr().out


@pytest.mark.parametrize("how", PLANTED)
def test_a_damaged_measurement_is_named_and_made_anew(tmp_path, capsys, how):
    cache.save(tmp_path, "atlas", (), {"a": torch.zeros(9)})
    (path,) = tmp_path.glob("atlas-*")
    PLANTED[how](path)
    with pytest.raises(LookupError):
        cache.load(tmp_path, "atlas", ())
    assert (str(path) in capsys.readouterr().out) == (how != "gone")


def test_what_is_kept_is_vouched_for_at_every_moment(tmp_path, monkeypatch):
    """Killed before or after any step of a write, the file is the old one or the new one, and sound."""
    path = tmp_path / "scores.json"
    kept.write(path, b"old")
    real = os.replace

    def die(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", die)
    with pytest.raises(KeyboardInterrupt):
        kept.write(path, b"new")
    assert kept.read(path) == b"old" and kept.damages(tmp_path) == []
    monkeypatch.setattr(os, "replace", real)
    kept.write(path, b"new")
    assert kept.read(path) == b"new" and kept.damages(tmp_path) == []
    kept.compact(tmp_path)
    assert (tmp_path / kept.LIST).read_text() == f"{sha256(b'new')}  scores.json\n" and kept.read(path) == b"new"


# ----- reading: whatever the disk says


def deep(path):
    path.write_text("[" * 200_000)


def resealed(change):
    """A manifest with ``change`` made, which its own seal vouches for."""

    def damage(path):
        manifest = json.loads(path.read_bytes())
        change(manifest)
        path.write_text(json.dumps(manifest | {"sha256": seal(manifest)}))

    return damage


MANIFESTS = {
    "a folder": folder_instead,
    "nested": deep,
    "a loop of links": lambda path: (path.unlink(), path.symlink_to(path)),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\xfd"),
    "long numbers": lambda path: path.write_text('{"sha256": ' + "9" * 9000 + "}"),
    "no files": resealed(lambda manifest: manifest.pop("files")),
    "no config": resealed(lambda manifest: manifest.pop("config")),
    "no images": resealed(lambda manifest: manifest.pop("images_sha256")),
    "files as text": resealed(lambda manifest: manifest.update(files="generator.safetensors")),
    "no machine": resealed(lambda manifest: manifest.pop("machine", manifest.pop("machines", None))),
    "no time": resealed(lambda manifest: manifest.pop("seconds")),
}


@pytest.mark.parametrize("how", MANIFESTS)
def test_a_manifest_that_cannot_be_used(lengths, tmp_path, refused, how):
    folder = put(lengths[1], tmp_path)
    MANIFESTS[how](folder / "run.json")
    with refused(folder / "run.json"):
        load_run(folder)
    record = shutil.copytree(ROOT / "data/studies/seeds/dcgan-ours/seed3", tmp_path / "seed3")
    MANIFESTS[how](record / "record.json")
    with refused(record / "record.json"):
        records.load_record(record)


@pytest.fixture
def failing(monkeypatch):
    """``failing(name)``: reading any file whose name begins so ends in an input/output error, as on a dying disk."""
    reads, opens = Path.read_bytes, Path.open

    def begin(name, number=errno.EIO):
        def fail(path):
            if path.name.startswith(name):
                raise OSError(number, os.strerror(number), str(path))

        monkeypatch.setattr(Path, "read_bytes", lambda path: (fail(path), reads(path))[1])
        monkeypatch.setattr(Path, "open", lambda path, *args, **kw: (fail(path), opens(path, *args, **kw))[1])

    return begin


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.ESTALE], ids=errno.errorcode.get)
@pytest.mark.parametrize("name", [*RESULTS, "run.json"])
def test_a_disk_that_cannot_read_a_run(lengths, failing, refused, name, number):
    failing(name, number)
    with refused(lengths[1] / name, os.strerror(number)):
        load_run(lengths[1])


def test_a_disk_that_cannot_read_the_newest_checkpoint(lengths, config_of, sample_images, tmp_path, failing, capsys):
    """Training goes on from the one before; what could not be read stays."""
    folder = run_folder(config_of(3), tmp_path, sha256(sample_images.numpy().tobytes()))
    folder.mkdir(parents=True)
    with pytest.raises(LabError), pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "checkpoint", functools.partial(stop_after, 2, runs.checkpoint))
        fit_or_load(config_of(3), "cpu", tmp_path, sample_images)
    newest = checkpoints_in(folder)[0]
    failing(newest.name[:16])
    one = state.TrainState(config_of(3), "cpu", sha256(sample_images.numpy().tobytes()))
    runs.resume(one, folder)
    assert one.epoch == 1 and newest.exists()
    assert f"{newest} is not readable, {os.strerror(errno.EIO)}" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["ruler.json", "ruler.safetensors"])
def test_a_disk_that_cannot_read_the_classifier(failing, refused, name):
    failing(name)
    with refused("no scores without the classifier", os.strerror(errno.EIO)):
        load_classifier()


def test_a_disk_that_cannot_read_what_was_measured(tmp_path, failing, capsys):
    cache.save(tmp_path, "atlas", (), {"a": torch.zeros(9)})
    kept.write(tmp_path / "alarm.json", b"[]")
    kept.write(tmp_path / album.FILE, b"any")
    for name in ("atlas", "alarm", "album"):
        failing(name)
        if name == "atlas":
            with pytest.raises(LookupError):
                cache.load(tmp_path, "atlas", ())
        else:
            monitor.read(tmp_path / "alarm.json") if name == "alarm" else album.read(tmp_path)
        assert os.strerror(errno.EIO) in capsys.readouterr().out


@pytest.mark.parametrize("name", RESULTS)
def test_numbers_that_are_not_finite_are_refused_whoever_vouches_for_them(lengths, tmp_path, refused, name):
    folder = put(lengths[1], tmp_path)
    tensors = safetensors.torch.load((folder / name).read_bytes())
    next(value for value in tensors.values() if value.is_floating_point()).view(-1)[0] = torch.nan
    content = safetensors.torch.save(tensors)
    (folder / name).write_bytes(content)
    resealed(lambda manifest: manifest["files"].update({name: sha256(content)}))(folder / "run.json")
    with refused(folder / name, "not finite"):
        load_run(folder)


# ----- writing: parts, modes


def test_parts_of_the_dead_are_swept_and_those_of_the_living_are_not(tmp_path):
    """By whoever writes there next, whatever it is."""
    (tmp_path / ".atlas-x.safetensors.0a1b2c3d.part").write_bytes(b"half")
    (tmp_path / ".kept.abc.part").mkdir()
    (tmp_path / ".kept.abc.part/file").write_bytes(b"half")
    code = (
        "import sys; from pathlib import Path; from labkit.base.files import part_of\n"
        "with part_of(Path(sys.argv[1]) / 'file') as (part, f):\n    print(part, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, **pipes) as writer:
        try:
            part = Path(writer.stdout.readline().strip())
            write_atomic(tmp_path / "other", b"x")
            assert sorted(path.name for path in tmp_path.iterdir()) == sorted([part.name, "other"])
        finally:
            writer.kill()
    with exclusive(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == ["other"]


def test_a_measurement_made_anew_elsewhere_is_no_damage_and_one_that_is_gone_is(tmp_path):
    """The same number on another machine may differ in its last digits, and has another name."""
    old = kept.write(tmp_path / "atlas-0a1b-1111.safetensors", b"of one machine")
    old.unlink()
    assert [str(old) in line for line in kept.damages(tmp_path)] == [True]
    kept.write(tmp_path / "atlas-0a1b-2222.safetensors", b"of another")
    assert kept.damages(tmp_path) == []


@pytest.mark.parametrize("mask, mode", [(0o077, 0o600), (0o022, 0o644), (0o002, 0o664)])
def test_modes_are_the_umask_s(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        kept.write(tmp_path / "file", b"x")
    finally:
        os.umask(before)
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {mode}


def test_few_open_files_are_enough(tmp_path):
    code = (
        "import resource; from pathlib import Path; from labkit.base import kept\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "for i in range(40): kept.write(folder / f'atlas-{i}-0.safetensors', b'x')\n"
        "assert kept.damages(folder) == []"
    )
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_every_kind_of_fault_is_in_words():
    for error, words in (
        (FileNotFoundError(), "missing"),
        (OSError(errno.EIO, "Input/output error"), "not readable, Input/output error"),
        (RecursionError(), "nested too deeply"),
        (MemoryError(), "larger than the memory"),
        (KeyError("files"), "no entry 'files'"),
        (ValueError(), "ValueError"),
    ):
        assert files.fault_of(error) == words
