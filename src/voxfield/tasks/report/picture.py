"""Spectrograms as PNG files, drawn with numpy and packed with zlib."""

import struct
import zlib

import numpy as np
import numpy.typing as npt

from voxfield.audio import SampleQueue
from voxfield.features import Stft
from voxfield.protocols import Array

Pixels = npt.NDArray[np.uint8]
RANGE_DB = 70.0  # from the brightest to black
_WINDOW_S = 0.032
_ANCHORS = (  # dark to bright, with lightness rising evenly: levels stay readable in grey as well
    (0.00, (4, 6, 20)),
    (0.25, (44, 22, 88)),
    (0.50, (148, 40, 98)),
    (0.75, (236, 112, 56)),
    (0.90, (250, 196, 84)),
    (1.00, (252, 252, 220)),
)


class Spectrogram:
    """Power of a recording over time and frequency, gathered block by block, for a picture of bounded width.

    Args:
        rate_hz: sample rate.
        most_columns: when there are more, each pair becomes one, and so on from there.
    """

    def __init__(self, rate_hz: int, most_columns: int = 2048) -> None:
        hop = max(8, round(rate_hz * _WINDOW_S / 4))
        self._stft = Stft(4 * hop, hop)
        self._pending = SampleQueue(1)
        self._state = self._stft.initial_state()
        self._most_columns = most_columns + most_columns % 2
        self._frames = 1  # that one column is the mean of
        self._column = np.zeros(self._stft.bins, np.float32)  # the sum of those of the next column that are there
        self._gathered = 0
        self._columns: list[Array] = []

    def feed(self, samples: Array) -> None:
        """Take (N,) samples."""
        self._pending.push(samples[None])
        spectrum, self._state = self._stft.analyse(self._pending.pop_whole(self._stft.hop_samples), self._state)
        for frame in np.square(spectrum[0]).sum(axis=0).T:
            self._column = self._column + frame
            self._gathered += 1
            if self._gathered == self._frames:
                self._columns.append(self._column / np.float32(self._frames))
                self._column, self._gathered = np.zeros_like(frame), 0
            if len(self._columns) == self._most_columns:
                pairs = zip(self._columns[::2], self._columns[1::2], strict=True)
                self._columns = [(first + second) * np.float32(0.5) for first, second in pairs]
                self._frames *= 2

    def power(self) -> Array:
        """(F, columns), the lowest frequency first; at least one column."""
        return np.stack(self._columns, axis=1) if self._columns else np.zeros((self._stft.bins, 1), np.float32)


def shade(power: Array, brightest: float, rows: int = 256, columns: int = 1000) -> Pixels:
    """A picture (rows, columns) of palette entries, the highest frequency on top.

    Args:
        power: (F, T) from `Spectrogram.power`.
        brightest: power that is drawn brightest; 70 dB less is drawn black.
        rows, columns: of the picture; where there are fewer columns they are widened by a whole factor.
    """
    grid = _fewer(_fewer(power, rows).T, columns).T
    level_db = 10 * np.log10(grid / max(brightest, 1e-20) + 1e-12)
    shades = np.clip(1 + level_db / RANGE_DB, 0, 1) * 255
    wide = np.repeat(shades, max(1, columns // grid.shape[1]), axis=1)
    return np.ascontiguousarray(wide[::-1].round().astype(np.uint8))


def brightest(power: Array) -> float:
    """The power that only one point in 200 exceeds: what to draw brightest."""
    return float(np.quantile(power, 0.995))


def png(pixels: Pixels) -> bytes:
    """The PNG file of a picture (rows, columns) of palette entries.

    >>> png(np.zeros((2, 3), np.uint8))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    rows, columns = pixels.shape
    lines = np.zeros((rows, columns + 1), np.uint8)  # each line begins with its filter: none
    lines[:, 1:] = pixels
    header = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)  # 8 bits, palette
    chunks = [(b"IHDR", header), (b"PLTE", palette()), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )


def palette() -> bytes:
    """256 colours, three bytes each."""
    places = [place for place, _ in _ANCHORS]
    colours = np.array([colour for _, colour in _ANCHORS])
    at = np.linspace(0, 1, 256)
    return (
        np.stack([np.interp(at, places, colours[:, part]) for part in range(3)], axis=1)
        .round()
        .astype(np.uint8)
        .tobytes()
    )


def stacked(pictures: list[Pixels], gap_rows: int = 6) -> Pixels:
    """Pictures of one width below one another, with a bright line between them."""
    gap = np.full((gap_rows, pictures[0].shape[1]), 255, np.uint8)
    parts = [part for picture in pictures for part in (picture, gap)]
    return np.concatenate(parts[:-1])


def _fewer(grid: Array, most: int) -> Array:
    """At most this many rows, each the mean of its neighbours."""
    count = grid.shape[0]
    if count <= most:
        return grid
    edges = np.arange(most) * count // most
    return np.asarray(np.add.reduceat(grid, edges, axis=0) / np.diff([*edges, count])[:, None], np.float32)
