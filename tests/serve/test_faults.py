"""What goes wrong outside must not go wrong inside: after each fault the service works and has nobody left in it."""

import json
import resource
import socket
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from service import MODEL, noise, running, stored, wait_until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import voxfield as vf
from voxfield.serve import ServiceError, SessionError, connection, inlet

START = {"type": "start", "rate": 16000, "model": MODEL, "format": "f32le"}


@pytest.fixture(scope="module")
def service():
    """A service of short patience."""
    limits = {"idle_s": 4.0, "first_s": 2.0, "queue_s": 0.5, "frame_bytes": 1 << 20, "duration_s": 600.0}
    with running(limits=limits) as one:
        yield one


@pytest.fixture(autouse=True)
def works_afterwards(service):
    yield
    wait_until(lambda: not service.state._open and not service.state._jobs)
    samples = noise(seconds=0.2)
    with service.client.stream(16000, model=MODEL, mode="file") as session:
        given = np.concatenate([session.feed(samples), session.stop()], axis=1)
    assert np.array_equal(given, vf.enhance(samples, 16000, model=MODEL).samples)


def memory_kb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() // 1024


def talk(service, *frames, first=START):
    """What the service says and closes with."""
    said = []
    with connect(service.socket, compression=None, max_size=None) as ws:
        with suppress(ConnectionClosed):
            ws.send(first if isinstance(first, str | bytes) else json.dumps(first))
            for frame in frames:
                ws.send(frame)
        with suppress(ConnectionClosed):
            while True:
                item = ws.recv(timeout=20)
                if isinstance(item, str):
                    said.append(json.loads(item))
    return said, ws.close_code


@pytest.mark.parametrize(
    "first",
    [
        b"\0\0\0\0",
        "",
        "{",
        "[" * 5000,
        "null",
        "{}",
        json.dumps(START)[:-2],
        "x" * 100_000,
        START | {"type": "stop"},
        START | {"rate": 0},
        START | {"rate": 10**9},
        START | {"rate": 10**40},
        START | {"rate": "fast"},
        START | {"rate": 768_000, "channels": 200},
        START | {"channels": 0},
        START | {"channels": 10**6},
        START | {"format": "mp3"},
        START | {"mix": 7},
        START | {"limit_db": -1},
        START | {"task": "represent"},
        START | {"task": "separate", "mix": 0.5},
        START | {"surprise": 1},
    ],
    ids=lambda first: str(first)[:40],
)
def test_a_wrong_first_frame(service, first):
    said, code = talk(service, first=first)
    assert said[-1]["type"] == "error" and said[-1]["code"] in ("bad_start", "bad_message") and said[-1]["message"]
    assert code == 1008


def test_models_that_are_none(service):
    for model in ("nonsense", "/etc/passwd", "../../x.onnx", "conv-tasnet-small"):
        said, code = talk(service, first=START | {"model": model})
        assert said[-1]["code"] in ("unknown_model", "bad_request") and code == 1008


@pytest.mark.parametrize("frame", [b"\0" * 3, '{"type": "dance"}', "{", '{"type": "stop", "more": 1}'])
def test_wrong_frames_later(service, frame):
    said, code = talk(service, b"\0" * 4000, frame)
    assert said[-1]["type"] == "error" and code == 1008


def test_a_frame_of_10_mb(service):
    """The connection ends with 1009 where the frame is announced; a peer that is still sending may miss it (1006)."""
    with connect(service.socket, compression=None) as ws:
        ws.send(json.dumps(START))
        assert json.loads(ws.recv())["type"] == "ready"
        ws.socket.sendall(b"\x82\xff" + (10_000_000).to_bytes(8, "big") + bytes(4))  # its head: binary, masked
        with pytest.raises(ConnectionClosed):
            ws.recv(timeout=20)
        assert ws.close_code == 1009
    assert talk(service, bytes(10_000_000))[1] in (1009, 1006)
    assert talk(service, b"", '{"type": "stop"}')[1] == 1000


def test_empty_frames_are_nothing(service):
    said, code = talk(service, b"", b"", '{"type": "keepalive"}', '{"type": "stop"}')
    assert [item["type"] for item in said] == ["ready", "alive", "stopped"] and code == 1000


