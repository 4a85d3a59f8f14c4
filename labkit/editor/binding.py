"""What stands between a widget and the editor: values that the page sends are checked, and clicks keep their order.

Here: single widgets. Not here: which of them there are (`tools`, `rows`).
"""

from ..base import whole  # noqa: F401, before torch

# isort: split
import ipywidgets as w
from traitlets import TraitError

from ..texts import say
from .session import Editor

NOTHING = ""  # the first entry of a list, which is no choice; a None would leave the list blank


class Binding(Editor):
    """An editor with controls, which is not to hear its own voice."""

    nouns: dict[str, str]  # what one of the pictures is called, and several
    _syncing = False

    def _bind(self, widget, act=None, width: str | None = None):
        """Call ``act`` with every new value that the user gives ``widget``; refuse what is no value for it.

        The page waits for an answer: without an ``act``, that is a `refresh`.
        """
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
            if self._syncing:
                return
            if act:
                act(change["new"])
            else:
                self.refresh()

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
        return self._button(tool(name), tool(f"{name}_tip"), act, width)


def tool(name: str) -> str:
    """The text ``name`` of the tools."""
    return say(f"editor.tools.{name}")


def set_options(dropdown: w.Dropdown, options: list, value=...) -> None:
    """Offer ``options``, if they are not offered already, and choose ``value``."""
    if list(dropdown.options) != options:
        dropdown.options = options
        dropdown.index = len(options) - 1 if options else None  # the newest
    if value is not ... and value in (None, *(entry[1] for entry in options)):
        dropdown.value = value


def keep_order(widget: w.Widget) -> None:
    """Let what the page sends to ``widget`` and all in it be taken in the order in which it was sent.

    The page sends all of it to one thread of the kernel. ipykernel (from 7.1 on) would rather hand each message to the
    thread that spoke last for the same widget: while a cell runs, some would wait for it and others overtake them.
    """
    comm = getattr(widget, "comm", None)
    if comm is not None and hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, sent_to: sent_to
    for part in getattr(widget, "children", ()):
        keep_order(part)


def close(widget: w.Widget) -> None:
    """Close a widget and all that belongs to it."""
    for part in (*getattr(widget, "children", ()), getattr(widget, "layout", None), getattr(widget, "style", None)):
        if isinstance(part, w.Widget):
            close(part)
    widget.unobserve_all()
    widget.close()


def _check_message(widget: w.Widget, state: dict) -> None:
    """Raise TraitError if the page asks for a ``state`` of ``widget`` that is no value or no choice for it."""
    value = state.get("value")
    if state.keys() - {"value", "index"}:
        raise TraitError(say("editor.status.not_settable", names=", ".join(state)))
    if "index" in state and state["index"] is None:
        raise TraitError(say("editor.status.nothing_chosen"))
    if hasattr(widget, "max") and not (type(value) in (int, float) and widget.min <= value <= widget.max):
        raise TraitError(say("editor.status.not_a_number", value=repr(value), low=widget.min, high=widget.max))
