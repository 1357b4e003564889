"""An image of a file as numbers, and back, with Pillow, which is loaded when an image is there."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from voxfield.errors import InputError
from voxfield.files import written_whole
from voxfield.formats import IMAGES
from voxfield.protocols import Array

if TYPE_CHECKING:
    from PIL import Image

MOST_PIXELS = 64_000_000


@dataclass(frozen=True)
class Picture:
    """An image.

    Attributes:
        values: (C, H, W) from 0 to 1, one channel or three.
        clear: whether some of it was transparent, and was laid over white.
        frames: of the file, of an animation or pages; this is the first of them.
    """

    values: Array
    clear: bool
    frames: int = 1


def read(path: Path) -> Picture:
    """The image of a file, upright.

    Raises:
        InputError: no such file, or none that can be read; the message says why.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    most = f"at most {MOST_PIXELS / 1e6:g} million are read"
    try:
        with (
            warnings.catch_warnings(action="ignore"),  # of Pillow, whose limit is another
            Image.open(path, formats=["PNG", "JPEG", "WEBP", "BMP", "TIFF"]) as opened,
        ):
            if opened.width * opened.height > MOST_PIXELS:
                raise InputError(f"{path} has {opened.width} x {opened.height} pixels; {most}")
            frames = getattr(opened, "n_frames", 1)
            return replace(_in_numbers(ImageOps.exif_transpose(opened)), frames=frames)
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except IsADirectoryError as error:
        raise InputError(f"{path} is a folder, not an image") from error
    except UnidentifiedImageError as error:
        raise InputError(f"{path} is no image: none of {', '.join(IMAGES)}, or damaged at its beginning") from error
    except Image.DecompressionBombError as error:
        raise InputError(f"{path} has too many pixels; {most}") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"{path} is no image that can be read: {error}") from error


def write(path: Path, values: Array, *, overwrite: bool = False) -> None:
    """Write (C, H, W) from 0 to 1, of one channel or three, as a .png file.

    Raises:
        OutputError: it exists and may not be replaced, or cannot be written.
    """
    from PIL import Image

    pixels = np.round(255 * np.clip(values, 0, 1)).astype(np.uint8)
    shown = Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    with written_whole(path, overwrite=overwrite) as partial, partial.open("wb") as file:
        shown.save(file, format="PNG")


def _in_numbers(shown: Image.Image) -> Picture:
    if shown.mode[0] in "IF":  # grey in 16 bits, which `convert` would cut off at 255
        values = np.asarray(shown, np.float32)[None] / np.float32(65535)
        if shown.mode == "F" or values.max() > 1:
            raise ValueError("its pixels have 32 bits; save it with 8 or 16")
        return Picture(values, False)
    grey, clear = shown.mode in ("1", "L", "LA"), shown.has_transparency_data
    pixels = np.asarray(shown.convert(("LA" if clear else "L") if grey else ("RGBA" if clear else "RGB")), np.float32)
    values = (pixels if pixels.ndim == 3 else pixels[..., None]).transpose(2, 0, 1) / np.float32(255)
    if not clear:
        return Picture(values, False)
    colours, opacity = values[:-1], values[-1:]
    return Picture(colours * opacity + (1 - opacity), bool((opacity < 1).any()))
