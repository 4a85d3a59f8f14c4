"""Directions in which one attribute grows alone: known mixtures, and the runs that ship."""

import shutil

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from labkit import latent, pictures
from labkit.analysis import alone, directions, effects, naming
from labkit.base import paths
from labkit.base.rng import seeded
from labkit.training import runs

NAMES = list(pictures.ATTRIBUTES)
ONLY = [f"only {name.replace('_', ' ')}" for name in NAMES]
HERE = [folder for folder in runs.finished(paths.RUNS) if folder.parts[-3] == "full"]  # those that ship


def mixed(size, latent_dim=40):
    """Effects of every axis on every attribute, (latent_dim, attributes and more), at random."""
    with seeded("mixed"):
        return size * torch.randn(latent_dim, len(effects.NAMES))


def test_of_attributes_that_go_their_own_ways_each_is_raised_alone():
    """Effects far beyond the floor, of a known matrix: its inverse says which way one grows and no other."""
    score = mixed(1000.0)
    found = alone.alone(score)
    assert list(found) == ONLY
    slopes = score[:, : len(NAMES)].T.double().numpy()
    wanted = torch.from_numpy(np.linalg.pinv(slopes)).T  # (attributes, latent_dim)
    units = torch.stack([*found.values()])
    assert units.dtype == torch.float32
    torch.testing.assert_close(units.double(), normalize(wanted, dim=1), atol=1e-4, rtol=0)
    assert directions.purity(units @ score).min() > 0.999


def test_two_attributes_on_a_plane_against_all_its_directions():
    """Of no direction of the plane is the share larger, the floor counted in."""
    score = torch.zeros(2, len(effects.NAMES))
    score[:, NAMES.index("width")] = torch.tensor([6.0, 1.0])
    score[:, NAMES.index("height")] = torch.tensor([5.0, -3.0])
    angle = torch.linspace(0, 2 * torch.pi, 100_001, dtype=torch.float64)[:-1]
    ways = torch.stack([angle.cos(), angle.sin()], 1)
    width, height = (ways @ score[:, NAMES.index(name)].double() for name in ("width", "height"))
    found = alone.alone(score)
    assert list(found) == ["only width", "only height"]  # nothing else changes at all
    for name, own, other in (("only width", width, height), ("only height", height, width)):
        share = own.square() / (other.square() + alone.FLOOR**2)
        best = ways[torch.where(own > 0, share, 0).argmax()]
        torch.testing.assert_close(found[name].double(), best, atol=1e-3, rtol=0)


def test_what_stays_within_random_directions_costs_little():
    """Others that hardly change leave the attribute its own steepest way."""
    score = torch.zeros(3, len(effects.NAMES))
    score[0, 0], score[:2, 1] = 9.0, torch.tensor([0.1, 0.2])
    torch.testing.assert_close(alone.alone(score)["only brightness"], torch.eye(3)[0], atol=1e-2, rtol=0)


WAYS = torch.tensor([[1.0, 0.0], [0.5**0.5, 0.5**0.5]]) @ torch.eye(64)[:2]  # (2, latent_dim)


