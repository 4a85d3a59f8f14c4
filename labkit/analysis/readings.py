"""What figures of chapters one to three say, in the reader's words: numbers in, texts and tables out."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from .. import pictures
from ..gans.losses import Loss
from ..texts import listed, say
from . import directions, effects
from .effects import EffectTable
from .walks import largest_step

CLOSE = 0.1  # of its mark: so near, a loss of D is called a draw
JUMP = 3.0  # times as long as an even step: so much longer, a walk's longest step is called a jump
MIDDLE = 0.4  # of a walk's steps are called its middle
ROWS = (
    "special",
    "most",
    "least",
    "random",
    "spread",
    "edit",
    "flips",
    "broken",
    "entering",
    "crossings",
    "largest",
    "forward",
)


def losses(loss: type[Loss], epochs: int, some: int, d: float, g: float, real: float, fake: float) -> str:
    """Who is ahead over the last ``some`` of ``epochs``: means of the losses of D and G and of D's two answers."""
    marks = {f"{who}_mark": _mark(loss, who) for who in "dg"}
    at = loss.of("loss_d")
    ahead = "unknown" if at is None else "draw" if abs(d - at.level) < CLOSE else "d" if d < at.level else "g"
    words = {"loss": loss.words("title"), "answers": loss.words("answers"), **marks}
    numbers: dict = {"epochs": epochs, "some": some, "d": d, "g": g, "real": real, "fake": fake}
    return say("chapters123.losses.says", ahead=say(f"chapters123.losses.ahead_{ahead}"), **words, **numbers)


def _mark(loss: type[Loss], who: str) -> str:
    mark = loss.of(f"loss_{who}")
    return say("chapters123.losses.mark", level=mark.level) if mark else ""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def atlas(maps: Mapping[str, EffectTable], vectors: int) -> str:
    """What the atlas of each network says, measured on so many ``vectors``: a table, and whether an axis is special."""
    shown = {name: say(f"common.network.{name}") for name in maps}
    columns = [in_numbers(found) for found in maps.values()]
    steps = effects.STEPS - 1
    rows = [
        [say(f"chapters123.atlas.{row}", steps=steps, even=100 / steps)]
        + [say(f"chapters123.atlas_value.{row}", **column) for column in columns]
        for row in ROWS
    ]
    special = [
        say("chapters123.atlas.says_of", network=shown[name], n=int(found.special.any(1).sum()))
        for name, found in maps.items()
        if found.special.any()
    ]
    return say(
        "chapters123.atlas.says",
        vectors=vectors,
        table=table(["", *shown.values()], rows),
        special_says=say(f"chapters123.atlas.says_{'some' if special else 'none'}", dims=listed(special)),
    )


def in_numbers(found: EffectTable) -> dict:
    """What stands in a column of the table of `atlas`; shares are in per cent."""
    change, flips, breakage = found.mean[:, -3:].T  # the last three of effects.NAMES
    random, pair = found.null[:, effects.NAMES.index("image change")], found.pairs[0]
    _, forward, largest, crossings = found.sweeps.mean(0).tolist()
    return {
        "special": int(found.special.sum()),
        "looks": found.special.numel(),
        "most": int(change.argmax()),
        "most_by": change.max().item(),
        "least": int(change.argmin()),
        "least_by": change.min().item(),
        "low": random.min().item(),
        "high": random.max().item(),
        "ratio": (change.max() / change.min()).item(),
        "random_ratio": (random.max() / random.min()).item(),
        "by": change.mean().item(),
        "pair": pair.item(),
        "share": 100 * (change.mean() / pair).item(),
        "flips": 100 * flips.mean().item(),
        "pair_flips": 100 * found.pairs[1].item(),
        "broken": 100 * breakage.mean().item(),
        "entering": 100 * found.entering.mean().item(),
        "crossings": crossings,
        "largest": 100 * largest,
        "forward": 100 * forward,
    }


