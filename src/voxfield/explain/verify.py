"""The report with measurements on the network itself beside it, whichever reader it came from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import ExplainError
from .graph import Graph
from .report import Report
from .what import is_module


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
            "Only something that runs can be verified: a torch module or an ONNX file, not a description."
        )
    return replace(report, probes=(*report.probes, *found))
