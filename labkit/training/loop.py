"""The loop that makes the two moves, again and again, on the state of a training, or of several seeds at once."""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from ..base import doors
from ..base.errors import LabError
from ..base.machine import keeping_memory, kernels, on_cuda, own_torch, postponed_interrupt, progress
from ..base.rng import seeded, stream_seed
from ..data.loading import to_unit
from ..gans.losses import Loss, loss_of
from .graph import recorded
from .state import COLUMNS, TrainState
from .steps import d_step, g_step

REPORT_EVERY = 50  # steps between two looks at the losses; each look makes a GPU wait


@own_torch()
@keeping_memory()
def train(
    states: TrainState | Sequence[TrainState],
    images: Tensor,
    on_epoch: Callable[[TrainState], None] = lambda state: None,
) -> None:
    """Train one state, or several that differ in their seed, to the end of their config.

    ``images`` are what `doors.grey_images` takes: uint8 (N, 28, 28), or what can be told to mean such.
    ``on_epoch(state)`` is called after every epoch of each; whatever it draws or measures does not change the training.
    On a GPU several states take each step side by side, on a CPU each epoch one after the other; either way each
    becomes what it would be alone.

    Raises:
        LabError: a loss is not finite, or the states are not seeds of one config on one device.
        KeyboardInterrupt: after the step in hand on a CPU, where ``state.paused`` lets it go on, else after the epoch.
    """
    states = [states] if isinstance(states, TrainState) else list(states)
    check_seeds(states)
    config, device = states[0].config, states[0].device
    images = doors.grey_images(images).to(device)
    for state in states:
        state.g.train()
        state.d.train()
    name = config.model + (f" x {len(states)}" if len(states) > 1 else "")
    done = sum(s.epoch * config.steps + len(s.paused.get("log", ())) // REPORT_EVERY * REPORT_EVERY for s in states)
    total = len(states) * config.epochs * config.steps
    desks: list[Desk] = []
    with (
        kernels(device, config.tf32, config.deterministic),
        postponed_interrupt() as interrupted,
        progress(total=total, initial=done, unit="step") as bar,
    ):
        for epoch in range(min(state.epoch for state in states), config.epochs):
            bar.set_description(f"{name} epoch {epoch + 1}/{config.epochs}")
            late = [state for state in states if state.epoch == epoch]
            if [state for desk in desks for state in desk.states] != late:
                desks = _desks(late, images)
            for desk in desks:
                start = time.perf_counter()
                try:
                    _epoch(desk, epoch, interrupted, bar)
                finally:
                    for state in desk.states:
                        state.seconds += (time.perf_counter() - start) / len(desk.states)
                for state in desk.states:
                    state.epoch = epoch + 1
                for state in desk.states:
                    on_epoch(state)


def check_seeds(states: Sequence[TrainState]) -> None:
    """Raise a LabError if ``states`` cannot be trained together."""
    seeds = {state.config.seed for state in states}
    kinds = {(replace(state.config, seed=0), state.device) for state in states}
    if len(kinds) != 1 or len(seeds) < len(states):
        raise LabError(
            f"{len(states)} states of {len(kinds)} configs and {len(seeds)} seeds:"
            " together one can train states of one config and device, each with a seed of its own"
        )


def both_moves(state: TrainState, loss: Loss, x_real: Tensor, z: Tensor, g=None, d=None) -> Tensor:
    """D's moves and G's, on ``x_real`` (d_steps * batch, 1, 28, 28) and as many z: a row of the history, (4,).

    ``g`` and ``d`` compute what the networks of ``state`` do, if these are not to be called themselves.
    """
    config = state.config
    g, d = g if g is not None else state.g, d if d is not None else state.d  # a compiled one has no truth value
    *first, (x_real, z) = zip(x_real.split(config.batch), z.split(config.batch), strict=True)
    for x, noise in first:
        with torch.no_grad():
            x_fake = g(noise)
        d_step(d, state.opt_d, x, x_fake, loss)
    x_fake = g(z)  # (batch, 1, 28, 28)
    loss_d, d_real, d_fake = d_step(d, state.opt_d, x_real, x_fake, loss)
    loss_g = g_step(d, state.opt_g, x_real, x_fake, loss, config.feature_matching)
    return torch.stack([loss_d, loss_g, d_real, d_fake])


class Desk:
    """What the steps of an epoch need, all of it on the device: k states, the images, their order, the history."""

    def __init__(self, states: Sequence[TrainState], images: Tensor):
        config, device = states[0].config, states[0].device
        self.states, self.images, self.config, self.loss = list(states), images, config, loss_of(config)
        k, images_a_step = len(states), config.d_steps * config.batch
        self.now = torch.zeros(1, dtype=torch.long, device=device)  # which step of the epoch
        self.order = torch.zeros(k, config.steps, images_a_step, dtype=torch.long, device=device)  # of the images
        self.log = torch.zeros(k, config.steps, len(COLUMNS), device=device)
        self.streams: list[torch.cuda.Stream] = []
        self.noise: list[torch.Generator] = []  # a GPU's random numbers, for each state its own
        self.replay: Callable[[], None] | None = None  # on a GPU, the recorded step
        compiled = config.compile and on_cuda(device)
        self.players = [_compiled(s.g, s.d) if compiled else (s.g, s.d) for s in states]

    def record(self) -> bool:
        """Make one graph of a step, the states as branches that run side by side; whether that could be done."""
        device = torch.device(self.states[0].device)
        with torch.cuda.device(device), seeded("capture"):
            default = torch.cuda.default_generators[torch.cuda.current_device()]
            self.streams = [torch.cuda.Stream() for _ in self.states]
            self.noise = [default.clone_state() for _ in self.states]
            self.replay = recorded(self.step, self._live, self.noise, str(device))
        if not self.replay:
            self.streams, self.noise = [], []
        return self.replay is not None

    def begin(self, epoch: int) -> int:
        """Draw the order of the images; which step the epoch goes on from. Inside `seeded` for the only state."""
        config = self.config
        for k, state in enumerate(self.states):
            if self.noise:
                self.noise[k].manual_seed(stream_seed(state.config.seed, "epoch", epoch))
                torch.manual_seed(stream_seed(state.config.seed, "epoch", epoch))
            order = torch.randperm(config.examples)[: self.order[k].numel()]
            self.order[k] = order.view_as(self.order[k]).to(self.order.device)
        first, paused = 0, self.states[0].paused
        if paused:  # a state that trains alone, on a CPU
            first = len(paused["log"])
            self.log[0, :first] = paused["log"]
            torch.set_rng_state(paused["random"])
            self.states[0].paused = {}
        self.now.fill_(first)
        return first

    def step(self) -> None:
        """One step of every state."""
        if self.streams:
            current = torch.cuda.current_stream()
            default = torch.cuda.default_generators[torch.cuda.current_device()]
            usual = default.graphsafe_get_state()
            for k, (stream, noise) in enumerate(zip(self.streams, self.noise, strict=True)):
                stream.wait_stream(current)
                default.graphsafe_set_state(noise)
                with torch.cuda.stream(stream):
                    self.move(k)
            default.graphsafe_set_state(usual)
            for stream in self.streams:
                current.wait_stream(stream)
        else:
            for k in range(len(self.states)):
                self.move(k)
        self.now.add_(1)

    def move(self, k: int) -> None:
        """One step of state ``k``: images, noise, both moves, average, a row of the history."""
        state, config = self.states[k], self.config
        chosen = self.order[k].index_select(0, self.now)[0]  # (images a step,)
        z = torch.randn(len(chosen), config.latent_dim, device=self.order.device)
        row = both_moves(state, self.loss, to_unit(self.images.index_select(0, chosen)), z, *self.players[k])
        if state.average and self.streams:
            follow(state.average, state.g, config.ema)
        elif state.average:
            state.average.update_parameters(state.g)
        self.log[k].index_copy_(0, self.now, row.unsqueeze(0))

    def _live(self) -> list[Tensor]:
        """All tensors that a step changes, themselves and not copies."""
        tensors = [self.now, self.log]
        for state in self.states:
            for part in filter(None, (state.g, state.d, state.average)):
                tensors += [*part.parameters(), *part.buffers()]
            for opt in (state.opt_g, state.opt_d):
                tensors += [tensor for entry in opt.state.values() for tensor in entry.values()]
        return tensors


@torch.no_grad()
def follow(average: AveragedModel, g: nn.Module, decay: float) -> None:
    """What ``average.update_parameters(g)`` does to rounding, without the CPU waiting for the GPU."""
    own: list[Tensor] = list(average.module.parameters())
    share = 1 - decay * (average.n_averaged > 0)  # the first weights are taken over whole
    apart = torch._foreach_sub(list[Tensor](g.parameters()), own)
    torch._foreach_mul_(apart, share)
    torch._foreach_add_(own, apart)
    average.n_averaged.add_(1)


def _compiled(g: nn.Module, d: nn.Module):
    """Both networks as `both_moves` calls them, compiled; the networks themselves stay as they are."""
    compiled = {name: torch.compile(getattr(d, name), dynamic=False) for name in ("logits", "embed")}
    return torch.compile(g, dynamic=False), SimpleNamespace(**compiled)


def _desks(states: list[TrainState], images: Tensor) -> list[Desk]:
    """One desk for all ``states`` where a graph can be recorded, else one for each."""
    if on_cuda(states[0].device):
        desk = Desk(states, images)
        if desk.record():
            return [desk]
    return [Desk([state], images) for state in states]


def _epoch(desk: Desk, epoch: int, interrupted: Callable[[], bool], bar) -> None:
    """Train the states of ``desk`` for one epoch, or for what is left of it."""
    config, step = desk.config, desk.replay or desk.step
    with seeded(desk.states[0].config.seed, "epoch", epoch):
        first = desk.begin(epoch)
        for i in range(first, config.steps):
            if interrupted() and (i == 0 or desk.states[0].device == "cpu"):
                if i:
                    paused = {"log": desk.log[0, :i].clone(), "random": torch.get_rng_state()}
                    desk.states[0].paused = paused
                raise KeyboardInterrupt
            step()
            if (i + 1) % REPORT_EVERY == 0 or i + 1 == config.steps:
                _report(bar, desk, epoch, i)
    for state, log in zip(desk.states, desk.log.cpu(), strict=True):
        state.history[epoch] = log


def _report(bar, desk: Desk, epoch: int, step: int) -> None:
    """Show the losses since the last report, and stop if one is not finite."""
    begin = step - step % REPORT_EVERY
    losses = desk.log[:, begin : step + 1, :2].cpu()  # (states, steps, 2)
    if not losses.isfinite().all():
        k, bad, _ = (~losses.isfinite()).nonzero()[0].tolist()
        config = desk.states[k].config
        seed = f", seed {config.seed}" if len(desk.states) > 1 else ""
        raise LabError(
            f"{config.model}{seed}: loss of D = {losses[k, bad, 0]:g}, of G = {losses[k, bad, 1]:g} at epoch"
            f" {epoch + 1}, step {begin + bad + 1} (lr = {config.lr}): training has diverged and stopped,"
            " earlier epochs are kept; try a smaller lr"
        )
    bar.set_postfix_str("D {:.3f}, G {:.3f}".format(*losses.mean((0, 1))), refresh=False)
    bar.update(losses.shape[0] * losses.shape[1])
