"""A service in a thread of its own, on a port of its own."""

import asyncio
import io
import os
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import soundfile
import uvicorn

from voxfield.serve import Client
from voxfield.serve.server import SETTINGS, configured
from voxfield.serve.settings import Limits, Settings

MODEL = "crn-tiny"
LIMITS = Limits(sessions=40, idle_s=20.0)


class Running:
    """A service that runs: its address, its client and, for a look inside, its state."""

    def __init__(self, settings):
        before = os.environ.get(SETTINGS)
        os.environ[SETTINGS] = settings.to_json()
        self.port = socket.create_server(("127.0.0.1", 0))
        number = self.port.getsockname()[1]
        self.address, self.netloc = f"http://127.0.0.1:{number}", f"127.0.0.1:{number}"
        self.socket = f"ws://127.0.0.1:{number}/v1/stream"
        self.server = uvicorn.Server(configured(settings))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [self.port]}, daemon=True)
        self.thread.start()
        self.client = Client(self.address, settings.tokens[0] if settings.tokens else None)
        wait_until(lambda: self.server.started)
        os.environ.pop(SETTINGS)
        if before is not None:
            os.environ[SETTINGS] = before

    @property
    def state(self):
        return self.server.config.loaded_app.state.voxfield

    def end(self, most_s=10.0):
        """What a signal does."""
        loop = self.server.servers[0].get_loop()
        asyncio.run_coroutine_threadsafe(self.state.end_sessions(most_s), loop).result(most_s + 10)
        self.stop()

    def stop(self):
        self.server.should_exit = True
        self.thread.join(30)


def wait_until(holds, most_s=20.0):
    end_s = time.monotonic() + most_s
    while not holds():
        assert time.monotonic() < end_s, "it never came true"
        time.sleep(0.01)


@contextmanager
def running(**changes):
    limits = replace(LIMITS, **changes.pop("limits", {}))
    one = Running(Settings(model=MODEL, limits=limits, **changes))
    try:
        yield one
    finally:
        one.stop()


def noise(rate_hz=16000, channels=1, seconds=1.0, seed=0):
    count = int(rate_hz * seconds) + 137
    return 0.1 * np.random.default_rng(seed).standard_normal((channels, count)).astype(np.float32)


def stored(samples, rate_hz=16000, format="WAV", subtype=None):
    file = io.BytesIO()
    soundfile.write(file, samples.T, rate_hz, subtype, format=format)
    return file.getvalue()


def together(*coroutines):
    async def all_of_them():
        return await asyncio.gather(*coroutines)

    return asyncio.run(all_of_them())
