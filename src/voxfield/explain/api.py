"""One door: whatever describes a network goes in, its graph and its report come out."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ExplainError
from .analysis import analyse
from .clock import Frames
from .graph import Graph
from .readers.torch_file import is_module
from .report import Report
from .what import Settled, settled
from .whatif import edited

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
    if edits and verify:
        raise ExplainError("A changed network exists on paper only and cannot be verified: drop the edits or verify.")
    with uncollected():
        found = opened(what, input_shape=input_shape, layout=layout, rate_hz=rate_hz, run_file=run_file)
        graph = edited(found.graph, edits)
        report = analyse(graph)
    return verified(report, found.what, graph) if verify else report


@dataclass(frozen=True)
class Opened:
    """A network, what it was read from, and what came with it: the frames it reads, and what a question asks for."""

    graph: Graph
    what: Any
    frames: Frames | None
    asked: tuple[str, ...]


def opened(
    what: Any, *, input_shape: Any, layout: str | None, rate_hz: float | None, run_file: bool, files: bool = True
) -> Opened:
    """The network that something describes, its time axis at a rate; the arguments are those of `explain`.

    Args:
        files: False for text of strangers, which then never names a file of this machine.

    Raises:
        ExplainError: it cannot be read, or an option does not fit.
    """
    if rate_hz is not None and not (isinstance(rate_hz, int | float) and 0 < rate_hz < 1e9):
        raise ExplainError(f"A rate of {rate_hz} Hz; it is a number above zero.")
    if input_shape is not None and (isinstance(input_shape, str) or not isinstance(input_shape, Iterable)):
        raise ExplainError("One input shape of whole numbers is needed here, such as (1, 1, 16000).")
    found = Settled(what, input_shape, layout, rate_hz)
    if isinstance(what, str | Path):
        found = settled(what, input_shape=input_shape, layout=layout, rate_hz=rate_hz, run_file=run_file, files=files)
    graph = read(found.what, input_shape=found.input_shape, layout=found.layout).with_rate(found.rate_hz)
    return Opened(replace(graph, title=found.title or graph.title), found.what, found.frames, found.asked)


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


def read(what: Any, *, input_shape: Shapes | None = None, layout: str | None = None) -> Graph:
    """The neutral graph of a torch module, an ONNX file or its bytes; a `Graph` is returned as it is.

    Raises:
        ExplainError: no reader takes it, or the reader that does cannot make sense of it.
    """
    if isinstance(what, Graph):
        return what
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


def verified(report: Report, what: Any, graph: Graph) -> Report:
    """The report with the probes' results, for a torch module or an ONNX file.

    Raises:
        ExplainError: there is nothing to run, as for a network given as text.
    """
    if is_module(what):
        from .probe import gradient_probe, nan_probe

        found = [*gradient_probe(report, what, graph), *nan_probe(report, what, graph)]
    elif isinstance(what, bytes) or str(what).lower().endswith(".onnx"):
        from .onnx_probe import probe_onnx

        found = probe_onnx(report, what, graph)
    else:
        raise ExplainError(
            "Only what can run can be verified: an ONNX file, a model's name, FILE.py:NAME or a torch module."
        )
    return replace(report, probes=(*report.probes, *found))
