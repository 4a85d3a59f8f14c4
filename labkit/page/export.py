"""A trained network as a page takes it: a list of layers, BatchNorm folded in, and their weights in half precision.

    network = export(run.generator(), latent_dim=100)
    network.layers    what the page computes, a list for JSON
    network.payload() the weights as text, about two bytes a weight before compression

A list of layers: every layer makes the value of its number + 1 from the value ``from`` (0 is the input) and, where it
says so, others. Feature maps are channels last: a value is (n, pixels * channels). The weights of a layer follow those
of the layer before it, W, then b.

    kind     makes                                                                 W                b
    dense    x W + b                                                               (in, out)        (out,)
    conv     3x3 convolution, padding 1, of ``size`` x ``size`` pixels; ``up``     (in, 9, out)     (out,)
             doubles them before (nearest), ``stride`` 2 halves them
    add      the sum of ``from`` and ``with``
    pool     the largest of 2x2 pixels, of ``size`` x ``size``
    mean     the mean of all pixels of each channel

``act`` follows: none, leaky (``slope``), relu, tanh or hardtanh.
"""

import base64
import gzip
import operator
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..base.errors import LabError
from ..base.files import sha256
from ..evaluation.classifier import Classifier
from ..gans.layers import plain

ACTIVATIONS: dict[type[nn.Module], str] = {
    nn.LeakyReLU: "leaky",
    nn.ReLU: "relu",
    nn.Tanh: "tanh",
    nn.Hardtanh: "hardtanh",
}
LARGEST = torch.finfo(torch.float16).max


@dataclass(frozen=True)
class Network:
    """``layers`` for JSON, and ``content``: the weights, float16, all high bytes before all low bytes."""

    layers: list[dict]
    content: bytes

    @property
    def digest(self) -> str:
        """SHA-256 of ``content``."""
        return sha256(self.content)

    def payload(self) -> str:
        """``content``, gzip, base64; the same network gives the same text."""
        return base64.b64encode(gzip.compress(self.content, 9, mtime=0)).decode()

    def weights(self) -> Tensor:
        """The numbers in ``content``, float32 (weights,)."""
        planes = torch.frombuffer(bytearray(self.content), dtype=torch.uint8).view(2, -1)
        return planes.flip(0).T.contiguous().view(torch.float16).flatten().float()  # low byte first


@dataclass
class _Value:
    """A value of the network: number ``index`` in the page, (n, channels, size, size) or, with size 0, (n, channels).

    ``up``: it is to be doubled by the convolution that reads it.
    """

    index: int
    channels: int
    size: int = 0
    up: bool = False


