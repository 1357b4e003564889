"""What a result is a result of: hash(content of the recording, model file, options)."""

import hashlib
from functools import lru_cache
from pathlib import Path

from voxfield.cards import resolve

HASH_BYTES = 16


def short_hash(*parts: str | bytes) -> bytes:
    """Hash of texts, each apart from the next."""
    state = hashlib.blake2b(digest_size=HASH_BYTES)
    for part in parts:
        content = part if isinstance(part, bytes) else part.encode("utf-8", "surrogateescape")
        state.update(len(content).to_bytes(8, "little"))
        state.update(content)
    return state.digest()


def row_key(source: str, name: str) -> bytes:
    """By which the ledger knows a row of a manifest: what is read, and what its result is called."""
    return hashlib.blake2b(f"{source}\0{name}".encode("utf-8", "surrogateescape"), digest_size=HASH_BYTES).digest()


def model_hash(model: str) -> str:
    """sha256 of the file of a model.

    Raises:
        UnknownModelError, IntegrityError, DownloadError: see `voxfield.cards.resolve`.
    """
    return _file_hash(resolve(model)[1]).hex()


def identity(path: Path, segment: str, mark: bytes) -> bytes:
    """Of a result: the bytes of the recording, which part of it, and what is done to it."""
    found = path.stat()
    return short_hash(_content_hash(path, found.st_size, found.st_mtime_ns), segment, mark)


@lru_cache(maxsize=4)  # segments of one recording follow one another
def _content_hash(path: Path, count_bytes: int, changed_ns: int) -> bytes:
    return _file_hash(path)


def _file_hash(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
