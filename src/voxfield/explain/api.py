"""One door: whatever describes a network goes in, its report comes out."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import ExplainError
from .analysis import analyse
from .graph import Graph
from .report import Report

Shapes = Sequence[int] | Sequence[Sequence[int]] | dict[str, Sequence[int]]


def explain(
    what: Any,
    *,
    rate_hz: float | None = None,
    input_shape: Shapes | None = None,
    layout: str | None = None,
    verify: bool = False,
    run_file: bool = False,
    edits: Sequence[str] = (),
) -> Report:
    """Receptive field, latency, streaming state and cost of a network.

    Args:
        what: layers as text (`10/5 8/4:2 ^4/2`), pasted Keras or torch code, a Keras or ONNX file, FILE.py:NAME, the
            name of a published model, the bytes of an ONNX file, a torch module, or a `Graph`.
        rate_hz: positions of the time axis a second: the sample rate, or the frame rate for a network on frames.
        input_shape: the input's shape, batch included; needed where `what` leaves sizes open. Several inputs: a list,
            or for ONNX a dict by name.
        layout: letters of the input's dims, such as "BCTF"; without it (B, C, T) and (B, C, H, W) are meant.
        verify: also measure the field on the network itself, by gradient and by NaN, and add the comparison.
        run_file: allows FILE.py:NAME, which runs that file.
        edits: changes to try first, such as "layer2.stride=2"; the report is on the changed network.

    Raises:
        ExplainError: `what` cannot be read, or branches that advance at different rates meet.

    >>> field = explain("10/5 8/4 4/2 4/2 4/2", rate_hz=16000).field("time")
    >>> field.rf, field.ms(field.rf), field.ms(field.hop)
    (465, 29.0625, 10.0)
    """
    check_rate(rate_hz)
    check_shape(input_shape)
    title = None
    if isinstance(what, str | Path):
        from .what import settled

        shown = settled(what, input_shape=input_shape, layout=layout, rate_hz=rate_hz, run_file=run_file)
        what, input_shape, layout, rate_hz = shown.what, shown.input_shape, shown.layout, shown.rate_hz
        title = shown.title
    if edits and verify:
        raise ExplainError("A changed network exists on paper only and cannot be verified: drop the edits or verify.")
    with uncollected():
        graph = titled(read(what, input_shape=input_shape, layout=layout), title).with_rate(rate_hz)
        if edits:
            from .whatif import edited

            graph = edited(graph, edits)
        report = analyse(graph)
    if not verify:
        return report
    from .verify import verified

    return verified(report, what, graph)


@contextmanager
def uncollected() -> Iterator[None]:
    """Without Python's search for cycles, which takes most of the time of a graph of many thousand operators."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():  # what was made counts as old: it is not searched at once
            gc.freeze()
            gc.unfreeze()
        if before:
            gc.enable()


def check_rate(rate_hz: float | None) -> None:
    """Return when it can be a rate.

    Raises:
        ExplainError: it is no number above zero.
    """
    if rate_hz is not None and not (isinstance(rate_hz, int | float) and 0 < rate_hz < 1e9):
        raise ExplainError(f"A rate of {rate_hz} Hz; it is a number above zero.")


def check_shape(input_shape: object) -> None:
    """Return when it can be the shape of an input, or several; what fits the network is the reader's matter.

    Raises:
        ExplainError: it is neither.
    """
    if input_shape is not None and (isinstance(input_shape, str) or not isinstance(input_shape, Iterable)):
        raise ExplainError("One input shape of whole numbers is needed here, such as (1, 1, 16000).")


def titled(graph: Graph, title: str | None) -> Graph:
    """The same graph under another title, when there is one."""
    return graph if title is None else replace(graph, title=title)


def read(what: Any, *, input_shape: Shapes | None = None, layout: str | None = None) -> Graph:
    """The neutral graph of a torch module, an ONNX file or its bytes; a `Graph` is returned as it is.

    Raises:
        ExplainError: no reader takes it, or the reader that does cannot make sense of it.
    """
    if isinstance(what, Graph):
        return what
    from .what import is_module

    if is_module(what):
        if input_shape is None:
            raise ExplainError(
                f"{type(what).__name__} is a torch module, whose input size is not known: give input_shape, batch "
                "included, such as (1, 1, 16000)."
            )
        from .readers.torch import read_module

        return read_module(what, input_shape, layout=layout)  # type: ignore[arg-type]
    if isinstance(what, bytes) or (isinstance(what, str | Path) and str(what).lower().endswith(".onnx")):
        from .readers.onnx import read_onnx

        return read_onnx(what, input_shape=input_shape, layout=layout)
    raise ExplainError(
        f"{what!r:.80} is nothing that can be explained: give text, code, a file, a torch module or a Graph."
    )
