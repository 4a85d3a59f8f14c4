"""Names that the code gives (measures, units, directions, classes) as a reader sees them.

Their English is the name itself; other languages have them in measures.toml and data.toml.
"""

from .lookup import say

LITTLE = 0.5  # a purity: so much is one effect's, and the rest is little


def measure(name: str) -> str:
    """What is measured on a picture, as outline_sharpness or "image change", in words."""
    return say(f"measures.{name.replace(' ', '_')}", name.replace("_", " "))


def also(attribute: str) -> str:
    """Other words by which a reader may look for one of `pictures.ATTRIBUTES`, between spaces."""
    return say(f"measures.also.{attribute}")


def unit(name: str) -> str:
    """The unit of a measure, as "grey levels/px"; none is none."""
    return say(f"measures.units.{name}", name) if name else ""


def direction(name: str, purity: float = 1.0) -> str:
    """A direction by its name, as "more width" or "sefa 1", in words: "only width" as far as its ``purity`` goes."""
    method, _, which = name.partition(" ")
    if method == "only":
        grown = say(f"measures.grown.{which.replace(' ', '_')}", name)
        return say(f"measures.directions.{'only' if purity >= LITTLE else 'mostly'}", which=grown)
    return say(f"measures.directions.{method}", name, which=which if which.isdecimal() else measure(which))


def noun(name: str) -> str:
    """What one picture of a data set is called, as "garment"."""
    return say(f"data.nouns.{name}", name)


def nouns(name: str) -> str:
    """What several of them are called."""
    return say(f"data.nouns.{name}", f"{name}s")


def of_class(name: str, dataset: str) -> str:
    """A class of ``dataset`` by its name, as "T-shirt"; what a reader brought keeps its own names."""
    kind, _, which = name.rpartition(" ")
    if kind == "kind" and which.isdecimal():  # of pictures without labels, which were sorted
        return say("data.classes.kind", name, which=which)
    return say(f"data.classes.{dataset}.{name}", name)
