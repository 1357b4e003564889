"""Evaluation of a speaker model on lists of trials: errors by list and kind of score, calibration, cohort, DET plot."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import soundfile

import voxfield as vf
from voxfield.cli.app import run
from voxfield.errors import InputError
from voxfield.metrics.verification import cllr, equal_errors
from voxfield.tasks.evaluation.scoring import evaluate
from voxfield.tasks.evaluation.verification import against_cohort
from voxfield.tasks.speakers.calibration import Calibration
from voxfield.tasks.speakers.embedding import Embedded, unit
from voxfield.tasks.speakers.speech_meter import Speech
from voxfield.tasks.speakers.trials import Trial

SPEAKERS = 4
TAKES = 3


class Pitch:
    """An engine whose embedding says which bands change over time: each of the test's speakers has its own."""

    free_batch = True

    def __init__(self, card):
        self.card = card

    def initial_state(self, batch=1):
        return ()

    def step(self, block, state):
        return block.std(2) - block.std(2).mean(1, keepdims=True), ()


@pytest.fixture(scope="module")
def engine():
    from voxfield.cards import features_to_embedding
    from voxfield.cards.card import example_card

    return Pitch(example_card(name="pitch.v1", task="embed", interface=features_to_embedding("kaldi-hamming", 80, 80)))


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    """Folder with lists a.txt and b.txt of all pairs of noisy hums, four speakers with three takes each."""
    folder = tmp_path_factory.mktemp("trials")
    rng = np.random.default_rng(0)
    for speaker in range(SPEAKERS):
        for take in range(TAKES):
            time_s = np.arange(16000 + 8000 * take) / 16000
            hum = np.sin(2 * np.pi * 220 * 2**speaker * (1 + 0.02 * take) * time_s) * (np.sin(7 * time_s) > 0)
            sound = 0.1 * hum + (0.01 + 0.03 * take) * rng.standard_normal(len(time_s))
            soundfile.write(folder / f"{speaker}-{take}.wav", sound, 16000)
    names = [(speaker, take) for speaker in range(SPEAKERS) for take in range(TAKES)]
    lines = [f"{int(a == b)} {a}-{i}.wav {b}-{j}.wav\n" for a, i in names for b, j in names if (a, i) < (b, j)]
    (folder / "a.txt").write_text("# all pairs\n" + "".join(lines))
    (folder / "b.txt").write_text("".join(lines[::-1][:40]))
    return folder


def test_a_row_for_each_list_with_the_errors_of_its_trials(engine, trials):
    found = evaluate(trials, None, engine)
    assert [row["list"] for row in found.summary["trials"]] == ["a", "b"]
    first = found.summary["trials"][0]
    pairs = [line.split() for line in (trials / "a.txt").read_text().splitlines()[1:]]
    scores = [vf.verify(trials / one, trials / other, model=engine).score for _, one, other in pairs]
    wanted = equal_errors(np.array(scores), np.array([int(same) for same, _, _ in pairs])).rate
    assert first["eer"] == pytest.approx(wanted, abs=1e-4) and first["eer"] < 0.4
    assert (first["targets"], first["impostors"]) == (12, 54) and "cllr" not in first
    assert found.summary["recordings"] == 12 and "calibration" not in found.summary
    assert evaluate(trials / "a.txt", None, engine, ["eer"]).summary["trials"][0].keys() >= {"eer"}


