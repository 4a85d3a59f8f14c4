"""How fast the lab trains and samples, as ratios to a plain tutorial script measured in the same run.

    make bench                     or    python benchmarks/training.py [--repeats 9] [--device auto]

Workers, one for each way, take turns, so that all meet the same noise of the machine; before each round of turns this
process measures the machine's own fp32 rate. Each worker has a process of its own, because the
lab's settings for memory and threads would help the plain script too. Medians and quartiles over the repeats, which
are spread over three processes of each. Where the lab would train in bfloat16, float32 is measured as well.

peak_gflops is the faster of a large matrix product and a large convolution, as one library may know the processor
better than the other. peak_fraction_done is the share of it that a step reaches; peak_fraction that of a step of the
folded network, whose every output pixel takes 2x2 input pixels, forward and backward. The lab's step does fewer
operations (see `labkit/gans/layers.py`), so the second can exceed 1; so can both in bfloat16, as the peak is that of
fp32.
Writes build/bench/training.json and .png. On a CPU it takes about four minutes; other programs should rest.
"""

import argparse
import copy
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
STEPS = defaultdict(lambda: 20, vanilla=50)  # training steps in one turn: a second or two of the plain script
BATCH = 64
SAMPLES = 2000  # images in one turn of sampling
PROCESSES = 3  # fresh ones of each way: the same script runs 20 % faster in one process than in the next


def images(n: int):
    """The first ``n`` training images, uint8 (n, 28, 28)."""
    from labkit import data

    return data.load("train")[0][:n]


def clock(device: str) -> float:
    import torch

    if device != "cpu":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def plain_script(model: str, device: str, pictures):
    """A plain tutorial script on uint8 ``pictures`` (n, 28, 28).

    Returned are its generator, and a function whose iterator trains an epoch.
    A loader with transforms, eager modules, two default optimisers, a look at the losses every step.
    """
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset
    from torchvision import transforms

    from labkit.config import config_for
    from labkit.gans import build, plain

    class Pictures(Dataset):
        transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])

        def __len__(self):
            return len(pictures)

        def __getitem__(self, index):
            return self.transform(Image.fromarray(pictures[index].numpy()))

    g, d = (plain(network).to(device) for network in build(config_for(model, "smoke")))
    opt_g = torch.optim.Adam(g.parameters(), lr=2e-4, betas=(0.5, 0.999))
    opt_d = torch.optim.Adam(d.parameters(), lr=2e-4, betas=(0.5, 0.999))
    loss = torch.nn.BCELoss()
    loader = DataLoader(Pictures(), batch_size=BATCH, shuffle=True, drop_last=True)

    def epoch():
        for x_real in loader:
            x_real = x_real.to(device)
            real, fake = torch.ones(BATCH, 1, device=device), torch.zeros(BATCH, 1, device=device)
            opt_g.zero_grad()
            x_fake = g(torch.randn(BATCH, 100, device=device))
            loss_g = loss(d(x_fake), real)
            loss_g.backward()
            opt_g.step()
            opt_d.zero_grad()
            loss_d = (loss(d(x_real), real) + loss(d(x_fake.detach()), fake)) / 2
            loss_d.backward()
            opt_d.step()
            loss_d.item(), loss_g.item()
            yield

    return g, epoch


def own_defaults() -> None:
    """Let torch read its own defaults for threads and memory, before labkit (models and data are in it) sets others."""
    import torch

    torch.empty(1 << 20)


def plain_turns(model: str, device: str):
    """The plain way."""
    own_defaults()
    import torch

    g, epoch = plain_script(model, device, images(STEPS[model] * BATCH))
    noise = torch.randn(SAMPLES, 100)

    def train():
        for _ in epoch():
            pass

    @torch.no_grad()
    def sample():
        g.eval()
        for z in noise.split(BATCH):
            g(z.to(device)).cpu()
        g.train()

    yield from turns(train, sample, device, STEPS[model])


