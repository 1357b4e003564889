"""Batch norms over the whole batch, where several processes hold a share each: as one process would see it."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def share_statistics(net: nn.Module, count: int) -> None:
    """Make the batch norms of a network use the moments of all shares; each share is as large as the others.

    torch's own SyncBatchNorm does the same on GPUs alone.
    """
    for module in net.modules():
        if isinstance(module, _BatchNorm):
            setattr(module, "forward", partial(_shared, module, count))  # noqa: B010  # a method of one object


def _shared(norm: _BatchNorm, count: int, x: Tensor) -> Tensor:
    """What the norm makes of this process's share x (B, C, ...)."""
    if not norm.training:
        return type(norm).forward(norm, x)
    axes = [axis for axis in range(x.dim()) if axis != 1]
    shape = [1, -1, *(1 for _ in axes[1:])]
    values = x.float()
    mean = _mean(values.mean(axes), count)
    centred = values - mean.view(shape)
    variance = _mean(centred.square().mean(axes), count)
    if norm.track_running_stats:
        _remember(norm, mean.detach(), variance.detach(), count * x.numel() // x.shape[1])
    y = centred * torch.rsqrt(variance + norm.eps).view(shape)
    if norm.affine:
        y = y * norm.weight.view(shape) + norm.bias.view(shape)
    return y.to(x.dtype)


def _mean(values: Tensor, count: int) -> Tensor:
    """Mean over the processes, through which gradients flow back to all of them."""
    total: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
    return total / count


class _Sum(torch.autograd.Function):
    """Sum over the processes; each one's gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _Sum.forward(ctx, gradients[0])


@torch.no_grad()
def _remember(norm: _BatchNorm, mean: Tensor, variance: Tensor, values: int) -> None:
    """Move the running statistics as torch does, with the unbiased variance."""
    assert norm.num_batches_tracked is not None and norm.running_mean is not None and norm.running_var is not None
    norm.num_batches_tracked.add_(1)
    share = norm.momentum if norm.momentum is not None else 1.0 / float(norm.num_batches_tracked)
    norm.running_mean.lerp_(mean, share)
    norm.running_var.lerp_(variance * (values / max(values - 1, 1)), share)
