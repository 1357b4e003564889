"""One ONNX operator as `onnx_layers` and `onnx_moves` read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .build import Call, Value


@dataclass
class Node(Call):
    """One ONNX operator: its inputs in order, and the small constants of the graph."""

    inputs: list[Value | None] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    constants: Mapping[str, Any] = field(default_factory=dict)

    def value(self, index: int) -> Value | None:
        """Input number `index`, or None when it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def numbers(self, index: int, attribute: str = "") -> list[Any] | None:
        """A list of numbers given as an attribute or as a constant input; None when absent or not constant."""
        if attribute in self.args:
            found = self.args[attribute]
            return list(found) if isinstance(found, list | tuple) else [found]
        if index < len(self.names) and self.names[index] in self.constants:
            return [x.item() for x in self.constants[self.names[index]].reshape(-1)]
        return None


def attribute(a: Any) -> Any:
    """The value of an ONNX attribute."""
    import onnx

    value = onnx.helper.get_attribute_value(a) if a.type in {1, 2, 3, 6, 7, 8} else None  # numbers and texts
    many = value if isinstance(value, list) else [value]
    texts = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in many]
    return texts if isinstance(value, list) else texts[0]
