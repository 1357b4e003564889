"""ONNX files of other programs that are used as they are: known by the names and shapes of their inputs and outputs.

So far those of WeSpeaker's `export_onnx.py`: `feats` (B, T, bands), features less their mean, to `embs` (B, D).
"""

import hashlib
import re
from pathlib import Path

import numpy as np

from voxfield.cards import WHOLE_INPUT, Card, features_to_embedding
from voxfield.errors import CardError
from voxfield.ort import count_weights, hash_graph, open_session
from voxfield.protocols import Array, State

FEATURES = "kaldi-hamming"


class WespeakerEngine:
    """A speaker network that WeSpeaker exported, as an engine; see `foreign_engine`."""

    free_batch = True

    def __init__(self, path: Path, content: bytes, threads: int) -> None:
        self._session = open_session(content, str(path), threads=threads)
        self.graph_sha256 = hash_graph(content)
        self._again = (path.absolute(), threads)
        inputs, outputs = self._session.get_inputs(), self._session.get_outputs()
        shapes = [tuple(item.shape) for item in (*inputs, *outputs)]
        named = [item.name for item in inputs] == ["feats"] and "embs" in [item.name for item in outputs]
        if not named or [len(shape) for shape in shapes] != [3, 2] or not all(isinstance(s[-1], int) for s in shapes):
            raise CardError(f"{path} has neither a card nor the inputs and outputs of a speaker network of WeSpeaker")
        self._card = Card(
            name=f"wespeaker-{_slug(path.stem)}.{hashlib.sha256(content).hexdigest()[:8]}",
            task="embed",
            architecture="unknown",
            summary="speaker embeddings, exported by WeSpeaker; `voxfield explain` counts what it costs",
            config={},
            interface=features_to_embedding(FEATURES, int(shapes[0][-1]), int(shapes[1][-1])),
            parameters=count_weights(content),
            macs=0,
            licence="that of its makers",
            data=(),
            field_samples=WHOLE_INPUT,
        )

    def __deepcopy__(self, memo: object) -> "WespeakerEngine":
        return self

    def __reduce__(self) -> tuple[object, tuple[Path, int]]:
        return foreign_engine, self._again  # another process loads the file

    @property
    def card(self) -> Card:
        """What can be told from the file: its input, output and size."""
        return self._card

    def initial_state(self, batch: int = 1) -> State:
        """None: it takes its whole input."""
        return ()

    def step(self, block: Array, state: State) -> tuple[Array, State]:
        """Features (B, bands, T) to embeddings (B, D).

        Raises:
            CardError: the file fails on them.
        """
        try:
            (embeddings,) = self._session.run(["embs"], {"feats": np.ascontiguousarray(block.transpose(0, 2, 1))})
        except Exception as error:  # onnxruntime's own exceptions share no other base
            raise CardError(f"{self._card.name} failed on features of shape {block.shape}: {error}") from error
        return embeddings, ()


def foreign_engine(path: Path, threads: int = 1) -> WespeakerEngine | None:
    """The engine of a file without a card whose program is known by its inputs and outputs; None for any other file."""
    try:
        return WespeakerEngine(path, path.read_bytes(), threads)
    except (CardError, OSError):
        return None


def _slug(stem: str) -> str:
    """A file's name as part of a model's name."""
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-") or "onnx"
