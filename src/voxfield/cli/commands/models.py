"""`voxfield models`: what can be run, and each model's card."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from voxfield.cards import Card


def command(
    name: Annotated[str | None, typer.Argument(help="Show the whole card of this model, or of an .onnx file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON a model.")] = False,
) -> None:
    """List the published models, or show one card.

    Examples:

      voxfield models

      voxfield models crn-small --json
    """
    from voxfield.cards import cards, resolve

    if name is None:
        chosen = list(cards())
    else:
        card, path = resolve(name)
        if card is None:
            from voxfield.runtime import load_engine

            card = load_engine(path).card
        chosen = [card]
    if as_json:
        for card in chosen:
            print(card.to_json())
    elif name is not None:
        for key, value in chosen[0].to_dict().items():
            print(f"{key:22} {value if isinstance(value, str | int) else json.dumps(value, ensure_ascii=False)}")
        print(f"{'latency':22} {_latency(chosen[0])}")
        print(f"{'state_floats':22} {chosen[0].state_floats}")
    else:
        for card in chosen:
            print(
                f"{card.name:24} {card.task:10} {card.interface.sample_rate_hz:6} Hz {_latency(card):>12} "
                f"{card.parameters / 1000:8,.0f} k parameters {card.macs / 1e6:8,.0f} MMAC"
                f"{'/s' if card.interface.sample_rate_hz else '  '}  {card.summary}"
            )


def _latency(card: "Card") -> str:
    """Algorithmic latency, or what there is instead."""
    latency_ms = card.interface.latency_ms
    return "whole input" if latency_ms is None else f"{latency_ms:.0f} ms"
