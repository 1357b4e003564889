"""Interfaces: what each kind of network takes and gives, in which shape and how much later."""

from dataclasses import replace

import pytest

from voxfield.cards import KINDS, TIME, Interface, Port, samples, spectrum
from voxfield.errors import CardError

SPECTRAL = spectrum(16000, window_samples=512, hop_samples=256)
OFFLINE = samples(8000, 8, None, 2, 16, "it looks ahead")
IMAGE = Interface(Port("image", (3, 42, 42)), Port("scores", (1,)), not_streaming_because="it takes one image")
EMBEDDING = Interface(
    Port("features", (80, TIME)), Port("embedding", (192,)), 16000, 160, 400, least_steps=9,
    not_streaming_because="it pools over the whole recording", features="kaldi-hamming",
)  # fmt: skip
TOKENS = Interface(Port("samples", (1, TIME)), Port("tokens", (2, TIME)), 16000, 320, 0, 0)
ALL = (SPECTRAL, OFFLINE, IMAGE, EMBEDDING, TOKENS)


@pytest.mark.parametrize("face", ALL, ids=lambda face: f"{face.input.kind}-{face.output.kind}")
def test_plain_values_give_the_interface_back(face):
    assert Interface.from_dict(face.to_dict()) == face


def test_latency_is_none_where_nothing_streams():
    assert (SPECTRAL.latency_samples, SPECTRAL.latency_ms) == (512, 32.0)
    assert (TOKENS.latency_samples, TOKENS.latency_ms) == (320, 20.0)
    for face in (OFFLINE, IMAGE, EMBEDDING):
        assert not face.streaming and face.latency_samples is None and face.latency_ms is None


@pytest.mark.parametrize(
    ("face", "hops", "shape", "layout", "dtype"),
    [
        (SPECTRAL, 7, (1, 2, 257, 7), "BCFT", "float32"),
        (OFFLINE, 1, (1, 1, 16), "BCT", "float32"),
        (OFFLINE, 5, (1, 1, 40), "BCT", "float32"),
        (IMAGE, 5, (1, 3, 42, 42), "BCHW", "float32"),
        (EMBEDDING, 3, (1, 80, 9), "BCT", "float32"),
        (TOKENS, 2, (1, 1, 640), "BCT", "float32"),
    ],
)
def test_shapes_of_blocks(face, hops, shape, layout, dtype):
    assert face.block_shape(hops) == shape
    assert face.input.layout == layout and face.input.dtype == dtype


def test_sources_bins_and_tokens():
    assert (OFFLINE.sources, SPECTRAL.sources, SPECTRAL.bins, OFFLINE.bins) == (2, 1, 257, 0)
    assert TOKENS.output.dtype == KINDS["tokens"].dtype == "int64"
    assert EMBEDDING.output.free_axis is None and TOKENS.output.free_axis == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hop_samples": 0}, "hop_samples"),
        ({"hop_samples": True}, "hop_samples"),
        ({"sample_rate_hz": 16000.0}, "sample_rate_hz"),
        ({"sample_rate_hz": 0}, "sample_rate_hz"),
        ({"lookahead_samples": 100}, "lookahead_samples"),
        ({"lookahead_samples": 300}, "lookahead_samples"),
        ({"lookahead_samples": None}, "not_streaming_because"),
        ({"not_streaming_because": "whim"}, "lookahead_samples"),
        ({"window_samples": 128}, "window_samples"),
        ({"window_samples": 1024, "lookahead_samples": 768}, "window_samples"),
        ({"input": Port("image", (1, 2, 3))}, "input"),
        ({"least_steps": 0}, "least_steps"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_contradictions_are_refused(change, message):
    with pytest.raises(CardError, match=message):
        replace(SPECTRAL, **change)


@pytest.mark.parametrize(
    ("kind", "shape", "message"),
    [
        ("mel", (80, TIME), "there are: samples"),
        ("spectrum", (2, TIME), "3 axes"),
        ("samples", (TIME, TIME), "once"),
        ("samples", (0, TIME), "above 0"),
        ("image", (3, "wide", 4), "above 0"),
    ],
)
def test_ports_that_cannot_be(kind, shape, message):
    with pytest.raises(CardError, match=message):
        Port(kind, shape)


@pytest.mark.parametrize("values", [3, {}, {"input": 1, "output": 2}, SPECTRAL.to_dict() | {"hop": 3}])
def test_tables_that_are_no_interface(values):
    with pytest.raises(CardError):
        Interface.from_dict(values)
