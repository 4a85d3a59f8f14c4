"""Scores of a set of images against real ones, in the feature space of the classifier.

Frechet and kernel distance come from torchmetrics; the others, which no library offers for features of one's own
without running its own loaders, are written out here from their papers. Each stands beside its floor (real training
images in the place of generated ones) and its ceiling (noise). `make score` measures every finished run.

A score is one function of a `Sample`, registered by `gives` under the names of what it returns.
"""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .. import data, latent, pictures
from ..base import cache, paths
from ..base.errors import LabError
from ..base.files import write_atomic
from ..base.machine import pick_device
from ..base.rng import seeded
from ..config import BUDGETS
from ..data.loading import to_unit
from ..training import runs
from .classifier import Classifier, load_classifier
from .metrics import class_scores, frechet_distance, kernel_distance, manifold_scores, neighbour_ratio, radii

IMAGES = 10_000  # generated, and as many real ones on either side
OF_PROFILE = {name: budget.scored for name, budget in BUDGETS.items()}  # how many a report of that profile takes
SEEDS = (0, 1, 2)  # of the evaluation: which latent vectors are drawn
VERSION = 2  # of the definitions below; kept scores of another version are measured anew
FEATURES = ("classifier", "inception")  # spaces of `score_all`


@dataclass(frozen=True)
class Reference:
    """What generated images are compared with: test images, and as many training images on either side.

    `seen` is where copies are looked for, `floor` takes the place of generated images.
    """

    classifier: Classifier
    card: dict
    real: Tensor  # (n, 1, 28, 28): test images
    seen: Tensor  # (n, 1, 28, 28): training images
    floor: Tensor  # (n, 1, 28, 28): other training images
    features: Tensor  # (n, 128) of the test images
    radii: Tensor  # (2, n): to their 3rd and 5th neighbours
    histogram: Tensor  # (10,) of the classes that the classifier sees in them


def load_reference(n: int = IMAGES, device: str = "cpu") -> Reference:
    """The reference for ``n`` images, at most 10,000."""
    if not 100 <= n <= IMAGES:
        raise LabError(f"n = {n} images are too few or too many for a score: 100 to {IMAGES}")
    classifier, card = load_classifier()
    with seeded("reference"):
        mine = torch.randperm(IMAGES)[:n]
        train = torch.randperm(60_000)
    train_images, test_images = data.load("train")[0][train[: IMAGES + n]], data.load("test")[0][mine]
    features, probabilities = classifier.to(device).measure(test_images)
    histogram = probabilities.argmax(1).bincount(minlength=10) / n
    real, seen, floor = to_unit(test_images), to_unit(train_images[:n]), to_unit(train_images[IMAGES:])
    return Reference(classifier, card, real, seen, floor, features, radii(features, (3, 5)), histogram)


@functools.cache
def neighbours() -> tuple[Tensor, Tensor]:
    """10,000 training images and all 10,000 test images, (10000, 1, 28, 28) each: sets to look for copies in.

    Those of `Reference.seen` are among the training images, and none of its floor.
    """
    with seeded("reference"):
        torch.randperm(IMAGES)
        train = torch.randperm(60_000)[:IMAGES]
    return to_unit(data.load("train")[0][train]), to_unit(data.load("test")[0])


@dataclass(frozen=True)
class Sample:
    """All that a score may look at: n images, what the classifier sees in them, and what they are compared with."""

    images: Tensor  # (n, 1, 28, 28) in [-1, 1], on the CPU
    features: Tensor  # (n, 128)
    probabilities: Tensor  # (n, 10) of the classes
    reference: Reference  # of as many images
    seed: int  # of the evaluation, for a score that draws


MEASURES: dict[tuple[str, ...], Callable[[Sample], float | tuple[float, ...]]] = {}  # by the names of what they give


