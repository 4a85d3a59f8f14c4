"""labkit from somebody's own script: the one of the documentation, run from another folder; installed, without runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import labkit
from labkit import latent
from labkit.gans import GANS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/own-script.md"


def run(script, folder, **environment):
    """What a script of its own process says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("LABKIT_", "PYTHON"))}
    return subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env={**kept, **environment}, capture_output=True, text=True
    )


@pytest.mark.slow
def test_the_script_of_the_documentation_runs_from_another_folder(tmp_path):
    (script,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert 15 <= len(script.splitlines()) <= 25
    done = run(script, tmp_path, PYTHONPATH=str(ROOT), LABKIT_RUNS=str(ROOT / "data/runs"))
    assert done.returncode == 0 and not done.stderr, done.stderr
    said = done.stdout.splitlines()
    assert [line.partition(":")[0][:5] for line in said] == ["grey ", "brigh", "seen ", "found"]
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_installed_it_is_whole_and_says_where_it_looked_for_runs(tmp_path):
    pytest.importorskip("setuptools")
    command = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--no-compile",
    ]
    files = subprocess.run(["git", "ls-files", "labkit", "pyproject.toml", "README.md", "LICENSE"], cwd=ROOT,
                           capture_output=True, text=True).stdout.splitlines()  # fmt: skip
    if not files:
        pytest.skip("no git here")
    for name in files:  # a copy: building leaves things beside the source
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).write_bytes((ROOT / name).read_bytes())
    subprocess.run([*command, "--target", "installed", "./source"], cwd=tmp_path, check=True)
    missing = [name for name in files if name.startswith("labkit") and not (tmp_path / "installed" / name).is_file()]
    assert not missing
    script = """
import labkit
from labkit.base.errors import LabError
from labkit.evaluation.classifier import load_classifier

load_classifier()
try:
    labkit.load()
except LabError as error:
    print(error)
"""
    done = run(script, tmp_path, PYTHONPATH=str(tmp_path / "installed"))
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert "LABKIT_RUNS" in line and "data/runs" in line and "make report" in line


# ----- a generator that torch can take apart


@pytest.fixture(scope="module", params=["vanilla", "dcgan"])
def loaded(request):
    """A trained generator in plain layers, six vectors, and their pictures as `sample` draws them."""
    z = latent.latents(6, seed=2)
    return labkit.load(request.param, plain=True), z, latent.sample(labkit.load(request.param), z)


def test_plain_layers_draw_the_same(loaded):
    g, z, images = loaded
    assert not g.training and {type(m).__module__.partition(".")[0] for m in g.modules() if m is not g} == {"torch"}
    torch.testing.assert_close(latent.sample(g, z), images, atol=5e-5, rtol=0)
    assert g.latent_dim == 100


def test_jacrev(loaded):
    g, z, _ = loaded
    jacobian = torch.func.jacrev(lambda one: g(one[None])[0].mean((1, 2)))(z[0])  # (1, latent_dim)
    ends = [latent.sample(g, z[:1] + sign * 0.01 * torch.eye(100)[:10]).mean((1, 2, 3)) for sign in (1, -1)]
    torch.testing.assert_close(jacobian[0, :10], (ends[0] - ends[1]) / 0.02, atol=1e-3, rtol=0.02)


def test_trace(loaded):
    g, z, images = loaded
    traced = torch.jit.trace(g, z[:2])
    torch.testing.assert_close(traced(z), images, atol=5e-5, rtol=0)


def test_onnx(loaded, tmp_path):
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    reference = pytest.importorskip("onnx.reference")
    g, z, images = loaded
    torch.onnx.export(g, (z,), str(tmp_path / "g.onnx"), dynamo=True)
    (found,) = reference.ReferenceEvaluator(str(tmp_path / "g.onnx")).run(None, {"z": z.numpy()})
    torch.testing.assert_close(torch.from_numpy(found), images, atol=5e-5, rtol=0)


@pytest.mark.parametrize("model", ["Dcgan", None, 5, ["dcgan"]])
def test_a_model_that_is_none_is_refused(refused, model):
    with refused("model = ", *GANS):
        labkit.load(model)


@pytest.mark.parametrize(("options", "words"), [({"device": "gpu"}, "device = 'gpu'"), ({"plain": "yes"}, "plain = ")])
def test_options_of_load_are_checked(refused, options, words):
    with refused(words):
        labkit.load(**options)
