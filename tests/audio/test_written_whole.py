"""A file appears when it is whole, with the mode the umask leaves; what killed runs left behind goes."""

import os
import subprocess
import sys
import time

import pytest

from voxfield import files
from voxfield.errors import OutputError
from voxfield.files import PartFile, written_whole


@pytest.fixture(autouse=True)
def fresh_folders():
    files._remove_abandoned.cache_clear()


def test_it_appears_at_the_end(tmp_path):
    with written_whole(tmp_path / "new" / "a.txt") as path:
        path.write_text("text")
        assert not (tmp_path / "new" / "a.txt").exists() and path.parent == tmp_path / "new"
    assert (tmp_path / "new" / "a.txt").read_text() == "text" and len(list((tmp_path / "new").iterdir())) == 1


def test_a_failure_leaves_what_was_there(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(KeyError), written_whole(tmp_path / "a.txt") as path:
        path.write_text("new")
        raise KeyError
    assert (tmp_path / "a.txt").read_text() == "old" and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_mode_is_what_the_umask_leaves(tmp_path, umask):
    before = os.umask(umask)
    try:
        with written_whole(tmp_path / "a.txt") as path:
            path.write_text("text")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o666 & ~umask


def test_what_may_not_be_replaced(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, overwrite, message in [
        ("a.txt", False, "exists already"),
        ("pipe", True, "no ordinary file and is never replaced"),
        ("folder", True, "is a folder"),
        ("folder", False, "is a folder"),
        ("a.txt/b", True, "a.txt is no folder"),
        ("x" * 300, True, "cannot be written: File name too long"),
    ]:
        with pytest.raises(OutputError, match=message), written_whole(tmp_path / name, overwrite=overwrite):
            raise AssertionError("not reached")
    assert (tmp_path / "pipe").is_fifo() and len(list(tmp_path.iterdir())) == 3


def test_a_long_name_in_many_bytes(tmp_path):
    with written_whole(tmp_path / ("😀" * 62 + ".wav")) as path:
        path.write_text("text")
    assert (tmp_path / ("😀" * 62 + ".wav")).exists()


def test_a_full_disk_is_called_by_its_name(tmp_path):
    code = (
        "import resource, signal, pathlib\n"
        "from voxfield.files import written_whole\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "with written_whole(pathlib.Path('a.txt')) as path: path.write_bytes(bytes(2000))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert "OutputError: a.txt could not be written to its end: File too large" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_killed_runs_go_and_those_of_running_ones_stay(tmp_path):
    code = (
        "import pathlib, time\n"
        "from voxfield.files import PartFile\n"
        "part = PartFile(pathlib.Path('x.wav')); print(part.path.name, flush=True); time.sleep(60)\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        killed, running = (tmp_path / process.stdout.readline().strip() for process in processes)
        processes[0].kill()
        processes[0].wait()
        (tmp_path / "mine.part").touch()
        old = time.time() - 3600
        for path in (killed, running, tmp_path / "mine.part"):
            os.utime(path, (old, old))
        with PartFile(tmp_path / "y.wav") as part:
            assert part.path.exists() and running.exists() and not killed.exists() and (tmp_path / "mine.part").exists()
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_an_interrupt_while_it_is_made_leaves_nothing(tmp_path, monkeypatch):
    def interrupted(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr("voxfield.files._remove_abandoned", interrupted)
    with pytest.raises(KeyboardInterrupt):
        PartFile(tmp_path / "x.wav")
    assert not list(tmp_path.iterdir())
