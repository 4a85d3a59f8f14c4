"""A training step as one CUDA graph."""

import sys
import warnings
from collections.abc import Callable

import torch
from torch import Tensor


def captured(
    step: Callable[[Tensor, Tensor], Tensor], state, x: Tensor, z: Tensor
) -> Callable[[Tensor, Tensor], Tensor]:
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
            print(
                f"labkit: no CUDA graph ({str(error).splitlines()[0]}): training goes on step by step", file=sys.stderr
            )
            torch.cuda.set_stream(current)
            torch.cuda.synchronize()
            return step
        finally:
            with torch.no_grad():
                for tensor in _live(state):  # what the optimisers only made now starts from zero
                    if tensor in before:
                        tensor.copy_(before[tensor])
                    else:
                        tensor.zero_()

    def replay(x_real: Tensor, noise: Tensor) -> Tensor:
        x.copy_(x_real)
        z.copy_(noise)
        graph.replay()
        return out

    return replay


def _live(state) -> list[Tensor]:
    """All tensors that a step changes, themselves and not copies."""
    networks = [tensor for network in (state.g, state.d) for tensor in (*network.parameters(), *network.buffers())]
    return networks + [
        tensor for opt in (state.opt_g, state.opt_d) for entry in opt.state.values() for tensor in entry.values()
    ]
