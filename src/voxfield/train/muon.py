"""Muon (Jordan 2024): the weights of layers move by orthogonalised momentum, everything else by AdamW.

A step of a weight matrix has all its singular values near one, so directions that the gradient shows rarely are learned
as fast as the common ones. As in Liu et al. 2025 (arXiv:2502.16982) each step is as large as AdamW's usually are, and
learning rate and weight decay stay what they were. `torch.optim.Muon` takes matrices only; here are also the kernels of
convolutions and the gates of recurrent layers, and in the same optimiser all that is no matrix.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

QUINTIC = 3.4445, -4.7750, 2.0315  # of the Newton-Schulz iteration: fast rather than exact
ITERATIONS = 5
SIZE = 0.2  # root mean square of AdamW's steps, in learning rates
LEAST = 8  # rows and columns of a matrix that is worth it
MOMENTUM, BETAS, EPS = 0.95, (0.9, 0.98), 1e-8


class Muon(torch.optim.Optimizer):
    """Optimiser of a network's parameters, in their order.

    `found_inf`, where it is set and not zero, makes a step do nothing, as in torch's fused AdamW.
    """

    found_inf: Tensor | None = None

    def __init__(self, network: nn.Module, learning_rate: float, weight_decay: float) -> None:
        super().__init__(network.parameters(), {"lr": learning_rate, "weight_decay": weight_decay})
        self.matrices = dict(matrices(network))

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move all parameters that have a gradient."""
        if self.found_inf is not None and self.found_inf.item():
            return
        for group in self.param_groups:
            alike: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = {}  # orthogonalised together
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                weight.mul_(1 - group["lr"] * group["weight_decay"])
                if weight in self.matrices:
                    count, rows, columns = self.matrices[weight]
                    found = self.with_momentum(weight).reshape(count, rows, columns)
                    alike.setdefault((rows, columns), []).append((weight, found))
                else:
                    weight.sub_(group["lr"] * self.adam(weight))
            for shape, pairs in alike.items():
                steps = orthogonal(torch.cat([found for _, found in pairs])) * (SIZE * max(shape) ** 0.5)
                for (weight, _), step in zip(pairs, steps.split([len(found) for _, found in pairs]), strict=True):
                    weight.sub_(group["lr"] * step.reshape(weight.shape))

    def with_momentum(self, weight: Tensor) -> Tensor:
        """Nesterov's: where the mean of the gradients will be."""
        state = self.state[weight]
        if not state:
            state["mean"] = torch.zeros_like(weight)
        assert weight.grad is not None
        state["mean"].lerp_(weight.grad, 1 - MOMENTUM)
        return weight.grad.lerp(state["mean"], MOMENTUM)

    def adam(self, weight: Tensor) -> Tensor:
        """The step of a bias, a gain, a depthwise kernel."""
        state = self.state[weight]
        if not state:
            state.update(step=torch.zeros(()), mean=torch.zeros_like(weight), square=torch.zeros_like(weight))
        assert weight.grad is not None
        state["step"] += 1
        state["mean"].lerp_(weight.grad, 1 - BETAS[0])
        state["square"].lerp_(weight.grad.square(), 1 - BETAS[1])
        bias, square_bias = (1 - beta ** state["step"].item() for beta in BETAS)
        return (state["mean"] / bias) / ((state["square"] / square_bias).sqrt() + EPS)  # type: ignore[no-any-return]


def matrices(network: nn.Module) -> Iterator[tuple[Tensor, tuple[int, int, int]]]:
    """The weights of layers as (count, rows, columns): one matrix for each group of a convolution and each gate."""
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            found: dict[Tensor, int] = {layer.weight: 1}
        elif isinstance(layer, nn.modules.conv._ConvNd):
            found = {layer.weight: layer.groups}
        elif isinstance(layer, nn.GRU | nn.LSTM):
            gates = 3 if isinstance(layer, nn.GRU) else 4
            found = {weight: gates for weights in layer.all_weights for weight in weights if weight.ndim == 2}
        else:
            continue
        for weight, count in found.items():
            rows, columns = weight.shape[0] // count, weight[0].numel()
            if min(rows, columns) >= LEAST:
                yield weight, (count, rows, columns)


def orthogonal(x: Tensor) -> Tensor:
    """(N, R, C) with singular values near one (0.7 to 1.2) and the singular vectors of `x`."""
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    a, b, c = QUINTIC
    for _ in range(ITERATIONS):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x.mT if tall else x
