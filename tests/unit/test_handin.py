"""Answers, predictions and hand-ins: what is written is kept and shown, and what is doctored is found."""

import base64
import io
import json
import os
import re
import shutil
import zipfile

import nbformat
import numpy as np
import pytest
from lab_page import needs_chromium
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image

from labkit import texts
from labkit.base import paths
from labkit.base.errors import LabError
from labkit.base.files import seal, sha256
from labkit.config import config_for
from labkit.figures.catalogue import FIGURES
from labkit.report import answers, handin, images, make, predictions, verify
from labkit.training.runs import fit_or_load, run_folder

TINY = {"epochs": 1, "examples": 64, "batch": 8}
EN, ZH = "*Your answer: double-click here and write.*", "*你的回答：双击此处，写下答案。*"
WHO = handin.Who.of("What five numbers do", "Ada O'Hara", "Deep Learning", "3")
HOSTILE = "</p><script>alert(1)</script><img src=x onerror=alert(2)> \"q\" 'r' & &amp;"

# A chapter's code: all figures that a report must have, and two of them shown.
DRAW = f"""
import base64, io, json, os, pathlib
import numpy as np
from PIL import Image
from IPython.display import HTML, display
folder = pathlib.Path(os.environ["LABKIT_FIGURES"])
folder.mkdir(exist_ok=True)
for name in {[f"fig{n:02d}_{slug}.png" for n, (slug, *_) in FIGURES.items()]}:
    (folder / name).write_bytes(b"")
(folder.parent / "pages/claims.json").write_text(json.dumps([{{"id": "V1", "level": "runs", "verdict": "holds"}}]))


def show(number):
    out = io.BytesIO()
    Image.fromarray(np.random.default_rng(number).integers(0, 256, (9, 7, 3), np.uint8)).save(out, "PNG")
    picture = base64.b64encode(out.getvalue()).decode()
    image = f'<img alt="Figure {{number}}. x" src="data:image/png;base64,{{picture}}">'
    display(HTML(f'<figure style="margin:0">{{image}}<figcaption>x</figcaption></figure>'))


show(4)
"""


def question(what, text):
    ask = new_markdown_cell(f"**Question.** What is {what}?", id=f"question-{what}", metadata={"tags": ["question"]})
    return [ask, new_markdown_cell(text, id=f"answer-{what}", metadata={"tags": ["answer"]})]


def chapter(folder, name, *cells):
    folder.mkdir(parents=True, exist_ok=True)
    start = [
        new_markdown_cell(f"# Chapter {name[:2]}", id="title"),
        new_code_cell('profile = "auto"\nseed = 0\nchanges = {}', id="parameters", metadata={"tags": ["parameters"]}),
    ]
    made = new_notebook(cells=[*start, *cells], metadata={"language_info": {"name": "python"}})
    nbformat.write(made, folder / name)
    return folder / name


@pytest.fixture(scope="module")
def patched():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def project(tmp_path_factory, patched):
    """A project with two chapters, two networks of eight steps and the report on them; chapters cost a few seconds."""
    root = tmp_path_factory.mktemp("handin") / "project"
    for name, folder in (("ROOT", ""), ("BUILD", "build"), ("FIGURES", "figures"), ("RUNS", "data/runs")):
        patched.setattr(paths, name, root / folder)
    patched.setattr(paths, "RETRAINED", root / "build/retrained")
    patched.setattr(paths, "PREDICTIONS", root / "data/predictions")
    cells = [
        *(new_code_cell(DRAW, id="draw"), *question("sky", "It is **blue**, $x^2$.\n\n- so\n- <b>there</b>")),
        new_markdown_cell("## The second network", id="second"),
        *(new_code_cell("show(13)", id="figure-13"), *question("sea", EN)),
    ]
    notebooks = [
        chapter(root / "notebooks", "01_vanilla_gan.ipynb", new_code_cell("print(seed)", id="one")),
        chapter(root / "notebooks", "03_latent_perturbation.ipynb", *cells),
    ]
    patched.setattr(handin, "NOTEBOOKS", notebooks)
    for model in ("vanilla", "dcgan"):
        fit_or_load(config_for(model, "smoke", seed=0, **TINY), "cpu")
    make.make_report("smoke", "cpu", dict(TINY), notebooks)
    return root


@pytest.fixture
def unprinted(monkeypatch):
    """No Chromium: the PDF is left out, in a line."""

    def none(*_):
        raise LabError("no Chromium is installed")

    monkeypatch.setattr(handin, "print_page", none)


