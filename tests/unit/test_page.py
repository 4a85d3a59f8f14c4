"""The page's room: what export writes is the network, and the script is whole, safe, and names its hash."""

import base64
import gzip
import hashlib
import json
import re
import shutil
import subprocess

import pytest
import torch
from engine_page import MODELS, compare, generator, have_runs, network
from torch import nn
from torch.nn.functional import conv2d, interpolate, leaky_relu, max_pool2d

from labkit import data, latent
from labkit.config import config_for
from labkit.evaluation.classifier import load_classifier
from labkit.gans import build
from labkit.page import bundle
from labkit.page.export import Network, export, export_classifier, export_generator

needs_runs = pytest.mark.skipif(not have_runs(), reason="no trained runs of both networks")
ACTIVATIONS = {
    "none": lambda x, layer: x,
    "leaky": lambda x, layer: leaky_relu(x, layer["slope"]),
    "relu": lambda x, layer: x.relu(),
    "tanh": lambda x, layer: x.tanh(),
    "hardtanh": lambda x, layer: x.clamp(-1, 1),
}


def compute(exported: Network, x: torch.Tensor) -> torch.Tensor:
    """What the exported layers make of ``x``, by torch's own functions, from the payload read back."""
    content = gzip.decompress(base64.b64decode(exported.payload()))
    assert hashlib.sha256(content).hexdigest() == exported.digest
    n = len(content) // 2
    halves = b"".join(content[n + i : n + i + 1] + content[i : i + 1] for i in range(n))  # low byte, high byte
    weights, values = torch.frombuffer(bytearray(halves), dtype=torch.float16).float(), [x]
    assert torch.equal(weights, exported.weights())
    for layer in exported.layers:
        x = values[layer["from"]]
        if layer["kind"] == "dense":
            size = layer["in"] * layer["out"]
            x = x @ weights[:size].view(layer["in"], -1) + weights[size : size + layer["out"]]
            weights = weights[size + layer["out"] :]
        elif layer["kind"] == "add":
            x = x + values[layer["with"]]
        else:
            maps = x.view(len(x), layer["size"], layer["size"], layer["in"]).permute(0, 3, 1, 2)
            if layer["kind"] == "conv":
                size = layer["in"] * 9 * layer["out"]
                kernel = weights[:size].view(layer["in"], 3, 3, -1).permute(3, 0, 1, 2)
                maps = interpolate(maps, scale_factor=2) if layer["up"] else maps
                maps = conv2d(maps, kernel, weights[size : size + layer["out"]], layer["stride"], 1)
                weights = weights[size + layer["out"] :]
            else:
                maps = max_pool2d(maps, 2) if layer["kind"] == "pool" else maps.mean((2, 3), keepdim=True)
            x = maps.permute(0, 2, 3, 1).flatten(1)
        values.append(ACTIVATIONS[layer["act"]](x, layer))
    assert not len(weights)
    return values[-1]


@needs_runs
@pytest.mark.parametrize("model", MODELS)
def test_the_folded_network_is_the_generator(model):
    z = latent.latents(64, 100, 7)
    worst, share = compare(model, compute(network(model), z), z)
    assert worst <= 1 and share <= 0.02
    again = export_generator(generator(model), model)
    assert again.payload() == network(model).payload() and json.dumps(again.layers) == json.dumps(network(model).layers)


PARTS = ("shortcut", "batchnorm", "dropout_g", "leaky_tanh", "depth")


@pytest.mark.parametrize("without", PARTS)
def test_a_generator_without_a_part_is_exported_too(without):
    g = build(config_for("vanilla", "smoke", without=without))[0]
    with torch.no_grad():
        for buffer in g.buffers():  # statistics that a fold can get wrong
            if buffer.is_floating_point():
                buffer.uniform_(0.5, 2)
    z = latent.latents(16)
    images = compute(export_generator(g, "vanilla"), z)
    assert (images - latent.sample(g, z).flatten(1)).abs().max() < 0.02


def test_the_classifier_gives_the_same_classes(sample_images):
    classifier = load_classifier()[0]
    logits = compute(export_classifier(classifier), data.loading.to_unit(sample_images).flatten(1))
    expected = classifier.measure(sample_images)[1]
    assert (logits.softmax(1) - expected).abs().mean() < 0.01
    assert (logits.argmax(1) == expected.argmax(1)).float().mean() > 0.99
    assert len(export_classifier(classifier).payload()) < 300_000


