"""How loud a recording is (ITU-R BS.1770-5, integrated), measured block by block, and the gain to another loudness."""

from dataclasses import dataclass

import numpy as np

from voxfield.audio import Resampler
from voxfield.errors import InputError
from voxfield.protocols import Array
from voxfield.values import is_number

KEEP = "keep"
CEILING_DBTP = -1.0  # true peak that a gain must not exceed, as EBU R 128 asks
_GATE_LUFS = -70.0  # quieter blocks never count
_RELATIVE_GATE_LU = -10.0  # nor do blocks so far below the mean of the others
_CLASSES_PER_LU = 100
_CLASSES = 100 * _CLASSES_PER_LU  # up to +30 LUFS
_STEPS = 4  # of 100 ms in a block of 400 ms
_WEIGHTS = {5: (1, 1, 1, 1.41, 1.41), 6: (1, 1, 1, 0, 1.41, 1.41)}  # surround counts more, the low-frequency one not
_OVERSAMPLING = 4
_MOST_OVERSAMPLED_HZ = 192_000


class LoudnessMeter:
    """Takes (C, N) piece by piece; memory does not grow.

    Each step of 100 ms is filtered with the 100 ms before it by FFT: the impulse response of the K-weighting has fallen
    to 1e-9 by then. Blocks of four steps are counted in classes of 0.01 LU, so that gates can be set at the end.

    Args:
        rate_hz: sample rate.
        channels: C; five and six are taken for L R C Ls Rs and L R C LFE Ls Rs.
    """

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._step_samples = round(0.1 * rate_hz)
        self._response = k_weighting(rate_hz, self._step_samples)
        self._weights = np.array(_WEIGHTS.get(channels, (1,) * channels))
        self._pending = np.zeros((channels, self._step_samples), np.float32)  # the step before, and what waits
        self._steps = np.zeros(0)  # mean squares of the last steps, less than a block
        self._counts, self._sums = np.zeros(_CLASSES), np.zeros(_CLASSES)
        self._peaks = Resampler(rate_hz, rate_hz * (_OVERSAMPLING if rate_hz <= _MOST_OVERSAMPLED_HZ else 1), channels)
        self._peak = 0.0

    def feed(self, samples: Array) -> None:
        """Measure (C, N)."""
        self._see(samples)
        self._see(self._peaks.feed(samples))
        ready = np.concatenate([self._pending, samples], axis=1)
        size = self._step_samples
        count = ready.shape[1] // size - 1
        self._pending = ready[:, count * size :].copy()
        for at in range(count):
            spectrum = np.fft.rfft(ready[:, at * size : (at + 2) * size].astype(np.float64)) * self._response
            weighted = np.fft.irfft(spectrum, 2 * size)[:, size:]
            self._steps = np.append(self._steps, self._weights @ np.square(weighted).mean(axis=1))
            if len(self._steps) == _STEPS:
                self._count(float(self._steps.mean()))
                self._steps = self._steps[1:]

    def finish(self) -> "Loudness":
        """The measure of all that was fed. The recording ends here."""
        self._see(self._peaks.flush())
        centres = _GATE_LUFS + (np.arange(_CLASSES) + 0.5) / _CLASSES_PER_LU
        lufs = None
        if self._counts.any():
            gate = _lufs(float(self._sums.sum() / self._counts.sum())) + _RELATIVE_GATE_LU
            loud = centres >= gate
            lufs = _lufs(float(self._sums[loud].sum() / self._counts[loud].sum()))
        return Loudness(lufs, self._peak)

    def _see(self, samples: Array) -> None:
        self._peak = max(self._peak, float(np.abs(samples).max(initial=0)))

    def _count(self, power: float) -> None:
        if power > 0 and (level := _lufs(power)) >= _GATE_LUFS:
            at = min(int((level - _GATE_LUFS) * _CLASSES_PER_LU), _CLASSES - 1)
            self._counts[at] += 1
            self._sums[at] += power


