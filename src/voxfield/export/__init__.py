"""From a trained network to an ONNX file that stands alone."""

from voxfield.export.onnx_file import export_checkpoint, export_network

__all__ = ["export_checkpoint", "export_network"]
