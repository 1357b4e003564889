"""Training of tokens: log-mel spectrograms of noise, and of some speech, in and out of a VQ-VAE-2."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor, nn
from torch.nn import functional as F

from voxfield.errors import RecipeError
from voxfield.features.framing import whole
from voxfield.features.log_mel import UNIT_DB, LogMel
from voxfield.nn.quantise import use
from voxfield.protocols import Array
from voxfield.train.data.mixing import SILENT, MixConfig, Mixer, active_level, roll_off
from voxfield.train.data.split import Banks
from voxfield.train.recipe import Recipe
from voxfield.train.tasks.contract import Scores, TrainingTask, batch_of_one

LEVELS = ("top", "bottom", "third", "fourth")


@dataclass(frozen=True)
class TokensMix:
    """What is tokenised; probabilities are per item."""

    duration_s: float = 2.032  # 128 frames
    speech: float = 0.15  # speech instead of noise
    both: float = 0.15  # speech over noise, at -5 to 15 dB
    second_noise: float = 0.2
    noise_speed: float = 0.3
    noise_reversed: float = 0.1
    equaliser: float = 0.3
    roll_off: float = 0.3
    made_noise: float = 0.05


@dataclass(frozen=True)
class TokensLoss:
    """Weights of the parts."""

    rebuilt: float = 1.0  # mean square of the difference, in units of 15 dB
    codebooks: float = 1.0


class TokensMixer:
    """`mix(epoch, index)` -> features (bands, T) of one piece, as a network takes them.

    Raises:
        RecipeError: there is no noise.
    """

    def __init__(self, config: TokensMix, banks: Banks, features: LogMel, seed: int) -> None:
        sounds = MixConfig(
            duration_s=config.duration_s, noise_speed=config.noise_speed, noise_reversed=config.noise_reversed,
            equaliser=config.equaliser, band_limit=0, noise_envelope=0, events=0, made_noise=config.made_noise,
        )  # fmt: skip
        self.sounds = Mixer(sounds, banks.speech, banks.needed_noise(), None, features.sample_rate_hz, seed)
        self.config, self.features = config, features

    def mix(self, epoch: int, index: int) -> tuple[Array]:
        rng = np.random.default_rng((self.sounds.seed, epoch, index))
        kind, config = rng.random(), self.config
        speech, noise = kind < config.speech + config.both, kind >= config.speech
        audio = np.zeros(self.sounds.samples, np.float32)
        if noise:
            audio = self.sounds.shape(rng, self.sounds.noise_at_large(rng), room=False)
            if rng.random() < config.second_noise:
                audio = audio + _at_level(self.sounds.noise_at_large(rng), audio, -rng.uniform(0, 15))
        if speech:
            talk = self.sounds.talk(rng, int(rng.integers(len(self.sounds.speech.groups))))
            audio = talk + _at_level(audio, talk, -rng.uniform(-5, 15)) if noise else talk
        if rng.random() < config.roll_off:
            audio = roll_off(rng, audio, self.sounds.sample_rate_hz)
        return (self.features.finished(whole(audio.astype(np.float32), self.features)),)


class TokensTask(TrainingTask):
    """Pieces on the fly; the difference of spectrograms, and what the codebooks add."""

    mix_config = TokensMix
    loss_config = TokensLoss

    def __init__(self, recipe: Recipe) -> None:
        model = recipe.model
        if not (hasattr(model, "codes") and model.bands):
            raise RecipeError(
                "the task 'tokens' needs a network that codes log-mel bands, such as vqvae2 with [model] bands = 64"
            )
        check_duration(recipe.mix.duration_s, model.sample_rate_hz, model.hop_samples, model.stride)
        super().__init__(recipe)

    def make_mixer(self, mix: TokensMix, seed: int, split: str) -> TokensMixer:
        model = self.recipe.model
        features = LogMel.of(model.sample_rate_hz, model.bands, model.window_samples, model.hop_samples)
        return TokensMixer(mix, self.banks(split), features, seed)

    def validation_mix(self) -> TokensMix:
        return replace(
            VALIDATION, duration_s=self.recipe.mix.duration_s, speech=self.recipe.mix.speech, both=self.recipe.mix.both
        )

    def losses(self, net: nn.Module, batch: Sequence[Tensor]) -> dict[str, Tensor]:
        return rebuilding(self, net, batch, lambda rebuilt: {"error_db": rebuilt.sqrt() * UNIT_DB})

    def score(self, net: nn.Module, mixture: Sequence[Array]) -> Scores:
        """Root-mean-square error of the rebuilt bands in dB."""
        x = batch_of_one(net, mixture[0])
        return {"error_db": float((net(x) - x).square().mean().sqrt()) * UNIT_DB}

    def how_scored(self) -> str:
        return "score = -error_db, of the rebuilt log-mel bands"

    def choose_by(self, scores: Mapping[str, float]) -> float:
        return -scores["error_db"]


VALIDATION = TokensMix(second_noise=0, noise_speed=0, noise_reversed=0, equaliser=0, roll_off=0, made_noise=0)


def check_duration(duration_s: float, sample_rate_hz: int, hop_samples: int, multiple_of: int) -> None:
    """Return when pieces of this duration make a number of frames that the network takes.

    Raises:
        RecipeError: they do not; a duration near it is named.
    """
    frames = 1 + round(duration_s * sample_rate_hz) // hop_samples
    if frames % multiple_of:
        near_s = (max(frames // multiple_of, 1) * multiple_of - 1) * hop_samples / sample_rate_hz
        raise RecipeError(
            f"[mix] duration_s = {duration_s:g} makes {frames} frames; a multiple of {multiple_of} is needed, such as "
            f"that of {near_s:g} s"
        )


def rebuilding(
    task: TrainingTask, net: nn.Module, batch: Sequence[Tensor], measured: Callable[[Tensor], dict[str, Tensor]]
) -> dict[str, Tensor]:
    """The losses of a network that rebuilds what it is given, what is `measured` of the mean square, and `code_use`."""
    (x,) = batch
    with task.precision(x.device):
        y, codebooks, codes = net.rebuild(x)  # type: ignore[operator]
    rebuilt, weights = F.mse_loss(y.float(), x), task.recipe.loss
    parts = {"rebuilt": rebuilt, "codebooks": codebooks, **measured(rebuilt)}
    loss = weights.rebuilt * rebuilt + weights.codebooks * codebooks
    return {"loss": loss, **parts, **code_use(codes, task.recipe.model.codes)}


def code_use(codes: Sequence[Tensor], count: int) -> dict[str, Tensor]:
    """Share of each codebook that a batch uses, and its perplexity; scalars by name, the top level first."""
    found: dict[str, Tensor] = {}
    for name, of_level in zip(LEVELS, codes, strict=False):
        used, perplexity = use(of_level, count)
        found |= {f"used_{name}": used.float(), f"perplexity_{name}": perplexity.float()}
    return found


def _at_level(audio: Array, reference: Array, level_db: float) -> Array:
    """The sound with a level relative to another's; as it is where one is silent."""
    levels = active_level(audio), active_level(reference)
    return audio if min(levels) < SILENT else audio * np.float32(levels[1] / levels[0] * 10 ** (level_db / 20))
