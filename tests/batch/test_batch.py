"""A batch: each row is done once, bad rows are lines of errors, and a second run does what is missing."""

import json
import os
import sqlite3
import subprocess
import sys

import pytest
import soundfile as sf

from voxfield.batch import load_job, rehearsal, rehearse
from voxfield.batch.work import RowWork
from voxfield.cli.app import run
from voxfield.errors import InputError, OutputError, RecipeError


def counts(report):
    return {key: report[key] for key in ("rows", "done", "already_done", "repeated", "failed")}


def test_results_are_those_of_the_command_and_a_second_run_does_nothing(
    corpus, job, here, errors, tmp_path, tiny_spectral
):
    one = job(corpus(4, 2))
    assert counts(here(one)) == {"rows": 6, "done": 4, "already_done": 0, "repeated": 0, "failed": 2}
    assert run(["enhance", str(tmp_path / "corpus"), "-o", str(tmp_path / "alone"), "--model", str(tiny_spectral)]) == 1
    alone = {path.name: path.read_bytes() for path in (tmp_path / "alone").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("*.wav")} == alone and len(alone) == 4
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.wav")}
    report = here(one)
    assert counts(report) == {"rows": 6, "done": 0, "already_done": 4, "repeated": 0, "failed": 2}
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.wav")} == before
    assert [(line["row"], line["kind"]) for line in errors()] == [(5, "input"), (6, "input")]
    assert json.loads((tmp_path / "out" / "report.json").read_text())["failed_by_kind"] == {"input": 2}


def test_only_what_is_missing_or_changed_is_done_whatever_the_clock_says(corpus, job, here, speech, tmp_path):
    folder = corpus(5)
    one = job(folder)
    here(one)
    (tmp_path / "out" / "000_enhance.wav").unlink()
    (tmp_path / "out" / "001_enhance.wav").write_bytes(b"cut off")
    sf.write(folder / "002.wav", speech(1, 3200, seed=99).T, 16000)
    os.utime(folder / "002.wav", (1, 1))  # new content with an old time: a clock that went backwards
    os.utime(folder / "003.wav", (1, 1))  # the same content
    report = here(one)
    assert counts(report) == {"rows": 5, "done": 3, "already_done": 2, "repeated": 0, "failed": 0}
    assert counts(here(one))["already_done"] == 5


def test_a_name_of_two_lines_is_found_again(corpus, job, here):
    folder = corpus(1)
    (folder / "000.wav").rename(folder / "two\nlines.wav")
    one = job(folder)
    assert counts(here(one))["done"] == counts(here(one))["already_done"] == 1


def test_a_folder_is_the_same_however_it_is_spelt(corpus, job, here, errors, tmp_path, monkeypatch):
    monkeypatch.chdir(corpus(2).parent)
    assert counts(here(job("corpus")))["done"] == 2
    for spelt in ("corpus/", "./corpus", "corpus//."):
        assert counts(here(job(spelt)))["already_done"] == 2
    assert counts(here(job(tmp_path / "corpus")))["failed"] == 2
    assert "or of this recording under another path" in errors()[0]["error"]


def test_other_options_or_another_model_are_another_result(corpus, job, here, make_spectral_model, tmp_path):
    folder = corpus(2)
    here(job(folder))
    first = (tmp_path / "out" / "000_enhance.wav").read_bytes()
    assert here(job(folder, options={"limit_db": 3.0}))["done"] == 2
    assert (tmp_path / "out" / "000_enhance.wav").read_bytes() != first
    other = make_spectral_model(tmp_path / "other.onnx", summary="another file")
    assert here(job(folder, model=str(other)))["done"] == 2
    with pytest.raises(InputError, match="holds results of `enhance`, not of `separate`"):
        here(job(folder, task="separate", model=""))


def test_failures_wait_for_a_change_or_for_being_asked(corpus, job, here, speech, tmp_path):
    folder = corpus(1, 2)
    one = job(folder)
    here(one)
    sf.write(folder / "001.wav", speech(1, 3200).T, 16000)
    assert counts(here(one)) == {"rows": 3, "done": 1, "already_done": 1, "repeated": 0, "failed": 1}
    tried = []
    here(one, watch=lambda tally, outcome: tried.append(outcome.todo.row.name))
    assert tried == []
    here(one, retry_failed=True, watch=lambda tally, outcome: tried.append(outcome.todo.row.name))
    assert tried == ["002.wav"]