def gives(*names: str):
    """Register a function of a `Sample` that gives a number, or for several ``names`` a tuple, in their order.

    Nothing else names a score: tables show it, and runs whose kept scores lack it are measured anew.
    """

    def register(measure):
        MEASURES[names] = measure
        return measure

    return register


@gives("frechet")
def _frechet(sample: Sample) -> float:
    return frechet_distance(sample.reference.features, sample.features)


@gives("kernel", "kernel_sd")
def _kernel(sample: Sample) -> tuple[float, ...]:
    return kernel_distance(sample.reference.features, sample.features, sample.seed)


@gives("precision", "recall", "density", "coverage")
def _manifold(sample: Sample) -> tuple[float, ...]:
    real, radii_of_real = sample.reference.features, sample.reference.radii
    return tuple(manifold_scores(real, sample.features, real_radii=radii_of_real).values())


@gives("class_js", "dropped_classes")
def _classes(sample: Sample) -> tuple[float, ...]:
    return tuple(class_scores(sample.probabilities, sample.reference.histogram).values())


@gives("sharpness")
def _sharpness(sample: Sample) -> float:
    return pictures.roughness(sample.images).mean().item()


@gives("neighbour_ratio")
def _neighbour_ratio(sample: Sample) -> float:
    return neighbour_ratio(sample.images, sample.reference.seen, sample.reference.real)


def names() -> tuple[str, ...]:
    """The names of all registered scores, in order."""
    return tuple(name for group in MEASURES for name in group)


SCORES = names()  # those of this module


def score(images: Tensor, reference: Reference, seed: int = 0) -> dict[str, float]:
    """All scores of ``images``, (n, 1, 28, 28) in [-1, 1] on the CPU, as many as the reference has."""
    if len(images) != len(reference.real):
        raise LabError(f"{len(images)} images against {len(reference.real)} real ones: give as many")
    features, probabilities = reference.classifier.measure(images)
    sample = Sample(images, features, probabilities, reference, seed)
    found: dict[str, float] = {}
    for group, measure in MEASURES.items():
        values = measure(sample)
        found |= zip(group, values if isinstance(values, tuple) else (values,), strict=True)
    return found


def score_generator(
    g: nn.Module, latent_dim: int, reference: Reference, seeds: tuple[int, ...] = SEEDS
) -> dict[str, Tensor]:
    """Every score, (len(seeds),): its value for the latent vectors of each evaluation seed."""
    rows = [
        score(latent.sample(g, latent.latents(len(reference.real), latent_dim, 1000 + seed)), reference, seed)
        for seed in seeds
    ]
    return _columns(rows)


def _columns(rows: list[dict[str, float]]) -> dict[str, Tensor]:
    return {name: torch.tensor([row[name] for row in rows], dtype=torch.float64) for name in names()}


def score_runs(found: list[runs.Run], n: int = IMAGES, device: str = "cpu") -> dict[str, dict[str, dict]]:
    """Mean, low and high of every score over the evaluation seeds.

    For "floor", "ceiling" and every run of ``found`` by its path below data/runs. Measured once for a classifier, a
    generator and ``n`` images, and kept: a run's in its folder, floor and ceiling in build/measured/.
    """
    wanted: list[tuple[str, Path, str, runs.Run | None]] = [
        ("floor", paths.MEASURED, "training images", None),
        ("ceiling", paths.MEASURED, "noise", None),
    ]
    wanted += [
        (run.folder.relative_to(paths.RUNS).as_posix(), run.folder, run.manifest["files"]["generator.safetensors"], run)
        for run in found
    ]
    reference, rows = None, {}
    for name, folder, of, run in wanted:
        identity = VERSION, load_classifier()[1]["sha256"], n, SEEDS, of
        try:
            rows[name] = _spread(cache.load(folder, "scores", identity, names()))
            continue
        except LookupError:
            reference = reference or load_reference(n, device)
            print(f"scores of {name}", flush=True)
        if run:
            scores = score_generator(run.generator(device), run.config.latent_dim, reference)
        else:
            with seeded("noise"):
                scores = _columns(
                    [score(reference.floor if name == "floor" else torch.rand_like(reference.floor) * 2 - 1, reference)]
                )
        cache.save(folder, "scores", identity, scores)
        rows[name] = _spread(scores)
    return rows


