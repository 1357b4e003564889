"""What a recording may say about itself before anything is allocated for it."""

from voxfield.errors import AudioError, InputError
from voxfield.values import is_number, is_whole

LEAST_HZ, MOST_HZ = 1_000, 768_000
MOST_CHANNELS = 256
MOST_VALUES_PER_SECOND = 256 * 48_000  # all channels together; as much as 16 channels at 768 kHz


def check_rate(name: str, rate_hz: object) -> None:
    """Return when a sample rate can be worked with.

    Raises:
        InputError: it is no number; AudioError where it is one out of bounds, which the message says.
    """
    if not is_number(rate_hz):
        raise InputError(f"the sample rate of {name} must be a number of Hz, not {rate_hz!r}")
    if not (LEAST_HZ <= rate_hz <= MOST_HZ and rate_hz == int(rate_hz)):  # false for NaN as well
        raise AudioError(
            f"{name} has a sample rate of {rate_hz} Hz; whole numbers from {LEAST_HZ} to {MOST_HZ} Hz can be used"
        )


def check_layout(name: str, rate_hz: float, channels: int) -> None:
    """Return when a recording of this rate and number of channels can be worked on.

    Raises:
        InputError: one of them is no number; AudioError where it is out of bounds, which the message says.
    """
    check_rate(name, rate_hz)
    if not is_whole(channels):
        raise InputError(f"the channels of {name} must be a whole number, not {channels!r}")
    if not 1 <= channels <= MOST_CHANNELS:
        raise AudioError(f"{name} has {channels} channels; 1 to {MOST_CHANNELS} can be used")
    if rate_hz * channels > MOST_VALUES_PER_SECOND:
        raise AudioError(
            f"{name} has {channels} channels at {rate_hz} Hz; at this rate at most "
            f"{int(MOST_VALUES_PER_SECOND // rate_hz)} can be used"
        )
