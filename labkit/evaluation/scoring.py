"""Scores of a set of images against real ones, in two feature spaces: the classifier's, and pixels.

The second space are the first 64 principal components of the pixels of the training images; its scores end in _pixels.
Each score stands beside its floor (real training images in the place of generated ones) and its ceiling (noise).
`make score` measures every finished run. Scores of different numbers of images are different quantities.

A score is one function of a `Sample`, registered by `gives` under the names of what it returns.
"""

import contextlib
import dataclasses
import functools
import json
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from .. import data, latent, pictures
from ..base import cache, doors, paths
from ..base.errors import LabError
from ..base.files import write_atomic
from ..base.machine import import_whole, own_torch, pick_device
from ..base.rng import seeded
from ..config import BUDGETS
from ..data.loading import to_unit
from ..texts import say
from ..training import runs
from .classifier import Classifier, load_classifier
from .metrics import (
    class_scores,
    copying_test,
    frechet_distance,
    kernel_distance,
    ks_distance,
    manifold_scores,
    median_distance,
    nearest_distances,
    neighbour_ratio,
    principal_axes,
    radii,
    rbf_distance,
    two_sample_auc,
)

IMAGES = 10_000  # generated, and as many real ones on either side
OF_PROFILE = {name: budget.scored for name, budget in BUDGETS.items()}  # how many a report of that profile takes
COMPONENTS = 64  # of the pixels: 88 % of their variance
PAIRS = 8  # of halves that an interval is reckoned from
STUDENT = 2.306  # 97.5 % quantile of Student's t with as many degrees of freedom as there are pairs
Z_SCORES = ("copying",)  # scores that are a z: they go with the root of the number of images
VERSION = 3  # of the definitions below; kept scores of another version are measured anew
FEATURES = ("classifier", "inception")  # spaces of `score_all`


@dataclass(frozen=True)
class PixelSpace:
    """The first `COMPONENTS` principal components of the pixels of the training images, not whitened."""

    mean: Tensor  # (784,), of pixels in [-1, 1]
    axes: Tensor  # (784, 64)
    train: Tensor  # (60000, 64): features of all training images
    test: Tensor  # (10000, 64): of all test images

    def features(self, images: Tensor) -> Tensor:
        """Features (n, 64) of ``images`` (n, 1, 28, 28) in [-1, 1]: distances are at most those of the pixels."""
        return (images.flatten(1) - self.mean) @ self.axes


def pixel_space(dataset: str = data.DEFAULT) -> PixelSpace:
    """The space of a data set, from its images, once in a process: seconds."""
    return _pixel_space(dataset, data.images_sha256(dataset))


@functools.cache
@own_torch()
def _pixel_space(dataset: str, images_sha256: str) -> PixelSpace:
    train, test = (data.load(split, dataset=dataset)[0] for split in ("train", "test"))
    mean, axes = principal_axes(train, COMPONENTS)
    empty = torch.empty(0, COMPONENTS)
    space = PixelSpace((mean / 127.5 - 1).float(), axes.float(), empty, empty)
    both = (torch.cat([space.features(to_unit(part)) for part in images.split(5000)]) for images in (train, test))
    return PixelSpace(space.mean, space.axes, *both)


