"""`vf.embed` and `vf.verify`: a recording as the vector that torch gives it, and sane answers for bad recordings."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from embedders import embedder

import voxfield as vf
from voxfield.audio import resample
from voxfield.cli.app import run
from voxfield.errors import CardError, InputError, OutputError
from voxfield.export import export_network
from voxfield.nn.fbank import FilterBank
from voxfield.tasks.speakers import embedding
from voxfield.tasks.speakers.embedding_file import save_embeddings
from voxfield.tasks.speakers.pauses import outside_pauses
from voxfield.tasks.speakers.speech_meter import SpeechMeter
from voxfield.tasks.speakers.verification import compared

NAMES = ("ecapa-tdnn", "speaker-resnet", "ds-tdnn", "ecapa-tdnn, speechbrain")


def beside(name):
    path = Path(__file__).parents[2] / "export" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Path of an exported network of each name."""
    folder, paths = tmp_path_factory.mktemp("models"), {}
    for number, name in enumerate(NAMES):
        net = embedder(name)
        about = {
            "name": f"tiny-speakers-{number}.v1", "task": "embed", "architecture": "ecapa-tdnn", "summary": "tiny",
            "config": {}, "licence": "Apache-2.0", "data": (), "interface": net.interface(),
        }  # fmt: skip
        paths[name] = folder / f"{number}.onnx"
        export_network(net, paths[name], about)
    return paths


@pytest.fixture(scope="module")
def model(models):
    return models["ecapa-tdnn"]


@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_a_recording_gives_the_vector_of_torch_features_included(name, models, speech):
    samples = speech(1, 40_000)
    features = FilterBank()(torch.from_numpy(samples))
    wanted = embedder(name)(features - features.mean(-1, keepdim=True))[0].numpy()
    made = vf.embed(samples, 16000, model=models[name])
    assert np.abs(made.vector - wanted).max() <= 1e-4 * np.abs(wanted).max()
    assert made.duration_s == 2.5 and 0.5 < made.speech.seconds < 2.5 and made.model.startswith("tiny-speakers")


def test_rates_channels_and_doors_agree(model, speech, tmp_path):
    samples = speech(1, 48_000)
    wanted = vf.embed(samples, 16000, model=model).vector
    sf.write(tmp_path / "a.wav", samples.T, 16000, subtype="FLOAT")
    for given, rate in (
        (tmp_path / "a.wav", None),
        ((tmp_path / "a.wav").read_bytes(), None),
        (np.repeat(samples, 2, axis=0), 16000),
        (resample(samples, 16000, 44_100), 44_100),
    ):
        assert embedding.cosine(vf.embed(given, rate, model=model).vector, wanted) > 0.999


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 100, 399, 400, 1600])
def test_short_recordings_give_numbers_and_a_warning(name, count, models, speech):
    made = vf.embed(speech(1, count), 16000, model=models[name])
    assert np.isfinite(made.vector).all() and made.notes


def test_silence_noise_and_whispers_are_said(model, speech):
    rng = np.random.default_rng(0)
    silent = vf.embed(np.zeros(32_000, np.float32), 16000, model=model)
    noise = vf.embed(0.1 * rng.standard_normal(32_000).astype(np.float32), 16000, model=model)
    quiet = vf.embed(0.01 * speech(1, 80_000), 16000, model=model)
    assert silent.speech.silent and "is silent" in silent.notes[0] and np.isfinite(silent.vector).all()
    assert noise.speech.seconds == 0 and "no speech was found" in noise.notes[0]
    assert any("very quiet" in note for note in quiet.notes)
    assert "s of speech; 2 s or more" in vf.embed(speech(1, 20_000), 16000, model=model).notes[0]
    broken = speech(1, 80_000)
    broken[0, 5] = np.nan
    assert np.isfinite(vf.embed(broken, 16000, model=model).vector).all()


@pytest.mark.parametrize("noise_db", [-200, -75])
def test_a_long_pause_does_not_move_the_vector(noise_db, speech, monkeypatch):
    samples = np.concatenate([speech(1, 64_000), speech(1, 64_000, seed=1)], axis=1)
    pause = 10 ** (noise_db / 20) * np.random.default_rng(0).standard_normal((1, 30 * 16000)).astype(np.float32)
    whole = vf.embed(samples, 16000)
    parts = [pause, samples[:, :64_000], pause, samples[:, 64_000:], pause]
    for pieces in (6000, 1000):  # all at once, and some of the pieces are nothing but a pause
        monkeypatch.setattr(embedding, "PIECE_FRAMES", pieces)
        paused = vf.embed(np.concatenate(parts, axis=1), 16000)
        assert embedding.cosine(whole.vector, paused.vector) > 0.85  # with the pauses 0.4
        assert paused.speech.seconds > 4 and not paused.speech.silent


