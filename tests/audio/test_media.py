"""m4a, mp4, webm and mkv: nothing shifted, nothing longer, the picture kept; and files that are damaged."""

import io
import re
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

from voxfield.audio import Stored, file_sink, load, open_pipe, open_source, save
from voxfield.errors import AudioError, MissingExtraError, OutputError

av = pytest.importorskip("av")
SUFFIXES = [".m4a", ".mp4", ".mov", ".webm", ".mkv"]


def smooth_noise(channels, count, seed=3):
    rng = np.random.default_rng(seed)
    window = np.hanning(41) / 50
    rows = [np.convolve(rng.standard_normal(count), window, "same") for _ in range(channels)]
    return np.stack(rows).astype(np.float32)


def video(path, format, codec, sound, rate_hz=48_000, start_s=0.0, seconds=2.0):
    """A video of a grey square that gets brighter, with sound (C, N) that begins at `start_s`."""
    with av.open(str(path), "w", format=format) as out:
        picture = out.add_stream(codec, rate=25, width=64, height=64, pix_fmt="yuv420p")
        track = out.add_stream("libopus" if format == "webm" else "aac", rate=rate_hz, layout="stereo")
        out.metadata["title"] = "a film"
        for number in range(round(25 * seconds)):
            frame = av.VideoFrame.from_ndarray(np.full((96, 64), 4 * number % 200, np.uint8), format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            out.mux(picture.encode(frame))
        frame = av.AudioFrame.from_ndarray(sound, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate_hz, round(start_s * rate_hz), Fraction(1, rate_hz)
        out.mux(track.encode(frame))
        out.mux(picture.encode(None))
        out.mux(track.encode(None))


def packets(path):
    with av.open(str(path)) as container:
        return [
            (bytes(packet), float((packet.pts or 0) * packet.time_base), packet.is_keyframe)
            for packet in container.demux(container.streams.video[0])
            if packet.size
        ]


def start_s(path):
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return float((stream.start_time or 0) * stream.time_base)


def placed(path):
    """The sound (C, N) from time 0 on."""
    samples, rate_hz = load(path)
    return np.pad(samples, ((0, 0), (round(start_s(path) * rate_hz), 0)))


def convert(source_path, target_path, gain=1.0, **options):
    with open_source(source_path) as source, file_sink(target_path, source, **options) as sink:
        for block in source.blocks(777):
            sink.write(gain * block)
        sink.commit()
    return sink


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("count", [700, 1023, 1024, 1025, 48_000, 50_001])
def test_length_and_place_are_kept_over_three_generations(tmp_path, suffix, count):
    samples = smooth_noise(2, count)
    save(tmp_path / f"0{suffix}", samples, 48_000)
    for generation in range(3):
        convert(tmp_path / f"{generation}{suffix}", tmp_path / f"{generation + 1}{suffix}")
    read, rate_hz = load(tmp_path / f"3{suffix}")
    assert rate_hz == 48_000 and read.shape == (2, count)
    if count > 40_000:
        inside = slice(5000, 35_000)
        products = [np.dot(samples[0, inside], np.roll(read[0], shift)[inside]) for shift in range(-5, 6)]
        assert np.argmax(products) == 5


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 96_000])
def test_other_rates_in_m4a(tmp_path, rate_hz):
    save(tmp_path / "a.m4a", smooth_noise(1, 33_333), rate_hz)
    samples, own_hz = load(tmp_path / "a.m4a")
    assert own_hz == rate_hz and samples.shape == (1, 33_333)


@pytest.mark.parametrize("channels", range(1, 9))
def test_channels_in_m4a(tmp_path, channels):
    samples = smooth_noise(channels, 20_000)
    save(tmp_path / "a.m4a", samples, 48_000)
    read, _ = load(tmp_path / "a.m4a")
    assert read.shape == samples.shape
    for channel in {*range(channels)} - ({3} if channels > 5 else set()):  # the fourth may be low-passed there
        assert np.corrcoef(read[channel, 1000:], samples[channel, 1000:])[0, 1] > 0.9


def test_too_many_channels(tmp_path):
    with pytest.raises(OutputError, match="hold 1 to 8 channels, not 9"):
        save(tmp_path / "a.m4a", smooth_noise(9, 100), 48_000)
    assert list(tmp_path.iterdir()) == []


