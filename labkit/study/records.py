"""What is kept of a run of a study: data/studies/<study>/<arm>/seed<k>/

    record.safetensors             effects of all dimensions at the last look; packed: history, 64 images of each look,
                                   and what editing the first of the lab's dimensions makes of eight of them
    generator-<digest>.safetensors weights of the last look in half precision, where they were asked for
    album.safetensors              with them, the same vectors after every epoch, see `evaluation.album`
    record.json                    written last: config, scores at each look, digests, versions, machines, time

A look is an epoch after which the run is measured, with the same latent vectors for all runs. Every file is verified
before it is used.
"""

import functools
import json
import math
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import NamedTuple

import safetensors.torch
import torch
from torch import Tensor, nn

from .. import latent, pictures
from ..analysis.effects import EffectTable, compare, edit_effects, random_pairs
from ..base import doors, paths
from ..base.cache import check_finite, tensors_in
from ..base.errors import LabError
from ..base.files import FAULTS, fault_of, read_sealed, seal, sha256, write_atomic
from ..base.machine import deterministic, own_torch
from ..base.version import VERSION
from ..config import TrainConfig
from ..evaluation import album, scoring
from ..gans.losses import loss_of
from ..latent import LAB_DIMS, LAB_VALUES
from ..training.runs import Run
from ..training.state import COLUMNS

FORMAT = 1
SHIPPED = ("seeds", "design")  # two networks and two recipes over seeds; the vanilla GAN with single parts switched
SAMPLES = 64  # images kept at each look
EDITED = 8  # of them, those whose edits are kept
NAMES = re.compile(
    r"record\.json|record\.safetensors|album\.safetensors|generator-[0-9a-f]{16}\.safetensors"
)  # of files
LATENTS = 1000  # the stream of the latent vectors, as in `scoring`


class Size(NamedTuple):
    """How much is measured on a run."""

    images: int  # of each kind, for the scores
    bases: int  # latent vectors that each dimension is edited in
    null: int  # random directions; even


SIZES = {"smoke": Size(200, 10, 10), "quick": Size(2000, 100, 50), "full": Size(10_000, 200, 50)}


class Look(NamedTuple):
    """The networks of a run after an epoch, ready to sample from and to answer: tensors by their names."""

    generator: dict[str, Tensor]
    discriminator: dict[str, Tensor]


@dataclass(frozen=True)
class Record:
    """A run of a study, verified."""

    config: TrainConfig
    arm: str
    seed: int
    epochs: int
    looks: tuple[int, ...]  # epochs, the last one among them
    scores: dict[int, dict[str, float]]  # at each look: those of `scoring`, and "d_gap", see `measure`
    history: Tensor = field(repr=False)  # (epochs, steps, 4): the columns of `training.COLUMNS`
    samples: Tensor = field(repr=False)  # uint8 (looks, 64, 28, 28), of the same latent vectors at each look
    edits: Tensor = field(
        repr=False
    )  # uint8 (values, 8, 28, 28): the first of them at the last look, z[LAB_DIMS[0]] set
    effects: EffectTable | None = field(repr=False)  # of the last look
    manifest: dict = field(repr=False)
    folder: Path | None = field(default=None, repr=False)

    def column(self, name: str) -> Tensor:
        """One column of the history, (epochs, steps): loss_d, loss_g, d_real or d_fake."""
        return self.history[..., COLUMNS.index(name)]

    def run(self) -> Run:
        """The run with the generator of the last look, whose weights were kept in half precision, and without D.

        Raises:
            LabError: they were not kept, or are damaged.
        """
        names = [name for name in self.manifest["files"] if name.startswith("generator-")]
        if not names or self.folder is None:
            raise LabError(
                f"{self.arm} seed {self.seed}: its weights were not kept: delete {self.folder} and run"
                f" 'labkit study' again, with --weights {self.seed} and what it was asked for"
            )
        tensors = _tensors(self.folder / names[0], _content(self.folder, names[0], self.manifest))
        state = {name: value.float() if value.is_floating_point() else value for name, value in tensors.items()}
        return Run(self.folder, self.config, self.manifest, state, {}, self.history)


def with_weights() -> list[Path]:
    """The folders of all records, of whatever study, that keep weights; nothing is verified yet."""
    return sorted(path.parent for path in paths.STUDIES.glob("*/*/seed*/generator-*.safetensors"))


def with_pictures(found: Iterable[Record]) -> Record | None:
    """The first of ``found`` that has an album (`evaluation.album.read` of its folder)."""
    return next((r for r in found if r.folder and album.read(r.folder).epochs), None)


