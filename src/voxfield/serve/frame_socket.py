"""uvicorn's WebSocket with a short way for the frames of a session: no queue and no task lie on it."""

from collections.abc import Callable
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import apply_mask  # type: ignore[attr-defined]  # the one in C, where there is one

EXTENSION = "voxfield.frames"  # where the scope of a connection holds its socket
_BINARY, _TEXT, _GO_ON = 0x82, 0x81, 0x80  # first byte of a frame that ends its message
_MASKED = 0x80


class FrameSocket(WebSocketsSansIOProtocol):
    """Hands every message to a function as soon as it has come, and sends without waiting.

    At 50 frames a second and session, what asyncio and the protocol's parser take for a frame is as much as the
    network takes for it. So whole binary frames are read here; all others go to the parser, each when it is whole, and
    the parser judges what is wrong with them. Until `take` is called everything is as it was.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._hear: Callable[[bytes | str], None] | None = None
        self._on_room: Callable[[], None] = _nothing
        self._head_read = self._in_parts = False
        self._begun = bytearray()  # of a frame that has not come whole
        self._needed_bytes = 0  # of it, before anything can be done

    def take(self, hear: Callable[[bytes | str], None], on_room: Callable[[], None]) -> None:
        """From now on messages go to `hear`, and only the client's end is received as before.

        Args:
            hear: is given the sound or the text of a message.
            on_room: is called when the client takes again what is sent, after it did not.
        """
        self._hear, self._on_room = hear, on_room
        for message in [self.queue.get_nowait() for _ in range(self.queue.qsize())]:
            if message["type"] == "websocket.receive":
                hear(message.get("bytes") or message.get("text") or b"")
            else:
                self.queue.put_nowait(message)
        self.go_on()

    def hold(self) -> None:
        """Let the client wait with what it sends."""
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()

    def go_on(self) -> None:
        """Let it send again."""
        if self.read_paused and not self.transport.is_closing():
            self.read_paused = False
            self.transport.resume_reading()

    @property
    def has_room(self) -> bool:
        """Whether the client takes what is sent."""
        return self.writable.is_set()

    def tell(self, message: bytes | str) -> None:
        """Send sound or text, whether there is room or not."""
        if not self.close_sent and not self.transport.is_closing():
            sound = isinstance(message, bytes)
            data = message if isinstance(message, bytes) else message.encode()
            self.transport.write(_head(_BINARY if sound else _TEXT, len(data)) + data)

    def drop(self) -> None:
        """End the connection without what was not sent yet."""
        self.transport.abort()

    async def run_asgi(self) -> None:
        """The application, which finds this in its scope."""
        self.scope["extensions"][EXTENSION] = self  # type: ignore[assignment]
        await super().run_asgi()

    def data_received(self, data: bytes) -> None:
        """Some bytes have come; the first ones are the head of the request."""
        if not self._head_read:
            self._head_read = True
            super().data_received(data)
            return
        if self._begun:
            self._begun += data
            if len(self._begun) < self._needed_bytes:
                return
            data, self._begun = bytes(self._begun), bytearray()
        at = 0
        while at < len(data) and not self.transport.is_closing():
            start, stop = self._span(data, at)
            if stop > len(data):
                self._begun += data[at:] if at else data
                self._needed_bytes = stop - at
                return
            self._frame(data, at, start, stop)
            at = stop

    def resume_writing(self) -> None:
        """The client takes again what is sent."""
        super().resume_writing()
        self._on_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        super().connection_lost(exc)
        self._hear, self._on_room = None, _nothing

    def send_receive_event_to_app(self) -> None:
        """A message that the parser has read."""
        if self._hear is None or self.close_sent:
            super().send_receive_event_to_app()
            return
        data = b"".join(self.frames)
        self.frames = []
        self._hear(data if self.curr_msg_data_type == "bytes" else data.decode("utf-8", "replace"))

    def _span(self, data: bytes, at: int) -> tuple[int, int]:
        """Where the payload of a frame starts and stops, beyond the end of what has come where that is not known yet.

        A frame that the parser will refuse by its head ends with the head.
        """
        if len(data) < at + 2:
            return at, at + 2
        size, start = data[at + 1] & 127, at + 2
        for mark, wide in ((126, 2), (127, 8)):
            if size == mark:
                start += wide
                if len(data) < start:
                    return at, start
                size = int.from_bytes(data[start - wide : start])
                break
        if not data[at + 1] & _MASKED or size > self.config.ws_max_size:
            return start, start
        return start + 4, start + 4 + size

    def _frame(self, data: bytes, at: int, start: int, stop: int) -> None:
        """A whole frame, from its head at `at`."""
        if self._hear is not None and data[at] == _BINARY and stop > start and not (self._in_parts or self.close_sent):
            self._hear(apply_mask(data[start:stop], data[start - 4 : start]))
            return
        if not data[at] & 0x08:  # controls may come between the parts of a message
            self._in_parts = not data[at] & _GO_ON
        super().data_received(data[at:stop])


def _head(kind: int, count_bytes: int) -> bytes:
    if count_bytes < 126:
        return bytes((kind, count_bytes))
    if count_bytes < 1 << 16:
        return bytes((kind, 126)) + count_bytes.to_bytes(2)
    return bytes((kind, 127)) + count_bytes.to_bytes(8)


def _nothing() -> None:
    """Nobody waits for room."""
