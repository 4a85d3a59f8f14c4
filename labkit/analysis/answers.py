"""What was found, in words: the sentences of the report's first page, and paragraphs on each dimension.

Each function takes what was measured and gives a text in the reader's language, in Markdown. Which sentence is said is
decided here; the words stand in texts/<language>/answers.toml. Pictures are chosen here, too, for its figure.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ..evaluation.classifier import Classifier
from ..latent import LAB_DIMS, LAB_VALUES
from ..pictures import ATTRIBUTES
from ..texts import listed, say, terms
from ..training.runs import Run
from . import claims, comparisons
from .conclusion import nearer
from .design import Arms
from .effects import NAMES, UNITS, EffectTable, in_unit, number
from .inversion import Inversion

MODELS = ("dcgan", "vanilla")
EQUAL = 5, 20  # epochs of a DCGAN and of a vanilla GAN that cost the same computation, as fixed in the preregistration
Scores = Mapping[str, Mapping[str, Mapping[str, float]]]  # by model and score: mean, low, high


def first_of_each(images: Tensor, classes: Tensor, many: int) -> Tensor:
    """The first of ``images`` (n, 1, 28, 28) of each of ``many`` ``classes`` (n,), (many, 28, 28); nan if none is."""
    found = torch.full((many, *images.shape[2:]), torch.nan)
    for k in classes.unique().tolist():
        found[k] = images[classes == k][0, 0]
    return found


def best_of_each(images: Tensor, ruler: Classifier, real: Tensor, many: int) -> Tensor:
    """Of ``images``, of each class that ``ruler`` sees the one nearest to one of ``real``, by features; see above."""
    features, probabilities = ruler.measure(images, signed=True)
    order = torch.cdist(features, ruler.measure(real, signed=True)[0]).amin(1).argsort()
    return first_of_each(images[order], probabilities.argmax(1)[order], many)


def name(model: str) -> str:
    """What ``model`` is called."""
    return say(f"common.network.{model}")


def joined(*sentences: str) -> str:
    """Those of ``sentences`` that there are, one after the other."""
    return say("common.list.sentences").join(filter(None, sentences))


def _across(arms: Arms, looks: tuple[int, int] | None = None) -> comparisons.Comparison | None:
    """DCGAN less vanilla GAN, our recipe, after the last epoch of each or after ``looks``; None of too few pairs."""
    found = [arms.get(f"{model}-ours", ()) for model in MODELS]
    if not all(found):
        return None
    after = looks or tuple(of[0].epochs for of in found)
    scores = [comparisons.at([r for r in of if k in r.scores], k) for of, k in zip(found, after, strict=True)]
    return comparisons.compare(scores[0], scores[1], MODELS) if len(set(scores[0]) & set(scores[1])) > 1 else None


def better(arms: Arms, scores: Scores) -> str:
    """Which network draws the better pictures, and by how much: over trainings, if a study is there."""
    found = _across(arms)
    if found is None:
        return _better_here(scores)
    epochs = arms[f"{MODELS[0]}-ours"][0].epochs
    by = {d.outcome.score: d for d in found.differences}
    shares = [x for key in ("frechet", "frechet_pixels") for x in (by[key].mean, *sorted(by[key].bca))]
    values = [math.exp(x) for x in shares]
    words = dict(
        zip(("features", "features_low", "features_high", "pixels", "pixels_low", "pixels_high"), values, strict=True)
    )
    words |= dict(zip(("recall", "recall_low", "recall_high"), (by["recall"].mean, *by["recall"].bca), strict=True))
    first = say(
        f"answers.better.{found.better or 'neither'}",
        n=len(found.seeds),
        epochs=epochs,
        pairs=min(by[key].improvement for key in ("frechet", "frechet_pixels")),
        **words,
    )
    cost = _across(arms, EQUAL)
    second = say(f"answers.equal.{cost.better or 'neither'}", few=EQUAL[0], many=EQUAL[1]) if cost else ""
    return joined(first, _save_in(arms, found), second)


def _save_in(arms: Arms, found: comparisons.Comparison) -> str:
    """In which single attributes the other network is nearer to real garments, in all pairs of trainings."""
    if found.better is None:
        return ""
    other = MODELS[MODELS[0] == found.better]
    of = {model: {r.seed: r.scores[r.epochs] for r in arms[f"{model}-ours"]} for model in MODELS}
    closer = [
        measure
        for score, measure in (("ks_outline", "outline_sharpness"), ("ks_texture", "texture"))
        if all(of[other][seed][score] < of[found.better][seed][score] for seed in found.seeds)
    ]
    return say("answers.save_in", network=name(other), measures=listed(map(terms.measure, closer))) if closer else ""


def _better_here(scores: Scores) -> str:
    """The same of the two runs at hand, by their scores with intervals over pictures."""
    ahead = nearer(scores)
    values = {f"{model}_{key}": scores[model][key]["mean"] for model in MODELS for key in ("frechet", "recall")}
    return say(f"answers.better_here.{'neither' if ahead == 'alike' else ahead}", **values)


def _by(dim: int, table: EffectTable) -> tuple[str, int]:
    """The measure by which ``dim`` stands out most beside random directions, and its place in `NAMES`."""
    i = int(table.score[dim].abs().argmax())
    return NAMES[i], i


def _end(key: str, value: float) -> str:
    """The end of an interval of a measure, without its unit, which stands before it."""
    scaled = value * UNITS[key][1]
    return number(scaled) if key in ATTRIBUTES else f"{scaled:.3g}"


def effect(dim: int, table: EffectTable) -> str:
    """What an edit of ``dim`` does most, by how much, and whether more than a random direction."""
    key, i = _by(dim, table)
    mean, low, high = (part[dim, i].item() for part in (table.mean, table.low, table.high))
    signed = key in ATTRIBUTES
    q = table.q[dim, i].item()
    return say(
        f"answers.effect.{'attribute' if signed else 'unsigned'}",
        measure=terms.measure(key),
        amount=in_unit(key, mean),
        low=_end(key, low),
        high=_end(key, high),
        first=number(LAB_VALUES[0], plain=True),
        last=number(LAB_VALUES[-1], plain=True),
        beside=say(f"answers.beside.{'more' if q < 0.05 else 'no_more'}", q=q),
    )


def comes_back(dim: int, table: EffectTable, others: Sequence[EffectTable]) -> str:
    """In how many other trainings ``dim`` stands out by the same measure, in the same sense, and by which else."""
    if not others:
        return ""
    key, i = _by(dim, table)
    most = [(_by(dim, other)[0], other.mean[dim, i].sign().item()) for other in others]
    same = sum(
        which == key and (key not in ATTRIBUTES or sign == table.mean[dim, i].sign().item()) for which, sign in most
    )
    rest = Counter(which for which, _ in most if which != key).most_common(3)
    return say(
        f"answers.comes_back.{'some' if same else 'none'}",
        n=len(others),
        same=same,
        others=listed(say("answers.times", measure=terms.measure(which), n=n) for which, n in rest),
    )


def dimension(dim: int, tables: Mapping[str, EffectTable], arms: Arms) -> str:
    """What a single dimension means, for the first page: in the DCGAN at hand, and in those of other seeds."""
    tables_of = {model: [r.effects for r in arms.get(f"{model}-ours", ()) if r.effects] for model in MODELS}
    model = MODELS[0]
    special = sum(bool(t.special[dim].any()) for of in tables_of.values() for t in of)
    runs = sum(map(len, tables_of.values()))
    kind = "alone" if not runs else "some" if special else "none"
    said = say(f"answers.dimension.{kind}", dim=dim, network=name(model), effect=effect(dim, tables[model]))
    lasting = say(f"answers.lasting.{kind}", n=runs, k=special) if runs else ""
    return joined(said, comes_back(dim, tables[model], tables_of[model]), lasting)


def special(tables: Mapping[str, EffectTable], measured: EffectTable, labels: Sequence[str], attribute: str) -> str:
    """How many effects of single dimensions are beyond random directions', and what a direction on purpose does.

    ``measured`` are the effects of the DCGAN's directions, which ``labels`` name; of them that for ``attribute``.
    """
    found = sum(int(table.special.sum()) for table in tables.values())
    first = say(
        f"answers.special.{'none' if found == 0 else 'some'}",
        k=found,
        n=sum(table.special.numel() for table in tables.values()),
    )
    wanted = f"more {attribute.replace('_', ' ')}"
    if wanted not in labels:
        return first
    k, i = list(labels).index(wanted), NAMES.index(attribute)
    axis = int(tables[MODELS[0]].mean[:, i].abs().argmax())
    second = say(
        "answers.on_purpose",
        network=name(MODELS[0]),
        measure=terms.measure(attribute),
        amount=in_unit(attribute, measured.mean[k, i].item()),
        low=_end(attribute, measured.low[k, i].item()),
        high=_end(attribute, measured.high[k, i].item()),
        axis=axis,
        best=in_unit(attribute, tables[MODELS[0]].mean[axis, i].item()),
    )
    return joined(first, second)


def variety(scores: Scores, floor: Mapping[str, Mapping[str, float]], searched: Mapping[str, Inversion]) -> str:
    """How much of what is real each network covers, what it misses, and whether it copies."""
    values = {f"{model}_recall": scores[model]["recall"]["mean"] for model in MODELS}
    values |= {f"{model}_missed": searched[model].missed.mean().item() for model in MODELS}
    ratios = [scores[model]["neighbour_ratio"]["mean"] for model in MODELS]
    copying = say(
        f"answers.copying.{'none' if min(ratios) > 0.9 else 'some'}", **dict(zip(MODELS, ratios, strict=True))
    )
    n, reached = len(searched[MODELS[0]].rms), floor["recall"]["mean"]
    fewer = sum(values[f"{model}_recall"] < reached for model in MODELS)
    is_it = say(f"answers.variety_is.{'missing' if fewer == len(MODELS) else 'missing_in_one' if fewer else 'there'}")
    return joined(say("answers.variety", is_it=is_it, floor=reached, n=n, **values), copying)


def losses(run: Run, looked: Sequence[Mapping[str, float]]) -> str:
    """Whether the losses of the DCGAN told how good its pictures are; ``looked`` are rows of `monitor.read`."""
    rows = [row for row in looked if math.isfinite(row.get("frechet", math.nan))]
    if len(rows) < 2:
        return say("answers.losses.unknown")
    ends = rows[0], rows[-1]
    d, g = ([run.column(key)[int(row["epoch"]) - 1].mean().item() for row in ends] for key in ("loss_d", "loss_g"))
    distance = [row["frechet"] for row in ends]
    lost, nearer = g[1] > 1.1 * g[0], distance[1] < distance[0]
    return say(
        f"answers.losses.{'misleading' if lost == nearer else 'alike'}",
        network=name(MODELS[0]),
        first=int(ends[0]["epoch"]),
        last=int(ends[1]["epoch"]),
        d_first=d[0],
        d_last=d[1],
        g_first=g[0],
        g_last=g[1],
        from_=distance[0],
        to=distance[1],
    )


def sure(arms: Arms, length: str) -> str:
    """What the findings rest on; ``length`` is that of the runs at hand, in words."""
    runs = {model: len(arms.get(f"{model}-ours", ())) for model in MODELS}
    return say("answers.sure.runs" if all(runs.values()) else "answers.sure.here", length=length, **runs)


def verdicts(rows: Sequence[claims.Verdict]) -> str:
    """How the claims of the original came out, and the list of those that do not hold, each with its link."""
    kinds = Counter(row.verdict.split(":")[0] for row in rows)
    counted = say("answers.between").join(
        say(f"answers.counted.{kind.replace(' ', '_')}", n=kinds[kind])
        for kind in ("holds", "does not hold", "depends on the run", "undecided", "not tested")
        if kinds[kind]
    )
    first = say("answers.verdicts", n=len(rows), counted=counted)
    lines = []
    if kinds["does not hold"]:
        first = joined(first, say("answers.verdicts_these"))
    for row in rows:
        if row.verdict == "does not hold":
            over = say(f"answers.over.{'runs' if row.level == claims.RUNS else 'here'}", k=row.passes or 0, n=row.runs)
            spoken = claims.spoken(row)
            lines.append(f"- [{row.id}](04_comparison.ipynb#claim-{row.id}) {spoken.claim}{over}")
    return "\n".join([first, "", *lines])


def paragraphs(
    dim: int,
    tables: Mapping[str, EffectTable],
    arms: Arms,
    broken: Mapping[str, Tensor],
    rows: Mapping[str, claims.Verdict],
) -> str:
    """What ``dim`` does: what the original says of it, and a paragraph for each network.

    ``broken`` is by model, bool (values, n): garments of the grid that look real as they are and do not when edited.
    ``rows`` are verdicts on the claims by their ids.
    """
    parts = [say("answers.heading", dim=dim)]
    row = rows.get(f"L{dim}") if dim in LAB_DIMS else None
    if row:
        parts.append(
            say("answers.original", sentence=claims.spoken(row).claim, id=row.id, figure=4 + LAB_DIMS.index(dim))
        )
    for model in MODELS[::-1]:
        table = tables[model]
        change, flips, breakage = (
            table.mean[dim, NAMES.index(key)].item() for key in ("image change", "class flips", "breakage")
        )
        others = [r.effects for r in arms.get(f"{model}-ours", ()) if r.effects and len(r.effects.mean) > dim]
        said = say(
            "answers.paragraph",
            network=name(model),
            dim=dim,
            effect=effect(dim, table),
            change=change,
            pair=table.pairs[0].item(),
            flips=flips,
            breakage=breakage,
        )
        parts.append(joined(said, _broken(broken.get(model)), comes_back(dim, table, others)))
    if row and not row.verdict.startswith("not tested"):
        over = say(f"answers.over.{'runs' if row.level == claims.RUNS else 'here'}", k=row.passes or 0, n=row.runs)
        parts.append(say("answers.verdict", id=row.id, verdict=claims.spoken(row).verdict, over=over))
    return "\n\n".join(parts)


def _broken(found: Tensor | None) -> str:
    """Which garments of the grid break under an edit, counted from the left."""
    if found is None:
        return ""
    which = [str(i + 1) for i in found.any(0).nonzero().flatten().tolist()]
    return say("answers.broken", which=listed(which), n=len(which)) if which else say("answers.unbroken")
