"""A training run on disk: data/runs/<profile>/<model>/seed<n>-<digest of the config>/

    checkpoint-<epoch>-<sha256>.safetensors   all that training needs to go on; its name vouches for its content; if it was
                                              interrupted half-way through the next epoch, <epoch> is <epoch>.<step>
    generator.safetensors                     ready to sample from
    discriminator.safetensors
    history.safetensors                       (epochs, steps, 4): the columns of training.COLUMNS
    run.json                                  written last: config, digests, versions, machine, time
    scores.json, atlas-..., scores-...        what was measured on it

Every file is written whole or not at all, and verified before it is used. No pickle is read or written.
"""

import contextlib
import json
import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from .. import data
from ..base import paths
from ..base.errors import LabError
from ..base.files import exclusive, sha256, write_atomic
from ..base.machine import pick_device
from ..config import MODELS, PROFILES, TrainConfig, config_for
from ..gans import build
from ..gans.layers import fuse
from .loop import train
from .state import COLUMNS, TrainState, trained_generator

FORMAT = 1
FILES = ("generator.safetensors", "discriminator.safetensors", "history.safetensors")
KEEP = 2  # checkpoints: the newest, and one to fall back on

Monitor = Callable[[TrainState, Path], None]


@dataclass(frozen=True)
class Run:
    """A finished run, verified. It may have been finished before all epochs of its config were done."""

    folder: Path
    config: TrainConfig
    manifest: dict
    generator_state: dict[str, Tensor] = field(repr=False)
    discriminator_state: dict[str, Tensor] = field(repr=False)
    history: Tensor = field(repr=False)  # (epochs, steps, 4)

    @property
    def epochs(self) -> int:
        """Epochs that were trained."""
        return len(self.history)

    @property
    def length(self) -> str:
        """``epochs`` in words, for a caption."""
        return (
            f"{self.epochs} epochs"
            if self.epochs == self.config.epochs
            else f"{self.epochs} of {self.config.epochs} epochs"
        )

    def generator(self, device: str = "cpu") -> nn.Module:
        """The trained generator in eval mode, its BatchNorm statistics re-estimated over many z."""
        return self._network(0, self.generator_state, device)

    def discriminator(self, device: str = "cpu") -> nn.Module:
        """The trained discriminator in eval mode."""
        return self._network(1, self.discriminator_state, device)

    def column(self, name: str) -> Tensor:
        """One column of the history, (epochs, steps): loss_d, loss_g, d_real or d_fake."""
        return self.history[..., COLUMNS.index(name)]

    def _network(self, index: int, tensors: dict[str, Tensor], device: str) -> nn.Module:
        with torch.device("meta"):  # no numbers are drawn: a training may be running beside
            network = build(self.config)[index]
        try:
            network.load_state_dict(tensors, assign=True)
        except RuntimeError as error:
            raise LabError(
                f"{self.folder / FILES[index]} does not fit a {self.config.model} ({str(error).splitlines()[-1].strip()}): delete its folder to train again"
            ) from None
        return fuse(network.to(device).eval())


def run_folder(config: TrainConfig, root: Path | None = None) -> Path:
    """Where the run of ``config`` lives."""
    return (root or paths.RUNS) / config.profile / config.model / f"seed{config.seed}-{config.digest()}"


def finished(root: Path | None = None) -> list[Path]:
    """The folders of all finished runs, <profile>/<model>/<run>, the longest profile first; nothing is verified yet."""
    return [
        path.parent
        for profile in reversed(PROFILES)
        for path in sorted((root or paths.RUNS).glob(f"{profile}/*/*/run.json"))
    ]


def choose_profile(profile: str, device: str, **changes) -> str:
    """What ``auto`` means: ``full`` on a GPU or where both its runs are at hand, as they are in the repository; else ``quick``.

    Raises:
        LabError: no such profile or setting.
    """
    if profile not in ("auto", *PROFILES):
        raise LabError(f"profile = {profile!r} is unknown: use one of auto, {', '.join(PROFILES)}")
    full = [run_folder(config_for(model, "full", **changes)) / "run.json" for model in MODELS]
    return (
        profile if profile != "auto" else "full" if device != "cpu" or all(path.exists() for path in full) else "quick"
    )


