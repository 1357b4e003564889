"""Pictures of the page for the docs: taken in every run, kept with PICTURES=docs/images make test-browser."""

import io
import os
import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser
ROOT = Path(__file__).parents[2]
Image = pytest.importorskip("PIL.Image", reason="needs Pillow")
fewer_colours = runpy.run_path(str(ROOT / "scripts" / "screenshots.py"))["fewer_colours"]


def take(page, name, width):
    """A picture of the whole page as it stands, kept where the environment asks for it."""
    picture = Image.open(io.BytesIO(page.browser.picture())).convert("RGB")
    assert picture.width == width and len(picture.getcolors(1 << 24)) > 100
    if "PICTURES" in os.environ:
        fewer_colours(picture).save(Path(os.environ["PICTURES"]) / f"serve-{name}.png", optimize=True)


@pytest.mark.parametrize(
    ("name", "width", "colours", "language"),
    [("live", 1040, "light", "en"), ("live-phone", 375, "dark", "zh")],
)
def test_the_microphone(page, name, width, colours, language):
    page.open("live", width=width, colours=colours, language=language)
    page.click("#live-start")
    page.until("/\\d/.test(document.getElementById('measured').textContent)")
    page.until("new Promise(done => setTimeout(() => done(true), 6000))")
    take(page, name, width)
    page.click("#live-start")
    page.until("!('on' in document.getElementById('live').dataset)")


def test_a_recording(page):
    page.open("file", width=1040, colours="dark")
    page.upload("#file-drop input", ROOT / "examples" / "rain.wav")
    page.until("'drawn' in document.getElementById('file-result').dataset")
    page.click("#file-result input[type=radio]:not(:checked)")
    page.value(
        "const seek = document.querySelector('#file-result input[type=range]'); seek.value = 2.5;"
        "seek.dispatchEvent(new Event('input'))"
    )
    take(page, "file-dark", 1040)


def test_an_explanation(page):
    page.open("explain", width=1040)
    page.value("document.getElementById('explain-text').value = '10/5@64 8/4@64 4/2@64 4/2@64 4/2@64'")
    page.click("#explain-form button[type=submit]")
    page.until("document.getElementById('explain-result').childElementCount > 0")
    take(page, "explain", 1040)
