"""What a training run is between two epochs, and the generator that comes out of it."""

import copy
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import Adam
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from ..base.machine import deterministic, import_whole, on_cuda, own_torch
from ..base.rng import seeded
from ..config import TrainConfig
from ..gans import build
from ..gans.layers import arrange, fuse

COLUMNS = ("loss_d", "loss_g", "d_real", "d_fake")  # of the history: losses, mean D(x), mean D(G(z))


def precision(wanted: str, device: str) -> str:
    """What ``wanted``, one of `config.PRECISIONS`, is on ``device``: "float32", as always on mps, or "bfloat16"."""
    if device == "mps":
        return "float32"
    if wanted != "auto":
        return wanted
    multiplies_it = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if device == "cpu" and multiplies_it else "float32"


class TrainState:
    """All that a training run is at the end of an epoch: networks, optimisers, average, history.

    Random numbers are not part of it: batch order, noise and dropout of an epoch are a function of
    (seed, epoch), so nothing that happens between two epochs can disturb them. Of an epoch that was
    interrupted half-way, ``paused`` holds the history so far, (steps done, 4), and the generator's state.
    """

    @own_torch()
    def __init__(self, config: TrainConfig, device: str = "cpu", images_sha256: str = ""):
        import_whole("torch._dynamo")  # the first optimiser does, and sympy with it: seconds
        self.config, self.device, self.images_sha256 = config, device, images_sha256
        self.epoch, self.seconds = 0, 0.0
        self.machines: list[dict] = []  # where earlier epochs were trained; see `runs.machine`
        self.paused: dict[str, Tensor] = {}
        with seeded(config.seed, "init"):
            g, d = build(config)
        self.precision = precision(config.precision, device)  # what "auto" is here
        half = torch.bfloat16 if self.precision == "bfloat16" else None
        self.g, self.d = arrange(g.to(device), half), arrange(d.to(device))
        adam = partial(Adam, betas=(config.beta1, config.beta2), fused=True, capturable=on_cuda(device))
        self.opt_g = adam(self.g.parameters(), config.lr)
        self.opt_d = adam(self.d.parameters(), config.lr_d or config.lr)
        self.average = (
            AveragedModel(self.g, torch.device(device), multi_avg_fn=get_ema_multi_avg_fn(config.ema))
            if config.ema
            else None
        )
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

    @own_torch()
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
        self.epoch, self.seconds = epoch, seconds


@own_torch()
@deterministic()
def trained_generator(state: TrainState, n: int = 10_000) -> nn.Module:
    """The generator to sample from: averaged if the config says so, BatchNorm statistics re-estimated, eval mode."""
    g = fuse(copy.deepcopy(state.average.module if state.average else state.g))  # in the weights' own precision
    return reestimate_batchnorm(g, state.config.latent_dim, state.config.seed, n)


@own_torch()
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
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return g.eval()
