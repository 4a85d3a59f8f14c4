"""What is measured of a submission, with the report's own measures, and beside what it is put.

The scores are those of the monitor of a training, of 2,000 pictures (of as many as were brought, if fewer), so that the
lab's own networks, real pictures and noise stand beside them as they do there.
"""

import contextlib
import functools
import time
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .. import data, latent, pictures
from ..analysis.effects import NULL, EffectTable, compare, edit_effects, random_pairs
from ..base import cache, paths
from ..base.errors import LabError
from ..base.files import FAULTS
from ..base.rng import seeded
from ..data.loading import to_unit
from ..evaluation import metrics, monitor, scoring
from ..evaluation.classifier import load_classifier
from ..gans import GANS, reported
from ..latent import LAB_DIMS, LAB_VALUES
from ..training import runs
from .probe import Generator, Probe, probe
from .process import Process
from .sentences import Judged, judge
from .submission import Submission

VERSION = 1  # of the definitions below; what stands beside a submission is measured anew in another
FEWEST = 100  # pictures that scores are given for
AT_ONCE = 500  # pictures that are fetched at a time
BASES, FEWEST_BASES = 60, 10  # base vectors of the edits: so many, or fewer where z is long or drawing slow
EDITS = 9_000  # base vectors times directions, at most
SHARE = 0.5  # of the time that is left, which drawing for the effects may take
DARK, BRIGHT = 3.0, 252.0  # mean grey levels: pictures that are all darker, or all brighter, are black, or white
DISTINCT = 0.9  # share of pictures that should differ
NOISE = 0.5  # of the distance of noise: farther away are pictures of no trained network
Scores = dict[str, float]


@dataclass(frozen=True)
class Settings:
    """How submissions are examined."""

    seconds: float = 120  # that are waited for the code of one, in all
    memory: int = 4096  # MB that it may hold
    dims: list[int] = field(default_factory=lambda: list(LAB_DIMS))  # whose grids are drawn


@dataclass
class Examination:
    """What was found out about one submission, as far as it went."""

    submission: Submission
    fault: str = ""  # why it could not be examined, or not to the end
    seconds: float = 0.0  # that it took, all together
    probed: Probe | None = None
    about: dict = field(default_factory=dict)  # as its process tells
    images: Tensor | None = None  # (n, 1, 28, 28), that the scores are of
    scores: Scores = field(default_factory=dict)
    beside: dict[str, Scores] = field(default_factory=dict)  # floor, ceiling and the lab's networks, by title
    distinct: int = 0  # different pictures among the n, in grey levels
    nearest: dict[str, Tensor] = field(default_factory=dict)  # the pictures nearest to training images, and these
    faults: list[str] = field(default_factory=list)  # what is wrong with it, in sentences
    grid: tuple[Tensor, Tensor, list[int]] | None = None  # as `sheets.perturbation` takes it: base, edited, dims
    effects: EffectTable | None = None
    bases: int = 0  # vectors that the effects are means over
    judged: list[Judged] = field(default_factory=list)

    @property
    def batch(self) -> bool:
        """Whether its pictures depend on their batch, as it was brought."""
        return bool(self.probed and self.probed.batch)


def examine(submission: Submission, settings: Settings) -> Examination:
    """All that can be found out about ``submission``; a fault of it is kept in the result, and never raised."""
    found, start = Examination(submission), time.monotonic()
    try:
        if submission.fault:
            raise LabError(submission.fault)
        with Process(submission.what(), settings.seconds, settings.memory) as process:
            found.about = process.about
            found.probed = probe(process, submission.latent)
            found.faults += found.probed.faults
            _measure_pictures(found, process)
            if g := found.probed.g:
                _draw_grid(found, g, settings.dims)
                _measure_effects(found, g)
    except LabError as error:
        found.fault = str(error)
    except FAULTS as error:  # of a measure, on pictures that nobody has foreseen
        found.fault = f"it could not be measured: {type(error).__name__}: {error}"[:300]
    found.judged = judge(submission.sentences, found.effects, found.fault)
    found.seconds = time.monotonic() - start
    return found


def _measure_pictures(found: Examination, process: Process) -> None:
    found.images = _images(found.probed, process)  # type: ignore[arg-type]
    n = len(found.images)
    levels = pictures.levels(found.images, signed=True)
    found.distinct = len(levels.flatten(1).unique(dim=0))
    found.faults += _plain_faults(levels, found.distinct)
    if n < FEWEST:
        raise LabError(f"{n} pictures are too few to be scored: bring at least {FEWEST}, better {monitor.IMAGES:,}")
    reference = reference_of(n)
    found.scores, found.beside = monitor.look(found.images, reference), beside(n)
    found.nearest = _nearest(found.images)
    found.faults += [_capital(reason) for reason in monitor.alarm(found.scores, monitor.SETTLED)]
    if found.scores["frechet"] > NOISE * found.beside["noise"]["frechet"] and found.distinct > DISTINCT * n:
        found.faults.append(
            "Its pictures are nearly as far from garments as noise is (Fr\u00e9chet distance"
            f" {found.scores['frechet']:.3g}, of noise {found.beside['noise']['frechet']:.3g}): was it trained, and are"
            " these its weights?"
        )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _plain_faults(levels: Tensor, distinct: int) -> list[str]:
    """What everybody sees in pictures (n, 28, 28), in sentences."""
    n, means = len(levels), levels.float().mean((1, 2))
    if means.max() < DARK:
        return ["All pictures are black"]
    if means.min() > BRIGHT:
        return ["All pictures are white"]
    if distinct < DISTINCT * n:
        one = "All pictures are the same one" if distinct == 1 else f"Only {distinct:,} of {n:,} pictures differ"
        return [one]
    return []


