"""Who may ask, from where, and how much."""

import json
import os
import time
import urllib.error
import urllib.request
from contextlib import suppress
from functools import partial

import pytest
from service import MODEL, noise, running, stored, wait_until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from voxfield.cli.app import run
from voxfield.errors import InputError
from voxfield.serve import Client, ServiceError, SessionError
from voxfield.serve.gate import Tickets
from voxfield.serve.refusal import RefusedError
from voxfield.serve.settings import Settings

TOKENS = ("a-token-of-some-length", "another-token-of-some-length")
START = json.dumps({"type": "start", "rate": 16000, "model": MODEL})


@pytest.fixture(scope="module")
def guarded():
    with running(tokens=TOKENS, origins=("https://example.org",), limits={"sessions": 5, "sessions_a_key": 3}) as one:
        yield one


def refused(ask):
    with pytest.raises((ServiceError, SessionError)) as caught:
        ask()
    return caught.value.code


def asked(service, path, headers=(), body=None):
    request = urllib.request.Request(f"{service.address}{path}", body, dict(headers))
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def first_word(address, **options):
    with connect(address, **options) as socket:
        with suppress(ConnectionClosed):
            socket.send(START)
        said = json.loads(socket.recv())
        return said["type"], said.get("code")


def test_a_token_opens_every_endpoint_and_nothing_else_does(guarded):
    assert guarded.client.models() and guarded.client.enhance(stored(noise())).model
    for token, code in ((None, "no_token"), ("wrong", "bad_token"), (TOKENS[0] + "x", "bad_token")):
        stranger = Client(guarded.address, token)
        content = stored(noise())
        assert refused(stranger.models) == refused(partial(stranger.explain, "10/5")) == code
        assert refused(partial(stranger.enhance, content)) == refused(partial(stranger.stream, 16000)) == code
    assert asked(guarded, "/metrics")[0] == asked(guarded, "/v1/ticket", body=b"")[0] == 401
    assert asked(guarded, "/healthz")[0] == 200


def test_a_ticket_opens_one_socket_once(guarded):
    status, _, body = asked(guarded, "/v1/ticket", {"Authorization": f"Bearer {TOKENS[0]}"}, b"")
    given = json.loads(body)
    assert status == 200 and 0 < given["expires_s"] <= 60
    address = f"{guarded.socket}?ticket={given['ticket']}"
    assert first_word(address) == ("ready", None)
    assert first_word(address) == ("error", "bad_ticket")
    assert first_word(f"{guarded.socket}?ticket=made.up.by.me") == ("error", "bad_ticket")
    assert first_word(guarded.socket) == ("error", "no_token")


def test_a_ticket_ends_and_is_spent_for_all_workers(tmp_path):
    here, there = (Tickets("key", 30, str(tmp_path)) for _ in range(2))
    ticket = here.issue("key-1")
    assert there.spend(ticket) == "key-1"
    for tickets, one in (
        (here, ticket),
        (here, Tickets("key", -1).issue("key-1")),
        (here, Tickets("", 30).issue("key-1")),
    ):
        with pytest.raises(RefusedError):
            tickets.spend(one)


def test_used_tickets_are_forgotten_once_they_are_over(tmp_path):
    tickets = Tickets("key", 30, str(tmp_path))
    for _ in range(3):
        tickets.spend(tickets.issue("key-1"))
        (used,) = tmp_path.iterdir()
        os.utime(used, (0, 0))


@pytest.mark.parametrize(
    ("origin", "host", "code"),
    [
        (None, None, None),
        ("self", None, None),
        ("https://example.org", None, None),
        ("https://evil.example", None, "bad_origin"),
        ("null", None, "bad_origin"),
        ("http://evil.example", "evil.example", "bad_host"),  # a name that was made to lead here
    ],
)
def test_pages_of_others_are_refused(guarded, origin, host, code):
    headers = {"Authorization": f"Bearer {TOKENS[0]}"}
    origin = guarded.address if origin == "self" else origin
    headers |= ({"Origin": origin} if origin else {}) | ({"Host": host} if host else {})
    status, _, body = asked(guarded, "/v1/models", headers)
    assert (status == 200) if code is None else (status == 403 and json.loads(body)["error"]["code"] == code)
    if host is None:
        bearer = {"Authorization": headers["Authorization"]}
        assert first_word(guarded.socket, origin=origin, additional_headers=bearer)[1] == code


