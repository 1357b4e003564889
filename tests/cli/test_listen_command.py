"""`voxfield listen` with PortAudio played by a stub: devices, rates, keys, and what is shown."""

import json
import os
import sys
import threading
import time
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from voxfield.cli.app import run


class PortAudioError(Exception):
    pass


DEVICES = [
    {"name": "Desk\x1b[2J microphone", "max_input_channels": 1, "max_output_channels": 0},
    {"name": "Headphones", "max_input_channels": 0, "max_output_channels": 8, "default_samplerate": 44100.0},
    {"name": "USB headset", "max_input_channels": 1, "max_output_channels": 2},
]


@pytest.fixture
def portaudio(monkeypatch):
    """A module as sounddevice is, whose microphone gives 1, 2, 3 ... blocks of a tone, faster than real time."""
    stub = ModuleType("sounddevice")
    stub.rates_hz, stub.played, stub.opened, stub.fails = {16000, 48000}, [], [], False
    stub.PortAudioError = PortAudioError
    stub.default = SimpleNamespace(device=[0, 1])
    stub.query_hostapis = lambda: ({"name": "ALSA"},)

    def query_devices(device=None, kind=None):
        known = [
            {"index": at, "hostapi": 0, "default_samplerate": 48000.0, **found} for at, found in enumerate(DEVICES)
        ]
        if kind is None:
            return known
        if device is None:
            return known[stub.default.device[kind == "output"]]
        found = [one for one in known if (device == one["index"] if isinstance(device, int) else device in one["name"])]
        if len(found) != 1:
            raise ValueError(f"No {kind} device matching {device!r}")
        return found[0]

    def check(device, samplerate, channels):
        if samplerate not in stub.rates_hz:
            raise PortAudioError("Invalid sample rate")

    class Stream:
        latency = (0.004, 0.006)

        def __init__(self, *, callback, finished_callback, blocksize, channels, samplerate, **options):
            if stub.fails:
                raise PortAudioError("Device unavailable")
            stub.opened.append({"blocksize": blocksize, "channels": channels, "samplerate": samplerate, **options})
            self._callback, self._finished, self._count = callback, finished_callback, blocksize
            self._channels, self._over = channels, False

        def __enter__(self):
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
            return self

        def __exit__(self, *_):
            self._over = True
            self._thread.join()
            self._finished()

        def _run(self):
            tone = 0.5 * np.sin(np.arange(self._count)).astype(np.float32)[:, None]
            while not self._over:
                played = np.full((self._count, self._channels[1]), np.nan, np.float32)
                lost = SimpleNamespace(input_overflow=len(stub.played) == 3, output_underflow=False)
                self._callback(tone, played, self._count, None, lost)
                stub.played.append(played)
                time.sleep(0.002)

    stub.query_devices, stub.Stream = query_devices, Stream
    stub.check_input_settings = stub.check_output_settings = check
    monkeypatch.setitem(sys.modules, "sounddevice", stub)
    return stub


@pytest.fixture
def keyboard(monkeypatch):
    """A terminal; what is written to it is typed."""
    if not hasattr(os, "openpty"):
        pytest.skip("no terminals here")
    master, slave = os.openpty()
    monkeypatch.setattr(sys, "stdin", os.fdopen(slave, "r"))
    yield lambda keys: os.write(master, keys)
    os.close(master)


def test_devices_are_listed(portaudio, capsys):
    assert run(["listen", "--list"]) == 0
    shown = capsys.readouterr().out
    assert "*  1  Headphones (ALSA): 0 in, 8 out, 44100 Hz" in shown and "\x1b" not in shown
    assert run(["listen", "--list", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["default"] for row in rows] == [True, True, False]


def typed_later(portaudio, keyboard, *keys):
    def type_them():
        for key in keys:
            heard = len(portaudio.played) + 30
            until = time.monotonic() + 20
            while len(portaudio.played) < heard and time.monotonic() < until:
                time.sleep(0.01)
            keyboard(key)

    thread = threading.Thread(target=type_them, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(("rates_hz", "rate_hz", "block"), [({16000}, 16000, 256), ({48000}, 48000, 768)])
def test_sound_passes_until_q(portaudio, keyboard, tiny_spectral, capsys, rates_hz, rate_hz, block):
    portaudio.rates_hz = rates_hz
    typing = typed_later(portaudio, keyboard, b"x", b"q")
    assert run(["listen", "--model", str(tiny_spectral)]) == 0
    typing.join()
    opened = portaudio.opened[0]
    assert (opened["samplerate"], opened["blocksize"], opened["channels"]) == (rate_hz, block, (1, 2))
    assert opened["device"] == (0, 1)
    played = np.concatenate(portaudio.played)
    assert np.isfinite(played).all() and played.any() and (played[:, 0] == played[:, 1]).all()
    told = capsys.readouterr().err
    assert "microphone -> tiny-spectral.v1 -> Headphones" in told and "\x1b" not in told
    assert "underruns" in told and "dropped" in told


def test_the_line_shows_levels_and_latency_and_space_switches(portaudio, keyboard, tiny_spectral, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    typing = typed_later(portaudio, keyboard, b" ", b" ", b"q")
    assert run(["listen", "--model", str(tiny_spectral), "--input", "2", "--output", "USB"]) == 0
    typing.join()
    assert portaudio.opened[0]["device"] == (2, 2)
    lines = capsys.readouterr().err.split("\r")
    states = [line.split()[0] for line in lines[1:]]
    turns = [state for at, state in enumerate(states) if at == 0 or states[at - 1] != state]
    assert turns == ["enhanced", "recorded", "enhanced"]
    assert "in   -9" in lines[-1] and " ms " in lines[-1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--input", "nowhere"], "the input device 'nowhere' cannot be used"),
        (["--input", "Headphones"], "has no input"),
        (["--output", "0"], "has no output"),
        (["--model", "nothing"], "no model is called"),
    ],
)
def test_devices_and_models_that_are_not_there(portaudio, words, message, capsys):
    assert run(["listen", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_device_in_use_is_said_to_be(portaudio, tiny_spectral, capsys):
    portaudio.fails = True
    assert run(["listen", "--model", str(tiny_spectral)]) == 2
    assert "Device unavailable" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fault", "message"),
    [(ImportError("none"), "pip install 'voxfield[live]'"), (OSError("PortAudio library not found"), "libportaudio2")],
)
def test_what_is_missing_is_named(fault, message, monkeypatch, tmp_path, capsys):
    monkeypatch.delitem(sys.modules, "sounddevice", raising=False)
    (tmp_path / "sounddevice.py").write_text(f"raise {fault!r}")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert run(["listen", "--list"]) == 1
    assert message in capsys.readouterr().err