def test_lossless_codecs_in_containers_are_exact(tmp_path):
    samples = (np.round(smooth_noise(2, 9_999) * 2**15) / 2**15).astype(np.float32)
    save(tmp_path / "a.m4a", samples, 44_100, Stored("a.m4a", "mov", "alac"))
    assert np.array_equal(load(tmp_path / "a.m4a")[0], samples)
    save(tmp_path / "a.mov", samples, 44_100, Stored("a.wav", "WAV", "PCM_16"))
    assert np.array_equal(load(tmp_path / "a.mov")[0], samples)
    save(tmp_path / "a.mkv", samples, 44_100, Stored("a.flac", "FLAC", "flac"))
    assert np.array_equal(load(tmp_path / "a.mkv")[0], samples)


@pytest.mark.parametrize(
    ("name", "format", "codec"),
    [("a.mp4", "mp4", "mpeg4"), ("a.mkv", "matroska", "mpeg4"), ("a.webm", "webm", "libvpx")],
)
@pytest.mark.parametrize("begin_s", [0.0, 0.5])
def test_of_a_video_the_sound_is_replaced_and_the_picture_copied(tmp_path, name, format, codec, begin_s):
    video(tmp_path / name, format, codec, smooth_noise(2, 60_000), start_s=begin_s)
    sink = convert(tmp_path / name, tmp_path / f"b{name}", gain=0.5)
    assert sink.notes() == []
    assert packets(tmp_path / f"b{name}") == packets(tmp_path / name)
    before, after = placed(tmp_path / name), placed(tmp_path / f"b{name}")
    if begin_s == 0:
        assert after.shape == before.shape
    inside = slice(30_000, 60_000)
    products = [np.dot(before[0, inside], np.roll(after[0], shift)[inside]) for shift in range(-100, 101)]
    assert abs(np.argmax(products) - 100) <= (0 if name == "a.mp4" else 48)  # time stamps in mkv and webm are in ms
    assert np.std(after[:, inside]) == pytest.approx(0.5 * np.std(before[:, inside]), rel=0.05)
    with open_source(tmp_path / f"b{name}") as source:
        assert source.stored.tags["title"] == "a film"


@pytest.mark.parametrize(("name", "format"), [("a.mp4", "mp4"), ("a.mov", "mov"), ("a.mkv", "matroska")])
def test_pictures_that_are_stored_out_of_order_are_copied_too(tmp_path, name, format):
    if "libx264" not in av.codecs_available:
        pytest.skip("FFmpeg was built without libx264")
    video(tmp_path / name, format, "libx264", smooth_noise(2, 60_000))
    for target in (f"b{name}", "c.mp4", "d.mkv"):
        assert convert(tmp_path / name, tmp_path / target).notes() == []
        copied, original = packets(tmp_path / target), packets(tmp_path / name)
        assert len(copied) == 50 and [at_s for _, at_s, _ in copied] == [at_s for _, at_s, _ in original]
    assert packets(tmp_path / f"b{name}") == packets(tmp_path / name)


def test_cover_art_stays_in_m4a(tmp_path):
    save(tmp_path / "a.m4a", smooth_noise(1, 9_000), 16_000)
    with av.open(str(tmp_path / "a.m4a")) as sound, av.open(str(tmp_path / "b.mp4"), "w") as out:
        track = out.add_stream_from_template(sound.streams.audio[0])
        cover = out.add_stream("png", rate=1, width=16, height=16, pix_fmt="rgb24")
        cover.disposition = av.stream.Disposition.attached_pic
        frame = av.VideoFrame(16, 16, "rgb24")
        frame.pts = 0
        out.mux(cover.encode(frame))
        for packet in sound.demux(sound.streams.audio[0]):
            if packet.size:
                packet.stream = track
                out.mux(packet)
    assert convert(tmp_path / "b.mp4", tmp_path / "c.m4a").notes() == []
    assert convert(tmp_path / "c.m4a", tmp_path / "d.m4a").notes() == []
    assert packets(tmp_path / "d.m4a")[0][0] == packets(tmp_path / "b.mp4")[0][0]
    assert load(tmp_path / "d.m4a")[0].shape == (1, 9_000)
    assert (tmp_path / "d.m4a").read_bytes()[4:12] == b"ftypM4A "


