"""One layer applied to tensors: what it is given, checked, under one set of names for Keras and torch.

Whatever the values are, they were written by someone else: every getter either gives the type it promises or raises an
ExplainError that names the layer and the setting as it is called there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import ExplainError
from ..graph import Shape
from ..phrases import table
from ..shapes import shape_text
from .build import spread
from .layers import LayerGraph, Origin, brief, is_whole

IN_TORCH: dict[str, str] = table("layers")["in_torch"]  # what torch calls a setting of Keras
UNITS = {"Linear": "out_features"}


@dataclass(frozen=True)
class LayerCall:
    """A layer of a class, its settings as they were given, and the tensors it is applied to."""

    net: LayerGraph
    kind: str
    values: Mapping[str, Any]
    xs: Sequence[str]
    origin: Origin
    torch: bool = False

    @property
    def x(self) -> str:
        """The first input."""
        return self.xs[0]

    @property
    def shape(self) -> Shape:
        """The shape of the first input."""
        return self.net.shape(self.x)

    @property
    def rank(self) -> int:
        """The number of dims of the first input."""
        return len(self.shape)

    def fail(self, text: str) -> ExplainError:
        """What is raised when the layer cannot be, by its name."""
        return self.origin.fail(text)

    # settings, by their Keras names

    def called(self, key: str) -> str:
        """What a setting is called where the layer comes from."""
        if not self.torch:
            return key
        return UNITS.get(self.kind, "hidden_size") if key == "units" else IN_TORCH.get(key, key)

    def get(self, key: str, default: Any = None) -> Any:
        """A setting as it was given."""
        return self.values.get(self.called(key), default)

    def error(self, key: str, needed: str) -> ExplainError:
        """What is raised when the value of `key` is not `needed`."""
        name = self.called(key)
        shown = f"{name}={brief(self.values[name])}" if name in self.values else f"no {name}"
        return self.fail(f"{shown}; needed is {needed}.")

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number."""
        value = self.get(key, default)
        if not is_whole(value):
            raise self.error(key, "a whole number")
        return int(value)

    def flag(self, key: str, default: bool) -> bool:
        """True or False."""
        value = self.get(key, default)
        if not isinstance(value, bool | int):
            raise self.error(key, "True or False")
        return bool(value)

    def word(self, key: str, default: str, *allowed: str) -> str:
        """One of the allowed words."""
        value = self.get(key)
        value = default if value is None else value
        if not isinstance(value, str) or value.lower() not in allowed:
            raise self.error(key, "one of " + ", ".join(allowed))
        return value.lower()

    def sizes(self, key: str, rank: int, default: int | Sequence[int] | None = None) -> tuple[int, ...]:
        """One whole number per axis; a single one stands for all axes."""
        value = self.get(key)
        value = default if value is None else value
        listed = spread(value, rank)
        if len(listed) != rank or not all(map(is_whole, listed)):
            raise self.error(key, f"a whole number, or {rank} of them")
        return tuple(int(v) for v in listed)

    def pairs(self, key: str, rank: int) -> tuple[tuple[int, int], ...]:
        """(before, after) per axis from Keras's forms: n, (a, b) for one axis, (n, m), ((a, b), (c, d))."""
        value = self.get(key, 1)
        listed = list(value) if isinstance(value, list | tuple) else [value] * rank
        if rank == 1 and len(listed) == 2 and not isinstance(listed[0], list | tuple):
            listed = [value]
        found = []
        for one in listed:
            ends = list(one) if isinstance(one, list | tuple) else [one, one]
            if len(ends) != 2 or any(not is_whole(v) or v < 0 for v in ends):
                raise self.error(key, "whole numbers from 0, or a pair of them per axis")
            found.append((ends[0], ends[1]))
        if len(found) != rank:
            raise self.error(key, f"one entry per axis ({rank})")
        return tuple(found)

    def dims(self, key: str) -> tuple[int, ...]:
        """One dim of the input or several, the last where none is given, counted from the front and in order."""
        value = self.get(key, -1)
        listed = list(value) if isinstance(value, list | tuple) else [value]
        if not listed or any(not is_whole(dim) or not -self.rank <= dim < self.rank for dim in listed):
            raise self.error(key, "a dim of its input")
        return tuple(sorted(dim % self.rank for dim in listed))

    def activation(self) -> str | None:
        """The activation's name, None for none."""
        value = self.get("activation")
        if isinstance(value, Mapping):  # {"class_name": "function" | "LeakyReLU", "config": "relu" | {...}}
            inner = value.get("config")
            value = inner if isinstance(inner, str) else value.get("class_name")
        if value is None or value == "linear":
            return None
        value = value if isinstance(value, str) else getattr(value, "name", "activation")
        return str(value).rsplit(".", 1)[-1].lower()

    # the input

    def places(self) -> tuple[tuple[int, ...], int]:
        """(dims that it moves along, dim of the channels); its name, such as Conv2D, says how many."""
        named = re.search(r"([123])[dD]", self.kind)
        rank = int(named[1]) if named else self.rank - 2
        if self.rank != rank + 2:
            raise self.fail(
                f"it takes {rank + 2} dims, batch and channels included; given is {shape_text(self.shape)}."
            )
        usual = "channels_first" if self.torch else "channels_last"
        if self.word("data_format", usual, "channels_last", "channels_first") == "channels_last":
            return tuple(range(1, rank + 1)), rank + 1
        return tuple(range(2, rank + 2)), 1

    def expect(self, key: str, dim: int, x: str | None = None) -> int:
        """A setting of torch that says how many channels come in, with the first input or with `x`."""
        shape = self.net.shape(x or self.x)
        wanted, have = self.whole(key), shape[dim]
        if have is not None and have != wanted:
            raise self.fail(f"it takes {wanted} channels, but its input {shape_text(shape)} has {have}.")
        return wanted

    def asked(self) -> Shape | None:
        """The input that a layer of torch by itself asks for, sizes along time and space open; None for others."""
        if self.kind.startswith("Conv"):
            return (1, self.whole("in_channels"), *(None,) * int(self.kind[-2]))
        if self.kind == "Embedding" or self.kind.endswith("Spectrogram"):
            return (1, None)
        if self.kind == "Linear" or self.kind.endswith("Cell"):
            return (1, self.whole("in_features" if self.kind == "Linear" else "input_size"))
        if self.kind in {"LSTM", "GRU", "RNN", "MultiheadAttention"}:
            features = self.whole("embed_dim" if self.kind.startswith("Multi") else "input_size")
            return (1, None, features) if self.flag("batch_first", False) else (None, 1, features)
        return None

    # the graph

    def add(self, kind: str, part: str = "", x: str | None = None, **fields: Any) -> str:
        """One operator on the first input, or on `x`."""
        return self.net.add(kind, [x or self.x], self.origin.part(part) if part else self.origin, **fields)

    def slices(self, x: str, dim: int, size: int, *parts: str) -> list[str]:
        """Stretches of one size along a dim, one after the other."""
        ends = [(i * size, (i + 1) * size) for i in range(len(parts))]
        rows = zip(parts, ends, strict=True)
        return [self.add("slice", part, x, dims=(dim,), start=(a,), stop=(b,), step=(1,)) for part, (a, b) in rows]

    def elementwise(self, function: str, **fields: Any) -> str:
        """A function of each value by itself, or of several inputs value by value."""
        return self.net.elementwise(self.xs, self.origin, function, **fields)

    def activated(self, x: str, channel: int) -> str:
        """`x` through the activation that the layer carries, if any."""
        function = self.activation()
        if function is None:
            return x
        part = self.origin.part(function, function)
        if function == "softmax":
            return self.net.add("softmax", [x], part, dims=(channel,))
        return self.net.elementwise([x], part, function)
