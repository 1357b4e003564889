"""Small checkpoints under the names and shapes of four programs, with random values."""

import torch

N, L, B, H, SC = 10, 8, 6, 9, 5


def conv(t, name, out, into, kernel=1, bias=True):
    t[f"{name}.weight"] = torch.randn(out, into, kernel) / (into * kernel) ** 0.5
    if bias:
        t[f"{name}.bias"] = 0.1 * torch.randn(out)


def prelu(t, name):
    t[f"{name}.weight"] = torch.rand(1) * 0.5


def norm(t, name, channels, scale, offset, shape=(-1,), batch=False):
    t[f"{name}.{scale}"] = (0.5 + torch.rand(channels)).reshape(shape)
    t[f"{name}.{offset}"] = (0.1 * torch.randn(channels)).reshape(shape)
    if batch:
        t[f"{name}.running_mean"], t[f"{name}.running_var"] = 0.1 * torch.randn(channels), 0.5 + torch.rand(channels)
        t[f"{name}.num_batches_tracked"] = torch.tensor(7)


def asteroid(blocks, sources=2, causal=False, skip=True, batch=False, kernel=L):
    t, names = {}, ("weight", "bias") if batch else ("gamma", "beta")
    t["encoder.filterbank._filters"] = torch.randn(N, 1, kernel)
    norm(t, "masker.bottleneck.0", N, *names, batch=batch)
    conv(t, "masker.bottleneck.1", B, N)
    for i in range(blocks):
        b = f"masker.TCN.{i}."
        conv(t, b + "shared_block.0", H, B)
        prelu(t, b + "shared_block.1")
        norm(t, b + "shared_block.2", H, *names, batch=batch)
        conv(t, b + "shared_block.3" + (".0" if causal else ""), H, 1, 3)
        prelu(t, b + "shared_block.4")
        norm(t, b + "shared_block.5", H, *names, batch=batch)
        conv(t, b + "res_conv", B, H)
        if skip:
            conv(t, b + "skip_conv", SC, H)
    prelu(t, "masker.mask_net.0")
    conv(t, "masker.mask_net.1", sources * N, SC if skip else B)
    t["decoder.filterbank._filters"] = torch.randn(N, 1, kernel)
    return t


def torchaudio(blocks, sources=2, kernel=L):
    t = {"encoder.weight": torch.randn(N, 1, kernel)}
    norm(t, "mask_generator.input_norm", N, "weight", "bias")
    conv(t, "mask_generator.input_conv", B, N)
    for i in range(blocks):
        b = f"mask_generator.conv_layers.{i}."
        conv(t, b + "conv_layers.0", H, B)
        prelu(t, b + "conv_layers.1")
        norm(t, b + "conv_layers.2", H, "weight", "bias")
        conv(t, b + "conv_layers.3", H, 1, 3)
        prelu(t, b + "conv_layers.4")
        norm(t, b + "conv_layers.5", H, "weight", "bias")
        if i < blocks - 1:
            conv(t, b + "res_out", B, H)
        conv(t, b + "skip_out", B, H)
    prelu(t, "mask_generator.output_prelu")
    conv(t, "mask_generator.output_conv", sources * N, B)
    t["decoder.weight"] = torch.randn(N, 1, kernel)
    return t


def naplab(blocks, causal=False, sources=2):
    names, shape = (("gain", "bias"), (1, -1, 1)) if causal else (("weight", "bias"), (-1,))
    t = {"encoder.weight": torch.randn(N, 1, L)}
    norm(t, "TCN.LN", N, *names, shape)
    conv(t, "TCN.BN", B, N)
    for i in range(blocks):
        b = f"TCN.TCN.{i}."
        conv(t, b + "conv1d", H, B)
        conv(t, b + "dconv1d", H, 1, 3)
        conv(t, b + "res_out", B, H)
        conv(t, b + "skip_out", B, H)
        prelu(t, b + "nonlinearity1")
        prelu(t, b + "nonlinearity2")
        norm(t, b + "reg1", H, *names, shape)
        norm(t, b + "reg2", H, *names, shape)
    prelu(t, "TCN.output.0")
    conv(t, "TCN.output.1", sources * N, B)
    t["decoder.weight"] = torch.randn(N, 1, L)
    return t


def kaituoxu(repeats, blocks, causal=False, sources=2, batch=False):
    names = ("weight", "bias") if batch else ("gamma", "beta")
    shape = (-1,) if batch else (1, -1, 1)
    t = {"encoder.conv1d_U.weight": torch.randn(N, 1, L)}
    norm(t, "separator.network.0", N, "gamma", "beta", (1, -1, 1))
    conv(t, "separator.network.1", B, N, bias=False)
    for r in range(repeats):
        for x in range(blocks):
            b = f"separator.network.2.{r}.{x}."
            conv(t, b + "net.0", H, B, bias=False)
            prelu(t, b + "net.1")
            norm(t, b + "net.2", H, *names, shape, batch=batch)
            conv(t, b + "net.3.net.0", H, 1, 3, bias=False)
            prelu(t, f"{b}net.3.net.{1 + causal}")
            norm(t, f"{b}net.3.net.{2 + causal}", H, *names, shape, batch=batch)
            conv(t, f"{b}net.3.net.{3 + causal}", B, H, bias=False)
    conv(t, "separator.network.3", sources * N, B, bias=False)
    t["decoder.basis_signals.weight"] = torch.randn(L, N)
    return t
