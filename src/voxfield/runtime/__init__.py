"""Run a model file: an immutable engine, and streams that carry the state of one recording each."""

from voxfield.runtime.engine import OnnxEngine, load_engine
from voxfield.runtime.lane import Turn, Turns, run, take
from voxfield.runtime.stream import STREAMED, Stream

__all__ = ["STREAMED", "OnnxEngine", "Stream", "Turn", "Turns", "load_engine", "run", "take"]
