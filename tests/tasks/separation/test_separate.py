"""Separation of recordings of any length, rate and number of channels, with a network whose answers are known.

The network here splits its input into what lies below and above 1.5 kHz. It gives the two in an order that it changes
from call to call, and at a scale of its own, as networks trained on a permutation- and scale-invariant score do.
"""

import json

import numpy as np
import pytest
import soundfile as sf
from scipy.signal import butter, sosfiltfilt

from voxfield.cards import example_card, samples
from voxfield.errors import InputError
from voxfield.metrics.separation import count_swaps
from voxfield.tasks.separation.activity import ActivityMeter
from voxfield.tasks.separation.overlap_add import bounded, separated
from voxfield.tasks.separation.recording import separate, separate_into, separating_engine
from voxfield.tasks.separation.separator import Separator
from voxfield.tasks.separation.source_order import best_order, continued
from voxfield.tasks.separation.stereo_image import StereoImage

RATE = 8000
DEEP = butter(6, 900, "low", fs=RATE, output="sos")
LOW, HIGH = (butter(6, 1500, kind, fs=RATE, output="sos") for kind in ("low", "high"))


class Splitter:
    """Low and high band as two voices, in an order and at a scale that change from call to call."""

    free_batch = False

    def __init__(self, scale=(1.0, 1.0), shuffle=True, streaming=False):
        self.card = example_card(
            name="splitter-test.v1", task="separate", architecture="conv-tasnet",
            interface=samples(RATE, 80, 0, 2) if streaming else samples(RATE, 80, None, 2, 1, "it filters both ways"),
        )  # fmt: skip
        self.scale, self.shuffle = np.array(scale, np.float32)[:, None], shuffle
        self.calls, self.longest = 0, 0

    def initial_state(self, batch=1):
        return ()

    def step(self, block, state):
        self.calls += 1
        self.longest = max(self.longest, block.shape[-1])
        if block.shape[-1] < 60:
            return np.zeros((1, 2, block.shape[-1]), np.float32), ()
        voices = np.stack([sosfiltfilt(band, block[0, 0]) for band in (LOW, HIGH)])
        voices = (voices * self.scale).astype(np.float32)
        return (voices[::-1] if self.shuffle and self.calls % 2 else voices)[None].copy(), ()


def talk(seconds, band, seed, pauses=True):
    """Noise in one band that comes and goes like sentences."""
    rng = np.random.default_rng(seed)
    sound = sosfiltfilt(band, rng.standard_normal(seconds * RATE))
    if pauses:
        at = 0
        while at < len(sound):
            at += int(rng.uniform(1.5, 4) * RATE)
            stop = at + int(rng.uniform(0.3, 2.5) * RATE)
            sound[at:stop] = 0
            at = stop
    return (0.1 * sound / sound.std()).astype(np.float32)


@pytest.fixture(scope="module")
def voices():
    return np.stack([talk(120, LOW, 1), 0.5 * talk(120, HIGH, 2)])


@pytest.mark.parametrize("scale", [(1, 1), (500, 800), (1e-3, 2e-3), (-1, 1)], ids=str)
def test_two_minutes_without_a_swap_at_the_scale_of_the_mixture(voices, scale):
    engine = Splitter(scale)
    made = separate(voices.sum(0), RATE, model=engine)
    out = made.voices[:, 0]
    assert out.shape == voices.shape
    assert engine.longest <= 10 * RATE
    order = best_order(voices.astype(np.float64) @ out.T)[0]
    assert count_swaps(out[list(order)], voices, RATE) == 0
    error = np.square(out[list(order)] - voices).sum(1) / np.square(voices).sum(1)
    assert np.all(10 * np.log10(error) < -12)  # the bands overlap a little
    assert 10 * np.log10(np.square(out.sum(0) - voices.sum(0)).sum() / np.square(voices.sum(0)).sum()) < -15


