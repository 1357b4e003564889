"""Put exported models into the registry: write their cards, with sha256 and size, and copy the files beside it.

    python scripts/publish.py crn-tiny.onnx crn-small.onnx
    python scripts/publish.py wav2vec-small.onnx --half
    python scripts/publish.py crn-large.onnx --url https://example.org/weights/

With --url the files are not copied: they are uploaded there by hand, under the names that are printed, and downloaded
by those who use them. With --half the weights are stored with 16 bits and computed with 32, which halves the file. A
model of the same full name is replaced; the others stay as they are.
"""

import argparse
import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from voxfield.cards import REGISTRY, WEIGHTS, Card, FileRecord, cards
from voxfield.runtime import OnnxEngine

LEAST_HALVED = 256  # smaller tensors, such as biases, keep their 32 bits
HEAD = "# The only list of published models. Written by scripts/publish.py.\n"


def publish(
    paths: Sequence[Path],
    url: str | None = None,
    registry: Path = REGISTRY,
    weights: Path = WEIGHTS,
    *,
    half: bool = False,
) -> list[Card]:
    """Register ONNX files that carry a card; their cards as registered.

    Args:
        paths: the files.
        url: the folder they are downloaded from; None copies them into the package.
        half: store weights with 16 bits.
    """
    added = []
    for path in paths:
        content = halved(path.read_bytes()) if half else path.read_bytes()
        card = OnnxEngine(path, content=content).card
        name = f"{card.name}.onnx"
        address = "" if url is None else f"{url.rstrip('/')}/{name}"
        file = FileRecord(name, hashlib.sha256(content).hexdigest(), len(content), address)
        added.append(dataclasses.replace(card, file=file))
        if url is None:
            weights.mkdir(exist_ok=True)
            (weights / name).write_bytes(content)
    listed = {card.name: card for card in [*cards(registry), *added]}
    ordered = sorted(listed.values(), key=lambda card: (card.task, card.name))
    registry.write_text(HEAD + "".join("\n" + card.to_toml() for card in ordered), encoding="utf-8")
    return added


def halved(content: bytes) -> bytes:
    """The same network with its weights rounded to 16 bits, each followed by a cast back to 32.

    onnxruntime casts them once, when the file is opened, so nothing is slower.
    """
    model = onnx.load_from_string(content)
    stored, casts = [], []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype == np.float32 and values.size >= LEAST_HALVED:
            short = f"{tensor.name}.half"
            casts.append(helper.make_node("Cast", [short], [tensor.name], f"{tensor.name}.cast", to=TensorProto.FLOAT))
            tensor = numpy_helper.from_array(values.astype(np.float16), short)
        stored.append(tensor)
    nodes = [*casts, *model.graph.node]
    del model.graph.initializer[:], model.graph.node[:]
    model.graph.initializer.extend(stored)
    model.graph.node.extend(nodes)
    return model.SerializeToString()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--url", help="the folder that users download the files from")
    parser.add_argument("--half", action="store_true", help="store weights with 16 bits")
    given = parser.parse_args()
    for card in publish(given.files, given.url, half=given.half):
        if card.file is not None:
            print(f"{card.file.url or card.file.name}: {card.file.bytes} bytes, sha256 {card.file.sha256}")
