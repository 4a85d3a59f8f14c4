"""What was done to eight vectors, step by step: undo, redo, and where a walk is.

Here: states, and when one gesture ends and the next begins. Not here: the edits themselves (`session`).
"""

from ..base import whole  # noqa: F401, before torch

# isort: split
import time
from typing import NamedTuple

import torch
from torch import Tensor

from .. import latent
from ..base.errors import LabError
from ..texts import say


class State(NamedTuple):
    """The vectors at one time."""

    base: Tensor  # (8, latent_dim), before all edits
    z: Tensor  # (8, latent_dim), after them
    seed: int  # that drew the base vectors


class History:
    """The states before and after the present one; equal gestures within a second of each other are one step."""

    def __init__(self):
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._undo: list[State] = []
        self._redo: list[State] = []
        self.release()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to undo."""
        return not self._undo

    def release(self) -> None:
        """Let the next gesture be a step of its own."""
        self._gesture: tuple[tuple, float] = (), 0.0  # the last one, and when it was

    def remember(self, state: State, *gesture) -> None:
        """Keep ``state``, the present one, before ``gesture`` changes it."""
        last, when = self._gesture
        self._gesture = gesture, time.monotonic()
        if gesture != last or time.monotonic() - when > 1:
            self._undo.append(state)
            self._redo.clear()

    def undo(self, state: State) -> State:
        """The state before ``state``, which can be redone; a LabError if there is none."""
        return self._swap(self._undo, self._redo, state, "undo")

    def redo(self, state: State) -> State:
        """The state that was undone last, before ``state``; a LabError if there is none."""
        return self._swap(self._redo, self._undo, state, "redo")

    def _swap(self, source: list[State], target: list[State], state: State, name: str) -> State:
        if not source:
            raise LabError(say(f"editor.status.nothing_to_{name}"))
        target.append(state)
        self.release()
        return source.pop()


class Walk:
    """A way of some garments to another one, on great circles, from where all of them were when it began."""

    def __init__(self, z: Tensor, rows: list[int], end: int):
        self.rows, self.end = rows, end
        self._ways = [latent.interpolate(z[row], z[end], 101) for row in rows]  # (101, latent_dim) each
        self._last = z

    def goes_on(self, z: Tensor, rows: list[int], end: int) -> bool:
        """Is this the walk of ``rows`` to ``end``, and has nothing else changed ``z`` meanwhile?"""
        return (rows, end) == (self.rows, self.end) and torch.equal(z, self._last)

    def at(self, z: Tensor, t: float) -> Tensor:
        """``z`` with the garments ``t`` of the way there, 0 to 1."""
        self._last = z.clone()
        for row, way in zip(self.rows, self._ways, strict=True):
            self._last[row] = way[round(100 * t)]
        return self._last
