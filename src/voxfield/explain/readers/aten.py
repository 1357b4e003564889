"""What each operator of an exported torch graph is in the neutral graph. Imports no torch: it sees names and numbers.

`OPERATORS` maps an operator's name to a function that adds neutral operators to a graph. An operator outside the
table is elementwise when torch says so, and `unknown` otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from . import aten_layers, aten_moves, aten_signal
from .build import Call, Const, OperatorGraph, Shape, by_name, unknown_op

Translator = Callable[[Call], None]


def translate(
    builder: OperatorGraph,
    node: str,
    source: str,
    arguments: Mapping[str, Any],
    outs: list[tuple[Shape, int] | None],
    place: tuple[str, bool],
    pointwise: bool,
    single: bool,
) -> None:
    """Add what one node means to the builder."""
    base = source.split(".")[1] if "." in source else source
    in_place = base.endswith("_") and not base.endswith("__")
    base = base.rstrip("_") if in_place else base
    args = {name: resolved(builder, value) for name, value in arguments.items()}
    call = Call(builder, node, base, source, args, outs, place, single)
    live = call.live()
    if not live or base in SHAPE_ONLY:
        owned = tuple(dict.fromkeys(one for const in call.consts() for one in const.owned))
        call.results = [Const(out[0], owned, out[1]) if out else Const((), (), 0) for out in outs]
    else:
        rule = OPERATORS.get(base) or (aten_moves.pointwise_op if pointwise else unknown_op)
        rule(call)
    if single and call.results:
        builder.values[node] = call.results[0]
    builder.parts[node] = call.results
    first = next(iter(arguments.values()), None)
    if in_place and call.results and getattr(first, "name", None) in builder.values:
        builder.values[first.name] = call.results[0]  # type: ignore[union-attr]


def resolved(builder: OperatorGraph, value: Any) -> Any:
    """An argument with every node replaced by what it stands for."""
    if isinstance(value, list | tuple):
        return [resolved(builder, one) for one in value]
    name = getattr(value, "name", None)
    return builder.values.get(name, Const((), (), 0)) if hasattr(value, "op") and name is not None else value


SHAPE_ONLY = frozenset(
    {"zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "new_zeros", "new_ones"}
    | {"new_full", "new_empty", "sym_size", "sym_numel", "sym_stride", "size", "numel", "is_same_size"}
    | {"_assert_tensor_metadata", "_assert_async"}
)


# operator names, without overloads and without the underscore of in-place ones, and how to read each
OPERATORS: dict[str, Translator] = by_name(
    ("conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution", aten_layers.conv),
    ("linear", aten_layers.linear),
    ("mm bmm matmul addmm baddbmm", aten_layers.product_of),
    ("einsum", aten_layers.einsum),
    ("lstm gru rnn_tanh rnn_relu", aten_layers.rnn),
    ("lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell", aten_layers.cell),
    ("batch_norm instance_norm _native_batch_norm_legit_no_training", aten_layers.batch_norm),
    ("group_norm native_group_norm", aten_layers.group_norm),
    ("layer_norm native_layer_norm rms_norm", aten_layers.layer_norm),
    ("max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d", aten_layers.pool),
    ("max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices", aten_layers.pool),
    ("adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d", aten_layers.adaptive),
    ("adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d", aten_layers.adaptive),
    ("upsample_nearest1d upsample_nearest2d upsample_nearest3d", aten_layers.upsample),
    ("upsample_linear1d upsample_bilinear2d", aten_layers.upsample),
    ("upsample_trilinear3d upsample_bicubic2d", aten_layers.upsample),
    ("_upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d", aten_layers.upsample),
    ("pad constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d", aten_layers.pad),
    ("view reshape _unsafe_view view_as reshape_as flatten unflatten squeeze unsqueeze ravel", aten_moves.reshape),
    ("permute transpose t numpy_T mT adjoint movedim moveaxis swapaxes swapdims", aten_moves.permute),
    ("expand expand_as broadcast_to", aten_moves.expand),
    ("repeat tile", aten_moves.repeat),
    ("repeat_interleave", aten_moves.repeat_interleave),
    ("slice", aten_moves.slice_),
    ("narrow", aten_moves.narrow),
    ("select", aten_moves.select),
    ("unbind", aten_moves.unbind),
    ("split split_with_sizes chunk tensor_split unsafe_chunk unsafe_split", aten_moves.split),
    ("cat concat concatenate stack", aten_moves.concat),
    ("flip", aten_moves.flip),
    ("roll", aten_moves.roll),
    ("unfold", aten_moves.unfold),
    ("stft", aten_signal.stft),
    ("istft", aten_signal.istft),
    ("fft_fft fft_ifft fft_rfft fft_irfft fft_hfft fft_ihfft", aten_signal.fft),
    ("im2col", aten_signal.im2col),
    ("col2im", aten_signal.col2im),
    ("view_as_real", aten_signal.view_as_real),
    ("view_as_complex", aten_signal.view_as_complex),
    ("copy", aten_signal.copy),
    ("slice_scatter", aten_signal.slice_scatter),
    ("select_scatter", aten_signal.select_scatter),
    ("pixel_shuffle", aten_moves.pixel_shuffle),
    ("pixel_unshuffle", aten_moves.pixel_unshuffle),
    ("channel_shuffle native_channel_shuffle", aten_moves.channel_shuffle),
    ("mean sum amax amin max min prod var", aten_moves.reduce),
    ("std var_mean std_mean logsumexp norm linalg_vector_norm any all", aten_moves.reduce),
    ("argmax argmin nanmean nansum median", aten_moves.reduce),
    ("cumsum cumprod cummax cummin logcumsumexp", aten_moves.cumulative),
    ("softmax log_softmax _softmax _log_softmax", aten_moves.softmax),
    ("scaled_dot_product_attention", aten_moves.attention),
    ("glu", aten_moves.glu),
    ("contiguous clone detach alias to", aten_moves.identity),
    ("_to_copy dropout feature_dropout alpha_dropout lift_fresh_copy", aten_moves.identity),
    ("native_dropout type_as float double half real_copy view_as_real_copy", aten_moves.identity),
    ("real imag angle polar complex conj conj_physical resolve_conj _conj", aten_moves.pointwise_op),
    ("prelu rrelu selu celu hardsigmoid hardswish", aten_moves.pointwise_op),
    ("hardtanh relu6 mish gelu leaky_relu softplus", aten_moves.pointwise_op),
    ("where masked_fill addcmul addcdiv lerp clamp", aten_moves.pointwise_op),
    ("square true_divide divide multiply subtract", aten_moves.pointwise_op),
    ("softsign tanhshrink softshrink hardshrink", aten_moves.pointwise_op),
    ("logsigmoid log_sigmoid threshold float_power", aten_moves.pointwise_op),
)
