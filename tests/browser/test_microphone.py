"""Live: what comes back is the microphone enhanced, it is what is played, and a switch lets the noise back in."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from listening import place

import voxfield as vf
from voxfield.metrics.enhancement import si_sdr_db

pytestmark = pytest.mark.browser
EXAMPLES = Path(__file__).parents[2] / "examples"
RATE_HZ = 16000
HALF_S = RATE_HZ // 2


@pytest.fixture
def live(page):
    """The page with its microphone on, once something is heard."""
    page.open("live")
    page.click("#live-start")
    page.until("/\\d/.test(document.getElementById('measured').textContent)")
    return page


def stop(page):
    page.click("#live-start")
    page.until("!('on' in document.getElementById('live').dataset)")


def streams(page):
    """What was sent, without what the service dropped, and what came back."""
    sent = np.concatenate([np.frombuffer(part, np.float32) for part in page.frames("Sent") if isinstance(part, bytes)])
    came = page.frames("Received")
    for hole in reversed([part for part in came if isinstance(part, dict) and part["type"] == "dropped"]):
        sent = np.delete(sent, slice(hole["at_sample"], hole["at_sample"] + hole["samples"]))
    return sent, np.concatenate([np.frombuffer(part, np.float32) for part in came if isinstance(part, bytes)])


def heard_as(page, name, stream):
    """Delay in samples of what is played after the microphone, once half a second of it is this stream."""
    for _ in range(40):
        taps = page.heard()
        own = {"before": taps["input"], "after": streams(page)[1]}[stream]
        for start in range(0, 32768 - HALF_S, HALF_S) if len(own) >= HALF_S else ():  # too early yet
            at, fit = place(taps[name][start : start + HALF_S], own)
            if fit > 0.999:
                return start - at
        page.until("true")
    raise AssertionError(f"what is played is not the microphone as it was {stream}")


def test_what_comes_back_is_the_enhanced_microphone(live):
    while len(streams(live)[0]) < 9 * RATE_HZ:  # the recording once, and some of it again
        live.until("true")
    assert live.value("taps.input.context.sampleRate") == RATE_HZ  # no time is lost by resampling
    stop(live)
    sent, back = streams(live)
    assert len(back) == len(sent)
    np.testing.assert_allclose(back, vf.enhance(sent, RATE_HZ).samples[0], atol=1e-6)

    noisy, clean = (np.tile(sf.read(EXAMPLES / name, dtype="float32")[0], 2) for name in ("rain.wav", "clean/rain.wav"))
    scored = []  # pieces in which the microphone of the browser lost nothing: noisy, enhanced, clean
    for start in range(0, len(sent) - HALF_S, HALF_S):
        piece = slice(start, start + HALF_S)
        at, fit = place(sent[piece], noisy)
        if fit > 0.95:
            scored.append((sent[piece], back[piece], clean[at : at + HALF_S]))
    assert len(scored) >= 8
    sent, back, clean = (np.concatenate(parts) for parts in zip(*scored, strict=True))
    assert si_sdr_db(back, clean) > si_sdr_db(sent, clean) + 4


def test_the_switch_lets_the_noise_back_in_at_the_same_delay(live):
    heard_as(live, "output", "after")
    live.click("#live-enhanced")
    delay = heard_as(live, "output", "before")
    shown_ms = float(re.match(r"\d+", live.text("#measured")).group())
    algorithmic_ms = float(re.match(r"\d+", live.text("#algorithmic")).group())
    assert algorithmic_ms == 32 and 1000 * delay / RATE_HZ >= algorithmic_ms
    assert shown_ms >= 1000 * delay / RATE_HZ - 1
    assert live.text("#underruns").isdigit()
    live.click("#live-enhanced")
    heard_as(live, "output", "after")
    stop(live)


def test_meters_show_that_noise_is_gone(live):
    live.until("Number(document.getElementById('meter-in').getAttribute('aria-valuenow')) > -40")
    live.until(
        """['in', 'out'].map(name => Number(document.getElementById(`meter-${name}`).getAttribute('aria-valuenow')))
        .reduce((a, b) => a - b) > 15"""
    )  # in a pause
    stop(live)
    assert live.value("document.getElementById('meter-in').getAttribute('aria-valuenow')") == "-60"


def test_a_recording_holds_both_streams_in_step(live):
    live.click("#live-record")
    count = len(streams(live)[0])
    while len(streams(live)[0]) < count + 2 * RATE_HZ:
        live.until("true")
    live.click("#live-record")
    live.until("'drawn' in document.getElementById('live-result').dataset")
    stop(live)
    before, after = (
        sf.read(live.saved(f"#live-result figure:nth-of-type({number}) a[download]"), dtype="float32")[0]
        for number in (1, 2)
    )
    assert len(before) == len(after) > RATE_HZ
    sent, back = streams(live)
    at, fit = place(before, sent)
    assert fit == 1
    np.testing.assert_array_equal(after, back[at : at + len(after)])


def test_without_leave_the_page_says_what_to_do(page):
    page.open("live")
    page.value("navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', 'NotAllowedError'))")
    page.click("#live-start")
    page.until("document.getElementById('live-status').textContent.includes('allow it')")
    assert not page.value("document.getElementById('live-start').disabled")


def test_a_service_that_ends_is_noticed_and_the_recording_kept(page, start_service):
    with start_service() as address:
        page.address = address
        page.open("live")
        page.click("#live-start")
        page.until("/\\d/.test(document.getElementById('measured').textContent)")
        page.click("#live-record")
        page.until("new Promise(done => setTimeout(() => done(true), 1000))")
    page.until("!('on' in document.getElementById('live').dataset)")
    page.until("document.getElementById('live-status').textContent.includes('The service ended the session')")
    page.until("'drawn' in document.getElementById('live-result').dataset")
    page.click("#live-start")
    page.until("document.getElementById('live-status').textContent.includes('is voxfield serve still running?')")
    page.forget("ERR_CONNECTION_REFUSED")
