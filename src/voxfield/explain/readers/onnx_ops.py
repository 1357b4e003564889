"""What each ONNX operator is in the neutral graph. `OPERATORS` maps an operator type to a function over a `Node`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...errors import ExplainError
from . import aten_moves, onnx_layers, onnx_moves
from .build import Const, OperatorGraph, Shape, by_name, unknown_op
from .onnx_node import Node, attribute


def read_node(
    builder: OperatorGraph, proto: Any, number: int, shapes: Mapping[str, Shape], constants: Mapping[str, Any]
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
        OPERATORS.get(proto.op_type, unknown_op)(node)
    for out, result in zip(proto.output, node.results, strict=False):
        builder.values[out] = result


SHAPE_ONLY = frozenset({"Shape", "Size", "ConstantOfShape", "RandomNormalLike", "RandomUniformLike", "EyeLike"})


# operator types and how to read each
OPERATORS: dict[str, Callable[[Node], None]] = by_name(
    ("Conv ConvTranspose FusedConv ConvInteger", onnx_layers.conv),
    ("QLinearConv", onnx_layers.quantised_conv),
    ("MatMul MatMulInteger", onnx_layers.matmul),
    ("Gemm", onnx_layers.gemm),
    ("Einsum", onnx_layers.einsum),
    ("LSTM GRU RNN", onnx_layers.rnn),
    ("BatchNormalization", onnx_layers.batch_norm),
    ("LayerNormalization RMSNormalization SimplifiedLayerNormalization InstanceNormalization", onnx_layers.norm),
    ("GroupNormalization", onnx_layers.norm),
    ("MaxPool AveragePool LpPool", onnx_layers.pool),
    ("GlobalAveragePool GlobalMaxPool GlobalLpPool", onnx_layers.global_pool),
    ("Resize Upsample", onnx_layers.resize),
    ("Pad", onnx_moves.pad),
    ("Reshape Flatten Squeeze Unsqueeze", onnx_moves.reshape),
    ("Transpose", onnx_moves.transpose),
    ("Expand", aten_moves.expand),
    ("Tile", onnx_moves.tile),
    ("Slice", onnx_moves.slice_),
    ("Split", onnx_moves.split),
    ("Gather", onnx_moves.gather),
    ("Concat", onnx_moves.concat),
    ("DepthToSpace", onnx_moves.depth_to_space),
    ("SpaceToDepth", onnx_moves.space_to_depth),
    ("ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum", onnx_moves.reduce),
    ("ReduceLogSumExp ReduceSumSquare", onnx_moves.reduce),
    ("ArgMax ArgMin", onnx_moves.arg_reduce),
    ("CumSum", onnx_moves.cumulative),
    ("ScatterND", onnx_moves.scatter),
    ("Softmax LogSoftmax Hardmax", onnx_moves.softmax),
    ("Identity Cast CastLike Dropout QuantizeLinear DequantizeLinear DynamicQuantizeLinear", aten_moves.identity),
    ("Add Sub Mul Div Pow Mod Min Max Sum Mean Where Equal Greater Less GreaterOrEqual", onnx_moves.elementwise),
    ("LessOrEqual And Or Xor Not Neg Abs Exp", onnx_moves.elementwise),
    ("Log Sqrt Reciprocal Floor Ceil Round Sign Erf", onnx_moves.elementwise),
    ("Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Relu LeakyRelu PRelu Elu", onnx_moves.elementwise),
    ("Selu Celu Sigmoid HardSigmoid HardSwish Tanh Softplus Softsign ThresholdedRelu Gelu", onnx_moves.elementwise),
    ("Mish Clip IsNaN IsInf Shrink BitShift FastGelu QuickGelu BiasGelu Swish", onnx_moves.elementwise),
)
