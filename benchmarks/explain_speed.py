"""Seconds that explain takes for ONNX files of many operators: residual blocks of Conv, Relu and Add in a row.

    OMP_NUM_THREADS=1 python benchmarks/explain_speed.py

Processor time of one thread, the best of three: reading the file from memory, fields, sizes and costs of every
operator. The field is checked: every block of a kernel of 3 adds 2 positions.
"""

import time

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from voxfield.explain import explain

BLOCKS = (200, 2_000, 20_000)


def chain(blocks: int) -> bytes:
    """A file of three operators a block."""
    kernel = numpy_helper.from_array(np.zeros((4, 4, 3), np.float32), "w")
    nodes, x = [], "x"
    for i in range(blocks):
        nodes.append(helper.make_node("Conv", [x, "w"], [f"c{i}"], pads=[1, 1], kernel_shape=[3]))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"]))
        nodes.append(helper.make_node("Add", [f"r{i}", x], [f"a{i}"]))
        x = f"a{i}"
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4, 1000]) for name in ("x", x)]
    content: bytes = helper.make_model(helper.make_graph(nodes, "g", ends[:1], ends[1:], [kernel])).SerializeToString()
    return content


def seconds(content: bytes, rf: int) -> float:
    """Of one explanation, whose field must be `rf`."""
    start = time.process_time()
    found = explain(content).field("time").rf
    if found != rf:
        raise SystemExit(f"the field is {rf}, not {found}")
    return time.process_time() - start


def main() -> None:
    print("| operators | seconds | microseconds each |\n|---|---|---|")
    for blocks in BLOCKS:
        content = chain(blocks)
        best = min(seconds(content, 2 * blocks + 1) for _ in range(3))
        print(f"| {3 * blocks:,} | {best:.2f} | {best / blocks / 3 * 1e6:.0f} |")


if __name__ == "__main__":
    main()
