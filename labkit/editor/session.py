"""What can be done to eight latent vectors, step by step, and undone: the editor without its sliders.

Here: the present state and its history. Not here: operations on z (`latent`), drawing (`figures`), the file that is
saved (`recipe`).
"""

from ..base import whole  # noqa: F401, before torch

# isort: split
import threading
import time
from collections.abc import Sequence
from functools import wraps
from pathlib import Path

import torch
from torch import Tensor

from .. import latent, pictures
from ..analysis import directions
from ..base import doors, paths
from ..base.errors import LabError
from ..base.files import write_new
from ..base.machine import own_torch, pick_device
from ..figures import catalogue, sheets
from ..gans import reported
from ..texts import say, terms
from ..training import runs
from .recipe import GARMENTS, Recipe, base_vectors, encode_recipe, read_recipe
from .worlds import length_of, listed, open_world, title_of, worlds

State = tuple[Tensor, Tensor, int]  # base vectors, z, and the seed that drew the base vectors
RANGE = 4.0  # of a slider, either way; one number in 16,000 lies beyond
MEASURES = {"brightness": pictures.brightness, "contrast": pictures.contrast, "width": pictures.width}


def _reports(method):
    """Let ``method`` of an editor report in the status line what it returns or raises, and draw the new state."""

    @wraps(method)
    def call(self, *arguments, **options):
        with self._lock:  # JupyterLab runs callbacks in more than one thread
            try:
                if method.__name__ not in ("use", "load"):
                    self.opened()
                given = [_own(one) for one in arguments], {name: _own(one) for name, one in options.items()}
                with own_torch():
                    self.status, self.failed = method(self, *given[0], **given[1]) or "", False
            except LabError as error:
                self.status, self.failed = str(error), True
            self.refresh()

    return call


