"""The live latent editor: the lab of the report's page, in a notebook. The page moves z, this kernel draws and keeps.

What can be done is in `session`, what the page asks for in `deeds`; this shows it and holds both together. Headless,
nothing but a figure is shown.
"""

from ..base import whole  # noqa: F401, before torch

# isort: split
import contextlib
from pathlib import Path

import anywidget
import numpy as np
import torch
import traitlets
from torch import Tensor

from .. import latent
from ..analysis import naming
from ..base import doors, paths
from ..base.errors import LabError
from ..base.machine import own_torch
from ..figures import catalogue
from ..page import contents
from ..page.bundle import module
from ..page.recipe import GARMENTS
from ..page.worlds import name_of_world
from ..texts import say
from . import deeds
from .session import Editor
from .vectors import MODES, check_rows

# The page's look, which follows the room that an output has, not the window; and what is a notebook's own.
ROOM = {
    "@media (max-width: 1439px)": "@container lab (max-width: 859px)",
    "@media (max-width: 719px)": "@container lab (max-width: 559px)",
}


def _style() -> str:
    text = "\n".join(path.read_text(encoding="utf-8") for path in contents.STYLES)
    for of_window, of_room in ROOM.items():
        text = text.replace(of_window, of_room)
    return text + Path(__file__).with_name("notebook.css").read_text(encoding="utf-8")


class Front(anywidget.AnyWidget):
    """What the browser shows of an editor: the scripts of `page`, and messages to and fro."""

    _esm = module("notebook.js", "render")
    _css = _style()
    contents = traitlets.Dict().tag(sync=True)


