"""What a network would have let through of the band that it cannot see, band by band and moment by moment.

A network at 16 kHz gets nothing above 8 kHz. Three things tell what lies there: the share that the network let through
of the top of its own band, the mean noise of each band above in the moments that the network took for noise, and that
noise scaled by what the network takes away just now. Weighted, their logarithms add up to the odds of the gain.
"""

from functools import cache

import numpy as np

from voxfield.audio import SampleQueue, resample
from voxfield.features import Stft
from voxfield.features.fourier import Spectra
from voxfield.features.windows import frozen
from voxfield.protocols import Array

# Fitted by `python benchmarks/full_band.py SPEECH NOISE --fit`: the constant, then one for each row of `evidence`.
WEIGHTS = (1.0, 0.71, -0.35, -0.26, -1.67)
_HOP_S = 0.016
_TOP_QUARTER, _SPEECH_QUARTER = 0.75, 0.25  # of the network's band, from where on it is measured
_SILENT = 1e-6  # power of a frame below which a ratio says nothing
_TINY = 1e-9  # power, far below that of the last bit
_MEMORY = np.float32(0.98)  # share of the past in the mean noise, frame by frame: about a second
_DOUBT = np.float32(0.3)  # frames of silence that every mean begins with
_MOST = np.float32(2)  # times the share: what the network all but mutes below is all but muted above
_PULSE_HOPS = 16  # on either side of a pulse that is resampled
_ERB_RANGE = 10.0  # above the network's band, from where on bands are alike


