"""Evaluation: pairs by name, scores beside the noisy input, by SNR."""

import json

import numpy as np
import pytest
import soundfile

from voxfield.cli.app import run
from voxfield.errors import InputError
from voxfield.tasks.evaluation.enhancement import EnhancementScoring, mean, pairs, score_pair
from voxfield.tasks.evaluation.scoring import evaluate
from voxfield.tasks.evaluation.separation import score_voices


@pytest.fixture
def folders(tmp_path, speech):
    """Three pairs at about 0, 10 and 20 dB."""
    for name in ("noisy", "clean"):
        (tmp_path / name).mkdir()
    for number, gain in enumerate((1.0, 0.3, 0.1)):
        clean = speech(1, 32000, seed=number)[0]
        noise = gain * clean.std() * np.random.default_rng(number).standard_normal(32000)
        soundfile.write(tmp_path / "clean" / f"{number}.wav", clean, 16000)
        soundfile.write(tmp_path / "noisy" / f"{number}.flac", clean + noise, 16000)
    return tmp_path / "noisy", tmp_path / "clean"


def scored(folders, process, measures):
    rows = []
    for name, noisy, clean in pairs(*folders):
        first, second = (soundfile.read(path, dtype="float32")[0] for path in (noisy, clean))
        rows.append({"name": name, **score_pair(first, process(first), second, measures)})
    return rows


def test_a_wire_scores_like_its_input_and_a_lossy_one_worse(folders):
    wire = scored(folders, lambda noisy: noisy, ["si_sdr_db", "stoi"])
    assert mean(wire, "noisy") == mean(wire, "enhanced")
    assert [round(row["snr_db"], -1) for row in wire] == [0, 10, 20]
    lossy = scored(folders, lambda noisy: np.round(noisy, 1), ["si_sdr_db"])
    assert mean(lossy, "enhanced")["si_sdr_db"] < mean(lossy, "noisy")["si_sdr_db"] - 1


def test_summary_by_snr(folders, tiny_spectral):
    found = evaluate(*folders, str(tiny_spectral), ["si_sdr_db"])
    assert found.summary["recordings"] == 3 == sum(row["recordings"] for row in found.summary["by_snr"])
    assert found.model == "tiny-spectral.v1" and not found.failed


def test_an_edge_of_the_snr_belongs_to_the_range_above():
    row = {"snr_db": 5.0, "noisy": {"si_sdr_db": 1.0}, "enhanced": {"si_sdr_db": 2.0}}
    (part,) = EnhancementScoring(None, ["si_sdr_db"]).summary([row])["by_snr"]
    assert (part["from_db"], part["to_db"]) == (5, 10)


def test_voices_are_scored_in_their_best_order(voice):
    pytest.importorskip("pystoi")
    voices = np.stack([voice("anna"), voice("ben", 1)])
    assert score_voices(voices.sum(0), voices[::-1], voices, 16000, ["stoi"])["stoi"] > 0.99


def test_a_bad_recording_is_a_row(folders, tiny_spectral, capsys):
    noisy, clean = folders
    soundfile.write(clean / "1.wav", np.zeros(32000), 16000)
    (noisy / "2.flac").write_bytes(b"no sound")
    found = evaluate(noisy, clean, str(tiny_spectral), ["si_sdr_db"])
    assert [row["name"] for row in found.failed] == ["1", "2"] and found.summary["failed"] == 2
    assert "silent" in found.failed[0]["error"] and "2.flac" in found.failed[1]["error"]
    assert run(["evaluate", str(noisy), str(clean), "--model", str(tiny_spectral), "--measures", "si_sdr_db"]) == 1
    assert "2" in capsys.readouterr().err
    (noisy / "0.flac").write_bytes(b"no sound")
    with pytest.raises(InputError, match="none of 3 recordings"):
        evaluate(noisy, clean, str(tiny_spectral), ["si_sdr_db"])


def test_measures_and_tasks_there_are_none_of(folders, tiny_spectral, tiny_separator):
    with pytest.raises(InputError, match="no measure 'loudness'; there are: pesq"):
        evaluate(*folders, str(tiny_spectral), ["loudness"])
    with pytest.raises(InputError, match="no measure 'estoi' of separation"):
        evaluate(*folders, str(tiny_separator), ["estoi"])


def test_folders_that_do_not_match(folders, tmp_path):
    noisy, clean = folders
    with pytest.raises(InputError, match="is not a folder"):
        list(pairs(tmp_path / "none", clean))
    (clean / "1.wav").unlink()
    with pytest.raises(InputError, match="no clean recording of the name 1"):
        list(pairs(noisy, clean))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no recordings"):
        list(pairs(tmp_path / "empty", clean))


def test_command(folders, tiny_spectral, capsys):
    noisy, clean = map(str, folders)
    arguments = ["evaluate", noisy, clean, "--model", str(tiny_spectral), "--measures", "si_sdr_db, estoi"]
    assert run([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["recordings"] == 3 and set(found["noisy"]) == {"si_sdr_db", "estoi"}
    assert run(arguments) == 0
    assert "enhanced" in capsys.readouterr().out
    assert run(["evaluate", noisy, str(tiny_spectral)]) == 2
    assert run([*arguments, "--limit", "-1"]) == 2


def test_scores_are_of_the_same_recordings_on_either_side(folders, tiny_spectral, capsys):
    noisy, clean = folders
    for path in noisy.iterdir():  # what is clean already has an infinite SI-SDR, and what is enhanced has not
        soundfile.write(path, soundfile.read(clean / f"{path.stem}.wav")[0], 16000)
    arguments = ["evaluate", str(noisy), str(clean), "--model", str(tiny_spectral), "--measures", "si_sdr_db"]
    assert run([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["noisy"] == found["enhanced"] == {}
    assert sum(part["recordings"] for part in found["by_snr"]) == 3
    rows = [{"a": {"pesq": 1.0}, "b": {"pesq": 3.0}}, {"a": {"pesq": float("nan")}, "b": {"pesq": 1.0}}]
    assert mean(rows, "a") == {"pesq": 1.0} and mean(rows, "b") == {"pesq": 3.0}


def test_recordings_that_do_not_belong_together(folders, tiny_spectral, capsys):
    noisy, clean = folders
    soundfile.write(clean / "1.wav", soundfile.read(clean / "1.wav")[0][:16000], 16000)
    found = evaluate(noisy, clean, str(tiny_spectral), ["si_sdr_db"])
    assert [row["name"] for row in found.failed] == ["1"] and "lasts 2.00 s and" in found.failed[0]["error"]


def test_nothing_but_words_goes_to_a_file(folders, tiny_spectral, capsys):
    arguments = ["evaluate", *map(str, folders), "--model", str(tiny_spectral), "--measures", "si_sdr_db"]
    assert run(arguments) == 0
    assert capsys.readouterr().err == ""


def test_a_list_of_trials_needs_no_model(tmp_path, voice, capsys):
    for name in ("a", "b"):
        soundfile.write(tmp_path / f"{name}.wav", voice("anna"), 16000)
    (tmp_path / "trials.txt").write_text("1 a.wav b.wav\n0 a.wav b.wav\n")
    assert run(["evaluate", str(tmp_path / "trials.txt"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"].startswith("ds-tdnn")