def test_five_broken_rows_the_same_file_twice_and_two_rows_of_one_name(corpus, job, here, manifest, errors):
    corpus(3)
    good = [{"audio_filepath": f"corpus/{number:03d}.wav"} for number in range(3)]
    broken = ["{", "nothing", '{"audio_filepath": 3}', '{"audio_filepath": "corpus/000.wav", "offset": -1}', "[]"]
    twice = [
        good[0],
        {"audio_filepath": "corpus/001.wav", "id": "same"},
        {"audio_filepath": "corpus/002.wav", "id": "same"},
    ]
    one = job(manifest([*good, *broken, *twice, {"audio_filepath": "corpus/none.wav"}]))
    report = here(one)
    assert counts(report) == {"rows": 12, "done": 4, "already_done": 0, "repeated": 1, "failed": 7}
    assert report["failed_by_kind"] == {"manifest": 6, "input": 1}
    assert [line["row"] for line in errors()] == [4, 5, 6, 7, 8, 11, 12]
    assert counts(here(one)) == {"rows": 12, "done": 0, "already_done": 5, "repeated": 0, "failed": 7}


def test_segments_are_results_of_their_own(corpus, job, here, manifest, tmp_path):
    corpus(1, seconds=1.0)
    rows = [{"audio_filepath": "corpus/000.wav", "offset": at, "duration": 0.25} for at in (0, 0.5)]
    assert here(job(manifest(rows)))["done"] == 2
    found = sorted((tmp_path / "out" / "corpus").iterdir())
    assert [path.name for path in found] == ["000-0.000-0.250_enhance.wav", "000-0.500-0.250_enhance.wav"]
    assert all(sf.info(path).frames == 4000 for path in found)


def test_files_that_the_job_did_not_write_stay(corpus, job, here, tmp_path, errors):
    one = job(corpus(2))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "001_enhance.wav").write_text("mine")
    assert counts(here(one))["failed"] == 1 and "use --overwrite" in errors()[0]["error"]
    assert (tmp_path / "out" / "001_enhance.wav").read_text() == "mine"
    assert counts(here(one, overwrite=True)) == {"rows": 2, "done": 1, "already_done": 1, "repeated": 0, "failed": 0}


def test_two_jobs_do_not_write_one_folder(corpus, job, here, tmp_path):
    one = job(corpus(1))
    with pytest.raises(OutputError, match="another job is writing to"):
        here(one, watch=lambda tally, outcome: here(one))
    assert here(one)["done"] + here(one)["already_done"] == 1


def test_a_damaged_ledger_is_named(corpus, job, here, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "ledger.sqlite").write_bytes(b"no database" * 500)
    with pytest.raises(InputError, match=r"ledger\.sqlite is damaged"):
        here(job(corpus(1)))
    (tmp_path / "out" / "ledger.sqlite").unlink()
    connection = sqlite3.connect(tmp_path / "out" / "ledger.sqlite")
    connection.execute("CREATE TABLE others (number)")
    connection.close()
    with pytest.raises(InputError, match="not a ledger"):
        here(job(tmp_path / "corpus"))


def test_separate_writes_a_file_a_voice(corpus, job, here, tiny_separator, tmp_path):
    one = job(corpus(2), task="separate", model=str(tiny_separator), output={"format": "flac"})
    assert here(one)["done"] == 2 and here(one)["already_done"] == 2
    names = sorted(path.name for path in (tmp_path / "out").glob("*.flac"))
    assert names == [f"00{number}_speaker{voice}.flac" for number in (0, 1) for voice in (1, 2)]
    (tmp_path / "out" / names[1]).unlink()
    assert here(one)["done"] == 1 and (tmp_path / "out" / names[1]).exists()


def test_a_rehearsal_counts_hours_and_writes_nothing(corpus, job, here, tmp_path):
    one = job(corpus(3, 1, seconds=0.5))
    tally, guess = rehearse(one)
    assert not (tmp_path / "out").exists()
    assert (tally.rows, guess.rows, guess.unknown, guess.timed) == (4, 4, 1, 3)
    assert guess.audio_s == pytest.approx(2.0) and guess.seconds == pytest.approx(guess.audio_s / guess.speed)
    here(one)
    ledger = (tmp_path / "out" / "ledger.sqlite").read_bytes()
    tally, guess = rehearse(one)
    assert (tally.already, guess.rows, guess.seconds) == (3, 0, None) and tally.failures == 1
    assert (tmp_path / "out" / "ledger.sqlite").read_bytes() == ledger


