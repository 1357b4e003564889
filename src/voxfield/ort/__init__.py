"""The one import of onnxruntime: no telemetry, no log, and only files that are sure to end."""

from voxfield.ort.inspect import count_weights, hash_graph, metadata
from voxfield.ort.session import open_session

__all__ = ["count_weights", "hash_graph", "metadata", "open_session"]
