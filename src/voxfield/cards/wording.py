"""A card in words: what `voxfield models NAME` and the page of models show."""

from collections.abc import Mapping
from typing import Any

from voxfield.cards.card import Card
from voxfield.cards.interface import Port
from voxfield.cards.registry import place


def facts(card: Card) -> dict[str, list[str]]:
    """What there is to know about a model but for configuration and scores: a label and one or more lines each."""
    face, field = card.interface, card.field_samples
    size = f"{card.parameters:,} parameters"
    found = {
        "task": card.task,
        "architecture": card.architecture,
        "input": _port(face.input) + (f", {face.features}" if face.features else ""),
        "output": _port(face.output),
        "sample rate": f"{face.sample_rate_hz} Hz" if face.sample_rate_hz else "none",
        "hop": f"{face.hop_samples} samples" if face.hop_samples else "none: the whole input",
        "window": f"{face.window_samples} samples" if face.window_samples else "none",
        "latency": f"{face.latency_ms:g} ms" if face.streaming else f"does not stream: {face.not_streaming_because}",
        "receptive field": f"{field:,} samples" if isinstance(field, int) else field,
        "size": size if card.file is None else f"{size}, {byte_size(card.file.bytes)}",
        "cost": f"{card.macs / 1e6:,.1f} M MACs per {'second of audio' if face.sample_rate_hz else 'input'}",
        "streaming state": f"{card.state_floats:,} floats" if face.streaming else "none",
        "licence": card.licence,
    }
    if card.calibration:
        found["calibration"] = in_words(card.calibration)
    return {label: [text] for label, text in found.items()} | {"training data": list(card.data) or ["not stated"]}


def _port(port: Port) -> str:
    return f"{port.kind}, {' x '.join(map(str, port.shape))}"


def whereabouts(card: Card) -> str:
    """Where the file of a published card lies, or from where it is downloaded."""
    if (path := place(card)) is not None or card.file is None:
        return str(path)
    return f"not here: {byte_size(card.file.bytes)} are downloaded from {card.file.url} when it is first used"


def byte_size(count_bytes: int) -> str:
    """A size for people, such as 538 kB or 5.7 MB."""
    return f"{count_bytes / 1e3:,.0f} kB" if count_bytes < 1e6 else f"{count_bytes / 1e6:,.1f} MB"


def in_words(value: Any) -> str:
    """A value of a card's tables as text for people.

    >>> in_words({"kernel_samples": 256, "causal": False, "mask": {"kind": "complex"}})
    'kernel samples 256, causal no, mask (kind complex)'
    """
    if isinstance(value, Mapping):
        parts = [(key.replace("_", " "), item) for key, item in value.items()]
        return ", ".join(
            f"{key} ({in_words(item)})" if isinstance(item, Mapping) else f"{key} {in_words(item)}"
            for key, item in parts
        )
    if isinstance(value, list | tuple):
        return ", ".join(map(in_words, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def score_lines(measured: Mapping[str, Any]) -> dict[str, list[str]]:
    """The scores of a card: single ones on one line, and a label and lines for each table of them."""
    single = {key: value for key, value in measured.items() if not isinstance(value, Mapping | list)}
    found = {"measured": [in_words(single)]} if single else {}
    for key, value in measured.items():
        if isinstance(value, Mapping | list):
            lines = value if isinstance(value, list) else [value]
            found[f"measured, {key.replace('_', ' ')}"] = [in_words(line) for line in lines]
    return found