class Editor:
    """Eight garments and the latent vectors behind them.

    What an edit changes, ``dim``, is a dimension of z by its number or one of ``directions`` by its name; `find` looks
    for these. ``run`` is the folder of a finished run, or of a run of a study that keeps weights (left out: the DCGAN
    of the longest profile there is), ``dims`` have a slider from the start, ``seed`` draws the base vectors. A method
    takes effect at once, or says in ``status`` why not and leaves everything as it was. A subclass draws in `refresh`,
    which is called after every method.
    """

    def __init__(
        self,
        run: Path | None = None,
        dims: Sequence[int | str] = latent.LAB_DIMS,
        seed: int = 0,
        device: str = "auto",
    ):
        self._lock, self.device, self.status, self.failed = threading.RLock(), pick_device(device), "", False
        self.run: runs.Run | None = None
        self.seed, self.dims = _own(seed), _each(dims)
        self.dim: int | str = latent.LAB_DIMS[0]  # the last one edited
        self.rows: list[int] = list(range(GARMENTS))  # garments that an edit changes
        self.touched: list[int] = []  # and those that the last edit did change
        self._base_images: Tensor | None = None
        self._gesture: tuple[tuple, float] = (), 0.0  # the last one, and when it was
        self._undo: list[State] = []
        self._redo: list[State] = []
        self.effects: dict[int | str, float] = {}  # by dimension or direction
        self.directions: dict[str, Tensor] = {}  # unit vectors by name
        self.descriptions: dict[str, str] = {}  # what these were measured to do
        # The GAN of the last chapter comes first, each in its longest profile.
        best = sorted(worlds(), key=lambda folder: folder.parts[-2] != reported()[-1])
        self.use(run or (best[0] if best else paths.RUNS))

    def opened(self) -> runs.Run:
        """The run that is open, or a LabError."""
        if self.run is None:
            raise LabError(say("editor.status.no_network"))
        return self.run

    def refresh(self) -> None:
        """Show the present state."""

    def progress(self, share: float) -> None:
        """Show how much of a longer work is done, 0 to 1."""

    def images(self) -> tuple[Tensor, Tensor]:
        """Base and edited garments, (8, 1, 28, 28) each."""
        if self._base_images is None:
            self._base_images = latent.sample(self.g, self.base)
        return self._base_images, latent.sample(self.g, self.z)

    def figure(self):
        """The present state as a matplotlib Figure."""
        run, dims = self.opened(), (self.z != self.base).any(0).nonzero().flatten().tolist()
        names = say("common.list.between").join([name_of(dim) for dim in dims[:6]] + ["\u2026"] * (len(dims) > 6))
        title = say(
            "editor.figure",
            network=title_of(run.config.model),
            profile=run.config.profile,
            seed=run.config.seed,
            length=length_of(run),
            vectors=self.seed,
            edits=say("editor.edited", dims=names) if dims else say("editor.as_drawn"),
        )
        return sheets.edit(*self.images(), title)

    def effect(self, dim: int | str) -> float:
        """How far one unit along ``dim`` moves the image, in grey levels: mean over 16 vectors, measured once a run."""
        if dim not in self.effects:
            z = latent.latents(16, self.base.shape[1], 1)
            self.effects[dim] = latent.change_along(self.g, z, self._unit(dim)[None]).item()
        return self.effects[dim]

    def position(self, dim: int | str) -> Tensor:
        """The coordinate of every garment along ``dim``, (8,)."""
        return self.z[:, dim] if type(dim) is int else self.z @ self._unit(dim)

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

    @_reports
    def use(self, folder: Path):
        """Open the run in ``folder``, trained and verified. The vectors stay if they fit."""
        run, dims = open_world(listed(folder)), self.dims
        found, descriptions = _measured_directions(run)
        if self.run is None and (unknown := [dim for dim in dims if isinstance(dim, str) and dim not in found]):
            raise LabError(
                f"dims = {dims}: {unknown[0]!r} is neither a dimension of z nor a direction that was measured"
            )
        if self.run is None or run.config.latent_dim != self.run.config.latent_dim:
            if self.run:
                dims = [dim for dim in dims if isinstance(dim, str) or dim < run.config.latent_dim]
            latent.check_edits([dim for dim in dims if not isinstance(dim, str)] or [0], [0.0], run.config.latent_dim)
            self._replace(base_vectors(run.config.latent_dim, self.seed), None, self.seed)
            self._undo, self._redo = [], []
        self._open(run, found, descriptions)
        self.dims = [dim for dim in dims if not isinstance(dim, str) or dim in found]

    def _open(self, run: runs.Run, found: dict[str, Tensor], descriptions: dict[str, str]) -> None:
        """Draw with the generator of ``run`` from now on; what was known of the one before is forgotten."""
        self.run, self.g, self.effects = run, run.generator(self.device), {}
        self.directions, self.descriptions = found, descriptions
        self._base_images, self._gesture = None, ((), 0.0)

    @_reports
    def set(self, dim: int | str, value: float, rows: list[int] | None = None):
        """Set ``dim`` to ``value`` in ``rows``, or in those that the editor is set to."""
        self._unit(dim)
        _, (value,) = latent.check_edits([0], [value], 1)
        if abs(value) > RANGE:
            raise LabError(f"{name_of(dim)} = {value:g} is out of range: -{RANGE:g} to {RANGE:g}")
        rows = _check_rows(self.rows if rows is None else rows)
        self._remember("set", dim, *rows)
        self.z, self.dim, self.touched = self._edited(dim, value, rows), dim, rows

    def _edited(self, dim: int | str, value: float, rows: list[int]) -> Tensor:
        """z with ``dim`` at ``value`` in ``rows``."""
        if type(dim) is int:
            return latent.perturb(self.z, dim, value, rows)
        z = self.z.clone()
        z[rows] = latent.perturb_along(z[rows], self._unit(dim), value)
        return z

    @_reports
    def reset(self, dim: int | str | None = None):
        """Give ``dim``, or all of z, back its base value in every garment."""
        z = self.base.clone()
        if isinstance(dim, str):
            unit = self._unit(dim)
            z = self.z + ((self.base - self.z) @ unit).unsqueeze(1) * unit
        elif dim is not None:
            self._unit(dim)
            z = torch.where(torch.arange(z.shape[1]) == dim, z, self.z)
        self._remember("reset", dim)
        self.z, self.touched = z, []

    @_reports
    def reseed(self, seed: int):
        """Draw new base vectors."""
        base = base_vectors(self.base.shape[1], seed)
        self._remember("seed")
        self._replace(base, None, seed)

    @_reports
    def walk(self, start: int, end: int, t: float):
        """Put garment ``start`` on the great circle to garment ``end``'s base vector, ``t`` from 0 to 1 of the way."""
        (start, end), t = _check_rows([start, end]), doors.real("t", t, 0, 1)
        self._remember("walk", start, end)
        self.z, self.touched = self.z.clone(), [start]
        self.z[start] = latent.interpolate(self.base[start], self.base[end], 101)[round(100 * t)]

    @_reports
    def undo(self):
        """Take the last edit back."""
        return self._swap(self._undo, self._redo, "undo")

    @_reports
    def redo(self):
        """Make the edit again that was taken back."""
        return self._swap(self._redo, self._undo, "redo")

    @_reports
    def add(self, dim: int | str):
        """Give ``dim`` a slider."""
        self._unit(dim)
        self.effect(dim)
        if dim not in self.dims:
            self.dims.append(dim)

    @_reports
    def remove(self, dim: int | str):
        """Take the slider of ``dim`` away; its value stays."""
        self.dims = [d for d in self.dims if d != dim]

    @_reports
    def select(self, rows: list[int]):
        """Let the edits to come change the garments in ``rows``."""
        self.rows = _check_rows(rows)

    @_reports
    def rank(self):
        """Measure how far each dimension moves the image."""
        for dim in range(self.base.shape[1]):
            self.effect(dim)
            self.progress((dim + 1) / self.base.shape[1])
        return say("editor.status.ranked", count=self.base.shape[1])

    @_reports
    def find(self):
        """Look for directions that may do more than the axes; see `directions`."""
        self.directions = directions.all_directions(self.g, self.base.shape[1]) | self.directions
        self.progress(1)
        return say("editor.status.found", count=len(self.directions))

    @_reports
    def save(self):
        """Keep the picture, as PNG and SVG, and the recipe."""
        return self._write({f"picture.{kind}": content for kind, content in catalogue.encode(self.figure()).items()})

    @_reports
    def sweep(self, dim: int | str | None = None):
        """Keep an animation of ``dim``, or of what was edited last, from -3 to 3 and back, and the recipe."""
        if dim is None:
            known = self.dim in self.directions if isinstance(self.dim, str) else self.dim < self.base.shape[1]
            dim = self.dim if known else next(iter(self.dims), 0)  # it may be one of a network that was open before
        self._unit(dim)
        values = torch.linspace(latent.LAB_VALUES[0], latent.LAB_VALUES[-1], 25).tolist()
        frames = []
        for value in values + values[-2:0:-1]:
            frames.append(
                (f"{name_of(dim)} = {value:+.2f}", latent.sample(self.g, self._edited(dim, value, self.rows)))
            )
            self.progress(len(frames) / (2 * len(values) - 2))
        return self._write({"sweep.gif": sheets.animation(frames)})

    @_reports
    def load(self, name: str):
        """Bring back what was kept as ``name``: the same network, the same vectors, the same pixels."""
        if name not in self.kept():
            raise LabError(f"recipe {name!r} is not in {paths.KEPT}: there are {', '.join(self.kept()) or 'none'}")
        saved = read_recipe(paths.KEPT / name / "recipe.json")
        found, descriptions = _measured_directions(saved.run)
        if self.run and saved.run.config.latent_dim == self.run.config.latent_dim:
            self._remember("load")
        else:
            self._undo, self._redo = [], []
        self._open(saved.run, found | saved.directions, descriptions)
        self._replace(saved.base, saved.z, saved.seed)
        self.dims = saved.dims
        return say("editor.status.back", name=name)

    def kept(self) -> list[str]:
        """Names of what can be loaded."""
        return sorted(path.parent.name for path in paths.KEPT.glob("*/recipe.json"))

    def _write(self, files: dict[str, bytes]) -> str:
        """Write ``files`` and the recipe to a new folder; which one, in words."""
        named = {dim: self.directions[dim] for dim in self.dims if isinstance(dim, str)}
        saved = Recipe(self.opened(), self.seed, self.dims, named, self.base, self.z)
        files = {**files, "recipe.json": encode_recipe(saved)}
        folder = write_new(paths.KEPT, saved.run.config.model, files)
        place = folder.relative_to(paths.KEPT.parent.parent)
        return say("editor.status.kept", folder=place, files=say("common.list.between").join(files))

    def _replace(self, base: Tensor, z: Tensor | None, seed: int) -> None:
        """Take other base vectors, drawn by ``seed``, edited to ``z`` or not yet."""
        self.base, self.z, self.seed = base, base.clone() if z is None else z, seed
        self._base_images, self.touched = None, []

    def _remember(self, *gesture) -> None:
        """Keep the present state for undo; equal gestures within a second of each other, as in a drag, are one step."""
        last, when = self._gesture
        self._gesture = gesture, time.monotonic()
        if gesture != last or time.monotonic() - when > 1:
            self._undo.append((self.base, self.z, self.seed))
            self._redo.clear()

    def _swap(self, source: list[State], target: list[State], name: str) -> None:
        """Go to the newest state in ``source`` and keep the present one in ``target``: undo or redo, by ``name``."""
        if not source:
            raise LabError(say(f"editor.status.nothing_to_{name}"))
        target.append((self.base, self.z, self.seed))
        self._replace(*source.pop())
        self._gesture = (), 0.0


