"""Conv-TasNet read straight off another program's tensors, with that program's own order of operations and ends.

Written from the facts about each program, with nothing of voxfield's network in it: conversions are checked against it.
"""

import torch
import torch.nn.functional as F

EPS = 1e-8
ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: x.clamp(min=0),
    "leaky_relu": lambda x: torch.where(x > 0, x, 0.01 * x),
    "sigmoid": lambda x: 1 / (1 + (-x).exp()),
    "tanh": lambda x: 1 - 2 / ((2 * x).exp() + 1),
    "softplus": lambda x: x.exp().log1p(),
    "gelu": lambda x: x / 2 * (1 + torch.erf(x / 2**0.5)),
    "swish": lambda x: x / (1 + (-x).exp()),
}


def separate(program, tensors, mixture, *, stride, blocks, norm, mask="sigmoid", encoder_activation="linear"):
    """Voices (B, S, N) of (B, N) as the program would give them."""
    return {"asteroid": asteroid, "torchaudio": torchaudio, "kaituoxu": kaituoxu, "naplab": naplab}[program](
        tensors, mixture, stride, blocks, norm, mask, encoder_activation
    )


def normalise(x, kind, scale, offset):
    scale, offset = scale.reshape(1, -1, 1), offset.reshape(1, -1, 1)
    if kind == "global":
        mean = x.mean((1, 2), keepdim=True)
        variance = ((x - mean) ** 2).mean((1, 2), keepdim=True)
    elif kind == "frame":
        mean = x.mean(1, keepdim=True)
        variance = ((x - mean) ** 2).mean(1, keepdim=True)
    else:
        count = x.shape[1] * torch.arange(1, x.shape[2] + 1, dtype=torch.float64)
        mean = (x.double().sum(1).cumsum(1) / count)[:, None]
        variance = (x.double().square().sum(1).cumsum(1) / count)[:, None] - mean**2
    return ((x - mean) / (variance + EPS).sqrt()).to(x) * scale + offset


def batch(x, t, name):
    mean, variance = t[f"{name}.running_mean"], t[f"{name}.running_var"]
    return F.batch_norm(x, mean, variance, t[f"{name}.weight"], t[f"{name}.bias"], eps=1e-5)


def conv(x, t, name, **options):
    return F.conv1d(x, t[f"{name}.weight"], t.get(f"{name}.bias"), **options)


