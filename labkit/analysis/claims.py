"""The original report's claims, each with a statistic, a threshold stated beforehand, an interval and a verdict.

A verdict needs the whole 95 % interval on one side of the threshold: *holds*, *does not hold*, or *undecided* if the
threshold lies inside. Claims about what one dimension means are claims about a run, so they must come back with a
second seed, or they are *true of this run only*.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from .. import pictures
from ..base import paths
from ..base.files import write_atomic
from ..base.rng import seeded
from ..training.runs import Run
from .effects import NAMES, SWEEPS, EffectTable

LAB = (5, 20, 40, 60, 80)  # the dimensions of the lab
RESAMPLES = 500
DIVISOR = 16  # our guess at what the original divided its mean losses by


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


@dataclass(frozen=True)
class Evidence:
    """What the claims are judged by, for one network."""

    run: Run
    scores: dict[str, dict]  # a row of metrics.score_runs
    effects: EffectTable
    attributes: Tensor  # (n, a): of generated images
    second: EffectTable | None = None  # of a run with another seed


def judge(vanilla: Evidence, dcgan: Evidence, floor: dict[str, dict], real: Tensor) -> list[Verdict]:
    """All verdicts. ``floor`` is the row of real training images, ``real`` (n, a) the attributes of test images."""
    both = (vanilla, dcgan)
    rows = [
        _loss("V1", "both losses of the vanilla GAN swing hard early and settle later", "swing in the first tenth of training over the last tenth, the smaller of D's and G's", vanilla, _settling, above=1.5),
        _loss("V2", "its D loss fluctuates less than its G loss", "swing of D over swing of G", vanilla, lambda d, g: _swing(d).mean() / _swing(g).mean(), below=1.0),
        _loss("V3", "its G loss trends down", "rank correlation of G's loss with time", vanilla, lambda d, g: _rank_correlation(g.mean(1)), below=-0.3),
        _over_dims("L1", "dimensions differ clearly in how much they change the image", "90th over 10th percentile of the mean image change (vanilla)", [vanilla], _unequal, above=1.5),
        _meaning("L5", "dimension 5 codes completeness: low is blurred and incomplete, high sharp and symmetric", vanilla, 5, ("completeness", "outline_sharpness", "symmetry")),
        _meaning("L20", "dimension 20 codes brightness and contrast: higher is brighter, on a cleaner background", vanilla, 20, ("brightness", "contrast", "-background")),
        _meaning("L40", "dimension 40 codes texture and detail", vanilla, 40, ("|texture|",)),
        _meaning("L60", "dimension 60 codes style and background", vanilla, 60, ("|background|",)),
        _meaning("L80", "dimension 80 codes proportion: low is slim, high is wide", vanilla, 80, ("width", "-aspect")),
        _over_dims("L6", "for most dimensions the change is smooth", "share of dimensions whose sweep has no step above a quarter of the way and 90 % of its steps forward (vanilla)", [vanilla], _smooth, above=0.5),
        _of_lab("L7", "some samples break under some edits", "fall of the share of images inside the real manifold, over the lab's five dimensions (vanilla)", vanilla, "breakage", above=0.0),
        _loss("D1", "the DCGAN's D loss stays within 0.05 to 0.10 after the first tenth of training", f"share of the time that its mean over {DIVISOR} is inside", dcgan, lambda d, g: _inside(d, 0.05, 0.10), after=0.1, above=0.95),
        _loss("D2", "its G loss stays within 0.03 to 0.06", f"share of the time that its mean over {DIVISOR} is inside", dcgan, lambda d, g: _inside(g, 0.03, 0.06), above=0.95),
        _balance("D3", dcgan),
        _calmer("D4", vanilla, dcgan),
        _closer("D5", vanilla, dcgan, real),
        _deformed("D6", vanilla, floor),
        _of_lab("D7", "an edit of the DCGAN mostly keeps the class", "share of images whose class differs between the ends, over the lab's five dimensions", dcgan, "class flips", below=0.5),
        _over_dims("S1", "the base vector decides the picture, single dimensions only vary it", "mean image change of an edit over that of a random pair, the larger of both networks", both, _share_of_pair, below=0.5),
        _over_dims("S2", "single dimensions have a recognisable meaning", "share of dimensions with any effect beyond a random direction's (false discovery rate 5 %), the smaller of both networks", both, _meaningful, above=0.5),
        _over_dims("S3", "most dimensions interpolate smoothly", "as L6, the smaller of both networks", both, _smooth, above=0.5),
        _over_dims("S4", "a few dimensions change the class", "share of dimensions that change it in more than half of the images, the larger of both networks", both, _drastic, above=0.0, below=0.2),
        _over_dims("S5", "dimensions are not equivalent", "how much the sizes of the effects vary over dimensions, over how much they vary over random directions, mean of all measures, the smaller of both networks", both, _inequality, above=1.2),
    ]  # fmt: skip
    return rows


def decide(low: float, high: float, above: float | None = None, below: float | None = None) -> str:
    """Where the interval lies: inside the limits, outside them, or across one."""
    if (above is None or low > above) and (below is None or high < below):
        return "holds"
    if (above is not None and high <= above) or (below is not None and low >= below):
        return "does not hold"
    return "undecided"


def publish(rows: list[Verdict], profile: str) -> None:
    """Write the table to build/<profile>/claims.json, or where the report runner collects, and to build/claims.json unless it is smoke's."""
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


