"""The one import of onnxruntime: no telemetry, no log, and only files that are sure to end."""

from voxfield.ort.session import open_session

__all__ = ["open_session"]
