"""Headers that lie are refused before anything is allocated, and sizes that a format cannot say are seen in time."""

import io
import struct
import subprocess
import sys

import numpy as np
import pytest
import soundfile as sf

from voxfield.audio import OutputFormat, RawFormat, file_sink, load, open_pipe, open_source, save, sound_writer
from voxfield.audio.limits import MOST_VALUES_PER_SECOND, check_layout
from voxfield.audio.wav import WavFormat, write_header
from voxfield.errors import AudioError, InputError, OutputError

LIES = [  # channels, rate, and a word of the message
    (2, 2**31 - 1, "whole numbers from 1000 to 768000 Hz"),
    (1, 999, "whole numbers from 1000 to 768000 Hz"),
    (1, 1, "whole numbers from 1000 to 768000 Hz"),
    (1, 768_001, "whole numbers from 1000 to 768000 Hz"),
    (257, 8_000, "1 to 256 can be used"),
    (64, 768_000, "at most 16 can be used"),
]


@pytest.mark.parametrize(("channels", "rate_hz", "message"), LIES)
def test_a_lying_header_is_refused_wherever_it_comes_from(tmp_path, channels, rate_hz, message):
    header = write_header(wav(rate_hz, channels))
    content = header + bytes(16 * channels)
    (tmp_path / "a.wav").write_bytes(content)
    for opened in (
        lambda: open_source(tmp_path / "a.wav"),
        lambda: open_source(content),
        lambda: open_source(io.BytesIO(content)),
        lambda: open_pipe(io.BytesIO(content)),
        lambda: open_source(np.zeros((channels, 1000), np.float32), rate_hz),
        lambda: RawFormat.parse(f"{rate_hz},{channels}") if rate_hz < 10**7 else check_layout("", rate_hz, channels),
        lambda: save(tmp_path / "b.wav", np.zeros((channels, 9), np.float32), rate_hz),
    ):
        with pytest.raises(InputError, match=message):
            opened()
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def wav(rate_hz, channels):
    return WavFormat(rate_hz, channels, "u8", 16 * channels)


def test_the_bounds_themselves_can_be_used():
    for channels, rate_hz in [(1, 1000), (16, 768_000), (256, 48_000)]:
        assert channels * rate_hz <= MOST_VALUES_PER_SECOND
        assert load(np.zeros((channels, 500), np.float32), rate_hz)[0].shape == (channels, 500)


