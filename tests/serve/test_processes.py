"""The command itself: it starts, survives a killed worker, and ends on Ctrl-C with nobody left without a tail."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from service import MODEL, noise, wait_until

import voxfield as vf
from voxfield.cli.app import run
from voxfield.serve import Client

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")


@pytest.fixture
def command(tmp_path):
    """`command(*arguments)`: a client of a service that runs as a process of its own, and the process."""
    started = []

    def start(*arguments):
        process = subprocess.Popen(
            [sys.executable, "-m", "voxfield", "serve", "--port", "0", "--model", MODEL, *arguments],
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env=os.environ | {"TMPDIR": str(tmp_path)},
        )
        started.append(process)
        address = re.search(r"http://[\d.:]+", process.stderr.readline().decode())[0]
        client = Client(address)
        wait_until(client.ready, 60)
        return client, process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stderr.close()


def children(process):
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def test_ctrl_c_under_load(command, tmp_path):
    client, process = command()
    samples = noise(seconds=0.9)
    sessions = [client.stream(16000, model=MODEL) for _ in range(8)]
    given = [[session.feed(samples)] for session in sessions]
    process.send_signal(signal.SIGINT)
    for session, parts in zip(sessions, given, strict=True):
        parts += [session._until("ending")[0], session._until("stopped")[0]]
        assert np.array_equal(np.concatenate(parts, axis=1), vf.enhance(samples, 16000, model=MODEL).samples)
    assert process.wait(30) in (0, 130, -signal.SIGINT)
    assert process.stderr.read() == b"" and not list(tmp_path.iterdir())


def test_a_killed_worker_is_replaced(command, tmp_path):
    client, process = command("--workers", "2")
    wait_until(lambda: len(children(process)) >= 2)
    workers = [pid for pid in children(process) if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    wait_until(lambda: workers[0] not in children(process), 60)
    samples = noise(seconds=0.3)
    for _ in range(4):
        with client.stream(16000, model=MODEL) as session:
            made = np.concatenate([session.feed(samples), session.stop()], axis=1)
        assert np.array_equal(made, vf.enhance(samples, 16000, model=MODEL).samples)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) in (0, -signal.SIGTERM) and not list(tmp_path.iterdir())


def test_a_model_that_cannot_be_had_is_said_before_the_port_opens(tmp_path, capsys):
    (tmp_path / "no.onnx").write_bytes(b"no network")
    for words, said in (
        (["--model", "nope", "--workers", "2"], "no model is called"),
        (["--offer", str(tmp_path / "no.onnx")], "not an ONNX"),
    ):
        assert run(["serve", "--port", "0", *words]) in (1, 2)
        found = capsys.readouterr().err
        assert said in found and "http" not in found


def test_a_port_that_is_taken_is_said_so(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert run(["serve", "--model", MODEL, "--port", str(taken.getsockname()[1])]) == 2
    assert "choose another with --port" in capsys.readouterr().err


def test_a_book_that_is_not_there_is_said_before_the_port_opens(tmp_path, capsys):
    assert run(["serve", "--model", MODEL, "--port", "0", "--book", str(tmp_path / "voices.db")]) == 2
    assert "voices.db" in capsys.readouterr().err


def test_what_looks_after_the_workers_loads_no_network_and_no_sound():
    program = "import sys, voxfield.serve.server; print({'numpy', 'onnxruntime', 'fastapi'} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "set()"