def test_of_a_video_the_sound_alone(tmp_path):
    video(tmp_path / "a.mp4", "mp4", "mpeg4", smooth_noise(2, 60_000))
    assert convert(tmp_path / "a.mp4", tmp_path / "a.wav").notes() == []
    assert load(tmp_path / "a.wav")[0].shape == (2, 60_000)
    assert convert(tmp_path / "a.mp4", tmp_path / "a.m4a").notes() == ["not kept of the recording: picture"]
    assert convert(tmp_path / "a.mp4", tmp_path / "a.webm").notes() == ["not kept of the recording: picture"]


@pytest.mark.parametrize("count", [264_605, 264_601, 1024 * 200, 1024 * 200 + 700])
def test_files_of_other_programs_are_read_to_the_sample(tmp_path, count):
    """Most edit lists are rounded to milliseconds; the last packet says what is meant."""
    samples = smooth_noise(2, count)
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        track = out.add_stream("aac", rate=44_100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 44_100, 0, Fraction(1, 44_100)
        out.mux(track.encode(frame))
        out.mux(track.encode(None))
    with open_source(tmp_path / "a.mp4") as source:
        assert sum(block.shape[1] for block in source.blocks()) == count
        assert source.notes() == [] and abs(source.about_samples - count) < 100


def test_a_film_in_fragments_is_read_to_its_end(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w", options={"movflags": "frag_every_frame+empty_moov"}) as out:
        track = out.add_stream("aac", rate=44_100, layout="stereo")
        frame = av.AudioFrame.from_ndarray(smooth_noise(2, 88_200), format="fltp", layout="stereo")
        frame.sample_rate, frame.pts, frame.time_base = 44_100, 0, Fraction(1, 44_100)
        out.mux(track.encode(frame))
        out.mux(track.encode(None))
    assert 88_200 <= load(tmp_path / "a.mp4")[0].shape[1] <= 88_200 + 1024


def test_a_video_without_sound(tmp_path):
    with av.open(str(tmp_path / "a.mp4"), "w") as out:
        stream = out.add_stream("mpeg4", rate=25, width=64, height=64, pix_fmt="yuv420p")
        out.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        out.mux(stream.encode(None))
    with pytest.raises(AudioError, match="holds no sound, but video"):
        open_source(tmp_path / "a.mp4")


def test_a_gap_becomes_silence_and_is_said(tmp_path):
    with av.open(str(tmp_path / "a.mkv"), "w", format="matroska") as out:
        track = out.add_stream("flac", rate=16_000, layout="mono")
        for at in (0, 16_000 + 8_000):
            sound = (smooth_noise(1, 16_000) * 2**14).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(sound, format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = 16_000, at, Fraction(1, 16_000)
            for packet in track.encode(frame):
                out.mux(packet)
        out.mux(track.encode(None))
    with open_source(tmp_path / "a.mkv") as source:
        samples = np.concatenate(list(source.blocks()), axis=1)
        assert any("became silence" in note for note in source.notes()), source.notes()
    assert samples.shape == (1, 40_000)


def test_bytes_file_objects_and_pipes(tmp_path):
    save(tmp_path / "a.m4a", smooth_noise(1, 5_000), 16_000)
    content = (tmp_path / "a.m4a").read_bytes()
    expected = load(tmp_path / "a.m4a")[0]
    for given in (content, io.BytesIO(content), (tmp_path / "a.m4a").open("rb")):
        assert np.array_equal(load(given)[0], expected)
    assert np.array_equal(np.concatenate(list(open_pipe(io.BytesIO(content)).blocks()), axis=1), expected)


def test_names_that_look_like_something_else(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("http:x.m4a", "concat:a|b.m4a", "-i.m4a", "a%03d.m4a"):
        save(tmp_path / name, smooth_noise(1, 500), 16_000)
        assert load(name)[0].shape == (1, 500)


def test_a_playlist_opens_no_other_file(tmp_path):
    save(tmp_path / "secret.m4a", smooth_noise(1, 500), 16_000)
    playlist = f"#EXTM3U\n#EXTINF:1,\n{tmp_path / 'secret.m4a'}\n#EXT-X-ENDLIST\n"
    for name in ("a.m4a", "a.m3u8"):
        (tmp_path / name).write_text(playlist)
        with pytest.raises(AudioError):
            open_source(tmp_path / name)


@pytest.mark.parametrize("suffix", [".m4a", ".webm"])
def test_a_file_cut_short(tmp_path, suffix):
    video(tmp_path / f"a{suffix}", "mp4" if suffix == ".m4a" else "webm", "mpeg4" if suffix == ".m4a" else "libvpx",
          smooth_noise(2, 90_000))  # fmt: skip
    content = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"a{suffix}").write_bytes(content[: len(content) // 2])
    try:
        with open_source(tmp_path / f"a{suffix}") as source:
            assert 0 < sum(block.shape[1] for block in source.blocks()) < 90_000
    except AudioError as error:
        assert "not sound in a format that can be read" in str(error)  # the index of an mp4 stands at its end


@pytest.mark.parametrize(
    ("form", "codec", "first"),
    [("mp4", "aac", 0), ("webm", "libopus", 0), ("matroska", "aac", 0), ("matroska", "libopus", 32_000)],
)
def test_sound_that_is_missing_behind_its_index_is_said(tmp_path, form, codec, first):
    with av.open(str(tmp_path / "a.m4a"), "w", format=form, options={"movflags": "+faststart"}) as out:
        track = out.add_stream(codec, rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(smooth_noise(1, 90_000).astype(np.float32), format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 16_000, first, Fraction(1, 16_000)
        out.mux([*track.encode(frame), *track.encode(None)])
    with open_source(tmp_path / "a.m4a") as source:
        assert sum(block.shape[1] for block in source.blocks()) >= 90_000 and source.notes() == []
    content = (tmp_path / "a.m4a").read_bytes()
    (tmp_path / "a.m4a").write_bytes(content[: len(content) // 2])
    with open_source(tmp_path / "a.m4a") as source:
        missing_s = 90_000 / 16_000 - sum(block.shape[1] for block in source.blocks()) / source.rate_hz
        said = re.fullmatch(r"the file is .* cut short: the last (\S+) s could not be read", source.notes()[-1])
    priming_s = 1024 / 16_000 if (form, codec) == ("matroska", "aac") else 0  # which Matroska counts in
    assert said is not None and float(said[1]) == pytest.approx(missing_s + priming_s, abs=0.02)


def test_packets_that_are_damaged_are_passed_over_and_counted(tmp_path):
    save(tmp_path / "a.m4a", smooth_noise(1, 90_000), 16_000)
    content = bytearray((tmp_path / "a.m4a").read_bytes())
    middle = len(content) // 3
    content[middle : middle + 900] = np.random.default_rng(0).bytes(900)
    (tmp_path / "a.m4a").write_bytes(content)
    with open_source(tmp_path / "a.m4a") as source:
        assert sum(block.shape[1] for block in source.blocks()) == 90_000
        assert any("damaged" in note for note in source.notes())


def test_without_the_extra_writing_names_it_too(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"writing \.m4a needs .*voxfield\[media\]"):
        save(tmp_path / "a.m4a", smooth_noise(1, 90), 16_000)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path):
    code = (
        "import resource, signal, pathlib, numpy as np\n"
        "from voxfield.audio import save\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))\n"
        "noise = np.random.default_rng(0).standard_normal((1, 900_000), np.float32)\n"
        "save(pathlib.Path('a.m4a'), 0.1 * noise, 48_000)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "OutputError: a.m4a could not be written to its end: File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_memory_does_not_grow_with_duration(tmp_path):
    code = (
        "import resource, sys, pathlib, numpy as np\n"
        "from voxfield.audio import open_source, file_sink\n"
        "noise = np.random.default_rng(0).standard_normal((1, 48_000), np.float32) / 10\n"
        "def run(seconds):\n"
        "    with open_source(noise, 48_000) as like, file_sink(pathlib.Path('a.m4a'), like, overwrite=True) as sink:\n"
        "        for _ in range(seconds): sink.write(noise)\n"
        "        sink.commit()\n"
        "    with open_source('a.m4a') as source:\n"
        "        assert sum(block.shape[1] for block in source.blocks()) == seconds * 48_000\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "first = run(10); print(run(300) - first)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 16_000  # KiB; the samples alone would be 56_000