def lab_turns(model: str, device: str, precision: str = "auto"):
    """The lab's way: `training.train` itself, progress bar and history included, and `latent.sample`."""
    from labkit import latent
    from labkit.base.machine import keeping_memory
    from labkit.config import config_for
    from labkit.gans.layers import fuse
    from labkit.training import loop
    from labkit.training import state as training_state

    steps = STEPS[model]
    state = training_state.TrainState(
        config_for(model, "full", epochs=1, examples=steps * BATCH, precision=precision), device
    )
    pictures, z = images(steps * BATCH).to(device), latent.latents(SAMPLES)

    def train():
        state.epoch = 0
        loop.train(state, pictures)

    g = fuse(copy.deepcopy(state.g))  # in float32, as a finished run is
    with keeping_memory():  # as in the middle of a training, not at the beginning of one every twenty steps
        yield from turns(train, lambda: latent.sample(g, z), device, steps)


def sampling_memory(model: str, device: str):
    """How far the process grows above the loaded model while it samples 10,000 images, the images included."""
    from labkit import latent
    from labkit.config import config_for
    from labkit.training import state as training_state

    g, z = (
        training_state.TrainState(config_for(model, "full", epochs=1, precision="float32"), device).g,
        latent.latents(10_000),
    )
    g(z[:2].to(device))
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = memory_mb("VmRSS")
    latent.sample(g, z)
    yield {"memory_mb": memory_mb("VmHWM") - before}


def memory_mb(kind: str) -> float:
    """Memory of this process, now ("VmRSS") or at its peak ("VmHWM").

    getrusage's peak is that of the parent, if it was larger; where there is no /proc, it is all that there is.
    """
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # a Mac's are bytes
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(kind))
    return int(line.split()[1]) * 1024 / 1e6


def turns(train, sample, device: str, steps: int):
    """Seconds of one training step and of one sampled image, again and again."""
    train(), sample()  # warm up
    yield {}
    while True:
        times = [clock(device)]
        for work in (train, sample):
            work()
            times.append(clock(device))
        yield {
            "step_s": (times[1] - times[0]) / steps,
            "image_s": (times[2] - times[1]) / SAMPLES,
            "memory_mb": memory_mb("VmHWM"),
        }


def worker(way: str, model: str, device: str) -> None:
    """Take a turn for every line on stdin, and answer with a line of JSON."""
    ways = {
        "plain": plain_turns,
        "lab": lab_turns,
        "float32": partial(lab_turns, precision="float32"),
        "memory": sampling_memory,
    }
    for answer in ways[way](model, device):
        print(json.dumps(answer), flush=True)
        if not sys.stdin.readline():
            return


def start(way: str, model: str, device: str, script: str = __file__) -> subprocess.Popen:
    """A worker process of ``script``."""
    own = (
        "OMP_WAIT_POLICY",
        "GOMP_SPINCOUNT",
        "THP_MEM_ALLOC_ENABLE",
    )  # the lab's settings are not for the plain script
    environment = {k: v for k, v in os.environ.items() if way != "plain" or k not in own}
    command = [sys.executable, script, "--worker", way, model, "--device", device]
    log = (ROOT / "build/bench/workers.log").open("a")
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment
    )


def take(process: subprocess.Popen) -> dict:
    """One answer of a worker."""
    line = process.stdout.readline()
    if not line:
        raise SystemExit("labkit: a worker of the benchmark ended early: see build/bench/workers.log")
    return json.loads(line)


