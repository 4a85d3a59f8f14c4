"""The classifier: a small classifier of Fashion-MNIST whose features are the space in which images are compared.

It ships with the package (ruler.safetensors, with its digest and accuracy in ruler.json, its card), so that every score
anywhere is measured with the same one. Scores in other feature spaces, the usual Inception FID among them, are other
quantities. `retrain` (make classifier) trains it again; then all scores begin anew.

Another data set has a classifier of its own, of its classes, which is trained where it is first needed, in a minute or
two, and kept in data/own/<name>/. One without labels has kinds of like pictures for classes (`data.kinds`).
"""

import contextlib
import json
import sys
import time
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

from .. import data
from ..base import doors, paths
from ..base.cache import check_finite, tensors_in
from ..base.errors import LabError
from ..base.files import FAULTS, exclusive, fault_of, sha256, write_atomic
from ..base.machine import own_torch, progress
from ..base.rng import seeded
from ..data.loading import to_unit

FOLDER = Path(__file__).parent
WIDTH = 128  # of the features
EPOCHS, BATCH, PEAK_LR, SMOOTHING = 8, 128, 4e-3, 0.05
STEPS = 1000  # about, of the classifier of another data set
CARD = "card_sha256"  # the entry of a card that vouches for the others
SHIFT = 2  # pixels that its pictures are moved by, at most


class Classifier(nn.Module):
    """Images in [-1, 1], (n, 1, 28, 28), to the logits of the data set's classes, (n, ``classes``).

    The logits are read from `features`, (n, 128).
    """

    def __init__(self, classes: int = len(data.CLASSES)):
        super().__init__()

        def block(n_in, n_out, stride=1):
            return [
                nn.Conv2d(n_in, n_out, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(n_out),
                nn.ReLU(inplace=True),
            ]

        layers = [
            *block(1, 32),
            *block(32, 64, 2),
            *block(64, 96),
            nn.MaxPool2d(2),
            *block(96, WIDTH),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
        ]
        self.features = nn.Sequential(*layers).to(memory_format=torch.channels_last)  # (n, 128)
        self.classifier = nn.Linear(WIDTH, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))

    @own_torch()
    @torch.no_grad()
    def measure(self, images: Tensor, chunk: int = 50, signed: bool = False) -> tuple[Tensor, Tensor]:
        """Features (n, 128) and probabilities of the classes (n, classes), both on the CPU.

        ``images`` are what `doors.unit_images` takes: uint8 (n, 28, 28), or floats, NumPy, other shapes that can be
        told to mean such; with ``signed`` from -1 to 1, as those of a generator, which may draw no dark pixel.

        Raises:
            LabError: no pictures, of another size or range, or a pixel that is not finite.
        """
        found, chunk = doors.unit_images(images, signed=signed), doors.whole("chunk", chunk, 1)
        features, probabilities = [], []
        for part in found.split(chunk):
            features.append(self.features(part.to(self.classifier.weight.device)))
            probabilities.append(self.classifier(features[-1]).softmax(1))
        return torch.cat(features).cpu(), torch.cat(probabilities).cpu()


def folder_of(dataset: str) -> Path:
    """Where the classifier of ``dataset`` is kept."""
    return FOLDER if dataset == data.DEFAULT else paths.OWN / dataset


@own_torch()
def load_classifier(
    folder: str | Path | None = None, dataset: str = data.DEFAULT, train: bool = True
) -> tuple[Classifier, dict]:
    """The classifier of ``dataset``, verified, in eval mode; and its card: sha256, accuracy, how it was made.

    That of the default ships. Another's is trained if it is not there yet, or of other pictures, unless ``train`` is
    False. ``folder`` is where it is looked for instead.

    Raises:
        LabError: a file is missing, or the weights are not those of the card; there is no such data set.
    """
    record = data.find(dataset)
    folder = folder_of(record.name) if folder is None else doors.path("folder", folder)
    if not record.plain and not _is_of(folder, data.images_sha256(record.name)):
        if not train:
            raise LabError(f"{folder} has no classifier of {record.title}: 'make classifier DATASET={record.name}'")
        print(f"training the classifier of {record.title} that scores are measured with, once", file=sys.stderr)
        retrain(record.name)
    return saved_classifier(folder, record)


