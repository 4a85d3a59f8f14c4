"""The live latent editor: sliders move z, eight garments follow.

What can be done is in `session`; this binds it to widgets, those of `rows` and `tools`. Headless, nothing but a figure
is shown.
"""

from ..base import whole  # noqa: F401, before torch

# isort: split
import contextlib
import html
from pathlib import Path

import ipywidgets as w
from IPython.display import Javascript

from .. import data, latent
from ..base import paths
from ..base.errors import LabError
from ..evaluation.classifier import Classifier, load_classifier
from ..figures import catalogue, sheets
from ..gans import GANS
from ..texts import say, terms
from . import captions
from .binding import close, keep_order, set_options, tool
from ..page.recipe import GARMENTS
from .rows import Rows
from .tools import Tools
from ..page.worlds import label, title_of, worlds

HERE = Path(__file__).parent
STYLE = (HERE / "style.css").read_text(encoding="utf-8")
SCRIPTS = [(HERE / name).read_text(encoding="utf-8") for name in ("labels.js", "clicks.js", "pulse.js")]
# What pulse.js says of a kernel that does not answer, by its names for them.
PULSE = ("waiting", "gone", "restarted", "busy", "slow")


class LatentExplorer(Rows, Tools):
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
        self.view: w.VBox | None = None  # on the page
        self.open_on_page, self._beat = False, 0
        self.classifier: Classifier | None = None
        self.classes: tuple[str, ...] = ()
        self.nouns = {"noun": "", "nouns": ""}  # what one of the pictures is called, and several
        super().__init__(run, dims, seed, device)
        if paths.HEADLESS:
            self._take_over()
        else:
            self._show()

    def reopen(self) -> None:
        """Take the place of the editor that is open, with the vectors that this one had."""
        if self.view and not self.open_on_page:
            self._show()

    def _show(self) -> None:
        """Be the editor that is open, and on the page."""
        self._take_over()
        self.view = self.view or w.VBox()
        before, self.view.children = self.view.children, self._build()
        for part in before:
            close(part)
        self.view.remove_class("labkit-gone").add_class("labkit-editor")
        keep_order(self.view)
        self.open_on_page = True
        self._history.release()
        self.refresh()

    def _take_over(self) -> None:
        """Be the one that is open."""
        before, older = LatentExplorer._live, LatentExplorer._last
        if before is not self:
            if older and older is not self:
                older.close()
            if before and paths.HEADLESS:
                before.close()
            elif before:
                before._hand_over()
            LatentExplorer._live, LatentExplorer._last = self, before

    def _hand_over(self) -> None:
        """Say on the page that another editor is open now; the garments can be brought back."""
        if not self.view:
            return
        before, self.open_on_page = self.view.children, False
        self.view.remove_class("labkit-editor").add_class("labkit-gone")
        note = w.HTML(f'<div role="status">{say("editor.gone.told")}</div>')
        self.view.children = [note, self._button(say("editor.gone.back"), say("editor.gone.tip"), self.reopen, "auto")]
        keep_order(self.view)
        for part in before:
            close(part)

    def close(self) -> None:
        """Take the editor off the page."""
        if self.view:
            view, self.view, self.open_on_page = self.view, None, False
            close(view)

    def _open(self, run, found, deeds) -> None:
        """As `session.Editor`; and name the pictures as the classifier of the run's data set does, if there is one."""
        if self.run is None or run.config.dataset != self.run.config.dataset:
            noun, self.classifier = data.Dataset.noun, None  # as of a data set of which nothing is known
            with contextlib.suppress(LabError):  # the editor does without the classes
                dataset = data.find(run.config.dataset)
                noun = dataset.noun
                self.classes = tuple(terms.of_class(name, dataset.name) for name in dataset.classes)
                self.classifier = load_classifier(dataset=run.config.dataset, train=False)[0]
            self.nouns = {"noun": terms.noun(noun), "nouns": terms.nouns(noun)}
        super()._open(run, found, deeds)

    def refresh(self) -> None:
        """Bring page and state together: picture, measures, sliders, status line."""
        if not self.open_on_page:
            return
        kind = ' class="labkit-failed"' if self.failed else ""
        text = html.escape(self.status.replace(f"{paths.ROOT}/", "")) or "&nbsp;"
        self.status_line.value = f'<div role="status"{kind}>{text}</div>'
        self._syncing, self._beat = True, self._beat + 1
        try:
            self._sync()
        finally:
            self._syncing = False
        if self.run:
            base, edited = self.images()
            self.stage.value = sheets.stage(base, edited, self.change.value)
            self.measurements.value = captions.measures(self, edited, self._beat)
        else:
            self.measurements.value = f'<div data-beat="{self._beat}"></div>'

    def progress(self, share: float) -> None:
        """Show how much of a longer work is done, 0 to 1."""
        if self.open_on_page:
            self.bar.value, self.bar.layout.visibility = share, "visible" if share < 1 else "hidden"

    def _build(self) -> list[w.Widget]:
        """All widgets, each bound to what it does."""
        networks = [(title_of(model), model) for model in GANS]
        self.network = self._bind(
            w.ToggleButtons(options=networks, value=None, style={"button_width": "90px"}), self._switch
        )
        self.folder = self._bind(w.Dropdown(description=tool("run")), self.use, "320px")
        difference = w.ToggleButton(
            description=say("editor.stage.difference"), tooltip=say("editor.stage.difference_tip")
        )
        self.change = self._bind(difference, lambda _: self.refresh(), "100px")
        self.stage, self.names = w.Image(format="png"), w.HTML()
        self.measurements, self.status_line = w.HTML().add_class("labkit-measures"), w.HTML()
        scripts = w.Output(layout={"display": "none"})
        for script in SCRIPTS:
            scripts.append_display_data(Javascript(script))
        bar, *lines = self._edit_tools()
        tools = [*self._slider_tools(), *lines, self._recipe_tools(), self._own_tools()]
        said = "".join(f' data-{name}="{html.escape(say(f"editor.pulse.{name}"))}"' for name in PULSE)
        pulse = w.HTML(f'<div class="labkit-pulse" aria-live="polite"{said}></div>')
        return [
            w.HTML(f"<style>\n{STYLE}</style>"),
            w.HBox([self.network, self.folder, self.change]),
            w.HBox([self.names, self.stage]).add_class("labkit-stage"),
            self.measurements,
            w.HBox([self.status_line, pulse]).add_class("labkit-said"),
            bar,
            w.HBox([self._build_rows(), w.VBox(tools).add_class("labkit-tools")]).add_class("labkit-desk"),
            self._build_gallery(),
            scripts,
        ]

    def _switch(self, model: str) -> None:
        """Open the best run of the other network."""
        found = worlds(model)
        self.use(found[0] if found else paths.RUNS / "quick" / model)

    def _sync(self) -> None:
        """Let every control show the state; a control that shows it already sends nothing."""
        set_options(self.recipe, self.kept())
        self._sync_gallery()
        if not self.run:
            set_options(self.folder, [(label(folder), folder) for folder in worlds()], None)
            return
        model = self.run.config.model
        names = [
            say(f"editor.stage.{name}") for name in ("base", "edited", "difference")[: 3 if self.change.value else 2]
        ]
        alt = say("editor.stage.alt", nouns=self.nouns["nouns"], rows=say("common.list.between").join(names))
        spans = "".join(f"<span>{name}</span>" for name in names)
        self.names.value = f'<div class="labkit-names" data-alt="{alt}" data-movie="{tool("sweep")}">{spans}</div>'
        self.network.value, self.base_seed.value, self.dimension.max = model, self.seed, self.base.shape[1] - 1
        set_options(self.folder, [(label(folder), folder) for folder in worlds(model)], self.run.folder)
        self.target.value = "all" if len(self.rows) == GARMENTS else str(self.rows[0] + 1)
        self.what.value = self.mode
        self._sync_lists()
        if not (self._walk and self._walk.goes_on(self.z, self.rows, self.end.value)):
            self.fraction.value = 0.0
        self._sync_sliders()

    def _repr_mimebundle_(self, **_):
        if self.view:
            return self.view._repr_mimebundle_()
        if not self.run:
            return {"text/plain": self.status}
        text = say("editor.at_rest")
        picture = catalogue.encode(self.figure())["png"]
        # In the page of the report the lab takes the place of the figure, where it can run: see `page`.
        return {"text/plain": text, "text/html": f'<div class="lab-here">{catalogue.on_page(picture, text, 810)}</div>'}
