"""An ONNX file as an engine: checked once against its card, then stepped."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from os import PathLike, fspath
from pathlib import Path

import numpy as np

from voxfield.cards import METADATA_KEY, Card, FileRecord, Port, find, lone_file, read
from voxfield.errors import CardError, InputError
from voxfield.ort import hash_graph, metadata, open_session
from voxfield.protocols import Array, Engine, State
from voxfield.runtime.foreign import foreign_engine
from voxfield.values import is_whole

MOST_THREADS = 1024  # beyond any machine


class OnnxEngine:
    """A model file that onnxruntime runs on the CPU. Nothing in it changes, so threads and streams may share one.

    Args:
        path: the .onnx file; its metadata holds the card.
        threads: threads within one step. One is the fastest for small networks.
        content: the bytes of that file, where they were read and verified before; it is then not read again.

    Raises:
        CardError: not an ONNX file, one that is not run (see `voxfield.ort.inspect`), no card in it, or inputs and
            outputs that are not those of the card.
    """

    def __init__(self, path: str | PathLike[str], *, threads: int = 1, content: bytes | None = None) -> None:
        _check_threads(threads)
        content = _read(Path(path)) if content is None else content
        card = _card(content)
        streams = card is not None and card.interface.streaming  # in blocks of few sizes
        self._session = open_session(content, str(path), threads=threads, few_shapes=streams)
        self.graph_sha256 = hash_graph(content)
        self._again = partial(load_engine, Path(path).absolute(), threads=threads)
        if card is None:
            raise CardError(
                f"{path} is an ONNX file without a card (metadata key '{METADATA_KEY}'), so it was not made by "
                f"voxfield; `voxfield export` writes files that carry one"
            )
        self._card = card
        inputs = {item.name: item.shape for item in self._session.get_inputs()}
        _check(self._card, inputs, {item.name for item in self._session.get_outputs()}, Path(path))
        self._free_batch = not isinstance(inputs["input"][0], int)
        self._inputs = ["input", *(f"state.{state.name}" for state in self._card.states)]
        self._outputs = ["output", *(f"next.{state.name}" for state in self._card.states)]

    @property
    def card(self) -> Card:
        """What the network is and expects."""
        return self._card

    def __repr__(self) -> str:
        return f"<OnnxEngine {self._card.name}>"

    def __deepcopy__(self, memo: object) -> "OnnxEngine":
        return self

    def __reduce__(self) -> tuple[Callable[[], Engine], tuple[()]]:
        return self._again, ()  # another process loads the file

    @property
    def free_batch(self) -> bool:
        """Whether the batch axis of the file is free; otherwise it is 1."""
        return self._free_batch

    def initial_state(self, batch: int = 1) -> State:
        """Zeros, one array a state of the card; the batch axis of a state is the one the file left free."""
        axes = self._batch_axes if batch != 1 else (None,) * len(self._card.states)
        return tuple(
            np.zeros([batch if at == axis else size for at, size in enumerate(state.shape)], np.float32)
            for state, axis in zip(self._card.states, axes, strict=True)
        )

    def step(self, block: Array, state: State) -> tuple[Array, State]:
        """Output and next state of one block; see `voxfield.protocols.Engine`.

        Raises:
            CardError: the file fails on a block of the shape that its card promises to take.
        """
        try:
            results = self._session.run(self._outputs, dict(zip(self._inputs, (block, *state), strict=True)))
        except Exception as error:  # onnxruntime's own exceptions share no other base
            raise CardError(f"{self._card.name} failed on a block of shape {block.shape}: {error}") from error
        return results[0], tuple(results[1:])

    @property
    def _batch_axes(self) -> tuple[int | None, ...]:
        """For each state the axis that is free in the file."""
        shapes = {item.name: item.shape for item in self._session.get_inputs()}
        free = []
        for state in self._card.states:
            axes = [at for at, size in enumerate(shapes[f"state.{state.name}"]) if not isinstance(size, int)]
            free.append(axes[0] if axes else None)
        return tuple(free)


def load_engine(model: str | PathLike[str] | Engine, *, threads: int = 1) -> Engine:
    """The engine of a published name, of an .onnx file, or the engine itself where one is given.

    The same file is loaded once. A file without a card is used where `voxfield.runtime.foreign` knows its program.

    Raises:
        InputError: something else than these.
        UnknownModelError, CardError, DownloadError, OutputError: see `voxfield.cards.resolve` and `OnnxEngine`.
    """
    if not isinstance(model, str | PathLike):
        if not isinstance(getattr(model, "card", None), Card):
            raise InputError(
                f"a model is a name that `voxfield models` lists, the path of an .onnx file or an engine, not {model!r}"
            )
        return model
    _check_threads(threads)
    if (path := lone_file(model)) is not None:
        status = path.stat()
        return _of_file(path.resolve(), status.st_mtime_ns, status.st_size, threads)
    card = find(fspath(model))
    engine = _published(card.name, card.file, threads)
    if engine.card.name != card.name:
        raise CardError(f"{card.name} of the registry is a file with the card '{engine.card.name}'; reinstall voxfield")
    return engine


@lru_cache(maxsize=8)
def _of_file(path: Path, changed_ns: int, count_bytes: int, threads: int) -> Engine:
    try:
        return OnnxEngine(path, threads=threads)
    except CardError:
        if (theirs := foreign_engine(path, threads)) is None:
            raise
        return theirs


@lru_cache(maxsize=8)
def _published(name: str, file: FileRecord | None, threads: int) -> OnnxEngine:
    path, content = read(find(name))
    return OnnxEngine(path, threads=threads, content=content)


def _check_threads(threads: object) -> None:
    if not is_whole(threads) or not 1 <= threads <= MOST_THREADS:
        raise InputError(f"threads must be a whole number from 1 to {MOST_THREADS}, not {threads!r}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CardError(f"the model file {path} cannot be read: {error.strerror}") from error


def _card(content: bytes) -> Card | None:
    """The card in a file; None where it holds none, or is no ONNX file."""
    try:
        text = metadata(content).get(METADATA_KEY)
    except ValueError:
        return None
    return None if text is None else Card.from_json(text)


def _check(card: Card, inputs: dict[str, Sequence[object]], outputs: set[str], path: Path) -> None:
    """Raise a CardError where the file is not what its card says."""
    face = card.interface
    expected: dict[str, tuple[int | None, ...]] = {"input": _shape(face.input)} | {
        f"state.{state.name}": state.shape for state in card.states
    }
    needed = {"output"} | {f"next.{state.name}" for state in card.states}
    for name in expected.keys() ^ inputs.keys():
        raise CardError(f"{path} and its card '{card.name}' disagree about the input '{name}'; export the model again")
    for name in needed - outputs:
        raise CardError(f"{path} has no output '{name}', which its card '{card.name}' promises; export the model again")
    for name, shape in expected.items():
        found = inputs[name]
        fits = len(found) == len(shape) and all(
            size is None or not isinstance(given, int) or given == size
            for given, size in zip(found, shape, strict=True)
        )
        if not fits:
            raise CardError(f"{path}: '{name}' has shape {list(found)}, but its card '{card.name}' says {list(shape)}")
    free = face.input.free_axis
    if free is not None and isinstance(inputs["input"][free], int):
        raise CardError(f"{path} fixes the time axis of 'input' to {inputs['input'][free]}; it must be free")


def _shape(port: Port) -> tuple[int | None, ...]:
    """Shape of a batch of one, None where it is free."""
    return (1, *(size if isinstance(size, int) else None for size in port.shape))
