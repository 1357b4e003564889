"""Images of files: formats and modes, upright, over white; what cannot be read is named."""

import numpy as np
import pytest
from PIL import Image

from voxfield.errors import InputError, OutputError
from voxfield.images import picture

PIXELS = np.add.outer(np.arange(32), np.arange(48))[..., None] * np.array([1, 2, 3]) // 2 % 256


@pytest.fixture
def photo():
    return Image.fromarray(PIXELS.astype(np.uint8))


@pytest.mark.parametrize("suffix", [".jpg", ".webp", ".bmp", ".tif"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_other_formats(photo, tmp_path, suffix, mode):
    path = tmp_path / f"photo{suffix}"
    photo.convert(mode).save(path)
    values = picture.read(path).values
    grey = mode == "L" and suffix != ".webp"  # which has colours only
    assert values.shape == (1 if grey else 3, 32, 48) and values.dtype == np.float32
    wanted = np.asarray(Image.open(path).convert(mode if grey else "RGB")).reshape(32, 48, -1).transpose(2, 0, 1) / 255
    np.testing.assert_allclose(values, wanted, atol=1e-6)


def test_a_photograph_is_turned_upright(photo, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(tmp_path / "turned.jpg", exif=exif)
    assert picture.read(tmp_path / "turned.jpg").values.shape == (3, 48, 32)


@pytest.mark.parametrize(
    ("mode", "channels"), [("1", 1), ("L", 1), ("LA", 1), ("P", 3), ("RGB", 3), ("RGBA", 3), ("I;16", 1)]
)
def test_png_in_every_mode(photo, tmp_path, mode, channels):
    deep = PIXELS[..., 0].astype(np.uint16) * 257
    (Image.fromarray(deep) if mode == "I;16" else photo.convert(mode)).save(tmp_path / "photo.png")
    found = picture.read(tmp_path / "photo.png")
    assert found.values.shape == (channels, 32, 48) and not found.clear
    if mode == "I;16":
        np.testing.assert_allclose(found.values[0], PIXELS[..., 0] / 255, atol=1e-6)


def test_transparency_is_laid_over_white(photo, tmp_path):
    photo.putalpha(Image.fromarray(np.full((32, 48), 51, np.uint8)))
    photo.save(tmp_path / "clear.png")
    found = picture.read(tmp_path / "clear.png")
    assert found.clear
    np.testing.assert_allclose(found.values, PIXELS.transpose(2, 0, 1) / 255 * 0.2 + 0.8, atol=1e-6)


def test_a_file_cut_off_and_one_too_large_are_refused(photo, tmp_path, monkeypatch):
    photo.save(tmp_path / "photo.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "photo.png").read_bytes()[:-60])
    with pytest.raises(InputError, match="is no image that can be read"):
        picture.read(tmp_path / "cut.png")
    monkeypatch.setattr(picture, "MOST_PIXELS", 1000)
    with pytest.raises(InputError, match="48 x 32 pixels"):
        picture.read(tmp_path / "photo.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(InputError, match=r"photo\.png has too many pixels; at most 0\.001 million are read$"):
        picture.read(tmp_path / "photo.png")


def test_of_several_frames_the_first_is_taken(photo, tmp_path):
    for name in ("moving.png", "pages.tif"):
        photo.save(tmp_path / name, save_all=True, append_images=[photo.rotate(180)])
        found = picture.read(tmp_path / name)
        assert found.frames == 2
        np.testing.assert_allclose(found.values, PIXELS.transpose(2, 0, 1) / 255, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_pixels_of_32_bits_are_refused(tmp_path, dtype):
    Image.fromarray((PIXELS[..., 0] * 10000).astype(dtype)).save(tmp_path / "deep.tif")
    with pytest.raises(InputError, match="its pixels have 32 bits; save it with 8 or 16"):
        picture.read(tmp_path / "deep.tif")


def test_files_that_are_no_images(tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(40))
    (tmp_path / "empty.png").write_bytes(b"")
    for name, said in (
        ("bad.jpg", "bad.jpg is no image"),
        ("empty.png", "damaged at its beginning"),
        ("no", "does not exist"),
    ):
        with pytest.raises(InputError, match=said):
            picture.read(tmp_path / name)
    with pytest.raises(InputError, match="is a folder"):
        picture.read(tmp_path)


def test_what_is_written_comes_back_and_nothing_is_replaced(tmp_path):
    values = PIXELS.transpose(2, 0, 1).astype(np.float32) / 255
    picture.write(tmp_path / "out.png", values)
    np.testing.assert_allclose(picture.read(tmp_path / "out.png").values, values, atol=1e-6)
    picture.write(tmp_path / "grey.png", values[:1] * 3 - 1)
    assert np.asarray(Image.open(tmp_path / "grey.png")).shape == (32, 48)
    with pytest.raises(OutputError):
        picture.write(tmp_path / "out.png", values)
