"""An image of a file: .png with numpy alone, photographs of other formats with the extra [image]."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voxfield.errors import InputError, MissingExtraError
from voxfield.files import written_whole
from voxfield.formats import IMAGES
from voxfield.images import png
from voxfield.protocols import Array


@dataclass(frozen=True)
class Picture:
    """An image.

    Attributes:
        values: (C, H, W) from 0 to 1, one channel or three.
        clear: whether some of it was transparent, and was laid over white.
    """

    values: Array
    clear: bool


def read(path: Path) -> Picture:
    """The image of a file.

    Raises:
        InputError: no such file, or none that can be read; the message says why.
        MissingExtraError: it is no .png file, and Pillow is not installed.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    try:
        pixels = png.decode(content) if content.startswith(png.SIGNATURE) else _others(path)
    except InputError as error:
        raise InputError(f"{path} is no image that can be read: {error}") from error
    values = pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(np.iinfo(pixels.dtype).max)
    if len(values) in (1, 3):
        return Picture(values, False)
    shown, opacity = values[:-1], values[-1:]
    return Picture(shown * opacity + (1 - opacity), bool((opacity < 1).any()))


def write(path: Path, values: Array, *, overwrite: bool = False) -> None:
    """Write (C, H, W) from 0 to 1, of one channel or three, as a .png file.

    Raises:
        OutputError: it exists and may not be replaced, or cannot be written.
    """
    pixels = np.round(255 * np.clip(values, 0, 1)).astype(np.uint8).transpose(1, 2, 0)
    with written_whole(path, overwrite=overwrite) as partial:
        partial.write_bytes(png.encode(np.ascontiguousarray(pixels)))


def _others(path: Path) -> Any:
    """(H, W, C) 8-bit pixels of a file that Pillow reads, upright."""
    if path.suffix.lower() not in IMAGES[1:]:
        raise InputError(f"it is none of {', '.join(IMAGES)}, or damaged at its beginning")
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise MissingExtraError("pillow", "image", f"reading {path}", ", or give it as .png") from error
    try:
        with Image.open(path, formats=["JPEG", "WEBP", "BMP", "TIFF"]) as opened:
            if opened.width * opened.height > png.MOST_PIXELS:
                raise InputError(f"it has {opened.width} x {opened.height} pixels; that is too large")
            shown = ImageOps.exif_transpose(opened)
            grey = shown.mode in ("1", "L", "LA")
            clear = shown.has_transparency_data
            pixels = np.asarray(shown.convert(("LA" if clear else "L") if grey else ("RGBA" if clear else "RGB")))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(str(error)) from error
    return pixels if pixels.ndim == 3 else pixels[..., None]