@pytest.fixture(scope="module")
def sound(project):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            handin, "print_page", lambda source, out: out.write_bytes(b"%PDF- /CreationDate (D:20261127233000")
        )
        return handin.hand_in(WHO, "smoke")


def files_in(path):
    with zipfile.ZipFile(path) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def resealed(files):
    """``files`` with a manifest that vouches for them as they are."""
    manifest = json.loads(files["manifest.json"])
    others = sorted(set(files) - {"manifest.json"})
    manifest["files"] = {name: {"sha256": sha256(files[name]), "bytes": len(files[name])} for name in others}
    return files | {"manifest.json": json.dumps(manifest | {"sha256": seal(manifest)}).encode()}


def findings(tmp_path, files):
    path = tmp_path / "doctored.zip"
    path.write_bytes(files if isinstance(files, bytes) else handin.archive(files))
    return verify.verify(path).findings


def swapped(files, name, old, new):
    """``files`` with ``old`` in the file ``name`` replaced once."""
    assert files[name].count(old), f"{old!r} is not in {name}"
    return files | {name: files[name].replace(old, new, 1)}


# ----- answers


@pytest.mark.parametrize("text", ["", EN, ZH, f"  {EN}\n", f"{EN}\n\n{ZH}"])
def test_what_ships_is_no_answer(text):
    cell = new_markdown_cell(text, id="answer-x", metadata={"tags": ["answer"]})
    assert answers.written(cell) == "" and answers.of([cell]) == {"x": ""}


def test_an_answer_is_all_but_the_line_that_asks_for_it():
    cell = new_markdown_cell(f"{EN}\nIt *is*.\n\nSo.", id="answer-x", metadata={"tags": ["answer"]})
    notebook = new_notebook(cells=[*question("gone", EN), *question("sky", "blue"), cell])
    assert answers.written(cell) == "It *is*.\n\nSo."
    assert answers.take(notebook) == {"sky": "blue", "x": "It *is*.\n\nSo."}
    assert [c.id for c in notebook.cells] == ["question-gone", "question-sky", "answer-sky", "answer-x"]


@pytest.mark.parametrize(
    "text",
    [HOSTILE, "# " + HOSTILE, f"[x](javascript:alert(1)) ![y](http://a/b) {HOSTILE}", f"```html\n{HOSTILE}\n```"]
    + [
        f"$\\frac{{{HOSTILE}$",
        f"| a |\n|---|\n| {HOSTILE} |",
        "> " * 3000 + "deep",
        "\x00\ud800".replace("\ud800", "x"),
    ],
)
def test_html_in_an_answer_is_text(text):
    block = answers.put(answers.PLACE.format("sky"), {"sky": text})
    assert not re.search(r"<(?:script|img|h1)\b|<[^>]*\s(?:on\w+|src)=|href=\"(?!http)", block)
    assert answers.in_page(f"<p>before</p>{block}<p>after</p>") == {"sky": answers.plain("sky", text)}
    assert "after" not in answers.plain("sky", text)


def test_a_report_shows_given_answers_and_no_others(project):
    page = (project / "build/smoke/report.html").read_text(encoding="utf-8")
    assert answers.in_page(page) == {"sky": answers.plain("sky", "It is **blue**, $x^2$.\n\n- so\n- <b>there</b>")}
    assert "What is sea?" in page and "double-click" not in page and "<math" in page


# ----- the hand-in


def test_a_hand_in_holds_all_it_should_and_is_sound(sound):
    files = files_in(sound)
    assert sound == paths.BUILD / "handin/ada-o-hara-what-five-numbers-do.zip"
    names = ["report.html", "report.pdf", "manifest.json", "claims.json", "verdicts.json"]
    assert sorted(files) == sorted([*names, "notebooks/01_vanilla_gan.ipynb", "notebooks/03_latent_perturbation.ipynb"])
    manifest = json.loads(files["manifest.json"])
    wanted = {"name": WHO.name, "student": "Ada O'Hara", "course": "Deep Learning", "group": "3", "edition": "en"}
    assert wanted.items() <= manifest.items() and manifest["answers"]["03_latent_perturbation.ipynb"].keys() == {"sky"}
    assert manifest["settings"]["changes"] == TINY
    assert str(paths.ROOT).encode() not in b"".join(files.values())
    found = verify.verify(sound)
    assert found.findings == [] and (found.answered, found.questions) == (1, 2) and found.changed == []
    for words in ("Ada O'Hara", "Deep Learning", "profile smoke", "the student's own", "1 of 2 questions"):
        assert words in found.summary


