"""What the page of the report knows of runs besides their weights: one JSON object, `lab-data`.

Numbers keep as many digits as a reader could see; the eight base vectors keep all, so that the page begins with the
very pixels of chapter three. What a reader sees of it is in the language of the page; names by which a link or a recipe
knows something are not.
"""

import base64
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from .. import data, latent, pictures
from ..analysis import alone, directions, effects, naming
from ..analysis.effects import EffectTable
from ..base.errors import LabError
from ..evaluation import album
from ..evaluation.classifier import load_classifier
from ..figures import sheets
from ..gans import GANS
from ..study import records
from ..study.records import Record
from ..texts import say, table, terms
from ..training.runs import Run
from . import recipe
from .bundle import Embedded, embed
from .export import export_classifier, export_generator
from .recipe import GARMENTS
from .worlds import length_of, name_of_world, title_of

FORMAT = 1
STYLES = [Path(__file__).with_name(f"{name}.css") for name in ("lab", "stage", "play")]  # the look of the lab
TESTS = 16  # real test garments: the first of each class, then the next of the first classes
# The constants of `latent.invert`, which the page's search for a garment follows.
FOLLOWED = ("STARTS", "KEPT", "STEPS", "RATE", "BETA1", "BETA2", "EPS", "LONGEST")
SEARCH = {name.lower(): getattr(latent, name) for name in FOLLOWED}
SCORES = ("frechet", "precision", "recall")
LISTS = ("between", "and")  # what the page joins lists with
WITHIN = 1.96  # deviations either way that hold 95 % of random directions


def lab(runs: Sequence[Run], **options) -> Embedded:
    """The lab with the generators of ``runs``, of one model each, for the end of a page; ``options`` of `contents`.

    Raises:
        LabError: a network has a layer that the page cannot compute, or a file of the page is damaged.
    """
    content = contents(runs, **options)
    networks = {
        run.config.model: export_generator(run.generator(), run.config.model, run.config.latent_dim) for run in runs
    }
    for entry in content["networks"]:
        entry |= {"weights": entry["model"], "layers": networks[entry["model"]].layers}
    networks["classifier"] = export_classifier(load_classifier(dataset=runs[0].config.dataset)[0])
    content["classifier"] = {"weights": "classifier", "layers": networks["classifier"].layers}
    return embed(content, networks)


def contents(
    runs: Sequence[Run],
    seed: int = 0,
    dims: Sequence[int] = latent.LAB_DIMS,
    arms: Mapping[str, Sequence[Record]] | None = None,
    rms: Mapping[str, tuple[float, float]] | None = None,
) -> dict:
    """What the page knows of ``runs`` besides their weights.

    ``seed`` draws the eight base vectors, ``dims`` have a slider from the start. ``arms`` are records of studies
    (`records.load`): those with an album give the trainings that the time slider shows. ``rms`` has, by model, how far
    off a real test garment and noise are when they are looked for in the latent space (medians, in grey levels). What
    was not measured on a run before is measured.
    """
    config = runs[0].config
    trainings = [found for model in GANS for found in [training((arms or {}).get(f"{model}-ours", ()))] if found]
    return common(data.find(config.dataset), latent.latents(GARMENTS, config.latent_dim, seed), seed, dims) | {
        "networks": [network(run, (rms or {}).get(run.config.model)) for run in runs],
        "training": trainings or None,
    }


def common(dataset: data.Dataset, base: Tensor, seed: int, dims: Sequence[int | str]) -> dict:
    """What a lab is told whichever networks draw it: ``base`` are its vectors, (8, latent_dim), which ``seed`` drew."""
    try:
        images, labels = tests(dataset.name)
    except LabError:  # the files of the data set are not here
        images, labels = torch.empty(0, dtype=torch.uint8), torch.empty(0)
    return {
        "format": FORMAT,
        "words": spoken(dataset),
        "classes": classes(dataset),
        "tests": {"pixels": base64.b64encode(images.numpy().tobytes()).decode(), "labels": labels.tolist()},
        "base": {"seed": seed, "z": base.tolist()},
        "lab_dims": list(dims),
        "signed": base64.b64encode(sheets.signed_colours()).decode(),
        "range": latent.RANGE,
        "search": SEARCH,
        "recipe": {"format": recipe.FORMAT, "sliders": recipe.MOST, "letters": recipe.LONGEST},
    }


def spoken(dataset: data.Dataset) -> dict[str, str]:
    """What the page says, by key, its {noun} and {nouns} filled in for ``dataset``; the page fills the other fields."""
    said = table("lab") | {f"list.{name}": say(f"common.list.{name}", first="{first}", last="{last}") for name in LISTS}
    noun, nouns = terms.noun(dataset.noun), terms.nouns(dataset.noun)
    return {key: text.replace("{noun}", noun).replace("{nouns}", nouns) for key, text in said.items()}