@pytest.mark.parametrize("length", [1, 2, 59, 400, RATE * 10 - 1, RATE * 10, RATE * 10 + 1, RATE * 17 + 3, RATE * 25])
def test_every_sample_comes_out(length):
    recording = np.random.default_rng(0).standard_normal(length).astype(np.float32) * 0.1
    made = separate(recording, RATE, model=Splitter(), noise="keep")
    assert made.voices.shape == (2, 1, length)
    assert np.abs(made.voices.sum(0)[0] - recording).max() < 1e-5


@pytest.mark.parametrize("cut", [1, 777, 80000, 10**7])
def test_how_the_recording_is_fed_does_not_matter(voices, cut):
    recording = voices.sum(0)[: 31 * RATE]
    whole = separate(recording, RATE, model=Splitter(shuffle=False)).voices
    separator = Separator(Splitter(shuffle=False), RATE)
    step = max(cut, 500)
    parts = [separator.feed(recording[None, at : at + step]) for at in range(0, len(recording), step)]
    assert np.abs(np.concatenate([*parts, separator.flush()], 2) - whole).max() < 1e-6


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100, 48000])
def test_every_rate_keeps_its_length_and_the_band_above(rate):
    count = 13 * rate + 17
    rng = np.random.default_rng(0)
    recording = 0.1 * rng.standard_normal(count).astype(np.float32)
    made = separate(recording, rate, model=Splitter(), noise="keep")
    assert made.voices.shape == (2, 1, count)
    assert np.abs(made.voices.sum(0)[0] - recording).max() < 1e-4
    dropped = separate(recording, rate, model=Splitter()).voices[:, 0]
    top = np.abs(np.fft.rfft(dropped))[:, int(0.9 * count / 2) :].mean(1)
    assert top.max() > 0.2 * np.abs(np.fft.rfft(recording))[int(0.9 * count / 2) :].mean()


def test_stereo_voices_stay_where_they_were(voices):
    short = voices[:, : 20 * RATE]
    left, right = short[0] + 0.1 * short[1], 0.2 * short[0] + short[1]
    made = separate(np.stack([left, right]), RATE, model=Splitter())
    assert made.voices.shape == (2, 2, 20 * RATE)
    levels = np.square(made.voices).mean(2)  # (voice, channel)
    low = int(np.argmax(levels[:, 0]))
    assert 10 * np.log10(levels[low, 0] / levels[low, 1]) > 8  # 14 dB apart in the recording
    assert 10 * np.log10(levels[1 - low, 1] / levels[1 - low, 0]) > 8
    same = separate(np.stack([left, left]), RATE, model=Splitter()).voices
    mono = separate(left, RATE, model=Splitter()).voices
    assert np.abs(same - mono).max() < 1e-5


def test_keeping_the_noise_adds_up_in_every_channel(voices):
    recording = np.stack([voices[0], voices[1]])[:, : 12 * RATE]
    made = separate(recording, RATE, model=Splitter((0.3, 0.7)), noise="keep")
    assert np.abs(made.voices.sum(0) - recording).max() < 1e-4


def test_what_only_the_noise_has_at_the_side_goes_with_it():
    """A band in which the mid is no voice's goes to none, however the channels differ there."""
    voice, noise = talk(4, LOW, 0, pauses=False), talk(4, HIGH, 1, pauses=False)
    recording, voices = np.stack([voice + noise, voice]), np.stack([voice, 1e-4 * noise])
    image = StereoImage(2, 2, RATE, keep_noise=False)
    made = np.concatenate([image.feed(recording, voices), image.flush()], axis=2)
    assert np.square(made).mean(2).min(1).max() == pytest.approx(np.square(voice).mean(), rel=0.1)
    sides = (made - made.mean(1, keepdims=True))[..., RATE:-RATE]
    assert np.square(sides).mean() < 1e-2 * np.square(noise).mean()


