"""How JupyterLab is started, above all as root."""

import os

import pytest

from labkit.editor import start

NOTEBOOK = "notebooks/latent_editor.ipynb"


@pytest.fixture
def machine(monkeypatch):
    """``machine(user, container)``: it is used by ``user``, and is a container or not."""

    def plant(user, container):
        monkeypatch.setattr(os, "geteuid", lambda: user)
        monkeypatch.setattr(start, "in_container", lambda: container)

    return plant


def test_an_ordinary_user_meets_jupyters_own_protection(machine, capsys):
    machine(1000, False)
    command = start.jupyterlab(NOTEBOOK, ["--no-browser"])
    assert "--ip=127.0.0.1" in command and command[-2:] == [NOTEBOOK, "--no-browser"]
    assert not any("allow" in word or "token" in word for word in command) and capsys.readouterr().err == ""


def test_root_in_a_container_is_let_in_with_a_line(machine, capsys):
    machine(0, True)
    assert "--allow-root" in start.jupyterlab(NOTEBOOK, [])
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("labkit: ") and "root" in line


@pytest.mark.parametrize(("notebook", "target"), [(NOTEBOOK, "explore"), ("notebooks/01_vanilla_gan.ipynb", "lab")])
def test_root_elsewhere_is_told_what_to_type(machine, refused, notebook, target):
    machine(0, False)
    with refused("root", f"make {target} ARGS=--allow-root"):
        start.jupyterlab(notebook, [])
    assert start.jupyterlab(notebook, ["--allow-root"]).count("--allow-root") == 1


@pytest.mark.parametrize("name", ["container", "KUBERNETES_SERVICE_HOST"])
def test_a_container_is_known_by_its_environment(monkeypatch, name):
    monkeypatch.setenv(name, "x")
    assert start.in_container()