def _images(probed: Probe, process: Process) -> Tensor:
    """As many pictures as are scored, or all that were brought; of more a part, at random."""
    if probed.g:
        return latent.sample(probed.g, latent.latents(monitor.IMAGES, probed.g.latent_dim, 2000))
    n = process.about["pictures"]
    parts = [process.pictures(first, min(first + AT_ONCE, n))[0] for first in range(0, n, AT_ONCE)]
    images = torch.cat([probed.form.pictures(part) for part in parts])
    with seeded("examined"):
        return images[torch.randperm(n)[: monitor.IMAGES]]


@functools.cache
def reference_of(n: int) -> scoring.Reference:
    """The reference for ``n`` pictures, once in a process."""
    return scoring.load_reference(n)


@functools.cache
def beside(n: int) -> dict[str, Scores]:
    """The scores of ``n`` real pictures, of the lab's own networks, and of noise, by title: measured once, and kept."""
    rows: dict[str, Scores] = {"real pictures": _kept(n, "training images", lambda: reference_of(n).floor)}
    for model in reported():
        folders = [folder for folder in runs.finished(dataset=data.DEFAULT) if folder.parts[-2] == model]
        with contextlib.suppress(LabError):  # none, or damaged: it is not shown
            run = runs.load_run(folders[0]) if folders else None
            if run:
                draw = functools.partial(_of_run, run, n)
                rows[f"the lab's {GANS[model].title}"] = _kept(n, run.generator_sha256, draw)
    return rows | {"noise": _kept(n, "noise", lambda: _noise(n))}


def _of_run(run: runs.Run, n: int) -> Tensor:
    return latent.sample(run.generator(), latent.latents(n, run.config.latent_dim, 2000))


def _noise(n: int) -> Tensor:
    with seeded("noise"):
        return torch.rand(n, 1, 28, 28) * 2 - 1


def _kept(n: int, of: str, draw) -> Scores:
    identity = (VERSION, scoring.VERSION, load_classifier()[1]["sha256"], n, of)
    try:
        kept = cache.load(paths.MEASURED, "beside", identity, monitor.RECORDED)
    except LookupError:
        found = monitor.look(draw(), reference_of(n))
        kept = {name: torch.tensor(float(value), dtype=torch.float64) for name, value in found.items()}
        cache.save(paths.MEASURED, "beside", identity, kept)
    return {name: kept[name].item() for name in monitor.RECORDED}


def _nearest(images: Tensor) -> dict[str, Tensor]:
    """The eight of ``images`` that are nearest to a training image, for what they are from test images, and these.

    "training" and "test" are the nearest image of either set; by the pixels' components.
    """
    space = scoring.pixel_space()
    own = space.features(images)
    near, far = (metrics.nearest_distances(own, of) for of in (space.train, space.test))
    least = (near / far.clamp(min=1e-6)).argsort()[:8]
    found = {"drawn": images[least]}
    for split, of in (("train", space.train), ("test", space.test)):
        index = torch.cdist(own[least], of).argmin(1)
        found[split] = to_unit(data.load(split)[0][index])
    return found


def _draw_grid(found: Examination, g: Generator, dims: list[int]) -> None:
    """The report's grid: eight vectors, and each dimension set to each value in all of them."""
    if dims == list(LAB_DIMS):
        dims = latent.dims_of(dims, g.latent_dim)
    dims, values = latent.check_edits(dims, LAB_VALUES, g.latent_dim, drawn=True)
    z = latent.latents(8, g.latent_dim, 3)
    grid = latent.perturbation_grid(z, dims, values)  # (k, v, 8, d)
    drawn = latent.sample(g, grid.flatten(0, 2)).unflatten(0, grid.shape[:3])
    found.grid = latent.sample(g, z), drawn, dims


def _measure_effects(found: Examination, g: Generator) -> None:
    """The effects of all dimensions beside random directions, over as many base vectors as there is time for."""
    d, process = g.latent_dim, g.process
    before = process.left
    latent.sample(g, latent.latents(200, d, 1))
    each = max(before - process.left, 1e-4) / 200  # seconds
    room = SHARE * process.left / each / (d + NULL)  # pictures of a direction
    found.bases = min(BASES, max(FEWEST_BASES, EDITS // (d + NULL)), int(room / 2))
    if found.bases < FEWEST_BASES:
        raise LabError(
            f"it draws {1 / each:.0f} pictures a second, too few for the effects of {d} dimensions: see --seconds"
        )
    reference = reference_of(monitor.IMAGES)
    effects, null = (
        edit_effects(g, directions, reference, d, found.bases, walk=False)
        for directions in (torch.eye(d), latent.random_directions(NULL, d, 77))
    )
    found.effects = compare(effects, null, random_pairs(g, reference, d, found.bases))
