"""Code to paste for the CBAM blocks that an edit put into a graph: the block itself, and a line for each place."""

from __future__ import annotations

from pathlib import Path

from .attention import block_of
from .graph import Graph, Op, Size


def cbam_code(before: Graph, after: Graph, behind: str) -> str:
    """The block as Keras or torch code, as the network itself is written, and how it is used.

    Args:
        before: the network, which says what its code calls each tensor.
        after: the same with blocks.
        behind: how the remark on a line says where it goes, with {layer}.
    """
    keras = any(op.source.endswith("2D") for op in before.ops)
    parts = Path(__file__).with_name(f"cbam_{'keras' if keras else 'torch'}.txt").read_text(encoding="utf-8")
    firsts: dict[str, Op] = {}
    for op in after.ops:
        if block := block_of(op.name, op.source):
            firsts.setdefault(block, op)
    carried = any(name.endswith(".cbam_block") for name in firsts)
    code = parts.rstrip("\n") if carried else parts.split("\n\n\n")[0]
    uses: dict[tuple[str, ...], list[str]] = {}
    for number, (name, op) in enumerate(firsts.items(), 1):
        source = op.inputs[0]
        layer = name.rpartition(".")[0]
        called = before.variables.get(source)
        if keras:
            function, given = "cbam_block" if carried else "cbam", called or "x"
            lines: tuple[str, ...] = (f"{given} = {function}({given})",)
        else:
            made = f"{'CbamBlock' if carried else 'Cbam'}({_channels(before, source, op)})"
            within = f"self.cbam{number} = {made}", f"{called} = self.cbam{number}({called})"
            lines = within if called else (f"{made},",)
        uses.setdefault((*lines, str(before.op(layer).line)), []).append(behind.format(layer=layer))
    each = ["\n".join([*lines[:-1], f"{lines[-1]}  # {', '.join(names)}"]) for (*lines, _), names in uses.items()]
    return "\n\n\n".join([code, "\n".join(each)])


def _channels(graph: Graph, tensor: str, op: Op) -> Size:
    """How many channels a block works on; its first operator says which dim they are in."""
    dim = op.channel_dim
    if dim is None:
        dim = next(one.channel_dim for one in graph.ops if one.kind == "conv" and one.channel_dim is not None)
    return graph.shape(tensor)[dim]
