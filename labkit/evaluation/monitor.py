"""Watching a training: scores every few epochs, and an alarm for collapse, memorisation and a D that has won.

The losses of a GAN say little about its pictures, unless D tells all of them from real ones. `Monitor` draws a few
thousand between epochs, which does not change the training, and keeps what it found beside the run: scores.json, and
alarm.json if something is wrong.
"""

import json
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from .. import latent
from ..base import doors, kept
from ..base.errors import LabError
from ..base.files import faults_in
from ..gans.losses import LOSSES
from ..texts import say
from ..training.state import COLUMNS, TrainState, trained_generator
from . import album, metrics, scoring
from .scoring import load_reference

IMAGES = 2000
CHECKS = 40  # in a training, at most one an epoch
SETTLED = 500  # steps before which nothing is called a collapse: a young network's pictures are much alike
CROWDED = 0.1  # a collapse: the typical distance to the third neighbour, in features, over that of real images
COPIED = 0.8  # memorisation: a neighbour ratio below this, unless the pictures are few ones again and again
NEAR = (
    0.3  # a picture is a copy: so much nearer to a training image than to any unseen one; 1 to 2 of 1000 real ones are
)
COPIES = 0.01  # memorisation: a larger share of copies
OF_FEW = 0.5  # the same, if the pictures are few ones again and again: one of them may be near by chance
STRETCH = 100  # steps that D must have won
WON = 0.02  # D has won: its typical mean answer to pictures of G is below this; of all runs that ship it is above 0.05
SCORES = ("frechet", "precision", "recall", "coverage", "dropped_classes", "copying")
RECORDED = (*SCORES, "neighbour_ratio", "copies", "crowding", "images")


Show = Callable[[Path, album.Album, list[dict]], None]  # of the run's folder, its pictures and scores so far


