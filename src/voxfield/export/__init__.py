"""From a trained network to an ONNX file that stands alone."""

from voxfield.errors import MissingExtraError

try:
    from voxfield.export.onnx_file import export_checkpoint, export_network
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] == "voxfield":
        raise
    raise MissingExtraError(error.name, "train", "Exporting a network") from error

__all__ = ["export_checkpoint", "export_network"]
