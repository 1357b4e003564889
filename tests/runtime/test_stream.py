"""The laws of streaming, over the model files made for the tests; tests/laws runs the same over the published cards."""

from pathlib import Path

import numpy as np
import pytest

from voxfield import cards
from voxfield.errors import InputError
from voxfield.runtime import OnnxEngine, Stream, load_engine
from voxfield.runtime.linked import Linked

MODELS = ("tiny_spectral", "tiny_free_batch", "tiny_samples", "tiny_separator")


@pytest.fixture(params=MODELS)
def engine(request: pytest.FixtureRequest) -> OnnxEngine:
    return OnnxEngine(request.getfixturevalue(request.param))


def run(engine, samples: np.ndarray, cuts: list[int], **options) -> np.ndarray:
    stream = Stream(engine, samples.shape[0], **options)
    outputs = [stream.feed(part) for part in np.split(samples, cuts, axis=1)]
    return np.concatenate([*outputs, stream.flush()], axis=-1)


@pytest.mark.parametrize("channels", [1, 3])
def test_random_chunks_equal_one_block(engine, speech, channels):
    samples = speech(channels, 12345)
    whole = run(engine, samples, [], max_block_hops=10_000)
    assert whole.shape[-1] == 12345 and np.abs(whole).max() > 0.01
    rng = np.random.default_rng(1)
    for count in (1, 5, 60, 400):
        cuts = sorted(rng.integers(0, 12345, count))
        assert np.abs(run(engine, samples, cuts) - whole).max() <= 1e-5


@pytest.mark.parametrize("count", [0, 1, 39, 79, 80, 255, 256, 257, 511, 512, 513, 5000])
def test_length_is_kept(engine, speech, count):
    assert run(engine, speech(2, count), []).shape[-1] == count


def test_interleaved_streams_do_not_mix(engine, speech):
    first, second = speech(1, 6000, seed=1), speech(1, 6000, seed=2)
    apart = [run(engine, samples, []) for samples in (first, second)]
    streams = [Stream(engine), Stream(engine)]
    together: list[list[np.ndarray]] = [[], []]
    for start in range(0, 6000, 250):
        for at, samples in enumerate((first, second)):
            together[at].append(streams[at].feed(samples[:, start : start + 250]))
    for at in (0, 1):
        output = np.concatenate([*together[at], streams[at].flush()], axis=-1)
        assert np.abs(output - apart[at]).max() <= 1e-5
    assert np.abs(apart[0] - apart[1]).max() > 0.01


def test_channels_do_not_mix(engine, speech):
    both = speech(2, 5000)
    together = run(engine, both, [])
    for at in (0, 1):
        assert np.abs(run(engine, both[at : at + 1], [])[0] - together[at]).max() <= 1e-5


def test_future_beyond_lookahead_does_not_matter(engine, speech):
    samples, changed = speech(1, 8000), speech(1, 8000)
    changed[:, 5000:] = 0.5
    reach = engine.card.interface.latency_samples - 1  # the rest of its own hop, and the lookahead
    before, after = run(engine, samples, []), run(engine, changed, [])
    assert np.array_equal(before[..., : 5000 - reach], after[..., : 5000 - reach])
    assert not np.allclose(before[..., 5000:], after[..., 5000:], atol=1e-4)


def test_a_sample_comes_out_after_the_algorithmic_latency(engine, speech):
    card, stream = engine.card, Stream(engine)
    given = sum(stream.feed(hop).shape[-1] for hop in np.split(speech(1, 20 * card.interface.hop_samples), 20, axis=1))
    assert given == 20 * card.interface.hop_samples - card.interface.lookahead_samples


def test_silence_stays_silent(tiny_spectral):
    assert not run(OnnxEngine(tiny_spectral), np.zeros((1, 5000), np.float32), []).any()


def test_output_is_aligned_with_input(tiny_samples, speech):
    samples = speech(1, 8000)
    output = run(OnnxEngine(tiny_samples), samples, [])[0]
    lags = [float(np.dot(samples[0, 100:7000], output[100 + lag : 7000 + lag])) for lag in range(-50, 51)]
    assert int(np.argmax(lags)) - 50 == 0


def test_bare_samples_come_back_bare(tiny_spectral, speech):
    assert Stream(OnnxEngine(tiny_spectral)).feed(speech(1, 3000)[0]).shape == (11 * 256 - 256,)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((2, 100)), r"\(1, N\)"),
        (np.array([0.0, np.nan]), "sample 1 is not a finite number"),
        (np.array([np.inf]), "sample 0 is not a finite number"),
        (np.zeros(100, bool), "an array of bool holds no samples"),
        (np.zeros(100, complex), "an array of complex128 holds no samples"),
        ("noise", "holds no samples"),
        ([[1.0], [2.0, 3.0]], "these are no samples"),
        (None, "holds no samples"),
    ],
    ids=["channels", "nan", "infinity", "booleans", "complex", "text", "ragged", "none"],
)
def test_feed_refuses(tiny_spectral, samples, message):
    with pytest.raises(InputError, match=message):
        Stream(OnnxEngine(tiny_spectral)).feed(samples)


def test_a_broken_sample_is_named_by_its_place_in_the_recording(tiny_spectral):
    stream = Stream(tiny_spectral)
    stream.feed(np.zeros(1000, np.float32))
    with pytest.raises(InputError, match="sample 1001 is not a finite number"):
        stream.feed([0.0, np.nan])


