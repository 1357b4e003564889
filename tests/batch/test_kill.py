"""Jobs whose processes are killed again and again: nothing is lost, nothing is there twice, no file is half.

`make test-batch` does it with 2000 recordings and 100 kills, `make test-ray` on Ray.
"""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from voxfield.cli.app import run


@pytest.mark.parametrize(
    "engine, good, bad, kills",
    [
        pytest.param("local", 55, 5, 4, id="local"),
        pytest.param("local", 1980, 20, 100, id="local-full", marks=pytest.mark.full),
        pytest.param("ray", 110, 10, 3, id="ray", marks=pytest.mark.ray),
        pytest.param("ray", 1980, 20, 6, id="ray-full", marks=pytest.mark.full),
    ],
)
def test_killed_and_restarted_until_all_is_done(engine, good, bad, kills, tmp_path, tiny_spectral, errors):
    folder, out = tmp_path / "corpus", tmp_path / "out"
    broken = set(np.random.default_rng(0).choice(good + bad, bad, replace=False))
    make_corpus(folder, good + bad, broken)
    arguments = ["batch", "enhance", str(folder), "-o", str(out), "--model", str(tiny_spectral), "--engine", engine]
    command = [sys.executable, "-m", "voxfield", *arguments, "--jobs", "2", "--quiet"]
    victims = cycle([lambda driver: driver, first_worker])
    done = 0
    while done < kills:
        driver = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        there = results(out)
        while driver.poll() is None and done < kills:
            if results(out) <= there:  # something was made since the last kill
                time.sleep(0.005)
                continue
            victim = next(victims)(driver.pid)
            if victim is not None:
                os.kill(victim, signal.SIGKILL)
                done += 1
            there = results(out)
            if victim == driver.pid:
                driver.wait()
        if done < kills and results(out) == good:  # all was done before enough were killed: begin again
            for path in sorted(out.glob("*.wav"))[: good // 2]:
                path.unlink()
        driver.kill() if done == kills else None
        driver.wait()

    finished = subprocess.run(command, capture_output=True, text=True)
    assert finished.returncode == 1, finished.stderr
    assert {line["row"] - 1 for line in errors()} == broken and len(errors()) == bad
    assert run(["enhance", str(folder), "-o", str(tmp_path / "alone"), "--model", str(tiny_spectral), "--quiet"]) == 1
    alone = {path.name: path.read_bytes() for path in (tmp_path / "alone").iterdir()}
    assert {path.name: path.read_bytes() for path in out.glob("*.wav")} == alone and len(alone) == good
    assert not list(out.glob(".voxfield-*"))
    connection = sqlite3.connect(out / "ledger.sqlite")
    ((rows,),) = connection.execute("SELECT count(DISTINCT row) FROM entries WHERE status = 'done'")
    connection.close()
    assert rows == good


def test_an_interrupted_job_exits_130_and_goes_on(tmp_path, tiny_spectral):
    make_corpus(tmp_path / "corpus", 60, set())
    words = ["batch", "enhance", str(tmp_path / "corpus"), "-o", str(tmp_path / "out"), "--model", str(tiny_spectral)]
    command = [sys.executable, "-m", "voxfield", *words, "--jobs", "1"]
    driver = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    while not results(tmp_path / "out"):
        time.sleep(0.005)
    driver.send_signal(signal.SIGINT)
    assert "the same command goes on with the rest" in driver.communicate()[1] and driver.returncode == 130
    assert results(tmp_path / "out") < 60 and not list((tmp_path / "out").glob(".voxfield-*"))
    assert run([*words, "--quiet"]) == 0 and results(tmp_path / "out") == 60


def make_corpus(folder: Path, count: int, broken: set[int]) -> None:
    """Recordings of a quarter of a second, none like another; text in the place of the broken ones."""
    folder.mkdir()
    noise = 0.1 * np.random.default_rng(1).standard_normal(4000 + count)
    for number in range(count):
        if number in broken:
            (folder / f"{number:05d}.wav").write_text(f"no sound {number}")
        else:
            sf.write(folder / f"{number:05d}.wav", noise[number : number + 4000], 16000)


def results(out: Path) -> int:
    """How many results are there."""
    return sum(name.endswith(".wav") for name in os.listdir(out)) if out.exists() else 0  # noqa: PTH208


def first_worker(driver: int) -> int | None:
    """A process that works for this one, or for one that does."""
    parents, workers = {}, []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(place.name)] = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            if b"spawn_main" in (place / "cmdline").read_bytes():
                workers.append(int(place.name))
        except OSError:
            continue
    for worker in workers:
        above = worker
        while above in parents and above != driver:
            above = parents[above]
        if above == driver:
            return worker
    return None
