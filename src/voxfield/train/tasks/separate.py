"""Training of separation: a mixture in, one signal for each voice out, whatever their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from voxfield.errors import RecipeError
from voxfield.metrics.separation import separation_scores
from voxfield.nn.stft import Stft
from voxfield.protocols import Array
from voxfield.tasks import separate
from voxfield.train.data.ready_mixtures import ReadyMixtures
from voxfield.train.data.split import open_banks
from voxfield.train.data.voices import VoiceMixer, VoicesConfig
from voxfield.train.losses.pit import best_order, inner_products, quiet_db
from voxfield.train.recipe import DataConfig, Recipe
from voxfield.train.tasks.contract import Scores, TrainingTask


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
    model_keys = ("sources",)

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        if recipe.model.sources < 2:
            raise RecipeError(f"[model] sources = {recipe.model.sources}: two voices or more are separated")
        window = getattr(recipe.model, "window_samples", 0)
        self.stft = Stft(window, recipe.model.hop_samples) if window else None

    def make_mixer(self, mix: VoicesConfig, seed: int, split: str) -> VoiceMixer | ReadyMixtures:
        model = self.recipe.model
        return make_mixer(self.recipe.data, replace(mix, sources=model.sources), model.sample_rate_hz, seed, split)

    def validation_mix(self) -> VoicesConfig:
        return VoicesConfig(duration_s=4.0, noise=0, room=0, speed=(1.0, 1.0), folder=self.recipe.mix.folder)

    def losses(self, net: nn.Module, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        mixture, voices = batch
        scale = 1 / (mixture.std(-1, keepdim=True) + 1e-6)
        mixture, voices = mixture * scale, voices * scale
        estimates = self.separated(net, mixture)
        weights = self.recipe.loss
        products = inner_products(estimates, voices)
        si_sdr, snr = (products.db(kind, weights.ceiling_db) for kind in ("si_sdr", "snr"))
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

    def separated(self, net: nn.Module, mixture: Tensor) -> Tensor:
        """Voices (B, S, N) of mixtures (B, 1, N), by a network on samples or on spectra."""
        if self.stft is None:
            return self.run(cast(Callable[[Tensor], Tensor], net.separate), mixture)
        spectra = self.run(lambda x: net(x)[0], self.stft(mixture[:, 0]))  # (B, 2 S, F, T)
        batch, channels, *rest = spectra.shape
        voices = self.stft.inverse(spectra.reshape(batch * channels // 2, 2, *rest), mixture.shape[-1])
        return voices.reshape(batch, channels // 2, -1)

    def score(self, net: nn.Module, mixture: Sequence[Array]) -> Scores:
        """SI-SDR and its gain over the mixture, under the best order."""
        mixed, voices = mixture
        model = self.recipe.model
        engine = self.engine(net)
        estimates = separate(mixed, model.sample_rate_hz, model=engine, speakers=model.sources).voices[:, 0]
        return separation_scores(estimates, voices, mixed[0], with_sdr=False)

    def how_scored(self) -> str:
        return "si_sdr_gain_db over mixtures without noise; score: the gain"

    def choose_by(self, scores: Mapping[str, float]) -> float:
        return scores["si_sdr_gain_db"]


def make_mixer(
    data: DataConfig, mix: VoicesConfig, sample_rate_hz: int, seed: int, split: str
) -> VoiceMixer | ReadyMixtures:
    """The mixer of a recipe's data for one split; rooms are shared by the splits."""
    if mix.folder:
        return ReadyMixtures(
            data.speech, split, mix.folder, mix.sources, sample_rate_hz, mix.duration_s, data.cache, seed
        )
    banks = open_banks(data, sample_rate_hz, split)
    return VoiceMixer(mix, banks.speech, banks.noise, banks.rooms, sample_rate_hz, seed)
