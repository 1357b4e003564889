"""Every bad input: the right output or a clear message, the right exit code, the rest done, nothing half-written."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pyarrow.parquet as parquet
import pytest
import soundfile as sf

import voxfield
from voxfield.cards import METADATA_KEY
from voxfield.cli.app import run
from voxfield.errors import AudioError, OutputError

Prepare = Callable[[Path, Callable[..., np.ndarray]], Path]


@pytest.fixture
def enhance(tmp_path, tiny_spectral, monkeypatch, capsys):
    """Run `voxfield enhance` in an empty folder: its exit code, standard error, and what it left behind."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object, model: object = tiny_spectral):
        before = set(tmp_path.rglob("*"))
        code = run(["enhance", *map(str, words), "--model", str(model)])
        left = sorted(path.relative_to(tmp_path).as_posix() for path in set(tmp_path.rglob("*")) - before)
        streams = capsys.readouterr()
        call.out = streams.out
        return code, streams.err, left

    return call


def write(path: Path, samples: np.ndarray, rate_hz: int = 16000, subtype: str | None = None) -> Path:
    sf.write(path, samples.T, rate_hz, subtype)
    return path


# What cannot be enhanced: a file, and a word of the message it must get.


def empty(folder, speech):
    (folder / "x.wav").write_bytes(b"")
    return folder / "x.wav"


def text_named_wav(folder, speech):
    (folder / "x.wav").write_text("dear diary\n" * 100)
    return folder / "x.wav"


def header_only(folder, speech):
    return write(folder / "x.wav", np.zeros((1, 0)))


def header_cut_short(folder, speech):
    path = write(folder / "x.wav", speech(1, 1000))
    path.write_bytes(path.read_bytes()[:30])
    return path


def flac_cut_within_its_first_frame(folder, speech):
    path = write(folder / "x.flac", speech(1, 1000))
    path.write_bytes(path.read_bytes()[:120])
    return path


def missing(folder, speech):
    return folder / "none.wav"


def folder_without_recordings(folder, speech):
    (folder / "notes").mkdir()
    return folder / "notes"


def pattern_without_matches(folder, speech):
    return folder / "*.mp3"


def dangling_link(folder, speech):
    (folder / "x.wav").symlink_to(folder / "gone.wav")
    return folder / "x.wav"


def random_bytes_named_mp3(folder, speech):
    (folder / "x.mp3").write_bytes(np.random.default_rng(0).bytes(3000))
    return folder / "x.mp3"


UNUSABLE: dict[Prepare, str] = {
    empty: "is empty: 0 bytes",
    text_named_wav: "not sound in a format that can be read",
    header_only: "holds no samples",
    header_cut_short: "not sound",
    flac_cut_within_its_first_frame: "",
    missing: "does not exist",
    folder_without_recordings: "holds no recordings",
    pattern_without_matches: "matches no file",
    dangling_link: "does not exist",
    random_bytes_named_mp3: "not sound",
}


