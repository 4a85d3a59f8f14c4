"""What figures call things, in the reader's language: networks, measures, classes, verdicts."""

import re

from ..gans.registry import GANS
from ..texts import say
from . import palette


def network(name: str) -> str:
    """The one name of the network ``name``, a model's key or title; what follows a title is said after it.

    A recipe or a seed, as in "vanilla GAN, ours" and "DCGAN, seed 3", is said too.
    """
    key = palette.key_of(name)
    if key not in GANS:
        return name
    said = say(f"common.network.{key}", GANS[key].title)
    begins = max((t for t in (key, GANS[key].title, said) if name.startswith(t)), key=len)
    rest = name[len(begins) :].lstrip(" ,\uff0c")
    if not rest:
        return said
    if seed := re.fullmatch(r"seed (\d+)", rest):
        return say("figures.of.seed", network=said, seed=int(seed[1]))
    if rest in ("ours", "tutorial"):
        return say(f"figures.of.{rest}", network=said)
    return say("figures.of.other", network=said, rest=rest)


def row(name: str) -> str:
    """The label of a row of pictures: real ones, or a network's."""
    return say("figures.word.real") if name == "real" else network(name)


def measure(name: str) -> str:
    """The name of something measured on pictures, of `effects.NAMES`."""
    return say(f"figures.measure.{_key(name)}", name.replace("_", " "))


def garment(name: str) -> str:
    """The name of a class."""
    return say(f"figures.class.{_key(name)}", name)


def noun(name: str, number: str = "one") -> str:
    """What a data set's pictures show, one or many; other data sets' nouns are English."""
    return say(f"figures.noun.{_key(name)}_{number}", name if number == "one" else f"{name}s")


def verdict(name: str) -> str:
    """A verdict on a claim."""
    return say(f"figures.verdict.{_key(name)}", name)


def _key(name: str) -> str:
    return re.sub(r"\W+", "_", name.lower()).strip("_")
