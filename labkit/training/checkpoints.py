"""What an interrupted training goes on from: files in the folder of its run that vouch for themselves.

checkpoint-<epoch>-<sha256>.safetensors   all that training needs to go on; its name vouches for its content; if it was
                                          interrupted half-way through an epoch, <epoch> is <epoch>.<step>
"""

import contextlib
import json
import platform
import re
from dataclasses import replace
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from ..base import kept
from ..base.cache import note_in, tensors_in
from ..base.errors import LabError
from ..base.files import FAULTS, fault_of, sha256, write_atomic
from ..base.machine import on_cuda
from ..config import TrainConfig
from .state import TrainState

NAME = re.compile(r"checkpoint-\d{5,}(\.\d{5,})?-[0-9a-f]{16}\.safetensors")
KEEP = 2  # checkpoints: the newest, and one to fall back on


def checkpoint(state: TrainState, folder: Path) -> None:
    """Save ``state``; the two newest checkpoints are kept.

    Raises:
        LabError: a weight is not finite, or the disk takes no more; the checkpoints before are as they were.
    """
    check_finite(state, *(network.state_dict() for network in (state.g, state.d)))
    note = {
        "epoch": str(state.epoch),
        "seconds": str(state.seconds),
        "owner": _owner(state),
        "machines": json.dumps(machines_of(state)),
    }
    content = safetensors.torch.save(state.tensors(), note)
    step = f".{len(state.paused['log']):05d}" if state.paused else ""
    write_atomic(folder / f"checkpoint-{state.epoch:05d}{step}-{sha256(content)[:16]}.safetensors", content)
    for old in checkpoints_in(folder)[KEEP:]:
        old.unlink(missing_ok=True)


def resume(state: TrainState, folder: Path, whole_epochs: bool = False) -> None:
    """Put ``state`` where the newest sound checkpoint in ``folder`` left off; a damaged one is named and set aside.

    With ``whole_epochs``, where the last epoch that was done ended. One that cannot be read is named and passed over.

    Raises:
        LabError: a checkpoint belongs to another config or other images, or is none of this labkit.
    """
    for path in checkpoints_in(folder):
        if whole_epochs and progress_of(path)[1]:
            continue
        try:
            content = _sound(path)
        except OSError as error:
            print(f"{path} is {fault_of(error)}: going on from the one before")
        except ValueError:
            print(f"{path} is damaged: set aside as *.corrupt, going on from the one before")
            with contextlib.suppress(OSError):
                path.rename(path.with_suffix(".corrupt"))
        else:
            _take_over(state, path, content, state.config)
            return


def resume_from_others(state: TrainState, folder: Path) -> None:
    """Put ``state`` where a run of the same config but for its epochs left off, if one beside ``folder`` is further.

    Of the same images, and not beyond the epochs of ``state``. Other folders are only read: a checkpoint there that is
    damaged, or goes away meanwhile, is passed over, the former with a line.
    """
    own = state.epoch, len(state.paused.get("log", ()))
    found = [path for other in folder.parent.glob(f"seed{state.config.seed}-*") for path in checkpoints_in(other)]
    for path in sorted(found, key=progress_of, reverse=True):
        if path.parent == folder or not own < progress_of(path) <= (state.config.epochs, 0):
            continue
        try:
            owner = owner_of(path)
            config = TrainConfig(**owner["config"])
            if owner["images_sha256"] == state.images_sha256 and replace(config, epochs=1) == replace(
                state.config, epochs=1
            ):
                _take_over(state, path, _sound(path), config)
                checkpoint(state, folder)  # which is ours from here on, whatever becomes of the other
                _take_along(path.parent, folder)
                print(f"{folder.name} goes on from epoch {state.epoch} of {path.parent.name}, the same but for epochs")
                return
        except (LabError, *FAULTS) as error:
            if path.exists():
                print(f"{path} is passed over ({fault_of(error)})")


