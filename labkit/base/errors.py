"""One error class: a fault that the reader can mend, in one line."""


class LabError(Exception):
    """A fault that the reader can mend. Its text is one line: what is wrong, where, what to do."""

    def __init__(self, text: str):
        super().__init__(" ".join(str(text).splitlines()))

    def _render_traceback_(self) -> list[str]:
        """IPython calls this in place of a traceback: a notebook shows the one line."""
        return [f"labkit: {self}"]
