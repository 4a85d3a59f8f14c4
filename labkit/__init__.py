"""labkit: the bench behind the GAN lab report on Fashion-MNIST.

Read from left to right, as the data flows; a module imports only from modules to its left:

    system > store > config > data > models > fast > training > runs > latent > attributes > ruler > metrics > watch
    > atlas > directions > claims > figures > editing > explorer > report > server > doctor

system      errors, atomic files, digests, progress bars
store       measurements that need not be made twice
config      TrainConfig: every hyperparameter, and the profiles smoke, quick, full
data        Fashion-MNIST: find, fetch, verify, hand over as one tensor
models      the four networks of the report
fast        the same mathematics, arranged for the machine
training    d_step, g_step and the loop around them
runs        a training run on disk: checkpoints, resume, fit_or_load
latent      pure functions on latent vectors: sample, perturb, interpolate
attributes  what can be measured on a picture: brightness, width, symmetry
ruler       the classifier whose features images are compared in
metrics     scores of generated images against real ones
watch       scores and an alarm while a network trains
atlas       what each dimension of z does, beside random directions
directions  vectors in z that may do better than its axes
claims      the original report's claims, judged
figures     the functions that draw the figures
editing     what the live editor can do: edits, undo, recipes
explorer    its sliders
report      executes the notebooks and publishes the report
server      a setting of the Jupyter server that keeps the sliders prompt
doctor      looks for what is wrong on this machine, and names what mends it
"""

import os

# Read once, when torch is first imported, so import labkit before torch. Threads that wait for one another spin
# for some microseconds and then sleep: spinning for long, the default, makes a training step several times slower
# beside any other process; sleeping at once makes small steps slower on a quiet machine.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
# Large tensors on huge pages: fewer page faults in every training step.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def load(model: str = "dcgan", device: str = "cpu"):
    """A trained generator in eval mode: that of the longest finished run of ``model``, "dcgan" or "vanilla".

        from labkit import latent, load
        images = latent.sample(load("dcgan"), latent.latents(8))  # (8, 1, 28, 28) in [-1, 1]

    Raises:
        LabError: no such run, or it is damaged.
    """
    from . import runs  # here, since torch takes a second to import
    from .system import LabError

    found = [folder for folder in runs.finished() if folder.parts[-2] == model]
    if not found:
        raise LabError(f"model = {model!r} has no finished run in {runs.RUNS}: use dcgan or vanilla, after a first 'make report'")
    return runs.load_run(found[0]).generator(device)
