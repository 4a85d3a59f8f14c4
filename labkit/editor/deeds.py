"""What the page may ask of an editor, by name: functions of (editor, message, tensors) that give as much back."""

from ..base import whole  # noqa: F401, before torch

# isort: split
import base64
from collections.abc import Callable, Collection

import torch
from torch import Tensor, nn

from .. import data, latent
from ..analysis import directions
from ..base import doors
from ..base.errors import LabError
from ..evaluation.classifier import load_classifier
from ..page import contents as lab
from ..page.recipe import FARTHEST, MOST, base_vectors
from ..page.worlds import entitled, name_of_world, open_world, worlds
from ..texts import say
from ..training.runs import Run
from . import keeping

Answer = tuple[dict, list[Tensor]]
SHOWN = 12  # small pictures of what is kept: the newest
OPENED = 4  # networks at hand beside the present one
PAGES = 16  # places in which an editor is shown, that are remembered
DRAWN = 256  # vectors or pictures in a message; a search for a picture begins with 64
PIXELS = 28 * 28
BRINGING = ("load", "recipe", "seed", "back")  # deeds after which the state may be another than the page's
DEEDS: dict[str, Callable[..., Answer]] = {}


def deed(act: Callable[..., Answer]) -> Callable[..., Answer]:
    """Register what the page may ask for, by the function's name."""
    DEEDS[act.__name__] = act
    return act


def do(editor, asked: dict, parts: list[Tensor]) -> Answer:
    """What the page gets for ``asked``; a LabError if it is nothing that can be done."""
    if asked.get("deed") not in DEEDS:
        raise refusal(doors.said(asked.get("deed")))
    return DEEDS[asked["deed"]](editor, asked, parts)


def contents(editor) -> dict:
    """What a page is told at first, as `page.contents` says it: of the networks no more than their names."""
    dataset = data.find(editor.opened().config.dataset)
    entries = [
        {"run": name_of_world(folder), "title": entitled(folder), "note": "", "directions": []} for folder in worlds()
    ]
    return lab.common(dataset, editor.base, editor.seed, editor.dims) | {"networks": entries, "training": None}


def network(editor, name: str) -> tuple[Run, nn.Module]:
    """The run called ``name`` and its generator: the present one, or another that is opened."""
    if name == name_of_world(editor.opened().folder):
        return editor.run, editor.g
    if name not in editor.others:
        folder = next((folder for folder in worlds() if name_of_world(folder) == name), None)
        if folder is None:
            raise LabError(say("editor.status.no_network"))
        run = open_world(folder)
        while len(editor.others) >= OPENED:
            editor.others.pop(next(iter(editor.others)))
        editor.others[name] = run, run.generator(editor.device)
    return editor.others[name]


def refusal(why: str) -> LabError:
    """The error of a message that is none, ``why`` in a few words."""
    return LabError(say("editor.status.no_request", why=why))


def rows_of(part: Tensor, size: int, what: str = "z") -> Tensor:
    """The numbers that came with a message as (n, size), at most `DRAWN` of them, or a LabError."""
    count, rest = divmod(len(part), size)
    if rest or not 0 < count <= DRAWN or not (part.abs() <= FARTHEST).all():  # nan is refused, too
        raise refusal(f"{what}: {len(part)} numbers, {size} each, up to {FARTHEST:g}")
    return part.view(count, size)


def sliders(rows: object, latent_dim: int, known: Collection[str]) -> list[int | str]:
    """``rows``, dimensions and directions that a page has sliders for, if they are that: ``known`` are directions."""
    if type(rows) is not list or len(rows) > MOST or any(type(dim) not in (int, str) for dim in rows):
        raise refusal(f"rows = {doors.said(rows)}")
    latent.check_edits([0, *(dim for dim in rows if type(dim) is int)], [0.0], latent_dim)
    if unknown := [dim for dim in rows if type(dim) is str and dim not in known]:
        raise refusal(f"direction {doors.said(unknown[0])}")
    return list(dict.fromkeys(rows))


def _entry(run: Run) -> dict:
    """What the page is told of ``run``, and the classes that its pictures may have, if a classifier knows them."""
    dataset = data.find(run.config.dataset)
    try:
        load_classifier(dataset=dataset.name, train=False)
        classes = lab.classes(dataset)
    except LabError:
        classes = []
    return {**lab.known(run), "classes": classes, "title": entitled(run.folder)}


