"""`vf.represent`: frames as torch gives them, as many as promised, with true times, in constant memory."""

import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile as sf
import torch

import voxfield as vf
from voxfield.audio import open_source, resample
from voxfield.cli.app import run
from voxfield.errors import CardError, InputError, OutputError
from voxfield.export import export_network
from voxfield.models.wav2vec import Wav2Vec, Wav2VecConfig
from voxfield.runtime import OnnxEngine, Stream
from voxfield.tasks.representation import representer
from voxfield.tasks.representation.recording import represent_into

CAUSAL = Wav2VecConfig(channels=6, prediction_steps=1, norm="cumulative", causal=True, padding="zeros")
CONFIGS = {"causal": CAUSAL, "whole": Wav2VecConfig(channels=6, prediction_steps=1)}


def network(name):
    torch.manual_seed(0)
    return Wav2Vec(CONFIGS[name]).eval()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    for name in CONFIGS:
        net = network(name)
        about = {
            "name": f"wav2vec-{name}.v1", "task": "represent", "architecture": "wav2vec", "summary": "tiny",
            "config": {}, "licence": "Apache-2.0", "data": (), "interface": net.interface(),
        }  # fmt: skip
        export_network(net, folder / f"{name}.onnx", about)
    return {name: folder / f"{name}.onnx" for name in CONFIGS}


@pytest.fixture
def model(models):
    return models["causal"]


@torch.no_grad()
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("layer", ["z", "c"])
def test_frames_are_those_of_torch(name, layer, models, speech):
    samples = speech(1, 24_000)
    z, c, _ = network(name).layers(torch.from_numpy(samples[None]))
    wanted = {"z": z, "c": c}[layer][0].numpy()
    made = vf.represent(samples, 16000, model=models[name], layer=layer)
    assert np.abs(made.features - wanted).max() <= 1e-5 * np.abs(wanted).max()
    assert made.layer.name == layer and made.duration_s == 1.5 and made.model == f"wav2vec-{name}.v1"
    assert np.array_equal(vf.represent(samples, 16000, model=models[name]).features, made.features) == (layer == "c")


