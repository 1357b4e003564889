"""`voxfield listen`: a microphone, enhanced, in headphones."""

import json
import sys
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from voxfield.cli.keyboard import Pressed, keys
from voxfield.cli.options import LimitDb, Offline, Threads, model_for
from voxfield.cli.printable import visible
from voxfield.errors import VoxfieldError

if TYPE_CHECKING:
    from voxfield.audio.device import Device, Duplex
    from voxfield.tasks.enhancement.live import Live

_SHOWN_EVERY_S = 0.1


def command(
    list_: Annotated[bool, typer.Option("--list", help="List the sound devices and end.")] = False,
    input: Annotated[str | None, typer.Option(help="Microphone: number or part of its name.", metavar="DEVICE")] = None,
    output: Annotated[
        str | None, typer.Option(help="Headphones: number or part of the name.", metavar="DEVICE")
    ] = None,
    model: Annotated[str, model_for("enhance")] = "crn-small",
    limit_db: LimitDb = None,
    threads: Threads = 1,
    offline: Offline = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the devices as lines of JSON.")] = False,
) -> None:
    """Listen to a microphone without its noise, in headphones.

    Space switches between the enhanced and the recorded sound, q ends. Loudspeakers would feed back.

    Examples:

      voxfield listen --list

      voxfield listen --input USB --output Headphones
    """
    from voxfield.audio.device import SEE, devices, duplex, rate_for

    if list_:
        for found in devices():
            print(json.dumps(asdict(found)) if as_json else visible(_in_words(found)))
        return
    from voxfield.tasks import Enhancer, engine_for
    from voxfield.tasks.enhancement.live import Live

    engine = engine_for(model, "enhance", threads=threads)
    face = engine.card.interface
    rate_hz = rate_for(face.sample_rate_hz, input, output)
    live = Live(Enhancer(engine, rate_hz, limit_db=limit_db))
    block_samples = round(face.hop_samples * rate_hz / face.sample_rate_hz)
    with live, keys() as pressed:
        device_of = duplex(live.exchange, rate_hz=rate_hz, block_samples=block_samples, input=input, output=output)
        with device_of as device:
            _say(visible(f"{device.input} -> {engine.card.name} -> {device.output}; space: on or off, q: end\n"))
            with suppress(KeyboardInterrupt):
                _show_until_the_end(live, device, pressed)
            stopped = not device.active
            _say(f"\n{_counts(live, device)}\n")
    if live.error is not None:
        raise live.error
    if stopped:
        raise VoxfieldError(f"{device.input} or {device.output} stopped; {SEE}")


def _in_words(device: "Device") -> str:
    ends = f"{device.inputs} in, {device.outputs} out, {device.rate_hz} Hz"
    return f"{'*' if device.default else ' '}{device.number:3}  {device.name} ({device.host}): {ends}"


def _show_until_the_end(live: "Live", device: "Duplex", pressed: Pressed) -> None:
    while device.active and live.error is None:
        if sys.stderr is not None and sys.stderr.isatty():
            latency_ms = 1000 * (live.latency_samples / device.rate_hz + device.latency_s)
            recorded_db, played_db = live.levels_db
            state = "enhanced" if live.enhanced else "recorded"
            _say(
                f"\r{state}  in {recorded_db:6.1f} dBFS  out {played_db:6.1f} dBFS  latency {latency_ms:3.0f} ms  "
                f"{_counts(live, device)}\033[K"
            )
        key = pressed(_SHOWN_EVERY_S)
        if key == " ":
            live.enhanced = not live.enhanced
        elif key in ("q", "Q"):
            return


def _counts(live: "Live", device: "Duplex") -> str:
    return f"underruns {live.underruns + device.slips}, dropped {live.dropped}"


def _say(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)
