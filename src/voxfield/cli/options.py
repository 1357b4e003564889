"""Options that commands share, so that they mean and say the same everywhere."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import Parameter, signature
from pathlib import Path
from typing import Annotated, Any

import typer

from voxfield.cli.choices import Choices
from voxfield.cli.completion import models_for
from voxfield.errors import InputError
from voxfield.pool import AUTO

Raw = Annotated[
    str | None,
    typer.Option(help="Standard input is headerless: u8, s16le, s24le, s32le, f32le or f64le.", metavar="RATE,C,ENC"),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
SkipExisting = Annotated[bool, typer.Option("--skip-existing", help="Leave outputs that exist.")]
Inputs = Annotated[
    list[str],
    typer.Argument(help="Files, folders, patterns, @list of them, or - for standard input.", metavar="INPUT"),
]
Jobs = Annotated[
    str, typer.Option(help="Processes that share the files; auto: one a processor from 8 files on.", metavar="N|auto")
]
Format = Annotated[str, typer.Option("--format", help="Suffix of the results, such as flac or mp3.", metavar="SUFFIX")]
Bitrate = Annotated[
    float | None, typer.Option("--bitrate", help="Of mp3, ogg, opus or m4a results, in kbit/s.", metavar="KBPS")
]
Rate = Annotated[int | None, typer.Option("--rate", help="Sample rate of the results in Hz.", metavar="HZ")]
Threads = Annotated[
    int,
    typer.Option(help="Threads within one step; 1 is fastest but for large networks.", min=1, metavar="N"),
]


def model_for(task: str, help: str = "Name from `voxfield models`, or an .onnx file.") -> Any:
    """The option `--model` of a command for a task."""
    return typer.Option("--model", help=help, autocompletion=models_for(task))


SpeakerModel = Annotated[
    str | None, model_for("embed", "Name from `voxfield models`, or an .onnx file, also one of WeSpeaker's.")
]
LimitDb = Annotated[float | None, typer.Option("--limit-db", help="Take away at most this many dB.", metavar="N")]
Book = Annotated[
    Path | None,
    typer.Option("--book", help="File of the speaker book; VOXFIELD_BOOK names another default.", metavar="FILE"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON for each file.")]
OneJson = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say only what failed.")]


def _offline(context: typer.Context, asked: bool) -> None:
    if asked:
        context.with_resource(_set("VOXFIELD_OFFLINE", "1"))


@contextmanager
def _set(name: str, value: str) -> Iterator[None]:
    """An environment variable while the command runs; processes that it starts have it as well."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


Offline = Annotated[
    bool, typer.Option("--offline", callback=_offline, help="Download nothing: a model must be here already.")
]


_SHARED: dict[str, tuple[Any, Any]] = {  # name in `Choices` -> option and default
    "raw": (Raw, None),
    "overwrite": (Overwrite, False),
    "skip_existing": (SkipExisting, False),
    "jobs": (Jobs, AUTO),
    "threads": (Threads, 1),
    "offline": (Offline, False),
    "as_json": (AsJson, False),
    "quiet": (Quiet, False),
}


def sharing(*, report: str = "", without: tuple[str, ...] = ()) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command whose last parameter, `choices`, becomes the options that commands on files share.

    Args:
        report: help of `--report`, which the command lacks otherwise.
        without: names of options that it lacks as well.
    """
    options = {name: option for name, option in _SHARED.items() if name not in without}
    if report:
        options = {"report": (Annotated[Path | None, typer.Option(help=report, metavar="FILE.html")], None), **options}
    shared = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=option)
        for name, (option, default) in options.items()
    ]

    def changed(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def with_options(**given: Any) -> None:
            chosen = {name: given.pop(name) for name in options}
            chosen.pop("offline", None)  # its callback has seen to it
            command(**given, choices=Choices(**chosen))

        plain = signature(command)
        own = [parameter for name, parameter in plain.parameters.items() if name != "choices"]
        with_options.__signature__ = plain.replace(parameters=[*own, *shared])  # type: ignore[attr-defined]
        return with_options

    return changed


def names_in(text: str) -> tuple[str, ...]:
    """The names in a list with commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def number_or_auto(option: str, text: str) -> int | str:
    """A whole number, or auto.

    Raises:
        InputError: neither.
    """
    if text == "auto":
        return text
    if not text.isdecimal():
        raise InputError(f"{option} takes a whole number or auto, not '{text}'")
    return int(text)
