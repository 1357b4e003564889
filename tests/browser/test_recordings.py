"""A recording before and after: figures and pictures of it, a switch without a gap, voices one by one."""

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from listening import place

import voxfield as vf
from voxfield.audio import resample
from voxfield.tasks.report.comparison import Comparison, matching_gains_db

pytestmark = pytest.mark.browser
EXAMPLES = Path(__file__).parents[2] / "examples"


def compare(page, path, view="file"):
    """Send a recording through a view, until all is drawn."""
    page.open(view)
    page.upload(f"#{view}-drop input", path)
    page.until(f"'drawn' in document.getElementById('{view}-result').dataset")


def test_figures_and_files_are_those_of_the_command_line(page):
    compare(page, EXAMPLES / "rain.wav")
    recording = sf.read(EXAMPLES / "rain.wav", dtype="float32")[0]
    after, rate_hz = sf.read(page.saved("#file-result figure:nth-of-type(2) a[download]"), dtype="float32")
    np.testing.assert_allclose(after, vf.enhance(recording, rate_hz).samples[0], atol=1 / 32768)

    comparison = Comparison(rate_hz, 1)
    comparison.before(recording[None])
    comparison.after(after[None])
    before, enhanced = (track.meter.levels() for track in comparison.tracks)
    figures = page.text("#file-figures").replace("\N{MINUS SIGN}", "-")
    reduction_db = before.noise_db - enhanced.noise_db
    for figure in (reduction_db, before.noise_db, enhanced.noise_db, before.speech_db, enhanced.speech_db):
        assert f"{figure:.1f}" in figures
    assert f"{100 * (1 - 10 ** (-reduction_db / 10)):.2f} %" in figures
    assert "rain.wav" in page.text("#file-status")


def test_the_spectrogram_after_is_dark_in_the_pauses(page):
    compare(page, EXAMPLES / "rain.wav")
    before, after = page.value(
        """[...document.querySelectorAll("#file-result canvas")].map(canvas => {
          const { data } = canvas.getContext("2d").getImageData(0, 0, 40, canvas.height);  // nobody speaks yet
          const red = data.filter((_, index) => index % 4 === 0);
          return [canvas.width, canvas.height, red.reduce((a, b) => a + b) / red.length];
        })"""
    )
    assert before[0] > 500 and before[1] == after[1] == 257
    assert before[2] > 100 > 50 > after[2]  # mean of red


def test_a_switch_is_exact_to_the_sample(page, tmp_path):
    page.open("file")
    own_hz = page.value("new AudioContext().sampleRate")  # so that nothing is resampled on its way out
    stereo, rate_hz = sf.read(EXAMPLES / "crowd_stereo_48k.flac", dtype="float32")
    path, fifth_s = tmp_path / "crowd.wav", own_hz // 5
    sf.write(path, resample(stereo.T.mean(axis=0, keepdims=True), rate_hz, own_hz)[0], own_hz, subtype="FLOAT")
    compare(page, path)
    before = sf.read(path, dtype="float32")[0]
    after = sf.read(page.saved("#file-result figure:nth-of-type(2) a[download]"), dtype="float32")[0]
    page.click("#file-result .play")
    page.until("parseFloat(document.querySelector('#file-result .clock').textContent) > 0.5")
    page.browser.press("b")
    page.until("new Promise(done => setTimeout(() => done(true), 300))")
    heard = page.heard()["output"]
    page.click("#file-result .play")
    (first, fit), (last, last_fit) = place(heard[:fifth_s], before), place(heard[-fifth_s:], after)
    assert min(fit, last_fit) > 0.99
    assert last - first == len(heard) - fifth_s  # nothing was left out and nothing came twice
    choice = "document.querySelector('#file-result input[type=radio]:checked').closest('label').textContent"
    assert page.value(choice) == "B After"


def test_levels_are_matched(page):
    compare(page, EXAMPLES / "rain.wav")
    rng = np.random.default_rng(0)
    recordings = [(rng.standard_normal((2, 24_000)) * scale).astype(np.float32) for scale in (0.2, 0.05, 0.01)]
    recordings[1][:, 8000:] *= 0.1
    measured = []
    for samples in recordings:
        meter = Comparison(16000, 2).tracks[0].meter
        meter.feed(samples)
        measured.append(meter.levels())
    found = page.value(
        f"""import("/levels.js").then(({{ levels, matchingGainsDb }}) => {{
          const all = {[samples.tolist() for samples in recordings]}
            .map(channels => levels(channels.map(samples => new Float32Array(samples)), 16000));
          return [all, matchingGainsDb(all)];
        }})"""
    )
    for levels, own in zip(measured, found[0], strict=True):
        assert own["speechDb"] == pytest.approx(levels.speech_db, abs=0.01)
        assert own["pausesDb"] == pytest.approx(levels.noise_db, abs=0.01)
        assert own["peakDb"] == pytest.approx(levels.peak_db, abs=0.01)
    assert found[1] == pytest.approx(matching_gains_db(measured), abs=0.01)


def test_every_voice_has_its_player(page):
    compare(page, EXAMPLES / "two_voices.wav", "voices")
    names = page.value(
        "[...document.querySelectorAll('#voices-result figcaption > span:first-child')].map(name => name.textContent)"
    )
    assert names == ["A Recording", "B Voice 1", "C Voice 2"]
    voices = vf.separate(EXAMPLES / "two_voices.wav").voices
    for number, voice in enumerate(voices):
        path = page.saved(f"#voices-result figure:nth-of-type({number + 2}) a[download]")
        assert path.name == f"two_voices_speaker{number + 1}.wav"
        np.testing.assert_allclose(sf.read(path, dtype="float32")[0], voice[0], atol=1 / 32768)
    page.click("#voices-result figure:nth-of-type(3) button")
    page.until("parseFloat(document.querySelector('#voices-result .clock').textContent) > 0.3")
    assert page.text("#voices-result figure:nth-of-type(3) button") == "Pause"
    page.click("#voices-result figure:nth-of-type(3) button")


def test_what_is_no_recording_is_refused_with_a_reason(page, tmp_path):
    path = tmp_path / "<b>notes.wav"
    path.write_text("this is no sound\n" * 10)
    page.open("file")
    page.upload("#file-drop input", path)
    page.until("!/Working/.test(document.getElementById('file-status').textContent)")
    assert "upload" in page.text("#file-status") and page.value("document.querySelector('#file b') === null")
    page.forget("status of 422")


def test_a_file_dropped_anywhere_is_compared(page):
    page.open("live")
    page.value(
        """fetch("/icon.svg").then(() => {
          const data = new DataTransfer();
          data.items.add(new File([new Uint8Array(10)], "empty.wav"));
          document.querySelector("#live h1").dispatchEvent(
            new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
        })"""
    )
    page.until("!document.getElementById('file').hidden")
    page.until("document.getElementById('file-status').textContent !== ''")
    page.until("!/Working/.test(document.getElementById('file-status').textContent)")
    page.forget("status of 422")


def test_a_long_recording_says_how_far_it_is(page, tmp_path):
    path = tmp_path / "long.wav"
    sf.write(path, np.zeros((6_144_000, 1), np.float32), 192_000, subtype="FLOAT")
    page.open("file")
    page.value(
        """const status = document.getElementById("file-status");
        window.said = new Set();
        new MutationObserver(() => said.add(status.textContent)).observe(status, { childList: true });"""
    )
    page.upload("#file-drop input", path)
    page.until("'drawn' in document.getElementById('file-result').dataset")
    said = page.value("[...said]")
    assert any("MB are here" in words for words in said) and "32.0 s" in said[-1]
