"""Kaldi's log-mel filter bank, block by block, in numpy: the input of most published speaker networks.

Each frame loses its mean, is pre-emphasised and windowed; the logarithm is taken of the power in mel bands. Samples are
scaled to 16-bit integers first, as there, because the floor of the logarithm is fixed. Nothing is dithered.
"""

from dataclasses import dataclass

import numpy as np

from voxfield.errors import InputError
from voxfield.features.framing import minus_mean, whole
from voxfield.features.mel import mel_matrix
from voxfield.features.windows import analysis_window
from voxfield.protocols import Array

FULL_SCALE = 32768.0  # of 16-bit samples
PREEMPHASIS = 0.97
FLOOR = float(np.finfo(np.float32).eps)  # the least power that the logarithm is taken of
_FRAMES_AT_A_TIME = 126  # what they take stays in the cache, and is not handed back to the system in between
_GROUP = 6  # frames of one matrix product: larger ones OpenBLAS shares among threads, which wait for a busy processor


@dataclass(frozen=True)
class Fbank:
    """A filter bank; immutable, any number of streams may share one.

    Attributes:
        window: kind of `voxfield.features.analysis_window`; Kaldi's default is `povey`, WeSpeaker's `hamming`.
        high_hz: where the last band ends; 0 or less means so much below half the sample rate.
        snip_edges: frames lie within the recording, so a window that is not filled makes none; otherwise there is one
            frame a hop, centred on it, and both ends are mirrored.

    Raises:
        InputError: hop or window that make no frames.
    """

    sample_rate_hz: int = 16000
    bands: int = 80
    window: str = "hamming"
    window_samples: int = 400
    hop_samples: int = 160
    low_hz: float = 20.0
    high_hz: float = 0.0
    snip_edges: bool = True

    def __post_init__(self) -> None:
        if not 1 < self.window_samples >= self.hop_samples > 0:
            raise InputError(
                f"a filter bank needs a hop above 0 and a window of at least the hop, not a hop of {self.hop_samples} "
                f"and a window of {self.window_samples} samples"
            )

    @property
    def fft_samples(self) -> int:
        """Length of the transform, the next power of two."""
        return 1 << (self.window_samples - 1).bit_length()

    @property
    def matrix(self) -> Array:
        """Weights of the spectrum in the bands, (bands, fft_samples / 2 + 1)."""
        return mel_matrix(self.bands, self.fft_samples, self.sample_rate_hz, self.low_hz, self.high_hz)

    @property
    def frame_samples(self) -> int:
        """Samples that a frame looks at."""
        return self.window_samples

    @property
    def first_sample(self) -> int:
        """Where frame 0 begins; below 0 where the beginning is mirrored."""
        return 0 if self.snip_edges else self.hop_samples // 2 - self.window_samples // 2

    def frames(self, count_samples: int) -> int:
        """Frames that so many samples make.

        >>> Fbank().frames(16000), Fbank(snip_edges=False).frames(16000), Fbank().frames(399)
        (98, 100, 0)
        """
        if self.snip_edges:
            return max(0, 1 + (count_samples - self.window_samples) // self.hop_samples)
        return (count_samples + self.hop_samples // 2) // self.hop_samples

    def prepared(self, samples: Array, before: Array) -> Array:
        """Samples as they are: what is done to them is done frame by frame."""
        return samples

    def extended(self, samples: Array, start: int, stop: int) -> Array:
        """Samples from `start` to `stop`, mirrored at both ends as often as needed."""
        if start >= 0 and stop <= len(samples):
            return samples[start:stop]
        at = np.arange(start, stop) % (2 * len(samples))
        return samples[np.minimum(at, 2 * len(samples) - 1 - at)]

    def finished(self, features: Array) -> Array:
        """Less the mean of each band."""
        return minus_mean(features)

    def analyse(self, samples: Array) -> Array:
        """Log-mel bands (bands, T) of the frames that lie within the samples (N,), the first from sample 0 on."""
        window, hop = self.window_samples, self.hop_samples
        count = max(0, 1 + (len(samples) - window) // hop)
        bands = np.empty((self.bands, count), np.float32)
        weights = np.repeat(self.matrix.T, 2, axis=0)  # a bin is two numbers: power = real squared + imaginary squared
        shape = (analysis_window(window, self.window) * FULL_SCALE).astype(np.float32)
        buffer = np.zeros((min(-(-count // _GROUP) * _GROUP, _FRAMES_AT_A_TIME), self.fft_samples), np.float32)
        for start in range(0, count, _FRAMES_AT_A_TIME):
            stop = min(count, start + _FRAMES_AT_A_TIME)
            part = np.ascontiguousarray(samples[start * hop : (stop - 1) * hop + window], np.float32)
            frames = buffer[: stop - start]
            self._emphasised(part, frames[:, :window])
            frames[:, :window] *= shape
            used = buffer[: -(-len(frames) // _GROUP) * _GROUP]
            spectrum = np.fft.rfft(used).astype(np.complex64, copy=False).view(np.float32)
            np.square(spectrum, out=spectrum)
            powers = spectrum.reshape(-1, _GROUP, spectrum.shape[1]) @ weights
            bands[:, start:stop] = powers.reshape(-1, self.bands)[: len(frames)].T
        np.maximum(bands, FLOOR, out=bands)
        return np.log(bands, out=bands)

    def _emphasised(self, samples: Array, out: Array) -> None:
        """Frames (T, window) without their mean m and pre-emphasised: x[n] - m - 0.97 (x[n - 1] - m), x[-1] = x[0].

        The recording is emphasised once for all frames, which differs from that by 0.03 m, and at the first sample.
        """
        hop = self.hop_samples
        sums = np.concatenate([[0.0], np.cumsum(samples, dtype=np.float64)])
        starts = np.arange(len(out)) * hop
        means = ((sums[starts + self.window_samples] - sums[starts]) / self.window_samples).astype(np.float32)
        emphasised = samples.copy()
        emphasised[1:] -= np.float32(PREEMPHASIS) * samples[:-1]
        rest = np.float32(1 - PREEMPHASIS)
        along = emphasised.strides[0]
        view = np.ndarray(out.shape, np.float32, emphasised, 0, (along * hop, along))
        np.subtract(view, (rest * means)[:, None], out=out)
        out[:, 0] = rest * (samples[starts] - means)


def fbank(samples: Array, config: Fbank | None = None) -> Array:
    """Log-mel bands (bands, T) of a whole recording (N,) with full scale 1.

    >>> fbank(np.zeros(16000, np.float32)).shape
    (80, 98)
    """
    return whole(samples, config or Fbank())
