"""Enhancers of other people that `pip install` brings: RNNoise (package pyrnnoise) and noisereduce."""

from __future__ import annotations

import ctypes

import numpy as np
import soxr
from pyrnnoise.rnnoise import FRAME_SIZE, SAMPLE_RATE, create, destroy, lib

RNNOISE_FRAME_S = FRAME_SIZE / SAMPLE_RATE  # 480 samples at 48 kHz: 10 ms
RNNOISE_LATE_SAMPLES = 2 * FRAME_SIZE  # by which its output lags behind its input, measured by cross-correlation


class Rnnoise:
    """The library that pyrnnoise brings, frame by frame and with nothing around it."""

    def __init__(self) -> None:
        self.state = create()
        self.frame = np.zeros(FRAME_SIZE, np.float32)
        self.pointer = self.frame.ctypes.data_as(ctypes.POINTER(ctypes.c_float))

    def __call__(self, samples: np.ndarray) -> np.ndarray:
        """(480,) samples in -1..1 at 48 kHz to the frame that is final now, in the same units."""
        self.frame[:] = samples
        self.frame *= 32768
        lib.rnnoise_process_frame(self.state, self.pointer, self.pointer)
        return self.frame / 32768

    def close(self) -> None:
        """Give the library's memory back."""
        destroy(self.state)


def rnnoise(noisy: np.ndarray, rate_hz: int = 16000) -> np.ndarray:
    """(N,) enhanced at 48 kHz and brought back to `rate_hz`, aligned with the input and as long."""
    wide = soxr.resample(noisy, rate_hz, SAMPLE_RATE, "VHQ")
    frames = -(-(len(wide) + RNNOISE_LATE_SAMPLES) // FRAME_SIZE)
    padded = np.zeros(frames * FRAME_SIZE, np.float32)
    padded[: len(wide)] = wide
    network = Rnnoise()
    out = np.concatenate([network(frame) for frame in padded.reshape(frames, FRAME_SIZE)])
    network.close()
    back = soxr.resample(out[RNNOISE_LATE_SAMPLES : RNNOISE_LATE_SAMPLES + len(wide)], SAMPLE_RATE, rate_hz, "VHQ")
    aligned = np.zeros(len(noisy), np.float32)
    aligned[: len(back)] = back[: len(noisy)]
    return aligned


def spectral_gate(noisy: np.ndarray, rate_hz: int = 16000) -> np.ndarray:
    """(N,) enhanced by noisereduce with its own settings, which hear the whole recording first."""
    import noisereduce

    return noisereduce.reduce_noise(y=noisy, sr=rate_hz).astype(np.float32)
