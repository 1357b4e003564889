"""The parts of the page that are pure logic: ring, playout, recorder, WAV files, spectra, words."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import voxfield.serve
from voxfield.tasks.report.picture import palette

pytestmark = pytest.mark.browser
STATIC = Path(voxfield.serve.__file__).with_name("static")


@pytest.fixture
def run(page):
    """Runs a function body with the exports of a module in `m`."""
    page.open("models")

    def run(module, body):
        return page.value(f"import('/{module}.js').then(async m => {{ {body} }})")

    return run


def test_a_ring_keeps_the_newest_at_their_positions(run):
    found = run(
        "ring",
        """const ring = new m.Ring(8), out = new Float32Array(4), seen = [];
        for (let start = 0; start < 12; start += 3) ring.push(Float32Array.of(start, start + 1, start + 2));
        seen.push(ring.start, ring.end, ring.available);
        ring.pull(out); seen.push([...out]);
        ring.read(2, out); seen.push([...out]);     // 2 and 3 have given way
        ring.read(10, out); seen.push([...out]);    // 12 and 13 have not come
        ring.push(Float32Array.from({ length: 20 }, (_, n) => 12 + n)); seen.push(ring.start, ring.end);
        ring.pull(out); seen.push([...out]);
        ring.skip(100); seen.push(ring.available);
        return seen;""",
    )
    assert found == [4, 12, 8, [4, 5, 6, 7], [0, 0, 4, 5], [10, 11, 0, 0], 24, 32, [24, 25, 26, 27], 0]


def test_playout_switches_in_place_and_counts_underruns(run):
    found = run(
        "playout",
        """const rate = 1000, size = 10, playout = new m.Playout(rate), heard = [], said = [];
        let at = 0;
        const step = () => {
          const out = new Float32Array(size);
          playout.step(Float32Array.from({ length: size }, (_, n) => at + n), out);
          at += size;
          heard.push(...out);
        };
        const answer = (from, count) =>
          playout.receive(Float32Array.from({ length: count }, (_, n) => 1000 + from + n));
        step(); step(); step();
        said.push(heard.every(sample => sample === 0), playout.underruns);
        answer(0, 30);                        // enough to begin
        step(); step();
        said.push(heard.slice(-20), playout.latencySamples);
        playout.bypass = true;
        answer(30, 40);
        step(); step();
        said.push(heard.slice(-10));          // the microphone at the same positions, after the fade
        playout.bypass = false;
        for (let n = 0; n < 5; n++) step();   // nothing more has come
        said.push(playout.underruns, heard.slice(-10));
        return said;""",
    )
    assert found[0] is True and found[1] == 0
    assert found[2] == list(range(1000, 1020)) and found[3] == 30
    assert found[4] == list(range(30, 40))
    assert found[5] == 1 and found[6] == [0] * 10


def test_a_buffer_that_is_too_long_is_cut(run):
    latencies = run(
        "playout",
        """const playout = new m.Playout(1000), out = new Float32Array(10), found = [];
        playout.receive(new Float32Array(500));
        for (let n = 0; n < 320; n++) {
          playout.step(new Float32Array(10), out);
          playout.receive(new Float32Array(10));
          if (n % 100 === 50) found.push(playout.enhanced.available);
        }
        return found;""",
    )
    assert latencies[0] == 500 and latencies[-1] < 60


def test_a_recorder_cuts_both_streams_alike(run):
    found = run(
        "recorder",
        """const recorder = new m.Recorder(5, 100);
        const block = (from, count) => Float32Array.from({ length: count }, (_, n) => from + n);
        recorder.take("after", 0, block(0, 4));     // before the recording
        recorder.take("before", 5, block(5, 10));
        recorder.take("after", 4, block(4, 6));
        recorder.take("after", 10, block(10, 3));
        const { before, after } = recorder.finish();
        return [[...before], [...after]];""",
    )
    assert found[0] == found[1] == list(range(5, 13))


def test_wav_files_hold_the_very_samples(run, page, tmp_path):
    import soundfile as sf

    found = run(
        "wav",
        """const file = m.wavFile([Float32Array.of(0.5, -0.25, 1.5), Float32Array.of(0, 1e-9, -2)], 44100);
        const bytes = await file.arrayBuffer();
        return [Array.from(new Uint8Array(bytes)), m.wavRate(bytes), m.wavRate(new ArrayBuffer(50))];""",
    )
    path = tmp_path / "two.wav"
    path.write_bytes(bytes(found[0]))
    samples, rate_hz = sf.read(path, dtype="float32")
    np.testing.assert_array_equal(samples.T, np.array([[0.5, -0.25, 1.5], [0, 1e-9, -2]], np.float32))
    assert rate_hz == found[1] == 44100 and found[2] is None


def test_power_spectra_equal_numpy(run):
    frame = np.random.default_rng(1).standard_normal(64).astype(np.float32)
    found = run(
        "fft",
        f"""const bins = new Float32Array(33);
        new m.PowerSpectrum(64).add(Float32Array.from({frame.tolist()}), 0, bins);
        return [...bins];""",
    )
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(64) / 64)
    np.testing.assert_allclose(found, np.abs(np.fft.rfft(frame * window)) ** 2, rtol=1e-4, atol=1e-5)


def test_spectrograms_have_the_colours_of_the_reports_and_show_a_tone_where_it_is(run):
    found = run(
        "spectrogram",
        """const tone = Float32Array.from({ length: 16000 }, (_, n) => Math.sin(2 * Math.PI * 1000 * n / 16000));
        const columns = await m.analyse([tone, tone], 16000);
        const middle = columns[Math.floor(columns.length / 2)];
        const loudest = middle.indexOf(Math.max(...middle));
        return [m.COLOURS.flat(), columns.length, middle.length, loudest, m.windowSamples(48000)];""",
    )
    assert np.abs(np.array(found[0]) - np.frombuffer(palette(), np.uint8)).max() <= 1
    assert found[1:] == [125, 257, 32, 2048]


def test_both_languages_have_words_for_all_that_is_shown(run):
    english, chinese = run("words", "return [m.WORDS.en, m.WORDS.zh];")
    assert english.keys() == chinese.keys()
    for key, words in english.items():
        assert set(re.findall(r"\{\w+\}", words)) == set(re.findall(r"\{\w+\}", chinese[key])), key
    source = "".join(path.read_text(encoding="utf-8") for path in sorted(STATIC.iterdir()) if path.name != "words.js")
    asked = set(re.findall(r'data-(?:word|label)="([^"]+)"', source)) | set(
        re.findall(r'(?:say|label)\([^;]*?, "([\w-]+)"', source)
    )
    assert asked <= english.keys()
    assert [key for key in english if key not in source and not re.match("(of|axis|drop)-", key)] == []


def test_words_are_kept_out_of_markup(run):
    assert json.dumps(run("dom", "return m.element('p', {}, '<b>x</b>').innerHTML;")) == '"&lt;b&gt;x&lt;/b&gt;"'
