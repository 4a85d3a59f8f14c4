"""The original report's claims, each with a statistic and a threshold stated beforehand, judged over training runs.

The unit is the run. In each run (or pair of runs with one seed, if a claim is about both networks) the statistic is on
its side of the threshold or not; of n runs k pass, and the share has an exact interval. *holds*: its lower end is above
one half; *does not hold*: its upper end is below; *depends on the run*: otherwise. See docs/preregistration.md.

Where there are no two runs that can answer, a claim is judged *within a run*: *holds*, if the whole 95 % interval of
the statistic, over steps, dimensions, base vectors or images, is on its side of the threshold; *does not hold*;
*undecided*, if the threshold lies inside. What another training would give, this does not say. A claim about the whole
of the exercise's training is *not tested* by a run with fewer epochs. To add a claim, add a record to `CLAIMS`; the
functions that measure stand in `evidence`.
"""

import inspect
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any, Protocol

import torch

from .. import data
from ..base import paths
from ..base.files import write_atomic
from ..gans.losses import NonSaturating
from ..latent import LAB_DIMS
from ..texts import say, using
from .evidence import (
    DISTANCES,
    DIVISOR,
    Estimate,
    Evidence,
    Interval,
    among_dimensions,
    at_lab,
    balance,
    calmer,
    closer,
    crossings,
    deformed,
    drastic,
    farther,
    fluctuation,
    fluctuations,
    inequality,
    inside,
    meaning,
    meaningful,
    over_dimensions,
    over_steps,
    settling,
    share_of_pair,
    smooth,
    strongest,
    trend,
)
from .statistics import clopper_pearson, t_interval
from .wording import Wording, sentences

VANILLA, DCGAN, BOTH = ("vanilla",), ("dcgan",), ("vanilla", "dcgan")
RUN, RUNS = "within run", "runs"  # levels of a verdict
FEWEST = 4  # steps of a training of which two parts can be drawn
Networks = tuple[Evidence, ...]  # of one run for each network that a claim is about, all of one seed


@dataclass(frozen=True)
class Claim:
    """A sentence of the original report, and how it is tested: it holds ``above`` and ``below`` these limits."""

    id: str
    sentence: str
    statistic: str  # in words
    kind: str  # what its interval within a run is over: steps, images, vectors or dimensions
    about: tuple[str, ...]  # networks
    figure: int  # of the report, that shows it
    measure: Callable[..., Estimate]  # of the id and the evidence for each of ``about``
    above: float | None = None
    below: float | None = None
    epochs: int = 0  # how long one must train before one can tell; 0: any trained network can answer
    dims: tuple[int, ...] = ()  # dimensions that it is about: a shorter z has none
    of_one_run: bool = False  # what is claimed of one run says nothing about the next: one alone cannot decide it
    note: str = ""  # what is to be known beside the verdict
    beside: Callable[[Sequence[Networks]], Wording] | None = None  # other readings of the same runs

    @property
    def values(self) -> dict[str, Any]:
        """Numbers that its texts may name."""
        return {"divisor": DIVISOR}

    @property
    def limits(self) -> Wording:
        """The threshold in words."""
        given = {name: limit for name, limit in (("above", self.above), ("below", self.below)) if limit is not None}
        return Wording("claims.limits." + "_".join(given), given)

    def passes(self, value: float) -> bool:
        """Whether ``value`` is on its side of the threshold; nan is not."""
        return decide(value, value, self.above, self.below) == "holds"


def readings(measure: Callable[[Evidence], dict[str, float]], runs: Sequence[Networks]) -> Wording:
    """The means of further readings of the first network over ``runs``; their text has the name of ``measure``."""
    rows = [measure(networks[0]) for networks in runs]
    means = {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}
    return Wording(f"claims.beside.{measure.__name__}", means)


def _distances(runs: Sequence[Networks]) -> Wording:
    """The single ratios of `closer`."""
    ratios = {name: [v.score(name).value / max(d.score(name).value, 1e-9) for v, d in runs] for name in DISTANCES}
    return Wording("claims.beside.distances", {name: sum(found) / len(found) for name, found in ratios.items()})


