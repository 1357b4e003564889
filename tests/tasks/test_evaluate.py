"""Evaluation: pairs by name, scores beside the noisy input, by SNR."""

import json

import numpy as np
import pytest
import soundfile

from voxfield.cli.app import run
from voxfield.errors import InputError
from voxfield.tasks.evaluate import evaluate, pairs


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


def recordings(folders):
    for name, noisy, clean in pairs(*folders):
        yield name, soundfile.read(noisy, dtype="float32")[0], soundfile.read(clean, dtype="float32")[0]


def test_a_wire_scores_like_its_input_and_a_lossy_one_worse(folders):
    wire = evaluate(recordings(folders), lambda noisy: noisy, ["si_sdr_db", "stoi"])
    assert wire.mean("noisy") == wire.mean("enhanced")
    assert [round(row["snr_db"], -1) for row in wire.rows] == [0, 10, 20]
    lossy = evaluate(recordings(folders), lambda noisy: np.round(noisy, 1), ["si_sdr_db"])
    assert lossy.mean("enhanced")["si_sdr_db"] < lossy.mean("noisy")["si_sdr_db"] - 1


def test_table_by_snr(folders):
    table = evaluate(recordings(folders), lambda noisy: noisy, ["si_sdr_db"]).to_dict()
    assert table["recordings"] == 3 == sum(row["recordings"] for row in table["by_snr"])


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
    arguments = ["evaluate", noisy, clean, "--model", str(tiny_spectral), "--measures", "si_sdr_db,estoi"]
    assert run([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["recordings"] == 3 and set(found["noisy"]) == {"si_sdr_db", "estoi"}
    assert run(arguments) == 0
    assert "enhanced" in capsys.readouterr().out
    assert run(["evaluate", noisy, str(tiny_spectral)]) == 2
