"""Which network is better, and why: sentences that what was measured decides.

Better is what `comparisons` calls so over pairs of runs. The reasons are those that were measured in the two runs at
hand; where the intervals of both networks meet, neither is said to have more.
"""

from collections.abc import Mapping

from ..texts import listed, say
from .comparisons import BySeed
from .inversion import Inversion, missed_classes, missed_more

Row = Mapping[str, Mapping[str, float]]  # of `scoring.score_runs`: a score by name, its mean, low and high
NETWORKS = ("vanilla", "dcgan")


def more(scores: Mapping[str, Row], name: str) -> str:
    """Which of `NETWORKS` has more of the score ``name``, with its whole interval; "alike" if the intervals meet."""
    vanilla, dcgan = (scores[network][name] for network in NETWORKS)
    return "dcgan" if vanilla["high"] < dcgan["low"] else "vanilla" if dcgan["high"] < vanilla["low"] else "alike"


def nearer(scores: Mapping[str, Row]) -> str:
    """Which of `NETWORKS` has the smaller Frechet distance in both spaces, with its whole intervals; else "alike"."""
    farther = {more(scores, name) for name in ("frechet", "frechet_pixels")}
    return {"vanilla": "dcgan", "dcgan": "vanilla"}.get(farther.pop(), "alike") if len(farther) == 1 else "alike"


def exceptions(dcgan: BySeed, vanilla: BySeed, scores: Mapping[str, Row]) -> str:
    """In which of outline sharpness and texture the vanilla GAN is nearer to real pictures in every pair of runs.

    Beside it stand the ``scores`` of the two runs at hand.
    """
    seeds = sorted(set(dcgan) & set(vanilla))
    found = [
        say(
            f"chapters45.conclusion.{name}",
            vanilla=sum(vanilla[seed][name] for seed in seeds) / len(seeds),
            dcgan=sum(dcgan[seed][name] for seed in seeds) / len(seeds),
            here_vanilla=scores["vanilla"][name]["mean"],
            here_dcgan=scores["dcgan"][name]["mean"],
        )
        for name in ("ks_outline", "ks_texture")
        if seeds and all(vanilla[seed][name] < dcgan[seed][name] for seed in seeds)
    ]
    return say("chapters45.conclusion.exceptions", pairs=len(seeds), found=listed(found)) if found else ""


def why(
    scores: Mapping[str, Row], floor: Row, diversity: Mapping[str, float], searched: Mapping[str, Inversion]
) -> str:
    """What makes the difference in the two runs at hand, as a list in Markdown.

    ``scores`` and ``searched`` are those of `NETWORKS`, ``floor`` the scores of real pictures, ``diversity`` the mean
    difference of two pictures, in grey levels, of `NETWORKS` and "real".
    """
    words = [_shares(scores, floor, "precision"), _shares(scores, floor, "recall")]
    wider = max(NETWORKS, key=lambda name: diversity[name])
    shows = {"alike": "plain", wider: "shows"}.get(more(scores, "recall"), "hides")
    words.append(say(f"chapters45.conclusion.diversity_{shows}", **diversity))
    steps = {name: row["sharpness"]["mean"] for name, row in {**scores, "real": floor}.items()}
    gaps = {name: abs(steps[name] - steps["real"]) for name in NETWORKS}
    words.append(say(f"chapters45.conclusion.sharpness_{min(gaps, key=lambda name: gaps[name])}", **steps))
    dropped = {name: round(scores[name]["dropped_classes"]["mean"]) for name in NETWORKS}
    words.append(say(f"chapters45.conclusion.dropped_{'some' if any(dropped.values()) else 'none'}", **dropped))
    words.append(_missed(searched))
    return "\n".join(f"- {word}" for word in words)


def _shares(scores: Mapping[str, Row], floor: Row, name: str) -> str:
    """Both networks and real pictures on precision or recall, in per cent, and which network has more."""
    values = {network: 100 * row[name]["mean"] for network, row in {**scores, "real": floor}.items()}
    return say(f"chapters45.conclusion.{name}_{more(scores, name)}", **values)


def _missed(searched: Mapping[str, Inversion]) -> str:
    """The shares of garments that a search finds in neither network as near as a training garment is."""
    difference, low, high = missed_more(searched["vanilla"], searched["dcgan"])
    side = "alike" if low <= 0 <= high else "vanilla" if difference > 0 else "dcgan"
    shares = {name: 100 * searched[name].missed.mean().item() for name in NETWORKS}
    return say(
        f"chapters45.conclusion.missed_{side}", n=len(searched["dcgan"].rms), low=100 * low, high=100 * high, **shares
    )


def worst_classes(result: Inversion, names: list[str], most: int = 3) -> str:
    """The classes of which most garments are missed, with their shares, in words."""
    shares = missed_classes(result)
    first = [k for k in shares.argsort(descending=True)[:most].tolist() if shares[k] > 0]
    found = [say("chapters45.found.share", name=names[k], share=100 * shares[k].item()) for k in first]
    return listed(found) or say("claims.table.none")