@pytest.mark.parametrize(("name", "first"), [("causal", 160), ("whole", 465)])
def test_as_many_frames_as_are_complete(name, first, models, speech):
    for count in (1, first - 1, first, first + 1, first + 159, first + 160, 16_000, 16_001):
        made = vf.represent(speech(1, count), 16000, model=models[name])
        expected = max((count - first) // 160 + 1, 0)
        assert made.features.shape == (6, expected) and made.times_s.shape == (3, expected)
        assert bool(made.notes) == (expected == 0)
    assert f"needs {first} samples" in vf.represent(speech(1, 5), 16000, model=models[name]).notes[0]


@torch.no_grad()
@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("layer", ["z", "c"])
def test_times_are_those_of_the_samples_that_reach_a_frame(name, layer, speech):
    """By measurement, on the same weights with a norm that does not look along time."""
    net = Wav2Vec(replace(CONFIGS[name], norm="frame", padding="zeros")).eval().double()
    x = torch.from_numpy(speech(1, 8000)[None]).double().requires_grad_()
    frame = 30
    with torch.enable_grad():
        output = dict(zip("zc", net.layers(x)[:2], strict=True))[layer]
        (gradient,) = torch.autograd.grad(output[0, :, frame].square().sum(), x)
    reached = torch.nonzero(gradient[0, 0])[:, 0]
    face = network(name).interface()
    wanted = next(each for each in face.layers if each.name == layer)
    start_s, centre_s, end_s = representer.field_times_s(face, wanted, frame, 1)[:, 0]
    assert int(reached[-1]) + 1 == round(16000 * end_s)
    assert int(reached[0]) == round(16000 * start_s) and centre_s == pytest.approx((start_s + end_s) / 2)


def test_rates_channels_and_blocks_agree(model, speech, tmp_path):
    samples = speech(1, 20_000)
    wanted = vf.represent(samples, 16000, model=model).features
    sf.write(tmp_path / "a.wav", samples.T, 16000, subtype="FLOAT")
    for given, rate in ((tmp_path / "a.wav", None), (np.repeat(samples, 3, axis=0), 16000)):
        assert np.abs(vf.represent(given, rate, model=model).features - wanted).max() <= 1e-5
    other = vf.represent(resample(samples, 16000, 44_100), 44_100, model=model).features
    assert other.shape == wanted.shape
    alike = [np.corrcoef(np.roll(other, shift, axis=1).ravel(), wanted.ravel())[0, 1] for shift in (0, -1, 1)]
    assert alike[0] > 0.9 and alike[0] == max(alike)
    for sizes in ([1] * 400, [159, 161, 7000]):
        stream = representer.Representer(OnnxEngine(model), 16000)
        cuts = np.cumsum(sizes)
        parts = [stream.feed(part) for part in np.split(samples, cuts, axis=1)]
        assert np.abs(np.concatenate([*parts, stream.flush()], axis=1) - wanted).max() <= 1e-5


def test_memory_does_not_grow_with_the_recording(model, speech):
    engine, peaks = OnnxEngine(model), []
    for seconds in (20, 120):
        samples = np.tile(speech(1, 16_000), seconds)
        with open_source(samples, 16000) as source:
            tracemalloc.start()
            represent_into(source, engine, lambda frames: None)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_too_long_for_a_network_that_needs_it_whole(models, speech, monkeypatch):
    monkeypatch.setattr(representer, "WHOLE_S", 1.0)
    vf.represent(speech(1, 16_000), 16000, model=models["whole"])
    vf.represent(speech(1, 40_000), 16000, model=models["causal"])
    with pytest.raises(InputError, match=r"longer than 1 s.*global norm needs the whole recording; cut it"):
        vf.represent(speech(1, 16_200), 16000, model=models["whole"])


def test_broken_samples_silence_and_levels_give_numbers(models, speech):
    samples = speech(1, 16_000)
    broken = samples.copy()
    broken[0, 100] = np.nan
    for model in models.values():
        made = vf.represent(broken, 16000, model=model)
        assert np.isfinite(made.features).all() and "replaced by zeros" in made.notes[0]
        for given in (0 * samples, 1e-6 * samples, 1e4 * samples):
            assert np.isfinite(vf.represent(given, 16000, model=model).features).all()


def test_wrong_models_and_layers_are_said(model, speech, tiny_spectral):
    assert vf.represent(speech(1, 1000), 16000).model.startswith("wav2vec-small.")
    with pytest.raises(InputError, match="is a model to enhance, not to represent"):
        vf.represent(speech(1, 1000), 16000, model=tiny_spectral)
    with pytest.raises(InputError, match="no layer 'y'; it has: z, c"):
        vf.represent(speech(1, 1000), 16000, model=model, layer="y")
    with pytest.raises(InputError, match="a stream takes samples and gives samples"):
        Stream(model)


@pytest.mark.parametrize("value", [np.nan, None], ids=["no numbers", "too few frames"])
def test_damaged_weights_are_said(value, model, speech):
    class Broken:
        card, free_batch = vf.load_engine(model).card, False

        def initial_state(self, batch=1):
            return ()

        def step(self, block, state):
            frames = block.shape[-1] // 160
            return np.full((1, 12, frames if value else frames - 1), value or 0, np.float32), ()

    with pytest.raises(CardError, match="not numbers" if value else "not into 100 frames"):
        vf.represent(speech(1, 16_000), 16000, model=Broken())


@pytest.mark.parametrize("suffix", ["npz", "parquet"])
def test_the_command_writes_all_recordings_into_one_file(suffix, model, speech, tmp_path, capsys):
    lengths = {"a": 8000, "b": 8170, "c": 20}
    for name, length in lengths.items():
        sf.write(tmp_path / f"{name}.wav", speech(1, length).T, 16000)
    (tmp_path / "d.wav").write_bytes(b"RIFF no sound")
    out = tmp_path / "out" / f"f.{suffix}"
    arguments = ["represent", str(tmp_path), "-o", str(out), "--layer", "z", "--model", str(model), "--json"]
    assert run(arguments) == 1  # for d.wav
    said = capsys.readouterr()
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [line["status"] for line in lines] == ["done"] * 3 + ["failed"]
    assert [line["count_frames"] for line in lines[:3]] == [50, 51, 0] and lines[0]["layer"] == "z"
    assert "frames of 3 recordings" in said.err and "1 of 4 failed" in said.err
    wanted = [vf.represent(tmp_path / f"{name}.wav", model=model, layer="z") for name in "abc"]
    features = np.concatenate([made.features for made in wanted], axis=1)
    times_s = np.concatenate([made.times_s for made in wanted], axis=1)
    if suffix == "npz":
        with np.load(out) as found:
            assert np.array_equal(found["features"], features) and found["features"].dtype == np.float32
            assert np.array_equal(np.stack([found[key] for key in ("start_s", "centre_s", "end_s")]), times_s)
            assert found["first_frame"].tolist() == [0, 50, 101, 101] and str(found["layer"]) == "z"
            assert [name[-5] for name in found["name"].tolist()] == ["a", "b", "c"]
    else:
        table = pq.read_table(out)
        assert np.array_equal(np.stack(table["features"].to_pylist()).T.astype(np.float32), features)
        for at, key in enumerate(("start_s", "centre_s", "end_s")):
            assert np.array_equal(table[key].to_numpy(), times_s[at])
        assert table["frame"].to_pylist() == [*range(50), *range(51)] and set(table["layer"].to_pylist()) == {"z"}
    assert run(arguments) == 1 and "exists already" in capsys.readouterr().err
    assert [path.name for path in out.parent.iterdir()] == [out.name]


def test_recordings_are_written_in_the_order_asked_for_and_one_that_breaks_off_leaves_nothing(model, speech, tmp_path):
    from voxfield.tasks.representation.features_file import FeaturesFile, frames_of

    engine, made = vf.load_engine(model), {}
    layer = engine.card.interface.layers[-1]
    with FeaturesFile(tmp_path / "f.npz", engine.card, layer) as file:
        for name, seed in (("b", 1), ("a", 2)):
            made[name] = vf.represent(speech(seed, 3200 * seed), 16000, model=model).features
            with open_source(speech(seed, 3200 * seed), 16000) as source:
                file.take(name, frames_of(source, engine, layer.name, tmp_path / "f.npz")[1])
        with open_source(speech(1, 3200), 16000) as source, pytest.raises(InputError, match="has no layer"):
            frames_of(source, engine, "none", tmp_path / "f.npz")
        assert [*tmp_path.glob(".voxfield-*")] == [] and file.names == ["b", "a"]
        file.save(["a", "b"])
    with np.load(tmp_path / "f.npz") as found:
        assert found["name"].tolist() == ["a", "b"] and found["first_frame"].tolist() == [0, 40, 60]
        assert np.array_equal(found["features"], np.concatenate([made["a"], made["b"]], axis=1))
    with pytest.raises(OutputError, match="exists already"):
        FeaturesFile(tmp_path / "f.npz", engine.card, layer)
    with pytest.raises(InputError, match=r"must end in \.npz or \.parquet"):
        FeaturesFile(tmp_path / "f.csv", engine.card, layer)


def test_from_a_pipe(model, speech, tmp_path, monkeypatch, capsys):
    import io

    content = (speech(1, 4000)[0] * 32767).astype("<i2").tobytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    out = tmp_path / "p.npz"
    assert run(["represent", "-", "--raw", "16000,1,s16le", "-o", str(out), "--model", str(model)]) == 0
    assert "25 frames of layer " in capsys.readouterr().err
    with np.load(out) as found:
        assert found["features"].shape == (6, 25)
