"""The CRN of the paper: sizes, what sees what, the epsilon of its norms."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from voxfield.models.crn import Crn, CrnConfig


def test_size_of_the_paper_and_of_the_keras_variant():
    def parameters(config):
        with torch.device("meta"):
            return sum(p.numel() for p in Crn(config).parameters())

    assert parameters(CrnConfig()) == 17_579_459
    assert parameters(CrnConfig()) - parameters(CrnConfig.keras()) == 16 * 3 + 32 * 3  # a frame less in two kernels
    assert CrnConfig().bands == (161, 80, 39, 19, 9, 4)


@torch.no_grad()
def test_the_top_two_bins_never_see_the_bottleneck():
    small = CrnConfig(filters=(2, 2, 2, 2, 2))
    net = Crn(small).eval()
    x = torch.rand(1, 1, 161, 3)
    before = net(x)[0]
    for parameter in net.lstm.parameters():
        parameter.add_(0.5)
    changed = (net(x)[0] - before).abs().amax((0, 1, 3)) > 0
    assert changed[:159].all() and not changed[159:].any()


@pytest.mark.parametrize("config", [CrnConfig(), CrnConfig.keras()], ids=["paper", "keras"])
@torch.no_grad()
def test_the_epsilon_of_the_norms_is_the_configured_one(config):
    """One encoder layer against the formula, where the variance is as small as the epsilon."""
    net = Crn(replace(config, filters=(2, 3, 4, 5, 6))).eval()
    net.encoder_norms[0].running_var.fill_(1e-4)
    x = torch.rand(1, 1, 161, 1)
    seen = []
    net.encoder[1].register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    net(x)
    scaled = net.encoder[0](x)[0] / (1e-4 + config.norm_epsilon) ** 0.5
    assert config.norm_epsilon == (1e-5 if config == CrnConfig() else 1e-3)
    torch.testing.assert_close(seen[0], F.elu(scaled), rtol=1e-4, atol=1e-5)
    epsilons = {norm.eps for norm in net.modules() if isinstance(norm, torch.nn.BatchNorm2d)}
    assert epsilons == {config.norm_epsilon}
