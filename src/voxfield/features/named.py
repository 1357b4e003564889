"""The features that networks ask for by name on their cards."""

from voxfield.errors import InputError
from voxfield.features.kaldi import Fbank

NAMED = {
    "kaldi-hamming": Fbank(),  # WeSpeaker, 3D-Speaker
    "kaldi-povey": Fbank(window="povey"),  # Kaldi's own default
}


def features_named(name: str, bands: int, sample_rate_hz: int) -> Fbank:
    """The filter bank of a name, with so many bands at that rate: windows of 25 ms, a hop of 10 ms.

    Raises:
        InputError: no such features.
    """
    if name not in NAMED:
        raise InputError(
            f"the features '{name or 'without a name'}' are not built in ({', '.join(NAMED)} are); "
            "make them yourself and give them to the engine: voxfield.load_engine(model).step"
        )
    return Fbank(sample_rate_hz, bands, NAMED[name].window, sample_rate_hz // 40, sample_rate_hz // 100)