def _meaning(id: str, dim: int, figure: int, sentence: str, *names: str, note: str = "As L5.") -> Claim:
    """The claim that dimension ``dim`` of the vanilla GAN codes ``names``, written as in `evidence.meaning`."""
    words = [re.sub(r"^-(.*)", r"falling \1", re.sub(r"^\|(.*)\|$", r"\1, either way", name)) for name in names]
    which, what = "weakest effect" if len(words) > 1 else "effect", ", ".join(words).replace("_", " ")
    return Claim(
        id,
        sentence,
        f"{which} of z[{dim}] from -3 to 3 on {what}, in standard deviations of random directions' effects",
        "vectors",
        VANILLA,
        figure,
        partial(meaning, dim, names),
        above=2.0,
        dims=(dim,),
        of_one_run=True,
        note=note,
        beside=lambda runs: strongest(dim, [networks[0] for networks in runs]),
    )


# fmt: off
CLAIMS = (
    Claim("V1", "both losses of the vanilla GAN swing hard early and settle later",
          "swing in the first tenth of training divided by that in the last tenth, the smaller of D's and G's",
          "steps", VANILLA, 2, settling, above=1.5, epochs=200),
    Claim("V2", "its D loss fluctuates less than its G loss",
          "standard deviation of D's loss over all steps, divided by that of G's",
          "steps", VANILLA, 2, partial(over_steps, fluctuation), below=1.0,
          beside=partial(readings, fluctuations)),
    Claim("V3", "its G loss trends down",
          "rank correlation of G's loss with time",
          "steps", VANILLA, 2, partial(over_steps, trend), below=-0.3, epochs=200),
    Claim("L1", "dimensions differ clearly in how much they change the image",
          "standard deviation of the mean image change over the dimensions, divided by that over random directions "
          "(vanilla GAN)",
          "dimensions", VANILLA, 16, partial(over_dimensions, partial(inequality, names=["image change"])), above=1.2),
    _meaning("L5", 5, 4, "dimension 5 codes completeness: low is blurred and incomplete, high sharp and symmetric",
             "completeness", "outline_sharpness", "symmetry",
             note="The axes of z are alike before training, so what an axis comes to mean is an accident of the run."
                  " The meanings in the original belong to its own network: L5 to L80 could not be reproduced."),
    _meaning("L20", 20, 5, "dimension 20 codes brightness and contrast: higher is brighter, on a cleaner background",
             "brightness", "contrast", "-background"),
    _meaning("L40", 40, 6, "dimension 40 codes local texture and detail", "|texture|",
             note="As L5. Collar, folds and edges, which the original names, are not told apart."),
    _meaning("L60", 60, 7, "dimension 60 codes style and background", "|background|",
             note="As L5. Of style there is no measure: the background is what is judged."),
    _meaning("L80", 80, 8, "dimension 80 codes proportion: low is slim, high is wide and coat-like", "width", "-aspect",
             note="As L5. Likeness to a coat is not a part of it."),
    Claim("L6", "for most dimensions the change is smooth",
          "share of dimensions whose sweep has no step above a quarter of the way and 90 % of its steps forward "
          "(vanilla GAN)",
          "dimensions", VANILLA, 26, partial(among_dimensions, smooth), above=0.5),
    Claim("L7", "some samples break under some edits",
          "of edits along the lab's five dimensions from a base inside the real manifold, the share that ends outside "
          "(vanilla GAN)",
          "vectors", VANILLA, 15, partial(at_lab, "breakage"), above=0.05, dims=LAB_DIMS,
          note="What the original names as kinds and causes (blur, saturation, distortion, blind spots, mode collapse)"
               " is not told apart.",
          beside=partial(readings, crossings)),
    Claim("D1", "the DCGAN's D loss stays within 0.05 to 0.10 after the first tenth of training",
          f"share of the time that its mean over {DIVISOR} is inside",
          "steps", DCGAN, 11,
          partial(over_steps, partial(inside, 0.05 * DIVISOR, 0.10 * DIVISOR), after=0.1, columns=["loss_d"]),
          above=0.95, epochs=200, note=f"The divisor {DIVISOR} was guessed after the ranges had been seen. The swings"
               " and the peak near 0.22 of the first 20 epochs are looked at in chapter two."),
    Claim("D2", "its G loss stays within 0.03 to 0.06",
          f"share of the time that its mean over {DIVISOR} is inside",
          "steps", DCGAN, 11, partial(over_steps, partial(inside, 0.03 * DIVISOR, 0.06 * DIVISOR), columns=["loss_g"]),
          above=0.95, epochs=200, note="The divisor is that of D1, guessed for both losses at once."),
    Claim("D3", "neither side of the DCGAN wins for good, and there is no mode collapse",
          "share of the second half of training with mean D(G(z)) between 0.2 and 0.8; "
          "0 if a class is missing from the samples",
          "steps", DCGAN, 11, balance, above=0.95, epochs=200,
          note="Whether the losses alternate, or a class collapses within, is not tested."),
    Claim("D4", "the DCGAN's loss curves move far less than the vanilla GAN's",
          "swing divided by level, mean of D and G; that of the DCGAN divided by that of the vanilla GAN",
          "steps", BOTH, 18, partial(over_steps, calmer), below=0.5),
    Claim("D5", "DCGAN samples beat the vanilla GAN's in all of outline, texture and style",
          "distance from real images, vanilla GAN's divided by DCGAN's, the smallest of: Fréchet distances in both "
          "spaces; Kolmogorov's distance of outline sharpness, and of texture",
          "images", BOTH, 17, closer, above=1.0, epochs=20,
          note="The original speaks of 200 epochs. Style has no measure but the Fréchet distances.",
          beside=_distances),
    Claim("D6", "the vanilla GAN still shows deformed or noisy samples",
          "share of samples farther from the nearest test images than 99 % of real training images are, minus that 1 %",
          "images", VANILLA, 17, deformed, above=0.05, epochs=20,
          note="The original speaks of 200 epochs. This distance does not see garments that are too smooth, since they"
               " lie near to many real ones. The two-sample AUC does see them; it stands among the scores."),
    Claim("D7", "an edit of the DCGAN mostly keeps the class",
          "share of pictures whose class an edit of the lab's five dimensions changes",
          "vectors", DCGAN, 13, partial(at_lab, "class flips"), below=0.5, dims=LAB_DIMS,
          note="What else changes, or stays, stands in chapter three; pose has no measure."),
    Claim("S1", "the base vector decides the picture, single dimensions only vary it",
          "mean image change of an edit divided by that of a random pair, the larger of both networks",
          "dimensions", BOTH, 16, partial(over_dimensions, share_of_pair, worse=max), below=0.5,
          note="Class: see D7 and S4. If pictures were linear in z, geometry alone would give 0.42 for an edit from -3"
               " to 3, and 0.21 for one from the base vector to either end, which is what is measured here."),
    Claim("S2", "single dimensions have a recognisable meaning",
          "number of dimensions with any effect beyond random directions' (false discovery rate 5 %), "
          "the smaller of both networks",
          "dimensions", BOTH, 15, partial(among_dimensions, meaningful, count=True), above=0,
          note="An earlier threshold asked for one half of the dimensions, which no generator can reach."),
    Claim("S3", "most dimensions interpolate smoothly",
          "as L6, the smaller of both networks",
          "dimensions", BOTH, 26, partial(among_dimensions, smooth), above=0.5),
    Claim("S4", "a few dimensions change the class",
          "share of dimensions whose edit changes the class of more than half of the pictures, "
          "of both networks the one farther from 0.1",
          "dimensions", BOTH, 15, partial(among_dimensions, drastic, worse=partial(farther, (0.0, 0.2))),
          above=0.0, below=0.2),
    Claim("S5", "dimensions are not equivalent",
          "standard deviation of the sizes of effects over the dimensions, divided by that over random directions; "
          "mean of all measures, the smaller of both networks",
          "dimensions", BOTH, 15, partial(over_dimensions, inequality), above=1.2),
)
# fmt: on


