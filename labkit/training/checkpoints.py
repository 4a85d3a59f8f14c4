"""What an interrupted training goes on from: files in the folder of its run that vouch for themselves.

checkpoint-<epoch>-<sha256>.safetensors   all that training needs to go on; its name vouches for its content; if it was
                                          interrupted half-way through an epoch, <epoch> is <epoch>.<step>
"""

import json
import platform
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from ..base.errors import LabError
from ..base.files import sha256, write_atomic
from ..config import TrainConfig
from .state import TrainState

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

    With ``whole_epochs``, where the last epoch that was done ended.

    Raises:
        LabError: a checkpoint belongs to another config or other images, or is none of this labkit.
    """
    for stale in folder.glob(".*.part"):
        stale.unlink(missing_ok=True)
    for path in checkpoints_in(folder):
        if whole_epochs and progress_of(path)[1]:
            continue
        content = path.read_bytes()
        if sha256(content)[:16] != path.stem.split("-")[2]:
            print(f"{path} is damaged: set aside as *.corrupt, going on from the one before")
            path.rename(path.with_suffix(".corrupt"))
            continue
        try:
            with safetensors.safe_open(path, "pt") as f:
                note = f.metadata()
            owner, tensors = json.loads(note["owner"]), safetensors.torch.load(content)
            if owner["images_sha256"] != state.images_sha256 or TrainConfig(**owner["config"]) != state.config:
                raise LabError(f"{path} belongs to another config or other images: delete {folder} to train again")
            state.restore(tensors, int(note["epoch"]), float(note["seconds"]))
            state.machines = json.loads(note.get("machines", "[]"))
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise LabError(
                f"{path} is no checkpoint of this labkit ({str(error).splitlines()[0]}): delete {folder} to train again"
            ) from None
        machines = machines_of(state)
        if len(machines) > 1:
            changed = {key for other in machines for key in other if other[key] != machines[-1].get(key)}
            print(
                f"{folder.name} was begun with another {', '.join(sorted(changed))}:"
                " it goes on, but not bit for bit as it would there"
            )
        return


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
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
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
    return sorted(folder.glob("checkpoint-[0-9]*-*.safetensors"), reverse=True)


def progress_of(path: Path) -> tuple[int, int]:
    """Epochs and further steps that the checkpoint ``path`` has, by its name."""
    epochs, _, steps = path.stem.split("-")[1].partition(".")
    return int(epochs), int(steps or 0)