def peak_gflops(device: str) -> float:
    """The machine's own fp32 rate in GFLOP/s: of a matrix product, or of a convolution where that is faster."""
    import torch

    n, channels, side = 2048, 512, 14
    a, b = torch.randn(2, n, n, device=device)
    x, weight = (
        torch.randn(16, channels, side, side, device=device),
        torch.randn(channels, channels, 3, 3, device=device),
    )
    x, weight = (tensor.contiguous(memory_format=torch.channels_last) for tensor in (x, weight))
    works = (
        (lambda: a @ b, 2 * n**3),
        (lambda: torch.conv2d(x, weight, padding=1), 2 * len(x) * 9 * (channels * side) ** 2),
    )
    rates = []
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        for work, operations in works:
            work()
            begin = clock(device)
            for _ in range(4):
                work()
            rates.append(4 * operations / (clock(device) - begin) / 1e9)
    return max(rates)


def step_gflop(model: str) -> dict[str, float]:
    """Matrix and convolution operations of one training step, in GFLOP, counted by torch.

    Two numbers: those of the folded network, and those done.
    """
    from torch.nn.functional import conv_transpose2d
    from torch.utils.flop_counter import FlopCounterMode

    from labkit.config import config_for
    from labkit.gans import layers
    from labkit.training import loop
    from labkit.training import state as training_state

    def folded(x, weight, bias):
        return conv_transpose2d(x, layers.folded_kernel(weight), bias, stride=2, padding=1)

    counted = {}
    for name, layer in (("gflop_per_step", folded), ("gflop_done_per_step", layers._UpsampleAndConvolve.apply)):
        state = training_state.TrainState(
            config_for(model, "full", epochs=1, examples=BATCH, precision="float32"), "cpu"
        )
        with mock.patch.object(layers._UpsampleAndConvolve, "apply", layer), FlopCounterMode(display=False) as counter:
            loop.train(state, images(BATCH))
        counted[name] = counter.get_total_flops() / 1e9
    return counted


KINDS = {
    "convolution": (
        "conv",
        "fprop",
        "dgrad",
        "wgrad",
        "avg_pool",
        "im2col",
        "col2im",
        "bmm",
    ),  # bmm: that to one channel
    "batch norm": ("batch_norm",),
    "linear": ("mm",),
    "activation": ("leaky_relu", "tanh", "sigmoid", "log_sigmoid", "softplus", "binary_cross"),
    "dropout, noise": ("bernoulli", "native_dropout", "normal_", "div_"),
    "spectral norm": ("mv", "addr", "vector_norm", "aten::div", "aten::dot", "Sigma"),
    "copies, casts": ("copy", "Memcpy"),
    "optimiser": ("adam", "Adam"),
}


def profile(model: str, device: str) -> dict[str, float]:
    """Share of the time of a training step per kind of layer.

    `rest` is everything else, Python between kernels included.
    """
    import torch
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as record

    from labkit.config import config_for
    from labkit.training import loop
    from labkit.training import state as training_state

    state = training_state.TrainState(config_for(model, "full", epochs=1, examples=STEPS[model] * BATCH), device)
    pictures = images(STEPS[model] * BATCH).to(device)
    loop.train(state, pictures)
    state.epoch = 0
    begin = clock(device)
    with record(activities=[ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device != "cpu")) as result:
        loop.train(state, pictures)
        total = clock(device) - begin
    shares = dict.fromkeys(KINDS, 0.0)
    for event in result.key_averages():
        if device != "cpu" and event.device_type != torch.autograd.DeviceType.CUDA:
            continue  # an operator's row repeats the time of its kernels
        spent = event.self_cpu_time_total if device == "cpu" else event.self_device_time_total
        kind = next((k for k, words in KINDS.items() if any(word in event.key for word in words)), None)
        if kind:
            shares[kind] += spent / 1e6 / total
    return {**shares, "rest": max(0.0, 1 - sum(shares.values()))}


