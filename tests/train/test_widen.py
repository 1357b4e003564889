"""scripts/widen.py: a larger network begins where the smaller one stands."""

import runpy
from pathlib import Path

import pytest
import torch

from voxfield.models.crn_band import BandCrn, BandCrnConfig

widen = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "widen.py"))["widen"]
SMALL = BandCrnConfig(channels=24, bands=16, hidden=24, blocks=2)
LARGE = BandCrnConfig(channels=32, depth=2, bands=20, hidden=40, blocks=3)


@pytest.fixture
def nets():
    """A smaller network that is no wire and has seen input, and an untrained larger one."""
    torch.manual_seed(3)
    small, large = BandCrn(SMALL), BandCrn(LARGE)
    with torch.no_grad():
        small.mask.weight.mul_(10)
        for _ in range(20):  # statistics of the norms
            small(noise())
    return small.eval(), large.eval()


def noise():
    return torch.randn(2, 2, 257, 20)


def difference(one, other):
    x = noise()
    with torch.no_grad():
        wanted = one(x)[0]
        return float((other(x)[0] - wanted).norm() / (wanted - x).norm())


def test_the_wider_network_does_almost_the_same(nets):
    small, large = nets
    before = difference(small, large)
    large.load_state_dict(widen(small.state_dict(), large))
    assert difference(small, large) < 0.2 < 0.5 < before


def test_each_further_unit_can_part_from_the_one_it_copies(nets):
    small, large = nets
    weights = widen(small.state_dict(), large)["to_hidden.weight"]
    nearest = torch.cdist(weights, weights).fill_diagonal_(torch.inf).min(1).values
    assert nearest.min() > 1e-3


def test_more_than_twice_as_many_units_are_refused(nets):
    small, _ = nets
    with pytest.raises(SystemExit, match="from 24 units to 64"):
        widen(small.state_dict(), BandCrn(BandCrnConfig(channels=64, bands=16, hidden=24, blocks=2)))
