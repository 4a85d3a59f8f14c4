"""The layers that an input passes, with shapes read from a real pass."""

from collections import namedtuple

import torch
from torch import Tensor, nn

Layer = namedtuple("Layer", "name part label shape parameters")


@torch.no_grad()
def describe(model: nn.Module, x: Tensor) -> list[Layer]:
    """The layers that ``x`` passes, in order: dotted name, top-level part, label, output shape, parameters.

    Shapes leave the batch out. They are read from a real forward pass in eval mode, not typed.
    """
    layers, hooks = [], []
    for name, module in model.named_modules():
        parametrized = hasattr(module, "parametrizations")
        if "parametrizations" in name or (any(module.children()) and not parametrized):
            continue

        def record(module, _, out, name=name, parametrized=parametrized):
            label = _label(module) + (", spectral norm" if parametrized else "")
            count = sum(p.numel() for p in module.parameters())
            layers.append(Layer(name, name.split(".")[0], label, tuple(out.shape[1:]), count))

        hooks.append(module.register_forward_hook(record))
    was_training = model.training
    model.eval()(x)
    model.train(was_training)
    for hook in hooks:
        hook.remove()
    return layers


def _label(module: nn.Module) -> str:
    """Kind and the one argument that matters: `Conv2d 3×3, stride 2`."""
    kind = type(module).__name__.replace("Parametrized", "")
    match module:
        case nn.Conv2d():
            return f"{kind} {module.kernel_size[0]}×{module.kernel_size[1]}, stride {module.stride[0]}"
        case nn.BatchNorm1d() | nn.BatchNorm2d():
            return f"{kind} eps {module.eps:g}"
        case nn.LeakyReLU():
            return f"{kind} {module.negative_slope:g}"
        case nn.Dropout() | nn.Dropout2d():
            return f"{kind} {module.p:g}"
        case nn.Upsample():
            return f"{kind} ×{module.scale_factor:g} {module.mode}"
    return kind
