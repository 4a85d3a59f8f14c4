"""A training step as one CUDA graph."""

import sys
import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor


def recorded(
    step: Callable[[], None], live: Callable[[], list[Tensor]], generators: Sequence[Generator], device: str
) -> Callable[[], None] | None:
    """What replays ``step()`` as one CUDA graph on ``device``; None, and a line, where it cannot be recorded.

    ``live()`` gives all tensors that a step changes: they are as they were, and what the step made itself starts from
    zero. ``generators`` are those of the GPU that the step draws from beside the default one.
    """
    before = {tensor: tensor.detach().clone() for tensor in live()}
    with torch.cuda.device(device):
        current, side, graph = torch.cuda.current_stream(), torch.cuda.Stream(), torch.cuda.CUDAGraph()
        for generator in generators:
            graph.register_generator_state(generator)
        side.wait_stream(current)
        try:
            with torch.cuda.stream(side), warnings.catch_warnings(action="ignore"):
                for _ in range(3):  # lazily made things are made outside the graph
                    step()
            current.wait_stream(side)
            with torch.cuda.graph(graph, stream=side):
                step()
        except RuntimeError as error:
            print(
                f"labkit: no CUDA graph ({str(error).splitlines()[0]}): training goes on step by step", file=sys.stderr
            )
            torch.cuda.set_stream(current)
            torch.cuda.synchronize()
            return None
        finally:
            with torch.no_grad():
                for tensor in live():
                    if tensor in before:
                        tensor.copy_(before[tensor])
                    else:
                        tensor.zero_()
    return graph.replay
