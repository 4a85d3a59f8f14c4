"""The report as a site: a folder that any static host serves, at any path, and a page of its figures as files."""

import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import jinja2

from ..base.files import write_atomic
from ..texts import EDITIONS, edition

TEMPLATES = Path(__file__).parent / "templates"
PROJECT = re.compile(
    r'<a href="\.\./[^"]*"[^>]*>(.*?)</a>', re.S
)  # a link to a file of the project, which is not there


def template(name: str) -> jinja2.Template:
    """The template ``name``.html.j2."""
    text = (TEMPLATES / f"{name}.html.j2").read_text(encoding="utf-8")
    return jinja2.Environment(autoescape=True).from_string(text)


def write_site(folder: Path, figures: Path, of: Mapping[int, tuple[str, str]], page: Callable[..., str]) -> None:
    """Write index.html, figures/ with every file of ``figures`` and a page of them, and images/ into ``folder``.

    In another language than the first the page and the figures are in a folder of that name there, as zh/index.html;
    images/ has the pictures of all pages, each once. ``of`` are the entries of the catalogue that ``figures`` has.
    ``page`` makes the report, with the pictures where its argument, an `images.Place`, puts them. No address in the
    site is absolute.
    """

    def place(content: bytes, name: str) -> str:
        write_atomic(folder / "images" / name, content)
        return f"{up}images/{name}"

    first = edition() == next(iter(EDITIONS))
    up, own = ("", folder) if first else ("../", folder / edition())
    shutil.copytree(figures, own / "figures")
    entries = [(n, f"fig{n:02d}_{slug}", caption) for n, (slug, caption) in of.items()]
    write_atomic(own / "figures/index.html", template("figures").render(entries=entries).encode())
    write_atomic(own / "index.html", PROJECT.sub(r"\1", page(place)).encode())