def test_a_lying_header_takes_neither_memory_nor_time(tmp_path):
    body = struct.pack("<HHIIHH", 1, 255, 2**31 - 1, 2**31 - 1, 255, 8)
    lie = b"RF64" + struct.pack("<I", 0xFFFFFFFF) + b"WAVEds64" + struct.pack("<IQQQI", 28, 2**40, 2**40, 2**32, 0)
    lie += b"fmt " + struct.pack("<I", 16) + body + b"data" + struct.pack("<I", 0xFFFFFFFF) + bytes(19_000)
    (tmp_path / "lie.wav").write_bytes(lie)
    code = (
        "import resource, sys, voxfield.audio as audio\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\n"
        "for opened in (audio.open_source, lambda path: audio.open_pipe(open(path, 'rb'))):\n"
        "    try: opened(sys.argv[1])\n"
        "    except ValueError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "lie.wav"], capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 0 and done.stdout.count("2147483647 Hz") == 2, done.stderr


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
@pytest.mark.parametrize("known", [True, False], ids=["length-known", "length-unknown"])
def test_a_long_wav_becomes_rf64(tmp_path, speech, monkeypatch, subtype, known):
    monkeypatch.setattr(sound_writer, "LIMIT_BYTES", 10_000)
    samples = speech(2, 20_000)
    sf.write(tmp_path / "a.wav", samples.T, 16000, subtype)
    with open_source(tmp_path / "a.wav") as source:
        source.stored.tags["title"] = "long"
        source.count_samples = 20_000 if known else None
        with file_sink(tmp_path / "b.wav", source) as sink:
            for block in source.blocks(333):
                sink.write(block)
            sink.commit()
    assert sink.notes() == ["beyond 4 GiB a wav file cannot say its own size: it was written as RF64"]
    with sf.SoundFile(tmp_path / "b.wav") as file:
        assert (file.format, file.subtype, file.frames, file.title) == ("RF64", subtype, 20_000, "long")
        written = file.read(dtype="int32" if subtype.startswith("PCM") else "float64")
    assert np.array_equal(written, sf.read(tmp_path / "a.wav", dtype=written.dtype.name)[0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "b.wav"]


def test_a_long_wav_that_is_given_up_leaves_nothing(tmp_path, speech, monkeypatch):
    monkeypatch.setattr(sound_writer, "LIMIT_BYTES", 10_000)
    with open_source(speech(1, 9000), 16000) as source:
        source.count_samples = None
        with file_sink(tmp_path / "b.wav", source) as sink:
            sink.write(speech(1, 9000))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("known", [True, False], ids=["length-known", "length-unknown"])
def test_a_format_without_a_long_form_says_so(tmp_path, speech, monkeypatch, known):
    monkeypatch.setattr(sound_writer, "LIMIT_BYTES", 10_000)
    with open_source(speech(1, 9000), 16000) as source:
        source.count_samples = 9000 if known else None
        with (
            pytest.raises(OutputError, match=r"AIFF files end at 4 GiB; choose a name that ends in \.w64"),
            file_sink(tmp_path / "b.aiff", source) as sink,
        ):
            sink.write(speech(1, 9000))
    assert list(tmp_path.iterdir()) == []


def test_a_short_wav_stays_wav(tmp_path, speech):
    assert save(tmp_path / "b.wav", speech(1, 9000), 16000) == []
    assert sf.info(tmp_path / "b.wav").format == "WAV"


def test_how_long_a_wav_becomes_goes_by_its_own_rate(tmp_path, speech, monkeypatch):
    monkeypatch.setattr(sound_writer, "LIMIT_BYTES", 10_000)
    assert save(tmp_path / "b.wav", speech(1, 9000), 16000, wanted=OutputFormat(rate_hz=8000)) == []
    assert sf.info(tmp_path / "b.wav").format == "WAV"


@pytest.mark.parametrize("announced", [0, 0x7FFFF000, 0x7FFFFFFF, 0x80000000, 0x7FFFFFDB, 0xFFFFFFFF, 0xFFFFFFDB])
def test_a_live_stream_whose_header_cannot_know_the_end_is_not_called_cut(speech, announced, tmp_path):
    header = write_header(WavFormat(16000, 1, "s16le", None))
    content = header[:40] + struct.pack("<I", announced) + bytes(2 * 777)
    source = open_pipe(io.BytesIO(content))
    assert source.count_samples is None
    assert sum(block.shape[1] for block in source.blocks()) == 777 and source.notes() == []


@pytest.mark.parametrize(
    ("format", "subtype"),
    [("WAV", "ULAW"), ("WAV", "ALAW"), ("WAV", "MS_ADPCM"), ("W64", "PCM_16"), ("W64", "FLOAT"), ("RF64", "PCM_16")],
)
def test_what_can_be_read_from_a_file_can_be_read_from_a_pipe(speech, format, subtype):
    file = io.BytesIO()
    sf.write(file, speech(1, 2024).T, 16000, subtype, format=format)
    expected = load(file.getvalue())[0]
    piped = np.concatenate(list(open_pipe(io.BytesIO(file.getvalue())).blocks()), axis=1)
    assert np.array_equal(piped, expected)


def test_a_pipe_at_another_rate(speech):
    from voxfield.audio import pipe_sink

    with open_source(speech(1, 1600), 16000) as source:
        file = io.BytesIO()
        sink = pipe_sink(file, source, wanted=OutputFormat(rate_hz=48000))
        sink.write(speech(1, 1600))
        sink.commit()
        assert load(file.getvalue())[0].shape == (1, 4800)
        with pytest.raises(OutputError, match="a pipe takes wav or raw samples"):
            pipe_sink(file, source, wanted=OutputFormat(format="mp3"))
    with pytest.raises(AudioError, match="can be used"):
        RawFormat.parse("16")
