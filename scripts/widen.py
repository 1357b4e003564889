"""Begin a larger band CRN where a smaller one stands (Net2Net: Chen, Goodfellow & Shlens, ICLR 2016).

    python scripts/widen.py checkpoints/crn-small.level.safetensors recipes/enhance/crn-large.toml -o wide.safetensors
    voxfield train recipes/enhance/crn-large.toml --init wide.safetensors ...

What the network computes stays almost the same. Each further unit is a copy of one that is there, and what leaves the
two is shared between them unevenly, so that they part in training; bands are interpolated; further layers begin by
adding next to nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from voxfield.models.crn_band import BandCrn
from voxfield.train import checkpoint, recipe

NOISE = 0.05  # of the standard deviation of the weights


class Axis:
    """One axis of units, grown from `before` to `after`."""

    def __init__(self, before: int, after: int) -> None:
        more = torch.randperm(before)[: after - before]
        if len(more) < after - before:
            raise SystemExit(f"from {before} units to {after}: at most twice as many at once")
        self.source = torch.cat([torch.arange(before), more])
        self.shares = torch.ones(after)
        for copy, source in enumerate(more.tolist(), start=before):
            self.shares[copy] = self.shares[source] * (0.5 + 0.5 * torch.randn(()))
            self.shares[source] -= self.shares[copy]

    def rows(self, weight: Tensor, axis: int = 0, groups: int = 1) -> Tensor:
        """`weight` with an output for each unit."""
        return torch.cat([part.index_select(axis, self.source) for part in weight.chunk(groups, axis)], axis)

    def columns(self, weight: Tensor, axis: int = 1, groups: int = 1) -> Tensor:
        """`weight` with an input for each unit; biases and norms have none and stay."""
        if weight.dim() < 2:
            return weight
        shares = self.shares.view([-1 if i == axis else 1 for i in range(weight.dim())])
        return self.rows(weight, axis, groups) * torch.cat([shares] * groups, axis)


def widen(small: dict[str, Tensor], net: BandCrn) -> dict[str, Tensor]:
    """The weights of `net` that compute about what the weights `small` of a smaller one do."""
    config = net.config
    C = Axis(len(small["from_hidden.bias"]), config.channels)
    H = Axis(len(small["to_hidden.bias"]), config.hidden)
    wide = Axis(len(small["blocks.0.widen.bias"]), 2 * config.hidden)
    before = torch.arange(len(small["place"]))
    at = torch.linspace(0, len(before) - 1, config.bands)
    up = (1 - (at[:, None] - before).abs()).clamp(min=0)  # (bands, bands before): linear interpolation
    down = torch.linalg.pinv(up)

    def grown(name: str, weight: Tensor) -> Tensor:
        match name.split("."):
            case ["to_bands"]:
                return up @ weight
            case ["from_bands"]:
                return weight @ down
            case ["place"]:
                return H.rows(up @ weight, 1)
            case [*_, "mix"]:
                return up @ weight @ down
            case [*_, "gru", _]:
                return H.columns(H.rows(weight, groups=3))
            case ["blocks", _, "norm_time" | "norm_bands", _]:
                return H.rows(weight)
            case [*_, "widen", _]:
                return H.columns(wide.rows(weight))
            case [*_, "narrow", _]:
                return wide.columns(H.rows(weight))
            case ["to_hidden", _]:
                return C.columns(H.rows(weight))
            case ["from_hidden", _]:
                return H.columns(C.rows(weight))
            case ["mask", _]:
                return C.columns(weight, axis=0)
            case ["encoder", "0", _]:
                return C.rows(weight)
            case ["join", "0", _]:
                return C.columns(C.rows(weight), groups=2)
            case _:  # convolutions and their norms
                return C.columns(C.rows(weight)) if weight.dim() else weight

    state = {name: value.clone() for name, value in net.state_dict().items()}
    for name in [name for name in state if name in small]:
        new = grown(name, small[name])
        state[name] = new + NOISE * new.std() * torch.randn_like(new) if new.dim() > 1 else new
    for i in range(config.blocks):
        if f"blocks.{i}.mix" not in small:
            for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                state[f"blocks.{i}.gru.{part}_l0"][2 * config.hidden :] = 0  # no new values: the GRU stays at zero
            state[f"blocks.{i}.narrow.weight"].zero_()
            state[f"blocks.{i}.narrow.bias"].zero_()
    for i in range(config.depth):
        for part in ("encoder_blocks", "decoder_blocks"):
            if f"{part}.{i}.1.weight" not in small:
                state[f"{part}.{i}.1.weight"].fill_(0.1)
    return state


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path, help="of the smaller network")
    parser.add_argument("recipe", type=Path, help="of the larger one")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    torch.manual_seed(0)
    parts, about = checkpoint.load(options.checkpoint)
    net = BandCrn(recipe.load(options.recipe).model)
    checkpoint.save(options.output, {"ema": widen(parts["net"], net)}, about)


if __name__ == "__main__":
    main()
