"""Puts voices that were separated on the mid signal back to where they were between the channels."""

import numpy as np

from voxfield.audio import SampleQueue
from voxfield.features import Stft
from voxfield.protocols import Array

_WINDOW_S = 0.032


class StereoImage:
    """Voices in all channels: the mid of each is the separated voice, unchanged.

    What a channel differs by from the mid goes to the voices by their shares of the energy, band by band and moment by
    moment. Shares of the noise go nowhere, or to the voices as well where noise is kept.

    Args:
        channels: C of the recording.
        sources: S.
        rate_hz: of the recording.
        keep_noise: all of the recording goes to some voice.
    """

    def __init__(self, channels: int, sources: int, rate_hz: int, *, keep_noise: bool) -> None:
        self._channels, self._sources, self._keep_noise = channels, sources, keep_noise
        hop = max(1, round(_WINDOW_S * rate_hz / 2))
        self._stft = Stft(2 * hop, hop)
        self._pending = SampleQueue(1 + sources + channels)
        self._analysis = self._stft.initial_state(1 + sources + channels)
        self._synthesis = self._stft.initial_state(sources * channels)
        self._voices = SampleQueue(sources)
        self._late = self._stft.delay_samples

    def feed(self, recording: Array, voices: Array) -> Array:
        """What has become final of (C, N) recording and (S, N) voices of its mid, as (S, C, M)."""
        if self._channels == 1:
            return voices[:, None]
        self._voices.push(voices)
        mid = recording.mean(axis=0, keepdims=True)
        self._pending.push(np.concatenate([mid, voices, recording - mid]))
        return self._render(self._pending.pop_whole(self._stft.hop_samples))

    def flush(self) -> Array:
        """The rest, (S, C, M)."""
        if self._channels == 1:
            return np.zeros((self._sources, 1, 0), np.float32)
        left, hop = len(self._voices), self._stft.hop_samples
        silence = -len(self._pending) % hop + -(-self._stft.delay_samples // hop) * hop
        ready = np.pad(self._pending.pop(len(self._pending)), ((0, 0), (0, silence)))
        return self._render(ready)[..., :left]

    def _render(self, ready: Array) -> Array:
        spectra, self._analysis = self._stft.analyse(ready, self._analysis)
        sources = self._sources
        power = np.square(spectra).sum(1)  # (1 + S + C, F, T)
        rest = np.square(spectra[0] - spectra[1 : 1 + sources].sum(0)).sum(0)
        total = power[1 : 1 + sources].sum(0) + (0 if self._keep_noise else rest) + 1e-12
        equal = 1e-12 / sources if self._keep_noise else 0  # of what no voice claims
        shares = (power[1 : 1 + sources] + equal) / total  # (S, F, T)
        sides = (shares[:, None, None] * spectra[None, 1 + sources :]).reshape(
            sources * self._channels, *spectra.shape[1:]
        )
        moved, self._synthesis = self._stft.synthesise(sides.astype(np.float32), self._synthesis)
        drop = min(self._late, moved.shape[1])
        self._late -= drop
        moved = moved[:, drop:].reshape(sources, self._channels, -1)
        voices = self._voices.pop(moved.shape[-1])
        return voices[:, None] + moved[..., : voices.shape[1]]
