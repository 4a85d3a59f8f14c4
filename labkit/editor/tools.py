"""The controls beside the sliders: what an edit changes, walks, more sliders, what is kept, vectors of one's own."""

from ..base import whole  # noqa: F401, before torch

# isort: split
import ipywidgets as w

from ..base.errors import LabError
from ..texts import say
from . import keeping, own
from .binding import NOTHING, Binding, close, keep_order, set_options, tool
from ..page.recipe import GARMENTS
from .vectors import MODES

SHOWN = 12  # small pictures in the gallery: the newest


class Tools(Binding):
    """The controls of an editor, each bound to what it does."""

    def _edit_tools(self) -> list[w.HBox]:
        """The bar above the sliders, of what an edit changes and history; and lines of walks and base vectors."""
        title = w.Label(tool("edit"), layout={"width": "92px"})
        targets = [(tool("all"), "all"), *zip("12345678", "12345678", strict=True)]
        self.target = self._bind(w.ToggleButtons(options=targets, style={"button_width": "36px"}), self._select_target)
        modes = [(tool(mode), mode) for mode in MODES]
        self.target.add_class("labkit-target")
        self.what = self._bind(
            w.ToggleButtons(options=modes, tooltips=[tool(f"{mode}_tip") for mode in MODES]), self.choose_mode
        )
        self.what.style.button_width = "64px"
        seed = w.BoundedIntText(description=tool("base_seed"), min=0, max=2**31 - 1)
        self.base_seed = self._bind(seed, self.reseed, "180px")
        garments = [(str(i + 1), i) for i in range(GARMENTS)]
        self.end = self._bind(w.Dropdown(options=garments, value=1, description=tool("walk")), width="142px")
        self.fraction = self._bind(
            w.FloatSlider(min=0, max=1, step=0.01, description=tool("by")),
            lambda t: self.walk(None, self.end.value, t),
            "260px",
        )
        self.fraction.style.description_width = "24px"
        history = [self._tool_button(name, getattr(self, name)) for name in ("undo", "redo", "reset")]
        slider = w.Label(tool("slider"), layout={"width": "60px", "justify_content": "flex-end"})
        return [
            w.HBox([title, self.target, slider, self.what, *history]).add_class("labkit-bar"),
            w.HBox([self.end, self.fraction]),
            w.HBox([self.base_seed]),
        ]

    def _slider_tools(self) -> list[w.HBox]:
        """Lines of controls that add sliders: by number or direction, by effect."""
        self.dimension = self._bind(w.BoundedIntText(description=tool("dimension"), min=0, max=99), width="150px")
        directions = w.Dropdown(options=[(tool("not_looked_for"), NOTHING)], description=tool("direction"))
        self.direction = self._bind(directions, self._add_chosen, "400px")
        by_effect = w.Dropdown(options=[(tool("not_ranked"), NOTHING)], description=tool("by_effect"))
        self.by_effect = self._bind(by_effect, self._add_chosen, "270px")
        self.bar = w.FloatProgress(min=0, max=1, layout={"width": "100px", "visibility": "hidden"})
        add = self._tool_button("add", lambda: self.add(self.dimension.value))
        find, rank = self._tool_button("find", self.find), self._tool_button("rank", self.rank)
        lines = [self.dimension, add], [self.direction, find], [self.by_effect, rank, self.bar]
        return [w.HBox(line) for line in lines]

    def _recipe_tools(self) -> w.HBox:
        """The line of controls that load and save."""
        self.recipe = self._bind(w.Dropdown(description=tool("kept")), width="270px")
        buttons = [self._tool_button(name, act) for name, act in (("save", self.save), ("sweep", self.sweep))]
        load = self._tool_button("load", lambda: self.load(self.recipe.value))
        return w.HBox([self.recipe, load, *buttons])

    def _own_tools(self) -> w.HBox:
        """The line of controls for a vector of one's own: pasted, from a file, and out again."""
        self.numbers = w.Textarea(placeholder=tool("numbers"), rows=1, layout={"width": "200px", "height": "30px"})
        self.numbers.add_class("labkit-numbers")
        self.upload = w.FileUpload(description=tool("file"), accept=".npy,.csv,.txt,.json", multiple=False)
        self.upload.tooltip, self.upload.layout.width = tool("file_tip"), "86px"
        self.upload.observe(self._take_file, "value")
        take = self._tool_button("take", lambda: self._take(self.numbers.value.encode()))
        copy = self._tool_button("copy", self._copy).add_class("labkit-copy")
        title = w.Label(tool("own"), layout={"width": "80px", "justify_content": "flex-end"})
        return w.HBox([title, self.numbers, take, self.upload, copy])

    def _take_file(self, change) -> None:
        """Take the vectors in the file that was chosen."""
        if change["new"]:
            content = bytes(change["new"][0]["content"])
            self.upload.value = ()
            self._take(content)

    def _take(self, content: bytes) -> None:
        """Let the garments that edits change begin anew as the vectors in ``content``."""
        try:
            vectors = own.read_vectors(content)
        except LabError as error:
            self.status, self.failed = str(error), True
            self.refresh()
            return
        self.place(vectors)

    def _copy(self) -> None:
        """Write out the vectors of the garments that edits change; the page puts them on its clipboard."""
        if self.run:
            self.numbers.value = own.written(self.z[self.rows])
            self.status, self.failed = say("editor.status.copied", count=self.z.shape[1]), False
        self.refresh()

    def _select_target(self, target: str) -> None:
        """Let edits change all garments, or the one of this number."""
        self.select(list(range(GARMENTS)) if target == "all" else [int(target) - 1])

    def _add_chosen(self, dim: int | str) -> None:
        """Give what was chosen from a list a slider; its first entry is no choice."""
        if dim == NOTHING:
            self.refresh()
        else:
            self.add(dim)

    def _sync_lists(self) -> None:
        """Offer the dimensions by effect, once all are measured, and the directions; none is chosen."""
        known = [dim for dim in self.effects if type(dim) is int]
        ranked = sorted(known, key=lambda dim: self.effects[dim], reverse=True)
        dims = [
            (f"z[{dim}]: {say('editor.row.effect', x=self.effects[dim])}", dim)
            for dim in ranked
            if len(known) == self.base.shape[1]
        ]
        set_options(self.by_effect, [(tool("choose" if dims else "not_ranked"), NOTHING), *dims], NOTHING)
        named = []
        for name in self.directions:
            deed, title = self.deeds.get(name), self.title(name)
            named.append((f"{title}: {deed.words()}" if deed else title, name))
        set_options(self.direction, [(tool("choose" if named else "not_looked_for"), NOTHING), *named], NOTHING)

    # ----- what is kept, to look at

    def _build_gallery(self) -> w.VBox:
        """Small pictures of what is kept, and the animation that was made or opened last."""
        self.gallery = w.HBox().add_class("labkit-gallery")
        self.thumbnails: dict[str, w.VBox] = {}
        self.movie = w.Image(format="gif", layout={"display": "none"}).add_class("labkit-movie")
        self.moving = ""  # whose animation it is
        return w.VBox([self.movie, self.gallery])

    def _sync_gallery(self) -> None:
        """A picture for each of the newest recipes: a click opens it."""
        names = keeping.newest()[:SHOWN]
        for name in [name for name in self.thumbnails if name not in names]:
            close(self.thumbnails.pop(name))
        for name in names:
            if name not in self.thumbnails:
                self.thumbnails[name] = self._thumbnail(name)
        shown = tuple(self.thumbnails[name] for name in names)
        if self.gallery.children != shown:
            self.gallery.children = shown
        if self.moving != self.at_hand:
            self.moving, self.movie.value = self.at_hand, keeping.animation(self.at_hand)
            self.movie.layout.display = None if self.movie.value else "none"

    def _thumbnail(self, name: str) -> w.VBox:
        """The small picture of ``name`` above a button that opens it, as a click on the picture does."""
        content = keeping.thumbnail(name)
        button = self._button(name, tool("open_tip"), lambda: self.load(name), "auto")
        box = w.VBox([*([w.Image(value=content, format="png")] if content else []), button]).add_class("labkit-kept")
        keep_order(box)
        return box
