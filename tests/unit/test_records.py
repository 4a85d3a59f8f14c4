"""What a study trains, and what is kept of its runs."""

import json
import random
import shutil
import zlib

import pytest
import safetensors.torch
import torch

from labkit import latent
from labkit.base import paths
from labkit.base.errors import LabError
from labkit.base.files import seal, sha256
from labkit.config import TrainConfig, config_for
from labkit.evaluation import album, scoring
from labkit.study import records, worker
from labkit.study.plan import Job, Shard, config_of, looks_of, numbers, plan, shards
from labkit.training.loop import train
from labkit.training.state import COLUMNS, TrainState, trained_generator

# ----- plan


def test_a_plan_has_all_arms_of_a_seed_before_the_next_seed():
    jobs = plan("vanilla,dcgan", "ours,tutorial", "2", 20)
    arms = ["vanilla-ours", "vanilla-tutorial", "dcgan-ours", "dcgan-tutorial"]
    assert [job.name for job in jobs] == [f"{arm}/seed{seed}" for seed in (1, 2) for arm in arms]


def test_ours_is_the_recipe_and_tutorial_the_defaults():
    for model in ("vanilla", "dcgan"):
        assert config_of(model, "ours", "", "full", 20, 3) == config_for(model, "full", epochs=20, seed=3)
        assert config_of(model, "tutorial", "", "full", 20, 3) == TrainConfig(model=model, epochs=20, seed=3)
    smoke = config_of("dcgan", "tutorial", "", "smoke", 2, 1)
    assert smoke == TrainConfig(model="dcgan", profile="smoke", epochs=2, seed=1, examples=512)


def test_a_switch_leaves_out_a_part_or_matches_features():
    plain, *switched = (plan("vanilla", "ours", "1", 10, without)[0] for without in ("", "shortcut", "matching"))
    assert [job.arm for job in switched] == ["vanilla-ours-shortcut", "vanilla-ours-matching"]
    changed = [{k: v for k, v in job.config.to_dict().items() if v != plain.config.to_dict()[k]} for job in switched]
    assert changed == [{"without": "shortcut"}, {"feature_matching": 1.0}]


@pytest.mark.parametrize(
    ("text", "seeds"), [("1", (1,)), ("3", (1, 2, 3)), ("3,5,9", (3, 5, 9)), ("9,3,3", (3, 9)), ("7,", (7,))]
)
def test_seeds_are_how_many_or_which(text, seeds):
    assert numbers("seeds", text, up_to=True) == seeds


@pytest.mark.parametrize("text", ["0", "-1", "", "1,0", "x", "1.5", "1,,2", "99999", "1 2", "²", "9999999999,1"])
def test_other_seeds_are_refused(refused, text):
    with refused(f"seeds = {text!r}"):
        numbers("seeds", text, up_to=True)


def test_looks_end_with_the_last_epoch(refused):
    assert looks_of("", 20) == (5, 10, 20) and looks_of("", 7) == (5, 7) and looks_of("", 2) == (2,)
    assert looks_of("1,3", 4) == (1, 3, 4)
    with refused("looks = '5,30'", "30 is beyond the last epoch, 20"):
        looks_of("5,30", 20)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"models": "stylegan"}, "stylegan"),
        ({"models": ","}, "models = ','"),
        ({"recipes": "secret"}, "recipe = 'secret' is unknown: use one of ours, tutorial"),
        ({"without": "roof"}, "without = 'roof'"),
        ({"epochs": 0}, "epochs = 0"),
        ({"profile": "hasty"}, "profile = 'hasty'"),
    ],
)
def test_an_unknown_name_is_refused(refused, changes, words):
    with refused(words):
        plan(**{"models": "vanilla", "recipes": "ours", "seeds": "1", "epochs": 2, **changes})


def test_a_shard_is_of_one_arm_and_no_run_is_in_two():
    jobs = plan("vanilla,dcgan", "ours", "5", 20)
    for size in (1, 2, 8):
        cut = shards(jobs, (20,), size)
        assert sorted(job.name for shard in cut for job in shard.jobs) == sorted(job.name for job in jobs)
        assert all(len({job.arm for job in shard.jobs}) == 1 and len(shard.jobs) <= size for shard in cut)
        assert cut[0].jobs[0] == jobs[0]


# ----- records


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """(job, its files, its folder): a run of two epochs with two looks, made as a worker makes it."""
    (job,) = plan("vanilla", "ours", "3,", 2, "", "smoke")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "STUDIES", tmp_path_factory.mktemp("studies"))
        files = worker.make(Shard((job,), (1, 2)), "s", weights=(3,))[job]
        assert isinstance(files, dict), files
        kept = worker.folder_of("s", job)
        assert sorted(path.name for path in kept.iterdir()) == ["record"]  # no checkpoint, no look
        assert {path.name: path.read_bytes() for path in (kept / "record").iterdir()} == files
        folder = paths.STUDIES / "s" / job.name
        records.write(files, job, folder)
    return job, files, folder


