"""`voxfield serve`: the service, and the page."""

from pathlib import Path
from typing import Annotated

import typer

from voxfield.cli.options import Offline


def command(
    host: Annotated[str, typer.Option(help="Where to listen; others reach it only with --token-file.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 8080,
    token_file: Annotated[
        Path | None, typer.Option("--token-file", help="One token a line; every request then needs one of them.")
    ] = None,
    offline: Offline = False,
) -> None:
    """Serve every verb over HTTP and WebSocket, and a page to speak into.

    Examples:

      voxfield serve --open
    """
    from voxfield.serve.server import serve
    from voxfield.serve.settings import Settings

    tokens = tuple(token_file.read_text().split()) if token_file else ()
    serve(Settings(host=host, port=port, tokens=tokens))
