"""Conv-TasNet: sizes and frames of the published configurations, lengths, and the streaming form of every variant."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from voxfield.errors import InputError
from voxfield.models.conv_tasnet import CONFIGS, PADDINGS, SMALL, ConvTasNet, ConvTasNetConfig

TINY = ConvTasNetConfig(
    filters=12, kernel_samples=8, stride_samples=4, bottleneck=6, hidden=10, skip=5, blocks=3, repeats=2
)
CAUSAL = {
    "cumulative": replace(TINY, causal=True, norm="cumulative", first_norm="cumulative"),
    "frame": replace(TINY, causal=True, norm="frame", first_norm="frame"),
    "batch": replace(TINY, causal=True, norm="batch", first_norm="frame"),
    "no skip": replace(TINY, causal=True, norm="frame", first_norm="cumulative", skip=0, mask="softmax"),
    "three voices": replace(TINY, causal=True, norm="frame", first_norm="frame", sources=3, mask="relu"),
    "no zeros before": replace(TINY, causal=True, norm="cumulative", first_norm="cumulative", padding="none"),
    "long window": replace(TINY, causal=True, norm="frame", first_norm="frame", kernel_samples=16),
    "long window, no zeros": replace(
        TINY,
        causal=True,
        norm="cumulative",
        first_norm="frame",
        kernel_samples=16,
        padding="none",
        encoder_activation="sigmoid",
    ),
    "plain": replace(
        TINY, causal=True, norm="frame", first_norm="frame", bias=False, mask_prelu=False, encoder_activation="relu"
    ),
}
WHOLE = {
    "global": TINY,
    "channel": replace(TINY, norm="channel", first_norm="channel"),
    "causal but global": replace(TINY, causal=True),
    "no skip": replace(TINY, skip=0),
    "one voice": replace(TINY, sources=1, mask="linear"),
    "paper's ends": replace(TINY, padding="paper"),
    "aligned ends": replace(TINY, padding="align", last_residual=True),
    "no zeros": replace(TINY, padding="none"),
}


def network(config):
    torch.manual_seed(0)
    net = ConvTasNet(config).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return net


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("paper", 5_050_545), ("four-repeats", 8_710_720), ("long-window", 6_908_097), ("paper-causal", 5_050_545)],
)
def test_published_sizes(name, parameters):
    with torch.device("meta"):
        net = ConvTasNet(replace(CONFIGS[name], basis="random"))
    assert sum(p.numel() for p in net.parameters()) == parameters


def test_the_long_window_gives_185_frames_for_3200_samples():
    config = CONFIGS["long-window"]
    assert (3200 + sum(config.ends(3200)) - config.kernel_samples) // config.stride_samples + 1 == 185


@pytest.mark.parametrize("config", [*CAUSAL.values(), *WHOLE.values()], ids=[*CAUSAL, *(f"{w}." for w in WHOLE)])
@torch.no_grad()
def test_every_length_comes_out_whole(config):
    net = network(config)
    for n in (1, 3, 4, 5, 16, 17, 50, 101):
        y = net.separate(torch.randn(1, 1, n))
        assert y.shape == (1, config.sources, n)
        assert torch.isfinite(y).all()


@pytest.mark.parametrize("config", CAUSAL.values(), ids=CAUSAL)
@torch.no_grad()
def test_streamed_equals_whole(config):
    net, hop = network(config), config.stride_samples
    x = torch.randn(2, 1, 60 * hop)
    whole = net(x)[0]
    rng = np.random.default_rng(0)
    for _ in range(4):
        cuts = np.sort(rng.choice(np.arange(1, 60), 6, replace=False))
        state, parts = None, []
        for block in x.split((np.diff([0, *cuts, 60]) * hop).tolist(), dim=-1):
            y, state = net(block, state)
            parts.append(y)
        assert (torch.cat(parts, -1) - whole).abs().max() <= 1e-5 * whole.abs().max()


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("config", CAUSAL.values(), ids=CAUSAL)
@torch.no_grad()
def test_the_stream_is_the_recording_late_by_the_lookahead(config, padding):
    """But for the samples at the end that lack frames offline, which only the stream has."""
    config = replace(config, padding=padding)
    net, hop, late = network(config), config.stride_samples, config.lookahead_samples
    for n in (40 * hop, 40 * hop + 3):
        x = torch.randn(1, 1, n)
        fed = torch.cat([x, torch.zeros(1, 1, late + -(n + late) % hop)], -1)
        done = n - config.unfinished_samples(n)
        assert done >= n - config.kernel_samples
        stream, aligned = net(fed)[0][..., late : late + done], net.separate(x)[..., :done]
        assert (stream - aligned).abs().max() <= 1e-5 * aligned.abs().max()


@pytest.mark.parametrize("padding", ["cover", "align"])
@pytest.mark.parametrize(("window", "stride"), [(8, 4), (16, 4), (12, 5), (9, 3)])
def test_padding_that_covers_gives_every_sample_all_of_its_frames(padding, window, stride):
    """The first sample lies in as many windows as any other; `align` promises that for windows of two strides."""
    if padding == "align" and window != 2 * stride:
        return
    config = replace(TINY, kernel_samples=window, stride_samples=stride, padding=padding)
    for n in (1, 7, 40, 41):
        left, right = config.ends(n)
        starts = range(0, left + n + right - window + 1, stride)
        counts = [sum(start <= left + at < start + window for start in starts) for at in range(n)]
        assert min(counts) >= window // stride and max(counts) <= -(-window // stride)
        assert left + n + right - starts[-1] == window  # and nothing is left over


@pytest.mark.parametrize("activation", ["relu", "linear"])
@torch.no_grad()
def test_cosines_give_a_recording_back_at_its_level(activation):
    """With masks of one and before any training, encoder and decoder keep the level of white noise."""
    config = replace(SMALL, blocks=1, repeats=1, encoder_activation=activation, mask="linear", sources=1, hidden=8)
    net = network(config)
    net.masker.head.weight.zero_()
    net.masker.head.bias.fill_(1.0)
    x = torch.randn(1, 1, 8000, generator=torch.Generator().manual_seed(0))
    middle = slice(1000, 7000)
    y = net.separate(x)[..., middle]
    gain = float((y * x[..., middle]).sum() / x[..., middle].square().sum())
    assert abs(gain - config.filters / (2 * config.kernel_samples)) < 0.1  # 1: two filters of unit norm a sample


@pytest.mark.parametrize("config", CAUSAL.values(), ids=CAUSAL)
@torch.no_grad()
def test_the_future_beyond_the_window_does_not_reach_back(config):
    net, hop = network(config), config.stride_samples
    x = torch.randn(1, 1, 30 * hop)
    changed = x.clone()
    changed[..., 20 * hop :] = float("nan")
    assert torch.equal(net(changed)[0][..., : 20 * hop], net(x)[0][..., : 20 * hop])


@pytest.mark.parametrize("config", [TINY, CAUSAL["cumulative"], WHOLE["no zeros"]], ids=["whole", "causal", "no zeros"])
@torch.no_grad()
def test_silence_gives_silence(config):
    assert not network(config).separate(torch.zeros(1, 1, 101)).any()


def test_a_network_that_cannot_stream_says_why_and_has_no_state():
    for name, reason in (("global", "look ahead"), ("causal but global", "whole recording")):
        net = network(WHOLE[name])
        assert net.initial_state(1) == ()
        assert reason in net.interface().not_streaming_because
        assert not net.interface().streaming


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"norm": "layer"}, "norm is 'layer'"),
        ({"stride_samples": 9}, "longer than kernel_samples"),
        ({"sources": 0}, "sources is 0"),
        ({"kernel_frames": 2}, "no middle frame"),
        ({"mask": "elu"}, "mask is 'elu'"),
    ],
)
def test_impossible_configurations_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        replace(TINY, **change)