class Mixed(nn.Module):
    """A square whose grey level and whose checks grow along two directions of z, `WAYS`, at 45 degrees."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        place = torch.arange(28)
        place = place.minimum(27 - place)  # the same from left and right
        self.checks = ((place[:, None] + place) % 2 * 2 - 1.0)[9:19, 9:19]

    def forward(self, z):
        images = -torch.ones(len(z), 1, 28, 28)
        level, checks = (0.02 * (z @ way).clamp(-8, 8).view(-1, 1, 1, 1) for way in WAYS)
        images[:, :, 6:22, 6:22] = 0.3 + level
        images[:, :, 9:19, 9:19] += (0.25 + checks) * self.checks
        return images * self.scale


@pytest.fixture(scope="module")
def toy():
    """The toy, its plain directions for both attributes, and what they do most."""
    g = Mixed().eval()
    plain = directions.regression(g, 64, n=500)
    plain = {f"more {name}": plain[name] for name in ("texture", "brightness")}
    return g, plain, naming.deeds_of(g, plain)


def test_a_generator_of_known_ways(toy):
    """More checks while the grey level stays: what of the way of the checks stands upright on that of the level.

    The plain direction is the way of the checks itself, and is less pure.
    """
    g, plain, deeds = toy
    assert plain["more texture"] @ WAYS[1] > 0.99
    found, of_found = naming.alone_of(g, 64, deeds)
    assert found["only texture"] @ torch.eye(64)[1] > 0.97
    assert of_found["only texture"].attribute == "texture" and of_found["only texture"].mean > 0
    assert of_found["only texture"].purity > deeds["more texture"].purity + 0.2
    assert set(found) <= {"only texture", "only brightness"}  # what has no plain direction has nothing to beat


def test_none_are_sought_where_they_are_known_or_there_is_nothing_to_beat(toy):
    g, _, deeds = toy
    assert naming.alone_of(None, 64, {"sefa 1": deeds["more texture"]}) == ({}, {})  # not a picture is drawn
    assert naming.alone_of(g, 64, deeds | {"only width": deeds["more texture"]}) == ({}, {})


def test_what_is_offered_beats_the_plain_direction_and_keeps_its_word():
    score = torch.zeros(5, len(effects.NAMES))
    width, area = NAMES.index("width"), NAMES.index("area")
    score[:, width], score[:, area] = torch.tensor([2.0, 2.0, -2.0, 1.0, 2.0]), torch.tensor([1.0, 1, 1, 2, 1])
    score[:, -1] = 99  # no attribute
    plain = {"more width": 0.79, "more outline sharpness": 0.5}  # 4 of 5 is 0.8
    names = ["only width"] * 4 + ["only height"]
    assert alone.purer(names, score, plain) == [0, 1]
    assert alone.purer(names, score, plain | {"more width": 0.81}) == []
    assert alone.purer([], score[:0], plain) == []


def test_an_attribute_that_never_changes_has_no_direction():
    score = mixed(3.0)
    score[:, NAMES.index("height")] = 0
    assert list(alone.alone(score)) == [name for name in ONLY if name != "only height"]
    assert alone.alone(torch.zeros(4, len(effects.NAMES))) == {}


# ----- the runs that ship


def changes(g, units, z):
    """Mean change of each attribute from -3 to 3, (k, attributes), said once more."""
    ends = [[latent.sample(g, latent.perturb_along(z, unit, value)) for unit in units] for value in (-3.0, 3.0)]
    first, last = (torch.stack([pictures.measure(images, signed=True).mean(0) for images in end]) for end in ends)
    return last - first


@pytest.mark.thorough
@pytest.mark.slow
@pytest.mark.skipif(not HERE, reason="no trained run")
@pytest.mark.parametrize("folder", HERE, ids=lambda folder: folder.parts[-2])
def test_each_is_purer_than_its_plain_one_on_vectors_that_it_was_not_found_on(folder):
    """And it is kept: a report measures nothing anew. Half of the effect is left at the median of the DCGAN's."""
    run = runs.load_run(folder)
    g, (found, measured) = run.generator("cpu"), alone.cached_alone(run)
    plain = directions.directions_of(run)[0]
    z, spread = latent.latents(400, run.config.latent_dim, 8), effects.effects_of(run).null.square().mean(0).sqrt()
    spread = spread[: len(NAMES)]
    ours, theirs = (
        changes(g, units, z) / spread for units in (found.values(), [plain[f"more {name[5:]}"] for name in found])
    )
    pure, of_plain = directions.purity(ours), directions.purity(theirs)
    assert len(found) >= 9 and (pure > of_plain).all(), dict(zip(found, zip(pure.tolist(), of_plain.tolist())))
    assert pure.median() > 1.5 * of_plain.median()
    torch.testing.assert_close(pure, directions.purity(measured.score), atol=0.15, rtol=0)  # as is said beside
    own = [NAMES.index(name[5:].replace(" ", "_")) for name in found]
    left = torch.stack([ours[k, i] / theirs[k, i] for k, i in enumerate(own)])
    assert left.median() > (0.5 if run.config.model == "dcgan" else 0.3) and (left > 0.15).all()


@pytest.mark.thorough
@pytest.mark.slow
def test_measured_once_and_what_is_kept_is_what_is_given(tmp_path, monkeypatch):
    """From effects of the axes that are kept: not a picture is drawn for them again."""
    run = runs.load_run(HERE[0])
    copy = tmp_path / "run"
    copy.mkdir()
    for path in run.folder.iterdir():
        if not path.name.startswith("only-"):
            shutil.copy(path, copy)
    run = runs.load_run(copy)
    with pytest.raises(LookupError):
        alone.cached_alone(run)
    asked = []

    def few(g, units, reference, latent_dim, bases, seed, walk):
        asked.append((units, bases, seed, walk))
        return measure(g, units, reference, latent_dim, 50, seed, walk)

    measure = effects.edit_effects
    monkeypatch.setattr(effects, "edit_effects", few)
    found, measured = alone.alone_of(run)
    ((units, bases, seed, walk),) = asked
    assert bases == effects.BASES["full"] and seed == alone.SEED != 0 and not walk
    every = alone.alone(effects.effects_of(run).score)
    assert torch.equal(units, torch.stack([*every.values()]))
    assert 0 < len(found) == len(measured.mean) == len(measured.q) == len(measured.entering) < len(every)
    assert all(torch.equal(unit, every[name]) for name, unit in found.items())
    own = [NAMES.index(name[5:].replace(" ", "_")) for name in found]
    assert measured.score[:, : len(NAMES)].abs().argmax(1).tolist() == own
    again, of_again = alone.alone_of(run)
    assert len(asked) == 1 and list(again) == list(found) and torch.equal(of_again.mean, measured.mean)
    monkeypatch.setattr(alone, "VERSION", -1)
    with pytest.raises(LookupError):
        alone.cached_alone(run)
