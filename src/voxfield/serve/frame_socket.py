"""uvicorn's WebSocket with a short way for the messages of a session: no queue and no task lie on it."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState

EXTENSION = "voxfield.frames"  # where the scope of a connection holds its socket


class FrameSocket(WebSocketsSansIOProtocol):
    """Hands every message to a function as soon as it has come, and sends without waiting.

    Until `take` is called everything is as it was.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._hear: Callable[[bytes | str], None] | None = None
        self._on_room: Callable[[], None] = _nothing

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
        """Send sound or text, whether there is room or not; nothing where the connection is closing."""
        if self.close_sent or self.transport.is_closing():
            return
        with suppress(InvalidState):
            if isinstance(message, bytes):
                self.conn.send_binary(message)
            else:
                self.conn.send_text(message.encode())
            self.transport.write(b"".join(self.conn.data_to_send()))

    def drop(self) -> None:
        """End the connection without what was not sent yet."""
        self.transport.abort()

    async def run_asgi(self) -> None:
        """The application, which finds this in its scope."""
        self.scope["extensions"][EXTENSION] = self  # type: ignore[assignment]
        await super().run_asgi()

    def resume_writing(self) -> None:
        """The client takes again what is sent."""
        super().resume_writing()
        self._on_room()

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone."""
        super().connection_lost(exc)
        self._hear, self._on_room = None, _nothing

    def send_receive_event_to_app(self) -> None:
        """A message has come whole."""
        if self._hear is None or self.close_sent:
            super().send_receive_event_to_app()
            return
        data, self.frames = b"".join(self.frames), []
        if self.curr_msg_data_type == "bytes":
            self._hear(data)
            return
        try:
            self._hear(data.decode())
        except UnicodeDecodeError:
            self.conn.send_close(1007)
            self.handle_parser_exception()


def _nothing() -> None:
    """Nobody waits for room."""
