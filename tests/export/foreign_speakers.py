"""Small speaker checkpoints under the names and shapes of three programs, with random values."""

import torch


def layer(t, name, *shape, bias=True):
    t[f"{name}.weight"] = torch.randn(shape) / max(1, int(torch.tensor(shape[1:]).prod())) ** 0.5
    if bias:
        t[f"{name}.bias"] = 0.1 * torch.randn(shape[0])


def norm(t, name, channels, affine=True):
    if affine:
        t[f"{name}.weight"], t[f"{name}.bias"] = 0.5 + torch.rand(channels), 0.1 * torch.randn(channels)
    t[f"{name}.running_mean"], t[f"{name}.running_var"] = 0.1 * torch.randn(channels), 0.5 + torch.rand(channels)
    t[f"{name}.num_batches_tracked"] = torch.tensor(7)


def wespeaker_ecapa(C=16, bands=10, groups=8, se=4, joined=24, hidden=5, D=6, glob=True, embedding_norm=False):
    t = {}
    layer(t, "layer1.conv", C, bands, 5)
    norm(t, "layer1.bn", C)
    for n in (2, 3, 4):
        b = f"layer{n}.se_res2block."
        for at in (0, 2):
            layer(t, f"{b}{at}.conv", C, C, 1)
            norm(t, f"{b}{at}.bn", C)
        for i in range(groups - 1):
            layer(t, f"{b}1.convs.{i}", C // groups, C // groups, 3)
            norm(t, f"{b}1.bns.{i}", C // groups)
        layer(t, f"{b}3.linear1", se, C)
        layer(t, f"{b}3.linear2", C, se)
    layer(t, "conv", joined, 3 * C, 1)
    layer(t, "pool.linear1", hidden, joined * (3 if glob else 1), 1)
    layer(t, "pool.linear2", joined, hidden, 1)
    norm(t, "bn", 2 * joined)
    layer(t, "linear", D, 2 * joined)
    if embedding_norm:
        norm(t, "bn2", D)
    return t


def wespeaker_resnet(C=2, bands=16, blocks=(1, 2, 1, 1), bottleneck=False, D=6, attentive=False, second=False):
    t = {}
    layer(t, "conv1", C, 1, 3, 3, bias=False)
    norm(t, "bn1", C)
    into = C
    for stage, count in enumerate(blocks):
        width = C * 2**stage
        out = 4 * width if bottleneck else width
        for at in range(count):
            b = f"layer{stage + 1}.{at}."
            kernels = [(into, width, 3), (width, width, 3)]
            if bottleneck:
                kernels = [(into, width, 1), (width, width, 3), (width, out, 1)]
            for n, (a, z, k) in enumerate(kernels, 1):
                layer(t, f"{b}conv{n}", z, a, k, k, bias=False)
                norm(t, f"{b}bn{n}", z)
            if into != out or (stage and not at):
                layer(t, f"{b}shortcut.0", out, into, 1, 1, bias=False)
                norm(t, f"{b}shortcut.1", out)
            into = out
    pooled = into * bands // 8
    if attentive:
        layer(t, "pool.linear1", 128, pooled, 1)
        layer(t, "pool.linear2", pooled, 128, 1)
    layer(t, "seg_1", D, 2 * pooled)
    if second:
        norm(t, "seg_bn_1", D, affine=False)
        layer(t, "seg_2", D, D)
    return t


def speechbrain(C=16, bands=10, groups=8, se=4, joined=24, hidden=5, D=6):
    t = {}

    def tdnn(name, *shape):
        layer(t, f"{name}.conv.conv", *shape)
        norm(t, f"{name}.norm.norm", shape[0])

    tdnn("blocks.0", C, bands, 5)
    for n in (1, 2, 3):
        tdnn(f"blocks.{n}.tdnn1", C, C, 1)
        for i in range(groups - 1):
            tdnn(f"blocks.{n}.res2net_block.blocks.{i}", C // groups, C // groups, 3)
        tdnn(f"blocks.{n}.tdnn2", C, C, 1)
        layer(t, f"blocks.{n}.se_block.conv1.conv", se, C, 1)
        layer(t, f"blocks.{n}.se_block.conv2.conv", C, se, 1)
    tdnn("mfa", joined, 3 * C, 1)
    tdnn("asp.tdnn", hidden, 3 * joined, 1)
    layer(t, "asp.conv.conv", joined, hidden, 1)
    norm(t, "asp_bn.norm", 2 * joined)
    layer(t, "fc.conv", D, 2 * joined, 1)
    return t


def taoruijie(C=16, bands=10, groups=8, se=4, joined=24, hidden=5, D=6):
    t = {}
    layer(t, "conv1", C, bands, 5)
    norm(t, "bn1", C)
    for n in (1, 2, 3):
        b = f"layer{n}."
        for at in (1, 3):
            layer(t, f"{b}conv{at}", C, C, 1)
            norm(t, f"{b}bn{at}", C)
        for i in range(groups - 1):
            layer(t, f"{b}convs.{i}", C // groups, C // groups, 3)
            norm(t, f"{b}bns.{i}", C // groups)
        layer(t, f"{b}se.se.1", se, C, 1)
        layer(t, f"{b}se.se.3", C, se, 1)
    layer(t, "layer4", joined, 3 * C, 1)
    layer(t, "attention.0", hidden, 3 * joined, 1)
    norm(t, "attention.2", hidden)
    layer(t, "attention.4", joined, hidden, 1)
    norm(t, "bn5", 2 * joined)
    layer(t, "fc6", D, 2 * joined)
    norm(t, "bn6", D)
    return t