def classes(dataset: data.Dataset) -> list[str]:
    """The classes of ``dataset`` in words."""
    return [terms.of_class(name, dataset.name) for name in dataset.classes]


def known(run: Run) -> dict:
    """As `network`, of a run that was measured; of another its name alone, and no effects or directions."""
    try:
        directions.cached_directions(run)
    except (LookupError, TypeError, LabError):
        return name_of(run) | {"effects": None, "directions": [], "test_rms": None, "noise_rms": None}
    return network(run)


def name_of(run: Run) -> dict:
    """By what a run is known."""
    return {
        "model": run.config.model,
        "title": title_of(run.config.model),
        "note": length_of(run),
        "run": name_of_world(run.folder),
        "generator_sha256": run.generator_sha256,
        "latent_dim": run.config.latent_dim,
    }


def network(run: Run, rms: tuple[float, float] | None = None) -> dict:
    """A run's entry: its name, what its dimensions do beside random directions, and its directions."""
    table, scale = effects.effects_of(run), _scale()
    centre, spread = effects.spread_of(table.null)
    return name_of(run) | {
        "effects": {
            "names": [name.replace("_", " ") for name in effects.NAMES],
            "titles": [terms.measure(name) for name in effects.NAMES],
            "also": [terms.also(name) if name in pictures.ATTRIBUTES else "" for name in effects.NAMES],
            "units": [terms.unit(effects.UNITS[name][0]) for name in effects.NAMES],
            "signless": [name not in pictures.ATTRIBUTES for name in effects.NAMES],
            "vectors": effects.BASES[run.config.profile],
            "mean": _short(table.mean * scale),
            "score": _short(table.score, 3),
            "special": table.special.int().tolist(),
            "null_low": _short((centre - WITHIN * spread) * scale),
            "null_high": _short((centre + WITHIN * spread) * scale),
        },
        "directions": [*_entries(*directions.directions_of(run)), *_entries(*alone.alone_of(run))],
        "test_rms": rms and rms[0],
        "noise_rms": rms and rms[1],
    }


def _entries(found: Mapping[str, Tensor], measured: EffectTable) -> list[dict]:
    """Directions as the page knows them: ``found``, by name, and what they were ``measured`` to do."""
    deeds, scale = naming.largest(found, measured.mean, measured.score), _scale()
    return [
        {
            "name": name,
            "title": naming.title_of(name, deeds[name]),
            "method": naming.title_of(name),  # of what has this name, but is another direction
            "unit": _short(unit, 6),
            "words": deeds[name].words(),
            "does": deeds[name].attribute.replace("_", " "),
            "purity": round(deeds[name].purity, 2),
            "mean": _short(measured.mean[k] * scale),
            "score": _short(measured.score[k], 3),
            "special": measured.special[k].int().tolist(),
        }
        for k, (name, unit) in enumerate(found.items())
    ]


def _scale() -> Tensor:
    """How many of its unit make 1 of what is measured, (a,)."""
    return torch.tensor([effects.UNITS[name][1] for name in effects.NAMES])


def tests(dataset: str = data.DEFAULT) -> tuple[Tensor, Tensor]:
    """The real test garments that the page offers: images uint8 (16, 28, 28) and their labels (16,).

    They are the first of each class, then the second, and so on: of ten classes, the second of the first six.
    """
    images, labels = data.load("test", dataset=dataset)
    classes = range(len(data.find(dataset).classes))
    of_each = [(labels == k).nonzero().flatten()[:TESTS].tolist() for k in classes]
    chosen = [mine[i] for i in range(TESTS) for mine in of_each if i < len(mine)][:TESTS]
    return images[chosen], labels[chosen]


def training(found: Sequence[Record]) -> dict | None:
    """The first of ``found`` that has an album, as the time slider shows it; None if none has."""
    kept = records.with_pictures(found)
    if kept is None or kept.folder is None:
        return None
    seen = album.read(kept.folder)
    epochs = [epoch for epoch in seen.epochs if epoch <= kept.epochs]
    frames = seen.pictures[: len(epochs), :GARMENTS].contiguous().numpy().tobytes()
    return {
        "title": say("lab.training", title=title_of(kept.config.model), seed=kept.seed),
        "epochs": epochs,
        "frames": base64.b64encode(gzip.compress(frames, 9, mtime=0)).decode(),
        "scores": [{"epoch": k, **{name: round(kept.scores[k][name], 4) for name in SCORES}} for k in kept.looks],
        "losses": {name: _short(kept.column(f"loss_{name}").mean(1)) for name in "gd"},
    }


def _short(values: Tensor, digits: int = 4) -> list:
    """``values`` as nested lists of numbers of so many significant digits."""
    if values.dim() > 1:
        return [_short(row, digits) for row in values]
    return [float(f"{value:.{digits}g}") for value in values.tolist()]
