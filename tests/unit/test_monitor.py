"""The watch over real pictures, over failures that were planted, and over tiny trainings that it must not change."""

import copy
import functools
import io
import json
import math
import re
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn.functional import avg_pool2d, interpolate

from labkit import data, latent
from labkit.base.files import sha256
from labkit.base.rng import seeded
from labkit.config import config_for
from labkit.evaluation import metrics, monitor, scoring
from labkit.evaluation.monitor import (
    CHECKS,
    COPIED,
    COPIES,
    CROWDED,
    OF_FEW,
    RECORDED,
    SETTLED,
    STRETCH,
    Monitor,
    alarm,
    check,
    read,
    won,
)
from labkit.evaluation.scoring import load_reference
from labkit.figures import curves, palette
from labkit.gans import reported
from labkit.study import records
from labkit.texts import using
from labkit.training import loop, runs
from labkit.training import state as training_state
from labkit.training.loop import train
from labkit.training.runs import fit_or_load, run_folder
from labkit.training.state import TrainState

N = 200  # pictures of a check
ZS = 100  # latent vectors for BatchNorm's statistics at the end of a training
FAIR = torch.full((1, 1, 4), 0.5)  # a history of which no alarm speaks


@pytest.fixture(autouse=True, scope="module")
def few():
    """Of a set of at most a thousand every subset is the whole; and a tiny run needs no ten thousand vectors."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metrics, "SUBSETS", 5)
        patch.setattr(runs, "trained_generator", functools.partial(training_state.trained_generator, n=ZS))
        yield


@pytest.fixture(scope="module")
def reference():
    return load_reference(N)


@pytest.fixture(scope="module")
def fewer():
    """For the checks of a tiny training."""
    return load_reference(100)


class Deck(nn.Module):
    """A generator that deals out given pictures, one after the other."""

    def __init__(self, images):
        super().__init__()
        self.images, self.dealt, self.scale = images, 0, nn.Parameter(torch.ones(()))

    def forward(self, z):
        self.dealt += len(z)
        return self.images[self.dealt - len(z) : self.dealt] * self.scale


def rows_of(text):
    """JSON as the standard has it: no NaN, no Infinity."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


# ----- the alarm, on pictures


@pytest.fixture
def checked(reference, tiny_config, monkeypatch):
    """``checked(images)``: the scores of a training whose generator draws these."""

    def scores(images):
        assert len(images) == N
        monkeypatch.setattr(monitor, "trained_generator", lambda state, n: Deck(images))
        return check(TrainState(tiny_config("vanilla", latent_dim=3)), reference)

    return scores


def with_noise(images, size):
    with seeded("noise"):
        return (images + size * torch.randn(N, 1, 28, 28)).clamp(-1, 1)