def growth(device: str) -> dict:
    """How the lab's DCGAN step grows with the batch, and training with the number of epochs (of 8 steps each)."""
    from labkit.config import config_for
    from labkit.training import loop
    from labkit.training import state as training_state

    steps = STEPS["dcgan"]

    def seconds(batch: int, epochs: int) -> float:
        pictures = images(batch * steps).to(device)
        state = training_state.TrainState(
            config_for("dcgan", "full", epochs=epochs, examples=batch * steps, batch=batch), device
        )
        loop.train(state, pictures)  # warm up, and record the graph on a GPU
        state.epoch = 0
        begin = clock(device)
        loop.train(state, pictures)
        return clock(device) - begin

    return {
        "ms_per_image_by_batch": {n: 1e3 * seconds(n, 1) / (n * steps) for n in (16, 64, 256)},
        "seconds_by_epochs": {n: seconds(BATCH, n) for n in (1, 2, 4)},
    }


SEEDS = (1, 4, 8)  # states that are trained together
CHOICES = {  # on a GPU: what a step costs with other choices of the config
    "as it is": {},
    "float32 without TF32": {"tf32": False},
    "cuDNN free to choose": {"deterministic": False},
    "compiled": {"compile": True},
    "compiled, cuDNN free to choose": {"compile": True, "deterministic": False},
}


def step_of(model: str, device: str, seeds: int = 1, **changes) -> float:
    """Seconds of a step of every one of ``seeds`` states that are trained together: the best of three epochs."""
    from labkit.config import config_for
    from labkit.training import loop
    from labkit.training import state as training_state

    steps = STEPS[model] * (1 if device == "cpu" else 10)
    pictures, times = images(steps * BATCH).to(device), []
    states = [
        training_state.TrainState(
            config_for(model, "full", epochs=4, examples=steps * BATCH, seed=seed, **changes), device
        )
        for seed in range(seeds)
    ]

    def note(state):
        if state is states[-1]:
            times.append(clock(device))

    loop.train(states, pictures, note)  # of the first epoch, warming up and recording are a part
    return min(b - a for a, b in zip(times, times[1:], strict=False)) / steps


def by_seeds(model: str, device: str) -> dict:
    """Seconds of a step for each of k seeds that are trained together, and how many times as fast as one alone."""
    taken = {k: step_of(model, device, k) / k for k in SEEDS}
    return {"step_s_per_seed": taken, "ratio_to_one": {k: taken[1] / value for k, value in taken.items()}}


def by_choices(model: str, device: str) -> dict[str, float]:
    """On a GPU, seconds of a step under each of `CHOICES`, and without a graph."""
    from labkit.training import loop

    taken = {name: step_of(model, device, **changes) for name, changes in CHOICES.items()}
    with mock.patch.object(loop.Desk, "record", lambda desk: False):
        return {**taken, "without a graph": step_of(model, device)}


def spread(values: list[float]) -> dict:
    low, median, high = statistics.quantiles(values, n=4)
    return {"median": median, "quartiles": [low, high], "n": len(values)}