class Branch(nn.Module):
    """Normalises what is used without it too."""

    def __init__(self):
        super().__init__()
        self.a, self.norm = nn.Linear(100, 784), nn.BatchNorm1d(784)

    def forward(self, z):
        h = self.a(z)
        return self.norm(h) + h


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (nn.Sequential(nn.Linear(100, 784), nn.GELU()), ["GELU"]),
        (nn.Sequential(nn.Linear(100, 784), nn.Tanh(), nn.BatchNorm1d(784)), ["BatchNorm1d"]),
        (nn.Sequential(nn.Unflatten(1, (100, 1, 1)), nn.ConvTranspose2d(100, 1, 28)), ["Unflatten"]),
        (Branch(), ["BatchNorm1d"]),
    ],
)
def test_what_the_page_cannot_compute_is_refused_in_a_line(refused, network, words):
    with refused("mine", "labkit/page/export.py", *words):
        export(network.eval(), "mine", 100)


def test_a_weight_beyond_half_precision_is_refused(refused):
    layer = nn.Linear(100, 784)
    with torch.no_grad():
        layer.weight[3, 5] = 1e5
    with refused("mine", "65504"):
        export(nn.Sequential(layer), "mine", 100)


# ----- the script


def test_the_script_is_whole_and_its_hash_is_in_the_policy():
    parts = bundle.embed({"text": "</script><b>"}, {}, "engine.js")
    assert parts.html.count("</script>") == parts.html.count("<script") == 2
    assert json.loads(re.search(r'id="lab-data">(.*?)</script>', parts.html)[1])["text"] == "</script><b>"
    code = re.search(r"<script>(.*)</script>", parts.html, re.S)[1]
    assert (bundle.VENDORED / "LICENSE").read_text() in code  # it asks to be in every copy
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}' 'wasm-unsafe-eval'" in parts.policy
    assert parts.policy.startswith("default-src 'none'; img-src data:;") and "http" not in parts.policy
    assert "unsafe-inline" not in parts.policy.partition("script-src")[2]


@pytest.fixture
def folder(tmp_path):
    """A folder of scripts beside what is vendored."""
    shutil.copytree(bundle.VENDORED, tmp_path / "vendor/jax-js")
    return tmp_path


def test_modules_find_one_another(folder):
    (folder / "b.js").write_text(
        "export const one = 1;\nexport async function two() { return 2; }\nclass C {}\nexport { C as D };\n"
    )
    (folder / "a.js").write_text(
        'import { one, two as zwei,\n  D } from "./b.js";\nimport * as all from "./b.js";\n'
        "export const found = [one, typeof zwei, typeof D, Object.keys(all).join()];\n"
    )
    if not (node := shutil.which("node")):
        pytest.skip("no node")
    code = bundle.script("a.js", folder) + 'console.log(JSON.stringify(labModules["a.js"].found))'
    done = subprocess.run([node, "-e", code], capture_output=True, text=True)
    assert json.loads(done.stdout) == [1, "function", "function", "D,one,two"], done.stderr


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ('const text = "</ScRiPt>";', ["</ScRiPt", "reword"]),
        ("// <!-- a comment", ["<!--"]),
        ('import x from "./b.js";', ["import x from"]),
        ("export default 3;", ["export default"]),
        ('import { x } from "./a.js";', ["imports itself"]),
        ('import { x } from "./missing.js";', ["missing.js"]),
    ],
)
def test_a_script_that_cannot_be_inlined_is_refused(folder, refused, code, words):
    (folder / "a.js").write_text(code + "\n")
    with refused("a.js" if "missing.js" not in words else "missing.js", *words):
        bundle.script("a.js", folder)


# ----- its words

