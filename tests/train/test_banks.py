"""Decoded audio: one file a recording, made once, by whoever comes first."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile

from voxfield.errors import InputError
from voxfield.train.data.banks import AudioBank, decoded_path
from voxfield.train.data.sources import Clip, read_source


def test_a_bank_of_some_recordings_reads_what_another_decoded(sounds, tmp_path, monkeypatch):
    clips = read_source(sounds / "speech", "speech")
    whole = AudioBank(clips, 16000, tmp_path)
    monkeypatch.setattr("voxfield.train.data.banks.decode", None)  # nothing may be decoded again
    some = AudioBank(clips[3:5], 16000, tmp_path)
    assert np.array_equal(some.clip(0), whole.clip(3))
    expected = soundfile.read(clips[3].path, dtype="float32")[0]
    assert np.abs(some.clip(0) - expected).max() < 1e-4


def test_the_channels_of_a_recording_are_its_mean_as_the_verbs_take_it(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.tile([0.5, 0.25], (1600, 1)), 16000)
    assert AudioBank([Clip(str(tmp_path / "a.wav"))], 16000, tmp_path).clip(0) == pytest.approx(0.375, abs=1e-3)


def test_a_changed_recording_and_another_rate_are_decoded_anew(tmp_path):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.full(1600, 0.5), 16000)
    assert AudioBank([Clip(str(path))], 16000, tmp_path / "cache").clip(0)[0] == pytest.approx(0.5, abs=1e-3)
    soundfile.write(path, np.full(3200, 0.25), 16000)
    changed = AudioBank([Clip(str(path))], 16000, tmp_path / "cache").clip(0)
    assert len(changed) == 3200 and changed[0] == pytest.approx(0.25, abs=1e-3)
    assert len(AudioBank([Clip(str(path))], 8000, tmp_path / "cache").clip(0)) == 1600


def test_parts_of_one_recording_share_its_samples(tmp_path):
    ramp = np.arange(16000) / 16000
    soundfile.write(tmp_path / "a.wav", ramp, 16000)
    parts = [Clip(str(tmp_path / "a.wav"), offset_s=0.5, duration_s=0.25), Clip(str(tmp_path / "a.wav"))]
    bank = AudioBank(parts, 16000, tmp_path / "cache")
    assert np.abs(bank.clip(0) - ramp[8000:12000]).max() < 1e-4 and len(bank.clip(1)) == 16000
    assert np.array_equal(bank.clip(0, 100, 50), bank.clip(0)[100:150])
    assert bank.samples(0) == 4000 and len(bank.clip(0, 3990, 50)) == 10  # never beyond the part
    assert len(list((tmp_path / "cache").rglob("*.s16"))) == 1


def test_a_missing_recording_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cannot read .*none\.wav"):
        AudioBank([Clip(str(tmp_path / "none.wav"))], 16000, tmp_path)


def test_a_recording_without_sound_is_named(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(0), 16000)
    with pytest.raises(InputError, match=r"a\.wav holds no sound"):
        AudioBank([Clip(str(tmp_path / "a.wav"))], 16000, tmp_path / "cache")


def test_two_processes_decode_one_cache(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(30):
        soundfile.write(tmp_path / f"{number}.wav", 0.1 * rng.standard_normal(20000), 44100)
    script = (
        "import sys; from voxfield.train.data.banks import AudioBank\n"
        "from voxfield.train.data.sources import read_source\n"
        f"clips = read_source({str(tmp_path)!r}, 'noise')\n"
        "print('ready', flush=True); sys.stdin.readline()\n"  # both decode at the same time
        f"bank = AudioBank(clips, 16000, {str(tmp_path / 'cache')!r})\n"
        "print(sum(float(abs(bank.clip(i)).sum()) for i in range(len(bank))))"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    both = [subprocess.Popen([sys.executable, "-c", script], **pipes) for _ in range(2)]
    assert [process.stdout.readline() for process in both] == ["ready\n", "ready\n"]
    for process in both:
        process.stdin.write("\n")
        process.stdin.flush()
    sums = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sums[0] == sums[1] and float(sums[0]) > 0
    clips = read_source(tmp_path, "noise")
    assert all(decoded_path(clip.path, 16000, tmp_path / "cache").exists() for clip in clips)
    assert {path.suffix for path in (tmp_path / "cache").rglob("*") if path.is_file()} == {".s16"}
