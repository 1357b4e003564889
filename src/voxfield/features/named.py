"""The features that networks ask for by name on their cards."""

from dataclasses import replace

from voxfield.errors import InputError
from voxfield.features.centred import SPEECHBRAIN, TAORUIJIE
from voxfield.features.framing import Features
from voxfield.features.kaldi import Fbank

NAMED: dict[str, Fbank] = {
    "kaldi-hamming": Fbank(),  # WeSpeaker
    "kaldi-povey": Fbank(window="povey"),  # Kaldi's own default
}
AT_16_KHZ = {"speechbrain": SPEECHBRAIN, "taoruijie": TAORUIJIE}  # their frequencies are given for one rate


def features_named(name: str, bands: int, sample_rate_hz: int) -> Features:
    """The features of a name, with so many bands at that rate: windows of 25 ms, a hop of 10 ms.

    Raises:
        InputError: no such features, or not at this rate.
    """
    if name in NAMED:
        return Fbank(sample_rate_hz, bands, NAMED[name].window, sample_rate_hz // 40, sample_rate_hz // 100)
    if name not in AT_16_KHZ:
        raise InputError(
            f"the features '{name}' are not built in ({', '.join((*NAMED, *AT_16_KHZ))} are); "
            "make them yourself and give them to the engine: voxfield.load_engine(model).step"
        )
    if sample_rate_hz != AT_16_KHZ[name].sample_rate_hz:
        raise InputError(f"the features '{name}' are those of 16000 Hz, not of {sample_rate_hz} Hz")
    return replace(AT_16_KHZ[name], bands=bands)
