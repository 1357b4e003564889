"""Samples in, samples out, in chunks of any size: one recording running through an engine."""

from os import PathLike

import numpy as np

from voxfield.errors import CardError, InputError
from voxfield.protocols import Array, Engine
from voxfield.runtime.engine import load_engine
from voxfield.runtime.lane import Stepper, Turn, Turns, run
from voxfield.runtime.linked import Linked
from voxfield.samples import all_finite, block_of
from voxfield.values import is_whole

STREAMED = (("samples", "samples"), ("spectrum", "spectrum"))


class Stream:
    """One recording on its way through an engine. Streams never share anything but the engine.

    What `feed` and `flush` return, put together, is aligned with what was fed and exactly as long. A sample comes out
    as soon as its hop and its lookahead are in.

    Args:
        engine: what to run, or its name or file; many streams may share an engine.
        channels: how many.
        linked: the network sees one mixture of the channels, and all of them take the gain that it gives to each moment
            and frequency, so that every sound keeps its place between them. Only networks on spectra can; otherwise,
            and for others, each channel is processed on its own.
        max_block_hops: more hops than this at once are cut into blocks, which bounds memory.

    Raises:
        InputError: the model cannot stream; the message says why.
    """

    def __init__(
        self, engine: str | PathLike[str] | Engine, channels: int = 1, *, linked: bool = False, max_block_hops: int = 64
    ) -> None:
        engine = load_engine(engine)
        face = engine.card.interface
        if not face.streaming:
            raise InputError(f"{engine.card.name} cannot stream: {face.not_streaming_because}")
        if (face.input.kind, face.output.kind) not in STREAMED:
            raise InputError(
                f"{engine.card.name} turns {face.input.kind} into {face.output.kind}; "
                "a stream takes samples and gives samples"
            )
        if not all(is_whole(count) and count >= 1 for count in (channels, max_block_hops)):
            raise InputError(
                f"channels and hops of a block are whole numbers of 1 or more, not {channels!r} and {max_block_hops!r}"
            )
        self._channels = channels
        self._face, self._sources = face, face.sources
        self._most_hops = max_block_hops
        in_step = face.lookahead_samples == face.window_samples - face.hop_samples  # frame for frame
        linked = linked and channels > 1 and face.input.kind == "spectrum" and in_step and face.sources == 1
        engine = Linked(engine, channels) if linked else engine
        width = channels if engine.free_batch else 1
        self._stepper = Stepper(engine)
        self._lanes = [self._stepper.lane(width) for _ in range(channels // width)]
        self._pending = np.zeros((channels, 0), np.float32)
        self._late_samples = face.lookahead_samples or 0  # still to be dropped from the front of the output
        self._fed_samples = 0
        self._given_samples = 0
        self._flushed = False
        self._bare = False  # samples came as (N,), so they go back as (M,)

    def __repr__(self) -> str:
        return f"<Stream {self._stepper.engine.card.name}>"

    def warm_up(self, samples: Array) -> None:
        """Let the network get used to a sound, (C, N) or (N,), before the recording begins: whole hops of it change the
        state that the recording starts from, and give nothing.

        Raises:
            InputError: as `feed`, or the recording has begun.
        """
        if self._fed_samples:
            raise InputError("a stream is warmed up before its first samples")
        for turn in self._turns(self._taken(samples)):
            self._stepper.step(turn.lane, turn.block)
        width = self._channels // len(self._lanes)
        for lane in self._lanes:
            lane.analysis, lane.synthesis = self._stepper.tails(width)
        self._pending = np.zeros((self._channels, 0), np.float32)
        self._fed_samples = 0

    def feed(self, samples: Array) -> Array:
        """What has become final.

        Args:
            samples: (C, N) of any N, or (N,) where the stream has one channel; integers are scaled to full scale 1.

        Returns:
            (C, M), or (C, S, M) where the model separates into S > 1 sources; without the C axis if it came without.

        Raises:
            InputError: wrong number of channels, no finite numbers, or a stream that was flushed.
            CardError: the model gave something that is not a number.
        """
        return run(self.feeding(samples))

    def feeding(self, samples: Array) -> Turns:
        """`feed` in turns, for who takes those of many streams together."""
        block = self._taken(samples)
        if self._is_one_step(block):
            return self._given(self._checked(block, (yield Turn(self._stepper, self._lanes[0], block))))
        return (yield from self._taking(self._turns(block)))

    def flush(self) -> Array:
        """The rest, in the shape that `feed` gave: afterwards as many samples have come out as went in. The stream ends
        here."""
        return run(self.flushing())

    def flushing(self) -> Turns:
        """`flush` in turns."""
        if self._flushed:
            raise InputError("this stream was flushed already")
        self._flushed = True
        missing = self._fed_samples - self._given_samples
        if missing == 0:
            return self._joined([], [])
        ahead = self._face.lookahead_samples or 0
        silence = ahead + -(self._fed_samples + ahead) % self._face.hop_samples
        rest = yield from self._taking(self._turns(np.zeros((self._channels, silence), np.float32)))
        return rest[..., :missing]

    def _taken(self, samples: Array) -> Array:
        """What is fed, as (C, N) that can be worked on."""
        if self._flushed:
            raise InputError("this stream was flushed; make a new Stream for the next recording")
        block = block_of(samples, self._channels)
        self._bare = samples is not block and np.ndim(samples) == 1
        if not all_finite(block):
            at = self._fed_samples + int(np.argmin(np.isfinite(block).all(axis=0)))
            raise InputError(f"sample {at} is not a finite number; replace NaN and infinity before feeding")
        self._fed_samples += block.shape[1]
        return block

    def _is_one_step(self, block: Array) -> bool:
        """Whether (C, N) makes one turn and nothing waits before or after it, as live audio comes."""
        hops, rest = divmod(block.shape[1], self._face.hop_samples)
        return len(self._lanes) == 1 and not rest and not self._pending.shape[1] and 0 < hops <= self._most_hops

    def _turns(self, samples: Array) -> list[Turn]:
        """The whole hops of what waited and of (C, N), block by block and lane by lane in each; the rest waits."""
        ready = np.concatenate([self._pending, samples], axis=1) if self._pending.shape[1] else samples
        whole = ready.shape[1] // self._face.hop_samples * self._face.hop_samples
        if whole < ready.shape[1] or self._pending.shape[1]:
            self._pending = ready[:, whole:].copy()
        width, step = self._channels // len(self._lanes), self._most_hops * self._face.hop_samples
        return [
            Turn(
                self._stepper,
                lane,
                ready[at * width : (at + 1) * width, start : min(start + step, whole)],
            )
            for start in range(0, whole, step)
            for at, lane in enumerate(self._lanes)
        ]

    def _taking(self, turns: list[Turn]) -> Turns:
        outputs = []
        for turn in turns:
            outputs.append((yield turn))
        return self._joined(turns, outputs)

    def _joined(self, turns: list[Turn], outputs: list[Array]) -> Array:
        """What the turns gave as one output, as far as it is not late."""
        lanes = len(self._lanes)
        outputs = [self._checked(turn.block, output) for turn, output in zip(turns, outputs, strict=True)]
        if lanes > 1:
            outputs = [np.concatenate(outputs[at : at + lanes]) for at in range(0, len(outputs), lanes)]
        if len(outputs) == 1:
            output = outputs[0]
        else:
            none = np.zeros((self._channels, self._sources, 0), np.float32)
            output = np.concatenate([none, *outputs], axis=2)
        return self._given(output)

    def _checked(self, block: Array, output: Array) -> Array:
        """What a step made of a block, where it is what the card promises."""
        if output.shape != (block.shape[0], self._sources, block.shape[1]):
            given = f"{block.shape} samples into {output.shape}"
            raise CardError(f"{self._stepper.engine.card.name} turned {given}; its file is not usable")
        if not all_finite(output):
            raise CardError(
                f"{self._stepper.engine.card.name} gave values that are not numbers; its file is not usable"
            )
        return output

    def _given(self, output: Array) -> Array:
        """(C, S, M) that is final, less what is late, in the shape that was fed."""
        if self._late_samples:
            dropped = min(self._late_samples, output.shape[2])
            self._late_samples -= dropped
            output = output[:, :, dropped:]
        self._given_samples += output.shape[2]
        output = output[:, 0] if self._sources == 1 else output
        return output[0] if self._bare else output
