"""A training run on disk: data/runs/<profile>/<model>/seed<n>-<digest of the config>/

On other pictures than the training set of Fashion-MNIST, those of another data set too, it is another run: its folder's
name goes on with the first eight digits of their digest.

    checkpoint-...                            see `checkpoints`
    generator.safetensors                     ready to sample from
    discriminator.safetensors
    history.safetensors                       (epochs, steps, 4): the columns of training.COLUMNS
    run.json                                  written last: config, digests, versions, machine, time
    scores.json, atlas-..., scores-...        what was measured on it, vouched for by kept.sha256, see `base.kept`

Every file is written whole or not at all, and verified before it is used. No pickle is read or written.
"""

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn

from .. import data
from ..base import cache, doors, kept, paths
from ..base.errors import LabError
from ..base.files import FAULTS, exclusive, fault_of, faults_in, read_sealed, seal, sha256, write_atomic
from ..base.machine import on_cuda, own_torch, pick_device
from ..config import PROFILES, TrainConfig, config_for
from ..gans import build_empty, reported
from ..gans.layers import fuse
from ..texts import say
from .checkpoints import (
    check_finite,
    checkpoint,
    checkpoints_in,
    machines_of,
    owner_of,
    progress_of,
    resume,
    resume_from_others,
)
from .loop import check_seeds, train
from .state import COLUMNS, TrainState, trained_generator

FORMAT = 1
FILES = ("generator.safetensors", "discriminator.safetensors", "history.safetensors")
GARMENTS = data.FASHION_MNIST.images_sha256  # what a run is trained on whose folder's name does not say it
AGAIN = "delete its folder to train again"

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
    def generator_sha256(self) -> str:
        """The digest of the file that the generator was read from: what tells it from every other."""
        return next(digest for name, digest in self.manifest["files"].items() if name.startswith("generator"))

    @property
    def length(self) -> str:
        """``epochs`` in words, for a caption."""
        whole = self.epochs == self.config.epochs
        kind = "part" if not whole else "one" if self.epochs == 1 else "whole"
        return say(f"chapters123.length.{kind}", epochs=self.epochs, of=self.config.epochs)

    def generator(self, device: str = "cpu") -> nn.Module:
        """The trained generator in eval mode, its BatchNorm statistics re-estimated over many z."""
        return self._network(0, self.generator_state, pick_device(device))

    def discriminator(self, device: str = "cpu") -> nn.Module:
        """The trained discriminator in eval mode."""
        return self._network(1, self.discriminator_state, pick_device(device))

    def column(self, name: str) -> Tensor:
        """One column of the history, (epochs, steps): loss_d, loss_g, d_real or d_fake."""
        return self.history[..., COLUMNS.index(name)]

    @own_torch()
    def _network(self, index: int, tensors: dict[str, Tensor], device: str) -> nn.Module:
        network = build_empty(self.config, index)
        try:
            network.load_state_dict(tensors, assign=True)
        except FAULTS as error:
            raise LabError(
                f"{self.folder / FILES[index]} does not fit a {self.config.model} ({fault_of(error)}): {AGAIN}"
            ) from None
        return fuse(network.to(device).eval())


def checked(run: object) -> Run:
    """``run``, if it is one.

    Raises:
        LabError: it is something else.
    """
    if not isinstance(run, Run):
        raise LabError(f"run = {doors.said(run)}: give a Run, for instance runs.load_run(folder)")
    return run


def _checked_config(config: object) -> TrainConfig:
    if not isinstance(config, TrainConfig):
        raise LabError(f"config = {doors.said(config)}: give a TrainConfig, for instance config_for('dcgan', 'quick')")
    return config


