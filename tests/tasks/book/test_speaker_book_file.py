"""The file of a speaker book: two writers, a killed one, and files that are damaged, foreign, newer or shut."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from voxfield.errors import InputError, OutputError
from voxfield.tasks.book import book_file
from voxfield.tasks.book.book_file import Made, Sample, reading, writing

MADE = Made("tiny.v1", "f" * 64, 4, 0.5, {"why": "a test"})


def sample(name, at=0):
    return Sample(0, name, np.array([1, at, 0, 0], np.float32), 5.0, -20.0, 30.0, "x.wav", "2026-01-01T00:00:00+00:00")


@pytest.fixture
def path(tmp_path):
    """A book with two speakers."""
    with writing(tmp_path / "a ?#%.book") as rows:
        rows.set_made(MADE)
        rows.add(sample("Anna"))
        rows.add(sample("Ben", 1))
    return tmp_path / "a ?#%.book"


def names(path):
    with reading(path) as rows:
        return [sample.name for sample in rows.samples()]


def test_what_is_written_is_read(path):
    with reading(path) as rows:
        assert rows.made() == MADE
        first, second = rows.samples()
    assert (first.name, first.number, second.number) == ("Anna", 1, 2)
    assert np.array_equal(second.vector, [1, 1, 0, 0]) and second.vector.dtype == np.float32
    assert (second.speech_s, second.level_db, second.range_db, second.source) == (5.0, -20.0, 30.0, "x.wav")
    assert [other.name for other in path.parent.iterdir()] == [path.name], "nothing is left beside it"
    assert path.stat().st_mode & 0o077 == 0 or os.name == "nt", "voices are nobody else's to read"


@pytest.mark.parametrize("room_bytes", [0, 4096])
def test_a_book_that_the_disk_cannot_hold_is_not_begun(tmp_path, room_bytes):
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room_bytes, before[1]))
    try:
        with pytest.raises(OutputError, match="could not be written"), writing(tmp_path / "new.book") as rows:
            rows.add(sample("Anna"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not any(tmp_path.iterdir())


def test_a_change_is_made_whole_or_not_at_all(path):
    with pytest.raises(ZeroDivisionError), writing(path) as rows:
        rows.remove("Anna")
        rows.add(sample("Zoe"))
        raise ZeroDivisionError
    assert names(path) == ["Anna", "Ben"]


def test_numbers_are_not_given_twice(path):
    with writing(path) as rows:
        rows.remove("Ben")
        rows.add(sample("Cleo"))
    with reading(path) as rows:
        assert [(sample.name, sample.number) for sample in rows.samples()] == [("Anna", 1), ("Cleo", 3)]


ENROLL = """
import sys
from pathlib import Path
from voxfield.tasks.book.book_file import Made, Sample, writing
import numpy as np
path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for at in range(count):
    with writing(path) as rows:
        rows.set_made(rows.made() or Made("tiny.v1", "f" * 64, 4))
        rows.add(Sample(0, f"{name}{at}", np.ones(4, np.float32), 5.0, -20.0, 30.0, "", ""))
    print(at, flush=True)
