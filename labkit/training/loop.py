"""The loop that makes the two moves, again and again, on the state of a training."""

import time
from collections.abc import Callable

import torch
from torch import Tensor

from ..base.errors import LabError
from ..base.machine import postponed_interrupt, progress
from ..base.rng import seeded
from ..config import TrainConfig
from ..data.loading import to_unit
from . import graph
from .state import COLUMNS, TrainState
from .steps import d_step, g_step

REPORT_EVERY = 50  # steps between two looks at the losses; each look makes a GPU wait


def train(state: TrainState, images: Tensor, on_epoch: Callable[[TrainState], None] = lambda state: None) -> None:
    """Train ``state`` to the end of its config on ``images``, uint8 (N, 28, 28), on the state's device.

    ``on_epoch(state)`` is called after every epoch; whatever it draws or measures does not change the training.

    Raises:
        LabError: a loss is not finite.
        KeyboardInterrupt: after the step in hand on a CPU, where ``state.paused`` lets it go on, else after the epoch.
    """
    config, device = state.config, state.device

    def plain_step(x_real: Tensor, z: Tensor) -> Tensor:  # (d_steps * batch, ...) each; gives (4,), as COLUMNS
        *first, (x_real, z) = zip(x_real.split(config.batch), z.split(config.batch))
        for x, noise in first:
            with torch.no_grad():
                x_fake = state.g(noise)
            d_step(state.d, state.opt_d, x, x_fake, config.label_smoothing)
        x_fake = state.g(z)  # (batch, 1, 28, 28)
        loss_d, d_real, d_fake = d_step(state.d, state.opt_d, x_real, x_fake, config.label_smoothing)
        loss_g = g_step(state.d, state.opt_g, x_real, x_fake, config.feature_matching)
        return torch.stack([loss_d, loss_g, d_real, d_fake])

    images_a_step = config.d_steps * config.batch
    state.g.train(), state.d.train()
    if state.step_fn is None:
        with seeded("capture"):
            x, z = (
                torch.zeros(images_a_step, 1, 28, 28, device=device),
                torch.zeros(images_a_step, config.latent_dim, device=device),
            )
            state.step_fn = graph.captured(plain_step, state, x, z)
    done = state.epoch * config.steps + len(state.paused.get("log", ())) // REPORT_EVERY * REPORT_EVERY
    with (
        postponed_interrupt() as interrupted,
        progress(total=config.epochs * config.steps, initial=done, unit="step") as bar,
    ):
        for epoch in range(state.epoch, config.epochs):
            bar.set_description(f"{config.model} epoch {epoch + 1}/{config.epochs}")
            start = time.perf_counter()
            log, first = torch.zeros(config.steps, len(COLUMNS), device=device), 0
            with seeded(config.seed, "epoch", epoch):
                order = (
                    torch.randperm(config.examples)[: config.steps * images_a_step]
                    .to(device)
                    .view(config.steps, images_a_step)
                )
                if state.paused:
                    first = len(state.paused["log"])
                    log[:first] = state.paused["log"]
                    torch.set_rng_state(state.paused["random"])
                    state.paused = {}
                for i in range(first, config.steps):
                    if interrupted() and (i == 0 or device == "cpu"):
                        if i:
                            state.paused = {"log": log[:i].clone(), "random": torch.get_rng_state()}
                            state.seconds += time.perf_counter() - start
                        raise KeyboardInterrupt
                    log[i] = state.step_fn(
                        to_unit(images[order[i]]), torch.randn(images_a_step, config.latent_dim, device=device)
                    )
                    if state.average:
                        state.average.update_parameters(state.g)
                    if (i + 1) % REPORT_EVERY == 0 or i + 1 == config.steps:
                        _report(bar, log, epoch, i, config)
            state.history[epoch] = log.cpu()
            state.epoch, state.seconds = epoch + 1, state.seconds + time.perf_counter() - start
            on_epoch(state)


def _report(bar, log: Tensor, epoch: int, step: int, config: TrainConfig) -> None:
    """Show the losses since the last report, and stop if one is not finite."""
    begin = step - step % REPORT_EVERY
    losses = log[begin : step + 1, :2].cpu()  # (steps, 2)
    if not losses.isfinite().all():
        bad = int((~losses.isfinite()).any(1).nonzero()[0])
        raise LabError(
            f"{config.model}: loss of D = {losses[bad, 0]:g}, of G = {losses[bad, 1]:g} at epoch {epoch + 1}, step {begin + bad + 1}"
            f" (lr = {config.lr}): training has diverged and stopped, earlier epochs are kept; try a smaller lr"
        )
    bar.set_postfix_str("D {:.3f}, G {:.3f}".format(*losses.mean(0)), refresh=False)
    bar.update(len(losses))
