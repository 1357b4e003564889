"""A checkpoint of Keras by its layers: what their shapes and settings say, and their weights under our names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from voxfield.errors import CheckpointError
from voxfield.export.convert.checkpoint import KERAS_LAYERS, Checkpoint
from voxfield.export.convert.keras_layouts import Layout

Row = tuple[str, str, Layout]  # their layer, our module, how its weights are turned


class KerasLayers:
    """Layers in the order of the model.

    Attributes:
        variables: of each layer, by its name.
        settings: of each layer, by its name; empty where the file has none.
    """

    def __init__(self, content: Checkpoint) -> None:
        self.path = content.path
        self.variables: dict[str, dict[str, Tensor]] = {}
        for name, tensor in content.tensors.items():
            layer, *_, variable = name.split("/")
            self.variables.setdefault(layer, {})[variable.partition(":")[0]] = tensor
        found = content.settings.get(KERAS_LAYERS)
        self.settings: Mapping[str, Mapping[str, Any]] = found if isinstance(found, Mapping) else {}

    def kernel(self, layer: str, axes: int = 4) -> tuple[int, ...]:
        """Shape of a layer's kernel.

        Raises:
            CheckpointError: it is not there, or has another number of axes.
        """
        kernel = self.variables.get(layer, {}).get("kernel")
        if kernel is None or kernel.ndim != axes or not kernel.numel():
            raise CheckpointError(f"{self.path} lacks {layer}/kernel with {axes} axes, which decides the network")
        return tuple(kernel.shape)

    def with_kernel(self, axes: int) -> list[str]:
        """Layers with a kernel of so many axes that are not recurrent."""
        return [
            name
            for name, layer in self.variables.items()
            if "kernel" in layer and layer["kernel"].ndim == axes and "recurrent_kernel" not in layer
        ]

    def having(self, variable: str) -> list[str]:
        """Layers with this variable."""
        return [name for name, layer in self.variables.items() if variable in layer]

    def input_size(self, axis: int) -> int | None:
        """Size of an axis of the input, the batch being axis 0; None where the file does not say."""
        for settings in self.settings.values():
            shape = settings.get("batch_shape") or settings.get("batch_input_shape")
            if isinstance(shape, list) and axis < len(shape) and isinstance(shape[axis], int):
                return int(shape[axis])
        return None

    def need(self, setting: str, wanted: Any, why: str, kinds: Sequence[str] = ()) -> None:
        """Refuse a file whose settings say that a layer of these classes has another value.

        Raises:
            CheckpointError: it has; the layer is named.
        """
        for name, settings in self.settings.items():
            if settings.get("class_name") in kinds and settings.get(setting, wanted) != wanted:
                raise CheckpointError(
                    f"the layer {name} of {self.path} has {setting} = {settings[setting]!r}, not {wanted!r}: {why}"
                )

    def weights(self, rows: Sequence[Row]) -> dict[str, Tensor]:
        """Ours, of every layer of the file.

        Raises:
            CheckpointError: a layer or a variable is missing, or a layer is left over.
        """
        missing = [theirs for theirs, *_ in rows if theirs not in self.variables]
        extra = sorted(self.variables.keys() - {theirs for theirs, *_ in rows})
        for problem, names in (("lacks the layer", missing), ("holds a layer that the network does not have:", extra)):
            if names:
                raise CheckpointError(f"{self.path} {problem} {names[0]}; was it cut, or is it another network?")
        weights: dict[str, Tensor] = {}
        for theirs, ours, layout in rows:
            try:
                weights |= {f"{ours}.{name}": tensor for name, tensor in layout(self.variables[theirs]).items()}
            except KeyError as error:
                raise CheckpointError(f"the layer {theirs} of {self.path} has no {error}") from error
        return weights
