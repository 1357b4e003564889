"""The page of `voxfield diarize --report`: whole, escaped, alone, and with a timeline that moves with the sound."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from voxfield.errors import InputError, OutputError
from voxfield.metrics.diarization import Turn
from voxfield.tasks.diarization.recording import Diarized
from voxfield.tasks.diarization.report import Listened, page, write_page
from voxfield.tasks.report.document import PAGE, check_report

SCRIPT = runpy.run_path(str(Path(__file__).parents[3] / "scripts" / "screenshots.py"))
PROGRAM = SCRIPT["find_browser"]()
NAMES = ("speaker1", "<b>Anna & a very long name</b>")
TURNS = tuple(Turn(float(at), at + 1.25, NAMES[at % 2]) for at in range(9))


@pytest.fixture(scope="module")
def heard():
    listened = Listened(44_100)
    for part in np.array_split(0.1 * np.random.default_rng(0).standard_normal((1, 441_000)), 7, axis=1):
        listened.before(part.astype(np.float32))
    return listened


def test_every_turn_is_drawn_and_foreign_text_is_escaped(heard):
    text = page(Diarized(TURNS, {}, 10.0, "m.v1"), heard, title="<i>talk</i>", facts={"Model": "<m>"})
    assert text.count('class="bar ') == 9 and "<b>" not in text and "<i>" not in text and "<m>" not in text
    assert "&lt;b&gt;Anna &amp; a" in text and "10.00 s" in text
    bars = [(float(x), float(width)) for x, width in re.findall(r'x="([\d.]+)%" y="[\d.]+%" width="([\d.]+)%"', text)]
    assert sorted(bars) == [(10.0 * at, 12.5) for at in range(9)]
    assert not re.search(r"(?:src|href)=\"(?!data:)", text)


def test_nobody_and_nothing_at_all(heard):
    assert "Nobody was found to speak" in page(Diarized((), {}, 10.0, "m.v1"), heard, title="t", facts={})
    assert "Nobody" in page(Diarized((), {}, 0.0, "m.v1"), Listened(8000), title="t", facts={})


def test_the_page_is_written_whole_and_once(heard, tmp_path):
    made = Diarized(TURNS, {}, 10.0, "m.v1")
    write_page(tmp_path / "a.html", made, heard, title="t", facts={})
    with pytest.raises(OutputError, match="exists already"):
        write_page(tmp_path / "a.html", made, heard, title="t", facts={})
    with pytest.raises(InputError, match=r"\.html page"):
        check_report(tmp_path / "a.png", PAGE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]


@pytest.mark.skipif(PROGRAM is None, reason="no Chromium and no Chrome on the path")
def test_in_a_browser_it_runs_and_fits_a_phone(heard, tmp_path):
    write_page(tmp_path / "a.html", Diarized(TURNS, {}, 10.0, "m.v1"), heard, title="talk", facts={"Model": "m" * 200})
    with SCRIPT["Browser"](PROGRAM) as browser:
        browser.open(tmp_path / "a.html", width=360)
        assert browser.value("document.documentElement.scrollWidth") <= 360
        browser.value(
            "document.querySelector('.timeline .area').dispatchEvent(new MouseEvent('click', {clientX: 300}))"
        )
        assert 5 < browser.value("now()") < 10
        ends = browser.value("heads.map(head => head.getAttribute('x1'))")
        assert len(ends) == 2 and ends[0] == ends[1] != "0%"
        said = [
            event for event in browser.events if event.get("method") in ("Log.entryAdded", "Runtime.exceptionThrown")
        ]
        assert said == []
