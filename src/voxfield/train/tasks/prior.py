"""Training of priors: codes of noise by a tokenizer in, how likely each one was given those before it out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from voxfield.errors import RecipeError
from voxfield.features.log_mel import LogMel
from voxfield.protocols import Array, Engine
from voxfield.tasks.tokens.code_maps import split
from voxfield.tasks.work import engine_for
from voxfield.train.tasks.contract import Scores, TrainingTask, batch_of_one
from voxfield.train.tasks.tokens import TokensMix, TokensMixer, check_duration


@dataclass(frozen=True)
class PriorMix:
    """Pieces of noise that are tokenised; probabilities are per item."""

    tokenizer: str = "noise-vqvae"
    duration_s: float = 4.08  # 256 frames
    second_noise: float = 0.1
    noise_speed: float = 0.3
    noise_reversed: float = 0.0
    equaliser: float = 0.3
    roll_off: float = 0.2
    made_noise: float = 0.02


@dataclass(frozen=True)
class PriorLoss:
    """Nothing to choose: the mean of -log2 p over all codes."""


class PriorMixer:
    """`mix(epoch, index)` -> tokens (C, T) of one piece: the codes of one level, under those of the level above."""

    def __init__(self, sounds: TokensMixer, tokenizer: Engine, columns: int, hinted: bool) -> None:
        self.sounds, self.tokenizer, self.columns, self.hinted = sounds, tokenizer, columns, hinted

    def mix(self, epoch: int, index: int) -> tuple[Any]:
        (features,) = self.sounds.mix(epoch, index)
        codes: Any = self.tokenizer.step(features[None], ())[0][0]
        top, bottom = split(codes, self.columns // 2 if self.hinted else self.columns)
        return (np.concatenate([top.repeat(2, axis=1), bottom]) if self.hinted else top,)


class PriorTask(TrainingTask):
    """Pieces of noise on the fly, tokenised by a published network; bits for each code."""

    mix_config = PriorMix
    loss_config = PriorLoss
    model_keys = ("hint_blocks",)

    def make_mixer(self, mix: PriorMix, seed: int, split: str) -> PriorMixer:
        model, tokenizer = self.recipe.model, engine_for(mix.tokenizer, "tokenize")
        face, hinted = tokenizer.card.interface, model.hint_columns > 0
        rows = int(face.output.shape[0])
        if face.input.kind != "features" or face.codes != model.codes or model.whole:
            raise RecipeError(
                f"a prior for {tokenizer.card.name} needs [model] codes = {face.codes}, hint_rows = 1, and recordings"
            )
        levels = (rows // 5, 2 * rows // 5)  # columns of the top map, and of the bottom map with twice as many rows
        hop_samples = face.multiple_of * face.hop_samples // (2 if hinted else 1)
        if (model.columns, model.hop_samples) != (levels[hinted], hop_samples):
            raise RecipeError(
                f"the {'bottom' if hinted else 'top'} map of {tokenizer.card.name} needs [model] columns = "
                f"{levels[hinted]} and hop_samples = {hop_samples}"
            )
        check_duration(mix.duration_s, face.sample_rate_hz, face.hop_samples, face.multiple_of)
        shared = {name.name: getattr(mix, name.name) for name in fields(mix) if name.name != "tokenizer"}
        pieces = TokensMix(speech=0, both=0, **shared)
        features = LogMel.of(face.sample_rate_hz, int(face.input.shape[0]), face.window_samples, face.hop_samples)
        sounds = TokensMixer(pieces, self.banks(split), features, seed)
        return PriorMixer(sounds, tokenizer, model.columns, hinted)

    def validation_mix(self) -> PriorMix:
        mix: PriorMix = self.recipe.mix
        return replace(mix, second_noise=0, noise_speed=0, noise_reversed=0, equaliser=0, roll_off=0, made_noise=0)

    def losses(self, net: nn.Module, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        logits = self.run(lambda tokens: net(tokens)[0], batch[0])
        return {"loss": bits_per_code(logits, batch[0][:, -self.recipe.model.columns :])}

    @torch.no_grad()
    def score(self, net: nn.Module, mixture: Sequence[Array]) -> Scores:
        """Bits for each code."""
        tokens = batch_of_one(net, mixture[0])
        return {"bits_per_code": float(bits_per_code(net(tokens)[0], tokens[:, -self.recipe.model.columns :]))}

    def how_scored(self) -> str:
        return f"score = -bits_per_code; equally likely codes take {math.log2(self.recipe.model.codes):g}"

    def choose_by(self, scores: Mapping[str, float]) -> float:
        return -scores["bits_per_code"]


def bits_per_code(logits: Tensor, codes: Tensor) -> Tensor:
    """Mean of -log2 p of codes (B, F, T) by logits (B, K, F, T)."""
    return F.cross_entropy(logits, codes) / math.log(2)
