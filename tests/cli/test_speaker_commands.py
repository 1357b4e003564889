"""`voxfield enroll`, `identify`, `speakers` and `threshold` as a user types them, and books that survive it."""

import json
import os
import signal
import subprocess
import sys
from io import BytesIO, TextIOWrapper

import numpy as np
import pytest
import soundfile as sf

import voxfield as vf
from voxfield.cli.app import run

RATE_HZ = 16000


@pytest.fixture
def folder(tmp_path, voice, monkeypatch):
    """Recordings of two made-up speakers, and of nobody."""
    for speaker in ("anna", "ben"):
        (tmp_path / speaker).mkdir()
        for seed in range(3):
            sf.write(tmp_path / speaker / f"{seed}.wav", voice(speaker, seed), RATE_HZ)
    sf.write(tmp_path / "silence.wav", np.zeros(RATE_HZ), RATE_HZ)
    (tmp_path / "broken.wav").write_bytes(b"RIFF nothing")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VOXFIELD_BOOK", str(tmp_path / "speakers.book"))
    return tmp_path


@pytest.fixture
def typed(tiny_embedder, capsys):
    """`typed("identify", ...)`: (exit code, output, errors); `--model` is added where a network is needed."""

    def type_(verb, *words):
        extra = [] if verb == "speakers" else ["--model", str(tiny_embedder)]
        code = run([verb, *map(str, words), *extra])
        return code, *capsys.readouterr()

    return type_


def lines(text):
    return [json.loads(line) for line in text.splitlines()]


def test_from_recordings_to_names(folder, typed):
    assert typed("enroll", "Anna", "anna/0.wav", "anna/1.wav")[0] == 0
    code, said, _ = typed("enroll", "王芳", "ben/0.wav", "ben/1.wav", "--json")
    assert code == 0 and [(line["name"], line["new"]) for line in lines(said)] == [("王芳", True)] * 2
    code, said, error = typed("identify", "anna/2.wav")
    assert code == 2 and "`voxfield threshold` chooses a threshold" in error
    code, said, _ = typed("threshold", "--false-accepts", "0.1")
    assert code == 0 and "false accepts: 0.00 % (95 % confidence: 0.00 to " in said and "note: " in said
    assert "; trials of two speakers: 4\n" in said
    code, said, error = typed("identify", "anna/2.wav", "ben/2.wav", "silence.wav", "broken.wav")
    assert code == 1 and "1 of 4 failed:\n  broken.wav: is not sound" in error
    assert "anna/2.wav  Anna (score 1.00, " in said and "above 王芳)" in said and "ben/2.wav  王芳 (" in said
    assert "silence.wav  unknown: there is no voice in it" in said
    code, said, _ = typed("identify", "anna/2.wav", "--threshold", "1", "--json")
    (line,) = lines(said)
    assert code == 0 and line["name"] is None and line["nearest"][0]["name"] == "Anna" and line["threshold"] == 1
    assert line["margin"] == pytest.approx(line["nearest"][0]["score"] - line["nearest"][1]["score"], abs=2e-6)
    code, said, _ = typed("identify", "anna/2.wav", "--threshold", "1")
    assert "unknown: Anna is nearest, with 1.00 of 1.00" in said


def test_a_threshold_from_trials(folder, typed):
    trials = ["1 anna/0.wav anna/1.wav", "1 ben/0.wav ben/1.wav", "0 anna/0.wav ben/0.wav", "0 anna/1.wav ben/1.wav"]
    (folder / "t.txt").write_text("\n".join(trials))
    code, said, _ = typed("threshold", "t.txt", "--json")
    (line,) = lines(said)
    assert code == 0 and line["same"] == line["different"] == 2 and line["misses"]["rate"] == 0
    assert (
        vf.SpeakerBook().made().threshold == line["threshold"] and vf.SpeakerBook().made().measured["from"] == "trials"
    )
    (folder / "t.txt").write_text("1 silence.wav anna/0.wav\n0 anna/0.wav ben/0.wav")
    assert typed("threshold", "t.txt")[0] == 2
    assert typed("threshold", "--false-accepts", "2")[0] == 2
    code, _, error = typed("threshold")
    assert code == 2 and "it must hold two speakers or more" in error