def test_a_pause_keeps_a_margin_beside_speech_alone():
    levels = np.repeat([-90.0, -20.0, -90.0, -20.0, -90.0], [12, 10, 12, 10, 12])
    kept = outside_pauses(levels, 0.1).nonzero()[0].tolist()
    assert kept == [*range(10, 24), *range(32, 46)]  # 0.2 s at each side of speech, none at either end


def test_channels_that_cancel_are_not_silence(model, speech):
    samples = speech(1, 48_000)
    turned = vf.embed(np.concatenate([samples, -samples]), 16000, model=model)
    assert np.array_equal(turned.vector, vf.embed(samples, 16000, model=model).vector) and not turned.speech.silent


def test_moments_and_low_rates_are_said(model, speech):
    assert "it lasts 0.10 s" in vf.embed(speech(1, 1600), 16000, model=model).notes[0]
    assert "4000 Hz" in vf.embed(speech(2, 12_000, 4000), 4000, model=model).notes[0]


def test_quiet_is_not_silent(model, speech):
    samples = speech(1, 80_000)
    quiet = vf.embed(1e-3 * samples / np.abs(samples).max(), 16000, model=model)
    assert not quiet.speech.silent and any("very quiet" in note for note in quiet.notes)


def test_long_recordings_are_embedded_in_pieces(model, speech, monkeypatch):
    monkeypatch.setattr(embedding, "PIECE_FRAMES", 100)
    samples = speech(1, 56_000)  # 348 frames: pieces of 100, 100 and 148
    made = vf.embed(samples, 16000, model=model)
    assert any("in 3 pieces" in note for note in made.notes)
    parts = [samples[:, 160 * a : 160 * b + 240] for a, b in ((0, 100), (100, 200), (200, 348))]
    vectors = [vf.embed(part, 16000, model=model).vector for part in parts]
    mean = sum(n * v / np.linalg.norm(v) for n, v in zip((100, 100, 148), vectors, strict=True))
    assert embedding.cosine(made.vector, mean) > 1 - 1e-6 and np.linalg.norm(made.vector) == pytest.approx(1, abs=1e-5)


def test_verify_scores_and_decides_only_with_a_threshold(model, speech):
    a, b = speech(1, 48_000), speech(1, 48_000, seed=1)[:, ::-1].copy()
    same, other = vf.verify(a, a, 16000, model=model), vf.verify(a, b, 16000, model=model)
    assert same.score == pytest.approx(1, abs=1e-6) and same.same is None
    assert -1 <= other.score < same.score
    assert vf.verify(a, a, 16000, model=model, threshold=0.9).same is True
    assert vf.verify(a, b, 16000, model=model, threshold=1).same is False
    assert vf.verify(a, b, 16000, model=model, threshold=other.score).same is True  # from the threshold on
    silent = vf.verify(a, 0 * a, 16000, model=model, threshold=0.5)
    assert silent.score is None and silent.same is None
    assert silent.notes[-1].startswith("second recording: the recording is silent")
    assert vf.verify(a, a, 16000, model=model, threshold=np.float32(0.5)).to_dict()["threshold"] == 0.5
    for threshold in (2, float("nan"), True, "0.5"):
        with pytest.raises(InputError, match="cosine from -1 to 1"):
            vf.verify(a, a, 16000, model=model, threshold=threshold)


def test_vectors_of_two_models_are_not_compared(models, speech):
    first, second = (vf.embed(speech(1, 32_000), 16000, model=models[name]) for name in NAMES[:2])
    with pytest.raises(InputError, match="cannot be compared"):
        compared(first, second)


def test_without_a_model_it_is_the_bundled_one(speech, tiny_spectral):
    assert vf.embed(speech(1, 16_000), 16000).model.startswith("ds-tdnn-small.")
    with pytest.raises(InputError, match="is a model to enhance, not to embed"):
        vf.embed(speech(1, 16_000), 16000, model=tiny_spectral)