class _Exporter:
    """Follows the graph of a network and writes its layers down."""

    def __init__(self, name: str, network: nn.Module, features: int, size: int):
        self.name, self.network = name, network
        self.layers: list[dict] = []
        self.tensors: list[list[Tensor]] = []  # of each layer: W and b, float64
        self.input = _Value(0, features, size)
        self.shared = False  # whether what the layer at hand reads is read by another too

    def refuse(self, what) -> LabError:
        return LabError(
            f"{self.name}: the page cannot compute {what}: add it to labkit/page/export.py and engine.js,"
            " or leave this network out of the page"
        )

    def add(self, value: _Value, kind: str, tensors: tuple[Tensor, ...], channels: int, size: int, **more) -> _Value:
        """Write down a layer; the value that it makes."""
        shape = {"size": value.size} if value.size else {}
        layer = {"kind": kind, "from": value.index, "in": value.channels, "out": channels, **shape, **more}
        self.layers.append({**layer, "act": "none"})
        self.tensors.append([tensor.detach().double() for tensor in tensors])
        return _Value(len(self.layers), channels, size)

    def module(self, layer: nn.Module, x: _Value) -> _Value:
        """What ``layer`` makes of ``x``."""
        match layer:
            case nn.Dropout() | nn.Identity():
                return x
            case nn.Linear() if x.size == 0:
                bias = layer.bias if layer.bias is not None else torch.zeros(layer.out_features)
                return self.add(x, "dense", (layer.weight.T, bias), layer.out_features, 0)
            case nn.Conv2d() if x.size and _is_known(layer):
                return self.convolution(layer, x)
            case _BatchNorm() if self.is_open(x) and not x.up:
                return self.fold(layer, x)
            case nn.Upsample() if x.size and not x.up and layer.mode == "nearest" and layer.scale_factor == 2:
                return _Value(x.index, x.channels, x.size, up=True)
            case nn.MaxPool2d(kernel_size=2, stride=2, padding=0) if x.size % 2 == 0 and x.size and not x.up:
                return self.add(x, "pool", (), x.channels, x.size // 2)
            case nn.AdaptiveAvgPool2d(output_size=1) if x.size and not x.up:
                return self.add(x, "mean", (), x.channels, 1)
            case nn.Flatten() if x.size == 1:
                return _Value(x.index, x.channels)
            case nn.LeakyReLU() | nn.ReLU() | nn.Tanh() | nn.Hardtanh() if self.is_open(x) and not x.up:
                return self.activate(layer, x)
        raise self.refuse(f"{type(layer).__name__} where it stands")

    def is_open(self, x: _Value) -> bool:
        """Whether the layer that made ``x`` can still take something in: no activation yet, and no other reader."""
        return x.index > 0 and self.layers[x.index - 1]["act"] == "none" and not self.shared

    def activate(self, layer: nn.Module, x: _Value) -> _Value:
        if isinstance(layer, nn.Hardtanh) and (layer.min_val, layer.max_val) != (-1, 1):
            raise self.refuse(layer)
        slope = {"slope": layer.negative_slope} if isinstance(layer, nn.LeakyReLU) else {}
        self.layers[x.index - 1].update(act=ACTIVATIONS[type(layer)], **slope)
        return x

    def convolution(self, conv: nn.Conv2d, x: _Value) -> _Value:
        bias = conv.bias if conv.bias is not None else torch.zeros(conv.out_channels)
        weight = conv.weight.permute(1, 2, 3, 0).flatten(1, 2)  # (in, 9, out)
        size, stride = x.size * (2 if x.up else 1), conv.stride[0]
        return self.add(
            x, "conv", (weight, bias), conv.out_channels, (size + stride - 1) // stride, up=x.up, stride=stride
        )

    def fold(self, norm: _BatchNorm, x: _Value) -> _Value:
        """BatchNorm with its stored statistics is a factor and a summand for each channel of the layer before."""
        before, tensors = self.layers[x.index - 1], self.tensors[x.index - 1]
        if not tensors or norm.running_mean is None or norm.running_var is None:
            raise self.refuse(f"{type(norm).__name__} after {before['kind']}")
        factor = (norm.running_var.double() + norm.eps).rsqrt()
        factor = factor if norm.weight is None else factor * norm.weight.detach().double()
        summand = -norm.running_mean.double() * factor
        summand = summand if norm.bias is None else summand + norm.bias.detach().double()
        repeat = tensors[1].numel() // x.channels  # maps of a dense layer: pixels, then channels
        tensors[0] = tensors[0] * factor.repeat(repeat)
        tensors[1] = tensors[1] * factor.repeat(repeat) + summand.repeat(repeat)
        return x

    def reshape(self, x: _Value, shape: tuple[int, ...]) -> _Value:
        """A flat value as maps, in the channels-last order that the page keeps; or one channel of pixels as it is."""
        if x.size == 0 and len(shape) == 4 and prod(shape[1:]) == x.channels and shape[2] == shape[3]:
            _, channels, size, _ = shape
            if channels > 1:
                if not self.is_open(x) or self.layers[x.index - 1]["kind"] != "dense":
                    raise self.refuse("maps of what no linear layer made")
                tensors = self.tensors[x.index - 1]
                order = torch.arange(x.channels).view(channels, -1).T.flatten()
                tensors[:] = [tensors[0][:, order], tensors[1][order]]
            return _Value(x.index, channels, size)
        raise self.refuse(f"a view as {shape}")

    def sum(self, a: Any, b: Any) -> _Value:
        if not isinstance(a, _Value) or not isinstance(b, _Value):
            value, other = (a, b) if isinstance(a, _Value) else (b, a)
            if other == 0:
                return value
            raise self.refuse(f"a sum with {other!r}")
        if (a.channels, a.size, a.up) != (b.channels, b.size, b.up) or a.up:
            raise self.refuse("a sum of unlike shapes")
        return self.add(a, "add", (), a.channels, a.size, **{"with": b.index})

    def run(self) -> None:
        """Follow the graph from the input to the output."""
        try:
            graph = fx.symbolic_trace(self.network).graph
        except Exception as error:  # tracing runs the network's own code
            raise self.refuse(f"what {type(self.network).__name__} does ({str(error).splitlines()[0]})") from None
        values: dict[fx.Node, _Value] = {}
        known: dict[Any, Callable] = {operator.add: self.sum, torch.add: self.sum}
        for node in graph.nodes:
            args = _looked_up(node.args, values)
            if node.op == "placeholder":
                values[node] = self.input
            elif node.op == "call_module":
                self.shared = len(node.args[0].users) > 1
                values[node] = self.module(self.network.get_submodule(node.target), args[0])
            elif node.op == "call_method" and node.target in ("view", "reshape"):
                values[node] = self.reshape(args[0], args[1] if len(args) == 2 else args[1:])
            elif node.op == "call_function" and node.target in known:
                values[node] = known[node.target](*args)
            elif node.op == "output":
                if args[0].index != len(self.layers):
                    raise self.refuse("a result that is not the last layer's")
            else:
                raise self.refuse(f"{node.target} where it stands")


def _looked_up(args: Any, values: dict[fx.Node, _Value]) -> Any:
    """``args`` of a node with the value of every node in them."""
    if isinstance(args, fx.Node):
        return values[args]
    return tuple(_looked_up(arg, values) for arg in args) if isinstance(args, tuple | list) else args


def _is_known(conv: nn.Conv2d) -> bool:
    square = (conv.kernel_size, conv.padding, conv.dilation, conv.groups) == ((3, 3), (1, 1), (1, 1), 1)
    return square and conv.padding_mode == "zeros" and conv.stride in ((1, 1), (2, 2))


def export(network: nn.Module, name: str, features: int, size: int = 0, bits: int = 10) -> Network:
    """``network``, in eval mode, as the page computes it; its input has ``features`` numbers, or channels of pixels.

    ``bits`` of the mantissa are kept of each weight; 10 is all that half precision has, fewer make a shorter payload.

    Raises:
        LabError: it does what the page cannot compute, or a weight is too large for half precision.
    """
    exporter = _Exporter(name, plain(network).cpu().eval(), features, size)
    exporter.run()
    flat = [tensor.flatten() for tensors in exporter.tensors for tensor in tensors]
    numbers = torch.cat(flat) if flat else torch.empty(0, dtype=torch.float64)
    if not bool((numbers.abs() <= LARGEST).all()):  # also refuses nan
        raise LabError(f"{name}: a folded weight is not a number of at most {LARGEST:g}: train it again")
    mantissa, exponent = torch.frexp(numbers)
    kept = torch.ldexp((mantissa * 2 ** (bits + 1)).round() / 2 ** (bits + 1), exponent) if bits < 10 else numbers
    planes = kept.to(torch.float16).view(torch.uint8).view(-1, 2).flip(1).T.contiguous()  # high bytes, low bytes
    return Network(exporter.layers, planes.numpy().tobytes())


def export_generator(generator: nn.Module, name: str, latent_dim: int = 100) -> Network:
    """A trained generator; see `export`."""
    return export(generator, name, latent_dim)


CLASSIFIER_BITS = 5  # of the mantissa of a weight: a third of the payload less


def export_classifier(classifier: Classifier) -> Network:
    """The classifier; its weights keep `CLASSIFIER_BITS`: it gives the same class (a test holds that)."""
    network = nn.Sequential(*classifier.features, classifier.classifier)
    return export(network, "the classifier", 1, 28, bits=CLASSIFIER_BITS)
