"""The body of a request, piece by piece: one recording as it is, or several as the parts of a form."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from voxfield.serve.inlet import Inlet
from voxfield.serve.refusal import RefusedError

_MOST_HEADER_BYTES = 4096


class Parts(Protocol):
    """Takes the body as it comes and hands it to the inlets."""

    async def put(self, data: bytes) -> None:
        """Take some more."""
        ...

    def end(self) -> None:
        """That was all."""


def parts_of(content_type: str, names: Sequence[str], inlets: Sequence[Inlet]) -> Parts:
    """What hands a body of this type to the inlets of recordings with these names.

    Raises:
        RefusedError: a type that cannot be read, or a raw body where several recordings are needed.
    """
    kind, options = parse_options_header(content_type or "application/octet-stream")
    if kind == b"multipart/form-data":
        if not options.get(b"boundary"):
            raise RefusedError(400, "bad_form", "the form names no boundary in its Content-Type")
        return Form(options[b"boundary"], dict(zip(names, inlets, strict=True)))
    if kind.startswith((b"audio/", b"video/")) or kind in (b"application/octet-stream", b"application/ogg"):
        if len(names) > 1:
            raise RefusedError(415, "bad_type", f"send a form (multipart/form-data) with the files {', '.join(names)}")
        return inlets[0]
    raise RefusedError(
        415,
        "bad_type",
        f"a body of {kind.decode('latin-1')[:80]} is no recording: send audio/*, application/octet-stream, or a form "
        f"(multipart/form-data) with the file {' and '.join(names)}",
    )


class Form:
    """A form whose files go to the inlets of their names, in whatever order they come.

    The names that files have on the client's disk are not looked at. Options belong into the query.
    """

    def __init__(self, boundary: bytes, inlets: Mapping[str, Inlet]) -> None:
        self._inlets, self._seen, self._whole = inlets, set[str](), set[str]()
        self._name, self._field, self._value = "", b"", b""  # of the part that is being read
        self._ready: list[tuple[Inlet, bytes | None]] = []  # what one call of the parser found
        callbacks: dict[str, Callable[..., None]] = {
            "on_part_begin": self._begin,
            "on_header_field": self._take_field,
            "on_header_value": self._take_value,
            "on_header_end": self._take_header,
            "on_headers_finished": self._open,
            "on_part_data": self._data,
            "on_part_end": self._close,
        }
        self._parser = MultipartParser(boundary, callbacks)  # type: ignore[arg-type]

    async def put(self, data: bytes) -> None:
        """Take some more."""
        try:
            self._parser.write(data)
        except MultipartParseError as error:
            raise RefusedError(400, "bad_form", f"the form cannot be read: {error}") from error
        ready, self._ready = self._ready, []
        for inlet, part in ready:
            if part is None:
                inlet.end()
            else:
                await inlet.put(part)

    def end(self) -> None:
        """That was all.

        Raises:
            RefusedError: the form broke off, or a file is missing.
        """
        if self._seen != self._whole:
            raise RefusedError(400, "bad_form", "the form breaks off before its closing boundary")
        if missing := [name for name in self._inlets if name not in self._seen]:
            raise RefusedError(400, "bad_form", f"the form has no file called {' and '.join(missing)}")

    def _begin(self) -> None:
        self._name = ""
        self._field = self._value = b""

    def _take_field(self, data: bytes, start: int, end: int) -> None:
        self._field = self._bounded(self._field + data[start:end])

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._value = self._bounded(self._value + data[start:end])

    def _bounded(self, text: bytes) -> bytes:
        if len(text) > _MOST_HEADER_BYTES:
            raise RefusedError(400, "bad_form", f"a header of the form is longer than {_MOST_HEADER_BYTES} bytes")
        return text

    def _take_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._name = parse_options_header(self._value)[1].get(b"name", b"").decode("utf-8", "replace")
        self._field = self._value = b""

    def _open(self) -> None:
        if self._name not in self._inlets:
            raise RefusedError(
                400,
                "bad_form",
                f"the form may hold {' and '.join(self._inlets)}, not '{self._name[:80]}'; options go into the query",
            )
        if self._name in self._seen:
            raise RefusedError(400, "bad_form", f"the form holds '{self._name}' twice")
        self._seen.add(self._name)

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._ready.append((self._inlets[self._name], data[start:end]))

    def _close(self) -> None:
        self._whole.add(self._name)
        self._ready.append((self._inlets[self._name], None))
