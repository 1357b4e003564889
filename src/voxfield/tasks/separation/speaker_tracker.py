"""Keeps every speaker in one output through a whole recording.

A separating network knows who was whom no further back than it looks: after a longer pause, and now and then in the
middle of a sentence, two voices change places. So each output is embedded in windows of a second. A speaker is the mean
direction of his or her windows, and the order of the outputs, window by window, is the one in which all windows are
most like their speakers, with a cost for each change (Viterbi's algorithm). Either follows from the other, so they are
found in turns, as in k-means. Where the order changes, the outputs are faded over at the quietest moment.

Memory is that of half a minute, whatever the duration.
"""

from itertools import permutations

import numpy as np
import numpy.typing as npt

from voxfield.audio import Resampler, SampleQueue
from voxfield.features import FeatureStream
from voxfield.protocols import Array
from voxfield.tasks.speakers.embedding import embedding_engine, features_for, unit, vectors_of

MOST_SPEAKERS = 4  # 24 orders
BLOCK_WINDOWS, LATER_WINDOWS = 120, 40
LEAST_WINDOWS = 37  # in all; ten seconds, which a network sees whole, say too little of the speakers
WINDOW_FRAMES, HOP_FRAMES = 100, 25  # of 10 ms
CHANGE = 0.15  # of the order, what it costs: a window that is wholly of one speaker gains the cosine of its likeness
LEAST_LEVEL = 0.02  # energy of a window, of the mean, from which on it says something
LEAST_SHARE = 0.12  # of the energy: what the second output holds where two speak; one speaker left up to .1 there
FADE_S = 0.01
_SEEDS, _ROUNDS = 8, 10
_BATCH = 16  # windows

Orders = npt.NDArray[np.intp]


