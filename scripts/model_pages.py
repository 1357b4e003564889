"""Write docs/models.md from the cards: one section a published model, nothing in it typed by hand.

python scripts/model_pages.py
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from voxfield.cards import Card, cards
from voxfield.cards.wording import facts

PAGE = Path(__file__).parent.parent / "docs" / "models.md"
HEAD = """# Models

Made from the cards by `python scripts/model_pages.py`. A card is inside its ONNX file (`voxfield models NAME --json`);
its size, cost, streaming state, receptive field and latency are read from the file by `voxfield explain NAME`, and a
test compares them.

Weights that do not come with the package are downloaded once, when they are first used, into the system's cache folder
or the folder that `VOXFIELD_CACHE` names. A broken download goes on where it stopped; every file is checked against the
sha256 on its card each time it is loaded. `--offline`, or `VOXFIELD_OFFLINE=1`, downloads nothing and says where to put
a file by hand.
"""


def section(card: Card) -> Iterator[str]:
    """The lines of one model."""
    yield f"\n## {card.name}\n"
    yield f"{card.summary[0].upper()}{card.summary[1:]}.\n"
    yield "| | |\n| --- | --- |"
    yield from (f"| {label} | {'; '.join(lines)} |" for label, lines in facts(card).items())
    yield from scores(card.measured)


def scores(measured: Any) -> Iterator[str]:
    """Noisy beside enhanced and lists of trials as tables; whatever else was measured as it is."""
    before, after = measured.get("noisy"), measured.get("enhanced")
    if before and after:
        yield f"\nMeasured on {measured['recordings']} pairs of the validation split:\n"
        yield "| | " + " | ".join(before) + " |\n| --- |" + " ---: |" * len(before)
        for name, row in (("noisy", before), ("enhanced", after)):
            yield f"| {name} | " + " | ".join(f"{row[key]:.3f}" for key in before) + " |"
    if trials := measured.get("trials"):
        yield "\nMeasured on trials of speakers of the validation split, by the cosine; Cllr after calibration:\n"
        yield "| trials | targets | impostors | EER (%) | minDCF (0.01) | Cllr |\n| --- |" + " ---: |" * 5
        for row in trials:
            numbers = (
                f"{100 * row['eer']:.2f}",
                f"{row['min_dcf']:.3f}",
                f"{row['cllr']:.3f}" if "cllr" in row else "",
            )
            yield f"| {row['list']} | {row['targets']} | {row['impostors']} | {' | '.join(numbers)} |"
    rest = {
        key: value for key, value in measured.items() if isinstance(value, int | float | str) and key != "recordings"
    }
    if rest:
        yield "\n" + ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in rest.items()) + "."


if __name__ == "__main__":
    PAGE.write_text(HEAD + "\n".join(line for card in cards() for line in section(card)) + "\n", encoding="utf-8")
    print(PAGE)
