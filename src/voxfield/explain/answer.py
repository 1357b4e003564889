"""The full answer to one question about a network: its graph, report, words and what-ifs, ready for any rendering."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ExplainError
from .analysis import analyse
from .api import opened, uncollected, verified
from .attention import gates
from .clock import Frames, span_ms
from .compare import WhatIf, what_if
from .graph import Graph
from .report import Report, data_of
from .wording import Paragraph, words

WEIGHED = {"cbam_block": "cbam-resnet", "cbam": "cbam"}  # topics of a question, and the edit that answers them
SPANS = ("rf", "latency", "first_output_needs")  # stretches of frames, the window of the last one included


@dataclass(frozen=True)
class Answer:
    """Everything that is shown."""

    graph: Graph
    report: Report
    paragraphs: tuple[Paragraph, ...]
    changes: tuple[WhatIf, ...]
    frames: Frames | None

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, with its words and what-ifs."""
        found = self.report.to_dict()
        if self.frames is not None:
            found["frames"] = self._frames(self.frames)
            for field, stated in zip(self.report.fields, found["fields"], strict=True):
                for name in SPANS if field.axis == "time" else ():
                    stated[f"{name}_ms"] = span_ms(field, getattr(field, name), self.frames)
        return {
            **found,
            "words": [data_of(paragraph) for paragraph in self.paragraphs],
            "what_if": [change.to_dict() for change in self.changes],
        }

    def _repr_html_(self) -> str:
        """The whole page, which notebooks show."""
        from .render import page

        return page(self.report, self.graph, self.paragraphs, self.changes, frames=self.frames)

    def _frames(self, frames: Frames) -> dict[str, Any]:
        """The frames of the time axis; times with the whole window of the last frame in them."""
        stated: dict[str, Any] = dict(vars(frames))
        for field in self.report.fields:
            if field.axis == "time" and field.input == self.report.fields[0].input:
                for name in SPANS:
                    stated[f"{name}_ms"] = span_ms(field, getattr(field, name), frames)
        return stated


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
        found = opened(what, input_shape=input_shape, layout=layout, rate_hz=rate, run_file=run_file, files=files)
        graph, frames = found.graph, frames or found.frames
        report = analyse(graph)
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
    return Answer(graph, report, words(report, graph, language, frames, found.asked), tuple(changes), frames)


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
