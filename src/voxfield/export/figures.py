"""The figures on a card, read from the file itself by `voxfield.explain`: size, cost and field are never written by
hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voxfield.cards.card import UNBOUNDED_PAST, WHOLE_INPUT
from voxfield.errors import CheckpointError
from voxfield.explain import Figure, Report, explain


def figures(content: bytes, about: Mapping[str, Any]) -> dict[str, Any]:
    """`parameters`, `macs_per_second` and `field_samples` for a card.

    Args:
        content: the ONNX file, with or without a card in it.
        about: the card's `interface`, `sample_rate_hz`, `hop_samples` and `window_samples`.

    Raises:
        CheckpointError: a figure is not exact, because the file holds an operator that explain has no rule for.
    """
    report = describe(content, about)
    return {
        "parameters": _exact(report.costs.params),
        "macs_per_second": round(_exact(report.costs.macs_per_second)),
        "field_samples": field_samples(report, about),
    }


def describe(content: bytes, about: Mapping[str, Any]) -> Report:
    """explain's report on the file, fed one second of audio."""
    if about["interface"] == "spectrum":
        frames = -(-about["sample_rate_hz"] // about["hop_samples"])
        shape = (1, 2, about["window_samples"] // 2 + 1, frames)
        return explain(
            content, rate_hz=about["sample_rate_hz"] / about["hop_samples"], input_shape=shape, layout="BCFT"
        )
    return explain(content, rate_hz=about["sample_rate_hz"], input_shape=(1, 1, about["sample_rate_hz"]), layout="BCT")


def field_samples(report: Report, about: Mapping[str, Any]) -> int | str:
    """Samples that one output sample depends on, or what it depends on instead."""
    field = report.field("time")
    if not field.streams:
        return WHOLE_INPUT
    if field.unbounded_past:
        return UNBOUNDED_PAST
    positions = field.rf
    if positions is None:
        raise CheckpointError(
            "the receptive field of this file is not known: it holds operators that explain has no rule for"
        )
    if about["interface"] == "samples":
        return positions
    return (positions - 1) * int(about["hop_samples"]) + int(about["window_samples"])


def _exact(figure: Figure) -> Any:
    if figure.value is None or figure.missing:
        raise CheckpointError(f"{figure.unit} of this file cannot be counted: {', '.join(figure.missing)}")
    return figure.value
