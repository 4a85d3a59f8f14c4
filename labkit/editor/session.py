"""What can be done in the editor: eight vectors, the network that draws them, and what is kept. No sliders here.

Here: networks, dimensions and directions at hand, what is kept and loaded. Not here: edits (`vectors`), files
(`keeping`, `recipe`), what a direction is called (`naming`), drawing (`figures`).
"""

from ..base import whole  # noqa: F401, before torch

# isort: split
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from .. import latent
from ..analysis import directions, naming
from ..base import paths
from ..base.errors import LabError
from ..base.machine import pick_device
from ..gans import reported
from ..page.recipe import Recipe, base_vectors, open_recipe, read_recipe
from ..page.worlds import listed, open_world, worlds
from ..texts import say
from ..training import runs
from . import keeping
from .history import State
from .vectors import Vectors, plain, reports


class Editor(Vectors):
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
        super().__init__(plain(seed))
        self.device, self.dims = pick_device(device), _each(dims)
        self.run: runs.Run | None = None
        self.effects: dict[int | str, float] = {}  # by dimension or direction
        self.at_hand = ""  # name of what was kept or loaded last
        self.others: dict[str, tuple[runs.Run, nn.Module]] = {}  # networks that draw the same z beside it, by name
        # The GAN of the last chapter comes first, each in its longest profile.
        best = sorted(worlds(), key=lambda folder: folder.parts[-2] != reported()[-1])
        self.use(run or (best[0] if best else paths.RUNS))

    def opened(self) -> runs.Run:
        """The run that is open, or a LabError."""
        if self.run is None:
            raise LabError(say("editor.status.no_network"))
        return self.run

    @property
    def untouched(self) -> bool:
        """Whether nothing was edited since it was opened."""
        return self._history.empty and torch.equal(self.z, self.base)

    def progress(self, share: float) -> None:
        """Show how much of a longer work is done, 0 to 1."""

    def images(self) -> tuple[Tensor, Tensor]:
        """Base and edited garments, (8, 1, 28, 28) each."""
        if self._base_images is None:
            self._base_images = latent.sample(self.g, self.base)
        return self._base_images, latent.sample(self.g, self.z)

    def figure(self):
        """The present state as a matplotlib Figure."""
        return keeping.figure(self)

    def effect(self, dim: int | str) -> float:
        """How far one unit along ``dim`` moves the image, in grey levels: mean over 16 vectors, measured once a run."""
        if dim not in self.effects:
            z = latent.latents(16, self.base.shape[1], 1)
            self.effects[dim] = latent.change_along(self.g, z, self._unit(dim)[None]).item()
        return self.effects[dim]

    @reports
    def use(self, folder: Path):
        """Open the run in ``folder``, trained and verified. The vectors stay if they fit."""
        run, dims = open_world(listed(folder)), self.dims
        found, deeds = naming.measured_directions(run)
        if self.run is None and (unknown := [dim for dim in dims if isinstance(dim, str) and dim not in found]):
            raise LabError(
                f"dims = {dims}: {unknown[0]!r} is neither a dimension of z nor a direction that was measured"
            )
        if self.run is None or run.config.latent_dim != self.run.config.latent_dim:
            if self.run:
                dims = [dim for dim in dims if isinstance(dim, str) or dim < run.config.latent_dim]
            latent.check_edits([dim for dim in dims if not isinstance(dim, str)] or [0], [0.0], run.config.latent_dim)
            base = base_vectors(run.config.latent_dim, self.seed)
            self._replace(State(base, base, self.seed))
            self._history.clear()
        self._open(run, found, deeds)
        self.dims = [dim for dim in dims if not isinstance(dim, str) or dim in found]

    def open(self, run: runs.Run) -> None:
        """Draw with ``run`` from now on, whose vectors are as long as those at hand or are about to be given."""
        self._open(run, *naming.measured_directions(run))

    def learn(self) -> None:
        """Take up directions of the open run that were measured since it was opened; those at hand stay."""
        found, deeds = naming.measured_directions(self.opened())
        self.directions, self.deeds = found | self.directions, deeds | self.deeds

    def _open(self, run: runs.Run, found: dict[str, Tensor], deeds: dict[str, naming.Deed]) -> None:
        """Draw with the generator of ``run`` from now on; what was known of the one before is forgotten."""
        self.run, self.g, self.effects = run, run.generator(self.device), {}
        self.directions, self.deeds = found, deeds
        self._base_images = None
        self._history.release()

    @reports
    def add(self, dim: int | str):
        """Give ``dim`` a slider."""
        self._unit(dim)
        self.effect(dim)
        if dim not in self.dims:
            self.dims.append(dim)

    @reports
    def remove(self, dim: int | str):
        """Take the slider of ``dim`` away; its value stays."""
        self.dims = [d for d in self.dims if d != dim]

    @reports
    def rank(self):
        """Measure how far each dimension moves the image."""
        for dim in range(self.base.shape[1]):
            self.effect(dim)
            self.progress((dim + 1) / self.base.shape[1])
        return say("editor.status.ranked", count=self.base.shape[1])

    @reports
    def find(self):
        """Look for directions that may do more than the axes, or one thing alone; see `directions` and `alone`."""
        found = directions.all_directions(self.g, self.base.shape[1])
        new = {name: unit for name, unit in found.items() if name not in self.directions}
        deeds = naming.deeds_of(self.g, new) | self.deeds
        only, of_only = naming.alone_of(self.g, self.base.shape[1], deeds)
        self.directions, self.deeds = found | only | self.directions, deeds | of_only
        self.progress(1)
        return say("editor.status.found", count=len(self.directions))

    @reports
    def save(self):
        """Keep the picture, as PNG and SVG, and the recipe."""
        return self._keep(keeping.pictures_of(self.figure()))

    @reports
    def sweep(self, dim: int | str | None = None):
        """Keep an animation of ``dim``, or of what was edited last, from -3 to 3 and back, and the recipe."""
        if dim is None:
            known = self.dim in self.directions if isinstance(self.dim, str) else self.dim < self.base.shape[1]
            dim = self.dim if known else next(iter(self.dims), 0)  # it may be one of a network that was open before
        self._unit(dim)
        return self._keep(keeping.animation_of(self, dim))

    @reports
    def load(self, name: str):
        """Bring back what was kept as ``name``: the same network, the same vectors, the same pixels."""
        if name not in self.kept():
            raise LabError(f"recipe {name!r} is not in {paths.KEPT}: there are {', '.join(self.kept()) or 'none'}")
        self._bring_back(read_recipe(paths.KEPT / name / "recipe.json"))
        self.at_hand = name
        return say("editor.status.back", name=name)

    @reports
    def load_text(self, text: str):
        """Bring back what the recipe in ``text`` says, a file that somebody sent."""
        self._bring_back(open_recipe(text, say("editor.recipe")))
        return say("editor.status.opened")

    def _bring_back(self, saved: Recipe) -> None:
        """Take network, vectors and sliders of ``saved``."""
        found, deeds = naming.measured_directions(saved.run)
        if self.run and saved.run.config.latent_dim == self.run.config.latent_dim:
            self._remember("load")
        else:
            self._history.clear()
        self._open(saved.run, found | saved.directions, deeds)
        self._replace(State(saved.base, saved.z, saved.seed))
        self.dims = saved.dims

    def _keep(self, files: dict[str, bytes]) -> str:
        """Keep ``files`` and the recipe; where, in words."""
        self.at_hand, said = keeping.write(self._recipe(), files)
        return said

    def kept(self) -> list[str]:
        """Names of what can be loaded."""
        return keeping.names()

    def _recipe(self) -> Recipe:
        """The present state as a recipe."""
        named = {dim: self.directions[dim] for dim in self.dims if isinstance(dim, str)}
        return Recipe(self.opened(), self.seed, self.dims, named, self.base, self.z)


def _each(dims) -> list:
    """``dims`` one by one, likewise; what is no list of them is one, which `use` takes or refuses."""
    values = list(dims) if isinstance(dims, list | tuple | range) or getattr(dims, "ndim", 0) == 1 else [dims]
    return [plain(dim) for dim in values]
