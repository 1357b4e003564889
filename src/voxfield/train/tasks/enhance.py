"""Training of enhancement: noisy spectrum in, clean speech out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from voxfield.errors import RecipeError
from voxfield.metrics.enhancement import measurable, scores
from voxfield.nn.stft import Stft
from voxfield.protocols import Array
from voxfield.tasks import enhance
from voxfield.train.data.mixing import MixConfig, Mixer
from voxfield.train.data.split import open_banks
from voxfield.train.losses.enhancement import (
    LoudnessDifference,
    Unintelligibility,
    compressed_spectrum_loss,
    si_sdr_db,
    snr_db,
)
from voxfield.train.recipe import DataConfig, Recipe
from voxfield.train.tasks.contract import Scores, TrainingTask

WEIGHTS = {"pesq": 1.0, "estoi": 3.0, "si_sdr_db": 0.05}  # of the measures in the score to choose by
LEAST_S = 0.4  # of a mixture: intelligibility is that of 0.384 s
WIDE_BAND_HZ = 16000  # the rate at which PESQ and ESTOI are defined here


@dataclass(frozen=True)
class EnhanceLoss:
    """Weights of the parts; with these each part moves the sum by about as much as the others."""

    spectrum: float = 10.0
    si_sdr: float = 0.15  # per dB
    plain_snr: float = 0.4  # share of plain SNR in it, which keeps the level: SI-SDR does not see it
    loudness: float = 0.5
    intelligibility: float = 2.0


class EnhanceTask(TrainingTask):
    """Mixtures on the fly; losses on the resynthesised signal, so that overlapping frames must agree."""

    mix_config = MixConfig
    loss_config = EnhanceLoss
    model_keys = ("window_samples", "hop_samples")

    def __init__(self, recipe: Recipe) -> None:
        model = recipe.model
        super().__init__(recipe)
        if (sources := getattr(model, "sources", 1)) != 1:
            raise RecipeError(f"an enhancer has 1 source, not {sources}; task = 'separate' trains one for each voice")
        if recipe.mix.duration_s < LEAST_S:
            raise RecipeError(f"[mix] duration_s = {recipe.mix.duration_s:g}: at least {LEAST_S:g} s are needed")
        self.stft = Stft(model.window_samples, model.hop_samples)
        self.loudness = LoudnessDifference(model.sample_rate_hz, model.window_samples)
        self.unintelligibility = Unintelligibility(model.sample_rate_hz, model.window_samples, model.hop_samples)
        self.measures = [
            name for name in WEIGHTS if name in measurable() and (name == "si_sdr_db" or self._is_wide_band())
        ]

    def make_mixer(self, mix: MixConfig, seed: int, split: str) -> Mixer:
        return make_mixer(self.recipe.data, mix, self.recipe.model.sample_rate_hz, seed, split)

    def validation_mix(self) -> MixConfig:
        return VALIDATION

    def losses(self, net: nn.Module, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        noisy, clean = batch
        spoken = (clean.abs().amax(1) > 0).float()
        scale = 1 / (torch.where(spoken > 0, clean.std(1), noisy.std(1)) + 1e-6)[:, None]
        noisy, clean = noisy * scale, clean * scale
        spectrum = self.run(lambda x: net(x)[0], self.stft(noisy))
        enhanced = self.stft.inverse(spectrum, noisy.shape[1])
        found, wanted = self.stft(enhanced), self.stft(clean)
        powers = found.square().sum(1), wanted.square().sum(1)
        weights, of_speech = self.recipe.loss, spoken / spoken.sum().clamp(min=1)
        parts = {
            "spectrum": compressed_spectrum_loss(found, wanted).mean(),
            "si_sdr": (-self.ratio_db(enhanced, clean) * of_speech).sum(),
            "loudness": (self.loudness(*powers) * of_speech).sum(),
            "intelligibility": (self.unintelligibility(*powers) * of_speech).sum(),
        }
        loss = torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
        return {"loss": loss, **parts}

    def ratio_db(self, enhanced: Tensor, clean: Tensor) -> Tensor:
        """(B,) SI-SDR with a share of plain SNR."""
        plain: float = self.recipe.loss.plain_snr
        return (1 - plain) * si_sdr_db(enhanced, clean) + plain * snr_db(enhanced, clean)

    def score(self, net: nn.Module, mixture: Sequence[Array]) -> Scores:
        """PESQ-WB, ESTOI and SI-SDR, those whose packages are there."""
        noisy, clean = mixture
        enhanced = enhance(noisy, self.recipe.model.sample_rate_hz, model=self.engine(net)).samples[0]
        return scores(enhanced, clean, self.measures)

    def how_scored(self) -> str:
        formula = " + ".join(f"{WEIGHTS[name]:g} {name}" for name in self.measures)
        missing = [name for name in WEIGHTS if name not in self.measures]
        if not missing:
            return f"score = {formula}"
        why = "pip install 'voxfield[metrics,pesq]'" if self._is_wide_band() else f"it needs {WIDE_BAND_HZ} Hz"
        return f"score = {formula}, without {' and '.join(missing)}: {why}"

    def choose_by(self, scores: Mapping[str, float]) -> float:
        return sum(WEIGHTS[name] * value for name, value in scores.items() if name in WEIGHTS)

    def _is_wide_band(self) -> bool:
        return bool(self.recipe.model.sample_rate_hz == WIDE_BAND_HZ)


VALIDATION = MixConfig(  # recorded noise as it is; half of the items behind a roll-off, as after any resampler
    duration_s=4.0, snr_db=(-5.0, 20.0), noise_only=0, silence=0, clean=0, clipping=0, band_limit=0, roll_off=0.5,
    level_step=0, speech_speed=0, noise_speed=0, noise_reversed=0, noise_envelope=0, events=0, made_noise=0,
)  # fmt: skip


def make_mixer(data: DataConfig, mix: MixConfig, sample_rate_hz: int, seed: int, split: str) -> Mixer:
    """The mixer of a recipe's data for one split; rooms are shared by the splits."""
    banks = open_banks(data, sample_rate_hz, split)
    return Mixer(mix, banks.speech, banks.needed_noise(), banks.rooms, sample_rate_hz, seed)
