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
    places: dict[tuple[str, object], list[tuple[str, Size]]] = {}
    for name, op in firsts.items():
        layer, source = name.rpartition(".")[0], op.inputs[0]
        place = before.variables.get(source, ("", layer))  # a line that runs several times is one place
        places.setdefault(place, []).append((layer, _channels(before, source, op)))
    uses = []
    for number, ((called, _), layers) in enumerate(places.items(), 1):
        several = len({channels for _, channels in layers}) > 1
        shown = [f"{layer} ({channels})" if several and not keras else layer for layer, channels in layers]
        remark = f"  # {behind.format(layer=', '.join(shown))}"
        made = f"{'CbamBlock' if carried else 'Cbam'}({'channels' if several else layers[0][1]})"
        if keras:
            uses.append(f"{called or 'x'} = {'cbam_block' if carried else 'cbam'}({called or 'x'}){remark}")
        elif called:
            uses += [f"self.cbam{number} = {made}", f"{called} = self.cbam{number}({called}){remark}"]
        else:
            uses.append(f"{made},{remark}")
    return "\n\n\n".join([code, "\n".join(uses)])


def _channels(graph: Graph, tensor: str, op: Op) -> Size:
    """How many channels a block works on; its first operator says which dim they are in."""
    dim = op.channel_dim
    if dim is None:
        dim = next(one.channel_dim for one in graph.ops if one.kind == "conv" and one.channel_dim is not None)
    return graph.shape(tensor)[dim]
