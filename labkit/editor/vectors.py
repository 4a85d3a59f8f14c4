"""Eight latent vectors and the edits of them, step by step, and undone.

Here: the present vectors and what changes them. Not here: operations on z (`latent`), steps of undo (`history`), the
network that draws them (`session`).
"""

from ..base import whole  # noqa: F401, before torch

# isort: split
import threading
from functools import wraps

import torch
from torch import Tensor

from .. import latent
from ..analysis import naming
from ..base import doors
from ..base.errors import LabError
from ..base.machine import own_torch
from ..page.recipe import GARMENTS, base_vectors
from ..texts import say
from . import own
from .history import History, State, Walk

NEARLY = 1e-5  # so near is the same place on a slider
MODES = ("shift", "set")  # what a slider does


def reports(method):
    """Let ``method`` of an editor report in the status line what it returns or raises, and draw the new state."""

    @wraps(method)
    def call(self, *arguments, **options):
        with self._lock:  # JupyterLab runs callbacks in more than one thread
            try:
                if method.__name__ not in ("use", "load", "load_text"):
                    self.opened()
                given = [plain(one) for one in arguments], {name: plain(one) for name, one in options.items()}
                with own_torch():
                    self.status, self.failed = method(self, *given[0], **given[1]) or "", False
            except LabError as error:
                self.status, self.failed = str(error), True
            self.refresh()

    return call


