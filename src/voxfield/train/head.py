"""What is trained beside a network and stays out of the exported file, such as the classes of a speaker network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


class Head(nn.Module):
    """Nothing: what tasks have whose losses learn no weights of their own."""

    def about(self) -> dict[str, Any]:
        """What a checkpoint's description says of it."""
        return {}

    def start_from(self, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> str:
        """Take what fits of a checkpoint's head; returns a line for the log, or nothing."""
        return ""
