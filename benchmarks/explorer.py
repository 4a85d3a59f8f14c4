"""How soon the garments follow a slider: from the key press to the new pixels, in a real JupyterLab and Chromium.

    make bench-explorer            or    python benchmarks/explorer.py [--moves 60]

For both networks, on a machine at rest and beside one process that never rests: single moves by the arrow keys, and a
drag with sixty pointer moves a second; and "slow", a drag where page and kernel hear each other 300 ms later, and what
the page says of it. Needs finished runs of both networks (make report) and a Chromium. How fast the cores multiply is
printed beside: 300 GFLOP/s of fp32 are what the aims of this benchmark are for.
Writes build/bench/explorer.json and .png. Takes about three minutes; other programs should rest.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
NOTEBOOK = "notebooks/latent_editor.ipynb"

SHOWN = ".labkit-editor .lab[data-state=resting] .lab-garment .class:not(:empty)"
DELAY_S = 0.3  # of the slow link, there and back

# A move begins with the key and ends with the frame after the last of the eight garments is on its canvas.
WATCH = """() => {
    window.moves = []; window.paints = []; window.begin = 0;
    const last = [...document.querySelectorAll('.lab-garment .picture')].at(-1);
    const put = CanvasRenderingContext2D.prototype.putImageData;
    CanvasRenderingContext2D.prototype.putImageData = function (...parts) {
        put.apply(this, parts);
        if (this.canvas === last) requestAnimationFrame(() => {
            window.paints.push(performance.now());
            if (window.begin) { window.moves.push(performance.now() - window.begin); window.begin = 0; }
        });
    };
    addEventListener('keydown', event => {
        if (event.target.matches('.lab-row [type=range]')) window.begin = performance.now();
    }, true);
}"""


@contextmanager
def busy(wanted: bool):
    """Beside one process that never rests, or not."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if wanted else None
    try:
        time.sleep(1)
        yield
    finally:
        if process:
            process.kill()
            process.wait()


def use(page, title: str) -> None:
    """Draw with the network whose name begins with ``title``."""
    choice = page.locator(".lab-networks")
    if choice.count():
        names = choice.locator("option").all_inner_texts()
        choice.select_option(index=next(k for k, name in enumerate(names) if name.startswith(title)))
    else:
        page.locator(".labkit-editor label", has_text=title).first.click()
    page.wait_for_function("title => document.querySelector('.lab-note').textContent.includes(title)", arg=title)
    page.wait_for_selector(SHOWN)


def slider(page):
    """The first slider, which the benchmark moves."""
    return page.locator(".lab-row [type=range]").first


def single_moves(page, n: int) -> list[float]:
    """Milliseconds from key to pixels, ``n`` times."""
    slider(page).focus()
    page.keyboard.press("Backspace")  # from the base, where there is room either way
    page.wait_for_selector(SHOWN)
    page.evaluate("() => { window.moves = []; window.begin = 0 }")
    for i in range(n):
        page.keyboard.press("ArrowRight" if i % 40 < 20 else "ArrowLeft")
        page.wait_for_function(f"window.moves.length > {i}", polling=5)
        page.wait_for_timeout(40)
    return page.evaluate("window.moves")


def drag(page, seconds: float = 2.0) -> dict:
    """Pictures per second during a drag, milliseconds from release to the last picture, and what was said of the link.

    The pulse says that the kernel lags only while it does: it is read just before the release.
    """
    box = slider(page).bounding_box()
    y, mid = box["y"] + box["height"] / 2, box["x"] + box["width"] / 2
    page.mouse.move(mid, y)
    page.mouse.down()
    page.evaluate("() => { window.paints = [] }")
    begin = time.perf_counter()
    while (t := time.perf_counter() - begin) < seconds:
        page.mouse.move(mid + box["width"] * 0.45 * math.sin(2 * math.pi * t / 1.5), y)
        time.sleep(max(0.0, 1 / 60 - (time.perf_counter() - begin - t)))
    painted = page.evaluate("window.paints.length")
    elapsed, release = time.perf_counter() - begin, page.evaluate("performance.now()")
    said = page.locator(".lab-pulse").first.inner_text()
    page.mouse.up()
    page.wait_for_timeout(1500)
    last = page.evaluate("window.paints.at(-1) ?? performance.now()")
    return {"pictures_per_s": painted / elapsed, "settled_ms": max(0.0, last - release), "said": said}


