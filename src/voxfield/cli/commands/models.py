"""`voxfield models`: what can be run, and each model's card."""

import shutil
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from voxfield.cli.completion import models_for
from voxfield.cli.printable import visible

if TYPE_CHECKING:
    from voxfield.cards import Card


def command(
    name: Annotated[
        str | None,
        typer.Argument(help="Show the whole card of this model, or of an .onnx file.", autocompletion=models_for()),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON a model.")] = False,
) -> None:
    """List the published models, or show one card.

    Examples:

      voxfield models

      voxfield models crn-small --json
    """
    from voxfield.cards import cards

    chosen = list(cards()) if name is None else [_named(name)]
    if as_json:
        for card in chosen:
            print(card.to_json())
    elif name is not None:
        print("\n".join(_whole(chosen[0])))
    else:
        for card in chosen:
            print(
                f"{card.name:24} {card.task:13} {_rate(card):>9} {_latency(card):>12} "
                f"{_few(card.parameters / 1000)} k parameters {_few(card.macs / 1e6)} MMAC"
                f"{'/s' if card.interface.sample_rate_hz else '  '}  {visible(card.summary)}"
            )


def _few(count: float) -> str:
    """A number in eight characters, where only 0 is shown as 0."""
    return f"{count:8,.0f}" if count >= 1 or not count else f"{count:8.1g}"


def _rate(card: "Card") -> str:
    return f"{card.interface.sample_rate_hz} Hz" if card.interface.sample_rate_hz else "no rate"


def _latency(card: "Card") -> str:
    """Algorithmic latency, or what there is instead."""
    latency_ms = card.interface.latency_ms
    return "whole input" if latency_ms is None else f"{latency_ms:.0f} ms"


def _named(name: str) -> "Card":
    """The card of a published name, whose file need not be here, or the one in a file."""
    from voxfield.cards import find, lone_file

    path = lone_file(name)
    if path is None:
        return find(name)
    from voxfield.runtime import load_engine

    return load_engine(path).card


def _whole(card: "Card") -> Iterator[str]:
    """The lines that show a card to people."""
    from voxfield.cards.wording import facts, in_words, score_lines, whereabouts

    rows = facts(card) | {"configuration": [in_words(card.config)]} | score_lines(card.measured)
    if card.file is not None:
        rows |= {"file": [whereabouts(card)], "sha256": [card.file.sha256]}
    margin = max(map(len, rows)) + 2
    columns = max(shutil.get_terminal_size((120, 24)).columns, margin + 40)
    wrap = textwrap.TextWrapper(columns, subsequent_indent=" " * margin, break_on_hyphens=False)
    yield f"{card.name}: {visible(card.summary)}"
    for label, lines in rows.items():
        for at, line in enumerate(lines):
            wrap.initial_indent = f"{label if at == 0 else '':{margin}}"
            yield "\n".join(wrap.wrap(visible(line))) or label
