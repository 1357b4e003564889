"""How a result is stored: what its suffix allows that is nearest to the recording, and what the user asked for."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import soundfile as sf

from voxfield.audio.limits import check_rate
from voxfield.audio.stored import Bitrate, Stored
from voxfield.errors import InputError, OutputError
from voxfield.formats import CONTAINERS, SOUND_FILES, suffix_of

_NEAREST = {  # subtype of the recording -> what to store it as, best first, where the other format has its own set
    "DOUBLE": ("DOUBLE", "FLOAT", "PCM_24"),
    "FLOAT": ("FLOAT", "PCM_24"),
    "PCM_32": ("PCM_32", "PCM_24"),
    "PCM_U8": ("PCM_U8", "PCM_S8"),
    "PCM_S8": ("PCM_S8", "PCM_U8"),
    "pcm_s24le": ("PCM_24",),
    "pcm_f32le": ("FLOAT", "PCM_24"),
}
_EXACT = {"PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "VORBIS", "OPUS", "ALAC_16", "ALAC_24", "ALAC_32"}
_BLOCKS = {"IMA_ADPCM": 2, "MS_ADPCM": 2, "GSM610": 1}  # most channels; a wav header says where the last block ends
_CODECS = {  # container -> codecs that keep the length to the sample, the first one if the recording has none of them
    "ipod": ("aac", "alac"),
    "mp4": ("aac", "alac"),
    "mov": ("aac", "alac", "pcm_s16le", "pcm_s24le", "pcm_f32le"),
    "webm": ("opus",),
    "matroska": ("opus", "flac", "pcm_s16le", "pcm_s24le", "pcm_f32le"),
}
LOSSY = {"MPEG_LAYER_III", "VORBIS", "OPUS", "aac", "opus"}
_RATES_HZ = {  # codecs that hold certain sample rates only
    "OPUS": (8_000, 12_000, 16_000, 24_000, 48_000),
    "opus": (48_000,),  # in webm and mkv it is always read at this rate
    "MPEG_LAYER_III": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000),
    "aac": (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000),
}


@dataclass(frozen=True)
class OutputFormat:
    """What a user may ask of a result; what is left out is taken from the recording and the suffix.

    Attributes:
        format: a suffix such as `flac` or `m4a`, instead of the one of the path.
        bitrate_kbps: of a lossy format, over all channels.
        rate_hz: sample rate.
        exact: samples of 32 bits with any value, where the format has them.

    Raises:
        InputError: no such format, or a bitrate or rate that is out of bounds.
    """

    format: str = ""
    bitrate_kbps: float | None = None
    rate_hz: int | None = None
    exact: bool = False

    def __post_init__(self) -> None:
        if self.format and self.suffix not in (*SOUND_FILES, *CONTAINERS):
            known = ", ".join(suffix[1:] for suffix in (*SOUND_FILES, *CONTAINERS))
            raise InputError(f"'{self.format}' is no format that can be written; these are: {known}")
        if self.bitrate_kbps is not None and not 1 <= self.bitrate_kbps <= 4096:  # false for NaN as well
            raise InputError(f"the bitrate must lie between 1 and 4096 kbit/s, not {self.bitrate_kbps}")
        if self.rate_hz is not None:
            check_rate("the result", self.rate_hz)

    @property
    def suffix(self) -> str:
        """The format as a suffix, or nothing."""
        return suffix_of(self.format)


AS_RECORDED = OutputFormat()


@dataclass(frozen=True)
class Target:
    """How a result is stored.

    Attributes:
        format, subtype: in libsndfile's words; the container and codec in FFmpeg's where `container` is set.
        rate_hz, channels: of the result.
        container: whether FFmpeg writes it.
        bitrate: to come near to, or None for the encoder's own choice.
        notes: what differs from the recording.
    """

    format: str
    subtype: str
    rate_hz: int
    channels: int
    container: bool = False
    bitrate: Bitrate | None = None
    notes: tuple[str, ...] = ()


def target_for(path: Path, like: Stored, rate_hz: int, channels: int, wanted: OutputFormat = AS_RECORDED) -> Target:
    """How to store a result of this rate under this name: as `like` where the suffix is the same, else the nearest.

    Raises:
        OutputError: the suffix names no format that can be written, or one that cannot hold what was asked for.
    """
    suffix = wanted.suffix or path.suffix.lower()
    like = replace(like, subtype="FLOAT") if wanted.exact else like
    same = suffix == Path(like.name).suffix.lower()
    container = suffix in CONTAINERS
    if container:
        format = CONTAINERS[suffix]
        subtype = next((codec for codec in _CODECS[format] if codec == _codec(like.subtype)), _CODECS[format][0])
    else:
        format, subtype = storage(path.with_suffix(suffix) if wanted.suffix else path, like, channels)
    lossy = subtype in LOSSY
    if wanted.bitrate_kbps is not None and not lossy:
        raise OutputError(f"{path}: a bitrate is chosen for lossy formats, and '{suffix}' stores every sample")
    chosen = Bitrate(wanted.bitrate_kbps, constant=True) if wanted.bitrate_kbps is not None else None
    kept = like.bitrate if same or (like.subtype in LOSSY and like.subtype.lower() == subtype.lower()) else None
    held_hz = _held_rate(subtype, wanted.rate_hz or rate_hz)
    notes: tuple[str, ...] = ()
    if held_hz != (wanted.rate_hz or rate_hz):
        rates = ", ".join(f"{rate / 1000:g}" for rate in _RATES_HZ[subtype])
        if wanted.rate_hz:
            raise OutputError(f"{path}: {_spoken(subtype)} holds {rates} kHz, not {wanted.rate_hz / 1000:g}")
        notes = (f"{_spoken(subtype)} cannot hold {rate_hz} Hz, so the result has {held_hz} Hz",)
    bitrate = (chosen or kept) if lossy else None
    if bitrate is not None:
        least, most = bitrates(subtype, held_hz, channels)
        bitrate = replace(bitrate, kbps=min(max(bitrate.kbps, least), most))
        if chosen is not None and bitrate != chosen:
            notes += (f"{_spoken(subtype)} has {least} to {most} kbit/s here, so the result has {bitrate.kbps:g}",)
    return Target(format, subtype, held_hz, channels, container, bitrate, notes)


def bitrates(subtype: str, rate_hz: int, channels: int) -> tuple[int, int]:
    """Least and most kbit/s, over all channels, of a lossy format; of Vorbis the nearest of its qualities decides."""
    if subtype == "MPEG_LAYER_III":
        return (32, 320) if rate_hz >= 32_000 else (8, 160) if rate_hz >= 16_000 else (8, 64)
    if subtype.lower() == "opus":
        return 6 * channels, 256 * channels
    return (8, 256 * channels) if subtype == "aac" else (1, 4096)


def storage(path: Path, like: Stored, channels: int = 1) -> tuple[str, str]:
    """Format and subtype, in libsndfile's words, of a file of this name.

    Raises:
        OutputError: the suffix names no format that can be written.
    """
    suffix = path.suffix.lower()
    same = suffix == Path(like.name).suffix.lower()
    if same and like.format and _keeps(like.format, like.subtype, channels):
        return like.format, like.subtype
    format = SOUND_FILES.get(suffix, "")
    if format not in sf.available_formats():
        raise OutputError(
            f"{path}: '{path.suffix}' names no format that can be written; .wav, .flac, .ogg, .mp3 and .m4a do"
        )
    if suffix == ".opus":
        return format, "OPUS"
    wanted = like.subtype or "PCM_16"
    fitting: Iterable[str] = _NEAREST.get(wanted, (wanted,))
    default = str(sf.default_subtype(format))
    if not _keeps(format, default, channels):
        default = "PCM_16"
    return format, next((subtype for subtype in fitting if _keeps(format, subtype, channels)), default)


def _keeps(format: str, subtype: str, channels: int) -> bool:
    """Whether libsndfile writes this and gives back as many samples as it was given."""
    if subtype in _BLOCKS:
        return format in ("WAV", "WAVEX") and channels <= _BLOCKS[subtype] and bool(sf.check_format(format, subtype))
    if subtype == "MPEG_LAYER_III":
        return format == "MP3"
    if subtype in ("PCM_S8", "PCM_U8", "ULAW", "ALAW"):  # in AIFF an odd number of bytes is counted as one more
        return bool(sf.check_format(format, subtype)) and not (format == "AIFF" and channels % 2)
    return subtype in _EXACT and bool(sf.check_format(format, subtype))


def _codec(subtype: str) -> str:
    """The codec in FFmpeg's words."""
    known = {"OPUS": "opus", "PCM_24": "pcm_s24le", "FLOAT": "pcm_f32le", "PCM_16": "pcm_s16le"}
    return known.get(subtype, subtype)


def _held_rate(subtype: str, rate_hz: int) -> int:
    """The rate itself, or the next one that the codec holds."""
    rates = _RATES_HZ.get(subtype, (rate_hz,))
    return min((rate for rate in rates if rate >= rate_hz), default=max(rates))


def _spoken(subtype: str) -> str:
    return {"MPEG_LAYER_III": "mp3", "aac": "AAC"}.get(subtype, subtype.capitalize())