def test_damaged_weights_give_no_vector(model, speech):
    class Broken:
        card, free_batch = vf.load_engine(model).card, False

        def initial_state(self, batch=1):
            return ()

        def step(self, block, state):
            return np.full((1, 12), np.nan, np.float32), ()

    with pytest.raises(CardError, match="not numbers"):
        vf.embed(speech(1, 16_000), 16000, model=Broken())


@pytest.mark.parametrize(("seconds", "share"), [(10, 1.0), (10, 0.4), (3, 0.7)])
def test_the_meter_measures_how_much_is_speech(seconds, share, speech):
    rng = np.random.default_rng(1)
    samples = 1e-3 * rng.standard_normal(seconds * 16000).astype(np.float32)
    until = round(share * len(samples))
    syllables = 0.1 * rng.standard_normal(until) * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * np.arange(until) / 16000))
    samples[:until] += syllables.astype(np.float32)
    meters = [SpeechMeter(16000), SpeechMeter(16000)]
    meters[0].feed(samples)
    for part in np.array_split(samples, 37):
        meters[1].feed(part)
    assert meters[0].judge() == meters[1].judge()
    assert meters[0].judge().seconds == pytest.approx(share * seconds, rel=0.25)
    assert SpeechMeter(16000).judge().silent
    off_centre = SpeechMeter(16000)
    off_centre.feed(samples + np.float32(0.3))
    assert off_centre.judge().seconds == pytest.approx(meters[0].judge().seconds, abs=0.1)  # an offset is no sound


def test_a_burst_counts_to_the_frame():
    meter, samples = SpeechMeter(16000), np.zeros(32_000, np.float32)
    samples[8000:16_000] = 0.1 * np.random.default_rng(0).standard_normal(8000)
    meter.feed(samples)
    assert meter.judge().seconds == pytest.approx(0.5)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """(Tensors of a WeSpeaker network, the ONNX file that its export script would write)."""
    torch.manual_seed(0)
    tensors = beside("foreign_speakers").wespeaker_ecapa(bands=80)
    compute = beside("plain_speakers").wespeaker_ecapa

    class Model(torch.nn.Module):
        def forward(self, feats):
            return compute(tensors, feats)

    path = tmp_path_factory.mktemp("theirs") / "VoxCeleb ECAPA_512.onnx"
    axes = {"feats": {0: "B", 1: "T"}, "embs": {0: "B"}}
    torch.onnx.export(
        Model().eval(), torch.randn(1, 200, 80), path, dynamo=False, opset_version=14,
        input_names=["feats"], output_names=["embs"], dynamic_axes=axes,
    )  # fmt: skip
    return tensors, compute, path


@torch.no_grad()
def test_an_onnx_file_of_wespeaker_is_used_as_it_is(theirs, speech, capsys):
    tensors, compute, path = theirs
    samples = speech(1, 40_000)
    features = FilterBank()(torch.from_numpy(samples))
    wanted = compute(tensors, (features - features.mean(-1, keepdim=True)).transpose(1, 2))[0].numpy()
    made = vf.embed(samples, 16000, model=path)
    assert np.abs(made.vector - wanted).max() <= 1e-4 * np.abs(wanted).max()
    assert made.model.startswith("wespeaker-voxceleb-ecapa-512.")
    engine = vf.load_engine(path)
    assert engine.free_batch and engine.card.parameters >= sum(t.numel() for n, t in tensors.items() if "conv" in n)
    batch, _ = engine.step(np.random.default_rng(0).standard_normal((3, 80, 50)).astype(np.float32), ())
    assert batch.shape == (3, 6)
    assert run(["models", str(path)]) == 0 and "exported by WeSpeaker" in capsys.readouterr().out
    with pytest.raises(CardError, match="failed on features"):
        engine.step(np.zeros((1, 79, 50), np.float32), ())


def test_other_files_without_a_card_are_still_refused(tmp_path):
    class Model(torch.nn.Module):
        def forward(self, x):
            return x.mean(1)

    torch.onnx.export(Model(), torch.randn(1, 9, 80), tmp_path / "x.onnx", dynamo=False, input_names=["x"])
    with pytest.raises(CardError, match="without a card"):
        vf.load_engine(tmp_path / "x.onnx")
    (tmp_path / "y.onnx").write_bytes(b"no graph")
    with pytest.raises(CardError, match="not an ONNX file"):
        vf.load_engine(tmp_path / "y.onnx")


