"""The service as an ASGI application: routes, and how errors become answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from voxfield.errors import VoxfieldError
from voxfield.serve.connection import Connection
from voxfield.serve.ending import end_gently
from voxfield.serve.explaining import HTML, JSON, SVG, TEXT, TYPES, Question, answered, rendered
from voxfield.serve.headers import SafeHeaders, wanted
from voxfield.serve.refusal import Refused, RefusedError, in_words
from voxfield.serve.rest import Job, wants_audio
from voxfield.serve.settings import Settings
from voxfield.serve.state import State
from voxfield.serve.verbs import VERBS, Verb

STATIC = Path(__file__).with_name("static")


def create_app(settings: Settings) -> FastAPI:
    """The whole service."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.voxfield = state = State(settings)
        end_gently(state)
        yield
        await state.close()

    app = FastAPI(
        title="Voxfield",
        version=version("voxfield"),
        description="Speech enhancement, separation and more, over HTTP and WebSocket (/v1/stream).",
        lifespan=lifespan,
        docs_url=None,  # their pages load scripts from elsewhere
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        responses={"default": {"model": Refused, "description": "What was refused, and why."}},
    )
    app.add_middleware(SafeHeaders)
    _answer_errors(app)
    _add_health(app)
    _add_information(app)
    for verb in VERBS:
        _add_verb(app, verb)

    @app.websocket("/v1/stream")
    async def _stream(socket: WebSocket) -> None:
        await Connection(socket, socket.app.state.voxfield).serve()

    _add_unknown(app)
    app.mount("/", StaticFiles(directory=STATIC, html=True, check_dir=False), name="page")
    return app


def _state(request: Request) -> State:
    return request.app.state.voxfield  # type: ignore[no-any-return]


def _admit(request: Request) -> State:
    """The state, for a request that may ask."""
    state = _state(request)
    state.gate.admit(request.headers)
    return state


def _told(refusal: RefusedError) -> Response:
    return JSONResponse(refusal.to_dict(), refusal.status, refusal.headers)