def test_silence_gives_silence_without_asking_the_network():
    engine = Splitter()
    made = separate(np.zeros(600 * RATE, np.float32), RATE, model=engine, speakers="auto")
    assert engine.calls == 0
    assert made.voices.shape == (0, 1, 600 * RATE)
    assert made.activity.believed == ()


@pytest.mark.parametrize("level_db", [0, -20, -60])
def test_the_level_of_the_recording_does_not_matter(voices, level_db):
    recording, gain = voices.sum(0)[: 15 * RATE], 10 ** (level_db / 20)
    loud = separate(recording, RATE, model=Splitter()).voices
    quiet = separate((recording * gain).astype(np.float32), RATE, model=Splitter()).voices
    assert np.abs(quiet / gain - loud).max() < 1e-4


def test_one_voice_is_given_out_as_it_was_recorded():
    recording = np.stack([talk(30, DEEP, 3), 0.5 * talk(30, DEEP, 3)])
    alone = separate(recording, RATE, model=Splitter(), speakers="auto")
    assert len(alone.activity.believed) == 1 and alone.activity.confidence > 0.9
    assert np.array_equal(alone.voices[0], recording)
    assert "the recording itself" in alone.notes[-1]
    assert len(separate(recording, RATE, model=Splitter()).voices) == 2


def meter_of(*outputs):
    meter = ActivityMeter(len(outputs), RATE)
    sound = np.stack(outputs).astype(np.float32)
    for at in range(0, sound.shape[1], 777):
        meter.feed(sound[:, at : at + 777])
    return meter


def test_an_echo_and_a_steady_part_of_a_voice_are_no_voices(voices):
    assert meter_of(voices[0], 0.7 * voices[0]).judge().believed == (0,)
    hiss = sosfiltfilt(HIGH, np.random.default_rng(0).standard_normal(voices.shape[1]))
    assert meter_of(voices[0], 0.003 * hiss).judge().believed == (0,)


def test_two_who_talk_at_once_for_a_part_of_the_time_are_two_voices(voices):
    second = np.arange(voices.shape[1]) / RATE % 10
    first, other = voices[0] * (second < 6), 2 * voices[1] * (second > 5)
    assert meter_of(first, other).judge().believed == (0, 1)
    assert meter_of(first, other).judge(meter_of(other, first)).believed == (0, 1)


@pytest.mark.parametrize("level", [1, 1e-3])
def test_each_of_three_outputs_is_judged_against_the_rest(voices, level):
    empty = 0.02 * voices[0]
    assert meter_of(level * empty, level * voices[0], level * voices[1]).judge().believed == (1, 2)
    third = talk(120, LOW, 7) * talk(120, LOW, 8).clip(-1, 0) * 10
    assert meter_of(voices[0], third, voices[1]).judge().believed == (0, 1, 2)


def test_noise_in_an_output_of_its_own_is_no_voice_once_the_recording_is_enhanced(voices):
    gusts = 0.3 * talk(120, HIGH, 5)
    recording = meter_of(voices[0], gusts)
    assert len(recording.judge().believed) == 2
    enhanced = meter_of(0.01 * voices[0], voices[0])  # in another order
    judged = recording.judge(enhanced)
    assert judged.believed == (0,)
    assert 0.5 <= judged.confidence <= 1


def test_two_voices_stay_two_after_enhancement(voices):
    recording, enhanced = meter_of(*voices), meter_of(*voices[::-1])
    assert recording.judge(enhanced).believed == (0, 1)


class Clipper(Splitter):
    """What lies below and above a level, sample by sample, much too loud: a network that streams."""

    def __init__(self):
        super().__init__((300, 500), streaming=True)

    def step(self, block, state):
        low = np.clip(block[0], -0.1, 0.1)
        return (np.concatenate([low, block[0] - low]) * self.scale)[None].astype(np.float32), ()


