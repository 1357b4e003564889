"""PNG: what Pillow reads and writes, in every depth, colour type and filter; damaged files by what is wrong."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from voxfield.errors import InputError
from voxfield.images import picture, png

DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
SMOOTH = np.add.outer(np.arange(40), np.arange(37))[..., None] * np.array([1, 2, 3]) % 256


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def file_of(width, height, depth, colour, rows, interlaced=0, more=b""):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    return png.SIGNATURE + chunk(b"IHDR", header) + more + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def random_file(width, height, depth, colour, interlaced, seed):
    """Any bytes are the rows of some image, as long as each row names a filter."""
    rng = np.random.default_rng(seed)
    rows = b""
    for x, y, across, down in PASSES if interlaced else ((0, 0, 1, 1),):
        columns, lines = -(-(width - x) // across), -(-(height - y) // down)
        line_bytes = (columns * CHANNELS[colour] * depth + 7) // 8
        if columns > 0 and lines > 0:
            body = rng.integers(0, 256, (lines, 1 + line_bytes), np.uint8)
            body[:, 0] = rng.integers(0, 5, lines)
            rows += body.tobytes()
    palette = chunk(b"PLTE", rng.integers(0, 256, 768, np.uint8).tobytes()) if colour == 3 else b""
    return file_of(width, height, depth, colour, rows, interlaced, palette)


def by_pillow(content):
    """(H, W, C) as Pillow reads it."""
    image = Image.open(io.BytesIO(content))
    if image.mode in ("1", "P"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[..., None]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_files_of_every_kind_are_read_as_pillow_reads_them(data):
    colour = data.draw(st.sampled_from(sorted(DEPTHS)))
    depth = data.draw(st.sampled_from(DEPTHS[colour]))
    width, height = (data.draw(st.integers(1, 20)) for _ in range(2))
    content = random_file(width, height, depth, colour, data.draw(st.integers(0, 1)), data.draw(st.integers(0, 99)))
    found, wanted = png.decode(content), by_pillow(content)
    if depth == 16 and colour != 0:  # of which Pillow keeps the upper half
        found = found >> 8
    assert found.shape[2] == {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}[colour]
    if colour == 4 and depth == 16:  # which Pillow opens with its grey values three times
        wanted = wanted[..., [0, -1]]
    assert np.array_equal(found, wanted)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", [(1, 1), (37, 40), (1, 5), (9, 1)])
def test_what_is_written_is_read_by_all(mode, size):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], len(mode)), np.uint8)
    content = png.encode(pixels)
    assert np.array_equal(by_pillow(content), pixels) and np.array_equal(png.decode(content), pixels)


def test_rows_are_filtered_where_that_helps():
    pixels = SMOOTH.astype(np.uint8)
    assert len(png.encode(pixels)) < 0.2 * pixels.size


def test_clear_colours_become_opacity():
    image = Image.fromarray(SMOOTH.astype(np.uint8))
    for shown, clear in (
        (image, tuple(map(int, SMOOTH[3, 4]))),
        (image.convert("L"), int(image.convert("L").getpixel((4, 3)))),
    ):
        file = io.BytesIO()
        shown.save(file, "PNG", transparency=clear)
        found = png.decode(file.getvalue())
        wanted = np.asarray(Image.open(file).convert("RGBA" if shown.mode == "RGB" else "LA"))
        assert np.array_equal(found, wanted) and (found[..., -1] == 0).any()


def test_palettes_with_opacity(tmp_path):
    image = Image.fromarray(SMOOTH.astype(np.uint8)).quantize(32)
    image.save(tmp_path / "p.png", transparency=bytes(range(0, 250, 10)))
    wanted = np.asarray(Image.open(tmp_path / "p.png").convert("RGBA"))
    assert np.array_equal(png.decode((tmp_path / "p.png").read_bytes()), wanted)
    shown = picture.read(tmp_path / "p.png")
    opacity = wanted[..., 3:].transpose(2, 0, 1) / 255
    assert shown.clear
    np.testing.assert_allclose(
        shown.values, wanted[..., :3].transpose(2, 0, 1) / 255 * opacity + 1 - opacity, atol=1e-6
    )


GOOD = png.encode(SMOOTH.astype(np.uint8))


@pytest.mark.parametrize("kept", [0, 5, 8, 20, 40, len(GOOD) // 2, len(GOOD) - 13, len(GOOD) - 5])
def test_files_that_are_cut_off(kept):
    with pytest.raises(InputError, match=r"cut off|missing|begin"):
        png.decode(GOOD[:kept])


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_a_byte_that_is_wrong_is_found_or_does_not_matter(at, other):
    damaged = bytearray(GOOD)
    damaged[at] ^= other
    try:
        found = png.decode(bytes(damaged))
    except InputError:
        return
    assert np.array_equal(found, SMOOTH)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"GIF89a", "does not begin"),
        (file_of(0, 3, 8, 0, b""), "standard does not know"),
        (file_of(3, 3, 3, 0, bytes(12)), "standard does not know"),
        (file_of(3, 3, 8, 5, bytes(12)), "standard does not know"),
        (file_of(60_000, 60_000, 8, 2, b""), "at most 64 million"),
        (file_of(3, 3, 8, 0, bytes(11)), "rows are missing"),
        (file_of(3, 1, 8, 0, b"\x05\0\0\0"), "filtered in no known way"),
        (file_of(3, 1, 8, 3, bytes(4)), "palette is missing"),
        (file_of(1, 1, 8, 3, b"\0\x07", more=chunk(b"PLTE", bytes(9))), "palette is too short"),
        (file_of(1, 1, 8, 2, bytes(4), more=chunk(b"tRNS", bytes(2))), "wrong size"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_files_that_cannot_be_are_refused_by_name(content, said):
    with pytest.raises(InputError, match=said):
        png.decode(content)


def test_a_small_file_of_a_huge_image_takes_no_memory_beyond_it():
    content = file_of(4, 4, 8, 0, bytes(50_000_000))
    assert png.decode(content).shape == (4, 4, 1) and len(content) < 100_000