KEYS = "Arrow(Left|Right|Up|Down)|Page(Up|Down)|Home|End|Enter|Escape|Tab|Backspace|Delete"  # names of events
SOLID = re.compile(
    rf"\s*({KEYS}|Files|Ctrl\+(Shift\+)?Z|SHA-256|use strict|L|M|H|V)\s*|[MHV][\d .-]*|make explore|[(]prefers-[^)]*[)]"
)
REGEX = re.compile(r"(?<=[=(,:?!&|])\s*/(?![/*])(?:[^/\\\n\[]|\\.|\[(?:[^\]\\]|\\.)*\])+/\w*")
TOKEN = re.compile(r"//[^\n]*|/\*.*?\*/|'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|`|[{}]", re.S)
SHOWN = re.compile(r'(?:aria-label|aria-roledescription|title|placeholder|alt)="([^"]*)"')


def literals(code):
    """What stands in quotes in ``code``, and what stands in a template, each template's parts joined by a hole."""
    code, at, plain, inside = REGEX.sub(" ", code), 0, [], []  # inside: of each template that is open, its parts
    depth = [0]  # braces that are open, in each hole
    while found := TOKEN.search(code, at):
        token, at = found[0], found.end()
        if token[0] in "'\"":
            plain.append(token[1:-1])
        elif token == "{":
            depth[-1] += 1
        elif token == "}" and depth[-1]:
            depth[-1] -= 1
        elif token in "}`":  # a template begins, or goes on after a hole
            inside += [[]] if token == "`" else []
            depth = depth if token == "`" else depth[:-1]
            end = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*", re.S).match(code, at)
            inside[-1].append(end[0])
            at = end.end() + (1 if code[end.end()] == "`" else 2)
            if code[end.end()] == "`":
                plain.append("\0".join(inside.pop()))
            else:
                depth.append(0)
    return plain


def read_aloud(text):
    """What a reader would see of ``text``, a literal: what stands between tags, and in attributes that are read."""
    if "<" not in text:
        return [text] if re.search(r"[A-Za-z]{2,}[,.:;!?]? +[A-Za-z(]|^[A-Z][a-z]+|[A-Za-z]{3,}[.:!?…]$", text) else []
    return [*re.split(r"<[^>]*>?", re.sub(r"\0[^<>]*", "\0", text)), *SHOWN.findall(text)]


@pytest.mark.parametrize("path", sorted(bundle.FOLDER.glob("*.js")), ids=lambda path: path.name)
def test_what_a_reader_sees_stands_in_no_script(path):
    """All of it comes from lab.toml; what only a console is told, and selectors, are not that."""
    code = re.sub(r"(Damaged|RangeError)\((?:[^()]|\([^()]*\))*\)", "", path.read_text(encoding="utf-8"))
    odd = [
        seen
        for text in literals(code)
        for seen in read_aloud(text)
        if re.search("[A-Za-z]{2}", seen) and not SOLID.fullmatch(seen.strip()) and not re.match(r"[.#\[]|\w*\[", seen)
    ]
    assert odd == []


def test_the_texts_of_the_page_are_those_that_its_scripts_ask_for():
    from labkit.texts import table

    codes = "\n".join(path.read_text(encoding="utf-8") for path in bundle.FOLDER.glob("*.js"))
    asked = set(re.findall(r"'((?:\w+\.)\w+|title|hint|note|sentences)'", codes)) & {
        *table("lab"),
        *re.findall(r"say\('([\w.]+)'", codes),
    }
    families = {name.partition("${")[0] for name in re.findall(r"say\(`([^`]+)`", codes)}  # as `tabs.${name}`
    python = {"after", "after_some", "training"}  # contents.py says these
    given = {"list.and", "list.between"}
    unused = {key for key in table("lab") if key not in asked | python and not any(map(key.startswith, families))}
    assert unused == set() and asked - set(table("lab")) - given == set()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_texts_of_the_page_can_stand_in_html(language):
    from labkit.texts import table, using

    with using(language):
        assert {key for key, text in table("lab").items() if re.search('[&<"\\\\]', text)} == set()


@pytest.mark.parametrize("name", ["index.js", "LICENSE", "record.toml"])
def test_what_is_vendored_is_verified(folder, refused, name):
    assert bundle.check_vendored(folder / "vendor/jax-js")["version"] == "0.1.25"
    file = folder / "vendor/jax-js" / name
    file.write_bytes(file.read_bytes()[:-100])
    with refused("jax-js is not as it was fetched"):
        bundle.check_vendored(folder / "vendor/jax-js")
