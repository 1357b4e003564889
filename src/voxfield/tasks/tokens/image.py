"""An image as tokens and back, tile by tile: what does not fill a tile is filled with its last rows and columns."""

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from voxfield.errors import InputError, MissingExtraError
from voxfield.files import written_whole
from voxfield.protocols import Array, Engine
from voxfield.tasks.tokens.recording import decoder_of, weights_of
from voxfield.tasks.tokens.token_file import Tokens, refuse_kind
from voxfield.tasks.work import Model, engine_for

SUFFIXES = (".png",)


def tokenize_image(path: str | PathLike[str], *, model: Model, threads: int = 1) -> tuple[Tokens, tuple[str, ...]]:
    """(Tokens of a .png image, what the user should know); needs the extra [image].

    Raises:
        InputError: no such file, no image, or a model for something else.
        UnknownModelError, CardError: the model cannot be had.
    """
    engine = engine_for(model, "tokenize", threads=threads)
    face = engine.card.interface
    if face.input.kind != "image":
        raise InputError(f"{engine.card.name} makes tokens of {face.input.kind}, not of an image; name another --model")
    pixels, grey, notes = _read(Path(path), int(face.input.shape[0]))
    side, (_, height, width) = int(face.input.shape[1]), pixels.shape
    padded = np.pad(pixels, ((0, 0), (0, -height % side), (0, -width % side)), mode="edge")
    codes = [
        engine.step(np.ascontiguousarray(padded[None, :, row : row + side, column : column + side]), ())[0][0]
        for row in range(0, padded.shape[1], side)
        for column in range(0, padded.shape[2], side)
    ]
    tokens = Tokens(
        np.stack(codes), "image", engine.card.name, weights_of(engine), face.codes,
        width_px=width, height_px=height, grey=grey,
    )  # fmt: skip
    return tokens, notes


def image_of(tokens: Tokens, *, model: Model | None = None, threads: int = 1) -> Array:
    """The image that tokens stand for, (C, H, W) from 0 to 1.

    Raises:
        InputError: tokens of another model, damaged, or of a recording.
        UnknownModelError, CardError: the model cannot be had.
    """
    refuse_kind(tokens.kind, "image")
    engine = decoder_of(tokens, model, threads=threads)
    channels, side, _ = map(int, engine.card.interface.output.shape)
    down, across = -(-tokens.height_px // side), -(-tokens.width_px // side)
    if down * across != len(tokens.codes) or not down * across:
        raise InputError(
            f"{tokens.width_px} x {tokens.height_px} pixels are {down * across} tiles, and there are "
            f"{len(tokens.codes)}: some were cut off or added"
        )
    image = np.zeros((channels, down * side, across * side), np.float32)
    for number, codes in enumerate(tokens.codes):
        row, column = divmod(number, across)
        tile = _of_tile(engine, codes)
        image[:, row * side : (row + 1) * side, column * side : (column + 1) * side] = tile
    image = image[:, : tokens.height_px, : tokens.width_px]
    image = image.mean(axis=0, keepdims=True) if tokens.grey else image
    return np.clip((image + 1) / 2, 0, 1)


def save_image(path: Path, image: Array, *, overwrite: bool = False) -> None:
    """Write (C, H, W) from 0 to 1 as a .png file.

    Raises:
        OutputError: it exists and may not be replaced, or cannot be written.
        MissingExtraError: Pillow is not installed.
    """
    pillow = _pillow()
    pixels = np.round(255 * image).astype(np.uint8)
    shown = pillow.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    with written_whole(path, overwrite=overwrite) as partial, partial.open("wb") as file:
        shown.save(file, format="PNG")


def _of_tile(engine: Engine, codes: np.ndarray) -> Array:
    needed = engine.card.interface.input.shape
    if codes.shape != needed:
        raise InputError(f"a tile of tokens has shape {list(codes.shape)}; {list(needed)} is needed")
    tile: Array = engine.step(codes[None], ())[0][0]
    return tile


def _read(path: Path, channels: int) -> tuple[Array, bool, tuple[str, ...]]:
    """((channels, H, W) from -1 to 1, whether it is grey, notes)."""
    pillow = _pillow()
    try:
        with pillow.open(path, formats=["PNG"]) as opened:
            has_alpha = opened.has_transparency_data
            grey = opened.mode in ("1", "L", "LA", "I", "I;16", "I;16B")
            deep = opened.mode.startswith("I")
            shown = opened.convert("RGBA") if has_alpha and not deep else opened
            if deep:
                samples = np.asarray(shown, np.float32)[..., None] / 65535
            elif has_alpha:
                rgba = np.asarray(shown, np.float32) / 255
                samples = rgba[..., :3] * rgba[..., 3:] + 1 - rgba[..., 3:]
            else:
                samples = np.asarray(shown.convert("L" if grey else "RGB"), np.float32) / 255
                samples = samples[..., None] if samples.ndim == 2 else samples
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except (OSError, ValueError, SyntaxError, pillow.DecompressionBombError) as error:
        raise InputError(f"{path} is no .png image that can be read: {error}") from error
    if samples.shape[2] != channels:
        samples = np.repeat(samples.mean(axis=2, keepdims=True), channels, axis=2)
    notes = ("transparent parts were laid over white, and their transparency is lost",) if has_alpha else ()
    colours = () if grey or channels > 1 else ("colours are lost: the network sees grey",)
    return np.ascontiguousarray(2 * samples.transpose(2, 0, 1) - 1), grey or channels == 1, (*notes, *colours)


def _pillow() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("pillow", "image", "reading and writing images") from error
    return Image