class Record(Protocol):
    """What a row asks of the claim that it is about: of a `Claim`, or of a `design.Design`."""

    @property
    def figure(self) -> int: ...
    @property
    def measure(self) -> Callable: ...
    @property
    def values(self) -> Mapping[str, Any]: ...
    @property
    def limits(self) -> Wording: ...


def _spoken(default: object) -> Any:
    """A field that is there for `spoken`, and is no part of what is stored."""
    return field(default=default, compare=False, repr=False, metadata={"stored": False})


@dataclass(frozen=True)
class Verdict:
    """One row of the claims table, in English; numbers are None where there are none. A reader is shown `spoken`."""

    id: str
    claim: str
    statistic: str
    threshold: str
    value: float | None  # of the run, or the mean over runs
    interval: Interval  # within the run, or Student's of the mean over runs
    verdict: str
    level: str = RUN  # RUN or RUNS: over what it is judged
    runs: int = 1
    passes: int | None = None  # of them, those on its side of the threshold
    share: Interval = None  # that of ``passes`` by Clopper and Pearson
    per_run: list[dict] = field(default_factory=list)  # seed, value, passes
    here: float | None = None  # the statistic in the run at hand
    note: str = ""
    record: "Record | None" = _spoken(None)  # the claim that is judged
    why: Wording | None = _spoken(None)  # why it is not tested
    beside: tuple[Wording, ...] = _spoken(())  # the sentences of the note


