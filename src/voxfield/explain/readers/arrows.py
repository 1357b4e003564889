"""Layers in prose with arrows between them, as in `conv3x3 s1 -> maxpool2x2 s2 -> conv3x3`."""

from __future__ import annotations

import re

from ...errors import ExplainError
from ..phrases import patterns

_P = patterns("arrows")


def chain(text: str) -> tuple[str, bool, list[str]] | None:
    """(layers as `read_text` takes them, whether they slide over pictures, what was assumed), or None without a chain.

    >>> chain("conv3x3 s1 -> maxpool2x2 s2 -> conv3x3-64 p1")[0]
    '3x3/1x1 max2x2/2x2 3x3p1x1@64'

    Raises:
        ExplainError: something between two arrows is no layer that is read here.
    """
    parts = _P["arrow"].split(text)
    drawn = len(parts) > 1
    if not drawn and len(parts := _P["then"].split(text)) < 2:
        return None
    parts[0] = re.split(r"[?？:：。]", parts[0])[-1]
    parts[-1] = _P["question"].split(parts[-1])[0]
    read = [_layer(part) for part in parts]
    if not drawn and read[0] is None and re.search(r"(?i)conv|pool|filters|kernel|卷积|池化", parts[0]):
        return None  # it says more of a layer than is read
    if not drawn:
        parts, read = parts[read[0] is None :], read[read[0] is None :]  # what stands before the first
    if not any(read) or (not drawn and None in read):
        return None
    for part, layer in zip(parts, read, strict=True):
        if layer is None and _P["filling"].sub("", _P["passive"].sub("", part)):
            raise ExplainError(
                f"'{part.strip()[:60]}' between the arrows is not read. Write the layers as kernel/stride, such as "
                "'5/2 max2 3 ^4/2', or paste their code."
            )
    layers = [layer for layer in read if layer]
    axes = max(int(layer.get("axes", "1")) for layer in layers)
    notes = ["The layers were read from between the arrows, one after the other."]
    if _P["dense"].search(" ".join(parts)):
        notes.append("Dense layers are left out here: their parameters are not counted.")
    if not any("padding" in layer for layer in layers):
        notes.append("No padding was named: none was assumed.")
    if not all("stride" in layer or layer["mark"] in {"max", "avg"} for layer in layers):
        notes.append("Where no stride was named, 1 was assumed.")
    return " ".join(_text(layer, axes) for layer in layers), axes == 2, notes


def _layer(part: str) -> dict[str, str] | None:
    """What one part says of its layer; None where it is none, or where its number may be a name, as in `conv1`."""
    said: dict[str, str] = {}
    part = re.sub(r"\((\d+)\s*,\s*(\d+)\)", r"\1x\2", part)
    for match in _P["said"].finditer(part):
        found = {key: value for key, value in match.groupdict().items() if value}
        if "square" in found and "square" in said:  # the second of two is the stride
            found = {"stride": found["square"]}
        said |= found
    named = {"conv", "pool"} & said.keys() or ("square" in said and {"filters", "bare"} & said.keys())
    if not named or _P["filling"].sub("", _P["passive"].sub("", _P["said"].sub("", part))):
        return None
    kernel = said.pop("kernel", "") or said.pop("square", "")
    if not kernel and {"stride", "padding", "dilation", "width", "pool"} & said.keys():
        kernel = said.pop("bare", "")
    kernel = kernel or "2" * ("pool" in said)  # as pooling mostly is
    if kernel and "pool" not in said and "bare" in said:  # conv 5x5, 6
        said.setdefault("filters", said.pop("bare"))
    if not kernel or "bare" in said:
        return None
    pool = said.get("pool", "").lower()
    said["mark"] = ("avg" if re.match("a|mean|平均", pool) else "max") if pool else "^" if "up" in said else ""
    said |= {"kernel": kernel, "filters": said.get("filters") or said.get("width", "")}
    said["axes"] = said.get("rank", "")[:1] or str(len(re.findall(r"\d+", kernel)))
    return said


def _text(layer: dict[str, str], axes: int) -> str:
    """A layer as `read_text` takes it."""
    text = layer["mark"]
    for key, mark in (("kernel", ""), ("stride", "/"), ("dilation", ":"), ("padding", "p"), ("filters", "@")):
        sizes = re.findall(r"\d+", layer.get(key, ""))
        text += "same" if key == "padding" and layer.get(key, "").lower() == "same" else ""
        if sizes:
            text += mark + "x".join(sizes if len(sizes) > 1 or key == "filters" else sizes * axes)
    return text
