"""What speaks against running an ONNX file, read off its bytes before onnxruntime sees them.

A graph without subgraphs visits each node once, so it ends; `Loop` and `Scan` need not, and functions that call one
another double with each level. Weights in other files would be read from wherever the file says. None of this is needed
by a network that `voxfield export` wrote.

Protobuf's wire format is enough: a message is a list of fields, each a number, a wire type and a value. The numbers are
those of onnx.proto.
"""

import hashlib
from collections.abc import Iterator
from pathlib import Path

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types; 3 and 4, groups, occur in no ONNX file
EXTERNAL = 1  # of TensorProto.data_location
Field = tuple[int, int | memoryview]


def objection(content: bytes, folder: Path | None = None) -> str | None:
    """Why this file is not run, to follow its name in a sentence; None where nothing speaks against it.

    Args:
        content: the bytes of the file.
        folder: weights may lie in other files in here; None where they may not.
    """
    try:
        return next(_model(memoryview(content), folder), None)
    except ValueError as error:
        return f"is not an ONNX file: {error}"


def fields(message: memoryview) -> Iterator[Field]:
    """Number and value of every field of a message: a whole number, or the bytes.

    Raises:
        ValueError: the bytes are no message.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire_type = key >> 3, key & 7
        if number == 0 or key >> 32:
            raise ValueError("it holds a field without a number")
        if wire_type == VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire_type == BYTES:
            length, at = _varint(message, at)
        elif wire_type in (FIXED32, FIXED64):
            length = 4 if wire_type == FIXED32 else 8
        else:
            raise ValueError(f"it holds a field of wire type {wire_type}")
        if at + length > len(message):
            raise ValueError("it ends in the middle of a field")
        yield number, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number that starts here, seven bits a byte, and where the next field starts."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise ValueError("it ends in the middle of a number")
        value |= (message[at] & 0x7F) << shift
        at += 1
        if message[at - 1] < 0x80:
            return value, at
    raise ValueError("it holds a number of more than 64 bits")


def _parts(message: memoryview, *numbers: int) -> Iterator[tuple[int, memoryview]]:
    """The fields with these numbers that hold bytes."""
    for number, value in fields(message):
        if number in numbers and isinstance(value, memoryview):
            yield number, value


def _model(model: memoryview, folder: Path | None) -> Iterator[str]:
    empty = True
    for number, value in _parts(model, 7, 25):  # graph, functions
        if number == 25:
            yield "holds functions of its own, which are not run; inline them with onnx.inliner"
        else:
            empty = False
            yield from _graph(value, folder)
    if empty:
        yield "is not an ONNX file: it holds no graph"


def _graph(graph: memoryview, folder: Path | None) -> Iterator[str]:
    for number, value in _parts(graph, 1, 5, 15):  # node, initializer, sparse_initializer
        if number == 1:
            yield from _node(value, folder)
        else:
            yield from _tensor(value, folder) if number == 5 else _sparse(value, folder)


def _node(node: memoryview, folder: Path | None) -> Iterator[str]:
    kind = next((_text(value) for _, value in _parts(node, 4)), "node")
    for _, attribute in _parts(node, 5):
        for number, value in _parts(attribute, 5, 6, 10, 11, 22, 23):  # t, g, tensors, graphs, sparse tensor(s)
            if number in (6, 11):
                yield f"holds the operator {kind} with a subgraph, which need not end and is not run"
            else:
                yield from _tensor(value, folder) if number in (5, 10) else _sparse(value, folder)


def count_weights(content: bytes) -> int:
    """Single-precision numbers in the tensors of an ONNX file that was looked at, which are its weights.

    Those that are constants in a node count as well.
    """
    total = 0
    for _, graph in _parts(memoryview(content), 7):
        tensors = [tensor for _, tensor in _parts(graph, 5)]
        for _, node in _parts(graph, 1):
            tensors += [tensor for _, attribute in _parts(node, 5) for _, tensor in _parts(attribute, 5)]
        total += sum(_count(tensor) for tensor in tensors)
    return total


def metadata(content: bytes) -> dict[str, str]:
    """What stands in an ONNX file beside its graph, by keys.

    Raises:
        ValueError: not an ONNX file.
    """
    entries = [dict(_parts(entry, 1, 2)) for _, entry in _parts(memoryview(content), 14)]
    return {_text(entry[1]): _text(entry[2]) for entry in entries if len(entry) == 2}


def hash_graph(content: bytes) -> str:
    """SHA-256 of the nodes and weights, but not of names and metadata beside them, where a card may be written anew."""
    found = hashlib.sha256()
    for _, graph in _parts(memoryview(content), 7):
        for number, value in _parts(graph, 1, 5, 15):  # node, initializer, sparse_initializer
            found.update(b"%d %d " % (number, len(value)))
            found.update(value)
    return found.hexdigest()


def _count(tensor: memoryview) -> int:
    """Numbers in a tensor of single precision; 0 for other types."""
    count, single = 1, False
    for number, value in fields(tensor):
        if number == 1 and isinstance(value, int):  # dims
            count *= value
        elif number == 1 and isinstance(value, memoryview):  # dims, packed
            at = 0
            while at < len(value):
                size, at = _varint(value, at)
                count *= size
        single |= number == 2 and value == 1  # data_type
    return count if single else 0


def _sparse(tensor: memoryview, folder: Path | None) -> Iterator[str]:
    for _, part in _parts(tensor, 1, 2):  # values, indices
        yield from _tensor(part, folder)


def _tensor(tensor: memoryview, folder: Path | None) -> Iterator[str]:
    entries, external = [], False
    for number, value in fields(tensor):
        if number == 13 and isinstance(value, memoryview):  # external_data
            entries.append({key: _text(text) for key, text in _parts(value, 1, 2)})
        external |= number == 14 and value == EXTERNAL  # data_location
    if not entries and not external:
        return
    place = next((entry.get(2, "") for entry in entries if entry.get(1) == "location"), "")
    if folder is None:
        yield f"keeps weights in another file, {place!r}; save it as one file, with onnx.save"
    elif not place or not (folder / place).resolve().is_relative_to(folder.resolve()):
        yield f"keeps weights in a file outside its folder, {place!r}, which is not read"


def _text(value: memoryview) -> str:
    return bytes(value).decode("utf-8", "replace")
