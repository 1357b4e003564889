"""Training of separation: a mixture in, one signal for each voice out, whatever their order."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from voxfield.train.enhance import make_mixer as noisy_mixer
from voxfield.train.mixing import MixConfig
from voxfield.train.pit import best_order, pairwise_db, pit_db, quiet_db
from voxfield.train.ready_mixtures import ReadyMixtures
from voxfield.train.recipe import DataConfig, Recipe
from voxfield.train.task import TrainingTask
from voxfield.train.voices import VoiceMixer, VoicesConfig


@dataclass(frozen=True)
class SeparateLoss:
    """Negative dB under the best order of the voices, softly bounded; of a silent voice, how quiet its estimate is."""

    si_sdr: float = 0.7
    snr: float = 0.3  # the part that fixes the scale, so that the voices add up to the mixture
    ceiling_db: float = 30.0


class SeparateTask(TrainingTask):
    """Dynamic mixing and permutation-invariant training."""

    mix_config = VoicesConfig
    loss_config = SeparateLoss

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        mix = replace(recipe.mix, sources=recipe.model.sources)
        self.mixer = make_mixer(
            recipe.data, mix, recipe.model.sample_rate_hz, recipe.train.seed, recipe.data.train_split
        )

    def to(self, device: torch.device) -> None:
        """The losses hold nothing."""

    def item(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.mixer.mix(epoch, index)

    def losses(self, net: nn.Module, batch: list[Tensor]) -> dict[str, Tensor]:
        mixture, voices = batch
        scale = 1 / (mixture.std(-1, keepdim=True) + 1e-6)
        mixture, voices = mixture * scale, voices * scale
        estimates = net.separate(mixture)
        weights = self.recipe.loss
        si_sdr = pairwise_db(estimates, voices, "si_sdr", weights.ceiling_db)
        snr = pairwise_db(estimates, voices, "snr", weights.ceiling_db)
        spoken = voices.square().sum(-1) > 0
        quiet = quiet_db(estimates, mixture, weights.ceiling_db)
        scores = torch.where(spoken[:, None], weights.si_sdr * si_sdr + weights.snr * snr, quiet[..., None])
        order = best_order(scores)
        loss = -scores.gather(1, order[:, None]).mean()
        count = spoken.sum().clamp(min=1)
        parts = {
            name: (table.gather(1, order[:, None])[:, 0] * spoken).sum() / count
            for name, table in (("si_sdr", si_sdr), ("snr", snr))
        }
        return {"loss": loss, **parts}

    @torch.no_grad()
    def validate(self, net: nn.Module) -> dict[str, float]:
        """Mean SI-SDR improvement (dB) over fixed clean mixtures of the validation split, and the worst tenth of it."""
        recipe = self.recipe
        mix = VoicesConfig(
            recipe.model.sources, duration_s=4.0, noise=0, room=0, speed=(1.0, 1.0), folder=recipe.mix.folder
        )
        mixer = make_mixer(recipe.data, mix, recipe.model.sample_rate_hz, 1000, recipe.data.valid_split)
        device = next(net.parameters()).device
        gains = []
        for index in range(recipe.train.validate_items):
            mixture, voices = (torch.from_numpy(array)[None].to(device) for array in mixer.mix(0, index))
            after, _ = pit_db(net.separate(mixture), voices)
            before = pairwise_db(mixture.expand_as(voices), voices)[:, 0]
            gains.append(float((after - before).mean()))
        return {
            "si_sdr_gain": float(np.mean(gains)),
            "worst_tenth": float(np.percentile(gains, 10)),
            "score": np.mean(gains),
        }


def make_mixer(
    data: DataConfig, mix: VoicesConfig, sample_rate_hz: int, seed: int, split: str
) -> VoiceMixer | ReadyMixtures:
    """The mixer of a recipe's data for one split; rooms are shared by the splits."""
    if mix.folder:
        return ReadyMixtures(
            data.speech, split, mix.folder, mix.sources, sample_rate_hz, mix.duration_s, data.cache, seed
        )
    banks = noisy_mixer(data, MixConfig(), sample_rate_hz, seed, split)
    return VoiceMixer(mix, banks.speech, banks.noise, banks.rooms, sample_rate_hz, seed)
