"""What the two players want. A loss is one class of this file, which registers itself; nothing else names it."""

import math
from dataclasses import dataclass, fields
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import softplus

from ..texts import say


class Mark(NamedTuple):
    """What a column of the history is when neither player is ahead."""

    column: str  # of `training.state.COLUMNS`
    level: float
    text: str  # beside its line in a figure


@dataclass(frozen=True)
class Loss:
    """What D and G minimise, as means over the batch. Its fields are fields of `TrainConfig`."""

    name: ClassVar[str]  # as in `TrainConfig.loss`
    title: ClassVar[str]  # in sentences
    source: ClassVar[str]
    marks: ClassVar[tuple[Mark, ...]] = ()
    in_view: ClassVar[float] = 1.0  # a figure's axis of losses reaches at least so far
    answers: ClassVar[str]  # what `answer` gives, for the axis of a figure
    answer_range: ClassVar[tuple[float | None, float | None]] = (None, None)

    def of_d(self, d: nn.Module, x_real: Tensor, x_fake: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """D's loss on images (n, 1, 28, 28), a scalar, and its logits for real and fake ones, (n, 1) each."""
        raise NotImplementedError

    def of_g(self, d: nn.Module, x_real: Tensor, x_fake: Tensor) -> Tensor:
        """The loss, a scalar, of the generator that drew ``x_fake`` (n, 1, 28, 28)."""
        raise NotImplementedError

    def answer(self, logits: Tensor) -> Tensor:
        """D's logits as the history keeps them."""
        return logits

    @classmethod
    def of(cls, column: str) -> Mark | None:
        """The mark of a ``column`` of the history, if it has one."""
        return next((mark for mark in cls.marks if mark.column == column), None)

    @classmethod
    def words(cls, part: str) -> str:
        """``title`` or ``answers`` in the reader's language; of a column of the history, the text of its mark."""
        mark = cls.of(part)
        return say(f"losses.{cls.name}.{part}", mark.text if mark else getattr(cls, part))


LOSSES: dict[str, type[Loss]] = {}


def register(loss: type[Loss]) -> type[Loss]:
    """Add a class to `LOSSES`."""
    LOSSES[loss.name] = loss
    return loss


def loss_of(config) -> Loss:
    """The loss that ``config``, a `TrainConfig`, asks for."""
    loss = LOSSES[config.loss]
    return loss(**{field.name: getattr(config, field.name) for field in fields(loss)})


@register
@dataclass(frozen=True)
class NonSaturating(Loss):
    """D learns to answer 1 to real and 0 to fake images, G to have its images answered with 1.

    D   BCE(D(x), 1) + BCE(D(G(z)), 0)      2 ln 2 = 1.386 when D cannot tell real from fake
    G   BCE(D(G(z)), 1)                       ln 2 = 0.693
    """

    label_smoothing: float = 0.0  # the target for real images is 1 - this

    name = "non-saturating"
    title = "the non-saturating loss"
    source = "Goodfellow et al. 2014"
    marks = (
        Mark("loss_d", 2 * math.log(2), "D at\nequilibrium:\n2 ln 2 = 1.386"),
        Mark("loss_g", math.log(2), "G at\nequilibrium:\nln 2 = 0.693"),
        Mark("d_real", 0.5, "D cannot\ntell: 0.5"),
    )
    in_view = 1.45
    answers = "mean probability of being real"
    answer_range = (0, 1)

    def of_d(self, d, x_real, x_fake):
        """See `Loss.of_d`."""
        real, fake = d.logits(x_real), d.logits(x_fake)  # (n, 1) each
        loss = bce(real, torch.full_like(real, 1 - self.label_smoothing)) + bce(fake, torch.zeros_like(fake))
        return loss, real, fake

    def of_g(self, d, x_real, x_fake):
        """See `Loss.of_g`."""
        fake = d.logits(x_fake)  # (n, 1)
        return bce(fake, torch.ones_like(fake))

    def answer(self, logits):
        """The probability of being real."""
        return logits.sigmoid()


def squared_slopes(d: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """D's logits for images (n, 1, 28, 28), (n, 1), and their squared gradients by the image, (n,).

    Both can be differentiated again by D's parameters. Where D looks at the whole batch, as BatchNorm does in training,
    the gradient of an image holds what it changes in the answers to the others.
    """
    x = x.detach().requires_grad_()
    logits = d.logits(x)  # type: ignore[operator]  # to torch's stubs, what a module has is a tensor
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return logits, gradient.square().sum((1, 2, 3))


@register
@dataclass(frozen=True)
class WassersteinGP(Loss):
    """D, a critic, answers real images with higher numbers than fake ones, and may not change faster than 1 per unit.

    D   mean D(G(z)) - mean D(x) + penalty * mean (|dD/dx| - 1)^2 at points between real and fake images
    G   -mean D(G(z))

    Without the penalty, D's loss is minus an estimate of the Wasserstein distance between real and fake images.
    """

    penalty: float = 0.0  # 0: 10, as in the paper

    name = "wgan-gp"
    title = "the Wasserstein loss with a gradient penalty"
    source = "Gulrajani et al. 2017"
    marks = (Mark("loss_d", 0.0, "D cannot\ntell, and no\npenalty: 0"),)
    answers = "mean answer of the critic"

    def of_d(self, d, x_real, x_fake):
        """See `Loss.of_d`."""
        real, fake = d.logits(x_real), d.logits(x_fake)  # (n, 1) each
        share = torch.rand(len(x_real), 1, 1, 1, device=x_real.device, dtype=x_real.dtype)
        _, slopes = squared_slopes(d, share * x_real + (1 - share) * x_fake)
        too_steep = ((slopes + 1e-12).sqrt() - 1).square().mean()
        return fake.mean() - real.mean() + (self.penalty or 10.0) * too_steep, real, fake

    def of_g(self, d, x_real, x_fake):
        """See `Loss.of_g`."""
        return -d.logits(x_fake).mean()


@register
@dataclass(frozen=True)
class Relativistic(Loss):
    """D learns to answer a real image with a higher number than the fake one beside it, G the other way round.

    D   softplus(D(G(z)) - D(x)) + penalty / 2 * (R1 + R2)      ln 2 = 0.693 when D cannot tell, without the penalties
    G   softplus(D(x) - D(G(z)))                                ln 2 = 0.693

    R1 and R2 are the mean squared gradients of D at the real and at the fake images.
    """

    penalty: float = 0.0  # 0: 1, our choice

    name = "relativistic"
    title = "the relativistic loss with R1 and R2"
    source = "Huang et al. 2024"
    marks = (
        Mark("loss_d", math.log(2), "D cannot\ntell:\nln 2 = 0.693"),
        Mark("loss_g", math.log(2), "G:\nthe same"),
    )
    answers = "mean answer of D"

    def of_d(self, d, x_real, x_fake):
        """See `Loss.of_d`."""
        real, r1 = squared_slopes(d, x_real)
        fake, r2 = squared_slopes(d, x_fake)
        penalties = (self.penalty or 1.0) / 2 * (r1.mean() + r2.mean())
        return softplus(fake - real).mean() + penalties, real, fake

    def of_g(self, d, x_real, x_fake):
        """See `Loss.of_g`."""
        with torch.no_grad():
            real = d.logits(x_real)
        return softplus(real - d.logits(x_fake)).mean()
