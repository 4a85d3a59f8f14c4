"""The same mathematics, arranged for the machine. Without these rearrangements every result would be the same up to rounding.
The rounding is that of float32 (on a GPU, in convolutions, TF32, cuDNN's own default); in a generator where `precision` says
bfloat16, that of bfloat16. Written for the four networks of `models`, whose layers it looks for.

Folded upsampling  A nearest x2 upsampling and the 3x3 convolution after it are one transposed convolution of stride 2
                   with a 4x4 kernel: every output pixel sees only 2x2 input pixels. 2.25 times fewer multiplications,
                   and the large upsampled tensor is never made. Backward, every 2x2 window of the gradient is summed
                   first; a 3x3 convolution of stride 2 is left: four times fewer multiplications.
Memory             Channels last, LeakyReLU in place, a convolution to one channel as a matrix product: less to walk through.
Spectral norm      In training, the power iteration already yields sigma; the gradient is written out.
Kept memory        Each step frees and needs again the same few hundred MB. The C library would hand them back to
                   the system and fault every page in anew.
bfloat16           Some CPUs multiply it two or more times as fast as float32, and add up in float32. What lies between two
                   products of a generator is kept in it; weights, the discriminator and the optimisers stay in float32.
CUDA graph         On a GPU the networks are so small that starting the kernels takes longer than running them;
                   a step is recorded once and replayed as a whole.
"""

from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d, fold, leaky_relu_, linear, normalize, unfold
from torch.nn.grad import conv2d_weight
from torch.nn.utils.parametrize import is_parametrized

from ..base.machine import keep_memory

# Row i: how the taps (a, b, c) of a 3-wide kernel on the upsampled axis add up to tap i of the 4-wide kernel.
FOLD = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]])  # c, b+c, a+b, a


def folded_kernel(weight: Tensor) -> Tensor:
    """(out, in, 3, 3) of a convolution after upsampling as (in, out, 4, 4) of the transposed convolution."""
    out, channels = weight.shape[:2]
    return (
        (weight.reshape(-1, 9) @ _sums(FOLD, weight.device, weight.dtype).T)
        .view(out, channels, 4, 4)
        .transpose(0, 1)
        .contiguous()
    )