@pytest.fixture
def recordings(tmp_path, speech):
    for seed, name in enumerate(("a.wav", "b 名.wav")):
        sf.write(tmp_path / name, speech(1, 48_000, seed=seed).T, 16000)
    (tmp_path / "broken.wav").write_bytes(b"RIFF nothing")
    return tmp_path


def test_embed_command_writes_every_vector_and_names_what_failed(recordings, model, capsys):
    out = recordings / "out" / "emb.npz"
    arguments = ["embed", str(recordings), "--model", str(model), "-o", str(out)]
    assert run([*arguments, "--json"]) == 1
    text = capsys.readouterr()
    lines = [json.loads(line) for line in text.out.splitlines()]
    assert [line["status"] for line in lines] == ["done", "done", "failed"]
    stored = np.load(out)
    assert stored["embedding"].shape == (2, 12) and stored["embedding"].dtype == np.float32
    assert stored["name"].tolist() == [str(recordings / name) for name in ("a.wav", "b 名.wav")]
    assert np.allclose(stored["embedding"], [line["embedding"] for line in lines[:2]])
    assert set(stored["model"]) == {"tiny-speakers-0.v1"} and (stored["duration_s"] == 3).all()
    assert "broken.wav" in text.err and "1 of 3 failed" in text.err and "2 vectors of 12 numbers" in text.err
    assert run(arguments) == 1 and "exists already" in capsys.readouterr().err
    assert run([*arguments, "--overwrite", "-q"]) == 1
    assert "vectors" not in capsys.readouterr().err


def test_parquet_where_pyarrow_is_installed(model, speech, tmp_path, monkeypatch):
    made = [vf.embed(speech(1, 32_000), 16000, model=model)]
    with pytest.raises(InputError, match=r"\.npz or \.parquet"):
        save_embeddings(tmp_path / "x.csv", ["a"], made)
    (tmp_path / "x.npz").touch()
    with pytest.raises(OutputError, match="exists already"):
        save_embeddings(tmp_path / "x.npz", ["a"], made)
    with monkeypatch.context() as patch:
        patch.setattr("voxfield.tasks.speakers.embedding_file.find_spec", lambda name: None)
        with pytest.raises(InputError, match="pip install pyarrow"):
            save_embeddings(tmp_path / "x.parquet", ["a"], made)
    parquet = pytest.importorskip("pyarrow.parquet")
    save_embeddings(tmp_path / "x.parquet", ["a"], made)
    rows = parquet.read_table(tmp_path / "x.parquet").to_pylist()
    assert rows[0]["name"] == "a" and np.allclose(rows[0]["embedding"], made[0].vector)


def test_the_light_half_alone_embeds_and_verifies(recordings, model):
    names = "torch", "onnx", "safetensors", "scipy", "pyarrow"
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({names}))\n"
        "from voxfield.cli.app import run\n"
        f"arguments = ['a.wav', 'b 名.wav', '--model', {str(model)!r}]\n"
        "sys.exit(run(['embed', *arguments, '-o', 'e.npz']) or run(['verify', *arguments]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=recordings, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert np.load(recordings / "e.npz")["embedding"].shape == (2, 12) and "score: " in done.stdout


@pytest.mark.parametrize("rate_hz", [1000, 6000, 8000, 11_025, 22_050, 24_000, 32_000, 47_999, 96_000, 192_000])
def test_every_rate_is_taken(rate_hz, model, speech):
    made = vf.embed(speech(2, rate_hz, rate_hz), rate_hz, model=model)
    assert np.isfinite(made.vector).all() and made.duration_s == 1


def test_verify_command(recordings, model, capsys):
    a, b = str(recordings / "a.wav"), str(recordings / "b 名.wav")
    assert run(["verify", a, b, "--model", str(model)]) == 0
    text = capsys.readouterr().out
    assert "no decision without --threshold" in text and "3.0 s, " in text
    assert run(["verify", a, a, "--model", str(model), "--threshold", "0.9"]) == 0
    assert "score: 1.000; the same speaker at 0.9" in capsys.readouterr().out
    assert run(["verify", a, b, "--model", str(model), "--threshold", "0.1", "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["same"] == (line["score"] >= 0.1) and line["first"]["speech_s"] > 0
    assert run(["verify", a, b, "--model", str(model), "--threshold", "7"]) == 2
    assert run(["verify", "-", "-", "--model", str(model)]) == 2 and "only one of the two" in capsys.readouterr().err
    assert run(["verify", a, str(recordings / "broken.wav"), "--model", str(model)]) == 2
