"""The list of sliders: a row for each dimension or direction at hand."""

from ..base import whole  # noqa: F401, before torch

# isort: split
import html
from functools import partial
from typing import NamedTuple

import ipywidgets as w

from .. import latent
from ..texts import say
from .binding import Binding, close, keep_order
from .vectors import RANGE

# Of a slider. A power of two, so that the page finds nothing to round in a value that it is sent: it sends back what it
# has rounded, as if somebody had moved the slider.
STEP = 2**-7
NAMES = "40px", "170px"  # room for names: of dimensions, and where there are directions
MIXED = 1e-4  # so far apart garments differ


class Row(NamedTuple):
    """What there is for one dimension or direction."""

    box: w.HBox  # all of it
    slider: w.FloatSlider
    note: w.HTML  # what it does, beside it


class Rows(Binding):
    """The sliders of an editor; it has ``dims``, and what can be done along each of them."""

    def _build_rows(self) -> w.VBox:
        """The list, empty."""
        self.sliders = w.VBox().add_class("labkit-rows")
        self.slider_rows: dict[int | str, Row] = {}
        return self.sliders

    def _row(self, dim: int | str) -> Row:
        """Slider, the lab's three values, effect, and two buttons for ``dim``."""
        name = self.title(dim)
        slider = self._bind(
            w.FloatSlider(min=-RANGE, max=RANGE, step=STEP, description=name, tooltip=name), partial(self.slide, dim)
        )
        presets = [
            self._button(f"{v:+g}" if v else "0", _said("value_tip", title=name, value=v), partial(self.set, dim, v))
            for v in latent.LAB_VALUES
        ]
        reset = self._button("\u21ba", _said("reset_tip", title=name), partial(self.reset, dim))
        remove = self._button("\u00d7", _said("remove_tip", title=name), partial(self.remove, dim))
        for button in (*presets, reset, remove):
            button.layout.width = None
            button.add_class("labkit-small")
        reset.add_class("labkit-again")
        remove.add_class("labkit-away")
        note = w.HTML().add_class("labkit-note")
        box = w.HBox([slider, *presets, note, reset, remove]).add_class("labkit-row")
        keep_order(box)
        return Row(box, slider, note)

    def _sync_sliders(self) -> None:
        """A row for each of ``dims``, whose slider stands at the mean of the garments that an edit changes."""
        for dim, row in [*self.slider_rows.items()]:
            if dim not in self.dims or row.slider.description != self.title(dim):
                close(self.slider_rows.pop(dim).box)
        width = NAMES[any(isinstance(dim, str) for dim in self.dims)]
        for dim in self.dims:
            if dim not in self.slider_rows:
                self.slider_rows[dim] = self._row(dim)
            self.slider_rows[dim].slider.style.description_width = width
            row, shown = self.slider_rows[dim], self.shown(dim)
            row.slider.value = round(shown.mean().item() / STEP) * STEP
            text = _said("effect", x=self.effect(dim))
            if shown.max() - shown.min() >= MIXED:
                text = _said("mixed", effect=text)
            deed, tip = self.deeds.get(dim), _said("effect_tip", nouns=self.nouns["nouns"])
            tip = f"{deed.words()}; {tip}" if deed else tip
            row.note.value = f'<span title="{html.escape(tip)}">{text}</span>'
        boxes = tuple(self.slider_rows[dim].box for dim in self.dims)
        if self.sliders.children != boxes:
            self.sliders.children = boxes


def _said(name: str, **values: object) -> str:
    """The text ``name`` of a slider's row."""
    return say(f"editor.row.{name}", **values)
