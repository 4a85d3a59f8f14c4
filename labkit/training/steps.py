"""The two moves of the game; the same for both GANs.

The losses are the non-saturating GAN losses (Goodfellow et al. 2014), as means over the batch:

    D   BCE(D(x), 1) + BCE(D(G(z)), 0)      2 ln 2 = 1.386 when D cannot tell real from fake
    G   BCE(D(G(z)), 1)                       ln 2 = 0.693
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.utils.parametrize import cached
from torch.optim import Optimizer


def d_step(d: nn.Module, opt: Optimizer, x_real: Tensor, x_fake: Tensor, smoothing: float = 0.0) -> Tensor:
    """One step of the discriminator on images (n, 1, 28, 28). Returns (3,): its loss, mean D(x), mean D(G(z))."""
    with cached():  # spectral normalisation: the same weights judge both
        real, fake = d.logits(x_real), d.logits(x_fake.detach())  # (n, 1) each
    loss = bce(real, torch.full_like(real, 1 - smoothing)) + bce(fake, torch.zeros_like(fake))
    opt.zero_grad()
    loss.backward()
    opt.step()
    return torch.stack([loss, real.sigmoid().mean(), fake.sigmoid().mean()]).detach()


def g_step(d: nn.Module, opt: Optimizer, x_real: Tensor, x_fake: Tensor, matching: float = 0.0) -> Tensor:
    """One step of the generator that drew ``x_fake`` (n, 1, 28, 28). Returns its loss, a scalar.

    ``matching`` weighs feature matching (Salimans et al. 2016): the squared distance of D's mean features.
    """
    fake = d.logits(x_fake)  # (n, 1)
    loss = bce(fake, torch.ones_like(fake))
    if matching:
        loss = loss + matching * (d.embed(x_real).mean(0).detach() - d.embed(x_fake).mean(0)).square().mean()
    opt.zero_grad()
    loss.backward(inputs=[p for group in opt.param_groups for p in group["params"]])  # no gradients for D
    opt.step()
    return loss.detach()
