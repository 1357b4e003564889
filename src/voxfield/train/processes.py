"""Several processes that train one network, as `torchrun` starts them: each takes its share of every batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
import torch.distributed.nn  # before there is a group: the defaults of its functions would keep it, and its threads
from torch import Tensor, nn

from voxfield.errors import RecipeError


@dataclass(frozen=True)
class Processes:
    """This process among its peers; alone, it is the first of one."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes the log and the checkpoints."""
        return self.rank == 0

    def numbers(self, start: int, stop: int, batch: int) -> Iterator[int]:
        """This process's share of the mixtures start ... stop, batch by batch."""
        share = batch // self.count
        for first in range(start + self.rank * share, stop, batch):
            yield from range(first, first + share)

    def average(self, net: nn.Module, stop: bool) -> bool:
        """Make the gradients, and the moving statistics of norms, their mean over the processes.

        Args:
            net: after `backward`.
            stop: whether this process wants to end after this step.

        Returns:
            Whether any process wants to.
        """
        if self.count == 1:
            return stop
        shared: list[Tensor] = [buffer for buffer in net.buffers() if buffer.is_floating_point()]
        for weight in net.parameters():
            if weight.requires_grad:
                weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
                shared.append(weight.grad)
        flat = torch.cat([*(tensor.reshape(-1) for tensor in shared), shared[0].new_tensor([float(stop)])])
        dist.all_reduce(flat)
        flat /= self.count
        for tensor, mean in zip(shared, torch.split(flat[:-1], [tensor.numel() for tensor in shared]), strict=True):
            tensor.copy_(mean.reshape(tensor.shape))
        return bool(flat[-1] > 0)

    def wait(self) -> None:
        """Until all processes have come as far."""
        if self.count > 1:
            dist.barrier()

    def mean(self, values: Tensor) -> Tensor:
        """The mean of a tensor over the processes; all of them must ask for it."""
        if self.count > 1:
            values = values.clone()
            dist.all_reduce(values)
            values /= self.count
        return values


@contextmanager
def joined(batch: int, device: torch.device) -> Iterator[Processes]:
    """The processes that `torchrun` started, or this one alone.

    Raises:
        RecipeError: the batch cannot be shared equally.
    """
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if batch % count:
        raise RecipeError(f"train.batch = {batch} cannot be shared by {count} processes; make it a multiple of {count}")
    if count == 1:
        yield Processes()
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Processes(dist.get_rank(), count)
    finally:
        dist.destroy_process_group()


def chosen_device(setting: str) -> torch.device:
    """The device of the recipe; 'auto' is a GPU where there is one, each process its own."""
    if setting != "auto":
        try:
            return torch.empty(1, device=setting).cpu().to(setting).device  # which `meta` cannot
        except (RuntimeError, AssertionError, NotImplementedError) as error:
            raise RecipeError(
                f"[train] device = '{setting}': torch has no such device here; 'auto', 'cpu' or 'cuda:1' is needed"
            ) from error
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")
