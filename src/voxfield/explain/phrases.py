"""The sentences of `words` and the headings of the tables, in English and Chinese; the figures are filled in.

Both languages have the same keys and the same placeholders.
"""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("en", "zh")

EN: Mapping[str, str] = {
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
    "q_kernel": "Why this kernel?",
    "q_stride": "Why this stride?",
    "q_filters": "Why these filters?",
    "q_separable": "What do the depthwise layers save?",
    "q_latency": "Where does the latency come from?",
    "q_streaming": "What keeps it from streaming?",
    "q_fix": "What is the cheapest change that would fix it?",
    "kernel_sum": (
        "Along {axis} the receptive field is {rf} {unit}{ms}. Each layer adds (kernel - 1) x dilation x the hop "
        "before it: {sum} + 1 = {rf}. The largest share, {share} {unit}, is that of {layer}: late layers widen "
        "the field cheaply, because one step of theirs is {hop} {unit} of the input. A single layer would need a "
        "kernel of {rf} taps."
    ),
    "kernel_flat": (
        "Along {axis} the receptive field is {rf} {unit}{ms}: 1 and the (kernel - 1) x dilation of each layer, "
        "{sum}. A single layer would need a kernel of {rf} taps."
    ),
    "kernel_one": (
        "Along {axis} every kernel is 1: one output depends on one position only, so this axis brings neither "
        "context nor delay."
    ),
    "kernel_first": (
        "Along {axis} there is one kernel above 1: {kernel} taps{dilated} make a receptive field of {rf} {unit}{ms}."
    ),
    "kernel_paths": (
        "Along {axis} the receptive field is {rf} {unit}{ms}. Several paths lead to the output and the field "
        "covers them all; the kernel that reaches furthest by itself is that of {layer}: {reach} of its inputs, "
        "which adds {share} {unit}."
    ),
    "kernel_but_past": "The past has no end, though: {names} carry on all that came before.",
    "kernel_but_whole": "But through {names} every output depends on the whole input.",
    "kernel_whole_only": "Along {axis} every output depends on the whole input, through {names}.",
    "stride_one": (
        "Along {axis} the stride of {layer} makes one output for every {hop} {unit}{ms}: what comes after it "
        "runs on 1/{hop} of the positions."
    ),
    "stride_chain": (
        "Along {axis} the strides multiply, {product} = {hop}: one output for every {hop} {unit}{ms}. What comes "
        "after the last stride runs on 1/{hop} of the positions."
    ),
    "stride_up": "Along {axis} the network only goes up, by {up}: {rate} outputs for each of the {unit}.",
    "stride_none": "Along {axis} every stride is 1: the hop is {hop} {unit}{ms} and no position is skipped.",
    "stride_gap": (
        "{layer}: with a kernel of {kernel} and a stride of {stride}, {gap} of every {stride} positions are read "
        "by no tap."
    ),
    "stride_overlap": (
        "The tightest layer, {layer}, still has kernel {kernel} over stride {stride}, so its windows skip nothing."
    ),
    "stride_tail": "An input of {size} {unit} ends in {tail} that reach no output.",
    "filters_frame": "The filters are {filters} while the {axis} axis runs {sizes}: {products} values per frame.",
    "filters_constant": (
        "As the axis halves the filters double, so that the values per frame stay nearly constant (largest / "
        "smallest = {ratio}): the network describes each frame anew instead of throwing part of it away."
    ),
    "filters_changing": (
        "Per frame that is {ratio} times as many values at the most as at the least, from {first} to {last}."
    ),
    "filters_line": (
        "The filters are {filters}; with the hops that is {values} values per input position, after an input of "
        "{start}. Strides take positions away and filters make up for it: {last} values stand for every one of "
        "the input at the end."
    ),
    "filters_cost": "The costliest layer is {layer}: {share} of all multiply-accumulates and {params} parameters.",
    "separable": (
        "{depthwise} has one kernel of {taps} taps per channel and {pointwise} mixes {channels} channels into "
        "{filters}: {cost} multiply-accumulates where a standard convolution takes {standard}. The ratio is 1/N "
        "+ 1/{power} = 1/{filters} + 1/{taps} = {ratio}."
    ),
    "latency_sum": (
        "A block of {block} {unit} must be complete and {look} more must follow: {latency} {unit}{ms} of "
        "algorithmic latency, whatever the speed of the machine. The first output needs {first} {unit}."
    ),
    "latency_layers": "The look-ahead comes from {layers}.",
    "latency_share": "{layer} ({ahead})",
    "latency_none": "No layer looks ahead.",
    "latency_window": "Each frame is a window of {window} ms itself, which is part of these times.",
    "latency_whole": "There is no latency to state: the end of the input must be known first.",
    "latency_axis": "The network has no time axis, so there is no latency.",
    "trap": (
        "Beware of padding='same': with an even kernel along time the odd frame is padded at the END, so "
        "{layers} look ahead by {ahead} {unit} together. Pad the past instead."
    ),
    "streams": "Nothing: it can run block by block, with {state} values ({bytes}) of streaming state.",
    "streams_unknown": (
        "Nothing in its layers: it can run block by block. The size of its streaming state depends on unknown sizes."
    ),
    "blocked": "{count} operators need the whole input: {names}.",
    "blocked_one": "One operator needs the whole input: {names}.",
    "blocked_name": "{name} ({why})",
    "ahead_only": "It streams with a look-ahead of {ahead} {unit}{ms}.",
    "fix_none": "None is needed: it streams without look-ahead.",
    "fix_causal": (
        "Move the padding along time to the past (--what-if causal): the look-ahead beyond the block falls from "
        "{before} to {after} {unit}, {cost}. Train the same network again that way."
    ),
    "fix_causal_part": (
        "Moving the padding along time to the past (--what-if causal) takes the look-ahead beyond the block from "
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
    "interval": "field, per phase",
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
    "against": "Side by side",
    "separable_line": "{layer}: MACs ratio {ratio} = 1/N + 1/{power} = 1/{filters} + 1/{taps} = {formula}",
    "convention": "One multiply-accumulate counts once; dense kernels only. MACs are for the input given.",
    "stop": ".",
    "semicolon": "; ",
    "q_size": "How does the output get its size?",
    "q_params": "Where do the parameters come from?",
    "kernel_longest": " Several paths lead there; this is the longest.",
    "kernel_only": "Along {axis} the receptive field is {rf} {unit}{ms}.",
    "kernel_dilated": " with a dilation of {dilation}",
    "kernel_up": (
        "Along {axis} the receptive field is {rf} {unit}{ms}, at most; where a network upsamples or cuts, the "
        "shares of its layers do not simply add up. The kernel that reaches furthest by itself is that of "
        "{layer}: {reach} of its inputs, which adds {share} {unit}."
    ),
    "stride_updown": (
        "Along {axis} the network goes down by {product} = {factor} and up again by {up}: its inner layers run "
        "on 1/{factor} of the positions, and there is an output for every {hop} {unit}{ms}."
    ),
    "stride_mixed": (
        "Along {axis} there is one output for every {hop} {unit}{ms}, with strides down of {factor} in all and "
        "upsampling by {up}."
    ),
    "stride_other": "Along {axis} there is one output for every {hop} {unit}{ms}.",
    "stride_axes": "So only {moving} gets shorter; along {still} every position keeps an output of its own.",
    "stride_joins": (
        "At {join} a second path comes in, with the strides of {names}: paths can only be joined when they "
        "advance alike, so both sides need the same product of strides."
    ),
    "kernel_before": "Before that, {layer} has a receptive field of {rf} {unit}.",
    "q_cbam": "What would CBAM blocks cost, and where do they go?",
    "cbam_cost": (
        "A CBAM block behind each convolution, its norm and its activation adds these parameters: {layers}. In all "
        "{before} parameters become {after}, and {macs} MACs become {macs_after} (--what-if cbam)."
    ),
    "cbam_rule": (
        "A block of C channels has 2 C h + h + C parameters in its shared MLP, h = max(1, C / 16) wide, 98 in the"
        " 7 x 7 convolution over the maximum and the mean of the channels, and 2 in the norm after it. In a residual "
        "block it "
        "goes behind the last convolution, before the addition."
    ),
    "q_cbam_block": "How do residual blocks with CBAM go in, and what do they cost?",
    "cbam_places": (
        "A residual block with CBAM keeps the shape of its input, so nothing around it changes: 3 x 3 convolution, "
        "norm, ReLU, 3 x 3 convolution, norm, CBAM, plus the input, ReLU. It goes behind these layers and adds these "
        "parameters: {layers}."
    ),
    "cbam_pool": (
        "Behind {layer} a map has 1/{less} of the places that it has before it, so the block takes 1/{less} of the "
        "multiply-accumulates there."
    ),
    "cbam_join": (
        "Before {join} CBAM weighs the channels and places of each input by themselves, behind it those of all inputs "
        "against each other."
    ),
    "cbam_inside": (
        "The network has residual blocks already: CBAM goes into each of them, behind the last convolution of its "
        "branch and before the addition, and adds these parameters: {layers}."
    ),
    "cbam_total": (
        "In all {before} parameters become {after}, and {macs} MACs become {macs_after} (--what-if cbam-resnet)."
    ),
    "cbam_behind": "behind {layer}",
    "code": "Code to paste:",
    "cbam_field": "Its pooling covers the whole input, so every output behind it depends on all of it.",
    "cbam_nowhere": "There is no convolution over two axes that a CBAM block could follow.",
    "size_head": "Along {axis}: ",
    "size_layer": "{layer} {formula} = {size}",
    "size_open": "{layer} {formula} for an input of N, for example {size} for N = {example}",
    "size_rule": "The formula is (size + padding - (kernel - 1) x dilation - 1) / stride + 1.",
    "size_rule_up": "The formula is (size - 1) x stride + (kernel - 1) x dilation + 1 - padding.",
    "size_floor": " Divisions are rounded down.",
    "filters_first": (
        "{layer} has {filters} filters: at each place {filters} different weighted sums of the same {taps} = "
        "{covered} values."
    ),
    "filters_many": (
        "That is more than there are values under the kernel, so that the activation after it can keep different "
        "ranges and signs of them apart."
    ),
    "filters_few": (
        "So the {covered} values under the kernel are summed up in {filters}; what is kept of them is learned."
    ),
    "filters_choice": (
        "No formula gives the number; it is a choice of capacity against cost. Twice as many would double the "
        "{params} parameters of this layer and what the next one reads."
    ),
    "filters_not_field": (
        "More filters never widen the receptive field: kernel and dilation do, and strides before them multiply "
        "what they add. Filters only say how many values describe each position."
    ),
    "filters_up": "On the way up the filters are {filters} while the {axis} axis grows again, {sizes}.",
    "params_sum": "{total} in all: {listed}.",
    "params_rest": "the rest {rest}",
    "params_rule": (
        "A convolution has kernel x input channels x filters weights and one bias per filter; strides, padding "
        "and the size of the input change nothing about that."
    ),
    "latency_now": (
        "A block of {block} {unit}{ms} must be complete and nothing after it: that is all of the algorithmic "
        "latency, whatever the speed of the machine."
    ),
    "fix_shift": (
        "There is no padding to move: output n is counted from the first position of its field. With zeros "
        "before the input (--what-if causal) it is counted from the last one: the look-ahead beyond the block "
        "falls from {before} to {after} {unit}, {cost}."
    ),
    "fix_shift_part": (
        "There is no padding to move: output n is counted from the first position of its field. With zeros "
        "before the input (--what-if causal) it is counted from the last one: the look-ahead beyond the block "
        "falls from {before} to {after} {unit}, {cost}; what is left needs other changes."
    ),
    "axes": "axes",
    "batch": "batch",
    "channels": "channels",
    "asked": "Answer",
    "inputs_alike": "the same for each of {names}",
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
        "沿{axis}轴，感受野为 {rf} {unit}{ms}。每层增加（卷积核 - 1）x 膨胀 x 该层之前的步距：{sum} + 1 = {rf}。"
        "贡献最大的是 {layer}，占 {share} {unit}：越靠后的层扩大感受野越便宜，因为它的一步相当于输入的 {hop} {uni"
        "t}。若只用一层，就需要 {rf} 个抽头的卷积核。"
    ),
    "kernel_flat": (
        "沿{axis}轴，感受野为 {rf} {unit}{ms}：1 加上各层的（卷积核 - 1）x 膨胀，即 {sum}。若只用一层，就需要 {rf"
        "} 个抽头的卷积核。"
    ),
    "kernel_one": "沿{axis}轴所有卷积核都是 1：一个输出只取决于一个位置，这个方向上既没有上下文，也没有延迟。",
    "kernel_first": "沿{axis}轴只有一层的卷积核大于 1：{kernel} 个抽头{dilated}，感受野为 {rf} {unit}{ms}。",
    "kernel_paths": (
        "沿{axis}轴，感受野为 {rf} {unit}{ms}。通到输出的路径不止一条，感受野包括所有路径；单层伸得最远的是 {laye"
        "r}：覆盖它自己的 {reach} 个输入，增加 {share} {unit}。"
    ),
    "kernel_but_past": "但过去没有尽头：{names} 会一直带着之前的一切。",
    "kernel_but_whole": "但经过 {names}，每个输出都依赖整个输入。",
    "kernel_whole_only": "沿{axis}轴，经过 {names}，每个输出都依赖整个输入。",
    "stride_one": "沿{axis}轴，{layer} 的步长使每 {hop} {unit}{ms}产生一个输出：其后各层只需处理 1/{hop} 的位置。",
    "stride_chain": (
        "沿{axis}轴，步长相乘：{product} = {hop}，每 {hop} {unit}{ms}产生一个输出。最后一个步长之后的部分只需处理"
        " 1/{hop} 的位置。"
    ),
    "stride_up": "沿{axis}轴只有上采样（{up} 倍）：每一{unit}对应 {rate} 个输出。",
    "stride_none": "沿{axis}轴所有步长都是 1：步距为 {hop} {unit}{ms}，没有位置被跳过。",
    "stride_gap": "{layer}：卷积核为 {kernel} 而步长为 {stride}，每 {stride} 个位置有 {gap} 个没有任何抽头读取。",
    "stride_overlap": "重叠最少的层 {layer}，卷积核 {kernel} 仍不小于步长 {stride}，所以没有位置被跳过。",
    "stride_tail": "输入 {size} {unit}时，最后 {tail} {unit}不影响任何输出。",
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
        "{depthwise} 每个通道一个 {taps} 抽头的卷积核，{pointwise} 把 {channels} 个通道混合成 {filters} 个：共 {c"
        "ost} 次乘加，而标准卷积需要 {standard} 次。比值为 1/N + 1/{power} = 1/{filters} + 1/{taps} = {ratio}。"
    ),
    "latency_sum": (
        "必须先凑齐一块 {block} {unit}，还要等后面的 {look} {unit}：算法延迟为 {latency} {unit}{ms}，与机器快慢无"
        "关。第一个输出需要 {first} {unit}。"
    ),
    "latency_layers": "超前部分来自 {layers}。",
    "latency_share": "{layer}（{ahead}）",
    "latency_none": "没有任何一层看向未来。",
    "latency_window": "每帧本身就是 {window} ms 的窗，已计入上述时间。",
    "latency_whole": "谈不上延迟：必须先知道输入的结尾。",
    "latency_axis": "网络没有时间轴，因此没有延迟。",
    "trap": (
        "当心 padding='same'：时间方向卷积核为偶数时，多出的一帧补在末尾，于是 {layers} 合起来向未来多看 {ahead} "
        "{unit}。应当改为在过去一侧补零。"
    ),
    "streams": "没有什么妨碍：它可以逐块运行，流式状态为 {state} 个值（{bytes}）。",
    "streams_unknown": "各层都不妨碍：它可以逐块运行。流式状态的大小取决于未知的大小。",
    "blocked": "有 {count} 个算子需要整个输入：{names}。",
    "blocked_one": "有一个算子需要整个输入：{names}。",
    "blocked_name": "{name}（{why}）",
    "ahead_only": "它可以流式运行，但要多等 {ahead} {unit}{ms}。",
    "fix_none": "不需要改：它可以流式运行，没有超前。",
    "fix_causal": (
        "把时间方向的补零移到过去一侧（--what-if causal）：块之外的超前从 {before} 降到 {after} {unit}，{cost}。"
        "同样的结构重新训练即可。"
    ),
    "fix_causal_part": (
        "把时间方向的补零移到过去一侧（--what-if causal），块之外的超前从 {before} 降到 {after} {unit}，{cost}；"
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
    "against": "并排比较",
    "separable_line": "{layer}：乘加比 {ratio} = 1/N + 1/{power} = 1/{filters} + 1/{taps} = {formula}",
    "convention": "一次乘加计一次，只计稠密核；乘加数对应给定的输入。",
    "stop": "。",
    "semicolon": "；",
    "q_size": "输出的大小怎么算？",
    "q_params": "参数量怎么算？",
    "kernel_longest": "通到那里的路径不止一条，这是最长的一条。",
    "kernel_only": "沿{axis}轴，感受野为 {rf} {unit}{ms}。",
    "kernel_dilated": "（膨胀 {dilation}）",
    "kernel_up": (
        "沿{axis}轴，感受野至多为 {rf} {unit}{ms}；有上采样或裁剪时，各层的贡献不能简单相加。单层伸得最远的是 {la"
        "yer}：覆盖它自己的 {reach} 个输入，增加 {share} {unit}。"
    ),
    "stride_updown": (
        "沿{axis}轴，网络先下采样 {product} = {factor} 倍，再上采样 {up} 倍：内部各层只需处理 1/{factor} 的位置，"
        "每 {hop} {unit}{ms}一个输出。"
    ),
    "stride_mixed": "沿{axis}轴，每 {hop} {unit}{ms}一个输出：下采样共 {factor} 倍，由 {up} 上采样。",
    "stride_other": "沿{axis}轴，每 {hop} {unit}{ms}一个输出。",
    "stride_axes": "因此变短的只有{moving}轴；沿{still}轴每个位置都保留自己的输出。",
    "stride_joins": (
        "在 {join} 处有另一条路径汇入，其步长来自 {names}：只有步调一致的路径才能汇合，所以两边的步长之积必须相同。"
    ),
    "kernel_before": "在此之前，{layer} 的感受野为 {rf} {unit}。",
    "q_cbam": "加入 CBAM 要多少开销，放在哪里？",
    "cbam_cost": (
        "在每个卷积层（及其归一化和激活）之后加一个 CBAM 块，增加的参数为：{layers}。参数总数从 {before} 变为 "
        "{after}，乘加数从 {macs} 变为 {macs_after}（--what-if cbam）。"
    ),
    "cbam_rule": (
        "C 个通道的块：共享 MLP 有 2 C h + h + C 个参数，h = max(1, C / 16)；对通道最大值和均值做的 7 x 7 卷积有 98 "
        "个，其后的归一化有 2 个。在残差块中，它放在最后一个卷积之后、相加之前。"
    ),
    "q_cbam_block": "怎样加入带 CBAM 的残差块，要多少开销？",
    "cbam_places": (
        "带 CBAM 的残差块不改变输入的形状，周围的层都不用改：3 x 3 卷积、归一化、ReLU、3 x 3 卷积、归一化、CBAM，"
        "再加上输入，最后 ReLU。它放在下列各层之后，增加的参数为：{layers}。"
    ),
    "cbam_pool": "{layer} 之后，特征图的位置数是之前的 1/{less}，所以残差块放在这里只需 1/{less} 的乘加。",
    "cbam_join": "在 {join} 之前，CBAM 分别衡量每个输入自己的通道和位置；在它之后，则把所有输入放在一起衡量。",
    "cbam_inside": (
        "网络里已有残差块：CBAM 放进每个残差块，在其分支的最后一个卷积之后、相加之前，增加的参数为：{layers}。"
    ),
    "cbam_total": ("参数总数从 {before} 变为 {after}，乘加数从 {macs} 变为 {macs_after}（--what-if cbam-resnet）。"),
    "cbam_behind": "接在 {layer} 之后",
    "code": "可直接粘贴的代码：",
    "cbam_field": "它的池化遍及整个输入，所以其后的每个输出都依赖整个输入。",
    "cbam_nowhere": "没有可以在其后放 CBAM 块的二维卷积。",
    "size_head": "沿{axis}轴：",
    "size_layer": "{layer} {formula} = {size}",
    "size_open": "{layer} 输入 N 时为 {formula}，例如 N = {example} 时为 {size}",
    "size_rule": "公式为（大小 + 补零 -（卷积核 - 1）x 膨胀 - 1）/ 步长 + 1。",
    "size_rule_up": "公式为（大小 - 1）x 步长 +（卷积核 - 1）x 膨胀 + 1 - 补零。",
    "size_floor": "除法向下取整。",
    "filters_first": (
        "{layer} 有 {filters} 个滤波器：在每个位置对同样的 {taps} = {covered} 个值做 {filters} 种不同的加权求和。"
    ),
    "filters_many": "这比卷积核覆盖的值还多，这样其后的激活函数才能把它们不同的取值范围和符号区分开。",
    "filters_few": "也就是把卷积核覆盖的 {covered} 个值概括成 {filters} 个；保留什么由训练决定。",
    "filters_choice": (
        "这个数没有公式可算，是容量与开销之间的选择。加倍则本层的 {params} 个参数加倍，下一层要读的也加倍。"
    ),
    "filters_not_field": (
        "滤波器再多也不会扩大感受野：扩大它的是卷积核和膨胀，之前的步长再把它们的贡献放大。滤波器数只决定每个位置"
        "用多少个值来描述。"
    ),
    "filters_up": "在上采样一侧滤波器数为 {filters}，而{axis}轴重新变长：{sizes}。",
    "params_sum": "共 {total} 个：{listed}。",
    "params_rest": "其余 {rest}",
    "params_rule": (
        "卷积层的权重数为卷积核 x 输入通道 x 滤波器数，每个滤波器再加一个偏置；步长、补零和输入大小都不影响它。"
    ),
    "latency_now": "只需凑齐一块 {block} {unit}{ms}，不必等后面的内容：这就是全部的算法延迟，与机器快慢无关。",
    "fix_shift": (
        "没有补零可移：第 n 个输出是从它需要的第一个位置算起的。在输入之前补零（--what-if causal），它就止于自己"
        "这一块：块之外的超前从 {before} 降到 {after} {unit}，{cost}。"
    ),
    "fix_shift_part": (
        "没有补零可移：第 n 个输出是从它需要的第一个位置算起的。在输入之前补零（--what-if causal），它就止于自己"
        "这一块：块之外的超前从 {before} 降到 {after} {unit}，{cost}；剩下的需要别的改动。"
    ),
    "axes": "各维",
    "batch": "批次",
    "channels": "通道",
    "asked": "回答",
    "inputs_alike": "{names} 各自相同",
}

PHRASES: Mapping[str, Mapping[str, str]] = {"en": EN, "zh": ZH}