def test_a_live_client_ten_times_too_fast_loses_the_oldest_and_is_told(service):
    second = noise(seconds=1)[:, :16000].astype("<f4").tobytes()
    said, code = talk(service, *[second] * 10, '{"type": "stop"}')
    last = said[-1]
    assert code == 1000 and last["type"] == "stopped"
    assert last["fed_samples"] == 160_000 == last["given_samples"] + last["dropped_samples"]
    assert last["dropped_samples"] == sum(item["samples"] for item in said if item["type"] == "dropped") > 0


def test_a_file_client_ten_times_too_fast_waits(service):
    samples = noise(seconds=10)
    with service.client.stream(16000, model=MODEL, mode="file") as session:
        given = [session.feed(part) for part in np.array_split(samples, 20, axis=1)]
        given.append(session.stop())
    assert session.counts["dropped_samples"] == 0
    assert np.array_equal(np.concatenate(given, axis=1), vf.enhance(samples, 16000, model=MODEL).samples)


@pytest.mark.parametrize("mode", ["live", "file"])
def test_a_client_that_never_reads(service, mode):
    frame = b"\x82\xff" + (64_000).to_bytes(8, "big") + bytes(4) + bytes(64_000)
    with opened(service, START | {"mode": mode}) as one:
        one.settimeout(0.5)
        before_kb = memory_kb()
        with suppress(OSError):
            for _ in range(300):  # 300 s of sound
                one.sendall(frame)
        (session,) = service.state.scheduler.sessions
        assert len(session._waiting) < 1_300_000 and session._ready_bytes < 1_300_000
        assert memory_kb() - before_kb < 30_000


def test_clients_that_vanish(service):
    for how in range(12):
        with opened(service, START) as one:
            one.sendall(b"\x82\xfe" + (6400).to_bytes(2, "big") + bytes(4) + bytes(6400 - how))
            if how % 2:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # without a goodbye


def test_a_client_that_falls_silent_is_let_go(service):
    with opened(service, START) as one:
        one.recv(65536)
        assert service.state._open
        wait_until(lambda: not service.state._open, 8)
        assert b"idle" in one.recv(65536)


def test_keepalive_keeps_a_silent_session(service):
    """For longer than the limit, after which it is let go as any other; the sound goes on as if there were no gap."""
    samples = noise(seconds=0.3)
    with service.client.stream(16000, model=MODEL, mode="file") as session:
        idle_s = session.ready["limits"]["idle_s"]
        given = [session.feed(samples[:, :1000])]
        began_s = time.monotonic()
        while time.monotonic() - began_s < 1.6 * idle_s:
            time.sleep(idle_s / 3)
            session.keepalive()
            sound, said = session._until("alive")
            given.append(sound)
            assert (said["fed_samples"], said["dropped_samples"], said["queued_ms"]) == (1000, 0, 0)
        given += [session.feed(samples[:, 1000:]), session.flush()]
        assert np.array_equal(np.concatenate(given, axis=1), vf.enhance(samples, 16000, model=MODEL).samples)
        began_s = time.monotonic()
        with pytest.raises(SessionError, match="keepalive") as caught:
            session._until("nothing")
        assert caught.value.code == "idle" and time.monotonic() - began_s >= 0.9 * idle_s
        wait_until(lambda: session._socket.close_code is not None)
        assert session._socket.close_code == 1008


def test_a_client_that_takes_nothing_when_it_is_let_go(service, monkeypatch):
    """What it was sent fills every buffer, so not even the reason can be said."""
    monkeypatch.setattr(connection, "_CLOSING_S", 1.0)
    with opened(service, START | {"mode": "file"}) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        one.settimeout(0.5)
        with suppress(OSError):
            while True:
                one.sendall(b"\x82\xff" + (64_000).to_bytes(8, "big") + bytes(4) + bytes(64_000))
        wait_until(lambda: not service.state._open, 60)
        wait_until(lambda: not service.server.server_state.connections)


