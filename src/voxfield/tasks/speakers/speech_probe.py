"""Whether an embedding is of speech: some noise, such as a saw, a clock or music, passes for it by level alone.

A probe on the embeddings of one network, fitted by scripts/fit_speech_probe.py, knows them apart. Embeddings of other
networks are not judged.
"""

from __future__ import annotations

import numpy as np

from voxfield.cards import find
from voxfield.protocols import Array, Engine
from voxfield.tasks.work import engine_for

MODEL = "ds-tdnn-speech"
SPEECH = "speech"
LEAST = -0.5  # natural logarithm of how much likelier speech is than noise, below which a sound is noise


class SpeechProbe:
    """Judges embeddings of one network."""

    def __init__(self) -> None:
        self._engine = engine_for(MODEL, "detect-speech")
        self._speech = self._engine.card.config["labels"].index(SPEECH)

    def log_odds(self, vectors: Array) -> np.ndarray:
        """(N,) natural logarithms of how much likelier speech is than noise, by embeddings (N, D)."""
        if not len(vectors):
            return np.zeros(0)
        scores, _ = self._engine.step(np.ascontiguousarray(vectors, np.float32), ())
        others = np.delete(scores, self._speech, axis=1)
        return np.asarray(scores[:, self._speech] - np.logaddexp.reduce(others, axis=1), np.float64)


def probe_for(engine: Engine) -> SpeechProbe | None:
    """The probe for the embeddings of a network; None where there is none."""
    return SpeechProbe() if engine.card.name == find(MODEL).config["embedder"] else None


def sounds_like_noise(vector: Array, engine: Engine) -> bool:
    """Whether the embedding (D,) that `engine` made of a recording is of noise."""
    probe = probe_for(engine)
    return probe is not None and bool(probe.log_odds(vector[None])[0] < LEAST)
