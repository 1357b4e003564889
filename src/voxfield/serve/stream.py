"""The WebSocket `/v1/stream`: sound in frames of any size, the enhanced sound back as it is made."""

import asyncio
import json
import secrets
from typing import Any

from fastapi import WebSocket, WebSocketDisconnect

from voxfield.cards import Card
from voxfield.errors import VoxfieldError
from voxfield.serve.protocol import Start, control_of, start_of
from voxfield.serve.refusal import Refusal
from voxfield.serve.rest import said
from voxfield.serve.session import FLUSH, STOP, Session
from voxfield.serve.state import State

_GRACE_S = 5.0


async def stream(socket: WebSocket, state: State) -> None:
    """One connection from its handshake to its end."""
    try:
        key = state.enter(socket.headers, socket.url.scheme, socket.query_params.get("ticket"))
    except Refusal as refusal:
        await _refuse(socket, refusal)
        return
    try:
        await socket.accept()
        await _talk(socket, state)
    except (WebSocketDisconnect, ConnectionError):
        pass
    except Exception as error:
        await _say_error(socket, said(error))
    finally:
        state.leave(key)


async def _talk(socket: WebSocket, state: State) -> None:
    limits = state.settings.limits
    first = await _receive(socket, limits.idle_s)
    start = start_of(first.get("text"))
    engine = state.catalogue.engine_for("enhance", start.model)
    session = Session(start, engine, limits.queue_s)  # type: ignore[arg-type]
    state.scheduler.add(session)
    try:
        await socket.send_text(json.dumps(_ready(start, engine.card, state)))  # type: ignore[union-attr]
        receiving = asyncio.create_task(_receiving(socket, session, state))
        sending = asyncio.create_task(_sending(socket, session, state))
        done, rest = await asyncio.wait({receiving, sending}, return_when=asyncio.FIRST_EXCEPTION)
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for task in done:
            task.result()
        await socket.close(1000)
    finally:
        state.scheduler.remove(session)


async def _receiving(socket: WebSocket, session: Session, state: State) -> None:
    limits = state.settings.limits
    while True:
        message = await _receive(socket, limits.idle_s)
        data = message.get("bytes")
        if data is not None:
            dropped = session.push(data)
            if dropped:
                await socket.send_text(json.dumps({"type": "dropped", "samples": dropped}))
            state.scheduler.notify()
            await session.room.wait()
            continue
        control = control_of(message["text"])
        if control.type == "keepalive":
            await socket.send_text(json.dumps({"type": "alive"}))
            continue
        session.push_control(FLUSH if control.type == "flush" else STOP)
        state.scheduler.notify()
        if control.type == "stop":
            return


async def _sending(socket: WebSocket, session: Session, state: State) -> None:
    while True:
        await session.some.wait()
        for item in session.pop():
            if isinstance(item, bytes):
                await socket.send_bytes(item)
                continue
            await socket.send_text(json.dumps({"type": "flushed" if item == FLUSH else "stopped", **_counts(session)}))
            if item == STOP:
                return
        if session.error is not None:
            raise session.error
        state.scheduler.notify()


async def _receive(socket: WebSocket, idle_s: float) -> Any:
    try:
        message = await asyncio.wait_for(socket.receive(), idle_s)
    except TimeoutError:
        raise Refusal(408, "idle", f"nothing came for {idle_s:g} s; send keepalive while there is no sound") from None
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code", 1005))
    return message


def _ready(start: Start, card: Card, state: State) -> dict[str, Any]:
    face, limits = card.interface, state.settings.limits
    frame = -(-face.hop_samples * start.rate // face.sample_rate_hz)
    return {
        "type": "ready",
        "session": secrets.token_hex(8),
        "model": card.name,
        "rate": start.rate,
        "channels": start.channels,
        "format": start.format,
        "frame_samples": frame,
        "latency_ms": face.latency_ms,
        "limits": {
            "frame_bytes": limits.frame_bytes,
            "duration_s": limits.duration_s,
            "queue_s": limits.queue_s,
            "idle_s": limits.idle_s,
        },
    }


def _counts(session: Session) -> dict[str, int]:
    return {
        "fed_samples": session.fed_samples,
        "given_samples": session.given_samples,
        "dropped_samples": session.dropped_samples,
    }


async def _refuse(socket: WebSocket, refusal: Refusal) -> None:
    """Before the handshake is over there is nothing but a status; after it there is a reason."""
    await socket.accept()
    await _say_error(socket, refusal)


async def _say_error(socket: WebSocket, refusal: Refusal) -> None:
    try:
        await socket.send_text(json.dumps({"type": "error", **refusal.to_dict()["error"]}))
        await socket.close(refusal.close_code, refusal.code)
    except (RuntimeError, WebSocketDisconnect, ConnectionError, VoxfieldError):
        return
