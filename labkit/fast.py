"""The same mathematics, arranged for the machine. Without this file every result would be the same up to rounding.

Folded upsampling  A nearest x2 upsampling and the 3x3 convolution after it are one transposed convolution of
                   stride 2 with a 4x4 kernel: every output pixel sees only 2x2 input pixels. 2.25 times fewer
                   multiplications, and the large upsampled tensor is never made.
Kept memory        Each step frees and needs again the same few hundred MB. The C library would hand them back to
                   the system and fault every page in anew.
CUDA graph         On a GPU the networks are so small that starting the kernels takes longer than running them;
                   a step is recorded once and replayed as a whole.
"""

import ctypes
import sys
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d

# Row i: how the taps (a, b, c) of a 3-wide kernel on the upsampled axis add up to tap i of the 4-wide kernel.
FOLD = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])  # c, b+c, a+b, a


def folded_kernel(weight: Tensor) -> Tensor:
    """(out, in, 3, 3) of a convolution after upsampling as (in, out, 4, 4) of the transposed convolution."""
    fold = FOLD.to(weight)
    return (fold @ weight @ fold.T).transpose(0, 1).contiguous()


def arrange(network: nn.Module) -> nn.Module:
    """Compute the forward pass of ``network`` with folded upsampling; parameters, names and print() stay. Returns it."""
    for blocks in network.modules():
        if isinstance(blocks, nn.Sequential):
            for up, conv in zip(blocks, blocks[1:]):
                if isinstance(up, nn.Upsample) and isinstance(conv, nn.Conv2d):
                    up.forward = _identity
                    conv.forward = partial(_upsample_and_convolve, conv)
    return network


def _identity(x: Tensor) -> Tensor:
    return x


def _upsample_and_convolve(conv: nn.Conv2d, x: Tensor) -> Tensor:
    return conv_transpose2d(x, folded_kernel(conv.weight), conv.bias, stride=2, padding=1)  # (n, out, 2h, 2w)


def keep_memory() -> None:
    """Tell the C library (glibc) to keep freed memory for the next step; elsewhere nothing happens."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # malloc.h
        for option, value in ((mmap_threshold, 1 << 30), (trim_threshold, 2**31 - 1), (top_pad, 1 << 28)):
            libc.mallopt(option, value)


keep_memory()


def captured(step: Callable[[Tensor, Tensor], Tensor], state, x: Tensor, z: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """``step(x_real, z)`` on ``state`` as one CUDA graph for inputs like ``x`` and ``z``; on a CPU, ``step`` itself.

    Where capture fails, a line says so and ``step`` is returned. Networks and optimisers are as they were.
    """
    if not z.is_cuda:
        return step
    before = {name: tensor.clone() for name, tensor in _live(state).items()}
    try:
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # lazily made things are made outside the graph
            for _ in range(3):
                step(x, z)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            out = step(x, z)
    except RuntimeError as error:
        print(f"labkit: no CUDA graph ({str(error).splitlines()[0]}): training goes on step by step", file=sys.stderr)
        return step
    finally:
        for name, tensor in _live(state).items():  # what the optimisers only made now starts from zero
            tensor.copy_(before[name]) if name in before else tensor.zero_()

    def replay(x_real: Tensor, noise: Tensor) -> Tensor:
        x.copy_(x_real)
        z.copy_(noise)
        graph.replay()
        return out

    return replay


@torch.no_grad()
def _live(state) -> dict[str, Tensor]:
    """All tensors that a step changes, themselves and not copies."""
    live = {f"g.{k}": v.detach() for k, v in state.g.state_dict(keep_vars=True).items()}
    live |= {f"d.{k}": v.detach() for k, v in state.d.state_dict(keep_vars=True).items()}
    for name, opt in (("opt_g", state.opt_g), ("opt_d", state.opt_d)):
        live |= {f"{name}.{i}.{k}": v for i, entry in enumerate(opt.state.values()) for k, v in entry.items()}
    return live
