"""What a network takes and gives: the one description that the card, the engine, the export and explain share.

A new kind of input or output is one entry of `KINDS`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from voxfield.errors import CardError

_PLAIN = (
    "sample_rate_hz", "hop_samples", "window_samples", "least_steps", "not_streaming_because", "window", "features",
    "multiple_of", "codes",
)  # fmt: skip
WINDOWS = ("sqrt-hann", "hamming")
TIME = "time"  # the name of an axis whose size is free


class Kind(NamedTuple):
    """Axes of a kind of data, without the batch: their letters for `voxfield.explain`, and the type of its numbers."""

    axes: str
    dtype: str = "float32"


KINDS = {
    "samples": Kind("CT"),  # channels or sources, samples
    "spectrum": Kind("CFT"),  # real and imaginary part of each signal, frequency bins, frames
    "features": Kind("CT"),  # log-mel bands or learned features, frames
    "image": Kind("CHW"),
    "embedding": Kind("C"),
    "scores": Kind("C"),
    "tokens": Kind("CT", "int64"),  # codebooks, frames
    "logits": Kind("CFT"),  # of each code, columns of the map, rows
}
_CHANNELS_OF_A_SIGNAL = {"samples": 1, "spectrum": 2}


@dataclass(frozen=True)
class Port:
    """One end of a network.

    Attributes:
        kind: of `KINDS`.
        shape: size of each axis without the batch, with "time" for the one that is free.
    """

    kind: str
    shape: tuple[int | str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", tuple(self.shape))
        if not isinstance(self.kind, str) or self.kind not in KINDS:
            raise CardError(f"there is no kind of data {self.kind!r}; there are: {', '.join(KINDS)}")
        axes = KINDS[self.kind].axes
        sized = all(size == TIME or (whole(size) and int(size) > 0) for size in self.shape)
        if len(self.shape) != len(axes) or not sized or self.shape.count(TIME) > 1:
            raise CardError(
                f"{self.kind} has {len(axes)} axes ({', '.join(axes)}), each a whole number above 0, or once '{TIME}'; "
                f"not {list(self.shape)}"
            )

    @property
    def dtype(self) -> str:
        """Name of the numpy type of its numbers."""
        return KINDS[self.kind].dtype

    @property
    def layout(self) -> str:
        """Letters of the axes, the batch first: `BCFT` for a spectrum."""
        return "B" + KINDS[self.kind].axes

    @property
    def free_axis(self) -> int | None:
        """Place of the free axis in a batched array, or None."""
        return self.shape.index(TIME) + 1 if TIME in self.shape else None

    def batched(self, steps: int, batch: int = 1) -> tuple[int, ...]:
        """Shape of an array with `steps` along the free axis.

        >>> Port("spectrum", (2, 257, "time")).batched(7)
        (1, 2, 257, 7)
        """
        return (batch, *(steps if size == TIME else int(size) for size in self.shape))


class Layer(NamedTuple):
    """Channels of an output of features that belong together: frames of one layer of the network.

    Frame t of every layer ends with sample `least_steps + t * hop_samples` of the recording, and is made of the
    `field_samples` before; what norms remember of the recording is not counted.
    """

    name: str
    channels: int
    field_samples: int


@dataclass(frozen=True)
class Interface:
    """What a network takes and gives, in which steps, and how much later.

    Attributes:
        input, output: the two ends.
        sample_rate_hz: of the recording behind the input; 0 where there is none, as for an image.
        hop_samples: samples that one step of the network consumes; 0 where it takes its input whole.
        window_samples: of the analysis behind a spectrum or features; 0 otherwise.
        window: kind of that window; see `voxfield.features.analysis_window`.
        features: name of input features, such as those of `voxfield.features.named`; empty for other inputs.
        layers: of an output of features, the layers that its channels hold one after the other; else empty.
        multiple_of: the input is a multiple of so many steps along its free axis.
        codes: tokens are whole numbers from 0 to below this; 0 where nothing says so.
        lookahead_samples: future samples that an output sample depends on beyond its own hop; None where the network
            needs its whole input.
        least_steps: the shortest input along its free axis.
        not_streaming_because: why the network cannot be fed piece by piece; empty where it can.

    Raises:
        CardError: a field has the wrong type or contradicts another; the message names the field.
    """

    input: Port
    output: Port
    sample_rate_hz: int = 0
    hop_samples: int = 0
    window_samples: int = 0
    lookahead_samples: int | None = None
    least_steps: int = 1
    not_streaming_because: str = ""
    window: str = WINDOWS[0]
    features: str = ""
    layers: tuple[Layer, ...] = ()
    multiple_of: int = 1
    codes: int = 0

    def __post_init__(self) -> None:
        self._check_layers()
        for key in ("sample_rate_hz", "hop_samples", "window_samples", "codes"):
            self._need(whole(getattr(self, key)) and getattr(self, key) >= 0, key, "a whole number, 0 or more")
        for key in ("least_steps", "multiple_of"):
            self._need(whole(getattr(self, key)) and getattr(self, key) > 0, key, "a whole number above 0")
        self._need(isinstance(self.not_streaming_because, str), "not_streaming_because", "text")
        self._need(self.window in WINDOWS, "window", " or ".join(WINDOWS))
        self._need(isinstance(self.features, str), "features", "text")
        if not self.streaming:
            self._need(
                self.not_streaming_because != "", "not_streaming_because", "a reason: no lookahead_samples are given"
            )
            return
        self._need(self.not_streaming_because == "", "lookahead_samples", "left out where the network cannot stream")
        ahead = self.lookahead_samples
        self._need(whole(ahead) and int(ahead or 0) >= 0, "lookahead_samples", "a whole number, 0 or more")
        for key in ("sample_rate_hz", "hop_samples"):
            self._need(getattr(self, key) > 0, key, "above 0 where the network streams")
        self._need(self.input.free_axis is not None, "input", "free along time where the network streams")
        if self.input.kind == "spectrum":
            self._check_spectrum(int(ahead or 0))

    def _check_layers(self) -> None:
        try:
            layers = tuple(Layer(*layer) for layer in self.layers)
        except TypeError:
            layers = (Layer("", 0, 0),)
        object.__setattr__(self, "layers", layers)
        counts = [count for layer in layers for count in layer[1:]]
        sound = all(whole(count) and count > 0 for count in counts) and all(
            isinstance(layer.name, str) and layer.name for layer in layers
        )
        self._need(sound, "layers", "names, numbers of channels and fields above 0")
        if layers:
            sums = sum(layer.channels for layer in layers) == self.output.shape[0]
            self._need(sums and self.output.kind == "features", "layers", "all channels of an output of features")

    def _check_spectrum(self, ahead: int) -> None:
        window, hop = self.window_samples, self.hop_samples
        self._need(window >= hop and window % 2 == 0, "window_samples", f"an even number of at least one hop ({hop})")
        self._need(self.bins == window // 2 + 1, "window_samples", f"twice the bins less one ({self.bins})")
        frames = f"window - hop ({window - hop}) plus a whole number of hops ({hop})"
        self._need(ahead >= window - hop and (ahead - window + hop) % hop == 0, "lookahead_samples", frames)

    def _need(self, holds: bool, key: str, what: str) -> None:
        if not holds:
            raise CardError(f"interface: {key} must be {what}, not {getattr(self, key)!r}")

    @property
    def streaming(self) -> bool:
        """Whether the network can be fed piece by piece."""
        return self.lookahead_samples is not None

    @property
    def latency_samples(self) -> int | None:
        """Algorithmic latency, hop + lookahead; None where nothing streams."""
        return None if self.lookahead_samples is None else self.hop_samples + self.lookahead_samples

    @property
    def latency_ms(self) -> float | None:
        """Algorithmic latency in milliseconds; None where nothing streams."""
        return None if self.latency_samples is None else 1000 * self.latency_samples / self.sample_rate_hz

    @property
    def sources(self) -> int:
        """Signals that come out as samples or as spectra, S of a network that separates; 1 for other outputs."""
        channels = _CHANNELS_OF_A_SIGNAL.get(self.output.kind)
        return int(self.output.shape[0]) // channels if channels else 1

    @property
    def bins(self) -> int:
        """Frequency bins of an input spectrum; 0 for other inputs."""
        return int(self.input.shape[1]) if self.input.kind == "spectrum" else 0

    @property
    def step_samples(self) -> int:
        """Samples of the recording from one place of the free axis to the next: 1 for samples, the hop for frames."""
        return 1 if self.input.kind == "samples" else self.hop_samples

    @property
    def hops_per_second(self) -> int:
        """Hops that make a second of audio or a little more; 1 where there is no recording."""
        return -(-self.sample_rate_hz // max(self.hop_samples, 1)) or 1

    def block_shape(self, hops: int, batch: int = 1) -> tuple[int, ...]:
        """Shape of an input of so many hops, or of the least input where that is more, up to a multiple that it takes.

        >>> samples(16000, hop_samples=8, lookahead_samples=8, sources=2).block_shape(3)
        (1, 1, 24)
        """
        steps = hops * max(self.hop_samples, 1) // max(self.step_samples, 1)
        return self.input.batched(-(-max(steps, self.least_steps) // self.multiple_of) * self.multiple_of, batch)

    def frames(self, count_samples: int) -> int:
        """Frames of features that a recording of so many samples gives: none before `least_steps`, then one a hop."""
        return max((count_samples - self.least_steps) // self.hop_samples + 1, 0)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, without those that are as they are by default."""
        values: dict[str, Any] = {
            name: {"kind": port.kind, "shape": list(port.shape)}
            for name, port in (("input", self.input), ("output", self.output))
        }
        if self.lookahead_samples is not None:
            values["lookahead_samples"] = self.lookahead_samples
        if self.layers:
            values["layers"] = [layer._asdict() for layer in self.layers]
        return values | {key: value for key in _PLAIN if (value := getattr(self, key)) != getattr(Interface, key)}

    @classmethod
    def from_dict(cls, values: Any) -> "Interface":
        """The interface that `to_dict` wrote.

        Raises:
            CardError: a key is unknown or missing, or a value does not hold.
        """
        if not isinstance(values, Mapping):
            raise CardError(f"interface must be a table, not {values!r}")
        unknown = [key for key in values if key not in cls.__dataclass_fields__]
        missing = [key for key in ("input", "output") if key not in values]
        if unknown or missing:
            raise CardError(f"interface {'has no key' if unknown else 'lacks'} '{(unknown or missing)[0]}'")
        ports = {key: _port(key, values[key]) for key in ("input", "output")}
        return cls(**(dict(values) | ports | {"layers": _layers(values.get("layers", []))}))


