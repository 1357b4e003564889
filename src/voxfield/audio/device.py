"""Microphones and headphones, through PortAudio: the one import of sounddevice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from voxfield.errors import InputError, VoxfieldError, needed
from voxfield.protocols import Array

PORTAUDIO = "libportaudio2 on Debian and Ubuntu, portaudio on Fedora, Arch and Homebrew"
SEE = "`voxfield listen --list` names them"


@dataclass(frozen=True)
class Device:
    """A sound device.

    Attributes:
        number, name, host: how it can be named.
        inputs, outputs: most channels of either.
        rate_hz: its own sample rate.
        default: whether it is the system's input or output.
    """

    number: int
    name: str
    host: str
    inputs: int
    outputs: int
    rate_hz: int
    default: bool


@dataclass
class Duplex:
    """A microphone and headphones that run.

    Attributes:
        input, output: names of the devices.
        rate_hz: sample rate of both.
        latency_s: of the devices, both together.
        slips: blocks that the system lost on either side.
        active: whether it still runs.
    """

    input: str
    output: str
    rate_hz: int
    latency_s: float
    slips: int = 0
    active: bool = True


def devices() -> list[Device]:
    """All sound devices of this machine.

    Raises:
        MissingExtraError, VoxfieldError: sounddevice or PortAudio is not installed.
    """
    portaudio = _portaudio()
    hosts = portaudio.query_hostapis()
    return [
        Device(
            number=number,
            name=str(found["name"]),
            host=str(hosts[found["hostapi"]]["name"]),
            inputs=int(found["max_input_channels"]),
            outputs=int(found["max_output_channels"]),
            rate_hz=round(found["default_samplerate"]),
            default=number in tuple(portaudio.default.device),
        )
        for number, found in enumerate(portaudio.query_devices())
    ]


def rate_for(wanted_hz: int, input: str | None = None, output: str | None = None) -> int:
    """The rate that is wanted where both devices take it, else the microphone's own.

    Raises:
        InputError: there is no such device.
    """
    portaudio = _portaudio()
    recording, playing = _found(portaudio, input, "input"), _found(portaudio, output, "output")
    try:
        portaudio.check_input_settings(device=recording["index"], samplerate=wanted_hz, channels=1)
        portaudio.check_output_settings(device=playing["index"], samplerate=wanted_hz, channels=_played(playing))
    except portaudio.PortAudioError:
        return int(recording["default_samplerate"])
    return wanted_hz


@contextmanager
def duplex(
    exchange: Callable[[Array], Array],
    *,
    rate_hz: int,
    block_samples: int,
    input: str | None = None,
    output: str | None = None,
) -> Iterator[Duplex]:
    """One channel of a microphone through `exchange` to all of at most two channels of headphones.

    Args:
        exchange: called in the device's thread with each recorded block (1, N); gives the block to play, (1, N).
        rate_hz: sample rate of both devices.
        block_samples: N.
        input, output: number, or a part of the name; the system's own if None.

    Raises:
        InputError: there is no such device, or it cannot be used in this way.
        MissingExtraError, VoxfieldError: sounddevice or PortAudio is not installed.
    """
    portaudio = _portaudio()
    recording, playing = _found(portaudio, input, "input"), _found(portaudio, output, "output")
    running = Duplex(str(recording["name"]), str(playing["name"]), rate_hz, 0.0)

    def callback(recorded: np.ndarray, played: np.ndarray, count: int, _time: object, status: Any) -> None:
        if status.input_overflow or status.output_underflow:
            running.slips += 1
        played[:] = exchange(np.ascontiguousarray(recorded.T))[0, :, None]

    def finished() -> None:
        running.active = False

    try:
        stream = portaudio.Stream(
            samplerate=rate_hz,
            blocksize=block_samples,
            device=(recording["index"], playing["index"]),
            channels=(1, _played(playing)),
            dtype="float32",
            latency="low",
            callback=callback,
            finished_callback=finished,
        )
        with stream:
            running.latency_s = float(sum(stream.latency))
            yield running
    except portaudio.PortAudioError as error:
        raise InputError(f"{running.input} and {running.output} cannot be used at {rate_hz} Hz: {error}") from error


def _played(device: Any) -> int:
    return min(2, int(device["max_output_channels"]))


def _found(portaudio: Any, named: str | None, kind: str) -> Any:
    given: int | str | None = int(named) if named is not None and named.isdecimal() else named
    try:
        found = portaudio.query_devices(given, kind)
    except (ValueError, portaudio.PortAudioError) as error:
        which = f"'{named}'" if named is not None else "of the system"
        raise InputError(f"the {kind} device {which} cannot be used: {error}; {SEE}") from error
    if not found[f"max_{kind}_channels"]:
        raise InputError(f"the device '{found['name']}' has no {kind}; {SEE}")
    return found


def _portaudio() -> Any:
    try:
        return needed("sounddevice", "live", "sound from a microphone")
    except OSError as error:
        raise VoxfieldError(f"sound from a microphone needs the library PortAudio: install {PORTAUDIO}") from error
