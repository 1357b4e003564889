"""What any convolutional network hears, how late, and at what cost. Importing this loads neither torch nor onnx."""

from .api import explain, read
from .graph import Axis, Graph, Op, Tensor, Window
from .report import AxisField, Cause, Costs, Figure, LayerReport, Phase, ProbeResult, Report, Status

__all__ = [
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
]
