"""What a page asks of the live editor, deed by deed: pixels are those of the vectors, and what is none is refused."""

import base64
import dataclasses
import io
import json
import math
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from test_session import clock, flip, home, measure, own_runs, trained  # noqa: F401  (fixtures, too)
from test_widgets import (  # noqa: F401
    Page,
    bad_vectors,
    everything,
    lab,
    on_a_page,
    page,
    post,
    state_of,
    told,
    unchanged,
)

from labkit import data, latent
from labkit.analysis import directions
from labkit.base import paths
from labkit.base.errors import LabError
from labkit.data import CLASSES
from labkit.editor import deeds
from labkit.editor.widgets import LatentExplorer
from labkit.evaluation.classifier import load_classifier
from labkit.figures import sheets
from labkit.page import contents
from labkit.page.recipe import encode_recipe
from labkit.page.worlds import name_of_world
from labkit.training import runs

MODELS = ["vanilla", "dcgan", "narrow"]
each_network = pytest.mark.parametrize("model", MODELS)


@pytest.fixture
def run(home):
    """``run(model)``: what a page calls the network, and its generator, opened by another way than the editor's."""
    return lambda model: (name_of_world(home[model]), runs.load_run(home[model]).generator())


def size_of(model):
    return 50 if model == "narrow" else 100


# ----- pictures


@each_network
def test_pixels_are_those_of_the_library(run, page, model):
    """Of the open network and of others, to the bit; the same alone and among many."""
    (name, g), z = run(model), latent.latents(9, size_of(model), 7)
    answer, (pictures,) = page.ask("draw", z, run=name)
    assert answer == {} and torch.equal(pictures.view(9, 1, 28, 28), latent.sample(g, z))
    _, (alone,) = page.ask("draw", z[4], run=name)
    levels = sheets.grey_levels(pictures.view(9, 1, 28, 28))
    assert np.array_equal(sheets.grey_levels(alone.view(1, 1, 28, 28))[0], levels[4])


def test_drawing_elsewhere_changes_nothing(run, lab, page):
    before = everything(lab)
    for model in MODELS:
        page.ask("draw", latent.latents(2, size_of(model), 1), run=run(model)[0])
    assert unchanged(lab, before) and lab.run.config.model == "vanilla"


@each_network
def test_the_slope_is_that_of_autograd(run, page, model):
    """Of the mean squared difference to a picture, as the page's search asks for it."""
    (name, g), z = run(model), latent.latents(3, size_of(model), 8).requires_grad_()
    wanted = torch.rand(784) * 2 - 1
    pictures = g(z).flatten(1)
    ((pictures - wanted).square().mean(1)).sum().backward()
    slopes = 2 / 784 * (pictures.detach() - wanted)
    answer, (found,) = page.ask("slope", z.detach(), slopes, run=name)
    assert answer == {} and z.grad.abs().max() > 1e-4
    torch.testing.assert_close(found.view_as(z), z.grad, rtol=1e-4, atol=1e-7)


def test_the_slope_leaves_the_network_as_it_was(run, lab, page):
    """No gradient piles up in it, whatever the reader has set torch to."""
    weights = {name: value.clone() for name, value in lab.g.state_dict().items()}
    with torch.no_grad():
        page.ask("slope", lab.z, torch.ones(8, 784), run=run("vanilla")[0])
        with torch.inference_mode():
            _, (found,) = page.ask("slope", lab.z, torch.ones(8, 784), run=run("vanilla")[0])
    assert found.view(8, 100).abs().sum() > 0
    assert all(torch.equal(weights[name], value) for name, value in lab.g.state_dict().items())
    assert all(parameter.grad is None for parameter in lab.g.parameters())


def test_pictures_are_named_by_the_ruler(run, lab, page):
    pictures = lab.images()[1]
    answer, (chances,) = page.ask("name", pictures, run=run("vanilla")[0])
    chances = chances.view(8, len(CLASSES))
    assert answer == {}
    torch.testing.assert_close(chances, load_classifier()[0].measure(pictures, signed=True)[1])
    torch.testing.assert_close(chances.sum(1), torch.ones(8))