@own_torch()
def measure(
    job: tuple[str, TrainConfig],
    looks: dict[int, Look],
    history: Tensor,
    origin: dict,
    device: str = "cpu",
    weights: bool = False,
    pictures_of_epochs: bytes = b"",
) -> dict[str, bytes]:
    """The files of the record of ``job`` (arm and config), content by name, from the networks at its ``looks``.

    ``history`` is (epochs, steps, 4); ``origin`` is what the manifest says of the training: images_sha256, seconds,
    machines. With ``weights``, those of the last generator are among the files, and ``pictures_of_epochs``, the content
    of an album. Besides the scores there is "d_gap": D's mean answer to training images less that to test images.
    """
    arm, config = job
    size = SIZES[config.profile]
    reference = load_reference(size.images, device, config.dataset)
    size = size._replace(images=len(reference.real))  # fewer, where a data set has no more
    z = latent.latents(size.images, config.latent_dim, LATENTS)
    scores, samples = {}, []
    for epoch, look in sorted(looks.items()):
        run = Run(Path(arm), config, {}, *look, history[:epoch])
        images = latent.sample(run.generator(device), z)
        gap = _gap(run.discriminator(device), config, reference, device)
        scores[epoch] = {**scoring.score(images, reference, signed=True), "d_gap": gap}
        samples.append(pictures.levels(images[:SAMPLES], signed=True))
    g = run.generator(device)
    edited = [latent.perturb(z[:EDITED], LAB_DIMS[0], value) for value in LAB_VALUES]
    tensors = {
        "history": _packed(history.clamp(-65504, 65504).half()),
        "samples": _packed(torch.stack(samples)),
        "edits": _packed(torch.stack([pictures.levels(latent.sample(g, part), signed=True) for part in edited])),
    }
    found = _effects(g, reference, config.latent_dim, size)
    tensors |= {f"effects.{name}": value.float() for name, value in vars(found).items()}
    files = {"record.safetensors": _saved(tensors)}
    if weights:
        half = {name: value.half() if value.is_floating_point() else value for name, value in look.generator.items()}
        content = _saved(half)
        files[f"generator-{sha256(content)[:16]}.safetensors"] = content
        files |= {album.FILE: pictures_of_epochs} if pictures_of_epochs else {}
    manifest = {
        "format": FORMAT,
        "arm": arm,
        "config": config.to_dict(),
        "looks": sorted(looks),
        "scores": {str(epoch): row for epoch, row in scores.items()},
        "generators": {str(epoch): sha256(_saved(look.generator)) for epoch, look in sorted(looks.items())},
        "files": {name: sha256(content) for name, content in files.items()},
        "measured": {**size._asdict(), "classifier": reference.card["sha256"], "scores": scoring.VERSION},
        "labkit": {"version": VERSION, "sources": sources()},
        **origin,
    }
    manifest["sha256"] = seal(manifest)
    return files | {"record.json": json.dumps(manifest, indent=1).encode()}


load_reference = functools.lru_cache(maxsize=1)(scoring.load_reference)  # for all runs that a worker measures


@deterministic()
@torch.no_grad()
def _gap(d: nn.Module, config: TrainConfig, reference: scoring.Reference, device: str) -> float:
    """D's mean answer to the training images of ``reference`` less that to its test images."""
    logits: Callable[[Tensor], Tensor] = d.logits  # type: ignore[assignment]  # as in `losses`
    answer = loss_of(config).answer
    seen, unseen = (
        torch.cat([answer(logits(part.to(device))).cpu() for part in images.split(500)]).double().mean()
        for images in (reference.seen, reference.real)
    )
    return (seen - unseen).item()


def _effects(g: nn.Module, reference: scoring.Reference, latent_dim: int, size: Size) -> EffectTable:
    """The effects of all dimensions beside those of random directions."""
    effects, null = (
        edit_effects(g, directions, reference, latent_dim, size.bases)
        for directions in (torch.eye(latent_dim), latent.random_directions(size.null, latent_dim, 77))
    )
    return compare(effects, null, random_pairs(g, reference, latent_dim, size.bases))


@functools.cache
def sources() -> str:
    """SHA-256 over the source files of this labkit: equal where all of them are."""
    root = paths.ROOT / "labkit"
    listed = [(path.relative_to(root).as_posix(), sha256(path.read_bytes())) for path in sorted(root.rglob("*.py"))]
    return sha256(repr(listed).encode())


# ----- on disk


def write(files: dict[str, bytes], job: tuple[str, TrainConfig], folder: Path) -> None:
    """Write what `measure` gave for ``job`` into ``folder``, the manifest last, which makes the record a whole one.

    Raises:
        LabError: the files are not what their manifest says, or another job's; the disk takes no more.
    """
    manifest = json.loads(files["record.json"])
    digests = {name: sha256(content) for name, content in files.items() if name != "record.json"}
    theirs = manifest["sha256"], manifest["files"], manifest["arm"], TrainConfig(**manifest["config"])
    if theirs != (seal(manifest), digests, *job) or not all(map(NAMES.fullmatch, files)):
        raise LabError(f"{folder}: what came for it is damaged or another run's: start the study again")
    for name in sorted(files, key=lambda name: name == "record.json"):
        write_atomic(folder / name, files[name])