@dataclass(frozen=True)
class Reference:
    """What generated images are compared with: test images, and as many training images on either side.

    `floor` takes the place of generated images. `seen` are training images of which as many are compared as of `real`;
    copies are looked for in `training`: all training images but those of the floor, which would be copies of
    themselves.
    """

    classifier: Classifier
    card: dict
    real: Tensor  # (n, 1, 28, 28): test images
    seen: Tensor  # (n, 1, 28, 28): training images
    floor: Tensor  # (n, 1, 28, 28): other training images
    features: Tensor  # (n, 128) of the test images
    radii: Tensor  # (2, n): to their 3rd and 5th neighbours
    classes: Tensor  # (n,) that the classifier sees in them
    pixels: Tensor  # (n, 64) of the test images, in `pixel_space`
    training: Tensor  # (60000 - n, 64), in `pixel_space`
    to_training: Tensor  # (n,): distance of the test images to the nearest of `training`
    outline: Tensor  # (n,): `pictures.outline_sharpness` of the test images
    texture: Tensor  # (n,): `pictures.texture` of them
    reach: float  # farther than this from the nearest test image are 1 % of the floor, by features
    width: float  # median distance between two test images, by features
    width_pixels: float  # the same, by pixels
    dataset: str = data.DEFAULT

    @property
    def histogram(self) -> Tensor:
        """Shares of the classes, (classes,)."""
        return self.classes.bincount(minlength=self.classifier.classifier.out_features) / len(self.classes)

    def part(self, index: Tensor) -> "Reference":
        """The reference with those of its test images and of `seen` that ``index`` lists; the widths stay."""
        parts = {
            name: getattr(self, name)[index]
            for name in ("real", "seen", "features", "classes", "pixels", "to_training", "outline", "texture")
        }
        return dataclasses.replace(self, radii=radii(parts["features"], (3, 5)), **parts)