Z, X = latent.latents(8, 100, 5), torch.zeros(8, 784)
WRONG = {
    "draw nothing": ("draw", ()),
    "draw no vectors": ("draw", (Z[:0],)),
    "draw half a vector": ("draw", (Z.flatten()[:50],)),
    "draw a vector and a half": ("draw", (Z.flatten()[:150],)),
    "draw not a number": ("draw", (bad_vectors(math.nan),)),
    "draw what is infinite": ("draw", (bad_vectors(math.inf),)),
    "draw far beyond all": ("draw", (bad_vectors(1e30),)),
    "draw very many": ("draw", (torch.zeros(100 * 100_000),)),
    "draw two sets": ("draw", (Z, Z)),
    "slope without slopes": ("slope", (Z,)),
    "slope of fewer": ("slope", (Z, X[:2])),
    "slope of more": ("slope", (Z[:2], X)),
    "slope of half a picture": ("slope", (Z, X.flatten()[:-392])),
    "slope not a number": ("slope", (Z, X + math.nan)),
    "slope of very many": ("slope", (torch.zeros(100 * 3000), torch.zeros(784 * 3000))),
    "name nothing": ("name", ()),
    "name no pictures": ("name", (X[:0],)),
    "name half a picture": ("name", (X.flatten()[:392],)),
    "name not a number": ("name", (X + math.nan,)),
    "name what is too bright": ("name", (X + 5,)),
    "name very many": ("name", (torch.zeros(784 * 20_000),)),
}


@pytest.mark.parametrize(("deed", "parts"), WRONG.values(), ids=WRONG)
def test_numbers_that_are_no_vectors_or_pictures_are_refused(run, lab, page, deed, parts):
    before = everything(lab)
    assert len(page.fault(deed, *parts, run=run("vanilla")[0])) < 300 and unchanged(lab, before)
    page.ask("draw", lab.z, run=run("vanilla")[0])


@pytest.mark.parametrize("deed", ["draw", "slope", "name", "open", "measure"])
@pytest.mark.parametrize(
    "name", ["", "smoke/dcgan/none", "../..", "/etc", 5, None, ["x"], {"run": 1}, "\ud800"], ids=repr
)
def test_a_network_that_is_not_there_is_refused(lab, page, deed, name):
    before = everything(lab)
    page.fault(deed, lab.z, run=name)
    assert unchanged(lab, before) and lab.others == {}


@pytest.mark.parametrize("deed", ["draw", "open", "sweep", "load", "recipe", "seed"])
def test_a_deed_without_what_it_is_about_is_refused(lab, page, deed):
    before = everything(lab)
    page.fault(deed, lab.z)
    assert unchanged(lab, before)


def test_only_a_few_networks_are_at_hand(own_runs, lab, page, monkeypatch):
    """The one that was asked for first goes, and is opened anew when it is asked for again."""
    monkeypatch.setattr(deeds, "OPENED", 1)
    lab = LatentExplorer(own_runs["vanilla"], dims=[5], device="cpu")
    page.lab, page.front = lab, lab.front
    for model in ("dcgan", "narrow", "dcgan"):
        name, z = name_of_world(own_runs[model]), latent.latents(1, size_of(model), 1)
        _, (picture,) = page.ask("draw", z, run=name)
        assert [*lab.others] == [name]
        assert torch.equal(picture.view(1, 1, 28, 28), latent.sample(runs.load_run(own_runs[model]).generator(), z))


@pytest.mark.parametrize("damage", ["missing", "flipped byte"])
def test_a_network_that_cannot_be_opened_leaves_the_one_that_is(own_runs, clock, post, damage):
    lab = LatentExplorer(own_runs["vanilla"], dims=[5], device="cpu")
    page, name = Page(lab, post), name_of_world(own_runs["dcgan"])
    shutil.rmtree(own_runs["dcgan"]) if damage == "missing" else flip(own_runs["dcgan"] / "generator.safetensors")
    before = everything(lab)
    lines = [page.fault("open", run=name), page.fault("state", state=state_of(lab, lab.base + 1, run=name))]
    assert all(("no network" if damage == "missing" else "damaged") in line for line in lines) and unchanged(
        lab, before
    )