def found_directions(maps: Mapping[str, EffectTable], found: Mapping[str, tuple[Sequence[str], EffectTable]]) -> str:
    """For each attribute and network its own direction, of those ``found`` (names and effects), against the best axis.

    ``maps`` are the effects of the axes.
    """
    rows, factors, purities = [], list[Tensor](), list[Tensor]()
    for name, (labels, measured) in found.items():
        axes, pure = maps[name], directions.purity(measured.score)
        for i, attribute in enumerate(pictures.ATTRIBUTES):
            label = f"more {attribute.replace('_', ' ')}"
            if label not in labels:
                continue  # it never changes
            k, axis, scale = labels.index(label), int(axes.score[:, i].abs().argmax()), effects.UNITS[attribute][1]
            own, *ends = (
                effects.number(scale * part[k, i].item()) for part in (measured.mean, measured.low, measured.high)
            )
            best = effects.number(scale * axes.mean[axis, i].item())
            rows.append(
                [
                    say(f"common.network.{name}"),
                    effects.with_unit(attribute),
                    say("chapters123.directions.own", mean=own, low=ends[0], high=ends[1]),
                    say("chapters123.directions.best", mean=best, dim=axis),
                    say("measures.shares.percent", value=100 * pure[k].item()),
                ]
            )
            factors.append((measured.mean[k, i] / axes.mean[axis, i]).abs())
            purities.append(pure[k])
    if not rows:
        return say("chapters123.directions.none")
    times = torch.stack(factors).nan_to_num(1.0, torch.inf)  # neither direction nor axis does anything: as much
    purity = 100 * torch.stack(purities).nan_to_num(0.0).median().item()
    return say(
        "chapters123.directions.says",
        table=table(say("chapters123.directions.head").split(" | "), rows),
        better=int((times > 1).sum()),
        n=len(times),
        factor=times.median().item(),
        purity=purity,
        price=say(f"chapters123.directions.price_{'mixed' if purity < 50 else 'pure'}"),
    )


def walks(shown: Mapping[str, Tensor], many: Mapping[str, tuple[Tensor, Tensor]]) -> str:
    """Where the class changes on the walks ``shown`` in a figure, classes (w, n), and on ``many`` (`walks.walks`)."""
    lines = [_walks(name, shown[name], *walked) for name, walked in many.items()]
    third = sum(_strange(classes).mean().item() for _, classes in many.values()) / len(many)
    uneven = max(largest_step(x).mean().item() * (x.shape[1] - 1) for x, _ in many.values())
    reading = {
        "third": say(f"chapters123.walks.third_{'most' if third > 0.5 else 'few'}"),
        "steps": say(f"chapters123.walks.steps_{'jumps' if uneven > JUMP else 'smooth'}", times=uneven),
    }
    return say("chapters123.walks.says", lines="\n".join(lines), **reading)


def _strange(seen: Tensor) -> Tensor:
    """1. for each walk (w, n) that passes through a class that neither of its ends has, else 0., (w,)."""
    return ((seen != seen[:, :1]) & (seen != seen[:, -1:])).any(1).float()


def _walks(network: str, shown: Tensor, images: Tensor, many: Tensor) -> str:
    changed, steps = many.diff(dim=1) != 0, many.shape[1] - 1
    middle = max(1, round(MIDDLE * steps))
    first = (steps - middle) // 2
    return say(
        "chapters123.walks.line",
        network=say(f"common.network.{network}"),
        shown=int((shown.diff(dim=1) != 0).sum()),
        steps=shown.diff(dim=1).numel(),
        walks=len(many),
        changes=changed.sum(1).float().mean().item(),
        still=100 * (~changed.any(1)).float().mean().item(),
        third=100 * _strange(many).mean().item(),
        part=middle,
        whole=steps,
        middle=100 * changed[:, first : first + middle].sum().item() / max(1, int(changed.sum())),
        even=100 * middle / steps,
        largest=100 * largest_step(images).mean().item(),
        even_step=100 / steps,
    )
