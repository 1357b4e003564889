"""Files, pipes and arrays to float32 samples and back: read, write, resample, in blocks."""

from voxfield.audio.limits import check_layout
from voxfield.audio.opener import Given, open_source
from voxfield.audio.pipe import PipeSink, PipeSource, RawFormat, open_pipe, pipe_sink
from voxfield.audio.queue import SampleQueue
from voxfield.audio.resampler import Resampler, resample
from voxfield.audio.sink import FileSink, Sink, file_sink, save
from voxfield.audio.sound_file import FileSource
from voxfield.audio.source import BLOCK_SAMPLES, ArraySource, Source, without_faults
from voxfield.audio.stored import NOT_STORED, Bitrate, Stored
from voxfield.audio.target import OutputFormat, storage, target_for
from voxfield.audio.whole import load, read

__all__ = [
    "BLOCK_SAMPLES",
    "NOT_STORED",
    "ArraySource",
    "Bitrate",
    "FileSink",
    "FileSource",
    "Given",
    "OutputFormat",
    "PipeSink",
    "PipeSource",
    "RawFormat",
    "Resampler",
    "SampleQueue",
    "Sink",
    "Source",
    "Stored",
    "check_layout",
    "file_sink",
    "load",
    "open_pipe",
    "open_source",
    "pipe_sink",
    "read",
    "resample",
    "save",
    "storage",
    "target_for",
    "without_faults",
]
