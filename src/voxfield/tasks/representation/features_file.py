"""Frames of features of many recordings as one file: NumPy's .npz, or .parquet where pyarrow is installed.

However long the recordings are, memory is that of a few seconds: frames wait on disk until all are there, as the file
begins with their number. Several processes may make them.
"""

import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from voxfield.audio import Source
from voxfield.cards import Card, Layer
from voxfield.files import Closing, PartFile, in_text, refuse_existing, refused, written_whole
from voxfield.protocols import Array, Engine
from voxfield.tasks.representation.recording import represent_into
from voxfield.tasks.representation.representer import field_times_s
from voxfield.tasks.speakers.embedding_file import check_file
from voxfield.tasks.work import Work

PIECE_FRAMES = 3000  # written at once
TIMES = ("start_s", "centre_s", "end_s")


def frames_of(source: Source, engine: Engine, layer: str, beside: Path) -> tuple[Work, Path]:
    """What was done with a recording, and the file beside another one that its frames wait in for `FeaturesFile.take`.

    Raises:
        OutputError: nothing can be written there; otherwise as `represent_into`.
    """
    with PartFile(beside, overwrite=True) as part, part.path.open("wb") as file:

        def take(features: Array) -> None:
            with refused(f"{beside} cannot be written"):
                file.write(np.ascontiguousarray(features.T, "<f4").tobytes())

        work = represent_into(source, engine, take, layer)
        with refused(f"{beside} cannot be written"):
            file.flush()
        return work, part.leave()


class FeaturesFile(Closing):
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
        refuse_existing(path, overwrite)
        self._path, self._card, self._layer, self._overwrite = path, card, layer, overwrite
        self._frame_bytes = 4 * layer.channels
        self._places: dict[str, tuple[int, int]] = {}  # first frame of each recording, and the one after its last
        with refused(f"{path} cannot be written"):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._waiting: IO[bytes] = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 (closed in `close`)

    @property
    def names(self) -> Sequence[str]:
        """The recordings that were taken."""
        return list(self._places)

    def take(self, name: str, frames: Path) -> None:
        """Add a recording; the file of `frames_of` is removed."""
        try:
            with refused(f"{self._path} cannot be written"), frames.open("rb") as file:
                first = self._waiting.seek(0, 2) // self._frame_bytes
                shutil.copyfileobj(file, self._waiting, 1 << 20)
                self._places[name] = (first, self._waiting.tell() // self._frame_bytes)
        finally:
            frames.unlink(missing_ok=True)

    def save(self, names: Sequence[str]) -> None:
        """Write these recordings, in this order.

        Raises:
            OutputError: it cannot be written.
        """
        self._order = names
        self._first = np.cumsum([0, *(end - begin for begin, end in map(self._places.__getitem__, names))])
        with written_whole(self._path, overwrite=self._overwrite) as partial:
            (self._save_npz if self._path.suffix.lower() == ".npz" else self._save_parquet)(partial)

    def close(self) -> None:
        """Forget what was not saved."""
        self._waiting.close()

    def _save_npz(self, partial: Path) -> None:
        with zipfile.ZipFile(partial, "w") as archive:
            _write(archive, "features", (self._layer.channels, int(self._first[-1])), "<f4",
                   (features.tobytes() for _, _, features in self._pieces()))  # fmt: skip
            for at, key in enumerate(TIMES):
                rows = (self._times(first, len(part))[at].tobytes() for _, first, part in self._pieces())
                _write(archive, key, (int(self._first[-1]),), "<f8", rows)
            for key, values in (
                ("name", np.array(self._order, np.str_)),
                ("first_frame", self._first),
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
                    pa.array([in_text(name)] * count),
                    pa.array(np.arange(first, first + count)),
                    *map(pa.array, self._times(first, count)),
                    pa.FixedSizeListArray.from_arrays(pa.array(features.ravel()), self._layer.channels),
                    *(pa.array([text] * count) for text in (self._card.name, self._layer.name)),
                ]
                writer.write_batch(pa.record_batch(rows, schema=schema))

    def _pieces(self) -> Iterator[tuple[str, int, Any]]:
        """(Name of the recording, number of the first frame in it, frames (T, C)) in order."""
        for name in self._order:
            begin, end = self._places[name]
            self._waiting.seek(begin * self._frame_bytes)
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