@dataclass(frozen=True)
class Loudness:
    """What was measured.

    Attributes:
        lufs: integrated loudness; None where no block of 400 ms is above -70 LUFS.
        true_peak: largest value of the waveform, at four times the sample rate; 1 is full scale.
    """

    lufs: float | None
    true_peak: float

    def gain(self, target_lufs: float) -> tuple[float, str]:
        """The factor that brings the recording to a loudness without a peak above the ceiling, and what was done.

        >>> Loudness(-30.0, 0.1).gain(-24)
        (1.9952623149688795, 'loudness brought from -30.0 to -24.0 LUFS')
        """
        if self.lufs is None:
            return 1.0, "too quiet or too short to have a loudness; its level was kept"
        wanted = 10 ** ((target_lufs - self.lufs) / 20)
        most = 10 ** (CEILING_DBTP / 20) / max(self.true_peak, 1e-9)
        reached = self.lufs + 20 * float(np.log10(min(wanted, most)))
        done = f"loudness brought from {self.lufs:.1f} to {reached:.1f} LUFS"
        if wanted > most:
            done += f", not to {target_lufs:g}: its peaks would exceed {CEILING_DBTP:g} dBTP"
        return float(min(wanted, most)), done


def brought_to(samples: Array, rate_hz: int, target_lufs: float) -> tuple[Array, str]:
    """Samples (C, N) at a loudness, and what was done."""
    meter = LoudnessMeter(rate_hz, len(samples))
    meter.feed(samples)
    gain, done = meter.finish().gain(target_lufs)
    return samples * np.float32(gain), done


def check_loudness(loudness: float | str) -> None:
    """Return when it is a choice there is.

    Raises:
        InputError: neither `keep` nor a number from -70 to 0.
    """
    if loudness != KEEP and not (is_number(loudness) and _GATE_LUFS <= loudness <= 0):
        raise InputError(f"the loudness is '{KEEP}', or a number of LUFS from -70 to 0 such as -23, not {loudness!r}")


def k_weighting(rate_hz: int, step_samples: int) -> np.ndarray:
    """Frequency response (step + 1,) of the filter, its impulse response cut to one step, for FFTs of two steps.

    The two sections are those of the recommendation at 48 kHz, and the same analogue filters at other rates.
    """
    z = np.exp(-1j * np.pi * np.arange(step_samples + 1) / step_samples)  # z^-1
    powers = np.stack([np.ones_like(z), z, z * z])
    response = np.ones_like(z)
    for numerator, denominator in sections(rate_hz):
        response *= (numerator @ powers) / (denominator @ powers)
    impulse = np.fft.irfft(response, 2 * step_samples)
    impulse[step_samples:] = 0
    return np.asarray(np.fft.rfft(impulse))


def sections(rate_hz: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Numerator and denominator of the two sections: a shelf above 1.7 kHz (the head), a high-pass at 38 Hz."""
    gain_db, shelf_hz, shelf_q = 3.999843853973347, 1681.974450955533, 0.7071752369554196
    high = 10 ** (gain_db / 20)
    middle = high**0.4996667741545416
    k = np.tan(np.pi * shelf_hz / rate_hz)
    scale = 1 + k / shelf_q + k * k
    shelf = (
        np.array([high + middle * k / shelf_q + k * k, 2 * (k * k - high), high - middle * k / shelf_q + k * k])
        / scale,
        np.array([1, 2 * (k * k - 1) / scale, (1 - k / shelf_q + k * k) / scale]),
    )
    pass_hz, pass_q = 38.13547087602444, 0.5003270373238773
    k = np.tan(np.pi * pass_hz / rate_hz)
    scale = 1 + k / pass_q + k * k
    high_pass = np.array([1.0, -2.0, 1.0]), np.array([1, 2 * (k * k - 1) / scale, (1 - k / pass_q + k * k) / scale])
    return [shelf, high_pass]


def _lufs(power: float) -> float:
    return -0.691 + 10 * float(np.log10(power))