class SpeakerTracker:
    """`feed` and `flush` of what a separating network gives, (S, N); it comes out with each voice in one place.

    Args:
        sources: S, `MOST_SPEAKERS` or fewer.
        rate_hz: of the outputs.
    """

    def __init__(self, sources: int, rate_hz: int) -> None:
        self._engine = embedding_engine()
        face = self._engine.card.interface
        self._kind = features_for(self._engine)
        self._samples_a_frame = self._kind.hop_samples * rate_hz / face.sample_rate_hz
        self._fade_samples = round(FADE_S * rate_hz)
        self._resampler = Resampler(rate_hz, face.sample_rate_hz, sources)
        self._streams = [FeatureStream(self._kind) for _ in range(sources)]
        self._features = np.zeros((sources, self._kind.bands, 0), np.float32)  # from the first window on that waits
        self._energy = np.zeros((sources, 0))  # of the same frames
        self._levelled = SampleQueue(sources)  # what is no whole frame yet
        self._voices = SampleQueue(sources)  # from the first sample on that was not given out
        size = int(face.output.shape[0])
        self._vectors = np.zeros((0, sources, size), np.float32)  # of windows to be decided again
        self._window = 0  # the first that waits
        self._given_samples = 0
        self._speakers = Speakers(sources, size)
        self._order: Orders = np.arange(sources)  # of what was given out last

    def feed(self, voices: Array) -> Array:
        """What has become final."""
        if not voices.shape[1]:
            return voices
        self._voices.push(voices)
        self._take(self._resampler.feed(voices))
        given = [voices[:, :0]]
        while self._count_windows() >= BLOCK_WINDOWS:
            given.append(self._decided(BLOCK_WINDOWS, BLOCK_WINDOWS - LATER_WINDOWS))
        return np.concatenate(given, axis=1)

    def flush(self) -> Array:
        """The rest; afterwards as many samples have come out as went in."""
        self._take(self._resampler.flush())
        rest = [stream.flush() for stream in self._streams]
        self._features = np.concatenate([self._features, np.stack(rest)], axis=2)
        count = self._count_windows()
        enough = count and (self._window or count >= LEAST_WINDOWS)
        given = self._decided(count, count) if enough else self._voices.pop(0)
        return np.concatenate([given, self._voices.pop(len(self._voices))[self._order]], axis=1)

    def _take(self, samples: Array) -> None:
        """Features and energies of (S, N) at the rate of the embeddings."""
        features = [stream.feed(row) for stream, row in zip(self._streams, samples, strict=True)]
        self._features = np.concatenate([self._features, np.stack(features)], axis=2)
        self._levelled.push(samples)
        frames = self._levelled.pop_whole(self._kind.hop_samples)
        squares = np.square(frames).reshape(len(frames), -1, self._kind.hop_samples).mean(axis=2, dtype=np.float64)
        self._energy = np.concatenate([self._energy, squares], axis=1)

    def _count_windows(self) -> int:
        """How many wait."""
        frames = min(self._features.shape[2], self._energy.shape[1])
        return max((frames - WINDOW_FRAMES) // HOP_FRAMES + 1, 0)

    def _decided(self, count: int, final: int) -> Array:
        """Decide on so many windows; the voices as far as the first of them, so many, have become final."""
        starts = HOP_FRAMES * np.arange(count)
        new = starts[len(self._vectors) :]
        made = [self._embedded(new[at : at + _BATCH]) for at in range(0, count - len(self._vectors), _BATCH)]
        vectors = np.concatenate([self._vectors, *made])
        sums = np.cumsum(np.pad(self._energy, ((0, 0), (1, 0))), axis=1)
        orders = self._speakers.orders(vectors, (sums[:, starts + WINDOW_FRAMES] - sums[:, starts]).T, final)
        if not self._window:
            self._order = orders[0]
        given = self._placed(orders[:final])
        self._vectors = vectors[final:]
        self._features = self._features[:, :, final * HOP_FRAMES :].copy()
        self._energy = self._energy[:, final * HOP_FRAMES :].copy()
        self._window += final
        return given

    def _embedded(self, starts: npt.NDArray[np.intp]) -> Array:
        """Vectors (T, S, D) of the windows that begin with these frames."""
        windows = [
            self._kind.finished(features[:, start : start + WINDOW_FRAMES])
            for start in starts
            for features in self._features
        ]
        vectors: Array = unit(vectors_of(self._engine, np.stack(windows))).reshape(-1, *self._vectors.shape[1:])
        return vectors

    def _placed(self, orders: Orders) -> Array:
        """The voices up to where the window after these may change their order."""
        quiet = np.convolve(self._energy.sum(axis=0), np.ones(5), "same")
        parts = []
        for number, order in enumerate(orders):
            if not np.array_equal(order, self._order):
                about = self._edge(number)
                at = about + int(np.argmin(quiet[about : about + HOP_FRAMES]))
                parts += [self._taken(at), self._faded(order)]
                self._order = order
        parts.append(self._taken(self._edge(len(orders))))
        return np.concatenate(parts, axis=1)

    @staticmethod
    def _edge(number: int) -> int:
        """The first frame, from the first window that waits on, at which this one's order may begin."""
        return number * HOP_FRAMES + WINDOW_FRAMES // 2 - HOP_FRAMES

    def _taken(self, frame: int) -> Array:
        """The voices, in their order, up to a frame."""
        place = round((self._window * HOP_FRAMES + frame) * self._samples_a_frame)
        taken = self._voices.pop(max(place - self._given_samples, 0))[self._order]
        self._given_samples += taken.shape[1]
        return taken

    def _faded(self, order: Orders) -> Array:
        """The next moment, faded over to another order."""
        moment = self._voices.pop(self._fade_samples)
        self._given_samples += moment.shape[1]
        rise = np.linspace(0, 1, moment.shape[1] + 2, dtype=np.float32)[1:-1]
        faded: Array = moment[self._order] + rise * (moment[order] - moment[self._order])
        return faded


class Speakers:
    """Who spoke in the windows so far, and who speaks in those that come.

    Args:
        count: S, of speakers and of outputs.
        size: D, of a vector.
    """

    def __init__(self, count: int, size: int) -> None:
        self._all_orders = np.array(list(permutations(range(count))))  # (P, S): the output of each speaker
        self._totals = np.zeros((count, size))  # of the windows that are final, each output's with its speaker
        self._last = 0  # the order of the last of them

    def orders(self, vectors: Array, energies: npt.NDArray[np.float64], final: int) -> Orders:
        """For each window the output that holds each speaker, (T, S); most of the first outputs keep their places.

        Args:
            vectors: (T, S, D) of length 1, of windows of each output.
            energies: (T, S) of the same.
            final: how many of them will not be asked for again.
        """
        whole = energies.sum(axis=1, keepdims=True)
        weights = np.sqrt(energies / np.maximum(whole, 1e-30)) * (whole > LEAST_LEVEL * whole.mean())
        weighted = vectors * weights[:, :, None]
        squared = weighted * weights[:, :, None]
        several = np.sort(energies.sum(axis=0))[-2] >= LEAST_SHARE * energies.sum() > 0
        if self._totals.any():
            found = self._fitted(weighted, squared, self._totals, _ROUNDS if several else 1)[0]
        elif several:
            tries = [self._fitted(weighted, squared, vectors[seed], _ROUNDS) for seed in _seeds(weights)]
            found = self._named(max(tries, key=lambda one: one[1])[0])
        else:
            found = np.full(len(vectors), self._last)
        if several:
            self._totals += self._placed(squared[:final], found[:final])
        self._last = int(found[final - 1])
        chosen_orders: Orders = self._all_orders[found]
        return chosen_orders

    def _named(self, found: Orders) -> Orders:
        """The same with the speakers called by the output that each has most of the time."""
        places = np.argsort(self._all_orders[np.bincount(found).argmax()])
        called = self._all_orders[found][:, places]
        numbers: Orders = (called[:, None] == self._all_orders).all(axis=2).argmax(axis=1)
        return numbers

    def _fitted(
        self, weighted: Array, squared: Array, speakers: npt.NDArray[np.floating], rounds: int
    ) -> tuple[Orders, float]:
        """(Numbers of the orders (T,), their total likeness) that fit the speakers, which are made to fit them."""
        last = self._last if self._totals.any() else None
        found, total = np.zeros(0, np.intp), 0.0
        for _ in range(rounds):
            likeness = weighted @ unit(speakers).T  # (T, S, S): output, speaker
            scores = likeness[:, self._all_orders, np.arange(self._all_orders.shape[1])].sum(axis=2)
            before, (found, total) = found, best_path(scores, CHANGE, last)
            if np.array_equal(found, before):
                break
            speakers = self._totals + self._placed(squared, found)
        return found, total

    def _placed(self, squared: Array, found: Orders) -> npt.NDArray[np.float64]:
        """(S, D) sums of windows, each output's given to its speaker."""
        sums: npt.NDArray[np.float64] = np.take_along_axis(squared, self._all_orders[found][:, :, None], axis=1).sum(
            axis=0, dtype=np.float64
        )
        return sums


def best_path(scores: npt.NDArray[np.floating], change: float, last: int | None = None) -> tuple[Orders, float]:
    """(The state of each step (T,), its total) that score most in (T, P) when each change costs so much.

    >>> best_path(np.array([[1.0, 0.0], [0.0, 0.1], [1.0, 0.0]]), 0.2)[0].tolist()
    [0, 0, 0]

    Args:
        last: the state before the first step, from which to change costs as much.
    """
    count, states = scores.shape
    came_from = np.empty((count, states), np.intp)
    totals = np.zeros(states) if last is None else np.where(np.arange(states) == last, 0.0, -change)
    for step in range(count):
        best = int(np.argmax(totals))
        changed = totals[best] - change > totals
        came_from[step] = np.where(changed, best, np.arange(states))
        totals = np.where(changed, totals[best] - change, totals) + scores[step]
    state = int(np.argmax(totals))
    path = np.empty(count, np.intp)
    for step in reversed(range(count)):
        path[step] = state
        state = came_from[step, state]
    return path, float(totals.max())


def _seeds(weights: npt.NDArray[np.float64]) -> list[int]:
    """Windows in which every output is heard, or nearly, spread over the time."""
    heard = np.sort(np.argsort(-weights.min(axis=1), kind="stable")[: max(len(weights) // 4, 1)])
    return sorted({int(heard[at]) for at in np.linspace(0, len(heard) - 1, _SEEDS).astype(int)})