def _row(id, claim, statistic, value, low, high, above=None, below=None) -> Verdict:
    limits = [f"{word} {limit:g}" for word, limit in (("above", above), ("below", below)) if limit is not None]
    return Verdict(
        id,
        claim,
        statistic,
        " and ".join(limits),
        float(value),
        (float(low), float(high)),
        decide(low, high, above, below),
    )


def _interval(samples: Tensor) -> tuple[float, float]:
    return torch.quantile(samples.double(), 0.025).item(), torch.quantile(samples.double(), 0.975).item()


# ----- losses: blocks of steps are what is resampled, since neighbouring steps are alike


def _blocks(run: Run) -> tuple[Tensor, Tensor]:
    """D's and G's loss in blocks of about fifty steps, (blocks, steps) each."""
    d, g = (run.column(name).flatten() for name in ("loss_d", "loss_g"))
    length = max(2, min(50, len(d) // 20))
    return tuple(loss[: len(loss) // length * length].view(-1, length) for loss in (d, g))


def _loss(
    id, claim, statistic, evidence, measure: Callable[[Tensor, Tensor], Tensor], after: float = 0.0, **limits
) -> Verdict:
    """``measure(D's blocks, G's blocks)``, from the share ``after`` of training on."""
    d, g = (blocks[int(after * len(blocks)) :] for blocks in _blocks(evidence.run))
    with seeded("claims", id):
        picks = [torch.randint(len(d), (len(d),)).sort().values for _ in range(RESAMPLES)]
    samples = torch.stack([torch.as_tensor(measure(d[pick], g[pick])) for pick in picks])
    return _row(id, claim, statistic, measure(d, g), *_interval(samples), **limits)


def _swing(blocks: Tensor) -> Tensor:
    """Standard deviation within each block."""
    return blocks.std(1)


def _settling(d: Tensor, g: Tensor) -> Tensor:
    tenth = max(1, len(d) // 10)
    return torch.stack([_swing(loss[:tenth]).mean() / _swing(loss[-tenth:]).mean() for loss in (d, g)]).min()


def _rank_correlation(values: Tensor) -> Tensor:
    """Spearman's, with the order."""
    _, inverse, counts = values.unique(return_inverse=True, return_counts=True)
    ranks = (counts.cumsum(0).double() - (counts - 1) / 2)[inverse]  # equal values share their mean rank
    ranks, time = ranks - ranks.mean(), torch.arange(len(ranks)) - (len(ranks) - 1) / 2
    return (ranks * time).sum() / (ranks.norm() * time.norm()).clamp(min=1e-12)


def _inside(blocks: Tensor, low: float, high: float) -> Tensor:
    means = blocks.mean(1) / DIVISOR
    return ((means >= low) & (means <= high)).double().mean()


def _calmer(id, vanilla, dcgan) -> Verdict:
    def movement(blocks):
        return sum((_swing(loss).mean() / loss.mean()) for loss in blocks) / 2

    sets = [_blocks(evidence.run) for evidence in (dcgan, vanilla)]
    with seeded("claims", id):
        picks = [[torch.randint(len(d), (len(d),)) for d, _ in sets] for _ in range(RESAMPLES)]
    ratios = [
        movement([loss[pick[0]] for loss in sets[0]]) / movement([loss[pick[1]] for loss in sets[1]]) for pick in picks
    ]
    statistic = "swing over level, mean of D and G, DCGAN over vanilla"
    value = movement(sets[0]) / movement(sets[1])
    return _row(
        id,
        "the DCGAN's loss curves move far less than the vanilla GAN's",
        statistic,
        value,
        *_interval(torch.stack(ratios)),
        below=0.5,
    )


def _balance(id, dcgan) -> Verdict:
    fake = dcgan.run.column("d_fake")
    later = fake[len(fake) // 2 :].flatten()
    later = (
        later[: len(later) // 2 * 2].view(-1, 2) if len(later) < 100 else later[: len(later) // 50 * 50].view(-1, 50)
    )
    balanced = ((later.mean(1) > 0.2) & (later.mean(1) < 0.8)).double() * (dcgan.scores["dropped_classes"]["high"] == 0)
    with seeded("claims", id):
        samples = torch.stack(
            [balanced[torch.randint(len(balanced), (len(balanced),))].mean() for _ in range(RESAMPLES)]
        )
    statistic = "share of the second half of training with mean D(G(z)) between 0.2 and 0.8; 0 if a class is missing from the samples"
    return _row(
        id,
        "neither side of the DCGAN wins for good, and there is no mode collapse",
        statistic,
        balanced.mean(),
        *_interval(samples),
        above=0.95,
    )


# ----- pictures


def _closer(id, vanilla, dcgan, real) -> Verdict:
    columns = [list(pictures.ATTRIBUTES).index(name) for name in ("outline_sharpness", "texture")]

    def ratios(v, d, r):
        gaps = [(measured.mean(0) - r.mean(0)).abs()[columns] for measured in (v, d)]
        return (gaps[0] / gaps[1].clamp(min=1e-9)).min()

    sets = (vanilla.attributes, dcgan.attributes, real)
    with seeded("claims", id):
        samples = torch.stack([ratios(*(s[torch.randint(len(s), (len(s),))] for s in sets)) for _ in range(RESAMPLES)])
    frechet = [
        vanilla.scores["frechet"][a] / dcgan.scores["frechet"][b]
        for a, b in (("mean", "mean"), ("low", "high"), ("high", "low"))
    ]
    low, high = _interval(samples)
    statistic = (
        "distance from real images, vanilla over DCGAN, the smallest of outline sharpness, texture and Frechet distance"
    )
    return _row(id, "DCGAN samples beat the vanilla GAN's in outline, texture and style", statistic, min(ratios(*sets), frechet[0]), min(low, frechet[1]), min(high, frechet[2]), above=1.0)  # fmt: skip


def _deformed(id, vanilla, floor) -> Verdict:
    best, mine = floor["precision"]["mean"], vanilla.scores["precision"]
    statistic = "share of images outside the real manifold, beyond that of real images (interval: evaluation seeds)"
    return _row(
        id,
        "the vanilla GAN still shows deformed or noisy samples",
        statistic,
        best - mine["mean"],
        best - mine["high"],
        best - mine["low"],
        above=0.05,
    )


# ----- dimensions


def _column(effects: EffectTable, name: str) -> Tensor:
    return effects.mean[:, NAMES.index(name)]


def _over_dims(
    id, claim, statistic, evidences, measure: Callable[[EffectTable, Tensor], Tensor], above=None, below=None
) -> Verdict:
    """``measure(effects, picked dimensions)``; of several networks the one that is worse for the claim."""
    found = []
    for evidence in evidences:
        k = len(evidence.effects.mean)
        with seeded("claims", id, evidence.run.config.model):
            samples = torch.stack([measure(evidence.effects, torch.randint(k, (k,))) for _ in range(RESAMPLES)])
        found.append((measure(evidence.effects, torch.arange(k)).item(), *_interval(samples)))
    worst = max if below is not None else min  # of the values, and of either end: the claim is made of both networks
    return _row(id, claim, statistic, *(worst(ends) for ends in zip(*found)), above, below)


def _unequal(effects, pick):
    change = _column(effects, "image change")[pick]
    return change.quantile(0.9) / change.quantile(0.1).clamp(min=1e-9)


def _smooth(effects, pick):
    _, forward, largest, _ = (effects.sweeps[pick, i] for i in range(len(SWEEPS)))
    return ((largest < 0.25) & (forward > 0.9)).double().mean()


def _share_of_pair(effects, pick):
    return _column(effects, "image change")[pick].mean() / effects.pairs[0]


def _meaningful(effects, pick):
    return effects.special[pick].any(1).double().mean()


def _drastic(effects, pick):
    return (_column(effects, "class flips")[pick] > 0.5).double().mean()


def _inequality(effects, pick):
    sizes, null = effects.mean[pick].abs(), effects.null[pick % len(effects.null)].abs()
    return (sizes.std(0) / null.std(0).clamp(min=1e-9)).mean()


def _of_lab(id, claim, statistic, evidence, name, **limits) -> Verdict:
    column = NAMES.index(name)
    ends = [
        part[list(LAB), column].mean() for part in (evidence.effects.mean, evidence.effects.low, evidence.effects.high)
    ]
    return _row(id, claim, statistic, *ends, **limits)


def _meaning(id, claim, evidence, dim, names) -> Verdict:
    """The weakest of several effects, in deviations of random directions' effects; more than 2, and again with another seed."""

    def weakest(effects):
        ends = []
        for name in names:
            column = NAMES.index(name.strip("-|"))
            deviation = (
                effects.mean[dim, column] / effects.score[dim, column] if effects.score[dim, column] else torch.inf
            )
            low, mean, high = sorted(
                (part[dim, column] / deviation).item() for part in (effects.low, effects.mean, effects.high)
            )
            if name.startswith("-") or (name.startswith("|") and mean < 0):
                low, mean, high = -high, -mean, -low
            ends.append((mean, low, high))
        return tuple(min(column) for column in zip(*ends))

    statistic = f"effect of z[{dim}] from -3 to 3 on {', '.join(names).replace('_', ' ')} (the weakest), in deviations of random directions' effects"
    row = _row(id, claim, statistic, *weakest(evidence.effects), above=2.0)
    if row.verdict == "holds":
        again = evidence.second and _row(id, claim, statistic, *weakest(evidence.second), above=2.0).verdict == "holds"
        if not again:
            row = Verdict(**{**asdict(row), "verdict": "true of this run only" if evidence.second else "undecided"})
    return row
