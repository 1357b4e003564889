"""The page of `voxfield serve` in headless Chromium, with a microphone fed from a recording.

`make test-browser` runs these; `make test` leaves them out. They are skipped where there is no Chromium, no Chrome, or
not the extra `serve`.
"""

import base64
import json
import runpy
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs pip install 'voxfield[serve]'")

ROOT = Path(__file__).parents[2]
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "screenshots.py"))
PROGRAM = SCRIPT["find_browser"]()
MICROPHONE = ROOT / "examples" / "rain.wav"
OPTIONS = (
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    f"--use-file-for-fake-audio-capture={MICROPHONE}",
    "--autoplay-policy=no-user-gesture-required",
)
WATCH = """
window.violations = [];
addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) =>
  violations.push(`${effectiveDirective} ${blockedURI}`));
window.taps = {};  // what the microphone gives and what is played: the last 32768 samples
const connect = AudioNode.prototype.connect;
AudioNode.prototype.connect = function (to, ...rest) {
  const name = to instanceof AudioDestinationNode ? "output" : this instanceof MediaStreamAudioSourceNode && "input";
  if (name && !(taps[name]?.context === this.context)) taps[name] = new AnalyserNode(this.context, { fftSize: 32768 });
  if (name) connect.call(this, taps[name]);
  return connect.call(this, to, ...rest);
};
"""


class Page:
    """The page in a browser, as a person would use it, and what the browser says about it."""

    def __init__(self, browser: Any, address: str, folder: Path) -> None:
        self.browser, self.address, self.folder = browser, address, folder
        self.value = browser.value

    def open(
        self, view: str | None = "live", *, colours: str = "light", width: int = 1440, language: str = "en"
    ) -> None:
        """Load it afresh, wait until it has started, and go to one of its views."""
        self.browser.open("about:blank")
        self.browser.open(self.address, colours=colours, width=width, height=900)
        self.until("'started' in document.body.dataset")
        if self.value("document.documentElement.lang").startswith("zh") != (language == "zh"):
            self.click("#language")
        if view is not None:
            self.value(f"location.hash = '#{view}'")
            self.until(f"!document.getElementById('{view}').hidden")

    def until(self, expression: str, seconds: float = 60.0) -> None:
        """Return when it is true in the page."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.value(expression):
                return
            time.sleep(0.05)
        statuses = self.value("[...document.querySelectorAll('.status')].map(status => status.textContent)")
        raise AssertionError(f"{expression} did not become true; the page says {statuses}")

    def click(self, selector: str) -> None:
        """Click what a selector finds first."""
        self.value(f"document.querySelector({json.dumps(selector)}).click()")

    def text(self, selector: str) -> str:
        """The text that it shows."""
        return str(self.value(f"document.querySelector({json.dumps(selector)}).textContent"))

    def upload(self, selector: str, path: Path) -> None:
        """Choose a file in an input."""
        document = self.browser.call("DOM.getDocument")["root"]["nodeId"]
        node = self.browser.call("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
        self.browser.call("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def saved(self, selector: str) -> Path:
        """The file that a link saves."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        self.browser.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        self.click(selector)
        path = folder / str(self.value(f"document.querySelector({json.dumps(selector)}).download"))
        end = time.monotonic() + 60
        while not path.exists():
            assert time.monotonic() < end, f"{path.name} was not saved"
            time.sleep(0.05)
        return path

    def heard(self) -> dict[str, np.ndarray]:
        """The last 32768 samples of the microphone and of what is played, read at one instant."""
        found = self.value(
            """Object.fromEntries(Object.entries(taps).map(([name, tap]) => {
              const samples = new Float32Array(tap.fftSize);
              tap.getFloatTimeDomainData(samples);
              const bytes = Array.from(new Uint8Array(samples.buffer), byte => String.fromCharCode(byte));
              return [name, btoa(bytes.join(""))];
            }))"""
        )
        return {name: np.frombuffer(base64.b64decode(text), np.float32) for name, text in found.items()}

    def frames(self, direction: str) -> list[bytes | dict[str, Any]]:
        """What went through WebSockets since the page was opened, Sent or Received: sound and messages."""
        found: list[bytes | dict[str, Any]] = []
        for event in self.browser.events:
            if event.get("method") == f"Network.webSocketFrame{direction}":
                frame = event["params"]["response"]
                data = frame["payloadData"]
                found.append(base64.b64decode(data) if frame["opcode"] == 2 else json.loads(data))
        return found

    def forget(self, meant: str = "") -> None:
        """Let complaints with these words pass: they are what the test is about."""
        self.browser.events[:] = [event for event in self.browser.events if meant not in json.dumps(event)]
        self.value("violations.length = 0")

    def complaints(self) -> list[str]:
        """Errors in the console and refusals by the content security policy."""
        said = []
        for event in self.browser.events:
            parameters = event.get("params", {})
            if event.get("method") == "Runtime.exceptionThrown":
                said.append(json.dumps(parameters["exceptionDetails"])[:500])
            elif event.get("method") == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
                said.append(parameters["entry"]["text"])
            elif event.get("method") == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning"):
                said.append(json.dumps(parameters["args"])[:500])
        return said + list(self.value("violations"))


@contextmanager
def running(*options: str) -> Iterator[str]:
    """The address of `voxfield serve` with these options."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen([sys.executable, "-m", "voxfield", "serve", "--port", str(port), *options])
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{address}/readyz", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, "voxfield serve has ended"
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def start_service() -> Callable[..., AbstractContextManager[str]]:
    """Starts a service with further options."""
    return running


@pytest.fixture(scope="session")
def service() -> Iterator[str]:
    """The address of the service that most tests share."""
    with running() as address:
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser for all tests."""
    if PROGRAM is None:
        pytest.skip("no Chromium and no Chrome on the path: apt-get install chromium")
    with SCRIPT["Browser"](PROGRAM, *OPTIONS) as browser:
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=WATCH)
        yield browser


@pytest.fixture
def page(chromium: Any, service: str, tmp_path: Path) -> Iterator[Page]:
    """The page, which must not have complained by the end of the test."""
    page = Page(chromium, service, tmp_path)
    yield page
    assert page.complaints() == []