# ----- what is told of a network


@each_network
def test_open_tells_what_a_network_is(home, run, lab, page, model):
    answer, (fresh,) = page.ask("open", run=run(model)[0])
    known, opened = answer["network"], runs.load_run(home[model])
    assert torch.equal(fresh.view(8, -1), latent.latents(8, size_of(model), lab.seed))
    assert (known["run"], known["model"], known["latent_dim"]) == (run(model)[0], opened.config.model, size_of(model))
    assert known["generator_sha256"] == opened.generator_sha256 and known["classes"] == list(CLASSES)
    assert known["title"] in [one["title"] for one in lab.front.contents["networks"]]
    assert (known["effects"], known["directions"]) == (None, [])  # nobody has measured it


def test_without_the_ruler_only_the_classes_are_missing(run, lab, page, monkeypatch):
    def missing(**_):
        raise LabError("no ruler")

    for module in (deeds, directions):
        monkeypatch.setattr(module, "load_classifier", missing)
    answer, _ = page.ask("open", run=run("dcgan")[0])
    assert answer["network"]["classes"] == [] and answer["network"]["latent_dim"] == 100
    assert page.fault("name", lab.images()[0], run=run("vanilla")[0]) == "no ruler"


@pytest.mark.slow
def test_measure_tells_what_every_dimension_does_and_keeps_it(own_runs, clock, post):
    """What came with a recipe is still known; the next kernel has it from the start."""
    lab = LatentExplorer(own_runs["vanilla"], dims=[5], device="cpu")
    page, name, unit = Page(lab, post), name_of_world(own_runs["vanilla"]), latent.random_directions(1, 100)[0]
    lab.directions["of a friend"] = unit
    lab.add("of a friend")
    z = lab.z.clone()
    answer, _ = page.ask("measure", run=name)
    known = answer["network"]
    assert np.shape(known["effects"]["mean"])[0] == 100 and len(known["directions"]) > 10
    found = {one["name"]: torch.tensor(one["unit"]) for one in known["directions"]}
    assert all(torch.allclose(lab.directions[key], found[key], atol=1e-5) for key in found)
    assert torch.equal(lab.directions["of a friend"], unit) and lab.dims == [5, "of a friend"]
    (_, friend), *_ = page.ask("hello")[0]["fields"]["extra"]
    assert torch.equal(torch.tensor(friend["unit"]), unit) and torch.equal(lab.z, z)
    page.follow(z, rows=[known["directions"][0]["name"]])
    assert lab.dims == [known["directions"][0]["name"]]
    again = LatentExplorer(own_runs["vanilla"], dims=[5, known["directions"][0]["name"]], device="cpu")
    assert not again.failed and Page(again, post).ask("open", run=name)[0]["network"] == known


# ----- what is kept


def test_new_base_vectors(lab, page):
    lab.set(5, 1.0)
    edited = lab.z.clone()
    answer, _ = page.ask("seed", seed=12)
    base = latent.latents(8, 100, 12)
    ((message, (z, told_base)),) = page.heard  # the asker is told, too: it did not bring it about
    assert message["tell"] == "state" and message["by"] == ""
    assert torch.equal(z.view(8, 100), base) and torch.equal(told_base.view(8, 100), base)
    assert lab.seed == 12 and torch.equal(lab.z, base) and "fault" not in answer
    lab.undo()
    assert lab.seed == 3 and torch.equal(lab.z, edited)


@pytest.mark.parametrize(
    "seed", [-1, 2**31, 10**400, 1.5, math.nan, "1", None, True, [1], {}], ids=lambda x: repr(x)[:9]
)
def test_what_is_no_seed_is_refused(lab, page, seed):
    before = everything(lab)
    assert "seed" in page.fault("seed", seed=seed) and unchanged(lab, before)


