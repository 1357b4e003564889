"""A client for the service: recordings over HTTP, live sound over WebSocket."""

import http.client
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from io import TextIOBase
from os import PathLike
from threading import Thread
from typing import Any, BinaryIO
from urllib.parse import urlencode, urlsplit

from voxfield.audio import open_source
from voxfield.audio.whole import load
from voxfield.errors import InputError, VoxfieldError
from voxfield.files import path_of, written_whole
from voxfield.protocols import Array
from voxfield.serve.live import LiveSession

Recording = str | PathLike[str] | bytes | BinaryIO
_PIECE_BYTES = 1 << 16


class ServiceError(VoxfieldError):
    """What the service answered instead of a result.

    Attributes:
        status: of HTTP.
        code: a word for programs, such as `bad_audio`; docs/serve.md lists them.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Sound:
    """What came back: samples (C, N) float32, their rate, and the model's full name."""

    samples: Array
    sample_rate_hz: int
    model: str


class Client:
    """One service, by its address.

    Every call opens a connection of its own, so threads may share a client.

    Args:
        address: such as "http://127.0.0.1:8080".
        token: what the service knows this program by, where it asks for one.
        timeout_s: how long it may say nothing.
    """

    def __init__(self, address: str = "http://127.0.0.1:8080", token: str | None = None, timeout_s: float = 60) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(f"a service has an address such as http://127.0.0.1:8080, not {address!r}")
        self._parts, self._token, self._timeout_s = parts, token, timeout_s

    def enhance(self, recording: Recording, **options: Any) -> Sound:
        """The recording without its noise.

        Args:
            recording: a path, the bytes of a file, or a binary file object.
            options: `model`, `limit_db`, `mix`, `mono`, `channels`, `raw`, as in docs/serve.md.

        Raises:
            InputError: the recording is none of these.
            ServiceError: the service refused, and why.
        """
        return self._sound("enhance", recording, options)

    def enhance_file(self, recording: Recording, output: str | PathLike[str], **options: Any) -> str:
        """Write the enhanced recording as wav, in little memory; the model's full name. A file there is replaced."""
        with self._answer("enhance", {"file": recording}, options, "audio/wav") as answer:
            with written_whole(path_of(output)) as path, path.open("wb") as file:
                while data := answer.read(_PIECE_BYTES):
                    file.write(data)
            return answer.headers.get("Voxfield-Model", "")

    def separate(self, recording: Recording, **options: Any) -> Array:
        """The voices of a recording, (S, C, N) float32; options `model`, `speakers`, `noise`, `raw`."""
        with _opened(recording) as parts:
            content = b"".join(parts)
        sound = self._sound("separate", content, options)
        with open_source(content) as source:
            channels = source.channels
        return sound.samples.reshape(-1, channels, sound.samples.shape[1])

    def embed(self, recording: Recording, **options: Any) -> dict[str, Any]:
        """The voice of a recording: its `vector`, and what should be known about it."""
        return self.call("embed", {"file": recording}, **options)

    def verify(self, first: Recording, second: Recording, **options: Any) -> dict[str, Any]:
        """How alike the voices of two recordings are; option `threshold`."""
        return self.call("verify", {"first": first, "second": second}, **options)

    def call(self, verb: str, recordings: Mapping[str, Recording], **options: Any) -> dict[str, Any]:
        """What any verb of /v1 says as JSON about recordings by the names of its form, such as {"file": "a.wav"}."""
        with self._answer(verb, recordings, options, "application/json") as answer:
            return json.load(answer)  # type: ignore[no-any-return]

    def explain(self, what: str, **options: Any) -> dict[str, Any]:
        """Figures and words on a network; options as for `POST /v1/explain`."""
        body = json.dumps({"what": what, **options}).encode()
        with self._request("POST", "/v1/explain", [body], {"Content-Type": "application/json"}) as answer:
            return json.load(answer)  # type: ignore[no-any-return]

    def models(self) -> list[dict[str, Any]]:
        """The cards of the models that can be named."""
        with self._request("GET", "/v1/models") as answer:
            return json.load(answer)["models"]  # type: ignore[no-any-return]

    def ready(self) -> bool:
        """Whether the service answers and takes sessions."""
        try:
            with self._request("GET", "/readyz"):
                return True
        except (ServiceError, OSError):
            return False

    def stream(self, rate: int, channels: int = 1, **options: Any) -> LiveSession:
        """A session for live sound; options `task`, `model`, `format`, `mode`, `limit_db`, `mix`, `link`, as in
        docs/serve.md.

        Raises:
            ServiceError: the service refused, and why.
        """
        scheme = "wss" if self._parts.scheme == "https" else "ws"
        return LiveSession(
            f"{scheme}://{self._parts.netloc}{self._parts.path.rstrip('/')}/v1/stream",
            {"type": "start", "rate": rate, "channels": channels, "format": "f32le", **options},
            self._headers(),
            self._timeout_s,
        )

    def _sound(self, verb: str, recording: Recording, options: Mapping[str, Any]) -> Sound:
        with self._answer(verb, {"file": recording}, options, "audio/wav") as answer:
            samples, rate_hz = load(answer.read())
            return Sound(samples, rate_hz, answer.headers.get("Voxfield-Model", ""))

    @contextmanager
    def _answer(
        self, verb: str, recordings: Mapping[str, Recording], options: Mapping[str, Any], accept: str
    ) -> Iterator[http.client.HTTPResponse]:
        query = urlencode({key: _in_query(value) for key, value in options.items() if value is not None})
        with ExitStack() as stack:
            opened = {name: stack.enter_context(_opened(recording)) for name, recording in recordings.items()}
            if list(opened) == ["file"]:
                kind, body = "application/octet-stream", opened["file"]
            else:
                boundary = secrets.token_hex(16)
                kind, body = f"multipart/form-data; boundary={boundary}", _form(boundary, opened)
            headers = {"Content-Type": kind, "Accept": accept}
            with self._request("POST", f"/v1/{verb}?{query}".rstrip("?"), body, headers) as answer:
                yield answer

    @contextmanager
    def _request(
        self, method: str, target: str, body: Any = None, headers: Mapping[str, str] = {}
    ) -> Iterator[http.client.HTTPResponse]:
        """The answer, whose beginning may come while the body is still on its way."""
        kind = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        with closing(kind(self._parts.netloc, timeout=self._timeout_s)) as connection:
            connection.putrequest(method, self._parts.path.rstrip("/") + target)
            for name, value in {**self._headers(), **headers}.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Transfer-Encoding", "chunked")
            connection.endheaders()
            sender = Thread(target=_send, args=(connection, body), daemon=True)
            if body is not None:
                sender.start()
            answer = connection.getresponse()
            if answer.status != 200:
                raise _error(answer)
            yield answer

    def _headers(self) -> dict[str, str]:
        return {} if self._token is None else {"Authorization": f"Bearer {self._token}"}