class BandGain:
    """The band above a network's, as the network would have left it: half a window later, at the recording's rate.

    Args:
        owners: for each of the K outputs of the network the channel of the recording that it belongs to.
        channels: C of the recording.
        low_hz: rate of the network.
        full_hz: rate of the recording.
        linked: all outputs take the same gains.
        noise: what the network took away is noise; otherwise it is other voices, and the share that it let through of
            the top of its band is the gain of all that is above.
    """

    def __init__(
        self, owners: list[int], channels: int, low_hz: int, full_hz: int, *, linked: bool, noise: bool
    ) -> None:
        self._owners, self._linked, self._noise = owners, linked, noise
        self._low_hop, self._hop = (max(1, round(_HOP_S * hz)) for hz in (low_hz, full_hz))
        self._low_stft, self._stft = (Stft(2 * hop, hop) for hop in (self._low_hop, self._hop))
        self._pace = self._hop / full_hz * low_hz / self._low_hop  # frames of the network's band a frame of the other
        bin_hz, band_hz = low_hz / self._low_stft.window_samples, min(low_hz, full_hz) / 2
        parts = (2 * round(quarter * band_hz / bin_hz) for quarter in (_SPEECH_QUARTER, _TOP_QUARTER))
        self._speech, self._top = (slice(part, 2 * round(band_hz / bin_hz) + 2) for part in parts)
        self.starts, self._heights = bands_above(low_hz, full_hz, self._stft.bins)
        self._unseen = share_unseen(low_hz, full_hz, self._hop)
        self._sizes = np.diff([*self.starts, self._stft.bins])
        groups = 1 if linked else len(owners)
        self._pending = SampleQueue(2 * len(owners))
        self._low_state = self._low_stft.initial_state(2 * len(owners))
        self._full, self._state = SampleQueue(channels), self._stft.initial_state(channels)
        self._back_state = self._stft.initial_state(len(owners))
        self._seen = np.zeros((3, groups, 0), np.float32)  # see `_measured`, of the frames from `_first` on
        self._last = np.ones(groups, np.float32)
        self._first = self._frames = self._fed_samples = 0
        self._means = np.zeros((groups, len(self.starts) + 2), np.float32)
        self._ready = SampleQueue(len(owners))

    def __len__(self) -> int:
        """Samples that can be popped."""
        return len(self._ready)

    def pop(self, count_samples: int) -> Array:
        """The next of the band above, (K, count)."""
        return self._ready.pop(count_samples)

    def feed_full(self, samples: Array) -> None:
        """The recording, (C, N)."""
        self._full.push(samples)
        self._fed_samples += samples.shape[1]

    def feed(self, before: Array, after: Array) -> None:
        """What went into the network and came out, (K, M) each, aligned with one another."""
        self._pending.push(np.concatenate([before, after]))
        if len(self._pending) >= self._low_hop:
            measured = self._measured(self._pending.pop_whole(self._low_hop))
            self._seen = np.concatenate([self._seen, measured], axis=2)
        known = self._first + self._seen.shape[2]
        frames = min(int((known - 0.5) / self._pace) + 1 - self._frames, len(self._full) // self._hop)
        while frames > 0 and self._place(self._frames + frames - 1) >= known:
            frames -= 1
        self._advance(frames)

    def flush(self) -> None:
        """The rest becomes ready. The recording ends here, and its last frame holds as long as it must."""
        silence = np.zeros((len(self._owners), 2 * self._low_hop - len(self._pending)), np.float32)
        self.feed(silence, silence)
        frames = -(-(self._fed_samples + self._hop) // self._hop)  # the last sample lies in two
        missing = (frames - self._frames) * self._hop - len(self._full)
        self._full.push(np.zeros((self._state.shape[0], missing), np.float32))
        self._advance(frames - self._frames)
        spare = (frames - 1) * self._hop - self._fed_samples
        self._ready.push(self._ready.pop(len(self._ready))[:, : -spare or None])

    def _measured(self, ready: Array) -> Array:
        """(3, K, T): share let through of the top, how much of the frame is noise, and power taken away of the top."""
        spectra, self._low_state = self._low_stft.spectra(ready, self._low_state)
        power = np.square(spectra.view(np.float32))  # real and imaginary parts by turns
        top = power[..., self._top]
        magnitudes = np.sqrt(top[..., ::2] + top[..., 1::2])
        sums = np.stack([magnitudes.sum(2), top.sum(2), power[..., self._speech].sum(2)])
        before, after = np.split(sums, 2, axis=1)
        if self._linked:
            before, after = before.sum(1, keepdims=True), after.sum(1, keepdims=True)
        ratios = np.minimum(after / np.maximum(before, np.float32(_TINY)), 1)
        share, heard = ratios[0], before[0] > _SILENT
        if not heard.all():
            for at in range(share.shape[1]):
                self._last = share[:, at] = np.where(heard[:, at], share[:, at], self._last)
        self._last = share[:, -1]
        return np.stack([share, np.square(1 - ratios[2]), np.maximum(before[1] - after[1], 0)])

    def _place(self, frame: int) -> int:
        """The frame of the network's band at the moment of this one."""
        return int(frame * self._pace + 0.5)

    def _advance(self, frames: int) -> None:
        if frames <= 0:
            return
        first = self._frames == 0
        spectra, self._state = self._stft.spectra(self._full.pop(frames * self._hop), self._state)
        spectra *= self._unseen
        places = [self._place(self._frames + at) - self._first for at in range(frames)]
        seen = self._seen[:, :, np.minimum(places, self._seen.shape[2] - 1)]
        self._frames += frames
        passed = min(self._place(self._frames) - self._first, self._seen.shape[2] - 1)
        self._seen, self._first = self._seen[:, :, passed:], self._first + passed
        gains = np.repeat(self._gains(spectra, seen), self._sizes, axis=2) if self._noise else seen[0][..., None]
        scaled = (spectra if self._owners == list(range(len(spectra))) else spectra[self._owners]) * gains
        samples, self._back_state = self._stft.joined(scaled, self._back_state)
        self._ready.push(samples[:, self._hop :] if first else samples)

    def _gains(self, spectra: Spectra, seen: Array) -> Array:
        """(K, T, bands), or (1, T, bands) where outputs are linked."""
        odds, noises = self.evidence(spectra, seen)
        below, floor, taken, height = WEIGHTS[1:]
        total = np.array([floor, taken], np.float32) @ noises.reshape(2, -1)
        total = total.reshape(noises.shape[1:]) + np.float32(below) * odds[..., None]
        total += np.float32(WEIGHTS[0]) + np.float32(height) * self._heights
        return np.asarray(np.minimum(1 / (1 + np.exp(-total)), _MOST * seen[0][..., None]), np.float32)

    def evidence(self, spectra: Spectra, seen: Array) -> tuple[Array, Array]:
        """What tells speech from noise, of frames (C, T, F) and of what was measured below.

        Returns:
            Odds (K, T) of speech at the top of the network's band, and (2, K, T, bands): mean noise over what is there,
            and noise as it is just now over what is there; all as logarithms.
        """
        share, noisy, taken = seen
        power = np.add.reduceat(np.square(spectra.view(np.float32)), 2 * self.starts, axis=2)
        if self._linked:
            power = power.sum(0, keepdims=True)
        elif self._owners != list(range(len(power))):
            power = power[self._owners]
        noises = self._floor(power, noisy[..., None], taken[..., None]) / (power + np.float32(_TINY))
        odds = np.log(np.maximum(share, 1e-3) / np.maximum(1 - share, 6e-3))
        return odds, np.log(np.clip(noises, np.float32(0.018), np.float32(4.5)))

    def _floor(self, power: Array, noisy: Array, taken: Array) -> Array:
        """Power of the noise, (2, K, T, bands): its mean, and as it is just now."""
        parts = np.concatenate([noisy * power, noisy * taken, noisy], axis=2)
        means = np.empty_like(parts)
        for at in range(parts.shape[1]):
            self._means *= _MEMORY
            self._means += parts[:, at]
            means[:, at] = self._means
        bands, of_taken, frames = means[..., :-2], means[..., -2:-1], means[..., -1:]
        return np.stack([bands / (frames + _DOUBT), bands * (taken / (of_taken + np.float32(_TINY)))])


def bands_above(low_hz: int, full_hz: int, bins: int) -> tuple[np.ndarray, Array]:
    """First bins of bands as wide as the ear's (ERB) above a network's, and how high each lies, 0 to 1.

    Bins below belong to the first band, which is there at any rate.

    >>> starts, heights = bands_above(16000, 48000, 769)
    >>> len(starts), round(starts[1] * 48000 / 1536), round(float(heights[-1]), 1)
    (10, 8938, 0.9)
    """
    edge, top = (21.4 * np.log10(1 + 4.37e-3 * hz / 2) for hz in (low_hz, max(full_hz, low_hz)))
    steps = np.arange(max(1, round(top - edge)))
    edges_hz = (10 ** ((edge + steps) / 21.4) - 1) / 4.37e-3
    starts = np.ceil(edges_hz / (full_hz / 2) * (bins - 1)).astype(np.intp)
    starts[0] = 0
    inside = starts < bins
    return starts[inside], np.minimum(steps[inside] / _ERB_RANGE, 1).astype(np.float32)


@cache
def share_unseen(low_hz: int, full_hz: int, hop_samples: int) -> Array:
    """What resampling to a lower rate and back takes away of each bin, (hop + 1,) from 0 to 1.

    >>> share_unseen(16000, 48000, 768)[[192, 256, 512]].round(3).tolist()
    [0.0, 1.0, 1.0]
    """
    pulse = np.zeros((1, 2 * _PULSE_HOPS * hop_samples), np.float32)
    middle = _PULSE_HOPS * hop_samples
    pulse[0, middle] = 1
    back = resample(resample(pulse, full_hz, low_hz), low_hz, full_hz)[:, : pulse.shape[1]]
    pulse[:, : back.shape[1]] -= back
    return frozen(np.clip(np.fft.rfft(np.roll(pulse[0], -middle)).real[::_PULSE_HOPS], 0, 1))
