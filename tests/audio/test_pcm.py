"""Samples survive the way through bytes, wav headers and pipes exactly."""

import io
import struct

import numpy as np
import pytest
import soundfile as sf

from voxfield.audio import PipeSink, PipeSource, RawFormat, Stored, open_pipe, save
from voxfield.audio.pcm import ENCODINGS, SUBTYPES, decode, encode
from voxfield.audio.wav import UNKNOWN, WavFormat, read_header, write_header
from voxfield.errors import AudioError, InputError
from voxfield.samples import to_float


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("channels", [1, 3])
def test_bytes_there_and_back(encoding, channels, speech):
    samples = decode(encode(speech(channels, 500), encoding), encoding, channels)
    assert samples.shape == (channels, 500) and samples.dtype == np.float32
    assert np.array_equal(decode(encode(samples, encoding), encoding, channels), samples)
    assert np.abs(samples - speech(channels, 500)).max() <= 2.0 ** (1 - min(8 * ENCODINGS[encoding], 24))


@pytest.mark.parametrize("encoding", ["u8", "s16le", "s24le", "s32le"])
def test_too_loud_is_clipped_not_wrapped(encoding):
    loud = decode(encode(np.array([[2.0, -2.0]], np.float32), encoding), encoding, 1)[0]
    assert 0.99 < loud[0] <= 1 and loud[1] == -1


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_wav_on_a_pipe_reads_as_libsndfile_does(encoding, speech):
    file = io.BytesIO()
    sf.write(file, speech(2, 700).T, 44100, SUBTYPES[encoding], format="WAV")
    source = open_pipe(io.BytesIO(file.getvalue()))
    assert (source.rate_hz, source.channels, source.count_samples) == (44100, 2, 700)
    samples = np.concatenate(list(source.blocks(64)), axis=1)
    file.seek(0)
    assert np.array_equal(samples, sf.read(file, dtype="float32")[0].T)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_wav_written_to_a_pipe_reads_in_libsndfile(encoding, speech):
    file = io.BytesIO()
    sink = PipeSink(file, WavFormat(22050, 2, encoding, 300))
    sink.write(speech(2, 100))
    sink.write(speech(2, 200, seed=1))
    sink.commit()
    file.seek(0)
    with sf.SoundFile(file) as written:
        assert (written.samplerate, written.frames, written.subtype) == (22050, 300, SUBTYPES[encoding])


def test_an_open_end_is_said_in_the_header():
    form = WavFormat(16000, 1, "s16le", None)
    header = write_header(form)
    assert header[40:44] == UNKNOWN.to_bytes(4, "little")
    assert read_header(io.BytesIO(header).read) == form


def test_sizes_of_a_header_are_those_of_what_follows_them():
    header = write_header(WavFormat(16000, 1, "s16le", 50))
    assert [int.from_bytes(header[at : at + 4], "little") for at in (4, 40)] == [len(header) + 100 - 8, 100]
    sizes = [5 * 10**9 + 80, 5 * 10**9, 25 * 10**8]  # in RF64, of the stream and of its sound, and samples
    wide = b"RF64\xff\xff\xff\xffWAVEds64" + struct.pack("<IQQQI", 28, *sizes, 0) + header[12:40] + b"\xff" * 4
    assert read_header(io.BytesIO(wide).read) == WavFormat(16000, 1, "s16le", 25 * 10**8)


def test_chunks_before_and_after_the_sound_are_skipped(speech):
    header = write_header(WavFormat(16000, 1, "s16le", 50))
    stream = header[:36] + b"LIST\x03\x00\x00\x00abc\x00" + header[36:] + encode(speech(1, 50), "s16le") + b"JUNKJUNK"
    source = PipeSource(io.BytesIO(stream))
    assert sum(block.shape[1] for block in source.blocks(7)) == 50 and source.notes() == []


