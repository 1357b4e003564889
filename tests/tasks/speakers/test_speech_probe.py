"""Noise that comes and goes as speech does is no speech."""

from pathlib import Path

import numpy as np
import pytest
from embedders import embedder

import voxfield as vf
from voxfield.errors import InputError
from voxfield.tasks.speakers.speech_probe import SpeechProbe, probe_for
from voxfield.tasks.speakers.speech_windows import SpeechWindows, Windows, of_speech
from voxfield.train.torch_engine import TorchEngine, card_for

EXAMPLES = Path(__file__).parents[3] / "examples"
RATE_HZ = 16000
NOTE = "it sounds like noise or music rather than speech"


@pytest.fixture(scope="module")
def melody():
    """(N,) six seconds of notes that fade, with the harmonics of a saw tooth."""
    rng = np.random.default_rng(0)
    hz = np.repeat(220 * 2 ** (rng.integers(0, 12, 24) / 12), 4000)
    phase = 2 * np.pi * np.cumsum(hz) / RATE_HZ
    notes = sum(np.sin(k * phase) / k for k in range(1, 20)) * np.tile(np.exp(-np.arange(4000) / 2500), 24)
    return (0.3 * notes / np.abs(notes).max() + 1e-4 * rng.standard_normal(len(notes))).astype(np.float32)


def windows_of(engine, samples):
    windows = SpeechWindows(engine, RATE_HZ)
    windows.feed(samples)
    return windows.finish()


def test_music_that_the_detector_takes_for_speech_holds_nobody(melody, tmp_path):
    engine = vf.load_engine("ds-tdnn-small")
    assert len(windows_of(engine, melody).regions)  # by its level alone it would be speech
    assert vf.diarize(melody, RATE_HZ).turns == ()
    assert NOTE in vf.embed(melody, RATE_HZ).notes
    with pytest.raises(InputError, match="no speech was found"):
        vf.SpeakerBook(tmp_path / "book.db").enroll("Violin", melody, RATE_HZ)


@pytest.mark.parametrize("name", ["rain.wav", "dishwasher.wav", "two_voices.wav"])
def test_speech_stays_speech(name):
    assert NOTE not in vf.embed(EXAMPLES / name).notes
    assert vf.diarize(EXAMPLES / name).turns


def test_a_word_among_sentences_stays_and_noise_alone_goes():
    engine, probe = vf.load_engine("ds-tdnn-small"), SpeechProbe()
    axes = np.eye(192, dtype=np.float32)
    direction = probe.log_odds(axes) - probe.log_odds(-axes)
    best = (direction / np.linalg.norm(direction)).astype(np.float32)
    regions, pauses = np.array([[0, 300], [400, 450], [500, 900]]), np.array([[100, 130], [420, 440], [600, 630]])
    spans = np.array([[0, 150], [150, 300], [400, 450], [500, 650], [750, 900]])
    region = np.array([0, 0, 1, 2, 2])

    def kept(*signs):
        vectors = np.stack([sign * best for sign in signs])
        return of_speech(Windows(regions, region, spans, vectors, pauses), engine)

    assert probe.log_odds(best[None])[0] > 5 and probe.log_odds(-best[None])[0] < -5
    assert len(kept(-1, -1, -1, -1, -1).regions) == 0 and len(kept(-1, -1, -1, -1, -1).pauses) == 0
    assert len(kept(1, 1, 1, 1, 1).regions) == 3
    part = kept(-1, -1, -1, 1, 1)
    assert part.regions.tolist() == [[500, 900]] and part.region.tolist() == [0, 0]
    assert part.spans.tolist() == [[500, 650], [750, 900]] and part.pauses.tolist() == [[600, 630]]
    assert (part.vectors == best).all()


def test_embeddings_of_other_networks_are_not_judged(melody):
    engine = TorchEngine(net := embedder("ds-tdnn"), card_for(net, "embed", "ds-tdnn"))
    assert probe_for(engine) is None
    found = windows_of(engine, melody)
    assert len(found.regions) and of_speech(found, engine) is found
