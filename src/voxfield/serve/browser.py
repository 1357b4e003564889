"""The page, opened once the service answers."""

import time
import urllib.request
import webbrowser
from threading import Thread
from urllib.error import URLError
from urllib.parse import quote, urlsplit

_MOST_S = 30.0


def opened_when_ready(address: str, token: str = "") -> Thread:
    """A thread that opens the page of an address; the token goes behind '#', which browsers send nowhere."""
    parts = urlsplit(address)
    host = "localhost" if parts.hostname in ("0.0.0.0", "::") else parts.hostname
    page = f"{parts.scheme}://{f'[{host}]' if ':' in (host or '') else host}:{parts.port}/"
    thread = Thread(target=_open, args=(page, f"#token={quote(token)}" if token else ""), daemon=True)
    thread.start()
    return thread


def _open(page: str, fragment: str) -> None:
    end_s = time.monotonic() + _MOST_S
    while time.monotonic() < end_s:
        try:
            with urllib.request.urlopen(f"{page}healthz", timeout=1):
                webbrowser.open(page + fragment)
                return
        except (URLError, OSError):
            time.sleep(0.1)
