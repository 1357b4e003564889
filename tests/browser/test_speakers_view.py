"""Speakers on the page, where the service has a model for them: the same one, and who spoke when."""

from pathlib import Path

import pytest
from embedders import exported

import voxfield as vf
from voxfield.tasks.diarization.recording import diarize

pytestmark = pytest.mark.browser
CLEAN = Path(__file__).parents[2] / "examples" / "clean"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("models") / "embedder.onnx")


@pytest.fixture(scope="module")
def offering(start_service, model):
    with start_service("--offer", str(model)) as address:
        yield address


@pytest.fixture
def speakers(page, offering):
    page.address = offering
    page.open("speakers")
    return page


def test_two_recordings_are_compared(speakers, model):
    first, second = (CLEAN / f"two_voices_{number}.flac" for number in (1, 2))
    speakers.upload("#verify-first input", first)
    speakers.until("document.getElementById('verify-status').textContent.includes('One more')")
    speakers.upload("#verify-second input", second)
    speakers.until("/Score|speaker/.test(document.getElementById('verify-status').textContent)")
    score = vf.verify(first, second, model=model).score
    assert f"{score:.2f}" in speakers.text("#verify-status")


def test_a_conversation_becomes_a_timeline(speakers, model):
    recording = CLEAN / "two_voices_1.flac"
    speakers.upload("#diarize-drop input", recording)
    speakers.until("document.querySelector('#diarize-result .timeline') !== null")
    found = diarize(recording, model=model)
    lanes = speakers.value(
        """[...document.querySelectorAll("#diarize-result .lane")].map(lane => [lane.getAttribute("aria-label"),
          [...lane.children].map(bar => [parseFloat(bar.style.left), parseFloat(bar.style.width)])])"""
    )
    assert [name.partition(":")[0] for name, _ in lanes] == list(found.speakers)
    shown = sorted(bar for _, bars in lanes for bar in bars)
    turns = sorted((100 * turn.start_s, 100 * (turn.end_s - turn.start_s)) for turn in found.turns)
    assert shown == [pytest.approx([place / found.duration_s for place in turn], abs=0.1) for turn in turns]
    assert speakers.value("document.documentElement.scrollWidth") <= 1440
