"""Texts by language: they are found, filled, and each has its partner that states the same numbers."""

import json
import re
import string
from collections import Counter

import pytest

from labkit import texts
from labkit.base.errors import LabError
from labkit.base.paths import ROOT
from labkit.texts import lookup

OTHERS = [name for name in texts.EDITIONS if name != "en"]
NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?!\w)")


def numbers(text):
    """The literal numbers of ``text``, those in formulas, links and code left out, and how often each stands there."""
    plain = re.sub(r"\$\$.*?\$\$|\$[^$]*\$|`[^`]*`|\]\([^)]*\)|<[^>]*>", " ", text, flags=re.S)
    return Counter(n.replace(",", "") for n in NUMBER.findall(plain))


def fields(text):
    """Names and formats of the fields of ``text``."""
    return Counter((name, spec) for _, name, spec, _ in string.Formatter().parse(text) if name is not None)


def literal(text):
    return "".join(part for part, *_ in string.Formatter().parse(text))


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_has_its_partner(language):
    """English may stand in a record of the code in place of the file; what only English has is missing."""
    assert set(lookup.read("en")) - set(lookup.read(language)) == set()


@pytest.mark.parametrize("language", OTHERS)
def test_partners_have_the_same_fields_and_state_the_same_numbers(language):
    english, other = lookup.read("en"), lookup.read(language)
    for key in english.keys() & other.keys():
        assert fields(english[key]) == fields(other[key]), key
        assert numbers(literal(english[key])) == numbers(literal(other[key])), key


def chapters():
    return sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("name", chapters())
def test_every_cell_of_prose_has_its_partner_with_the_same_numbers(language, name):
    """So has the line that stands for a folded cell of code; nothing is left of a cell that is gone."""
    notebook = json.loads((ROOT / f"notebooks/{name}.ipynb").read_text(encoding="utf-8"))
    other = lookup.chapter(name, language)
    live = {cell["id"] for cell in notebook["cells"] if "live" in cell["metadata"].get("tags", [])}
    live |= {cell["id"] for cell in notebook["cells"] if "answer" in cell["metadata"].get("tags", [])}  # a reader's own
    own = {cell["id"]: "".join(cell["source"]) for cell in notebook["cells"] if cell["id"] not in live}
    assert own.keys() - other.keys() == set() and other.keys() - own.keys() == set()
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown" and cell["id"] in own:
            english, partner = own[cell["id"]], other[cell["id"]]
            assert numbers(english) == numbers(partner), cell["id"]
            headings = [re.findall(r"^#+ ", text, re.M) for text in (english, partner)]
            links = [sorted(re.findall(r"\]\(([^)]*)\)", text)) for text in (english, partner)]
            assert headings[0] == headings[1] and links[0] == links[1], cell["id"]


def test_english_is_spoken_unless_another_is_asked_for(monkeypatch):
    monkeypatch.delenv("LABKIT_EDITION", raising=False)
    assert texts.edition() == "en" and texts.listed(["a", "b", "c"]) == "a, b and c"
    with texts.using("zh"):
        assert texts.edition() == "zh" and texts.listed(["a", "b", "c"]) == "a、b 和 c"
    assert texts.listed(["a"]) == "a" and texts.listed([]) == ""
    monkeypatch.setenv("LABKIT_EDITION", "zh")
    assert texts.edition() == "zh"


def test_a_text_or_an_edition_that_is_not_there_is_one_line(monkeypatch):
    with pytest.raises(LabError, match="no text figures.nothing"):
        texts.say("figures.nothing")
    assert texts.say("figures.nothing", "as it stands {in} the record") == "as it stands {in} the record"
    with pytest.raises(LabError, match="edition = 'fr': there is none; the editions are en, zh"):
        with texts.using("fr"):
            pass
    monkeypatch.setenv("LABKIT_EDITION", "fr")
    with pytest.raises(LabError, match="edition = 'fr'"):
        texts.say("common.network.dcgan")


def test_a_line_that_ends_between_two_chinese_letters_is_no_space():
    assert lookup.WRAPPED.sub("", "生成\n器与 GAN\n的") == "生成器与 GAN\n的"
