"""The settings of one Keras layer, from a file or from pasted code: checked, with Keras's own defaults.

Whatever the values are, they were written by someone else: every getter either gives the type it promises or raises an
ExplainError that names the layer and the setting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import ExplainError
from .layers import Origin, brief

_CONV = "filters kernel_size strides padding data_format dilation_rate groups activation use_bias"
_CONV_T = "filters kernel_size strides padding output_padding data_format dilation_rate activation use_bias"
_DEPTHWISE = "kernel_size strides padding depth_multiplier data_format dilation_rate activation use_bias"
_SEPARABLE = "filters kernel_size strides padding data_format dilation_rate depth_multiplier activation use_bias"
_POOL = "pool_size strides padding data_format name"
_RNN = "units activation recurrent_activation use_bias"

POSITIONAL: Mapping[str, str] = {
    **{f"Conv{n}D": _CONV for n in (1, 2, 3)},
    **{f"Conv{n}DTranspose": _CONV_T for n in (1, 2)},
    "Conv3DTranspose": "filters kernel_size strides padding data_format output_padding dilation_rate activation",
    **{f"DepthwiseConv{n}D": _DEPTHWISE for n in (1, 2)},
    **{f"SeparableConv{n}D": _SEPARABLE for n in (1, 2)},
    **{f"{kind}{n}D": _POOL for kind in ("MaxPool", "AvgPool") for n in (1, 2, 3)},
    **{f"Global{kind}{n}D": "data_format keepdims" for kind in ("MaxPool", "AvgPool") for n in (1, 2, 3)},
    **{f"UpSampling{n}D": "size data_format interpolation" for n in (1, 2, 3)},
    **{f"ZeroPadding{n}D": "padding data_format" for n in (1, 2, 3)},
    **{f"Cropping{n}D": "cropping data_format" for n in (1, 2, 3)},
    "Dense": "units activation use_bias",
    "LSTM": _RNN,
    "GRU": _RNN,
    "SimpleRNN": "units activation use_bias",
    "Bidirectional": "layer merge_mode",
    "TimeDistributed": "layer",
    "BatchNormalization": "axis momentum epsilon center scale",
    "LayerNormalization": "axis epsilon center scale",
    "GroupNormalization": "groups axis epsilon center scale",
    "Activation": "activation",
    "Concatenate": "axis",
    "Reshape": "target_shape",
    "Permute": "dims",
    "RepeatVector": "n",
    "Softmax": "axis",
    "LeakyReLU": "negative_slope",
    "ELU": "alpha",
    "ReLU": "max_value negative_slope threshold",
    "PReLU": "alpha_initializer alpha_regularizer alpha_constraint shared_axes",
    "MultiHeadAttention": "num_heads key_dim value_dim dropout use_bias",
    "Input": "shape batch_size",
    "InputLayer": "shape batch_size",
    "Embedding": "input_dim output_dim",
    "Dropout": "rate",
    "Flatten": "data_format",
}

ALIASES: Mapping[str, str] = {
    **{f"Convolution{n}D": f"Conv{n}D" for n in (1, 2, 3)},
    **{f"Convolution{n}DTranspose": f"Conv{n}DTranspose" for n in (1, 2, 3)},
    "SeparableConvolution1D": "SeparableConv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "DepthwiseConvolution2D": "DepthwiseConv2D",
    **{f"MaxPooling{n}D": f"MaxPool{n}D" for n in (1, 2, 3)},
    **{f"AveragePooling{n}D": f"AvgPool{n}D" for n in (1, 2, 3)},
    **{f"GlobalMaxPooling{n}D": f"GlobalMaxPool{n}D" for n in (1, 2, 3)},
    **{f"GlobalAveragePooling{n}D": f"GlobalAvgPool{n}D" for n in (1, 2, 3)},
    "CuDNNLSTM": "LSTM",
    "CuDNNGRU": "GRU",
    "SyncBatchNormalization": "BatchNormalization",
}

WITHOUT_RULE = frozenset(("Lambda", "ConvLSTM1D", "ConvLSTM2D", "Resizing", "EinsumDense"))


class Settings:
    """The settings of one layer."""

    def __init__(self, values: Mapping[str, Any], origin: Origin) -> None:
        self.values = values
        self.origin = origin

    def error(self, key: str, needed: str) -> ExplainError:
        """What is raised when the value of `key` is not `needed`."""
        shown = f"{key}={brief(self.values[key])}" if key in self.values else f"no {key}"
        return ExplainError(f"{self.origin.where}: {shown}; needed is {needed}.")

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number."""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(key, "a whole number")
        return value

    def flag(self, key: str, default: bool) -> bool:
        """True or False."""
        value = self.values.get(key, default)
        if not isinstance(value, bool | int):
            raise self.error(key, "True or False")
        return bool(value)

    def word(self, key: str, default: str, *allowed: str) -> str:
        """One of the allowed words."""
        value = self.values.get(key)
        value = default if value is None else value
        if not isinstance(value, str) or value.lower() not in allowed:
            raise self.error(key, "one of " + ", ".join(allowed))
        return value.lower()

    def sizes(self, key: str, rank: int, default: int | None = None) -> tuple[int, ...]:
        """One whole number per axis; a single one stands for all axes."""
        value = self.values.get(key)
        value = default if value is None else value
        listed = list(value) if isinstance(value, list | tuple) else [value] * rank
        if len(listed) == 1:
            listed *= rank
        if len(listed) != rank or any(isinstance(v, bool) or not isinstance(v, int) for v in listed):
            raise self.error(key, f"a whole number, or {rank} of them")
        return tuple(int(v or 0) for v in listed)

    def pairs(self, key: str, rank: int) -> tuple[tuple[int, int], ...]:
        """(before, after) per axis from Keras's forms: n, (a, b) for one axis, (n, m), ((a, b), (c, d))."""
        value = self.values.get(key, 1)
        listed: Sequence[Any]
        if rank == 1 and isinstance(value, list | tuple) and len(value) == 2 and not isinstance(value[0], list | tuple):
            listed = [value]
        else:
            listed = list(value) if isinstance(value, list | tuple) else [value] * rank
        found = []
        for one in listed:
            ends = list(one) if isinstance(one, list | tuple) else [one, one]
            if len(ends) != 2 or any(isinstance(v, bool) or not isinstance(v, int) or v < 0 for v in ends):
                raise self.error(key, "whole numbers from 0, or a pair of them per axis")
            found.append((ends[0], ends[1]))
        if len(found) != rank:
            raise self.error(key, f"one entry per axis ({rank})")
        return tuple(found)

    def channels_last(self) -> bool:
        """True unless data_format says otherwise."""
        return self.word("data_format", "channels_last", "channels_last", "channels_first") == "channels_last"

    def activation(self, key: str = "activation") -> str | None:
        """The activation's name, None for none."""
        value = self.values.get(key)
        if isinstance(value, Mapping):  # {"class_name": "function" | "LeakyReLU", "config": "relu" | {...}}
            inner = value.get("config")
            value = inner if isinstance(inner, str) else value.get("class_name")
        if value is None or value == "linear":
            return None
        if not isinstance(value, str):
            value = str(getattr(value, "name", "activation"))
        return str(value).rsplit(".", 1)[-1].lower()
