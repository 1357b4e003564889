"""Single keys from a terminal, without Enter."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Pressed = Callable[[float], str]  # the key pressed within so many seconds, or nothing


@contextmanager
def keys() -> Iterator[Pressed]:
    """What waits for a key; where standard input is no terminal it only waits."""
    if sys.stdin is None or not sys.stdin.isatty():
        yield _none
    elif sys.platform == "win32":
        yield _windows
    else:
        import termios
        import tty

        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        try:
            tty.setcbreak(descriptor)
            yield _posix
        finally:
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _none(wait_s: float) -> str:
    time.sleep(wait_s)
    return ""


def _posix(wait_s: float) -> str:
    import os
    import select

    ready, _, _ = select.select([sys.stdin], [], [], wait_s)
    return os.read(sys.stdin.fileno(), 1).decode("ascii", "ignore") if ready else ""


def _windows(wait_s: float) -> str:
    import msvcrt

    until = time.monotonic() + wait_s
    while time.monotonic() < until:
        if msvcrt.kbhit():  # type: ignore[attr-defined, unused-ignore]
            return str(msvcrt.getwch())  # type: ignore[attr-defined, unused-ignore]
        time.sleep(0.01)
    return ""
