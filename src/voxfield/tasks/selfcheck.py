"""What is installed, and whether a model does here what it should: the answers behind `voxfield doctor`."""

import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import soundfile as sf

from voxfield.cards import Card, cards, resolve
from voxfield.errors import VoxfieldError
from voxfield.runtime import OnnxEngine, Stream

_BASE = ("numpy", "onnxruntime", "soundfile", "soxr", "typer", "rich")
_EXTRAS = {"explain": ("onnx",), "metrics": ("pesq", "pystoi", "speechmos"), "train": ("torch", "safetensors")}
_FORMATS = ("WAV", "FLAC", "OGG", "MP3")


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    topic: str
    good: bool
    words: str


def findings() -> Iterator[Finding]:
    """Everything worth knowing when something does not work, one after the other; it takes a few seconds."""
    yield Finding("python", sys.version_info >= (3, 11), f"{platform.python_version()} on {platform.platform()}")
    for package in ("voxfield", *_BASE):
        found = _version(package)
        yield Finding(package, found is not None, found or f"missing: pip install {package}")
    for extra, packages in _EXTRAS.items():
        missing = [package for package in packages if _version(package) is None]
        words = f"not installed: pip install 'voxfield[{extra}]'" if missing else "installed"
        yield Finding(f"extra {extra}", True, words)
    known = sf.available_formats()
    for name in _FORMATS:
        yield Finding(f"format {name}", name in known, "read and written" if name in known else "libsndfile lacks it")
    if not cards():
        yield Finding("models", False, "the registry lists none; reinstall voxfield")
    for card in cards():
        yield _model(card)


def _model(card: Card) -> Finding:
    """Verify the file, stream a second of noise hop by hop, and compare with one pass over all of it."""
    try:
        _, path = resolve(card.name)
        engine = OnnxEngine(path)
        if not card.interface.streaming:
            return Finding(card.name, True, f"loads; does not stream: {card.interface.not_streaming_because}")
        hop, count = card.interface.hop_samples, max(1, card.interface.sample_rate_hz // card.interface.hop_samples)
        noise = 0.1 * np.random.default_rng(0).standard_normal((1, hop * count)).astype(np.float32)
        whole = Stream(engine).feed(noise)
        stream = Stream(engine)
        began_s = time.perf_counter()
        hops = np.concatenate([stream.feed(block) for block in np.split(noise, count, axis=1)], axis=-1)
        seconds = time.perf_counter() - began_s
        difference = float(np.abs(hops - whole).max(initial=0))
    except VoxfieldError as error:
        return Finding(card.name, False, str(error))
    factor = seconds * card.interface.sample_rate_hz / (hop * count)
    words = f"sha256 holds; hop by hop real-time factor {factor:.4f}; streamed equals whole within {difference:.0e}"
    return Finding(card.name, difference <= 1e-5 and factor < 1, words)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
