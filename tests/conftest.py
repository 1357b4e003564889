"""What every room's tests share: generated sound, and small model files with cards, made on the spot."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small networks: threads that wait for one another cost most of the time

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, settings
from onnx import TensorProto, helper, numpy_helper

from voxfield.cards import METADATA_KEY, WHOLE_INPUT, Card, example_card, features_to_embedding, samples

MakeModel = Callable[..., Path]
# a machine may be busy, and the fixtures here give what keeps no state
despite = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("busy", deadline=None, suppress_health_check=despite)
settings.load_profile("busy")
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it


def write_model(
    path: Path, card: Card, nodes: list, weights: dict[str, np.ndarray], *, free_batch: bool = False
) -> Path:
    """An ONNX file with the inputs and outputs that the card promises, computed by `nodes`."""
    batch = "B" if free_batch else 1
    shape, output = ([batch, *port.shape] for port in (card.interface.input, card.interface.output))
    value = helper.make_tensor_value_info
    states = [(state.name, [batch, *state.shape[1:]]) for state in card.states]
    graph = helper.make_graph(
        nodes,
        card.short_name,
        [value("input", TensorProto.FLOAT, shape)]
        + [value(f"state.{name}", TensorProto.FLOAT, sizes) for name, sizes in states],
        [value("output", TensorProto.FLOAT, output)]
        + [value(f"next.{name}", TensorProto.FLOAT, sizes) for name, sizes in states],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: card.to_json()})
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def spectral_model(path: Path, *, free_batch: bool = False, **changes: object) -> Path:
    """A gain between 0 and 1 from the magnitudes of a frame and the two before it: nonlinear, one state."""
    card = example_card(
        **{
            "name": "tiny-spectral.v1",
            "states": [("past", (1, 1, 257, 2))],
            "field_samples": 1024,
            "macs": 257 * 3 * 63,
            "parameters": 4,
            **changes,
        }
    )
    nodes = [
        helper.make_node("ReduceL2", ["input"], ["level"], axes=[1], keepdims=1),
        helper.make_node("Concat", ["state.past", "level"], ["levels"], axis=3),
        helper.make_node("Conv", ["levels", "weight", "bias"], ["logit"], kernel_shape=[1, 3]),
        helper.make_node("Sigmoid", ["logit"], ["gain"]),
        helper.make_node("Mul", ["input", "gain"], ["output"]),
        helper.make_node("Slice", ["levels", "start", "end", "axis"], ["next.past"]),
    ]
    weights = {
        "weight": np.array([0.05, 0.1, 0.3], np.float32).reshape(1, 1, 1, 3),
        "bias": np.array([-1.0], np.float32),
        "start": np.array([-2], np.int64),
        "end": np.array([2**31], np.int64),
        "axis": np.array([3], np.int64),
    }
    return write_model(path, card, nodes, weights, free_batch=free_batch)


def sample_model(path: Path, *, sources: int = 1, **changes: object) -> Path:
    """An FIR filter a source; 40 of its 64 taps lie in the future: one state, lookahead without a spectrum."""
    taps, future = 64, 40
    card = example_card(
        **{
            "name": "tiny-samples.v1",
            "interface": samples(16000, 80, future, sources),
            "states": [("tail", (1, 1, taps - 1))],
            "field_samples": taps,
            "task": "enhance" if sources == 1 else "separate",
            **changes,
        }
    )
    rng = np.random.default_rng(7)
    kernel = 0.02 * rng.standard_normal((sources, 1, taps)).astype(np.float32)
    kernel[:, 0, taps - 1 - future] += 0.7 / sources
    nodes = [
        helper.make_node("Concat", ["state.tail", "input"], ["joined"], axis=2),
        helper.make_node("Conv", ["joined", "kernel"], ["output"], kernel_shape=[taps]),
        helper.make_node("Slice", ["joined", "start", "end", "axis"], ["next.tail"]),
    ]
    weights = {
        "kernel": kernel,
        "start": np.array([1 - taps], np.int64),
        "end": np.array([2**31], np.int64),
        "axis": np.array([2], np.int64),
    }
    return write_model(path, card, nodes, weights)


def spread_model(path: Path, *, squared: bool = True, **changes: object) -> Path:
    """Features to how much each band varies, above or below the mean of the bands: spectra differ, and so do voices."""
    card = example_card(
        **{
            "name": "tiny-spread.v1",
            "task": "embed",
            "interface": features_to_embedding("kaldi-hamming", 80, 80),
            "field_samples": WHOLE_INPUT,
            **changes,
        }
    )
    nodes = [
        helper.make_node("Mul", ["input", "input"], ["size"])
        if squared
        else helper.make_node("Abs", ["input"], ["size"]),
        helper.make_node("ReduceMean", ["size"], ["spread"], axes=[2], keepdims=0),
        helper.make_node("ReduceMean", ["spread"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Sub", ["spread", "mean"], ["output"]),
    ]
    return write_model(path, card, nodes, {})


@pytest.fixture(scope="session")
def make_spectral_model() -> MakeModel:
    """`spectral_model(path, free_batch=..., **card fields)`."""
    return spectral_model


@pytest.fixture(scope="session")
def make_sample_model() -> MakeModel:
    """`sample_model(path, sources=..., **card fields)`."""
    return sample_model


@pytest.fixture(scope="session")
def tiny_spectral(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a small spectral model, 512/256 at 16 kHz."""
    return spectral_model(tmp_path_factory.mktemp("models") / "tiny-spectral.onnx")