def test_a_calibration_is_fitted_on_other_trials_and_given_for_the_card(engine, trials):
    found = evaluate(trials / "a.txt", None, engine, options={"calibrate": trials / "b.txt"})
    rows = {row["scores"]: row for row in found.summary["trials"]}
    assert 0 < rows["calibrated"]["cllr"] < 1 and "cllr" not in rows["cosine"]
    calibration = Calibration.from_dict(found.summary["calibration"])
    made = [vf.embed(trials / f"{s}-{t}.wav", model=engine) for s in range(SPEAKERS) for t in range(TAKES)]
    upper = list(zip(*np.triu_indices(len(made), 1), strict=True))
    ratios = calibration.ratios(
        [float(unit(made[a].vector) @ unit(made[b].vector)) for a, b in upper],
        [min(made[a].speech.seconds, made[b].speech.seconds) for a, b in upper],
        [min(made[a].speech.range_db, made[b].speech.range_db) for a, b in upper],
    )
    same = np.array([a // TAKES == b // TAKES for a, b in upper])
    assert rows["calibrated"]["cllr"] == pytest.approx(cllr(ratios, same), abs=1e-4)


def test_scores_against_a_cohort_are_those_of_the_metric(trials):
    rng = np.random.default_rng(0)
    made = {
        name: Embedded(v, "m.v1", 1, Speech(1, 0, False))
        for name, v in zip("abc", rng.normal(size=(3, 5)), strict=True)
    }
    cohort = np.stack([unit(v) for v in rng.normal(size=(20, 5))])
    pairs = [Trial(True, "a", "b"), Trial(False, "a", "c")]
    found = against_cohort(pairs, made, cohort)
    mean = cohort.mean(0)
    vectors = {name: unit(unit(one.vector) - mean) for name, one in made.items()}
    others = np.stack([unit(v - mean) for v in cohort])
    for at, (_, first, second) in enumerate([(p.same, p.first, p.second) for p in pairs]):
        score = vectors[first] @ vectors[second]
        sides = [vectors[name] @ others.T for name in (first, second)]  # of fewer than 300: all count
        wanted = np.mean([(score - side.mean()) / side.std() for side in sides])
        assert found["centred"][at] == pytest.approx(score) and found["AS-norm"][at] == pytest.approx(wanted)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """An exported network with random weights."""
    import torch
    from embedders import embedder

    from voxfield.export import export_network

    torch.manual_seed(0)
    net = embedder("ds-tdnn")
    path = tmp_path_factory.mktemp("network") / "net.onnx"
    about = {
        "name": "tiny-speakers.v1", "task": "embed", "architecture": "ds-tdnn", "summary": "tiny", "config": {},
        "licence": "Apache-2.0", "data": (), "interface": net.interface(),
    }  # fmt: skip
    export_network(net, path, about)
    return path


def test_the_command_with_a_cohort_and_a_det_plot(network, trials, tmp_path, capsys, monkeypatch):
    cohort, det = tmp_path / "cohort.npz", tmp_path / "det.svg"
    assert run(["embed", *map(str, sorted(trials.glob("*-0.wav"))), "--model", str(network), "-o", str(cohort)]) == 0
    capsys.readouterr()
    arguments = ["evaluate", str(trials), "--model", str(network), "--cohort", str(cohort), "--det", str(det)]
    assert run([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["scores"] for row in found["trials"][:3]] == ["cosine", "centred", "AS-norm"]
    assert all(0 <= row["eer"] <= 1 and 0 <= row["min_dcf"] <= 1 for row in found["trials"])
    drawing = ET.parse(det).getroot()
    assert len([item for item in drawing.iter() if item.tag.endswith("polyline")]) == 4
    assert run(arguments) == 0 and "EER (%)" in capsys.readouterr().out
    monkeypatch.setenv("COLUMNS", "50")
    assert run(arguments) == 0
    shown = capsys.readouterr().out.split("┡")[1]
    assert "AS-" in shown and "…" not in shown  # a narrow terminal cuts no name off


def test_verify_says_what_the_calibration_on_the_card_makes_of_it(network, trials, tmp_path, capsys):
    import torch
    from embedders import embedder

    from voxfield.export import export_network

    torch.manual_seed(0)
    net = embedder("ds-tdnn")
    found = evaluate(trials, None, network, options={"calibrate": trials / "b.txt"})
    about = {
        "name": "tiny-speakers.v2", "task": "embed", "architecture": "ds-tdnn", "summary": "tiny", "config": {},
        "licence": "Apache-2.0", "data": (), "interface": net.interface(), "calibration": found.summary["calibration"],
    }  # fmt: skip
    export_network(net, tmp_path / "net.onnx", about)
    pair = [str(trials / "0-0.wav"), str(trials / "0-1.wav")]
    assert run(["verify", *pair, "--model", str(tmp_path / "net.onnx"), "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert 0 < line["probability"] < 1 and line["same"] is (
        line["log_likelihood_ratio"] >= found.summary["calibration"]["threshold"]
    )
    assert run(["verify", *pair, "--model", str(tmp_path / "net.onnx")]) == 0
    assert f"probability of one speaker {100 * line['probability']:.1f} %" in capsys.readouterr().out
    assert run(["verify", *pair, "--model", str(network)]) == 0
    assert "no decision without --threshold" in capsys.readouterr().out


def test_what_cannot_be_scored_is_refused_or_named(engine, trials, tmp_path, tiny_spectral):
    with pytest.raises(InputError, match="say themselves who speaks"):
        evaluate(trials, trials, engine)
    with pytest.raises(InputError, match="no measure 'pesq' of verification"):
        evaluate(trials, None, engine, ["pesq"])
    with pytest.raises(InputError, match="--limit has no meaning for trials"):
        evaluate(trials, None, engine, limit=2)
    with pytest.raises(InputError, match="holds no lists of trials"):
        evaluate(tmp_path, None, engine)
    with pytest.raises(InputError, match="--cohort has no meaning for tiny-spectral"):
        evaluate(trials, trials, str(tiny_spectral), options={"cohort": tmp_path})
    with pytest.raises(InputError, match="name their folder"):
        evaluate(trials, None, str(tiny_spectral))
    (tmp_path / "bad.npz").write_bytes(b"no zip")
    with pytest.raises(InputError, match=r"is no \.npz"):
        evaluate(trials, None, engine, options={"cohort": tmp_path / "bad.npz"})
    np.savez(tmp_path / "cut.npz", embedding=np.ones((2, 80)), model=["m.v1", "m.v1"])
    (tmp_path / "cut.npz").write_bytes((tmp_path / "cut.npz").read_bytes()[:-100])
    with pytest.raises(InputError, match=r"cut\.npz is no \.npz .* or it is damaged$"):
        evaluate(trials, None, engine, options={"cohort": tmp_path / "cut.npz"})
    with pytest.raises(InputError, match=r"none\.npz cannot be read: No such file or directory$"):
        evaluate(trials, None, engine, options={"cohort": tmp_path / "none.npz"})
    with pytest.raises(InputError, match=r"--det det\.png: the drawing is an \.svg"):
        evaluate(trials, None, engine, options={"det": Path("det.png")})
    np.savez(tmp_path / "other.npz", embedding=np.ones((2, 80)), model=["m.v1", "m.v1"])
    with pytest.raises(InputError, match="holds vectors of m"):
        evaluate(trials, None, engine, options={"cohort": tmp_path / "other.npz"})
    soundfile.write(tmp_path / "silent.wav", np.zeros(16000), 16000)
    soundfile.write(tmp_path / "x.wav", soundfile.read(trials / "0-0.wav")[0], 16000)
    soundfile.write(tmp_path / "y.wav", soundfile.read(trials / "1-0.wav")[0], 16000)
    (tmp_path / "list.txt").write_text("1 x.wav x.wav\n0 x.wav y.wav\n1 x.wav silent.wav\n")
    found = evaluate(tmp_path / "list.txt", None, engine)
    assert "is silent" in found.failed[0]["error"] and found.summary["failed"] == 1
    assert (found.summary["trials"][0]["targets"], found.summary["trials"][0]["impostors"]) == (1, 1)
