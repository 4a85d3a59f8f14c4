"""A page that carries the engine and nothing else: for the tests in browsers, and for the benchmark."""

import base64
from functools import cache
from pathlib import Path

import numpy as np
import torch

from labkit import data, latent
from labkit.base import paths
from labkit.evaluation.classifier import load_classifier
from labkit.page import bundle, contents
from labkit.page.export import Network, export_classifier, export_generator
from labkit.training import runs

MODELS = ("vanilla", "dcgan")

# What a test asks for in the page. `lab(name)` gives the entry, its weights and the engine.
TOOLS = """
const engine = {...labModules["weights.js"], ...labModules["engine.js"]};
labModules["words.js"].speak(JSON.parse(document.getElementById("lab-data").textContent).words);
const constants = JSON.parse(document.getElementById("lab-data").textContent).search;
async function lab(name) {
    const element = document.getElementById("lab-weights-" + name);
    const entry = JSON.parse(document.getElementById("lab-data").textContent).networks.find(n => n.weights === name);
    return [entry, await engine.readWeights(element.textContent, element.dataset.sha256)];
}
const numbers = text => new Float32Array(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);
function textOf(floats) {
    let text = "";
    const bytes = new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength);
    for (const byte of bytes) text += String.fromCharCode(byte);
    return btoa(text);
}
"""


@cache
def generator(model: str):
    """The trained generator of ``model`` that ships."""
    return runs.load_run(next(folder for folder in runs.finished() if folder.parts[-2] == model)).generator()


@cache
def network(name: str) -> Network:
    """The network ``name``, one of MODELS or classifier, as the page carries it."""
    if name == "classifier":
        return export_classifier(load_classifier()[0])
    return export_generator(generator(name), name)


def have_runs() -> bool:
    """Whether both networks are trained here."""
    return {folder.parts[-2] for folder in runs.finished(paths.RUNS)} >= set(MODELS)


def embedded(*names: str) -> bundle.Embedded:
    """What a page carries for the networks ``names``."""
    entries = [{"model": name, "weights": name, "layers": network(name).layers} for name in names]
    words = contents.spoken(data.FASHION_MNIST)
    parts = {"format": 1, "networks": entries, "search": contents.SEARCH, "words": words}
    return bundle.embed(parts, {name: network(name) for name in names}, "networks.js")


def write_page(folder: Path, *names: str, tail: str = "", damage: str = "") -> Path:
    """A page with the networks ``names``, under the policy of the report; ``tail`` is a script of the test's own.

    The weights of the network ``damage`` are others than their digest says.
    """
    parts = embedded(*names)
    html, hashes = parts.html, parts.script_hashes
    if damage:
        digest = network(damage).digest
        html = html.replace(f'data-sha256="{digest}"', f'data-sha256="{"0" * 12 + digest[12:]}"')
    if tail:
        html, hashes = f"{html}\n<script>{tail}</script>", (*hashes, bundle.script_hash(tail))
    policy = bundle.Embedded(html, hashes).policy
    page = folder / "engine.html"
    page.write_text(
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>engine</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}"></head>'
        f'<body><p id="out">ready</p>{html}</body></html>',
        encoding="utf-8",
    )
    return page


def encode(numbers: torch.Tensor) -> str:
    """float32 as base64, for `numbers` in the page."""
    return base64.b64encode(numbers.float().numpy().tobytes()).decode()


def decode(text: str, *shape: int) -> torch.Tensor:
    """What `textOf` in the page wrote."""
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), np.float32).copy()).view(*shape)


def grey(images: torch.Tensor) -> torch.Tensor:
    """Grey levels, 0 to 255, as the report's figures round them."""
    return ((images + 1) * 127.5).round().int()


def compare(model: str, images: torch.Tensor, z: torch.Tensor) -> tuple[int, float]:
    """The largest difference of ``images`` to `latent.sample` in grey levels, and the share of pixels that differ."""
    difference = (grey(images.view(-1, 1, 28, 28)) - grey(latent.sample(generator(model), z))).abs()
    return int(difference.max()), float((difference > 0).float().mean())
