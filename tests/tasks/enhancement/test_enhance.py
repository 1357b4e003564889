"""What a user asks for: any rate, any channels, any length; the band above the network's; limits and mixes."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import given, settings
from hypothesis import strategies as st

from voxfield.audio import resample
from voxfield.cards import example_card
from voxfield.errors import InputError, UnknownModelError
from voxfield.metrics.enhancement import si_sdr_db
from voxfield.runtime import Stream, load_engine
from voxfield.tasks import EnhanceOptions, Enhancer, Separator, enhance, enhance_file
from voxfield.tasks.band_gain import BandGain
from voxfield.tasks.band_splitter import BandSplitter

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
RATES = (8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000, 192000)


@settings(max_examples=40)
@given(
    st.sampled_from(RATES),
    st.integers(1, 20_000),
    st.integers(1, 4),
    st.sampled_from([0, 0.02, 0.5]),
    st.integers(0, 2**32 - 1),
)
def test_length_and_chunking_at_random_rates(tiny_spectral, rate_hz, count, channels, warm_up_s, seed):
    rng = np.random.default_rng(seed)
    samples = 0.1 * rng.standard_normal((channels, count), np.float32)
    whole = enhance(samples, rate_hz, model=tiny_spectral, warm_up_s=warm_up_s)
    assert whole.samples.shape == samples.shape and whole.sample_rate_hz == rate_hz
    enhancer = Enhancer(load_engine(tiny_spectral), rate_hz, channels, warm_up_s=warm_up_s)
    cuts = np.sort(rng.integers(0, count + 1, 9))
    parts = [enhancer.feed(part) for part in np.split(samples, cuts, axis=1)]
    assert np.abs(np.concatenate([*parts, enhancer.flush()], axis=1) - whole.samples).max() <= 1e-5


@pytest.mark.parametrize("rate_hz", RATES)
def test_silence_in_silence_out(tiny_spectral, rate_hz):
    assert not enhance(np.zeros((2, rate_hz // 4), np.float32), rate_hz, model=tiny_spectral).samples.any()


@pytest.mark.parametrize("rate_hz", RATES)
def test_mix_0_is_the_recording_itself(tiny_spectral, speech, rate_hz):
    samples = speech(2, rate_hz // 3, rate_hz)
    assert np.array_equal(enhance(samples, rate_hz, model=tiny_spectral, mix=0).samples, samples)
    assert np.array_equal(enhance(samples, rate_hz, model=tiny_spectral, limit_db=0).samples, samples)


@pytest.mark.parametrize("rate_hz", RATES)
def test_output_is_aligned_with_input(tiny_spectral, speech, rate_hz):
    samples = speech(1, rate_hz, rate_hz)
    enhanced = enhance(samples, rate_hz, model=tiny_spectral).samples[0]
    inside = slice(rate_hz // 10, rate_hz - rate_hz // 10)
    scores = [float(np.dot(samples[0, inside], np.roll(enhanced, -lag)[inside])) for lag in range(-3, 4)]
    assert int(np.argmax(scores)) == 3


@pytest.mark.parametrize("warm_up_s", [0.3, 1.0, 60])
def test_a_warm_up_starts_from_the_state_behind_the_beginning(tiny_spectral, speech, warm_up_s):
    samples = speech(2, 16000)
    engine = load_engine(tiny_spectral)
    stream = Stream(engine, 2, linked=True)
    stream.warm_up(samples[:, : round(warm_up_s * 16000)])
    expected = np.concatenate([stream.feed(samples), stream.flush()], axis=1)
    warm = enhance(samples, 16000, model=engine, warm_up_s=warm_up_s).samples
    assert np.abs(warm - expected).max() < 1e-6
    assert np.abs(warm - enhance(samples, 16000, model=engine).samples).max() > 1e-4


@pytest.mark.parametrize("warm_up_s", [-1, 61, float("nan"), True, "5"])
def test_a_warm_up_that_cannot_be_held(tiny_spectral, warm_up_s):
    with pytest.raises(InputError, match="between 0 and 60 seconds"):
        enhance(np.zeros(160, np.float32), 16000, model=tiny_spectral, warm_up_s=warm_up_s)


def test_a_warm_up_helps_the_first_second():
    noisy, clean = (sf.read(EXAMPLES / name)[0] for name in ("dishwasher.wav", "clean/dishwasher.wav"))
    first = slice(0, 16000)
    cold, warm = (enhance(noisy, 16000, warm_up_s=seconds).samples[0, first] for seconds in (0, 5))
    assert si_sdr_db(warm, clean[first]) > si_sdr_db(cold, clean[first]) + 0.2


def test_a_limit_keeps_its_floor(tiny_spectral, speech):
    samples = speech(1, 16000)
    full = enhance(samples, 16000, model=tiny_spectral).samples
    limited = enhance(samples, 16000, model=tiny_spectral, limit_db=6.0206).samples
    assert np.abs(limited - 0.5 * (samples + full)).max() < 1e-4


@pytest.mark.parametrize("rate_hz", [32000, 48000, 96000])
@pytest.mark.parametrize("gain", [0.0, 0.25, 1.0])
def test_the_band_above_follows_the_gain_below(rate_hz, gain):
    class Gain:
        """An engine that scales everything."""

        card = example_card()
        free_batch = True

        def initial_state(self, batch=1):
            return ()

        def step(self, block, state):
            return gain * block, ()

    rng = np.random.default_rng(0)
    spectrum = np.fft.rfft(rng.standard_normal(rate_hz))
    spectrum[: int(0.6 * 16000)] = 0  # nothing below 9.6 kHz ...
    high = np.fft.irfft(spectrum)
    samples = (0.1 * high + 0.1 * rng.standard_normal(rate_hz)).astype(np.float32)[None]  # ... of half of the sound
    enhanced = enhance(samples, rate_hz, model=Gain()).samples
    inside = slice(rate_hz // 4, -rate_hz // 4)
    before, after = (np.abs(np.fft.rfft(part[0, inside])[rate_hz // 4 :]).mean() for part in (samples, enhanced))
    assert after < (2 * gain + 1e-3) * before
    if gain == 1:
        assert np.abs(enhanced - samples)[:, inside].max() < 0.02 * np.abs(samples).max()


@pytest.mark.parametrize("low_hz,full_hz", [(16000, 48000), (16000, 44100), (8000, 96000), (16000, 11025)])
@pytest.mark.parametrize("noise", [True, False])
def test_gains_do_not_depend_on_chunks_and_stay_constant_in_memory(low_hz, full_hz, noise):
    rng = np.random.default_rng(0)
    before = rng.standard_normal((2, low_hz), np.float32)
    before[:, low_hz // 2 : low_hz * 5 // 8] = 0  # where nothing is heard, the gain stays what it was
    after = before * np.repeat(rng.random(16), low_hz // 16).astype(np.float32)
    above = rng.standard_normal((2, full_hz), np.float32)
    results = []
    for step in (low_hz, 100):
        gain, read = BandGain([0, 1], 2, low_hz, full_hz, linked=False, noise=noise), []
        for start in range(0, low_hz, step):
            stop = min(start + step, low_hz)
            gain.feed_full(above[:, start * full_hz // low_hz : stop * full_hz // low_hz])
            gain.feed(before[:, start:stop], after[:, start:stop])
            read.append(gain.pop(len(gain)))
            assert step == low_hz or (gain._seen.shape[2] <= 3 and len(gain._full) <= 0.05 * full_hz)
        gain.flush()
        results.append(np.concatenate([*read, gain.pop(len(gain))], axis=1))
    assert np.array_equal(*results) and results[0].shape == above.shape
    ratios = np.abs(results[0]).mean(1) / np.abs(above).mean(1)
    assert (ratios > 0.05).all() and (ratios < 1).all()


def test_the_band_above_goes_by_its_own_channel_or_by_all_that_are_linked():
    """A quiet channel that the network lets through is let through above as well, beside a loud one or a silent one."""
    noise = np.random.default_rng(0).standard_normal((2, 48000)).astype(np.float32)
    for loudness, linked in (((1.0, 0.01), False), ((0.0, 0.5), True)):
        samples = noise * np.float32(loudness)[:, None]
        bands = BandSplitter(16000, 48000, 2, linked=linked, noise=False)
        low = np.concatenate([bands.down(samples), bands.down_rest()], axis=1)
        made = bands.up(0.5 * low if linked else low, last=True)[1, 12000:36000]
        above = [np.abs(np.fft.rfft(part))[9000:].mean() for part in (made, samples[1, 12000:36000])]
        assert above[0] / above[1] == pytest.approx(0.5 if linked else 1, rel=0.05)


def test_channels_that_are_enhanced_together_share_the_gain_above_as_well(tiny_spectral, speech):
    rng, rate_hz = np.random.default_rng(0), 48000
    spectrum = np.fft.rfft(rng.standard_normal(rate_hz))
    spectrum[:10_000] = 0
    below = resample(speech(2, 16000), 16000, rate_hz)
    below[1] *= np.linspace(0, 1, rate_hz, dtype=np.float32)  # alone, the second channel would have another gain
    samples = below + np.outer([0.05, 0.02], np.fft.irfft(spectrum)).astype(np.float32)
    differences = []
    for link in ("together", "independent"):
        made = enhance(samples, rate_hz, model=tiny_spectral, channels=link).samples[:, rate_hz // 2 : -rate_hz // 8]
        first, second = np.fft.rfft(made)[:, round(10_500 / rate_hz * made.shape[1]) :]
        differences.append(np.linalg.norm(second - 0.4 * first) / np.linalg.norm(second))
    assert differences[0] < 0.02 < differences[1]


@pytest.mark.parametrize("count", [1, 767, 768, 769, 7680])
def test_the_band_above_is_as_long_as_the_recording(count):
    gain = BandGain([0], 1, 16000, 48000, linked=False, noise=True)
    gain.feed_full(np.ones((1, count), np.float32))
    gain.feed(*np.ones((2, 1, count // 3), np.float32))
    gain.flush()
    assert len(gain) == count  # a frame is 768 samples


def test_gains_above_come_at_their_moment_however_long_it_took():
    """Frames of the two bands are of 15.5 and 16 ms here: after eight seconds their numbers differ by 15."""
    low_hz, full_hz, rng = 1030, 2000, np.random.default_rng(0)
    gain = BandGain([0], 1, low_hz, full_hz, linked=False, noise=False)
    before = rng.standard_normal((1, 16 * low_hz), np.float32)
    gain.feed_full(rng.standard_normal((1, 16 * full_hz), np.float32))
    gain.feed(before, before * (np.arange(16 * low_hz) < 8 * low_hz))
    gain.flush()
    levels = np.abs(gain.pop(len(gain))).reshape(160, -1).mean(1)  # of 0.1 s
    assert levels[:79].min() > 0.1 and levels[81:].max() < 1e-3


def test_mono_is_the_mean_of_the_channels(tiny_spectral, speech):
    both = speech(2, 5000)
    expected = enhance(both.mean(axis=0, keepdims=True), 16000, model=tiny_spectral).samples
    enhanced = enhance(both, 16000, model=tiny_spectral, mono=True)
    assert np.allclose(enhanced.samples, expected, atol=1e-6) and not enhanced.notes  # the network hears all there is


def test_level_does_not_change_where_the_samples_lie(tiny_spectral, speech, tmp_path):
    sf.write(tmp_path / "a.flac", speech(2, 30_000, 44100).T, 44100, "PCM_24")
    work = enhance_file(tmp_path / "a.flac", tmp_path / "b.flac", model=tiny_spectral)
    info = sf.info(tmp_path / "b.flac")
    assert (info.frames, info.samplerate, info.channels, info.subtype) == (30_000, 44100, 2, "PCM_24")
    assert (work.count_samples, work.channels, work.model) == (30_000, 2, "tiny-spectral.v1")
    assert any("works up to 8 kHz" in note for note in work.notes)
    whole = enhance(tmp_path / "a.flac", model=tiny_spectral)
    assert np.abs(sf.read(tmp_path / "b.flac")[0].T - whole.samples).max() < 2**-22


def test_save_stores_as_the_recording_was(tiny_spectral, speech, tmp_path):
    sf.write(tmp_path / "a.wav", speech(1, 500).T, 16000, "PCM_24")
    enhance(tmp_path / "a.wav", model=tiny_spectral).save(tmp_path / "b.wav")
    enhance(speech(1, 500), 16000, model=tiny_spectral).save(tmp_path / "c.wav")
    assert sf.info(tmp_path / "b.wav").subtype == "PCM_24" and sf.info(tmp_path / "c.wav").frames == 500


def test_options_out_of_range_and_models_for_other_tasks(tiny_spectral, tiny_separator):
    for options, message in [({"mix": 1.5}, "mix"), ({"limit_db": -1}, "limit"), ({"mix": float("nan")}, "mix")]:
        with pytest.raises(InputError, match=message):
            enhance(np.zeros(10), 16000, model=tiny_spectral, **options)
        with pytest.raises(InputError, match=message):
            EnhanceOptions(**options)
    with pytest.raises(InputError, match="is a model to separate"):
        enhance(np.zeros(10), 16000, model=tiny_separator)
    with pytest.raises(UnknownModelError, match="no model is called 'crn-smal'"):
        enhance(np.zeros(10), 16000, model="crn-smal")


def test_channels_together_keep_every_sound_in_its_place(tiny_spectral, speech):
    """The level difference between the channels of a sound is the one it had, at every moment and frequency."""
    voice, noise = speech(1, 32_000, seed=1)[0], speech(1, 32_000, seed=2)[0]
    samples = np.stack([voice, 0.5 * voice])
    enhanced = enhance(samples, 16000, model=tiny_spectral).samples
    assert np.abs(enhanced[1] - 0.5 * enhanced[0]).max() < 1e-6 and np.abs(enhanced).max() > 1e-3
    samples = np.stack([voice + 0.3 * noise, voice])
    together = enhance(samples, 16000, model=tiny_spectral).samples
    apart = enhance(samples, 16000, model=tiny_spectral, channels="independent").samples

    def wander_db(pair):
        levels = np.square(pair[:, : 31 * 1024].reshape(2, 31, 1024)).mean(-1)
        before = np.square(samples[:, : 31 * 1024].reshape(2, 31, 1024)).mean(-1)
        return np.std(10 * np.log10(levels[0] / levels[1]) - 10 * np.log10(before[0] / before[1]))

    assert wander_db(together) < 0.7 * wander_db(apart)
    assert np.array_equal(apart[1], enhance(voice, 16000, model=tiny_spectral).samples[0])


def test_channels_of_opposite_sign_do_not_cancel(tiny_spectral, speech):
    voice = speech(1, 32_000)[0]
    one = enhance(voice, 16000, model=tiny_spectral).samples[0]
    both = enhance(np.stack([voice, -voice]), 16000, model=tiny_spectral).samples
    assert np.abs(both[0] - one).max() < 1e-5 and np.abs(both[1] + one).max() < 1e-5


@pytest.mark.parametrize("rate_hz", [16000, 48000])
def test_a_caller_may_use_its_buffer_again(tiny_spectral, speech, rate_hz):
    samples = speech(1, rate_hz, rate_hz)
    wanted = enhance(samples, rate_hz, model=tiny_spectral, mix=0.5).samples
    enhancer, buffer, parts = Enhancer(load_engine(tiny_spectral), rate_hz, mix=0.5), np.zeros((1, 400), np.float32), []
    for start in range(0, rate_hz, 400):
        buffer[:] = samples[:, start : start + 400]
        parts.append(enhancer.feed(buffer))
    assert np.abs(np.concatenate([*parts, enhancer.flush()], axis=1) - wanted).max() < 1e-6


def test_choices_of_channels(tiny_spectral):
    with pytest.raises(InputError, match="together or independent"):
        EnhanceOptions(channels="stereo")
    with pytest.raises(InputError, match="must be a number"):
        enhance(np.zeros(10), 16000, model=tiny_spectral, mix="a")


def test_arguments_of_another_kind_are_named(tiny_spectral, tmp_path):
    silence = np.zeros(10, np.float32)
    for call in (
        lambda: enhance(silence, "a", model=tiny_spectral),
        lambda: Enhancer(tiny_spectral, "a"),
        lambda: Enhancer(tiny_spectral, None),
        lambda: enhance(silence, 16000, model=tiny_spectral).save(5),
        lambda: enhance_file("a.wav", 5, model=tiny_spectral),
        lambda: enhance_file("a.wav", tmp_path / "b.wav", model=tiny_spectral, options={"mix": 1}),
    ):
        with pytest.raises(InputError, match=r"must be a number|named by a str or a path|options are"):
            call()


def test_numbers_of_numpy_are_numbers(tiny_spectral, speech):
    samples = speech(1, 4000)
    given = {"mix": np.float32(0.5), "limit_db": np.int64(10), "warm_up_s": np.float32(0.25), "loudness": np.int64(-16)}
    plain = {"mix": 0.5, "limit_db": 10, "warm_up_s": 0.25, "loudness": -16}
    made = enhance(samples, np.int32(16000), model=tiny_spectral, **given)
    assert np.array_equal(made.samples, enhance(samples, 16000, model=tiny_spectral, **plain).samples)
    assert Enhancer(tiny_spectral, np.int64(8000), np.int64(2)).feed(np.zeros((2, 9), np.float32)).shape[0] == 2


@pytest.mark.parametrize("keep", ["rain", "rain,birds", None, [1]], ids=str)
def test_kinds_to_keep_come_in_a_list(tiny_spectral, keep):
    with pytest.raises(InputError, match=r"a list of names, such as \['rain', 'birds'\], not"):
        enhance(np.zeros(100), 16000, model=tiny_spectral, keep=keep)


@pytest.mark.parametrize("rate_hz", [16000, 44100])
def test_an_enhancer_is_for_one_recording(tiny_spectral, speech, rate_hz):
    enhancer = Enhancer(tiny_spectral, rate_hz)
    enhancer.feed(speech(1, 2000))
    enhancer.flush()
    with pytest.raises(InputError, match="flushed"):
        enhancer.feed(speech(1, 2000))


@pytest.mark.parametrize("channels", [0, 257, 1.0, "1", True], ids=str)
def test_channels_that_are_none(tiny_spectral, tiny_separator, channels):
    for made in (partial(Enhancer, tiny_spectral), partial(Separator, tiny_separator)):
        with pytest.raises(InputError, match="channels"):
            made(16000, channels)


@pytest.mark.parametrize(
    ("rate_hz", "least_ms", "most_ms"), [(8000, 185, 191), (22050, 64, 96), (44100, 64, 96), (48000, 64, 96)]
)
def test_what_resampling_holds_back(rate_hz, least_ms, most_ms):
    """As docs/streaming.md says."""
    enhancer, piece = Enhancer("crn-tiny", rate_hz), np.zeros((1, rate_hz // 1000), np.float32)
    held, most = 0, 0
    for number in range(600):
        held += piece.shape[1] - enhancer.feed(piece).shape[1]
        most = max(most, held) if number > 300 else 0
    assert least_ms <= 1000 * most / rate_hz - 32 <= most_ms