COLLAPSED = {
    "grey": lambda r: torch.zeros(N, 1, 28, 28),
    "one image": lambda r: r.floor[:1].expand(N, -1, -1, -1),
    "one image with a little noise": lambda r: with_noise(r.floor[:1], 0.01),
    "five images": lambda r: r.floor[:5].repeat(N // 5, 1, 1, 1),
    "every image four times": lambda r: r.floor[: N // 4].repeat(4, 1, 1, 1),
    "two of three the same": lambda r: torch.cat([r.floor[: N // 3], r.floor[:1].expand(N - N // 3, -1, -1, -1)]),
}


@pytest.mark.parametrize("name", COLLAPSED)
def test_a_collapse_is_called_one_once_the_training_has_settled(reference, checked, name):
    found = checked(COLLAPSED[name](reference))
    for steps in (SETTLED, 100 * SETTLED):
        (reason,) = alarm(found, steps)
        assert reason.startswith("collapse: ") and "alarm above 10" in reason
    assert alarm(found, 0) == alarm(found, SETTLED - 1) == []


HEALTHY = {
    "test images": lambda r: r.real,
    "unseen test images": lambda r: load_reference(2 * N).real[N:],
    "other training images": lambda r: r.floor,
    "blurred": lambda r: interpolate(avg_pool2d(r.floor, 4), scale_factor=4),
    "every image twice": lambda r: r.floor[: N // 2].repeat(2, 1, 1, 1),
    "much noise on one image": lambda r: with_noise(r.floor[:1], 0.3),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_other_pictures_are_passed_in_silence(reference, checked, name):
    """Also poor ones: they are no collapse, and their scores say what they are."""
    assert alarm(checked(HEALTHY[name](reference)), 10 * SETTLED) == []


MEMORISED = {
    "all": lambda r: r.seen,
    "with a little noise": lambda r: with_noise(r.seen, 0.02),
    "half of them": lambda r: torch.cat([r.floor[: N // 2], r.seen[N // 2 :]]),
    "one in five": lambda r: torch.cat([r.seen[: N // 5], r.floor[N // 5 :]]),
}


@pytest.mark.parametrize("name", MEMORISED)
def test_copies_of_training_images_are_noticed_from_the_first_step_on(reference, checked, name):
    found = checked(MEMORISED[name](reference))
    for steps in (1, SETTLED):
        (reason,) = alarm(found, steps)
        assert reason.startswith("memorisation: ") and f"{found['neighbour_ratio']:.2f} times as far" in reason


def test_five_training_images_again_and_again_are_both(reference, checked):
    found = checked(reference.seen[:5].repeat(N // 5, 1, 1, 1))
    assert [reason.partition(":")[0] for reason in alarm(found, SETTLED)] == ["collapse", "memorisation"]
    assert [reason.partition(":")[0] for reason in alarm(found, SETTLED - 1)] == ["memorisation"]


@pytest.mark.parametrize(
    ("crowding", "ratio", "copies", "steps", "expected"),
    [
        (CROWDED, COPIED, COPIES, SETTLED, []),
        (CROWDED - 1e-6, COPIED, COPIES, SETTLED, ["collapse"]),
        (CROWDED - 1e-6, COPIED, COPIES, SETTLED - 1, []),
        (CROWDED, COPIED - 1e-6, 0.0, SETTLED, ["memorisation"]),
        (CROWDED, 1.0, COPIES + 1e-6, SETTLED, ["memorisation"]),
        (CROWDED - 1e-6, COPIED - 1e-6, OF_FEW, SETTLED, ["collapse"]),  # of a few pictures, again and again
        (CROWDED - 1e-6, 1.0, OF_FEW + 1e-6, SETTLED, ["collapse", "memorisation"]),
        (0.0, 0.0, 1.0, SETTLED, ["collapse", "memorisation"]),
        (0.0, 0.0, 1.0, 0, ["memorisation"]),
        (1.0, math.inf, 0.0, SETTLED, []),
    ],
)
def test_the_edges(crowding, ratio, copies, steps, expected):
    reasons = alarm({"crowding": crowding, "neighbour_ratio": ratio, "copies": copies, "copying": -99.0}, steps)
    assert [reason.partition(":")[0] for reason in reasons] == expected


def test_the_sentences():
    reasons = alarm({"crowding": 0.04, "neighbour_ratio": 0.256, "copies": 0.6, "copying": -31.26}, SETTLED)
    assert reasons == [
        "collapse: the pictures are 25 times as close to one another as real ones (alarm above 10)",
        "memorisation: 60.0% of the pictures are copies (alarm above 50%), all are 0.26 times as far from training "
        "pictures as from unseen ones (alarm below 0.8); test of data copying: z = -31.3",
    ]


# ----- how few copies are noticed

THOUSAND = 1000


@pytest.fixture(scope="module")
def larger():
    return load_reference(THOUSAND)


def shipped(model):
    run = runs.load_run(runs.run_folder(config_for(model, "full")))
    return lambda r: latent.sample(run.generator(), latent.latents(THOUSAND, run.config.latent_dim, 2000))


ORIGINALS = {
    "other training images": lambda r: r.floor,
    "blurred": lambda r: interpolate(avg_pool2d(r.floor, 4), scale_factor=4),
    **{f"a trained {model}": shipped(model) for model in reported()},
}


@pytest.mark.parametrize("name", ORIGINALS)
def test_two_copies_in_a_hundred_are_noticed(larger, name):
    """Of any training images, among good and poor pictures; without them all is silent."""
    images = ORIGINALS[name](larger)
    with seeded("copied"):
        copied = data.to_unit(data.load("train")[0][torch.randperm(60_000)[: THOUSAND // 50]])

    def found(images):
        sample = scoring.take(images, larger)
        scores = {**scoring.measures(sample, only=("copying",)), **monitor.copies(sample), "crowding": 1.0}
        return scores, alarm(scores, SETTLED)

    honest, silence = found(images)
    mixed, (reason,) = found(torch.cat([copied, images[len(copied) :]]))
    assert silence == [] and honest["copies"] < 0.005 and 0.95 < honest["neighbour_ratio"] < 1.15
    assert reason.startswith("memorisation: ") and mixed["copies"] == pytest.approx(0.02, abs=0.005)
    assert mixed["copying"] < honest["copying"] and mixed["neighbour_ratio"] < honest["neighbour_ratio"]


# ----- what is measured


def test_a_check_against_the_scores_of_the_same_pictures(reference, tiny_config):
    state = TrainState(tiny_config("vanilla", latent_dim=7))
    state.epoch = 2
    found = check(state, reference)
    assert list(found) == ["epoch", *RECORDED] and found["epoch"] == 2
    g = training_state.trained_generator(state, n=1000)
    images = latent.sample(g, latent.latents(N, 7, 2000))
    scores = scoring.score(images, reference)
    assert {name: found[name] for name in monitor.SCORES} == {name: scores[name] for name in monitor.SCORES}
    assert set(RECORDED) == {*monitor.SCORES, "neighbour_ratio", "copies", "crowding", "images"}
    assert found["images"] == N

    space = scoring.pixel_space()
    points, real = (space.features(x).double() for x in (images, reference.real))
    floor = torch.cdist(space.train.double(), space.features(reference.floor).double()).amin(1) < 1e-3
    searched, unseen = space.train[~floor].double(), space.test.double()
    assert 60_000 - N - 10 < len(searched) <= 60_000 - N  # a few training images are there twice
    near, far = (torch.cdist(points, others).amin(1) for others in (searched, unseen))
    real_near, real_far = torch.cdist(real, searched).amin(1), torch.cdist(real, unseen).topk(2, largest=False)[0][:, 1]
    usual = real_near.mean() / real_far.mean()
    assert found["neighbour_ratio"] == pytest.approx((near.mean() / far.mean() / usual).item(), rel=1e-3)
    assert found["copies"] == (near / far < 0.3).double().mean()

    def typical(images):
        """The median over the pictures of the distance to the third nearest other one."""
        features = reference.classifier.measure(images)[0].double()
        third = [(features - row).norm(dim=1).sort().values[3].item() for row in features]
        return sorted(third)[(N - 1) // 2]

    assert found["crowding"] == pytest.approx(typical(images) / typical(reference.real), rel=1e-3)


def test_real_pictures_are_as_far_apart_as_real_pictures(reference, checked):
    assert checked(reference.real)["crowding"] == 1
    assert checked(reference.floor)["crowding"] == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("model", reported())
def test_a_check_changes_nothing(reference, tiny_config, model):
    state = TrainState(tiny_config(model, latent_dim=7, ema=0.9))
    state.g.train()
    tensors, random = copy.deepcopy(state.tensors()), torch.get_rng_state()
    check(state, reference)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(value, tensors[name]) for name, value in state.tensors().items())
    assert all(module.training for module in state.g.modules())


@pytest.mark.slow
def test_the_average_is_what_is_checked(reference, tiny_config):
    """As it is the average that the run will keep."""
    state = TrainState(tiny_config("vanilla", latent_dim=7, ema=0.9))
    expected = check(state, reference)
    nn.init.zeros_(state.g.output[0].weight)
    assert check(state, reference) == expected
    nn.init.zeros_(state.average.module.output[0].weight)
    assert alarm(check(state, reference), SETTLED)[0].startswith("collapse")


@pytest.mark.slow
def test_a_healthy_training_and_the_same_with_a_dead_layer(reference, tiny_config, sample_images):
    """Some two hundred steps on real images; then the last layer forgets what it was told."""
    state = TrainState(tiny_config("vanilla", epochs=3, examples=512, latent_dim=20))
    untrained = check(state, reference)
    loop.train(state, sample_images)
    found = check(state, reference)
    assert alarm(found, SETTLED) == [] and found["frechet"] < 0.8 * untrained["frechet"]
    nn.init.zeros_(state.g.output[0].weight)
    (reason,) = alarm(check(state, reference), SETTLED)
    assert reason.startswith("collapse: ")


# ----- over a training


def small(reference):
    """A watch that has its pictures at hand."""
    watcher = Monitor("smoke")
    watcher.reference = reference
    return watcher


def config_of(tiny_config, epochs=4):
    """Two steps an epoch."""
    return tiny_config("vanilla", epochs=epochs, examples=16, latent_dim=6, ema=0.9)


@pytest.fixture(scope="module")
def straight(fewer, tiny_config, sample_images, tmp_path_factory):
    """The folder of a watched training that nobody interrupted."""
    return fit_or_load(
        config_of(tiny_config), "cpu", tmp_path_factory.mktemp("straight"), sample_images, small(fewer)
    ).folder


def collapsed(state, n):
    """The trained generator, its last layer's weights zero: one picture, whatever z."""
    g = training_state.trained_generator(state, n)
    nn.init.zeros_(g.output[0].weight)
    return g


def plant(patch):
    """From the second epoch on, which is after four steps, the watch sees a generator that has collapsed."""
    patch.setattr(monitor, "SETTLED", 4)
    patch.setattr(monitor, "trained_generator", collapsed)


@pytest.fixture(scope="module")
def fallen(fewer, tiny_config, sample_images, tmp_path_factory):
    """The same training with alarms."""
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        return fit_or_load(
            config_of(tiny_config), "cpu", tmp_path_factory.mktemp("fallen"), sample_images, small(fewer)
        )


def epochs_in(path):
    return [row["epoch"] for row in rows_of(path.read_bytes())]


def healthy(epoch, images=N):
    """A row that gives no alarm."""
    return {"epoch": epoch, "crowding": 1.0, "neighbour_ratio": 1.0, "copies": 0.0, "images": images}


def test_scores_of_another_number_of_pictures_are_not_kept_beside(tiny_config, tmp_path, monkeypatch):
    watcher = small("pictures")
    monkeypatch.setattr(monitor, "trained_generator", lambda state, n: None)
    monkeypatch.setattr(monitor.album, "keep", lambda *arguments: None)
    rows = iter([healthy(1, 200), healthy(2, 200), healthy(3, 300), healthy(4, 300)])
    monkeypatch.setattr(monitor, "check", lambda *given: next(rows))
    for epoch in (1, 2, 3, 4):
        watcher(SimpleNamespace(epoch=epoch, config=tiny_config("vanilla", epochs=4), history=FAIR), tmp_path)
    assert [(row["epoch"], row["images"]) for row in read(tmp_path / "scores.json")] == [(3, 300), (4, 300)]


@pytest.mark.parametrize(("profile", "n"), [("smoke", 200), ("quick", 2000), ("full", 2000)])
def test_how_many_pictures(profile, n, tmp_path, monkeypatch):
    """As many as a report of that profile looks at, but no more than can be waited for."""
    asked = []
    monkeypatch.setattr(monitor, "load_reference", lambda *options: asked.append(options))
    monkeypatch.setattr(monitor, "trained_generator", lambda state, n: None)
    monkeypatch.setattr(monitor.album, "keep", lambda *arguments: None)
    monkeypatch.setattr(monitor, "check", lambda state, reference: healthy(1))
    config = SimpleNamespace(epochs=1, steps=1, latent_dim=100, loss="non-saturating", dataset="fashion_mnist")
    Monitor(profile, "some device")(SimpleNamespace(epoch=1, config=config, history=FAIR), tmp_path)
    assert asked == [(n, "some device", "fashion_mnist")]


@pytest.mark.slow
def test_the_pictures_are_read_once_and_not_before_the_first_check(tiny_config, sample_images, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(monitor, "load_reference", lambda n, device, *_: asked.append(n) or load_reference(n, device))
    watcher = Monitor("smoke")
    assert not asked
    folder = fit_or_load(config_of(tiny_config, epochs=2), "cpu", tmp_path, sample_images, watcher).folder
    assert asked == [200] and len(watcher.reference.real) == 200
    assert epochs_in(folder / "scores.json") == [1, 2]


@pytest.mark.slow
def test_scores_json_holds_what_each_epoch_was_worth(straight, fewer, tiny_config, sample_images):
    rows, expected = rows_of((straight / "scores.json").read_bytes()), []
    loop.train(TrainState(config_of(tiny_config)), sample_images, lambda state: expected.append(check(state, fewer)))
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    assert rows == expected == read(straight / "scores.json")
    assert all(
        list(row) == ["epoch", *RECORDED] and all(math.isfinite(value) for value in row.values()) for row in rows
    )
    assert not (straight / "alarm.json").exists()


@pytest.mark.slow
def test_a_watched_training_gives_the_same_bits(straight, fallen, tiny_config, sample_images, tmp_path):
    """Also one that sounds the alarm."""
    unwatched = fit_or_load(config_of(tiny_config), "cpu", tmp_path, sample_images)
    assert unwatched.manifest["files"] == runs.load_run(straight).manifest["files"] == fallen.manifest["files"]
    assert not (unwatched.folder / "scores.json").exists()


def stopped_after(watcher, epoch):
    """Ctrl-C when that epoch has been watched."""

    def watched(state, folder):
        watcher(state, folder)
        if state.epoch == epoch:
            raise KeyboardInterrupt

    return watched


def followed(watcher, log):
    """Adds the epochs in scores.json to ``log`` after every epoch."""

    def watched(state, folder):
        watcher(state, folder)
        log.append(epochs_in(folder / "scores.json"))

    return watched


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 2], ids=["no checkpoint", "all checkpoints"])
def test_interrupted_and_resumed(fallen, fewer, tiny_config, sample_images, tmp_path, monkeypatch, refused, lost):
    """With checkpoints lost, the training goes back further than the watch had come: no row and no alarm is doubled."""
    plant(monkeypatch)
    config, log = config_of(tiny_config), []
    folder = run_folder(config, tmp_path, sha256(sample_images.numpy().tobytes()))
    with refused("3 of 4 epochs"):
        fit_or_load(config, "cpu", tmp_path, sample_images, stopped_after(small(fewer), 3))
    assert epochs_in(folder / "scores.json") == [1, 2, 3] and epochs_in(folder / "alarm.json") == [2, 3]
    for path in sorted(folder.glob("checkpoint-*"), reverse=True)[:lost]:
        path.unlink()
    run = fit_or_load(config, "cpu", tmp_path, sample_images, followed(small(fewer), log))
    assert log == [
        list(range(1, epoch + 1)) for epoch in range(1 if lost else 3, 5)
    ]  # an epoch that was saved is looked at again
    for name in ("scores.json", "alarm.json"):
        assert (folder / name).read_bytes() == (fallen.folder / name).read_bytes()
    assert run.manifest["files"] == fallen.manifest["files"]


@pytest.mark.slow
def test_a_damaged_scores_json_does_not_stop_a_training(fewer, tiny_config, sample_images, tmp_path):
    watcher = small(fewer)

    def damaging(state, folder):
        watcher(state, folder)
        if state.epoch == 2:
            (folder / "scores.json").write_bytes((folder / "scores.json").read_bytes()[:-9])

    folder = fit_or_load(config_of(tiny_config, epochs=3), "cpu", tmp_path, sample_images, damaging).folder
    assert epochs_in(folder / "scores.json") == [3]


@pytest.mark.slow
def test_a_collapse_is_written_down_and_the_training_goes_on(fallen):
    scores, alarms = (rows_of((fallen.folder / name).read_bytes()) for name in ("scores.json", "alarm.json"))
    assert [row["epoch"] for row in scores] == [1, 2, 3, 4] and [row["epoch"] for row in alarms] == [2, 3, 4]
    for row, scored in zip(alarms, scores[1:]):
        assert list(row) == ["epoch", "reasons", *RECORDED] and {name: row[name] for name in scored} == scored
        assert row["reasons"] == alarm(scored, SETTLED) and row["reasons"][0].startswith("collapse: ")
    assert read(fallen.folder / "alarm.json") == alarms
    assert fallen.epochs == 4


@pytest.mark.slow
def test_an_alarm_is_sounded_aloud(fewer, tiny_config, tmp_path, monkeypatch, capsys):
    plant(monkeypatch)
    state = TrainState(config_of(tiny_config))
    for state.epoch in (1, 2):
        small(fewer)(state, tmp_path)
    (row,) = read(tmp_path / "alarm.json")
    assert capsys.readouterr().out == f"\nalarm after epoch 2: {row['reasons'][0]}\n"


@pytest.mark.slow
def test_memorisation_is_written_down_at_once(fewer, tiny_config, sample_images, tmp_path, monkeypatch):
    monkeypatch.setattr(monitor, "trained_generator", lambda state, n: Deck(fewer.seen))
    run = fit_or_load(config_of(tiny_config, epochs=1), "cpu", tmp_path, sample_images, small(fewer))
    (row,) = read(run.folder / "alarm.json")
    assert row["epoch"] == 1 and [reason.partition(":")[0] for reason in row["reasons"]] == ["memorisation"]


def test_a_generator_that_knows_all_training_images_by_heart(checked):
    """Few of those that a state draws are among the few that scores are measured with; the alarm looks among more."""
    with seeded("by heart"):
        picked = torch.randperm(60_000)[:N]
    found = checked(data.to_unit(data.load("train")[0][picked]))
    assert alarm(found, SETTLED) and found["neighbour_ratio"] < COPIED


# ----- when


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        (1, [1]),
        (2, [1, 2]),
        (40, range(1, 41)),
        (80, range(2, 81, 2)),
        (200, range(5, 201, 5)),
        (203, [*range(6, 203, 6), 203]),  # the last one always
        (4000, range(100, 4001, 100)),
    ],
)
def test_which_epochs_are_checked(epochs, expected, tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(monitor, "trained_generator", lambda state, n: None)
    monkeypatch.setattr(monitor.album, "keep", lambda *arguments: None)
    monkeypatch.setattr(monitor, "check", lambda state, reference: healthy(state.epoch))
    watcher, config = small("pictures"), tiny_config("vanilla", epochs=epochs)
    for epoch in range(1, epochs + 1):
        watcher(SimpleNamespace(epoch=epoch, steps=4, config=config, history=FAIR), tmp_path)
    checked = [row["epoch"] for row in read(tmp_path / "scores.json")]
    assert checked == list(expected) and len(checked) <= CHECKS


# ----- reading


@pytest.mark.parametrize(
    "rows", [[], [{"epoch": 3, "frechet": 1.5}], [{"epoch": 1}, {"epoch": 2, "reasons": ["collapse: ..."]}]], ids=str
)
def test_rows_are_read(tmp_path, rows):
    (tmp_path / "scores.json").write_text(json.dumps(rows))
    assert read(tmp_path / "scores.json") == rows


SPOILT = [
    *(b"", b"no JSON", b'[{"epoch": 1}', b'[{"epoch": 1}]]', b"\xff\xfe", b"\0" * 40),
    *(b"{}", b'""', b"null", b"3", b"true", b'"text"', b'{"epoch": 1}', b"[1, 2]", b"[null]", b"[[]]", b'["epoch"]'),
    *(
        b"[{}]",
        b'[{"epoch": "1"}]',
        b'[{"epoch": 1.5}]',
        b'[{"epoch": null}]',
        b'[{"epoch": true}]',
        b'[{"epoch": 1}, {"frechet": 1}]',
    ),
]


@pytest.mark.parametrize("content", SPOILT, ids=repr)
def test_what_is_no_table_has_no_rows(tmp_path, content):
    (tmp_path / "scores.json").write_bytes(content)
    assert read(tmp_path / "scores.json") == []


def test_a_file_that_is_not_there_has_no_rows(tmp_path):
    (tmp_path / "folder.json").mkdir()
    assert (
        read(tmp_path / "nothing.json")
        == read(tmp_path / "no folder" / "scores.json")
        == read(tmp_path / "folder.json")
        == []
    )


# ----- the figure


@pytest.mark.slow
def test_the_figure_shows_the_scores_and_marks_the_alarms(fallen):
    scores, alarms = (read(fallen.folder / name) for name in ("scores.json", "alarm.json"))
    figure = curves.loss_curves(fallen.history, "a training", scores, alarms)
    figure.savefig(io.BytesIO(), format="svg")
    panel, shares = figure.axes[2:]
    assert panel.get_title("left") == "Scores of 100 samples"
    curve, *marks = panel.get_lines()
    assert curve.get_xdata().tolist() == [1, 2, 3, 4] and curve.get_ydata().tolist() == [
        row["frechet"] for row in scores
    ]
    for line, name in zip(shares.get_lines(), ("precision", "recall"), strict=True):
        assert line.get_label() == name and line.get_ydata().tolist() == [row[name] for row in scores]
    assert [(list(mark.get_xdata()), mark.get_color()) for mark in marks] == [
        ([epoch, epoch], palette.WRONG) for epoch in (2, 3, 4)
    ]
    assert [(text.get_position()[0], text.get_text().strip()) for text in panel.texts[1:]] == [
        (epoch, "collapse") for epoch in (2, 3, 4)
    ]


@pytest.mark.slow
def test_the_figure_of_a_training_without_alarms(straight):
    history, scores = runs.load_run(straight).history, read(straight / "scores.json")
    panel = curves.loss_curves(history, "a training", scores, read(straight / "alarm.json")).axes[2]
    assert len(panel.get_lines()) == 1 and [text.get_text() for text in panel.texts] == ["Fréchet distance"]
    assert len(curves.loss_curves(history, "a training", read(straight / "nothing.json"), []).axes) == 2


# ----- a discriminator that has won


def history_of(d_real, d_fake, steps=STRETCH, loss_d=0.001):
    return torch.tensor([loss_d, 9.0, d_real, d_fake]).expand(1, steps, 4)


def test_a_discriminator_that_has_won_is_named_in_words():
    (reason,) = won(history_of(0.999, 0.0004))
    assert reason.startswith("D has won: ") and "0.0004" in reason and "lr_d" in reason
    assert won(torch.cat([history_of(0.6, 0.4, 900, 1.2), history_of(0.9, 0.001, 900)], 1))
    assert won(history_of(0.9, 0.001, 10).expand(10, 10, 4))  # epochs of ten steps
    assert won(history_of(0.98, 0.016))  # where a vanilla GAN's D that learns ten times as fast comes to rest


@pytest.mark.parametrize(
    ("history", "loss"),
    [
        (history_of(0.999, 0.0004, STRETCH - 1), "non-saturating"),
        (history_of(0.999, 0.05), "non-saturating"),
        (history_of(0.001, 0.001), "non-saturating"),  # it answers no to everything
        (history_of(30.0, -30.0), "wgan-gp"),
        (history_of(30.0, -30.0), "relativistic"),
        (torch.cat([history_of(0.999, 0.0004, 900), history_of(0.6, 0.4, 60)], 1), "non-saturating"),  # it had won once
        (torch.zeros(0, 5, 4), "non-saturating"),
    ],
)
def test_of_others_nothing_is_said(history, loss):
    assert won(history, loss) == []


def test_no_run_and_no_record_that_ships_has_such_a_discriminator():
    """At the end of no epoch, nor half-way."""
    found = [(run.history, run.config.loss) for run in map(runs.load_run, runs.finished())]
    found += [(record.history, record.config.loss) for arm in records.shipped().values() for record in arm]
    assert len(found) >= 2
    for history, loss in found:
        steps = history.reshape(1, -1, 4)
        assert not any(won(steps[:, :end], loss) for end in range(STRETCH, steps.shape[1] + 1, STRETCH // 2))


@pytest.mark.slow
def test_a_training_whose_discriminator_wins_says_so_within_200_steps(tiny_config, sample_images):
    usual = TrainState(tiny_config("dcgan", epochs=12, examples=128, batch=8))
    lost = TrainState(tiny_config("dcgan", epochs=12, examples=128, batch=8, lr=1e-5, lr_d=2e-3))
    for state in (usual, lost):
        train(state, sample_images[:128])
    assert won(lost.history) and not won(usual.history)


def test_an_alarm_has_a_name_in_every_language():
    """The words before the colon of every reason that can be given."""
    found = {"copies": 0.6, "copying": 0.0, "neighbour_ratio": 0.5}
    reasons = [*monitor.alarm({**found, "crowding": 0.01}, 10_000), *monitor.alarm({**found, "crowding": 1.0}, 10_000)]
    reasons += monitor.won(torch.tensor([[0.01, 4.0, 0.99, 0.01]]).expand(1, monitor.STRETCH, 4))
    named = {monitor.cause({"reasons": [reason]}) for reason in reasons}
    assert named == {"collapse", "memorisation", "D has won"} and monitor.cause({}) == "alarm"
    with using("zh"):
        spoken = {monitor.cause({"reasons": [reason]}) for reason in reasons} | {monitor.cause({})}
        assert len(spoken) == 4 and not re.search("alarm|collapse|memorisation|won", " ".join(spoken))
