"""A real JupyterLab in a real Chromium: for the tests of the live editor, and for the benchmark of it."""

import json
import os
import queue
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from labkit.base.machine import BROWSERS

CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed")
QUIET = [
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def chromium(**options):
    """A headless browser that sends nothing to anyone."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=QUIET + ["--no-sandbox"] * (os.geteuid() == 0), **options
        )
        yield browser
        browser.close()


@contextmanager
def jupyterlab(root: Path, scratch: Path, theme: str = "JupyterLab Light", environment: dict | None = None):
    """A JupyterLab server of this interpreter on the project in ``root``; gives (address, token)."""
    settings = {"notification": {"fetchNews": "false", "checkForUpdates": False}, "themes": {"theme": theme}}
    for name, value in settings.items():
        file = scratch / f"settings/@jupyterlab/apputils-extension/{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {
        "PYTHONPATH": str(root),
        "JUPYTERLAB_SETTINGS_DIR": str(scratch / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(scratch / "workspaces"),
    }
    own |= {
        "IPYTHONDIR": str(scratch / "ipython"),
        "JUPYTER_CONFIG_DIR": str(scratch / "config"),
        "JUPYTER_TOKEN": secrets.token_hex(16),
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--ip=127.0.0.1",
        f"--port={port}",
        f"--notebook-dir={root}",
        "--ServerApp.port_retries=0",
        "--ServerApp.kernel_websocket_connection_class=labkit.editor.server.PromptConnection",
    ]
    command += ["--LabApp.expose_app_in_browser=True"] + ["--allow-root"] * (os.geteuid() == 0)
    base = os.environ if environment is None else environment
    with (scratch / "jupyter.log").open("ab") as log:
        server = subprocess.Popen(command, env=base | own, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api?token={own['JUPYTER_TOKEN']}").close()
                break
            except OSError:
                if server.poll() is not None:
                    raise RuntimeError((scratch / "jupyter.log").read_text()[-2000:]) from None
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}", own["JUPYTER_TOKEN"]
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()


def open_notebook(browser, server, notebook: str, width: int = 1280, height: int = 800):
    """A page with ``notebook`` alone, kernel ready, file browser closed."""
    address, token = server
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(f"{address}/lab/workspaces/w{secrets.token_hex(4)}/tree/{notebook}?reset&token={token}")
    page.wait_for_function("window.jupyterapp && document.querySelector('.jp-Notebook .jp-Cell')", timeout=60_000)
    page.evaluate("jupyterapp.restored")
    page.evaluate("jupyterapp.shell.collapseLeft()")
    page.wait_for_function(
        """() => {
        const c = jupyterapp.shell.currentWidget.context;
        return c && c.sessionContext.session?.kernel?.status === 'idle'
    }""",
        timeout=60_000,
    )
    return page


def run_all(page, until: str, timeout: float = 120) -> float:
    """Run all cells and wait until ``until`` (a selector) is visible; the seconds it took."""
    begin = time.perf_counter()
    page.evaluate("jupyterapp.commands.execute('notebook:run-all-cells')")
    page.wait_for_selector(until, timeout=timeout * 1000)
    return time.perf_counter() - begin


@contextmanager
def slow_link(address, seconds):
    """Another address of the server, where every byte arrives ``seconds`` later, either way."""

    def later(source, target):
        due = queue.Queue()

        def give():
            with suppress(OSError):  # who was to get it may be gone
                while (item := due.get())[1]:
                    time.sleep(max(0.0, item[0] - time.monotonic()))
                    target.sendall(item[1])
            target.close()

        threading.Thread(target=give, daemon=True).start()
        with suppress(OSError):
            while chunk := source.recv(1 << 16):
                due.put((time.monotonic() + seconds, chunk))
        due.put((0, b""))

    def accept():
        with suppress(OSError):
            while True:
                near, far = door.accept()[0], socket.create_connection(("127.0.0.1", int(address.rsplit(":", 1)[1])))
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=later, args=(one, other), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
