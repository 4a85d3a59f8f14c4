"""What the page of the report knows of runs besides their weights: one JSON object, `lab-data`.

Numbers keep as many digits as a reader could see; the eight base vectors keep all, so that the page begins with the
very pixels of chapter three.
"""

import base64
import gzip
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .. import data, latent, pictures
from ..analysis import directions, effects
from ..base import paths
from ..editor.recipe import GARMENTS
from ..editor.session import RANGE
from ..evaluation import album
from ..gans import GANS
from ..study import records
from ..study.records import Record
from ..training.runs import Run

FORMAT = 1
TESTS = 16  # real test garments: the first of each class, then the next of the first classes
SCORES = ("frechet", "precision", "recall")
WITHIN = 1.96  # deviations either way that hold 95 % of random directions
UNITS = {
    "brightness": "grey levels",
    "contrast": "grey levels",
    "background": "grey levels",
    "outline_sharpness": "grey levels/px",
    "completeness": "",
    "texture": "grey levels",
    "symmetry": "",
    "width": "px",
    "height": "px",
    "aspect": "",
    "area": "",
    "image change": "grey levels",
    "class flips": "",
    "breakage": "",
}


def contents(
    runs: Sequence[Run],
    seed: int = 0,
    arms: Mapping[str, Sequence[Record]] | None = None,
    test_rms: Mapping[str, tuple[float, float]] | None = None,
    device: str = "cpu",
) -> dict:
    """What the page needs of ``runs`` and is no weight of theirs; `export` adds layers and names of weights.

    ``seed`` draws the eight base vectors. ``arms`` are records of studies (`records.load`): those with an album give
    the trainings that the time slider shows. ``test_rms`` has, by model, the median error of real test garments and
    that of noise when they are looked for in the latent space, in grey levels. What is not measured yet is.
    """
    base = latent.latents(GARMENTS, runs[0].config.latent_dim, seed)
    images, labels = tests()
    trainings = [found for model in GANS for found in [training((arms or {}).get(f"{model}-ours", ()))] if found]
    return {
        "format": FORMAT,
        "networks": [network(run, (test_rms or {}).get(run.config.model), device) for run in runs],
        "classes": list(data.CLASSES),
        "tests": {"pixels": base64.b64encode(images.numpy().tobytes()).decode(), "labels": labels.tolist()},
        "base": {"seed": seed, "z": base.tolist()},
        "training": trainings or None,
        "lab_dims": list(latent.LAB_DIMS),
        "range": RANGE,
    }


def network(run: Run, rms: tuple[float, float] | None = None, device: str = "cpu") -> dict:
    """A run's entry: its name, what its dimensions do beside random directions, and its directions."""
    table, model = effects.effects_of(run, device), run.config.model
    found, measured = directions.directions_of(run, device)
    centre, spread = effects.spread_of(table.null)
    pure = directions.purity(measured.score).tolist()
    return {
        "model": model,
        "title": GANS[model].title,
        "note": f"after {run.length}",
        "run": run.folder.relative_to(paths.RUNS).as_posix(),
        "generator_sha256": run.manifest["files"]["generator.safetensors"],
        "latent_dim": run.config.latent_dim,
        "effects": {
            "names": [name.replace("_", " ") for name in effects.NAMES],
            "units": [UNITS[name] for name in effects.NAMES],
            "vectors": effects.BASES[run.config.profile],
            "mean": _short(table.mean),
            "score": _short(table.score, 3),
            "special": table.special.int().tolist(),
            "null_low": _short(centre - WITHIN * spread),
            "null_high": _short(centre + WITHIN * spread),
        },
        "directions": [
            {
                "name": name,
                "unit": _short(unit, 6),
                "words": words(name, measured.mean[k], measured.score[k]),
                "purity": round(pure[k], 2),
                "mean": _short(measured.mean[k]),
                "score": _short(measured.score[k], 3),
                "special": measured.special[k].int().tolist(),
            }
            for k, (name, unit) in enumerate(found.items())
        ],
        "test_rms": rms and rms[0],
        "noise_rms": rms and rms[1],
    }


def words(name: str, mean: Tensor, score: Tensor) -> str:
    """What a direction does from -3 to 3: first to the attribute that it is named after, then most of all, if not that.

    ``mean`` and ``score`` are its rows of an `EffectTable`, (a,).
    """
    attributes = list(pictures.ATTRIBUTES)
    most = attributes[int(score[: len(attributes)].abs().argmax())]
    own = name.removeprefix("more ").replace(" ", "_")

    def said(attribute):
        value = f"{mean[attributes.index(attribute)]:+.3g}".replace("-", "\N{MINUS SIGN}")
        return f"{attribute.replace('_', ' ')} {value} {UNITS[attribute]}".strip()

    if own not in attributes:
        return said(most)
    return said(own) if own == most else f"{said(own)}; more than that, {said(most)}"


def tests() -> tuple[Tensor, Tensor]:
    """The real test garments that the page offers: images uint8 (16, 28, 28) and their labels (16,).

    They are the first of each class, then the second of each of the first six.
    """
    images, labels = data.load("test")
    chosen = [int((labels == k % 10).nonzero()[k // 10]) for k in range(TESTS)]
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
        "title": f"{GANS[kept.config.model].title}, seed {kept.seed}",
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