@pytest.mark.parametrize(
    "content, raw",
    [(write_header(WavFormat(16000, 1, "s16le", 0)), None), (b"", RawFormat(16000)), (b"fLaC" + bytes(40), None)],
)
def test_a_stream_is_called_by_its_name(content, raw):
    with pytest.raises(AudioError, match=r"^the upload "):
        list(open_pipe(io.BytesIO(content), raw, name="the upload").blocks())


@pytest.mark.parametrize("cut", [10, 30, 43])
def test_a_header_cut_short_is_refused(cut):
    with pytest.raises(AudioError, match="ends within its header"):
        PipeSource(io.BytesIO(write_header(WavFormat(16000, 1, "s16le", 50))[:cut]))


def test_sound_cut_short_is_noted(speech):
    stream = write_header(WavFormat(16000, 1, "s16le", 50)) + encode(speech(1, 30), "s16le") + b"\x01"
    source = PipeSource(io.BytesIO(stream))
    assert sum(block.shape[1] for block in source.blocks()) == 30
    assert source.notes() == ["the stream was cut short after 30 samples"]


def test_raw_samples_arrive_as_they_come():
    class Drip(io.BytesIO):
        def read1(self, count=-1, /):
            return self.read(min(count, 5))

    source = open_pipe(Drip(bytes(range(40))), RawFormat(8000, 2))
    blocks = list(source.blocks())
    assert sum(block.shape[1] for block in blocks) == 10 and len(blocks) > 5 and source.notes() == []
    halved = open_pipe(Drip(bytes(range(42))), RawFormat(8000, 2))
    assert sum(block.shape[1] for block in halved.blocks()) == 10
    assert halved.notes() == ["the stream was cut short after 10 samples"]
    told = open_pipe(Drip(write_header(WavFormat(8000, 2, "s16le", 9)) + bytes(36) + b"JUNKJUNK"))
    assert sum(block.shape[1] for block in told.blocks()) == 9 and told.notes() == []


@pytest.mark.parametrize(("subtype", "bits"), [("PCM_U8", 8), ("PCM_16", 16), ("PCM_24", 24)])
def test_integers_in_files_are_the_nearest(tmp_path, subtype, bits):
    steps = np.array([[-2.75, -0.25, 0.25, 0.75, 6.6]], np.float32)
    save(tmp_path / "a.wav", steps * np.float32(2.0 ** (1 - bits)), 16000, Stored(format="WAV", subtype=subtype))
    written = sf.read(tmp_path / "a.wav", dtype="float64")[0] * 2.0 ** (bits - 1)
    assert written.tolist() == [-3, 0, 0, 1, 7]


def test_other_formats_are_read_once_they_are_whole(speech):
    file = io.BytesIO()
    sf.write(file, speech(1, 400).T, 16000, format="FLAC")
    assert sum(block.shape[1] for block in open_pipe(io.BytesIO(file.getvalue())).blocks()) == 400


def test_nonsense_on_a_pipe_is_refused():
    with pytest.raises(AudioError, match="no sound format; describe raw samples with --raw"):
        open_pipe(io.BytesIO(b"hello"))
    with pytest.raises(AudioError, match="empty"):
        open_pipe(io.BytesIO(b""))


@pytest.mark.parametrize("text", ["", "fast", "16k", "16000,1,mp3", "16000;1"])
def test_raw_layouts_that_make_no_sense_are_refused(text):
    with pytest.raises(InputError, match="raw samples are described as"):
        RawFormat.parse(text)


@pytest.mark.parametrize("text", ["0", "999", "768001", "16000,0", "16000,257", "768000,17"])
def test_raw_layouts_out_of_bounds_are_refused(text):
    with pytest.raises(InputError, match="can be used"):
        RawFormat.parse(text)


def test_integer_arrays_are_scaled():
    assert to_float(np.array([-32768, 16384], np.int16)).tolist() == [-1.0, 0.5]
    assert to_float(np.array([0, 192], np.uint8)).tolist() == [-1.0, 0.5]
    with pytest.raises(AudioError, match=r"int64 does not say .*astype\(numpy.int16\)"):
        to_float(np.array([1, 2]))
    with pytest.raises(AudioError, match="bool holds no samples"):
        to_float(np.array([True]))