@own_torch()
def load_record(folder: str | Path, weights: bool = False) -> Record:
    """The record in ``folder``; with ``weights``, those that it keeps are verified too.

    Raises:
        LabError: a file is missing or damaged, or of another format.
    """
    folder = doors.path("folder", folder)
    manifest = _manifest(folder)
    try:
        names = [name for name in manifest["files"] if weights or name == "record.safetensors"]
        contents = {name: _content(folder, name, manifest) for name in names}
        tensors = _tensors(folder / "record.safetensors", contents["record.safetensors"])
        looks = tuple(manifest["looks"])
        effects = {entry.name: tensors[f"effects.{entry.name}"] for entry in fields(EffectTable)}
        config = TrainConfig(**manifest["config"])
        return Record(
            config,
            manifest["arm"],
            config.seed,
            config.epochs,
            looks,
            {look: manifest["scores"][str(look)] for look in looks},
            _unpacked(tensors["history"], torch.half, config.epochs, config.steps, len(COLUMNS)).float(),
            _unpacked(tensors["samples"], torch.uint8, len(looks), SAMPLES, 28, 28),
            _unpacked(tensors["edits"], torch.uint8, len(LAB_VALUES), EDITED, 28, 28),
            EffectTable(**effects),
            manifest,
            folder,
        )
    except (zlib.error, *FAULTS) as error:
        raise _damaged(folder / "record.json", error) from None


def load(study: str = "seeds") -> dict[str, list[Record]]:
    """All records of ``study`` by arm, those of an arm by their seeds.

    Raises:
        LabError: there is none, or one is damaged.
    """
    folder = paths.STUDIES / study
    found = sorted((load_record(path.parent) for path in folder.glob("*/seed*/record.json")), key=lambda r: r.seed)
    if not found:
        raise LabError(f"{folder} holds no records of runs: make some first, with 'labkit study --name {study}'")
    return {arm: [record for record in found if record.arm == arm] for arm in sorted({r.arm for r in found})}


def shipped() -> dict[str, list[Record]]:
    """The arms of all studies that come with the project; a study that is not here has none.

    Raises:
        LabError: a record is damaged.
    """
    here = [study for study in SHIPPED if any((paths.STUDIES / study).glob("*/seed*/record.json"))]
    return {arm: found for study in here for arm, found in load(study).items()}


def _manifest(folder: Path) -> dict:
    path = folder / "record.json"
    try:
        manifest = read_sealed(path, FORMAT)
        TrainConfig(**manifest["config"])
        float(manifest["seconds"]), str.lower(manifest["images_sha256"] + manifest["machines"][-1]["device"])
        return manifest
    except (FileNotFoundError, NotADirectoryError):
        raise LabError(f"{folder} holds no record of a run, record.json is missing: run 'labkit study'") from None
    except (LabError, *FAULTS) as error:
        raise _damaged(path, error) from None


def _content(folder: Path, name: str, manifest: dict) -> bytes:
    """The file ``name``, if it is as ``manifest`` says."""
    path = folder / name
    try:
        content = path.read_bytes()
        if sha256(content) != manifest["files"][name]:
            raise ValueError("sha256 differs from record.json")
        return content
    except FAULTS as error:
        raise _damaged(path, error) from None


def _tensors(path: Path, content: bytes) -> dict[str, Tensor]:
    try:
        tensors = tensors_in(content)
        check_finite(tensors)
        return tensors
    except FAULTS as error:
        raise _damaged(path, error) from None


def _packed(tensor: Tensor) -> Tensor:
    """The bytes of ``tensor``, compressed by zlib, uint8 (n,)."""
    return torch.frombuffer(bytearray(zlib.compress(tensor.cpu().numpy().tobytes(), 9)), dtype=torch.uint8)


def _unpacked(packed: Tensor, dtype: torch.dtype, *shape: int) -> Tensor:
    """What `_packed` was given; no more is unpacked than ``shape`` holds."""
    size = math.prod(shape) * dtype.itemsize
    content = zlib.decompressobj().decompress(packed.numpy().tobytes(), size)
    return torch.frombuffer(bytearray(content), dtype=dtype).view(shape)


def _damaged(path: Path, why: BaseException) -> LabError:
    return LabError(
        f"{path}: this record is damaged or of another version ({fault_of(why)}):"
        " get it back from git, or delete its folder and run 'labkit study' again"
    )


def _saved(tensors: dict[str, Tensor]) -> bytes:
    return safetensors.torch.save({name: value.cpu().contiguous() for name, value in tensors.items()})
