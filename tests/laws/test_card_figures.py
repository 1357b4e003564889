"""The figures on every published card are those that explain reads from its file, today."""

import math

import pytest

from voxfield.cards import WHOLE_INPUT, cards, resolve
from voxfield.export.figures import describe, field_samples


@pytest.fixture(params=cards(), ids=lambda card: card.name)
def published(request):
    """(card, explain's report on its file)."""
    card = request.param
    return card, describe(resolve(card.name)[1].read_bytes(), card.interface)


def test_size_and_cost(published):
    card, report = published
    assert report.costs.params.value == card.parameters
    counted = report.costs.macs_per_second if card.interface.sample_rate_hz else report.costs.macs
    assert round(counted.value) == card.macs
    assert not report.costs.params.missing and not counted.missing


def test_state(published):
    card, report = published
    if not card.interface.streaming:
        assert card.states == () and card.state_floats == 0
    else:
        assert report.costs.state.value == card.state_floats == sum(math.prod(state.shape) for state in card.states)


def test_field(published):
    card, report = published
    assert field_samples(report, card.interface) == card.field_samples


def test_latency(published):
    card, report = published
    if card.interface.input.kind == "spectrum":
        assert report.field("time").lookahead == 0  # frames look nowhere ahead; what is ahead lies in the window
        assert card.interface.lookahead_samples == card.interface.window_samples - card.interface.hop_samples
    elif not card.interface.streaming and card.interface.input.free_axis is not None:
        waits = report.field("time").latency is None  # for the end of the recording; others look both ways, but not far
        assert waits == (card.field_samples == WHOLE_INPUT)