def picture(url, kind):
    head, _, content = url.partition(",")
    assert head == f"data:image/{kind};base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_save_keeps_picture_and_recipe_and_load_brings_them_back(home, lab, page):
    z = latent.perturb(latent.perturb(lab.base, 5, 2.0), 20, -1.0, [3])
    answer, _ = page.ask("save", state=state_of(lab, z, chosen=[3]))
    (kept,) = answer["kept"]
    assert kept["name"] == "vanilla-001" in answer["said"] and answer["movie"] == "" and told(page.heard) == []
    small = picture(kept["picture"], "png")
    assert small.width <= 220 and np.asarray(small.convert("L")).std() > 5
    assert {path.name for path in (paths.KEPT / "vanilla-001").iterdir()} == {
        "picture.png",
        "picture.svg",
        "recipe.json",
    }
    page.follow(lab.base, run=name_of_world(home["dcgan"]), rows=[7])
    answer, _ = page.ask("load", name="vanilla-001")
    ((message, (now, base)),) = page.heard
    assert torch.equal(lab.z, z) and torch.equal(now.view(8, 100), z) and torch.equal(base.view(8, 100), lab.base)
    assert message["run"] == name_of_world(home["vanilla"]) and message["fields"]["rows"] == [5, 20] == lab.dims
    assert answer["said"] == "vanilla-001 is back" and lab.run.folder == home["vanilla"]


def test_sweep_keeps_an_animation_and_tells_how_far_it_is(lab, page):
    page.ask("save")
    answer, _ = page.ask("sweep", dim=20)
    shares = [message["share"] for message, _ in page.heard if message["tell"] == "progress"]
    assert len(shares) > 40 and shares == sorted(shares) and shares[-1] == 1
    assert [one["name"] for one in answer["kept"]] == ["vanilla-002", "vanilla-001"]  # the newest first
    movie = picture(answer["movie"], "gif")
    assert movie.n_frames == 48
    assert base64.b64decode(answer["movie"].partition(",")[2]) == (paths.KEPT / "vanilla-002/sweep.gif").read_bytes()
    assert all(picture(one["picture"], "png").width <= 220 for one in answer["kept"])
    answer, _ = page.ask("load", name="vanilla-001")
    assert answer["movie"] == ""  # it has no animation


@pytest.mark.parametrize("dim", [100, -1, 5.5, math.nan, "nowhere", [5], {}, True, 10**30], ids=repr)
def test_a_sweep_of_what_is_no_dimension_is_refused(lab, page, dim):
    before = everything(lab)
    page.fault("sweep", dim=dim)
    assert unchanged(lab, before)


@pytest.mark.parametrize("name", ["", "vanilla-001", "..", "../..", "/etc/passwd", 5, None, ["x"], "\ud800"], ids=repr)
def test_what_was_not_kept_cannot_be_loaded(lab, page, name):
    (paths.KEPT.parent / "recipe.json").parent.mkdir(parents=True)
    (paths.KEPT.parent / "recipe.json").write_bytes(encode_recipe(lab._recipe()))
    lab.set(5, 1.0)
    before = everything(lab)
    page.fault("load", name=name)
    assert unchanged(lab, before)


def test_what_is_kept_is_shown_whatever_lies_there(lab, page):
    for k in range(deeds.SHOWN + 3):
        folder = paths.KEPT / f"of mine {k:02}"
        folder.mkdir(parents=True)
        (folder / "recipe.json").write_text("{")
        (folder / "picture.png").write_text("no picture")
    (paths.KEPT / '<b>"bold"&').mkdir()
    (paths.KEPT / '<b>"bold"&' / "recipe.json").write_text("{")
    kept = page.ask("hello")[0]["kept"]
    assert len(kept) == deeds.SHOWN and all(one["picture"] == "" for one in kept)
    before = everything(lab)
    assert "damaged" in page.fault("load", name='<b>"bold"&') and unchanged(lab, before)
    shutil.rmtree(paths.KEPT)
    assert page.ask("hello")[0]["kept"] == []