def against_plain(taken: dict[str, list[dict]], way: str, key: str) -> dict:
    """How many times the plain script's speed ``way`` has, over turns taken side by side."""
    ratios = spread([plain[key] / own[key] for plain, own in zip(taken["plain"], taken[way], strict=True)])
    return {"ratio": ratios["median"], "ratio_spread": ratios}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--worker", nargs=2, metavar=("WAY", "MODEL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.repeats < 2:
        parser.error("--repeats takes 2 or more: quartiles need them")
    if options.worker:
        worker(*options.worker, options.device)
        return
    os.environ["LABKIT_HEADLESS"] = "1"
    from labkit.base.files import write_atomic
    from labkit.base.machine import pick_device
    from labkit.figures import benchmarks, catalogue
    from labkit.gans import reported
    from labkit.training.checkpoints import machine
    from labkit.training.state import precision as precision_of

    models = reported()[::-1]
    device = pick_device(options.device)
    out = ROOT / "build/bench"
    out.mkdir(parents=True, exist_ok=True)
    peaks, results = [], {"device": machine(device), "batch": BATCH}
    for model in models:
        precision = precision_of("auto", device)
        taken = {way: [] for way in ("plain", "lab", "float32")[: 2 + (precision == "bfloat16")]}
        for part in range(PROCESSES):
            workers = {way: start(way, model, device) for way in taken}
            for process in workers.values():  # each has warmed up when it answers
                take(process)
            for repeat in range(part, options.repeats, PROCESSES):
                peaks.append(peak_gflops(device))
                for way, process in list(workers.items())[:: -1 if repeat % 2 else 1]:  # nobody is always the first
                    process.stdin.write("\n")
                    process.stdin.flush()
                    taken[way].append(take(process))
            for process in workers.values():
                process.communicate()
        step = {way: spread([turn["step_s"] for turn in taken[way]]) for way in taken}
        results[model] = {
            **against_plain(taken, "lab", "step_s"),
            "precision": precision,
            "images_per_s": BATCH / step["lab"]["median"],
            "step_s": step,
            **step_gflop(model),
            "memory_mb": {way: max(turn["memory_mb"] for turn in taken[way]) for way in taken},
            "time_by_kind": profile(model, device),
            "seeds": by_seeds(model, device),
        }
        if device != "cpu":
            results[model]["choices"] = by_choices(model, device)
        if "float32" in taken:
            results[model]["float32"] = {
                **against_plain(taken, "float32", "step_s"),
                "images_per_s": BATCH / step["float32"]["median"],
            }
        results.setdefault("sample", {})[model] = {
            **against_plain(taken, "lab", "image_s"),
            "seconds_10000": 1e4 * statistics.median(turn["image_s"] for turn in taken["lab"]),
            "memory_mb_10000": take(start("memory", model, device))["memory_mb"],
        }
    results["peak_gflops"] = spread(peaks)
    for r in (results[model] for model in models):
        for row in (r, r.get("float32")):
            if row:
                possible = (
                    BATCH / row["images_per_s"] * results["peak_gflops"]["median"]
                )  # GFLOP that the peak does in a step's time
                row["peak_fraction"] = r["gflop_per_step"] / possible
                row["peak_fraction_done"] = r["gflop_done_per_step"] / possible
    results["growth"] = growth(device)
    write_atomic(out / "training.json", json.dumps(results, indent=2).encode())
    catalogue.save(benchmarks.benchmark(results), out, "training")
    for model in models:
        r, s = results[model], results["sample"][model]
        for precision, row in ((r["precision"], r), ("float32", r.get("float32"))):
            if row:
                print(
                    f"{model:8s} training in {precision} {row['ratio']:.2f} times the plain step"
                    f" ({row['images_per_s']:.0f} images/s, {1e3 * BATCH / row['images_per_s']:.1f} ms a step,"
                    f" {row['peak_fraction']:.0%} of the fp32 peak for the folded network,"
                    f" {row['peak_fraction_done']:.0%} for the operations done)"
                )
        print(
            f"         sampling {s['ratio']:.2f} times,"
            f" 10,000 images in {s['seconds_10000']:.1f} s and {s['memory_mb_10000']:.0f} MB"
        )
        print("         " + ", ".join(f"{kind} {share:.0%}" for kind, share in r["time_by_kind"].items()))
        together = r["seeds"]["step_s_per_seed"].items()
        print("         seeds together, a step of each: " + ", ".join(f"{k}: {1e3 * s:.2f} ms" for k, s in together))
        for choice, seconds in r.get("choices", {}).items():
            times = r["step_s"]["plain"]["median"] / seconds
            print(f"         {choice}: {1e6 * seconds:.0f} us a step, {times:.0f} times the plain script")
    print(f"peak {results['peak_gflops']['median']:.0f} GFLOP/s fp32; written to {out / 'training.json'}")


if __name__ == "__main__":
    if "--worker" in sys.argv:  # the plain script's process knows nothing of labkit
        raise SystemExit(main())
    from labkit.base.command import command

    raise SystemExit(command(main))