def run_folder(config: TrainConfig, root: str | Path | None = None, images_sha256: str | None = None) -> Path:
    """Where the run of ``config`` lives that is trained on the images with this digest, or on its training set.

    Older versions gave a run on other images the plain name. It keeps it, and is given for these alone.
    """
    config = _checked_config(config)
    plain = _root(root) / config.profile / config.model / f"seed{config.seed}-{config.digest()}"
    wanted, there = images_sha256 or images_for(config.dataset), images_of(plain)
    if there == wanted or (there is None and wanted == GARMENTS):
        return plain
    return plain.with_name(f"{plain.name}-{wanted[:8]}")


def _root(root: str | Path | None) -> Path:
    return paths.RUNS if root is None else doors.path("root", root)


def images_for(dataset: str) -> str:
    """The digest of the training images of ``dataset``, which a run on them has in its manifest.

    Raises:
        LabError: there is no such data set, or none of its files.
    """
    return GARMENTS if dataset == data.DEFAULT else data.images_sha256(dataset)


def images_of(folder: str | Path) -> str | None:
    """The digest of the images of the run in ``folder``, finished or not, as it says; None where it says nothing."""
    folder = doors.path("folder", folder)
    with contextlib.suppress(*FAULTS):
        return read_sealed(folder / "run.json", FORMAT)["images_sha256"]
    for path in checkpoints_in(folder):
        with contextlib.suppress(*FAULTS):
            return owner_of(path)["images_sha256"]
    return None


def dataset_of(folder: str | Path) -> str:
    """The name of the data set of the finished run in ``folder``, if it says one other than the default."""
    folder = doors.path("folder", folder)
    with contextlib.suppress(*FAULTS):
        name = read_sealed(folder / "run.json", FORMAT)["config"].get("dataset", data.DEFAULT)
        return "" if name == data.DEFAULT else name
    return ""


def finished(root: str | Path | None = None, dataset: str = "") -> list[Path]:
    """The folders of all finished runs, <profile>/<model>/<run>, the longest profile first; nothing is verified yet.

    With ``dataset``, only of those on its training set, as far as they can be read.
    """
    wanted = images_for(dataset) if dataset else ""
    found = [
        path.parent for profile in reversed(PROFILES) for path in sorted(_root(root).glob(f"{profile}/*/*/run.json"))
    ]
    return [folder for folder in found if not dataset or (images_of(folder) or GARMENTS) == wanted]


def choose_profile(profile: str, device: str, **changes) -> str:
    """What ``auto`` means: ``full`` on a GPU or where its runs are at hand, as in the repository; else ``quick``.

    Raises:
        LabError: no such profile or setting.
    """
    if profile not in ("auto", *PROFILES):
        raise LabError(f"profile = {profile!r} is unknown: use one of auto, {', '.join(PROFILES)}")
    full = [run_folder(config_for(model, "full", **changes)) / "run.json" for model in reported()]
    if profile != "auto":
        return profile
    return "full" if on_cuda(str(device)) or all(path.exists() for path in full) else "quick"


def fit_or_load(
    config: TrainConfig,
    device: str = "auto",
    root: str | Path | None = None,
    images: Tensor | None = None,
    monitor: Monitor | None = None,
    whole: bool | None = None,
) -> Run:
    """The run of ``config``: loaded if it is finished, resumed if it is half done, trained otherwise.

    ``images`` are pictures to train on, as `doors.grey_images` takes them: uint8 (N, 28, 28), or floats, NumPy, other
    shapes that can be told to mean such; left out, they are the training set of the config's data set, each again and
    again where they are fewer than its examples. Other images make another run. A run that differs in nothing but fewer
    epochs is gone on from, to the same bits. ``root`` is where runs are kept.
    ``monitor`` is called with the state and the run's folder after every epoch of a training; see
    `evaluation.monitor.Monitor`.
    ``whole``: a run that was finished early is not enough, train it to its end; left out, that is so on a GPU.

    Raises:
        LabError: the run on disk is damaged; training was interrupted (what is done is kept) or diverged.
    """
    return fit_or_load_seeds([config], device, root, images, monitor, whole)[0]


