"""What follows the data set: runs, classifier, scores, verdicts, names of a report; none is mixed with garments'."""

import dataclasses
import json
import re
import shutil

import nbformat
import numpy as np
import pytest
import torch

from labkit import data, doctor, load
from labkit.analysis import claims, inversion
from labkit.analysis.evidence import Evidence
from labkit.base import paths
from labkit.base.errors import LabError
from labkit.config import config_for
from labkit.evaluation import classifier, scoring
from labkit.page import contents, worlds
from labkit.report import chapters, make, pdf, render
from labkit.training import runs
from labkit.training.runs import fit_or_load, load_run, run_folder


@pytest.fixture(scope="module")
def home(tmp_path_factory, sample_images):
    """A data set of 300 pictures without labels, and a small run on it."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "OWN", folder / "own")
        patch.setattr(paths, "RUNS", folder / "runs")
        patch.setattr(paths, "MEASURED", folder / "measured")
        patch.setattr(classifier, "STEPS", 6)
        np.savez(folder / "mine.npz", images=sample_images[:300].numpy())
        data.bring(folder / "mine.npz")
        run = fit_or_load(config_for("vanilla", "smoke", dataset="mine", epochs=1, batch=8), "cpu")
        yield run


def test_a_run_on_another_data_set_is_known_by_its_pictures(home, sample_images, refused):
    config = home.config
    digest = data.find("mine").images_sha256
    assert home.folder.name == f"seed0-{config.digest()}-{digest[:8]}" and home.manifest["images_sha256"] == digest
    assert run_folder(config) == home.folder and runs.dataset_of(home.folder) == "mine"
    assert len(data.load("train", dataset="mine")[0]) < config.examples  # so each was taken again and again
    assert home.history.shape[1] == config.steps
    again = fit_or_load(config, "cpu")
    assert again.folder == home.folder and again.generator_sha256 == home.generator_sha256
    assert runs.finished(dataset="mine") == [home.folder] == runs.finished() and not runs.finished(dataset=data.DEFAULT)
    assert worlds.label(home.folder).endswith("(mine)")
    with refused("no finished run of model = 'vanilla'"):
        load("vanilla")
    with refused("examples = 1024 is more than the 100 images"):
        fit_or_load(config, "cpu", images=sample_images[:100])


def test_an_interrupted_run_is_finished_early_without_being_given_its_pictures(home):
    config = dataclasses.replace(home.config, epochs=2, seed=1)

    def stop(state, folder):
        raise KeyboardInterrupt

    with pytest.raises(LabError, match="interrupted"):
        fit_or_load(config, "cpu", monitor=stop)
    early = runs.finish_early(config)
    assert early.epochs == 1 and early.folder == run_folder(config) and runs.dataset_of(early.folder) == "mine"
    assert early.manifest["images_sha256"] == data.find("mine").images_sha256
    assert fit_or_load(config, "cpu", whole=False).generator_sha256 == early.generator_sha256
    shutil.rmtree(early.folder)


def test_its_scores_are_its_own(home, capsys):
    """A classifier of its kinds, as many pictures as there are, floor and ceiling of these; trained once."""
    rows, sizes = scoring.score_runs([home], 200, "cpu", "mine"), data.find("mine").sizes
    n = min(sizes["test"], sizes["train"] // 2)  # two sets of real pictures that it was trained on, one that it was not
    assert 95 <= n <= 105
    assert "training the classifier of mine" in capsys.readouterr().err
    assert {entry["n"] for row in rows.values() for entry in row.values()} == {n}
    assert rows["floor"]["frechet"]["mean"] < rows["ceiling"]["frechet"]["mean"]
    ruler, card = classifier.load_classifier(dataset="mine")
    classes = data.find("mine").classes
    assert ruler.classifier.out_features == len(classes) and card["images_sha256"] == home.manifest["images_sha256"]
    assert card["sha256"] != classifier.load_classifier()[1]["sha256"]
    reference = scoring.load_reference(200, "cpu", "mine")
    assert len(reference.real) == n and len(reference.histogram) == len(classes)
    known = {one.numpy().tobytes() for one in data.load("train", dataset="mine")[0]}
    for part, there in ((reference.real, False), (reference.seen, True), (reference.floor, True)):
        grey = ((part[:, 0] + 1) * 127.5).round().to(torch.uint8)
        assert {one.numpy().tobytes() in known for one in grey} == {there}
    assert scoring.score_runs([home], 200, "cpu", "mine") == rows and not capsys.readouterr().out


def test_a_classifier_of_other_pictures_is_trained_anew(home, capsys, monkeypatch):
    classifier.load_classifier(dataset="mine")
    path = paths.OWN / "mine/ruler.json"
    before = path.read_text()
    path.write_text(re.sub('"images_sha256": "....', '"images_sha256": "0000', before))
    with pytest.raises(Exception, match="make classifier DATASET=mine"):
        classifier.load_classifier(dataset="mine", train=False)
    capsys.readouterr()
    classifier.load_classifier(dataset="mine")
    assert "classifier of mine: test accuracy" in capsys.readouterr().out
    monkeypatch.setattr(classifier, "train_classifier", None)
    classifier.load_classifier(dataset="mine")


def test_a_damaged_card_is_found(home, monkeypatch, refused):
    """By who loads it, and by the doctor; one of an older labkit, without a digest of its own, is taken."""
    classifier.load_classifier(dataset="mine")
    path, own = paths.OWN / "mine/ruler.json", ("ok", "1 verified of other data sets")
    before = path.read_text()
    assert [*doctor.classifier()][1:] == [own]
    card = json.loads(before)
    monkeypatch.setattr(classifier, "train_classifier", None)
    try:
        path.write_text(before.replace(f'"epochs": {card["epochs"]}', f'"epochs": {card["epochs"] + 1}'))
        with refused(path.with_name("ruler.safetensors"), "ruler.json is not as it was", "classifier DATASET=mine"):
            classifier.load_classifier(dataset="mine")
        (_, (state, text)) = doctor.classifier()
        assert state == "FAIL" and "ruler.json is not as it was" in text
        del card["card_sha256"]
        path.write_text(json.dumps(card))
        assert classifier.load_classifier(dataset="mine")[1] == card and [*doctor.classifier()][1:] == [own]
    finally:
        path.write_text(before)


def test_no_claim_about_garments_is_tested_by_it(home):
    scores = {name: row["mean"] for name, row in scoring.score_runs([home], 200, "cpu", "mine")["floor"].items()}
    mine = Evidence.of_run(home, scores)
    shipped = [Evidence(config_for("vanilla", "full", seed=i), 200, home.history, scores) for i in range(3)]
    others = dict.fromkeys(("vanilla", "dcgan"), shipped)
    assert claims.RUNS in {row.level for row in claims.judge({}, others)}
    rows = claims.judge({"vanilla": mine, "dcgan": mine}, others)
    assert {row.verdict for row in rows} == {"not tested: it is about Fashion-MNIST, and this is mine"}
    assert {row.level for row in rows} == {claims.RUN}


def test_what_is_looked_for_and_offered_is_of_its_kinds(home):
    n, k = inversion.of_each("quick", "mine"), len(data.find("mine").classes)
    real = inversion.garments(n, "mine")
    assert 1 <= n <= 5 and len(real) == n * k
    known = {one.numpy().tobytes() for one in data.load("test", dataset="mine")[0]}
    images, labels = contents.tests("mine")
    assert {one.numpy().tobytes() for one in images} <= known and labels[:k].tolist() == list(range(k))
    assert len(images) == 16


def test_a_report_has_folders_of_its_own(home, refused):
    assert make.name_of("smoke") == "smoke" and make.name_of("smoke", "mine") == "smoke-mine"
    with refused(paths.BUILD / "quick-mine/report.html", "make report PROFILE=quick DATASET=mine"):
        pdf.make_pdf("quick", "mine")


def test_its_page_says_what_it_is_about(home):
    made = [{"name": "x", "title": "X", "body": "", "figures": []}]
    page = render.page(made, [], None, dataset=data.find("mine"))
    assert (
        f"What a GAN learns from {data.find('mine').sizes['train']} pictures" in page
        and "trained on mine;" in page
        and "Zalando" not in page
    )
    assert "original report are about its own pictures" in page
    usual = render.page(made, [], None)
    assert "What a GAN learns from sixty thousand garments" in usual and "trained on Fashion-MNIST;" in usual
    assert "its own pictures" not in usual and "Zalando" in usual


def test_its_text_says_its_noun(tmp_path):
    """Text and results; not code, and no word that begins alike. A chapter about what ships says so."""
    cells = [
        nbformat.v4.new_markdown_cell("# Chapter\n\nA garment, garments, garmented."),
        nbformat.v4.new_code_cell("changes = {}  # of garments", metadata={"tags": ["parameters"]}),
    ]
    cells[1].outputs = [nbformat.v4.new_output("display_data", {"text/markdown": "3 garments"})]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "one.ipynb")
    cells[1].source = "dim = 5"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "two.ipynb")
    mnist = data.find("mnist")
    one, two = (chapter["body"] for chapter in chapters.chapters_of(tmp_path, ["one.ipynb", "two.ipynb"], mnist))
    assert "A digit, digits, garmented." in one and "3 digits" in one and "of garments" in one
    assert "This chapter is about Fashion-MNIST" in two and "A garment, garments" in two and "MNIST.</p>" in two
    (usual, _) = (
        chapter["body"] for chapter in chapters.chapters_of(tmp_path, ["one.ipynb", "two.ipynb"], data.FASHION_MNIST)
    )
    assert "A garment, garments" in usual and "This chapter is about" not in usual


def test_a_run_whose_pictures_are_gone_can_still_be_opened(home, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "OWN", tmp_path)
    assert load_run(home.folder).generator_sha256 == home.generator_sha256


def test_nothing_is_a_picture_of_a_picture(tmp_path, home):
    cell = nbformat.v4.new_markdown_cell(
        "# Chapter\n\nIt turns a number into a picture of a garment; pictures of garments."
    )
    settings = nbformat.v4.new_code_cell("changes = {}", metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell, settings]), tmp_path / "one.ipynb")
    (chapter,) = chapters.chapters_of(tmp_path, ["one.ipynb"], data.find("mine"))
    assert "into a picture; pictures." in chapter["body"]