@pytest.fixture(scope="module")
def trained(made):
    """The state that the record is of, trained without a worker, and its generators by epoch."""
    job, threads, generators = made[0], torch.get_num_threads(), {}
    torch.set_num_threads(1)
    images = worker._images("cpu")[0]
    state = TrainState(job.config)
    train(state, images, on_epoch=lambda state: generators.update({state.epoch: trained_generator(state)}))
    torch.set_num_threads(threads)
    return state, generators


@pytest.mark.slow
def test_a_record_is_what_the_run_was(made, trained):
    job, files, folder = made
    state, generators = trained
    record = records.load_record(folder, weights=True)
    assert (record.config, record.arm, record.seed, record.epochs) == (job.config, "vanilla-ours", 3, 2)
    assert record.looks == (1, 2) == tuple(record.scores)
    assert record.history.shape == (2, 16, len(COLUMNS)) and record.history.dtype == torch.float32
    torch.testing.assert_close(record.history, state.history, rtol=1e-3, atol=1e-4)
    assert torch.equal(record.column("d_fake"), record.history[..., 3])
    z = latent.latents(200, 100, 1000)
    for i, (epoch, g) in enumerate(generators.items()):
        content = safetensors.torch.save({k: v.contiguous() for k, v in g.state_dict().items()})
        assert record.manifest["generators"][str(epoch)] == sha256(content)
        images = latent.sample(g, z)
        shown = ((images[:64] + 1) * 127.5).round().to(torch.uint8).squeeze(1)
        assert torch.equal(record.samples[i], shown)
        scores = scoring.score(images, scoring.load_reference(200))
        assert record.scores[epoch] == pytest.approx({**scores, "d_gap": record.scores[epoch]["d_gap"]})
    edited = latent.sample(generators[2], latent.perturb(z[:8], 5, 3.0))
    assert torch.equal(record.edits[-1], ((edited + 1) * 127.5).round().to(torch.uint8).squeeze(1))
    assert record.edits.shape == (3, 8, 28, 28) and not torch.equal(record.edits[0], record.edits[-1])
    assert album.read(folder).epochs == [1, 2] and records.with_pictures([record]) is record
    assert torch.equal(album.read(folder).pictures[1], album.draw(trained_generator(state, n=1000), 100))
    kept = latent.sample(record.run().generator(), z)
    assert (kept - images).abs().max() * 127.5 < 1.5  # half precision
    assert record.effects.mean.shape[0] == 100 and record.effects.null.shape[0] == 10
    assert record.manifest["measured"] | {"images": 200, "bases": 10, "null": 10} == record.manifest["measured"]
    assert record.manifest["machines"][-1]["threads"] == 1


@pytest.mark.slow
def test_d_gap_is_the_answer_to_seen_less_that_to_unseen_images(made, trained):
    state, reference = trained[0], scoring.load_reference(200)
    d = state.d.eval()
    with torch.no_grad():
        seen, unseen = d(reference.seen).mean().item(), d(reference.real).mean().item()
    found = records.load_record(made[2]).scores[2]["d_gap"]
    assert seen != unseen and found == pytest.approx(seen - unseen, abs=1e-5)


@pytest.mark.slow
def test_a_study_is_loaded_by_arm_and_seed(made, tmp_path, monkeypatch, refused):
    monkeypatch.setattr(paths, "STUDIES", tmp_path)
    with refused(tmp_path / "seeds", "labkit study"):
        records.load()
    for seed in (10, 9):
        job = Job("vanilla-ours", config_of("vanilla", "ours", "", "smoke", 2, seed))
        manifest = json.loads(made[1]["record.json"]) | {"config": job.config.to_dict()}
        files = made[1] | {"record.json": json.dumps(manifest | {"sha256": seal(manifest)}).encode()}
        records.write(files, job, tmp_path / "seeds" / job.name)
    shutil.copytree(made[2], tmp_path / "seeds" / made[0].name)
    (found,) = records.load().values()
    assert [record.seed for record in found] == [3, 9, 10]


@pytest.mark.slow
def test_a_damaged_record_is_refused_in_a_line(made, tmp_path, refused):
    """Nothing that a flipped bit made of a file is believed, and a missing file is named."""
    for path in made[2].iterdir():
        folder = tmp_path / path.name
        shutil.copytree(made[2], folder)
        copy, whole = folder / path.name, path.read_bytes()
        for bit in random.Random(0).sample(range(8 * len(whole)), 60):
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            copy.write_bytes(flipped)
            with refused(copy):
                records.load_record(folder, weights=True)
        copy.unlink()
        with refused(folder):
            records.load_record(folder, weights=True)


