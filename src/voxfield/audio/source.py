"""Recordings as blocks of float32 samples, wherever they come from: a file, bytes, an array, a pipe.

Samples that are not finite, or beyond a million times full scale, become zeros, and `notes` says so: one broken sample
must cost neither the recording nor the state of a network that runs through it. An offset is left and said.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

from voxfield.audio.limits import check_layout
from voxfield.audio.stored import Stored
from voxfield.errors import AudioError
from voxfield.files import Closing
from voxfield.protocols import Array
from voxfield.samples import Downmix, power_db, to_float
from voxfield.values import plural

LARGEST = 1e6  # what lies beyond this many times full scale is no sound, and its square overflows
BLOCK_SAMPLES = 1 << 14
_OFFSET, _OFFSET_SHARE = 1e-3, 0.1  # of full scale, and of what swings about it, beyond which an offset is said


class Source(Closing, ABC):
    """One recording to be read once, from front to back.

    Attributes:
        name: what to call it in messages.
        rate_hz: sample rate.
        channels: C.
        count_samples: N, or None where only the end will tell.
        about_samples: N to within a few frames, for showing progress; None where that is not known either.
        stored: how it is stored, for a result that shall be stored likewise.

    Raises:
        AudioError: a rate or a number of channels out of bounds.
    """

    def __init__(self, name: str, rate_hz: int, channels: int, count_samples: int | None) -> None:
        check_layout(name, rate_hz, channels)
        self.name = name
        self.rate_hz = rate_hz
        self.channels = channels
        self.count_samples = self.about_samples = count_samples
        self.stored = Stored(name)
        self.read_samples = 0
        self._mended_samples = 0
        self._first_mended = 0
        self._sum, self._squares = np.zeros(channels), np.zeros(channels)

    def blocks(self, block_samples: int = BLOCK_SAMPLES, *, mono: bool = False) -> Iterator[Array]:
        """Blocks (C, N) of at most `block_samples`, finite throughout; with `mono`, (1, N) of all channels mixed.

        Raises:
            AudioError: nothing could be decoded.
        """
        downmix = Downmix()
        while (block := self._read(block_samples)) is not None:
            block = self._mend(block)
            self._sum += block.sum(axis=1, dtype=np.float64)
            self._squares += np.einsum("cn,cn->c", block, block)
            yield downmix.feed(block)[None] if mono else block
            self.read_samples += block.shape[1]

    def skip(self, count_samples: int) -> int:
        """Pass over so many samples; how many were there to be passed over."""
        passed = 0
        while passed < count_samples and (block := self._read(min(BLOCK_SAMPLES, count_samples - passed))) is not None:
            passed += block.shape[1]
            self.read_samples += block.shape[1]
        return passed

    def notes(self) -> list[str]:
        """What the user should know about what was read so far."""
        found = []
        if self._mended_samples:
            at_s = self._first_mended / self.rate_hz
            found.append(
                f"{plural(self._mended_samples, 'sample')} not finite or out of all bounds, replaced by zeros, "
                f"the first at sample {self._first_mended} ({at_s:.3f} s)"
            )
        power = float(self._squares.max()) / max(self.read_samples, 1)
        if power > 1:
            found.append(
                f"its level is {power_db(power):.0f} dB above full scale, which is 1; divide what was 16-bit integers "
                "by 32768"
            )
        if self.read_samples >= self.rate_hz:  # a moment may be half a swing
            means, squares = self._sum / self.read_samples, self._squares / self.read_samples
            swings = np.sqrt(np.maximum(squares - np.square(means), 0))
            offset = means[np.argmax(np.abs(means))]
            if bool(np.any(np.abs(means) > np.maximum(_OFFSET, _OFFSET_SHARE * swings))):
                found.append(
                    f"the sound is off centre by {offset:.3f} of full scale (DC offset), which networks take for "
                    "sound; take it away first, with a high-pass filter at 20 Hz for example"
                )
        return found

    @abstractmethod
    def _read(self, block_samples: int) -> Array | None:
        """The next block (C, N), or None at the end."""

    def _mend(self, block: Array) -> Array:
        clean = without_faults(block)
        if clean is block:
            return block
        sound = np.abs(block) <= LARGEST
        if not self._mended_samples:
            self._first_mended = self.read_samples + int(np.argmin(sound.all(axis=0)))
        self._mended_samples += int((~sound).sum())
        return clean


def without_faults(block: Array) -> Array:
    """A block (C, N) with zeros where it is not finite or out of all bounds; the block itself where it is sound.

    >>> without_faults(np.array([[0.5, np.nan]], np.float32)).tolist()
    [[0.5, 0.0]]
    """
    if bool(np.abs(block).max(initial=0) <= LARGEST):  # false for NaN as well
        return block
    return np.where(np.abs(block) <= LARGEST, block, np.float32(0))


class ArraySource(Source):
    """Samples that are in memory already, (N,) or (C, N)."""

    def __init__(self, samples: np.ndarray, rate_hz: int) -> None:
        samples = np.asarray(samples)  # of a matrix or a masked array what it holds
        samples = samples[None] if samples.ndim == 1 else samples
        if samples.ndim != 2:
            raise AudioError(f"samples must be (N,) or (C, N), not {samples.shape}")
        channels, count = samples.shape
        if count < channels and channels > 8:
            raise AudioError(f"samples must be (C, N) with time last; {samples.shape} looks transposed: pass samples.T")
        if count == 0 or channels == 0:
            raise AudioError(f"the array {samples.shape} holds no samples")
        super().__init__("array", rate_hz, channels, count)
        self._samples = to_float(samples)

    def _read(self, block_samples: int) -> Array | None:
        block = self._samples[:, self.read_samples : self.read_samples + block_samples]
        return block if block.shape[1] else None