def test_messages_in_parts_and_controls_between_them(service):
    samples = noise(seconds=0.3)
    data = samples.astype("<f4").tobytes()
    at = len(data) // 8 * 4
    text = b'{"type": "flush"}'
    parts = [frame(0x02, data[:at]), frame(0x89, b"ping"), frame(0x80, data[at:])]
    parts += [frame(0x01, text[:5]), frame(0x80, text[5:]), frame(0x81, b'{"type": "stop"}')]
    for size in (1, 3, 1000, 10**6):  # however the network cuts it
        with opened(service, START | {"mode": "file"}) as one:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            whole = b"".join(parts) if size > 3 else frame(0x82, data[:32]) + b"".join(parts[3:])
            for start in range(0, len(whole), size):
                one.sendall(whole[start : start + size])
            answer = b""
            while not answer.endswith(b"\x88\x02\x03\xe8"):  # closed with 1000
                answer += one.recv(1 << 16)
        count = samples.shape[1] if size > 3 else 8
        assert f'"given_samples": {count}'.encode() in answer.partition(b"flushed")[2] and b"stopped" in answer
        assert (b"\x8a\x04ping" in answer) == (size > 3)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\x82\x04" + bytes(4), 1002),  # without a mask
        (b"\xc2\x84" + bytes(8), 1002),  # a bit that means nothing here
        (b"\x83\x84" + bytes(8), 1002),  # a kind that there is not
        (b"\x80\x84" + bytes(8), 1002),  # the rest of nothing
        (b"\x02\x84" + bytes(8) + b"\x82\x84" + bytes(8), 1002),  # a message within another
        (b"\x82\xff" + (1 << 62).to_bytes(8, "big") + bytes(4), 1009),
        (b"\x81\x84" + bytes(4) + b"\xff\xff\xff\xff", 1007),  # text that is none
    ],
)
def test_frames_that_break_the_rules(service, sent, code):
    with opened(service, START) as one:
        one.sendall(sent)
        answer = b""
        while (end := answer.rpartition(b"\x88"))[1] == b"" or len(end[2]) < 3:
            answer += one.recv(1 << 16)
    assert end[2][1:3] == code.to_bytes(2, "big")


def test_connections_opened_and_dropped(service):
    before_kb = None
    for number in range(400):
        if number == 100:
            before_kb = memory_kb()
        one = socket.create_connection(("127.0.0.1", int(service.netloc.rpartition(":")[2])))
        if number % 4 == 1:
            one.sendall(b"GET /v1/stream HTTP/1.1\r\n")
        elif number % 4 == 2:
            one.sendall(handshake())
        elif number % 4 == 3:
            one.sendall(b"\xff\x00nonsense\r\n\r\n" * 10)
        one.close()
    wait_until(lambda: len(service.server.server_state.connections) == 0)
    assert memory_kb() - before_kb < 20_000


def test_a_slow_loris_is_let_go(service):
    port = int(service.netloc.rpartition(":")[2])
    head = b"POST /v1/enhance HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: audio/wav\r\nContent-Length: 1000000\r\n"
    slow = [socket.create_connection(("127.0.0.1", port)) for _ in range(3)]
    for one, sent in zip(slow, (b"", head, head + b"\r\n" + stored(noise())[:500]), strict=True):
        one.sendall(sent)
        one.settimeout(12)
    answers = []
    for one in slow:
        with suppress(OSError):
            answer = b""
            while part := one.recv(4096):
                answer += part
            answers.append(answer)
        one.close()
    assert answers[:2] == [b"", b""]
    assert b" 200 " in answers[2] and not answers[2].endswith(b"0\r\n\r\n")  # begun, and broken off


def test_a_small_flac_that_decodes_to_hours(service, tmp_path):
    path = tmp_path / "bomb.flac"
    with soundfile.SoundFile(path, "w", 16000, 1, "PCM_16") as file:
        for _ in range(1200):
            file.write(np.zeros(16000, np.int16))
    assert path.stat().st_size < 200_000
    before_kb = memory_kb()
    with pytest.raises(ServiceError, match="600 s") as caught:
        service.client.enhance(path)
    assert caught.value.code == "too_long" and memory_kb() - before_kb < 50_000


def test_damaged_files_of_every_kind(service):
    rng = np.random.default_rng(1)
    for format, subtype in (("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")):
        whole = stored(noise(seconds=0.3), 16000, format, subtype)
        for _ in range(6):
            broken = bytearray(whole[: rng.integers(20, len(whole))])
            for at in rng.integers(0, len(broken), 8):
                broken[at] = rng.integers(256)
            with suppress(ServiceError):  # an answer, whatever it is
                service.client.call("enhance", {"file": bytes(broken)})


