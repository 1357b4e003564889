"""What noise is in a recording, and when: its kind, its level, and how far the speech stands above it.

The enhancer takes the speech away, and what is left is named step by step. Memory grows by some bytes a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import numpy as np

from voxfield.audio import Given, SampleQueue, Source, open_source
from voxfield.protocols import Array, Engine
from voxfield.samples import power_db
from voxfield.tasks.enhancement.enhancer import Enhancer
from voxfield.tasks.enhancement.recording import DEFAULT_MODEL
from voxfield.tasks.noises.kinds import KINDS, TOKENIZER, KindStream, NoiseKinds
from voxfield.tasks.work import Clock, Model, Watcher, Work, engine_for, pieces

SILENT_DB = -75.0  # a noise below is not named, and speech below is none
QUIET = "quiet"


@dataclass(frozen=True)
class Stretch:
    """Some seconds of one kind of noise.

    Attributes:
        start_s, end_s: of the recording.
        kind: what it is; `unknown` where it is like nothing that is known, `quiet` where there is hardly any.
        share: how sure that is, 0 to 1.
        level_dbfs: mean square of the noise relative to full scale, at least -120.
        snr_db: level of the speech over that of the noise; None where there is no speech.
    """

    start_s: float
    end_s: float
    kind: str
    share: float
    level_dbfs: float
    snr_db: float | None

    def to_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "start_s": round(self.start_s, 3),
            "end_s": round(self.end_s, 3),
            "kind": self.kind,
            "share": round(self.share, 3),
            "level_dbfs": round(self.level_dbfs, 1),
            "snr_db": None if self.snr_db is None else round(self.snr_db, 1),
        }


@dataclass(frozen=True)
class Noise:
    """The noise of a recording.

    Attributes:
        steps: about a second each.
        stretches: neighbours of one kind joined.
        models: full names of the enhancer, the network of tokens and the probe.
        notes: what the user should know about the recording.
    """

    steps: tuple[Stretch, ...]
    models: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """Steps of one kind in a row as one."""
        return tuple(_joined(list(steps)) for _, steps in groupby(self.steps, key=lambda step: step.kind))

    @property
    def kinds(self) -> dict[str, float]:
        """Seconds of each kind, the longest first."""
        seconds: dict[str, float] = {}
        for step in self.steps:
            seconds[step.kind] = seconds.get(step.kind, 0.0) + step.end_s - step.start_s
        return dict(sorted(seconds.items(), key=lambda item: -item[1]))

    def to_dict(self) -> dict[str, object]:
        """Plain values for a line of JSON."""
        return {
            "kinds": {kind: round(seconds, 2) for kind, seconds in self.kinds.items()},
            "stretches": [stretch.to_dict() for stretch in self.stretches],
            "steps": [step.to_dict() for step in self.steps],
            "models": list(self.models),
        }


def noise(
    recording: Given,
    rate: int | None = None,
    *,
    model: Model = DEFAULT_MODEL,
    tokenizer: Model = TOKENIZER,
    kinds: Model = KINDS,
    threads: int = 1,
    least_share: float | None = None,
) -> Noise:
    """What noise is in a recording, and when.

    Args:
        recording: a path, the bytes of a file, a binary file object, or an array (N,) or (C, N).
        rate: sample rate in Hz; for an array, and only for an array.
        model: the enhancer that takes the speech away.
        tokenizer, kinds: the networks that name what is left.
        threads: threads within one step of a network.
        least_share: of the likeliest name, below which a noise is unknown; that of the probe's card if None.

    Raises:
        InputError: an argument that cannot be used; AudioError where it is the recording.
        UnknownModelError, CardError: a model cannot be had.
    """
    engine = engine_for(model, "enhance", threads=threads)
    named = NoiseKinds(tokenizer, kinds, threads=threads, least_share=least_share)
    with open_source(recording, rate) as source:
        return noise_of(source, engine, named)[0]


def noise_of(
    source: Source, engine: Engine, kinds: NoiseKinds, *, watcher: Watcher | None = None
) -> tuple[Noise, Work]:
    """The noise of an open recording, and what was done.

    Args:
        watcher: is shown the recording and (2, C, M) what was taken for speech and for noise, as they pass.
    """
    clock = Clock()
    meter = NoiseMeter(kinds, source.rate_hz, source.channels, watcher)
    enhancer = Enhancer(engine, source.rate_hz, source.channels)
    for _ in pieces(source, enhancer, watcher=meter):
        pass  # the meter takes what there is
    notes = list(source.notes())
    found = Noise(meter.finish(), (engine.card.name, *kinds.models), tuple(notes))
    return found, clock.work(engine, source, source.channels, notes, found.to_dict())


class NoiseMeter:
    """A `Watcher` of an enhancer: what it takes away is noise."""

    def __init__(self, kinds: NoiseKinds, rate_hz: int, channels: int, watcher: Watcher | None = None) -> None:
        self._kinds, self._rate_hz, self._watcher = kinds, rate_hz, watcher
        self._waiting = SampleQueue(channels)
        self._stream = KindStream(kinds, rate_hz)
        self._shares: list[Array] = []
        self._powers = _StepPowers(kinds.step_samples / kinds.rate_hz * rate_hz)

    def before(self, samples: Array) -> None:
        """Take (C, N) of the recording."""
        self._waiting.push(samples)
        if self._watcher is not None:
            self._watcher.before(samples)

    def after(self, made: Array) -> None:
        """Take (C, M) of its speech."""
        noise = self._waiting.pop(made.shape[1]) - made
        self._powers.feed(made, noise)
        self._shares.append(self._stream.feed(noise))
        if self._watcher is not None:
            self._watcher.after(np.stack([made, noise]))

    def finish(self) -> tuple[Stretch, ...]:
        """The steps. The recording ends here."""
        shares = np.concatenate([*self._shares, self._stream.flush()])
        step_s = self._kinds.step_samples / self._kinds.rate_hz
        duration_s = self._powers.count_samples / self._rate_hz
        return tuple(
            self._step(at * step_s, min((at + 1) * step_s, duration_s), of_step, speech, noise)
            for at, (of_step, (speech, noise)) in enumerate(zip(shares, self._powers.means(), strict=False))
        )

    def _step(self, start_s: float, end_s: float, shares: Array, speech: float, noise: float) -> Stretch:
        kind, share = self._kinds.named(shares)
        level_db, speech_db = power_db(noise), power_db(speech)
        if level_db < SILENT_DB:
            kind, share = QUIET, 1.0
        return Stretch(start_s, end_s, kind, share, level_db, None if speech_db < SILENT_DB else speech_db - level_db)


class _StepPowers:
    """Mean squares of speech and noise over steps of `step_samples`, which need not be a whole number."""

    def __init__(self, step_samples: float) -> None:
        self._step_samples = step_samples
        self.count_samples = 0
        self._sums: list[np.ndarray] = []  # (2, 2, C) samples and squares of speech and noise in each step begun

    def feed(self, speech: Array, noise: Array) -> None:
        """Take (C, N) of each."""
        parts = np.stack([speech, noise]).astype(np.float64)
        values = np.stack([parts, np.square(parts)])  # (2, 2, C, N)
        while values.shape[-1]:
            step = len(self._sums) - 1
            left = round((step + 1) * self._step_samples) - self.count_samples
            if left <= 0:
                self._sums.append(np.zeros(values.shape[:-1]))
                continue
            part, values = values[..., :left], values[..., left:]
            self._sums[step] += part.sum(axis=-1)
            self.count_samples += part.shape[-1]

    def means(self) -> list[tuple[float, float]]:
        """(Speech, noise) of each step; an offset is neither."""
        starts = [round(at * self._step_samples) for at in range(len(self._sums))]
        ends = [*starts[1:], self.count_samples]
        found = []
        for sums, start, end in zip(self._sums, starts, ends, strict=True):
            means, squares = sums / max(end - start, 1)
            speech, noise = (squares - np.square(means)).mean(axis=-1)
            found.append((max(float(speech), 0.0), max(float(noise), 0.0)))
        return found


def _joined(steps: Sequence[Stretch]) -> Stretch:
    """Steps in a row as one stretch; levels are means of power, the ratio that of the steps with speech."""
    seconds = np.array([step.end_s - step.start_s for step in steps])
    noise = np.array([10 ** (step.level_dbfs / 10) for step in steps])
    ratios = np.array([0.0 if step.snr_db is None else 10 ** (step.snr_db / 10) for step in steps])
    spoken = np.array([step.snr_db is not None for step in steps])
    speech, under = float((seconds * noise * ratios).sum()), float((seconds * noise * spoken).sum())
    return replace(
        steps[0],
        end_s=steps[-1].end_s,
        share=float(np.average([step.share for step in steps], weights=np.maximum(seconds, 1e-9))),
        level_dbfs=power_db(float(np.average(noise, weights=np.maximum(seconds, 1e-9)))),
        snr_db=power_db(speech) - power_db(under) if spoken.any() else None,
    )
