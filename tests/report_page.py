"""What a reader must find in any page of the report, on a screen and on paper: of small pages, and of whole reports."""

from urllib.parse import unquote, urldefrag

import pytest

WIDTHS = (390, 768, 1280, 1920)  # of a telephone, a tablet, a notebook, a screen
PAPER = 703  # pixels of 186 mm, the width of the text on A4

# Whatever reaches over the right edge, but for what stands in a box that scrolls by itself or is folded away.
OVER = """() => [...document.body.querySelectorAll('*')]
    .filter(one => !one.closest('.scroll, .formula, math, svg, details:not([open]), .lab-hidden'))
    .filter(one => { const box = one.getBoundingClientRect(); return box.width && box.right > innerWidth + 1; })
    .map(one => `${one.tagName}.${one.className} ${one.textContent.trim().slice(0, 40)}`)"""
# Tables and formulas that are wider than the paper, which has no bar to move them with.
CUT = """() => [...document.querySelectorAll('table, .formula, .scroll, pre')]
    .filter(one => one.getBoundingClientRect().width)
    .filter(one => one.scrollWidth > one.clientWidth + 1 || one.getBoundingClientRect().right > innerWidth + 1)
    .map(one => `${one.tagName} ${one.scrollWidth} > ${one.clientWidth}: ${one.textContent.trim().slice(0, 60)}`)"""
LINKS = "all => all.map(a => a.getAttribute('href'))"


def overflowing(tab) -> list[str]:
    """What hangs over the right edge of the page that ``tab`` shows; the page itself, if it scrolls sideways."""
    wide = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
    return ([f"the page scrolls by {wide} px"] if wide > 0 else []) + tab.evaluate(OVER)


def cut_on_paper(tab) -> list[str]:
    """What is wider than the paper when the page that ``tab`` shows is printed."""
    tab.set_viewport_size({"width": PAPER, "height": 1000})
    tab.emulate_media(media="print")
    return tab.evaluate(CUT)


def leading_nowhere(tab) -> list[str]:
    """Links of the page that ``tab`` shows which lead to no place in it, nor to an address of the web."""
    found = []
    for href in tab.eval_on_selector_all("a[href]", LINKS):
        address, fragment = urldefrag(href)
        inside = not address and tab.evaluate("id => document.getElementById(id) !== null", unquote(fragment))
        if not inside and not address.startswith("https://"):
            found.append(href)
    return found


def serious(tab) -> list[tuple[str, str]]:
    """What axe-core finds serious or critical in the page that ``tab`` shows: the rule and the element."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    found = axe.run(tab).response["violations"]
    grave = [fault for fault in found if fault["impact"] in ("serious", "critical")]
    return [
        (fault["id"], node["html"][:120], node["failureSummary"][:200]) for fault in grave for node in fault["nodes"]
    ]