@pytest.mark.parametrize(("prepare", "message"), UNUSABLE.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_unusable_inputs_fail_with_a_message_and_the_rest_goes_on(enhance, tmp_path, speech, prepare, message):
    path = prepare(tmp_path, speech)
    good = write(tmp_path / "good.wav", speech(1, 3000))
    code, error, left = enhance(path, good, "-o", "out", "--json")
    assert code == 1 and message in error and "unexpected" not in error and "Traceback" not in error
    assert left == ["out", "out/good_enhance.wav"]
    lines = [json.loads(line) for line in enhance.out.splitlines()]
    assert [line["status"] for line in lines] == ["failed", "done"] and message in lines[0]["error"]
    code, _, left = enhance(path)
    assert code == 1 and left == []


# What can be enhanced, however odd: the length, rate, channels and subtype that must come out, and a word of the note.


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 44100, 48000, 96000, 192000])
@pytest.mark.parametrize("channels", [1, 2, 8])
def test_rates_and_channels_are_kept(enhance, tmp_path, speech, rate_hz, channels):
    write(tmp_path / "x.wav", speech(channels, rate_hz // 4 + 7, rate_hz), rate_hz)
    code, error, left = enhance("x.wav")
    info = sf.info(tmp_path / "x_enhance.wav")
    assert code == 0 and left == ["x_enhance.wav"]
    assert (info.samplerate, info.channels, info.frames) == (rate_hz, channels, rate_hz // 4 + 7)
    assert ("works up to 8 kHz" in error) == (rate_hz > 16000)


@pytest.mark.parametrize("channels", range(1, 9))
@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_subtypes_are_kept(enhance, tmp_path, speech, subtype, channels):
    write(tmp_path / "x.wav", speech(channels, 999), 16000, subtype)
    code, _, _ = enhance("x.wav")
    info = sf.info(tmp_path / "x_enhance.wav")
    assert code == 0 and (info.subtype, info.frames, info.channels) == (subtype, 999, channels)


@pytest.mark.parametrize("suffix", [".flac", ".ogg", ".opus", ".mp3", ".aiff"])
def test_formats_are_kept(enhance, tmp_path, speech, suffix):
    with sf.SoundFile(
        tmp_path / f"x{suffix}",
        "w",
        48000,
        2,
        "OPUS" if suffix == ".opus" else None,
        format=None if suffix != ".opus" else "OGG",
    ) as file:
        file.write(speech(2, 10_000, 48000).T)
    code, _, left = enhance(f"x{suffix}")
    before, after = sf.info(tmp_path / f"x{suffix}"), sf.info(tmp_path / f"x_enhance{suffix}")
    assert code == 0 and left == [f"x_enhance{suffix}"]
    assert (after.format, after.subtype, after.frames) == (before.format, before.subtype, 10_000)


@pytest.mark.parametrize("count", [1, 2, 100, 255, 256, 257])
@pytest.mark.parametrize("rate_hz", [8000, 16000, 48000])
def test_very_short_recordings(enhance, tmp_path, speech, count, rate_hz):
    write(tmp_path / "x.wav", speech(1, count), rate_hz)
    assert enhance("x.wav")[0] == 0 and sf.info(tmp_path / "x_enhance.wav").frames == count


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100])
def test_silence_gives_silence(enhance, tmp_path, rate_hz):
    write(tmp_path / "x.wav", np.zeros((2, rate_hz)), rate_hz, "FLOAT")
    assert enhance("x.wav")[0] == 0 and not sf.read(tmp_path / "x_enhance.wav")[0].any()


def test_clipped_at_full_scale(enhance, tmp_path, speech):
    write(tmp_path / "x.wav", np.sign(speech(1, 9000)))
    code, _, _ = enhance("x.wav")
    samples = sf.read(tmp_path / "x_enhance.wav")[0]
    assert code == 0 and len(samples) == 9000 and np.isfinite(samples).all() and np.abs(samples).max() > 0.01


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30], ids=str)
def test_samples_that_are_no_numbers_are_replaced_and_named(enhance, tmp_path, speech, value):
    samples = speech(2, 9000)
    samples[1, 4000:4003] = value
    write(tmp_path / "x.wav", samples, 16000, "FLOAT")
    code, error, _ = enhance("x.wav")
    assert code == 0 and "3 samples" in error and "sample 4000 (0.250 s)" in error
    assert np.isfinite(sf.read(tmp_path / "x_enhance.wav")[0]).all()


def test_nothing_but_nan(enhance, tmp_path):
    write(tmp_path / "x.wav", np.full((1, 5000), np.nan), 16000, "FLOAT")
    code, error, _ = enhance("x.wav")
    assert code == 0 and "5000 samples" in error and not sf.read(tmp_path / "x_enhance.wav")[0].any()


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3"])
def test_a_recording_cut_short_is_enhanced_as_far_as_it_goes(enhance, tmp_path, speech, suffix):
    path = write(tmp_path / f"x{suffix}", speech(1, 60_000))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    code, error, left = enhance(path)
    assert code == 0 and "cut short" in error and left == [f"x_enhance{suffix}"]
    assert 10_000 < sf.info(tmp_path / left[0]).frames < 40_000


def test_a_wrong_suffix_does_not_matter(enhance, tmp_path, speech):
    sf.write(tmp_path / "x.wav", speech(1, 2000).T, 16000, format="FLAC")
    assert enhance("x.wav")[0] == 0 and sf.info(tmp_path / "x_enhance.wav").format == "FLAC"


# Outputs that must not be written.


def test_an_output_equal_to_its_input_is_refused(enhance, tmp_path, speech):
    write(tmp_path / "x.wav", speech(1, 2000))
    (tmp_path / "link.wav").symlink_to("x.wav")
    os.link(tmp_path / "x.wav", tmp_path / "hard.wav")
    content = (tmp_path / "x.wav").read_bytes()
    for target in ("x.wav", "./x.wav", "link.wav", "hard.wav"):
        code, error, left = enhance("x.wav", "-o", target, "--overwrite")
        assert code == 2 and "never replaced" in error and left == []
    assert (tmp_path / "x.wav").read_bytes() == content


