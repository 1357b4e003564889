"""What the three programs compute, written down once more from their sources, on their own tensors and nothing of ours.

Features are (B, T, bands) as in WeSpeaker and SpeechBrain.
"""

import torch
import torch.nn.functional as F


def bn(t, name, x):
    weights = t.get(f"{name}.weight"), t.get(f"{name}.bias")
    return F.batch_norm(x, t[f"{name}.running_mean"], t[f"{name}.running_var"], *weights, False, 0.1, 1e-5)


def conv(t, name, x, **options):
    return F.conv1d(x, t[f"{name}.weight"], t[f"{name}.bias"], **options)


def linear(t, name, x):
    return F.linear(x, t[f"{name}.weight"].flatten(1), t[f"{name}.bias"])


def wespeaker_astp(t, x, glob):
    seen = x
    if glob:
        mean = x.mean(-1, keepdim=True).expand_as(x)
        std = torch.sqrt(torch.var(x, dim=-1, keepdim=True) + 1e-7).expand_as(x)
        seen = torch.cat((x, mean, std), dim=1)
    alpha = torch.softmax(conv(t, "pool.linear2", torch.tanh(conv(t, "pool.linear1", seen))), dim=2)
    mean = torch.sum(alpha * x, dim=2)
    std = torch.sqrt((torch.sum(alpha * x**2, dim=2) - mean**2).clamp(min=1e-7))
    return torch.cat([mean, std], dim=1)


def wespeaker_ecapa(t, features):
    x = bn(t, "layer1.bn", F.relu(conv(t, "layer1.conv", features.permute(0, 2, 1), padding=2)))
    outs = []
    for n in (2, 3, 4):
        b = f"layer{n}.se_res2block."
        y = bn(t, f"{b}0.bn", F.relu(conv(t, f"{b}0.conv", x)))
        parts = torch.chunk(y, 8, 1)
        done, sp = [], parts[0]
        for i in range(7):
            if i >= 1:
                sp = sp + parts[i]
            sp = bn(t, f"{b}1.bns.{i}", F.relu(conv(t, f"{b}1.convs.{i}", sp, padding=n, dilation=n)))
            done.append(sp)
        y = torch.cat([*done, parts[7]], dim=1)
        y = bn(t, f"{b}2.bn", F.relu(conv(t, f"{b}2.conv", y)))
        gain = torch.sigmoid(linear(t, f"{b}3.linear2", F.relu(linear(t, f"{b}3.linear1", y.mean(dim=2)))))
        x = x + y * gain.unsqueeze(2)
        outs.append(x)
    x = F.relu(conv(t, "conv", torch.cat(outs, dim=1)))
    x = bn(t, "bn", wespeaker_astp(t, x, t["pool.linear1.weight"].shape[1] > x.shape[1]))
    x = linear(t, "linear", x)
    return bn(t, "bn2", x) if "bn2.weight" in t else x


