"""Load on the service: many live sessions with frames of 20 ms, and how long each answer takes.

    python benchmarks/serve_load.py crn-tiny:200 crn-small:100 --workers 2
    python benchmarks/serve_load.py crn-tiny:0 --connections 10000      # opened and dropped

The answer time runs from the last sample that an output needs being sent to that output arriving; the algorithmic
latency of the network comes on top. An answer `later than a frame` is too late for a player that holds one frame back
and never learns; `underruns` are those of the page's player (static/playout.js), which begins with 15 ms and holds
10 ms more after each. Client and service share the machine: `cores` is the service, `cores client` what the client
takes, and `cores others` whoever else ran meanwhile.
"""

import argparse
import asyncio
import json
import os
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from table import table

RATE_HZ, FRAME_S = 16000, 0.02
START_S, MORE_S, MOST_S, BLOCK_SAMPLES = 0.015, 0.01, 0.3, 128  # of the page's player: static/playout.js
FRAME_SAMPLES = int(RATE_HZ * FRAME_S)
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Session(asyncio.Protocol):
    """One client, with just as much of WebSocket as is needed."""

    def __init__(self, model: str, frames: list[bytes]) -> None:
        self._start = json.dumps({"type": "start", "rate": RATE_HZ, "format": "s16le", "model": model})
        self._frames, self._sent = frames, 0
        self._data = b""
        self._open = False
        self._hop = self._ahead = 0
        self._due: list[tuple[int, float]] = []  # samples that shall have come, and since when they could
        self._came = 0
        self.ready: asyncio.Future[dict] = asyncio.get_running_loop().create_future()
        self.over: asyncio.Future[dict] = asyncio.get_running_loop().create_future()
        self.answers_s: list[float] = []
        self.arrivals: list[tuple[float, int]] = []  # when how many samples had come in all
        self.first_s = 0.0
        self.dropped = 0

    def connection_made(self, transport):
        self.transport = transport
        transport.write(
            b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )

    def data_received(self, data):
        self._data += data
        if not self._open:
            head, end, self._data = self._data.partition(b"\r\n\r\n")
            if not end:
                self._data = head
                return
            self._open = True
            self.transport.write(framed(self._start.encode(), 1))
        while len(self._data) >= 2:
            size, at = self._data[1] & 127, 2
            if size == 126:
                size, at = int.from_bytes(self._data[2:4], "big"), 4
            elif size == 127:
                size, at = int.from_bytes(self._data[2:10], "big"), 10
            if len(self._data) < at + size:
                return
            kind, body = self._data[0] & 15, self._data[at : at + size]
            self._data = self._data[at + size :]
            if kind == 2:
                self._take(len(body) // 2)
            elif kind == 1:
                self._hear(json.loads(body))

    def connection_lost(self, error):
        for future in (self.ready, self.over):
            if not future.done():
                future.set_exception(ConnectionError("the service closed the connection"))
                future.exception()

    def send(self) -> None:
        """The next frame."""
        self.transport.write(self._frames[self._sent % len(self._frames)])
        self._sent += 1
        whole = self._sent * FRAME_SAMPLES // self._hop * self._hop - self._ahead
        if whole > (self._due[-1][0] if self._due else self._came):
            self._due.append((whole, time.perf_counter()))

    def stop(self) -> None:
        """The end."""
        self.transport.write(framed(b'{"type": "stop"}', 1))

    def _take(self, count: int) -> None:
        now_s = time.perf_counter()
        self._came += count
        self.arrivals.append((now_s, self._came))
        while self._due and self._due[0][0] <= self._came:
            self.answers_s.append(now_s - self._due.pop(0)[1])

    def _hear(self, said: dict) -> None:
        if said["type"] == "ready":
            self._hop = said["frame_samples"]
            self._ahead = round(said["latency_ms"] * RATE_HZ / 1000) - self._hop
            self.ready.set_result(said)
        elif said["type"] == "stopped":
            self.dropped = said["dropped_samples"]
            self.over.set_result(said)
        elif said["type"] == "dropped":
            self._came += said["samples"]
        elif said["type"] == "error":
            raise SystemExit(f"the service says: {said}")


def underruns(arrivals: list[tuple[float, int]]) -> int:
    """How often the page's player has nothing to play, of a stream that arrived so."""
    reserve = START_S * RATE_HZ
    found = played = next_ = came = 0
    playing = False
    now_s = arrivals[0][0]
    while next_ < len(arrivals):
        while next_ < len(arrivals) and arrivals[next_][0] <= now_s:
            came = arrivals[next_][1]
            next_ += 1
        playing = playing or came - played >= reserve + BLOCK_SAMPLES
        if playing and came - played < BLOCK_SAMPLES:
            found, playing = found + 1, False
            reserve = min(reserve + MORE_S * RATE_HZ, MOST_S * RATE_HZ)
        played += BLOCK_SAMPLES * playing
        now_s += BLOCK_SAMPLES / RATE_HZ
    return found


def framed(body: bytes, kind: int) -> bytes:
    """A masked frame whose mask is zero."""
    size = bytes([128 | len(body)]) if len(body) < 126 else bytes([254]) + struct.pack("!H", len(body))
    return bytes([128 | kind]) + size + bytes(4) + body


async def load(port: int, model: str, count: int, seconds: float, service: list[int]) -> dict:
    """Figures of so many sessions over so many seconds."""
    samples = (0.1 * np.random.default_rng(0).standard_normal(50 * FRAME_SAMPLES) * 2**15).astype("<i2")
    frames = [framed(part.tobytes(), 2) for part in samples.reshape(50, FRAME_SAMPLES)]
    loop = asyncio.get_running_loop()

    async def opened(many: int) -> list[Session]:
        made = []
        for _ in range(many):
            _, session = await loop.create_connection(lambda: Session(model, frames), "127.0.0.1", port)
            await session.ready
            made.append(session)
        return made

    warm = await opened(32)  # what the process needs once is not counted
    for session in 10 * warm:
        session.send()
    for session in warm:
        session.stop()
    await asyncio.gather(*(session.over for session in warm))
    before_kb = memory_kb(service)
    sessions = await opened(count)
    cpu_s, own_s, all_s, began_s = cpu(service), time.process_time(), machine_cpu(), time.perf_counter()
    turns = int(seconds / FRAME_S)
    late_client = 0
    for turn in range(turns):
        for number, session in enumerate(sessions):
            due_s = began_s + (turn + number / max(1, count)) * FRAME_S
            wait_s = due_s - time.perf_counter()
            if wait_s > 0.0005:
                await asyncio.sleep(wait_s)
            elif number % 8 == 0:
                await asyncio.sleep(0)
            late_client += wait_s < -FRAME_S
            session.send()
    worked_s, cpu_s, own_s = time.perf_counter() - began_s, cpu(service) - cpu_s, time.process_time() - own_s
    other_s = machine_cpu() - all_s - cpu_s - own_s
    most_kb = memory_kb(service)
    for session in sessions:
        session.stop()
    await asyncio.wait_for(asyncio.gather(*(session.over for session in sessions)), 60)
    missed = [underruns(session.arrivals) for session in sessions]
    answers = np.sort(np.concatenate([session.answers_s[2:] for session in sessions]))
    p50, p95, p99 = (1000 * float(np.quantile(answers, q)) for q in (0.5, 0.95, 0.99))
    return {
        "model": model,
        "sessions": count,
        "seconds": round(worked_s, 1),
        "answers": len(answers),
        "p50_ms": round(p50, 1),
        "p95_ms": round(p95, 1),
        "p99_ms": round(p99, 1),
        "longest_ms": round(1000 * float(answers[-1]), 1),
        "later_than_a_frame": int((answers > FRAME_S).sum()),
        "underruns": sum(missed),
        "sessions_without": missed.count(0),
        "dropped_samples": sum(session.dropped for session in sessions),
        "late_client_frames": late_client,
        "cores": round(cpu_s / worked_s, 2),
        "cores_a_session": round(cpu_s / worked_s / count, 5),
        "cores_client": round(own_s / worked_s, 2),
        "cores_others": round(max(0.0, other_s) / worked_s, 2),
        "service_mb": round(most_kb / 1024, 1),
        "kb_a_session": round((most_kb - before_kb) / count, 1),
    }


async def opened_and_dropped(port: int, count: int, service: list[int]) -> dict:
    """Memory before and after so many connections of every kind."""

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        if number % 3:
            writer.write(b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        if number % 3 == 2:
            writer.write(b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    async def many(numbers: range) -> None:
        for start in range(numbers.start, numbers.stop, 50):
            await asyncio.gather(*(one(number) for number in range(start, start + 50)), return_exceptions=True)

    await many(range(500))  # what the process needs once is not counted
    await asyncio.sleep(1)
    before_kb = memory_kb(service)
    await many(range(500, 500 + count))
    await asyncio.sleep(1)
    return {"connections": count, "before_mb": before_kb / 1024, "after_mb": memory_kb(service) / 1024}


async def first_answer(port: int, model: str) -> float:
    """Milliseconds from the first sample sent in real time to the first one that comes back."""
    samples = np.zeros(FRAME_SAMPLES, "<i2")
    loop = asyncio.get_running_loop()
    _, session = await loop.create_connection(lambda: Session(model, [framed(samples.tobytes(), 2)]), "127.0.0.1", port)
    await session.ready
    began_s = time.perf_counter()
    for turn in range(50):  # a frame is sent when its last sample was recorded
        await asyncio.sleep(max(0.0, began_s + (turn + 1) * FRAME_S - time.perf_counter()))
        session.send()
        for _ in range(20):
            await asyncio.sleep(FRAME_S / 25)
            if session._came:
                session.transport.abort()
                return 1000 * (time.perf_counter() - began_s)
    raise SystemExit("nothing came back within a second")


def processes(parent: int) -> list[int]:
    """A process and its children."""
    found = [parent]
    for task in Path(f"/proc/{parent}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += processes(int(child))
    return found


def cpu(pids: list[int]) -> float:
    """Seconds of processor time that processes have had."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(one[11]) + int(one[12]) for one in fields) / _TICKS_A_SECOND


def machine_cpu() -> float:
    """Seconds of processor time that all processes of this machine have had."""
    user, nice, system = (int(word) for word in Path("/proc/stat").read_text().split()[1:4])
    return (user + nice + system) / _TICKS_A_SECOND


def memory_kb(pids: list[int]) -> float:
    """Memory of processes, what they share counted once."""
    return sum(
        int(line.split()[1])
        for pid in pids
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        if line.startswith("Pss:")
    )


def measured(model: str, sessions: int, given: argparse.Namespace) -> dict:
    """Start a service, load it, and say how it went."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "voxfield", "serve", "--port", str(port), "--workers", str(given.workers)]
    began_s = time.perf_counter()
    with subprocess.Popen([*command, "--model", model, "--max-sessions", "1024"], stderr=subprocess.DEVNULL) as service:
        try:
            while not answers(port):
                time.sleep(0.02)
            ready_s = time.perf_counter() - began_s
            time.sleep(2)  # for the other workers
            pids = processes(service.pid)
            first_ms = asyncio.run(first_answer(port, model))
            found = {"workers": given.workers, "ready_s": round(ready_s, 2), "first_audio_ms": round(first_ms, 1)}
            if sessions:
                found |= asyncio.run(load(port, model, sessions, given.seconds, pids))
            if given.connections:
                found |= asyncio.run(opened_and_dropped(port, given.connections, pids))
            return found
        finally:
            service.terminate()


def main() -> None:
    """Print a line of JSON a load, or a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("loads", nargs="*", default=["crn-tiny:200", "crn-small:100"], help="MODEL:SESSIONS")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--connections", type=int, default=0)
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    found = []
    for wanted in given.loads:
        model, _, sessions = wanted.partition(":")
        found.append(measured(model, int(sessions), given))
        if not given.markdown:
            print(json.dumps(found[-1]), flush=True)
    if given.markdown:
        rows = [[key.replace("_", " "), *(str(one.get(key, "")) for one in found)] for key in found[0]]
        print(table(["", *given.loads], rows, markdown=True))


def answers(port: int) -> bool:
    """Whether the service is there."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as one:
            one.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            return b" 200 " in one.recv(100)
    except OSError:
        return False


if __name__ == "__main__":
    main()