@cache
def _sums(fold: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
    """(16, 9): both axes of the fold in one matrix; made once, as a CUDA graph cannot hold a copy to the GPU."""
    return torch.kron(fold, fold).to(device, dtype)


def precision(wanted: str, device: str) -> str:
    """What ``wanted``, one of `config.PRECISIONS`, is on ``device``: "float32" or "bfloat16"."""
    if wanted != "auto":
        return wanted
    multiplies_it = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if device == "cpu" and multiplies_it else "float32"


def arrange(network: nn.Module, dtype: torch.dtype | None = None) -> nn.Module:
    """Let ``network`` compute its layers as this file does; parameters, names and print() stay. Returns it.

    ``dtype`` is that of a generator's products and of what lies between them; left out, that of the weights, which images keep.
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
                elif isinstance(layer, nn.Linear):
                    layer.forward = partial(_multiply, layer, dtype)
                    if is_parametrized(layer):
                        (norm,) = layer.parametrizations.weight
                        norm.forward = partial(_divide_by_sigma, norm)
                elif isinstance(layer, nn.BatchNorm2d):
                    layer.forward = partial(_normalise, layer)
                elif isinstance(layer, nn.LeakyReLU):  # nobody else needs what comes in
                    layer.forward = partial(leaky_relu_, negative_slope=layer.negative_slope)
                elif isinstance(layer, nn.Tanh):
                    layer.forward = _tanh
    return network


def _identity(x: Tensor) -> Tensor:
    return x


def _tanh(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32)).tanh()


def _normalise(norm: nn.BatchNorm2d, x: Tensor) -> Tensor:
    return nn.BatchNorm2d.forward(norm, x.contiguous(memory_format=torch.channels_last))


def _multiply(layer: nn.Linear, dtype: torch.dtype | None, x: Tensor) -> Tensor:
    weight = layer.weight  # once: where it is parametrised, each look computes it anew
    dtype = dtype or weight.dtype
    return linear(x.to(dtype), weight.to(dtype), layer.bias.to(dtype))


def _convolve(conv: nn.Conv2d, x: Tensor) -> Tensor:
    x, weight = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (x, conv.weight))
    return conv2d(x, weight, conv.bias, conv.stride, conv.padding)


def _upsample_and_convolve(conv: nn.Conv2d, dtype: torch.dtype | None, x: Tensor) -> Tensor:
    dtype = dtype or conv.weight.dtype
    return _UpsampleAndConvolve.apply(x.to(dtype, memory_format=torch.channels_last), conv.weight, conv.bias)


class _UpsampleAndConvolve(torch.autograd.Function):
    """Nearest x2 and a 3x3 convolution, (n, in, h, w) to (n, out, 2h, 2w).

    The output's dot product with any g is that of x with a convolution of stride 2 of the sums over all 2x2 windows of g, so
    both gradients are that convolution's: nine multiplications for an input pixel and a pair of channels, where the folded
    kernel takes sixteen. Forward, the same would do (a transposed convolution, then sums), but the libraries are slow at it.
    """

    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        return conv_transpose2d(x, folded_kernel(weight).to(x.dtype), bias.to(x.dtype), stride=2, padding=1)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        sums = avg_pool2d(grad, 2, stride=1, padding=1, divisor_override=1)  # (n, out, 2h+1, 2w+1)
        kernel = weight.transpose(0, 1).flip(2, 3).to(x.dtype, memory_format=torch.channels_last)  # (in, out, 3, 3)
        of_kernel = conv2d_weight(sums, kernel.shape, x, stride=2)  # of x's dtype; autograd casts it to the weight's
        return conv2d(sums, kernel, stride=2), of_kernel.transpose(0, 1).flip(2, 3), grad.sum((0, 2, 3))


def _convolve_to_one(conv: nn.Conv2d, dtype: torch.dtype | None, x: Tensor) -> Tensor:
    return _ToOne.apply(x.to(dtype or conv.weight.dtype), conv.weight, conv.bias)


class _ToOne(torch.autograd.Function):
    """A 3x3 convolution to one channel, (n, in, h, w) to (n, 1, h, w), as a matrix product with the nine taps.

    A convolution works on blocks of output channels; with a single one, most of its lanes idle.
    """

    @staticmethod
    def forward(ctx, x, weight, bias):
        taps = weight.flip(2, 3).reshape(-1, 9).T.to(x.dtype)  # (9, in)
        pixels = x.permute(0, 2, 3, 1).flatten(1, 2)  # (n, h * w, in): a view in channels-last memory
        ctx.save_for_backward(pixels, taps)
        ctx.shape = x.shape
        columns = torch.bmm(taps.expand(len(x), -1, -1), pixels.transpose(1, 2))  # (n, 9, h * w)
        return fold(columns.to(weight.dtype), x.shape[2:], 3, padding=1) + bias.view(1, 1, 1, 1)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        pixels, taps = ctx.saved_tensors
        n, channels, h, w = ctx.shape
        columns = unfold(grad.to(taps.dtype), 3, padding=1)  # (n, 9, h * w)
        of_x = (columns.transpose(1, 2) @ taps).view(n, h, w, channels).permute(0, 3, 1, 2)  # channels-last
        of_taps = torch.bmm(columns, pixels).sum(0, dtype=grad.dtype)  # (9, in)
        return of_x, of_taps.T.reshape(1, channels, 3, 3).flip(2, 3), grad.sum().view(1)


def _divide_by_sigma(norm: nn.Module, weight: Tensor) -> Tensor:
    """As torch's spectral norm: ``weight`` (out, in) by its largest singular value, in training estimated anew by one power iteration."""
    with torch.no_grad():
        u, v = norm._u, norm._v  # estimates of its first left and right singular vectors
        if norm.training:
            u.copy_(normalize(weight.mv(v), dim=0, eps=norm.eps))
            image = weight.T.mv(u)
            sigma = image.norm()  # u . Wv for v = image / |image|
            v.copy_(image / sigma.clamp_min(norm.eps))
        else:
            sigma = u.dot(weight.mv(v))
    return _DivideBySigma.apply(weight, sigma, u.clone(), v.clone())  # copies: the next step changes u and v


class _DivideBySigma(torch.autograd.Function):
    """W / sigma with sigma = u . Wv, for W (out, in)."""

    @staticmethod
    def forward(ctx, weight, sigma, u, v):
        normal = weight / sigma
        ctx.save_for_backward(normal, sigma, u, v)
        return normal

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        normal, sigma, u, v = ctx.saved_tensors
        along = grad.flatten().dot(normal.flatten())
        return torch.addr(grad, u, along * v, alpha=-1) / sigma, None, None, None


keep_memory()

torch.backends.cudnn.deterministic = True  # the same run gives the same bits on a GPU too