def test_the_same_report_gives_the_same_bytes(sound, unprinted, capsys):
    before = sound.read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            handin, "print_page", lambda source, out: out.write_bytes(b"%PDF- /CreationDate (D:19991231000000")
        )
        assert handin.hand_in(WHO, "smoke").read_bytes() == before
    without = handin.hand_in(handin.Who.of("Other", "Ada"), "smoke")
    assert "no report.pdf: no Chromium" in capsys.readouterr().out and "report.pdf" not in files_in(without)
    assert verify.verify(without).sound


def test_the_page_has_a_title_page_the_chapters_and_references(sound):
    page = files_in(sound)["report.html"].decode()
    order = ["What five numbers do", "Deep Learning", "Ada O&#39;Hara", "Abstract.", "Chapter 01", "Chapter 03"]
    places = [page.index(words) for words in [*order, "figure-13", 'id="references"', "Goodfellow"]]
    assert places == sorted(places)
    assert 'class="code-shown"' in page and "Of the 1 claims" in page and "<script" not in page


def test_without_code(sound, unprinted):
    page = files_in(handin.hand_in(handin.Who.of("Without", "Ada"), "smoke", code=False))["report.html"].decode()
    assert 'class="code-shown"' not in page and "print(seed)" not in page


def test_in_chinese_it_follows_the_exercise(project, unprinted):
    """The first network, what its z does, and only then the second one's."""
    shutil.copytree(project / "build/smoke", project / "build/smoke-zh", dirs_exist_ok=True)
    with texts.using("zh"):
        made = handin.hand_in(handin.Who.of("隐向量的作用", "张三", "深度学习"), "smoke")
    page = files_in(made)["report.html"].decode()
    assert made.stem == "张三-隐向量的作用"
    order = ['id="part-vanilla"', 'id="part-perturbation"', 'id="figure-4"', 'id="part-dcgan_perturbation"']
    places = [page.index(words) for words in [*order, 'id="figure-13"', "参考文献</h1>"]]
    assert places == sorted(places) and "实验报告" in page and "回答</p>" in page
    assert verify.verify(made).sound


def test_answers_that_came_later_are_taken_in_and_changed_code_is_not(project, unprinted, refused):
    path = project / "notebooks/03_latent_perturbation.ipynb"
    before = path.read_bytes()
    try:
        notebook = nbformat.read(path, 4)
        notebook.cells[-1].source = "It is deep."
        nbformat.write(notebook, path)
        later = handin.hand_in(handin.Who.of("Later", "Ada"), "smoke")
        assert verify.verify(later).answered == 2 and "It is deep." in files_in(later)["report.html"].decode()
        notebook.cells[2].source += "\n# changed"
        nbformat.write(notebook, path)
        with refused("03_latent_perturbation.ipynb was changed", "cell draw", "make report PROFILE=smoke"):
            handin.hand_in(handin.Who.of("Never", "Ada"), "smoke")
        assert verify.verify(later).changed == ["03_latent_perturbation, draw: code changed"]
    finally:
        path.write_bytes(before)
    assert not list((paths.BUILD / "handin").glob("*never*"))


def test_where_there_is_no_report_it_is_one_line(project, refused):
    with refused("there is no report in", "make report PROFILE=quick"):
        handin.hand_in(WHO, "quick")
    with refused("needs a student"):
        handin.Who.of("Title", " \n ")
    with refused("needs a name"):
        handin.Who.of("\u202e\u200b", "Ada")


@pytest.mark.parametrize(
    "student",
    [
        HOSTILE,
        "a\nb\r\tc\x1b[31m",
        "张三 李四",
        "x" * 10_000,
        "\u202eoch\u202c ok",
        "../../etc/passwd",
        "=1+1",
        "\udcff bytes",
    ],
    ids=["html", "controls", "chinese", "long", "turned", "path", "formula", "surrogate"],
)
def test_any_name_is_a_name(project, unprinted, student):
    """It is one line, shows as it is, and its file lies where all lie; a teacher's table computes none of it."""
    who = handin.Who.of("Names", student)
    made = handin.hand_in(who, "smoke")
    assert made.parent == paths.BUILD / "handin" and len(made.name.encode()) < 200 and made.name == made.name.strip(".")
    found = verify.verify(made)
    assert found.sound and found.said("student") == who.student and len(who.student) <= handin.LONGEST
    assert not re.search(r"[\x00-\x1f\u202a-\u202e\ud800-\udfff]", who.student + found.summary)
    page = files_in(made)["report.html"].decode()
    assert "<script" not in page and "<img src=x" not in page
    assert not re.search(r"(?:^|,)[=+@-]", verify.table([found]).splitlines()[1])


