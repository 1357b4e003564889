"""The band CRN's mask and input level, against their formulas."""

import pytest
import torch

from voxfield.errors import InputError, RecipeError
from voxfield.models import network
from voxfield.models.crn_band import BandCrn, BandCrnConfig
from voxfield.nn.level import MovingLevel

SMALL = BandCrnConfig(window_samples=64, hop_samples=32, channels=6, bands=3, hidden=5, blocks=1, level_frames=5)


@pytest.mark.parametrize(("real", "imag"), [(0.5493, 0.0), (0.3, 0.0), (0.0, 0.4), (-0.2, -0.7)])
@torch.no_grad()
def test_the_mask_is_a_complex_factor_of_up_to_two(real, imag):
    net = BandCrn(SMALL).eval()
    net.mask.weight.zero_()
    net.mask.bias.copy_(torch.tensor([real, imag]))
    x = torch.randn(1, 2, 33, 9)
    y = net(x)[0]
    factor = 2 * torch.complex(torch.tensor(real).tanh(), torch.tensor(imag).tanh())
    wanted = torch.complex(x[:, 0], x[:, 1]) * factor
    torch.testing.assert_close(torch.complex(y[:, 0], y[:, 1]), wanted)


@torch.no_grad()
def test_untrained_it_is_near_to_a_wire():
    torch.manual_seed(0)
    net, x = BandCrn(SMALL).eval(), torch.randn(1, 2, 33, 9)
    net.mask.weight.zero_()
    torch.testing.assert_close(net(x)[0], x, atol=1e-3, rtol=1e-3)


@torch.no_grad()
def test_the_level_of_the_input_does_not_matter():
    torch.manual_seed(0)
    net, x = BandCrn(SMALL).eval(), torch.randn(1, 2, 33, 20)
    torch.testing.assert_close(net(10 * x)[0], 10 * net(x)[0], atol=1e-2, rtol=1e-2)


@torch.no_grad()
def test_the_moving_level_is_the_mean_of_its_window():
    x = torch.rand(2, 1, 20)
    level = MovingLevel(5)(x)[0]
    for t in range(20):
        wanted = x[..., max(0, t - 4) : t + 1].mean(-1) + 1e-5
        torch.testing.assert_close(level[..., t], wanted)


@torch.no_grad()
def test_the_floor_of_the_level_keeps_silence_from_dividing_by_zero():
    level = MovingLevel(5)(torch.zeros(1, 1, 9))[0]
    torch.testing.assert_close(level, torch.full_like(level, 1e-5), rtol=1e-6, atol=0)


def test_a_level_of_one_frame_is_refused():
    with pytest.raises(InputError, match="2 frames or more, not 1"):
        MovingLevel(1)


@pytest.mark.parametrize(("changed", "message"), [({"channels": 0}, "hold no values"), ({"hidden": -3}, "negative")])
def test_numbers_that_make_no_network_are_refused(changed, message):
    with pytest.raises(RecipeError, match=f"makes no crn-band: .*{message}"):
        network("crn-band", BandCrnConfig(**changed))