def test_no_step_is_larger_than_was_allowed(tiny_spectral):
    engine = load_engine(tiny_spectral)

    class Counting:
        card, free_batch, initial_state = engine.card, engine.free_batch, engine.initial_state

        def step(self, block, state):
            hops.append(block.shape[-1])
            return engine.step(block, state)

    hops: list[int] = []
    Stream(Counting(), max_block_hops=2).feed(np.zeros(10 * 256, np.float32))
    assert hops == [2] * 5


def test_channels_share_no_gain_where_a_network_gives_several_sources(speech):
    samples = speech(2, 4096)
    linked, alone = (run("crn-separate", samples, [], linked=linked) for linked in (True, False))
    assert np.array_equal(linked, alone)


def test_a_stream_is_warmed_up_before_it_begins(tiny_spectral, speech):
    stream = Stream(tiny_spectral)
    stream.warm_up(speech(1, 4000))
    assert not stream.feed(np.zeros(1000, np.float32)).any()  # nothing of that sound is in the recording
    with pytest.raises(InputError, match="before its first samples"):
        stream.warm_up(np.zeros(100, np.float32))


def test_a_flushed_stream_is_over(tiny_spectral):
    stream = Stream(OnnxEngine(tiny_spectral))
    stream.feed(np.zeros(100, np.float32))
    stream.flush()
    with pytest.raises(InputError, match="was flushed"):
        stream.feed(np.zeros(100, np.float32))
    with pytest.raises(InputError, match="was flushed"):
        stream.flush()


def test_a_model_that_cannot_stream_is_refused_by_name_and_reason(tmp_path: Path, make_sample_model):
    class Whole:
        card = OnnxEngine(make_sample_model(tmp_path / "m.onnx")).card

    from dataclasses import replace

    face = cards.samples(16000, 80, None, not_streaming_because="norms over all time")
    Whole.card = replace(Whole.card, interface=face, states=())
    with pytest.raises(InputError, match=r"tiny-samples.v1 cannot stream: norms over all time"):
        Stream(Whole())  # type: ignore[arg-type]


def test_the_same_file_is_loaded_once(tiny_spectral):
    assert load_engine(tiny_spectral) is load_engine(str(tiny_spectral))


def test_linked_channels_streamed_equal_offline(tiny_spectral, speech):
    samples = speech(3, 6000)
    engine = load_engine(tiny_spectral)
    whole = run(engine, samples, [], linked=True)
    assert np.abs(run(engine, samples, [100, 101, 3000], linked=True) - whole).max() <= 1e-6
    assert np.abs(run(engine, samples, [], linked=True, max_block_hops=1) - whole).max() <= 1e-6
    assert np.abs(run(engine, samples, []) - whole).max() > 1e-4


def test_linked_channels_whose_mixture_vanishes_are_not_blown_up():
    class Hisses:
        """A network that does not mask: it gives as much wherever there is next to nothing."""

        def initial_state(self, batch):
            return ()

        def step(self, block, state):
            return np.ones_like(block), state

    linked = Linked(Hisses(), 2)
    block = 1e-3 * np.random.default_rng(0).standard_normal((2, 2, 5, 3)).astype(np.float32)
    given, _ = linked.step(block, linked.initial_state())
    before, after = (np.hypot(part[:, 0], part[:, 1]) for part in (block, given))
    assert np.allclose(after, 4 * before, rtol=1e-3)


def test_flush_gives_the_shape_that_feed_gave(engine, speech):
    bare, channel = Stream(engine), Stream(engine)
    samples = speech(1, 1000)
    first, rest = bare.feed(samples[0]), bare.flush()
    assert first.ndim == rest.ndim and np.concatenate([first, rest], axis=-1).shape[-1] == 1000
    assert channel.feed(samples).ndim == channel.flush().ndim == first.ndim + 1


def test_a_stream_takes_a_name_or_a_file(tiny_spectral, speech):
    samples = speech(1, 1000)
    assert np.array_equal(Stream(tiny_spectral).feed(samples), Stream(load_engine(tiny_spectral)).feed(samples))


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.float64])
def test_integers_are_scaled_as_they_are_in_files(tiny_spectral, speech, kind):
    samples = speech(1, 4000)[0] / 2
    given = samples.astype(kind) if kind is np.float64 else np.round(samples * np.iinfo(kind).max).astype(kind)
    outputs = []
    for block in (samples, given):
        stream = Stream(tiny_spectral)
        outputs.append(np.concatenate([stream.feed(block), stream.flush()]))
    np.testing.assert_allclose(outputs[1], outputs[0], atol=1e-4)


@pytest.mark.parametrize("counts", [{"channels": "a"}, {"channels": 1.5}, {"channels": 0}, {"max_block_hops": None}])
def test_counts_that_are_none(tiny_spectral, counts):
    with pytest.raises(InputError, match="whole numbers of 1 or more"):
        Stream(tiny_spectral, **counts)


def test_numbers_of_numpy_are_numbers():
    engine = load_engine("crn-tiny", threads=np.int64(1))
    assert Stream(engine, np.int64(2)).feed(np.zeros((2, 600), np.float32)).shape == (2, 256)
    with pytest.raises(InputError, match="not True"):
        Stream(engine, True)
