"""Whether the bytes of a file are those that were published."""

import hashlib
from pathlib import Path

from voxfield.cards.card import FileRecord
from voxfield.errors import IntegrityError


def verify(path: Path, record: FileRecord) -> bytes:
    """The bytes of a file of the package, which have the recorded size and sha256.

    Raises:
        IntegrityError: they have not, or it is not there.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise IntegrityError(f"the weights {path} cannot be read ({error.strerror}); reinstall voxfield") from error
    check(content, record, f"the weights {path}", "reinstall voxfield")
    return content


def check(content: bytes, record: FileRecord, what: str, advice: str) -> None:
    """Return when the bytes have the recorded size and sha256.

    Raises:
        IntegrityError: they have not; the message begins with `what` they are and ends with `advice`.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    if (sha256, len(content)) != (record.sha256, record.bytes):
        raise IntegrityError(
            f"{what} are not the published ones: sha256 {sha256[:12]}... in {len(content)} bytes, "
            f"but the card says {record.sha256[:12]}... in {record.bytes}; {advice}"
        )


def file_record(path: Path) -> FileRecord:
    """Name, sha256 and size of a file, as its card records them."""
    content = path.read_bytes()
    return FileRecord(path.name, hashlib.sha256(content).hexdigest(), len(content))