# ----- the deeds


@deed
def hello(editor, asked: dict, _) -> Answer:
    """The present state, for a page that shows the editor from now on."""
    editor.pages = [*editor.pages, asked["id"].rpartition(".")[0]][-PAGES:]
    fields, parts = editor.state()
    return {**fields, **_kept(editor), "open": editor.is_open, "fresh": editor.untouched}, list(parts)


@deed
def state(*_) -> Answer:
    """Nothing; the state has come with the message."""
    return {}, []


@deed
def draw(editor, asked: dict, parts: list[Tensor]) -> Answer:
    """Pictures of z: (n * latent_dim,) to (n * 784,)."""
    (z,), (run, g) = parts, network(editor, asked["run"])
    return {}, [latent.sample(g, rows_of(z, run.config.latent_dim))]


@deed
def slope(editor, asked: dict, parts: list[Tensor]) -> Answer:
    """From the slopes of an error with the pictures of z back to those with z, as of z."""
    (z, slopes), (run, g) = parts, network(editor, asked["run"])
    z, slopes = rows_of(z, run.config.latent_dim), rows_of(slopes, PIXELS, "slopes")
    device = next(g.parameters()).device
    with torch.enable_grad():
        z = z.to(device).requires_grad_()
        pictures = g(z)
        (found,) = torch.autograd.grad(pictures, z, slopes.to(device).view_as(pictures))
    return {}, [found]


@deed
def name(editor, asked: dict, parts: list[Tensor]) -> Answer:
    """The chance of each class for pictures: (n * 784,) to (n * classes,)."""
    (pictures,), (run, _) = parts, network(editor, asked["run"])
    classifier = load_classifier(dataset=run.config.dataset, train=False)[0]
    return {}, [classifier.measure(rows_of(pictures, PIXELS, "pictures").view(-1, 1, 28, 28), signed=True)[1]]


@deed
def open(editor, asked: dict, _) -> Answer:
    """All that the page is to know of a network; and fresh vectors, which it takes if its own do not fit."""
    run, _ = network(editor, asked["run"])
    return {"network": _entry(run)}, [base_vectors(run.config.latent_dim, editor.seed)]


@deed
def measure(editor, asked: dict, _) -> Answer:
    """The same once more, after all dimensions and directions of the network are measured: that takes a minute."""
    run, _ = network(editor, asked["run"])
    directions.directions_of(run, editor.device)
    entry = _entry(run)  # which measures the directions of one attribute alone
    if run is editor.run:
        editor.learn()
    return {"network": entry}, []


@deed
def seed(editor, asked: dict, _) -> Answer:
    """New base vectors."""
    return _after(editor, editor.reseed(asked["seed"]))


@deed
def save(editor, *_) -> Answer:
    """Keep picture and recipe."""
    return _after(editor, editor.save())


@deed
def sweep(editor, asked: dict, _) -> Answer:
    """Keep an animation of one dimension."""
    return _after(editor, editor.sweep(asked["dim"]))


@deed
def load(editor, asked: dict, _) -> Answer:
    """Bring back what was kept."""
    return _after(editor, editor.load(asked["name"]))


@deed
def recipe(editor, asked: dict, _) -> Answer:
    """Bring back what a recipe says that somebody sent."""
    return _after(editor, editor.load_text(asked["text"]))


@deed
def back(editor, *_) -> Answer:
    """Take the place of the editor that is open."""
    editor.take_over()
    return {}, []


def _after(editor, _) -> Answer:
    """How the method of the editor ended that was called last, and what is kept."""
    if editor.failed:
        raise LabError(editor.status)
    return {"said": editor.status, **_kept(editor)}, []


def _kept(editor) -> dict:
    """The small pictures of what is kept, the newest first, and the animation at hand."""
    names = keeping.newest()[:SHOWN]
    shown = [{"name": name, "picture": _url("png", keeping.thumbnail(name))} for name in names]
    return {"kept": shown, "movie": _url("gif", keeping.animation(editor.at_hand))}


def _url(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}" if content else ""