def _spread(scores: dict[str, Tensor]) -> dict[str, dict]:
    return {
        name: {"mean": scores[name].mean().item(), "low": scores[name].min().item(), "high": scores[name].max().item()}
        for name in names()
    }


def table(rows: dict[str, dict[str, dict]]) -> str:
    """``rows`` of `score_runs` as a Markdown table: means, in brackets half the range over the evaluation seeds."""
    shown = [name for name in next(iter(rows.values())) if name != "kernel_sd"]
    lines = ["| | " + " | ".join(name.replace("_", " ") for name in shown) + " |", "|---" * (len(shown) + 1) + "|"]
    for label, scores in rows.items():
        cells = [
            f"{s['mean']:.3g}" + (f" ({(s['high'] - s['low']) / 2:.1g})" if s["high"] > s["low"] else "")
            for s in (scores[name] for name in shown)
        ]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def inception_distance(g: nn.Module, latent_dim: int, n: int = IMAGES) -> float:
    """The usual FID (Heusel et al. 2017), in the features of a network trained on photographs.

    ``n`` samples against ``n`` test images, at most 10,000: roughly the protocol of Lucic et al. 2018. Needs the
    package torch-fidelity, and once the internet for the weights.

    Raises:
        LabError: either is not there.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    try:
        metric = FrechetInceptionDistance(feature=2048)
    except (ImportError, OSError) as error:
        raise LabError(
            f"no Inception features ({str(error).splitlines()[0]}): "
            "'pip install torch-fidelity', and run once with internet"
        ) from None
    for real, z in zip(
        data.load("test")[0][:n].split(100), latent.latents(n, latent_dim, 1000).split(100), strict=False
    ):
        fake = ((latent.sample(g, z) + 1) * 127.5).round().to(torch.uint8)
        metric.update(real.unsqueeze(1).expand(-1, 3, -1, -1), real=True)
        metric.update(fake.expand(-1, 3, -1, -1), real=False)
    return metric.compute().item()


def score_all(images: int = IMAGES, device: str = "auto", features: str = "classifier") -> None:
    """Measure every finished run with ``images`` images of each kind, print the table and write build/scores.json.

    ``device`` is auto, cpu or cuda, ``features`` one of `FEATURES`: inception gives the usual FID alone.

    Raises:
        LabError: no finished run, an unknown space, device or number, or no Inception features.
    """
    if features not in FEATURES:
        raise LabError(f"features = {features!r} is unknown: use one of {', '.join(FEATURES)}")
    found = [runs.load_run(folder) for folder in runs.finished()]
    if not found:
        raise LabError(f"{paths.RUNS} holds no finished run: train one first, with 'make report'")
    if features == "inception":
        for run in found:
            distance = inception_distance(run.generator(), run.config.latent_dim, images)
            print(f"{run.folder.relative_to(paths.RUNS)}: Inception FID {distance:.2f} ({images:,} samples, test set)")
        print(
            "Roughly the protocol of Lucic et al. 2018, whose best NS GAN has 26.5 (deviation 1.6). "
            "Not to be compared with the classifier's distances."
        )
        return
    rows, card, book = score_runs(found, images, pick_device(device)), load_classifier()[1], paths.BUILD / "scores.json"
    kept = {"version": VERSION, "classifier": card, "images": images, "seeds": SEEDS, "rows": rows}
    write_atomic(book, json.dumps(kept, indent=1).encode())
    print(
        f"\n{table(rows)}\n\nclassifier {card['sha256'][:12]}, test accuracy {card['test_accuracy']:.2%}; "
        f"written to {book}"
    )
