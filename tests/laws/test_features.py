"""Laws of every published card that gives frames of features, and of two small networks made for the tests."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from voxfield.cards import cards, resolve
from voxfield.explain import explain
from voxfield.export import export_network
from voxfield.export.figures import describe
from voxfield.models.wav2vec import PAPER, SMALL, Wav2Vec
from voxfield.runtime import OnnxEngine
from voxfield.tasks.representation.representer import Representer

TINY = {"causal": replace(SMALL, channels=6), "whole": replace(PAPER, channels=6)}
NAMES = [*TINY, *(card.name for card in cards() if card.task == "represent")]


@pytest.fixture(scope="module", params=NAMES)
def path(request, tmp_path_factory):
    if request.param not in TINY:
        return resolve(request.param)[1]
    torch.manual_seed(0)
    net = Wav2Vec(TINY[request.param]).eval()
    about = {
        "name": f"wav2vec-{request.param}.v1", "task": "represent", "architecture": "wav2vec", "summary": "tiny",
        "config": {}, "licence": "Apache-2.0", "data": (), "interface": net.interface(),
    }  # fmt: skip
    made = tmp_path_factory.mktemp("tiny") / f"{request.param}.onnx"
    export_network(net, made, about)
    return made


@pytest.fixture
def engine(path):
    return OnnxEngine(path)


def run(engine, samples, cuts=(), layer=None):
    stream = Representer(engine, engine.card.interface.sample_rate_hz, layer)
    return np.concatenate([*(stream.feed(part) for part in np.split(samples, cuts, axis=1)), stream.flush()], axis=1)


def test_streamed_equals_whole(engine, speech):
    samples = speech(1, 20_000)
    whole, _ = engine.step(samples[None, :, :20_000], engine.initial_state())
    parts = [run(engine, samples, layer=layer.name) for layer in engine.card.interface.layers]
    assert np.abs(np.concatenate(parts) - whole[0]).max() <= 1e-5 * np.abs(whole).max()
    rng = np.random.default_rng(0)
    for count in (3, 80):
        cut = run(engine, samples, np.sort(rng.integers(0, 20_000, count)))
        assert np.abs(cut - parts[-1]).max() <= 1e-5 * np.abs(whole).max()


def test_two_recordings_in_turns_do_not_mix(engine, speech):
    recordings = [speech(1, 8000, seed=seed) for seed in (1, 2)]
    streams = [Representer(engine, 16000) for _ in recordings]
    found = [[], []]
    for start in range(0, 8000, 1000):
        for stream, samples, parts in zip(streams, recordings, found, strict=True):
            parts.append(stream.feed(samples[:, start : start + 1000]))
    for stream, samples, parts in zip(streams, recordings, found, strict=True):
        assert np.abs(np.concatenate([*parts, stream.flush()], axis=1) - run(engine, samples)).max() <= 1e-5


def test_what_comes_later_does_not_matter_where_it_streams(engine, speech):
    before, after = speech(1, 12_000), speech(1, 12_000)
    after[:, 8000:] = np.random.default_rng(3).standard_normal(4000)
    first, second = run(engine, before), run(engine, after)
    known = engine.card.interface.frames(8000)
    if engine.card.interface.streaming:
        assert np.abs(first[:, :known] - second[:, :known]).max() <= 1e-6
    assert np.abs(first[:, known:] - second[:, known:]).max() > 1e-4


@pytest.mark.parametrize("count", [1, 159, 160, 465, 4000, 4001])
def test_as_many_frames_as_the_card_says(engine, speech, count):
    assert run(engine, speech(1, count)).shape == (
        engine.card.interface.layers[-1].channels,
        engine.card.interface.frames(count),
    )


def test_any_level_gives_numbers(engine, speech):
    for gain in (0, 1e-6, 1e4):
        assert np.isfinite(run(engine, np.float32(gain) * speech(1, 6000))).all()


def test_fields_on_the_card_are_what_explain_reads_from_the_file(engine, path):
    face = engine.card.interface
    field = describe(path.read_bytes(), face).field("time")
    widest = max(layer.field_samples for layer in face.layers)
    assert (field.rf, field.hop) == (widest, face.hop_samples)


@pytest.mark.parametrize("config", [TINY["whole"], replace(PAPER, channels=4, padding="zeros", norm="frame")])
def test_fields_of_both_layers_by_explain_and_by_measurement(config):
    torch.manual_seed(0)
    net = Wav2Vec(config).eval()
    z, c = net.interface().layers
    report = explain(Encoder(net.encoder), input_shape=(1, 1, 4000), layout="BCT", verify=config.norm == "frame")
    assert (report.field("time").rf, report.field("time").hop) == (z.field_samples, 160) == (465, 160)
    assert all(probe.agrees for probe in report.probes)
    assert explain(net, input_shape=(1, 1, 4000), layout="BCT").field("time").rf == c.field_samples == 3345


class Encoder(torch.nn.Module):
    """The encoder alone."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x):
        return self.encoder(x)[0]
