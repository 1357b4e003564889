"""What is installed, and whether a model does here what it should: the answers behind `voxfield doctor`."""

import os
import platform
import re
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import numpy as np
import soundfile as sf

from voxfield.cards import Card, cards, place, read
from voxfield.cards.download import cache_folder, offline
from voxfield.cards.wording import whereabouts
from voxfield.errors import VoxfieldError
from voxfield.runtime import STREAMED, OnnxEngine, Stream

_CONTRIBUTORS = {"dev", "bench"}  # extras that users do not need
_REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)\s*(\[(?P<of>[^]]*)\])?[^;]*(;.*extra\s*==\s*[\"'](?P<extra>[\w.-]+)[\"'])?"
)
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
    extras = packages_of(_requirements())
    for package in ("voxfield", *extras.pop("")):
        found = _version(package)
        yield Finding(package, found is not None, found or f"missing: pip install {package}")
    for extra, packages in extras.items():
        missing = [package for package in packages if _version(package) is None]
        words = f"lacks {', '.join(missing)}: pip install 'voxfield[{extra}]'" if missing else ", ".join(packages)
        yield Finding(f"extra {extra}", True, words)
    known = sf.available_formats()
    for name in _FORMATS:
        yield Finding(f"format {name}", name in known, "read and written" if name in known else "libsndfile lacks it")
    yield _downloads(cache_folder())
    if not cards():
        yield Finding("models", False, "the registry lists none; reinstall voxfield")
    for card in cards():
        yield _model(card)


def packages_of(requirements: Sequence[str]) -> dict[str, list[str]]:
    """The packages that each extra brings, those of other extras that it names among them; "" is what always comes.

    Args:
        requirements: as the metadata of the installed package states them.

    >>> packages_of(["numpy>=1.26", "onnx>=1.20; extra == 'explain'", "torch; extra == 'train'",
    ...              "voxfield[explain]; extra == 'train'"])
    {'': ['numpy'], 'explain': ['onnx'], 'train': ['torch', 'onnx']}
    """
    stated: dict[str, list[tuple[str, str]]] = {"": []}
    for requirement in requirements:
        if (parts := _REQUIREMENT.match(requirement)) is not None:
            stated.setdefault(parts["extra"] or "", []).append((parts["name"], parts["of"] or ""))

    def packages(extra: str) -> Iterator[str]:
        for name, of in stated.get(extra, ()):
            if name == "voxfield":
                for other in of.split(","):
                    yield from packages(other.strip())
            else:
                yield name

    return {extra: list(dict.fromkeys(packages(extra))) for extra in stated if extra not in _CONTRIBUTORS}


def _downloads(folder: Path) -> Finding:
    """Whether weights can be kept in the cache folder, or where it would be made; nothing is written."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if offline():
        return Finding("downloads", True, f"kept in {folder}, and not allowed now: offline")
    if there.is_dir() and os.access(there, os.W_OK):
        return Finding("downloads", True, f"kept in {folder}")
    return Finding("downloads", False, f"{there} cannot be written; name another folder by VOXFIELD_CACHE")


def _model(card: Card) -> Finding:
    """Verify the file; of a network that streams sound, compare a second of noise hop by hop with one pass over it."""
    if card.file is not None and card.file.url and place(card) is None:
        return Finding(card.name, True, whereabouts(card))
    try:
        path, content = read(card)
        engine = OnnxEngine(path, content=content)
        face = card.interface
        if not face.streaming:
            return Finding(card.name, True, f"loads; does not stream: {face.not_streaming_because}")
        if (face.input.kind, face.output.kind) not in STREAMED:
            return Finding(card.name, True, f"loads; turns {face.input.kind} into {face.output.kind}, not into sound")
        hop, count = face.hop_samples, max(1, face.sample_rate_hz // face.hop_samples)
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


def _requirements() -> list[str]:
    try:
        return requires("voxfield") or []
    except PackageNotFoundError:  # run from its source without being installed, which is a finding of its own
        return []


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
