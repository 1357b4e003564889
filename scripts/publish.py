"""Put exported models into the registry: write their cards, with sha256 and size, and copy the files beside it.

    python scripts/publish.py crn-tiny.onnx crn-small.onnx
    python scripts/publish.py crn-large.onnx --url https://example.org/weights/

With --url the files are not copied: they are uploaded there by hand, under the names that are printed, and downloaded
by those who use them. A model of the same full name is replaced; the others stay as they are.
"""

import argparse
import dataclasses
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

from voxfield.cards import REGISTRY, WEIGHTS, Card, FileRecord, cards
from voxfield.runtime import OnnxEngine

HEAD = "# The only list of published models. Written by scripts/publish.py.\n"


def publish(
    paths: Sequence[Path], url: str | None = None, registry: Path = REGISTRY, weights: Path = WEIGHTS
) -> list[Card]:
    """Register ONNX files that carry a card; their cards as registered.

    Args:
        paths: the files.
        url: the folder they are downloaded from; None copies them into the package.
    """
    added = []
    for path in paths:
        content = path.read_bytes()
        card = OnnxEngine(path, content=content).card
        name = f"{card.name}.onnx"
        address = "" if url is None else f"{url.rstrip('/')}/{name}"
        file = FileRecord(name, hashlib.sha256(content).hexdigest(), len(content), address)
        added.append(dataclasses.replace(card, file=file))
        if url is None and path.resolve() != (weights / name).resolve():
            weights.mkdir(exist_ok=True)
            shutil.copyfile(path, weights / name)
    listed = {card.name: card for card in [*cards(registry), *added]}
    ordered = sorted(listed.values(), key=lambda card: (card.task, card.name))
    registry.write_text(HEAD + "".join("\n" + card.to_toml() for card in ordered), encoding="utf-8")
    return added


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--url", help="the folder that users download the files from")
    given = parser.parse_args()
    for card in publish(given.files, given.url):
        if card.file is not None:
            print(f"{card.file.url or card.file.name}: {card.file.bytes} bytes, sha256 {card.file.sha256}")
