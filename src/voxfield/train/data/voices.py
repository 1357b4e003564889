"""Mixtures of several speakers made on the fly.

As with noisy speech, item i of epoch e is always the same mixture: every choice comes from one generator seeded by
(seed, epoch, index).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.signal import oaconvolve

from voxfield.errors import InputError
from voxfield.train.data.banks import AudioBank
from voxfield.train.data.mixing import SILENT, MixConfig, Mixer, active_level


@dataclass(frozen=True)
class VoicesConfig:
    """What mixtures of voices look like; probabilities are per item."""

    sources: int = 2
    duration_s: float = 3.0
    apart_db: tuple[float, float] = (0.0, 5.0)  # level of the loudest voice over each other one, active frames
    level_dbfs: tuple[float, float] = (-40.0, -15.0)  # active level of the mixture, lowered where it would clip
    pause_s: tuple[float, float] = (0.1, 0.8)  # between the utterances of a speaker, where one does not fill the item
    noise: float = 0.25  # noise behind the voices, which is no voice's
    snr_db: tuple[float, float] = (5.0, 25.0)  # voices over noise
    room: float = 0.25  # one room for all voices, another place in it for each where the bank has one; targets keep it
    speed: tuple[float, float] = (0.9, 1.1)  # of each voice: another pitch makes another speaker
    alone: float = 0.0  # one voice speaks, the others are silent throughout
    partial: float = 0.0  # one voice is silent for a part of the item
    equaliser: float = 0.0  # random gain curve on each voice
    folder: str = ""  # take ready mixtures from folders of this name instead; see `ReadyMixtures`


class VoiceMixer:
    """Mixtures of speakers. `mix(epoch, index) -> (mixture (1, N), voices (S, N))`, float32.

    Args:
        speech: bank whose groups are speakers; the voices of a mixture are of different speakers.
        noise, rooms: banks, or None to do without.
    """

    def __init__(
        self,
        config: VoicesConfig,
        speech: AudioBank,
        noise: AudioBank | None = None,
        rooms: AudioBank | None = None,
        sample_rate_hz: int = 16000,
        seed: int = 0,
    ) -> None:
        if len(speech.groups) < config.sources:
            raise InputError(
                f"the speech is of {len(speech.groups)} speaker(s), by its folders or manifests; mixtures of "
                f"{config.sources} voices need {config.sources} or more"
            )
        self.config, self.noise, self.rooms, self.seed = config, noise, rooms, seed
        self.samples = round(config.duration_s * sample_rate_hz)
        longer_s = config.duration_s * max(config.speed)
        longer = MixConfig(longer_s, pause_s=config.pause_s, equaliser=config.equaliser, band_limit=0)
        self.talk = Mixer(longer, speech, noise, None, sample_rate_hz, seed)

    def mix(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.seed, epoch, index))
        config = self.config
        speakers = rng.choice(len(self.talk.speech.groups), config.sources, replace=False)
        voices = np.stack([self.voice(rng, int(speaker)) for speaker in speakers])
        if self.rooms is not None and rng.random() < config.room:
            voices = self.reverberate(rng, voices)
        if rng.random() < config.alone:
            voices[1:] = 0
        elif rng.random() < config.partial:
            edge = int(rng.uniform(0.25, 0.75) * self.samples)
            voices[0, slice(0, edge) if rng.random() < 0.5 else slice(edge, None)] = 0
        gains_db = -rng.uniform(*config.apart_db, config.sources)
        gains_db[int(rng.integers(config.sources))] = 0
        levels = np.array([max(active_level(voice), SILENT) for voice in voices])
        voices *= (10 ** (gains_db / 20) / levels)[:, None]
        mixture = voices.sum(0)
        if self.noise is not None and rng.random() < config.noise:
            noise = self.talk.noise_clip(rng)[: self.samples]
            snr_db = rng.uniform(*config.snr_db)
            mixture = mixture + noise * (
                active_level(mixture) / max(active_level(noise), SILENT) * 10 ** (-snr_db / 20)
            )
        level = 10 ** (rng.uniform(*config.level_dbfs) / 20) / max(active_level(mixture), SILENT)
        level = min(level, 0.99 / max(np.abs(mixture).max(), np.abs(voices).max(), SILENT))
        return (mixture * level)[None].astype(np.float32), (voices * level).astype(np.float32)

    def voice(self, rng: Generator, speaker: int) -> np.ndarray:
        """(N,) speech of one speaker, faster or slower and so higher or lower."""
        audio = self.talk.talk(rng, speaker)
        places = np.arange(self.samples) * rng.uniform(*self.config.speed)
        audio = np.interp(places, np.arange(len(audio)), audio)
        return self.talk.shape(rng, audio, room=False) if self.config.equaliser else audio

    def reverberate(self, rng: Generator, voices: np.ndarray) -> np.ndarray:
        """The voices in one room: responses of the same set, aligned on the direct sound."""
        assert self.rooms is not None
        group = self.rooms.groups[int(rng.integers(len(self.rooms.groups)))]
        responses = [self.rooms.clip(group[int(i)]) for i in rng.integers(len(group), size=len(voices))]
        onsets = [max(0, int(np.abs(response).argmax()) - 16) for response in responses]
        return np.stack(
            [
                oaconvolve(voice, response[onset:])[: self.samples]
                for voice, response, onset in zip(voices, responses, onsets, strict=True)
            ]
        )
