"""Receptive field, latency and cost of any convolutional network. Importing this loads neither torch nor onnx.

The package is callable, so that `import voxfield as vf; vf.explain("10/5 8/4")` works however it was imported.
"""

import sys
from types import ModuleType
from typing import Any

from .api import Answer, explain, read, report_on
from .graph import Axis, Graph, Op, Tensor, Window
from .report import AxisField, Cause, Costs, Figure, LayerReport, Phase, ProbeResult, Report, Status

__all__ = [
    "Answer",
    "Axis",
    "AxisField",
    "Cause",
    "Costs",
    "Figure",
    "Graph",
    "LayerReport",
    "Op",
    "Phase",
    "ProbeResult",
    "Report",
    "Status",
    "Tensor",
    "Window",
    "explain",
    "read",
    "report_on",
]


class _CallablePackage(ModuleType):
    def __call__(self, what: Any, **options: Any) -> Report:
        return explain(what, **options)


sys.modules[__name__].__class__ = _CallablePackage
