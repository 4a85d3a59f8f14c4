"""The live latent editor: sliders move z, eight garments follow.

What can be done is in `editing`; this binds it to widgets. Headless, nothing but a figure is shown.
"""

import html
from functools import partial
from pathlib import Path

import ipywidgets as w
import torch
from IPython.display import Javascript
from traitlets import TraitError

from ..base import paths
from ..base.errors import LabError
from ..config import MODELS
from ..data.loading import CLASSES
from ..evaluation.classifier import load_classifier
from ..figures import catalogue, sheets
from ..training import runs
from .session import DIMS, GARMENTS, MEASURES, RANGE, SNAPS, Editor, name_of

STYLE = """<style>
.labkit-editor { max-width: 1104px; }
.labkit-editor .widget-html-content { line-height: 1.3; }
.labkit-stage, .labkit-measures { width: 1024px; max-width: 100%; overflow: hidden; }
.labkit-stage img { width: calc(100% - 96px); height: auto; margin: 0; image-rendering: pixelated; }
.labkit-stage .widget-html { width: 96px; margin: 0; height: auto; align-self: stretch; }
.labkit-stage .widget-html-content { height: 100%; }
.labkit-names { display: flex; flex-direction: column; height: 100%; }
.labkit-names span { flex: 1; display: flex; align-items: center; }
.labkit-editor .widget-html { margin-top: 0; margin-bottom: 0; }
.labkit-measures .widget-html-content { width: 100%; line-height: 1.1; }
.labkit-measures div div { display: grid; grid-template-columns: 96px repeat(8, 1fr); font-size: 12px; font-variant-numeric: tabular-nums; }
.labkit-measures span { text-align: center; margin-right: 4px; white-space: nowrap; }
.labkit-measures span:nth-child(-n+9) { border-top: 3px solid transparent; }
.labkit-measures .name { text-align: left; }
html .labkit-measures .touched { border-color: var(--jp-brand-color1, #1976d2); }
.labkit-measures .far, .labkit-failed { color: var(--jp-error-color1, #d32f2f); font-weight: bold; }
.labkit-rows .widget-hbox > * { flex-shrink: 0; }
.labkit-rows .widget-html { align-self: center; font-size: 11px; }
.labkit-editor .jupyter-button { padding: 0 4px; flex-shrink: 0; }
.labkit-editor .widget-toggle-buttons { width: auto; flex-shrink: 0; flex-wrap: nowrap; }
.labkit-desk { flex-wrap: wrap; }
.labkit-rows { margin-right: 8px; flex-shrink: 0; }
</style>"""

# A slider of ipywidgets has a visible label that screen readers are not told of, its picture no text, a button that is
# pressed only a colour; and the buttons of all rows read alike.
LABELS = """
const set = (element, name, text) => { if (element && element.getAttribute(name) !== text) element.setAttribute(name, text) };
const label = () => document.querySelectorAll('.labkit-editor').forEach(editor => {
    editor.querySelectorAll('.widget-slider').forEach(slider => set(
        slider.querySelector('.noUi-handle'), 'aria-label', slider.querySelector('.widget-label').textContent || slider.title));
    editor.querySelectorAll('.labkit-rows button').forEach(button => set(button, 'aria-label', button.title));
    editor.querySelectorAll('.widget-toggle-button, .widget-toggle-buttons button').forEach(
        button => set(button, 'aria-pressed', String(button.classList.contains('mod-active'))));
    const rows = [...editor.querySelectorAll('.labkit-names span')].map(name => name.textContent);
    set(editor.querySelector('.labkit-stage img'), 'alt', 'Eight garments, from top to bottom: ' + rows.join(', '));
});
let due = 0;
label();
if (!window.labkitLabels) window.labkitLabels = new MutationObserver(() => { due ||= requestIdleCallback(() => { due = 0; label() }, {timeout: 500}) }).observe(
    document.body, {childList: true, subtree: true, attributes: true, attributeFilter: ['class']}) || true;
"""

