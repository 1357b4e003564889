"""The WebSocket `/v1/stream`: sound in frames of any size, the enhanced sound back as it is made."""

import asyncio
import json
import secrets
import time
from contextlib import suppress
from functools import partial
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

from voxfield.cards import Card
from voxfield.serve.frame_socket import EXTENSION, FrameSocket
from voxfield.serve.protocol import Start, control_of, start_of
from voxfield.serve.refusal import RefusedError
from voxfield.serve.session import FLUSH, STOP, Session, nobody
from voxfield.serve.state import State
from voxfield.tasks import engine_for

ENDING = 1012  # the service ends; the client may come back
_CLOSING_S = 5.0  # for a client that does not take its last frames


class Connection:
    """One client, from its handshake to its end.

    The first frame is waited for; later ones are heard, and answers told, in the callbacks of a `FrameSocket`.
    """

    def __init__(self, socket: WebSocket, state: State) -> None:
        self._socket, self._state = socket, state
        self._frames: FrameSocket = socket.scope["extensions"][EXTENSION]
        self._session: Session | None = None
        self._over = asyncio.Event()  # nothing more is heard
        self._error: Exception | None = None  # why, where not by the client's stop
        self._stopping = False
        self._close_code = 1000
        self._last_s = time.monotonic()

    async def serve(self) -> None:
        """All of it. A refusal is said after the handshake, so that browsers can read the reason."""
        socket, state = self._socket, self._state
        try:
            await socket.accept()
            with state.entered(socket.headers, socket.query_params.get("ticket"), self):
                await self._talk()
            await self._close(self._close_code)
        except (WebSocketDisconnect, ConnectionError):
            return
        except Exception as error:
            refusal = state.refusal(error)
            await self._close(refusal.close_code, refusal)

    def check_idle(self) -> None:
        """End the connection where nothing has come for too long."""
        idle_s = self._state.settings.limits.idle_s
        if time.monotonic() - self._last_s > idle_s:
            self._end(
                RefusedError(408, "idle", f"nothing came for {idle_s:g} s; send keepalive while there is no sound")
            )

    def end(self) -> None:
        """The service ends: the session gets its tail."""
        if self._session is None:
            self._end(RefusedError(503, "ending", "this service is ending; try again"))
            return
        self._close_code = ENDING
        self._frames.tell(json.dumps({"type": "ending"}))
        self._stop(self._session)

    async def _talk(self) -> None:
        limits = self._state.settings.limits
        first = await self._received(limits.first_s)
        start = start_of(first.get("text"))
        engine = engine_for(self._state.catalogue.engine_or_default("enhance", start.model), start.task)
        session = await asyncio.to_thread(Session, start, engine, limits)
        session.on_change = partial(self._pass_on, session)
        self._session = session
        self._state.scheduler.add(session)
        try:
            await self._socket.send_text(json.dumps(_ready(start, engine.card, self._state)))
            self._frames.take(partial(self._hear, session), session.on_change)
            await self._received()  # nothing but the client's end comes this way now
        finally:
            self._over.set()
            session.on_change = nobody
            self._state.scheduler.remove(session)
            self._state.metrics.dropped.inc(session.dropped_samples)

    async def _received(self, most_s: float | None = None) -> Any:
        """The next message; None where all was said before one came.

        Raises:
            RefusedError: none came in time. WebSocketDisconnect, or whatever else ended the connection.
        """
        waiting = [asyncio.ensure_future(self._socket.receive()), asyncio.ensure_future(self._over.wait())]
        try:
            await asyncio.wait(waiting, timeout=most_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        if self._error is not None:
            raise self._error
        if self._over.is_set():
            return None
        if not waiting[0].done():
            raise RefusedError(408, "idle", f"no first frame came for {most_s:g} s")
        message: Any = waiting[0].result()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code") or 1005)
        return message

    def _hear(self, session: Session, message: bytes | str) -> None:
        """A message has come."""
        self._last_s = time.monotonic()
        if self._stopping or self._over.is_set():
            return
        try:
            if isinstance(message, str):
                self._control(session, message)
                return
            session.push(message)
        except Exception as error:
            self._end(error)
            return
        self._state.metrics.bytes_in.inc(len(message))
        self._state.scheduler.notify(session)
        if not session.live and not session.has_room:
            self._frames.hold()

    def _control(self, session: Session, text: str) -> None:
        control = control_of(text)
        if control.type == "keepalive":
            alive = {"type": "alive", "queued_ms": round(1000 * session.queued_s, 1), **session.counts()}
            self._frames.tell(json.dumps(alive))
        elif control.type == "stop":
            self._stop(session)
        else:
            session.push_control(FLUSH)
            self._state.scheduler.notify(session)

    def _stop(self, session: Session) -> None:
        if not self._stopping:
            self._stopping = True
            session.push_control(STOP)
            self._state.scheduler.notify(session)

    def _pass_on(self, session: Session) -> None:
        """Something was done, or the client takes again what is sent."""
        frames, state = self._frames, self._state
        if self._over.is_set():
            return
        if session.has_room:
            frames.go_on()
        if session.has_some and frames.has_room:
            for item in session.pop():
                if isinstance(item, bytes):
                    frames.tell(item)
                    state.metrics.bytes_out.inc(len(item))
                    continue
                frames.tell(json.dumps(item))
                if item["type"] == "stopped":
                    self._over.set()
            if not session.live:
                state.scheduler.notify(session)  # its results may have been what it waited for
        if session.error is not None:
            self._end(session.error)

    def _end(self, error: Exception) -> None:
        """Nothing more is heard or said but this."""
        if not self._over.is_set():
            self._error = error
            self._over.set()

    async def _close(self, code: int, refusal: RefusedError | None = None) -> None:
        """Say why, where it is refused, and close; a client that takes nothing more is dropped."""
        try:
            async with asyncio.timeout(_CLOSING_S):
                with suppress(RuntimeError, WebSocketDisconnect, ConnectionError):
                    if refusal is not None:
                        await self._socket.send_text(json.dumps({"type": "error", **refusal.to_dict()["error"]}))
                    await self._socket.close(code, refusal.code if refusal is not None else None)
        except TimeoutError:
            self._frames.drop()


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
