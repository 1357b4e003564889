"""Constants and reference transforms, in numpy: windows, the short-time Fourier transform, log-mel filter banks."""

from voxfield.features.fourier import Stft, istft, stft
from voxfield.features.kaldi import Fbank, FbankStream, fbank, minus_mean
from voxfield.features.mel import mel_matrix
from voxfield.features.named import NAMED, features_named
from voxfield.features.windows import analysis_window, sqrt_hann, synthesis_window

__all__ = [
    "NAMED",
    "Fbank",
    "FbankStream",
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
