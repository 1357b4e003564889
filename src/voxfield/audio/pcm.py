"""Samples as bytes and back: the integer and float encodings of raw PCM, exact in both directions."""

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
import numpy.typing as npt

from voxfield.protocols import Array

# Raw encodings: bytes a sample. 8-bit is unsigned as in wav files; the rest is signed and little-endian.
ENCODINGS = {"u8": 1, "s16le": 2, "s24le": 3, "s32le": 4, "f32le": 4, "f64le": 8}
SUBTYPES = {  # what libsndfile calls them
    "u8": "PCM_U8",
    "s16le": "PCM_16",
    "s24le": "PCM_24",
    "s32le": "PCM_32",
    "f32le": "FLOAT",
    "f64le": "DOUBLE",
}


def decode(data: bytes | bytearray, encoding: str, channels: int) -> Array:
    """Samples (C, N) float32, full scale 1, of interleaved frames.

    >>> decode(bytes([0, 64, 0, 192]), "s16le", 2).tolist()
    [[0.5], [-0.5]]
    """
    if encoding == "u8":
        values = (np.frombuffer(data, np.uint8).astype(np.float32) - 128) / 128
    elif encoding == "s24le":
        parts = np.frombuffer(data, np.uint8).reshape(-1, 3).astype(np.int32)
        whole = (parts[:, 0] << 8) | (parts[:, 1] << 16) | (parts[:, 2] << 24)
        values = (whole / 2**31).astype(np.float32)
    elif encoding == "s16le":
        values = np.multiply(np.frombuffer(data, "<i2"), np.float32(2**-15), dtype=np.float32)
    elif encoding == "s32le":
        values = (np.frombuffer(data, "<i4") / 2**31).astype(np.float32)
    else:
        with np.errstate(over="ignore"):  # a double beyond float32 becomes infinite, and is mended as such
            values = np.frombuffer(data, f"<f{ENCODINGS[encoding]}").astype(np.float32)
    return np.ascontiguousarray(values.reshape(-1, channels).T)


def encode(samples: Array, encoding: str) -> bytes:
    """Interleaved frames of samples (C, N); integers are rounded and clipped at full scale."""
    frames = samples.T
    if encoding == "u8":
        return (quantise(frames, 8) + 128).astype(np.uint8).tobytes()
    if encoding == "s24le":
        whole = quantise(frames, 24).astype("<i4")
        return whole.reshape(-1, 1).view(np.uint8)[:, :3].tobytes()
    if encoding in ("s16le", "s32le"):
        bits = 8 * ENCODINGS[encoding]
        return quantise(frames, bits).astype(f"<i{bits // 8}").tobytes()
    return frames.astype(f"<f{ENCODINGS[encoding]}").tobytes()


def decode_all(parts: Sequence[bytes | bytearray], encoding: str, channels: int) -> list[Array]:
    """Each part decoded, all at once: for many short parts of the same encoding and as many channels.

    >>> [samples.tolist() for samples in decode_all([bytes([0, 64]), bytes([0, 192, 0, 0])], "s16le", 1)]
    [[[0.5]], [[-0.5, 0.0]]]
    """
    whole = decode(b"".join(parts), encoding, channels)
    ends = accumulate((len(part) // (channels * ENCODINGS[encoding]) for part in parts), initial=0)
    return [whole[:, start:end] for start, end in pairwise(ends)]


def encode_all(parts: Sequence[Array], encoding: str) -> list[bytes]:
    """Each part (C, N) encoded, all at once.

    >>> encode_all([np.float32([[0.5]]), np.float32([[-0.5, 0.0]])], "s16le")
    [b'\\x00@', b'\\x00\\xc0\\x00\\x00']
    """
    whole = encode(np.concatenate(parts, axis=1), encoding)
    ends = accumulate((part.size * ENCODINGS[encoding] for part in parts), initial=0)
    return [whole[start:end] for start, end in pairwise(ends)]


def quantise(samples: Array, bits: int) -> npt.NDArray[np.int32]:
    """The nearest integers at this many bits, within their range: full scale 1 is 2 ** (bits - 1)."""
    full = 2 ** (bits - 1)
    exact = samples if bits <= 24 else samples.astype(np.float64)  # float32 holds every integer of 24 bits
    whole = exact * full
    np.rint(whole, out=whole)
    np.maximum(whole, -full, out=whole)
    bounded: npt.NDArray[np.int32] = np.minimum(whole, full - 1, out=whole).astype(np.int32)
    return bounded