def judge(within: Mapping[str, Evidence], runs: Mapping[str, Sequence[Evidence]] | None = None) -> list[Verdict]:
    """All verdicts: of ``runs`` where at least two can answer, else of the one run of each network in ``within``.

    Both by the network's name, vanilla and dcgan; ``runs`` are paired by their seeds. Where the run at hand was trained
    on another data set, no run of garments answers for it.
    """
    if any(evidence.config.dataset != data.DEFAULT for evidence in within.values()):
        runs = None
    with using("en"):
        return [_judged(claim, within, runs or {}) for claim in CLAIMS]


def _judged(claim: Claim, within: Mapping[str, Evidence], runs: Mapping[str, Sequence[Evidence]]) -> Verdict:
    one = [tuple(within[name] for name in claim.about)] if set(claim.about) <= set(within) else []
    why = _untested(claim, one[0]) if one else _why("no_run")
    by_seed = [{evidence.seed: evidence for evidence in runs.get(name, ())} for name in claim.about]
    seeds = sorted(set.intersection(*map(set, by_seed)))
    several = [tuple(found[seed] for found in by_seed) for seed in seeds]
    several = [networks for networks in several if not _untested(claim, networks)]
    here = _finite(claim.measure(claim.id, *one[0]).value) if one and not _lacks(claim, one[0]) else None
    if len(several) >= 2:
        return _over_runs(claim, several, here)
    if here is None:
        why = why or _why("no_value")
        return _row(claim)(value=None, interval=None, verdict=untested(why), why=why, runs=len(one))
    return _within(claim, one[0], why)


def _row(claim: Claim, *beside: Wording | None) -> Callable[..., Verdict]:
    """Makes a row of ``claim``, given the rest of it; what stands ``beside`` follows the claim's own note."""
    own = Wording(f"claims.{claim.id}.note", claim.values, claim.note) if claim.note else None
    words = tuple(one for one in (own, *beside) if one is not None)
    limits = claim.limits.said()
    row = partial(Verdict, claim.id, claim.sentence, claim.statistic, limits)
    return partial(row, record=claim, beside=words, note=sentences(*words))


def _why(key: str, **values: object) -> Wording:
    """A reason why a claim is not tested."""
    return Wording(f"claims.why.{key}", values)


def untested(why: Wording) -> str:
    """The verdict on a claim that is not tested."""
    return say("claims.why.not_tested", why=why.said())


def _untested(claim: Claim, networks: Networks) -> Wording | None:
    """Why runs cannot answer; nothing if they can."""
    trained, losses = min(e.epochs for e in networks), {e.config.loss for e in networks}
    if of_others := [e.config.dataset for e in networks if e.config.dataset != data.DEFAULT]:
        return _why("dataset", own=data.FASHION_MNIST.title, other=data.find(of_others[0]).title)
    if claim.kind == "steps" and losses != {NonSaturating.name}:  # thresholds are made for the original's loss
        return _why("loss", loss=", ".join(sorted(losses - {NonSaturating.name})))
    if trained < claim.epochs:
        return _why("epochs", trained=trained, epochs=claim.epochs)
    steps = min(len(e.column("loss_d")) for e in networks)
    if claim.kind == "steps" and steps < FEWEST:
        return _why("steps", steps=steps)
    return _lacks(claim, networks)


def _lacks(claim: Claim, networks: Networks) -> Wording | None:
    """What there is to measure a claim by that these runs do not have; nothing if they do."""
    if claim.kind in ("vectors", "dimensions") and any(e.effects is None for e in networks):
        return _why("effects")
    shortest = min(e.config.latent_dim for e in networks)
    if missing := [dim for dim in claim.dims if dim >= shortest]:
        return _why("short_z", numbers=shortest, missing=missing[0])
    return None


