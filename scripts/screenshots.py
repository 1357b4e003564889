"""Makes pictures of reports in headless Chromium: docs/images/report-{light,dark,phone}.png of examples/rain.wav, and
docs/images/timeline.png of examples/conversation.ogg.

python scripts/screenshots.py        (needs Chromium or Chrome, and Pillow, which comes with tensorboard)
"""

import base64
import io
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

ROOT = Path(__file__).parent.parent
_BOX = "document.querySelector({}).getBoundingClientRect()"
VIEWS = {"light": ("light", 860), "dark": ("dark", 860), "phone": ("light", 360)}  # colours, width in pixels


def find_browser() -> str | None:
    """Path of Chromium or Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


class Browser:
    """Headless Chromium with one page, steered over a pipe (Chrome DevTools Protocol); a context manager.

    Args:
        program: path of the browser.
        more_options: further ones of its command line.
    """

    def __init__(self, program: str, *more_options: str) -> None:
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        asked, self._ask = os.pipe()
        self._hear, told = os.pipe()
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--mute-audio"]
        options += [f"--user-data-dir={self._folder.name}", "--remote-debugging-pipe", *more_options, "about:blank"]
        self._process = subprocess.Popen(
            ["bash", "-c", f'exec "$@" 3<&{asked} 4>&{told}', "bash", program, *options],
            pass_fds=(asked, told),
            stderr=subprocess.DEVNULL,
        )
        os.close(asked)
        os.close(told)
        self._numbers = itertools.count(1)
        self._session: str | None = None
        self._pending = b""
        self.events: list[dict[str, Any]] = []  # what the page has said since it was opened
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self) -> "Browser":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._session = None
        with suppress(RuntimeError, OSError):
            self.call("Browser.close")
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._ask)
        os.close(self._hear)
        self._folder.cleanup()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to one command of the protocol."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._ask, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != number:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            read = os.read(self._hear, 1 << 16)
            if not read:
                raise RuntimeError("the browser is gone")
            self._pending += read
        line, _, self._pending = self._pending.partition(b"\0")
        return dict(json.loads(line))

    def open(self, page: Path | str, *, colours: str = "light", width: int = 1000, height: int = 800) -> None:
        """Load a file or an address in a window of that width; `colours` are those it prefers, light or dark."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": colours}])
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Emulation.setScrollbarsHidden", hidden=True)
        self.events.clear()
        self.call("Page.navigate", url=page if isinstance(page, str) else page.resolve().as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def value(self, expression: str) -> Any:
        """What a JavaScript expression gives in the page; promises are waited for."""
        found = self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"]["exception"].get("description", "an exception in the page"))
        return found["result"].get("value")

    def press(self, key: str) -> None:
        """A key pressed and released."""
        text = {"text": key} if len(key) == 1 else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def picture(self, element: str = "html") -> bytes:
        """PNG file of what a CSS selector finds, of the whole page if none is given."""
        box = self.value(f"(({{x, y, width, height}}) => [x, y, width, height])({_BOX.format(json.dumps(element))})")
        clip = {**dict(zip(("x", "y", "width", "height"), box, strict=True)), "scale": 1}
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)["data"])


def main() -> None:
    program = find_browser()
    if program is None:
        sys.exit("no chromium and no google-chrome on the path: install one of them")
    with tempfile.TemporaryDirectory() as folder, Browser(program) as browser:
        page, talk = Path(folder) / "report.html", Path(folder) / "talk.html"
        for words in (
            ["enhance", str(ROOT / "examples/rain.wav"), "-o", f"{folder}/out.wav", "--report", str(page)],
            ["diarize", str(ROOT / "examples/conversation.ogg"), "-o", f"{folder}/out.rttm", "--report", str(talk)],
        ):
            subprocess.run([sys.executable, "-m", "voxfield", *words], check=True)
        for name, (colours, width) in VIEWS.items():
            browser.open(page, colours=colours, width=width)
            browser.value("move(2.5)")
            save(browser.picture(), f"report-{name}")
        browser.open(talk, width=860)
        save(browser.picture("#timeline"), "timeline")


def save(picture: bytes, name: str) -> None:
    from PIL import Image

    opened = Image.open(io.BytesIO(picture)).convert("RGB")
    fewer_colours(opened).save(ROOT / "docs" / "images" / f"{name}.png", optimize=True)


def fewer_colours(picture: "Image.Image") -> "Image.Image":
    """The picture with a palette: its 32 commonest colours as they are, and 128 for the rest; a fifth of the bytes."""
    from PIL import Image

    commonest = sorted(picture.getcolors(1 << 24), reverse=True)[:32]
    rest = picture.quantize(128, Image.Quantize.MAXCOVERAGE).getpalette()
    palette = Image.new("P", (1, 1))
    palette.putpalette([part for _, colour in commonest for part in colour] + rest[: 3 * 128])
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main()
