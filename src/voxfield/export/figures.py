"""The figures on a card, read from the file itself by `voxfield.explain`: size, cost and field are never written by
hand."""

from __future__ import annotations

from typing import Any

from voxfield.cards import UNBOUNDED_PAST, WHOLE_INPUT, Interface
from voxfield.errors import CheckpointError
from voxfield.explain import Figure, Report, explain


def card_figures(content: bytes, face: Interface) -> dict[str, Any]:
    """`parameters`, `macs` and `field_samples` for a card.

    Args:
        content: the ONNX file, with or without a card in it.
        face: what it takes and gives.

    Raises:
        CheckpointError: a figure is not exact, because the file holds an operator that explain has no rule for.
    """
    report = describe(content, face)
    return {
        "parameters": round(_exact(report.costs.params)),
        "macs": macs(report, face),
        "field_samples": field_samples(report, face),
    }


def describe(content: bytes, face: Interface) -> Report:
    """explain's report on the file, fed one second of audio, or one input where that is no recording."""
    rate_hz = face.sample_rate_hz
    return explain(
        content,
        rate_hz=rate_hz / face.step_samples if rate_hz else None,
        input_shape=face.block_shape(face.hops_per_second),
        layout=face.input.layout,
    )


def macs(report: Report, face: Interface) -> int:
    """Multiply-accumulates per second of audio, or per input where that is no recording."""
    return round(_exact(report.costs.macs_per_second if face.sample_rate_hz else report.costs.macs))


def field_samples(report: Report, face: Interface) -> int | str:
    """Samples that one output sample depends on, or what it depends on instead."""
    if not face.sample_rate_hz or face.input.free_axis is None or face.output.free_axis is None:
        return WHOLE_INPUT
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
    return (positions - 1) * face.step_samples + (face.window_samples or face.step_samples)


def _exact(figure: Figure) -> float:
    if figure.value is None or figure.missing:
        raise CheckpointError(f"{figure.unit} of this file cannot be counted: {', '.join(figure.missing)}")
    return float(figure.value)