def saved_classifier(folder: Path, record: data.Dataset) -> tuple[Classifier, dict]:
    """The classifier of ``record`` that is kept in ``folder``, and its card: both as they were written.

    Raises:
        LabError: a file is missing or damaged: the weights by the digest in the card, the card by its own.
    """
    try:
        card = json.loads((folder / "ruler.json").read_bytes())
        content = (folder / "ruler.safetensors").read_bytes()
        if sha256(content) != card["sha256"]:
            raise ValueError("its sha256 is not that of ruler.json")
        tensors = tensors_in(content)
        check_finite(tensors)
        with torch.device("meta"):  # no numbers are drawn: a training may be running beside
            classifier = Classifier(len(record.classes))
        classifier.load_state_dict(tensors, assign=True)
        float(card["test_accuracy"])
        if (record.plain or CARD in card) and card.get(CARD) != _digest(card):  # older ones of other data have none
            raise ValueError("ruler.json is not as it was written")
    except FAULTS as error:
        mend = "get the file back from git, or 'make classifier'"
        if not record.plain:
            mend = f"'make classifier DATASET={record.name}' trains it anew"
        raise LabError(
            f"{folder / 'ruler.safetensors'}: no scores without the classifier ({fault_of(error)}): {mend}"
        ) from None
    return classifier.eval(), card


def _digest(card: dict) -> str:
    """That of all that ``card`` says, but for itself."""
    return sha256(json.dumps({key: card[key] for key in sorted(card) if key != CARD}).encode())


def _is_of(folder: Path, images_sha256: str) -> bool:
    """Whether ``folder`` has the card of a classifier that was trained on the images with this digest."""
    with contextlib.suppress(*FAULTS):
        return json.loads((folder / "ruler.json").read_bytes())["images_sha256"] == images_sha256
    return False


@own_torch()
def train_classifier(
    images: Tensor,
    labels: Tensor,
    epochs: int = EPOCHS,
    seed: int = 0,
    classes: int = len(data.CLASSES),
    mirrored: bool = True,
) -> Classifier:
    """A classifier trained on ``images``, as `doors.grey_images` takes them, with ``labels`` (N,), in eval mode.

    Batches are mirrored at random, or, where a mirrored picture would be another one, moved; one cycle of AdamW.
    """
    images = doors.grey_images(images)
    with seeded(doors.whole("seed", seed), "ruler"):
        classifier, size = Classifier(classes), min(BATCH, len(images))
        steps = len(images) // size
        optimiser = torch.optim.AdamW(classifier.parameters(), lr=PEAK_LR, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_LR, total_steps=epochs * steps, pct_start=0.2)
        with progress(total=epochs * steps, unit="step", desc="classifier") as bar:
            for _ in range(epochs):
                for index in torch.randperm(len(images))[: steps * size].view(steps, size):
                    x = to_unit(images[index])
                    x = _moved(x) if not mirrored else x.flip(3) if torch.rand(()) < 0.5 else x
                    loss = cross_entropy(
                        classifier(x.contiguous(memory_format=torch.channels_last)),
                        labels[index].long(),
                        label_smoothing=SMOOTHING,
                    )
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    schedule.step()
                    bar.update()
    return classifier.eval()


def _moved(x: Tensor) -> Tensor:
    """``x`` (n, 1, 28, 28), all moved by the same few pixels; the edge goes on as it is."""
    down, across = torch.randint(2 * SHIFT + 1, (2,)).tolist()
    return pad(x, (SHIFT,) * 4, mode="replicate")[..., down : down + 28, across : across + 28]


def retrain(dataset: str = data.DEFAULT) -> None:
    """Train the classifier of ``dataset`` and put it in the place of the one that is there; all scores begin anew.

    That of the default, which ships, takes 5 minutes on two cores; another's one or two.
    """
    start, record = time.perf_counter(), data.find(dataset)
    images, labels = data.load("train", dataset=record)
    own: dict = {}
    if not record.plain:
        epochs = max(2, round(STEPS / max(1, len(images) // BATCH)))
        own = {"epochs": epochs, "classes": len(record.classes), "mirrored": record.mirrored}
    classifier = train_classifier(images, labels, **own)
    images_sha256 = sha256(images.numpy().tobytes())
    images, labels = data.load("test", dataset=record)
    accuracy = (classifier.measure(images)[1].argmax(1) == labels).float().mean().item()
    content = safetensors.torch.save({k: v.contiguous() for k, v in classifier.state_dict().items()})
    card: dict = {
        "sha256": sha256(content),
        "test_accuracy": round(accuracy, 4),
        "epochs": own.get("epochs", EPOCHS),
        "seconds": round(time.perf_counter() - start),
        "torch": torch.__version__,
    }
    if not record.plain:
        card |= {"dataset": record.name, "images_sha256": images_sha256}
    card[CARD] = _digest(card)
    folder = folder_of(record.name)
    with contextlib.nullcontext() if record.plain else exclusive(folder):
        write_atomic(folder / "ruler.safetensors", content)
        write_atomic(folder / "ruler.json", (json.dumps(card, indent=2) + "\n").encode())
    print(
        f"classifier{'' if record.plain else ' of ' + record.title}: test accuracy {accuracy:.2%}, "
        f"{len(content) / 1e6:.2f} MB, sha256 {card['sha256'][:12]}, in {card['seconds']} s"
    )
