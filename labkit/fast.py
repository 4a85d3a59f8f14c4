"""The same mathematics, arranged for the machine. Without these rearrangements every result would be the same up to rounding.
The rounding is that of float32; where `precision` says bfloat16, that of bfloat16 for the products of the DCGAN's generator.

Folded upsampling  A nearest x2 upsampling and the 3x3 convolution after it are one transposed convolution of
                   stride 2 with a 4x4 kernel: every output pixel sees only 2x2 input pixels. 2.25 times fewer
                   multiplications, and the large upsampled tensor is never made.
Memory             Channels last, LeakyReLU in place, a convolution to one channel as a matrix product: less to walk through.
Kept memory        Each step frees and needs again the same few hundred MB. The C library would hand them back to
                   the system and fault every page in anew.
bfloat16           Matrix units (Intel's AMX) multiply it several times as fast as float32, and add up in float32. What lies
                   between the generator's first and last convolution is kept in it; weights and optimiser stay in float32.
CUDA graph         On a GPU the networks are so small that starting the kernels takes longer than running them;
                   a step is recorded once and replayed as a whole.
"""

import ctypes
import sys
import warnings
from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, fold, leaky_relu_, unfold

# Row i: how the taps (a, b, c) of a 3-wide kernel on the upsampled axis add up to tap i of the 4-wide kernel.
FOLD = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])  # c, b+c, a+b, a


def folded_kernel(weight: Tensor) -> Tensor:
    """(out, in, 3, 3) of a convolution after upsampling as (in, out, 4, 4) of the transposed convolution."""
    out, channels = weight.shape[:2]
    return (weight.reshape(-1, 9) @ _sums(FOLD, weight.device, weight.dtype).T).view(out, channels, 4, 4).transpose(0, 1).contiguous()