@each_network
def test_a_recipe_that_somebody_sent_is_opened(home, lab, page, model):
    """With its network, its vectors, its directions."""
    other, unit = (
        LatentExplorer(home[model], dims=[5], seed=8, device="cpu"),
        latent.random_directions(1, size_of(model))[0],
    )
    other.directions["of a friend"] = unit
    other.add("of a friend"), other.set("of a friend", 2.0, [1])
    text = encode_recipe(other._recipe()).decode()
    answer, _ = page.ask("recipe", text=text)
    ((message, (z, base)),) = page.heard
    assert (
        torch.equal(lab.z, other.z) and torch.equal(z.view_as(other.z), other.z) and torch.equal(lab.base, other.base)
    )
    assert message["run"] == name_of_world(home[model]) and message["fields"]["rows"] == [5, "of a friend"]
    assert answer["said"] and torch.equal(lab.images()[1], other.images()[1])
    ((_, friend),) = message["fields"]["extra"]
    assert friend["name"] == "of a friend" and torch.equal(torch.tensor(friend["unit"]), unit)
    page.follow(other.base, other.base)  # the page goes on with it
    assert lab.dims == [5, "of a friend"] and torch.equal(lab.z, other.base)


BAD_RECIPES = {
    "no text": lambda good: 5,
    "nothing": lambda good: None,
    "a list": lambda good: [good],
    "the object itself": lambda good: good,
    "empty": lambda good: "",
    "no JSON": lambda good: "{",
    "other JSON": lambda good: "[1, 2]",
    "deep": lambda good: "[" * 100_000,
    "huge": lambda good: " " * (1 << 23) + "{}",
    "a run of elsewhere": lambda good: json.dumps(good | {"run": "x\ny \ud800"}),
    "another generator": lambda good: json.dumps(good | {"generator_sha256": "0" * 64}),
    "seven": lambda good: json.dumps(good | {"z": good["z"][:7]}),
    "not a number": lambda good: json.dumps(good | {"z": [[math.nan] * 100] * 8}),
    "far": lambda good: json.dumps(good | {"base": [[1e9] * 100] * 8}),
    "a dimension": lambda good: json.dumps(good | {"dims": [100]}),
}


@pytest.mark.parametrize("spoil", BAD_RECIPES.values(), ids=BAD_RECIPES)
def test_what_is_no_recipe_is_refused(lab, page, spoil):
    lab.set(5, 1.0)
    before = everything(lab)
    line = page.fault("recipe", text=spoil(json.loads(encode_recipe(lab._recipe()))))
    assert len(line) < 500 and unchanged(lab, before)


def test_a_full_disk_is_told(lab, page, monkeypatch):
    def full(*_, **__):
        raise LabError("no space left")

    monkeypatch.setattr(deeds.keeping, "write_new", full)
    before = everything(lab)
    assert page.fault("save") == "no space left" and unchanged(lab, before)


# ----- other data sets


def test_a_network_of_other_pictures_names_them_by_its_own_ruler(lab, page, run, home, monkeypatch):
    """Where there is none for them, they have no names; they are drawn all the same."""
    (name, g), opened, asked = run("dcgan"), runs.load_run(home["dcgan"]), []
    lab.others[name] = dataclasses.replace(opened, config=dataclasses.replace(opened.config, dataset="mnist")), g

    def ruler(dataset=data.DEFAULT, **options):
        asked.append(dataset)
        return load_classifier(dataset=dataset, **options)

    monkeypatch.setattr(deeds, "load_classifier", ruler)
    answer, _ = page.ask("open", run=name)
    assert asked == ["mnist"] and answer["network"]["classes"] in ([], contents.classes(data.find("mnist")))
    _, (pictures,) = page.ask("draw", lab.z, run=name)
    assert torch.equal(pictures.view(8, 1, 28, 28), latent.sample(g, lab.z))
    assert bool(page.ask("name", pictures, run=name)[1]) == bool(answer["network"]["classes"])
    assert asked == ["mnist"] * 2