@pytest.mark.slow
def test_hostile_files_with_a_manifest_that_vouches_for_them(made, tmp_path, refused):
    """Samples that unpack to more than they may, and names that lead out of the folder."""
    job, files, _ = made
    manifest = json.loads(files["record.json"])

    def sealed(**changes):
        changed = manifest | changes
        return json.dumps(changed | {"sha256": seal(changed)}).encode()

    tensors = safetensors.torch.load(files["record.safetensors"])
    bomb = zlib.compress(bytes(500_000_000), 9)
    content = safetensors.torch.save(tensors | {"samples": torch.frombuffer(bytearray(bomb), dtype=torch.uint8)})
    digests = {"record.safetensors": sha256(content)}
    files = {"record.json": sealed(files=digests), "record.safetensors": content}
    records.write(files, job, tmp_path / "bomb")
    assert records.load_record(tmp_path / "bomb").samples.count_nonzero() == 0
    outside = {"../outside": b"x"}
    with refused(tmp_path / "in/folder", "damaged or another run's"):
        records.write(
            outside | {"record.json": sealed(files={"../outside": sha256(b"x")})}, job, tmp_path / "in/folder"
        )
    assert not (tmp_path / "in").exists()
    other = Job("vanilla-ours", config_of("vanilla", "ours", "", "smoke", 2, 4))
    with refused("another run's"):
        records.write(made[1], other, tmp_path / "other")


@pytest.mark.slow
def test_weights_that_were_not_kept_are_asked_for(made, tmp_path, refused):
    job, files, _ = made
    manifest = json.loads(files["record.json"])
    manifest["files"] = {"record.safetensors": manifest["files"]["record.safetensors"]}
    manifest["sha256"] = seal(manifest)
    few = {"record.json": json.dumps(manifest).encode(), "record.safetensors": files["record.safetensors"]}
    records.write(few, job, tmp_path)
    with refused("vanilla-ours seed 3", "--weights 3"):
        records.load_record(tmp_path).run()


# ----- what a worker keeps


class Killed(BaseException):
    """In place of a kill."""


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.parametrize("damaged", [False, True], ids=["whole", "a look is damaged"])
def test_a_worker_goes_on_where_another_was_killed(made, tmp_path, monkeypatch, damaged):
    job, files, _ = made
    monkeypatch.setattr(paths, "STUDIES", tmp_path)

    def kill(job, epoch):
        if epoch == 1:
            raise Killed

    shard = Shard((job,), (1, 2))
    with pytest.raises(Killed):
        worker.make(shard, "s", tell=kill)
    (look,) = worker.folder_of("s", job).glob("look-*")
    if damaged:
        content = look.read_bytes()
        look.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    epochs = []
    again = worker.make(shard, "s", tell=lambda job, epoch: epochs.append(epoch))[job]
    assert epochs == ([0, 1, 2] if damaged else [1, 2])
    mine, theirs = (json.loads(content["record.json"]) for content in (again, files))
    assert mine["generators"] == theirs["generators"]
    assert again["record.safetensors"] == files["record.safetensors"]
    monkeypatch.setattr(worker, "train", None)
    assert worker.make(shard, "s")[job] == again  # kept until the client has it
    worker.forget("s", [job])
    assert not worker.folder_of("s", job).exists()


@pytest.mark.thorough
@pytest.mark.slow
def test_one_run_of_a_group_that_fails_does_not_take_the_others_with_it(made, tmp_path, monkeypatch):
    """Here a loss that is not finite; and the other run is the one that it is alone."""
    monkeypatch.setattr(paths, "STUDIES", tmp_path)
    job = made[0]
    bad = Job(job.arm, config_of("vanilla", "ours", "", "smoke", 2, 8))

    def spoiled(states, *rest, **options):
        for state in [states] if isinstance(states, TrainState) else states:
            if state.config.seed == 8:
                with torch.no_grad():
                    next(state.g.parameters()).fill_(float("nan"))
        return train(states, *rest, **options)

    monkeypatch.setattr(worker, "train", spoiled)
    found = worker.make(Shard((bad, job), (1, 2)), "s")
    assert "diverged" in found[bad] and len(found[bad].splitlines()) == 1
    assert found[job]["record.safetensors"] == made[1]["record.safetensors"]


def test_a_folder_that_cannot_be_used_is_a_fault_in_a_line(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "STUDIES", tmp_path)
    (job,) = plan("vanilla", "ours", "1", 2, "", "smoke")
    folder = worker.folder_of("s", job)
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way")
    found = worker.make(Shard((job,), (2,)), "s")[job]
    assert str(folder) in found and len(found.splitlines()) == 1


def test_a_run_that_another_process_is_at_is_waited_for(tmp_path, monkeypatch, refused):
    """And not for ever; while it waits it may hear that nobody wants it any more."""
    monkeypatch.setattr(worker, "PATIENCE", 0.5)
    with worker.exclusive(tmp_path), refused("in use"), worker._alone(tmp_path, lambda: None):
        pytest.fail("two at once")
    holder = worker.exclusive(tmp_path)
    holder.__enter__()
    monkeypatch.setattr(worker, "PATIENCE", 60)
    with worker._alone(tmp_path, lambda: holder.__exit__(None, None, None)):
        pass
    with pytest.raises(LabError), worker.exclusive(tmp_path), worker._alone(tmp_path, _unwanted):
        pytest.fail("two at once")


def _unwanted():
    raise LabError("nobody waits")
