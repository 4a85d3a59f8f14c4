"""Colours by meaning: each has one in the whole report, and no other figure uses it for anything else.

Chosen to differ for colour-blind eyes, and in a pair also in grey. The diverging map of changes, `SIGNED`, has orange
and violet to itself.
"""

from ..gans.registry import GANS

INK = "#222222"  # marks, means, distances: what has no side
QUIET = "#6E6E6E"  # words that stand back
VANILLA, DCGAN = "#E0705F", "#00579C"  # the networks: coral, blue
D, G = "#00664F", "#C76FB5"  # the players: dark green, pink
PRECISION, RECALL = "#74481F", "#3AA5C6"  # brown, cyan
REAL = "#585858"  # real pictures
NULL = "#A8A8A8"  # random directions
LAB = "#7A7300"  # the lab's five dimensions: olive
PASSES, FAILS = "#2B2B2B", "#FFFFFF"  # a claim in a run: filled, hollow
WRONG = "#DE1507"  # an alarm, a garment that breaks
OURS, PLAIN = "#45525C", "#B4BDC4"  # this lab and the script that it is compared with, in benchmarks
BAND = "#EDEDED"  # behind data: too small to matter
SIGNED = "PuOr_r"  # orange is positive (brighter), violet negative
_STRANGERS = ("#4A4A4A", "#8C8C8C")  # networks that are no part of the report

MEANINGS = {
    name: value
    for name, value in list(globals().items())
    if name.isupper() and isinstance(value, str) and value.startswith("#") and not name.startswith("_")
}


def key_of(name: str) -> str:
    """The model whose key or title ``name`` is, or begins with; else ``name`` itself."""
    from ..texts import say

    for key, gan in GANS.items():
        for title in (key, gan.title, say(f"common.network.{key}", gan.title)):
            if name == title or name.startswith((f"{title},", f"{title} ", f"{title}\uff0c")):
                return key
    return name


def network(name: str) -> str:
    """The colour of the network ``name``, a model's key or a title that begins with its name."""
    key = key_of(name)
    others = [other for other in GANS if other not in ("vanilla", "dcgan")]
    place = others.index(key) if key in others else 0
    return {"vanilla": VANILLA, "dcgan": DCGAN}.get(key, _STRANGERS[place % len(_STRANGERS)])
