"""Tokens of a recording or an image as a file: NumPy's .npz, checked when it is read."""

import math
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from voxfield.errors import InputError
from voxfield.files import reason_of, refuse_existing, written_whole
from voxfield.tasks.tokens.code_maps import Codes

MOST_BYTES = 1 << 30  # of the content, unpacked
MOST_DB = 300.0  # of a level; that of silence is -100
KINDS = ("sound", "image")
OUTPUT_OF = {"sound": "a sound file, such as out.wav", "image": "a .png file"}


@dataclass(frozen=True, eq=False)
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
        return CodeUse.of(self.codes, self.codebook).bits

    def use(self) -> tuple[float, float]:
        """(Share of the codebook that is used, perplexity of all codes together)."""
        use = CodeUse.of(self.codes, self.codebook)
        return use.used, use.perplexity

    def facts(self) -> dict[str, Any]:
        """All but the codes."""
        return {item.name: getattr(self, item.name) for item in fields(self) if item.name != "codes"}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a line of JSON, without the codes."""
        return self.facts() | CodeUse.of(self.codes, self.codebook).to_dict()


@dataclass(frozen=True, eq=False)
class CodeUse:
    """How codes of a shape use their codebook.

    Attributes:
        shape: (tiles, C, T).
        counts: (codebook,) how often each entry occurs.
    """

    shape: tuple[int, ...]
    counts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, codes: Codes, codebook: int) -> Self:
        """That of these codes."""
        return cls(codes.shape, np.bincount(codes.ravel(), minlength=codebook))

    @property
    def bits(self) -> float:
        """What the codes cost, each as many bits as its codebook needs."""
        return float(math.prod(self.shape) * np.log2(max(len(self.counts), 1)))

    @property
    def used(self) -> float:
        """Share of the codebook that occurs."""
        return float((self.counts > 0).mean()) if len(self.counts) else 0.0

    @property
    def perplexity(self) -> float:
        """Of all codes together."""
        shares = self.counts[self.counts > 0] / max(math.prod(self.shape), 1)
        return float(np.exp(-(shares * np.log(shares)).sum()))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for a line of JSON."""
        return {"shape": list(self.shape), "bits": self.bits, "used": self.used, "perplexity": self.perplexity}


def refuse_kind(kind: str, wanted: str) -> None:
    """Raise InputError where codes of a sound are to become an image, or the other way round."""
    if kind != wanted:
        article = "an" if kind == "image" else "a"
        raise InputError(f"these are tokens of {article} {kind}, and become {OUTPUT_OF[kind]}")


def check_tokens_file(path: Path, *, overwrite: bool = False) -> None:
    """Return when tokens can be written there.

    Raises:
        InputError: a suffix other than .npz.
        OutputError: it exists and may not be replaced.
    """
    if path.suffix.lower() != ".npz":
        raise InputError(f"tokens are written to an .npz file, not to '{path.name}'")
    refuse_existing(path, overwrite)


def save_tokens(path: Path, tokens: Tokens, *, overwrite: bool = False) -> None:
    """Write the file, which appears only when it is whole.

    Raises:
        InputError: a suffix other than .npz.
        OutputError: it exists and may not be replaced, or cannot be written.
    """
    check_tokens_file(path, overwrite=overwrite)
    write_tokens(path, tokens, tokens.codes.shape[2], [tokens.codes], overwrite=overwrite)


def write_tokens(path: Path, about: Tokens, steps: int, pieces: Iterable[Codes], *, overwrite: bool = False) -> CodeUse:
    """Write a file of tokens whose codes (C, T), or (tiles, C, T), come piece by piece along T; how they are used.

    Args:
        about: all but the codes, whose steps are not looked at.
        steps: T in all, as a file begins with it.

    Raises:
        OutputError: it exists and may not be replaced, or cannot be written.
    """
    shape = (*about.codes.shape[:2], steps)
    counts = np.zeros(about.codebook, np.int64)
    kind = np.dtype(np.uint16 if about.codebook <= 1 << 16 else np.uint32).newbyteorder("<")
    header = {"descr": kind.str, "fortran_order": True, "shape": shape}  # steps lie furthest apart
    write_header: Callable[..., None] = np.lib.format.write_array_header_1_0
    with (
        written_whole(path, overwrite=overwrite) as partial,
        zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        with archive.open("codes.npy", "w", force_zip64=True) as member:
            write_header(member, header)
            for piece in pieces:
                counts += np.bincount(piece.ravel(), minlength=about.codebook)
                member.write(piece.astype(kind).tobytes(order="F"))
        for key, value in about.facts().items():
            with archive.open(f"{key}.npy", "w") as member:
                np.lib.format.write_array(member, np.array(value))
    return CodeUse(shape, counts)


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
            if missing := [item.name for item in fields(Tokens) if item.name not in file.files]:
                raise InputError(f"{path} is no file of tokens: it lacks '{missing[0]}'")
            values = {item.name: file[item.name] for item in fields(Tokens)}
    except InputError:
        raise
    except FileNotFoundError as error:
        raise InputError(f"there is no file {path}") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {reason_of(error)}") from error
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
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
    tokens = Tokens(codes=codes.astype(np.int64, order="C"), **plain)
    if tokens.kind not in KINDS or tokens.codebook < 1 or not abs(tokens.level_db) <= MOST_DB:
        raise InputError(f"{path} is no file of tokens: its kind, codebook or level is out of range")
    if min(tokens.rate_hz, tokens.count_samples, tokens.frames, tokens.width_px, tokens.height_px) < 0:
        raise InputError(f"{path} is no file of tokens: it holds sizes below 0")
    if tokens.codes.min() < 0 or tokens.codes.max() >= tokens.codebook:
        worst = int(tokens.codes.max() if tokens.codes.max() >= tokens.codebook else tokens.codes.min())
        raise InputError(
            f"{path} holds the code {worst}, but its codebook has entries 0 to {tokens.codebook - 1}: it is damaged"
        )
    return tokens
