"""How JupyterLab is started, above all as root; and the notebooks that it shows in another language."""

import json
import os
import re

import pytest

from labkit.base import paths
from labkit.base.paths import ROOT
from labkit.editor import copies, start

NOTEBOOK = "notebooks/latent_editor.ipynb"


@pytest.fixture
def machine(monkeypatch):
    """``machine(user, container)``: it is used by ``user``, and is a container or not."""

    def plant(user, container):
        monkeypatch.setattr(os, "geteuid", lambda: user)
        monkeypatch.setattr(start, "in_container", lambda: container)

    return plant


def test_an_ordinary_user_meets_jupyters_own_protection(machine, capsys):
    machine(1000, False)
    command = start.jupyterlab(NOTEBOOK, ["--no-browser"])
    assert "--ip=127.0.0.1" in command and command[-2:] == [NOTEBOOK, "--no-browser"]
    assert not any("allow" in word or "token" in word for word in command) and capsys.readouterr().err == ""


def test_root_in_a_container_is_let_in_with_a_line(machine, capsys):
    machine(0, True)
    assert "--allow-root" in start.jupyterlab(NOTEBOOK, [])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("labkit: ") and "root" in line


@pytest.mark.parametrize(("notebook", "target"), [(NOTEBOOK, "explore"), ("notebooks/01_vanilla_gan.ipynb", "lab")])
def test_root_elsewhere_is_told_what_to_type(machine, refused, notebook, target):
    machine(0, False)
    with refused("root", f"make {target} ARGS=--allow-root"):
        start.jupyterlab(notebook, [])
    assert start.jupyterlab(notebook, ["--allow-root"]).count("--allow-root") == 1


@pytest.mark.parametrize("name", ["container", "KUBERNETES_SERVICE_HOST"])
def test_a_container_is_known_by_its_environment(monkeypatch, name):
    monkeypatch.setenv(name, "x")
    assert start.in_container()


@pytest.fixture
def notebooks(tmp_path):
    """A folder with a notebook that has prose in Chinese, and one that has none."""
    for name, id in (("latent_editor", "title"), ("mine", "mine")):
        prose = {
            "cell_type": "markdown",
            "id": id,
            "metadata": {},
            "source": ["# In\n", "[x](../labkit/a.py) [y](b.ipynb)"],
        }
        code = {"cell_type": "code", "id": "code", "metadata": {}, "source": "1 + 1  # in\n", "outputs": []}
        content = {"cells": [prose, code], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (tmp_path / f"{name}.ipynb").write_text(json.dumps(content))
    return tmp_path


def sources(path):
    return ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]


def test_copies_have_the_same_code_between_other_prose(notebooks):
    folder = copies.write_copies("zh", notebooks)
    prose, code = sources(folder / "latent_editor.ipynb")
    assert prose.startswith("# 隐空间编辑器") and "](03_latent_perturbation.ipynb)" in prose and code == "1 + 1  # in\n"
    assert sources(folder / "mine.ipynb")[0] == "# In\n[x](../../labkit/a.py) [y](b.ipynb)"  # has no Chinese yet


@pytest.mark.parametrize("change", ["source", "outputs"])
def test_a_copy_that_its_reader_has_changed_is_kept(notebooks, capsys, change):
    own = copies.write_copies("zh", notebooks) / "mine.ipynb"
    content = json.loads(own.read_text())
    content["cells"][1][change] = "2 + 2" if change == "source" else [{"output_type": "stream", "text": "2"}]
    own.write_text(json.dumps(content))
    before = own.read_bytes()
    copies.write_copies("zh", notebooks)
    assert own.read_bytes() == before
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("labkit: ") and str(own) in line and "kept" in line
    own.unlink()
    copies.write_copies("zh", notebooks)
    assert sources(own)[1] == "1 + 1  # in\n" and capsys.readouterr().err == ""


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 1}', '{"cells": [{}], "metadata": {}}'])
def test_what_is_no_notebook_is_kept_too(notebooks, content):
    (notebooks / "zh").mkdir()
    (notebooks / "zh/mine.ipynb").write_text(content)
    copies.write_copies("zh", notebooks)
    assert (notebooks / "zh/mine.ipynb").read_text() == content


def test_a_copy_that_was_only_opened_follows_the_notebook(notebooks, capsys):
    own = copies.write_copies("zh", notebooks) / "mine.ipynb"
    content = json.loads(own.read_text())
    content["metadata"]["language_info"] = {"version": "3.12"}  # as JupyterLab does
    content["cells"][1]["execution_count"] = 3
    own.write_text(json.dumps(content, indent=4))
    before = own.read_bytes()
    copies.write_copies("zh", notebooks)
    assert own.read_bytes() == before
    path = notebooks / "mine.ipynb"
    path.write_text(path.read_text().replace("1 + 1", "3 + 3"))
    copies.write_copies("zh", notebooks)
    assert sources(own)[1] == "3 + 3  # in\n" and capsys.readouterr().err == ""


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb")))
def test_the_links_of_a_copy_lead_to_files(name):
    """And nothing of its code has changed."""
    whole, folder = copies.copy_of(ROOT / "notebooks" / name, "zh"), ROOT / "notebooks/zh"
    for cell in whole["cells"]:
        links = re.findall(r"\]\(([^)#]+)", "".join(cell["source"])) if cell["cell_type"] == "markdown" else []
        for link in links:
            place = ROOT / "notebooks" / link if "/" not in link else folder / link  # chapters lie beside one another
            assert "://" in link or os.path.exists(os.path.normpath(place)), link
    code = [
        [c["source"] for c in one["cells"] if c["cell_type"] == "code"]
        for one in (whole, json.loads((ROOT / "notebooks" / name).read_text()))
    ]
    assert code[0] == code[1]


def test_another_edition_opens_its_copies(monkeypatch, notebooks):
    became = []
    monkeypatch.setattr(os, "execv", lambda program, words: became.append(words))
    monkeypatch.setattr(paths, "ROOT", notebooks.parent)
    monkeypatch.setattr(start, "write_copies", lambda language: copies.write_copies(language, notebooks))
    monkeypatch.setattr(start.sys, "argv", ["start", "notebooks/mine.ipynb", "--no-browser", "--allow-root"])
    monkeypatch.setenv("LABKIT_EDITION", "zh")
    start.main()
    assert f"{notebooks.name}/zh/mine.ipynb" in became[0] and "--no-browser" in became[0]
    monkeypatch.setenv("LABKIT_EDITION", "")
    start.main()
    assert "notebooks/mine.ipynb" in became[1]
