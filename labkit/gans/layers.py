"""The same mathematics, computed faster. Without this file every result would be the same up to rounding.

`fuse` puts a `FusedSequential` in the place of each Sequential of a network. Its layers stay torch's own, under the
same names: called alone, or watched by a hook, each does what it is called. Together they are computed as follows.

Folded upsampling  A nearest x2 upsampling and the 3x3 convolution after it are one transposed convolution of stride 2
                   with a 4x4 kernel: every output pixel sees only 2x2 input pixels. 2.25 times fewer multiplications,
                   and the large upsampled tensor is never made. Backward, every 2x2 window of the gradient is summed
                   first; a 3x3 convolution of stride 2 is left: four times fewer multiplications.
Memory             Channels last, LeakyReLU in place, a convolution to one channel as a matrix product: less to walk
                   through.
Spectral norm      In training, the power iteration already yields sigma; the gradient is written out.
bfloat16           Some CPUs multiply it two or more times as fast as float32, and add up in float32. What lies between
                   two products of a generator is kept in it; weights stay in float32.

The rounding is that of float32 (on a GPU, in convolutions, TF32, cuDNN's own default), or of bfloat16 where it is asked
for. Gradients of gradients, which a gradient penalty needs, are right through all of it.
"""

import copy
from collections import OrderedDict
from functools import cache
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, conv_transpose2d, fold, leaky_relu_, linear, normalize, unfold
from torch.nn.grad import conv2d_weight
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.parametrizations import _SpectralNorm
from torch.nn.utils.parametrize import register_parametrization

# Row i: how the taps (a, b, c) of a 3-wide kernel on the upsampled axis add up to tap i of the 4-wide kernel.
FOLD = torch.tensor(
    [[0.0, 0.0, 1.0], [0.0, 1.0, 1.0], [1.0, 1.0, 0.0], [1.0, 0.0, 0.0]], dtype=torch.float32, device="cpu"
)  # c, b+c, a+b, a


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


class FusedSequential(nn.Sequential):
    """A Sequential that computes its layers together where that is faster; same layers, names and results.

    ``dtype`` is that of the products and of what lies between them; None, that of the weights.
    """

    def __init__(self, *layers, dtype: torch.dtype | None = None):
        super().__init__(*layers)
        self.dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        """What the layers make of ``x``, one after the other; on a Mac's GPU each as torch has it, in float32."""
        if x.device.type == "mps":
            return super().forward(x)
        before, waiting = None, None  # the layer before, and an upsampling that waits for its convolution
        for layer in self:
            if waiting is not None and _can_fold(layer, waiting):
                x, waiting = _upsample_and_convolve(layer, self.dtype, x), None
            else:
                if waiting is not None:
                    x, waiting = waiting(x), None
                if isinstance(layer, nn.Upsample):
                    waiting = layer
                else:
                    x = _compute(layer, before, self.dtype, x)
            before = layer
        return x if waiting is None else waiting(x)


def fuse(network: nn.Module, dtype: torch.dtype | None = None) -> nn.Module:
    """``network``, its weights kept, with every Sequential in it, or itself, as a `FusedSequential`."""
    return _with_sequentials(network, lambda layers: FusedSequential(layers, dtype=dtype))


def arrange(network: nn.Module, dtype: torch.dtype | None = None) -> nn.Module:
    """``network`` as its device trains it fastest.

    A CPU takes its layers together (`fuse`), and so does whoever asks for a ``dtype``. A GPU has fast kernels for the
    layers as they stand, in channels-last memory; what saves multiplications on a CPU costs it launches.
    """
    if next(network.parameters()).is_cuda and dtype is None:
        return network.to(memory_format=torch.channels_last)
    return fuse(network, dtype)


def plain(network: nn.Module) -> nn.Module:
    """A copy of ``network`` whose layers are torch's own, one by one: to look into, or to compare with."""
    network = _with_sequentials(copy.deepcopy(network), nn.Sequential)
    for module in network.modules():
        if type(module) is SpectralNorm:
            module.__class__ = _SpectralNorm  # type: ignore[assignment]
    return network


