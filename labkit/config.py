"""Every hyperparameter in one visible list, and the profiles as differences from it."""

import dataclasses
import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from . import data
from .base import doors
from .base.errors import LabError
from .base.files import sha256
from .gans import GANS, LOSSES
from .texts import say


class Budget(NamedTuple):
    """What a profile spends on measuring. What it spends on training stands with each GAN, as its recipe."""

    scored: int  # pictures that a report scores, of each kind
    bases: int  # latent vectors that each dimension is edited in


BUDGETS = {"smoke": Budget(200, 10), "quick": Budget(2000, 100), "full": Budget(10_000, 1000)}
PROFILES = tuple(BUDGETS)
PRECISIONS = ("auto", "float32", "bfloat16")


def _field(default, unit: str, why: str, low=-math.inf, high=math.inf, choices: Collection[str] = ()):
    meta = {"unit": unit, "why": why, "low": low, "high": high, "choices": choices}
    return dataclasses.field(default=default, metadata=meta)


@dataclass(frozen=True)
class TrainConfig:
    """All that decides a training run. The same config on the same machine gives the same weights, bit for bit.

    The defaults are the lab's exercise as a tutorial would run it: 200 epochs, and where the original report is silent,
    the usual choice of DCGAN tutorials (Radford et al. 2016), which we name as ours.

    Numbers may be of any type, NumPy's and torch's too; they are kept as Python's own, so that equal ones are one run.

    Raises:
        LabError: a field has the wrong type or is out of range; the line names it, its value and the range.
    """

    model: str = _field("dcgan", "name", "which pair of networks", choices=GANS)
    profile: str = _field("full", "name", "the budget; decides the folder of the run", choices=PROFILES)
    dataset: str = _field(
        data.DEFAULT,
        "name",
        f"what is learned: {', '.join(data.DATASETS)}, or pictures of your own ('labkit data PATH')",
    )
    epochs: int = _field(200, "passes over the data", "the lab shows samples at 200", 1, 100_000)
    batch: int = _field(64, "images", "our choice; BatchNorm needs at least 2", 2, 60_000)
    examples: int = _field(
        60_000,
        "images",
        "in an epoch: all of the training set, fewer for a smoke test; of a smaller set, each again and again",
        2,
        1_000_000,
    )
    latent_dim: int = _field(100, "numbers", "the original's length of z; N(0, I) is our choice", 1, 4096)
    lr: float = _field(2e-4, "1", "Adam's step size for both networks, our choice", 1e-8, 1.0)
    lr_d: float = _field(
        0.0, "1", "D's step size, if it is to have its own (Heusel et al. 2017); 0 is that of both", 0.0, 1.0
    )
    d_steps: int = _field(
        1, "steps of D", "between two steps of G, each on a batch of its own (Goodfellow et al. 2014)", 1, 100
    )
    beta1: float = _field(0.5, "1", "our choice: less momentum than Adam's 0.9, the opponent moves", 0.0, 0.9999)
    beta2: float = _field(0.999, "1", "our choice: Adam's own", 0.0, 0.999999)
    loss: str = _field("non-saturating", "name", "what D and G minimise; the original names none", choices=LOSSES)
    penalty: float = _field(0.0, "weight", "of a loss's gradient penalty; 0 is the loss's own", 0.0, 1e6)
    label_smoothing: float = _field(0.0, "1", "target 1 - this for real images (one-sided); off", 0.0, 0.5)
    feature_matching: float = _field(0.0, "weight", "pull on D's mean features in G's loss; off", 0.0, 1000.0)
    without: str = _field("", "name", "a part of the networks that is left out, to see what it is good for; none")
    ema: float = _field(0.0, "decay/step", "average G's weights; 0 is off", 0.0, 0.99999)
    precision: str = _field(
        "auto",
        "name",
        "of the generator's products, in training; auto: bfloat16 on a CPU that multiplies it faster",
        choices=PRECISIONS,
    )
    tf32: bool = _field(
        True, "yes or no", "on a GPU: products of float32 numbers rounded to 10 bits, many times as fast"
    )
    deterministic: bool = _field(True, "yes or no", "on a GPU: only kernels that give the same bits every time")
    compile: bool = _field(False, "yes or no", "on a GPU: torch.compile of both networks; some 15 s, then faster steps")
    seed: int = _field(0, "number", "decides initial weights, batch order and noise", 0, 2**63 - 1)

    def __post_init__(self):
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, _checked(field, getattr(self, field.name)))
        if not self.steps:
            batches = f" x d_steps = {self.d_steps}" if self.d_steps > 1 else ""
            raise LabError(
                f"batch = {self.batch}{batches} is more than examples = {self.examples}: an epoch would have no step"
            )

        parts = GANS[self.model].parts
        if self.without and self.without not in parts:
            raise LabError(
                f"without = {self.without!r}: {self.model} has no part of this name"
                + (f": use one of {', '.join(parts)}" if parts else "; none of its parts can be left out")
            )
        if self.compile and "penalty" in _fields_of(LOSSES[self.loss]):
            raise LabError(
                f"compile = {self.compile!r}: a compiled network has no second derivative, which"
                f" loss = {self.loss!r} needs: leave one of them out"
            )
        used = _fields_of(LOSSES[self.loss])
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if (
                field.name not in used
                and value != field.default
                and field.name in set().union(*map(_fields_of, LOSSES.values()))
            ):
                raise LabError(f"{field.name} = {value!r} means nothing with loss = {self.loss!r}: leave it out")

    @property
    def batch_size(self) -> int:
        """`batch` under its other name."""
        return self.batch

    @property
    def steps(self) -> int:
        """Steps of G in an epoch; what is left of the examples after the last full one is left out."""
        return self.examples // (self.d_steps * self.batch)

    def to_dict(self) -> dict:
        """Field names and values, as JSON takes them."""
        return dataclasses.asdict(self)

    def digest(self) -> str:
        """Eight hex digits over all fields that differ from their default, so a new field keeps old digests."""
        changed = {
            f.name: getattr(self, f.name) for f in dataclasses.fields(self) if getattr(self, f.name) != f.default
        }
        return sha256(json.dumps(changed, sort_keys=True).encode())[:8]

    def _repr_markdown_(self) -> str:
        """A notebook shows a config as a table, with what differs from the default in bold."""
        rows = [say("config.head"), "|---|---|---|---|"]
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            shown = f"{value}" if value == f.default else f"**{value}**"
            unit = say(f"config.unit.{f.name}", f.metadata["unit"])
            why = say(f"config.why.{f.name}", f.metadata["why"], names=", ".join(data.DATASETS))
            rows.append(f"| `{f.name}` | {shown} | {unit} | {why} |")
        return "\n".join(rows)


