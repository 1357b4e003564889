"""What the command line promises about names, streams, pipes and speed."""

import json
import os
import select
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from voxfield.cli.app import run
from voxfield.cli.inputs import PIPE, expand, plan
from voxfield.cli.jobs import processes_of
from voxfield.errors import InputError
from voxfield.tasks import enhance


@pytest.fixture
def recordings(tmp_path, speech, monkeypatch):
    """rec/a.wav, rec/deep/b.flac, rec/deep/c.WAV and rec/notes.txt, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rec/deep").mkdir(parents=True)
    sf.write("rec/a.wav", speech(1, 3000).T, 16000)
    sf.write("rec/deep/b.flac", speech(2, 3000).T, 44100)
    sf.write("rec/deep/c.WAV", speech(1, 3000).T, 8000, format="WAV")
    Path("rec/notes.txt").write_text("not a recording")
    return tmp_path


def names(words, out=None):
    return [(job.path.as_posix(), job.output.as_posix()) for job in plan(expand(words, "enhance", out), out, "enhance")]


def test_folders_are_mirrored(recordings):
    assert names(["rec"], "out") == [
        ("rec/a.wav", "out/a_enhance.wav"),
        ("rec/deep/b.flac", "out/deep/b_enhance.flac"),
        ("rec/deep/c.WAV", "out/deep/c_enhance.WAV"),
    ]


def test_results_lie_beside_their_recording_and_are_not_taken_for_one(recordings):
    Path("rec/a_enhance.wav").touch()
    Path("rec/out").mkdir()
    Path("rec/out/b_enhance.flac").touch()
    assert names(["rec/a.wav"]) == [("rec/a.wav", "rec/a_enhance.wav")]
    assert [first for first, _ in names(["rec"], "rec/out")] == ["rec/a.wav", "rec/deep/b.flac", "rec/deep/c.WAV"]
    assert names(["rec"], "rec")[0] == ("rec/a.wav", "rec/a_enhance.wav")


def test_patterns_lists_and_repetitions(recordings):
    Path("list.txt").write_text("# my files\nrec/a.wav\n\nrec/deep/*.flac\n")
    assert [first for first, _ in names(["@list.txt", "rec/a.wav"])] == ["rec/a.wav", "rec/deep/b.flac"]
    assert names(["rec/**/*.flac"], "out") == [("rec/deep/b.flac", "out/deep/b_enhance.flac")]
    assert [first for first, _ in names(["rec/*.WAV", "rec/?.wav"])] == ["rec/*.WAV", "rec/a.wav"]


def test_a_name_with_brackets_is_a_file_first(recordings, speech):
    sf.write("take[1].wav", speech(1, 100).T, 16000)
    assert names(["take[1].wav"]) == [("take[1].wav", "take[1]_enhance.wav")]


def test_out_names_a_file_or_a_folder(recordings):
    assert names(["rec/a.wav"], "x.flac") == [("rec/a.wav", "x.flac")]
    assert names(["rec/a.wav"], "x.d/") == [("rec/a.wav", "x.d/a_enhance.wav")]
    assert names(["rec/a.wav"], "rec/deep") == [("rec/a.wav", "rec/deep/a_enhance.wav")]
    assert names(["-"], "x.wav") == [("-", "x.wav")] and names(["-"]) == [("-", "-")]
    Path("file").touch()
    with pytest.raises(InputError, match="is no folder"):
        names(["rec"], "file")


def test_no_two_results_share_a_name(recordings, speech):
    sf.write("a.wav", speech(1, 100).T, 16000)
    with pytest.raises(InputError, match="would both become"):
        names(["a.wav", "rec/a.wav"], "out")
    with pytest.raises(InputError, match="one input"):
        names(["a.wav", "-"], "-")
    assert PIPE.as_posix() == "-"


def test_json_alone_is_on_standard_output(recordings, tiny_spectral, capsys):
    assert run(["enhance", "rec", "-o", "out", "--json", "--quiet", "--model", str(tiny_spectral)]) == 0
    streams = capsys.readouterr()
    lines = [json.loads(line) for line in streams.out.splitlines()]
    assert streams.err == "" and len(lines) == 3
    assert lines[1]["sample_rate_hz"] == 44100 and lines[1]["channels"] == 2 and lines[1]["count_samples"] == 3000
    assert lines[1]["model"] == "tiny-spectral.v1" and lines[1]["real_time_factor"] > 0
    assert "works up to 8 kHz" in lines[1]["notes"][0] and lines[0]["notes"] == []


def test_people_read_standard_error(recordings, tiny_spectral, capsys):
    assert run(["enhance", "rec/deep/b.flac", "--model", str(tiny_spectral)]) == 0
    streams = capsys.readouterr()
    assert streams.out == "" and "rec/deep/b_enhance.flac" in streams.err and "RTF" in streams.err
    assert "note: tiny-spectral.v1 works up to 8 kHz" in streams.err


def test_mono_limit_and_mix_reach_the_network(recordings, tiny_spectral):
    words = ["enhance", "rec/deep/b.flac", "-o", "x.flac", "--mono", "--limit-db", "12", "--mix", "0.5"]
    assert run([*words, "--model", str(tiny_spectral)]) == 0
    expected = enhance("rec/deep/b.flac", model=tiny_spectral, mono=True, limit_db=12, mix=0.5).samples[0]
    assert np.abs(sf.read("x.flac")[0] - expected).max() < 2**-15


def piped(words, data, cwd):
    done = subprocess.run(
        [sys.executable, "-m", "voxfield", *map(str, words)], input=data, capture_output=True, cwd=cwd, timeout=60
    )
    return done.returncode, done.stdout, done.stderr.decode()


def test_wav_through_a_pipe_is_the_file(recordings, tiny_spectral, speech):
    sf.write("x.wav", speech(2, 50_000, 44100).T, 44100, "PCM_24")
    assert run(["enhance", "x.wav", "--model", str(tiny_spectral)]) == 0
    code, out, _ = piped(["enhance", "-", "--model", tiny_spectral], Path("x.wav").read_bytes(), recordings)
    Path("piped.wav").write_bytes(out)
    assert code == 0 and sf.info("piped.wav").subtype == "PCM_24"
    assert np.array_equal(sf.read("piped.wav")[0], sf.read("x_enhance.wav")[0])


def test_a_hop_out_for_each_hop_in(recordings, tiny_spectral, speech):
    samples = (speech(1, 256 * 40)[0] * 32767).astype("<i2")
    process = subprocess.Popen(
        [sys.executable, "-m", "voxfield", "enhance", "-", "--raw", "16000", "--model", tiny_spectral],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
    )
    assert process.stdin is not None and process.stdout is not None
    given = b""
    process.stdin.write(samples[:256].tobytes())  # the lookahead
    for count, hop in enumerate(np.split(samples[256:], 39), start=1):
        process.stdin.write(hop.tobytes())
        while len(given) < 512 * count:
            assert select.select([process.stdout], [], [], 20)[0], f"no hop came out after {count + 1} went in"
            given += process.stdout.read(512 * count - len(given))
    process.stdin.close()
    given += process.stdout.read()
    assert process.wait(timeout=30) == 0 and len(given) == 2 * len(samples)
    whole = enhance(samples, 16000, model=tiny_spectral).samples[0]
    assert np.abs(np.frombuffer(given, "<i2") / 32768 - whole).max() < 2**-15


def test_an_empty_or_nonsensical_pipe(recordings, tiny_spectral):
    for data, message in [(b"", "empty"), (b"hello", "--raw")]:
        code, out, error = piped(["enhance", "-", "--model", tiny_spectral], data, recordings)
        assert code == 1 and out == b"" and message in error and "Traceback" not in error


def test_a_reader_that_leaves_early_is_no_fault(recordings, tiny_spectral):
    command = f"{sys.executable} -m voxfield enhance - --raw 16000 --model {tiny_spectral} | head -c 1000 | wc -c"
    done = subprocess.run(["bash", "-c", command], input=bytes(4_000_000), capture_output=True, timeout=60)
    assert done.stdout.strip() == b"1000" and b"Traceback" not in done.stderr


def test_process_substitution_is_a_pipe_too(recordings, tiny_spectral):
    command = f"{sys.executable} -m voxfield enhance <(cat rec/a.wav) -o x.wav --model {tiny_spectral}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert sf.info("x.wav").frames == 3000


def test_a_closed_standard_input_is_named(recordings, tiny_spectral):
    command = f"{sys.executable} -m voxfield enhance - -o x.wav --model {tiny_spectral} <&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "is closed" in done.stderr


def test_names_in_no_encoding(recordings, tiny_spectral, speech, capsys):
    name = os.fsdecode(b"caf\xe9 \xe5\x90\x8d.wav")
    Path(name).write_bytes(Path("rec/a.wav").read_bytes())
    assert run(["enhance", name, "--json", "--quiet", "--model", str(tiny_spectral), "--report", "r.html"]) == 0
    assert json.loads(capsys.readouterr().out)["count_samples"] == 3000


def test_nothing_heavy_is_loaded_early():
    def loaded(code: str) -> set[str]:
        watched = {"numpy", "onnxruntime", "soundfile", "soxr", "torch", "onnx", "rich.progress"}
        code += f"; import sys; print(*sorted({watched} & set(sys.modules)))"
        return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split())

    assert loaded("import voxfield") == set()
    assert loaded("import voxfield.cli.app, voxfield.cli.commands.enhance") == set()
    assert loaded("from voxfield.cli.app import run; run(['--help'])") & {"torch", "onnx", "onnxruntime"} == set()
    assert "torch" not in loaded("import voxfield as vf; vf.enhance; vf.Stream; vf.Card")


def test_every_public_name_is_there():
    import voxfield

    assert sorted(voxfield.__all__) == voxfield.__all__ and {*voxfield._HOMES} <= {*voxfield.__all__}
    for name in voxfield.__all__:
        assert callable(getattr(voxfield, name))
    assert voxfield.__version__ and set(voxfield.__all__) <= set(dir(voxfield))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        voxfield.nonsense  # noqa: B018


def test_help_version_and_models(capsys):
    for words, expected in [(["--help"], "enhance"), (["--version"], "voxfield "), (["enhance", "--help"], "Examples")]:
        assert run(words) == 0 and expected in capsys.readouterr().out
    assert run(["models", "--json"]) == 0
    for line in capsys.readouterr().out.splitlines():
        face = json.loads(line)["interface"]
        no_sound = {"image", "embedding"} & {face["input"]["kind"]} or face["output"]["kind"] == "image"
        assert no_sound or face["sample_rate_hz"] > 0


def test_models_shows_the_card_of_a_lone_file(tiny_spectral, capsys):
    assert run(["models", str(tiny_spectral)]) == 0
    shown = capsys.readouterr().out
    assert "tiny-spectral.v1: shows what a card holds" in shown and "latency          32 ms" in shown


def test_processes_share_the_files_and_keep_their_order(tmp_path, tiny_spectral, speech, capsys):
    (tmp_path / "in").mkdir()
    for number in range(5):
        sf.write(tmp_path / "in" / f"{number}.wav", speech(1, 4000 * (5 - number), seed=number).T, 16000)
    (tmp_path / "in" / "3.wav").write_text("no sound")
    arguments = ["enhance", str(tmp_path / "in"), "--model", str(tiny_spectral), "--json", "--overwrite"]
    assert run([*arguments, "-o", str(tmp_path / "one"), "--jobs", "1"]) == 1
    alone = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert run([*arguments, "-o", str(tmp_path / "two"), "--jobs", "2"]) == 1
    shared = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(line["input"]).name for line in shared] == [f"{number}.wav" for number in range(5)]
    assert [line["status"] for line in shared] == [line["status"] for line in alone]
    for number in (0, 1, 2, 4):
        pair = [(tmp_path / folder / f"{number}_enhance.wav").read_bytes() for folder in ("one", "two")]
        assert pair[0] == pair[1]


def test_how_many_processes():
    assert processes_of("3", 9, piped=False) == 3 and processes_of("99", 9, piped=False) == 9
    assert processes_of("auto", 7, piped=False) == 1 and processes_of("auto", 9, piped=False) >= 1
    assert processes_of("4", 9, piped=True) == 1
    for wrong in ("0", "-1", "many", "1.5"):
        with pytest.raises(InputError, match="number of processes"):
            processes_of(wrong, 9, piped=False)


def test_format_bitrate_and_rate_of_the_result(tmp_path, tiny_spectral, speech):
    sf.write(tmp_path / "a.wav", speech(1, 16000).T, 16000)
    options = ["--model", str(tiny_spectral), "--format", "mp3", "--bitrate", "64", "--rate", "32000"]
    assert run(["enhance", str(tmp_path / "a.wav"), *options]) == 0
    assert sf.info(tmp_path / "a_enhance.mp3").samplerate == 32000
    assert run(["enhance", str(tmp_path / "a.wav"), "--format", "doc"]) == 2
    assert run(["enhance", str(tmp_path / "a.wav"), "-o", str(tmp_path / "b.flac"), *options]) == 2
    assert not (tmp_path / "b.flac").exists()
    assert run(["enhance", str(tmp_path / "a.wav"), "--bitrate", "64", "--model", str(tiny_spectral)]) == 1
