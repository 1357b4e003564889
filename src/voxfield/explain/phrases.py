"""The sentences of `words` and the headings of the tables, in English and Chinese; the figures are filled in.

Both languages have the same keys and the same placeholders.
"""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("en", "zh")

EN: Mapping[str, str] = {
    # units and axes
    "time": "time",
    "freq": "frequency",
    "h": "height",
    "w": "width",
    "depth": "depth",
    "samples": "samples",
    "frames": "frames",
    "bins": "bins",
    "pixels": "pixels",
    "and": " and ",
    "comma": ", ",
    # questions
    "q_kernel": "Why this kernel?",
    "q_stride": "Why this stride?",
    "q_filters": "Why these filters?",
    "q_separable": "What do the depthwise layers save?",
    "q_latency": "Where does the latency come from?",
    "q_streaming": "What keeps it from streaming?",
    "q_fix": "What is the cheapest change that would fix it?",
    # kernel
    "kernel_sum": (
        "Along {axis} one output hears {rf} {unit}{ms}. Each layer adds (kernel - 1) x dilation x the hop before "
        "it: {sum} + 1 = {rf}. The largest share, {share} {unit}, is that of {layer}: late layers widen the "
        "field cheaply, because one step of theirs is {hop} {unit} of the input. A single layer would need a "
        "kernel of {rf} taps."
    ),
    "kernel_flat": (
        "Along {axis} one output hears {rf} {unit}{ms}: 1 and the (kernel - 1) x dilation of each layer, {sum}. "
        "Several small kernels cost less than one of {rf} taps, and there is an activation after each."
    ),
    "kernel_one": (
        "Along {axis} every kernel is 1: each of the {unit} is treated by itself, so this axis brings neither "
        "context nor delay."
    ),
    "kernel_first": "One layer: a kernel of {kernel} hears {rf} {unit}{ms} along {axis}.",
    "kernel_paths": (
        "Along {axis} one output hears {rf} {unit}{ms}. Several paths lead there and the widest counts; the "
        "kernel that looks furthest by itself is that of {layer}: {reach} of its inputs, {share} {unit} of the "
        "network's."
    ),
    "kernel_but_past": "The past has no end, though: what came before is carried on by {names}.",
    "kernel_but_whole": "But through {names} every output depends on the whole input.",
    "kernel_whole_only": "Along {axis} every output depends on the whole input, through {names}.",
    "stride_one": (
        "Along {axis} there is one output for every {hop} {unit}{ms}, by the one stride of {layer}: half as many "
        "positions, or fewer, for every layer after it."
    ),
    # stride
    "stride_chain": (
        "Along {axis} the strides multiply, {product} = {hop}: one output for every {hop} {unit}{ms}. Everything "
        "after the last stride runs on 1/{hop} of the positions, which is what the strides are for."
    ),
    "stride_up": (
        "Along {axis} the strides down and up cancel to a hop of {hop} {unit}{ms}: the inner layers run at a "
        "lower rate and the output comes back to {rate} per input position."
    ),
    "stride_none": (
        "Along {axis} every stride is 1: there are as many outputs as positions, one per hop of {hop}{ms}."
    ),
    "stride_gap": (
        "{layer} has a kernel of {kernel} and a stride of {stride}: it skips {gap} of every {stride} positions."
    ),
    "stride_overlap": (
        "The tightest layer, {layer}, still has kernel {kernel} over stride {stride}, so nothing is skipped."
    ),
    "stride_tail": "Of an input of {size} {unit} the last {tail} are heard by no output.",
    # filters
    "filters_frame": "The filters are {filters} while the {axis} axis runs {sizes}: {products} values per frame.",
    "filters_constant": (
        "As the axis halves the filters double, so that the values per frame stay nearly constant (largest / "
        "smallest = {ratio}): the network re-codes each frame instead of throwing part of it away."
    ),
    "filters_changing": (
        "Per frame that is {ratio} times as many values at the most as at the least, from {first} to {last}."
    ),
    "filters_line": (
        "The filters are {filters}; with the hops that is {values} values per input position, after an input of "
        "{start}. Strides thin out positions, filters pay for it: {last} values stand for every one that came in "
        "at the end."
    ),
    "filters_cost": "The costliest layer is {layer}: {share} of all multiply-accumulates and {params} parameters.",
    # depthwise layers
    "separable": (
        "{depthwise} has one kernel of {taps} taps per channel and {pointwise} mixes {channels} channels into "
        "{filters}: {cost} multiply-accumulates where a standard convolution takes {standard}. The ratio is 1/N "
        "+ 1/{power} = 1/{filters} + 1/{taps} = {ratio}."
    ),
    # latency
    "latency_sum": (
        "A block of {block} {unit} must be complete and {look} more must have been heard: {latency} {unit}{ms} "
        "of algorithmic latency, whatever the speed of the machine. The first output needs {first} {unit}."
    ),
    "latency_layers": "The look-ahead comes from {layers}.",
    "latency_share": "{layer} ({ahead})",
    "latency_none": "No layer looks ahead: output n needs nothing after its own block.",
    "latency_window": "Each frame is a window of {window} ms itself, which is part of these times.",
    "latency_whole": "There is no latency to state: the end of the input must be known first.",
    "latency_axis": "The network has no time axis, so there is no latency.",
    "trap": (
        "Beware of padding='same': with an even kernel along time the odd frame is padded at the END, so "
        "{layers} look ahead by {ahead} {unit} together. Pad the past instead."
    ),
    # streaming
    "streams": "Nothing: it can run block by block, keeping {state} values ({bytes}) between blocks.",
    "streams_unknown": (
        "Nothing in its layers: it can run block by block. How much it keeps depends on unknown sizes."
    ),
    "blocked": "{count} operators need the whole input: {names}.",
    "blocked_one": "One operator needs the whole input: {names}.",
    "blocked_name": "{name} ({why})",
    "ahead_only": "It streams, but {ahead} {unit}{ms} late.",
    # changes
    "fix_none": "None is needed: it streams and looks ahead no further than its own block.",
    "fix_causal": (
        "Move the padding along time to the past (--what-if causal): what is waited for beyond the block falls "
        "from {before} to {after} {unit}, {cost}. Train the same network again that way."
    ),
    "fix_causal_part": (
        "Moving the padding along time to the past (--what-if causal) takes the wait beyond the block from "
        "{before} to {after} {unit}, {cost}; what is left needs other changes."
    ),
    "cost_same": "at the same cost",
    "cost_times": "with {macs} times the multiply-accumulates",
    "fix_norm": (
        "{names}: normalise each frame by itself, or keep running (cumulative) statistics, or use batch "
        "normalisation, which is a constant at run time."
    ),
    "fix_reduce": (
        "{names}: replace the statistics over all time by running ones, or by those of a fixed stretch of the past."
    ),
    "fix_rnn": (
        "{names}: run the recurrence forwards only (--what-if {edit}): {macs} times the multiply-accumulates and "
        "{params} times the parameters; a window of future frames can make up for part of what it knew."
    ),
    "fix_attention": "{names}: let attention see the past only, in a window of fixed length.",
    "fix_other": "{names}: needs every position by construction; run it on windows of fixed length.",
    # tables
    "input": "input",
    "output": "output",
    "field": "receptive field",
    "hop": "hop",
    "ahead": "look-ahead",
    "past": "past",
    "latency": "latency",
    "first": "first output needs",
    "size": "output size",
    "tail": "tail dropped",
    "block": "block",
    "states": "states",
    "statistics": "statistics over the",
    "seen": "past and own block",
    "no_channels": "the number of channels of {names}; write filters as in 10/5@512 8/4@512",
    "interval": "sees, per phase",
    "centre": "centre of output 0",
    "local": "by its kernels alone",
    "trust": "trust",
    "costs": "costs",
    "params": "parameters",
    "weights": "weights",
    "macs": "MACs",
    "macs_rate": "MACs per second",
    "activations": "activation memory",
    "state": "streaming state",
    "intensity": "MACs per byte",
    "roofline": "best real-time factor",
    "layer": "layer",
    "kind": "kind",
    "kernel": "kernel",
    "stride": "stride",
    "dilation": "dilation",
    "padding": "padding",
    "shape": "output",
    "frame": "per frame",
    "unknown": "not known",
    "partial": "partial, without",
    "unavailable": "unavailable",
    "whole": "whole input",
    "unbounded": "unbounded",
    "notes": "Notes",
    "unknown_ops": "No rule covers",
    "verified": "Measured on the network itself",
    "agrees": "agrees",
    "differs": "DIFFERS",
    "undecided": "undecided",
    "before": "before",
    "after": "after",
    "ratio": "ratio",
    "what_if": "What if",
    "separable_line": "{layer}: MACs ratio {ratio} = 1/N + 1/{power} = 1/{filters} + 1/{taps} = {formula}",
    "convention": "One multiply-accumulate counts once; dense kernels only. MACs are for the input given.",
}

