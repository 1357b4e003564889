"""An image as tokens and back, tile by tile: what does not fill a tile is filled with its last rows and columns."""

from os import PathLike

import numpy as np

from voxfield.errors import InputError
from voxfield.files import path_of
from voxfield.images import picture
from voxfield.protocols import Array, Engine
from voxfield.tasks.tokens.recording import decoder_of, weights_of
from voxfield.tasks.tokens.token_file import Tokens, refuse_kind
from voxfield.tasks.work import Model, engine_for

TOKENIZER = "image-vqvae"


def tokenize_image(
    path: str | PathLike[str], *, model: Model = TOKENIZER, threads: int = 1
) -> tuple[Tokens, tuple[str, ...]]:
    """(Tokens of an image, what the user should know).

    Raises:
        InputError: no such file, no image, or a model for something else.
        UnknownModelError, CardError: the model cannot be had.
    """
    engine = image_tokenizer(model, threads=threads)
    shown = picture.read(path_of(path))
    notes = {
        "transparent parts were laid over white, and their transparency is lost": shown.clear,
        f"only the first of its {shown.frames} frames or pages is used": shown.frames > 1,
        "colours are lost: the network sees grey": len(shown.values) > int(engine.card.interface.input.shape[0]),
    }
    return tokens_of(shown.values, engine), tuple(note for note, said in notes.items() if said)


def image_tokenizer(model: Model = TOKENIZER, *, threads: int = 1) -> Engine:
    """The engine of a model that turns images into tokens.

    Raises:
        InputError: it is for another task, or takes something else.
    """
    engine = engine_for(model, "tokenize", threads=threads)
    kind = engine.card.interface.input.kind
    if kind != "image":
        raise InputError(f"{engine.card.name} makes tokens of {kind}, not of an image; name another --model")
    return engine


def tokens_of(image: Array, engine: Engine) -> Tokens:
    """The tokens of an image (C, H, W) from 0 to 1, of one channel or three."""
    face = engine.card.interface
    channels, side, _ = map(int, face.input.shape)
    (given, height, width), grey = image.shape, len(image) == 1 or channels == 1
    if given != channels:
        image = image.mean(axis=0, keepdims=True).repeat(channels, axis=0)
    padded = np.pad(2 * image - 1, ((0, 0), (0, -height % side), (0, -width % side)), mode="edge")
    codes = [
        engine.step(np.ascontiguousarray(padded[None, :, row : row + side, column : column + side]), ())[0][0]
        for row in range(0, padded.shape[1], side)
        for column in range(0, padded.shape[2], side)
    ]
    return Tokens(
        np.stack(codes), "image", engine.card.name, weights_of(engine), face.codes,
        width_px=width, height_px=height, grey=grey,
    )  # fmt: skip


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


def _of_tile(engine: Engine, codes: np.ndarray) -> Array:
    needed = engine.card.interface.input.shape
    if codes.shape != needed:
        raise InputError(f"a tile of tokens has shape {list(codes.shape)}; {list(needed)} is needed")
    tile: Array = engine.step(codes[None], ())[0][0]
    return tile
