"""The NaN probe: which outputs change when one input position turns to NaN, on a module or on an ONNX file.

Some kernels swallow a NaN (a ReLU written as a maximum), so the position is also set to large values; what changes in
any of these runs depends on the position. A file runs on several backgrounds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ExplainError
from .analysis import out_dim, sources
from .expect import Stretch, beside, extent, judged_nan, probed_positions
from .field import hull
from .graph import Graph
from .report import ProbeResult, Report

DRAWS = 3
NAN, LARGE = float("nan"), 1e3
Arrays = Mapping[str, Any]


def probe_nan(
    report: Report, graph: Graph, answer: Callable[[Arrays], Any], bases: Iterable[Arrays], touches: Sequence[float]
) -> list[ProbeResult]:
    """For every axis the outputs that change when one input position does.

    Args:
        answer: the first output as an array, for arrays by the names of the inputs.
        bases: inputs to start from.
        touches: what a position is set to.
    """
    axes = [(*source, out_dim(graph, *source) or 0) for source in sources(graph)]
    found: list[dict[int, Stretch]] = [{} for _ in axes]
    finite: list[dict[int, Stretch]] = [{} for _ in axes]
    for base in bases:
        reference = answer(base)
        for (name, axis, dim), field, *kept in zip(axes, report.fields, found, finite, strict=True):
            for position, touch in [(p, t) for p in probed_positions(field) for t in touches]:
                touched = base[name].copy()
                np.moveaxis(touched, axis.dim, 0)[position] = touch
                after = answer({**base, name: touched})
                if after.shape != reference.shape:  # its size may depend on the values, and then says nothing
                    continue
                changed: Any = np.atleast_1d(after != reference)
                flags = np.moveaxis(changed, dim, 0).reshape(changed.shape[dim], -1).any(1).tolist()
                seen = extent([flag and not beside(field, n) for n, flag in enumerate(flags)])
                for spans in kept[:1] if touch != touch else kept:
                    spans[position] = hull((spans.get(position), seen))
    return [judged_nan(field, *pair) for field, *pair in zip(report.fields, found, finite, strict=True)]


def probe_onnx(report: Report, what: str | Path | bytes, graph: Graph) -> list[ProbeResult]:
    """The probe on an ONNX file, run by onnxruntime.

    Raises:
        ExplainError: onnxruntime cannot run the file.
    """
    from ..ort import open_session

    try:
        session = open_session(what if isinstance(what, bytes) else Path(what), graph.title)
        kinds = {value.name: value.type for value in session.get_inputs()}
        first = session.get_outputs()[0].name
        session.run([first], background(graph, kinds, 0))
    except Exception as error:  # onnxruntime's own exception classes are not importable by name in all releases
        reason = str(error).strip().split("\n")[0][:300]
        raise ExplainError(f"{graph.title}: onnxruntime cannot run it, so it cannot be verified: {reason}") from error
    bases = (background(graph, kinds, draw) for draw in range(DRAWS))
    return probe_nan(report, graph, lambda inputs: session.run([first], inputs)[0], bases, (NAN, LARGE, -LARGE))


def background(graph: Graph, kinds: Mapping[str, str], draw: int) -> dict[str, Any]:
    """Random inputs and empty states."""
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
