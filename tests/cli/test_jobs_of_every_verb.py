"""Verbs that answer for each recording share them among processes, and say the same as one process does."""

import json

import numpy as np
import pytest
import soundfile as sf

from voxfield.cli import jobs as cli_jobs
from voxfield.cli.app import run
from voxfield.cli.inputs import Input

TIMES = ("seconds", "real_time_factor")


@pytest.fixture
def recordings(tmp_path, voice, monkeypatch):
    (tmp_path / "in").mkdir()
    for number in range(4):
        sf.write(tmp_path / "in" / f"{number}.wav", voice("anna", number)[: 16000 * (5 - number)], 16000)
    (tmp_path / "in" / "1.wav").write_text("no sound")
    monkeypatch.setenv("VOXFIELD_BOOK", str(tmp_path / "speakers.book"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "in"


@pytest.fixture
def answers(recordings, capfd):
    """`answers("embed", ...)`: what one process says and writes, checked against two."""

    def both(verb, *words, written=None):
        said, files = [], []
        for jobs in ("1", "2"):
            assert run([verb, str(recordings), *map(str, words), "--json", "--jobs", jobs]) == 1
            lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
            said.append([{key: value for key, value in line.items() if key not in TIMES} for line in lines])
            if written is not None:
                with np.load(written) as found:
                    files.append({key: found[key].tolist() for key in found.files})
                written.unlink()
        assert [line["status"] for line in said[0]] == ["done", "failed", "done", "done"]
        assert said[0] == said[1] and (written is None or files[0] == files[1])
        return said[0]

    return both


def test_embed(answers, tiny_embedder, tmp_path):
    out = tmp_path / "e.npz"
    assert len(answers("embed", "--model", tiny_embedder, "-o", out, written=out)[0]["embedding"]) > 1


def test_represent(answers, tmp_path):
    out = tmp_path / "f.npz"
    assert answers("represent", "-o", out, written=out)[0]["count_frames"] > 100
    assert not list(tmp_path.glob(".voxfield-*"))


def test_identify(answers, recordings, tiny_embedder):
    words = ["--model", str(tiny_embedder)]
    assert run(["enroll", "Anna", str(recordings / "0.wav"), "--quiet", *words]) == 0
    assert answers("identify", "--threshold", "0.5", *words)[0]["name"] == "Anna"


def test_noise(answers):
    assert answers("noise", "--model", "crn-tiny")[0]["stretches"]


def test_evaluate(recordings, tiny_spectral, tiny_embedder, tmp_path, capfd):
    (recordings / "1.wav").unlink()
    (tmp_path / "trials.txt").write_text("1 in/0.wav in/2.wav\n0 in/2.wav in/3.wav\n1 in/0.wav in/3.wav\n")
    for words in (
        [recordings, recordings, "--model", tiny_spectral, "--measures", "si_sdr_db"],
        ["trials.txt", "--model", tiny_embedder],
    ):
        said = []
        for jobs in ("1", "2"):
            assert run(["evaluate", *map(str, words), "--json", "--jobs", jobs]) == 0
            said.append(json.loads(capfd.readouterr().out))
        assert said[0] == said[1] and said[0]["recordings"] == 3


def test_what_was_made_before_an_interrupt_is_kept(recordings, tiny_embedder, tmp_path, monkeypatch, capsys):
    from voxfield.tasks.speakers import embedding

    embed, count = embedding.embed_source, []

    def interrupted(*given):
        count.append(1)
        if len(count) == 3:
            raise KeyboardInterrupt
        return embed(*given)

    monkeypatch.setattr(embedding, "embed_source", interrupted)
    out = tmp_path / "e.npz"
    assert run(["embed", str(recordings), "--model", str(tiny_embedder), "-o", str(out), "--jobs", "1"]) == 130
    assert "interrupted; 3 of 4 were tried" in capsys.readouterr().err
    with np.load(out) as found:
        assert [name[-5:] for name in found["name"]] == ["0.wav", "2.wav"]


def test_what_was_done_out_of_turn_is_told_at_an_interrupt(tmp_path, monkeypatch, capsys):
    def in_order(attempt, items, processes, done):
        done(items[1], attempt(items[1]))
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(cli_jobs, "in_order", in_order)
    told, items = [], [Input(tmp_path / name, tmp_path) for name in ("long.wav", "short.wav")]
    code = cli_jobs.in_turn(str, items, 2, lambda item, result: told.append(item), lambda item, result: None)
    assert code == 130 and told == items[1:] and "1 of 2 were tried" in capsys.readouterr().err
