"""The report as a site: a folder that any static host serves, at any path, and a page of its figures as files."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import jinja2

from ..base.files import write_atomic
from ..texts import EDITIONS, edition, say
from . import webfont

TEMPLATES = Path(__file__).parent / "templates"


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
    write_atomic(own / "figures/index.html", _figures_page(entries).encode())
    write_atomic(own / "index.html", page(place).encode())


def other_editions(within: str = "") -> dict[str, str]:
    """The address of the same page in each other language, from the one that is spoken; ``within`` a folder of it."""
    first = next(iter(EDITIONS))
    up = "../" * ((edition() != first) + within.count("/"))
    return {
        name: f"{up}{'' if name == first else f'{name}/'}{within}index.html" for name in EDITIONS if name != edition()
    }


def _figures_page(entries: list[tuple[int, str, str]]) -> str:
    made = template("figures").render(entries=entries, others=other_editions("figures/"), EDITIONS=EDITIONS, say=say)
    return webfont.with_letters(made)
