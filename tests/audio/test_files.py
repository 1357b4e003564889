"""Files and arrays in, files out: rate, channels, length and subtype kept; a failed write leaves nothing."""

import io
import shlex
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from voxfield.audio import file_sink, load, open_source, storage
from voxfield.errors import AudioError, InputError, MissingExtraError, OutputError

EXACT = ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"]


def copy(source_path, target_path, **options):
    with open_source(source_path) as source, file_sink(target_path, source, **options) as sink:
        for block in source.blocks(777):
            sink.write(block)
        sink.commit()


@pytest.mark.parametrize("subtype", [*EXACT, "PCM_32", "DOUBLE", "ULAW"])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_wav_there_and_back(tmp_path, speech, subtype, channels):
    sf.write(tmp_path / "a.wav", speech(channels, 2000).T, 44100, subtype)
    copy(tmp_path / "a.wav", tmp_path / "b.wav")
    before, after = sf.info(tmp_path / "a.wav"), sf.info(tmp_path / "b.wav")
    assert (after.samplerate, after.channels, after.frames, after.subtype) == (44100, channels, 2000, subtype)
    assert after.format == before.format
    if subtype in EXACT:  # the rest does not fit into float32, or into its own range twice
        assert np.array_equal(sf.read(tmp_path / "a.wav")[0], sf.read(tmp_path / "b.wav")[0])


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.opus", "a.mp3", "a.aiff", "a.au", "a.w64"])
@pytest.mark.parametrize("count", [1, 12_345])
def test_other_formats_keep_their_length(tmp_path, speech, name, count):
    samples = speech(2, count)
    format = {"opus": "OGG"}.get(name[2:], name[2:].upper())
    with sf.SoundFile(tmp_path / name, "w", 48000, 2, {"a.opus": "OPUS"}.get(name), format=format) as file:
        file.write(samples.T)
    copy(tmp_path / name, tmp_path / f"b{name[1:]}")
    before, after = sf.info(tmp_path / name), sf.info(tmp_path / f"b{name[1:]}")
    assert (after.frames, after.samplerate, after.subtype) == (count, 48000, before.subtype)


@pytest.mark.parametrize("kind", [str, lambda p: p, lambda p: p.read_bytes(), lambda p: io.BytesIO(p.read_bytes())])
def test_every_way_to_hand_over_a_recording(tmp_path, speech, kind):
    sf.write(tmp_path / "a.wav", speech(2, 500).T, 16000, "FLOAT")
    samples, rate_hz = load(kind(tmp_path / "a.wav"))
    assert rate_hz == 16000 and np.array_equal(samples, speech(2, 500))


def test_a_file_object_that_cannot_be_sought(tmp_path, speech):
    sf.write(tmp_path / "a.wav", speech(1, 500).T, 16000)

    class Pipe(io.RawIOBase):
        data = (tmp_path / "a.wav").read_bytes()

        def read(self, count=-1):
            found, self.data = self.data, b""
            return found

    assert load(Pipe())[0].shape == (1, 500)


@pytest.mark.parametrize(("mode", "message"), [("rb", "is closed"), ("wb", "is not open for reading")])
def test_a_file_object_that_gives_nothing(tmp_path, mode, message):
    with (tmp_path / "a.wav").open("xb"), (tmp_path / "a.wav").open(mode) as file:
        if mode == "rb":
            file.close()
        with pytest.raises(InputError, match=message):
            open_source(file)


def test_a_file_object_at_its_end_and_one_of_samples(tmp_path, speech):
    file = io.BytesIO()
    sf.write(file, speech(1, 500).T, 8000, format="WAV")
    with pytest.raises(AudioError, match=r"nothing to read: it is at its end; seek\(0\) goes back"):
        open_source(file)
    file.seek(0)
    assert load(file)[0].shape == (1, 500)
    with pytest.raises(AudioError, match=r"the data given has nothing to read$"):
        open_source(b"")
    (tmp_path / "a.wav").write_bytes(file.getvalue())
    with sf.SoundFile(tmp_path / "a.wav") as sound, pytest.raises(InputError, match="a SoundFile does not"):
        open_source(sound)


def test_arrays(speech):
    assert load(np.ma.masked_array([0.25, -1e9]), 8000)[0].tolist() == [[0.25, 0.0]]
    assert load(speech(1, 10)[0], 8000)[0].shape == (1, 10)
    assert load(np.array([[16384, -32768]], np.int16), 8000)[0].tolist() == [[0.5, -1.0]]