# Of a slider. A power of two, so that the page finds nothing to round in what it is told: it sends back what it has
# rounded, as if somebody had moved the slider.
STEP = 2**-7


class LatentExplorer(Editor):
    """Eight garments that follow sliders on their latent vectors; `editing.Editor` has the arguments and methods.

    In a notebook, the last expression of a cell shows it. A new one takes the place of the one before.
    """

    _live = None

    def __init__(self, run: Path | None = None, dims: list[int] = DIMS, seed: int = 0, device: str = "auto"):
        self.view, self._syncing = None, False
        try:
            self.classifier = load_classifier()[0]
        except LabError:  # the editor does without the classes
            self.classifier = None
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

    def refresh(self) -> None:
        """Bring page and state together: picture, measures, sliders, status line."""
        if not self.view:
            return
        kind = ' class="labkit-failed"' if self.failed else ""
        self.told.value = (
            f'<div role="status"{kind}>{html.escape(self.status.replace(f"{paths.ROOT}/", "")) or "&nbsp;"}</div>'
        )
        self._syncing = True
        try:
            self._sync()
        finally:
            self._syncing = False
        if self.run:
            base, edited = self.images()
            self.stage.value = sheets.stage(base, edited, self.change.value)
            self.measured.value = self._measures(edited)

    def progress(self, share: float) -> None:
        """Show how much of a longer work is done, 0 to 1."""
        if self.view:
            self.bar.value, self.bar.layout.visibility = share, "visible" if share < 1 else "hidden"

    def _build(self) -> w.VBox:
        """All widgets, each bound to what it does."""
        garments = [(str(i + 1), i) for i in range(GARMENTS)]
        self.stage, self.names, self.measured, self.told = w.Image(format="png"), w.HTML(), w.HTML(), w.HTML()
        self.network = self._on(
            w.ToggleButtons(options=MODELS, value=None, style={"button_width": "90px"}), self._switch
        )
        self.folder = self._on(w.Dropdown(description="run"), self.use, "320px")
        self.change = self._on(
            w.ToggleButton(description="difference", tooltip="show edited minus base"),
            lambda _: self.refresh(),
            "100px",
        )
        self.target = self._on(w.ToggleButtons(options=["all", *"12345678"], style={"button_width": "36px"}), self._aim)
        self.base_seed = self._on(w.BoundedIntText(description="base seed", min=0, max=2**31 - 1), self.reseed, "180px")
        self.start = self._on(w.Dropdown(options=garments, description="walk"), width="142px")
        self.end = self._on(w.Dropdown(options=garments, value=1, description="to"), width="80px")
        self.way = self._on(
            w.FloatSlider(min=0, max=1, step=0.01, description="by"),
            lambda t: self.walk(self.start.value, self.end.value, t),
            "190px",
        )
        self.end.style.description_width = self.way.style.description_width = "24px"
        self.number = self._on(w.BoundedIntText(description="dimension", min=0, max=99), width="150px")
        self.by_effect = self._on(
            w.Dropdown(options=[("not ranked", None)], description="by effect"), self._add_chosen, "270px"
        )
        self.along = self._on(
            w.Dropdown(options=[("not looked for", None)], description="direction"), self._add_chosen, "220px"
        )
        self.along.style.description_width = "60px"
        self.recipe = self._on(w.Dropdown(description="kept"), width="270px")
        self.bar = w.FloatProgress(min=0, max=1, layout={"width": "100px", "visibility": "hidden"})
        self.sliders, self.rows_of = w.VBox(), {}
        button, line = self._button, w.HBox
        top = line([self.network, self.folder, self.change])
        tools = w.VBox([
            line([w.Label("edit", layout={"width": "80px", "justify_content": "flex-end"}), self.target]),
            line([self.base_seed, button("undo", "take the last edit back", self.undo), button("redo", "make it again", self.redo),
                  button("reset all", "all vectors as they were drawn", self.reset, "80px")]),
            line([self.start, self.end, self.way]),
            line([self.number, button("add", "give this dimension a slider", lambda: self.add(self.number.value)),
                  self.along, button("find", "look for directions that do more than a dimension: seconds", self.find)]),
            line([self.by_effect, button("rank", "measure how far each dimension moves the image", self.rank), self.bar]),
            line([self.recipe, button("load", "bring this one back", lambda: self.load(self.recipe.value)),
                  button("save", "keep picture and recipe", self.save), button("sweep", "keep an animation of the dimension last touched", self.sweep)]),
        ])  # fmt: skip
        stage = w.HBox([self.names, self.stage])
        (
            stage.add_class("labkit-stage"),
            self.measured.add_class("labkit-measures"),
            self.sliders.add_class("labkit-rows"),
        )
        labels = w.Output(layout={"display": "none"})
        labels.append_display_data(Javascript(LABELS))
        desk = w.HBox([self.sliders, tools])
        desk.add_class("labkit-desk")
        view = w.VBox([w.HTML(STYLE), top, stage, self.measured, self.told, desk, labels])
        view.add_class("labkit-editor")
        return view

    def _on(self, widget, act=lambda _: None, width: str | None = None):
        """Call ``act`` with every new value that the user gives ``widget``; what is no value for it is refused."""
        plain = widget.set_state

        def set_state(state):
            value = state.get("value")
            try:
                if state.keys() - {"value", "index"}:
                    raise TraitError(f"the page may not set {', '.join(state)}")
                if "index" in state and state["index"] is None:
                    raise TraitError("nothing is chosen")
                if hasattr(widget, "max") and not (type(value) in (int, float) and widget.min <= value <= widget.max):
                    raise TraitError(f"{value!r} is not a number from {widget.min:g} to {widget.max:g}")
                plain(state)
            except TraitError as error:
                self.status, self.failed = f"{widget.description or 'choice'}: {error}; nothing was changed", True
                self.refresh()
                widget.send_state()

        widget.set_state = set_state
        widget.observe(lambda change: self._syncing or act(change["new"]), "value")
        if width:
            widget.layout.width = width
        return widget

    def _button(self, text: str, tip: str, act, width: str = "56px") -> w.Button:
        button = w.Button(description=text, tooltip=tip, layout={"width": width})
        button.on_click(lambda _: act())
        return button

    def _row(self, dim: int | str) -> tuple[w.HBox, w.FloatSlider, w.HTML]:
        """Slider, the lab's three values, effect, and two buttons for ``dim``: the row, its slider, its note."""
        name, extra = name_of(dim), 40 * (type(dim) is str)  # pixels for a longer name
        slider = self._on(
            w.FloatSlider(min=-RANGE, max=RANGE, step=STEP, description=name),
            partial(self.set, dim),
            f"{252 + extra}px",
        )
        slider.style.description_width = f"{40 + 2 * extra}px"
        snaps = [
            self._button(f"{v:+d}" if v else "0", f"{name} = {v}", partial(self.set, dim, v), "32px") for v in SNAPS
        ]
        undo = self._button("reset", f"{name} as it was drawn", partial(self.reset, dim), "50px")
        note = w.HTML(layout={"width": f"{124 - extra}px"})
        away = self._button("\u00d7", f"take the slider of {name} away", partial(self.remove, dim), "26px")
        return w.HBox([slider, *snaps, note, undo, away]), slider, note

    def _switch(self, model: str) -> None:
        """Open the best run of the other network."""
        found = [folder for folder in runs.finished() if folder.parts[-2] == model]
        self.use(found[0] if found else paths.RUNS / "quick" / model)

    def _aim(self, target: str) -> None:
        self.aim(list(range(GARMENTS)) if target == "all" else [int(target) - 1])

    def _add_chosen(self, dim: int | str | None) -> None:
        if dim is not None:
            self.add(dim)

    def _sync(self) -> None:
        """Let every control show the state; a control that shows it already sends nothing."""
        _offer(self.recipe, self.kept())
        if not self.run:
            return _offer(self.folder, [(_label(folder), folder) for folder in runs.finished()], None)
        model = self.run.config.model
        names = ("base", "edited", "difference")[: 2 + self.change.value]
        self.names.value = f'<div class="labkit-names">{"".join(f"<span>{name}</span>" for name in names)}</div>'
        self.network.value, self.base_seed.value, self.number.max = model, self.seed, self.base.shape[1] - 1
        _offer(
            self.folder,
            [(_label(folder), folder) for folder in runs.finished() if folder.parts[-2] == model],
            self.run.folder,
        )
        self.target.value = "all" if len(self.rows) == GARMENTS else str(self.rows[0] + 1)
        known = [dim for dim in self.effects if type(dim) is int]
        ranked = sorted(known, key=self.effects.get, reverse=True) if len(known) == self.base.shape[1] else []
        _offer(
            self.by_effect,
            [
                ("choose", None) if ranked else ("not ranked", None),
                *((f"z[{k}]: {self.effects[k]:.1f}", k) for k in ranked),
            ],
        )
        named = [(f"{name}: {self.does[name]}" if name in self.does else name, name) for name in self.directions]
        _offer(self.along, [("choose", None) if named else ("not looked for", None), *named])
        self.by_effect.index = self.along.index = 0
        if torch.equal(self.z[self.start.value], self.base[self.start.value]):
            self.way.value = 0.0
        for dim in set(self.rows_of) - set(self.dims):
            _close(self.rows_of.pop(dim)[0])
        for dim in self.dims:
            if dim not in self.rows_of:
                self.rows_of[dim] = self._row(dim)
            _, slider, note = self.rows_of[dim]
            shown = self.position(dim)[self.rows]
            slider.value = round(shown.mean().item() / STEP) * STEP
            mixed = "" if shown.max() - shown.min() < 1e-4 else ", mixed"
            unit = "grey/unit" if type(dim) is int else ""
            note.value = f'<span title="how far one unit moves the image, in grey levels; mixed: the garments differ here, the slider shows their mean">{self.effect(dim):.1f} {unit}{mixed}</span>'
        rows = tuple(self.rows_of[dim][0] for dim in self.dims)
        if self.sliders.children != rows:
            self.sliders.children = rows

    def _measures(self, edited) -> str:
        """A line per measure, a column per garment."""
        typical, norms = (self.base.shape[1] - 0.5) ** 0.5, self.z.norm(dim=1)
        lines = [("garment", [(str(i + 1), False) for i in range(GARMENTS)])]
        lines += [
            (f"\u2016z\u2016 {typical:.2f}\u00b10.7", [(f"{x:.2f}", abs(x - typical) > 2.1) for x in norms.tolist()])
        ]
        lines += [(name, [(f"{x:.0f}", False) for x in measure(edited).tolist()]) for name, measure in MEASURES.items()]
        if self.classifier:
            chance, seen = self.classifier.measure(edited)[1].max(1)
            lines.append(("seen as", [(f"{CLASSES[k]} {c:.0%}", False) for k, c in zip(seen, chance)]))
        cells = []
        for i, (name, values) in enumerate(lines):
            cells.append(f'<span class="name">{name}</span>')
            for row, (text, far) in enumerate(values):
                marks = "touched " * (i == 0 and row in self.touched) + "far" * far
                cells.append(f'<span class="{marks}">{text}{" far" * far}</span>')
        return f"<div>{''.join(cells)}</div>"

    def _repr_mimebundle_(self, **_):
        if self.view:
            return self.view._repr_mimebundle_()
        if not self.run:
            return {"text/plain": self.status}
        picture, text = (
            catalogue.encode(self.figure())["png"],
            "The latent editor at rest. Open this notebook with make lab, and it moves.",
        )
        return {"text/plain": text, "text/html": catalogue.on_page(picture, text, 810)}


def _label(folder: Path) -> str:
    return f"{folder.parts[-3]}, {folder.name}"


def _offer(dropdown: w.Dropdown, options: list, value=...) -> None:
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
