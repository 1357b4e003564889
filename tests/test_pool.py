"""Processes that share items: every item has one result, whoever dies on the way."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

import voxfield.pool as pool_module
from voxfield.pool import TRIES, Lost, Pool, PoolError


def double(number: int) -> int:
    return 2 * number


def sometimes_fatal(folder, number: int) -> int:
    """Ends its process: at 3 always, at 5 the first time."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 5 and not (folder / "5").exists():
        (folder / "5").touch()
        os._exit(7)
    return 2 * number


def fatal(number: int) -> int:
    os._exit(9)


def test_every_item_has_its_result_and_few_are_taken_ahead():
    taken = []

    def items():
        for number in range(40):
            taken.append(number)
            yield number

    with Pool(double, 2) as pool:
        results = pool.results(items())
        first = next(results)
        assert len(taken) <= 4
        assert sorted([first, *results]) == [(number, 2 * number) for number in range(40)]
    assert pool.died == 0


def test_a_process_that_dies_costs_no_item_but_the_one_that_kills_it_every_time(tmp_path):
    with Pool(partial(sometimes_fatal, tmp_path), 2) as pool:
        results = dict(pool.results(range(9)))
    assert {number: result for number, result in results.items() if number != 3} == {
        number: 2 * number for number in range(9) if number != 3
    }
    assert results[3] == Lost(f"{TRIES} processes died while working on it, the last by SIGKILL")
    assert pool.died == TRIES + 1


def test_processes_that_cannot_live_end_the_work(monkeypatch):
    monkeypatch.setattr(pool_module, "_HOPELESS", 2)
    with Pool(fatal, 1) as pool, pytest.raises(PoolError, match="processes died one after the other, the last with"):
        list(pool.results(range(99)))


SCRIPT = """
import sys, time
from pathlib import Path
from voxfield.pool import Pool
from test_pool import linger
if __name__ == "__main__":
    with Pool(linger, 2) as pool:
        list(pool.results([(sys.argv[1], 0), (sys.argv[1], 1)]))
"""


def linger(item: tuple[str, int]) -> int:
    """Says who it is, works for long, and says so when it is asked to leave."""
    folder, number = item
    Path(folder, f"{number}.pid").write_text(str(os.getpid()))
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        Path(folder, f"{number}.cleaned").touch()
    return number


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_processes_end_with_their_parent_and_clean_up(number, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    parent = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path)],
        env=environment,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    pids = [tmp_path / f"{worker}.pid" for worker in range(2)]
    wait_for(lambda: all(pid.exists() and pid.read_text() for pid in pids))
    parent.send_signal(number)
    parent.wait()
    wait_for(lambda: all((tmp_path / f"{worker}.cleaned").exists() for worker in range(2)))
    wait_for(lambda: not any(alive(int(pid.read_text())) for pid in pids))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.02)
