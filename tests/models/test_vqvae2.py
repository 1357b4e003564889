"""VQ-VAE-2: sizes of the reference, order of the tokens, and what a configuration cannot be."""

import pytest
import torch

from voxfield.errors import InputError
from voxfield.models.vqvae2 import Vqvae2, Vqvae2Config, packed, unpacked


@torch.no_grad()
def test_the_defaults_are_rosinalitys():
    net = Vqvae2(Vqvae2Config()).eval()
    stored = [value for name, value in net.state_dict().items() if not name.endswith("started")]
    assert len(stored) == 64 and sum(value.numel() for value in stored) == 1_520_963
    codes = net.encode(torch.zeros(1, 3, 256, 256))
    assert [of_level.shape for of_level in codes] == [(1, 32, 32), (1, 64, 64)]
    assert net.parts()[""].interface().output.shape == (32 + 2 * 64, 32)


def test_a_column_of_tokens_is_one_step_of_the_top_map():
    config = Vqvae2Config(image_px=16)  # 2 x 2 codes on top, 4 x 4 below
    top = torch.tensor([[[0, 1], [2, 3]]])
    bottom = 10 + torch.arange(16).reshape(1, 4, 4)
    tokens = packed([top, bottom], config)
    assert tokens[0, :, 0].tolist() == [0, 2, 10, 14, 18, 22, 11, 15, 19, 23]
    assert all(map(torch.equal, unpacked(tokens, config), [top, bottom]))


@torch.no_grad()
def test_three_levels():
    config = Vqvae2Config(bands=32, levels=3, channels=8, codes=16)
    net = Vqvae2(config).eval()
    codes = net.encode(torch.randn(2, 32, 48))
    assert [of_level.shape for of_level in codes] == [(2, 2, 3), (2, 4, 6), (2, 8, 12)]
    assert net.decode(codes).shape == (2, 32, 48)


@pytest.mark.parametrize(
    "wrong", [{"image_px": 100}, {"bands": 12}, {"channels": 7}, {"codes": 0}, {"update": "adam"}, {"levels": 0}]
)
def test_what_cannot_be(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        Vqvae2Config(**wrong)
