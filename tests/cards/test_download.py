"""Weights from a server: fetched once, resumed where the connection broke, checked, and never half in their place."""

import hashlib
import os
import pty
import re
import subprocess
import sys
import threading
import time
import zlib
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from voxfield.cards import FileRecord, cards, example_card, find, lone_file, place, read
from voxfield.cards import registry as registry_module
from voxfield.cards.download import cache_folder, fetch, offline
from voxfield.cli.app import run
from voxfield.errors import DownloadError, IntegrityError, OutputError
from voxfield.runtime import engine as engine_module
from voxfield.runtime import load_engine

CONTENT = bytes(range(256)) * 2000  # 512 kB


class Server(ThreadingHTTPServer):
    """Serves one file; `break_after` is how many bytes each of the next connections gives before it breaks."""

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.status, self.ranges, self.chunked = content, 200, True, False
        self.break_after: list[int] = []
        self.asked: list[str | None] = []  # the Range of each request
        self.pause_s = 0.0  # before a byte is sent
        self.stall_s = 0.0  # after the last byte

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is part of the tests."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/weights.onnx"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range")
        server.asked.append(wanted)
        if server.status != 200:
            self.send_error(server.status)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and server.ranges else 0
        if start >= len(server.content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        if not server.chunked:
            self.send_header("Content-Length", str(len(server.content) - start))
        self.end_headers()
        time.sleep(server.pause_s)
        stop = start + server.break_after.pop(0) if server.break_after else len(server.content)
        self.wfile.write(server.content[start:stop])
        self.wfile.flush()
        time.sleep(server.stall_s)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("VOXFIELD_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("VOXFIELD_OFFLINE", raising=False)
    with Server(CONTENT) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield server
        server.shutdown()


def record_of(server, content=CONTENT):
    return FileRecord("weights.onnx", hashlib.sha256(content).hexdigest(), len(content), server.url)


def left(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def test_a_file_is_downloaded_once(server, tmp_path):
    for _ in range(2):
        assert fetch(record_of(server)) == (tmp_path / "cache" / "weights.onnx", CONTENT)
    assert server.asked == [None] and left(tmp_path / "cache") == ["weights.onnx"]


def test_a_broken_connection_goes_on_where_it_broke(server):
    server.break_after = [100_000, 1]
    assert fetch(record_of(server))[1] == CONTENT
    assert server.asked == [None, "bytes=100000-", "bytes=100001-"]


def test_a_later_call_goes_on_where_an_earlier_one_stopped(server, tmp_path):
    server.break_after = [70_000, 0]
    with pytest.raises(DownloadError, match=r"weights.onnx \(0.5 MB\).*ended too soon; 70000 bytes are kept.*by hand"):
        fetch(record_of(server))
    assert left(tmp_path / "cache") == ["weights.onnx.part"]
    server.asked.clear()
    assert fetch(record_of(server))[1] == CONTENT
    assert server.asked == ["bytes=70000-"] and left(tmp_path / "cache") == ["weights.onnx"]


def test_a_server_without_ranges_starts_over(server):
    server.break_after, server.ranges = [100_000], False
    assert fetch(record_of(server))[1] == CONTENT
    assert server.asked == [None, "bytes=100000-"]


@pytest.mark.parametrize("status", [404, 403, 500])
def test_a_server_that_refuses_is_quoted(server, tmp_path, status):
    server.status = status
    with pytest.raises(DownloadError, match=rf"answers {status} .*by hand: get {server.url} and put it at {tmp_path}"):
        fetch(record_of(server))
    assert left(tmp_path / "cache") == []


def test_nobody_answers(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(DownloadError, match=r"no connection: .*refused"):
        fetch(record_of(server))


@pytest.mark.parametrize("chunked", [False, True], ids=["length-announced", "length-unknown"])
@pytest.mark.parametrize(
    "wrong", [CONTENT[:-1] + b"x", b"x" + CONTENT, CONTENT[:-1], b"<html>sign in</html>"], ids=lambda wrong: len(wrong)
)
def test_wrong_bytes_are_deleted_and_reported(server, tmp_path, wrong, chunked):
    published = record_of(server)
    server.content, server.chunked = wrong, chunked
    with pytest.raises(IntegrityError, match="not the published one"):
        fetch(published)
    assert left(tmp_path / "cache") == []


def test_a_server_that_never_ends_is_cut_off(server, tmp_path):
    published = record_of(server)
    server.content, server.chunked = b"x" * 5_000_000, True
    with pytest.raises(IntegrityError, match="in 512000 bytes"):
        fetch(published)
    assert left(tmp_path / "cache") == []


def test_a_file_in_the_cache_that_was_changed_is_deleted_and_reported(server, tmp_path):
    path, _ = fetch(record_of(server))
    path.write_bytes(CONTENT[::-1])
    with pytest.raises(IntegrityError, match=r"cache/weights.onnx are not the published ones.*the file was deleted"):
        fetch(record_of(server))
    assert left(tmp_path / "cache") == [] and fetch(record_of(server))[1] == CONTENT


def test_a_half_file_of_other_weights_does_not_survive(server, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "weights.onnx.part").write_bytes(b"other" * 1000)
    with pytest.raises(IntegrityError, match="not the published ones"):
        fetch(record_of(server))
    assert fetch(record_of(server))[1] == CONTENT


def test_a_part_that_is_too_long_is_started_over(server, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "weights.onnx.part").write_bytes(CONTENT + b"x")
    assert fetch(record_of(server))[1] == CONTENT and server.asked == [None]


def test_offline_names_file_size_url_and_place(server, tmp_path, monkeypatch):
    monkeypatch.setenv("VOXFIELD_OFFLINE", "1")
    with pytest.raises(DownloadError) as caught:
        fetch(record_of(server))
    for word in ("weights.onnx", "0.5 MB", server.url, str(tmp_path / "cache" / "weights.onnx")):
        assert word in str(caught.value)
    assert server.asked == [] and not (tmp_path / "cache").exists()
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "weights.onnx").write_bytes(CONTENT)  # by hand, as the message says
    assert fetch(record_of(server))[1] == CONTENT and server.asked == []


@pytest.mark.parametrize(("value", "meant"), [("", False), ("0", False), ("No", False), ("1", True), ("yes", True)])
def test_what_offline_may_say(monkeypatch, value, meant):
    monkeypatch.setenv("VOXFIELD_OFFLINE", value)
    assert offline() is meant


def test_the_cache_is_where_the_system_keeps_caches(monkeypatch, tmp_path):
    monkeypatch.delenv("VOXFIELD_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    if sys.platform == "linux":
        assert cache_folder() == tmp_path / "voxfield"
    monkeypatch.setenv("VOXFIELD_CACHE", "~/weights")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "weights"


def test_a_cache_that_cannot_be_written_is_named(server, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("VOXFIELD_CACHE", str(tmp_path / "file"))
    with pytest.raises(OutputError, match=r"cannot be kept in .*file: .*; set VOXFIELD_CACHE"):
        fetch(record_of(server))


CODE = (
    "import sys; from voxfield.cards import FileRecord; from voxfield.cards.download import fetch;"
    "print(len(fetch(FileRecord(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))[1]))"
)


def test_two_processes_download_once(server, tmp_path):
    server.pause_s = 1.0
    words = [sys.executable, "-c", CODE, *map(str, record_of(server))]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=60)[0] for process in both] == [f"{len(CONTENT)}\n"] * 2
    assert server.asked == [None] and left(tmp_path / "cache") == ["weights.onnx"]


def test_a_process_that_is_killed_leaves_what_it_had(server, tmp_path):
    server.break_after, server.stall_s = [200_000], 20.0
    process = subprocess.Popen([sys.executable, "-c", CODE, *map(str, record_of(server))])
    part = tmp_path / "cache" / "weights.onnx.part"
    for _ in range(600):
        if part.exists() and part.stat().st_size > 0:
            break
        time.sleep(0.05)
    process.kill()
    process.wait(timeout=60)
    kept, server.stall_s = part.stat().st_size, 0.0
    assert 0 < kept <= 200_000
    assert fetch(record_of(server))[1] == CONTENT  # no lock of the dead is in the way
    assert server.asked == [None, f"bytes={kept}-"]


def test_a_terminal_sees_a_bar_and_a_pipe_nothing(server, tmp_path):
    words = [sys.executable, "-c", CODE, *map(str, record_of(server))]
    ours, theirs = pty.openpty()
    subprocess.run(words, stdout=subprocess.DEVNULL, stderr=theirs, check=True, timeout=60)
    os.close(theirs)
    shown = b""
    with suppress(OSError):  # where a terminal ends; what it shows comes in parts
        while part := os.read(ours, 1 << 16):
            shown += part
    assert b"weights.onnx" in shown
    os.close(ours)
    (tmp_path / "cache" / "weights.onnx").unlink()
    done = subprocess.run(words, capture_output=True, check=True, timeout=60)
    assert done.stderr == b""


@pytest.fixture
def published(server, tmp_path, monkeypatch, make_spectral_model):
    """A registry with one model whose file is only on the server."""
    source = make_spectral_model(tmp_path / "source.onnx")
    server.content = source.read_bytes()
    file = record_of(server, server.content)._replace(name="tiny-spectral.v1.onnx")
    card = load_engine(source).card
    values = card.to_dict() | {"file": file._asdict()}
    (tmp_path / "models.toml").write_text(type(card).from_dict(values).to_toml())
    monkeypatch.setattr(registry_module.find, "__defaults__", (tmp_path / "models.toml",))
    monkeypatch.setattr(registry_module.read, "__defaults__", (tmp_path / "none",))
    monkeypatch.setattr(registry_module.place, "__defaults__", (tmp_path / "none",))
    return card


def test_a_model_is_downloaded_when_it_is_first_used(published, server, tmp_path, capsys):
    assert place(find("tiny-spectral")) is None
    assert run(["models", "tiny-spectral"]) == 0 and "not here: " in capsys.readouterr().out and server.asked == []
    assert load_engine("tiny-spectral").card == published
    assert place(find("tiny-spectral")) == tmp_path / "cache" / "tiny-spectral.v1.onnx" and len(server.asked) == 1


def test_what_runs_is_what_was_checked(published, server, monkeypatch):
    """A file that is exchanged between the check and the session does not matter: it is read once."""

    def read_and_exchanged(card):
        path, content = read(card)
        path.write_bytes(b"exchanged")
        return path, content

    monkeypatch.setattr(engine_module, "read", read_and_exchanged)
    engine_module._published.cache_clear()
    assert load_engine("tiny-spectral").card == published
    engine_module._published.cache_clear()
    with pytest.raises(IntegrityError, match="the file was deleted"):
        load_engine("tiny-spectral")


def test_offline_on_the_command_line(published, server, tmp_path, monkeypatch, capsys, speech):
    import soundfile as sf

    monkeypatch.chdir(tmp_path)
    sf.write("x.wav", speech(1, 2000).T, 16000)
    engine_module._published.cache_clear()
    assert run(["enhance", "x.wav", "--model", "tiny-spectral", "--offline"]) == 1
    assert "nothing may be downloaded; by hand: get http" in capsys.readouterr().err and server.asked == []
    assert "VOXFIELD_OFFLINE" not in os.environ
    assert run(["enhance", "x.wav", "--model", "tiny-spectral"]) == 0 and len(server.asked) == 1


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/y", "https://x/ y", "https://x/\n", 3])
def test_urls_that_are_none(url):
    with pytest.raises(Exception, match="file must be") as caught:
        example_card(file=FileRecord("x.onnx", "0" * 64, 1, url))
    assert type(caught.value).__name__ == "CardError"


def test_a_url_survives_toml_and_is_left_out_where_there_is_none():
    import tomllib

    from voxfield.cards import Card

    for url in ("https://example.org/x.onnx", ""):
        card = example_card(file=FileRecord("x.onnx", "0" * 64, 1, url))
        assert Card.from_dict(tomllib.loads(card.to_toml())["model"][0]) == card
        assert ("url" in card.to_toml()) == bool(url)


@pytest.mark.parametrize("name", ["crn-small", "conv-tasnet-small"])
def test_the_defaults_come_with_the_package(name):
    card = find(name)
    assert card.file is not None and not card.file.url and place(card) is not None and lone_file(name) is None


def test_what_the_wheel_holds_stays_below_10_mb():
    """Compressed, file by file, as in a wheel."""
    package = registry_module.REGISTRY.parent.parent
    parts = [path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(len(zlib.compress(path.read_bytes())) for path in parts) < 10e6
    bundled = {card.file.name for card in cards() if card.file is not None and not card.file.url}
    assert {path.name for path in registry_module.WEIGHTS.glob("*.onnx")} == bundled
