"""PNG in numpy: every depth, colour type and interlacing of the standard in; 8 bits, grey or colours, out.

A filtered byte is told from those to the left of it, above it, and above to the left. Pixels of one diagonal do not
need each other, so a diagonal is taken at a time.
"""

import struct
import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from voxfield.errors import InputError

Bytes = npt.NDArray[np.uint8]
Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST_PIXELS = 64_000_000
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of each colour type
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_SUB, _UP, _MEAN, _PAETH = 1, 2, 3, 4


def decode(content: bytes) -> Pixels:
    """(H, W, C) of a PNG file: 1 grey, 2 grey and opacity, 3 colours, 4 colours and opacity; 16 bits where it has them.

    Grey values of less than 8 bits fill the range of 8, and colours of a palette are looked up.

    Raises:
        InputError: no PNG file, damaged, cut off, or too large.
    """
    chunks = _chunks(content)
    width, height, depth, colour, interlaced = _header(chunks)
    channels = _CHANNELS[colour]
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    shapes = [(-(-(height - y) // down), -(-(width - x) // across)) for x, y, across, down in passes]
    line_bytes = [(columns * channels * depth + 7) // 8 for _, columns in shapes]
    needed = sum(
        rows * (1 + line) for (rows, columns), line in zip(shapes, line_bytes, strict=True) if rows > 0 < columns
    )
    data = _inflated(chunks["IDAT"], needed)
    pixels = np.zeros((height, width, channels), np.uint16 if depth == 16 else np.uint8)
    for (x, y, across, down), (rows, columns), line in zip(passes, shapes, line_bytes, strict=True):
        if rows > 0 < columns:
            lines, data = data[: rows * (1 + line)].reshape(rows, 1 + line), data[rows * (1 + line) :]
            plain = _unfiltered(lines, max(1, channels * depth // 8))
            pixels[y::down, x::across] = _samples(plain, depth, columns, channels)
    if colour == 3:
        return _looked_up(pixels[..., 0], chunks)
    if depth < 8:
        pixels = pixels * np.uint8(255 // ((1 << depth) - 1))
    return _with_clear_colour(pixels, chunks["tRNS"], depth) if "tRNS" in chunks and colour in (0, 2) else pixels


def encode(pixels: Bytes) -> bytes:
    """The PNG file of (H, W, 1 or 3) 8-bit pixels; each row is filtered in the way that leaves the least."""
    height, width, channels = pixels.shape
    rows = pixels.reshape(height, -1)
    padded = np.pad(rows, ((1, 0), (channels, 0))).astype(np.int16)
    left, above, corner = padded[1:, :-channels], padded[:-1, channels:], padded[:-1, :-channels]
    told = (np.zeros_like(left), left, above, (left + above) >> 1, _paeth(left, above, corner))
    filtered = np.stack([rows - guess.astype(np.uint8) for guess in told])
    best = np.abs(filtered.view(np.int8).astype(np.int16)).sum(axis=2).argmin(axis=0)
    lines = np.concatenate([best[:, None].astype(np.uint8), filtered[best, np.arange(height)]], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if channels == 1 else 2, 0, 0, 0)
    return SIGNATURE + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes())), (b"IEND", b""))
    )


def _chunks(content: bytes) -> dict[str, bytes]:
    """What the chunks of each name hold, put together.

    Raises:
        InputError: a chunk is missing, cut off, or not what its checksum says.
    """
    if not content.startswith(SIGNATURE):
        raise InputError("it does not begin as a PNG file does")
    found: dict[str, list[bytes]] = {}
    for name, body in _in_order(content):
        found.setdefault(name, []).append(body)
    if missing := [name for name in ("IHDR", "IDAT", "IEND") if name not in found]:
        raise InputError(f"it is cut off or damaged: its part {missing[0]} is missing")
    return {name: b"".join(bodies) for name, bodies in found.items()}


def _in_order(content: bytes) -> Iterator[tuple[str, bytes]]:
    at = len(SIGNATURE)
    while at < len(content):
        if at + 12 > len(content):
            raise InputError("it is cut off")
        (count,), name = struct.unpack_from(">I", content, at), content[at + 4 : at + 8]
        body, check = content[at + 8 : at + 8 + count], content[at + 8 + count : at + 12 + count]
        if len(check) < 4:
            raise InputError("it is cut off")
        if name[0] < ord("a") and zlib.crc32(name + body) != int.from_bytes(check, "big"):  # a part that is needed
            raise InputError("it is damaged: a checksum is wrong")
        yield name.decode("latin-1"), body
        if name == b"IEND":
            return
        at += 12 + count


def _header(chunks: dict[str, bytes]) -> tuple[int, int, int, int, bool]:
    """(Width, height, bits of a sample, colour type, whether it is interlaced)."""
    if len(chunks["IHDR"]) != 13:
        raise InputError("its header is damaged")
    width, height, depth, colour, compression, filtering, interlaced = struct.unpack(">IIBBBBB", chunks["IHDR"])
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlaced > 1 or not width or not height:
        raise InputError("its header names what the standard does not know")
    if width * height > MOST_PIXELS:
        raise InputError(f"it has {width} x {height} pixels; at most {MOST_PIXELS / 1e6:g} million are read")
    return width, height, depth, colour, bool(interlaced)


def _inflated(packed: bytes, needed: int) -> Bytes:
    """So many bytes, unpacked."""
    try:
        data = zlib.decompressobj().decompress(packed, needed)
    except zlib.error as error:
        raise InputError(f"it is damaged: {error}") from error
    if len(data) < needed:
        raise InputError("it is cut off: rows are missing")
    return np.frombuffer(data, np.uint8)


def _unfiltered(lines: Bytes, apart: int) -> Bytes:
    """(H, N) bytes of filtered lines (H, 1 + N); the byte to the left is so many bytes away."""
    height, kinds = len(lines), lines[:, 0]
    if kinds.max() > _PAETH:
        raise InputError("it is damaged: a row is filtered in no known way")
    width = -(-(lines.shape[1] - 1) // apart)
    whole = np.zeros((height + 1, width + 1, apart), np.uint8)  # with a column and a row of zeros before
    whole[1:, 1:].reshape(height, -1)[:, : lines.shape[1] - 1] = lines[:, 1:]
    whole[1:, 1:] = lines[:, 1:].reshape(height, width, apart)
    if kinds.any():
        flat, row = whole.reshape(-1, apart), width + 1
        chosen = {kind: (kinds == kind)[:, None].astype(np.int16) for kind in np.unique(kinds) if kind}
        for step in range(height + width - 1):
            first, last = max(0, step - width + 1), min(height, step + 1)
            begin = (first + 1) * row + step - first + 1
            end = begin + (last - first - 1) * width + 1
            left, above, corner = (
                flat[begin - back : end - back : width].astype(np.int16) for back in (1, row, row + 1)
            )
            told = np.zeros_like(left)
            for kind, of_rows in chosen.items():
                told += of_rows[first:last] * _guess(kind, left, above, corner)
            flat[begin:end:width] += told.astype(np.uint8)
    return whole[1:, 1:].reshape(height, -1)


def _guess(
    kind: int, left: npt.NDArray[np.int16], above: npt.NDArray[np.int16], corner: npt.NDArray[np.int16]
) -> npt.NDArray[np.int16]:
    if kind == _SUB:
        return left
    if kind == _UP:
        return above
    return (left + above) >> 1 if kind == _MEAN else _paeth(left, above, corner)


def _paeth(
    left: npt.NDArray[np.int16], above: npt.NDArray[np.int16], corner: npt.NDArray[np.int16]
) -> npt.NDArray[np.int16]:
    """Whichever of the three is nearest to left + above - corner."""
    to_left, to_above = np.abs(above - corner), np.abs(left - corner)
    to_corner = np.abs(left + above - 2 * corner)
    other = np.where(to_above <= to_corner, above, corner)
    return np.where((to_left <= to_above) & (to_left <= to_corner), left, other)


def _samples(lines: Bytes, depth: int, columns: int, channels: int) -> Pixels:
    """(H, columns, channels) of unfiltered lines."""
    if depth == 16:
        pairs = lines.reshape(len(lines), columns, channels, 2).astype(np.uint16)
        return (pairs[..., 0] << 8 | pairs[..., 1]).astype(np.uint16)
    if depth == 8:
        return lines.reshape(len(lines), columns, channels)
    bits = np.unpackbits(lines, axis=1)[:, : columns * depth].reshape(len(lines), columns, depth)
    return (np.packbits(bits, axis=2) >> (8 - depth)).astype(np.uint8)


def _looked_up(numbers: Pixels, chunks: dict[str, bytes]) -> Pixels:
    """(H, W, 3 or 4) of entries of the palette."""
    if "PLTE" not in chunks or len(chunks["PLTE"]) % 3:
        raise InputError("it is damaged: its palette is missing")
    palette = np.frombuffer(chunks["PLTE"], np.uint8).reshape(-1, 3)
    if numbers.max() >= len(palette):
        raise InputError("it is damaged: its palette is too short")
    if "tRNS" in chunks:
        opacity = np.frombuffer(chunks["tRNS"][: len(palette)].ljust(len(palette), b"\xff"), np.uint8)
        palette = np.concatenate([palette, opacity[:, None]], axis=1)
    return palette[numbers]


def _with_clear_colour(pixels: Pixels, clear: bytes, depth: int) -> Pixels:
    """With an opacity of 0 where a pixel has the one colour that is said to be clear."""
    if len(clear) != 2 * pixels.shape[2]:
        raise InputError("it is damaged: its clear colour has the wrong size")
    colour = np.frombuffer(clear, ">u2") * (255 // ((1 << depth) - 1) if depth < 8 else 1)
    full = np.iinfo(pixels.dtype).max
    opacity = np.where((pixels == colour).all(axis=2, keepdims=True), 0, full).astype(pixels.dtype)
    return np.concatenate([pixels, opacity], axis=2)