@pytest.mark.parametrize(
    ("given", "rate", "message"),
    [
        (np.zeros(5), None, "needs its sample rate"),
        (np.zeros(5), 0, "from 1000 to 768000 Hz"),
        (np.zeros(5), float("nan"), "from 1000 to 768000 Hz"),
        (np.zeros(5), float("inf"), "from 1000 to 768000 Hz"),
        (np.zeros(5), "16000", "number of Hz"),
        ([0.0, 0.5], 16000, "a list is no array"),
        ([0.0, 0.5], None, "a list is no array"),
        (["a.wav", Path("b.wav")], None, "2 paths are given; call it once for each recording"),
        ("", None, "the path is empty"),
        (np.float32(0.5), 16000, "a float32 is no array"),  # what only turns into an array, as a torch tensor does
        (np.zeros(5), 8000.5, "whole number"),
        (np.zeros((16000, 2)).T.T[:0], 8000, "holds no samples"),
        (np.zeros((16000, 2)), 8000, "transposed"),
        (np.zeros((1, 2, 3)), 8000, r"\(N,\) or \(C, N\)"),
        (np.zeros(5, bool), 8000, "bool holds no samples"),
        ("a.wav", 8000, "carries its own"),
        (7, None, "not int"),
        (range(5), 8000, "a recording is a path, bytes, a binary file object or an array, not range"),
        (io.StringIO("x"), None, "binary"),
    ],
    ids=[
        "no-rate",
        "zero-rate",
        "nan-rate",
        "infinite-rate",
        "text-rate",
        "list",
        "list-alone",
        "paths",
        "no-path",
        "scalar",
        "broken-rate",
        "empty",
        "transposed",
        "3-d",
        "bool",
        "rate-of-a-file",
        "int",
        "range",
        "text",
    ],
)
def test_what_cannot_be_a_recording(given, rate, message):
    with pytest.raises(InputError, match=message):
        open_source(given, rate)


def test_samples_that_are_no_numbers_become_zeros_and_are_noted(tmp_path, speech):
    samples = speech(2, 5000)
    samples[1, 3000], samples[0, 3001], samples[0, 4000] = np.nan, np.inf, -1e30
    sf.write(tmp_path / "a.wav", samples.T, 16000, "FLOAT")
    with open_source(tmp_path / "a.wav") as source:
        read = np.concatenate(list(source.blocks(512)), axis=1)
    assert np.isfinite(read).all() and read[1, 3000] == 0
    assert np.array_equal(np.delete(read, [3000, 3001, 4000], 1), np.delete(samples, [3000, 3001, 4000], 1))
    (note,) = source.notes()
    assert note.startswith("3 samples") and "at sample 3000 (0.188 s)" in note


def test_integers_that_were_made_floats_are_noticed(speech):
    samples = speech(1, 4000)
    for scale, noted in [(32768, True), (1, False)]:
        with open_source(samples * np.float32(scale), 16000) as source:
            list(source.blocks())
        assert any("above full scale" in note for note in source.notes()) is noted


def test_a_file_cut_short_gives_what_is_there_and_a_note(tmp_path, speech):
    sf.write(tmp_path / "a.wav", speech(1, 5000).T, 16000)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(content[: 44 + 2 * 3000])
    with open_source(tmp_path / "a.wav") as source:
        assert sum(block.shape[1] for block in source.blocks()) == 3000
    assert source.notes() == ["the file is cut short: 6000 of the 10000 bytes of sound that it announces are there"]


