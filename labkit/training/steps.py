"""The two moves of the game; the same for every GAN and every loss."""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import cached
from torch.optim import Optimizer

from ..gans.losses import Loss, NonSaturating


def d_step(d: nn.Module, opt: Optimizer, x_real: Tensor, x_fake: Tensor, loss: Loss = NonSaturating()) -> Tensor:
    """One step of the discriminator on images (n, 1, 28, 28). Returns (3,): its loss, mean D(x), mean D(G(z))."""
    with cached():  # spectral normalisation: the same weights judge both
        value, real, fake = loss.of_d(d, x_real, x_fake.detach())
    opt.zero_grad()
    value.backward()
    opt.step()
    return torch.stack([value, loss.answer(real).mean(), loss.answer(fake).mean()]).detach()


def g_step(
    d: nn.Module,
    opt: Optimizer,
    x_real: Tensor,
    x_fake: Tensor,
    loss: Loss = NonSaturating(),
    matching: float = 0.0,
) -> Tensor:
    """One step of the generator that drew ``x_fake`` (n, 1, 28, 28). Returns its loss, a scalar.

    ``matching`` weighs feature matching (Salimans et al. 2016): the squared distance of D's mean features.
    """
    value = loss.of_g(d, x_real, x_fake)
    if matching:
        apart = d.embed(x_real).mean(0).detach() - d.embed(x_fake).mean(0)  # type: ignore[operator]  # as in `losses`
        value = value + matching * apart.square().mean()
    opt.zero_grad()
    value.backward(inputs=[p for group in opt.param_groups for p in group["params"]])  # no gradients for D
    opt.step()
    return value.detach()
