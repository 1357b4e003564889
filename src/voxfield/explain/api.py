"""One front door: whatever describes a network goes in, its report or the full answer to a question comes out."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..errors import ExplainError
from .analysis import analyse
from .attention import gates
from .clock import Frames, span_ms
from .compare import WhatIf, what_if
from .graph import Graph
from .question import figures_asked
from .readers.torch_file import is_module
from .report import Report, data_of
from .what import Settled, settled
from .whatif import edited
from .wording import Paragraph, words

Shapes = Sequence[int] | Sequence[Sequence[int]] | dict[str, Sequence[int]]
WEIGHED = {"cbam_block": "cbam-resnet", "cbam": "cbam"}  # topics of a question, and the edit that answers them
SPANS = ("rf", "latency", "first_output_needs")  # stretches of frames, the window of the last one included


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
        graph, found = opened(what, input_shape=input_shape, layout=layout, rate_hz=rate_hz, run_file=run_file)
        graph = edited(graph, edits)
        report = analyse(graph)
    return verified(report, found.what, graph) if verify else report


@dataclass(frozen=True)
class Answer:
    """The full answer to one question about a network, ready for any rendering."""

    graph: Graph
    report: Report
    paragraphs: tuple[Paragraph, ...]
    changes: tuple[WhatIf, ...]
    frames: Frames | None

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, with its words and what-ifs; times with the whole window of the last frame."""
        found = self.report.to_dict()
        if self.frames is not None:
            found["frames"] = dict(vars(self.frames))
            for field, stated in zip(self.report.fields, found["fields"], strict=True):
                if field.axis != "time":
                    continue
                times = {f"{name}_ms": span_ms(field, getattr(field, name), self.frames) for name in SPANS}
                stated |= times
                if field.input == self.report.fields[0].input:
                    found["frames"] |= times
        return {
            **found,
            "words": [data_of(paragraph) for paragraph in self.paragraphs],
            "what_if": [change.to_dict() for change in self.changes],
        }

    def _repr_html_(self) -> str:
        """The whole page, which notebooks show."""
        from .render import page

        return page(self.report, self.graph, self.paragraphs, self.changes, frames=self.frames)


def report_on(
    what: Any,
    *,
    rate_hz: float | None = None,
    input_shape: Any = None,
    layout: str | None = None,
    hop_samples: int | None = None,
    window_samples: int | None = None,
    verify: bool = False,
    run_file: bool = False,
    edits: Sequence[str] = (),
    language: str = "en",
    files: bool = True,
) -> Answer:
    """The answer on whatever describes a network; the arguments are those of `explain`, and the frames it reads.

    Args:
        hop_samples, window_samples: frames of a network on features; `rate_hz` is then the rate of the samples.
        edits: changes, weighed one after the other on top of each other.
        files: False for text of strangers, which then never names a file of this machine.

    Raises:
        ExplainError: `what` cannot be read, or an option does not fit.
    """
    frames = frames_of(rate_hz, hop_samples, window_samples)
    rate = rate_hz if frames is None else frames.rate_hz
    with uncollected():
        graph, found = opened(
            what, input_shape=input_shape, layout=layout, rate_hz=rate, run_file=run_file, files=files
        )
        report, frames = analyse(graph), frames or found.frames
    if verify:
        report = verified(report, found.what, graph)
    changes = []
    answers = [] if all(gates(graph)) else [(edit,) for topic, edit in WEIGHED.items() if topic in found.asked]
    for one in [tuple(edits)] if edits else answers:
        try:
            changes.append(what_if(graph, one))
        except ExplainError:
            if edits:  # one that only answers a question may fit nowhere, as the words then say
                raise
    named = figures_asked(found.question, report)
    asked = (*named, *found.asked) if not found.asked or {"kernel", "stride"} & {*named} else found.asked
    return Answer(graph, report, words(report, graph, language, frames, asked), tuple(changes), frames)


def frames_of(rate_hz: float | None, hop_samples: int | None, window_samples: int | None) -> Frames | None:
    """The frames of a network on features; None for one on samples.

    Raises:
        ExplainError: a window without a hop, or either without a rate.
    """
    if hop_samples is None and window_samples is None:
        return None
    if hop_samples is None or rate_hz is None:
        raise ExplainError("Frames need --rate (of the samples) and --hop; --window is as long as the hop without it.")
    return Frames(rate_hz, hop_samples, hop_samples if window_samples is None else window_samples)


def opened(what: Any, **options: Any) -> tuple[Graph, Settled]:
    """The network that something describes, its time axis at a rate, and what it was read from.

    Args:
        options: those of `settled`.

    Raises:
        ExplainError: it cannot be read, or an option does not fit.
    """
    found = settled(what, **options)
    graph = read(found.what, input_shape=found.input_shape, layout=found.layout).with_rate(found.rate_hz)
    return replace(graph, title=found.title or graph.title), found


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
                f"{type(what).__name__} is a torch module, whose input size is not known: give it, batch included, "
                "such as --input 1,1,16000 (input_shape=(1, 1, 16000))."
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
        from .probe import gradient_probe, probe_module

        found = [*gradient_probe(report, what, graph), *probe_module(report, what, graph)]
    elif isinstance(what, bytes) or str(what).lower().endswith(".onnx"):
        from .nan_probe import probe_onnx

        found = probe_onnx(report, what, graph)
    else:
        raise ExplainError(
            "Only what can run can be verified: an ONNX file, a model's name, FILE.py:NAME or a torch module."
        )
    return replace(report, probes=(*report.probes, *found))
