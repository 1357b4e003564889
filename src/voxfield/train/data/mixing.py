"""Noisy speech made on the fly: item i of epoch e is always the same mixture, whoever asks and whenever.

Every choice comes from one random generator seeded by (seed, epoch, index), so a resumed run sees what an uninterrupted
one would have seen, and a validation set is a range of indices.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.random import Generator
from scipy.signal import oaconvolve

from voxfield.train.data.banks import AudioBank
from voxfield.train.data.made_noise import synthesise

FRAME_SAMPLES = 320  # of the active-level measurement: 20 ms at 16 kHz
SILENT = 1e-6


@dataclass(frozen=True)
class MixConfig:
    """What mixtures look like; probabilities are per item."""

    duration_s: float = 3.0
    snr_db: tuple[float, float] = (-9.0, 20.0)  # speech over noise, each on its active frames
    level_dbfs: tuple[float, float] = (-45.0, -5.0)  # active level of the mixture, lowered where it would clip
    pause_s: tuple[float, float] = (0.1, 0.8)  # between the utterances of a speaker
    second_noise: float = 0.3  # another noise, of another label, up to 10 dB weaker
    babble: float = 0.08  # talk of three to six other speakers instead of the first noise
    reverberation: float = 0.3  # the target keeps the room: noise is removed, not reverberation
    equaliser: float = 0.5  # random gain curve, on speech and noise apart
    band_limit: float = 0.1  # low-pass at 3 to 7.5 kHz, on speech and noise apart
    roll_off: float = 0.6  # one low-pass at 6.6 to 8 kHz over both, as resamplers leave it: no sign of noise
    speech_speed: float = 0.3  # speech at 0.88 to 1.14 times its speed and pitch
    noise_speed: float = 0.5  # noise at 0.6 to 1.65 times its speed and pitch
    noise_reversed: float = 0.25
    noise_envelope: float = 0.1  # noise that rises and falls as another one does
    events: float = 0.15  # one short piece of noise again and again, with random gaps and gains
    made_noise: float = 0.12  # synthesised instead of recorded
    clipping: float = 0.05  # of the mixture only
    level_step: float = 0.12  # from some moment on the speech is 10 to 30 dB quieter: another talker, further away
    clean: float = 0.06  # no noise but a trace, 35 to 60 dB down: what must be left alone
    noise_only: float = 0.04  # target is silence
    silence: float = 0.01


class Mixer:
    """Mixtures of speech and noise. `mix(epoch, index) -> (noisy, clean)`, each (N,) float32.

    Args:
        speech: bank whose groups are speakers; drawn by speaker, then by utterance.
        noise: bank whose groups are labels; drawn by label, then by clip. None is enough for `talk` and `shape`.
        rooms: impulse responses, or None.
    """

    def __init__(
        self,
        config: MixConfig,
        speech: AudioBank,
        noise: AudioBank | None,
        rooms: AudioBank | None = None,
        sample_rate_hz: int = 16000,
        seed: int = 0,
    ) -> None:
        self.config, self.speech, self.noise, self.rooms = config, speech, noise, rooms
        self.sample_rate_hz, self.seed = sample_rate_hz, seed
        self.samples = round(config.duration_s * sample_rate_hz)

    def mix(self, epoch: int, index: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng((self.seed, epoch, index))
        config = self.config
        kind = rng.random()
        if kind < config.silence:
            zeros = np.zeros(self.samples, np.float32)
            return zeros, zeros.copy()
        clean = self.shape(rng, self.speech_at_speed(rng, int(rng.integers(len(self.speech.groups)))), room=True)
        noise = self.babble(rng) if rng.random() < config.babble else self.noise_at_large(rng)
        noise = self.shape(rng, noise, room=False)
        if rng.random() < config.second_noise:
            noise = noise + self.noise_at_large(rng) * _gain(-rng.uniform(0, 10), noise)
        snr_db = rng.uniform(*config.snr_db)
        if _chance(rng, config.level_step):
            clean = self.step_down(rng, clean)
            snr_db = rng.uniform(15, 40)
        if kind < config.silence + config.noise_only:
            clean = np.zeros_like(clean)
        elif kind < config.silence + config.noise_only + config.clean:
            snr_db = rng.uniform(35, 60)
        speech_level, noise_level = active_level(clean), active_level(noise)
        if speech_level > SILENT and noise_level > SILENT:
            noise = noise * (speech_level / noise_level * 10 ** (-snr_db / 20))
        if _chance(rng, config.roll_off):
            clean, noise = roll_off(rng, np.stack([clean, noise]), self.sample_rate_hz)
        noisy = clean + noise
        level = 10 ** (rng.uniform(*config.level_dbfs) / 20) / max(active_level(noisy), SILENT)
        level = min(level, 0.99 / max(np.abs(noisy).max(), SILENT))
        noisy, clean = noisy * level, clean * level
        if rng.random() < config.clipping:
            limit = np.abs(noisy).max() * rng.uniform(0.3, 0.9)
            noisy = np.clip(noisy, -limit, limit)
        return noisy.astype(np.float32), clean.astype(np.float32)

    def talk(self, rng: Generator, speaker: int, samples: int = 0) -> np.ndarray:
        """(samples,) speech of one speaker: utterances with pauses between them, cut at a random place; 0 samples: the
        length of an item."""
        samples = samples or self.samples
        clips = self.speech.groups[speaker]
        first = clips[int(rng.integers(len(clips)))]
        if (spare := self.speech.samples(first) - samples) >= 0:
            return self.speech.clip(first, int(rng.integers(spare + 1)), samples)
        audio = self.speech.clip(first)
        while len(audio) < samples:
            pause = np.zeros(int(rng.uniform(*self.config.pause_s) * self.sample_rate_hz), np.float32)
            audio = np.concatenate([audio, pause, self.speech.clip(clips[int(rng.integers(len(clips)))])])
        start = int(rng.integers(len(audio) - samples + 1))
        return audio[start : start + samples]

    def speech_at_speed(self, rng: Generator, speaker: int) -> np.ndarray:
        """(N,) speech of one speaker, sometimes faster or slower and so higher or lower."""
        if not _chance(rng, self.config.speech_speed):
            return self.talk(rng, speaker)
        return self.talk_at(rng, speaker, float(np.exp(rng.uniform(-0.13, 0.13))))

    def talk_at(self, rng: Generator, speaker: int, speed: float) -> np.ndarray:
        """(N,) speech of one speaker at `speed` times its speed."""
        if speed == 1:
            return self.talk(rng, speaker)
        return self.at_speed(self.talk(rng, speaker, math.ceil(self.samples * speed) + 16), speed)

    def noise_at_large(self, rng: Generator) -> np.ndarray:
        """(N,) noise in more kinds than were recorded: made, or recorded and changed."""
        config = self.config
        if _chance(rng, config.made_noise):
            return synthesise(rng, self.samples, self.sample_rate_hz)
        if _chance(rng, config.noise_speed):
            speed = float(np.exp(rng.uniform(-0.5, 0.5)))
            audio = self.at_speed(self.noise_clip(rng, math.ceil(self.samples * speed) + 16), speed)
        else:
            audio = self.noise_clip(rng)
        if _chance(rng, config.noise_reversed):
            audio = audio[::-1]
        if _chance(rng, config.events):
            audio = self.as_events(rng, audio)
        if _chance(rng, config.noise_envelope):
            audio = audio * envelope(self.noise_clip(rng)) / (envelope(audio) + SILENT)
        return np.ascontiguousarray(audio, np.float32)

    def step_down(self, rng: Generator, clean: np.ndarray) -> np.ndarray:
        """(N,) the speech up to a random moment, then another speaker, quieter."""
        other = self.talk(rng, int(rng.integers(len(self.speech.groups))))
        gain = active_level(clean) / max(active_level(other), SILENT) * 10 ** (-rng.uniform(10, 30) / 20)
        at = int(rng.uniform(0.25, 0.7) * self.samples)
        return np.concatenate([clean[:at], other[at:] * np.float32(gain)])

    def at_speed(self, audio: np.ndarray, speed: float) -> np.ndarray:
        """(N,) the start of the sound at `speed` times its speed."""
        resampled = soxr.resample(audio, self.sample_rate_hz * speed, self.sample_rate_hz, "LQ")[: self.samples]
        return np.pad(resampled, (0, self.samples - len(resampled)))

    def as_events(self, rng: Generator, audio: np.ndarray) -> np.ndarray:
        """(N,) the loudest moment of a noise, 0.05 to 0.6 s, repeated with gaps of up to a second."""
        length = int(rng.uniform(0.05, 0.6) * self.sample_rate_hz)
        start = max(0, int(np.abs(audio).argmax()) - int(length * rng.uniform(0.05, 0.4)))
        event = audio[start : start + length] * np.minimum(1, np.linspace(0, 20, len(audio[start : start + length])))
        event = event * np.minimum(1, np.linspace(4, 0, len(event)))
        again, at = np.zeros(self.samples, np.float32), int(rng.uniform(0, 0.5) * self.sample_rate_hz)
        while at < self.samples:
            part = event[: self.samples - at]
            again[at : at + len(part)] += part * 10 ** (rng.uniform(-12, 0) / 20)
            at += len(event) + int(rng.uniform(0.02, 1.0) * self.sample_rate_hz)
        return again

    def noise_clip(self, rng: Generator, samples: int = 0) -> np.ndarray:
        """(samples,) noise of one label, repeated where it is short; 0 samples: the length of an item."""
        assert self.noise is not None
        samples = samples or self.samples
        clips = self.noise.groups[int(rng.integers(len(self.noise.groups)))]
        chosen = clips[int(rng.integers(len(clips)))]
        if (spare := self.noise.samples(chosen) - samples) >= 0:
            return self.noise.clip(chosen, int(rng.integers(spare + 1)), samples)
        audio = self.noise.clip(chosen)
        pause = np.zeros(int(rng.uniform(0, 0.5) * self.sample_rate_hz), np.float32)
        audio = np.tile(np.concatenate([audio, pause]), 2 + samples // (len(audio) + len(pause)))
        start = int(rng.integers(len(audio) - samples + 1))
        return audio[start : start + samples]

    def babble(self, rng: Generator) -> np.ndarray:
        """(N,) talk of three to six speakers at similar levels; where there are fewer, some talk more than once."""
        groups, count = len(self.speech.groups), int(rng.integers(3, 7))
        speakers = rng.choice(groups, count, replace=groups < count)
        voices = [self.talk(rng, int(speaker)) for speaker in speakers]
        babble = np.zeros(self.samples, np.float32)
        for voice in voices:
            babble += voice * _gain(-rng.uniform(0, 6), voice) / max(active_level(voice), SILENT)
        return babble

    def shape(self, rng: Generator, audio: np.ndarray, room: bool) -> np.ndarray:
        """The sound after a room, an equaliser and a band limit, each with its own probability."""
        config = self.config
        if room and self.rooms is not None and rng.random() < config.reverberation:
            response = self.rooms.clip(int(rng.integers(len(self.rooms))))
            onset = int(np.abs(response).argmax())
            audio = oaconvolve(audio, response[max(0, onset - 16) :])[: self.samples].astype(np.float32)
        equalise, limit = rng.random() < config.equaliser, rng.random() < config.band_limit
        if equalise or limit:
            bins = len(audio) // 2 + 1
            gain_db = np.zeros(bins)
            if equalise:
                points = np.sort(rng.uniform(0, 1, 4))
                gain_db += np.interp(np.linspace(0, 1, bins) ** 0.5, points, rng.uniform(-8, 8, 4))
            if limit:
                edge = rng.uniform(3000, 7500) / (self.sample_rate_hz / 2) * bins
                gain_db += np.clip((edge - np.arange(bins)) / (0.05 * bins), -1, 0) * 80
            audio = np.fft.irfft(np.fft.rfft(audio) * 10 ** (gain_db / 20), len(audio)).astype(np.float32)
        return audio


def roll_off(rng: Generator, audio: np.ndarray, rate_hz: int) -> np.ndarray:
    """The signals (..., N) behind one low-pass that closes somewhere between 6.6 and 8 kHz, softly or steeply."""
    hz = np.fft.rfftfreq(audio.shape[-1], 1 / rate_hz)
    edge_hz, width_hz = rng.uniform(6600, 8000), np.exp(rng.uniform(np.log(60), np.log(1200)))
    gain_db = -np.clip((hz - edge_hz) / width_hz + 0.5, 0, 1) * rng.uniform(40, 100)
    return np.fft.irfft(np.fft.rfft(audio) * 10 ** (gain_db / 20), audio.shape[-1]).astype(np.float32)


def envelope(audio: np.ndarray) -> np.ndarray:
    """(N,) how loud a sound is from one 20 ms frame to the next, joined by straight lines."""
    levels = np.sqrt(np.square(_frames(audio)).mean(1)) + SILENT
    curve: np.ndarray = np.interp(np.arange(len(audio)), (np.arange(len(levels)) + 0.5) * FRAME_SAMPLES, levels)
    return curve


def active_level(audio: np.ndarray) -> float:
    """Root-mean-square of the frames that are within 30 dB of the loudest one; 0 for silence."""
    power = np.square(_frames(audio), dtype=np.float64).mean(1)
    return float(np.sqrt(power[power >= power.max() * 1e-3].mean())) if power.size else 0.0


def _frames(audio: np.ndarray) -> np.ndarray:
    """(T, FRAME_SAMPLES) of the sound (N,); what does not fill a frame is left out."""
    return audio[: len(audio) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)


def _chance(rng: Generator, probability: float) -> bool:
    """Whether something happens; what never happens draws nothing, so older mixtures stay as they were."""
    return probability > 0 and rng.random() < probability


def _gain(gain_db: float, reference: np.ndarray) -> float:
    return 10 ** (gain_db / 20) if np.any(reference) else 0.0
