"""Constants and reference transforms, in numpy: windows, the short-time Fourier transform, log-mel filter banks."""

from voxfield.features.centred import CentredMel
from voxfield.features.fourier import Stft, istft, stft
from voxfield.features.framing import Features, FeatureStream, minus_mean
from voxfield.features.kaldi import Fbank, fbank
from voxfield.features.mel import mel_matrix
from voxfield.features.named import features_named
from voxfield.features.windows import analysis_window, sqrt_hann, synthesis_window

__all__ = [
    "CentredMel",
    "Fbank",
    "FeatureStream",
    "Features",
    "Stft",
    "analysis_window",
    "fbank",
    "features_named",
    "istft",
    "mel_matrix",
    "minus_mean",
    "sqrt_hann",
    "stft",
    "synthesis_window",
]
