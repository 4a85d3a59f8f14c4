"""The original report's claims, each with a statistic, a threshold stated beforehand, an interval and a verdict.

A verdict needs the whole 95 % interval on one side of the threshold: *holds*, *does not hold*, or *undecided* if the
threshold lies inside. Claims about what one dimension means are claims about a run, so they must come back with a
second seed, or they are *true of this run only*. Claims about the whole of the exercise's training are *not tested*
by a run with fewer epochs. To add a claim, add a record to `CLAIMS`; the functions that measure stand in `evidence`.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial

from torch import Tensor

from ..base import paths
from ..base.files import write_atomic
from ..gans.losses import NonSaturating
from .evidence import (
    DIVISOR,
    Estimate,
    Evidence,
    at_lab,
    balance,
    calmer,
    closer,
    deformed,
    drastic,
    inequality,
    inside,
    meaning,
    meaningful,
    over_dimensions,
    over_steps,
    settling,
    share_of_pair,
    smooth,
    swing_ratio,
    trend,
    unequal,
)

VANILLA, DCGAN, BOTH = ("vanilla",), ("dcgan",), ("vanilla", "dcgan")


@dataclass(frozen=True)
class Claim:
    """A sentence of the original report, and how it is tested: it holds ``above`` and ``below`` these limits."""

    id: str
    sentence: str
    statistic: str  # in words
    kind: str  # what its interval is over: steps, pictures, latent sets, vectors or dimensions
    about: tuple[str, ...]  # networks, and "real" if their images are compared with real ones
    measure: Callable[..., Estimate]  # of the id and the evidence for each of ``about``
    above: float | None = None
    below: float | None = None
    epochs: int = 0  # how long the exercise trains before one can tell; 0: any trained network can answer
    again: bool = False  # it must come back with another seed

    @property
    def threshold(self) -> str:
        """The limits in words."""
        limits = (("above", self.above), ("below", self.below))
        return " and ".join(f"{word} {limit:g}" for word, limit in limits if limit is not None)


def _meaning(id: str, dim: int, sentence: str, *names: str) -> Claim:
    """The claim that dimension ``dim`` of the vanilla GAN codes ``names``, written as in `evidence.meaning`."""
    words = ", ".join(names).replace("_", " ")
    statistic = f"effect of z[{dim}] from -3 to 3 on {words} (the weakest), in deviations of random directions' effects"
    return Claim(id, sentence, statistic, "vectors", VANILLA, partial(meaning, dim, names), above=2.0, again=True)


# fmt: off
CLAIMS = (
    Claim("V1", "both losses of the vanilla GAN swing hard early and settle later",
          "swing in the first tenth of training over the last tenth, the smaller of D's and G's",
          "steps", VANILLA, partial(over_steps, settling), above=1.5, epochs=200),
    Claim("V2", "its D loss fluctuates less than its G loss",
          "swing of D over swing of G",
          "steps", VANILLA, partial(over_steps, swing_ratio), below=1.0),
    Claim("V3", "its G loss trends down",
          "rank correlation of G's loss with time",
          "steps", VANILLA, partial(over_steps, trend), below=-0.3, epochs=200),
    Claim("L1", "dimensions differ clearly in how much they change the image",
          "90th over 10th percentile of the mean image change (vanilla)",
          "dimensions", VANILLA, partial(over_dimensions, unequal), above=1.5),
    _meaning("L5", 5, "dimension 5 codes completeness: low is blurred and incomplete, high sharp and symmetric",
             "completeness", "outline_sharpness", "symmetry"),
    _meaning("L20", 20, "dimension 20 codes brightness and contrast: higher is brighter, on a cleaner background",
             "brightness", "contrast", "-background"),
    _meaning("L40", 40, "dimension 40 codes texture and detail", "|texture|"),
    _meaning("L60", 60, "dimension 60 codes style and background", "|background|"),
    _meaning("L80", 80, "dimension 80 codes proportion: low is slim, high is wide", "width", "-aspect"),
    Claim("L6", "for most dimensions the change is smooth",
          "share of dimensions whose sweep has no step above a quarter of the way and 90 % of its steps forward "
          "(vanilla)",
          "dimensions", VANILLA, partial(over_dimensions, smooth), above=0.5),
    Claim("L7", "some samples break under some edits",
          "fall of the share of images inside the real manifold, over the lab's five dimensions (vanilla)",
          "vectors", VANILLA, partial(at_lab, "breakage"), above=0.0),
    Claim("D1", "the DCGAN's D loss stays within 0.05 to 0.10 after the first tenth of training",
          f"share of the time that its mean over {DIVISOR} is inside",
          "steps", DCGAN, partial(over_steps, lambda d, g: inside(d, 0.05, 0.10), after=0.1), above=0.95, epochs=200),
    Claim("D2", "its G loss stays within 0.03 to 0.06",
          f"share of the time that its mean over {DIVISOR} is inside",
          "steps", DCGAN, partial(over_steps, lambda d, g: inside(g, 0.03, 0.06)), above=0.95, epochs=200),
    Claim("D3", "neither side of the DCGAN wins for good, and there is no mode collapse",
          "share of the second half of training with mean D(G(z)) between 0.2 and 0.8; "
          "0 if a class is missing from the samples",
          "steps", DCGAN, balance, above=0.95, epochs=200),
    Claim("D4", "the DCGAN's loss curves move far less than the vanilla GAN's",
          "swing over level, mean of D and G, DCGAN over vanilla",
          "steps", BOTH, calmer, below=0.5),
    Claim("D5", "DCGAN samples beat the vanilla GAN's in outline, texture and style",
          "distance from real images, vanilla over DCGAN, "
          "the smallest of outline sharpness, texture and Frechet distance",
          "pictures", (*BOTH, "real"), closer, above=1.0, epochs=200),
    Claim("D6", "the vanilla GAN still shows deformed or noisy samples",
          "share of images outside the real manifold, beyond that of real images (interval: evaluation seeds)",
          "latent sets", (*VANILLA, "real"), deformed, above=0.05, epochs=200),
    Claim("D7", "an edit of the DCGAN mostly keeps the class",
          "share of images whose class differs between the ends, over the lab's five dimensions",
          "vectors", DCGAN, partial(at_lab, "class flips"), below=0.5),
    Claim("S1", "the base vector decides the picture, single dimensions only vary it",
          "mean image change of an edit over that of a random pair, the larger of both networks",
          "dimensions", BOTH, partial(over_dimensions, share_of_pair, worse=max), below=0.5),
    Claim("S2", "single dimensions have a recognisable meaning",
          "share of dimensions with any effect beyond a random direction's (false discovery rate 5 %), "
          "the smaller of both networks",
          "dimensions", BOTH, partial(over_dimensions, meaningful), above=0.5),
    Claim("S3", "most dimensions interpolate smoothly",
          "as L6, the smaller of both networks",
          "dimensions", BOTH, partial(over_dimensions, smooth), above=0.5),
    Claim("S4", "a few dimensions change the class",
          "share of dimensions that change it in more than half of the images, the larger of both networks",
          "dimensions", BOTH, partial(over_dimensions, drastic, worse=max), above=0.0, below=0.2),
    Claim("S5", "dimensions are not equivalent",
          "how much the sizes of the effects vary over dimensions, over how much they vary over random directions, "
          "mean of all measures, the smaller of both networks",
          "dimensions", BOTH, partial(over_dimensions, inequality), above=1.2),
)
# fmt: on


@dataclass(frozen=True)
class Verdict:
    """One row of the claims table."""

    id: str
    claim: str
    statistic: str
    threshold: str
    value: float
    interval: tuple[float, float]
    verdict: str


def judge(vanilla: Evidence, dcgan: Evidence, floor: dict[str, dict], real: Tensor) -> list[Verdict]:
    """All verdicts. ``floor`` is the row of real training images, ``real`` (n, a) the attributes of test images."""
    evidence = {"vanilla": vanilla, "dcgan": dcgan, "real": Evidence(None, floor, None, real)}
    return [_judged(claim, [evidence[name] for name in claim.about]) for claim in CLAIMS]


def _judged(claim: Claim, evidences: list[Evidence]) -> Verdict:
    """The row of one claim, judged by the evidence for each of ``claim.about``."""
    value, low, high = claim.measure(claim.id, *evidences)
    verdict = decide(low, high, claim.above, claim.below)
    trained = min(evidence.run.epochs for evidence in evidences if evidence.run)
    losses = {evidence.run.config.loss for evidence in evidences if evidence.run} - {NonSaturating.name}
    if claim.kind == "steps" and losses:  # its thresholds are made for the original's loss
        verdict = f"not tested: another loss, {', '.join(sorted(losses))}"
    elif trained < claim.epochs:
        verdict = f"not tested: {trained} of {claim.epochs} epochs"
    elif claim.again and verdict == "holds":
        verdict = _again(claim, evidences)
    return Verdict(claim.id, claim.sentence, claim.statistic, claim.threshold, value, (low, high), verdict)


def _again(claim: Claim, evidences: list[Evidence]) -> str:
    """What becomes of a claim that holds, once the networks of another seed are asked."""
    if any(evidence.second is None for evidence in evidences):
        return "undecided"
    others = [replace(evidence, effects=evidence.second) for evidence in evidences]
    _, low, high = claim.measure(claim.id, *others)
    return "holds" if decide(low, high, claim.above, claim.below) == "holds" else "true of this run only"


def decide(low: float, high: float, above: float | None = None, below: float | None = None) -> str:
    """Where the interval lies: inside the limits, outside them, or across one."""
    if (above is None or low > above) and (below is None or high < below):
        return "holds"
    if (above is not None and high <= above) or (below is not None and low >= below):
        return "does not hold"
    return "undecided"


def publish(rows: list[Verdict], profile: str) -> None:
    """Write the table to build/<profile>/claims.json, or where the report runner collects.

    Also write it to build/claims.json, unless it is smoke's.
    """
    content = (json.dumps([asdict(row) for row in rows], indent=1) + "\n").encode()
    folder = paths.COLLECT.parent if paths.COLLECT else paths.BUILD / profile
    write_atomic(folder / "claims.json", content)
    if profile != "smoke":
        write_atomic(paths.BUILD / "claims.json", content)


def table(rows: list[Verdict]) -> str:
    """The verdicts in Markdown."""
    lines = ["| id | claim | statistic | threshold | value | 95 % interval | verdict |", "|---" * 7 + "|"]
    for r in rows:
        low, high = r.interval
        cells = (
            r.id,
            r.claim,
            r.statistic.replace("|", ""),
            r.threshold,
            f"{r.value:.3g}",
            f"{low:.3g} to {high:.3g}",
            f"**{r.verdict}**",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
