"""Reports in several languages: what their folders are called, who decides, and whose prose they have."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from labkit import cli, texts
from labkit.base.errors import LabError
from labkit.base.paths import ROOT
from labkit.data import own
from labkit.report import environment, make, speak


def test_folders_are_named_by_profile_data_and_language():
    assert make.name_of("full") == make.name_of("full", edition="en") == "full"
    assert make.name_of("full", edition="zh") == "full-zh"
    assert make.name_of("smoke", "mnist", "zh") == "smoke-mnist-zh"


def test_the_option_wins_then_the_environment_then_english(monkeypatch):
    monkeypatch.delenv("LABKIT_EDITION", raising=False)
    assert cli._edition("") == "en"
    monkeypatch.setenv("LABKIT_EDITION", "zh")
    assert cli._edition("") == "zh" and cli._edition("en") == "en"


@pytest.mark.parametrize("command", ["report", "pdf"])
def test_an_edition_that_there_is_not_is_one_line_before_anything_runs(command, capsys, monkeypatch):
    monkeypatch.setattr(make, "check_settings", lambda *_: pytest.fail("the report began"))
    assert cli.main([command, "--edition", "fr", "--profile", "smoke"]) == 1
    assert capsys.readouterr().err == "labkit: edition = 'fr': there is none; the editions are en, zh\n"
    monkeypatch.setenv("LABKIT_EDITION", "xx")
    assert cli.main([command, "--profile", "smoke"]) == 1
    assert capsys.readouterr().err == "labkit: edition = 'xx': there is none; the editions are en, zh\n"
    with pytest.raises(LabError, match="edition = 'fr'"):
        make.make_report("smoke", "cpu", edition="fr")


def test_kernels_speak_what_is_spoken(tmp_path):
    import os

    with texts.using("zh"), environment.kernels_own(tmp_path):
        assert os.environ["LABKIT_EDITION"] == "zh"


def test_no_data_set_is_called_as_a_language(tmp_path):
    with pytest.raises(LabError, match="zh stands for a language"):
        own.bring(tmp_path, "zh")


def test_prose_is_replaced_by_the_ids_of_cells_and_outputs_stay(tmp_path, monkeypatch):
    folder = tmp_path / "texts"
    (folder / "zh/chapters").mkdir(parents=True)
    (folder / "zh/chapters/01_one.md").write_text(
        "<!-- title -->\n# 第一章\n\n正文。\n\n<!-- draw -->\n画图\n", encoding="utf-8"
    )
    monkeypatch.setattr(texts.lookup, "FOLDER", folder)
    texts.lookup.chapter.cache_clear()
    cells = [
        new_markdown_cell("# One\n\nProse.", id="title"),
        new_code_cell("draw()", id="draw", outputs=[nbformat.v4.new_output("stream", text="42\n")]),
        new_markdown_cell("Without a partner.", id="alone"),
    ]
    path = tmp_path / "01_one.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    before = path.read_bytes()
    try:
        with texts.using("en"):
            speak.speak(path)
        assert path.read_bytes() == before
        with texts.using("zh"):
            speak.speak(path)
    finally:
        texts.lookup.chapter.cache_clear()
    title, draw, alone = nbformat.read(path, 4).cells
    assert title.source == "# 第一章\n\n正文。" and alone.source == "Without a partner."
    assert draw.source == "draw()" and draw.metadata["summary"] == "画图" and draw.outputs[0].text == "42\n"


def test_make_hands_the_edition_to_every_command_that_speaks():
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("report", "smoke", "site", "pdf"):
        line = rules.split(f"\n{target}:", 1)[1].splitlines()[1]
        assert '--edition="$$EDITION"' in line, target
    for target in ("lab", "explore"):
        line = rules.split(f"\n{target}:", 1)[1].splitlines()[1]
        assert line.startswith('\t@LABKIT_EDITION="$${EDITION:-$$LABKIT_EDITION}"'), target