def _with_sequentials(network: nn.Module, make) -> nn.Module:
    for name, child in network.named_children():
        setattr(network, name, _with_sequentials(child, make))
    if type(network) not in (nn.Sequential, FusedSequential):
        return network
    made = make(OrderedDict(network.named_children())).train(network.training)
    if hasattr(network, "latent_dim"):  # of a generator that is one Sequential
        made.latent_dim = network.latent_dim
    return made


def _is_watched(layer: nn.Module) -> bool:
    """Somebody looks at what goes in or comes out, so the layer has to be called."""
    return bool(layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks or layer._backward_pre_hooks)


def _can_fold(conv: nn.Module, upsample: nn.Upsample) -> TypeGuard[nn.Conv2d]:
    doubles = upsample.mode == "nearest" and upsample.size is None and upsample.scale_factor == 2
    return doubles and _is_3x3(conv) and not _is_watched(upsample) and not _is_watched(conv)


def _is_3x3(conv: nn.Module) -> TypeGuard[nn.Conv2d]:
    """A convolution with a bias and a kernel of 3x3 that keeps the size of the picture."""
    return (
        isinstance(conv, nn.Conv2d)
        and (conv.kernel_size, conv.stride, conv.padding, conv.dilation) == ((3, 3), (1, 1), (1, 1), (1, 1))
        and conv.groups == 1
        and conv.padding_mode == "zeros"
        and conv.bias is not None
    )


def _compute(layer: nn.Module, before: nn.Module | None, dtype: torch.dtype | None, x: Tensor) -> Tensor:
    """What ``layer`` makes of ``x``, which comes from the layer ``before``."""
    weight: Tensor | None = next(layer.parameters(recurse=False), None)
    if _is_watched(layer):
        return layer(x if weight is None or isinstance(layer, _BatchNorm) else x.to(weight.dtype))
    match layer:
        case nn.Conv2d() if layer.out_channels == 1 and _is_3x3(layer):
            weight = layer.weight
            return _ToOne.apply(x.to(dtype or weight.dtype), weight, layer.bias)
        case nn.Conv2d() if layer.padding_mode == "zeros" and layer.weight.dtype == (dtype or layer.weight.dtype):
            x, weight = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (x, layer.weight))
            return conv2d(x, weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups)
        case nn.Linear():
            weight = layer.weight  # once: where it is parametrised, each look computes it anew
            dtype = dtype or weight.dtype
            return linear(x.to(dtype), weight.to(dtype), None if layer.bias is None else layer.bias.to(dtype))
        case nn.BatchNorm2d():
            return layer(x.contiguous(memory_format=torch.channels_last))
        case nn.LeakyReLU() if isinstance(before, nn.Linear | nn.Conv2d | _BatchNorm) and not _is_watched(before):
            return leaky_relu_(x, layer.negative_slope)  # nobody else needs what comes in
        case nn.Tanh() | nn.Hardtanh():
            return layer(x.to(torch.promote_types(x.dtype, torch.float32)))
        case _BatchNorm():
            return layer(x)
    return layer(x if weight is None else x.to(weight.dtype))


def _upsample_and_convolve(conv: nn.Conv2d, dtype: torch.dtype | None, x: Tensor) -> Tensor:
    dtype = dtype or conv.weight.dtype
    return _UpsampleAndConvolve.apply(x.to(dtype, memory_format=torch.channels_last), conv.weight, conv.bias)