@pytest.mark.parametrize("rate", [8000, 44100])
def test_a_network_that_streams_gives_voices_as_they_come(rate):
    recording = 0.1 * np.random.default_rng(0).standard_normal((1, 3 * rate + 17)).astype(np.float32)
    separator = Separator(Clipper(), rate)
    first = separator.feed(recording[:, :rate])
    assert 0.6 * rate < first.shape[2] <= rate
    whole = np.concatenate([first, separator.feed(recording[:, rate:]), separator.flush()], 2)
    assert whole.shape == (2, 1, recording.shape[1])
    again = Separator(Clipper(), rate)
    parts = [again.feed(recording[:, at : at + 777]) for at in range(0, recording.shape[1], 777)]
    assert np.abs(np.concatenate([*parts, again.flush()], 2) - whole).max() < 1e-5
    rest = recording - whole.sum(0)
    assert 10 * np.log10(np.square(rest).mean() / np.square(recording).mean()) < (-30 if rate == 8000 else -20)


def test_a_shared_pause_that_says_next_to_nothing_leaves_the_order_in_doubt():
    pause = np.random.default_rng(0).standard_normal((2, 800)).astype(np.float32)
    alike = pause + 30 * pause.mean(0)  # as like one way as the other, but for a little
    assert continued(alike, alike) == ((0, 1), False)
    assert continued(pause, pause[::-1]) == ((1, 0), True)


def test_a_network_hears_every_recording_at_one_level():
    engine = Splitter(shuffle=False)
    for gain in (1e-3, 1.0, 30.0):
        heard = []
        engine.step = lambda block, state, heard=heard: heard.append(block) or (np.concatenate([block, block], 1), ())
        made = separated(engine, gain * np.sin(np.arange(4000, dtype=np.float32)))
        assert np.square(heard[0]).mean() == pytest.approx(1, rel=1e-3)
        assert np.square(made[0]).mean() == pytest.approx(gain**2 / 2, rel=1e-2)


def test_voices_may_be_as_loud_as_the_recording_and_no_louder():
    voices = np.float32([[0.5, -2.0], [1.0, 0.0]])
    assert bounded(voices, np.float32([2.5, 0])) is voices  # a file of floats may go beyond full scale
    assert np.array_equal(bounded(voices, np.float32([0.1, 0])), voices / 2)


class Rising(Clipper):
    """Gives the recording as its first voice, four times as loud from the second second on."""

    def step(self, block, state):
        (seen,) = state or (0,)
        voice = block[0, 0] * np.where(seen + np.arange(block.shape[-1]) < RATE, 0.5, 2.0)
        return np.stack([voice, 0 * voice])[None].astype(np.float32), (seen + block.shape[-1],)


def test_the_scale_of_streamed_voices_follows_slowly_and_without_steps():
    """What a network gives is brought to the recording's scale by all of the past 20 seconds."""
    recording = np.full(2 * RATE, 0.01, np.float32)
    ratio = separate(recording, RATE, model=Rising()).voices[0, 0] / recording
    assert ratio[: RATE - 100] == pytest.approx(1, abs=0.01)
    later = ratio[RATE + 100 :]
    assert later[0] > 3 and later[-1] < 0.7 * later[0]
    assert np.abs(np.diff(later)).max() < 0.01


@pytest.mark.parametrize("network", [lambda: Splitter((500, -0.01), shuffle=False), lambda: Clipper()])
def test_the_raw_output_is_what_the_network_gives(voices, network):
    recording = voices.sum(0)[: 25 * RATE + 3]
    made = separate(recording, RATE, model=network(), raw_output=True).voices
    wanted = network().step(recording[None, None], network().initial_state())[0][0]
    assert made.shape == (2, 1, len(recording)) and np.abs(made[:, 0] - wanted).max() < 1e-5 * np.abs(wanted).max()


def test_the_raw_output_is_saved_as_it_is(tmp_path):
    sf.write(tmp_path / "a.flac", np.full(900, 0.5), RATE)
    made = separate(tmp_path / "a.flac", model=Splitter(), raw_output=True)
    made.voices[0] *= 100
    paths = made.save(tmp_path / "out")
    assert [path.name for path in paths] == ["a_speaker1.wav", "a_speaker2.wav"]
    assert np.array_equal(sf.read(paths[0], dtype="float32")[0], made.voices[0, 0])


