"""The live latent editor: sliders move z, eight garments follow.

What can be done is in `session`; this binds it to widgets. Headless, nothing but a figure is shown.
"""

from ..base import whole  # noqa: F401, before torch

# isort: split
import contextlib
import html
from functools import partial
from pathlib import Path

import ipywidgets as w
import torch
from IPython.display import Javascript
from traitlets import TraitError

from .. import data, latent
from ..base import paths
from ..base.errors import LabError
from ..evaluation.classifier import Classifier, load_classifier
from ..figures import catalogue, sheets
from ..gans import GANS
from ..texts import say, terms
from .recipe import GARMENTS
from .session import MEASURES, RANGE, Editor, name_of
from .worlds import label, title_of, worlds

HERE = Path(__file__).parent
STYLE = (HERE / "style.css").read_text(encoding="utf-8")
LABELS = (HERE / "labels.js").read_text(encoding="utf-8")  # for screen readers

# Of a slider. A power of two, so that the page finds nothing to round in a value that it is sent: it sends back what it
# has rounded, as if somebody had moved the slider.
STEP = 2**-7


class LatentExplorer(Editor):
    """Eight garments that follow sliders on their latent vectors; `session.Editor` has the arguments and methods.

    In a notebook, the last expression of a cell shows it. A new one takes the place of the one before.
    """

    _live = None  # the one on the page

    def __init__(
        self,
        run: Path | None = None,
        dims: list[int | str] | tuple[int, ...] = latent.LAB_DIMS,
        seed: int = 0,
        device: str = "auto",
    ):
        self.view, self._syncing = None, False
        self.classifier: Classifier | None = None
        self.classes: tuple[str, ...] = ()
        self.nouns = {"noun": "", "nouns": ""}  # what one of the pictures is called, and several
        super().__init__(run, dims, seed, device)
        if LatentExplorer._live:
            LatentExplorer._live.close()
        LatentExplorer._live = self
        if not paths.HEADLESS:
            self.view = self._build()
            self.refresh()

    def close(self) -> None:
        """Take the editor off the page."""
        if self.view:
            view, self.view = self.view, None
            _close(view)

    def _open(self, run, found, descriptions) -> None:
        """As `session.Editor`; and name the pictures as the classifier of the run's data set does, if there is one."""
        if self.run is None or run.config.dataset != self.run.config.dataset:
            noun, self.classifier = data.Dataset.noun, None  # as of a data set of which nothing is known
            with contextlib.suppress(LabError):  # the editor does without the classes
                dataset = data.find(run.config.dataset)
                noun = dataset.noun
                self.classes = tuple(terms.of_class(name, dataset.name) for name in dataset.classes)
                self.classifier = load_classifier(dataset=run.config.dataset, train=False)[0]
            self.nouns = {"noun": terms.noun(noun), "nouns": terms.nouns(noun)}
        super()._open(run, found, descriptions)

    def refresh(self) -> None:
        """Bring page and state together: picture, measures, sliders, status line."""
        if not self.view:
            return
        kind = ' class="labkit-failed"' if self.failed else ""
        text = html.escape(self.status.replace(f"{paths.ROOT}/", "")) or "&nbsp;"
        self.status_line.value = f'<div role="status"{kind}>{text}</div>'
        self._syncing = True
        try:
            self._sync()
        finally:
            self._syncing = False
        if self.run:
            base, edited = self.images()
            self.stage.value = sheets.stage(base, edited, self.change.value)
            self.measurements.value = self._measures(edited)

    def progress(self, share: float) -> None:
        """Show how much of a longer work is done, 0 to 1."""
        if self.view:
            self.bar.value, self.bar.layout.visibility = share, "visible" if share < 1 else "hidden"

    def _build(self) -> w.VBox:
        """All widgets, each bound to what it does, as one."""
        networks = [(title_of(model), model) for model in GANS]
        self.network = self._bind(
            w.ToggleButtons(options=networks, value=None, style={"button_width": "90px"}), self._switch
        )
        self.folder = self._bind(w.Dropdown(description=_tool("run")), self.use, "320px")
        difference = w.ToggleButton(
            description=say("editor.stage.difference"), tooltip=say("editor.stage.difference_tip")
        )
        self.change = self._bind(difference, lambda _: self.refresh(), "100px")
        self.stage, self.names = w.Image(format="png"), w.HTML()
        self.measurements, self.status_line = w.HTML().add_class("labkit-measures"), w.HTML()
        self.sliders = w.VBox().add_class("labkit-rows")
        self.slider_rows: dict[int | str, tuple[w.HBox, w.FloatSlider, w.HTML]] = {}
        labels = w.Output(layout={"display": "none"})
        labels.append_display_data(Javascript(LABELS))
        tools = w.VBox([*self._edit_tools(), *self._slider_tools(), self._recipe_tools()])
        parts = [
            w.HTML(f"<style>\n{STYLE}</style>"),
            w.HBox([self.network, self.folder, self.change]),
            w.HBox([self.names, self.stage]).add_class("labkit-stage"),
            self.measurements,
            self.status_line,
            w.HBox([self.sliders, tools]).add_class("labkit-desk"),
            labels,
        ]
        return w.VBox(parts).add_class("labkit-editor")

    def _edit_tools(self) -> list[w.HBox]:
        """Lines of controls: which garments an edit changes, base vectors and history, walks."""
        title = w.Label(_tool("edit"), layout={"width": "80px", "justify_content": "flex-end"})
        self.target = self._bind(
            w.ToggleButtons(
                options=[(_tool("all"), "all"), *zip("12345678", "12345678", strict=True)],
                style={"button_width": "36px"},
            ),
            self._select_target,
        )
        self.base_seed = self._bind(
            w.BoundedIntText(description=_tool("base_seed"), min=0, max=2**31 - 1), self.reseed, "180px"
        )
        garments = [(str(i + 1), i) for i in range(GARMENTS)]
        self.start = self._bind(w.Dropdown(options=garments, description=_tool("walk")), width="142px")
        self.end = self._bind(w.Dropdown(options=garments, value=1, description=_tool("to")), width="80px")
        self.fraction = self._bind(
            w.FloatSlider(min=0, max=1, step=0.01, description=_tool("by")),
            lambda t: self.walk(self.start.value, self.end.value, t),
            "190px",
        )
        self.end.style.description_width = self.fraction.style.description_width = "24px"
        history = [
            self._tool_button("undo", self.undo),
            self._tool_button("redo", self.redo),
            self._tool_button("reset_all", self.reset, "80px"),
        ]
        lines = [title, self.target], [self.base_seed, *history], [self.start, self.end, self.fraction]
        return [w.HBox(line) for line in lines]

    def _slider_tools(self) -> list[w.HBox]:
        """Lines of controls that add sliders: by number or direction, by effect."""
        self.dimension = self._bind(w.BoundedIntText(description=_tool("dimension"), min=0, max=99), width="150px")
        self.direction = self._bind(
            w.Dropdown(options=[(_tool("not_looked_for"), None)], description=_tool("direction")),
            self._add_chosen,
            "220px",
        )
        self.direction.style.description_width = "60px"
        self.by_effect = self._bind(
            w.Dropdown(options=[(_tool("not_ranked"), None)], description=_tool("by_effect")),
            self._add_chosen,
            "270px",
        )
        self.bar = w.FloatProgress(min=0, max=1, layout={"width": "100px", "visibility": "hidden"})
        add = self._tool_button("add", lambda: self.add(self.dimension.value))
        find, rank = self._tool_button("find", self.find), self._tool_button("rank", self.rank)
        return [w.HBox([self.dimension, add, self.direction, find]), w.HBox([self.by_effect, rank, self.bar])]

    def _recipe_tools(self) -> w.HBox:
        """The line of controls that load and save."""
        self.recipe = self._bind(w.Dropdown(description=_tool("kept")), width="270px")
        return w.HBox(
            [
                self.recipe,
                self._tool_button("load", lambda: self.load(self.recipe.value)),
                self._tool_button("save", self.save),
                self._tool_button("sweep", self.sweep),
            ]
        )

    def _bind(self, widget, act=lambda _: None, width: str | None = None):
        """Call ``act`` with every new value that the user gives ``widget``; refuse what is no value for it."""
        plain = widget.set_state

        def set_state(state):
            try:
                _check_message(widget, state)
                plain(state)
            except TraitError as error:
                control = widget.description or say("editor.status.choice")
                self.status, self.failed = say("editor.status.refused", control=control, why=error), True
                self.refresh()
                widget.send_state()

        def on_value(change):
            if not self._syncing:
                act(change["new"])

        widget.set_state = set_state
        widget.observe(on_value, "value")
        if width:
            widget.layout.width = width
        return widget

    def _button(self, text: str, tip: str, act, width: str = "56px") -> w.Button:
        """A button that calls ``act`` without arguments."""
        button = w.Button(description=text, tooltip=tip, layout={"width": width})
        button.on_click(lambda _: act())
        return button

    def _tool_button(self, name: str, act, width: str = "56px") -> w.Button:
        """The button ``name`` of the tools."""
        return self._button(_tool(name), _tool(f"{name}_tip"), act, width)

    def _row(self, dim: int | str) -> tuple[w.HBox, w.FloatSlider, w.HTML]:
        """Slider, the lab's three values, effect, and two buttons for ``dim``: the row, its slider, its note."""
        name, extra = name_of(dim), 40 if type(dim) is str else 0  # pixels for a longer name
        slider = self._bind(
            w.FloatSlider(min=-RANGE, max=RANGE, step=STEP, description=name),
            partial(self.set, dim),
            f"{252 + extra}px",
        )
        slider.style.description_width = f"{40 + 2 * extra}px"
        presets = [
            self._button(
                f"{v:+g}" if v else "0", _of_row("value_tip", title=name, value=v), partial(self.set, dim, v), "32px"
            )
            for v in latent.LAB_VALUES
        ]
        reset = self._button(_of_row("reset"), _of_row("reset_tip", title=name), partial(self.reset, dim), "50px")
        note = w.HTML(layout={"width": f"{124 - extra}px"})
        remove = self._button("\u00d7", _of_row("remove_tip", title=name), partial(self.remove, dim), "26px")
        return w.HBox([slider, *presets, note, reset, remove]), slider, note

    def _switch(self, model: str) -> None:
        """Open the best run of the other network."""
        found = worlds(model)
        self.use(found[0] if found else paths.RUNS / "quick" / model)

    def _select_target(self, target: str) -> None:
        """Let edits change all garments, or the one of this number."""
        self.select(list(range(GARMENTS)) if target == "all" else [int(target) - 1])

    def _add_chosen(self, dim: int | str | None) -> None:
        """Give what was chosen from a list a slider; its first entry is no choice."""
        if dim is not None:
            self.add(dim)

    def _sync(self) -> None:
        """Let every control show the state; a control that shows it already sends nothing."""
        _set_options(self.recipe, self.kept())
        if not self.run:
            _set_options(self.folder, [(label(folder), folder) for folder in worlds()], None)
            return
        model = self.run.config.model
        names = [
            say(f"editor.stage.{name}") for name in ("base", "edited", "difference")[: 3 if self.change.value else 2]
        ]
        alt = say("editor.stage.alt", nouns=self.nouns["nouns"], rows=say("common.list.between").join(names))
        spans = "".join(f"<span>{name}</span>" for name in names)
        self.names.value = f'<div class="labkit-names" data-alt="{alt}">{spans}</div>'
        self.network.value, self.base_seed.value, self.dimension.max = model, self.seed, self.base.shape[1] - 1
        _set_options(self.folder, [(label(folder), folder) for folder in worlds(model)], self.run.folder)
        self.target.value = "all" if len(self.rows) == GARMENTS else str(self.rows[0] + 1)
        self._sync_lists()
        if torch.equal(self.z[self.start.value], self.base[self.start.value]):
            self.fraction.value = 0.0
        self._sync_sliders()

    def _sync_lists(self) -> None:
        """Offer the dimensions by effect, once all are measured, and the directions; none is chosen."""
        known = [dim for dim in self.effects if type(dim) is int]
        ranked = (
            sorted(known, key=lambda dim: self.effects[dim], reverse=True) if len(known) == self.base.shape[1] else []
        )
        dims = [(f"z[{dim}]: {self.effects[dim]:.1f}", dim) for dim in ranked]
        _set_options(self.by_effect, [(_tool("choose" if dims else "not_ranked"), None), *dims])
        texts = self.descriptions
        named = [
            (f"{name_of(name)}: {texts[name]}" if name in texts else name_of(name), name) for name in self.directions
        ]
        _set_options(self.direction, [(_tool("choose" if named else "not_looked_for"), None), *named])
        self.by_effect.index = self.direction.index = 0

    def _sync_sliders(self) -> None:
        """A row for each of ``dims``, whose slider stands at the mean of the garments that an edit changes."""
        for dim in set(self.slider_rows) - set(self.dims):
            _close(self.slider_rows.pop(dim)[0])
        for dim in self.dims:
            if dim not in self.slider_rows:
                self.slider_rows[dim] = self._row(dim)
            _, slider, note = self.slider_rows[dim]
            shown = self.position(dim)[self.rows]
            slider.value = round(shown.mean().item() / STEP) * STEP
            text = _of_row("effect" if type(dim) is int else "effect_of_direction", x=self.effect(dim))
            if shown.max() - shown.min() >= 1e-4:
                text = _of_row("mixed", effect=text)
            note.value = f'<span title="{_of_row("effect_tip", nouns=self.nouns["nouns"])}">{text}</span>'
        rows = tuple(self.slider_rows[dim][0] for dim in self.dims)
        if self.sliders.children != rows:
            self.sliders.children = rows

    def _measures(self, edited: torch.Tensor) -> str:
        """A line per measure, a column per garment, as HTML."""
        typical, norms = (self.base.shape[1] - 0.5) ** 0.5, self.z.norm(dim=1).tolist()
        lines = [  # (name, [(text, whether it is far from what is usual), ...])
            (say("editor.measures.noun", noun=self.nouns["noun"]), [(str(i + 1), False) for i in range(GARMENTS)]),
            (f"\u2016z\u2016 {typical:.2f}\u00b10.7", [(f"{x:.2f}", abs(x - typical) > 2.1) for x in norms]),
        ]
        lines += [
            (terms.measure(name), [(f"{x:.0f}", False) for x in measure(edited, signed=True).tolist()])
            for name, measure in MEASURES.items()
        ]
        if self.classifier:
            chance, seen = self.classifier.measure(edited, signed=True)[1].max(1)
            lines.append(
                (
                    say("editor.measures.seen_as"),
                    [(f"{self.classes[k]} {c:.0%}", False) for k, c in zip(seen, chance, strict=True)],
                )
            )
        cells = []
        for i, (name, values) in enumerate(lines):
            cells.append(f'<span class="name">{name}</span>')
            for row, (text, far) in enumerate(values):
                touched = "touched " if i == 0 and row in self.touched else ""
                shown = say("editor.measures.far", text=text) if far else text
                cells.append(f'<span class="{touched}{"far" * far}">{shown}</span>')
        return f"<div>{''.join(cells)}</div>"

    def _repr_mimebundle_(self, **_):
        if self.view:
            return self.view._repr_mimebundle_()
        if not self.run:
            return {"text/plain": self.status}
        text = say("editor.at_rest")
        picture = catalogue.encode(self.figure())["png"]
        # In the page of the report the lab takes the place of the figure, where it can run: see `page`.
        return {"text/plain": text, "text/html": f'<div class="lab-here">{catalogue.on_page(picture, text, 810)}</div>'}


