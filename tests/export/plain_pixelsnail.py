"""rosinality's PixelSNAIL written down once more on its own tensors: names, shapes, and what its forward computes."""

import torch
import torch.nn.functional as F


def tensors(shape, codes, wide, kernel, blocks, res_blocks, inner, attention=True, out_blocks=0, hint=(0, 0)):
    """A checkpoint with their names and shapes; `hint` is (blocks, channels) of the network of the level above."""
    random = torch.Generator().manual_seed(0)
    made = {}

    def conv(name, out, into, *kernel, bias=True):
        made[f"{name}.weight_v"] = torch.randn(out, into, *kernel, generator=random)
        made[f"{name}.weight_g"] = 0.5 + torch.rand(out, *[1] * (1 + len(kernel)), generator=random)
        if bias:
            made[f"{name}.bias"] = torch.randn(out, generator=random) * 0.1

    def gated(name, channels, inner, kernel, nested="conv", aside=0, hints=0):
        conv(f"{name}.conv1.{nested}", inner, channels, kernel, kernel)
        conv(f"{name}.conv2.{nested}", 2 * channels, inner, kernel, kernel)
        if aside:
            conv(f"{name}.aux_conv.conv", inner, aside, 1, 1)
        if hints:
            conv(f"{name}.condition.conv", 2 * channels, hints, 1, 1, bias=False)

    rows, columns = ((torch.arange(n) - n / 2) / n for n in shape)
    made["background"] = torch.stack([rows[:, None].expand(shape), columns.expand(shape)])[None]
    conv("horizontal.conv.conv", wide, codes, kernel // 2, kernel)
    conv("vertical.conv.conv", wide, codes, (kernel + 1) // 2, kernel // 2)
    for at in range(blocks):
        for number in range(res_blocks):
            gated(f"blocks.{at}.resblocks.{number}", wide, inner, kernel, "conv.conv", hints=hint[1])
        if not attention:
            conv(f"blocks.{at}.out.conv", wide, wide + 2, 1, 1)
            continue
        gated(f"blocks.{at}.key_resblock", 2 * wide + 2, wide, 1)
        gated(f"blocks.{at}.query_resblock", wide + 2, wide, 1)
        for name, into in (("query", wide + 2), ("key", 2 * wide + 2), ("value", 2 * wide + 2)):
            conv(f"blocks.{at}.causal_attention.{name}", wide // 2, into)
        gated(f"blocks.{at}.out_resblock", wide, wide, 1, aside=wide // 2)
    if hint[1]:
        conv("cond_resnet.blocks.0.conv", hint[1], codes, 3, 3)
        for at in range(hint[0]):
            gated(f"cond_resnet.blocks.{at + 1}", hint[1], hint[1], 3)
    for at in range(out_blocks):
        gated(f"out.{at}", wide, inner, 1)
    conv(f"out.{out_blocks + 1}.conv", codes, wide, 1, 1)
    return made


def logits(t, codes, above=None, heads=8):
    """(B, K, H, W) of maps of codes (B, H, W), given those of the level above."""

    def weight(name, masked=False):
        v, g = t[f"{name}.weight_v"].clone(), t[f"{name}.weight_g"]
        if masked:
            v[:, :, -1, v.shape[3] // 2 :] = 0
        return v * g / v.flatten(1).norm(dim=1).reshape(g.shape)

    def conv(name, x, left=0, right=0, up=0, down=0, masked=False):
        return F.conv2d(F.pad(x, (left, right, up, down)), weight(name, masked), t.get(f"{name}.bias"))

    def causal(name, x):
        side = t[f"{name}.weight_v"].shape[3] // 2
        return conv(name, x, side, side, 2 * side, 0, masked=True)

    def same(name, x):
        side = t[f"{name}.weight_v"].shape[3] // 2
        return conv(name, x, side, side, side, side)

    def gated(name, x, how=same, nested="conv", aside=None, hint=None):
        y = how(f"{name}.conv1.{nested}", F.elu(x))
        y = y if aside is None else y + same(f"{name}.aux_conv.conv", F.elu(aside))
        y = how(f"{name}.conv2.{nested}", F.elu(y))
        y = y if hint is None else y + same(f"{name}.condition.conv", hint)
        return F.glu(y, 1) + x

    def attend(name, query, key):
        height, width = key.shape[2:]

        def project(part, x):
            y = F.linear(x.flatten(2).transpose(1, 2), weight(f"{name}.{part}"), t[f"{name}.{part}.bias"])
            return y.unflatten(2, (heads, -1)).transpose(1, 2)

        q, k, v = project("query", query), project("key", key), project("value", key)
        count = height * width
        scores = (q @ k.transpose(2, 3)) / q.shape[-1] ** 0.5
        shares = scores.masked_fill(torch.ones(count, count).tril(-1) == 0, -1e4).softmax(3)
        shares[:, :, 0] = 0
        return (shares @ v).transpose(1, 2).flatten(2).transpose(1, 2).unflatten(2, (height, width))

    def one_hot(map_of_codes):
        count = t["horizontal.conv.conv.weight_v"].shape[1]
        return F.one_hot(map_of_codes, count).permute(0, 3, 1, 2).float()

    x = one_hot(codes)
    up, wide = t["horizontal.conv.conv.weight_v"].shape[2:]
    y = F.pad(conv("horizontal.conv.conv", x, wide // 2, wide // 2, up - 1, 0), (0, 0, 1, 0))[:, :, :-1]
    up, wide = t["vertical.conv.conv.weight_v"].shape[2:]
    y = y + F.pad(conv("vertical.conv.conv", x, wide - 1, 0, up - 1, 0), (1, 0))[..., :-1]
    places = t["background"][:, :, : x.shape[2]].expand(len(x), -1, -1, -1)
    hint = None
    if above is not None:
        hint, at = same("cond_resnet.blocks.0.conv", one_hot(above)), 1
        while f"cond_resnet.blocks.{at}.conv1.conv.bias" in t:
            hint, at = gated(f"cond_resnet.blocks.{at}", hint), at + 1
        hint = F.interpolate(hint, scale_factor=2)
    at = 0
    while any(name.startswith(f"blocks.{at}.") for name in t):
        name, z, number = f"blocks.{at}", y, 0
        while f"{name}.resblocks.{number}.conv1.conv.conv.bias" in t:
            z = gated(f"{name}.resblocks.{number}", z, causal, "conv.conv", hint=hint)
            number += 1
        if f"{name}.out.conv.bias" in t:
            y = same(f"{name}.out.conv", torch.cat([z, places], 1))
        else:
            key = gated(f"{name}.key_resblock", torch.cat([y, z, places], 1))
            query = gated(f"{name}.query_resblock", torch.cat([z, places], 1))
            y = gated(f"{name}.out_resblock", z, aside=attend(f"{name}.causal_attention", query, key))
        at += 1
    at = 0
    while f"out.{at}.conv1.conv.bias" in t:
        y, at = gated(f"out.{at}", y), at + 1
    return same(f"out.{at + 1}.conv", F.elu(y))