class _UpsampleAndConvolve(torch.autograd.Function):
    """Nearest x2 and a 3x3 convolution, (n, in, h, w) to (n, out, 2h, 2w).

    The output's dot product with any g is that of x with a convolution of stride 2 of the sums over all 2x2 windows of
    g, so both gradients are that convolution's: nine multiplications for an input pixel and a pair of channels, where
    the folded kernel takes sixteen. Forward, the same would do (a transposed convolution, then sums), but the libraries
    are slow at it.
    """

    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        return conv_transpose2d(x, folded_kernel(weight).to(x.dtype), bias.to(x.dtype), stride=2, padding=1)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        sums = avg_pool2d(grad, 2, stride=1, padding=1, divisor_override=1)  # (n, out, 2h+1, 2w+1)
        kernel = weight.transpose(0, 1).flip(2, 3).to(x.dtype, memory_format=torch.channels_last)  # (in, out, 3, 3)
        of_kernel = conv2d_weight(sums, kernel.shape, x, stride=2)  # of x's dtype; autograd casts it to the weight's
        return conv2d(sums, kernel, stride=2), of_kernel.transpose(0, 1).flip(2, 3), grad.sum((0, 2, 3))


class _ToOne(torch.autograd.Function):
    """A 3x3 convolution to one channel, (n, in, h, w) to (n, 1, h, w), as a matrix product with the nine taps.

    A convolution works on blocks of output channels; with a single one, most of its lanes idle.
    """

    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(x, weight)
        taps, pixels = _taps(weight, x.dtype), _pixels(x)
        columns = torch.bmm(taps.expand(len(x), -1, -1), pixels.transpose(1, 2))  # (n, 9, h * w)
        return fold(columns.to(weight.dtype), x.shape[2:], 3, padding=1) + bias.view(1, 1, 1, 1)

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        n, channels, h, w = x.shape
        columns = unfold(grad.to(x.dtype), 3, padding=1)  # (n, 9, h * w)
        of_pixels = columns.transpose(1, 2) @ _taps(weight, x.dtype)  # (n, h * w, in)
        of_x = of_pixels.view(n, h, w, channels).permute(0, 3, 1, 2)  # channels-last
        of_taps = torch.bmm(columns, _pixels(x)).sum(0, dtype=grad.dtype)  # (9, in)
        return of_x, of_taps.T.reshape(1, channels, 3, 3).flip(2, 3), grad.sum().view(1)


def _taps(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """(1, in, 3, 3) of a convolution to one channel as (9, in)."""
    return weight.flip(2, 3).reshape(-1, 9).T.to(dtype)


def _pixels(x: Tensor) -> Tensor:
    """(n, in, h, w) as (n, h * w, in): a view in channels-last memory."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


class SpectralNorm(_SpectralNorm):
    """torch's spectral normalisation (Miyato et al. 2018) of a weight (out, in): by its largest singular value.

    In training that is estimated anew by one power iteration. Same buffers, same results; the gradient is written out.
    """

    def forward(self, weight: Tensor) -> Tensor:
        """``weight`` (out, in) over its largest singular value."""
        with torch.no_grad():
            u, v = self._u, self._v  # estimates of its first left and right singular vectors
            if self.training:
                u.copy_(normalize(weight.mv(v), dim=0, eps=self.eps))
                image = weight.T.mv(u)
                sigma = image.norm()  # u . Wv for v = image / |image|
                v.copy_(image / sigma.clamp_min(self.eps))
            else:
                sigma = u.dot(weight.mv(v))
        return _DivideBySigma.apply(weight, sigma, u.clone(), v.clone())  # copies: the next step changes u and v


def spectral_norm(layer: nn.Linear) -> nn.Linear:
    """``layer`` with its weight spectrally normalised, as torch's function of that name does it."""
    register_parametrization(layer, "weight", SpectralNorm(layer.weight))
    return layer


class _DivideBySigma(torch.autograd.Function):
    """W / sigma with sigma = u . Wv, for W (out, in)."""

    @staticmethod
    def forward(ctx, weight, sigma, u, v):
        normal = weight / sigma
        ctx.save_for_backward(weight, normal, sigma, u, v)
        return normal

    @staticmethod
    def backward(ctx, grad):
        weight, normal, sigma, u, v = ctx.saved_tensors
        if torch.is_grad_enabled():  # a second derivative is wanted, and sigma depends on the weight
            sigma = u.dot(weight.mv(v))
            normal = weight / sigma
        along = grad.flatten().dot(normal.flatten())
        return torch.addr(grad, u, along * v, alpha=-1) / sigma, None, None, None
