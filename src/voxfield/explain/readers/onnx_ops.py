"""What each ONNX operator is in the neutral graph. `OPERATORS` maps an operator type to a function over a `Node`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...errors import ExplainError
from .build import Builder, Const, Shape
from .onnx_layers import (
    batch_norm,
    conv,
    einsum,
    gemm,
    global_pool,
    matmul,
    norm,
    pool,
    quantised_conv,
    resize,
    rnn,
)
from .onnx_moves import (
    arg_reduce,
    concat,
    cumulative,
    depth_to_space,
    elementwise,
    expand,
    gather,
    identity,
    pad,
    reduce,
    reshape,
    scatter,
    slice_,
    softmax,
    space_to_depth,
    split,
    tile,
    transpose,
)
from .onnx_node import Node, attribute, unknown


def read_node(
    builder: Builder, proto: Any, number: int, shapes: Mapping[str, Shape], constants: Mapping[str, Any]
) -> None:
    """Add what one ONNX node means to the builder."""
    name = proto.name or f"{proto.op_type}_{number}"
    inputs = [builder.values.get(n, Const(shapes.get(n, ()), (), 4)) if n else None for n in proto.input]
    options = {a.name: attribute(a) for a in proto.attribute}
    outs: list[tuple[Shape, int] | None] = []
    for out in proto.output:
        outs.append((shapes[out], 4) if out in shapes else None)
    args = {str(i): value for i, value in enumerate(inputs)}
    node = Node(
        builder, name, proto.op_type, proto.op_type, args, outs, (name, True), len(outs) == 1, inputs=inputs,
        names=list(proto.input), options=options, constants=constants, named=True,
    )  # fmt: skip
    live = node.live()
    if not live or proto.op_type in SHAPE_ONLY or all(out in constants for out in proto.output):
        owned = tuple(dict.fromkeys(one for const in node.consts() for one in const.owned))
        node.results = [Const(out[0] if out else (), owned, 4) for out in outs]
        if proto.op_type in {"Constant", "ConstantOfShape"}:
            node.results = [builder.values.get(out, Const(shapes.get(out, ()), (), 4)) for out in proto.output]
    elif not outs or outs[0] is None:
        name_of = proto.output[0] if proto.output else name
        raise ExplainError(
            f"Node '{name}' ({proto.op_type}): the shape of its output '{name_of}' cannot be worked out from the input "
            "shapes, because it depends on the data. Give the model with fixed shapes."
        )
    else:
        OPERATORS.get(proto.op_type, unknown)(node)
    for out, result in zip(proto.output, node.results, strict=False):
        builder.values[out] = result


SHAPE_ONLY = frozenset({"Shape", "Size", "ConstantOfShape", "RandomNormalLike", "RandomUniformLike", "EyeLike"})


def table() -> dict[str, Callable[[Node], None]]:
    """Operator types and how to read each."""
    rows: list[tuple[str, Callable[[Node], None]]] = [
        ("Conv ConvTranspose FusedConv ConvInteger", conv),
        ("QLinearConv", quantised_conv),
        ("MatMul MatMulInteger", matmul),
        ("Gemm", gemm),
        ("Einsum", einsum),
        ("LSTM GRU RNN", rnn),
        ("BatchNormalization", batch_norm),
        ("LayerNormalization RMSNormalization SimplifiedLayerNormalization InstanceNormalization", norm),
        ("GroupNormalization", norm),
        ("MaxPool AveragePool LpPool", pool),
        ("GlobalAveragePool GlobalMaxPool GlobalLpPool", global_pool),
        ("Resize Upsample", resize),
        ("Pad", pad),
        ("Reshape Flatten Squeeze Unsqueeze", reshape),
        ("Transpose", transpose),
        ("Expand", expand),
        ("Tile", tile),
        ("Slice", slice_),
        ("Split", split),
        ("Gather", gather),
        ("Concat", concat),
        ("DepthToSpace", depth_to_space),
        ("SpaceToDepth", space_to_depth),
        ("ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum", reduce),
        ("ReduceLogSumExp ReduceSumSquare", reduce),
        ("ArgMax ArgMin", arg_reduce),
        ("CumSum", cumulative),
        ("ScatterND", scatter),
        ("Softmax LogSoftmax Hardmax", softmax),
        ("Identity Cast CastLike Dropout QuantizeLinear DequantizeLinear DynamicQuantizeLinear", identity),
        ("Add Sub Mul Div Pow Mod Min Max Sum Mean Where Equal Greater Less GreaterOrEqual", elementwise),
        ("LessOrEqual And Or Xor Not Neg Abs Exp Log Sqrt Reciprocal Floor Ceil Round Sign Erf", elementwise),
        ("Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Relu LeakyRelu PRelu Elu", elementwise),
        ("Selu Celu Sigmoid HardSigmoid HardSwish Tanh Softplus Softsign ThresholdedRelu Gelu", elementwise),
        ("Mish Clip IsNaN IsInf Shrink BitShift FastGelu QuickGelu BiasGelu Swish", elementwise),
    ]
    return {name: rule for names, rule in rows for name in names.split()}


OPERATORS = table()
