"""From a trained network to an ONNX file that stands alone. Needs `pip install 'voxfield[train]'`."""

from importlib.util import find_spec

from voxfield.errors import MissingExtraError

for _package in ("torch", "safetensors", "onnx"):
    if find_spec(_package) is None:
        raise MissingExtraError(_package, "train", "exporting or converting a network")

from voxfield.export.onnx_file import export_checkpoint, export_network  # noqa: E402

__all__ = ["export_checkpoint", "export_network"]