def name_of(dim: int | str) -> str:
    """What a slider is called."""
    return terms.direction(dim) if isinstance(dim, str) else f"z[{dim}]"


def _measured_directions(run: runs.Run) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Directions of ``run`` that were measured before, and what each does most, in words; both by name, or empty."""
    try:
        found, measured = directions.cached_directions(run)
    except (LookupError, TypeError, LabError):
        return {}, {}
    strongest = measured.score[:, : len(pictures.ATTRIBUTES)].abs().argmax(1).tolist()
    names = [terms.measure(list(pictures.ATTRIBUTES)[i]) for i in strongest]
    return found, {
        key: f"{name} {measured.mean[k, i]:+.3g}"
        for k, (key, name, i) in enumerate(zip(found, names, strongest, strict=True))
    }


def _check_rows(rows: list[int]) -> list[int]:
    """``rows``, if they are numbers of garments."""
    return doors.wholes("rows", rows, 0, GARMENTS - 1)


def _own(value):
    """A number of NumPy's or torch's as Python's own, which files and labels take; all else as it is."""
    return doors.plain(value) if getattr(value, "ndim", None) == 0 else value


def _each(dims) -> list:
    """``dims`` one by one, likewise; what is no list of them is one, which `use` takes or refuses."""
    values = list(dims) if isinstance(dims, list | tuple | range) or getattr(dims, "ndim", 0) == 1 else [dims]
    return [_own(dim) for dim in values]
