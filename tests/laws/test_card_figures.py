"""The figures on every published card are those that explain reads from its file, today."""

import math

import pytest

from voxfield.cards import cards, resolve
from voxfield.export.figures import describe, field_samples


@pytest.fixture(params=cards(), ids=lambda card: card.name)
def published(request):
    """(card, what its file says of itself, explain's report on the file)."""
    card = request.param
    content = resolve(card.name)[1].read_bytes()
    about = card.to_dict()
    return card, about, describe(content, about)


def test_size_and_cost(published):
    card, _, report = published
    assert report.costs.params.value == card.parameters
    assert round(report.costs.macs_per_second.value) == card.macs_per_second
    assert not report.costs.params.missing and not report.costs.macs_per_second.missing


def test_state(published):
    card, _, report = published
    if not card.streaming:
        assert card.states == () and card.state_floats == 0
    else:
        assert report.costs.state.value == card.state_floats == sum(math.prod(state.shape) for state in card.states)


def test_field(published):
    card, about, report = published
    assert field_samples(report, about) == card.field_samples


def test_latency(published):
    card, _, report = published
    if card.interface == "spectrum":
        assert report.field("time").lookahead == 0  # frames look nowhere ahead; what is ahead lies in the window
        assert card.lookahead_samples == card.window_samples - card.hop_samples
    elif not card.streaming:
        assert report.field("time").latency is None  # it waits for the end of the recording
