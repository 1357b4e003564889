"""The report in a real browser: one sound at a time, in step, and no wider than a phone. Needs Chromium or Chrome."""

import runpy
import time
from pathlib import Path

import numpy as np
import pytest

from voxfield.tasks.report.comparison import Comparison
from voxfield.tasks.report.document import write_report

SCRIPT = runpy.run_path(str(Path(__file__).parents[3] / "scripts" / "screenshots.py"))
PROGRAM = SCRIPT["find_browser"]()
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no Chromium and no Chrome on the path")
LONG = "a_recording_with_a_name_that_never_ends_" * 6 + ".wav"


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    tone = np.sin(np.arange(48_000) * 0.3)[None].astype(np.float32)
    comparison = Comparison(16000, 1)
    comparison.before(0.5 * tone)
    comparison.after(0.25 * tone)
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, comparison, title=f"{LONG} enhanced", facts={"Model": "crn-doc.v1", "Recording": LONG})
    return path


@pytest.fixture(scope="module")
def browser():
    with SCRIPT["Browser"](PROGRAM) as browser:
        yield browser


def until(browser, expression: str) -> None:
    """Return when it is true in the page."""
    for _ in range(100):
        if browser.value(expression):
            return
        time.sleep(0.05)
    raise AssertionError(f"{expression} did not become true")


def gains(browser) -> list[float]:
    return browser.value("gains.map(gain => gain.gain.value)")


def test_keys_play_and_switch_without_moving(browser, report):
    browser.open(report)
    assert browser.value("sounds.every(sound => sound.hidden) && !panel.hidden")
    browser.press(" ")
    until(browser, "sources.length === 2 && now() > 0.2")
    assert browser.value("play.textContent") == "Pause" and gains(browser) == pytest.approx([1, 0], abs=0.01)
    assert browser.value("buffers.map(buffer => buffer.duration)") == pytest.approx([3, 3], abs=0.02)
    before_s = browser.value("now()")
    browser.press("b")
    until(browser, "gains[1].gain.value > 0.99")
    assert gains(browser) == pytest.approx([0, 1], abs=0.01)
    assert before_s < browser.value("now()") < before_s + 2 and browser.value("sources.length") == 2
    browser.value("match.click()")
    until(browser, "gains[1].gain.value > 1.95")  # half as loud, so twice the gain: 6 dB
    assert gains(browser) == pytest.approx([0, 2], abs=0.02)
    browser.press(" ")
    assert browser.value("sources.length") == 0 and browser.value("position") > before_s
    browser.value("move(2.9)")
    browser.press(" ")
    until(browser, "sources.length === 0 && position >= played")  # the end stops it


def test_the_policy_is_kept_and_nothing_is_asked_for(browser, report):
    browser.open(report)
    browser.value("toggle()")
    said = [event for event in browser.events if event.get("method") in {"Log.entryAdded", "Runtime.exceptionThrown"}]
    assert said == []
    asked = [event["params"] for event in browser.events if event.get("method") == "Network.requestWillBeSent"]
    assert {request["request"]["url"].partition(":")[0] for request in asked} <= {"file", "data"}
    for attempt, directive in (
        ("new Image().src = 'http://127.0.0.1:9/x.png'", "img-src"),
        ("fetch('http://127.0.0.1:9/').catch(() => 0)", "connect-src"),
        ("document.body.setAttribute('onclick', 'move(1)'); document.body.click()", "script-src-attr"),
    ):
        refused = f"""new Promise(done => {{
            document.addEventListener("securitypolicyviolation", event => done(event.effectiveDirective));
            setTimeout(() => done("nothing was refused"), 2000);
            {attempt};
        }})"""
        assert browser.value(refused) == directive


def test_browser_s_own_players_stay_where_sound_cannot_be_decoded(browser, report):
    browser.open(report)
    browser.value("window.AudioContext = undefined, toggle()")
    assert browser.value("panel.hidden && sounds.every(sound => !sound.hidden)")
    browser.value("sounds[0].play()")
    browser.value("sounds[1].play()")
    until(browser, "sounds[0].paused && !sounds[1].paused")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_a_phone_shows_all_without_scrolling_sideways(browser, report, colours):
    browser.open(report, colours=colours, width=360, height=640)
    assert browser.value("document.documentElement.scrollWidth") == 360
    paper, ink = (
        browser.value(f"getComputedStyle(document.body).{name}.match(/\\d+/g).map(Number)")
        for name in ("backgroundColor", "color")
    )
    assert (
        (np.mean(paper) > 200 and np.mean(ink) < 60)
        if colours == "light"
        else (np.mean(paper) < 60 < 200 < np.mean(ink))
    )