def gflops(n: int = 1024) -> float:
    """How many 10^9 operations of fp32 a second the cores do in a product of two (n, n) matrices: the median of 20."""
    import torch

    a, times = torch.rand(n, n), []
    for _ in range(20):
        begin = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - begin)
    return 2 * n**3 / statistics.median(times) / 1e9


def opened(browser, server, seconds: list[float]):
    """A page with the editor, which has been run; how long that took goes to ``seconds``."""
    from lab_page import open_notebook, run_all

    page = open_notebook(browser, server, NOTEBOOK)
    page.set_default_timeout(60_000)
    seconds.append(run_all(page, SHOWN))
    page.locator(".labkit-editor").scroll_into_view_if_needed()
    page.wait_for_timeout(2000)
    page.evaluate(WATCH)
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--moves", type=int, default=60)
    options = parser.parse_args()
    if options.moves < 2:
        parser.error("--moves takes 2 or more")
    os.environ["LABKIT_HEADLESS"] = "1"
    from lab_page import CHROMIUM, chromium, jupyterlab, slow_link

    from labkit.base.files import write_atomic
    from labkit.figures import benchmarks, catalogue
    from labkit.gans import reported
    from labkit.page.worlds import title_of
    from labkit.training import runs
    from labkit.training.checkpoints import machine

    missing = set(reported()) - {folder.parts[-2] for folder in runs.finished()}
    if missing or not CHROMIUM:
        lack = f"no finished run of {', '.join(missing)}: make report" if missing else "no Chromium: install one"
        raise SystemExit(f"labkit: {lack}")
    del os.environ["LABKIT_HEADLESS"]
    out, first = ROOT / "build/bench", []
    results = {"machine": machine("cpu"), "gflops_fp32": gflops(), "moves": options.moves}
    with tempfile.TemporaryDirectory() as scratch, jupyterlab(ROOT, Path(scratch)) as server, chromium() as browser:
        page = opened(browser, server, first)
        results["first_use_s"] = first[0]
        for model in reported()[::-1]:
            use(page, title_of(model))
            results[model] = {}
            for name in ("quiet", "busy"):
                with busy(name == "busy"):
                    single_moves(page, 5)
                    times = single_moves(page, options.moves)
                    cuts = statistics.quantiles(times, n=20)
                    results[model][name] = {
                        "median_ms": statistics.median(times),
                        "p95_ms": cuts[-1],
                        "times_ms": times,
                        **drag(page),
                    }
        page.close()
        with slow_link(server[0], DELAY_S / 2) as slow:
            page = opened(browser, (slow, server[1]), first)
            for model in reported()[::-1]:
                use(page, title_of(model))
                results[model]["slow"] = drag(page)
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "explorer.json", json.dumps(results, indent=2).encode())
    catalogue.save(benchmarks.latency(results), out, "explorer")
    print(f"{results['gflops_fp32']:.0f} GFLOP/s of fp32; run cell to live editor: {results['first_use_s']:.1f} s")
    for model in reported()[::-1]:
        for name, r in results[model].items():
            keys = f"median {r['median_ms']:.0f} ms, p95 {r['p95_ms']:.0f} ms" if "times_ms" in r else "not measured"
            print(
                f"{model:8s} {name:6s} key to pixels: {keys}; dragging: {r['pictures_per_s']:.1f} pictures/s,"
                f" settled {r['settled_ms']:.0f} ms after release; said: {r['said'] or 'nothing'}"
            )
    print(f"written to {out / 'explorer.json'}")


if __name__ == "__main__":
    from labkit.base.command import command

    raise SystemExit(command(main))