@needs_chromium
@pytest.mark.slow
def test_a_pdf_begins_with_the_title_page(project):
    content = files_in(handin.hand_in(handin.Who.of("Printed", "Ada"), "smoke"))["report.pdf"]
    assert content.startswith(b"%PDF-") and b"(D:19800101000000" in content


# ----- doctored ones

PAGE, THIRD = "report.html", "notebooks/03_latent_perturbation.ipynb"


def other_picture(files):
    """A picture of the page is another's."""
    out = io.BytesIO()
    Image.fromarray(np.zeros((9, 7, 3), np.uint8)).save(out, "WEBP", lossless=True)
    page = files[PAGE].decode()
    old = re.search(r"data:image/webp;base64,([^\"]+)", page)[1]
    return files | {PAGE: page.replace(old, base64.b64encode(out.getvalue()).decode()).encode()}


def edited(**changes):
    """A manifest that says otherwise, its seal not renewed."""

    def edit(files):
        return files | {"manifest.json": json.dumps(json.loads(files["manifest.json"]) | changes).encode()}

    return edit


@pytest.mark.parametrize(
    ("doctor", "words"),
    [
        (lambda f: swapped(f, THIRD, b"iVBORw0KGgo", b"iVBORw0KGgp"), "03_latent_perturbation.ipynb was changed"),
        (lambda f: swapped(f, PAGE, b"blue", b"gold"), "report.html was changed"),
        (edited(student="Somebody"), "manifest.json was changed"),
        (lambda f: f | {"more.txt": b"x"}, "more.txt is in no list: it was added"),
        (lambda f: {n: c for n, c in f.items() if n != "claims.json"}, "claims.json is missing"),
        (lambda f: {n: c for n, c in f.items() if n != "manifest.json"}, "no manifest.json is in it"),
        (lambda f: f | {"manifest.json": b"{}"}, "no hand-in of labkit"),
        (lambda f: f | {"manifest.json": b"[" * 100_000}, "no hand-in of labkit"),
        (lambda f: f | {THIRD: b"[]"}, "was changed"),
        # with digests made anew
        (lambda f: resealed(swapped(f, PAGE, b"blue", b"gold")), "the answer sky in report.html is not that"),
        (lambda f: resealed(swapped(f, THIRD, b"blue", b"gold")), "are not those of manifest.json"),
        (lambda f: resealed(swapped(f, PAGE, b'id="answer-sky"', b'id="answer-sea"')), "the answer sea in report.html"),
        (lambda f: resealed(other_picture(f)), "pictures of report.html are in none of the notebooks"),
        (lambda f: resealed(swapped(f, PAGE, b"</main>", b"<script>1</script></main>")), "could run or fetch"),
        (lambda f: resealed(swapped(f, PAGE, b"default-src 'none'", b"default-src *")), "could run or fetch"),
        (lambda f: resealed(edited(student="Somebody")(f)), "names another student"),
        (lambda f: resealed(edited(settings={"seed": 1, "changes": TINY, "profile": "smoke"})(f)), "with another seed"),
        (lambda f: resealed({n: c for n, c in f.items() if n != PAGE}), "report.html is missing"),
        (lambda f: resealed(f | {THIRD: b'{"cells": 3}'}), "notebooks cannot be read"),
    ],
)  # fmt: skip
def test_a_doctored_hand_in_is_found_out(sound, tmp_path, doctor, words):
    lines = findings(tmp_path, doctor(files_in(sound)))
    assert any(words in text for text in lines), lines
    assert all(text.splitlines() == [text] for text in lines)


@pytest.mark.parametrize(
    "name",
    [
        "../out.txt",
        "/etc/passwd",
        "a\\..\\b",
        "C:evil",
        "a/b/c.txt",
        ".hidden",
        "x\n.txt",
        "notebooks/../../y",
        "\u202ex",
    ],
)
def test_a_name_that_leads_out_of_the_zip_is_named(sound, tmp_path, name):
    assert any("no plain name" in text for text in findings(tmp_path, resealed(files_in(sound) | {name: b"x"})))