def _fields_of(loss) -> set[str]:
    return {field.name for field in dataclasses.fields(loss)}


def _checked(field, value):
    """``value`` in the field's own type, whatever its own was, or a LabError that names field, value and the range."""
    meta = field.metadata
    if field.type is str:
        found = doors.text(field.name, value, meta["unit"])
        if field.name == "dataset":
            return data.checked_name(found)
        if meta["choices"] and found not in meta["choices"]:
            raise LabError(f"{field.name} = {found!r} is unknown: use one of {', '.join(meta['choices'])}")
        return found
    if field.type is bool:
        return doors.switch(field.name, value, meta["unit"])
    return (doors.whole if field.type is int else doors.real)(
        field.name, value, meta["low"], meta["high"], meta["unit"]
    )


SETTINGS = tuple(f.name for f in dataclasses.fields(TrainConfig) if f.name not in ("model", "profile"))
ALIASES = {"batch_size": "batch"}  # accepted names: what they mean


def config_for(model: str, profile: str, /, **changes) -> TrainConfig:
    """The config of ``model`` in ``profile``, with the reader's own ``changes``.

    Raises:
        LabError: no such model, profile, data set or field, or a value that its field does not take.
    """
    for alias, name in ALIASES.items():
        if alias in changes:
            if name in changes:
                raise LabError(
                    f"{alias} = {doors.said(changes[alias])} and {name} = {doors.said(changes[name])} are one setting:"
                    " give one of them"
                )
            changes[name] = changes.pop(alias)
    for name in changes:
        if name not in SETTINGS:
            raise LabError(
                f"{name} = {doors.said(changes[name])}: there is no such setting;"
                f" the settings are {', '.join(SETTINGS)}"
            )
    known = isinstance(model, str) and isinstance(profile, str) and model in GANS  # else TrainConfig will say so
    own = GANS[model].recipes.get(profile, {}) if known else {}
    size = data.find(changes.get("dataset", data.DEFAULT)).sizes["train"]
    larger = {"examples": size} if size > TrainConfig.examples else {}
    return TrainConfig(**{"model": model, "profile": profile, **larger, **own, **changes})
