"""`voxfield separate`: one file a voice, pipes, and what goes wrong."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from voxfield.audio import FileSink
from voxfield.cli.app import run
from voxfield.errors import OutputError
from voxfield.runtime import load_engine


@pytest.fixture(scope="module")
def model(make_sample_model, tmp_path_factory):
    return str(make_sample_model(tmp_path_factory.mktemp("models") / "two.onnx", sources=2))


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / "talk.wav"
    sf.write(path, 0.1 * np.random.default_rng(0).standard_normal(16000), 16000, "PCM_24")
    return path


def test_one_file_a_voice(recording, model, tmp_path, capsys):
    assert run(["separate", str(recording), "-o", str(tmp_path / "out"), "--model", model, "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert [name.rpartition("/")[2] for name in row["outputs"]] == ["talk_speaker1.wav", "talk_speaker2.wav"]
    for name in row["outputs"]:
        info = sf.info(name)
        assert (info.frames, info.samplerate, info.subtype) == (16000, 16000, "PCM_24")


def test_the_raw_output_is_floats_of_any_size(tmp_path):
    sf.write(tmp_path / "loud.flac", 0.1 * np.random.default_rng(0).standard_normal(16000), 16000)
    assert run(["separate", str(tmp_path / "loud.flac"), "--raw-output"]) == 0
    recording = sf.read(tmp_path / "loud.flac", dtype="float32")[0]
    wanted = load_engine("conv-tasnet-small").step(recording[None, None], ())[0][0]
    for number, voice in enumerate(wanted, 1):
        path = tmp_path / f"loud_speaker{number}.wav"
        assert sf.info(path).subtype == "FLOAT"
        assert np.abs(sf.read(path)[0] - voice).max() < 1e-6


def test_voices_of_an_earlier_run_are_not_separated_again(recording, model, tmp_path, capsys):
    command = ["separate", str(tmp_path), "--model", model, "--json", "--overwrite"]
    assert run(command) == 0
    capsys.readouterr()
    assert run(command) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["input"] for row in rows] == [str(recording)]


def test_nothing_is_replaced_unasked(recording, model, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "talk_speaker2.wav").write_bytes(b"mine")
    assert run(["separate", str(recording), "-o", str(out), "--model", model]) == 1
    assert "exists already" in capsys.readouterr().err
    assert [path.name for path in out.iterdir()] == ["talk_speaker2.wav"]
    assert (out / "talk_speaker2.wav").read_bytes() == b"mine"


def test_pipes_carry_the_voices_as_channels(model, monkeypatch, capfdbinary):
    samples = (1000 * np.random.default_rng(0).standard_normal(8000)).astype("<i2")

    class Piped(io.BytesIO):
        def isatty(self):
            return False

    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(Piped(samples.tobytes())))
    assert run(["separate", "-", "--raw", "16000", "--model", model, "-q"]) == 0
    out = np.frombuffer(capfdbinary.readouterr().out, "<i2")
    assert len(out) == 2 * 8000


@pytest.mark.parametrize("samples", [100, 30000])
def test_a_recording_to_standard_output(tiny_separator, tmp_path, capfdbinary, samples):
    sf.write(tmp_path / "talk.wav", np.random.default_rng(0).normal(0, 0.1, (samples, 2)), 48000)
    assert run(["separate", str(tmp_path / "talk.wav"), "-o", "-", "--model", str(tiny_separator), "-q"]) == 0
    voices, rate_hz = sf.read(io.BytesIO(capfdbinary.readouterr().out))
    assert voices.shape == (samples, 4) and rate_hz == 48000


def test_one_bad_file_does_not_stop_the_others(recording, model, tmp_path, capsys):
    bad = tmp_path / "bad.wav"
    bad.write_text("not sound")
    out = tmp_path / "out"
    assert run(["separate", str(bad), str(recording), "-o", str(out), "--model", model]) == 1
    assert sorted(path.name for path in out.iterdir()) == ["talk_speaker1.wav", "talk_speaker2.wav"]
    assert "bad.wav" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--speakers", "3"], "separates 2 voices, not 3"),
        (["--speakers", "two"], "whole number or auto"),
        (["--speakers", "0"], "1 or more"),
        (["--noise", "hide"], "drop or keep"),
        (["-o", "voices.wav"], "looks like a file"),
        (["-o", "-", "--speakers", "auto"], "decides at the end which voices there are"),
    ],
)
def test_wrong_usage(recording, model, words, message, capsys):
    assert run(["separate", str(recording), "--model", model, *words]) == 2
    assert message in capsys.readouterr().err


def test_an_enhancer_is_refused(recording, tiny_spectral, capsys):
    assert run(["separate", str(recording), "--model", str(tiny_spectral)]) == 2
    assert "not to separate" in capsys.readouterr().err


@pytest.mark.parametrize("count", [1, 2, 800])
def test_very_short_recordings(model, tmp_path, count):
    path = tmp_path / "short.wav"
    sf.write(path, np.full(count, 0.1), 16000)
    assert run(["separate", str(path), "--model", model, "-q"]) == 0
    assert sf.info(tmp_path / "short_speaker1.wav").frames == count


def test_only_what_was_written_is_listed_not_what_an_earlier_run_left(model, tmp_path, capsys):
    path, earlier = tmp_path / "quiet.wav", tmp_path / "quiet_speaker2.wav"
    for name in (path, earlier):
        sf.write(name, np.zeros(16000), 16000)
    assert run(["separate", str(path), "--model", model, "--speakers", "auto", "--overwrite", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["outputs"] == [] and earlier.exists()
    assert row["notes"][-1] == "quiet_speaker2.wav is of an earlier run, and was left"


def test_silence_with_speakers_auto_leaves_no_voice(model, tmp_path, capsys):
    path = tmp_path / "quiet.wav"
    sf.write(path, np.zeros(16000), 16000)
    assert run(["separate", str(path), "--model", model, "--speakers", "auto", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["speakers"] == 0 and row["outputs"] == []
    assert sorted(item.name for item in tmp_path.iterdir()) == ["quiet.wav"]


def test_one_voice_with_speakers_auto_is_the_recording_itself(tmp_path, capsys):
    recording = Path(__file__).parents[2] / "examples" / "clean" / "two_voices_1.flac"
    assert run(["separate", str(recording), "-o", str(tmp_path), "--speakers", "auto", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["speakers"] == 1 and row["outputs"] == [str(tmp_path / "two_voices_1_speaker1.flac")]
    assert any("the recording itself" in note for note in row["notes"])
    assert [item.name for item in tmp_path.iterdir()] == ["two_voices_1_speaker1.flac"]
    assert np.array_equal(sf.read(row["outputs"][0])[0], sf.read(recording)[0])


def test_the_report_is_one_page_that_loads_nothing(recording, model, tmp_path):
    page = tmp_path / "page.html"
    words = ["separate", str(recording), "-o", str(tmp_path / "out"), "--model", model, "--report", str(page)]
    assert run(words) == 0
    text = page.read_text()
    assert text.count("<audio") == 3 and text.count("data:image/png") == 3
    assert "http" not in text.replace("http-equiv", "")
    assert run([*words, "--overwrite"]) == 0
    assert run([*words[:-1], str(tmp_path / "page.pdf")]) == 2


def test_a_disk_full_at_the_second_voice_leaves_no_first_to_be_skipped(recording, model, tmp_path, monkeypatch):
    commit = FileSink.commit

    def refuse(sink):
        if "speaker2" in sink.path.name:
            raise OutputError(f"{sink.path} could not be written to its end: No space left on device")
        commit(sink)

    words = ["separate", str(recording), "-o", str(tmp_path / "out"), "--model", model, "--skip-existing"]
    monkeypatch.setattr(FileSink, "commit", refuse)
    assert run(words) == 1
    monkeypatch.undo()
    assert run(words) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["talk_speaker1.wav", "talk_speaker2.wav"]
