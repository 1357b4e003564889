"""Constants and reference transforms, in numpy: windows and the short-time Fourier transform."""

from voxfield.features.fourier import Stft, istft, stft
from voxfield.features.windows import analysis_window, sqrt_hann, synthesis_window

__all__ = ["Stft", "analysis_window", "istft", "sqrt_hann", "stft", "synthesis_window"]
