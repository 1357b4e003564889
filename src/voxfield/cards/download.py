"""Weights that do not come with the package: fetched once, checked, and kept in a cache folder.

A download that breaks goes on where it stopped, in the same call or in a later one. It is written beside its place and
moved there only when its sha256 is the published one; of several processes, one downloads and the others wait.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from voxfield.cards.card import FileRecord
from voxfield.cards.integrity import check
from voxfield.errors import DownloadError, IntegrityError, OutputError
from voxfield.files import home_spelt

CACHE, OFFLINE = "VOXFIELD_CACHE", "VOXFIELD_OFFLINE"  # environment variables
CHUNK_BYTES = 1 << 16
TIMEOUT_S = 30.0
MOST_CONNECTIONS = 20  # of one call, each of which brought something

Shown = Callable[[int], None]  # called with the bytes that are there


def cache_folder() -> Path:
    """Where downloaded weights are kept: `VOXFIELD_CACHE`, or the place that the system has for caches."""
    if chosen := os.environ.get(CACHE):
        return home_spelt(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("voxfield", appauthor=False)


def offline() -> bool:
    """Whether nothing may be downloaded: `VOXFIELD_OFFLINE` is set, to anything but 0, false or no."""
    return os.environ.get(OFFLINE, "").strip().lower() not in ("", "0", "false", "no")


def fetch(record: FileRecord) -> tuple[Path, bytes]:
    """A published file in the cache and its bytes, whose sha256 holds; downloaded where it is not there yet.

    Raises:
        DownloadError: it is not there, and downloading is not allowed, failed or broke off.
        IntegrityError: what was downloaded is not the published file; it was deleted.
        OutputError: the cache folder cannot be written.
    """
    from filelock import FileLock

    place = cache_folder() / record.name
    try:
        if (content := _kept(record, place)) is not None:
            return place, content
        if offline():
            raise DownloadError(
                f"{_wanted(record)} are not here, and nothing may be downloaded; {_by_hand(record, place)}"
            )
        place.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(place.with_name(f"{place.name}.lock")):
            if (content := _kept(record, place)) is None:  # another process may have brought it meanwhile
                content = _downloaded(record, place)
        return place, content
    except DownloadError:
        raise
    except (OSError, NotImplementedError) as error:  # the latter where a file system knows no locks
        raise OutputError(
            f"the weights cannot be kept in {place.parent}: {getattr(error, 'strerror', None) or error}; "
            f"set {CACHE} to a folder that can be written"
        ) from error


def _kept(record: FileRecord, place: Path) -> bytes | None:
    """The bytes of a file in the cache, None where there is none; one that is not the published file is deleted."""
    try:
        content = place.read_bytes()
    except FileNotFoundError:
        return None
    advice = f"the file was deleted; try again to download it, or {_by_hand(record, place)}"
    return _checked(content, record, place, place, advice)


def _downloaded(record: FileRecord, place: Path) -> bytes:
    """The bytes of a file that is now in its place."""
    part = place.with_name(f"{place.name}.part")
    if _size(part) > record.bytes:  # of an earlier file of this name
        part.unlink()
    with _progress(record) as shown:
        for _ in range(MOST_CONNECTIONS):
            before = _size(part)
            if before == record.bytes:
                break
            problem = _receive(record, part, shown)
            there = _size(part)
            if there <= before:
                raise DownloadError(
                    f"{_wanted(record)} cannot be downloaded: {problem}; {there} bytes are kept and the next try goes "
                    f"on from there; {_by_hand(record, place)}"
                )
    content = part.read_bytes()
    if len(content) < record.bytes:
        raise DownloadError(f"{_wanted(record)} broke off {MOST_CONNECTIONS} times; try again to go on from there")
    _checked(content, record, record.url, part, f"they were deleted; {_by_hand(record, place)}")
    part.replace(place)
    return content


def _checked(content: bytes, record: FileRecord, origin: object, file: Path, advice: str) -> bytes:
    """The bytes of a file, which is deleted where they are not the published ones."""
    try:
        check(content, record, f"the weights at {origin}", advice)
    except IntegrityError:
        file.unlink(missing_ok=True)
        raise
    return content


def _receive(record: FileRecord, part: Path, shown: Shown) -> str:
    """Append to the part of a file what one connection brings; why it ended before the file did."""
    start = _size(part)
    request = Request(record.url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urlopen(request, timeout=TIMEOUT_S)  # the card allows http and https only
    except HTTPError as error:
        if error.code == 416:
            part.unlink(missing_ok=True)
            raise IntegrityError(_not_published(record, f"it ends within {start} bytes")) from error
        return f"the server answers {error.code} {error.reason}"
    except (OSError, HTTPException, ValueError) as error:
        return f"no connection: {getattr(error, 'reason', None) or error}"
    with response:
        went_on = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {start}-")
        start = start if went_on else 0
        if response.length is not None and start + response.length != record.bytes:
            part.unlink(missing_ok=True)
            raise IntegrityError(_not_published(record, f"it has {start + response.length} bytes"))
        with part.open("ab" if went_on else "wb") as file:
            while start < record.bytes:
                try:
                    chunk = response.read(min(CHUNK_BYTES, record.bytes - start))
                except (OSError, HTTPException) as error:
                    return f"the connection broke: {error}"
                if not chunk:
                    return "the connection ended too soon"
                file.write(chunk)
                start += len(chunk)
                shown(start)
    return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _not_published(record: FileRecord, why: str) -> str:
    return f"the file at {record.url} is not the published one: {why}, but the card says {record.bytes}; it was deleted"


def _wanted(record: FileRecord) -> str:
    return f"the weights {record.name} ({record.bytes / 1e6:.1f} MB)"


def _by_hand(record: FileRecord, place: Path) -> str:
    return f"by hand: get {record.url} and put it at {place}"


@contextlib.contextmanager
def _progress(record: FileRecord) -> Iterator[Shown]:
    """A bar on a terminal, and nothing elsewhere."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda there: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=False) as bar:
        task = bar.add_task(record.name, total=record.bytes)
        yield lambda there: bar.update(task, completed=there)
