"""The mathematics in the page, in real browsers, from a file, without a network."""

import pytest
from engine_page import MODELS, TOOLS, compare, decode, encode, generator, have_runs, network, write_page
from lab_page import chromium, needs_chromium

from labkit import latent
from labkit.evaluation.classifier import load_classifier

pytestmark = pytest.mark.skipif(not have_runs(), reason="no trained runs of both networks")


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def opened(browser, tmp_path):
    """``opened(*networks)``: a page from a file, offline; at the end it has asked for nothing and complained of nothing."""
    told, pages = [], []

    def open_page(*names, **more):
        context = browser.new_context(offline=True)
        page = context.new_page()
        page.on("console", lambda message: told.append(message.text))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("request", lambda request: told.append(request.url) if not request.url.startswith("file:") else None)
        path = write_page(tmp_path, *names, **more)
        page.goto(path.as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.context.close()
    assert not told


def ask(page, code, *arguments):
    """The value of an async function of the page, ``code`` its body."""
    return page.evaluate(f"async given => {{ {TOOLS} {code} }}", list(arguments))


@needs_chromium
@pytest.mark.parametrize("model", MODELS)
def test_pixels_are_those_of_sample(opened, model):
    z = latent.latents(64, 100, 3)
    page = opened(model)
    code = """
        const g = await engine.makeGenerator(...await lab(given[0])), z = numbers(given[1]);
        return [g.latentDim, textOf(await g.sample(z)), textOf(await g.sample(z.slice(0, 300))),
                textOf(await g.sample(z.slice(0, 100)))];"""
    dim, *texts = ask(page, code, model, encode(z))
    assert dim == 100
    for n, text in zip((64, 3, 1), texts, strict=True):
        worst, share = compare(model, decode(text, n, 784), z[:n])
        assert worst <= 1 and share <= 0.02
    assert (decode(texts[0], 64, 784)[:3] - decode(texts[1], 3, 784)).abs().max() == 0
