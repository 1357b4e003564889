"""Loudness as ITU-R BS.1770 defines it, on signals whose loudness the standards say, and a gain that never clips."""

import io
import tracemalloc

import numpy as np
import pytest
import soundfile as sf

from voxfield.audio import open_source, pipe_sink
from voxfield.cli.app import run
from voxfield.errors import InputError
from voxfield.tasks import EnhanceOptions, engine_for, enhance, enhance_file, enhance_into
from voxfield.tasks.enhancement.loudness import LoudnessMeter, sections


def tone(level_db, seconds, rate_hz=48000, frequency_hz=1000, channels=2):
    wave = 10 ** (level_db / 20) * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * rate_hz)) / rate_hz)
    return np.tile(wave.astype(np.float32), (channels, 1))


def measured(samples, rate_hz=48000, cuts=()):
    meter = LoudnessMeter(rate_hz, len(samples))
    for part in np.split(samples, cuts, axis=1):
        meter.feed(part)
    return meter.finish()


def test_the_filter_at_48_khz_is_the_one_of_the_recommendation():
    shelf, high_pass = sections(48000)
    np.testing.assert_allclose(shelf[0], [1.53512485958697, -2.69169618940638, 1.19839281085285], atol=1e-10)
    np.testing.assert_allclose(shelf[1], [1, -1.69065929318241, 0.73248077421585], atol=1e-10)
    np.testing.assert_allclose(high_pass[0], [1, -2, 1])
    np.testing.assert_allclose(high_pass[1], [1, -1.99004745483398, 0.99007225036621], atol=1e-10)


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 44100, 48000, 192000])
def test_a_full_scale_tone_in_one_channel_is_3_lufs_below_full_scale(rate_hz):
    one = tone(0, 2, rate_hz, 997, channels=1)
    assert measured(one, rate_hz).lufs == pytest.approx(-3.01, abs=0.05)


@pytest.mark.parametrize(
    ("pieces", "lufs"),
    [
        ([(-23, 20)], -23),  # the cases of EBU Tech 3341, table 1
        ([(-33, 20)], -33),
        ([(-36, 10), (-23, 60), (-36, 10)], -23),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23),
    ],
)
def test_cases_of_ebu_tech_3341(pieces, lufs):
    samples = np.concatenate([tone(level, seconds) for level, seconds in pieces], axis=1)
    assert measured(samples).lufs == pytest.approx(lufs, abs=0.1)


def test_surround_channels_count_as_case_6_of_ebu_tech_3341_says():
    levels = [-28, -28, -24, None, -30, -30]
    samples = np.concatenate([tone(-10 if level is None else level, 20, channels=1) for level in levels])
    assert measured(samples).lufs == pytest.approx(-23, abs=0.1)
    assert measured(np.delete(samples, 3, axis=0)).lufs == pytest.approx(-23, abs=0.1)


@pytest.mark.parametrize("rate_hz", [16000, 44100])
def test_the_same_as_pyloudnorm(speech, rate_hz):
    pyloudnorm = pytest.importorskip("pyloudnorm")
    samples = 0.2 * speech(2, 20 * rate_hz, rate_hz)
    samples[:, 5 * rate_hz : 9 * rate_hz] *= 0.02
    reference = pyloudnorm.Meter(rate_hz, filter_class="DeMan").integrated_loudness(samples.T.astype(np.float64))
    assert measured(samples, rate_hz).lufs == pytest.approx(reference, abs=0.05)


def test_blocks_overlap_by_three_quarters():
    """Of a burst of 0.4 s, blocks that begin 0.1 s apart hold 0.5, 0.75, 1, 0.75, 0.5 and 0.25 of the power."""
    burst = np.pad(tone(-20, 0.4), ((0, 0), (9600, 19_200)))
    assert measured(burst).lufs == pytest.approx(measured(tone(-20, 4)).lufs + 10 * np.log10(0.625), abs=0.1)


def test_how_it_is_fed_does_not_matter(speech):
    samples = speech(2, 100_000)
    whole, cut = measured(samples, 16000), measured(samples, 16000, cuts=[1, 5, 1604, 40_000, 99_999])
    assert cut.lufs == pytest.approx(whole.lufs, abs=1e-9) and cut.true_peak == pytest.approx(whole.true_peak)


def test_a_peak_between_samples_is_seen():
    samples = tone(0, 1, 48000, 12000, channels=1)
    shifted = np.sin(2 * np.pi * 0.25 * np.arange(48000) + np.pi / 4).astype(np.float32)[None]
    assert np.abs(shifted).max() < 0.708 and measured(shifted).true_peak > 0.98
    assert measured(samples).true_peak >= 1