def depthwise(x, t, name, dilation, causal):
    weight = t[f"{name}.weight"]
    reach = (weight.shape[-1] - 1) * dilation
    x = F.pad(x, (reach, 0) if causal else (reach // 2, reach // 2))
    return F.conv1d(x, weight, t.get(f"{name}.bias"), dilation=dilation, groups=len(weight))


def masks_of(scores, sources, mask):
    scores = scores.reshape(scores.shape[0], sources, -1, scores.shape[-1])
    if mask == "softmax":
        return scores.softmax(1)
    return ACTIVATIONS[mask](scores)


def asteroid(t, mixture, stride, blocks, norm, mask, encoder_activation):
    filters = t["encoder.filterbank._filters"]
    frames = F.conv1d(mixture[:, None], filters, stride=stride)
    frames = ACTIVATIONS[encoder_activation](frames)

    def gain(x, name):
        if f"{name}.running_mean" in t:
            return batch(x, t, name)
        return normalise(x, norm, t[f"{name}.gamma"], t[f"{name}.beta"])

    x = conv(gain(frames, "masker.bottleneck.0"), t, "masker.bottleneck.1")
    causal = any(".shared_block.3.0." in name for name in t)
    total, i = 0.0, 0
    while f"masker.TCN.{i}.shared_block.0.weight" in t:
        b = f"masker.TCN.{i}."
        y = F.prelu(conv(x, t, b + "shared_block.0"), t[b + "shared_block.1.weight"])
        y = gain(y, b + "shared_block.2")
        y = depthwise(y, t, b + "shared_block.3" + (".0" if causal else ""), 2 ** (i % blocks), causal)
        y = gain(F.prelu(y, t[b + "shared_block.4.weight"]), b + "shared_block.5")
        if f"{b}skip_conv.weight" in t:
            total = total + conv(y, t, b + "skip_conv")
        x = x + conv(y, t, b + "res_conv")
        i += 1
    x = total if isinstance(total, torch.Tensor) else x
    scores = conv(F.prelu(x, t["masker.mask_net.0.weight"]), t, "masker.mask_net.1")
    sources = scores.shape[1] // len(filters)
    voices = masks_of(scores, sources, mask) * frames[:, None]
    y = F.conv_transpose1d(voices.flatten(0, 1), t["decoder.filterbank._filters"], stride=stride)
    y = y.reshape(len(mixture), sources, -1)
    return F.pad(y, (0, mixture.shape[1] - y.shape[-1]))


def torchaudio(t, mixture, stride, blocks, norm, mask, encoder_activation):
    weight = t["encoder.weight"]
    odd = weight.shape[-1] % 2
    rest = mixture.shape[1] - (odd + (mixture.shape[1] - odd) // stride * stride)
    extra = stride - rest if rest else 0
    frames = F.conv1d(F.pad(mixture, (0, extra))[:, None], weight, stride=stride, padding=stride)

    def gain(x, name):
        return F.group_norm(x, 1, t[f"{name}.weight"], t[f"{name}.bias"], EPS)

    x = conv(gain(frames, "mask_generator.input_norm"), t, "mask_generator.input_conv")
    total, i = 0.0, 0
    while f"mask_generator.conv_layers.{i}.conv_layers.0.weight" in t:
        b = f"mask_generator.conv_layers.{i}."
        y = gain(F.prelu(conv(x, t, b + "conv_layers.0"), t[b + "conv_layers.1.weight"]), b + "conv_layers.2")
        y = depthwise(y, t, b + "conv_layers.3", 2 ** (i % blocks), False)
        y = gain(F.prelu(y, t[b + "conv_layers.4.weight"]), b + "conv_layers.5")
        total = total + conv(y, t, b + "skip_out")
        if f"{b}res_out.weight" in t:
            x = x + conv(y, t, b + "res_out")
        i += 1
    scores = conv(F.prelu(total, t["mask_generator.output_prelu.weight"]), t, "mask_generator.output_conv")
    sources = scores.shape[1] // len(weight)
    voices = masks_of(scores, sources, mask) * frames[:, None]
    y = F.conv_transpose1d(voices.flatten(0, 1), t["decoder.weight"], stride=stride, padding=stride)
    y = y.reshape(len(mixture), sources, -1)
    return y[..., :-extra] if extra else y


def naplab(t, mixture, stride, blocks, norm, mask, encoder_activation):
    weight = t["encoder.weight"]
    window, n = weight.shape[-1], mixture.shape[1]
    rest = window - (stride + n % window) % window
    frames = F.conv1d(F.pad(mixture, (stride, rest + stride))[:, None], weight, stride=stride)
    causal = norm == "cumulative"

    def gain(x, name):
        return normalise(x, norm, t[f"{name}.{'gain' if causal else 'weight'}"], t[f"{name}.bias"])

    x = conv(gain(frames, "TCN.LN"), t, "TCN.BN")
    total, i = 0.0, 0
    while f"TCN.TCN.{i}.conv1d.weight" in t:
        b = f"TCN.TCN.{i}."
        y = gain(F.prelu(conv(x, t, b + "conv1d"), t[b + "nonlinearity1.weight"]), b + "reg1")
        y = depthwise(y, t, b + "dconv1d", 2 ** (i % blocks), causal)
        y = gain(F.prelu(y, t[b + "nonlinearity2.weight"]), b + "reg2")
        x, total, i = x + conv(y, t, b + "res_out"), total + conv(y, t, b + "skip_out"), i + 1
    scores = conv(F.prelu(total, t["TCN.output.0.weight"]), t, "TCN.output.1")
    sources = scores.shape[1] // len(weight)
    voices = scores.sigmoid().reshape(len(mixture), sources, len(weight), -1) * frames[:, None]
    y = F.conv_transpose1d(voices.flatten(0, 1), t["decoder.weight"], stride=stride)
    return y[..., stride : -(rest + stride)].reshape(len(mixture), sources, -1)


def kaituoxu(t, mixture, stride, blocks, norm, mask, encoder_activation):
    weight = t["encoder.conv1d_U.weight"]
    frames = F.conv1d(mixture[:, None], weight, stride=stride).relu()
    first = "separator.network.0"
    x = normalise(frames, "frame", t[f"{first}.gamma"], t[f"{first}.beta"])
    x = conv(x, t, "separator.network.1")
    causal = any(name.endswith("net.3.net.4.weight") for name in t)

    def gain(x, name):
        if f"{name}.running_mean" in t:
            return batch(x, t, name)
        return normalise(x, norm, t[f"{name}.gamma"], t[f"{name}.beta"])

    r = k = 0
    while f"separator.network.2.{r}.{k}.net.0.weight" in t:
        b = f"separator.network.2.{r}.{k}."
        y = gain(F.prelu(conv(x, t, b + "net.0"), t[b + "net.1.weight"]), b + "net.2")
        y = depthwise(y, t, b + "net.3.net.0", 2**k, causal)
        y = gain(F.prelu(y, t[f"{b}net.3.net.{1 + causal}.weight"]), f"{b}net.3.net.{2 + causal}")
        x = x + conv(y, t, f"{b}net.3.net.{3 + causal}")
        k += 1
        if f"separator.network.2.{r}.{k}.net.0.weight" not in t:
            r, k = r + 1, 0
    scores = conv(x, t, "separator.network.3")
    sources = scores.shape[1] // len(weight)
    voices = masks_of(scores, sources, mask) * frames[:, None]  # (B, S, N, T)
    pieces = voices.transpose(2, 3) @ t["decoder.basis_signals.weight"].T  # (B, S, T, L)
    length = (pieces.shape[2] - 1) * stride + pieces.shape[3]
    y = torch.zeros(len(mixture), sources, max(length, mixture.shape[1]))
    for frame in range(pieces.shape[2]):
        y[..., frame * stride : frame * stride + pieces.shape[3]] += pieces[:, :, frame]
    return y
