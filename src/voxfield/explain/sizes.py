"""The paragraph on how large the output is: the formulas of the layers that change a size, with their numbers in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .graph import Size, Window
from .numbers import in_row, plain
from .path import Step
from .report import AxisField
from .shapes import conv_size, shape_text, transposed_size
from .sums import MOST_FORMULAS

if TYPE_CHECKING:
    from .wording import Writer

EXAMPLE_SIZE = 16_000  # of the input of several layers, where its length is not known
EXAMPLE_SIZES = {"freq": 161, "h": 224, "w": 224}  # of axes that are not time
EXAMPLE_HOPS = 200  # positions of the example where the length of an input is not known


def size(writer: Writer) -> list[str]:
    """The formula of each layer that changes a size, with its numbers, and the shape that comes out at the end."""
    sizes, kinds = writer.graph.size, {"conv", "pool", "conv_transpose"}
    sized = {
        field.axis: [
            (step, sizes(step.op.inputs[0], step.dim), sizes(step.op.outputs[0], step.dim))
            for step in writer.walks[field.axis].longest
            if step.op.kind in kinds
        ]
        for field in writer.fields
    }
    changing = {
        axis: [row for row in rows if row[1] != row[2] or (row[1] is None and row[0].window != Window())]
        for axis, rows in sized.items()
    }
    if "size" in writer.asked and not any(changing.values()):  # that they keep it is an answer, too
        changing = sized
    found = [stated for f in writer.fields for stated in _formulas(writer, f, changing[f.axis], len(sized[f.axis]))]
    return [*dict.fromkeys(found), *(_shapes(writer, not found) if "size" in writer.asked else [])]


def _shapes(writer: Writer, alone: bool) -> list[str]:
    """What the layers that put all positions in one row make, and the shape of the output."""
    made = []
    for op in (op for op in writer.graph.ops if op.kind == "reshape"):
        before, after = (writer.graph.shape(name)[1:] for name in (op.inputs[0], op.outputs[0]))
        if len(after) == 1 < len(before) and None not in before:
            made.append(writer.say("size_flat", layer=op.name, sizes=in_row(before, " x "), size=after[0]))
    shape = writer.graph.shape(writer.graph.outputs[0])
    return [*made, writer.say("size_shape", shape=shape_text(shape)) if alone or None not in shape[1:] else ""]


def _formulas(writer: Writer, field: AxisField, changing: Sequence[tuple[Step, Size, Size]], of: int) -> list[str]:
    stated = []
    for step, before, after in [*changing[: MOST_FORMULAS - 1], *changing[MOST_FORMULAS - 1 :][-1:]]:
        formula, up = step.formula("N" if before is None else plain(before)), step.op.kind == "conv_transpose"
        if formula is not None and after is not None:
            stated.append(writer.say("size_layer", layer=step.op.name, formula=formula, size=after))
        elif formula is not None and of == 1:
            example = max(EXAMPLE_HOPS * step.down, 2 * step.window.reach)
            size = (transposed_size if up else conv_size)(example, step.window, "")
            stated.append(writer.say("size_open", layer=step.op.name, formula=formula, example=example, size=size))
    if not stated and of > 1 and changing and "size" in writer.asked:
        return [*filter(None, [_chained(writer, field, [step for step, _, _ in changing])])]
    if not stated:
        return []
    if len(changing) > MOST_FORMULAS:
        stated.insert(-1, "...")
    only_up = {step.op.kind for step, _, _ in changing} == {"conv_transpose"}
    rounded = any(step.down > 1 and step.op.kind == "conv" for step, _, _ in changing)
    head = writer.say("size_head", axis=writer.labels[field.axis])
    rule = writer.say("size_rule_up" if only_up else "size_rule")
    floor = writer.say("size_floor") if rounded else ""
    return [head + writer.phrases["comma"].join(stated) + writer.phrases["stop"], rule + floor]


def _chained(writer: Writer, field: AxisField, steps: Sequence[Step]) -> str:
    """The sizes that layers make one after the other of an input as long as a second, or of an example."""
    if any(step.formula("N") is None for step in steps):
        return ""
    sizes: list[int] = [round(field.rate_hz or EXAMPLE_SIZES.get(field.axis, EXAMPLE_SIZE))]
    for step in steps:
        size_of = transposed_size if step.op.kind == "conv_transpose" else conv_size
        if (
            step.op.kind != "conv_transpose"
            and sizes[-1] + step.window.pad_start + step.window.pad_end < step.window.reach
        ):
            return ""
        sizes.append(size_of(sizes[-1], step.window, "") or 0)
    if len({*sizes}) == 1:
        return ""
    rows = {"example": sizes[0], "sizes": in_row(sizes[1:]), "layers": writer.listed([s.op.name for s in steps])}
    return writer.say("size_chain", **rows, **writer.named(field))
