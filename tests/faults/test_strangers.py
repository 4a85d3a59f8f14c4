"""A stranger's generator, run in a process of its own: what it may do wrong, and what is said then."""

import csv
import os
import textwrap
import time

import numpy as np
import pytest
import torch
from torch import nn

from labkit import data
from labkit.base.errors import LabError
from labkit.examine import bench, loading
from labkit.examine.frames import Refused
from labkit.examine.measure import Settings
from labkit.examine.probe import probe
from labkit.examine.process import Process, marked
from labkit.examine.submission import Submission
from labkit.examine.weights import put_weights

NET = """
    import torch
    from torch import nn

    class Generator(nn.Module):
        def __init__(self, latent_dim=100):
            super().__init__()
            self.net = nn.Sequential(nn.Linear(latent_dim, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 784))

        def forward(self, z):
            return self.net(z).tanh().view(-1, 1, 28, 28)

    class Tutorial(nn.Module):
        def __init__(self, maps):
            super().__init__()
            self.main = nn.Sequential(
                nn.ConvTranspose2d(48, maps, 4, 1, 0), nn.BatchNorm2d(maps), nn.ReLU(),
                nn.ConvTranspose2d(maps, maps, 4, 4, 0), nn.ReLU(), nn.ConvTranspose2d(maps, 3, 4, 4, 0), nn.Tanh())

        def forward(self, z):
            return self.main(z).squeeze()

    left = Generator()
"""


@pytest.fixture
def code(tmp_path):
    path = tmp_path / "gan.py"
    path.write_text(textwrap.dedent(NET))
    return path


def started(path, name="Generator", seconds=60, **more):
    what = Submission("", "code", path, name, **more).what()
    return Process(what, seconds, 2000)


# ----- what is loaded


class Hostile:
    def __init__(self, canary):
        self.canary = canary

    def __reduce__(self):
        return os.system, (f"touch {self.canary}",)


def test_nothing_is_unpickled(tmp_path):
    canary, module = tmp_path / "canary", nn.Linear(2, 2)
    for name, content in (("evil.pt", {"w": Hostile(canary)}), ("whole.pt", module)):
        torch.save(content, tmp_path / name)
    np.savez(tmp_path / "evil.npz", images=np.array([Hostile(canary)], dtype=object))
    with pytest.raises(Refused, match="would run code .*system.*: refused"):
        put_weights(module, str(tmp_path / "evil.pt"))
    with pytest.raises(Refused, match="holds Python objects.*Linear.*state_dict"):
        put_weights(module, str(tmp_path / "whole.pt"))
    with pytest.raises(Refused, match="would run code"):
        loading._array({"path": str(tmp_path / "evil.npz")})
    assert not canary.exists()


def test_weights_are_found_in_a_checkpoint_and_misfits_are_named(tmp_path):
    path, module = tmp_path / "g.pt", nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 4))
    right = {f"module._orig_mod.{key}": torch.full_like(value, 7) for key, value in module.state_dict().items()}
    torch.save({"epoch": 3, "netD": {"w": torch.zeros(2)}, "nets": {"netG": right}, "optimiser": {"state": {}}}, path)
    notes = put_weights(module, str(path))
    assert "nets.netG" in notes[0] and "module." in notes[1] and module[1].weight.unique().item() == 7
    torch.save({"0.weight": torch.zeros(3, 9), "0.bias": torch.zeros(3), "extra": torch.zeros(1)}, path)
    with pytest.raises(Refused, match=r"0.weight is \(3, 9\) there and \(3, 2\).*lacks 1.weight"):
        put_weights(module, str(path))
    path.write_bytes(b"no weights")
    with pytest.raises(Refused, match="no file of weights|holds Python objects"):
        put_weights(module, str(path))


# ----- what is found out


def test_train_mode_is_a_fault_and_a_class_is_put_in_eval_mode(code):
    with started(code, "left") as process:
        found = probe(process)
    assert found.batch and "left in train mode" in found.faults[0] and "7 others moved" in found.faults[0]
    with started(code) as process:
        found = probe(process)
    assert not found.batch and not found.faults and any("7 of 7 pictures move" in note for note in found.notes)


def test_a_tutorial_s_latents_and_size(code):
    with started(code, "Tutorial", arguments={"maps": 4}) as process:
        found = probe(process)
        assert found.g.latent_dim == 48 and found.g(torch.zeros(3, 48)).shape == (3, 1, 28, 28)
    text = " ".join(found.notes)
    assert "(n, 48, 1, 1)" in text and "64 x 64 pixels" in text and "three channels" in text
    assert len(found.faults) == 1 and "cannot draw a single vector" in found.faults[0]


# ----- what it does


def test_a_class_of_submissions_is_examined_whatever_they_do(tmp_path, capfd):
    texts = {
        "ends": "import os\nos._exit(3)",
        "fills": "kept = []\nwhile True: kept.append(bytearray(10**8))",
        "hangs": "while True: pass",
        "speaks": "print('noise on the terminal', flush=True)\nraise ValueError('one\\ntwo')",
    }
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "gan.py").write_text(f"{text}\n")
    settings = Settings(seconds=5, memory=1500)
    assert bench.examine_all([str(tmp_path)], tmp_path / "out", settings, Submission("", "")) == 1
    rows = {row["name"]: row["status"] for row in csv.DictReader((tmp_path / "out/table.csv").open())}
    assert list(rows) == list(texts)
    for status, word in zip(
        rows.values(), ["exit status 3", "fills the memory", "hangs or is too slow", "ValueError: two"]
    ):
        assert word in status
    assert len(list((tmp_path / "out").glob("*.html"))) == len(texts) + 1
    assert "noise on the terminal" not in "".join(capfd.readouterr())


def test_all_that_it_started_ends_with_it_and_counts(code):
    daemon = "os.setsid()\n    kept = b'x' * {}\n    time.sleep(100)\n    os._exit(0)\n"
    start = "\nimport os, time\nif os.fork() == 0:\n    " + daemon
    whole = code.read_text()
    code.write_text(whole + start.format(1))
    with started(code) as process:
        assert len(marked(process.mark)) == 2
        folder = process.folder
    time.sleep(0.2)
    assert marked(process.mark) == [] and not os.path.exists(folder)
    code.write_text(whole + 3 * start.format(10**9) + "time.sleep(100)\n")
    with pytest.raises(LabError, match="fills the memory: .*limit is 2000"):
        started(code)


# ----- what is measured


@pytest.mark.slow
def test_training_pictures_are_memorised(tmp_path):
    np.savez(tmp_path / "copies.npz", images=data.load("train")[0][:200].numpy())
    assert bench.examine_all([str(tmp_path / "copies.npz")], tmp_path / "out", Settings(), Submission("", "")) == 0
    (row,) = csv.DictReader((tmp_path / "out/table.csv").open())
    assert row["status"] == "examined" and "Memorisation: 99.5% of the pictures are copies" in row["faults"]
    assert "Memorised?" in (tmp_path / "out/copies.html").read_text(encoding="utf-8")
