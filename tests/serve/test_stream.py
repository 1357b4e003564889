"""The WebSocket gives what `voxfield.enhance` gives for the whole recording: not one bit differs."""

import asyncio
import json

import numpy as np
import pytest
import websockets
from service import MODEL, noise, together

import voxfield as vf
from voxfield.audio.pcm import decode, encode
from voxfield.serve.live import SessionError

SEPARATOR = "crn-separate"
FRAMES = ((320,), (1, 7, 1000, 3), (4096,))


async def talked(address, samples, rate_hz, frames=(320,), format="f32le", mode="file", **start):
    """All that came back for a recording, and the last message."""
    sound, said = [], []
    async with websockets.connect(address, compression=None, max_size=None) as socket:
        first = {"type": "start", "rate": rate_hz, "channels": len(samples), "format": format, "mode": mode}
        await socket.send(json.dumps(first | {"model": MODEL} | start))
        ready = json.loads(await socket.recv())
        assert ready["type"] == "ready"
        channels = ready["channels"]

        async def listen():
            async for item in socket:
                (sound if isinstance(item, bytes) else said).append(item)

        listening = asyncio.create_task(listen())
        at = turn = 0
        while at < samples.shape[1]:
            count = frames[turn % len(frames)]
            await socket.send(encode(samples[:, at : at + count], format))
            at, turn = at + count, turn + 1
        await socket.send('{"type": "stop"}')
        await listening
        assert socket.close_code == 1000
    return decode(b"".join(sound), format, channels), json.loads(said[-1])


def offline(samples, rate_hz, format, **options):
    given = decode(encode(samples, format), format, len(samples))
    whole = vf.enhance(given, rate_hz, model=MODEL, **options).samples
    return decode(encode(whole, format), format, len(samples))


@pytest.mark.parametrize("frames", FRAMES)
@pytest.mark.parametrize("format", ["f32le", "s16le"])
def test_any_frames_give_the_offline_samples(service, format, frames):
    samples = noise(seconds=0.6)
    given, last = together(talked(service.socket, samples, 16000, frames, format))[0]
    assert np.array_equal(given, offline(samples, 16000, format))
    assert last == {
        "type": "stopped",
        "fed_samples": samples.shape[1],
        "given_samples": samples.shape[1],
        "dropped_samples": 0,
    }


@pytest.mark.parametrize(("rate_hz", "channels"), [(48000, 1), (44100, 2), (8000, 1), (16000, 2)])
def test_other_rates_and_channels(service, rate_hz, channels):
    samples = noise(rate_hz, channels, 0.5)
    given, _ = together(talked(service.socket, samples, rate_hz, (rate_hz // 50,)))[0]
    assert np.array_equal(given, offline(samples, rate_hz, "f32le"))


def test_options_are_those_of_enhance(service):
    samples = noise(channels=2, seconds=0.4)
    given, _ = together(talked(service.socket, samples, 16000, limit_db=12, mix=0.8, link="independent"))[0]
    assert np.array_equal(given, offline(samples, 16000, "f32le", limit_db=12, mix=0.8, channels="independent"))


def test_sessions_that_share_steps_do_not_mix(service):
    recordings = [noise(seconds=0.4 + 0.03 * seed, seed=seed) for seed in range(12)]
    frames = [(160 + 40 * seed,) for seed in range(12)]
    made = together(*(talked(service.socket, r, 16000, f) for r, f in zip(recordings, frames, strict=True)))
    for recording, (given, _) in zip(recordings, made, strict=True):
        assert np.array_equal(given, offline(recording, 16000, "f32le"))


def test_a_flush_ends_a_recording_and_begins_another(service):
    first, second = noise(seconds=0.3, seed=1), noise(seconds=0.2, seed=2)
    with service.client.stream(16000, model=MODEL, mode="file") as session:
        for samples in (first, second):
            given = np.concatenate([session.feed(samples), session.flush()], axis=1)
            assert np.array_equal(given, offline(samples, 16000, "f32le"))
        assert session.stop().shape == (1, 0)
        assert session.counts["given_samples"] == first.shape[1] + second.shape[1]


def test_faults_in_the_sound_become_silence_as_offline(service):
    samples = noise(seconds=0.3)
    samples[0, 1000:1010] = np.nan
    samples[0, 2000] = np.inf
    samples[0, 3000] = 1e30
    given, _ = together(talked(service.socket, samples, 16000))[0]
    assert np.array_equal(given, vf.enhance(samples, 16000, model=MODEL).samples) and np.isfinite(given).all()


def test_ready_says_what_to_expect(service):
    with service.client.stream(48000, model=MODEL) as session:
        assert session.ready["model"].startswith("crn-tiny.")
        assert session.ready["frame_samples"] == 768 and session.ready["latency_ms"] == 32.0
        assert set(session.ready["limits"]) == {"frame_bytes", "duration_s", "queue_s", "idle_s"}


@pytest.mark.parametrize(
    ("rate_hz", "channels", "frames"), [(16000, 1, FRAMES[1]), (16000, 1, (8000,)), (44100, 2, (441,))]
)
def test_voices_as_they_speak(service, rate_hz, channels, frames):
    samples = noise(rate_hz, channels, 0.5)
    given, last = together(talked(service.socket, samples, rate_hz, frames, task="separate", model=SEPARATOR))[0]
    wanted = vf.separate(samples, rate_hz, model=SEPARATOR).voices
    assert np.array_equal(given, wanted.reshape(2 * channels, -1))
    assert last["given_samples"] == last["fed_samples"] == samples.shape[1]


def test_a_session_of_voices(service):
    samples = noise(seconds=0.4)
    with service.client.stream(16000, task="separate", mode="file") as session:
        assert session.ready["model"].startswith("crn-separate.") and session.ready["channels"] == 2
        given = np.concatenate([session.feed(samples), session.stop()], axis=1)
    assert np.array_equal(given, vf.separate(samples, 16000, model=SEPARATOR).voices[:, 0])


@pytest.mark.parametrize(
    ("start", "said"),
    [({"model": "conv-tasnet-small"}, "cannot stream"), ({"limit_db": 12}, "limit_db"), ({"model": MODEL}, "enhance")],
)
def test_what_cannot_be_separated_live_is_refused(service, start, said):
    with pytest.raises(SessionError, match=said):
        service.client.stream(16000, task="separate", **start)
