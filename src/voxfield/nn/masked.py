"""Layers of networks that predict a map of codes one by one: each place sees the rows before and the row on its left.

Maps are (B, C, T, F): a row is all F places of one time, so a map streams row by row, and within a row every place
depends on those below its own number alone. The columns are the last axis, and not time, as most blocks are one row:
what lies side by side in memory is then computed together.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from voxfield.errors import InputError
from voxfield.nn.streaming import State, Streaming, zeros

FAR = 1e9  # taken from the scores of what must not be seen


class MaskedConv(Streaming):
    """Convolution over what comes before a place: (B, C, T, F) -> (B, C', T, F).

    It is two: `above` over `kernel` columns of the rows before, and `left` over half as many columns on the left, of
    this row and of some before. State (B, C, rows, F): the rows that the next block still needs.

    Args:
        in_channels, out_channels: C and C'.
        columns: F.
        kernel: an odd number of columns from 3.
        above_rows: rows before; kernel - 1 if 0.
        left_rows: rows of what is on the left, this one among them.
        bias: whether there is one.
    """

    time_axis = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        columns: int,
        kernel: int,
        above_rows: int = 0,
        left_rows: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if kernel < 3 or kernel % 2 == 0:
            raise InputError(f"a masked convolution has a kernel of 3, 5, 7 or more, not {kernel}")
        self.columns, self.side = columns, kernel // 2
        self.above_rows, self.left_rows = above_rows or kernel - 1, left_rows
        self.context = max(self.above_rows, left_rows - 1)
        self.above = nn.Conv2d(in_channels, out_channels, (self.above_rows, kernel), padding=(0, self.side), bias=bias)
        self.left = nn.Conv2d(in_channels, out_channels, (left_rows, self.side), padding=(0, self.side), bias=False)

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        return zeros(batch, self.above.in_channels, self.context, self.columns, like=like)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, State]:
        x = torch.cat([state, x], dim=2)
        above = self.above(x[:, :, self.context - self.above_rows : -1])
        left = self.left(x[:, :, self.context - self.left_rows + 1 :])[..., : self.columns]
        return above + left, x[:, :, -self.context :]


class CausalAttention(Streaming):
    """Attention over the places before, in this row and the `rows - 1` before it: (B, C, T, F) -> (B, channels, T, F).

    Keys and values are made of the input, queries of a second map that is given with it, or else of the input. The
    first place of all gets zeros. State: keys and values (B, channels, rows - 1, F) of the rows before, and
    (B, 1, rows - 1, 1) a 1 for each that was there.

    Raises:
        InputError: the channels do not divide into heads, or the window holds one row.
    """

    time_axis = 2
    before: Tensor  # (F, rows * F): 1 where a place of the present row, the last one, may look

    def __init__(
        self, key_channels: int, query_channels: int, channels: int, columns: int, rows: int, heads: int = 8
    ) -> None:
        super().__init__()
        if channels % heads or rows < 2:
            raise InputError(f"attention of {channels} channels in {heads} heads over {rows} rows cannot be")
        self.columns, self.rows, self.heads, self.size = columns, rows, heads, channels // heads
        self.query = nn.Conv2d(query_channels, channels, 1)
        self.key = nn.Conv2d(key_channels, channels, 1)
        self.value = nn.Conv2d(key_channels, channels, 1)
        present = torch.ones(columns, columns).tril(-1)
        self.register_buffer("before", torch.cat([torch.ones(columns, (rows - 1) * columns), present], 1), False)

    def initial_state(self, batch: int, like: Tensor | None = None) -> State:
        wide, past = self.heads * self.size, self.rows - 1
        return (
            zeros(batch, wide, past, self.columns, like=like),
            zeros(batch, wide, past, self.columns, like=like),
            zeros(batch, 1, past, 1, like=like),
        )

    def step(self, x: Tensor, state: Any, query: Tensor | None = None) -> tuple[Tensor, State]:
        new = (self.key(x), self.value(x), torch.ones_like(x[:, :1, :, :1]))
        keys, values, seen = (torch.cat(pair, dim=2) for pair in zip(state, new, strict=True))
        past = self.rows - 1
        queries = self._heads(self.query(x if query is None else query)[:, :, :, None]).transpose(-1, -2)
        before = torch.cat(rows_before(seen.expand(-1, 1, -1, self.columns), past), dim=3)
        mask = before.transpose(1, 2)[:, :, :, None] * self.before  # (B, T, 1, F, rows * F)
        scores = queries @ self._heads(torch.stack(rows_before(keys, past), dim=3)) / self.size**0.5
        shares = torch.softmax(scores + (mask - 1) * FAR, dim=-1) * mask
        found = shares @ self._heads(torch.stack(rows_before(values, past), dim=3)).transpose(-1, -2)
        y = found.permute(0, 2, 4, 1, 3).flatten(1, 2)
        return y, (keys[:, :, -past:], values[:, :, -past:], seen[:, :, -past:])

    def _heads(self, x: Tensor) -> Tensor:
        """(B, C, T, rows, F) -> (B, T, heads, size, rows * F)."""
        y = x.flatten(3, 4)
        return y.reshape(y.shape[0], self.heads, self.size, y.shape[2], y.shape[3]).permute(0, 3, 1, 2, 4)


def rows_before(x: Tensor, count: int) -> list[Tensor]:
    """Of (B, C, count + T, F), the rows that lie count, ... 1 and 0 before each of the last T: (B, C, T, F) each."""
    return [x[:, :, past : past - count or None] for past in range(count + 1)]