class LatentExplorer(Editor):
    """Eight garments that follow sliders on their latent vectors; `session.Editor` has the arguments and methods.

    In a notebook, the last expression of a cell shows it. A new one takes the place of the one before, which then says
    so, and can be brought back.
    """

    _live: "LatentExplorer | None" = None  # the one on the page
    _last: "LatentExplorer | None" = None  # whose place it took

    def __init__(
        self,
        run: Path | None = None,
        dims: list[int | str] | tuple[int, ...] = latent.LAB_DIMS,
        seed: int = 0,
        device: str = "auto",
    ):
        self.front: Front | None = None
        self.pages: list[str] = []  # names of the places in which it is shown
        self._seen: list = []  # the state that they know
        self._asking = ""  # the place whose message is being answered
        super().__init__(run, dims, seed, device)
        self._begin()
        self.take_over()

    def _begin(self) -> None:
        """Have something to show in a notebook, if a network is open."""
        if self.run and not paths.HEADLESS:
            self.front = Front(contents=deeds.contents(self))
            self.front.on_msg(self._hear)
            _keep_order(self.front)

    def take_over(self) -> None:
        """Be the one that is open; the one before says so on the page, and an older one is closed."""
        before, older = LatentExplorer._live, LatentExplorer._last
        if before is not self:
            if older and older is not self:
                older.close()
            if before:
                before.tell("over")
            LatentExplorer._live, LatentExplorer._last = self, before
        self.tell("here")

    @property
    def is_open(self) -> bool:
        """Whether no other has taken its place."""
        return LatentExplorer._live is self

    def close(self) -> None:
        """Take the editor off the page."""
        if self.front:
            self.front.layout.close()
            self.front.close()
            self.front = None

    def tell(self, what: str, parts: tuple[Tensor, ...] = (), **fields: object) -> None:
        """Say something to the page that nobody asked for."""
        if self.front:
            self.front.send({"tell": what, **fields}, [encoded(part) for part in parts])

    def progress(self, share: float) -> None:
        """Show how much of a longer work is done, 0 to 1."""
        self.tell("progress", share=share)

    def refresh(self) -> None:
        """Tell the page what it does not know yet: a state that it did not bring about, or how an edit ended."""
        fields, parts = self.state()
        seen = [encoded(part) for part in parts] + [repr(fields)]
        known = seen == self._seen
        self._seen = seen
        if not known and (not self._asking or len(self.pages) > 1 or self._brought):
            self.tell("state", parts, **fields, said=_shown(self.status), failed=self.failed, by=self._by)
        elif not self._asking and self.status:
            self.tell("said", said=_shown(self.status), failed=self.failed)

    def state(self) -> tuple[dict, tuple[Tensor, ...]]:
        """What a page is to know of the present state: fields for JSON, and z and base."""
        if not self.run:
            return {}, ()
        named = [
            (dim, {"name": dim, "title": self.title(dim), "unit": self.directions[dim].tolist()})
            for dim in self.dims
            if isinstance(dim, str)
        ]
        fields = {"rows": self.dims, "chosen": self.rows, "mode": self.mode, "extra": named}
        return {"run": name_of_world(self.run.folder), "fields": fields}, (self.z, self.base)

    # ----- what the page says

    _brought = False  # whether what the page asks for may bring another state about than it has
    _by = ""

    def _hear(self, _, message: object, buffers: list) -> None:
        """Answer a message of the page; the state that it brings goes ahead."""
        asked = message if type(message) is dict else {}
        name = _line(str(asked.get("id")))
        with self._lock:
            self._asking = self._by = name.rpartition(".")[0]
            self._brought = False
            try:
                with own_torch():
                    parts = [decoded(part) for part in buffers]
                    if (state := asked.get("state")) is not None:
                        *parts, z, base = parts
                        self.follow(state, z, base)
                    self._by, self._brought = "", asked.get("deed") in deeds.BRINGING
                    fields, out = deeds.do(self, asked, parts)
            except LabError as error:
                fields, out = {"fault": _line(_shown(str(error)))}, []
            except (Exception, KeyboardInterrupt) as error:  # the page waits for an answer, whatever it is
                why = _line(f"{type(error).__name__}: {error}")[:200]
                fields, out = {"fault": say("editor.status.no_request", why=why)}, []
            finally:
                self._asking = self._by = ""
        if self.front:
            self.front.send({"id": name, **fields}, [encoded(part) for part in out])

    def follow(self, state: dict, z: Tensor, base: Tensor) -> None:
        """Take the state of the page: the truth is here, and what was before can be undone.

        Raises:
            LabError: it is no state; then nothing has changed.
        """
        run, _ = deeds.network(self, state["run"])
        size, here = run.config.latent_dim, run.folder == self.opened().folder
        z, base = (deeds.rows_of(part, size) for part in (z, base))
        chosen, mode = check_rows(state["chosen"]), state["mode"]
        if not len(z) == len(base) == GARMENTS or mode not in MODES:
            raise deeds.refusal(f"{len(z)} and {len(base)} vectors, mode {doors.said(mode)}")
        known = self.directions if here else naming.measured_directions(run)[0]
        if here and any(type(dim) is str and dim not in known for dim in state["rows"]):
            self.learn()  # they may have been measured by another kernel
            known = self.directions
        dims = deeds.sliders(state["rows"], size, known)
        if not here:
            self.open(run)
        if z.shape != self.z.shape:
            self._history.clear()
        if not (torch.equal(z, self.z) and torch.equal(base, self.base)):
            if z.shape == self.z.shape:
                self._remember("page")
            self.touched = [row for row in range(len(z)) if not torch.equal(z[row], self.z[row])]
            self.z, self.base, self._base_images = z.clone(), base.clone(), None
        self.rows, self.mode, self.dims = chosen, mode, dims
        self.dim = dims[0] if dims else 0
        self.status, self.failed = "", False
        self.refresh()

    def _repr_mimebundle_(self, **_):
        if self.run and not self.front and not paths.HEADLESS:  # it had no network at first, or was closed
            self._begin()
            self.take_over()
        if self.front:
            return self.front._repr_mimebundle_()
        if not self.run or not paths.HEADLESS:
            return {"text/plain": self.status}
        text = say("editor.at_rest")
        picture = catalogue.encode(self.figure())["png"]
        # In the page of the report the lab takes the place of the figure, where it can run: see `page`.
        return {"text/plain": text, "text/html": f'<div class="lab-here">{catalogue.on_page(picture, text, 810)}</div>'}


def encoded(part: Tensor) -> bytes:
    """A tensor as the page reads it: float32, little-endian."""
    return part.detach().cpu().numpy().astype("<f4", copy=False).tobytes()


def decoded(part: bytes) -> Tensor:
    """What the page sent, (n,) float32; ValueError if it is no whole number of them."""
    return torch.from_numpy(np.frombuffer(part, "<f4").astype(np.float32))


def _shown(text: str) -> str:
    """``text`` with paths as seen from the project's folder."""
    return text.replace(f"{paths.ROOT}/", "")


def _line(text: str) -> str:
    """``text`` in one line that JSON can carry."""
    return " ".join(text.encode("utf-8", "replace").decode().split())


def _keep_order(widget) -> None:
    """Let what the page sends to ``widget`` be taken in the order in which it was sent.

    The page sends all of it to one thread of the kernel. ipykernel (from 7.1 on) would rather hand each message to the
    thread that spoke last for the same widget: while a cell runs, some would wait for it and others overtake them.
    """
    with contextlib.suppress(AttributeError):
        if hasattr(widget.comm, "_reply_subshell_for"):
            widget.comm._reply_subshell_for = lambda data, sent_to: sent_to