def most_scored(n: int, dataset: str = data.DEFAULT) -> int:
    """How many of ``n`` images can be scored: there must be as many test images, and twice as many to train on."""
    sizes = data.find(dataset).sizes
    return min(n, sizes["test"], sizes["train"] // 2)


def load_reference(n: int = IMAGES, device: str = "cpu", dataset: str = data.DEFAULT) -> Reference:
    """The reference for ``n`` images of ``dataset``, 100 to 10,000; of a small one for `most_scored`.

    The last one is kept: to make one takes a second or more. Nobody changes what is in it.

    Raises:
        LabError: a number that is none of these.
    """
    n, device = doors.whole("n", n, 100, IMAGES, "images, for a score"), pick_device(device)
    ruler, images = load_classifier(dataset=dataset)[1]["sha256"], data.images_sha256(dataset)
    return _reference(most_scored(n, dataset), device, data.find(dataset).name, ruler, images)


@functools.lru_cache(maxsize=1)
@own_torch()
def _reference(n: int, device: str, dataset: str, ruler: str, images_sha256: str) -> Reference:
    classifier, card = load_classifier(dataset=dataset)
    images, test = (data.load(split, dataset=dataset)[0] for split in ("train", "test"))
    with seeded("reference"):
        mine = torch.randperm(min(IMAGES, len(test)))[:n]
        train = torch.randperm(len(images))
    half = min(IMAGES, len(images) // 2)
    near, away, rest = train[:n], train[half : half + n], torch.cat([train[:half], train[half + n :]])
    space = pixel_space(dataset)
    real, seen, floor = to_unit(test[mine]), to_unit(images[near]), to_unit(images[away])
    features, probabilities = classifier.to(device).measure(real, signed=True)
    to_real = nearest_distances(classifier.measure(floor, signed=True)[0], features)
    pixels, training = space.test[mine], space.train[rest]
    return Reference(
        classifier=classifier,
        card=card,
        real=real,
        seen=seen,
        floor=floor,
        features=features,
        radii=radii(features, (3, 5)),
        classes=probabilities.argmax(1),
        pixels=pixels,
        training=training,
        to_training=nearest_distances(pixels, training),
        outline=pictures.outline_sharpness(real, signed=True),
        texture=pictures.texture(real, signed=True),
        reach=to_real.quantile(0.99).item(),
        width=median_distance(features),
        width_pixels=median_distance(pixels),
        dataset=dataset,
    )


@dataclass(frozen=True)
class Sample:
    """All that a score may look at: n images, what the classifier sees in them, and what they are compared with."""

    images: Tensor  # (n, 1, 28, 28) in [-1, 1], on the CPU
    features: Tensor  # (n, 128)
    probabilities: Tensor  # (n, classes)
    pixels: Tensor  # (n, 64), in `pixel_space`
    reference: Reference  # of as many images
    seed: int  # of the evaluation, for a score that draws

    def part(self, index: Tensor, of_reference: Tensor) -> "Sample":
        """The sample with those of its images that ``index`` lists, and a part of its reference."""
        parts = {name: getattr(self, name)[index] for name in ("images", "features", "probabilities", "pixels")}
        return dataclasses.replace(self, reference=self.reference.part(of_reference), **parts)


MEASURES: dict[tuple[str, ...], Callable[[Sample], float | tuple[float, ...]]] = {}  # by the names of what they give
GOOD: dict[str, str] = {}  # by name: whether "less", "more" or "real", what real pictures have, is better


def gives(*names: str, good: str | tuple[str, ...] = "less"):
    """Register a function of a `Sample` that gives a number, or for several ``names`` a tuple, in their order.

    ``good`` says of all, or of each, what is better: less, more, or what real pictures have. Nothing else names a
    score: tables show it, and runs whose kept scores lack it are measured anew.
    """

    def register(measure):
        MEASURES[names] = measure
        GOOD.update(zip(names, (good,) * len(names) if isinstance(good, str) else good, strict=True))
        return measure

    return register


@gives("frechet")
def _frechet(sample: Sample) -> float:
    return frechet_distance(sample.reference.features, sample.features)


@gives("kernel", "kernel_sd")
def _kernel(sample: Sample) -> tuple[float, ...]:
    return kernel_distance(sample.reference.features, sample.features, sample.seed)


@gives("precision", "recall", "density", "coverage", good="more")
def _manifold(sample: Sample) -> tuple[float, ...]:
    real, radii_of_real = sample.reference.features, sample.reference.radii
    return tuple(manifold_scores(real, sample.features, real_radii=radii_of_real).values())


@gives("class_js", "dropped_classes")
def _classes(sample: Sample) -> tuple[float, ...]:
    return tuple(class_scores(sample.probabilities, sample.reference.histogram).values())


@gives("sharpness", good="real")
def _sharpness(sample: Sample) -> float:
    return pictures.roughness(sample.images, signed=True).mean().item()


@gives("neighbour_ratio", good="real")
def _neighbour_ratio(sample: Sample) -> float:
    return neighbour_ratio(sample.images, sample.reference.seen, sample.reference.real)


@gives("frechet_pixels")
def _frechet_pixels(sample: Sample) -> float:
    return frechet_distance(sample.reference.pixels, sample.pixels)


@gives("rbf", "rbf_pixels")
def _rbf(sample: Sample) -> tuple[float, ...]:
    real = sample.reference
    return (
        rbf_distance(real.features, sample.features, real.width),
        rbf_distance(real.pixels, sample.pixels, real.width_pixels),
    )


@gives("auc")
def _auc(sample: Sample) -> float:
    return two_sample_auc(sample.reference.features, sample.features)


@gives("outliers")
def _outliers(sample: Sample) -> float:
    nearest = nearest_distances(sample.features, sample.reference.features)
    return (nearest > sample.reference.reach).double().mean().item() - 0.01


@gives("ks_outline", "ks_texture")
def _ks(sample: Sample) -> tuple[float, ...]:
    return (
        ks_distance(sample.reference.outline, pictures.outline_sharpness(sample.images, signed=True)),
        ks_distance(sample.reference.texture, pictures.texture(sample.images, signed=True)),
    )


@gives("copying", good="real")
def _copying(sample: Sample) -> float:
    """In the pixels' components, all training images searched; the cells are the classes that the classifier sees.

    The classes keep a generator that draws more trousers, which are near one another, from looking like a copyist. One
    whose pictures are plainer than real ones still does: read a negative z beside `neighbour_ratio`.
    """
    near = nearest_distances(sample.pixels, sample.reference.training)
    return copying_test(near, sample.reference.to_training, sample.probabilities.argmax(1), sample.reference.classes)


def names() -> tuple[str, ...]:
    """The names of all registered scores, in order."""
    return tuple(name for group in MEASURES for name in group)


SCORES = names()  # those of this module


@own_torch()
def take(images: Tensor, reference: Reference, seed: int = 0, signed: bool = False) -> Sample:
    """``images``, as many as the reference has, ready to be scored.

    They are what `doors.unit_images` takes: uint8 (n, 28, 28), or floats, NumPy, other shapes that can be told to mean
    such; with ``signed`` from -1 to 1, as those of a generator.

    Raises:
        LabError: no pictures, of another size or range, or another number of them than in the reference.
    """
    images, seed = doors.unit_images(images, signed=signed).detach().cpu(), doors.whole("seed", seed)
    if len(images) != len(reference.real):
        raise LabError(f"{len(images)} images against {len(reference.real)} real ones: give as many")
    features, probabilities = reference.classifier.measure(images, signed=True)
    pixels = pixel_space(reference.dataset).features(images)
    return Sample(images, features, probabilities, pixels, reference, seed)


@own_torch()
def measures(sample: Sample, only: Collection[str] | None = None) -> dict[str, float]:
    """All scores of ``sample``, or of those that are registered together the ones that have a name in ``only``."""
    found: dict[str, float] = {}
    for group, measure in MEASURES.items():
        if only is None or set(only) & set(group):
            values = measure(sample)
            found |= zip(group, values if isinstance(values, tuple) else (values,), strict=True)
    return found


def score(images: Tensor, reference: Reference, seed: int = 0, signed: bool = False) -> dict[str, float]:
    """All scores of ``images``, as many as the reference has, by name; see `take` for what is taken and refused."""
    return measures(take(images, reference, seed, signed))


def halves(n: int) -> list[tuple[Tensor, Tensor]]:
    """`PAIRS` random ways to cut ``n`` images in two halves: indices, of an odd number one image is left out."""
    cuts = (torch.randperm(n) for _ in range(PAIRS))
    return [(cut[: n // 2], cut[n // 2 : n // 2 * 2]) for cut in cuts]


@own_torch()
def score_with_interval(images: Tensor, reference: Reference, seed: int = 0, signed: bool = False) -> dict[str, Tensor]:
    """Every score of ``images``, (3,): its value, and the ends of a 95 % interval; see `take` for what is taken.

    The interval holds what the sampling of the generated images and that of the test images (of `Reference.seen`, too)
    decide: the value plus and minus Student's t times its standard error by the delete-half jackknife (Shao and Wu
    1989). Generated and real images are both cut in two halves at random, `PAIRS` times; half the difference of the two
    halves' scores, squared, is the variance for all images, since the variance goes with 1 / n. Halves have no image
    twice, as a bootstrap has, which would make every image its own nearest neighbour; and that they are smaller shifts
    both of a pair alike. A z has the same variance for any number of images, and gets twice that of the others. Around
    0, where the variance of a kernel distance falls faster, its interval is too wide.

    Not in it: the training run (one run is one draw), the classifier, the training images that copies are looked for
    in, and the bias of a score by the number of images.
    """
    whole = take(images, reference, seed, signed)
    values = measures(whole)
    with seeded("halves"):
        cuts = list(zip(halves(len(whole.images)), halves(len(whole.images)), strict=True))
    squares = dict.fromkeys(values, 0.0)
    for fake, real in cuts:
        one, other = (measures(whole.part(*half)) for half in zip(fake, real, strict=True))
        for name in squares:
            squares[name] += ((one[name] - other[name]) / 2) ** 2
    reach = {name: STUDENT * (squares[name] * (1 + (name in Z_SCORES)) / PAIRS) ** 0.5 for name in values}
    return {
        name: torch.tensor([value, value - reach[name], value + reach[name]], dtype=torch.float64)
        for name, value in values.items()
    }


@own_torch()
def score_runs(
    found: Sequence[runs.Run], n: int = IMAGES, device: str = "cpu", dataset: str = data.DEFAULT
) -> dict[str, dict[str, dict]]:
    """Every score with its interval (`score_with_interval`): its value "mean", "low", "high", and the number "n".

    For "floor", "ceiling" and every run of ``found`` by its path, below data/runs if it is there. Measured once for a
    classifier, a generator and ``n`` images, and kept: a run's in its folder, floor and ceiling in build/measured/. The
    latent vectors are those of evaluation seed 0. All are of ``dataset``; of a small one fewer are scored
    (`most_scored`).
    """
    found = [runs.checked(run) for run in ([found] if isinstance(found, runs.Run) else found)]
    n = most_scored(n, dataset)
    pictures_of = () if dataset == data.DEFAULT else (data.images_sha256(dataset),)
    wanted: list[tuple[str, Path, str, runs.Run | None]] = [
        ("floor", paths.MEASURED, "training images", None),
        ("ceiling", paths.MEASURED, "noise", None),
    ]
    wanted += [(_called(run.folder), run.folder, run.generator_sha256, run) for run in found]
    reference, rows = None, {}
    for name, folder, of, run in wanted:
        identity = VERSION, load_classifier(dataset=dataset)[1]["sha256"], n, of, *pictures_of
        try:
            scores = _kept([folder] if run else [folder, paths.GIVEN], identity)
        except LookupError:
            reference = reference or load_reference(max(n, 100), device, dataset)
            print(f"scores of {name}", file=sys.stderr)  # no part of the report
            scores = score_with_interval(_images_of(name, run, reference, device), reference, signed=True)
            cache.save(folder, "scores", identity, scores)
        rows[name] = {
            key: dict(zip(("mean", "low", "high"), scores[key].tolist(), strict=True)) | {"n": n} for key in names()
        }
    return rows


def _called(folder: Path) -> str:
    below = folder.is_relative_to(paths.RUNS)
    return (folder.relative_to(paths.RUNS) if below else folder).as_posix()


def _kept(folders: list[Path], identity: tuple) -> dict[str, Tensor]:
    """The scores of ``identity`` in the first of ``folders`` that has them; a LookupError if none has."""
    for folder in folders:
        with contextlib.suppress(LookupError):
            return cache.load(folder, "scores", identity, names())
    raise LookupError("scores")


def _images_of(name: str, run: runs.Run | None, reference: Reference, device: str) -> Tensor:
    """As many images as the reference has: of a run, or for the floor or the ceiling."""
    if run:
        z = latent.latents(len(reference.real), run.config.latent_dim, 1000)
        return latent.sample(run.generator(device), z)
    if name == "floor":
        return reference.floor
    with seeded("noise"):
        return torch.rand_like(reference.floor) * 2 - 1


def table(rows: dict[str, dict[str, dict]]) -> str:
    """``rows`` of `score_runs` as a Markdown table, a line for each score: values, in brackets half the interval.

    Raises:
        LabError: rows of different numbers of images, which cannot be compared.
    """
    numbers = sorted({entry["n"] for scores in rows.values() for entry in scores.values()})
    if len(numbers) > 1:
        raise LabError(f"scores of {' and of '.join(f'{n:,}' for n in numbers)} images cannot be compared: score anew")
    labels = sorted(rows, key=lambda label: label in ("floor", "ceiling"))  # these are the frame: the last
    heads = [say("scores.table.score"), *(say(f"scores.row.{label}", label) for label in labels)]
    lines = ["| " + " | ".join([*heads, say("scores.table.good")]) + " |", "|---" * (len(heads) + 1) + "|"]
    for name in next(iter(rows.values())):
        if name != "kernel_sd":
            cells = [title(name), *(_cell(rows[label][name]) for label in labels), say(f"scores.good.{GOOD[name]}")]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def title(name: str) -> str:
    """A score by its name, as in `SCORES`, in words."""
    return say(f"scores.{name}.title", name.replace("_", " "))


def _cell(entry: dict) -> str:
    """A value, and half its interval if there is one."""
    half = (entry["high"] - entry["low"]) / 2
    return f"{entry['mean']:.3g}" + (f" ({half:.1g})" if half > 0 else "")


def inception_distance(g: nn.Module, latent_dim: int, n: int = IMAGES, dataset: str = data.DEFAULT) -> float:
    """The usual FID (Heusel et al. 2017), in the features of a network trained on photographs.

    ``n`` samples against ``n`` test images, at most 10,000: roughly the protocol of Lucic et al. 2018. Needs the
    package torch-fidelity, and once the internet for the weights.

    Raises:
        LabError: either is not there.
    """
    import_whole("torchmetrics.image.fid")
    from torchmetrics.image.fid import FrechetInceptionDistance

    try:
        metric = FrechetInceptionDistance(feature=2048)
    except (ImportError, OSError) as error:
        raise LabError(
            f"no Inception features ({str(error).splitlines()[0]}): "
            "'pip install torch-fidelity', and run once with internet"
        ) from None
    for real, z in zip(
        data.load("test", dataset=dataset)[0][:n].split(100),
        latent.latents(n, latent_dim, 1000).split(100),
        strict=False,
    ):
        fake = ((latent.sample(g, z) + 1) * 127.5).round().to(torch.uint8)
        metric.update(real.unsqueeze(1).expand(-1, 3, -1, -1), real=True)
        metric.update(fake.expand(-1, 3, -1, -1), real=False)
    return metric.compute().item()


def score_all(
    images: int = IMAGES, device: str = "auto", features: str = "classifier", dataset: str = data.DEFAULT
) -> None:
    """Measure every finished run on ``dataset`` with ``images`` images of each kind, and print the table.

    It is written to build/scores.json, that of another data set than the default to build/scores-<name>.json.

    ``device`` is auto, cpu or cuda, ``features`` one of `FEATURES`: inception gives the usual FID alone.

    Raises:
        LabError: no finished run, an unknown space, device or number, or no Inception features.
    """
    if features not in FEATURES:
        raise LabError(f"features = {features!r} is unknown: use one of {', '.join(FEATURES)}")
    record, mine = data.find(dataset), runs.finished(dataset=dataset)
    for other in runs.finished():
        if other not in mine:
            print(
                f"{other.relative_to(paths.RUNS)} is left out: it was trained on other pictures, and no {record.noun}s"
            )
    found = [runs.load_run(folder) for folder in mine]
    if not found:
        of = "" if record.plain else f" on {record.title}"
        raise LabError(f"{paths.RUNS} holds no finished run{of}: train one first, with 'make report'")
    if features == "inception":
        for run in found:
            distance = inception_distance(run.generator(), run.config.latent_dim, images, record.name)
            print(f"{run.folder.relative_to(paths.RUNS)}: Inception FID {distance:.2f} ({images:,} samples, test set)")
        print(
            "Roughly the protocol of Lucic et al. 2018, whose best NS GAN has 26.5 (deviation 1.6). "
            "Not to be compared with the classifier's distances."
        )
        return
    rows = score_runs(found, images, pick_device(device), record.name)
    card, images = load_classifier(dataset=record.name)[1], most_scored(images, record.name)
    book = paths.BUILD / ("scores.json" if record.plain else f"scores-{record.name}.json")
    kept = {"version": VERSION, "classifier": card, "images": images, "rows": rows}
    write_atomic(book, json.dumps(kept, indent=1).encode())
    print(
        f"\n{table(rows)}\n\n{images:,} images of each kind, in brackets half the 95 % interval; "
        f"classifier {card['sha256'][:12]}, test accuracy {card['test_accuracy']:.2%}; written to {book}"
    )
