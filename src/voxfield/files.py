"""Files that appear only when they are whole: written beside their target and renamed, or gone.

The temporary file is locked while its process lives, so a later run knows what a killed one left, and removes it.
"""

import os
import reprlib
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Any, Self

from voxfield.errors import InputError, OutputError

PREFIX, SUFFIX = ".voxfield-", ".part"
_SETTLED_S = 60.0  # a younger temporary file may not be locked yet
_PROBE_BYTES = 1 << 20


def path_of(given: object) -> Path:
    """What a caller gave as the name of a file or folder, `~` spelt out.

    Raises:
        InputError: it is no name, or an empty one.
    """
    if not isinstance(given, str | os.PathLike):
        raise InputError(f"a file is named by a str or a path, not by {reprlib.repr(given)}")
    if not (name := os.fsdecode(given)):
        raise InputError("the path is empty; name a file")
    return home_spelt(name)


def home_spelt(path: str | os.PathLike[str]) -> Path:
    """The path with `~` at its beginning spelt out, or as it is where nobody has that home."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  Path.expanduser raises RuntimeError there


def followed(path: Path) -> Path:
    """Where a path leads, absolute and without links; links that lead in a circle stay."""
    return Path(os.path.realpath(path))  # Path.resolve raises RuntimeError there


def in_text(name: str) -> str:
    r"""The name of a file as UTF-8 can hold it: bytes of another encoding as escapes.

    >>> print(in_text("r\udce9sum\udce9.wav"))
    r\udce9sum\udce9.wav
    """
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def text_of(path: Path) -> str:
    """What a text file of a user says, without the mark that editors of Windows put before UTF-8.

    Raises:
        OSError, UnicodeDecodeError: it cannot be read.
    """
    return path.read_text(encoding="utf-8-sig")


def reason_of(error: Exception) -> str:
    """Why the system refused, without number and name of the file, or what another error says."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


@contextmanager
def written_whole(path: Path, *, overwrite: bool = True) -> Iterator[Path]:
    """The path to write to; it becomes `path` when the block ends, and nothing is left when the block raises.

    The file gets the mode that the umask leaves, and missing folders are made.

    Raises:
        OutputError: the target exists and may not be replaced, is no ordinary file, or cannot be written.
    """
    with PartFile(path, overwrite=overwrite) as part:
        with refused(f"{path} could not be written to its end"):
            yield part.path
        part.commit()


@contextmanager
def refused(words: str) -> Iterator[None]:
    """What the system refuses, as an OutputError of these words and the reason; that a reader has left passes."""
    try:
        yield
    except (OutputError, BrokenPipeError):
        raise
    except OSError as error:
        raise OutputError(f"{words}: {reason_of(error)}") from error


class Closing:
    """What is closed when its `with` block ends."""

    def close(self) -> None:
        """Let go of the file, or of whatever is held."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class PartFile:
    """A temporary file beside its target, or where a link leads; `commit` renames it, leaving without it removes it.

    Args:
        target: where the file shall be; its folder is made where it is missing.
        overwrite: replace what is there.

    Raises:
        OutputError: the target exists and may not be replaced, is no ordinary file, or cannot be written.
    """

    def __init__(self, target: Path, *, overwrite: bool = False) -> None:
        if "\0" in str(target):
            raise OutputError(f"{str(target)!r} cannot be the name of a file: it holds a zero byte")
        refuse_existing(target, overwrite)
        target = followed(target) if target.is_symlink() else target  # a link stays, as with `>` of a shell
        self.target, self._overwrite, self._left = target, overwrite, False
        self.path = target.with_name(f"{PREFIX}{secrets.token_hex(6)}{SUFFIX}")
        try:
            with refused(f"{target} cannot be written"):
                _make_folder(target.parent)
                self._lock = self.path.open("xb")
            locked(self._lock)
            _remove_abandoned(followed(target.parent))
        except BaseException:  # an interrupt as well
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
            raise

    def commit(self) -> None:
        """Give the file its name.

        Raises:
            OutputError: something took the name in the meantime, or it cannot be renamed.
        """
        refuse_existing(self.target, self._overwrite)
        self._lock.close()
        with refused(f"{self.target} cannot be written"):
            self.path.replace(self.target)

    def leave(self) -> Path:
        """Where the file is: it stays under its temporary name, for whoever takes it within a minute."""
        self._lock.close()
        self._left = True
        return self.path

    def discard(self) -> None:
        """Remove the file, unless it was committed or left."""
        self._lock.close()
        if self._left:
            return
        self.path.unlink(missing_ok=True)

    def refusal(self) -> str:
        """Why the system takes no more bytes (a full disk, a quota, a limit of size), or nothing if it does."""
        try:
            with self.path.open("ab") as file:
                file.write(bytes(_PROBE_BYTES))
        except OSError as error:
            return reason_of(error)
        return ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.discard()


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Return when nothing is there, or a file that may be replaced.

    Raises:
        OutputError: something is there, or the system does not say.
    """
    with refused(f"{path} cannot be written"):
        exists, folder, file = path.exists(), path.is_dir(), path.is_file()
    if folder:
        raise OutputError(f"{path} is a folder, not a file to write")
    if exists and not file:
        raise OutputError(f"{path} is no ordinary file and is never replaced; to write to a pipe, redirect -o - to it")
    if exists and not overwrite:
        raise OutputError(f"{path} exists already; allow it to be replaced with --overwrite (overwrite=True)")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise NotADirectoryError(error.errno, f"{folder} is no folder") from error


@cache  # once a folder and process
def _remove_abandoned(folder: Path) -> None:
    remove_abandoned(folder, _SETTLED_S)


def remove_abandoned(folder: Path, settled_s: float = 0.0) -> None:
    """Remove what killed runs left in a folder: temporary files that nobody holds locked.

    Args:
        settled_s: files that were written to in the last so many seconds are left, as they may not be locked yet.
    """
    with suppress(OSError):
        for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
            with suppress(OSError):
                if abs(time.time() - path.stat().st_mtime) >= settled_s:  # either way: clocks may go backwards
                    with path.open("rb") as file:
                        free = locked(file)
                    if free:
                        path.unlink()


def locked(file: IO[Any]) -> bool | None:
    """Whether this process could take the lock of a file, which ends with the process or with closing the file.

    False is that another one has it; None that the system has no locks there.
    """
    if os.name == "nt":  # an open file cannot be removed there, which serves as well
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