def _within(claim: Claim, networks: Networks, why: Wording | None) -> Verdict:
    """The row of a claim by one run of each network; ``why`` it cannot answer, or nothing."""
    found = claim.measure(claim.id, *networks)
    value, interval = found.value, found.interval
    if interval and not all(map(math.isfinite, interval)):
        why, interval = why or _why("no_interval"), None
    verdict = decide(*(interval or (value, value)), claim.above, claim.below)
    if why or (claim.of_one_run and verdict == "holds"):
        verdict = untested(why) if why else "undecided"
    passes = claim.passes(value)
    return _row(claim, _beside(claim, [networks]))(
        value=value,
        interval=interval,
        verdict=verdict,
        passes=int(passes),
        per_run=[{"seed": networks[0].seed, "value": value, "passes": passes}],
        here=value,
        why=why,
    )


def _over_runs(claim: Claim, runs: list[Networks], here: float | None) -> Verdict:
    """The row of a claim by several runs of each network."""
    values = [claim.measure(claim.id, *networks).value for networks in runs]
    seeds, passes = [networks[0].seed for networks in runs], [claim.passes(value) for value in values]
    verdict, share = over_runs(sum(passes), len(passes))
    value, interval, rows, lost = mean_over_runs(seeds, values, passes)
    return _row(claim, _beside(claim, runs), lost)(
        value=value,
        interval=interval,
        verdict=verdict,
        level=RUNS,
        runs=len(runs),
        passes=sum(passes),
        share=share,
        per_run=rows,
        here=here,
    )


def over_runs(k: int, n: int) -> tuple[str, tuple[float, float]]:
    """The verdict where ``k`` of ``n`` runs pass, and the interval of the share by Clopper and Pearson."""
    low, high = clopper_pearson(k, n)
    return "holds" if low > 0.5 else "does not hold" if high < 0.5 else "depends on the run", (low, high)


def mean_over_runs(
    seeds: Sequence[int], values: Sequence[float], passes: Sequence[bool]
) -> tuple[float | None, Interval, list[dict], Wording | None]:
    """Mean over runs and its t interval, the rows of a verdict, and a sentence on runs without a value, if any.

    A run that diverged has none: it counts as one that does not pass.
    """
    finite = torch.tensor([value for value in values if math.isfinite(value)], dtype=torch.double)
    rows = [
        {"seed": seed, "value": _finite(value), "passes": passed}
        for seed, value, passed in zip(seeds, values, passes, strict=True)
    ]
    lost = ", ".join(str(row["seed"]) for row in rows if row["value"] is None)
    mean, ends = (finite.mean().item(), t_interval(finite)) if len(finite) else (None, (math.nan, math.nan))
    none = math.isnan(ends[0]) or ends[0] == ends[1]  # of one run, or of runs that are all alike
    return mean, None if none else ends, rows, Wording("claims.beside.lost", {"seeds": lost}) if lost else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _beside(claim: Claim, runs: Sequence[Networks]) -> Wording | None:
    return claim.beside(runs) if claim.beside and runs else None


def decide(low: float, high: float, above: float | None = None, below: float | None = None) -> str:
    """Where the interval lies: inside the limits, outside them, or across one."""
    if (above is None or low > above) and (below is None or high < below):
        return "holds"
    if (above is not None and high <= above) or (below is not None and low >= below):
        return "does not hold"
    return "undecided"


def stored(row: Verdict) -> dict:
    """What is kept of ``row``: English and numbers, whatever language is spoken."""
    return {part.name: getattr(row, part.name) for part in fields(row) if part.metadata.get("stored", True)}


def publish(rows: Sequence[Verdict], profile: str) -> None:
    """Write the table to build/<profile>/claims.json, or where the report runner collects.

    Also write it to build/claims.json, unless it is smoke's; the runner does so when it publishes.
    """
    content = (json.dumps([stored(row) for row in rows], indent=1, allow_nan=False) + "\n").encode()
    folder = paths.COLLECT.parent / "pages" if paths.COLLECT else paths.BUILD / profile
    write_atomic(folder / "claims.json", content)
    if profile != "smoke" and not paths.COLLECT:
        write_atomic(paths.BUILD / "claims.json", content)


