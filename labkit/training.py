"""Two step functions, and the loop that calls them; the same for both GANs.

The losses are the non-saturating GAN losses (Goodfellow et al. 2014), as means over the batch:

    D   BCE(D(x), 1) + BCE(D(G(z)), 0)      2 ln 2 = 1.386 when D cannot tell real from fake
    G   BCE(D(G(z)), 1)                       ln 2 = 0.693
"""

import copy
import time
from collections.abc import Callable
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.utils.parametrize import cached
from torch.optim import Adam, Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from . import fast
from .config import TrainConfig
from .data import to_unit
from .models import build
from .system import LabError, postponed_interrupt, progress, sha256

COLUMNS = ("loss_d", "loss_g", "d_real", "d_fake")  # of the history: losses, mean D(x), mean D(G(z))
REPORT_EVERY = 50  # steps between two looks at the losses; each look makes a GPU wait


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


class TrainState:
    """All that a training run is at the end of an epoch: networks, optimisers, average, history.

    Random numbers are not part of it: batch order, noise and dropout of an epoch are a function of
    (seed, epoch), so nothing that happens between two epochs can disturb them. Of an epoch that was
    interrupted half-way, ``paused`` holds the history so far, (steps done, 4), and the generator's state.
    """

    def __init__(self, config: TrainConfig, device: str = "cpu", images_sha256: str = ""):
        self.config, self.device, self.images_sha256 = config, device, images_sha256
        self.epoch, self.seconds = 0, 0.0
        self.machines: list[dict] = []  # where earlier epochs were trained; see `runs.machine`
        self.paused: dict[str, Tensor] = {}
        self.step_fn = None  # what `train` makes of a step: on a GPU a recorded graph, of these very tensors
        with seeded(config.seed, "init"):
            g, d = build(config)
        self.precision = fast.precision(config.precision, device)  # what "auto" is here
        half = torch.bfloat16 if self.precision == "bfloat16" else None
        self.g, self.d = fast.arrange(g.to(device), half), fast.arrange(d.to(device))
        adam = dict(betas=(config.beta1, config.beta2), fused=True, capturable=device != "cpu")
        self.opt_g = Adam(self.g.parameters(), config.lr, **adam)
        self.opt_d = Adam(self.d.parameters(), config.lr_d or config.lr, **adam)
        self.average = AveragedModel(self.g, multi_avg_fn=get_ema_multi_avg_fn(config.ema)) if config.ema else None
        self.history = torch.zeros(config.epochs, config.steps, len(COLUMNS))

    def tensors(self) -> dict[str, Tensor]:
        """The state as a flat dictionary, for a file."""
        parts = {"g": self.g.state_dict(), "d": self.d.state_dict(), "paused": self.paused}
        if self.average:
            parts["average"] = self.average.state_dict()
        for name, opt in (("opt_g", self.opt_g), ("opt_d", self.opt_d)):
            parts[name] = {f"{i}.{k}": v for i, entry in opt.state_dict()["state"].items() for k, v in entry.items()}
        flat = {f"{part}.{k}": v.cpu().contiguous() for part, entries in parts.items() for k, v in entries.items()}
        return flat | {"history": self.history[: self.epoch].clone()}

    def restore(self, tensors: dict[str, Tensor], epoch: int, seconds: float) -> None:
        """Take over what `tensors` gave."""

        def part(name):
            return {k.removeprefix(f"{name}."): v for k, v in tensors.items() if k.startswith(f"{name}.")}

        self.g.load_state_dict(part("g"))
        self.d.load_state_dict(part("d"))
        if self.average:
            self.average.load_state_dict(part("average"))
        for name, opt in (("opt_g", self.opt_g), ("opt_d", self.opt_d)):
            entries: dict[int, dict] = {}
            for key, value in part(name).items():
                index, field = key.split(".")
                entries.setdefault(int(index), {})[field] = value
            opt.load_state_dict({"state": entries, "param_groups": opt.state_dict()["param_groups"]})
        self.history[:epoch], self.paused = tensors["history"], part("paused")
        self.epoch, self.seconds, self.step_fn = epoch, seconds, None


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
            x, z = torch.zeros(images_a_step, 1, 28, 28, device=device), torch.zeros(images_a_step, config.latent_dim, device=device)
            state.step_fn = fast.captured(plain_step, state, x, z)
    done = state.epoch * config.steps + len(state.paused.get("log", ())) // REPORT_EVERY * REPORT_EVERY
    with postponed_interrupt() as interrupted, progress(total=config.epochs * config.steps, initial=done, unit="step") as bar:
        for epoch in range(state.epoch, config.epochs):
            bar.set_description(f"{config.model} epoch {epoch + 1}/{config.epochs}")
            start = time.perf_counter()
            log, first = torch.zeros(config.steps, len(COLUMNS), device=device), 0
            with seeded(config.seed, "epoch", epoch):
                order = torch.randperm(config.examples)[: config.steps * images_a_step].to(device).view(config.steps, images_a_step)
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
                    log[i] = state.step_fn(to_unit(images[order[i]]), torch.randn(images_a_step, config.latent_dim, device=device))
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


def trained_generator(state: TrainState, n: int = 10_000) -> nn.Module:
    """The generator to sample from: averaged if the config asks for it, BatchNorm statistics re-estimated, eval mode."""
    g = fast.arrange(copy.deepcopy(state.average.module if state.average else state.g))  # in the weights' own precision
    return reestimate_batchnorm(g, state.config.latent_dim, state.config.seed, n)


@torch.no_grad()
def reestimate_batchnorm(g: nn.Module, latent_dim: int, seed: int, n: int = 10_000, batch: int = 100) -> nn.Module:
    """Replace the running statistics of every BatchNorm in ``g`` by means over ``n`` latent vectors.

    Running statistics trail the weights by some tens of batches, and an average of weights has none of its
    own. Dropout is off, as it will be when sampling. Returns ``g`` in eval mode.
    """
    norms = [m for m in g.eval().modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [m.momentum for m in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative mean
        norm.train()
    with seeded(seed, "batchnorm"):
        for z in torch.randn(n, latent_dim).split(batch):
            g(z.to(next(g.parameters()).device))
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
    return g.eval()


@contextmanager
def seeded(*stream):
    """Random numbers of torch that depend on ``stream`` alone; the caller's own go on as if nothing had happened."""
    with torch.random.fork_rng(range(torch.cuda.device_count() if torch.cuda.is_initialized() else 0)):
        torch.manual_seed(stream_seed(*stream))
        yield


def stream_seed(*stream) -> int:
    """The seed that ``stream`` stands for."""
    return int(sha256(repr(stream).encode())[:15], 16)