def _tool(name: str) -> str:
    """The text ``name`` of the tools."""
    return say(f"editor.tools.{name}")


def _of_row(name: str, **values: object) -> str:
    """The text ``name`` of a slider's row."""
    return say(f"editor.row.{name}", **values)


def _check_message(widget: w.Widget, state: dict) -> None:
    """Raise TraitError if the page asks for a ``state`` of ``widget`` that is no value or no choice for it."""
    value = state.get("value")
    if state.keys() - {"value", "index"}:
        raise TraitError(say("editor.status.not_settable", names=", ".join(state)))
    if "index" in state and state["index"] is None:
        raise TraitError(say("editor.status.nothing_chosen"))
    if hasattr(widget, "max") and not (type(value) in (int, float) and widget.min <= value <= widget.max):
        raise TraitError(say("editor.status.not_a_number", value=repr(value), low=widget.min, high=widget.max))


def _set_options(dropdown: w.Dropdown, options: list, value=...) -> None:
    """Offer ``options``, if they are not offered already, and choose ``value``."""
    if list(dropdown.options) != options:
        dropdown.options = options
        dropdown.index = len(options) - 1 if options else None  # the newest
    if value is not ... and value in (None, *(entry[1] for entry in options)):
        dropdown.value = value


def _close(widget: w.Widget) -> None:
    """Close a widget and all that belongs to it."""
    for part in (*getattr(widget, "children", ()), getattr(widget, "layout", None), getattr(widget, "style", None)):
        if isinstance(part, w.Widget):
            _close(part)
    widget.unobserve_all()
    widget.close()