class Vectors:
    """Eight vectors, ``base`` as they were drawn and ``z`` with their edits, and what an edit changes.

    ``dim`` is a dimension of z by its number, or one of ``directions`` by its name. A method takes effect at once, or
    says in ``status`` why not and leaves everything as it was.
    """

    base: Tensor  # (8, latent_dim)
    z: Tensor  # (8, latent_dim)

    def __init__(self, seed: int = 0):
        self._lock, self.status, self.failed = threading.RLock(), "", False
        self.seed, self.mode = seed, MODES[0]
        self.dim: int | str = latent.LAB_DIMS[0]  # the last one edited
        self.rows: list[int] = list(range(GARMENTS))  # garments that an edit changes
        self.touched: list[int] = []  # and those that the last edit did change
        self.directions: dict[str, Tensor] = {}  # unit vectors by name
        self.deeds: dict[str, naming.Deed] = {}  # what these were measured to do
        self._history = History()
        self._walk: Walk | None = None
        self._base_images: Tensor | None = None  # of a subclass that draws

    def opened(self):
        """What draws the vectors, or a LabError."""
        raise LabError(say("editor.status.no_network"))

    def refresh(self) -> None:
        """Show the present state."""

    def title(self, dim: int | str) -> str:
        """What the slider of ``dim`` is called."""
        return naming.title_of(dim, self.deeds.get(dim) if isinstance(dim, str) else None)

    def position(self, dim: int | str, z: Tensor | None = None) -> Tensor:
        """The coordinate of every garment along ``dim``, (8,): of ``z``, left out as they now are."""
        z = self.z if z is None else z
        return z[:, dim] if type(dim) is int else z @ self._unit(dim)

    def _unit(self, dim: int | str) -> Tensor:
        """The unit vector that ``dim`` means, (latent_dim,)."""
        if not isinstance(dim, str):
            latent.check_edits([dim], [0.0], self.base.shape[1])
            return torch.eye(self.base.shape[1], dtype=torch.float32, device="cpu")[dim]
        if dim not in self.directions:
            raise LabError(
                f"direction {dim!r} is not known: there are {', '.join(self.directions) or 'none yet, use find'}"
            )
        return self.directions[dim]

    @reports
    def set(self, dim: int | str, value: float, rows: list[int] | None = None):
        """Set ``dim`` to ``value`` in ``rows``, or in those that the editor is set to."""
        rows = self._checked(dim, value, rows)
        self._edit(self.edited(dim, value, rows), rows, "set", dim)

    @reports
    def shift(self, dim: int | str, by: float, rows: list[int] | None = None):
        """Move ``rows``, or those that the editor is set to, along ``dim``: on average they end ``by`` from the base.

        What differs between them stays: none jumps to the others.
        """
        rows = self._checked(dim, by, rows)
        moved = (self.position(dim) - self.position(dim, self.base))[rows]
        apart = moved - moved.mean()
        apart[apart.abs() < NEARLY] = 0
        wanted = self.position(dim, self.base)[rows] + apart + by  # a coordinate for each of rows
        z = self.z.clone()
        if type(dim) is int:
            z[rows, dim] = wanted
        else:
            z[rows] += (wanted - self.position(dim)[rows]).unsqueeze(1) * self._unit(dim)
        self._edit(z, rows, "shift", dim)

    @reports
    def choose_mode(self, mode: str):
        """Let a slider shift garments, or set them to one value; see `MODES`."""
        if mode not in MODES:
            raise LabError(f"mode = {doors.said(mode)}: there are {' and '.join(MODES)}")
        self.mode = mode
        self._history.release()

    def _checked(self, dim: int | str, value: float, rows: list[int] | None) -> list[int]:
        """``rows``, or those that the editor is set to, if ``dim`` can be moved to ``value`` there."""
        self._unit(dim)
        latent.check_edits([0], [value], 1)
        if abs(value) > latent.RANGE:
            raise LabError(f"{self.title(dim)} = {value:g} is out of range: -{latent.RANGE:g} to {latent.RANGE:g}")
        return check_rows(self.rows if rows is None else rows)

    def _edit(self, z: Tensor, rows: list[int], name: str, dim: int | str) -> None:
        """Take ``z``, in which ``rows`` have moved along ``dim``."""
        self._remember(name, dim, *rows)
        self.z, self.dim, self.touched = z, dim, rows

    def edited(self, dim: int | str, value: float, rows: list[int]) -> Tensor:
        """z with ``dim`` at ``value`` in ``rows``."""
        if type(dim) is int:
            return latent.perturb(self.z, dim, value, rows)
        z = self.z.clone()
        z[rows] = latent.perturb_along(z[rows], self._unit(dim), value)
        return z

    @reports
    def reset(self, dim: int | str | None = None, rows: list[int] | None = None):
        """Give ``dim``, or all of z, back its base value: in ``rows``, or in those that the editor is set to."""
        rows = check_rows(self.rows if rows is None else rows)
        z = self.z.clone()
        unit = None if dim is None else self._unit(dim)
        if unit is None:
            z[rows] = self.base[rows]
        elif isinstance(dim, str):
            z[rows] += ((self.base - self.z)[rows] @ unit).unsqueeze(1) * unit
        else:
            z[rows, dim] = self.base[rows, dim]
        self._remember("reset", dim, *rows)
        self.z, self.touched = z, []

    @reports
    def reseed(self, seed: int):
        """Draw new base vectors."""
        base = base_vectors(self.base.shape[1], seed)
        self._remember("seed")
        self._replace(State(base, base, seed))

    @reports
    def walk(self, start: int | None, end: int, t: float):
        """Put garment ``start`` on the great circle to garment ``end``, ``t`` from 0 to 1 of the way.

        The way goes from what both are when it begins, with their edits, until another edit is made. Without a
        ``start``, all go there that the editor is set to.
        """
        rows = self.rows if start is None else [start]
        *rows, end = check_rows([*rows, end])
        t = doors.real("t", t, 0, 1)
        walk = self._walk if self._walk and self._walk.goes_on(self.z, rows, end) else Walk(self.z, rows, end)
        self._remember("walk", *rows, end)
        self.z, self.touched, self._walk = walk.at(self.z, t), rows, walk

    @reports
    def place(self, vectors: Tensor):
        """Let the garments that the editor is set to begin anew as ``vectors``, (n, latent_dim), one after another."""
        vectors = own.checked(vectors, self.base.shape[1], len(self.rows))
        rows = self.rows[: len(vectors)]
        self._remember("place")
        base, z = self.base.clone(), self.z.clone()
        base[rows], z[rows] = vectors, vectors
        self._replace(State(base, z, self.seed))
        self.touched = rows
        return say("editor.status.placed", garments=", ".join(str(row + 1) for row in rows))

    @reports
    def undo(self):
        """Take the last edit back."""
        self._replace(self._history.undo(self._state()))

    @reports
    def redo(self):
        """Make the edit again that was taken back."""
        self._replace(self._history.redo(self._state()))

    @reports
    def select(self, rows: list[int]):
        """Let the edits to come change the garments in ``rows``."""
        self.rows = check_rows(rows)

    def _state(self) -> State:
        return State(self.base, self.z, self.seed)

    def _replace(self, state: State) -> None:
        """Take other base vectors, and edits of them."""
        self.base, self.z, self.seed = state.base, state.z.clone(), state.seed
        self._base_images, self._walk, self.touched = None, None, []

    def _remember(self, *gesture) -> None:
        """Keep the present state for undo, before ``gesture`` changes it."""
        self._history.remember(self._state(), *gesture)


def check_rows(rows: list[int]) -> list[int]:
    """``rows``, if they are numbers of garments."""
    return doors.wholes("rows", rows, 0, GARMENTS - 1)


def plain(value):
    """A number of NumPy's or torch's as Python's own, which files and labels take; all else as it is."""
    return doors.plain(value) if getattr(value, "ndim", None) == 0 else value
