"""Recurrent layers as parts of streaming networks: torch's own, in 32 bits under autocast, which would cast their
weights anew at every time step."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from voxfield.nn.streaming import State, Streaming, autocasting, map_state, zeros


class _Recurrent(Streaming, nn.RNNBase):
    """What GRU and LSTM share. Input (T, B, C), or (B, T, C) with `batch_first=True`; output of H channels."""

    recur: Any  # torch's own forward

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.time_axis, self.batch_axis = (1, 0) if self.batch_first else (0, 1)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        if not autocasting(x):
            return self.recur(x, state)  # type: ignore[no-any-return]
        with torch.autocast(x.device.type, enabled=False):
            return self.recur(x.float(), map_state(Tensor.float, state))  # type: ignore[no-any-return]


class Gru(_Recurrent, nn.GRU):  # type: ignore[misc]  # called as every streaming layer
    """GRU; state (layers, B, H)."""

    recur = nn.GRU.forward

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return zeros(self.num_layers, batch, self.hidden_size, like=like)


class Lstm(_Recurrent, nn.LSTM):  # type: ignore[misc]
    """LSTM; state: hidden vector and cell, (layers, B, H) each."""

    recur = nn.LSTM.forward

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return tuple(zeros(self.num_layers, batch, self.hidden_size, like=like) for _ in range(2))
