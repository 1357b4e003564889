"""Put an exported model into the registry: copy the file beside it and write its card, with sha256 and size.

    python scripts/publish.py crn-small.onnx

A model of the same full name is replaced; the others stay as they are.
"""

import dataclasses
import hashlib
import shutil
import sys
from pathlib import Path

from voxfield.cards.card import FileRecord
from voxfield.cards.registry import REGISTRY, WEIGHTS, cards
from voxfield.runtime import load_engine

HEAD = "# The only list of published models. Written by scripts/publish.py.\n"


def publish(path: Path) -> None:
    """Copy one ONNX file with a card into the package and register it."""
    card = load_engine(path).card
    content = path.read_bytes()
    file = FileRecord(f"{card.name}.onnx", hashlib.sha256(content).hexdigest(), len(content))
    others = [other for other in cards() if other.name != card.name]
    listed = sorted([*others, dataclasses.replace(card, file=file)], key=lambda card: (card.task, card.name))
    WEIGHTS.mkdir(exist_ok=True)
    if path.resolve() != (WEIGHTS / file.name).resolve():
        shutil.copyfile(path, WEIGHTS / file.name)
    REGISTRY.write_text(HEAD + "".join("\n" + card.to_toml() for card in listed), encoding="utf-8")
    print(f"{card.name}: {len(content)} bytes, sha256 {file.sha256}")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        publish(Path(name))
