"""What a page says in Firefox and in WebKitGTK, as far as they are installed: it is opened from its file, and read."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
needs_firefox = pytest.mark.skipif(not FIREFOX, reason="no Firefox is installed")

# Nothing may leave: every proxy is a port at which nobody listens.
PREFERENCES = {
    "marionette.port": 0,
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "",
    "app.update.enabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.aboutwelcome.enabled": False,
}


class Marionette:
    """Firefox's own remote control: a length, a colon and JSON, both ways."""

    def __init__(self, port: int):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120)
        self.buffer, self.number = b"", 0
        self.receive()

    def receive(self):
        while b":" not in self.buffer:
            self.read()
        size, _, self.buffer = self.buffer.partition(b":")
        while len(self.buffer) < int(size):
            self.read()
        text, self.buffer = self.buffer[: int(size)], self.buffer[int(size) :]
        return json.loads(text)

    def read(self):
        part = self.socket.recv(1 << 20)
        if not part:
            raise ConnectionError("Firefox is gone")
        self.buffer += part

    def __call__(self, command: str, **parameters):
        self.number += 1
        text = json.dumps([0, self.number, f"WebDriver:{command}", parameters]).encode()
        self.socket.sendall(b"%d:%s" % (len(text), text))
        _, _, fault, answer = self.receive()
        assert not fault, fault
        return answer


def in_firefox(page: Path, scratch: Path, seconds: float = 120) -> str:
    """The text of #out in ``page`` once its title is `done`."""
    profile = scratch / "firefox"
    profile.mkdir()
    lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in PREFERENCES.items()]
    (profile / "user.js").write_text("\n".join(lines))
    command = [FIREFOX, "--headless", "--marionette", "--no-remote", "--profile", str(profile)]
    environment = os.environ | {"HOME": str(scratch), "MOZ_CRASHREPORTER_DISABLE": "1"}
    with (scratch / "firefox.log").open("wb") as log:
        firefox = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        active, end = profile / "MarionetteActivePort", time.monotonic() + seconds
        while not (active.exists() and active.read_text().strip()):
            assert firefox.poll() is None and time.monotonic() < end, (scratch / "firefox.log").read_text()[-2000:]
            time.sleep(0.1)
        firefox_says = Marionette(int(active.read_text()))
        firefox_says("NewSession")
        firefox_says("Navigate", url=page.as_uri())
        while firefox_says("GetTitle")["value"] != "done":
            assert time.monotonic() < end, "the page is not done"
            time.sleep(0.1)
        return firefox_says("ExecuteScript", script="return document.getElementById('out').textContent", args=[])[
            "value"
        ]
    finally:
        firefox.terminate()
        try:
            firefox.wait(20)
        except subprocess.TimeoutExpired:
            firefox.kill()
            firefox.wait()


# Run by the system's Python, which has WebKitGTK's bindings.
WEBKIT = """
import sys, gi
gi.require_version("Gtk", "3.0"); gi.require_version("WebKit2", "4.1")
from gi.repository import GLib, Gtk, WebKit2
view, window = WebKit2.WebView(), Gtk.Window()
window.add(view); window.show_all()
def finish(view, result):
    sys.stdout.write(view.evaluate_javascript_finish(result).to_string()); sys.stdout.flush(); Gtk.main_quit()
def titled(*_):
    if view.get_title() == "done":
        view.evaluate_javascript("document.getElementById('out').textContent", -1, None, None, None, finish)
view.connect("notify::title", titled)
view.load_uri(sys.argv[1])
GLib.timeout_add_seconds(120, Gtk.main_quit)
Gtk.main()
"""


def webkit_command() -> list[str] | None:
    """How to run WEBKIT here, if it can be run."""
    python, display = "/usr/bin/python3", shutil.which("xvfb-run")
    look = "import gi; gi.require_version('WebKit2', '4.1'); from gi.repository import WebKit2"
    if not display or not Path(python).exists() or sys.platform != "linux":
        return None
    with contextlib.suppress(OSError):
        if not subprocess.run([python, "-c", look], capture_output=True).returncode:
            return [display, "-a", python, "-c", WEBKIT]
    return None


def in_webkit(page: Path, command: list[str]) -> str:
    """The text of #out in ``page`` once its title is `done`, in WebKitGTK."""
    own = {"WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1", "WEBKIT_DISABLE_COMPOSITING_MODE": "1"}
    own |= {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9", "NO_AT_BRIDGE": "1"}
    done = subprocess.run([*command, page.as_uri()], env=os.environ | own, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0 and done.stdout, done.stderr[-2000:]
    return done.stdout