@pytest.mark.parametrize(("rate", "channels"), [(16000, 1), (RATE, 2)])
def test_the_raw_output_needs_what_the_network_takes(rate, channels):
    with pytest.raises(InputError, match=f"takes one channel at {RATE} Hz, not {channels} at {rate} Hz"):
        separate(np.zeros((channels, 900), np.float32), rate, model=Splitter(), raw_output=True)
    with pytest.raises(InputError, match="leave out --speakers auto"):
        separate(np.zeros(900, np.float32), RATE, model=Splitter(), raw_output=True, speakers="auto")


def test_outputs_of_the_enhanced_recording_are_told_by_their_loudness(voices):
    """A network may give them in another order; and what is hardly more than rounding is nobody."""
    loud, soft = voices[:, : 20 * RATE]
    outputs = np.stack([soft, loud, 0.1 * loud])  # two voices, and an echo of one
    meters = [ActivityMeter(3, RATE) for _ in range(3)]
    for meter, given in zip(meters, (outputs, outputs, outputs[[1, 2, 0]]), strict=True):
        meter.feed(given)
    recorded, enhanced, swapped = meters
    assert recorded.judge(enhanced).spreads == recorded.judge(swapped).spreads == recorded.judge().spreads
    faint = ActivityMeter(2, RATE)
    faint.feed(1e-6 * voices[:, : 20 * RATE] / voices.std())
    assert faint.judge().believed == ()


def test_activity_of_short_and_silent_pieces():
    meter = ActivityMeter(2, RATE)
    assert meter.judge().believed == ()
    meter.feed(np.zeros((2, 10), np.float32))
    assert meter.judge().believed == ()


def test_bad_arguments():
    with pytest.raises(InputError, match="not to separate"):
        separating_engine(type("E", (), {"card": example_card()})())
    with pytest.raises(InputError, match="separates 2 voices, not 3"):
        separate(np.zeros(9, np.float32), RATE, model=Splitter(), speakers=3)
    with pytest.raises(InputError, match="drop or keep"):
        separate(np.zeros(9, np.float32), RATE, model=Splitter(), noise="hide")
    with pytest.raises(InputError, match="1 or more"):
        separate(np.zeros(9, np.float32), RATE, model=Splitter(), speakers=0)
    with pytest.raises(InputError, match="no published model separates 7 voices, but 2"):
        separate(np.zeros(9, np.float32), RATE, speakers=7)


class Memory:
    """A sink that keeps what it is given."""

    clipped_samples = 0

    def __init__(self):
        self.parts, self.kept = [], False

    def write(self, samples):
        self.parts.append(samples)

    def notes(self):
        return []

    def commit(self):
        self.kept = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def test_files_get_their_voices_and_empty_ones_are_not_kept(voices, tmp_path):
    from voxfield.audio import load, open_source

    sf.write(tmp_path / "alone.wav", voices[0, : 5 * RATE], RATE, "PCM_16")
    sinks, alone = [Memory(), Memory()], Memory()
    with open_source(tmp_path / "alone.wav") as source:
        done = separate_into(source, sinks, Splitter(), alone=alone, speakers="auto").to_dict()
    assert alone.kept and not any(sink.kept for sink in sinks)
    assert np.array_equal(np.concatenate(alone.parts, 1), load(tmp_path / "alone.wav")[0])
    assert done["speakers"] == 1
    json.dumps(done)
    made = separate(tmp_path / "alone.wav", model=Splitter())
    paths = made.save(tmp_path / "out")
    assert [path.name for path in paths] == ["alone_speaker1.wav", "alone_speaker2.wav"]
    assert sf.info(paths[0]).subtype == "PCM_16" and sf.info(paths[0]).frames == 5 * RATE
