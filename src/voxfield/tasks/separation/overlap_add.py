"""A network that needs whole recordings, run on recordings of any length.

The recording goes through in overlapping chunks. Where two chunks overlap, their voices are compared, put into the
same order and faded into one another, so a voice keeps its place; memory is that of two chunks. The overlap grows where
a voice pauses, until every voice was heard in it.
"""

import numpy as np

from voxfield.protocols import Array, Engine
from voxfield.tasks.separation.source_order import continued
from voxfield.tasks.separation.source_scale import SourceScale

CHUNK_S = 10.0
OVERLAPS_S = (2.0, 3.5, 5.0)
_HEARD = 1e-2  # energy of a voice in the overlap, of its mean in the chunk, from which the overlap can tell it
_SILENT = 1e-9  # largest sample of digital silence


class OverlapAdd:
    """`feed` and `flush` of mono samples (N,) at the network's rate; voices (S, M) come out in step, all of them.

    Args:
        engine: a separating network that does not stream.
        chunk_s: seconds that the network sees at once.

    Attributes:
        doubtful: how many of the `joins` between chunks left the order of the voices in doubt.
    """

    def __init__(self, engine: Engine, chunk_s: float = CHUNK_S) -> None:
        card = engine.card
        self._engine = engine
        self._chunk_samples = round(chunk_s * card.interface.sample_rate_hz)
        self._overlaps = [round(s * card.interface.sample_rate_hz * chunk_s / CHUNK_S) for s in OVERLAPS_S]
        self._scale = SourceScale(card.interface.sources)
        self._mixture = np.zeros(0, np.float32)  # from `_begin` on
        self._begin = 0  # place of the buffer's first sample in the recording
        self._next = 0  # where the next chunk begins, and how far voices were given out
        self._voices = np.zeros((card.interface.sources, 0), np.float32)  # of the last chunk, in their places
        self._raw = self._voices  # the same before their gains, which the next chunk does not know
        self._voices_begin = 0
        self.joins = self.doubtful = 0

    def feed(self, samples: Array) -> Array:
        """What has become final."""
        self._mixture = np.concatenate([self._mixture, samples])
        given = []
        while self._begin + len(self._mixture) >= self._next + self._chunk_samples:
            given.append(self._chunk(self._next, self._next + self._chunk_samples, last=False))
        return np.concatenate(given, axis=1) if given else self._voices[:, :0]

    def flush(self) -> Array:
        """The rest; afterwards as many samples have come out as went in."""
        end = self._begin + len(self._mixture)
        heard = self._voices_begin + self._voices.shape[1]
        if end == heard:
            return self._voices[:, self._next - self._voices_begin :]
        return self._chunk(max(self._begin, end - self._chunk_samples), end, last=True)

    def _chunk(self, begin: int, end: int, *, last: bool) -> Array:
        """Separate one chunk and join it to the last one; gives out what lies before the next chunk."""
        mixture = self._mixture[begin - self._begin : end - self._begin]
        voices = separated(self._engine, mixture)
        heard = self._voices_begin + self._voices.shape[1]
        shared = heard - begin  # samples that both chunks cover
        if shared > 0:
            known = self._raw[:, begin - self._voices_begin :]
            order, sure = continued(known, voices[:, :shared])
            voices = voices[list(order)]
            self.joins += 1
            self.doubtful += not sure
        raw = voices
        voices = bounded(voices * self._scale.update(mixture, voices)[:, None], mixture)
        if shared > 0:
            fading = heard - self._next
            rise = np.linspace(0, 1, fading + 2, dtype=np.float32)[1:-1]
            old = self._voices[:, self._next - self._voices_begin :]
            at = self._next - begin
            voices[:, at : at + fading] = old + rise * (voices[:, at : at + fading] - old)
        start = self._next
        self._voices, self._raw, self._voices_begin = voices, raw, begin
        self._next = end if last else end - self._overlap(voices)
        keep = max(self._next - self._chunk_samples, 0)  # the last chunk of all reaches back
        self._mixture, self._begin = self._mixture[max(keep - self._begin, 0) :], max(keep, self._begin)
        return voices[:, start - begin : self._next - begin]

    def _overlap(self, voices: Array) -> int:
        """Samples that the next chunk shares with this one: enough to hear every voice, if that can be had."""
        means = np.square(voices).mean(1)
        for overlap in self._overlaps:
            heard = np.square(voices[:, -overlap:]).mean(1)
            if np.all(heard >= _HEARD * means):
                return overlap
        return self._overlaps[-1]


def separated(engine: Engine, mixture: Array) -> Array:
    """Voices (S, N) of one piece of sound (N,), as loud as the network gives them at the mixture's own level."""
    level = float(np.sqrt(np.square(mixture, dtype=np.float64).mean())) if len(mixture) else 0.0
    if level < _SILENT:
        return np.zeros((engine.card.interface.sources, len(mixture)), np.float32)
    missing = engine.card.interface.least_steps - len(mixture)
    filled = np.pad(mixture / np.float32(level), (0, max(missing, 0)))
    output, _ = engine.step(filled[None, None], engine.initial_state())
    return np.asarray(output[0, :, : len(mixture)] * np.float32(level), np.float32)


def bounded(voices: Array, mixture: Array) -> Array:
    """The voices, all turned down alike where one is louder than both full scale and the mixture."""
    most = max(1.0, float(np.abs(mixture).max(initial=0)))
    peak = float(np.abs(voices).max(initial=0))
    return voices * np.float32(most / peak) if peak > most else voices
