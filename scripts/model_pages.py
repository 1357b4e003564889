"""Write docs/models.md from the cards: one section a published model, nothing in it typed by hand.

python scripts/model_pages.py
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from voxfield.cards import Card, cards

PAGE = Path(__file__).parent.parent / "docs" / "models.md"
HEAD = """# Models

Made from the cards by `python scripts/model_pages.py`. A card is inside its ONNX file (`voxfield models NAME --json`);
its size, cost, state, field and latency are read from the file by `voxfield explain NAME`, and a test compares them.
"""


def section(card: Card) -> Iterator[str]:
    """The lines of one model."""
    yield f"\n## {card.name}\n"
    yield f"{card.summary[0].upper()}{card.summary[1:]}.\n"
    face = card.interface
    live = f"{face.latency_ms:g} ms of latency" if face.streaming else f"does not stream: {face.not_streaming_because}"
    field = f"{card.field_samples:,} samples" if isinstance(card.field_samples, int) else card.field_samples
    size = f", {card.file.bytes / 1e3:,.0f} kB" if card.file else ""
    rows = {
        "architecture": f"{card.architecture}, {face.sample_rate_hz} Hz, {face.input.kind} to {face.output.kind}",
        "live": live,
        "receptive field": field,
        "size": f"{card.parameters:,} parameters{size}",
        "cost": f"{card.macs / 1e6:,.1f} M MACs a second of audio",
        "streaming state": f"{card.state_floats:,} floats" if face.streaming else "nothing",
        "licence": card.licence,
        "training data": "; ".join(card.data),
    }
    yield "| | |\n| --- | --- |"
    yield from (f"| {name} | {value} |" for name, value in rows.items())
    yield from scores(card.measured)


def scores(measured: Any) -> Iterator[str]:
    """Noisy beside enhanced where the card holds both; whatever else was measured as it is."""
    before, after = measured.get("noisy"), measured.get("enhanced")
    if before and after:
        yield f"\nMeasured on {measured['recordings']} pairs of the validation split:\n"
        yield "| | " + " | ".join(before) + " |\n| --- |" + " ---: |" * len(before)
        for name, row in (("noisy", before), ("enhanced", after)):
            yield f"| {name} | " + " | ".join(f"{row[key]:.3f}" for key in before) + " |"
    rest = {
        key: value for key, value in measured.items() if isinstance(value, int | float | str) and key != "recordings"
    }
    if rest:
        yield "\n" + ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in rest.items()) + "."


if __name__ == "__main__":
    PAGE.write_text(HEAD + "\n".join(line for card in cards() for line in section(card)) + "\n", encoding="utf-8")
    print(PAGE)
