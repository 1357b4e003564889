"""Tokens of a recording or an image as a file: NumPy's .npz, checked when it is read."""

import zipfile
import zlib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from voxfield.errors import InputError
from voxfield.files import written_whole

MOST_BYTES = 1 << 30  # of the content, unpacked
KINDS = ("sound", "image")


@dataclass(frozen=True)
class Tokens:
    """Codes, and what is needed to rebuild what they stand for.

    Attributes:
        codes: (tiles, C, T) whole numbers; a recording is one tile.
        kind: `sound` or `image`.
        model: full name of the network that made them.
        weights: the first eight hex digits of the hash of its weights.
        codebook: entries of its codebooks.
        level_db: mean level of the bands of a recording, which the codes do not hold.
        rate_hz, count_samples: of the recording.
        frames: log-mel frames of it.
        width_px, height_px: of the image.
        grey: whether the image has no colours.
    """

    codes: npt.NDArray[np.int64]
    kind: str
    model: str
    weights: str
    codebook: int
    level_db: float = 0.0
    rate_hz: int = 0
    count_samples: int = 0
    frames: int = 0
    width_px: int = 0
    height_px: int = 0
    grey: bool = False

    @property
    def bits(self) -> float:
        """What the codes cost, each as many bits as its codebook needs."""
        return float(self.codes.size * np.log2(max(self.codebook, 1)))

    def use(self) -> tuple[float, float]:
        """(Share of the codebook that is used, perplexity of all codes together)."""
        shares = np.bincount(self.codes.ravel(), minlength=self.codebook) / max(self.codes.size, 1)
        used = shares[shares > 0]
        return len(used) / self.codebook, float(np.exp(-(used * np.log(used)).sum()))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a line of JSON, without the codes."""
        used, perplexity = self.use()
        values = {key: value for key, value in asdict(self).items() if key != "codes"}
        return values | {"shape": list(self.codes.shape), "bits": self.bits, "used": used, "perplexity": perplexity}


def save_tokens(path: Path, tokens: Tokens, *, overwrite: bool = False) -> None:
    """Write the file, which appears only when it is whole.

    Raises:
        InputError: a suffix other than .npz.
        OutputError: it exists and may not be replaced, or cannot be written.
    """
    if path.suffix.lower() != ".npz":
        raise InputError(f"tokens are written to an .npz file, not to '{path.name}'")
    values = asdict(tokens) | {"codes": tokens.codes.astype(np.uint16 if tokens.codebook <= 1 << 16 else np.uint32)}
    with written_whole(path, overwrite=overwrite) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **values)


def load_tokens(path: Path) -> Tokens:
    """The tokens of a file.

    Raises:
        InputError: no such file, damaged, truncated, no file of tokens, or codes that are out of range.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            content_bytes = sum(item.file_size for item in archive.infolist())
        if content_bytes > MOST_BYTES:
            raise InputError(f"{path} unpacks to {content_bytes >> 20} MiB; at most {MOST_BYTES >> 20} are read")
        with np.load(path, allow_pickle=False) as file:
            values = {item.name: file[item.name] for item in fields(Tokens)}
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except KeyError as error:
        raise InputError(f"{path} is no file of tokens: it lacks {error}") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
        raise InputError(f"{path} is no file of tokens that can be read, or it is cut off: {error}") from error
    return _checked(path, values)


def _checked(path: Path, values: dict[str, Any]) -> Tokens:
    codes = values.pop("codes")
    kinds: dict[str, str] = {"model": "U", "weights": "U", "kind": "U", "level_db": "f", "grey": "b"}
    for name, value in values.items():
        if value.ndim or value.dtype.kind not in kinds.get(name, "iu"):
            raise InputError(f"{path}: '{name}' is {value.dtype} of shape {value.shape}, which tokens do not have")
    plain = {name: value.item() for name, value in values.items()}
    if codes.ndim != 3 or codes.dtype.kind not in "iu" or not codes.size:
        raise InputError(f"{path}: codes are whole numbers of shape (tiles, C, T), not {codes.dtype} {codes.shape}")
    tokens = Tokens(codes=codes.astype(np.int64), **plain)
    if tokens.kind not in KINDS or tokens.codebook < 1 or not np.isfinite(tokens.level_db):
        raise InputError(f"{path} is no file of tokens: its kind, codebook or level is out of range")
    if min(tokens.rate_hz, tokens.count_samples, tokens.frames, tokens.width_px, tokens.height_px) < 0:
        raise InputError(f"{path} is no file of tokens: it holds sizes below 0")
    if tokens.codes.min() < 0 or tokens.codes.max() >= tokens.codebook:
        worst = int(tokens.codes.max() if tokens.codes.max() >= tokens.codebook else tokens.codes.min())
        raise InputError(
            f"{path} holds the code {worst}, but its codebook has entries 0 to {tokens.codebook - 1}: it is damaged"
        )
    return tokens
