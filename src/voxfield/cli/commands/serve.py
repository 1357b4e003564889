"""`voxfield serve`: the service, and the page."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from voxfield.cli.completion import models_for
from voxfield.cli.options import Offline
from voxfield.errors import InputError, MissingExtraError
from voxfield.files import reason_of, text_of


def command(
    host: Annotated[str, typer.Option(help="Where to listen; others reach it only with --token-file.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any that is free.", min=0, max=65535)] = 8080,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="One token a line; every request then needs one of them.")
    ] = None,
    origin: Annotated[
        list[str] | None, typer.Option(help="Pages of others that may use it, such as https://example.org.")
    ] = None,
    model: Annotated[
        str, typer.Option(help="What enhances where a client names no model.", autocompletion=models_for("enhance"))
    ] = "crn-small",
    models: Annotated[
        list[str] | None, typer.Option("--offer", help="An .onnx file that clients may name as well.", metavar="FILE")
    ] = None,
    book: Annotated[
        str, typer.Option(help="Enrolled speakers, for identify: a file that `voxfield enroll` made.", metavar="FILE")
    ] = "",
    max_sessions: Annotated[int, typer.Option("--max-sessions", help="Live sessions at once.", min=1)] = 256,
    workers: Annotated[int, typer.Option(help="Processes that share the sessions; one a processor.", min=1)] = 1,
    open_: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    offline: Offline = False,
) -> None:
    """Serve every verb over HTTP and WebSocket, and a page to speak into.

    Only this machine can reach it, unless --host and --token-file say otherwise. Ctrl-C ends it; sessions get the rest
    of their sound first.

    Examples:

      voxfield serve --open

      voxfield serve --host 0.0.0.0 --token-file tokens.txt --workers 2
    """
    from voxfield.serve.browser import opened_when_ready
    from voxfield.serve.settings import Limits, Settings

    try:
        from voxfield.serve.server import serve
    except ModuleNotFoundError as error:
        raise MissingExtraError(str(error.name), "serve", "voxfield serve") from error

    limits = Limits(sessions=max_sessions, sessions_a_key=max_sessions)
    tokens = () if token_file is None else _tokens(token_file)
    settings = Settings(host, port, tokens, tuple(origin or ()), model, tuple(models or ()), book, limits=limits)

    def ready(address: str) -> None:
        print(f"voxfield: {address} (Ctrl-C ends it)", file=sys.stderr, flush=True)
        if open_:
            opened_when_ready(address, tokens[0] if tokens else "")

    serve(settings, workers=workers, ready=ready)


def _tokens(path: Path) -> tuple[str, ...]:
    try:
        tokens = tuple(text_of(path).split())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the token file {path} cannot be read: {reason_of(error)}") from error
    if not tokens:
        raise InputError(f"the token file {path} holds no token; write one a line, 16 characters or more each")
    return tokens
