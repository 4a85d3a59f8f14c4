"""The loop that makes the two moves, again and again, on the state of a training."""

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ..base.errors import LabError
from ..base.machine import deterministic, keeping_memory, postponed_interrupt, progress
from ..base.rng import seeded
from ..config import TrainConfig
from ..data.loading import to_unit
from ..gans.losses import Loss, loss_of
from .graph import captured
from .state import COLUMNS, TrainState
from .steps import d_step, g_step

REPORT_EVERY = 50  # steps between two looks at the losses; each look makes a GPU wait


@deterministic()
@keeping_memory()
def train(state: TrainState, images: Tensor, on_epoch: Callable[[TrainState], None] = lambda state: None) -> None:
    """Train ``state`` to the end of its config on ``images``, uint8 (N, 28, 28), on the state's device.

    ``on_epoch(state)`` is called after every epoch; whatever it draws or measures does not change the training.

    Raises:
        LabError: a loss is not finite.
        KeyboardInterrupt: after the step in hand on a CPU, where ``state.paused`` lets it go on, else after the epoch.
    """
    config = state.config
    state.g.train()
    state.d.train()
    state.step_fn = step = state.step_fn or _recorded_step(state)
    total, done = config.epochs * config.steps, state.epoch * config.steps
    done += len(state.paused.get("log", ())) // REPORT_EVERY * REPORT_EVERY
    with postponed_interrupt() as interrupted, progress(total=total, initial=done, unit="step") as bar:
        for epoch in range(state.epoch, config.epochs):
            bar.set_description(f"{config.model} epoch {epoch + 1}/{config.epochs}")
            start = time.perf_counter()
            try:
                with seeded(config.seed, "epoch", epoch):
                    state.history[epoch] = _epoch(state, step, images, epoch, interrupted, bar).cpu()
            finally:
                state.seconds += time.perf_counter() - start
            state.epoch = epoch + 1
            on_epoch(state)


def both_moves(state: TrainState, loss: Loss, x_real: Tensor, z: Tensor) -> Tensor:
    """D's moves and G's, on ``x_real`` (d_steps * batch, 1, 28, 28) and as many z: a row of the history, (4,)."""
    config = state.config
    *first, (x_real, z) = zip(x_real.split(config.batch), z.split(config.batch), strict=True)
    for x, noise in first:
        with torch.no_grad():
            x_fake = state.g(noise)
        d_step(state.d, state.opt_d, x, x_fake, loss)
    x_fake = state.g(z)  # (batch, 1, 28, 28)
    loss_d, d_real, d_fake = d_step(state.d, state.opt_d, x_real, x_fake, loss)
    loss_g = g_step(state.d, state.opt_g, x_real, x_fake, loss, config.feature_matching)
    return torch.stack([loss_d, loss_g, d_real, d_fake])


def _recorded_step(state: TrainState) -> Callable[[Tensor, Tensor], Tensor]:
    """`both_moves` on ``state``; on a GPU, as one graph."""
    config, device = state.config, state.device
    with seeded("capture"):
        x = torch.zeros(config.d_steps * config.batch, 1, 28, 28, device=device)
        z = torch.zeros(len(x), config.latent_dim, device=device)
        return captured(partial(both_moves, state, loss_of(config)), state, x, z)


def _epoch(
    state: TrainState,
    step: Callable[[Tensor, Tensor], Tensor],
    images: Tensor,
    epoch: int,
    interrupted: Callable[[], bool],
    bar,
) -> Tensor:
    """Train for one epoch, or for what is left of it: its rows of the history, (steps, 4)."""
    config, device = state.config, state.device
    images_a_step = config.d_steps * config.batch
    log, first = torch.zeros(config.steps, len(COLUMNS), device=device), 0
    order = torch.randperm(config.examples)[: config.steps * images_a_step]
    order = order.to(device).view(config.steps, images_a_step)
    if state.paused:
        first = len(state.paused["log"])
        log[:first] = state.paused["log"]
        torch.set_rng_state(state.paused["random"])
        state.paused = {}
    for i in range(first, config.steps):
        if interrupted() and (i == 0 or device == "cpu"):
            if i:
                state.paused = {"log": log[:i].clone(), "random": torch.get_rng_state()}
            raise KeyboardInterrupt
        z = torch.randn(images_a_step, config.latent_dim, device=device)
        log[i] = step(to_unit(images[order[i]]), z)
        if state.average:
            state.average.update_parameters(state.g)
        if (i + 1) % REPORT_EVERY == 0 or i + 1 == config.steps:
            _report(bar, log, epoch, i, config)
    return log


def _report(bar, log: Tensor, epoch: int, step: int, config: TrainConfig) -> None:
    """Show the losses since the last report, and stop if one is not finite."""
    begin = step - step % REPORT_EVERY
    losses = log[begin : step + 1, :2].cpu()  # (steps, 2)
    if not losses.isfinite().all():
        bad = int((~losses.isfinite()).any(1).nonzero()[0])
        raise LabError(
            f"{config.model}: loss of D = {losses[bad, 0]:g}, of G = {losses[bad, 1]:g} at epoch {epoch + 1},"
            f" step {begin + bad + 1} (lr = {config.lr}): training has diverged and stopped, earlier epochs are kept;"
            " try a smaller lr"
        )
    bar.set_postfix_str("D {:.3f}, G {:.3f}".format(*losses.mean(0)), refresh=False)
    bar.update(len(losses))