@own_torch()
def fit_or_load_seeds(
    configs: Sequence[TrainConfig],
    device: str = "auto",
    root: str | Path | None = None,
    images: Tensor | None = None,
    monitor: Monitor | None = None,
    whole: bool | None = None,
) -> list[Run]:
    """The runs of ``configs``, which differ in their seed: as `fit_or_load`, and what is missing trains together.

    Raises:
        LabError: as `fit_or_load`; or the configs differ in more, or not in that.
    """
    device = pick_device(device)
    configs = [_checked_config(one) for one in ([configs] if isinstance(configs, TrainConfig) else configs)]
    images = None if images is None else doors.grey_images(images)
    given = None if images is None else _digest(images)
    found = {config: _finished(config, root, given, device != "cpu" if whole is None else whole) for config in configs}
    missing = [config for config in found if found[config] is None]
    if missing:
        whole_set, n = (
            data.load("train", dataset=missing[0].dataset)[0] if images is None else images,
            missing[0].examples,
        )
        if n > len(whole_set) and (images is not None or missing[0].dataset == data.DEFAULT):
            raise LabError(f"examples = {n} is more than the {len(whole_set)} images there are")
        digest, images = given or _digest(whole_set), whole_set.to(device)
        if n > len(images):  # a smaller set, each again and again
            images = images.repeat(-(-n // len(images)), 1, 1)[:n]
        folders = {config: run_folder(config, root, given) for config in missing}
        with contextlib.ExitStack() as stack:
            for folder in folders.values():
                stack.enter_context(exclusive(folder))
            stack.enter_context(_faults_in_a_line(folders))
            states = [TrainState(config, device, digest) for config in missing]
            found |= zip(missing, _fit(states, list(folders.values()), images, monitor), strict=True)
    return [run for config in configs if (run := found[config])]


def _finished(config: TrainConfig, root: str | Path | None, given: str | None, whole: bool) -> Run | None:
    """The finished run of ``config``, if there is one, of the images with the digest ``given``."""
    folder = run_folder(config, root, given)
    if not os.path.lexists(folder / "run.json"):
        return None
    run = load_run(folder, config)
    if run.manifest["images_sha256"] != (given or images_for(config.dataset)):
        raise LabError(f"{folder} was trained on other images: delete it, or give another root")
    return run if run.epochs == config.epochs or not whole else None


def _fit(states: list[TrainState], folders: list[Path], images: Tensor, monitor: Monitor | None) -> list[Run]:
    """Go on in ``folders`` from where their checkpoints are, to the end."""
    look = monitor or (lambda state, folder: None)
    of = {id(state): folder for state, folder in zip(states, folders, strict=True)}

    def keep(state: TrainState) -> None:
        checkpoint(state, of[id(state)])
        look(state, of[id(state)])

    check_seeds(states)
    for state in states:
        resume(state, of[id(state)])
        resume_from_others(state, of[id(state)])
        if state.epoch and not state.paused:
            look(state, of[id(state)])  # which the interruption may have kept from it
    try:
        train(states, images, on_epoch=keep)
        return [finish(state, of[id(state)]) for state in states]
    except KeyboardInterrupt:
        for state in states:
            if state.paused:
                checkpoint(state, of[id(state)])
        raise


@contextlib.contextmanager
def _faults_in_a_line(folders: dict[TrainConfig, Path]):
    """Ctrl-C, and want of memory, as LabErrors that say what is kept in ``folders``."""
    try:
        yield
    except KeyboardInterrupt:
        kept = []
        for config, folder in folders.items():
            epochs, steps = progress_of(checkpoints_in(folder)[0]) if checkpoints_in(folder) else (0, 0)
            so_far = f"{epochs} of {config.epochs} epochs" + (f" and {steps} steps" if steps else "")
            kept.append(f"{config.model} has {so_far} in {folder}")
        raise LabError(
            f"interrupted: {', '.join(kept)}; run the same cell or command again to go on from there"
        ) from None
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "allocate memory" in str(error):
            raise LabError(
                f"out of memory with batch = {next(iter(folders)).batch}: finished epochs are kept;"
                " close other programs, or try a smaller batch"
            ) from None
        raise


@own_torch()
def finish_early(config: TrainConfig, root: str | Path | None = None, images: Tensor | None = None) -> Run:
    """Make the whole epochs that an interrupted training of ``config`` has done a finished run, loaded from now on.

    ``images`` are those it was given, as for `fit_or_load`.

    Raises:
        LabError: there is no checkpoint, or the training is still running.
    """
    config = _checked_config(config)
    images = data.load("train", dataset=config.dataset)[0] if images is None else doors.grey_images(images)
    state = TrainState(config, "cpu", _digest(images))
    folder = run_folder(config, root, state.images_sha256)
    with exclusive(folder) if folder.exists() else contextlib.nullcontext():
        resume(state, folder, whole_epochs=True)
        if not state.epoch:
            raise LabError(f"{folder} holds no checkpoint: train for an epoch first")
        return finish(state, folder)


def finish(state: TrainState, folder: Path) -> Run:
    """Write the networks and the history, then the manifest, which makes the run a finished one.

    Raises:
        LabError: the last step made a weight infinite or nan.
    """
    tensors = (trained_generator(state).state_dict(), state.d.state_dict(), {"history": state.history[: state.epoch]})
    check_finite(state, *tensors)
    (folder / "run.json").unlink(missing_ok=True)  # of a run that was finished early
    files, machines = {}, machines_of(state)
    for name, part in zip(FILES, tensors, strict=True):
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
    kept.compact(folder)
    if (folder / kept.LIST).exists():
        manifest[kept.LIST] = "vouches for what was measured"  # so that its loss is noticed
    manifest["sha256"] = seal(manifest)
    write_atomic(folder / "run.json", json.dumps(manifest, indent=2).encode())
    for old in checkpoints_in(folder)[1:]:
        old.unlink(missing_ok=True)
    return load_run(folder, state.config)


@own_torch()
def load_run(folder: str | Path, config: TrainConfig | None = None) -> Run:
    """The finished run in ``folder``; with ``config``, it must be that config's.

    Raises:
        LabError: a file is missing or damaged, of another format, or the run is another config's.
    """
    folder = doors.path("folder", folder)
    path = folder / "run.json"
    try:
        manifest = read_sealed(path, FORMAT)
        found = TrainConfig(**manifest["config"])
        files = [(folder / name, manifest["files"][name]) for name in FILES]
        float(manifest["seconds"]), str.lower(manifest["images_sha256"] + manifest["machine"]["device"])
        _ = manifest["machine"]["threads"], manifest["machine"]["torch"]  # which reports show
    except (FileNotFoundError, NotADirectoryError):
        raise LabError(f"{folder} holds no finished run: train it first, for instance with 'make report'") from None
    except (LabError, *FAULTS) as error:
        raise LabError(f"{path}: this run is damaged or of another version ({fault_of(error)}): {AGAIN}") from None
    if config and found != config:
        changed = [f"{k} is {v!r}" for k, v in found.to_dict().items() if v != config.to_dict()[k]]
        raise LabError(f"{path} belongs to another config ({', '.join(changed)}): delete the folder to train again")
    g, d, history = (_read(*file) for file in files)
    if history.keys() != {"history"} or history["history"].shape[1:] != (found.steps, len(COLUMNS)):
        raise LabError(f"{folder / FILES[2]} holds no history of this run: {AGAIN}")
    return Run(folder, found, manifest, g, d, history["history"])


def _digest(images: Tensor) -> str:
    return sha256(images.cpu().numpy().tobytes())


def _read(path: Path, digest: str) -> dict[str, Tensor]:
    """The tensors in ``path``, all finite, if its SHA-256 is ``digest``."""
    with faults_in(path, AGAIN):
        content = path.read_bytes()
        if sha256(content) != digest:
            raise ValueError("sha256 differs from run.json")
        tensors = cache.tensors_in(content)
        cache.check_finite(tensors)
        return tensors
