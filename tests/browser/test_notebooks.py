"""The committed notebooks, unexecuted: clean, of a chapter's size, and together they make every figure once."""

import ast
import json
import os
import re
import subprocess
import sys

import nbformat
import pytest

from labkit.base.paths import ROOT
from labkit.figures.catalogue import FIGURES

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHAPTERS = [path for path in NOTEBOOKS if path.name[0].isdigit()]
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
each_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


def cells(path, kind):
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def code(path):
    """The source of every code cell."""
    return ["".join(cell["source"]) for cell in cells(path, "code")]


def prose(path):
    return "\n\n".join("".join(cell["source"]) for cell in cells(path, "markdown"))


def published(source):
    """The figure numbers that a cell publishes: the second argument of every `catalogue.publish(...)`."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [ast.literal_eval(call.args[1]) for call in calls if ast.unparse(call.func) == "catalogue.publish"]


def test_the_chapters_are_numbered():
    assert [path.name[:2] for path in CHAPTERS] == ["00", "01", "02", "03", "04", "05"]
    assert [path.stem for path in NOTEBOOKS if path not in CHAPTERS] == ["latent_editor"]


@each
def test_no_outputs_no_counts_no_widgets(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    nbformat.validate(nbformat.read(path, 4))
    assert set(notebook["metadata"]) <= {"kernelspec", "language_info"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    for cell in cells(path, "code"):
        assert cell["outputs"] == [] and cell["execution_count"] is None
    for cell in notebook["cells"]:
        assert set(cell["metadata"]) <= {"tags"}


def test_nbstripout_finds_nothing_to_strip():
    command = [sys.executable, "-m", "nbstripout", "--verify", "--keep-id", *NOTEBOOKS]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@each
def test_cell_ids_are_unique(path):
    ids = [cell["id"] for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    assert len(ids) == len(set(ids))


@each_chapter
def test_one_cell_of_parameters_and_it_comes_first(path):
    tagged = [i for i, cell in enumerate(cells(path, "code")) if "parameters" in cell["metadata"].get("tags", [])]
    assert tagged == [0]
    body = ast.parse(code(path)[0]).body
    assert body
    for statement in body:
        assert isinstance(statement, ast.Assign | ast.AnnAssign)
        target = statement.target if isinstance(statement, ast.AnnAssign) else statement.targets[0]
        assert re.fullmatch(r"[a-z_][a-z0-9_]*", ast.unparse(target))
        ast.literal_eval(statement.value)  # plain values, nothing to be executed
    assert all(cell["metadata"].get("tags", []) in ([], ["parameters"], ["live"]) for cell in cells(path, "code"))


@pytest.mark.parametrize("here", [True, False])
def test_where_there_is_no_labkit_the_cell_after_the_settings_says_what_to_type(here):
    """To a reader who opens a notebook without make; where it is found, nothing happens."""
    (source,) = {code(path)[1] for path in CHAPTERS}
    own = {"PATH": os.environ["PATH"]} | ({"PYTHONPATH": str(ROOT)} if here else {})
    done = subprocess.run([sys.executable, "-S", "-c", source], cwd=os.sep, env=own, capture_output=True, text=True)
    line = (done.stderr.splitlines() or [""])[-1]
    words = [] if here else ["ModuleNotFoundError", "make setup", "pip install -e", "Colab"]
    assert bool(line) != here and all(word in line for word in words)


@each_chapter
def test_a_chapter_not_a_dump(path):
    sources = [source for source in code(path) if not source.startswith("# Is the lab here?")]  # the same in all
    lines = [line for source in sources for line in source.splitlines() if line.strip()]
    assert len(lines) <= 125
    told = [cell for cell in cells(path, "markdown") if not cell["metadata"].get("tags")]  # no question, no answer
    words = re.findall(r"\w+(?:[-'’]\w+)*", "\n\n".join("".join(cell["source"]) for cell in told))
    assert len(words) <= 300 if path.stem == "00_in_short" else 600 <= len(words) <= 1600
    definitions = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
    assert sum(isinstance(node, definitions) for source in sources for node in ast.walk(ast.parse(source))) <= 2
    assert prose(path).startswith("# ") and len(re.findall("^# ", prose(path), re.M)) == 1


@each
def test_the_code_compiles_and_is_plain_python(path):
    for source in code(path):
        compile(source, path.name, "exec")  # also refuses %magic and !command
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in ("exec", "eval", "exit", "quit", "sys.exit", "os._exit", "torch.load", "input"), name


@each
def test_no_absolute_paths(path):
    for source in [*code(path), prose(path)]:
        assert not re.findall(r"""(?:^|[\s"'(=`])(?:/|~/|[A-Za-z]:\\|file:)[A-Za-z][\w.-]*[/\\]""", source, re.M)


@each
def test_relative_links_lead_to_files(path):
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", prose(path)) if not re.match(r"[a-z]+:|#", link)]
    assert links
    for link in links:
        target = (path.parent / link.partition("#")[0]).resolve()
        assert target.is_relative_to(ROOT) and target.exists(), link


def test_every_figure_is_published_by_one_cell():
    numbers = []
    for path in NOTEBOOKS:
        for source in code(path):
            found = published(source)
            assert len(found) <= 1, (path.name, found)
            if found:  # a cell's figure is what the cell shows, and its first line says so
                last = ast.parse(source).body[-1]
                assert isinstance(last, ast.Expr) and ast.unparse(last.value.func) == "catalogue.publish"
                assert source.startswith(f"# Figure {found[0]}:"), (path.name, found)
            numbers += found
    assert sorted(numbers) == list(FIGURES)


# Numbers that are no results: of the theory, of the original report, of a setting, of a level of confidence.
THEORY = {"1.386", "0.693", "0.45", "0.799"}  # 2 ln 2, ln 2, the draw with a smoothed label
ORIGINAL = {"0.8", "0.05", "0.10", "0.03", "0.06"}  # its eps, its ranges of losses
SETTINGS = {"0.0", "1.0", "0.1", "0.9", "0.5", "0.02", "5 %", "95 %", "99 %"}
RESULT = re.compile(
    r"(?:(?<![\w.\[/-])|(?<=[\s(]-))(?:\d+\.\d+|\d+(?:[.,]\d+)*"
    r"\s?(?:%|per cent|percent|times|grey levels|seconds|minutes|hours|epochs))"
)


def typed(path):
    """What looks like a measured number and is typed: in the prose, and in the words that cells put around results."""
    words = [
        node.value
        for source in code(path)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return [number for text in (prose(path), *words) for number in RESULT.findall(text)]


@each
def test_no_result_is_typed(path):
    """A sentence that quotes a number has it from the run."""
    assert set(typed(path)) <= THEORY | ORIGINAL | SETTINGS | (
        {"200 epochs"} if path.stem == "02_dcgan" else set()
    )  # the lab's


@pytest.mark.parametrize(
    "sentence",
    [
        "a distance of 1.38",
        "71 % of them",
        "12 grey levels",
        "is 3.5 times",
        "took 20 seconds",
        "0.17 recall",
        "after 40 epochs",
        "a correlation of -0.37",
        "took 12 hours",
    ],
)
def test_a_typed_result_is_noticed(sentence):
    assert RESULT.findall(f"We saw that {sentence}.") and not RESULT.findall(
        sentence.translate(str.maketrans("0123456789", "k" * 10))
    )
