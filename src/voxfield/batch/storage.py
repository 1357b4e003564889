"""Files where they lie: local paths by the system's own calls, URLs (s3://, gs://, https:// ...) by fsspec."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from voxfield.errors import AudioError, InputError, MissingExtraError, OutputError


def is_url(path: str) -> bool:
    """Whether a path names a file elsewhere, such as `s3://bucket/a.wav`.

    >>> is_url("gs://bucket/a.wav"), is_url("/data/a.wav"), is_url("C:/a.wav")
    (True, False, False)
    """
    return "://" in path


def joined(base: str, path: str) -> str:
    """A path relative to a folder; URLs and absolute paths are what they are."""
    if is_url(path) or path.startswith("/") or not base:
        return path
    return f"{base}/{path}"


def relative(path: str, folder: str) -> str:
    """The path below a folder that it lies in."""
    return path[len(folder.rstrip("/")) :].lstrip("/")


def parent(path: str) -> str:
    """The folder that a file lies in."""
    return path.rpartition("/")[0] if "/" in path else ""


def is_folder(path: str) -> bool:
    """Whether it is a folder that exists."""
    if not is_url(path):
        return Path(path).is_dir()
    with _translated(path, InputError):
        return bool(_system(path).isdir(path))


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """A file to read from front to back.

    Raises:
        InputError: it cannot be read.
    """
    with ExitStack() as stack:
        with _translated(path, InputError):
            file: IO[bytes] = _system(path).open(path, "rb") if is_url(path) else Path(path).open("rb")  # noqa: SIM115
            stack.enter_context(file)
        yield file


def walk(folder: str, below: str = "") -> Iterator[tuple[str, list[str]]]:
    """(folder, names of its files) of all folders below one, in order; `below` and what lies in it are passed over."""
    if is_url(folder):
        with _translated(folder, InputError):
            for place, _, names in _system(folder).walk(folder):
                yield f"{folder.partition('://')[0]}://{place}", sorted(names)
        return
    apart = os.path.realpath(below) if below else ""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not apart or os.path.realpath(f"{place}/{name}") != apart)
        yield place, names


def signature(path: str) -> str:
    """Size and time of change of a local file, which together change when its content does; empty where unknown."""
    if is_url(path):
        return ""
    try:
        found = os.stat(path)  # noqa: PTH116  # a million of these
    except (OSError, ValueError):
        return ""
    return f"{found.st_size}-{found.st_mtime_ns}"


@contextmanager
def local(path: str) -> Iterator[Path]:
    """The file as one on this machine: itself, or a copy of what a URL names.

    Raises:
        AudioError: it cannot be had.
    """
    if not is_url(path):
        yield Path(path)
        return
    with tempfile.TemporaryDirectory(prefix="voxfield-") as folder:
        copy = Path(folder) / PurePosixPath(path.partition("?")[0]).name
        with _translated(path, AudioError):
            _system(path).get_file(path, str(copy))
        yield copy


def put(file: Path, url: str) -> None:
    """Copy a finished file to a URL; object stores show it only when it is whole.

    Raises:
        OutputError: it cannot be put there.
    """
    with _translated(url, OutputError):
        system = _system(url)
        if not getattr(system, "bucket_based", False) and "local" in system.protocol:
            system.makedirs(parent(url), exist_ok=True)
        system.put_file(str(file), url)


def exists(path: str) -> bool:
    """Whether something is there."""
    if not is_url(path):
        return os.path.lexists(path)
    with _translated(path, OutputError):
        return bool(_system(path).exists(path))


def matching(folder: str, pattern: str) -> list[str]:
    """Names of the files directly in a folder that match a pattern; none where there is no folder."""
    if not is_url(folder):
        return sorted(path.name for path in Path(folder).glob(pattern))
    with _translated(folder, OutputError):
        found = _system(folder).glob(f"{folder.rstrip('/')}/{pattern}")
        return sorted(PurePosixPath(path).name for path in found)


def remove(path: str) -> None:
    """Remove a file.

    Raises:
        OutputError: it cannot be removed.
    """
    with _translated(path, OutputError):
        if is_url(path):
            _system(path).rm_file(path)
        else:
            Path(path).unlink(missing_ok=True)


def _system(url: str) -> Any:
    """The file system of a URL.

    Raises:
        MissingExtraError: fsspec, or what it needs for this kind of URL, is not installed.
    """
    try:
        import fsspec

        return fsspec.core.url_to_fs(url)[0]
    except ImportError as error:
        scheme = url.partition("://")[0]
        raise MissingExtraError(error.name or "fsspec", "batch", f"reaching {scheme}://", f" ({error})") from error


@contextmanager
def _translated(path: str, kind: type[InputError] | type[OutputError]) -> Iterator[None]:
    """What goes wrong with files and networks, as one kind of error."""
    try:
        yield
    except (MissingExtraError, InputError, OutputError):
        raise
    except Exception as error:  # the clients of object stores share no base
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise kind(f"{path} cannot be {'written' if kind is OutputError else 'read'}: {reason}") from error