@cache
def _sums(fold: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(16, 9): both axes of the fold in one matrix; made once, as a CUDA graph cannot hold a copy to the GPU."""
    return torch.kron(fold, fold).to(device, dtype)


def precision(wanted: str, device: str) -> str:
    """What ``wanted``, one of `config.PRECISIONS`, is on ``device``: "float32" or "bfloat16"."""
    if wanted != "auto":
        return wanted
    return "bfloat16" if device == "cpu" and torch.cpu._is_amx_tile_supported() else "float32"


def arrange(network: nn.Module, dtype: torch.dtype | None = None) -> nn.Module:
    """Let ``network`` compute its convolutions as this file does; parameters, names and print() stay. Returns it.

    From the first folded convolution to the last, to one channel, numbers are of ``dtype``; left out, of that of the weights.
    """
    for blocks in network.modules():
        if isinstance(blocks, nn.Sequential):
            for before, layer in zip([None, *blocks], blocks):
                if isinstance(before, nn.Upsample) and isinstance(layer, nn.Conv2d):
                    before.forward = _identity
                    layer.forward = partial(_upsample_and_convolve, layer, dtype)
                elif isinstance(layer, nn.Conv2d) and layer.out_channels == 1 and layer.kernel_size == (3, 3):
                    layer.forward = partial(_convolve_to_one, layer, dtype)
                elif isinstance(layer, nn.Conv2d):
                    layer.forward = partial(_convolve, layer)
                elif isinstance(layer, nn.LeakyReLU):  # nobody else needs what comes in
                    layer.forward = partial(leaky_relu_, negative_slope=layer.negative_slope)
    return network


def _identity(x: Tensor) -> Tensor:
    return x


def _convolve(conv: nn.Conv2d, x: Tensor) -> Tensor:
    memory = {"memory_format": torch.channels_last}
    return conv2d(x.contiguous(**memory), conv.weight.contiguous(**memory), conv.bias, conv.stride, conv.padding)


def _upsample_and_convolve(conv: nn.Conv2d, dtype: torch.dtype | None, x: Tensor) -> Tensor:
    dtype = dtype or conv.weight.dtype
    x = x.to(dtype).contiguous(memory_format=torch.channels_last)
    return _Folded.apply(x, folded_kernel(conv.weight).to(dtype), conv.bias.to(dtype))


class _Folded(torch.autograd.Function):
    """Transposed convolution of stride 2, (n, in, h, w) to (n, out, 2h, 2w), one library call for each gradient."""

    @staticmethod
    def forward(ctx, x, kernel, bias):
        ctx.save_for_backward(x, kernel)
        return conv_transpose2d(x, kernel, bias, stride=2, padding=1)

    @staticmethod
    def backward(ctx, grad):
        x, kernel = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        mask = [False, True, False]  # the kernel's gradient alone
        of_kernel = torch.ops.aten.convolution_backward(grad, x, kernel, None, [2, 2], [1, 1], [1, 1], True, [0, 0], 1, mask)[1]
        return conv2d(grad, kernel, stride=2, padding=1), of_kernel, grad.sum((0, 2, 3))


def _convolve_to_one(conv: nn.Conv2d, dtype: torch.dtype | None, x: Tensor) -> Tensor:
    return _ToOne.apply(x.to(dtype or conv.weight.dtype), conv.weight, conv.bias)


class _ToOne(torch.autograd.Function):
    """A 3x3 convolution to one channel, (n, in, h, w) to (n, 1, h, w), as a matrix product with the nine taps.

    A convolution works on blocks of output channels; with a single one, most of its lanes idle.
    """

    @staticmethod
    def forward(ctx, x, weight, bias):
        taps = weight.flip(2, 3).reshape(-1, 9).to(x.dtype)  # (in, 9)
        pixels = x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])  # (n * h * w, in): a view in channels-last memory
        ctx.save_for_backward(pixels, taps)
        ctx.shape = x.shape
        columns = (pixels @ taps).to(weight.dtype).view(len(x), -1, 9).transpose(1, 2)  # (n, 9, h * w)
        return fold(columns, x.shape[2:], 3, padding=1) + bias.view(1, 1, 1, 1)

    @staticmethod
    def backward(ctx, grad):
        pixels, taps = ctx.saved_tensors
        n, channels, h, w = ctx.shape
        columns = unfold(grad, 3, padding=1).to(taps.dtype).transpose(1, 2).reshape(-1, 9)  # (n * h * w, 9)
        of_x = (columns @ taps.T).view(n, h, w, channels).permute(0, 3, 1, 2)  # channels-last
        of_taps = columns.T @ pixels  # (9, in)
        return of_x, of_taps.T.reshape(1, channels, 3, 3).flip(2, 3).to(grad.dtype), grad.sum().view(1)


def keep_memory() -> None:
    """Tell the C library (glibc) to keep freed memory for the next step; elsewhere nothing happens."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        trim_threshold, top_pad, mmap_threshold, arena_max = -1, -2, -3, -8  # malloc.h
        for option, value in ((mmap_threshold, 1 << 30), (trim_threshold, 2**31 - 1), (top_pad, 1 << 28), (arena_max, 1)):
            libc.mallopt(option, value)


keep_memory()
torch.backends.cudnn.deterministic = True  # the same run gives the same bits on a GPU too


def captured(step: Callable[[Tensor, Tensor], Tensor], state, x: Tensor, z: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """``step(x_real, z)`` on ``state`` as one CUDA graph for inputs like ``x`` and ``z``; on a CPU, ``step`` itself.

    Where capture fails, a line says so and ``step`` is returned. Networks and optimisers are as they were.
    """
    if not z.is_cuda:
        return step
    before = {tensor: tensor.detach().clone() for tensor in _live(state)}
    with torch.cuda.device(z.device):
        current, side, graph = torch.cuda.current_stream(), torch.cuda.Stream(), torch.cuda.CUDAGraph()
        side.wait_stream(current)
        try:
            with torch.cuda.stream(side), warnings.catch_warnings(action="ignore"):
                for _ in range(3):  # lazily made things are made outside the graph
                    step(x, z)
            current.wait_stream(side)
            with torch.cuda.graph(graph, stream=side):
                out = step(x, z)
        except RuntimeError as error:
            print(f"labkit: no CUDA graph ({str(error).splitlines()[0]}): training goes on step by step", file=sys.stderr)
            torch.cuda.set_stream(current)
            torch.cuda.synchronize()
            return step
        finally:
            with torch.no_grad():
                for tensor in _live(state):  # what the optimisers only made now starts from zero
                    tensor.copy_(before[tensor]) if tensor in before else tensor.zero_()

    def replay(x_real: Tensor, noise: Tensor) -> Tensor:
        x.copy_(x_real)
        z.copy_(noise)
        graph.replay()
        return out

    return replay


def _live(state) -> list[Tensor]:
    """All tensors that a step changes, themselves and not copies."""
    networks = [tensor for network in (state.g, state.d) for tensor in (*network.parameters(), *network.buffers())]
    return networks + [tensor for opt in (state.opt_g, state.opt_d) for entry in opt.state.values() for tensor in entry.values()]
