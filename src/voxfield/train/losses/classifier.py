"""The classes of a speaker network in training: a projection with named rows, so that other speakers can follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from voxfield.train.head import Head


class Classifier(Head):
    """A projection of `voxfield.nn.margins` over named classes.

    Args:
        projection: called as `projection(embedding, labels, margin)`; its tensors have a row, or several, a class.
        classes: their names.
    """

    def __init__(self, projection: nn.Module, classes: Sequence[str]) -> None:
        super().__init__()
        self.projection, self.classes = projection, tuple(classes)

    def forward(self, x: Tensor, labels: Tensor, margin: float) -> Tensor:
        """Logits (B, classes) of embeddings (B, D)."""
        logits: Tensor = self.projection(x, labels, margin)
        return logits

    def about(self) -> dict[str, Any]:
        return {"classes": list(self.classes)}

    @torch.no_grad()
    def start_from(self, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> str:
        """Take the rows of the classes that the checkpoint knows; the others keep what they began with."""
        before = {name: row for row, name in enumerate(about.get("classes", ()))}
        known = [(row, before[name]) for row, name in enumerate(self.classes) if name in before]
        own = self.state_dict()
        if not known or own.keys() != tensors.keys():
            return f"the classifier starts anew for {len(self.classes)} classes; the network goes on"
        to, source = (torch.tensor(rows) for rows in zip(*known, strict=True))
        for name, tensor in own.items():
            given = tensors[name].to(tensor.device)
            if given.shape == tensor.shape and len(before) == len(self.classes) == len(known) and to.equal(source):
                tensor.copy_(given)
            elif given.ndim and tensor.shape[1:] == given.shape[1:]:
                ours, theirs = _by_class(tensor, len(self.classes)), _by_class(given, len(before))
                if ours is not None and theirs is not None and ours.shape[1] == theirs.shape[1]:
                    ours[to] = theirs[source]
                elif tensor.shape == given.shape:
                    tensor.copy_(given)
        return (
            f"{len(known)} of {len(self.classes)} classes go on, {len(self.classes) - len(known)} start anew, "
            f"{len(before) - len(known)} of the checkpoint are left out"
        )


def _by_class(tensor: Tensor, classes: int) -> Tensor | None:
    """(classes, rows of each, ...) as a view, or None where the rows are not the classes'."""
    return None if not tensor.ndim or len(tensor) % classes else tensor.view(classes, -1, *tensor.shape[1:])
