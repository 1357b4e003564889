"""Where 16-bit multiplication pays."""

from __future__ import annotations

from typing import Literal

import torch


def in_bfloat16(setting: bool | Literal["auto"], device: torch.device) -> bool:
    """Whether to multiply in bfloat16: as set, or, of 'auto', where the processor has instructions for it.

    Where it has none, bfloat16 is emulated and slower than float32.
    """
    if setting != "auto":
        return setting
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    checks = (getattr(torch.cpu, f"_is_{name}_supported", None) for name in ("avx512_bf16", "amx_tile"))
    return device.type == "cpu" and any(check is not None and check() for check in checks)
