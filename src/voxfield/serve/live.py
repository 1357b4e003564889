"""A live session of the service, from a program's side."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from voxfield.audio.pcm import decode, encode
from voxfield.errors import VoxfieldError, needed
from voxfield.files import Closing
from voxfield.protocols import Array
from voxfield.samples import block_of


class SessionError(VoxfieldError):
    """What ended a session before its time; `code` is a word for programs, as in docs/serve.md."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class LiveSession(Closing):
    """Sound in, enhanced sound or separate voices out, over one WebSocket.

    What `feed` and `flush` return, put together, is aligned with what was fed, but for what a session of mode `live`
    drops where it is fed faster than sound is heard; `counts` says how much. Mode `file` drops nothing. `feed` returns
    what has arrived so far and never waits for the network.

    Args:
        address: of the WebSocket.
        start: the first frame; see docs/serve.md.
        headers: of the handshake.
        timeout_s: how long the service may say nothing where something is waited for.

    Attributes:
        ready: what the service answered: `frame_samples`, `latency_ms`, `limits` and so on.
        counts: `fed_samples`, `given_samples` and `dropped_samples`, as of the last `flush` or `stop`.
    """

    def __init__(self, address: str, start: Mapping[str, Any], headers: Mapping[str, str], timeout_s: float) -> None:
        connect = needed("websockets.sync.client", "serve", "a live session").connect
        self._format, self._channels = str(start["format"]), int(start["channels"])
        self._given_channels = self._channels
        self._timeout_s = timeout_s
        self._arrived: SimpleQueue[bytes | dict[str, Any] | None] = SimpleQueue()
        self.counts: dict[str, int] = {}
        self._open = ExitStack()
        self._socket = self._open.enter_context(
            connect(address, additional_headers=dict(headers), open_timeout=timeout_s, compression=None, max_size=None)
        )
        Thread(target=self._receive, daemon=True).start()
        self._send(json.dumps(start))
        self.ready = self._until("ready")[1]
        self._given_channels = int(self.ready["channels"])

    def feed(self, samples: Array) -> Array:
        """Send (C, N), or (N,) of one channel; what has arrived so far, (C, M), or (S * C, M) of S voices.

        Raises:
            SessionError: the service ended the session.
        """
        self._send(encode(block_of(samples, self._channels), self._format))
        parts: list[bytes] = []
        while True:
            try:
                item = self._arrived.get_nowait()
            except Empty:
                return self._decoded(parts)
            if isinstance(item, bytes):
                parts.append(item)
            else:
                self._look_at(item)

    def flush(self) -> Array:
        """The rest, (C, M): as many samples have come back as were fed. The next `feed` begins another recording."""
        return self._ended("flush", "flushed")

    def stop(self) -> Array:
        """The rest, (C, M), and the end of the session."""
        return self._ended("stop", "stopped")

    def keepalive(self) -> None:
        """Say that the session is still wanted, where nothing is fed for longer than `ready["limits"]["idle_s"]`."""
        self._send(json.dumps({"type": "keepalive"}))

    def close(self) -> None:
        """End the session at once."""
        self._open.close()

    def _ended(self, request: str, answer: str) -> Array:
        self._send(json.dumps({"type": request}))
        sound, found = self._until(answer)
        self.counts = {key: value for key, value in found.items() if key != "type"}
        return sound

    def _send(self, data: str | bytes) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            self._socket.send(data)
        except ConnectionClosed:
            self._until("nothing")  # what the service said before it closed is on its way here

    def _until(self, kind: str) -> tuple[Array, dict[str, Any]]:
        """The sound that comes before a message of this kind, and the message."""
        parts: list[bytes] = []
        while True:
            try:
                item = self._arrived.get(timeout=self._timeout_s)
            except Empty:
                raise SessionError("timeout", f"the service said nothing for {self._timeout_s:g} s") from None
            if isinstance(item, bytes):
                parts.append(item)
                continue
            self._look_at(item)
            if item is not None and item["type"] == kind:
                return self._decoded(parts), item

    def _look_at(self, item: dict[str, Any] | None) -> None:
        if item is None:
            raise SessionError("closed", "the service closed the connection")
        if item["type"] == "error":
            raise SessionError(item["code"], item["message"])

    def _decoded(self, parts: list[bytes]) -> Array:
        return decode(b"".join(parts), self._format, self._given_channels)

    def _receive(self) -> None:
        from websockets.exceptions import ConnectionClosed

        try:
            for item in self._socket:
                self._arrived.put(item if isinstance(item, bytes) else json.loads(item))
        except ConnectionClosed:
            pass
        self._arrived.put(None)
