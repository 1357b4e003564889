"""Verbs over HTTP: a recording streams in, audio streams out, or JSON says what was found."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import IO, Any, cast

from fastapi.responses import JSONResponse

from voxfield.audio import Sink, Source, pipe_sink
from voxfield.protocols import Array
from voxfield.serve.body import Parts, parts_of
from voxfield.serve.guarded import Guarded, open_upload
from voxfield.serve.headers import wanted
from voxfield.serve.inlet import Inlet
from voxfield.serve.outlet import Outlet
from voxfield.serve.refusal import RefusedError
from voxfield.serve.state import State
from voxfield.serve.verbs import Options, Verb

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Job:
    """One request on its way: the thread sees it as `Asked`, the event loop pumps its bytes.

    It is an ASGI application, so that the answer can begin while the upload goes on.
    """

    def __init__(self, verb: Verb, query: Options, state: State, headers: Mapping[str, str], *, audio: bool) -> None:
        self.catalogue = state.catalogue
        self._verb, self._query, self._state, self._audio = verb, query, state, audio
        self._limits = state.settings.limits
        self._inlets = {name: Inlet() for name in verb.files}
        self._parts: Parts = parts_of(headers.get("content-type", ""), verb.files, list(self._inlets.values()))
        self._outlet = Outlet(self._stuck)
        self._facts: dict[str, str] = {}
        if len(self._inlets) > 1:  # the second may come before the first is read
            self._stuck(True)

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Answer the request."""
        with self._state.working():
            work = asyncio.get_running_loop().run_in_executor(self._state.threads, self._work)
            pump = asyncio.create_task(self._pump(receive))
            try:
                if self._audio:
                    await self._send_audio(send)
                else:
                    answer = JSONResponse(await work, headers={"cache-control": "no-store"})
                    await answer(scope, receive, send)  # type: ignore[arg-type]
            finally:
                self._outlet.leave()
                for inlet in self._inlets.values():
                    inlet.close()
                pump.cancel()
                await asyncio.gather(pump, work, return_exceptions=True)

    def source(self, name: str) -> Source:
        """The recording of this name, opened."""
        return open_upload(self._inlets[name], self._query.raw, self._limits.duration_s)

    def sink(self, source: Source, channels: int, model: str) -> Sink:
        """Where samples (C, N) at the rate of the source go."""
        self._facts = {
            "Voxfield-Model": model,
            "Voxfield-Rate": str(source.rate_hz),
            "Voxfield-Channels": str(channels),
        }
        if not self._audio:
            return Nowhere()
        return pipe_sink(cast(IO[bytes], self._outlet), cast(Guarded, source).inner, channels=channels)

    def _work(self) -> Mapping[str, Any]:
        try:
            found = self._verb.work(self, self._query)
        except Exception as error:
            self._outlet.end(error)
            raise
        self._outlet.end()
        return found

    def _stuck(self, is_stuck: bool) -> None:
        for inlet in self._inlets.values():
            inlet.stuck(is_stuck or len(self._inlets) > 1)

    async def _pump(self, receive: Receive) -> None:
        """The upload, into the inlets; what is wrong with it ends them."""
        try:
            await self._take(receive)
        except Exception as error:
            for inlet in self._inlets.values():
                inlet.end(error)

    async def _take(self, receive: Receive) -> None:
        loop, limits = asyncio.get_running_loop(), self._limits
        waited_s, taken = 0.0, 0
        while True:
            asked_s = loop.time()
            try:
                message = await asyncio.wait_for(receive(), limits.idle_s)
            except TimeoutError:
                raise RefusedError(408, "too_slow", f"nothing came for {limits.idle_s:g} s") from None
            waited_s += loop.time() - asked_s
            if message["type"] == "http.disconnect":
                raise RefusedError(400, "gone", "the client has left")
            data = message.get("body", b"")
            taken += len(data)
            self._state.metrics.bytes_in.inc(len(data))
            if taken > limits.upload_bytes:
                raise RefusedError(413, "too_large", f"an upload may have {limits.upload_bytes} bytes here")
            if taken < (waited_s - limits.idle_s) * limits.least_bytes_per_s:
                raise RefusedError(
                    408, "too_slow", f"an upload brings {limits.least_bytes_per_s} bytes a second or more"
                )
            if data:
                await self._parts.put(data)
            if not message.get("more_body", False):
                self._parts.end()
                return

    async def _send_audio(self, send: Send) -> None:
        data = await self._outlet.next()  # what goes wrong before the first byte is an ordinary answer
        facts = [(name.lower().encode(), value.encode()) for name, value in self._facts.items()]
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (b"content-type", b"audio/wav"),
                    (b"content-disposition", f'attachment; filename="{self._verb.name}.wav"'.encode()),
                    (b"cache-control", b"no-store"),
                    *facts,
                ],
            }
        )
        while data:
            await asyncio.wait_for(
                send({"type": "http.response.body", "body": data, "more_body": True}), self._limits.idle_s
            )
            self._state.metrics.bytes_out.inc(len(data))
            data = await self._outlet.next()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class Nowhere(Sink):
    """A sink for who wants to know, and not to have."""

    def write(self, samples: Array) -> None:
        """Forget (C, N)."""

    def commit(self) -> None:
        """Nothing is left to do."""


def wants_audio(verb: Verb, accept: str) -> bool:
    """Whether the header Accept asks for sound: the first type in it that there is decides.

    Raises:
        RefusedError: none of its types is there.
    """
    sound = ("audio/wav", "audio/x-wav", "audio/wave", "audio/*") if verb.audio else ()
    offers = {"*/*": bool(verb.audio), "application/json": False, "application/*": False}
    types = "audio/wav or application/json" if verb.audio else "application/json"
    return wanted(accept, offers | dict.fromkeys(sound, True), f"{verb.name} gives {types}")