"""


def started(*words, **options):
    command = [sys.executable, "-c", ENROLL, *map(str, words)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def test_two_processes_at_once_lose_nothing(tmp_path):
    path = tmp_path / "new.book"
    processes = [started(path, name, 40) for name in ("a", "b")]
    for process in processes:
        _, error = process.communicate(timeout=60)
        assert process.returncode == 0, error
    assert sorted(names(path)) == sorted(f"{name}{at}" for name in "ab" for at in range(40))
    with reading(path) as rows:
        assert sorted(sample.number for sample in rows.samples()) == list(range(1, 81))


def test_a_killed_writer_leaves_what_it_had_said(tmp_path):
    path = tmp_path / "new.book"
    for round_ in range(2):
        process = started(path, f"{round_}_", 100_000)
        for _ in range(3 + 20 * round_):
            last = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        process.communicate()
        there = [name for name in names(path) if name.startswith(f"{round_}_")]
        assert {f"{round_}_{at}" for at in range(last + 1)} <= set(there)
        assert len(there) == len(set(there)) == max(int(name.partition("_")[2]) for name in there) + 1
    assert sqlite3.connect(path).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_writer_killed_in_the_middle_of_a_change_leaves_the_book_as_it_was(path):
    code = (
        "import sys, time\nfrom pathlib import Path\nfrom voxfield.tasks.book.book_file import writing\n"
        "with writing(Path(sys.argv[1])) as rows:\n    rows.remove('Anna'); print('now', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "now\n"
    assert names(path) == ["Anna", "Ben"], "who reads does not wait for who writes"
    process.kill()
    process.communicate()
    with writing(path) as rows:
        rows.add(sample("Cleo"))
    assert names(path) == ["Anna", "Ben", "Cleo"]


def test_a_book_that_was_begun_and_no_more(tmp_path):
    empty, headed = tmp_path / "empty.book", tmp_path / "headed.book"
    empty.touch()
    connection = sqlite3.connect(headed)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    assert headed.stat().st_size > 0
    for path in (empty, headed):
        with reading(path) as rows:
            assert rows.made() is None and rows.samples() == []
        with writing(path) as rows:
            rows.set_made(MADE)
            rows.add(sample("Anna"))
        assert names(path) == ["Anna"]


def test_another_program_that_never_lets_go_is_named(path, monkeypatch):
    monkeypatch.setattr(book_file, "BUSY_S", 0.1)
    with writing(path) as rows:
        rows.remove("Anna")
        with pytest.raises(OutputError, match=r"another program has been using .* try again later"), writing(path):
            pass
    assert names(path) == ["Ben"]


def foreign(path):
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE pages (url TEXT)")
    connection.close()


def changed(statement):
    def change(path):
        with sqlite3.connect(path) as connection:
            connection.execute(statement)
        connection.close()

    return change


def torn(path):
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xa5" * 4096
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda path: path.write_bytes(b"RIFF" + bytes(5000)), "no speaker book"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "damaged"),
        (torn, "damaged"),
        (changed("PRAGMA user_version=2"), r"of version 2, .* pip install --upgrade voxfield"),
        (changed("PRAGMA application_id=0"), "an SQLite file, but no speaker book"),
        (changed("CREATE TRIGGER t AFTER INSERT ON sample BEGIN DELETE FROM sample; END"), "no speaker book"),
        (changed("CREATE VIEW v AS SELECT 1"), "no speaker book"),
        (changed("UPDATE sample SET vector = x'00' WHERE number = 2"), "sample 2 is not readable"),
        (changed("UPDATE sample SET vector = x'0000c07f000000000000000000000000'"), "holds what is no number"),
        (changed("UPDATE sample SET speech_s = 'long'"), "sample 1 is not readable"),
        (changed("UPDATE sample SET name = x'ff'"), "sample 1 is not readable"),
        (changed("UPDATE sample SET name = CAST(x'ff' AS TEXT)"), "could not|damaged"),
        (changed("UPDATE book SET measured = '[['"), "what it says of its threshold"),
        (changed("UPDATE book SET dimension = 'four'"), "what it says of its model"),
        (changed("INSERT INTO book SELECT * FROM book"), "what it says of its model"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_whole_book_is_refused_and_left_alone(change, message, path):
    change(path)
    before = path.read_bytes()
    with pytest.raises(InputError, match=message), reading(path) as rows:
        rows.samples()
    with pytest.raises((InputError, OutputError), match=message), writing(path) as rows:
        rows.add(sample("Zoe"))
        rows.samples()
    assert path.read_bytes() == before


def test_places_where_no_book_can_be(tmp_path):
    foreign(tmp_path / "history.sqlite")
    before = (tmp_path / "history.sqlite").read_bytes()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    for place, message in (
        (tmp_path, "no ordinary file"),
        (tmp_path / "pipe", "no ordinary file"),
        (tmp_path / "history.sqlite", "an SQLite file, but no speaker book"),
        (tmp_path / "file" / "a.book", "Not a directory|File exists"),
        (tmp_path / ("a" * 300), "File name too long"),
        (Path("a\0b"), "zero byte"),
    ):
        with pytest.raises((InputError, OutputError), match=message), writing(place):
            pass
    assert (tmp_path / "history.sqlite").read_bytes() == before
    with pytest.raises(InputError, match="there is no speaker book"), reading(tmp_path / "none"):
        pass


def test_a_full_disk_changes_nothing(path):
    before = names(path)
    code = (
        "import resource, signal, sys\nfrom pathlib import Path\nimport numpy as np\n"
        "from voxfield.tasks.book.book_file import Sample, writing\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))\n"
        "with writing(Path(sys.argv[1])) as rows:\n"
        "    for _ in range(1000): rows.add(Sample(0, 'Zoe', np.ones(4, np.float32), 5.0, -20.0, 30.0, 'x' * 99, ''))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, timeout=60)
    assert "OutputError: the speaker book" in done.stderr and "it is as it was before" in done.stderr, done.stderr
    assert names(path) == before
    with writing(path) as rows:
        rows.add(sample("Zoe"))
    assert names(path) == [*before, "Zoe"]


def test_a_folder_that_cannot_be_written_can_be_read(path):
    """As another user where the tests run as root, who may write everywhere."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "a.book")
        shutil.copy(path, place)
        place.chmod(0o444)
        Path(folder).chmod(0o555)
        code = (
            "import os, sys, urllib.parse\nfrom pathlib import Path\n"  # whose place another user may not read later
            "from voxfield.tasks.book.book_file import reading, writing\n"
            "if os.geteuid() == 0: os.setgid(65534); os.setuid(65534)\n"
            "path = Path(sys.argv[1])\n"
            "with reading(path) as rows: print([sample.name for sample in rows.samples()])\n"
            "for place in (path, path.with_name('b.book')):\n"
            "    try:\n        with writing(place): pass\n"
            "    except OSError as error: print(type(error).__name__, error)\n"
        )
        done = subprocess.run([sys.executable, "-c", code, str(place)], capture_output=True, text=True, timeout=60)
        Path(folder).chmod(0o755)
    read, *refused = done.stdout.splitlines()
    assert read == "['Anna', 'Ben']", done.stderr
    assert len(refused) == 2 and all(line.startswith("OutputError") and "Permission denied" in line for line in refused)


def test_ten_thousand_samples_are_read_quickly(tmp_path):
    path, vector = tmp_path / "big.book", np.ones(192, np.float32)
    with writing(path) as rows:
        rows.set_made(Made("tiny.v1", "f" * 64, 192))
        for at in range(10_000):
            rows.add(Sample(0, f"speaker {at // 5}", vector, 5.0, -20.0, 30.0, "x.wav", "2026-01-01T00:00:00+00:00"))
    began = time.perf_counter()
    assert len(names(path)) == 10_000
    assert time.perf_counter() - began < 5