class Monitor:
    """To be given to `runs.fit_or_load`; called with the state and the run's folder after every epoch.

    ``show`` is called after every check with what there is to be seen.
    """

    def __init__(self, profile: str, device: str = "cpu", show: Show | None = None):
        self.device, self.images, self.show = device, min(IMAGES, scoring.OF_PROFILE[profile]), show
        self.reference: scoring.Reference | None = None  # loaded when it is first needed

    def __call__(self, state: TrainState, folder: Path) -> None:
        """Draw and score the state, if it is its turn, and sound the alarm if need be."""
        if state.epoch % -(-state.config.epochs // CHECKS) and state.epoch != state.config.epochs:
            return
        self.reference = self.reference or load_reference(self.images, self.device, state.config.dataset)
        found = check(state, self.reference)
        earlier = [row for row in read(folder / "scores.json") if row["epoch"] < state.epoch]
        curve = [row for row in earlier if row.get("images") == found["images"]] + [found]  # others are not comparable
        kept.write(folder / "scores.json", json.dumps(curve, indent=1).encode())
        drawn = album.keep(trained_generator(state, n=1000), state.config.latent_dim, state.epoch, folder)
        if self.show:
            self.show(folder, drawn, curve)
        reasons = alarm(found, state.epoch * state.config.steps) + won(state.history[: state.epoch], state.config.loss)
        alarms = [row for row in self._alarms(folder, curve, state) if row["epoch"] < state.epoch]
        if reasons:
            alarms.append({"epoch": state.epoch, "reasons": reasons, **found})
            print(f"\nalarm after epoch {state.epoch}: {'; '.join(reasons)}", flush=True)
        if alarms or (folder / "alarm.json").exists():
            kept.write(folder / "alarm.json", json.dumps(alarms, indent=1).encode())

    @staticmethod
    def _alarms(folder: Path, curve: list[dict], state: TrainState) -> list[dict]:
        """The alarms so far; where their file is damaged, those that the scores so far give again."""
        alarms = read(folder / "alarm.json")
        if not alarms.fault:
            return alarms
        again = [(row, alarm(row, row["epoch"] * state.config.steps)) for row in curve if set(RECORDED) <= set(row)]
        return [{"epoch": row["epoch"], "reasons": reasons, **row} for row, reasons in again if reasons]


def check(state: TrainState, reference: scoring.Reference) -> dict[str, float]:
    """Scores of what the state's generator draws now, as many images as the reference has."""
    n = len(reference.real)
    images = latent.sample(trained_generator(state, n=1000), latent.latents(n, state.config.latent_dim, 2000))
    return {"epoch": state.epoch, **look(images, reference)}


def look(images: Tensor, reference: scoring.Reference) -> dict[str, float]:
    """The scores `RECORDED` of ``images``, (n, 1, 28, 28) in [-1, 1], as many as the reference has."""
    sample = scoring.take(images, reference, signed=True)
    scores = {**scoring.measures(sample, only=SCORES), **copies(sample), "images": len(images)}
    crowding = metrics.radii(sample.features, (3,)).median() / reference.radii[0].median()
    scores["crowding"] = crowding.item()
    return {name: scores[name] for name in RECORDED}


def copies(sample: scoring.Sample) -> dict[str, float]:
    """Distances to the nearest training image over those to the nearest of all test images, in the pixels' components.

    All training images are searched but those of the reference's floor. "neighbour_ratio" is that of the means, over
    the same for real images, which have six times as many training images as test images to be near to: 1 is no
    memorisation. "copies" is the share of images whose own ratio is below `NEAR`. Both ask first how near a picture is
    to unseen images; the C_T test (the score "copying") does not, takes pictures that are plainer than real ones for
    copies and a few copies among poor pictures for none, and is therefore shown beside the alarm but does not sound it.
    """
    unseen, reference = scoring.pixel_space(sample.reference.dataset).test, sample.reference
    near = metrics.nearest_distances(sample.pixels, reference.training)
    far = metrics.nearest_distances(sample.pixels, unseen)
    usual = reference.to_training.mean() / metrics.nearest_distances(reference.pixels, unseen, others=True).mean()
    return {
        "neighbour_ratio": (near.mean() / far.mean() / usual).item(),
        "copies": (near < NEAR * far).float().mean().item(),
    }


def alarm(found: dict[str, float], steps: int) -> list[str]:
    """What is wrong with a training that scored ``found`` after ``steps`` steps: sentences, none if all is well."""
    reasons = []
    if steps >= SETTLED and found["crowding"] < CROWDED:
        reasons.append(
            f"collapse: the pictures are {1 / max(found['crowding'], 1e-3):.0f} times as close to one another "
            f"as real ones (alarm above {1 / CROWDED:.0f})"
        )
    few = found["crowding"] < CROWDED
    limit = OF_FEW if few else COPIES
    if found["copies"] > limit or (not few and found["neighbour_ratio"] < COPIED):
        reasons.append(
            f"memorisation: {found['copies']:.1%} of the pictures are copies (alarm above {limit:.0%}), all are "
            f"{found['neighbour_ratio']:.2f} times as far from training pictures as from unseen ones "
            f"(alarm below {COPIED}); test of data copying: z = {found['copying']:.1f}"
        )
    return reasons


def won(history: Tensor, loss: str = "non-saturating") -> list[str]:
    """A sentence if D tells real from fake almost without fail at the end of ``history`` (epochs, steps, 4), else none.

    It looks at the medians over the last `STRETCH` steps, and says nothing of fewer, nor of a loss whose D answers with
    anything but probabilities: of those, G learns however far D is ahead.
    """
    last = history.reshape(-1, len(COLUMNS))[-STRETCH:].contiguous()  # torch's median misreads an expanded tensor
    if len(last) < STRETCH or LOSSES[loss].answer_range != (0, 1):
        return []
    loss_d, _, d_real, d_fake = last.median(0).values.tolist()
    if d_fake >= WON or d_real <= 0.5:
        return []
    return [
        f"D has won: over the last {STRETCH} steps it answers {d_fake:.2g} to pictures of G and {d_real:.2g} to real"
        f" ones (alarm below {WON} and above 0.5), with a loss of {loss_d:.2g}: G learns hardly anything from it;"
        " try a smaller lr_d, label_smoothing = 0.1, or more examples"
    ]


def cause(row: dict) -> str:
    """What the first reason of an alarm is called, in the reader's language."""
    kind = (row.get("reasons") or ["alarm"])[0].partition(":")[0]
    return say(f"monitor.cause.{kind}", kind)


class Rows(list):
    """Rows of a file that `Monitor` wrote; ``fault`` says what to show in their place if it is damaged."""

    fault = ""


def read(path: str | Path) -> Rows:
    """The rows of a file that `Monitor` wrote; none if it is not there.

    One that is damaged is named in a line and has none, and their ``fault`` says so: it must not pass for a watch that
    saw nothing.
    """
    rows, path = Rows(), doors.path("path", path)
    try:
        rows.extend(rows_of(path))
    except LabError as error:
        print(f"left out: {error}", flush=True)
        rows.fault = say("monitor.damaged", file=path.name)
    return rows


def rows_of(path: Path) -> list[dict]:
    """The rows of a file that `Monitor` wrote, each with its epoch; none if it is not there.

    Raises:
        LabError: it cannot be read, is not what was written, or holds no rows.
    """
    with faults_in(path, kept.REMEDY):
        try:
            rows = json.loads(kept.read(path))
        except FileNotFoundError:
            return []
        if type(rows) is not list or not all(type(row["epoch"]) is int for row in rows):
            raise ValueError("no list of looks, each with its epoch")
        return rows
