"""Which kind of noise sounds when: tokens of two seconds at a time, and a probe on how often each code occurs.

A step is half a segment, about a second; its shares are the mean of those of the two segments that cover it.
"""

from collections.abc import Sequence

import numpy as np

from voxfield.audio import Resampler
from voxfield.errors import CardError, InputError
from voxfield.features.framing import FeatureStream
from voxfield.features.log_mel import LogMel
from voxfield.protocols import Array
from voxfield.samples import Downmix
from voxfield.tasks.work import Model, engine_for, finite
from voxfield.values import is_number

TOKENIZER, KINDS = "noise-vqvae", "noise-kinds"
UNKNOWN = "unknown"


class NoiseKinds:
    """A network of tokens and the probe on its codes; immutable, any number of recordings may share one.

    Args:
        tokenizer: from log-mel features to tokens.
        kinds: from tokens to shares of labels.
        threads: threads within one step of a network.
        least_share: of the likeliest name, below which a sound is unknown; that of the probe's card if None.

    Attributes:
        names: what can be named.
        count: K, labels in all.
        segment_frames, step_frames: log-mel frames that are named at a time, and from one step to the next.
        step_samples: samples of a step at `rate_hz`.

    Raises:
        InputError: a model for another task, two that do not belong together, or a share out of range.
        UnknownModelError, CardError: a model cannot be had, or its card lacks what is needed.
    """

    def __init__(
        self,
        tokenizer: Model = TOKENIZER,
        kinds: Model = KINDS,
        *,
        threads: int = 1,
        least_share: float | None = None,
    ) -> None:
        if least_share is not None and not (is_number(least_share) and 0 <= least_share <= 1):
            raise InputError(f"least_share must lie between 0 and 1, not {least_share!r}")
        self._tokenizer = engine_for(tokenizer, "tokenize", threads=threads)
        self._kinds = engine_for(kinds, "name-noise", threads=threads)
        there, here = self._tokenizer.card, self._kinds.card
        if here.config.get("tokenizer") != there.measured.get("weights"):
            raise InputError(
                f"{here.name} names the codes of another network than {there.name}; use those made together"
            )
        face, config = there.interface, here.config
        self.features = LogMel.of(face.sample_rate_hz, int(face.input.shape[0]), face.window_samples, face.hop_samples)
        labels, other = config.get("labels"), config.get("other")
        least, frames = config.get("least_share"), config.get("segment_frames")
        if (
            not isinstance(labels, list)
            or len(labels) != here.interface.output.shape[0]
            or not all(isinstance(label, str) for label in labels)
            or not isinstance(least, int | float)
            or not isinstance(frames, int)
            or frames < 2 * face.multiple_of
            or frames % (2 * face.multiple_of)
        ):
            raise CardError(f"the card of {here.name} lacks labels, least_share or segment_frames; fit the probe again")
        self._labels: list[str] = list(labels)
        self._other, self._least_share = other, float(least if least_share is None else least_share)
        self.names = [label for label in self._labels if label != other]
        self.count = len(labels)
        self.segment_frames, self.step_frames = frames, frames // 2
        self.rate_hz, self.step_samples = face.sample_rate_hz, self.step_frames * face.hop_samples
        self.models = (there.name, here.name)

    def check(self, names: Sequence[str]) -> None:
        """Return when all of these can be named.

        Raises:
            InputError: one cannot; the message says which can.
        """
        if unknown := [name for name in names if name not in self.names]:
            raise InputError(f"there is no noise called '{unknown[0]}'; there are: {', '.join(self.names)}")

    def shares(self, features: Array) -> Array:
        """(K,) share of each label in features (bands, T) in dB; fewer frames than a segment are repeated."""
        features = features[:, np.arange(self.segment_frames) % features.shape[1]]
        tokens, _ = self._tokenizer.step(np.ascontiguousarray(self.features.finished(features)[None]), ())
        shares: Array = finite(self._kinds, np.exp(self._kinds.step(tokens, ())[0][0]))
        return shares

    def share_of(self, names: Sequence[str], shares: Array) -> float:
        """Share of all these names together."""
        return float(sum(shares[self._labels.index(name)] for name in names))

    def named(self, shares: Array) -> tuple[str, float]:
        """(The most likely name, its share); `UNKNOWN` where none is likely enough."""
        best = int(shares.argmax())
        known = self._labels[best] != self._other and shares[best] >= self._least_share
        return (self._labels[best] if known else UNKNOWN), float(shares[best])


class KindStream:
    """One sound on its way to shares: samples (C, N) of any number in, which are mixed, shares (steps, K) out."""

    def __init__(self, kinds: NoiseKinds, rate_hz: int) -> None:
        self._kinds = kinds
        self._downmix, self._resampler = Downmix(), Resampler(rate_hz, kinds.rate_hz)
        self._features = FeatureStream(kinds.features)
        self._waiting = np.zeros((kinds.features.bands, 0), np.float32)  # from the first frame of the next segment on
        self._before: Array | None = None  # shares of the last segment
        self._count_samples = self._done_steps = 0

    def feed(self, samples: Array) -> Array:
        """The steps that have become final."""
        return self._take(self._resampler.feed(self._downmix.feed(samples)[None])[0])

    def flush(self) -> Array:
        """The rest: a step for every begun one of the sound, which ends here."""
        kinds = self._kinds
        steps = [self._take(self._resampler.flush()[0])]
        self._waiting = np.concatenate([self._waiting, self._features.flush()], axis=1)
        steps.append(self._segments())
        missing = -(-self._count_samples // kinds.step_samples) - self._done_steps
        if missing > 0:
            rest = kinds.shares(self._waiting)
            first = rest if self._before is None else (rest + self._before) / 2
            steps.append(np.stack([first] + [rest] * (missing - 1)))
        return np.concatenate(steps)

    def _take(self, samples: Array) -> Array:
        self._count_samples += len(samples)
        self._waiting = np.concatenate([self._waiting, self._features.feed(samples)], axis=1)
        return self._segments()

    def _segments(self) -> Array:
        kinds, made = self._kinds, []
        while self._waiting.shape[1] >= kinds.segment_frames:
            shares = kinds.shares(self._waiting[:, : kinds.segment_frames])
            made.append(shares if self._before is None else (shares + self._before) / 2)
            self._before = shares
            self._waiting = self._waiting[:, kinds.step_frames :]
        self._done_steps += len(made)
        return np.stack(made) if made else np.zeros((0, kinds.count), np.float32)
