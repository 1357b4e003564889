"""Training of enhancement: noisy spectrum in, clean speech out."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from voxfield.nn.stft import Stft
from voxfield.train.losses import LoudnessDifference, Unintelligibility, compressed_spectrum_loss, si_sdr_db, snr_db
from voxfield.train.mixing import MixConfig, Mixer
from voxfield.train.recipe import DataConfig, Recipe
from voxfield.train.rooms import simulate_rooms
from voxfield.train.sources import AudioBank, read_source
from voxfield.train.task import TrainingTask


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

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe)
        model = recipe.model
        self.stft = Stft(model.window_samples)
        self.loudness = LoudnessDifference(model.sample_rate_hz, model.window_samples)
        self.unintelligibility = Unintelligibility(model.sample_rate_hz, model.window_samples, model.hop_samples)
        self.mixer = make_mixer(
            recipe.data, recipe.mix, model.sample_rate_hz, recipe.train.seed, recipe.data.train_split
        )

    def to(self, device: torch.device) -> None:
        for module in (self.stft, self.loudness, self.unintelligibility):
            module.to(device)

    def item(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.mixer.mix(epoch, index)

    def losses(self, net: nn.Module, batch: list[Tensor]) -> dict[str, Tensor]:
        noisy, clean = batch
        spoken = (clean.abs().amax(1) > 0).float()
        scale = 1 / (torch.where(spoken > 0, clean.std(1), noisy.std(1)) + 1e-6)[:, None]
        noisy, clean = noisy * scale, clean * scale
        enhanced = self.stft.inverse(self.run(net, self.stft(noisy)), noisy.shape[1])
        heard, wanted = self.stft(enhanced), self.stft(clean)
        powers = heard.square().sum(1), wanted.square().sum(1)
        weights, of_speech = self.recipe.loss, spoken / spoken.sum().clamp(min=1)
        parts = {
            "spectrum": compressed_spectrum_loss(heard, wanted).mean(),
            "si_sdr": (-self.ratio_db(enhanced, clean) * of_speech).sum(),
            "loudness": (self.loudness(*powers) * of_speech).sum(),
            "intelligibility": (self.unintelligibility(*powers) * of_speech).sum(),
        }
        return {"loss": sum(getattr(weights, name) * value for name, value in parts.items()), **parts}

    def ratio_db(self, enhanced: Tensor, clean: Tensor) -> Tensor:
        """(B,) SI-SDR with a share of plain SNR."""
        plain = self.recipe.loss.plain_snr
        return (1 - plain) * si_sdr_db(enhanced, clean) + plain * snr_db(enhanced, clean)

    @torch.no_grad()
    def validate(self, net: nn.Module) -> dict[str, float]:
        """PESQ-WB, ESTOI and SI-SDR (dB) over fixed mixtures of the validation split."""
        from pesq import PesqError, pesq
        from pystoi import stoi

        recipe = self.recipe
        mix = VALIDATION
        mixer = make_mixer(recipe.data, mix, recipe.model.sample_rate_hz, 1000, recipe.data.valid_split)
        device = next(net.parameters()).device
        scores = []
        for index in range(recipe.train.validate_items):
            noisy, clean = mixer.mix(0, index)
            enhanced = self.stft.inverse(net(self.stft(torch.from_numpy(noisy)[None].to(device)))[0], len(noisy))[
                0
            ].cpu()
            quality = pesq(16000, clean, enhanced.numpy(), "wb", on_error=PesqError.RETURN_VALUES)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pystoi warns of too little speech and returns 1e-5
                understood = stoi(clean, enhanced.numpy(), 16000, extended=True)
            if quality > 0 and understood > 1e-4:
                scores.append((quality, understood, float(si_sdr_db(enhanced, torch.from_numpy(clean), 100))))
        quality, understood, ratio = np.mean(scores, axis=0)
        return {"pesq": quality, "estoi": understood, "si_sdr": ratio, "score": quality + 3 * understood + 0.05 * ratio}


VALIDATION = MixConfig(  # recorded noise as it is; half of the items behind a roll-off, as after any resampler
    duration_s=4.0, snr_db=(-5.0, 20.0), noise_only=0, silence=0, clean=0, clipping=0, band_limit=0, roll_off=0.5,
    level_step=0, speech_speed=0, noise_speed=0, noise_reversed=0, noise_envelope=0, events=0, made_noise=0,
)  # fmt: skip


def make_mixer(data: DataConfig, mix: MixConfig, sample_rate_hz: int, seed: int, split: str) -> Mixer:
    """The mixer of a recipe's data for one split; rooms are shared by the splits."""
    speech = [clip for source in data.speech for clip in read_source(source, "speech", split)]
    kept = [clip for clip in speech if clip.dynamic_db is None or clip.dynamic_db >= data.min_dynamic_db]
    noise = [clip for source in data.noise for clip in read_source(source, "noise", split)]
    rooms = [clip for source in data.rooms for clip in read_source(source, "rir")]
    if data.simulated_rooms:
        made = simulate_rooms(Path(data.cache) / f"rooms-{data.simulated_rooms}", data.simulated_rooms, sample_rate_hz)
        rooms += read_source(made, "rir")
    banks = [AudioBank(clips, sample_rate_hz, data.cache) if clips else None for clips in (kept, noise, rooms)]
    return Mixer(mix, banks[0], banks[1], banks[2], sample_rate_hz, seed)