ZH: Mapping[str, str] = {
    "time": "时间",
    "freq": "频率",
    "h": "高度",
    "w": "宽度",
    "depth": "深度",
    "samples": "个采样点",
    "frames": "帧",
    "bins": "个频点",
    "pixels": "个像素",
    "and": "和",
    "comma": "、",
    "q_kernel": "为什么用这样的卷积核？",
    "q_stride": "为什么用这样的步长？",
    "q_filters": "为什么是这些滤波器数？",
    "q_separable": "深度可分离卷积省了多少？",
    "q_latency": "延迟从哪里来？",
    "q_streaming": "是什么妨碍它流式运行？",
    "q_fix": "最省事的改法是什么？",
    "kernel_sum": (
        "沿{axis}轴，一个输出能看到 {rf} {unit}{ms}。每层增加（卷积核 - 1）x 膨胀 x 该层之前的步距：{sum} + 1 = "
        "{rf}。贡献最大的是 {layer}，占 {share} {unit}：越靠后的层扩大感受野越便宜，因为它的一步相当于输入的 "
        "{hop} {unit}。若只用一层，就需要 {rf} 个抽头的卷积核。"
    ),
    "kernel_flat": (
        "沿{axis}轴，一个输出能看到 {rf} {unit}{ms}：1 加上各层的（卷积核 - 1）x 膨胀，即 {sum}。几个小卷积核比一"
        "个 {rf} 抽头的便宜，而且每层之后都有激活。"
    ),
    "kernel_one": "沿{axis}轴所有卷积核都是 1：每一{unit}单独处理，这个方向上既没有上下文，也没有延迟。",
    "kernel_first": "只有一层：大小为 {kernel} 的卷积核沿{axis}轴看到 {rf} {unit}{ms}。",
    "kernel_paths": (
        "沿{axis}轴，一个输出能看到 {rf} {unit}{ms}。有多条路径通到输出，以最宽的为准；单层看得最远的是 {layer}："
        "覆盖它自己的 {reach} 个输入，相当于网络输入的 {share} {unit}。"
    ),
    "kernel_but_past": "但 {names} 会带上之前的一切，所以过去没有尽头。",
    "kernel_but_whole": "但经过 {names}，每个输出都依赖整个输入。",
    "kernel_whole_only": "沿{axis}轴，经过 {names}，每个输出都依赖整个输入。",
    "stride_one": (
        "沿{axis}轴，由于 {layer} 的步长，每 {hop} {unit}{ms}产生一个输出：其后各层要处理的位置至多剩一半。"
    ),
    "stride_chain": (
        "沿{axis}轴，步长相乘：{product} = {hop}，每 {hop} {unit}{ms}产生一个输出。最后一次下采样之后的所有层只需"
        "处理 1/{hop} 的位置，这正是步长的用处。"
    ),
    "stride_up": (
        "沿{axis}轴，下采样与上采样相抵，步距为 {hop} {unit}{ms}：内部各层以较低速率运行，输出又回到每个输入位置 "
        "{rate} 个。"
    ),
    "stride_none": "沿{axis}轴所有步长都是 1：输出与位置一样多，步距为 {hop}{ms}。",
    "stride_gap": "{layer} 的卷积核为 {kernel} 而步长为 {stride}：每 {stride} 个位置跳过 {gap} 个。",
    "stride_overlap": "重叠最少的层 {layer}，卷积核 {kernel} 仍不小于步长 {stride}，所以没有位置被跳过。",
    "stride_tail": "输入 {size} {unit}时，最后 {tail} {unit}没有任何输出看到。",
    "filters_frame": "滤波器数为 {filters}，而{axis}轴的大小依次为 {sizes}：每帧 {products} 个值。",
    "filters_constant": (
        "该轴减半时滤波器加倍，于是每帧的数值个数几乎不变（最大 / 最小 = {ratio}）：网络是在重新编码每一帧，而不"
        "是丢掉其中一部分。"
    ),
    "filters_changing": "每帧的数值个数最多是最少的 {ratio} 倍，从 {first} 到 {last}。",
    "filters_line": (
        "滤波器数为 {filters}；结合步距，每个输入位置对应 {values} 个值，而输入是 {start} 个。步长减少位置，滤波"
        "器来补偿：最后每个输入值由 {last} 个值代表。"
    ),
    "filters_cost": "开销最大的是 {layer}：占全部乘加的 {share}，有 {params} 个参数。",
    "separable": (
        "{depthwise} 每个通道一个 {taps} 抽头的卷积核，{pointwise} 把 {channels} 个通道混合成 {filters} 个：共 "
        "{cost} 次乘加，而标准卷积需要 {standard} 次。比值为 1/N + 1/{power} = 1/{filters} + 1/{taps} = {ratio}。"
    ),
    "latency_sum": (
        "必须先凑齐一块 {block} {unit}，还要再听到后面的 {look} {unit}：算法延迟为 {latency} {unit}{ms}，与机器快"
        "慢无关。第一个输出需要 {first} {unit}。"
    ),
    "latency_layers": "超前部分来自 {layers}。",
    "latency_share": "{layer}（{ahead}）",
    "latency_none": "没有任何一层看向未来：第 n 个输出不需要自己这一块之后的内容。",
    "latency_window": "每帧本身就是 {window} ms 的窗，已计入上述时间。",
    "latency_whole": "谈不上延迟：必须先知道输入的结尾。",
    "latency_axis": "网络没有时间轴，因此没有延迟。",
    "trap": (
        "当心 padding='same'：时间方向卷积核为偶数时，多出的一帧补在末尾，于是 {layers} 合起来向未来多看 {ahead} "
        "{unit}。应当改为在过去一侧补零。"
    ),
    "streams": "没有什么妨碍：它可以逐块运行，块与块之间保存 {state} 个值（{bytes}）。",
    "streams_unknown": "各层都不妨碍：它可以逐块运行。需要保存多少取决于未知的大小。",
    "blocked": "有 {count} 个算子需要整个输入：{names}。",
    "blocked_one": "有一个算子需要整个输入：{names}。",
    "blocked_name": "{name}（{why}）",
    "ahead_only": "它可以流式运行，但会晚 {ahead} {unit}{ms}。",
    "fix_none": "不需要改：它可以流式运行，并且不看自己这一块之后的内容。",
    "fix_causal": (
        "把时间方向的补零移到过去一侧（--what-if causal）：块之外的等待从 {before} 降到 {after} {unit}，{cost}。"
        "同样的结构重新训练即可。"
    ),
    "fix_causal_part": (
        "把时间方向的补零移到过去一侧（--what-if causal），块之外的等待从 {before} 降到 {after} {unit}，{cost}；"
        "剩下的需要别的改动。"
    ),
    "cost_same": "开销不变",
    "cost_times": "乘加数为原来的 {macs} 倍",
    "fix_norm": "{names}：逐帧归一化，或使用累积统计量，或改用批归一化（运行时只是常数）。",
    "fix_reduce": "{names}：把全时间的统计量换成累积的，或只统计过去固定长度的一段。",
    "fix_rnn": (
        "{names}：循环只向前运行（--what-if {edit}）：乘加数为原来的 {macs} 倍，参数为 {params} 倍；再看几帧未来"
        "可以弥补一部分。"
    ),
    "fix_attention": "{names}：让注意力只看过去，并限制窗长。",
    "fix_other": "{names}：按其构造需要所有位置；请在固定长度的窗上运行。",
    "input": "输入",
    "output": "输出",
    "field": "感受野",
    "hop": "步距",
    "ahead": "超前",
    "past": "回看",
    "latency": "延迟",
    "first": "首个输出需要",
    "size": "输出大小",
    "tail": "丢弃的尾部",
    "block": "块",
    "states": "个状态",
    "statistics": "统计量来自",
    "seen": "过去与当前块",
    "no_channels": "{names} 的通道数未知；可以写成 10/5@512 8/4@512",
    "interval": "各相位的范围",
    "centre": "输出 0 的中心",
    "local": "仅凭卷积核",
    "trust": "可信度",
    "costs": "开销",
    "params": "参数量",
    "weights": "权重",
    "macs": "乘加数",
    "macs_rate": "每秒乘加数",
    "activations": "激活内存",
    "state": "流式状态",
    "intensity": "每字节乘加",
    "roofline": "最佳实时率",
    "layer": "层",
    "kind": "类型",
    "kernel": "卷积核",
    "stride": "步长",
    "dilation": "膨胀",
    "padding": "补零",
    "shape": "输出",
    "frame": "每帧值",
    "unknown": "未知",
    "partial": "不完整，未计入",
    "unavailable": "无法给出",
    "whole": "整个输入",
    "unbounded": "无界",
    "notes": "说明",
    "unknown_ops": "没有规则的算子",
    "verified": "在网络本身上测得",
    "agrees": "一致",
    "differs": "不一致",
    "undecided": "无法判定",
    "before": "之前",
    "after": "之后",
    "ratio": "比值",
    "what_if": "如果",
    "separable_line": "{layer}：乘加比 {ratio} = 1/N + 1/{power} = 1/{filters} + 1/{taps} = {formula}",
    "convention": "一次乘加计一次，只计稠密核；乘加数对应给定的输入。",
}

PHRASES: Mapping[str, Mapping[str, str]] = {"en": EN, "zh": ZH}
