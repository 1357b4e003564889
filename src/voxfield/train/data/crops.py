"""Crops of speech with the number of their speaker, changed as recordings are: speed, noise, babble, reverberation.

As with mixtures, item i of epoch e is always the same crop: every choice comes from one generator seeded by
(seed, epoch, index).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voxfield.errors import RecipeError
from voxfield.protocols import Array
from voxfield.train.data.banks import AudioBank
from voxfield.train.data.mixing import SILENT, MixConfig, Mixer, active_level

MOST_SPEAKERS = 40  # of a set for validation


@dataclass(frozen=True)
class CropConfig:
    """What crops look like; probabilities are per item."""

    duration_s: float = 3.0
    shortest_s: float = 2.0  # each batch is cut to a duration between this one and the longest
    speeds: tuple[float, ...] = (1.0, 0.9, 1.1)  # of each speaker, as classes of their own: another voice
    balance: float = 0.5  # speakers are drawn by their seconds of speech to this power; 0 draws all alike
    noise: float = 0.4
    snr_db: tuple[float, float] = (0.0, 20.0)  # speech over noise, each on its active frames
    babble: float = 0.15  # talk of three to six other speakers instead of noise
    babble_snr_db: tuple[float, float] = (8.0, 20.0)
    reverberation: float = 0.3
    equaliser: float = 0.3  # random gain curve on the speech
    band_limit: float = 0.1  # low-pass at 3 to 7.5 kHz on the speech
    masked: float = 0.6  # one stretch of frames and one of bands are set to the mean (SpecAugment)
    masked_frames: int = 10  # at most
    masked_bands: int = 8  # at most

    def __post_init__(self) -> None:
        if not 0 < self.shortest_s <= self.duration_s:
            raise RecipeError(
                f"[mix] shortest_s = {self.shortest_s:g}: above 0, at most {self.duration_s:g} (duration_s), is needed"
            )
        if not self.speeds or self.speeds[0] != 1 or min(self.speeds) < 0.5 or len({*self.speeds}) < len(self.speeds):
            raise RecipeError(
                f"[mix] speeds = {list(self.speeds)}: 1.0 first, then others from 0.5 up, each once, are needed"
            )


class SpeakerCrops:
    """Crops of training. `mix(epoch, index) -> (samples (N,) float32, number of the class () int64)`.

    Args:
        speech: bank whose groups are speakers.
        noise, rooms: banks, or None to do without.

    Raises:
        RecipeError: fewer than two speakers, or a recording of none.
    """

    def __init__(
        self,
        config: CropConfig,
        speech: AudioBank,
        noise: AudioBank | None = None,
        rooms: AudioBank | None = None,
        sample_rate_hz: int = 16000,
        seed: int = 0,
    ) -> None:
        speakers = speaker_names(speech)
        self.config, self.seed, self.sample_rate_hz = config, seed, sample_rate_hz
        self.classes = [class_name(speaker, speed) for speed in config.speeds for speaker in speakers]
        samples = np.array([sum(speech.samples(clip) for clip in group) for group in speech.groups], float)
        weights = np.maximum(samples, 1) ** config.balance
        self.shares = np.cumsum(weights / weights.sum())
        self.samples = round(config.duration_s * sample_rate_hz)
        shaping = MixConfig(config.duration_s, reverberation=config.reverberation, equaliser=config.equaliser,
                            band_limit=config.band_limit)  # fmt: skip
        self.sounds = Mixer(shaping, speech, noise, rooms, sample_rate_hz, seed)

    def mix(self, epoch: int, index: int) -> tuple[Array, Array]:
        rng = np.random.default_rng((self.seed, epoch, index))
        config = self.config
        speaker = min(int(np.searchsorted(self.shares, rng.random(), "right")), len(self.shares) - 1)
        which = int(rng.integers(len(config.speeds)))
        speech = self.sounds.shape(rng, self.sounds.talk_at(rng, speaker, config.speeds[which]), room=True)
        kind = rng.random()
        if kind < config.babble:
            speech = _behind(speech, self.sounds.babble(rng), rng.uniform(*config.babble_snr_db))
        elif kind < config.babble + config.noise and self.sounds.noise is not None:
            speech = _behind(speech, self.sounds.noise_clip(rng), rng.uniform(*config.snr_db))
        return speech.astype(np.float32), np.array(which * len(self.shares) + speaker)


class SpeakerSets:
    """Sets of recordings for validation. `mix(0, index) -> (speakers (U,) int64, U recordings (N,))`.

    A set holds `each` recordings, or all there are, of every speaker who has two or more, of `MOST_SPEAKERS` at most;
    other sets hold others. Where there are not two such speakers, it holds both halves of each recording.
    """

    def __init__(self, speech: AudioBank, longest_s: float, each: int = 8, seed: int = 0) -> None:
        self.speech, self.each, self.seed = speech, each, seed
        self.longest_samples = round(longest_s * speech.sample_rate_hz)
        wholes = [[(clip, 0, speech.samples(clip)) for clip in group] for group in speech.groups]
        self.groups = [group for group in wholes if len(group) > 1]
        if len(self.groups) < 2:
            self.groups = [[half for part in group for half in _halves(*part)] for group in wholes]
        if len(self.groups) < 2:
            raise RecipeError(
                f"validation compares speakers, and only {len(self.groups)} is held out for it; give a manifest with a "
                "'split' column, or recordings of more speakers"
            )

    def mix(self, epoch: int, index: int) -> tuple[Array, ...]:
        rng = np.random.default_rng((self.seed, epoch, index))
        speakers, recordings = [], []
        chosen = self.groups
        if len(chosen) > MOST_SPEAKERS:
            chosen = [chosen[at] for at in rng.choice(len(chosen), MOST_SPEAKERS, replace=False)]
        for speaker, group in enumerate(chosen):
            for part in rng.choice(len(group), min(self.each, len(group)), replace=False):
                clip, start, samples = group[int(part)]
                start += int(rng.integers(max(samples - self.longest_samples, 0) + 1))
                recordings.append(self.speech.clip(clip, start, min(samples, self.longest_samples)))
                speakers.append(speaker)
        return (np.array(speakers), *recordings)


def _halves(clip: int, start: int, samples: int) -> list[tuple[int, int, int]]:
    middle = samples // 2
    return [(clip, start, middle), (clip, start + middle, samples - middle)]


def speaker_names(speech: AudioBank) -> list[str]:
    """Names of the groups of a bank.

    Raises:
        RecipeError: fewer than two, or a recording of no speaker.
    """
    names = [speech.clips[group[0]].group for group in speech.groups]
    if "" in names:
        raise RecipeError(
            f"{speech.clips[speech.groups[names.index('')][0]].path} has no speaker; add a 'speaker' column"
        )
    if len(names) < 2:
        raise RecipeError(f"training to tell speakers apart needs two of them or more; this is of {len(names)}")
    return names


def class_name(speaker: str, speed: float) -> str:
    """Name of a class: the speaker, and the speed where it is not 1.

    >>> class_name("anna", 1.0), class_name("anna", 0.9)
    ('anna', 'anna x0.9')
    """
    return speaker if speed == 1 else f"{speaker} x{speed:g}"


def _behind(speech: Array, noise: Array, snr_db: float) -> Array:
    """Speech with a noise at an SNR, each on its active frames."""
    level = active_level(speech) / max(active_level(noise), SILENT) * 10 ** (-snr_db / 20)
    return speech + noise * np.float32(level)
