"""Weights of one layer of Keras as torch holds them.

Keras is channels last: kernels are (height, width, in, out), of a transposed convolution (height, width, out, in), of a
depthwise one (height, width, in, multiplier). An LSTM's gates are i, f, c, o as in torch, with one bias; a GRU's are
z, r, h where torch has r, z, h.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

Variables = Mapping[str, Tensor]  # of one layer, by their names in Keras


def convolution(layer: Variables) -> dict[str, Tensor]:
    """(..., in, out) -> (out, in, ...); of a transposed convolution, (..., out, in) -> (in, out, ...)."""
    kernel = layer["kernel"]
    return _with_bias(layer, kernel.permute(kernel.ndim - 1, kernel.ndim - 2, *range(kernel.ndim - 2)))


def depthwise(layer: Variables) -> dict[str, Tensor]:
    """(..., in, multiplier) -> (in x multiplier, 1, ...)."""
    kernel = layer["kernel" if "kernel" in layer else "depthwise_kernel"]  # Keras 3, Keras 2
    places = range(kernel.ndim - 2)
    return _with_bias(layer, kernel.permute(kernel.ndim - 2, kernel.ndim - 1, *places).flatten(0, 1)[:, None])


def dense(layer: Variables) -> dict[str, Tensor]:
    """(in, out), or a 1 x 1 convolution (1, 1, in, out) -> (out, in)."""
    return _with_bias(layer, layer["kernel"].flatten(0, -2).T)


def norm(layer: Variables) -> dict[str, Tensor]:
    """Of a batch norm with its statistics, or a layer norm without."""
    names = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
    counted = {"num_batches_tracked": torch.tensor(0)} if "moving_mean" in layer else {}
    return {ours: layer[theirs] for theirs, ours in names.items() if theirs in layer} | counted


def lstm(layer: Variables) -> dict[str, Tensor]:
    """The weights of layer 0; torch's second bias is zero."""
    bias = layer["bias"]
    return _recurrent(layer["kernel"].T, layer["recurrent_kernel"].T, bias, torch.zeros_like(bias))


def gru(layer: Variables) -> dict[str, Tensor]:
    """The weights of layer 0, of a GRU that resets after the product (Keras's default), whose bias is (2, 3 units)."""

    def turned(gates: Tensor) -> Tensor:
        update, reset, candidate = gates.chunk(3)
        return torch.cat([reset, update, candidate])

    into, again = layer["bias"]
    return _recurrent(*map(turned, (layer["kernel"].T, layer["recurrent_kernel"].T, into, again)))


def _recurrent(*weights: Tensor) -> dict[str, Tensor]:
    return dict(zip(("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"), weights, strict=True))


def _with_bias(layer: Variables, weight: Tensor) -> dict[str, Tensor]:
    return {"weight": weight} | ({"bias": layer["bias"]} if "bias" in layer else {})


Layout = Callable[[Variables], dict[str, Tensor]]