@pytest.fixture(scope="session")
def tiny_free_batch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same model with a free batch axis."""
    return spectral_model(tmp_path_factory.mktemp("models") / "tiny-free-batch.onnx", free_batch=True)


@pytest.fixture(scope="session")
def tiny_samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a small model that takes samples, hop 80, lookahead 40."""
    return sample_model(tmp_path_factory.mktemp("models") / "tiny-samples.onnx")


@pytest.fixture(scope="session")
def tiny_separator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with two sources."""
    return sample_model(tmp_path_factory.mktemp("models") / "tiny-separator.onnx", sources=2)


@pytest.fixture(scope="session")
def make_spread_model() -> MakeModel:
    """`spread_model(path, squared=..., **card fields)`."""
    return spread_model


@pytest.fixture(scope="session")
def tiny_embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """File of a model whose embeddings tell voices of different spectra apart."""
    return spread_model(tmp_path_factory.mktemp("models") / "tiny-spread.onnx")


@pytest.fixture
def speech() -> Callable[..., np.ndarray]:
    """`speech(channels, samples, rate_hz=16000, seed=0)`: (C, N) float32 of harmonics that come and go, and noise."""

    def make(channels: int, count_samples: int, rate_hz: int = 16000, seed: int = 0) -> np.ndarray:
        rng = np.random.default_rng(seed)
        time_s = np.arange(count_samples) / rate_hz
        voice = sum(np.sin(2 * np.pi * 140 * k * time_s) / k for k in range(1, min(30, int(rate_hz / 2 / 150))))
        syllables = np.clip(np.sin(2 * np.pi * 3 * time_s), 0, 1)
        noise = rng.standard_normal((channels, count_samples))
        return (0.1 * voice * syllables + 0.03 * noise).astype(np.float32)

    return make


@pytest.fixture
def voice() -> Callable[..., np.ndarray]:
    """`voice("anna", seed, count_samples)`: (N,) float32 at 16 kHz of Anna or Ben, whom `tiny_embedder` tells apart."""
    bands_hz = {"anna": (220, 300, 3000), "ben": (110, 1500, 6000)}  # pitch, lowest and highest harmonic

    def make(speaker: str, seed: int = 0, count_samples: int = 48_000) -> np.ndarray:
        pitch_hz, lowest_hz, highest_hz = bands_hz[speaker]
        time_s = np.arange(count_samples) / 16000
        harmonics = range(-(-lowest_hz // pitch_hz), highest_hz // pitch_hz + 1)
        tone = sum(np.sin(2 * np.pi * pitch_hz * k * time_s + seed * k) for k in harmonics)
        syllables = np.clip(np.sin(2 * np.pi * 3 * time_s + seed), 0, 1)
        noise = np.random.default_rng(seed).standard_normal(count_samples)
        return (0.01 * tone * syllables + 0.003 * noise).astype(np.float32)

    return make