def test_sessions_are_counted_by_key_and_in_all(guarded):
    clients = [Client(guarded.address, token) for token in TOKENS]
    open_ = [clients[0].stream(16000, model=MODEL) for _ in range(3)]
    assert refused(lambda: clients[0].stream(16000)) == "too_many"
    open_ += [clients[1].stream(16000, model=MODEL) for _ in range(2)]
    assert refused(lambda: clients[1].stream(16000)) == "full"
    assert asked(guarded, "/readyz")[0] == 503
    open_.pop().close()
    wait_until(lambda: asked(guarded, "/readyz")[0] == 200)
    clients[1].stream(16000, model=MODEL).close()
    for session in open_:
        session.close()


def test_requests_beyond_the_limit_are_turned_away():
    with running(limits={"jobs": 1, "waiting_jobs": 0, "idle_s": 3}) as service:
        slow = Client(service.address)

        def slowly():
            yield stored(noise())[:2000]
            wait_until(lambda: service.state._jobs)
            status, headers, _ = asked(service, "/v1/enhance", {"Content-Type": "audio/wav"}, stored(noise()))
            assert status == 503 and headers["Retry-After"]
            yield stored(noise())[2000:]

        class Slow:
            parts = slowly()

            def read(self, count):
                return next(self.parts, b"")

        assert slow.enhance(Slow()).samples.shape == noise().shape


def test_limits_of_duration_bytes_and_time():
    limits = {"duration_s": 2.0, "upload_bytes": 200_000, "idle_s": 1.0, "first_s": 1.0}
    with running(limits=limits) as service:
        assert refused(lambda: service.client.enhance(stored(noise(seconds=3)))) == "too_long"
        assert refused(lambda: service.client.call("enhance", {"file": b"RIFF" + bytes(300_000)})) in (
            "too_large",
            "bad_audio",
        )
        assert refused(lambda: service.client.call("enhance", {"file": b"OggS" + bytes(300_000)})) == "too_large"
        began_s = time.monotonic()
        session = service.client.stream(16000, model=MODEL)
        session.feed(noise(seconds=0.1))
        assert refused(lambda: session._until("never")) == "idle" and time.monotonic() - began_s < 8
        with service.client.stream(16000, model=MODEL, mode="file") as session:
            session.feed(noise(seconds=2.1))
            assert refused(session.stop) == "too_long"
        with connect(service.socket) as socket:
            assert json.loads(socket.recv())["code"] == "idle"
            with pytest.raises(ConnectionClosed):
                socket.recv()


def test_every_answer_carries_the_headers_that_browsers_obey(service):
    for path in ("/", "/v1/models", "/healthz", "/no/such/file", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd"):
        _, headers, body = asked(service, path)
        assert "default-src 'none'" in headers["Content-Security-Policy"] and b"root:" not in body
        assert headers["X-Content-Type-Options"] == "nosniff" and headers["Referrer-Policy"] == "no-referrer"
    policy = asked(service, "/")[1]["Content-Security-Policy"]
    assert "unsafe" not in policy and "http" not in policy and "script-src 'self'" in policy


def test_others_are_let_in_with_a_token_only(tmp_path, capsys):
    for host in ("0.0.0.0", "192.168.1.2", "::"):
        with pytest.raises(InputError, match="--token-file"):
            Settings(host=host)
    assert Settings(host="0.0.0.0", tokens=TOKENS).tokens == TOKENS and Settings(host="::1").local
    assert run(["serve", "--host", "0.0.0.0"]) == 2 and "--token-file" in capsys.readouterr().err
    (tmp_path / "tokens").write_text("short\n")
    assert run(["serve", "--token-file", str(tmp_path / "tokens")]) == 2 and "16 characters" in capsys.readouterr().err
    assert run(["serve", "--token-file", str(tmp_path / "none")]) == 2


def test_what_cannot_serve_is_refused_at_the_start(capsys):
    for origin in ("example.org", "https://example.org/page", "ftp://example.org", "https://"):
        with pytest.raises(InputError, match="without a path is needed, such as"):
            Settings(origins=(origin,))
    assert Settings(origins=("https://example.org:8443/",)).origins == ("https://example.org:8443",)
    assert run(["serve", "--model", "ds-tdnn-small", "--port", "0"]) == 2
    assert "is a model to embed, not to enhance" in capsys.readouterr().err
