"""Mixtures: the same for the same number, at the SNR and level asked for."""

import json
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from voxfield.errors import InputError
from voxfield.train.data.banks import AudioBank
from voxfield.train.data.made_noise import KINDS
from voxfield.train.data.mixing import MixConfig, Mixer, active_level
from voxfield.train.data.sources import read_source

PLAIN = MixConfig(
    duration_s=0.8, second_noise=0, babble=0, reverberation=0, equaliser=0, band_limit=0, clipping=0, clean=0,
    noise_only=0, silence=0, level_step=0, roll_off=0, speech_speed=0, noise_speed=0, noise_reversed=0,
    noise_envelope=0, events=0, made_noise=0,
)  # fmt: skip
EVERYTHING = MixConfig(
    duration_s=0.8, second_noise=0.5, babble=0.3, reverberation=0.5, equaliser=0.5, band_limit=0.5, clipping=0.5,
    clean=0.2, noise_only=0.2, silence=0.1, level_step=0.5, roll_off=0.5, speech_speed=0.5, noise_speed=0.5,
    noise_reversed=0.5, noise_envelope=0.4, events=0.4, made_noise=0.4,
)  # fmt: skip


@pytest.fixture
def mixer(sounds, tmp_path):
    def make(config):
        names = {"speech": "speech", "noise": "noise", "rir": "rooms"}
        banks = [AudioBank(read_source(sounds / folder, kind), 16000, tmp_path) for kind, folder in names.items()]
        return Mixer(config, *banks)

    return make


def test_an_item_is_decided_by_its_number(mixer):
    first, second = mixer(EVERYTHING), mixer(EVERYTHING)
    for index in range(30):
        one, again = first.mix(3, index), second.mix(3, index)
        assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
        assert all(a.dtype == np.float32 and a.shape == (12800,) and np.isfinite(a).all() for a in one)
        assert np.abs(one[0]).max() <= 1
    assert not np.array_equal(first.mix(0, 5)[0], first.mix(1, 5)[0])


def test_snr_is_what_was_asked_for(mixer):
    for snr_db in (-5.0, 10.0):
        noisy, clean = mixer(replace(PLAIN, snr_db=(snr_db, snr_db))).mix(0, 1)
        found = 20 * np.log10(active_level(clean) / active_level(noisy - clean))
        assert found == pytest.approx(snr_db, abs=0.1)


def test_level_is_what_was_asked_for(mixer):
    noisy, _ = mixer(replace(PLAIN, level_dbfs=(-30.0, -30.0))).mix(0, 2)
    assert 20 * np.log10(active_level(noisy)) == pytest.approx(-30, abs=0.1)


def test_special_items(mixer):
    noisy, clean = mixer(replace(PLAIN, noise_only=1.0)).mix(0, 0)
    assert noisy.any() and not clean.any()
    noisy, clean = mixer(replace(PLAIN, silence=1.0)).mix(0, 0)
    assert not noisy.any() and not clean.any()
    noisy, clean = mixer(replace(PLAIN, clean=1.0)).mix(0, 0)
    assert np.abs(noisy - clean).max() < 0.05 * np.abs(clean).max()


def test_a_roll_off_lies_over_speech_and_noise_alike(mixer):
    """What is above it is 40 dB and more down in both, so where sound ends says nothing about what is noise."""
    for index in range(8):
        noisy, clean = mixer(replace(PLAIN, roll_off=1.0, snr_db=(0.0, 0.0))).mix(0, index)
        plain_noisy, plain_clean = mixer(replace(PLAIN, snr_db=(0.0, 0.0))).mix(0, index)
        for after, before in ((clean, plain_clean), (noisy - clean, plain_noisy - plain_clean)):
            lost = np.abs(np.fft.rfft(after))[-60:] / (np.abs(np.fft.rfft(before))[-60:] + 1e-9)
            assert np.median(lost) < 0.75


def test_a_level_step_leaves_quieter_speech_behind(mixer):
    for index in range(6):
        _, clean = mixer(replace(PLAIN, level_step=1.0)).mix(0, index)
        assert active_level(clean[-3200:]) < 0.45 * active_level(clean[:3200])


def test_speed_changes_the_pitch(mixer):
    tone = np.sin(2 * np.pi * 500 * np.arange(20000) / 16000).astype(np.float32)
    faster = mixer(PLAIN).at_speed(tone, 1.5)
    assert len(faster) == 12800
    assert np.abs(np.fft.rfft(faster)).argmax() * 16000 / 12800 == pytest.approx(750, abs=5)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_made_noise_is_finite_and_varied(kind):
    made = [kind(np.random.default_rng(seed), 8000, 16000) for seed in range(20)]
    assert all(audio.shape == (8000,) and np.isfinite(audio).all() and audio.any() for audio in made)
    assert not np.allclose(made[0], made[1])


def test_manifests(sounds, tmp_path):
    wav = next((sounds / "speech").rglob("*.wav"))
    rows = [
        {"audio_filepath": str(wav), "speaker": "a", "split": "train", "offset": 0.1, "duration": 0.25},
        {"audio_filepath": str(wav), "speaker": "b", "split": "valid"},
    ]
    (tmp_path / "list.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    bank = AudioBank(read_source(tmp_path / "list.jsonl", "speech", "train"), 16000, tmp_path)
    assert len(bank) == 1 and len(bank.clip(0)) == 4000
    (tmp_path / "list.csv").write_text(f"path,kind,label\n{wav},noise,hum\n{wav},speech,\n")
    assert [clip.group for clip in read_source(tmp_path / "list.csv", "noise")] == ["hum"]


def test_sources_that_cannot_be_used(tmp_path):
    with pytest.raises(InputError, match="no folder"):
        read_source(tmp_path / "none", "speech")
    with pytest.raises(InputError, match="holds no speech"):
        read_source(tmp_path, "speech")
    (tmp_path / "list.jsonl").write_text('{"speaker": "a"}')
    with pytest.raises(InputError, match="row 1"):
        read_source(tmp_path / "list.jsonl", "speech")
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(InputError, match=r"cannot read .*text\.wav: Format not recognised\.$"):
        AudioBank(read_source(tmp_path, "noise"), 16000, tmp_path / "cache")


def test_resampled_to_the_banks_rate(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(44100), 44100)
    assert len(AudioBank(read_source(tmp_path, "noise"), 16000, tmp_path / "cache").clip(0)) == 16000
