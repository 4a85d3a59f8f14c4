"""Scores of a set of images against real ones, in the feature space of the classifier.

Frechet and kernel distance come from torchmetrics; the others, which no library offers for features of one's own
without running its own loaders, are written out here from their papers. Each stands beside its floor (real training
images in the place of generated ones) and its ceiling (noise). `make score` measures every finished run.
"""

import argparse
import functools
import json
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .. import data, latent, pictures
from ..base import cache, paths
from ..base.errors import LabError
from ..base.files import write_atomic
from ..base.machine import pick_device
from ..base.rng import seeded
from ..data.loading import to_unit
from ..training import runs
from .classifier import Classifier, load_classifier
from .metrics import class_scores, frechet_distance, kernel_distance, manifold_scores, neighbour_ratio, radii

IMAGES = 10_000  # generated, and as many real ones on either side
OF_PROFILE = {"smoke": 200, "quick": 2000, "full": IMAGES}  # how many a report of that profile takes
SEEDS = (0, 1, 2)  # of the evaluation: which latent vectors are drawn
VERSION = 2  # of the definitions below; kept scores of another version are measured anew
SCORES = (
    "frechet",
    "kernel",
    "kernel_sd",
    "precision",
    "recall",
    "density",
    "coverage",
    "class_js",
    "dropped_classes",
    "sharpness",
    "neighbour_ratio",
)


@dataclass(frozen=True)
class Reference:
    """What generated images are compared with: test images, and as many training images for memorisation and the floor."""

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
    """10,000 training images, those of `Reference.seen` among them and none of its floor, and all test images: sets to look for copies in."""
    with seeded("reference"):
        torch.randperm(IMAGES)
        train = torch.randperm(60_000)[:IMAGES]
    return to_unit(data.load("train")[0][train]), to_unit(data.load("test")[0])


def score(images: Tensor, reference: Reference, seed: int = 0) -> dict[str, float]:
    """All scores of ``images``, (n, 1, 28, 28) in [-1, 1] on the CPU, as many as the reference has."""
    if len(images) != len(reference.real):
        raise LabError(f"{len(images)} images against {len(reference.real)} real ones: give as many")
    features, probabilities = reference.classifier.measure(images)
    kernel, kernel_sd = kernel_distance(reference.features, features, seed)
    return {
        "frechet": frechet_distance(reference.features, features),
        "kernel": kernel,
        "kernel_sd": kernel_sd,
        **manifold_scores(reference.features, features, real_radii=reference.radii),
        **class_scores(probabilities, reference.histogram),
        "sharpness": pictures.roughness(images).mean().item(),
        "neighbour_ratio": neighbour_ratio(images, reference.seen, reference.real),
    }


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
    return {name: torch.tensor([row[name] for row in rows], dtype=torch.float64) for name in SCORES}


def score_runs(found: list[runs.Run], n: int = IMAGES, device: str = "cpu") -> dict[str, dict[str, dict]]:
    """Mean, low and high of every score over the evaluation seeds, for "floor", "ceiling" and every run by its path below data/runs.

    Measured once for a classifier, a generator and ``n``, and kept: a run's in its folder, floor and ceiling in build/measured/.
    """
    wanted = [("floor", paths.MEASURED, "training images", None), ("ceiling", paths.MEASURED, "noise", None)]
    wanted += [
        (run.folder.relative_to(paths.RUNS).as_posix(), run.folder, run.manifest["files"]["generator.safetensors"], run)
        for run in found
    ]
    reference, rows = None, {}
    for name, folder, of, run in wanted:
        identity = (VERSION, load_classifier()[1]["sha256"], n, SEEDS, of)
        try:
            rows[name] = _spread(cache.load(folder, "scores", identity))
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
        for name in SCORES
    }


def table(rows: dict[str, dict[str, dict]]) -> str:
    """``rows`` of `score_runs` as a Markdown table; beside a mean, in brackets, half the range over the evaluation seeds."""
    names = [name for name in next(iter(rows.values())) if name != "kernel_sd"]
    lines = ["| | " + " | ".join(name.replace("_", " ") for name in names) + " |", "|---" * (len(names) + 1) + "|"]
    for label, scores in rows.items():
        cells = [
            f"{s['mean']:.3g}" + (f" ({(s['high'] - s['low']) / 2:.1g})" if s["high"] > s["low"] else "")
            for s in (scores[name] for name in names)
        ]
        lines.append(f"| {label} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def inception_distance(g: nn.Module, latent_dim: int, n: int = IMAGES) -> float:
    """The usual FID (Heusel et al. 2017), in the features of a network trained on photographs: ``n`` samples against ``n`` test images.

    Roughly the protocol of Lucic et al. 2018. Needs the package torch-fidelity, and once the internet for the weights.

    Raises:
        LabError: either is not there.
    """
    from torchmetrics.image.fid import FrechetInceptionDistance

    try:
        metric = FrechetInceptionDistance(feature=2048)
    except (ImportError, OSError) as error:
        raise LabError(
            f"no Inception features ({str(error).splitlines()[0]}): 'pip install torch-fidelity', and run once with internet"
        ) from None
    for real, z in zip(data.load("test")[0][:n].split(100), latent.latents(n, latent_dim, 1000).split(100)):
        fake = ((latent.sample(g, z) + 1) * 127.5).round().to(torch.uint8)
        metric.update(real.unsqueeze(1).expand(-1, 3, -1, -1), real=True)
        metric.update(fake.expand(-1, 3, -1, -1), real=False)
    return metric.compute().item()


def main() -> None:
    """Measure every finished run and print the table."""
    parser = argparse.ArgumentParser(prog="python -m labkit.evaluation.scoring", description=main.__doc__)
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--images", type=int, default=IMAGES, help=f"images of each kind, 100 to {IMAGES}")
    parser.add_argument(
        "--features",
        default="classifier",
        choices=("classifier", "inception"),
        help="the space of the scores; inception gives the usual FID alone",
    )
    options = parser.parse_args()
    found = [runs.load_run(folder) for folder in runs.finished()]
    if not found:
        raise LabError(f"{paths.RUNS} holds no finished run: train one first, with 'make report'")
    if options.features == "inception":
        for run in found:
            distance = inception_distance(run.generator(), run.config.latent_dim, options.images)
            print(
                f"{run.folder.relative_to(paths.RUNS)}: Inception FID {distance:.2f} ({options.images:,} samples, test set)"
            )
        return print(
            "Roughly the protocol of Lucic et al. 2018, whose best NS GAN has 26.5 (deviation 1.6). Not to be compared with the classifier's distances."
        )
    rows, card = score_runs(found, options.images, pick_device(options.device)), load_classifier()[1]
    write_atomic(
        paths.BUILD / "scores.json",
        json.dumps(
            {"version": VERSION, "classifier": card, "images": options.images, "seeds": SEEDS, "rows": rows}, indent=1
        ).encode(),
    )
    print(
        f"\n{table(rows)}\n\nclassifier {card['sha256'][:12]}, test accuracy {card['test_accuracy']:.2%}; written to {paths.BUILD / 'scores.json'}"
    )


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        raise SystemExit(f"labkit: {error}") from None