def test_what_is_no_zip_or_a_bomb_is_one_line(sound, tmp_path, monkeypatch):
    whole = sound.read_bytes()
    for content in (b"", b"PK", b"no zip at all", whole[:-100], whole[: len(whole) // 2], whole + b"more", whole[::-1]):
        (text,) = findings(tmp_path, content)
        assert text.startswith("no hand-in of labkit")
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    assert any("damaged" in text for text in findings(tmp_path, bytes(damaged)))
    assert verify.verify(tmp_path / "none.zip").findings == ["no hand-in of labkit: there is no such file"]
    files = files_in(sound) | {"bomb.bin": bytes(10 << 20)}
    monkeypatch.setattr(verify, "FILE", 9 << 20)
    assert any("bomb.bin is too large" in text for text in findings(tmp_path, files))
    monkeypatch.setattr(verify, "FILES", 3)
    assert any("more than 3" in text for text in findings(tmp_path, files))
    monkeypatch.setattr(verify, "DIRECTORY", 100)
    assert any("list of files is too long" in text for text in findings(tmp_path, files))


def test_links_and_files_that_are_there_twice(sound, tmp_path):
    path = tmp_path / "odd.zip"
    path.write_bytes(sound.read_bytes())
    link = zipfile.ZipInfo("link")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(path, "a") as opened, pytest.warns(UserWarning, match="Duplicate"):
        opened.writestr(link, "/etc/passwd")
        opened.writestr("claims.json", "[]")
    lines = verify.verify(path).findings
    assert "link is no plain file" in lines and "claims.json is in it 2 times" in lines


def test_a_folder_of_them_is_a_table(sound, tmp_path, capsys):
    from labkit import cli

    (tmp_path / "class").mkdir()
    shutil.copy(sound, tmp_path / "class/a.zip")
    (tmp_path / "class/b.zip").write_bytes(handin.archive(edited(student="B")(files_in(sound))))
    (tmp_path / "class/c.zip").write_bytes(b"nothing")
    assert cli.main(["verify", str(tmp_path / "class"), "--csv", str(tmp_path / "t.csv")]) == 1
    out = capsys.readouterr().out
    assert "a.zip: sound: «What five numbers do», Ada O'Hara" in out and "b.zip: manifest.json was changed" in out
    assert out.splitlines()[-1] == "3 hand-ins, 2 of them not sound"
    rows = (tmp_path / "t.csv").read_text(encoding="utf-8-sig").splitlines()
    assert [row.split(",")[:2] for row in rows] == [
        ["file", "sound"],
        ["a.zip", "yes"],
        ["b.zip", "no"],
        ["c.zip", "no"],
    ]
    assert cli.main(["verify", str(tmp_path / "class/a.zip")]) == 0


# ----- predictions

SENTENCES = """
[[sentence]]
text = "z[5] <b>brightens</b>"
dimension = 5
effect = "brightness"
direction = "raises"
at_least = 10

[[sentence]]
dimension = 20
effect = "image change"
direction = "keeps"
at_most = 255
"""


@pytest.fixture
def mine(project, tmp_path, monkeypatch):
    """A file of two sentences, and no seal yet."""
    monkeypatch.setattr(paths, "PREDICTIONS", tmp_path / "predictions")
    path = tmp_path / "mine.toml"
    path.write_text(SENTENCES, encoding="utf-8")
    return path


def config(seed):
    return config_for("vanilla", "smoke", seed=seed, **TINY)


@pytest.mark.slow
def test_a_prediction_is_sealed_before_its_run_and_judged_after_it(mine):
    """One about a run that is there already is said to be none."""
    late, early = predictions.predict(mine, config(0)), predictions.predict(mine, config(7))
    assert (late["when"], early["when"], early["previous"]) == ("after", "before", late["sha256"])
    seals, faults = predictions.chain(predictions.kept())
    assert faults == [] and [one["number"] for one in seals] == [1, 2]
    assert {v.verdict for v in predictions.judge(seals[1:])} == {"not tested"}
    run = fit_or_load(config(7), "cpu")
    first, second = predictions.judge(seals[1:])
    assert (second.verdict, second.when, second.generator_sha256) == ("holds", "before", run.generator_sha256)
    assert first.verdict in ("holds", "does not hold") and first.mean is not None
    assert (first.verdict == "holds") == (first.low > 10)
    os.utime(run.folder / "run.json", (0, 0))
    assert {v.when for v in predictions.judge(seals[1:])} == {"older"}
    shutil.rmtree(run_folder(config(7)))


@pytest.mark.parametrize(
    ("doctor", "words"),
    [
        (lambda p, q: p.write_bytes(p.read_bytes().replace(b"= 10", b"= 1 ")), "changed after it was sealed"),
        (lambda p, q: q.write_bytes(q.read_bytes().replace(b"before", b"bef0re")), "changed after it was sealed"),
        (lambda p, q: p.unlink(), "a seal before it is missing"),
        (lambda p, q: p.rename(p.with_name("0001-000000000000.json")), "not what its name says"),
        (lambda p, q: q.write_bytes(b"{"), "prediction 0002"),
    ],
)
def test_a_changed_seal_is_found(mine, refused, doctor, words):
    for seed in (7, 8):
        predictions.predict(mine, config(seed))
    doctor(*sorted(paths.PREDICTIONS.glob("*.json")))
    _, (fault,) = predictions.chain(predictions.kept())
    assert words in fault
    with refused("nothing is sealed after it"):
        predictions.predict(mine, config(9))


def test_a_seal_that_was_made_anew_breaks_the_chain(mine):
    """Its own hash is right then, but the next one names another."""
    for seed in (7, 8):
        predictions.predict(mine, config(seed))
    first = min(paths.PREDICTIONS.glob("*.json"))
    forged = json.loads(first.read_bytes()) | {"sealed_at": "2020-01-01T00:00:00Z"}
    forged["sha256"] = seal(forged)
    first.unlink()
    (paths.PREDICTIONS / f"0001-{forged['sha256'][:12]}.json").write_text(json.dumps(forged))
    assert "the chain is broken" in predictions.chain(predictions.kept())[1][0]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("at_least = 10", "", "a prediction has a threshold: give at_least ="),
        ("at_most = 255", "", "keeps needs at_most"),
        ("= 5", "= 100", "dimension = 100 is out of range"),
        ('"brightness"', '"beauty"', "effect = 'beauty' is unknown"),
        (SENTENCES, "", "mine.toml is damaged"),
        (SENTENCES, "x" * 70_000, "more than 65,536 bytes"),
    ],
)
def test_what_cannot_be_judged_is_not_sealed(mine, refused, old, new, words):
    mine.write_text(SENTENCES.replace(old, new, 1), encoding="utf-8")
    with refused(words):
        predictions.predict(mine, config(7))
    assert predictions.kept() == {}