def test_an_answer_that_goes_wrong_breaks_off():
    """A wav that came whole is whole: what fails after the first byte closes the connection."""
    second = b"%x\r\n" % 32_000 + bytes(32_000) + b"\r\n"
    with running(limits={"duration_s": 20.0}) as short:
        address = ("127.0.0.1", int(short.netloc.rpartition(":")[2]))
        with socket.create_connection(address) as one:
            one.settimeout(30)
            one.sendall(
                b"POST /v1/enhance?raw=16000 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: audio/wav\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
            )
            with suppress(OSError):
                one.sendall(second * 30)
            answer = b""
            with suppress(OSError):
                while part := one.recv(1 << 20):
                    answer += part
    assert answer.startswith(b"HTTP/1.1 200") and not answer.endswith(b"0\r\n\r\n")


def test_a_client_that_reads_nothing_until_it_has_sent_all(service, monkeypatch):
    """Browsers and most libraries do so; the upload then waits outside of memory."""
    spilled = []
    made = inlet.tempfile.TemporaryFile
    monkeypatch.setattr(inlet.tempfile, "TemporaryFile", lambda: spilled.append(made()) or spilled[-1])
    for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
        service.port.setsockopt(socket.SOL_SOCKET, buffer, 1 << 16)  # which new connections take over
    samples = noise(seconds=60)
    content = stored(samples, subtype="FLOAT")
    with socket.socket() as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 14)
        one.connect(("127.0.0.1", int(service.netloc.rpartition(":")[2])))
        one.settimeout(60)
        head = (
            f"POST /v1/enhance HTTP/1.1\r\nHost: {service.netloc}\r\nContent-Type: audio/wav\r\nConnection: close\r\n"
        )
        one.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
        answer = bytearray()
        while part := one.recv(1 << 20):
            answer += part
    body = unchunked(bytes(answer).partition(b"\r\n\r\n")[2])
    whole = vf.enhance(content, model=MODEL).samples[0]
    assert np.array_equal(np.frombuffer(body[-4 * samples.shape[1] :], np.float32), whole)
    assert spilled and all(file.closed for file in spilled)


def test_an_answer_begins_while_the_upload_goes_on(service):
    content = stored(noise(seconds=20))

    class Slowly:
        at, seen = 0, 0

        def read(self, count):
            part = content[self.at : self.at + count]
            self.at += len(part)
            if self.at >= len(content) // 2:
                wait_until(lambda: service.state.metrics.bytes_out.count > self.seen)
            return part

    Slowly.seen = service.state.metrics.bytes_out.count
    assert service.client.enhance(Slowly()).samples.shape == noise(seconds=20).shape


def test_the_end_of_the_service_gives_sessions_their_tails():
    samples = noise(seconds=0.5)
    with running() as service:
        sessions = [service.client.stream(16000, model=MODEL) for _ in range(4)]
        given = [[session.feed(samples)] for session in sessions]
        with connect(service.socket) as silent:
            service.end()
            with suppress(ConnectionClosed):
                assert json.loads(silent.recv())["code"] == "ending"
        for session, parts in zip(sessions, given, strict=True):
            sound, said = session._until("ending")
            tail, last = session._until("stopped")
            parts += [sound, tail]
            assert said["type"] == "ending" and last["given_samples"] == samples.shape[1]
            assert np.array_equal(np.concatenate(parts, axis=1), vf.enhance(samples, 16000, model=MODEL).samples)
            with pytest.raises(SessionError):
                session.stop()
            assert session._socket.close_code == 1012


class opened:  # noqa: N801
    """A session over a bare socket."""

    def __init__(self, service, start):
        self._socket = socket.create_connection(("127.0.0.1", int(service.netloc.rpartition(":")[2])))
        self._socket.sendall(handshake())
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._socket.recv(1024)
        text = json.dumps(start).encode()
        self._socket.sendall(b"\x81\xfe" + len(text).to_bytes(2, "big") + bytes(4) + text)
        wait_until(lambda: service.state.scheduler.sessions)

    def __enter__(self):
        return self._socket

    def __exit__(self, *_):
        self._socket.close()


def frame(kind, body):
    """One whole frame with a mask of zeros; `kind` is its first byte."""
    size = bytes([128 | len(body)]) if len(body) < 126 else b"\xfe" + len(body).to_bytes(2, "big")
    return bytes([kind]) + size + bytes(4) + body


def handshake():
    return (
        b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )


def unchunked(data):
    parts = []
    while data:
        size, _, rest = data.partition(b"\r\n")
        parts.append(rest[: int(size, 16)])
        data = rest[int(size, 16) + 2 :]
    return b"".join(parts)
