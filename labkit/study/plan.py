"""What a study trains: arms, seeds, looks, and the shards that workers take."""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

from .. import data
from ..base.errors import LabError
from ..config import PROFILES, TrainConfig, config_for

RECIPES = ("ours", "tutorial")  # that of the profile; the defaults of TrainConfig
SWITCHES = {"matching": {"feature_matching": 1.0}}  # what they change; any other leaves out the part of its name
LOOKS = (5, 10, 20)  # epochs after which a run is measured, if nothing else is said


class Job(NamedTuple):
    """A run of a study."""

    arm: str
    config: TrainConfig

    @property
    def name(self) -> str:
        """Its folder below the study's."""
        return f"{self.arm}/seed{self.config.seed}"


@dataclass(frozen=True)
class Shard:
    """What one worker does at a time: runs of one arm that differ in their seed alone."""

    jobs: tuple[Job, ...]
    looks: tuple[int, ...]


def config_of(
    model: str, recipe: str, switch: str, profile: str, epochs: int, seed: int, dataset: str = data.DEFAULT
) -> TrainConfig:
    """The config of a run of the arm ``model``-``recipe``-``switch``; no ``switch``: the networks as they are.

    Raises:
        LabError: no such model, recipe, switch, profile or data set, or a number out of range.
    """
    if recipe not in RECIPES:
        raise LabError(f"recipe = {recipe!r} is unknown: use one of {', '.join(RECIPES)}")
    own: dict[str, Any] = {**SWITCHES.get(switch, {"without": switch}), "epochs": epochs, "seed": seed}
    own |= {} if dataset == data.DEFAULT else {"dataset": dataset}
    ours = config_for(model, profile, **own)
    if recipe == "ours":
        return ours
    usual = profile == "full" and dataset == data.DEFAULT
    short: dict[str, Any] = {} if usual else {"examples": ours.examples}
    return TrainConfig(model=model, profile=profile, **short, **own)


def numbers(name: str, text: str, up_to: bool = False) -> tuple[int, ...]:
    """``text`` as different whole numbers of at least 1, in order; with ``up_to``, a single one means 1 to itself.

    Raises:
        LabError: it is something else.
    """
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}(,0*[1-9][0-9]{0,8})*,?", text):
        how = "how many (8 is 1 to 8), or which (3,5,9), and none is 0" if up_to else "numbers of at least 1, like 5,10"
        raise LabError(f"{name} = {text!r}: give {how}")
    given = [int(part) for part in text.rstrip(",").split(",")]
    if up_to and "," not in text:
        if given[0] > 10_000:
            raise LabError(f"{name} = {text!r} are too many: at most 10000, or name which (3,5,9)")
        given = [*range(1, given[0] + 1)]
    return tuple(sorted(set(given)))


def words(name: str, text: str) -> tuple[str, ...]:
    """``text`` at its commas, in the order given, each once."""
    found = tuple(dict.fromkeys(filter(None, text.split(","))))
    if not found:
        raise LabError(f"{name} = {text!r}: name at least one")
    return found


def looks_of(text: str, epochs: int) -> tuple[int, ...]:
    """The epochs after which a run is measured, the last epoch among them.

    Raises:
        LabError: one is beyond ``epochs``.
    """
    looks = numbers("looks", text) if text else tuple(look for look in LOOKS if look <= epochs)
    if looks and looks[-1] > epochs:
        raise LabError(
            f"looks = {text!r}: {looks[-1]} is beyond the last epoch, {epochs}: leave it out, or train longer"
        )
    return tuple(sorted({*looks, epochs}))


def plan(
    models: str,
    recipes: str,
    seeds: str,
    epochs: int,
    without: str = "",
    profile: str = "full",
    dataset: str = data.DEFAULT,
) -> list[Job]:
    """All runs of a study, seed by seed: if time ends before, every arm has the same seeds.

    ``models``, ``recipes`` and ``without`` are names joined by commas, ``seeds`` is how many or which. The name of an
    arm ends in that of its ``dataset``, but for the default.

    Raises:
        LabError: a name is unknown or a number out of range; the line names it.
    """
    if profile not in PROFILES:
        raise LabError(f"profile = {profile!r} is unknown: use one of {', '.join(PROFILES)}")
    arms = [
        (model, recipe, switch)
        for model in words("models", models)
        for recipe in words("recipes", recipes)
        for switch in (words("without", without) if without else ("",))
    ]
    pictures = "" if dataset == data.DEFAULT else dataset
    return [
        Job("-".join(filter(None, (*arm, pictures))), config_of(*arm, profile, epochs, seed, dataset))
        for seed in numbers("seeds", seeds, up_to=True)
        for arm in arms
    ]


def shards(jobs: list[Job], looks: tuple[int, ...], size: int = 1) -> list[Shard]:
    """``jobs`` in shards of up to ``size`` seeds of one arm, in their order."""
    by_arm: dict[str, list[Job]] = {}
    for job in jobs:
        by_arm.setdefault(job.arm, []).append(job)
    cut = [arm[i : i + size] for arm in by_arm.values() for i in range(0, len(arm), size)]
    return [Shard(tuple(part), looks) for part in sorted(cut, key=lambda part: jobs.index(part[0]))]