def test_memory_does_not_grow(speech):
    samples = speech(1, 160_000)

    def peak(times):
        meter = LoudnessMeter(16000, 1)
        tracemalloc.start()
        for _ in range(times):
            meter.feed(samples)
        largest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return largest

    assert peak(40) < 1.02 * peak(2)


@pytest.fixture
def recording(tmp_path, speech):
    path = tmp_path / "talk.wav"
    sf.write(path, 0.1 * speech(2, 48000 * 4, 48000).T, 48000)
    return path


def test_a_file_and_an_array_get_the_loudness_and_keep_leaves_the_level(tiny_spectral, recording, tmp_path):
    kept = enhance(recording, model=tiny_spectral)
    np.testing.assert_array_equal(enhance(recording, model=tiny_spectral, loudness="keep").samples, kept.samples)
    made = enhance(recording, model=tiny_spectral, loudness=-30)
    assert measured(made.samples).lufs == pytest.approx(-30, abs=0.05)
    gain = made.samples.std() / kept.samples.std()
    np.testing.assert_allclose(made.samples, gain * kept.samples, atol=1e-5)
    options = EnhanceOptions(loudness=-30)
    work = enhance_file(recording, tmp_path / "out.wav", model=tiny_spectral, options=options)
    written, _ = sf.read(tmp_path / "out.wav", dtype="float32")
    np.testing.assert_allclose(written.T, made.samples, atol=1 / 32000)
    assert any("to -30.0 LUFS" in note for note in work.notes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.wav", "talk.wav"]


def test_nothing_clips_and_it_is_said(tiny_spectral, recording, tmp_path):
    work = enhance_file(recording, tmp_path / "out.wav", model=tiny_spectral, options=EnhanceOptions(loudness=0))
    written = sf.read(tmp_path / "out.wav", dtype="float32")[0].T
    assert measured(written).true_peak == pytest.approx(10 ** (-1 / 20), abs=2e-3)
    assert any("not to 0: its peaks would exceed -1 dBTP" in note for note in work.notes)
    assert not any("clipped" in note for note in work.notes)


@pytest.mark.parametrize("samples", [np.zeros(48000, np.float32), np.full(1000, 0.1, np.float32)])
def test_what_has_no_loudness_keeps_its_level(tiny_spectral, samples):
    made = enhance(samples, 16000, model=tiny_spectral, loudness=-20)
    np.testing.assert_array_equal(made.samples, enhance(samples, 16000, model=tiny_spectral).samples)
    assert any("its level was kept" in note for note in made.notes)


@pytest.mark.parametrize("loudness", [3, -71, float("nan"), "loud", None, True])
def test_loudness_out_of_range(tiny_spectral, loudness):
    with pytest.raises(InputError, match="number of LUFS"):
        enhance(np.zeros(100, np.float32), 16000, model=tiny_spectral, loudness=loudness)


def test_a_failure_leaves_nothing(tiny_spectral, recording, tmp_path, monkeypatch):
    monkeypatch.setattr(LoudnessMeter, "finish", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        enhance_file(recording, tmp_path / "out.wav", model=tiny_spectral, options=EnhanceOptions(loudness=-30))
    assert [path.name for path in tmp_path.iterdir()] == ["talk.wav"]


def test_pipes_are_refused(tiny_spectral, recording, capsys):
    assert run(["enhance", str(recording), "-o", "-", "--loudness", "-20", "--model", str(tiny_spectral)]) == 2
    assert "name a file" in capsys.readouterr().err
    engine = engine_for(tiny_spectral, "enhance")
    with open_source(recording) as source, pytest.raises(InputError, match="name a file"):
        enhance_into(source, pipe_sink(io.BytesIO(), source), engine, EnhanceOptions(loudness=-20))


def test_the_command(tiny_spectral, recording, tmp_path, capsys):
    words = ["enhance", str(recording), "-o", str(tmp_path / "x.wav"), "--model", str(tiny_spectral)]
    assert run([*words, "--loudness", "-33"]) == 0
    assert "to -33.0 LUFS" in capsys.readouterr().err
    assert measured(sf.read(tmp_path / "x.wav", dtype="float32")[0].T).lufs == pytest.approx(-33, abs=0.05)
    assert run([*words, "--loudness", "loud", "--overwrite"]) == 2
