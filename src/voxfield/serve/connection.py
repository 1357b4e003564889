"""The WebSocket `/v1/stream`: sound in frames of any size, the enhanced sound back as it is made."""

import asyncio
import json
import secrets
import time
from contextlib import suppress
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

from voxfield.cards import Card
from voxfield.serve.answers import said
from voxfield.serve.protocol import Start, control_of, start_of
from voxfield.serve.refusal import RefusedError
from voxfield.serve.session import FLUSH, STOP, Session
from voxfield.serve.state import State
from voxfield.tasks import engine_for

ENDING = 1012  # the service ends; the client may come back
_CLOSING_S = 5.0  # for a client that does not take its last frames


class Connection:
    """One client, from its handshake to its end."""

    def __init__(self, socket: WebSocket, state: State) -> None:
        self._socket, self._state = socket, state
        self._session: Session | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        self._refusal: RefusedError | None = None
        self._close_code = 1000
        self._last_s = time.monotonic()

    async def serve(self) -> None:
        """All of it. A refusal is said after the handshake, so that browsers can read the reason."""
        socket, state = self._socket, self._state
        try:
            await socket.accept()
            with state.entered(socket.headers, socket.query_params.get("ticket"), self):
                await self._talk()
        except (WebSocketDisconnect, ConnectionError):
            return
        except Exception as error:
            await self._say(said(error, state.metrics))

    def check_idle(self) -> None:
        """End the connection where nothing has come for too long."""
        idle_s = self._state.settings.limits.idle_s
        if time.monotonic() - self._last_s > idle_s:
            self._end_with(
                RefusedError(408, "idle", f"nothing came for {idle_s:g} s; send keepalive while there is no sound")
            )

    async def end(self) -> None:
        """The service ends: the session gets its tail."""
        if self._session is None:
            self._end_with(RefusedError(503, "ending", "this service is ending; try again"))
            return
        self._close_code = ENDING
        with suppress(RuntimeError, WebSocketDisconnect, ConnectionError):
            await self._socket.send_text(json.dumps({"type": "ending"}))
        self._session.push_control(STOP)
        self._state.scheduler.notify()

    async def _talk(self) -> None:
        limits = self._state.settings.limits
        first = await self._first(limits.first_s)
        if first["type"] == "websocket.disconnect":
            return
        start = start_of(first.get("text"))
        engine = engine_for(self._state.catalogue.engine_or_default("enhance", start.model), start.task)
        session = await asyncio.to_thread(Session, start, engine, limits)
        self._session = session
        self._state.scheduler.add(session)
        try:
            await self._socket.send_text(json.dumps(_ready(start, engine.card, self._state)))
            await self._pass_on(session)
        finally:
            self._state.scheduler.remove(session)
            self._state.metrics.dropped.inc(session.dropped_samples)

    async def _first(self, most_s: float) -> Any:
        """The first message."""
        receiving: asyncio.Task[Any] = asyncio.create_task(self._socket.receive())
        self._tasks = [receiving]
        done, _ = await asyncio.wait({receiving}, timeout=most_s)
        if self._refusal is not None:
            raise self._refusal
        if not done:
            receiving.cancel()
            raise RefusedError(408, "idle", f"no first frame came for {most_s:g} s")
        return receiving.result()

    async def _pass_on(self, session: Session) -> None:
        """Until the session has stopped, the client has gone or something went wrong."""
        receiving = asyncio.create_task(self._receive(session))
        sending = asyncio.create_task(self._send(session))
        self._tasks = [receiving, sending]
        try:
            await asyncio.wait({receiving, sending}, return_when=asyncio.FIRST_COMPLETED)
            if receiving.done() and not receiving.cancelled() and receiving.exception() is None:
                await sending  # the client said stop: the tail is on its way
        finally:
            for task in self._tasks:
                task.cancel()
            results = await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._refusal is not None:
            raise self._refusal
        for result in results:
            if isinstance(result, Exception):
                raise result
        await self._socket.close(self._close_code)

    async def _receive(self, session: Session) -> None:
        socket, state = self._socket, self._state
        bytes_in, notify = state.metrics.bytes_in, state.scheduler.notify
        while True:
            message = await socket.receive()
            self._last_s = time.monotonic()
            if (data := message.get("bytes")) is not None:
                session.push(data)
                bytes_in.inc(len(data))
                notify()
                if not session.room.is_set():
                    await session.room.wait()
            elif message["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(message.get("code") or 1005)
            elif await self._control(session, message["text"]):
                return

    async def _control(self, session: Session, text: str) -> bool:
        """Whether that was the end."""
        control = control_of(text)
        if control.type == "keepalive":
            alive = {"type": "alive", "queued_ms": round(1000 * session.queued_s, 1), **session.counts()}
            await self._socket.send_text(json.dumps(alive))
            return False
        session.push_control(FLUSH if control.type == "flush" else STOP)
        self._state.scheduler.notify()
        return control.type == "stop"

    async def _send(self, session: Session) -> None:
        socket, state = self._socket, self._state
        bytes_out, notify = state.metrics.bytes_out, state.scheduler.notify
        while True:
            await session.some.wait()
            for item in session.pop():
                if isinstance(item, bytes):
                    await socket.send_bytes(item)
                    bytes_out.inc(len(item))
                    continue
                await socket.send_text(json.dumps(item))
                if item["type"] == "stopped":
                    return
            if session.error is not None:
                raise session.error
            if not session.live:
                notify()  # its results may have been what it waited for

    def _end_with(self, refusal: RefusedError) -> None:
        self._refusal = refusal
        for task in self._tasks:
            task.cancel()

    async def _say(self, refusal: RefusedError) -> None:
        with suppress(RuntimeError, WebSocketDisconnect, ConnectionError, TimeoutError):
            async with asyncio.timeout(_CLOSING_S):
                await self._socket.send_text(json.dumps({"type": "error", **refusal.to_dict()["error"]}))
                await self._socket.close(refusal.close_code, refusal.code)


def _ready(start: Start, card: Card, state: State) -> dict[str, Any]:
    face, limits = card.interface, state.settings.limits
    return {
        "type": "ready",
        "session": secrets.token_hex(8),
        "model": card.name,
        "rate": start.rate,
        "channels": start.channels,
        "format": start.format,
        "frame_samples": -(-face.hop_samples * start.rate // face.sample_rate_hz),
        "latency_ms": face.latency_ms,
        "limits": {
            "frame_bytes": limits.frame_bytes,
            "duration_s": limits.duration_s,
            "queue_s": limits.queue_s,
            "idle_s": limits.idle_s,
        },
    }
