"""Laws that every published card obeys, and a small model made for the tests; publishing a card adds the proofs."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf

from voxfield.audio import resample
from voxfield.cards import cards, resolve
from voxfield.errors import InputError
from voxfield.runtime import OnnxEngine, Stream
from voxfield.runtime.stream import STREAMED
from voxfield.tasks import enhance


def streams(card):
    """Whether `Stream` takes the network; what gives features has its laws in test_features.py."""
    face = card.interface
    return face.streaming and (face.input.kind, face.output.kind) in STREAMED


@pytest.fixture(params=["tiny", *(card.name for card in cards() if streams(card))])
def engine(request, tiny_spectral):
    return OnnxEngine(tiny_spectral if request.param == "tiny" else resolve(request.param)[1])


@pytest.mark.parametrize("name", [card.name for card in cards() if not streams(card)])
def test_a_network_that_does_not_stream_is_refused_as_a_stream(name):
    with pytest.raises(InputError, match=name):
        Stream(OnnxEngine(resolve(name)[1]))


def run(engine, samples, cuts=(), **options):
    stream = Stream(engine, samples.shape[0], **options)
    outputs = [stream.feed(part) for part in np.split(samples, cuts, axis=1)]
    return np.concatenate([*outputs, stream.flush()], axis=-1)


def test_streamed_equals_offline(engine, speech):
    samples = speech(1, 20_000)
    whole = run(engine, samples, max_block_hops=10_000)
    assert np.abs(whole).max() > 1e-4
    rng = np.random.default_rng(0)
    for count in (3, 30, 80):
        assert np.abs(run(engine, samples, np.sort(rng.integers(0, 20_000, count))) - whole).max() <= 1e-5


def test_interleaved_streams_do_not_mix(engine, speech):
    recordings = [speech(1, 8000, seed=seed) for seed in (1, 2)]
    apart = [run(engine, samples) for samples in recordings]
    streams = [Stream(engine) for _ in recordings]
    outputs: list[list[np.ndarray]] = [[], []]
    for start in range(0, 8000, 1000):
        for stream, samples, parts in zip(streams, recordings, outputs, strict=True):
            parts.append(stream.feed(samples[:, start : start + 1000]))
    for stream, parts, alone in zip(streams, outputs, apart, strict=True):
        assert np.abs(np.concatenate([*parts, stream.flush()], axis=-1) - alone).max() <= 1e-5


def test_the_future_beyond_the_lookahead_does_not_matter(engine, speech):
    before, after = speech(1, 12_000), speech(1, 12_000)
    after[:, 8000:] = np.random.default_rng(3).standard_normal(4000)
    known = 8000 - (engine.card.interface.latency_samples - 1)
    first, second = run(engine, before), run(engine, after)
    assert np.abs(first[..., :known] - second[..., :known]).max() <= 1e-6
    assert np.abs(first[..., 8000:] - second[..., 8000:]).max() > 1e-4


@pytest.mark.parametrize("count", [1, 77, 4000, 4001])
@pytest.mark.parametrize("channels", [1, 2])
def test_length_is_kept(engine, speech, count, channels):
    assert run(engine, speech(channels, count)).shape[-1] == count


def test_silence_gives_silence(engine):
    assert np.abs(run(engine, np.zeros((1, 9000), np.float32))).max() <= 1e-7


def test_no_level_gives_anything_but_numbers(engine, speech):
    for gain in (1e-6, 1e-3, 1e3):
        assert np.isfinite(run(engine, gain * speech(1, 6000))).all()


@pytest.mark.parametrize("card", cards(), ids=lambda card: card.name)
def test_the_card_in_the_file_is_the_one_in_the_registry(card):
    assert replace(card, file=None) == OnnxEngine(resolve(card.name)[1]).card


@pytest.mark.parametrize("name", [card.name for card in cards() if card.task == "enhance"])
def test_any_rate_comes_out_as_long_and_aligned(name, speech):
    base = speech(1, 16_000)
    for rate_hz in (8000, 44_100, 48_000):
        samples = resample(base, 16_000, rate_hz)[:, :-3]
        enhanced = enhance(samples, rate_hz, model=name, mix=0.5).samples
        assert enhanced.shape == samples.shape
        scores = [float(np.sum(samples * np.roll(enhanced, -lag, axis=1))) for lag in range(-2, 3)]
        assert int(np.argmax(scores)) == 2


def test_the_light_half_works_where_torch_cannot_be_imported(tmp_path, speech, tiny_spectral):
    sf.write(tmp_path / "x.wav", speech(1, 5000).T, 16000)
    names = "torch", "onnx", "safetensors", "scipy", "tensorboard", "pesq"
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({names}))\n"
        "from voxfield.cli.app import run\n"
        f"sys.exit(run(['enhance', 'x.wav', '--model', {str(tiny_spectral)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert sf.info(tmp_path / "x_enhance.wav").frames == 5000
