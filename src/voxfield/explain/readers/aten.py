"""What each operator of an exported torch graph is in the neutral graph. Imports no torch: it sees names and numbers.

`OPERATORS` maps an operator's name to a function that adds neutral operators to a `Builder`. An operator outside the
table is elementwise when torch says so, and `unknown` otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .aten_layers import (
    adaptive,
    batch_norm,
    cell,
    conv,
    einsum,
    group_norm,
    layer_norm,
    linear,
    pad,
    pool,
    product_of,
    rnn,
    upsample,
)
from .aten_moves import (
    attention,
    channel_shuffle,
    concat,
    cumulative,
    expand,
    flip,
    glu,
    identity,
    narrow,
    permute,
    pixel_shuffle,
    pixel_unshuffle,
    pointwise_op,
    reduce,
    repeat,
    repeat_interleave,
    reshape,
    roll,
    select,
    slice_,
    softmax,
    split,
    unbind,
    unfold,
)
from .aten_signal import (
    col2im,
    copy,
    fft,
    im2col,
    istft,
    select_scatter,
    slice_scatter,
    stft,
    view_as_complex,
    view_as_real,
)
from .build import Builder, Call, Const, Shape, unknown_op

Translator = Callable[[Call], None]


def translate(
    builder: Builder,
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
        rule = OPERATORS.get(base) or (pointwise_op if pointwise else unknown_op)
        rule(call)
    if single and call.results:
        builder.values[node] = call.results[0]
    builder.parts[node] = call.results
    first = next(iter(arguments.values()), None)
    if in_place and call.results and getattr(first, "name", None) in builder.values:
        builder.values[first.name] = call.results[0]  # type: ignore[union-attr]


def resolved(builder: Builder, value: Any) -> Any:
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


def table() -> dict[str, Translator]:
    """Operator names, without overloads and without the underscore of in-place ones, and how to read each."""
    rows: list[tuple[str, Translator]] = [
        ("conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution", conv),
        ("linear", linear),
        ("mm bmm matmul addmm baddbmm", product_of),
        ("einsum", einsum),
        ("lstm gru rnn_tanh rnn_relu", rnn),
        ("lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell", cell),
        ("batch_norm instance_norm _native_batch_norm_legit_no_training", batch_norm),
        ("group_norm native_group_norm", group_norm),
        ("layer_norm native_layer_norm rms_norm", layer_norm),
        ("max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d", pool),
        ("max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices", pool),
        ("adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d", adaptive),
        ("adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d", adaptive),
        ("upsample_nearest1d upsample_nearest2d upsample_nearest3d upsample_linear1d upsample_bilinear2d", upsample),
        ("upsample_trilinear3d upsample_bicubic2d", upsample),
        ("_upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d", upsample),
        ("pad constant_pad_nd reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d", pad),
        ("view reshape _unsafe_view view_as reshape_as flatten unflatten squeeze unsqueeze ravel", reshape),
        ("permute transpose t numpy_T mT adjoint movedim moveaxis swapaxes swapdims", permute),
        ("expand expand_as broadcast_to", expand),
        ("repeat tile", repeat),
        ("repeat_interleave", repeat_interleave),
        ("slice", slice_),
        ("narrow", narrow),
        ("select", select),
        ("unbind", unbind),
        ("split split_with_sizes chunk tensor_split unsafe_chunk unsafe_split", split),
        ("cat concat concatenate stack", concat),
        ("flip", flip),
        ("roll", roll),
        ("unfold", unfold),
        ("stft", stft),
        ("istft", istft),
        ("fft_fft fft_ifft fft_rfft fft_irfft fft_hfft fft_ihfft", fft),
        ("im2col", im2col),
        ("col2im", col2im),
        ("view_as_real", view_as_real),
        ("view_as_complex", view_as_complex),
        ("copy", copy),
        ("slice_scatter", slice_scatter),
        ("select_scatter", select_scatter),
        ("pixel_shuffle", pixel_shuffle),
        ("pixel_unshuffle", pixel_unshuffle),
        ("channel_shuffle native_channel_shuffle", channel_shuffle),
        ("mean sum amax amin max min prod var std var_mean std_mean logsumexp norm linalg_vector_norm any all", reduce),
        ("argmax argmin nanmean nansum median", reduce),
        ("cumsum cumprod cummax cummin logcumsumexp", cumulative),
        ("softmax log_softmax _softmax _log_softmax", softmax),
        ("scaled_dot_product_attention", attention),
        ("glu", glu),
        ("contiguous clone detach alias to _to_copy dropout feature_dropout alpha_dropout lift_fresh_copy", identity),
        ("native_dropout type_as float double half real_copy view_as_real_copy", identity),
        ("real imag angle polar complex conj conj_physical resolve_conj _conj", pointwise_op),
        ("prelu rrelu selu celu hardsigmoid hardswish hardtanh relu6 mish gelu leaky_relu softplus", pointwise_op),
        ("where masked_fill addcmul addcdiv lerp clamp square true_divide divide multiply subtract", pointwise_op),
        ("softsign tanhshrink softshrink hardshrink logsigmoid log_sigmoid threshold float_power", pointwise_op),
    ]
    return {name: rule for names, rule in rows for name in names.split()}


OPERATORS = table()