def spectrum(
    sample_rate_hz: int,
    window_samples: int,
    hop_samples: int,
    lookahead_hops: int = 0,
    window: str = WINDOWS[0],
    sources: int = 1,
) -> Interface:
    """Spectrum in, spectra of so many sources out: a frame ends with its hop, so it looks window - hop samples ahead.

    >>> spectrum(16000, 512, 256).latency_ms
    32.0
    """
    mixture, voices = (Port("spectrum", (2 * count, window_samples // 2 + 1, TIME)) for count in (1, sources))
    lookahead = window_samples - hop_samples + lookahead_hops * hop_samples
    return Interface(mixture, voices, sample_rate_hz, hop_samples, window_samples, lookahead, window=window)


def samples(
    sample_rate_hz: int,
    hop_samples: int,
    lookahead_samples: int | None,
    sources: int = 1,
    least_samples: int = 1,
    not_streaming_because: str = "",
) -> Interface:
    """Samples in, samples of so many sources out; `lookahead_samples` is None, with a reason, where nothing streams."""
    return Interface(
        Port("samples", (1, TIME)),
        Port("samples", (sources, TIME)),
        sample_rate_hz,
        hop_samples,
        0,
        lookahead_samples,
        least_samples,
        not_streaming_because,
    )


def samples_to_features(
    sample_rate_hz: int,
    hop_samples: int,
    layers: tuple[Layer, ...],
    least_samples: int,
    not_streaming_because: str = "",
) -> Interface:
    """Samples in, a frame of features every hop out, the first one after `least_samples`; without look-ahead where it
    streams.

    >>> samples_to_features(16000, 160, (Layer("z", 512, 465),), 465, "it needs the whole recording").frames(16000)
    98
    """
    return Interface(
        Port("samples", (1, TIME)),
        Port("features", (sum(layer.channels for layer in layers), TIME)),
        sample_rate_hz,
        hop_samples,
        0,
        None if not_streaming_because else 0,
        least_samples,
        not_streaming_because,
        layers=layers,
    )


def image(channels: int, side_px: int, output: Port) -> Interface:
    """One square image in, one answer out.

    >>> image(3, 42, Port("scores", (1,))).input.layout
    'BCHW'
    """
    port = Port("image", (channels, side_px, side_px))
    return Interface(port, output, not_streaming_because="it takes one image at a time")


def features_to_embedding(
    features: str, bands: int, embedding: int, sample_rate_hz: int = 16000, least_frames: int = 1
) -> Interface:
    """Features (bands, T) less their mean in, an embedding of the whole recording out: windows of 25 ms every 10 ms.

    >>> features_to_embedding("kaldi-hamming", 80, 192).block_shape(98)
    (1, 80, 98)
    """
    return Interface(
        Port("features", (bands, TIME)),
        Port("embedding", (embedding,)),
        sample_rate_hz,
        sample_rate_hz // 100,
        sample_rate_hz // 40,
        least_steps=least_frames,
        not_streaming_because="an embedding is of the whole recording",
        features=features,
    )


def _port(key: str, value: Any) -> Port:
    if (
        not isinstance(value, Mapping)
        or set(value) != {"kind", "shape"}
        or not isinstance(value["shape"], list | tuple)
    ):
        raise CardError(f"interface: {key} must be a table of kind and shape, not {value!r}")
    return Port(value["kind"], tuple(value["shape"]))


def _layers(values: Any) -> tuple[Layer, ...]:
    rows = values if isinstance(values, list | tuple) else [values]
    if not all(isinstance(row, Mapping) and set(row) == set(Layer._fields) for row in rows):
        raise CardError(f"interface: layers must be tables of {', '.join(Layer._fields)}, not {values!r}")
    return tuple(Layer(**row) for row in rows)


def whole(value: object) -> bool:
    """Whether it is a whole number, which true and false are not."""
    return isinstance(value, int) and not isinstance(value, bool)