def test_a_damaged_flac_gives_what_comes_before_the_damage(tmp_path, speech):
    sf.write(tmp_path / "a.flac", speech(1, 30_000).T, 16000)
    whole = sf.read(tmp_path / "a.flac", dtype="float32")[0]
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(content[: len(content) // 2])
    with open_source(tmp_path / "a.flac") as source:
        (block,) = source.blocks()
    assert 8_000 < block.shape[1] < 30_000 and np.array_equal(block[0], whole[: block.shape[1]])
    (note,) = source.notes()
    assert note.endswith(f"{block.shape[1]} of 30000 samples could be read (flac decoder lost sync)")


def test_leaving_without_commit_leaves_nothing(tmp_path, speech):
    sf.write(tmp_path / "a.wav", speech(1, 500).T, 16000)
    with open_source(tmp_path / "a.wav") as source, file_sink(tmp_path / "b.wav", source) as sink:
        sink.write(speech(1, 100))
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]


def test_an_existing_output_is_kept(tmp_path, speech):
    sf.write(tmp_path / "a.wav", speech(1, 500).T, 16000)
    (tmp_path / "b.wav").write_text("precious")
    with pytest.raises(OutputError, match="exists already"):
        copy(tmp_path / "a.wav", tmp_path / "b.wav")
    assert (tmp_path / "b.wav").read_text() == "precious"
    copy(tmp_path / "a.wav", tmp_path / "b.wav", overwrite=True)
    assert sf.info(tmp_path / "b.wav").frames == 500 and len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("subtype", "name", "expected"),
    [
        ("PCM_24", "b.flac", ("FLAC", "PCM_24")),
        ("FLOAT", "b.flac", ("FLAC", "PCM_24")),
        ("DOUBLE", "b.wav", ("WAV", "DOUBLE")),
        ("PCM_U8", "b.flac", ("FLAC", "PCM_S8")),
        ("PCM_16", "b.opus", ("OGG", "OPUS")),
        ("PCM_16", "b.mp3", ("MP3", "MPEG_LAYER_III")),
        ("ULAW", "b.flac", ("FLAC", "PCM_16")),
    ],
)
def test_another_suffix_takes_the_nearest_subtype(tmp_path, speech, subtype, name, expected):
    sf.write(tmp_path / "a.wav", speech(1, 100).T, 16000, subtype)
    with open_source(tmp_path / "a.wav") as source:
        assert storage(tmp_path / name, source.stored) == expected


@pytest.mark.parametrize("name", ["b.txt", "b", "b.raw"])
def test_a_suffix_that_is_no_format_is_refused(tmp_path, speech, name):
    sf.write(tmp_path / "a.wav", speech(1, 100).T, 16000)
    with open_source(tmp_path / "a.wav") as source, pytest.raises(OutputError, match="no format that can be written"):
        storage(tmp_path / name, source.stored)


def test_too_many_channels_for_a_format(tmp_path, speech):
    sf.write(tmp_path / "a.wav", speech(8, 100).T, 16000)
    with open_source(tmp_path / "a.wav") as source, pytest.raises(OutputError, match="cannot hold 8 channels"):
        file_sink(tmp_path / "b.mp3", source)
    assert len(list(tmp_path.iterdir())) == 1


def test_clipped_samples_are_counted(tmp_path):
    with open_source(np.array([0.5, 1.5, -2.0, -1.0], np.float32), 16000) as source:
        sink = file_sink(tmp_path / "b.wav", source)
        with sink:
            for block in source.blocks():
                sink.write(block)
            sink.commit()
    assert sink.clipped_samples == 2 and np.abs(sf.read(tmp_path / "b.wav")[0]).max() == 1


def test_missing_folders_and_reasons(tmp_path):
    for path, message in [(tmp_path, "is a folder"), (tmp_path / "none.wav", "does not exist")]:
        with pytest.raises(AudioError, match=message):
            open_source(path)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_tags_are_kept(tmp_path, speech, suffix):
    with sf.SoundFile(tmp_path / f"a{suffix}", "w", 16000, 1) as file:
        file.title, file.artist = "Title 名", "Somebody"
        file.write(speech(1, 3000)[0])
    copy(tmp_path / f"a{suffix}", tmp_path / f"b{suffix}")
    with sf.SoundFile(tmp_path / f"b{suffix}") as file:
        assert (file.title, file.artist) == ("Title 名", "Somebody")


def test_without_the_extra_its_name_and_a_command_that_runs_are_given(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "my talk.m4a").write_bytes(b"....ftypM4A ")
    with pytest.raises(MissingExtraError, match=r"pip install 'voxfield\[media\]'") as caught:
        open_source(tmp_path / "my talk.m4a")
    command = str(caught.value).partition("with: ")[2]
    assert shlex.split(command) == ["ffmpeg", "-i", str(tmp_path / "my talk.m4a"), str(tmp_path / "my talk.wav")]


def test_devices_are_no_recordings():
    with pytest.raises(AudioError, match="no ordinary file"):
        open_source("/dev/null")