def _send(connection: http.client.HTTPConnection, body: Iterator[bytes]) -> None:
    with suppress(OSError):  # the service has answered and left: its answer says why
        for part in body:
            if part:
                connection.send(b"%x\r\n%b\r\n" % (len(part), part))
        connection.send(b"0\r\n\r\n")


@contextmanager
def _opened(recording: Recording) -> Iterator[Iterator[bytes]]:
    """The bytes of a recording, in pieces."""
    if isinstance(recording, bytes):
        yield iter([recording])
    elif isinstance(recording, str | PathLike):
        with path_of(recording).open("rb") as file:
            yield iter(lambda: file.read(_PIECE_BYTES), b"")
    elif hasattr(recording, "read") and not isinstance(recording, TextIOBase):
        yield iter(lambda: recording.read(_PIECE_BYTES), b"")
    else:
        raise InputError(f"a recording is a path, the bytes of a file, or a binary file object, not {recording!r:.80}")


def _form(boundary: str, recordings: Mapping[str, Iterator[bytes]]) -> Iterator[bytes]:
    for name, parts in recordings.items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{name}"\r\n\r\n'
        yield head.encode()
        yield from parts
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _in_query(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _error(answer: http.client.HTTPResponse) -> ServiceError:
    try:
        found = json.load(answer)["error"]
        return ServiceError(answer.status, found["code"], found["message"])
    except (ValueError, KeyError, TypeError):
        return ServiceError(answer.status, "http", f"the service answered {answer.status} {answer.reason}")
