"""How soon eight garments follow in the report's own page: from new vectors to pixels on a canvas, in a real Chromium.

    make bench-page            or    python benchmarks/page.py [--moves 200]

For both networks, in a page from a file that carries the engine alone: moves of eight vectors and of one, the time from
the text of the weights to the first picture, and a step of the search for a garment; the classes of eight garments; and
what a report takes for its page. The product of two matrices on two threads says how fast the cores are. Needs finished
runs of both networks (make report) and a Chromium.
Writes build/bench/page.json and .png. Takes about a minute; other programs should rest.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

# Each in a page of its own: nothing is compiled before.
READY = """async ([name, make]) => {
    window.content = JSON.parse(document.getElementById("lab-data").textContent);
    const started = performance.now();
    window.network = await labModules["networks.js"][make](content.networks.find(n => n.weights === name));
    const ready = performance.now() - started;
    await new Promise(resolve => setTimeout(resolve, 1500));  // the form for one vector is compiled meanwhile
    return ready / 1000;
}"""

# From the vectors to the pixels of a canvas, a move after the other; a frame is let pass between them.
MOVES = """async ([n, moves]) => {
    const canvas = document.createElement("canvas"), size = network.latentDim, z = new Float32Array(n * size);
    [canvas.width, canvas.height] = [28 * n, 28];
    document.body.append(canvas);
    const context = canvas.getContext("2d"), times = [];
    for (let i = 0; i < z.length; i++) z[i] = Math.sin(i * i);
    for (let move = -5; move < moves; move++) {
        for (let i = 5; i < z.length; i += size) z[i] = 3 * Math.sin(move / 10);
        await new Promise(requestAnimationFrame);
        const begin = performance.now(), images = await network.sample(z);
        const pixels = context.createImageData(28 * n, 28);
        for (let i = 0; i < images.length; i++) {
            const garment = Math.floor(i / 784), row = Math.floor(i % 784 / 28), column = i % 28;
            const at = 4 * (28 * (n * row + garment) + column);
            pixels.data[at] = pixels.data[at + 1] = pixels.data[at + 2] = Math.round((images[i] + 1) * 127.5);
            pixels.data[at + 3] = 255;
        }
        context.putImageData(pixels, 0, 0);
        if (move >= 0) times.push(performance.now() - begin);
    }
    canvas.remove();
    return times;
}"""

STEPS = """async ([starts, steps]) => {
    const times = [], z = new Float32Array(starts * network.latentDim).map((_, i) => Math.sin(i * i));
    const constants = { ...content.search, steps };
    let last = performance.now();
    const begin = last;
    await network.invert(new Float32Array(784).fill(-1), { starts: z, constants, onStep() {
        times.push(performance.now() - last);
        last = performance.now();
    } });
    return [times, (performance.now() - begin) / 1000];
}"""

# The class of eight pictures.
CLASSES = """async times => {
    const images = new Float32Array(8 * 784).map((_, i) => Math.sin(i * i)), taken = [];
    for (let i = 0; i < times; i++) {
        const begin = performance.now();
        await network.classify(images);
        taken.push(performance.now() - begin);
    }
    return taken;
}"""


def gflops(size: int = 2048, threads: int = 2) -> float:
    """Billions of float32 operations a second in the product of two matrices, the best of ten."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    a, best = torch.randn(size, size), float("inf")
    for _ in range(10):
        begin = time.perf_counter()
        a @ a
        best = min(best, time.perf_counter() - begin)
    torch.set_num_threads(before)
    return 2 * size**3 / best / 1e9


def summary(times: list[float]) -> dict:
    """What `figures.benchmarks.latency` draws of milliseconds."""
    return {"median_ms": statistics.median(times), "p95_ms": statistics.quantiles(times, n=20)[-1], "times_ms": times}


def measure(browser, path: Path, model: str, moves: int) -> dict:
    """What the page ``path`` takes for ``model``; names as in benchmarks/explorer.py where they mean the same."""
    page = browser.new_page()
    page.goto(path.as_uri())
    ready = page.evaluate(READY, [model, "generatorOf"])
    times, alone = (page.evaluate(MOVES, [n, moves]) for n in (8, 1))
    page.evaluate(STEPS, [8, 3])  # compiles
    steps, search = page.evaluate(STEPS, [64, 120])
    page.close()
    return {
        **summary(times),
        "one_median_ms": statistics.median(alone),
        "ready_s": ready,
        "step_ms": statistics.median(steps[1:]),
        "search_s": search,
    }


def classes(browser, path: Path) -> dict:
    """What the nearest classes of eight garments take in the page ``path``."""
    page = browser.new_page()
    page.goto(path.as_uri())
    ready = page.evaluate(READY, ["classifier", "classifierOf"])
    times = page.evaluate(CLASSES, 100)
    page.close()
    return {**summary(times), "ready_s": ready}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--moves", type=int, default=200)
    options = parser.parse_args()
    if options.moves < 20:
        parser.error("--moves takes 20 or more")
    os.environ["LABKIT_HEADLESS"] = "1"
    from engine_page import MODELS, have_runs, write_page
    from lab_page import CHROMIUM, chromium
    from page_lab import write_page as write_report

    from labkit.base.files import write_atomic
    from labkit.figures import benchmarks, catalogue
    from labkit.training.checkpoints import machine

    if not have_runs() or not CHROMIUM:
        raise SystemExit(f"labkit: {'no Chromium: install one' if have_runs() else 'no finished runs: make report'}")
    out, speed = ROOT / "build/bench", gflops()
    results: dict = {"machine": machine("cpu"), "moves": options.moves, "gflops_two_threads": speed}
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        path = write_page(Path(scratch), *MODELS, "classifier")
        for model in MODELS:
            results[model] = {"quiet": measure(browser, path, model, options.moves)}
        results["classifier"] = {"quiet": classes(browser, path)}
        begin = time.perf_counter()
        write_report(Path(scratch) / "report.html", MODELS[-1:])
        results["report_s"] = time.perf_counter() - begin
    out.mkdir(parents=True, exist_ok=True)
    write_atomic(out / "page.json", json.dumps(results, indent=2).encode())
    catalogue.save(benchmarks.latency(results), out, "page")
    print(f"two threads of this machine: {speed:.0f} GFLOP/s in float32")
    for model in MODELS:
        r = results[model]["quiet"]
        print(
            f"{model:8s} eight garments: median {r['median_ms']:.1f} ms, p95 {r['p95_ms']:.1f} ms; one: median"
            f" {r['one_median_ms']:.1f} ms; ready in {r['ready_s']:.2f} s; a step of the search {r['step_ms']:.0f} ms,"
            f" all of it {r['search_s']:.1f} s"
        )
    r = results["classifier"]["quiet"]
    print(f"classes of eight garments: median {r['median_ms']:.1f} ms; ready in {r['ready_s']:.2f} s")
    print(f"a report takes {results['report_s']:.1f} s for its page, beyond what is measured on the run once")
    print(f"written to {out / 'page.json'}")


if __name__ == "__main__":
    from labkit.base.command import command

    raise SystemExit(command(main))
