"""What is said of CBAM blocks that would be put into a network, and code to paste: the block, a line for each place."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ExplainError
from .analysis import analyse
from .attention import block_of, gates
from .compare import changes
from .graph import Graph, Op, Size
from .numbers import plain, short
from .whatif import additions, edited

if TYPE_CHECKING:
    from .wording import Writer

MOST_PLACES = 12


def cbam_sentences(writer: Writer, edit: str) -> list[str]:
    """What CBAM blocks behind the convolutions (`cbam`), or in residual blocks, would change, tried on the graph; the
    code for them is left with the writer."""
    channels, places = gates(writer.graph)
    if channels and places:
        own = writer.say("cbam_own", channels=writer.listed(channels), places=writer.listed(places))
        return [own, writer.say("cbam_rule"), writer.say("cbam_field")]
    try:
        after = edited(writer.graph, [edit])
    except ExplainError:
        return [writer.say("cbam_nowhere")]
    blocks: dict[str, list[Op]] = {}
    for op in after.ops:
        if block := block_of(op.name, op.source):
            blocks.setdefault(block.rpartition(".")[0], []).append(op)
    writer.code = cbam_code(writer.graph, after, writer.phrases["cbam_behind"])
    each = [f"{name} + {plain(sum(op.params for op in ops))}" for name, ops in blocks.items()]
    listed = writer.phrases["comma"].join(each[:MOST_PLACES]) + (" ..." if len(each) > MOST_PLACES else "")
    if edit == "cbam":
        found = [writer.say("cbam_cost", layers=listed)]
    else:
        found = _where(writer, [writer.graph.op(name) for name in blocks], listed)
    return [*found, _total(writer, edit, after), writer.say("cbam_rule"), writer.say("cbam_field")]


def _total(writer: Writer, edit: str, after: Graph) -> str:
    """Parameters and multiply-accumulates before and after; only those that leave nothing out."""
    changed = {one.figure: one for one in changes(writer.report, analyse(after))}
    parts = [
        writer.say(f"cbam_{key}", before=form(one.before), after=form(one.after))
        for key, form in (("params", plain), ("macs", short))
        if (one := changed.get(key)) and one.before and one.after
    ]
    return writer.say("cbam_total", figures=writer.phrases["clause"].join(parts), edit=edit) if parts else ""


def _where(writer: Writer, places: Sequence[Op], listed: str) -> list[str]:
    """Where residual blocks with CBAM go, and why there."""
    if additions(writer.graph):
        return [writer.say("cbam_inside", layers=listed)]
    found = [writer.say("cbam_places", layers=listed)]
    pools = [op for op in places if op.kind == "pool"]
    if pools:
        found.append(writer.say("cbam_pool", layer=pools[0].name, less=prod(w.stride for w in pools[0].windows)))
    meet = [i for i, op in enumerate(writer.graph.ops) if op.kind == "concat"]
    at = [writer.graph.ops.index(op) for op in places]
    if meet and len({name for name, _ in writer.sources}) > 1 and at[0] < meet[-1] < at[-1]:
        found.append(writer.say("cbam_join", join=writer.graph.ops[meet[-1]].name))
    return found


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
