"""Options that commands share, so that they mean and say the same everywhere."""

from typing import Annotated

import typer

Raw = Annotated[
    str | None,
    typer.Option(help="Standard input is headerless: u8, s16le, s24le, s32le, f32le or f64le.", metavar="RATE,C,ENC"),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
SkipExisting = Annotated[bool, typer.Option("--skip-existing", help="Leave outputs that exist.")]
Threads = Annotated[int, typer.Option(help="Threads within one step of the network.", min=1, metavar="N")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON a file.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what failed.")]
