"""onnxruntime, imported here and nowhere else, and a session for a file that was looked at first."""

import os
from pathlib import Path

from voxfield.errors import CardError
from voxfield.ort.inspect import objection

# It writes a device id and events below the home folder unless this is set when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

import onnxruntime


def open_session(
    model: bytes | Path, title: str, *, threads: int = 0, few_shapes: bool = False
) -> onnxruntime.InferenceSession:
    """A session on the CPU that logs nothing.

    Args:
        model: the bytes of an ONNX file, or its path where it may keep weights in files beside it.
        title: what messages call the file.
        threads: threads within one run; 0 for one a core.
        few_shapes: memory is planned once for each shape of the inputs, and the plans are kept: a short step takes a
            seventh less time, but a free axis of any length would let them grow for ever.

    Raises:
        CardError: not an ONNX file, or one that is not run: see `voxfield.ort.inspect`.
    """
    try:
        content = model if isinstance(model, bytes) else model.read_bytes()
    except OSError as error:
        raise CardError(f"the model file {title} cannot be read: {error.strerror}") from error
    if reason := objection(content, None if isinstance(model, bytes) else model.parent):
        raise CardError(f"{title} {reason}")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its warnings are ours to word
    options.enable_mem_pattern = few_shapes
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # waiting threads sleep
    options.add_session_config_entry("session.load_model_format", "ONNX")  # the format that was looked at
    source = content if isinstance(model, bytes) else str(model)
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no other base
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CardError(f"{title} is not an ONNX file that onnxruntime can run: {reason}") from error
