"""Predict first: sentences with thresholds, sealed before a training and judged by what is measured after it.

A seal is a file in data/predictions: the sentences as they were written (see `examine.sentences`), the training that
they are about, when, and whether that training was there already. Its name has its SHA-256, and it names that of the
seal before it: whoever changes one, or takes one out, breaks the chain behind it.

What this proves has a limit. The clock is this machine's and can be set, and all files can be made anew together. The
hash that is printed cannot: a teacher who was given it before the training can be sure of what was predicted, and when.
"""

import contextlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..analysis.effects import NAMES, effects_of
from ..base import doors, paths
from ..base.errors import LabError
from ..base.files import FAULTS, exclusive, fault_of, faults_in, seal, write_atomic
from ..config import TrainConfig
from ..examine.sentences import asked, judge_text, sentences_in, words_of
from ..training.checkpoints import checkpoints_in
from ..training.runs import Run, load_run, run_folder

FORMAT = 1
LARGEST = 1 << 16  # bytes of a file of sentences
NAME = re.compile(r"(\d{4})-([0-9a-f]{12})\.json")
TIME = "%Y-%m-%dT%H:%M:%SZ"
BEFORE, BEGUN, AFTER, OLDER = "before", "begun", "after", "older"  # when a seal was made, seen from its run
UNMEASURED = "unmeasured"  # why: there is no such run


@dataclass(frozen=True)
class Verdict:
    """What became of a sentence that was sealed."""

    seal: str  # SHA-256
    number: int  # of the seal
    sealed_at: str  # UTC, by the clock of the machine
    model: str
    generator_sha256: str  # of the run that judges it; empty if there is none
    when: str  # BEFORE, BEGUN, AFTER or OLDER
    text: str
    dimension: int
    effect: str  # one of `effects.NAMES`
    direction: str
    limit: float
    verdict: str  # as in `examine.sentences`
    mean: float | None = None
    low: float | None = None
    high: float | None = None
    q: float | None = None


def predict(path: str | Path, config: TrainConfig) -> dict:
    """Seal the sentences in the file ``path`` about the training of ``config``; the seal, as it is kept.

    Raises:
        LabError: there is no such file, or a sentence of it has no threshold or cannot be judged.
    """
    path = doors.path("path", path)
    with faults_in(path, "see docs/handin.md for what it should hold"):
        if path.stat().st_size > LARGEST:
            raise ValueError(f"more than {LARGEST:,} bytes")
        text = path.read_bytes().decode()
        sentences = sentences_in(text)
    for one in sentences:
        _check(path, one, config.latent_dim)
    folder = run_folder(config)
    with exclusive(paths.PREDICTIONS):
        before, faults = chain(_files())
        if faults:
            raise LabError(f"{faults[0]}: nothing is sealed after it; move {paths.PREDICTIONS} away to begin anew")
        made: dict = {
            "format": FORMAT,
            "number": len(before) + 1,
            "previous": before[-1]["sha256"] if before else "",
            "sealed_at": datetime.now(UTC).strftime(TIME),
            "config": config.to_dict(),
            "run": "/".join(folder.parts[-3:]),
            "when": _when(folder),
            "sentences": text,
        }
        made["sha256"] = seal(made)
        write_atomic(
            paths.PREDICTIONS / f"{made['number']:04d}-{made['sha256'][:12]}.json", json.dumps(made, indent=2).encode()
        )
    return made


def _check(path: Path, one: dict, latent_dim: int) -> None:
    try:
        _, _, direction, _ = asked(one, latent_dim)
        wanted = "at_most" if direction == "keeps" else "at_least"
        if wanted not in one:
            raise LabError(f"a prediction has a threshold: give {wanted} =, in the unit of the effect")
    except LabError as error:
        raise LabError(f"{path.name}, «{words_of(one)[:80]}»: {error}") from None


def _when(folder: Path) -> str:
    """Whether the run in ``folder`` is there already, or has begun."""
    if (folder / "run.json").exists():
        return AFTER
    return BEGUN if checkpoints_in(folder) else BEFORE


def _files() -> dict[str, bytes]:
    """The content of every seal, by name."""
    with faults_in(paths.PREDICTIONS, "get it back, or move it away to begin anew"):
        return {path.name: path.read_bytes() for path in sorted(paths.PREDICTIONS.glob("*.json"))}


def kept() -> dict[str, bytes]:
    """The content of every seal of this project, by name; none if nothing was ever sealed."""
    return _files() if paths.PREDICTIONS.is_dir() else {}


