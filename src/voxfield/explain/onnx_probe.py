"""The NaN probe on an ONNX file, run by onnxruntime.

Some of its kernels swallow a NaN (a ReLU written as a maximum), so the position is also set to large values of both
signs, and the background is drawn several times: an output that changes in any of these runs depends on the position.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ExplainError
from .analysis import out_dim, sources
from .expect import Stretch, extent, judged_nan, probed_positions
from .field import hull
from .graph import Graph
from .report import ProbeResult, Report

DRAWS = 3
TOUCHES = (float("nan"), 1e3, -1e3)


def probe_onnx(report: Report, what: str | Path | bytes, graph: Graph) -> list[ProbeResult]:
    """For every axis the outputs of the file that change when one input position does.

    Raises:
        ExplainError: onnxruntime cannot run the file.
    """
    import numpy as np

    from ..ort import open_session

    try:
        session = open_session(what if isinstance(what, bytes) else Path(what), graph.title)
        kinds = {value.name: value.type for value in session.get_inputs()}
        first = session.get_outputs()[0].name
        session.run([first], background(graph, kinds, 0))
    except Exception as error:  # onnxruntime's own exception classes are not importable by name in all releases
        reason = str(error).strip().split("\n")[0][:300]
        raise ExplainError(f"{graph.title}: onnxruntime cannot run it, so it cannot be verified: {reason}") from error
    dims = [out_dim(graph, name, axis) for name, axis in sources(graph)]
    spots = [probed_positions(field) for field in report.fields]
    found: list[dict[int, Stretch]] = [{} for _ in dims]
    finite: list[dict[int, Stretch]] = [{} for _ in dims]
    for draw in range(DRAWS):
        base = background(graph, kinds, draw)
        reference = session.run([first], base)[0]
        for number, ((name, axis), dim) in enumerate(zip(sources(graph), dims, strict=True)):
            for position in spots[number]:
                for touch in TOUCHES:
                    touched = base[name].copy()
                    np.moveaxis(touched, axis.dim, 0)[position] = touch
                    changed: Any = np.atleast_1d(session.run([first], {**base, name: touched})[0] != reference)
                    flags = np.moveaxis(changed, dim or 0, 0).reshape(changed.shape[dim or 0], -1).any(1)
                    for kept in (found,) if touch != touch else (found, finite):
                        kept[number][position] = hull((kept[number].get(position), extent(flags.tolist())))
    return [judged_nan(field, *pair) for field, *pair in zip(report.fields, found, finite, strict=True)]


def background(graph: Graph, kinds: Mapping[str, str], draw: int) -> dict[str, Any]:
    """Random inputs and empty states."""
    import numpy as np

    generator = np.random.default_rng(draw)
    found: dict[str, Any] = {}
    for name in graph.inputs:
        shape = tuple(int(size or 1) for size in graph.shape(name))
        kind = {"tensor(float16)": np.float16, "tensor(double)": np.float64}.get(kinds[name], np.float32)
        if "int" in kinds[name]:
            found[name] = np.ones(shape, np.int64 if "64" in kinds[name] else np.int32)
        elif graph.tensors[name].role == "state":
            found[name] = np.zeros(shape, kind)
        else:
            found[name] = generator.standard_normal(shape).astype(kind)
    return found