def fit_or_load(
    config: TrainConfig,
    device: str = "auto",
    root: Path | None = None,
    images: Tensor | None = None,
    monitor: Monitor | None = None,
    whole: bool | None = None,
) -> Run:
    """The run of ``config``: loaded if it is finished, resumed if it is half done, trained otherwise.
    ``images`` is uint8 (N, 28, 28); without it the training set is used. ``root`` is where runs are kept. ``monitor`` is
    called with the state and the run's folder after every epoch of a training; see `evaluation.monitor.Monitor`. ``whole``: a run that
    was finished early is not enough, train it to its end; left out, that is so on a GPU.

    Raises:
        LabError: the run on disk is damaged; training was interrupted (what is done is kept) or diverged.
    """
    folder, device = run_folder(config, root), pick_device(device)
    given = None if images is None else _digest(images)
    if (folder / "run.json").exists():
        run = load_run(folder, config)
        if given not in (None, run.manifest["images_sha256"]):
            raise LabError(f"{folder} was trained on other images: delete it, or give another root")
        if run.epochs == config.epochs or not (device != "cpu" if whole is None else whole):
            return run
    images = (data.load("train")[0] if images is None else images).to(device)
    if config.examples > len(images):
        raise LabError(f"examples = {config.examples} is more than the {len(images)} images there are")
    with exclusive(folder):
        state = TrainState(config, device, given or _digest(images))
        try:
            resume(state, folder)
            if state.epoch and monitor and not state.paused:  # which the interruption may have kept from looking
                monitor(state, folder)
            train(state, images, on_epoch=lambda state: (checkpoint(state, folder), monitor and monitor(state, folder)))
            return finish(state, folder)
        except KeyboardInterrupt:
            if state.paused:
                checkpoint(state, folder)
            epochs, steps = map(int, _progress(_checkpoints(folder)[0])) if _checkpoints(folder) else (0, 0)
            raise LabError(
                f"interrupted: {config.model} has {epochs} of {config.epochs} epochs{f' and {steps} steps' if steps else ''} in {folder};"
                " run the same cell or command again to go on from there"
            ) from None
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error):
                raise LabError(
                    f"out of memory with batch = {config.batch}: finished epochs are kept; close other programs, or try a smaller batch"
                ) from None
            raise


def finish_early(config: TrainConfig, root: Path | None = None, images: Tensor | None = None) -> Run:
    """Make the whole epochs that an interrupted training of ``config`` has done a finished run, to be loaded from now on.

    Raises:
        LabError: there is no checkpoint, or the training is still running.
    """
    folder, state = (
        run_folder(config, root),
        TrainState(config, "cpu", _digest(data.load("train")[0] if images is None else images)),
    )
    with exclusive(folder) if folder.exists() else contextlib.nullcontext():
        resume(state, folder, whole_epochs=True)
        if not state.epoch:
            raise LabError(f"{folder} holds no checkpoint: train for an epoch first")
        return finish(state, folder)


def checkpoint(state: TrainState, folder: Path) -> None:
    """Save ``state``; the two newest checkpoints are kept.

    Raises:
        LabError: a weight is not finite, or the disk takes no more; the checkpoints before are as they were.
    """
    _check_finite(state, *(network.state_dict() for network in (state.g, state.d)))
    note = {
        "epoch": str(state.epoch),
        "seconds": str(state.seconds),
        "owner": _owner(state),
        "machines": json.dumps(_machines(state)),
    }
    content = safetensors.torch.save(state.tensors(), note)
    step = f".{len(state.paused['log']):05d}" if state.paused else ""
    write_atomic(folder / f"checkpoint-{state.epoch:05d}{step}-{sha256(content)[:16]}.safetensors", content)
    for old in _checkpoints(folder)[KEEP:]:
        old.unlink(missing_ok=True)


def resume(state: TrainState, folder: Path, whole_epochs: bool = False) -> None:
    """Put ``state`` where the newest sound checkpoint in ``folder`` left off, or where the last of its ``whole_epochs``
    ended; a damaged one is named and set aside."""
    for stale in folder.glob(".*.part"):
        stale.unlink(missing_ok=True)
    for path in _checkpoints(folder):
        if whole_epochs and _progress(path)[1] != "0":
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
        if len(machines := _machines(state)) > 1:
            changed = sorted({key for other in machines for key in other if other[key] != machines[-1].get(key)})
            print(
                f"{folder.name} was begun with another {', '.join(changed)}: it goes on, but not bit for bit as it would have there"
            )
        return