def spoken(row: Verdict) -> Verdict:
    """``row`` in the language that is spoken now, for those who read it; what is stored stays English."""
    values = row.record.values if row.record else {}
    return replace(
        row,
        claim=say(f"claims.{row.id}.sentence", row.claim),
        statistic=say(f"claims.{row.id}.statistic", row.statistic, **values),
        threshold=row.record.limits.said() if row.record else row.threshold,
        verdict=untested(row.why) if row.why else verdict_word(row.verdict),
        note=sentences(*row.beside) if row.beside else row.note,
    )


def verdict_word(verdict: str) -> str:
    """A verdict as it is stored, "does not hold", in the language that is spoken now."""
    return say(f"claims.verdict.{verdict.replace(' ', '_')}", verdict)


def source_of(record: Record) -> str:
    """Where the function stands that measures a claim: labkit/analysis/evidence.py#L300."""
    measure = record.measure
    while isinstance(measure, partial):  # what is drawn anew, or counted, is given to it first
        measure = measure.args[0] if measure.args and callable(measure.args[0]) else measure.func
    return f"{measure.__module__.replace('.', '/')}.py#L{inspect.getsourcelines(measure)[1]}"


def table(rows: Sequence[Verdict]) -> str:
    """The verdicts in Markdown: each row with an anchor, claim-V1, its statistic, its figure and its line of code."""
    names = ["id", "claim", "value", "threshold", "here", "verdict"]
    if all(row.here is None for row in rows):
        names.remove("here")
    heads = [say(f"claims.table.{name}") for name in names]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for row in rows:
        cells = _cells(row)
        lines.append("| " + " | ".join(cells[name] for name in names) + " |")
    return "\n".join(lines)


def _cells(row: Verdict) -> dict[str, str]:
    """One row of the table by its heads."""
    limits = [float(number) for number in re.findall(r"-?\d+\.?\d*", row.threshold)]
    said, value = spoken(row), shown(row.value, limits)
    if row.interval is not None:
        low, high = (shown(end, limits) for end in row.interval)
        value = say("claims.table.with_interval", value=value, low=low, high=high)
    small = said.statistic
    if row.record:
        links = {"figure": row.record.figure, "source": f"../{source_of(row.record)}"}
        small = say("claims.table.statistic", statistic=small, **links)
    return {
        "id": f'<a id="claim-{row.id}"></a>{row.id}',
        "claim": f"{said.claim}<br><small>{small}</small>",
        "value": value,
        "threshold": said.threshold,
        "here": shown(row.here, limits),
        "verdict": say("claims.table.judged", verdict=said.verdict, over=_over(row)),
    }


def _over(row: Verdict) -> str:
    """Over what ``row`` was judged; and if so few runs can give no other verdict, that."""
    if row.level == RUN:
        return say("claims.table.within")
    if row.passes is None:
        return say("claims.table.over_runs")
    return say("claims.table.over_few" if too_few(row) else "claims.table.over", passes=row.passes, runs=row.runs)


def too_few(row: Verdict) -> bool:
    """Whether the runs of a claim that depends on them are so few that it could have no other verdict."""
    return row.verdict == "depends on the run" and clopper_pearson(row.runs, row.runs)[0] <= 0.5


def shown(value: float | None, limits: Sequence[float] = ()) -> str:
    """``value`` with three digits, and more where it would seem to be on another side of one of ``limits``."""
    if value is None:
        return "–"
    for digits in range(3, 17):
        text = f"{value:.{digits}g}"
        if all(
            (value > limit) == (float(text) > limit) and (value < limit) == (float(text) < limit) for limit in limits
        ):
            break
    return text


def linked(ids: Iterable[str]) -> str:
    """The ids as links to their rows of the table, in Markdown."""
    return say("common.list.between").join(f"[{id}](#claim-{id})" for id in ids)


def counted(groups: Mapping[tuple[str, str], Sequence[str]]) -> str:
    """How many claims have each verdict at each level, and which, as a list in Markdown."""
    return "\n".join(
        say(
            f"claims.table.counted_{'runs' if level == RUNS else 'run'}",
            verdict=verdict_word(verdict),
            n=len(ids),
            ids=linked(ids),
        )
        for (verdict, level), ids in sorted(groups.items())
    )


def notes(rows: Sequence[Verdict]) -> str:
    """What is to be known beside the verdicts, as a list in Markdown."""
    return "\n".join(say("claims.table.note", id=row.id, note=spoken(row).note) for row in rows if row.note)
