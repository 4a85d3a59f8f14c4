"""The classifier: a small classifier of Fashion-MNIST whose features are the space in which images are compared.

It ships with the package (ruler.safetensors, with its digest and accuracy in ruler.json), so that every score anywhere
is measured with the same one. Scores in other feature spaces, the usual Inception FID among them, are other
quantities. `retrain` (make classifier) trains it again; then all scores begin anew.
"""

import json
import time
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from .. import data
from ..base import doors
from ..base.cache import check_finite, tensors_in
from ..base.errors import LabError
from ..base.files import FAULTS, fault_of, sha256, write_atomic
from ..base.machine import own_torch, progress
from ..base.rng import seeded
from ..data.loading import to_unit

FOLDER = Path(__file__).parent
WIDTH = 128  # of the features
EPOCHS, BATCH, PEAK_LR, SMOOTHING = 8, 128, 4e-3, 0.05


class Classifier(nn.Module):
    """Images in [-1, 1], (n, 1, 28, 28), to the logits of `data.CLASSES`, (n, 10).

    The logits are read from `features`, (n, 128).
    """

    def __init__(self):
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
        self.classifier = nn.Linear(WIDTH, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))

    @own_torch()
    @torch.no_grad()
    def measure(self, images: Tensor, chunk: int = 50, signed: bool = False) -> tuple[Tensor, Tensor]:
        """Features (n, 128) and probabilities of the classes (n, 10), both on the CPU.

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


@own_torch()
def load_classifier(folder: Path = FOLDER) -> tuple[Classifier, dict]:
    """The classifier that ships, verified, in eval mode; and its card: sha256, accuracy, how it was made.

    Raises:
        LabError: a file is missing, or the weights are not those of the card.
    """
    try:
        card = json.loads((folder / "ruler.json").read_bytes())
        content = (folder / "ruler.safetensors").read_bytes()
        if sha256(content) != card["sha256"]:
            raise ValueError("its sha256 is not that of ruler.json")
        tensors = tensors_in(content)
        check_finite(tensors)
        with torch.device("meta"):  # no numbers are drawn: a training may be running beside
            classifier = Classifier()
        classifier.load_state_dict(tensors, assign=True)
        float(card["test_accuracy"])
    except FAULTS as error:
        raise LabError(
            f"{folder / 'ruler.safetensors'}: no scores without the classifier ({fault_of(error)}): "
            "get the file back from git, or 'make classifier'"
        ) from None
    return classifier.eval(), card


@own_torch()
def train_classifier(images: Tensor, labels: Tensor, epochs: int = EPOCHS, seed: int = 0) -> Classifier:
    """A classifier trained on ``images``, as `doors.grey_images` takes them, with ``labels`` (N,), in eval mode.

    Batches are mirrored at random; one cycle of AdamW.
    """
    images = doors.grey_images(images)
    with seeded(doors.whole("seed", seed), "ruler"):
        classifier, steps = Classifier(), len(images) // BATCH
        optimiser = torch.optim.AdamW(classifier.parameters(), lr=PEAK_LR, weight_decay=0.05)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_LR, total_steps=epochs * steps, pct_start=0.2)
        with progress(total=epochs * steps, unit="step", desc="classifier") as bar:
            for _ in range(epochs):
                for index in torch.randperm(len(images))[: steps * BATCH].view(steps, BATCH):
                    x = to_unit(images[index])
                    x = x.flip(3) if torch.rand(()) < 0.5 else x
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


def retrain() -> None:
    """Train the classifier and put it in the place of the one that ships: 5 minutes; all scores begin anew."""
    start = time.perf_counter()
    classifier = train_classifier(*data.load("train"))
    images, labels = data.load("test")
    accuracy = (classifier.measure(images)[1].argmax(1) == labels).float().mean().item()
    content = safetensors.torch.save({k: v.contiguous() for k, v in classifier.state_dict().items()})
    card: dict = {
        "sha256": sha256(content),
        "test_accuracy": round(accuracy, 4),
        "epochs": EPOCHS,
        "seconds": round(time.perf_counter() - start),
        "torch": torch.__version__,
    }
    write_atomic(FOLDER / "ruler.safetensors", content)
    write_atomic(FOLDER / "ruler.json", (json.dumps(card, indent=2) + "\n").encode())
    print(
        f"classifier: test accuracy {accuracy:.2%}, {len(content) / 1e6:.2f} MB, "
        f"sha256 {card['sha256'][:12]}, in {card['seconds']} s"
    )