def test_a_link_to_write_to_stays(enhance, tmp_path, speech):
    write(tmp_path / "x.wav", speech(1, 2000))
    (tmp_path / "results").mkdir()
    (tmp_path / "out.wav").symlink_to("results/new.wav")
    for words in ([], ["--overwrite"]):
        assert enhance("x.wav", "-o", "out.wav", *words)[0] == 0
        assert (tmp_path / "out.wav").is_symlink() and sf.info(tmp_path / "results" / "new.wav").frames == 2000


def test_existing_outputs_are_kept_skipped_or_replaced(enhance, tmp_path, speech):
    write(tmp_path / "x.wav", speech(1, 2000))
    write(tmp_path / "y.wav", speech(1, 2000))
    (tmp_path / "x_enhance.wav").write_text("precious")
    code, error, left = enhance("x.wav", "y.wav")
    assert code == 1 and "exists already" in error and left == ["y_enhance.wav"]
    code, error, left = enhance("x.wav", "y.wav", "--skip-existing")
    assert code == 0 and left == [] and (tmp_path / "x_enhance.wav").read_text() == "precious"
    code, error, left = enhance("x.wav", "y.wav", "--overwrite")
    assert code == 0 and sf.info(tmp_path / "x_enhance.wav").frames == 2000


def test_names_that_collide_are_found_before_work_starts(enhance, tmp_path, speech):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "x.wav", speech(1, 2000))
    code, error, left = enhance("a/x.wav", "b/x.wav", "-o", "out")
    assert code == 2 and "would both become out/x_enhance.wav" in error and left == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read and write everything")
def test_unreadable_and_unwritable_paths(enhance, tmp_path, speech):
    write(tmp_path / "x.wav", speech(1, 2000))
    (tmp_path / "shut").mkdir(mode=0o500)
    code, error, left = enhance("x.wav", "-o", "shut/y.wav")
    assert code == 1 and "cannot be written: Permission denied" in error and left == []
    (tmp_path / "x.wav").chmod(0)
    code, error, left = enhance("x.wav")
    assert code == 1 and "cannot be read: Permission denied" in error and left == []


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("x.wav/y.wav", "cannot be written"),
        ("/proc/none/y.wav", "cannot be written"),
        ("y.txt", "no format that can be written"),
    ],
)
def test_places_that_cannot_be_written(enhance, tmp_path, speech, target, message):
    write(tmp_path / "x.wav", speech(1, 2000))
    code, error, left = enhance("x.wav", "-o", target)
    assert code == 1 and message in error and left == []


def test_unreadable_input_as_the_system_reports_it(enhance, tmp_path, speech, monkeypatch):
    write(tmp_path / "x.wav", speech(1, 2000))
    real = Path.open

    def shut(self, *arguments, **options):
        if self.name == "x.wav":
            raise PermissionError(13, "Permission denied")
        return real(self, *arguments, **options)

    monkeypatch.setattr(Path, "open", shut)
    code, error, left = enhance("x.wav")
    assert code == 1 and "x.wav: cannot be read: Permission denied" in error and left == []


