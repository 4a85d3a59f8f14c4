"""Time to quality: how soon the profile `quick` draws as well as a plain tutorial script does after ten minutes.

    make bench-quality             or    python benchmarks/quality.py [--minutes 10] [--model dcgan] [--device auto]

Two workers take turns of twenty seconds of training, the plain script of `training.py` and the lab's `quick`; after
each turn the clocks stop, and the Frechet distance of what either draws is measured. The plain script's generator is
judged in evaluation mode and in train mode, and the better counts. The lab's is judged as `make report` would sample
it: averaged, its BatchNorm statistics estimated anew (from 2,000 latent vectors, not 10,000).
Writes build/bench/quality.json and .png. Takes about 20 minutes on a CPU; other programs should rest.
"""

import argparse
import contextlib
import json
import os
import sys
import time

from training import ROOT, clock, images, own_defaults, plain_script, start, take

TURN = 20.0  # seconds of training between two measurements
IMAGES = 5000  # generated, and as many test images
FOLDER = ROOT / "build/bench"


class Ended(Exception):
    """The driver wants no more."""


class Stopwatch:
    """Counts the seconds of training alone: after each turn ``draw`` is called and the driver is waited for."""

    def __init__(self, way: str, device: str, draw):
        self.way, self.device, self.draw = way, device, draw
        self.seconds, self.steps = 0.0, 0
        self.wait()

    def wait(self) -> None:
        """Until the driver gives the next turn."""
        if not sys.stdin.readline():
            raise Ended
        self.since = clock(self.device)

    def step(self) -> None:
        """To be called after every step."""
        self.steps += 1
        if self.seconds + time.perf_counter() - self.since >= TURN * (1 + self.seconds // TURN):
            self.seconds += clock(self.device) - self.since
            self.show()
            self.wait()

    def show(self, **more) -> None:
        """Hand what is drawn now to the driver."""
        from safetensors.torch import save_file

        name = str(FOLDER / f"quality-{self.way}.safetensors")
        save_file(self.draw(), name)
        print(json.dumps({"seconds": self.seconds, "steps": self.steps, "file": name, **more}), flush=True)


def plain(model: str, device: str) -> None:
    """The tutorial script, for as long as the driver wants."""
    own_defaults()
    import torch

    torch.manual_seed(0)
    g, epoch = plain_script(model, device, images(60_000))
    z = torch.randn(IMAGES, 100, generator=torch.Generator().manual_seed(1))

    @torch.no_grad()
    def draw():
        kept = {name: value.clone() for name, value in g.state_dict().items()}
        drawn = {
            mode: torch.cat([g.train(mode == "train")(part.to(device)).cpu() for part in z.split(64)])
            for mode in ("eval", "train")
        }
        g.load_state_dict(kept)  # train mode has moved the running statistics
        return drawn

    watch = Stopwatch("plain", device, draw)
    while True:
        for _ in epoch():
            watch.step()


def lab(model: str, device: str) -> None:
    """`training.train` with the config of `quick`, to its end."""
    from labkit import latent
    from labkit.config import config_for
    from labkit.training import loop
    from labkit.training import state as training_state

    state, pictures = training_state.TrainState(config_for(model, "quick"), device), images(60_000).to(device)
    z = latent.latents(IMAGES, state.config.latent_dim, 1)
    watch = Stopwatch("lab", device, lambda: {"eval": latent.sample(training_state.trained_generator(state, 2000), z)})
    real = loop._report

    def timed(bar, desk, epoch, step):
        real(bar, desk, epoch, step)
        for _ in range(step % loop.REPORT_EVERY + 1):
            watch.step()

    loop._report = timed
    loop.train(state, pictures)
    watch.seconds += clock(device) - watch.since
    watch.show(last=True)


def measure(model: str, device: str, minutes: float) -> dict[str, list[dict]]:
    """Curves of both ways: rows of seconds, steps and Frechet distance."""
    from safetensors.torch import load_file

    from labkit.evaluation import metrics, scoring

    reference = scoring.load_reference(IMAGES, device)
    workers = {way: start(way, model, device, __file__) for way in ("plain", "lab")}
    curves = {way: [] for way in workers}
    while workers:
        for way, process in list(workers.items()):
            process.stdin.write("\n")
            process.stdin.flush()
            row = take(process)
            drawn = load_file(row.pop("file")).values()
            row["frechet"] = min(
                metrics.frechet_distance(reference.features, reference.classifier.measure(pictures)[0])
                for pictures in drawn
            )
            curves[way].append(row)
            print(
                f"{way:6s} {row['seconds']:5.0f} s, step {row['steps']:5d}: Frechet distance {row['frechet']:.2f}",
                flush=True,
            )
            if row.get("last") or row["seconds"] >= 60 * minutes:
                workers.pop(way).communicate()
    return curves


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--model", default="dcgan", help="which GAN")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--worker", nargs=2, metavar=("WAY", "MODEL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ["LABKIT_HEADLESS"] = "1"
    if options.worker:
        with contextlib.suppress(Ended):
            {"plain": plain, "lab": lab}[options.worker[0]](options.worker[1], options.device)
        return
    from labkit.base.files import write_atomic
    from labkit.base.machine import pick_device
    from labkit.figures import benchmarks, catalogue
    from labkit.training.checkpoints import machine

    device = pick_device(options.device)
    FOLDER.mkdir(parents=True, exist_ok=True)
    curves = measure(options.model, device, options.minutes)
    level = min(row["frechet"] for row in curves["plain"])
    reached = next((row["seconds"] for row in curves["lab"] if row["frechet"] <= level), None)
    results = {
        "device": machine(device),
        "images": IMAGES,
        **curves,
        "plain_best": level,
        "lab_seconds_to_plain_best": reached,
    }
    results["share"] = reached / curves["plain"][-1]["seconds"] if reached else None
    path = FOLDER / f"quality{'' if options.model == 'dcgan' else '-' + options.model}.json"
    write_atomic(path, json.dumps(results, indent=2).encode())
    catalogue.save(benchmarks.time_to_quality(curves, level, reached), FOLDER, path.stem)
    for way in curves:
        (FOLDER / f"quality-{way}.safetensors").unlink()
    said = f"in {reached:.0f} s, {results['share']:.0%} of its time" if reached else "never"
    print(
        f"best of the plain script in {curves['plain'][-1]['seconds']:.0f} s: {level:.2f};"
        f" the lab reaches it {said}; written to {path}"
    )


if __name__ == "__main__":
    from labkit.base.command import command

    raise SystemExit(command(main))
