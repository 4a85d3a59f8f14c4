"""How soon the garments follow a slider: from the key press to the new pixels, in a real JupyterLab and Chromium.

    make bench-explorer            or    python benchmarks/explorer.py [--moves 60]

For both networks, on a machine at rest and beside one process that never rests: single moves by the arrow keys, and a
drag with sixty pointer moves a second. Needs finished runs of both networks (make report) and a Chromium.
Writes build/bench/explorer.json and .png. Takes about two minutes; other programs should rest.
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

# A move begins with the key and ends with the frame after the picture's file is decoded.
WATCH = """() => {
    window.moves = []; window.paints = []; window.begin = 0;
    const handle = document.querySelector('.noUi-handle');
    handle.addEventListener('keydown', () => { window.begin = performance.now() }, true);
    document.querySelector('.labkit-stage img').addEventListener('load', () => requestAnimationFrame(() => {
        window.paints.push(performance.now());
        if (window.begin) { window.moves.push(performance.now() - window.begin); window.begin = 0; }
    }));
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


def single_moves(page, n: int) -> list[float]:
    """Milliseconds from key to pixels, ``n`` times."""
    handle = page.locator(".noUi-handle").first
    handle.focus()
    page.evaluate("() => { window.moves = [] }")
    for i in range(n):
        page.keyboard.press("ArrowRight" if i % 40 < 20 else "ArrowLeft")
        page.wait_for_function(f"window.moves.length > {i}", polling=5)
        page.wait_for_timeout(40)
    return page.evaluate("window.moves")


def drag(page, seconds: float = 2.0) -> dict:
    """Pictures per second during a drag, and milliseconds from release to the last picture."""
    box = page.locator(".widget-slider .noUi-target").first.bounding_box()
    y, mid = box["y"] + box["height"] / 2, box["x"] + box["width"] / 2
    handle = page.locator(".noUi-handle").first.bounding_box()
    page.mouse.move(handle["x"] + handle["width"] / 2, y)
    page.mouse.down()
    page.evaluate("() => { window.paints = [] }")
    begin = time.perf_counter()
    while (t := time.perf_counter() - begin) < seconds:
        page.mouse.move(mid + box["width"] * 0.45 * math.sin(2 * math.pi * t / 1.5), y)
        time.sleep(max(0.0, 1 / 60 - (time.perf_counter() - begin - t)))
    painted = page.evaluate("window.paints.length")
    elapsed, release = time.perf_counter() - begin, page.evaluate("performance.now()")
    page.mouse.up()
    page.wait_for_timeout(1000)
    return {
        "pictures_per_s": painted / elapsed,
        "settled_ms": max(0.0, page.evaluate("window.paints.at(-1)") - release),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--moves", type=int, default=60)
    options = parser.parse_args()
    if options.moves < 2:
        parser.error("--moves takes 2 or more")
    os.environ["LABKIT_HEADLESS"] = "1"
    from lab_page import CHROMIUM, chromium, jupyterlab, open_notebook, run_all

    from labkit.base.files import write_atomic
    from labkit.figures import benchmarks, catalogue
    from labkit.gans import reported
    from labkit.training import runs
    from labkit.training.checkpoints import machine

    missing = set(reported()) - {folder.parts[-2] for folder in runs.finished()}
    if missing or not CHROMIUM:
        lack = f"no finished run of {', '.join(missing)}: make report" if missing else "no Chromium: install one"
        raise SystemExit(f"labkit: {lack}")
    del os.environ["LABKIT_HEADLESS"]
    out, results = ROOT / "build/bench", {"machine": machine("cpu"), "moves": options.moves}
    with tempfile.TemporaryDirectory() as scratch, jupyterlab(ROOT, Path(scratch)) as server, chromium() as browser:
        page = open_notebook(browser, server, NOTEBOOK)
        results["first_use_s"] = run_all(page, ".labkit-stage img")
        page.wait_for_timeout(2000)
        page.evaluate(WATCH)
        for model in reported()[::-1]:
            page.locator(".labkit-editor button", has_text=model).click()
            page.wait_for_timeout(1000)
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
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "explorer.json", json.dumps(results, indent=2).encode())
    catalogue.save(benchmarks.latency(results), out, "explorer")
    print(f"run cell to live editor: {results['first_use_s']:.1f} s")
    for model in reported()[::-1]:
        for name, r in results[model].items():
            print(
                f"{model:8s} {name:6s} key to pixels: median {r['median_ms']:.0f} ms, p95 {r['p95_ms']:.0f} ms;"
                f" dragging: {r['pictures_per_s']:.0f} pictures/s, settled {r['settled_ms']:.0f} ms after release"
            )
    print(f"written to {out / 'explorer.json'}")


if __name__ == "__main__":
    from labkit.base.command import command

    raise SystemExit(command(main))