def test_a_rehearsal_times_no_more_than_the_beginning_of_a_long_recording(corpus, job, tmp_path, monkeypatch):
    timed_s = []

    class Watched(RowWork):
        def __call__(self, todo):
            outcome = super().__call__(todo)
            timed_s.append(outcome.audio_s)
            return outcome

    monkeypatch.setattr(rehearsal, "RowWork", Watched)
    monkeypatch.setattr(rehearsal, "TIMED_S", 0.25)
    _, guess = rehearse(job(corpus(2, seconds=0.5)))
    assert timed_s == [0.25] * 3 and guess.audio_s == pytest.approx(1.0)


def test_a_full_disk_ends_the_run_and_the_next_one_goes_on(corpus, job, here, tmp_path, tiny_spectral):
    folder = corpus(3, seconds=0.1)
    sf.write(folder / "001.wav", sf.read(folder / "000.wav")[0].repeat(100), 16000)
    code = (
        "import resource, signal, sys\n"
        "from voxfield.cli.app import run\n"
        "if __name__ == '__main__':\n"
        "    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "    sys.exit(run(sys.argv[1:]))\n"
    )
    (tmp_path / "limited.py").write_text(code)
    arguments = [
        "batch",
        "enhance",
        str(folder),
        "-o",
        str(tmp_path / "out"),
        "--model",
        str(tiny_spectral),
        "--jobs",
        "1",
    ]
    done = subprocess.run([sys.executable, tmp_path / "limited.py", *arguments], capture_output=True, text=True)
    assert done.returncode == 1 and "takes no more results: File too large" in done.stderr
    assert counts(here(job(folder)))["failed"] == 0
    assert sorted(path.name for path in (tmp_path / "out").glob("*.wav")) == [
        f"00{number}_enhance.wav" for number in range(3)
    ]
    assert not list((tmp_path / "out").glob(".voxfield-*"))


def test_jobs_are_files_or_words_and_wrong_ones_are_refused(corpus, here, tmp_path, tiny_spectral, capsys):
    folder = corpus(2)
    path = tmp_path / "job.toml"
    path.write_text(
        f'task = "enhance"\nmanifest = "{folder}"\nout = "{tmp_path}/out"\nmodel = "{tiny_spectral}"\n'
        '[options]\nlimit_db = 20\n[output]\nformat = "flac"\n'
    )
    assert run(["batch", str(path), "--json", "--jobs", "1"]) == 0
    assert json.loads(capsys.readouterr().out)["done"] == 2 and len(list((tmp_path / "out").glob("*.flac"))) == 2
    assert run(["batch", str(path), "--set", "options.limit_db=3", "--dry-run"]) == 0
    assert "2 rows: 2 to do" in capsys.readouterr().err
    for wrong, words in (
        (["--set", "options.limit=3"], "did you mean 'limit_db'"),
        (["--set", "outt=3"], "did you mean 'out'"),
        (["--jobs", "0"], "a number of processes from 1 on"),
        (["--jobs", "many"], "the job jobs"),
        (["--engine", "spark"], "'local' or 'ray'"),
        (["--address", "auto"], "--engine ray"),
        (["-o", "s3://bucket/x"], "--state FOLDER"),
        (["--model", "none.onnx"], "does not exist"),
    ):
        assert run(["batch", str(path), *wrong]) == 2
        assert words in capsys.readouterr().err
    assert run(["batch", "polish", str(folder)]) == 2
    assert run(["batch", "enhance", str(tmp_path / "none"), "-o", str(tmp_path / "new")]) == 2
    assert "is no manifest" in capsys.readouterr().err and not (tmp_path / "new").exists()
    assert run(["batch", "enhance", str(folder), "-o", str(tmp_path / "new"), "--model", "ds-tdnn-small"]) == 2
    assert "is a model to embed, not to enhance" in capsys.readouterr().err and not (tmp_path / "new").exists()
    assert run(["batch", "enhance", str(folder)]) == 2 and "or -o FOLDER on the command" in capsys.readouterr().err
    with pytest.raises(RecipeError, match="a job needs 'manifest"):
        load_job({"task": "enhance", "out": "x"})