def _answer_errors(app: FastAPI) -> None:
    async def refused(request: Request, error: Exception) -> Response:
        return _told(_state(request).refusal(error))

    async def invalid(request: Request, error: Exception) -> Response:
        found: Any = error.errors() if isinstance(error, RequestValidationError | ValidationError) else []
        return _told(RefusedError(422, "bad_request", in_words(found)))

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # it is called for these alone
        code = "bad_request" if error.status_code == 400 else "http"  # a body that no parser takes
        return _told(RefusedError(error.status_code, code, str(error.detail), error.headers))

    app.add_exception_handler(RefusedError, refused)
    app.add_exception_handler(VoxfieldError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(ValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


def _add_unknown(app: FastAPI) -> None:
    """Say of a path below /v1 what there is instead; the files of the page would take it for one of theirs."""
    there = {route.path: route.methods for route in app.routes if isinstance(route, APIRoute)}

    @app.api_route("/v1/{name:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
    async def _unknown(request: Request, name: str) -> Response:
        if methods := there.get(request.url.path):
            allowed = ", ".join(sorted(methods))
            raise HTTPException(405, f"/v1/{name} takes {allowed}, not {request.method}", {"Allow": allowed})
        if name == "stream":
            raise HTTPException(426, "/v1/stream is a WebSocket", {"Upgrade": "websocket", "Connection": "Upgrade"})
        paths = ", ".join(sorted(path for path in there if path.startswith("/v1/")))
        raise HTTPException(404, f"there is no /v1/{name}; there are: {paths}")


def _add_health(app: FastAPI) -> None:
    @app.get("/healthz", response_class=PlainTextResponse, summary="Is the process alive?")
    async def _healthz() -> str:
        return "ok\n"

    full: dict[int | str, dict[str, Any]] = {503: {"description": "Full.", "content": {"text/plain": {}}}}

    @app.get("/readyz", response_class=PlainTextResponse, summary="Can it take more?", responses=full)
    async def _readyz(request: Request) -> Response:
        state = _state(request)
        return PlainTextResponse("full\n" if state.full else "ready\n", 503 if state.full else 200)

    @app.get("/metrics", response_class=PlainTextResponse, summary="Figures for Prometheus.")
    async def _metrics(request: Request) -> Response:
        return Response(_admit(request).metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_information(app: FastAPI) -> None:
    @app.get("/v1/models", summary="The cards of the models that can be named.")
    async def _models(request: Request) -> dict[str, Any]:
        state = _admit(request)
        return {
            "models": [
                card.to_dict() | {"short_name": card.short_name, "latency_ms": card.interface.latency_ms}
                for card in state.catalogue.cards()
            ]
        }

    @app.post("/v1/ticket", summary="A ticket that opens one WebSocket: /v1/stream?ticket=...")
    async def _ticket(request: Request) -> dict[str, Any]:
        state = _state(request)
        key = state.gate.admit(request.headers)
        return {"ticket": state.gate.tickets.issue(key), "expires_s": state.settings.ticket_s}

    @app.post(
        "/v1/explain",
        summary="Receptive field, latency and cost of a network.",
        responses={200: {"content": {kind: {} for kind in (JSON, TEXT, HTML, SVG)}}},
    )
    async def _explain(request: Request, question: Question) -> Response:
        state = _admit(request)
        if len(question.what) > state.settings.limits.text_bytes:
            raise RefusedError(
                413, "too_large", f"a network has at most {state.settings.limits.text_bytes} characters here"
            )
        words = f"explain gives {JSON}, {TEXT}, {HTML} or {SVG}"
        kind = wanted(request.headers.get("accept", ""), TYPES, words)

        def work() -> Any:
            return rendered(answered(question, question.what), question, kind)

        with state.working():
            found = await asyncio.get_running_loop().run_in_executor(state.explaining, work)
        return JSONResponse(found) if kind == JSON else Response(found, media_type=kind)


def _add_verb(app: FastAPI, verb: Verb) -> None:
    query_type = verb.query

    async def endpoint(request: Request, query: Annotated[query_type, Query()]) -> Any:  # type: ignore[valid-type]
        state = _admit(request)
        audio = wants_audio(verb, request.headers.get("accept", ""))
        verb.check(query, state.catalogue)
        job = Job(verb, query, state, request.headers, audio=audio)
        return Running(job, state)

    app.add_api_route(
        f"/v1/{verb.name}",
        endpoint,
        methods=["POST"],
        name=verb.name,
        summary=verb.summary,
        response_class=Response,
        openapi_extra={"requestBody": _body(verb)},
        responses={200: {"description": "Done.", "content": _contents(verb)}},
    )


class Running(Response):
    """A response that is made while the request is still coming in."""

    def __init__(self, job: Job, state: State) -> None:
        self._job, self._state = job, state
        self.background = None
        self.status_code = 200
        self.raw_headers = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer."""
        begun = False

        async def watched(message: Any) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._job(scope, receive, watched)
        except Exception as error:
            refusal = self._state.refusal(error)
            if begun:  # too late for a status: an answer that breaks off is what tells the client
                return
            await _told(refusal)(scope, receive, send)


def _body(verb: Verb) -> dict[str, Any]:
    files = {name: {"type": "string", "format": "binary"} for name in verb.files}
    form = {"multipart/form-data": {"schema": {"type": "object", "properties": files, "required": list(files)}}}
    raw = {
        kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("audio/wav", "application/octet-stream")
    }
    return {"required": True, "content": form | (raw if len(verb.files) == 1 else {})}


def _contents(verb: Verb) -> dict[str, Any]:
    sound = {"audio/wav": {"schema": {"type": "string", "format": "binary", "description": verb.audio}}}
    return {"application/json": {"example": dict(verb.example)}} | (sound if verb.audio else {})
