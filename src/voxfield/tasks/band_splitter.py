"""A recording at its own rate, a network at another: the network's band goes down and back, the rest follows it."""

import numpy as np

from voxfield.audio import Resampler, SampleQueue, check_layout
from voxfield.protocols import Array
from voxfield.tasks.band_gain import BandGain

_SPARE_SAMPLES = 8  # silence behind the end, so that resampling back never comes out short


class BandSplitter:
    """Resamples a recording for a network, and puts what the network gave back under the band that it cannot see.

    Every output signal of the network belongs to one channel of the recording. What resamplers take away from that
    channel, all above half the network's rate, is added to the output, scaled as `BandGain` has it. At the network's
    own rate everything passes as it is.

    Args:
        low_hz: rate of the network.
        full_hz: rate of the recording.
        channels: C of the recording.
        owners: for each output signal the channel that it belongs to; output k of channel k if None.
        linked: all outputs take the same gains above.
        noise: what the network takes away is noise, not other voices.

    Raises:
        InputError: a rate that is none; AudioError where no recording of this rate and so many channels can be used.
    """

    def __init__(
        self,
        low_hz: int,
        full_hz: int,
        channels: int,
        owners: list[int] | None = None,
        *,
        linked: bool = False,
        noise: bool = True,
    ) -> None:
        check_layout("the recording", full_hz, channels)
        self._owners = list(range(channels)) if owners is None else owners
        self._channels = channels
        self._same = low_hz == full_hz
        if self._same:
            return
        self._down = Resampler(full_hz, low_hz, channels)
        self._up = Resampler(low_hz, full_hz, len(self._owners))
        self._low, self._back = SampleQueue(channels), SampleQueue(len(self._owners))
        self._gain = BandGain(self._owners, channels, low_hz, full_hz, linked=linked, noise=noise)

    def down(self, samples: Array) -> Array:
        """What has become final at the network's rate, of (C, N)."""
        if self._same:
            return samples
        self._gain.feed_full(samples)
        low = self._down.feed(samples)
        self._low.push(low)
        return low

    def down_rest(self) -> Array:
        """The rest at the network's rate."""
        if self._same:
            return np.zeros((self._channels, 0), np.float32)
        low = self._down.flush()
        self._low.push(low)
        return low

    def up(self, outputs: Array, *, last: bool = False) -> Array:
        """Outputs (K, M) at the recording's rate, of outputs at the network's; `last` lets out what filters hold."""
        if self._same:
            return outputs
        low = self._low.pop(outputs.shape[1])
        self._gain.feed(low[self._owners], outputs)
        self._back.push(self._up.feed(outputs))
        if last:
            self._back.push(self._up.feed(np.zeros((len(self._owners), _SPARE_SAMPLES), np.float32)))
            self._back.push(self._up.flush())
            self._gain.flush()
        count = min(len(self._back), len(self._gain))
        return self._back.pop(count) + self._gain.pop(count)


def band_notes(model: str, model_hz: int, rate_hz: int) -> list[str]:
    """What to say where the recording's rate is above the network's."""
    if rate_hz <= model_hz:
        return []
    edge_khz = model_hz / 2000
    return [
        f"{model} works up to {edge_khz:g} kHz; the bands above follow its gain between "
        f"{0.75 * edge_khz:g} and {edge_khz:g} kHz and their own noise"
    ]