def test_the_book_is_kept_in_order(folder, typed, monkeypatch):
    typed("enroll", "Anna", "anna")
    typed("enroll", "Ben", "ben/0.wav")
    code, said, _ = typed("speakers", "list")
    assert code == 0 and "Anna  3 samples, " in said and "model tiny-spread.v1, threshold not chosen yet" in said
    code, said, _ = typed("speakers", "list", "--json")
    assert [(line["name"], line["samples"]) for line in lines(said)] == [("Anna", 3), ("Ben", 1)]
    code, said, _ = typed("speakers", "show", "Anna")
    assert code == 0 and [line.split()[-1] for line in said.splitlines()] == ["0.wav", "1.wav", "2.wav"]
    assert len(lines(typed("speakers", "show", "Anna", "--json")[1])[0]["vector"]) == 80
    assert typed("speakers", "remove", "Anna", "--sample", "2")[1] == "1 sample removed\n"
    assert typed("speakers", "rename", "Anna", "O'Brien")[0] == 0
    code, said, _ = typed("speakers", "export", "out.json")
    assert code == 0 and said == "3 samples -> out.json\n"
    assert typed("speakers", "import", "out.json", "--book", "b.book")[1] == "3 samples new\n"
    code, _, error = typed("speakers", "import", "out.json")
    assert code == 2 and "has Ben, O'Brien already; --merge" in error
    assert typed("speakers", "export", "out.json")[0] == 1
    code, said, _ = typed("speakers", "export", "-")
    assert code == 0 and said == (folder / "out.json").read_text(encoding="utf-8") and not (folder / "-").exists()
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"\xef\xbb\xbf" + said.encode())))
    assert typed("speakers", "import", "-", "--book", "c.book")[1] == "3 samples new\n"
    assert typed("speakers", "remove", "O'Brien")[1] == "2 samples removed\n"
    for words in (("show", "O'Brien"), ("rename", "O'Brien", "X"), ("remove", "O'Brien")):
        code, _, error = typed("speakers", *words)
        assert code == 2 and "nobody called O'Brien" in error
    assert typed("speakers", "list", "--book", "none.book")[0] == 2


def test_wrong_usage_is_said_before_any_file_is_read(folder, typed):
    for verb, *words in (
        ("enroll", "", "anna/0.wav"),
        ("enroll", "a\x1b[2J", "anna/0.wav"),
        ("enroll", "Anna"),
        ("enroll", "Anna", "anna/0.wav", "--raw", "16000"),
        ("identify", "anna/0.wav"),
        ("identify", "anna/0.wav", "--threshold", "2"),
        ("speakers", "dance"),
    ):
        code, _, error = typed(verb, *words)
        assert code == 2 and error and "\x1b" not in error and "Traceback" not in error, words
    assert not (folder / "speakers.book").exists()


def test_what_is_not_good_enough_is_named_and_the_rest_is_enrolled(folder, typed):
    code, said, error = typed("enroll", "Anna", "silence.wav", "anna/0.wav", "broken.wav", "anna/0.wav")
    assert code == 1 and "silence.wav: the recording is silent" in error and "2 of 3 failed" in error
    assert len(vf.SpeakerBook().samples("Anna")) == 1
    code, said, _ = typed("enroll", "Anna", "anna/0.wav")
    assert code == 0 and "known already" in said and len(vf.SpeakerBook().samples()) == 1


def test_names_and_sources_that_steer_a_terminal_are_printed_as_escapes(folder, typed):
    (folder / "anna" / "0.wav").rename("anna/\x1b[2J.wav")
    assert typed("enroll", "../Anna", "anna/\x1b[2J.wav")[0] == 0
    code, said, _ = typed("speakers", "show", "../Anna")
    assert code == 0 and "\x1b" not in said and "\\x1b[2J.wav" in said
    surrogate = os.fsdecode(b"anna/\xff.wav")
    (folder / "anna" / "1.wav").rename(surrogate)
    assert typed("enroll", "../Anna", surrogate)[0] == 0
    assert typed("speakers", "show", "../Anna")[0] == 0 and typed("speakers", "export", "x.json")[0] == 0
    assert typed("speakers", "import", "x.json", "--book", "b.book")[0] == 0


def started(model, *words):
    command = [sys.executable, "-m", "voxfield", *words, "--model", str(model)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_at_once_lose_nothing(folder, tiny_embedder):
    processes = [started(tiny_embedder, "enroll", name.title(), name) for name in ("anna", "ben")]
    for process in processes:
        _, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
    found = vf.SpeakerBook().samples()
    assert sorted((sample.name, sample.source) for sample in found) == [
        (name, f"{at}.wav") for name in ("Anna", "Ben") for at in range(3)
    ]


def test_killed_while_enrolling_the_others_are_still_there(folder, tiny_embedder, voice):
    vf.SpeakerBook(model=tiny_embedder).enroll("Ben", folder / "ben" / "0.wav")
    for at in range(100):
        sf.write(folder / "anna" / f"{at}.wav", voice("anna", at, 32_000), RATE_HZ)
    process = started(tiny_embedder, "enroll", "Anna", "anna")
    said = [process.stdout.readline() for _ in range(2)]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    done = {line.split()[0].removeprefix("anna/") for line in said if line.startswith("anna/")}
    book = vf.SpeakerBook(model=tiny_embedder)
    assert done <= {sample.source for sample in book.samples("Anna")} and len(book.samples("Anna")) < 100
    assert book.names() == ["Anna", "Ben"] and book.enroll("Ben", folder / "ben" / "1.wav").new
