"""labkit: the bench behind the GAN lab report on Fashion-MNIST.

Read from left to right, as the data flows; a room imports only from rooms to its left:

    base > texts > pictures > data > gans > config > latent > training > evaluation > analysis > study > figures
    > page > editor > examine > report > doctor > cli

base        the doors for what people bring, errors, atomic files, the machine, random streams, kept measurements; knows
            nothing of GANs
texts       what a reader sees in words, by language
pictures    what can be measured on a picture: brightness, width, distance to the nearest
data        data sets: find, fetch, verify, hand over as one tensor
gans        one file for each GAN, their registry, layers and losses
config      TrainConfig: every hyperparameter, and the profiles smoke, quick, full
latent      pure functions on latent vectors: sample, perturb, interpolate
training    the two moves, the loop around them, a run on disk
evaluation  the classifier, the scores, the monitor of a training
analysis    effects of dimensions and directions, statistics, claims
study       many runs: their records, and the workers that train them
figures     the catalogue of figures, and the functions that draw them
page        the lab in a browser: its scripts, what they are told, recipes, the generator that draws there
editor      the same lab in a notebook, where a kernel draws and keeps
examine     the bench for a generator that somebody else wrote: run apart, measured, judged
report      executes the notebooks and publishes the report
doctor      looks for what is wrong on this machine, and names what mends it
cli         the command line; `make` calls it
"""

import os

# Read once, when torch is first imported, so import labkit before torch. Threads that wait for one another spin
# for some microseconds and then sleep: spinning for long, the default, makes a training step several times slower
# beside any other process; sleeping at once makes small steps slower on a quiet machine.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
# Large tensors on huge pages: fewer page faults in every training step.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
# What torch cannot do on the GPU of a Mac it does on the CPU.
os.environ.setdefault("PYTORCH_ENABLE_MPS_FALLBACK", "1")


def load(model: str = "dcgan", device: str = "cpu", plain: bool = False):
    """A trained generator of garments in eval mode: of the longest finished run of ``model``, one of `gans.GANS`.

        from labkit import latent, load
        images = latent.sample(load("dcgan"), latent.latents(8))  # (8, 1, 28, 28) in [-1, 1]

    Runs are looked for in data/runs of the project, or where the environment variable LABKIT_RUNS says. With ``plain``
    the layers are torch's own, one by one, and none is computed together with the next: for torch.func, torch.jit and
    torch.onnx. The pictures are the same to rounding.

    Raises:
        LabError: no such run, or it is damaged; no such device.
    """
    from . import data  # here, since torch takes a second to import
    from .base import doors, paths
    from .base.errors import LabError
    from .base.machine import own_torch, pick_device
    from .gans import GANS
    from .gans import plain as in_plain_layers
    from .training import runs

    if not isinstance(model, str) or model not in GANS:
        raise LabError(f"model = {doors.said(model)} is unknown: use one of {', '.join(GANS)}")
    found = [folder for folder in runs.finished(dataset=data.DEFAULT) if folder.parts[-2] == model]
    if not found:
        raise LabError(
            f"no finished run of model = {model!r} in {paths.RUNS}: name the folder of the project's runs in the"
            " environment variable LABKIT_RUNS (it ends in data/runs), or train one with 'make report' in the project"
        )
    with own_torch():
        g = runs.load_run(found[0]).generator(pick_device(device))
        return in_plain_layers(g) if doors.switch("plain", plain) else g