def chain(files: dict[str, bytes]) -> tuple[list[dict], list[str]]:
    """The seals in ``files``, content by name, in order, and a line for everything that is wrong with their chain."""
    seals, faults, previous = [], [], ""
    for number, (name, content) in enumerate(sorted(files.items()), 1):
        try:
            found = json.loads(content)
            if found["sha256"] != seal(found):
                raise ValueError("its own sha256 differs: it was changed after it was sealed")
            match = NAME.fullmatch(name)
            if found["format"] != FORMAT or not match or match[2] != found["sha256"][:12]:
                raise ValueError("it is not what its name says")
            if int(match[1]) != number or found["number"] != number:
                raise ValueError(
                    f"a seal before it is missing: it is number {found['number']}, and here number {number}"
                )
            if found["previous"] != previous:
                raise ValueError("it follows another seal than the one before it: the chain is broken")
            datetime.strptime(found["sealed_at"], TIME)
            sentences_in(found["sentences"]), dict.keys(found["config"]), str.lower(found["run"] + found["when"])
        except (LabError, *FAULTS) as error:
            faults.append(f"prediction {name}: {fault_of(error)}")
            break
        previous = found["sha256"]
        seals.append(found)
    return seals, faults


def judge(seals: Iterable[dict], runs: Iterable[Run] | None = None, device: str = "cpu") -> list[Verdict]:
    """All sentences of ``seals``, judged by the runs that they are about, or by those of them that are in ``runs``."""
    of_config = None if runs is None else {run.config: run for run in runs}
    found = []
    for one in seals:
        config = TrainConfig(**one["config"])
        run = _run(config) if of_config is None else of_config.get(config)
        effects = effects_of(run, device) if run else None
        when = _seen(one, run) if run else one["when"]
        judged = judge_text(one["sentences"], effects, UNMEASURED)
        for sentence, answer in zip(sentences_in(one["sentences"]), judged, strict=True):
            dim, at, direction, limit = asked(sentence, config.latent_dim)
            numbers = answer.found or (None,) * 4
            asks = (dim, NAMES[at], direction, limit)
            generator = run.generator_sha256 if run else ""
            who = (one["sha256"], one["number"], one["sealed_at"], config.model, generator, when)
            found.append(Verdict(*who, words_of(sentence)[:300], *asks, answer.verdict, *numbers))
    return found


def _run(config: TrainConfig) -> Run | None:
    folder = run_folder(config)
    return load_run(folder, config) if (folder / "run.json").exists() else None


def _seen(one: dict, run: Run) -> str:
    """When the seal ``one`` was made, seen from ``run``, whose manifest must not be older than it."""
    sealed = datetime.strptime(one["sealed_at"], TIME).replace(tzinfo=UTC).timestamp()
    with contextlib.suppress(OSError):
        if one["when"] == BEFORE and (run.folder / "run.json").stat().st_mtime < sealed - 1:
            return OLDER
    return one["when"]


def records(verdicts: Iterable[Verdict]) -> list[dict]:
    """``verdicts`` as JSON takes them."""
    return [asdict(one) for one in verdicts]


def said(sealed: dict) -> str:
    """What is to be known about the seal that was just made."""
    about = f"{sealed['config']['model']}, {sealed['run']}"
    state = {
        BEFORE: "the run is not there yet",
        BEGUN: "its training has begun: this is no prediction of what was seen meanwhile",
        AFTER: "THE RUN IS THERE ALREADY: this is no prediction; for one, give settings of a run to come, as seed=1",
    }[sealed["when"]]
    return (
        f"sealed as number {sealed['number']} at {sealed['sealed_at']} about {about}: {state}\n"
        f"hash: {sealed['sha256']}\n"
        "Send the hash to your teacher before the run: the clock of this machine proves nothing."
    )


LATE = {
    BEFORE: "",
    BEGUN: ", sealed while it was trained",
    AFTER: ", sealed after the run: no prediction",
    OLDER: ", sealed before the run, whose file is older than the seal: a clock was set, or the run was copied here",
}


def lines(verdicts: Iterable[Verdict]) -> list[str]:
    """``verdicts`` for the command line, one a line."""
    said = []
    for one in verdicts:
        measured = "its run is not there"
        if one.mean is not None:
            measured = f"{one.mean:+.3g} ({one.low:.3g} to {one.high:.3g}; q = {one.q:.2g})"
        said.append(f"{one.number}. {one.model}, {one.verdict}: {one.text}: {measured}{LATE[one.when]}")
    return said
