"""Files, pipes and arrays to float32 samples and back: read, write, resample, in blocks."""

from voxfield.audio.pipe import PipeSink, PipeSource, RawFormat, open_pipe, pipe_sink
from voxfield.audio.queue import SampleQueue
from voxfield.audio.resample import Resampler, resample
from voxfield.audio.sink import FileSink, Sink, file_sink, storage
from voxfield.audio.source import BLOCK_SAMPLES, ArraySource, FileSource, Given, Source, open_source
from voxfield.audio.whole import load, read

__all__ = [
    "BLOCK_SAMPLES",
    "ArraySource",
    "FileSink",
    "FileSource",
    "Given",
    "PipeSink",
    "PipeSource",
    "RawFormat",
    "Resampler",
    "SampleQueue",
    "Sink",
    "Source",
    "file_sink",
    "load",
    "open_pipe",
    "open_source",
    "pipe_sink",
    "read",
    "resample",
    "storage",
]
