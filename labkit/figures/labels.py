"""What figures call networks, rows and classes, in the reader's language; see also `texts.terms`."""

import re

from .. import data
from ..gans.registry import GANS
from ..texts import say, terms
from . import palette


def network(name: str) -> str:
    """The one name of the network ``name``, a model's key or title; what follows a title is said after it.

    A recipe or a seed, as in "vanilla GAN, ours" and "DCGAN, seed 3", is said too.
    """
    key = palette.key_of(name)
    if key not in GANS:
        return name
    said = say(f"common.network.{key}", GANS[key].title)
    begins = max((title for title in (key, GANS[key].title, said) if name.startswith(title)), key=len)
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


def garment(name: str) -> str:
    """A class by its name; other data sets than the report's keep their own names."""
    return terms.of_class(name, data.DEFAULT)
