"""What the report carries to be the lab: one inline script, the data, the weights, and the policy that allows no more.

There is no bundler. Every module, vendored or ours, becomes a function of its own; its import lines look up what the
modules before it gave, and what it exports is given on. That is all the syntax that is understood: one import or export
to a statement, at the beginning of a line, by name.

The scripts import only from those to their left. What the reader does changes the state, in lab.js; view.js shows the
state in every part, and has it drawn.

    words > vectors > pictures, weights > numbers, search > engine > networks > lab > atlas, link, recipe > parts
    > draw, finder, ownvector, grip, look, sheet > files > tabs, stage, sliders, pad, walk, like, film, own, share
    > view, growth > start

In a notebook, where a kernel draws, it begins elsewhere: search > kernel, view > keep, pulse > notebook.
"""

import base64
import hashlib
import json
import posixpath
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..base.errors import LabError
from ..base.files import faults_in, sha256

if TYPE_CHECKING:
    from .export import Network  # which needs torch

FOLDER = Path(__file__).parent
VENDORED = FOLDER / "vendor/jax-js"
RECORD = "4999b2069e6a248f92807a9f1b8f0771255a9ec3d5994f7e59313f30fc409466"  # SHA-256 of its record.toml

IMPORT = re.compile(r'^import\s+(?:\{([^}]*)\}|\*\s+as\s+(\w+))\s+from\s+["\'](\.[^"\']+)["\'];?[ \t]*$', re.M)
EXPORTS = re.compile(r"^export\s+\{([^}]*)\};?[ \t]*$", re.M)
EXPORTED = re.compile(r"^export\s+((?:async\s+)?function\*?|class|const|let)\s+([\w$]+)", re.M)
STRAY = re.compile(r"^(?:import\s*[\w{*\"']|export\s).*", re.M)
UNSAFE = re.compile(r"<(?:/?script|!--)", re.I)  # what would end or nest the element that a script stands in


@dataclass(frozen=True)
class Embedded:
    """What the page appends at the end of its body, and the hashes of its scripts for the policy."""

    html: str
    script_hashes: tuple[str, ...]

    @property
    def policy(self) -> str:
        """The content-security policy of a page that carries this: its own scripts, and no request at all."""
        hashes = " ".join(f"'{digest}'" for digest in self.script_hashes)
        return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {hashes} 'wasm-unsafe-eval'"


def embed(contents: dict, networks: "dict[str, Network]", entry: str = "start.js") -> Embedded:
    """The lab in a page: ``contents`` for `lab-data`, the weights of ``networks`` by name, the script from ``entry``.

    Raises:
        LabError: a file of the script is damaged or not as `script` reads it.
    """
    data = json.dumps(contents, allow_nan=False, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = [f'<script type="application/json" id="lab-data">{data}</script>']
    for name, network in networks.items():
        parts.append(
            f'<script type="text/plain" id="lab-weights-{name}" data-sha256="{network.digest}">'
            f"{network.payload()}</script>"
        )
    code = script(entry)
    parts.append(f"<script>{code}</script>")
    return Embedded("\n".join(parts), (script_hash(code),))


def script_hash(code: str) -> str:
    """How a content-security policy names an inline script: sha256-..."""
    return "sha256-" + base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()


def script(entry: str = "start.js", folder: Path = FOLDER) -> str:
    """``entry`` of ``folder`` and all that it imports as one classic script; `labModules` holds what each exports.

    Raises:
        LabError: a file is missing, what is vendored is not what was vetted, or an import or export is of another form.
    """
    record = check_vendored(folder / "vendor/jax-js")
    licence = (folder / "vendor/jax-js/LICENSE").read_text(encoding="utf-8")
    modules: dict[str, str] = {}
    _add(entry, folder, modules, ())
    lines = []
    if any(name.startswith("vendor/") for name in modules):
        lines = [f"/* With {record['package']} {record['version']}:\n\n{licence}*/"]
    # Without shared memory jax-js computes on this thread alone: its workers would need another policy.
    lines += ['"use strict"; const labModules = (SharedArrayBuffer => { const modules = {};']
    lines += [f'modules["{name}"] = (() => {{\n{code}\n}})();' for name, code in modules.items()]
    whole = "\n".join([*lines, "return modules; })(undefined);"]) + "\n"
    if found := UNSAFE.search(whole):
        raise LabError(
            f"{folder / entry} and what it imports contain {found[0]!r}, which would end the script: reword it"
        )
    return whole


def module(entry: str, *names: str) -> str:
    """The same as a module, for anywidget: its default export has ``names`` of ``entry``."""
    given = ", ".join(f'{name}: labModules["{entry}"].{name}' for name in names)
    return f"{script(entry)}export default {{{given}}};\n"


def _add(name: str, folder: Path, modules: dict[str, str], within: tuple[str, ...]) -> None:
    """Put ``name`` into ``modules``, after all that it imports."""
    if name in modules:
        return
    if name in within:
        raise LabError(f"{folder / name}: imports itself, by way of {', '.join(within)}: take one import out")
    with faults_in(folder / name, "get the project's files back from git"):
        code = (folder / name).read_text(encoding="utf-8")
    given: list[str] = []

    def imported(match: re.Match) -> str:
        other = posixpath.normpath(posixpath.join(posixpath.dirname(name), match[3]))
        _add(other, folder, modules, (*within, name))
        left = match[2] or "{" + re.sub(r"\bas\b", ":", match[1]) + "}"
        return f'const {left} = modules["{other}"];'

    def exports(match: re.Match) -> str:
        for part in filter(None, map(str.strip, match[1].split(","))):
            own, _, public = part.partition(" as ")
            given.append(f"{public or own}: {own}")
        return ""

    def exported(match: re.Match) -> str:
        given.append(match[2])
        return f"{match[1]} {match[2]}"

    code = EXPORTED.sub(exported, EXPORTS.sub(exports, IMPORT.sub(imported, code)))
    if stray := STRAY.search(code):
        raise LabError(
            f"{folder / name}: {stray[0][:60]!r} is no import or export that bundle.py reads: use names alone"
        )
    modules[name] = f"{code.rstrip()}\nreturn {{{', '.join(given)}}};"


def check_vendored(folder: Path = VENDORED) -> dict:
    """The record of what is vendored, its files verified against it.

    Raises:
        LabError: a file is missing, or is not what was fetched.
    """
    remedy = "jax-js is not as it was fetched, get its files back from git"
    with faults_in(folder / "record.toml", remedy):
        content = (folder / "record.toml").read_bytes()
        if sha256(content) != RECORD:
            raise ValueError("its sha256 is not the one that was vetted")
        record = tomllib.loads(content.decode())
        here, wanted = {path.name for path in folder.iterdir()}, {"record.toml", *record["files"]}
    if odd := sorted(here ^ wanted):
        raise LabError(f"{folder / odd[0]} is {'missing' if odd[0] in wanted else 'not of record.toml'}: {remedy}")
    for name, digest in record["files"].items():
        with faults_in(folder / name, remedy):
            if sha256((folder / name).read_bytes()) != digest:
                raise ValueError("its sha256 is not that of record.toml")
    return record
