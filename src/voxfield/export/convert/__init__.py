"""Checkpoints of other programs as ours: one file a program, one table of them in `programs`."""

from voxfield.export.convert.checkpoint import Checkpoint, read
from voxfield.export.convert.conversion import Conversion, convert_checkpoint, load
from voxfield.export.convert.programs import PROGRAMS, looks_like

__all__ = ["PROGRAMS", "Checkpoint", "Conversion", "convert_checkpoint", "load", "looks_like", "read"]