def finish(state: TrainState, folder: Path) -> Run:
    """Write the networks and the history, then the manifest, which makes the run a finished one.

    Raises:
        LabError: the last step made a weight infinite or nan.
    """
    tensors = (trained_generator(state).state_dict(), state.d.state_dict(), {"history": state.history[: state.epoch]})
    _check_finite(state, *tensors)
    (folder / "run.json").unlink(missing_ok=True)  # of a run that was finished early
    files, machines = {}, _machines(state)
    for name, part in zip(FILES, tensors):
        content = safetensors.torch.save({k: v.cpu().contiguous() for k, v in part.items()})
        write_atomic(folder / name, content)
        files[name] = sha256(content)
    manifest = {
        "format": FORMAT,
        "config": state.config.to_dict(),
        "files": files,
        "images_sha256": state.images_sha256,
        "seconds": round(state.seconds, 1),
        "machine": machines[-1],
        "earlier_machines": machines[:-1],  # if there are any, the bits are those of none
    }
    manifest["sha256"] = _seal(manifest)
    write_atomic(folder / "run.json", json.dumps(manifest, indent=2).encode())
    for old in _checkpoints(folder)[1:]:
        old.unlink(missing_ok=True)
    return load_run(folder, state.config)


def _check_finite(state: TrainState, *parts: dict[str, Tensor]) -> None:
    if not all(value.isfinite().all() for part in parts for value in part.values()):
        raise LabError(
            f"{state.config.model}: a weight is not finite after epoch {state.epoch} (lr = {state.config.lr}): training has diverged and"
            " stopped, earlier epochs are kept; try a smaller lr"
        )


def load_run(folder: Path, config: TrainConfig | None = None) -> Run:
    """The finished run in ``folder``; with ``config``, it must be that config's.

    Raises:
        LabError: a file is missing or damaged, of another format, or the run is another config's.
    """
    path = folder / "run.json"
    try:
        manifest = json.loads(path.read_bytes())
        if manifest["sha256"] != _seal(manifest):
            raise ValueError("its own sha256 differs")
        if manifest["format"] != FORMAT:
            raise ValueError(f"format {manifest['format']}, this labkit reads {FORMAT}")
        found = TrainConfig(**manifest["config"])
        files = [(folder / name, manifest["files"][name]) for name in FILES]
    except (FileNotFoundError, NotADirectoryError):
        raise LabError(f"{folder} holds no finished run: train it first, for instance with 'make report'") from None
    except (ValueError, KeyError, TypeError, LabError) as error:
        raise LabError(
            f"{path}: this run is damaged or of another version ({error}): delete its folder to train again"
        ) from None
    if config and found != config:
        changed = [f"{k} is {v!r}" for k, v in found.to_dict().items() if v != config.to_dict()[k]]
        raise LabError(f"{path} belongs to another config ({', '.join(changed)}): delete the folder to train again")
    g, d, history = (_read(*file) for file in files)
    if history.keys() != {"history"} or history["history"].shape[1:] != (found.steps, len(COLUMNS)):
        raise LabError(f"{folder / FILES[2]} holds no history of this run: delete its folder to train again")
    return Run(folder, found, manifest, g, d, history["history"])


def _seal(manifest: dict) -> str:
    """SHA-256 over all of the manifest but the seal itself."""
    return sha256(json.dumps({k: v for k, v in manifest.items() if k != "sha256"}, sort_keys=True).encode())


def _owner(state: TrainState) -> str:
    """What a checkpoint must have in common with the run that goes on from it."""
    return json.dumps({"config": state.config.to_dict(), "images_sha256": state.images_sha256}, sort_keys=True)


def _digest(images: Tensor) -> str:
    return sha256(images.cpu().numpy().tobytes())


def machine(device: str) -> dict:
    """What the promise of equal bits depends on."""
    return {
        "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu",
        "cpu": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _machines(state: TrainState) -> list[dict]:
    """All on which ``state`` was trained, this one last."""
    here = {**machine(state.device), "precision": state.precision}
    return [other for other in state.machines if other != here] + [here]


def _checkpoints(folder: Path) -> list[Path]:
    """The newest first."""
    return sorted(folder.glob("checkpoint-[0-9]*-*.safetensors"), reverse=True)


def _progress(path: Path) -> tuple[str, str]:
    """Epochs and further steps that the checkpoint ``path`` has, by its name."""
    epochs, _, steps = path.stem.split("-")[1].partition(".")
    return epochs, steps or "0"


def _read(path: Path, digest: str) -> dict[str, Tensor]:
    """The tensors in ``path``, if its SHA-256 is ``digest``."""
    content = path.read_bytes() if path.exists() else b""
    if sha256(content) != digest:
        raise LabError(f"{path} is missing or damaged (sha256 differs from run.json): delete its folder to train again")
    try:
        return safetensors.torch.load(content)
    except SafetensorError as error:
        raise LabError(f"{path} is no file of tensors ({error}): delete its folder to train again") from None
