"""What was brought, loaded: it draws what it is asked for."""

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .frames import LARGEST_ARRAY, Refused


class Drawer:
    """What was brought: a function of z, a network of which the mode can be chosen, or pictures."""

    def __init__(self, draw=None, module=None, images=None, hints=(), notes=(), last="", mode=False):
        self.draw, self.module, self.images = draw, module, images
        self.notes, self.hints, self.last = list(notes), list(hints), last
        self.modes = {one: one.training for one in module.modules()} if module is not None else {}
        self.state = {k: v.clone() for k, v in module.state_dict().items()} if module is not None else {}
        self.card = {"of_pictures": images is not None, "network": module is not None, "brings_mode": mode}

    def answer(self, asked: dict, content: bytes) -> tuple[dict, bytes]:
        """The frame that answers ``asked``: pictures."""
        if self.images is not None:
            return framed(torch.from_numpy(np.ascontiguousarray(self.images[asked["first"] : asked["last"]])))
        z = torch.frombuffer(bytearray(content), dtype=torch.float32).view(asked["shape"])
        for one, training in self.modes.items():
            one.train(training) if asked["mode"] == "brought" else None
        if self.module is not None and asked["mode"] != "brought":
            self.module.train(asked["mode"] == "train")
        own = next((p.dtype for p in self.module.parameters()), z.dtype) if self.module is not None else z.dtype
        z = z.to(own) if own.is_floating_point else z
        torch.manual_seed(asked["seed"])
        np.random.seed(asked["seed"])
        random.seed(asked["seed"])
        with torch.no_grad():
            out = self.draw(z)
        if self.module is not None and asked["mode"] != "eval":  # which spoils the statistics of BatchNorm
            self.module.load_state_dict(self.state)
        return framed(out)

    def about(self) -> dict:
        """What the one who asks should know before."""
        count = sum(value.numel() for value in self.module.parameters()) if self.module is not None else 0
        n = 0 if self.images is None else len(self.images)
        training = any(
            training for one, training in self.modes.items() if list(one.buffers(False)) or "Drop" in kind_of(one)
        )
        hints = {"hints": self.hints, "last": self.last, "notes": self.notes}
        return self.card | hints | {"parameters": count, "pictures": n, "training": training}


def framed(out: Any) -> tuple[dict, bytes]:
    """What a network gave, a tensor or array, or the first of several, as a frame.

    Raises:
        Refused: it is no tensor, or far too large.
    """
    while isinstance(out, tuple | list) and len(out) and not isinstance(out[0], int | float):
        out = out[0]  # pictures, and what else a network may give
    out = torch.from_numpy(out) if isinstance(out, np.ndarray) else out
    if not isinstance(out, Tensor):
        raise Refused(f"it draws a {type(out).__name__}, no tensor")
    whole = not out.dtype.is_floating_point
    content = out.detach().cpu().to(torch.float32).contiguous()
    if content.numel() * 4 > LARGEST_ARRAY:
        raise Refused(f"it draws a tensor of shape {tuple(content.shape)}: far too large")
    return {"shape": list(content.shape), "whole": whole}, content.numpy().tobytes()


def kind_of(module: nn.Module) -> str:
    """The class of a layer; those of a script are all of one, and keep the name of their own."""
    return getattr(module, "original_name", type(module).__name__)
