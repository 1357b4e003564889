"""Training of representations without labels: a cut of a recording in, what comes next told from what does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from voxfield.errors import RecipeError
from voxfield.protocols import Array
from voxfield.train.data.banks import AudioBank
from voxfield.train.data.mixing import SILENT, active_level
from voxfield.train.losses.contrastive import (
    accuracy,
    binary_loss,
    choice_loss,
    contrastive_scores,
    draw_negatives,
    draw_others,
)
from voxfield.train.tasks.contract import Scores, TrainingTask, batch_of_one

LOSSES = {"binary": binary_loss, "choice": choice_loss}


@dataclass(frozen=True)
class CutConfig:
    """What is cut out of recordings."""

    duration_s: float = 3.0  # shorter recordings are left out
    level_dbfs: tuple[float, float] = (-45.0, -10.0)  # active level, lowered where it would clip


@dataclass(frozen=True)
class ContrastiveLoss:
    """Of the paper, but for the kind."""

    kind: Literal["binary", "choice"] = "binary"  # yes or no to each frame, as in the paper; or one choice among them
    negatives: int = 10  # frames of the same recording
    others: int = 0  # frames of another recording of the batch, if it holds one: they ask for knowledge of the voice


class CutMixer:
    """Cuts of recordings. `mix(epoch, index) -> (cut (N,),)`, float32; every second of the recordings is as likely.

    Raises:
        RecipeError: no recording is as long as a cut.
    """

    def __init__(self, config: CutConfig, speech: AudioBank, seed: int = 0) -> None:
        self.config, self.speech, self.seed = config, speech, seed
        self.samples = round(config.duration_s * speech.sample_rate_hz)
        spare = np.array([speech.samples(at) for at in range(len(speech))]) - self.samples + 1  # places of a cut
        self.clips = np.flatnonzero(spare > 0)
        if not len(self.clips):
            raise RecipeError(
                f"none of {len(speech)} recordings is {config.duration_s:g} s long; give longer ones, or lower "
                "mix.duration_s"
            )
        self.ends = np.cumsum(spare[self.clips])

    def mix(self, epoch: int, index: int) -> tuple[Array, ...]:
        rng = np.random.default_rng((self.seed, epoch, index))
        place = int(rng.integers(self.ends[-1]))
        at = int(np.searchsorted(self.ends, place, side="right"))
        audio = self.speech.clip(int(self.clips[at]), place - int(self.ends[at - 1] if at else 0), self.samples)
        level = 10 ** (rng.uniform(*self.config.level_dbfs) / 20) / max(active_level(audio), SILENT)
        level = min(level, 0.99 / max(float(np.abs(audio).max()), SILENT))
        return (np.float32(level) * audio,)


class RepresentTask(TrainingTask):
    """Cuts of recordings of any kind, without labels; scored on cuts of speakers that training does not see."""

    mix_config = CutConfig
    loss_config = ContrastiveLoss
    model_keys = ("prediction_steps",)

    def make_mixer(self, mix: CutConfig, seed: int, split: str) -> CutMixer:
        model = self.recipe.model
        least_s = (model.encoder_field_samples + model.offset_frames * model.hop_samples) / model.sample_rate_hz
        if mix.duration_s < least_s:
            raise RecipeError(
                f"[mix] duration_s = {mix.duration_s:g}: at least {least_s:g} s are needed, as the first frame that is "
                f"guessed is {model.offset_frames} frames later"
            )
        return CutMixer(mix, self.banks(split).speech, seed)

    def validation_mix(self) -> CutConfig:
        return CutConfig(self.recipe.mix.duration_s)

    def losses(self, net: nn.Module, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        scores = self._scores(net, batch[0])
        return {"loss": LOSSES[self.recipe.loss.kind](scores), "accuracy": accuracy(scores)}

    @torch.no_grad()
    def score(self, net: nn.Module, mixture: Sequence[Array]) -> Scores:
        """Loss and accuracy, against negatives that are always the same."""
        scores = self._scores(net, batch_of_one(net, mixture[0]), seed=0)
        return {
            "binary_loss": float(binary_loss(scores)),
            "choice_loss": float(choice_loss(scores)),
            "accuracy": float(accuracy(scores)),
        }

    def how_scored(self) -> str:
        count = self.recipe.loss.negatives
        return (
            f"choice_loss among {1 + count} frames, by chance {np.log(1 + count):.3f}, and accuracy, by chance "
            f"{1 / (1 + count):.3f}; score: the accuracy"
        )

    def choose_by(self, scores: Mapping[str, float]) -> float:
        return scores["accuracy"]

    def _scores(self, net: Any, samples: Tensor, seed: int | None = None) -> Tensor:
        """(M, 1 + K); see `contrastive_scores`."""
        loss = self.recipe.loss
        with self.precision(samples.device):
            z, c, _ = net.layers(samples[:, None])
            negatives = draw_negatives(len(z), z.shape[-1], loss.negatives, z.device, seed)
            more = loss.others if seed is None and len(z) > 1 else 0  # what is scored is the choice within a recording
            others = draw_others(len(z), z.shape[-1], more, z.device) if more else None
            return contrastive_scores(net.predict(c), z, negatives, self.recipe.model.offset_frames, others)
