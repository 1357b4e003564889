"""Load on the service: many live sessions with frames of 20 ms, and how long each answer takes.

    python benchmarks/serve_load.py crn-tiny:200 crn-small:100 --workers 2
    python benchmarks/serve_load.py crn-tiny:0 --connections 10000      # opened and dropped
    python benchmarks/serve_load.py crn-small --starts 10               # how soon it answers

The answer time runs from the last sample that an output needs being sent to that output arriving; the algorithmic
latency of the network comes on top. An answer `later than a frame` is too late for a player that holds one frame back
and never learns; `underruns` are those of the page's player (static/playout.js), which begins with 15 ms and holds
10 ms more after each. Client and service share the machine: of the processor seconds the service took some, `its event
loops` a part of them, the client some, and whoever else ran meanwhile the rest. `sessions a step` says how many of
them shared a step of the network.
"""

import argparse
import asyncio
import gc
import json
import os
import socket
import statistics
import struct
import subprocess
import sys
import time
import urllib.request
from array import array
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from halts import watched
from table import table
from uvloop import run

from voxfield.protocols import Array

RATE_HZ, FRAME_S = 16000, 0.02
START_S, MORE_S, MOST_S, BLOCK_SAMPLES = 0.015, 0.01, 0.3, 128  # of the page's player: static/playout.js
FRAME_SAMPLES = int(RATE_HZ * FRAME_S)
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Session(asyncio.Protocol):
    """One client, with just as much of WebSocket as is needed: it notes when it sent, and when how much came."""

    def __init__(self, model: str, frames: list[bytes]) -> None:
        self._start = json.dumps({"type": "start", "rate": RATE_HZ, "format": "s16le", "model": model})
        self._frames = frames
        self._rest = b""  # of what came: no whole frame
        self._open = False
        self._hop = self._ahead = self._came = 0
        self._sent_s, self._came_s, self._came_samples = array("d"), array("d"), array("q")
        self.ready: asyncio.Future[dict] = asyncio.get_running_loop().create_future()
        self.over: asyncio.Future[dict] = asyncio.get_running_loop().create_future()
        self.dropped = 0

    def connection_made(self, transport):
        self.transport = transport
        transport.write(
            b"GET /v1/stream HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )

    def data_received(self, data):
        now_s = time.perf_counter()
        data = self._rest + data if self._rest else data
        at, there = 0, len(data)
        if not self._open:
            at = data.find(b"\r\n\r\n") + 4
            self._open = at >= 4
            if not self._open:
                self._rest = data
                return
            self.transport.write(framed(self._start.encode(), 1))
        before = self._came
        while there - at >= 4:  # the service sends no shorter frame
            size, body = data[at + 1], at + 2
            if size == 126:
                size, body = data[at + 2] << 8 | data[at + 3], at + 4
            elif size == 127:
                size, body = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
            if body + size > there:
                break
            if data[at] & 15 == 2:
                self._came += size // 2
            elif data[at] & 15 == 1:
                self._hear(json.loads(data[body : body + size]))
            at = body + size
        self._rest = data[at:]
        if self._came > before:
            self._came_s.append(now_s)
            self._came_samples.append(self._came)

    def connection_lost(self, error):
        for future in (self.ready, self.over):
            if not future.done():
                future.set_exception(ConnectionError("the service closed the connection"))
                future.exception()

    def send(self) -> None:
        """The next frame."""
        self.transport.write(self._frames[len(self._sent_s) % len(self._frames)])
        self._sent_s.append(time.perf_counter())

    def stop(self) -> None:
        """The end."""
        self.transport.write(framed(b'{"type": "stop"}', 1))

    @property
    def arrivals(self) -> list[tuple[float, int]]:
        """When how many samples had come in all."""
        return list(zip(self._came_s, self._came_samples, strict=True))

    @property
    def answers_s(self) -> Array:
        """For each frame sent that completes an output: the time until that had come."""
        sent_samples = np.arange(1, len(self._sent_s) + 1) * FRAME_SAMPLES
        due_samples = np.maximum(0, sent_samples // self._hop * self._hop - self._ahead)
        completes = np.diff(due_samples, prepend=0) > 0
        arrival = np.searchsorted(self._came_samples, due_samples[completes])
        return np.array(self._came_s)[arrival] - np.array(self._sent_s)[completes]

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
    gc.freeze()
    gc.disable()  # what the client does is not measured
    before = Spent.by(service)
    turns_before, steps_before = steps(port)
    sent = late_client = 0
    halts: list[tuple[float, float]] | None = None
    watching = ExitStack()
    with suppress(PermissionError):
        halts = watching.enter_context(watched())
    while sent < count * int(seconds / FRAME_S):  # one session after the other, evenly over a frame
        passed = (time.perf_counter() - before.at_s) / FRAME_S * count
        due = min(int(passed) + 1, count * int(seconds / FRAME_S))
        late_client += max(0, min(due, int(passed) - count) - sent)
        for number in range(sent, due):
            sessions[number % count].send()
        sent = due
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.5)  # for the last answers: what follows holds up the client
    ended_s = time.perf_counter()
    watching.close()
    spent = Spent.by(service) - before
    turns, taken = (now - then for now, then in zip(steps(port), (turns_before, steps_before), strict=True))
    most_kb = memory_kb(service)
    for session in sessions:
        session.stop()
    await asyncio.wait_for(asyncio.gather(*(session.over for session in sessions)), 60)
    missed = [underruns([one for one in session.arrivals if one[0] < ended_s]) for session in sessions]
    answers = np.sort(np.concatenate([session.answers_s[2:] for session in sessions]))
    p50, p95, p99 = (1000 * float(np.quantile(answers, q)) for q in (0.5, 0.95, 0.99))
    return {
        "model": model,
        "sessions": count,
        "seconds": round(spent.at_s, 1),
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
        "halts": "" if halts is None else len(halts),
        "longest_halt_ms": round(1000 * max((lasted for _, lasted in halts or ()), default=0), 1),
        "sessions_a_step": round(turns / taken, 1),
        "cpu_s_service": round(spent.service_s, 1),
        "cpu_s_its_event_loops": round(spent.loops_s, 1),
        "cpu_s_client": round(spent.client_s, 1),
        "cpu_s_others": round(max(0.0, spent.others_s), 1),
        "cores": round(spent.service_s / spent.at_s, 2),
        "cores_a_session": round(spent.service_s / spent.at_s / count, 5),
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
            if session._came_s:
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


class Spent(NamedTuple):
    """Seconds of processor time until a moment, or between two."""

    at_s: float
    service_s: float
    loops_s: float  # of it the main threads: sockets, WebSocket, queues; the others run the network
    client_s: float
    others_s: float  # of this machine

    @classmethod
    def by(cls, service: list[int]) -> "Spent":
        """Until now."""
        user, nice, system, _, _, irq, soft, stolen = map(int, Path("/proc/stat").read_text().split()[1:9])
        service_s, own_s = sum(cpu(f"{pid}") for pid in service), time.process_time()
        all_s = (user + nice + system + irq + soft + stolen) / _TICKS_A_SECOND
        loops_s = sum(cpu(f"{pid}/task/{pid}") for pid in service)
        return cls(time.perf_counter(), service_s, loops_s, own_s, all_s - service_s - own_s)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(*(mine - theirs for mine, theirs in zip(self, other, strict=True)))


def cpu(of: str) -> float:
    """Seconds of processor time that a process, or one of its threads, has had."""
    fields = Path(f"/proc/{of}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def steps(port: int) -> tuple[float, float]:
    """How many turns of sessions the network has taken so far, and in how many steps."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        said = dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines() if line[0] != "#")
    return float(said["voxfield_step_sessions_sum"]), float(said["voxfield_step_sessions_count"])


def memory_kb(pids: list[int]) -> float:
    """Memory of processes, what they share counted once."""
    return sum(
        int(line.split()[1])
        for pid in pids
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        if line.startswith("Pss:")
    )


@contextmanager
def started(model: str, given: argparse.Namespace) -> Iterator[tuple[int, int, float]]:
    """A service: its process, its port, and seconds until it answered."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "voxfield", "serve", "--port", str(port), "--workers", str(given.workers)]
    began_s = time.perf_counter()
    with subprocess.Popen([*command, "--model", model, "--max-sessions", "1024"], stderr=subprocess.DEVNULL) as service:
        try:
            while not answers(port):
                time.sleep(0.01)
            yield service.pid, port, time.perf_counter() - began_s
        finally:
            service.terminate()


def measured(model: str, sessions: int, given: argparse.Namespace) -> dict:
    """Start a service, load it, and say how it went."""
    with started(model, given) as (process, port, ready_s):
        time.sleep(2)  # for the other workers
        pids = processes(process)
        first_ms = run(first_answer(port, model))
        found = {"workers": given.workers, "ready_s": round(ready_s, 2), "first_audio_ms": round(first_ms, 1)}
        if sessions:
            found |= run(load(port, model, sessions, given.seconds, pids))
        if given.connections:
            found |= run(opened_and_dropped(port, given.connections, pids))
        return found


def starts(model: str, given: argparse.Namespace) -> dict:
    """How long a service takes until it answers, in so many starts."""
    found = []
    for _ in range(given.starts):
        with started(model, given) as (_, _, ready_s):
            found.append(ready_s)
    shortest, middle, longest = (round(one, 2) for one in (min(found), statistics.median(found), max(found)))
    return {
        "starts": given.starts,
        "workers": given.workers,
        "ready_s": middle,
        "ready_s_shortest": shortest,
        "ready_s_longest": longest,
    }


def main() -> None:
    """Print a line of JSON a load, or a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("loads", nargs="*", default=["crn-tiny:200", "crn-small:100"], help="MODEL:SESSIONS")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--connections", type=int, default=0)
    parser.add_argument("--starts", type=int, default=0, help="only start it so often, without a load")
    parser.add_argument("--markdown", action="store_true")
    given = parser.parse_args()
    found = []
    for wanted in given.loads:
        model, _, sessions = wanted.partition(":")
        found.append(starts(model, given) if given.starts else measured(model, int(sessions or 0), given))
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