def _take_along(other: Path, folder: Path) -> None:
    """Keep in ``folder`` what a watch over the training saw in ``other``: what is damaged there is named and left."""
    for name in kept.SHOWN:
        with contextlib.suppress(FileNotFoundError):
            try:
                kept.write(folder / name, kept.read(other / name))
            except LabError as error:
                print(f"not taken along: {error}")


def owner_of(path: Path) -> dict:
    """The config and the images, "images_sha256", of the checkpoint ``path``, as it says: not verified.

    Raises:
        One of `FAULTS`: it cannot be read, or is none.
    """
    with path.open("rb") as f:
        return json.loads(note_in(f.read(1 << 20))["owner"])


def damage_of(path: Path) -> str:
    """What is wrong with the checkpoint ``path``, in a few words; nothing if its name vouches for it."""
    try:
        _sound(path)
    except (OSError, ValueError) as error:
        return fault_of(error)
    return ""


def _sound(path: Path) -> bytes:
    """The content of the checkpoint ``path``, which its name vouches for; else a ValueError, or the disk's OSError."""
    if path.is_dir():
        raise ValueError("a folder")
    content = path.read_bytes()
    if sha256(content)[:16] != path.stem.split("-")[2]:
        raise ValueError("its sha256 is not that of its name")
    return content


def _take_over(state: TrainState, path: Path, content: bytes, config: TrainConfig) -> None:
    """Put ``state`` where the checkpoint ``content`` from ``path``, of a run of ``config``, left off."""
    folder = path.parent
    try:
        note = note_in(content)
        owner, tensors = json.loads(note["owner"]), tensors_in(content)
        if owner["images_sha256"] != state.images_sha256 or TrainConfig(**owner["config"]) != config:
            raise LabError(f"{path} belongs to another config or other images: delete {folder} to train again")
        state.restore(tensors, int(note["epoch"]), float(note["seconds"]))
        state.machines = json.loads(note.get("machines", "[]"))
    except FAULTS as error:
        raise LabError(
            f"{path} is no checkpoint of this labkit ({fault_of(error)}): delete {folder} to train again"
        ) from None
    check_finite(state, *(network.state_dict() for network in (state.g, state.d)))
    machines = machines_of(state)
    if len(machines) > 1:
        changed = {key for other in machines for key in other if other[key] != machines[-1].get(key)}
        print(
            f"{folder.name} was begun with another {', '.join(sorted(changed))}:"
            " it goes on, but not bit for bit as it would there"
        )


def check_finite(state: TrainState, *parts: dict[str, Tensor]) -> None:
    """Raise a LabError if one of the tensors in ``parts`` is not finite."""
    if not all(value.isfinite().all() for part in parts for value in part.values()):
        raise LabError(
            f"{state.config.model}: a weight is not finite after epoch {state.epoch} (lr = {state.config.lr}):"
            " training has diverged and stopped, earlier epochs are kept; try a smaller lr"
        )


def _owner(state: TrainState) -> str:
    """What a checkpoint must have in common with the run that goes on from it."""
    return json.dumps({"config": state.config.to_dict(), "images_sha256": state.images_sha256}, sort_keys=True)


def machine(device: str) -> dict:
    """What the promise of equal bits depends on."""
    return {
        "device": torch.cuda.get_device_name(device) if on_cuda(device) else device,
        "cpu": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def machines_of(state: TrainState) -> list[dict]:
    """All on which ``state`` was trained, this one last."""
    here = {**machine(state.device), "precision": state.precision}
    return [other for other in state.machines if other != here] + [here]


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints in ``folder``, the newest first."""
    return sorted((path for path in folder.glob("checkpoint-*") if NAME.fullmatch(path.name)), reverse=True)


def progress_of(path: Path) -> tuple[int, int]:
    """Epochs and further steps that the checkpoint ``path`` has, by its name."""
    epochs, _, steps = path.stem.split("-")[1].partition(".")
    return int(epochs), int(steps or 0)