def wespeaker_resnet(t, features):
    x = features.permute(0, 2, 1).unsqueeze(1)

    def c(name, x, stride=1):
        w = t[f"{name}.weight"]
        return F.conv2d(x, w, None, stride, padding=w.shape[-1] // 2)

    x = F.relu(bn(t, "bn1", c("conv1", x)))
    for stage in (1, 2, 3, 4):
        at = 0
        while f"layer{stage}.{at}.conv1.weight" in t:
            b, stride = f"layer{stage}.{at}.", 2 if stage > 1 and at == 0 else 1
            if f"{b}conv3.weight" in t:
                y = F.relu(bn(t, b + "bn1", c(b + "conv1", x)))
                y = F.relu(bn(t, b + "bn2", c(b + "conv2", y, stride)))
                y = bn(t, b + "bn3", c(b + "conv3", y))
            else:
                y = F.relu(bn(t, b + "bn1", c(b + "conv1", x, stride)))
                y = bn(t, b + "bn2", c(b + "conv2", y))
            if f"{b}shortcut.0.weight" in t:
                x = bn(t, b + "shortcut.1", F.conv2d(x, t[b + "shortcut.0.weight"], None, stride))
            x, at = F.relu(x + y), at + 1
    if "pool.linear1.weight" in t:
        stats = wespeaker_astp(t, x.reshape(x.shape[0], -1, x.shape[-1]), glob=False)
    else:
        std = torch.sqrt(torch.var(x, dim=-1) + 1e-7)
        stats = torch.cat((x.mean(dim=-1).flatten(1), std.flatten(1)), 1)
    a = linear(t, "seg_1", stats)
    return linear(t, "seg_2", bn(t, "seg_bn_1", F.relu(a))) if "seg_2.weight" in t else a


def speechbrain(t, features):
    def tdnn(name, x, dilation=1):
        around = dilation * (t[f"{name}.conv.conv.weight"].shape[-1] - 1) // 2
        x = F.pad(x, (around, around), mode="reflect") if around else x
        return bn(t, f"{name}.norm.norm", F.relu(conv(t, f"{name}.conv.conv", x, dilation=dilation)))

    x = tdnn("blocks.0", features.transpose(1, 2))
    outs = []
    for n in (1, 2, 3):
        b, y, ys = f"blocks.{n}.", tdnn(f"blocks.{n}.tdnn1", x), []
        for i, part in enumerate(torch.chunk(y, 8, dim=1)):
            if i == 0:
                ys.append(part)
            else:
                ys.append(tdnn(f"{b}res2net_block.blocks.{i - 1}", part if i == 1 else part + ys[-1], n + 1))
        y = tdnn(f"{b}tdnn2", torch.cat(ys, dim=1))
        s = F.relu(conv(t, f"{b}se_block.conv1.conv", y.mean(dim=2, keepdim=True)))
        x = x + torch.sigmoid(conv(t, f"{b}se_block.conv2.conv", s)) * y
        outs.append(x)
    x = tdnn("mfa", torch.cat(outs, dim=1))

    def statistics(m):
        mean = (m * x).sum(2)
        return mean, torch.sqrt((m * (x - mean.unsqueeze(2)).pow(2)).sum(2).clamp(1e-12))

    mean, std = statistics(torch.full_like(x[:, :1], 1 / x.shape[-1]))
    seen = torch.cat([x, mean[:, :, None].expand_as(x), std[:, :, None].expand_as(x)], dim=1)
    attention = F.softmax(conv(t, "asp.conv.conv", torch.tanh(tdnn("asp.tdnn", seen))), dim=2)
    return linear(t, "fc.conv", bn(t, "asp_bn.norm", torch.cat(statistics(attention), dim=1)))


def taoruijie(t, features):
    x = bn(t, "bn1", F.relu(conv(t, "conv1", features.transpose(1, 2), padding=2)))

    def block(b, x, dilation):
        y = bn(t, f"{b}bn1", F.relu(conv(t, f"{b}conv1", x)))
        parts = torch.split(y, y.shape[1] // 8, 1)
        outs = []
        for i in range(7):
            sp = parts[i] if i == 0 else outs[-1] + parts[i]
            sp = bn(t, f"{b}bns.{i}", F.relu(conv(t, f"{b}convs.{i}", sp, padding=dilation, dilation=dilation)))
            outs.append(sp)
        y = bn(t, f"{b}bn3", F.relu(conv(t, f"{b}conv3", torch.cat((*outs, parts[7]), 1))))
        gain = torch.sigmoid(conv(t, f"{b}se.se.3", F.relu(conv(t, f"{b}se.se.1", F.adaptive_avg_pool1d(y, 1)))))
        return y * gain + x

    x1 = block("layer1.", x, 2)
    x2 = block("layer2.", x + x1, 3)
    x3 = block("layer3.", x + x1 + x2, 4)
    x = F.relu(conv(t, "layer4", torch.cat((x1, x2, x3), dim=1)))
    mean = x.mean(2, keepdim=True).expand_as(x)
    std = torch.sqrt(torch.var(x, dim=2, keepdim=True).clamp(min=1e-4)).expand_as(x)
    seen = bn(t, "attention.2", F.relu(conv(t, "attention.0", torch.cat((x, mean, std), dim=1))))
    w = torch.softmax(conv(t, "attention.4", torch.tanh(seen)), dim=2)
    mu = torch.sum(x * w, dim=2)
    sg = torch.sqrt((torch.sum((x**2) * w, dim=2) - mu**2).clamp(min=1e-4))
    return bn(t, "bn6", linear(t, "fc6", bn(t, "bn5", torch.cat((mu, sg), 1))))