def test_a_full_disk_leaves_nothing(tmp_path, speech, tiny_spectral):
    write(tmp_path / "x.wav", speech(1, 200_000))

    def small_disk():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    done = subprocess.run(
        [sys.executable, "-m", "voxfield", "enhance", "x.wav", "--model", tiny_spectral],
        cwd=tmp_path,
        preexec_fn=small_disk,
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 1 and "could not be written to its end: File too large" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["x.wav"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
def test_an_interrupt_leaves_nothing_and_exits_130(tmp_path, tiny_spectral, number):
    process = subprocess.Popen(
        [sys.executable, "-m", "voxfield", "enhance", "-", "--raw", "16000", "-o", "y.wav", "--model", tiny_spectral],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin is not None
    process.stdin.write(bytes(64_000))
    process.stdin.flush()
    for _ in range(200):  # until it is at work
        if any(path.suffix == ".part" for path in tmp_path.iterdir()):
            break
        signal.sigtimedwait([], 0.05)
    process.send_signal(number)
    _, error = process.communicate(timeout=30)
    assert process.returncode == 130 and b"interrupted" in error and not list(tmp_path.iterdir())


def test_a_folder_says_what_it_could_not_look_into(enhance, tmp_path, speech, monkeypatch):
    for folder in ("rec", "rec/shut"):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "x.wav", speech(1, 2000))
    real = os.scandir

    def scandir(path="."):
        if Path(path).name == "shut":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    code, error, left = enhance("rec")
    assert code == 1 and "the folder rec/shut cannot be read: Permission denied" in error
    assert left == ["rec/x_enhance.wav"]


def test_links_in_a_folder_name_no_result_and_are_not_passed_over_in_silence(enhance, tmp_path, speech):
    (tmp_path / "rec").mkdir()
    write(tmp_path / "rec" / "x.wav", speech(1, 2000))
    (tmp_path / "rec" / "a.wav").symlink_to("x.wav")
    (tmp_path / "rec" / "b.wav").symlink_to("gone.wav")
    code, error, left = enhance("rec")
    assert code == 1 and "b.wav: is a link that leads nowhere" in error and left == ["rec/x_enhance.wav"]


def test_containers_in_folders_are_not_passed_over_in_silence(enhance, tmp_path, speech, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    (tmp_path / "rec").mkdir()
    write(tmp_path / "rec" / "x.wav", speech(1, 2000))
    for name in ("talk.m4a", "film.MP4", "call.webm"):
        (tmp_path / "rec" / name).write_bytes(b"\x1aE\xdf\xa3" if name == "call.webm" else b"\0\0\0\x20ftypM4A ")
    code, error, left = enhance("rec")
    assert code == 1 and left == ["rec/x_enhance.wav"] and "3 of 4 failed" in error
    assert error.count("pip install 'voxfield[media]'") == 6  # where it failed, and in the list at the end


def test_a_video_keeps_its_name_and_picture(enhance, tmp_path, speech):
    pytest.importorskip("av")
    from voxfield.audio import load, save

    (tmp_path / "rec").mkdir()
    save(tmp_path / "rec" / "talk.m4a", speech(2, 9999, 44100), 44100)
    code, _, left = enhance("rec")
    assert code == 0 and left == ["rec/talk_enhance.m4a"]
    samples, rate_hz = load(tmp_path / left[0])
    assert samples.shape == (2, 9999) and rate_hz == 44100


def test_resource_files_of_macos_are_no_recordings(enhance, tmp_path, speech):
    write(tmp_path / "x.wav", speech(1, 2000))
    (tmp_path / "._x.wav").write_bytes(b"\0\5\x16\7" + bytes(100))
    for words in (["."], ["*.wav"]):
        code, error, left = enhance(*words, "-o", f"out{len(words[0])}")
        assert code == 0 and "._x" not in error and left[1:] == [f"out{len(words[0])}/x_enhance.wav"]


def test_a_list_that_names_itself(enhance, tmp_path, speech):
    write(tmp_path / "x.wav", speech(1, 2000))
    (tmp_path / "a.txt").write_text("x.wav\n@a.txt\n")
    (tmp_path / "b.txt").write_text("@c.txt\n")
    (tmp_path / "c.txt").write_text("@./b.txt\n")
    for name in ("a.txt", "b.txt"):
        code, error, left = enhance(f"@{name}")
        assert code == 2 and "names itself" in error and left == []
    (tmp_path / "twice.txt").write_text("@one.txt\n@one.txt\n")
    (tmp_path / "one.txt").write_text("x.wav\n")
    assert enhance("@twice.txt")[0] == 0


def test_one_file_cannot_take_two_results(enhance, tmp_path, speech):
    write(tmp_path / "x.wav", speech(1, 2000))
    write(tmp_path / "y.wav", speech(1, 2000))
    code, error, left = enhance("x.wav", "y.wav", "-o", "both.wav")
    assert code == 2 and "-o both.wav names one file, but there are several inputs" in error and left == []
    code, _, left = enhance("x.wav", "y.wav", "-o", "both.wav/")
    assert code == 0 and left == ["both.wav", "both.wav/x_enhance.wav", "both.wav/y_enhance.wav"]
    code, _, left = enhance("x.wav", "y.wav", "-o", "take.2")
    assert code == 0 and left == ["take.2", "take.2/x_enhance.wav", "take.2/y_enhance.wav"]


def test_a_pipe_is_never_replaced_by_a_file(enhance, tmp_path, speech):
    write(tmp_path / "x.wav", speech(1, 2000))
    os.mkfifo(tmp_path / "pipe.wav")
    code, error, left = enhance("x.wav", "-o", "pipe.wav", "--overwrite")
    assert code == 1 and "no ordinary file" in error and left == [] and (tmp_path / "pipe.wav").is_fifo()


@pytest.mark.parametrize("letter", ["x", "é", "😀"])
def test_names_as_long_as_the_file_system_takes(enhance, tmp_path, speech, letter):
    stem = letter * (251 // len(letter.encode()))
    write(tmp_path / "x.wav", speech(1, 2000)).rename(tmp_path / f"{stem}.wav")
    code, error, left = enhance(f"{stem}.wav")
    assert code == 0, error
    assert left[0].startswith(letter) and left[0].endswith("_enhance.wav") and len(left[0].encode()) <= 255


@pytest.mark.parametrize("words", [["NAME.wav"], ["x.wav", "-o", "NAME.wav"], ["x.wav", "-o", "NAME"]])
def test_a_name_that_is_too_long_is_said_to_be(enhance, tmp_path, speech, words):
    write(tmp_path / "x.wav", speech(1, 2000))
    code, error, left = enhance(*(word.replace("NAME", "😀" * 100) for word in words))
    assert code == 1 and "File name too long" in error and "unexpected" not in error and left == []


def test_a_pipe_named_as_a_folder_is_said_to_be_none(enhance, tmp_path, speech):
    write(tmp_path / "x.wav", speech(1, 2000))
    os.mkfifo(tmp_path / "pipe")
    code, error, left = enhance("x.wav", "-o", "pipe")
    assert code == 2 and "is no folder" in error and left == []


def test_a_zero_byte_in_a_name(tiny_spectral):
    with pytest.raises(AudioError, match="null byte"):
        voxfield.enhance("a\0b.wav", model=tiny_spectral)
    with pytest.raises(OutputError, match="zero byte"):
        voxfield.enhance(np.zeros(100, np.float32), 16000, model=tiny_spectral).save("a\0b.wav")


# Model files.


def test_models_that_are_none(enhance, tmp_path, speech, tiny_spectral):
    write(tmp_path / "x.wav", speech(1, 2000))
    (tmp_path / "text.onnx").write_text("not a network")
    (tmp_path / "half.onnx").write_bytes(tiny_spectral.read_bytes()[:200])
    foreign = onnx.load(tiny_spectral)
    del foreign.metadata_props[:]
    onnx.save(foreign, tmp_path / "foreign.onnx")
    liar = onnx.load(tiny_spectral)
    (entry,) = (item for item in liar.metadata_props if item.key == METADATA_KEY)
    entry.value = entry.value.replace("[1, 1, 257, 2]", "[1, 1, 257, 4]")
    onnx.save(liar, tmp_path / "liar.onnx")
    (tmp_path / "converted").mkdir()
    for model, expected, message in [
        ("text.onnx", 1, "is not an ONNX file"),
        ("half.onnx", 1, "is not an ONNX file"),
        ("foreign.onnx", 1, "without a card"),
        ("liar.onnx", 1, "has shape"),
        ("none.onnx", 2, "does not exist"),
        ("crn-smal", 2, "no model is called"),
        ("converted", 2, "or a folder with one: converted/"),
        ("x" * 5000, 2, "no model is called"),
    ]:
        code, error, left = enhance("x.wav", model=model)
        assert (code, left) == (expected, []) and message in error and "Traceback" not in error


def test_weights_that_were_changed_are_refused(enhance, tmp_path, speech, monkeypatch):
    from voxfield.cards import example_card, file_record, registry

    write(tmp_path / "x.wav", speech(1, 2000))
    (tmp_path / "w.onnx").write_bytes(b"weights")
    (tmp_path / "models.toml").write_text(example_card(file=file_record(tmp_path / "w.onnx")).to_toml())
    (tmp_path / "w.onnx").write_bytes(b"changed")
    monkeypatch.setattr(registry.find, "__defaults__", (tmp_path / "models.toml",))
    monkeypatch.setattr(registry.read, "__defaults__", (tmp_path,))
    code, error, left = enhance("x.wav", model="crn-doc")
    assert code == 1 and "are not the published ones" in error and left == []


# Words that make no sense.


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Missing argument"),
        (["x.wav", "--mix", "2"], "the mix must lie"),
        (["x.wav", "--limit-db", "-3"], "attenuation limit"),
        (["x.wav", "--overwrite", "--skip-existing"], "contradict"),
        (["x.wav", "--threads", "0"], "threads"),
        (["x.wav", "--raw", "16000"], "no input is '-'"),
        (["-", "--raw", "16k"], "raw samples are described as"),
        (["-", "--raw", "16"], "from 1000 to 768000 Hz"),
        (["x.wav", "-o", "-", "--json"], "would mix"),
        (["x.wav", "y.wav", "-o", "-"], "standard output takes"),
        (["@none.txt"], "cannot be read"),
        (["x.wav", "--nonsense"], "No such option"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_exits_2(enhance, tmp_path, speech, words, message):
    for name in ("x.wav", "y.wav"):
        write(tmp_path / name, speech(1, 2000))
    code, error, left = enhance(*words)
    assert code == 2 and message in error and left == []


def test_an_empty_name_is_not_the_current_folder(enhance, tmp_path, speech):
    write(tmp_path / "x.wav", speech(1, 2000))
    for words in ([""], ["x.wav", ""], ["x.wav", "-o", ""]):
        code, error, left = enhance(*words)
        assert code == 2 and "is empty; name a file" in error and left == []


@pytest.mark.parametrize(
    "words", [["circle.wav"], ["@circle.wav"], ["circle.wav/x.wav"], ["~nobody-of-this-name/x.wav"]], ids=str
)
def test_links_in_a_circle_and_the_home_of_nobody(enhance, tmp_path, words):
    (tmp_path / "circle.wav").symlink_to("circle.wav")
    code, error, left = enhance(*words)
    assert code in (1, 2) and words[0].lstrip("@") in error and "Traceback" not in error and left == []


def test_home_is_spelt_out_in_every_path(tmp_path, speech, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "x.wav", speech(1, 2000))
    assert run(["embed", "~/x.wav", "--out=~/made/x.npz"]) == 0
    assert run(["verify", "~/x.wav", "~/x.wav"]) == 0
    assert (tmp_path / "made" / "x.npz").exists()


def test_a_current_folder_that_is_gone(enhance, tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    code, error, _ = enhance("x.wav")
    assert code == 1 and error == "voxfield: the current folder: No such file or directory\n"


@pytest.mark.parametrize(
    "words",
    [["enhance", "-"], ["verify", "-", "x.wav"], ["explain", "-"], ["speakers", "import", "-"]],
    ids=lambda words: words[0],
)
def test_standard_input_that_is_closed(tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdin", None)
    assert run(words) == 2 and "is closed; name a file" in capsys.readouterr().err


def test_names_that_are_no_utf_8(tmp_path, speech, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(b"r\xe9sum\xe9.wav")
    write(tmp_path / "x.wav", speech(1, 16000)).rename(name)
    for words in (["diarize", name, "-o", "x.rttm"], ["represent", name, "-o", "r.parquet"]):
        assert run(words) == 0
    assert run(["embed", name, "-o", "e.parquet"]) == 0
    assert parquet.read_table("e.parquet")["name"].to_pylist() == [r"r\udce9sum\udce9.wav"]


def test_a_list_of_names_between_zero_bytes_is_refused(enhance, tmp_path):
    (tmp_path / "list.txt").write_bytes(b"x.wav\0y.wav\0")
    code, error, left = enhance("@list.txt")
    assert code == 2 and "the list list.txt holds zero bytes; it must name one recording a line" in error and left == []


def test_lists_that_an_editor_of_windows_wrote(enhance, tmp_path, speech):
    write(tmp_path / "x.wav", speech(1, 32000))
    (tmp_path / "list.txt").write_text("x.wav\r\n", encoding="utf-8-sig")
    assert enhance("@list.txt")[0] == 0
    (tmp_path / "trials.txt").write_text("1 x.wav x.wav\r\n0 x.wav x_enhance.wav\r\n", encoding="utf-8-sig")
    assert run(["evaluate", "trials.txt"]) == 0
    (tmp_path / "rows.jsonl").write_text('{"path": "x.wav"}\r\n', encoding="utf-8-sig")
    assert run(["batch", "enhance", "rows.jsonl", "-o", "made", "--model", "crn-tiny"]) == 0


def test_an_address_is_not_opened(enhance):
    code, error, _ = enhance("https://example.com/a.wav")
    assert code == 1 and "addresses are not opened; download it first" in error