@pytest.mark.slow
def test_a_hand_in_has_the_predictions_and_says_which_came_late(mine, unprinted, tmp_path):
    predictions.predict(mine, config(0))
    made = handin.hand_in(handin.Who.of("Predicted", "Ada"), "smoke")
    files, found = files_in(made), verify.verify(made)
    assert found.sound and len(found.verdicts) == 2 and "sealed before the run: 0" in found.summary
    page = files["report.html"].decode()
    assert "after the run: no prediction" in page and "z[5] &lt;b&gt;brightens&lt;/b&gt;" in page
    (name,) = (name for name in files if name.startswith("predictions/"))
    assert "changed after it was sealed" in " ".join(
        findings(tmp_path, resealed(swapped(files, name, b"= 10", b"= 1 ")))
    )
    without = {n: c for n, c in files.items() if n != name}
    assert any("was not sealed" in text for text in findings(tmp_path, resealed(without)))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_a_picture_is_the_same_without_the_white_above_and_below_it(mode):
    """The page cuts these edges off; what is drawn is compared pixel by pixel."""
    picture = Image.new(mode, (60, 90), "white")
    picture.paste("black", (10, 40, 50, 60))
    other = picture.copy()
    other.putpixel((20, 50), other.getpixel((0, 0)))
    texts = []
    for one in (picture, other):
        content = io.BytesIO()
        one.save(content, "PNG")
        png = base64.b64encode(content.getvalue()).decode()
        (webp,) = images.encode([f'<img src="data:image/png;base64,{png}">']).values()
        texts.append((png, base64.b64encode(webp).decode()))
    same, changed = ({verify._pixels(text) for text in pair} for pair in texts)
    assert len(same) == len(changed) == 1 and same != changed
