"""Frames of features of many recordings as one file: NumPy's .npz, or .parquet where pyarrow is installed.

However long the recordings are, memory is that of a few seconds: frames wait on disk until all are there, as the file
begins with their number.
"""

import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from voxfield.cards import Card, Layer
from voxfield.errors import OutputError
from voxfield.files import written_whole
from voxfield.protocols import Array
from voxfield.tasks.representation.representer import field_times_s
from voxfield.tasks.speakers.embedding_file import check_file

PIECE_FRAMES = 3000  # written at once
TIMES = ("start_s", "centre_s", "end_s")


class FeaturesFile:
    """Frames on their way to a file.

    An .npz holds `features` (C, T), all recordings one after the other, `start_s`, `centre_s` and `end_s` (T,) of what
    each frame is made of, `name` (R,), `first_frame` (R + 1,), `model` and `layer`. A .parquet holds a row a frame:
    `name`, `frame`, the three times, `features` (C,), `model` and `layer`.

    Args:
        path: the file.
        card: of the model.
        layer: which one.
        overwrite: replace what is there.

    Raises:
        InputError: another suffix, or a package is missing for it.
        OutputError: nothing can be written there.
    """

    def __init__(self, path: Path, card: Card, layer: Layer, *, overwrite: bool = False) -> None:
        check_file(path)
        if path.exists() and not overwrite:
            raise OutputError(f"{path} exists already; allow it to be replaced with --overwrite (overwrite=True)")
        self._path, self._card, self._layer, self._overwrite = path, card, layer, overwrite
        self._frame_bytes = 4 * layer.channels
        self._names: list[str] = []
        self._first = [0]  # frame of each recording, and of the one that comes next
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._waiting: IO[bytes] = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 (closed in __exit__)
        except OSError as error:
            raise OutputError(f"{path} cannot be written: {error.strerror}") from error

    def take(self, features: Array) -> None:
        """Frames (C, T) of the recording under way."""
        try:
            self._waiting.write(np.ascontiguousarray(features.T, "<f4").tobytes())
        except OSError as error:
            raise OutputError(f"{self._path} cannot be written: {error.strerror}") from error

    def keep(self, name: str) -> None:
        """The recording under way ends here."""
        self._names.append(name)
        self._first.append(self._waiting.tell() // self._frame_bytes)

    def drop(self) -> None:
        """Forget the recording under way."""
        self._waiting.seek(self._first[-1] * self._frame_bytes)
        self._waiting.truncate()

    def save(self) -> None:
        """Write what was kept.

        Raises:
            OutputError: it cannot be written.
        """
        with written_whole(self._path, overwrite=self._overwrite) as partial:
            (self._save_npz if self._path.suffix.lower() == ".npz" else self._save_parquet)(partial)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.close()

    def _save_npz(self, partial: Path) -> None:
        with zipfile.ZipFile(partial, "w") as archive:
            _write(archive, "features", (self._layer.channels, self._first[-1]), "<f4",
                   (features.tobytes() for _, _, features in self._pieces()))  # fmt: skip
            for at, key in enumerate(TIMES):
                rows = (self._times(first, len(part))[at].tobytes() for _, first, part in self._pieces())
                _write(archive, key, (self._first[-1],), "<f8", rows)
            for key, values in (
                ("name", np.array(self._names, np.str_)),
                ("first_frame", np.array(self._first)),
                ("model", np.array(self._card.name)),
                ("layer", np.array(self._layer.name)),
            ):
                with archive.open(f"{key}.npy", "w") as member:
                    np.lib.format.write_array(member, values)

    def _save_parquet(self, partial: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = [("name", pa.string()), ("frame", pa.int64()), *((key, pa.float64()) for key in TIMES)]
        columns += [("features", pa.list_(pa.float32(), self._layer.channels))]
        schema = pa.schema([*columns, ("model", pa.string()), ("layer", pa.string())])
        with partial.open("wb") as file, pq.ParquetWriter(file, schema) as writer:
            for name, first, features in self._pieces():
                count = len(features)
                rows = [
                    pa.array([name] * count),
                    pa.array(np.arange(first, first + count)),
                    *map(pa.array, self._times(first, count)),
                    pa.FixedSizeListArray.from_arrays(pa.array(features.ravel()), self._layer.channels),
                    *(pa.array([text] * count) for text in (self._card.name, self._layer.name)),
                ]
                writer.write_batch(pa.record_batch(rows, schema=schema))

    def _pieces(self) -> Iterator[tuple[str, int, Any]]:
        """(Name of the recording, number of the first frame in it, frames (T, C)) in order."""
        self._waiting.seek(0)
        for name, begin, end in zip(self._names, self._first, self._first[1:], strict=False):
            for at in range(begin, end, PIECE_FRAMES):
                content = self._waiting.read(min(PIECE_FRAMES, end - at) * self._frame_bytes)
                yield name, at - begin, np.frombuffer(content, "<f4").reshape(-1, self._layer.channels)

    def _times(self, first: int, count: int) -> Any:
        return field_times_s(self._card.interface, self._layer, first, count)


def _write(archive: zipfile.ZipFile, key: str, shape: tuple[int, ...], dtype: str, content: Iterator[bytes]) -> None:
    """One array of an .npz, whose last axis lies furthest apart in the file: frame after frame."""
    with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
        header = {"descr": dtype, "fortran_order": True, "shape": shape}
        write_header: Callable[..., None] = np.lib.format.write_array_header_1_0
        write_header(member, header)
        for piece in content:
            member.write(piece)
