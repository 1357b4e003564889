"""Networks written as text: figures that are known, the grammar, and what is refused."""

import pytest

from voxfield.errors import ExplainError
from voxfield.explain import explain, read
from voxfield.explain.readers.text import looks_like_layers, read_text

KNOWN = [
    ("10/5 8/4 4/2 4/2 4/2", 16000, 465, 160, 29.0625, 10.0),
    ("3 3 3 3 3 3 3 3 3", 100, 19, 1, 190.0, 10.0),
    ("10/5 8/4 4/2 4/2 4/2 9*3", 16000, 3345, 160, 209.0625, 10.0),
    ("10/5 3/2 3/2 3/2 3/2 2/2 2/2", 16000, 400, 320, 25.0, 20.0),
    ("5*3/2", None, 63, 32, None, None),
]


@pytest.mark.parametrize(("text", "rate", "rf", "hop", "rf_ms", "hop_ms"), KNOWN)
def test_known_networks(text, rate, rf, hop, rf_ms, hop_ms):
    field = explain(text, rate_hz=rate).field("time")
    assert (field.rf, field.hop) == (rf, hop)
    assert (field.ms(field.rf), field.ms(field.hop)) == (rf_ms, hop_ms)


@pytest.mark.parametrize(
    ("text", "rf", "hop"),
    [
        ("3:2", 5, 1),
        ("4/2:3", 10, 2),
        ("^4/2", 2, "1/2"),
        ("4/2^", 2, "1/2"),
        ("4/2 ^4/2", 6, 1),
        ("max3/2 3", 7, 2),
        ("avg4", 4, 4),
    ],
)
def test_every_mark_moves_the_field(text, rf, hop):
    field = explain(text).field("time")
    assert field.rf == rf
    assert str(field.hop) == str(hop)


def test_two_axes_take_one_number_each():
    report = explain("1x3/1x2 2x3/1x2", input_shape=(20, 161))
    assert (report.field("time").rf, report.field("freq").rf) == (2, 7)
    assert (report.field("time").hop, report.field("freq").hop) == (1, 4)
    assert report.output_shapes[0][1] == (1, None, 19, 39)


def test_filters_give_costs_and_their_absence_is_said():
    known = explain("10/5@512 8/4@512", input_shape=(1, 16000)).costs
    assert known.params.value == 10 * 512 + 8 * 512 * 512
    assert known.macs.value == 10 * 512 * 3199 + 8 * 512 * 512 * 798
    unknown = explain("10/5 8/4", input_shape=(16000,)).costs
    assert unknown.params.value is None
    assert unknown.macs.value is None
    assert "layer1" in unknown.params.missing


def test_groups_bias_and_padding():
    graph = read(read_text("3@16g4p1b", (8, 100)))
    (op,) = graph.ops
    assert (op.groups, op.params, op.windows[0].pad_start, op.windows[0].pad_end) == (4, 2 * 3 * 16 + 16, 1, 1)
    assert graph.shape(op.outputs[0]) == (1, 16, 100)


def test_same_puts_the_odd_position_at_the_end_and_causal_at_the_start():
    assert explain("4same", input_shape=(50,)).field("time").ahead == 2
    assert explain("4causal", input_shape=(50,)).field("time").ahead == 0
    assert explain("4same", input_shape=(50,)).field("time").out_size == 50


def test_separators_of_several_kinds():
    for text in ("10/5, 8/4", "10/5 -> 8/4", "10/5，8/4", "10/5 | 8/4\n"):
        assert explain(text).field("time").rf == 45


BAD = [
    ("10/5 8/-4", "stride of -4"),
    ("0/1", "kernel of 0"),
    ("3/0", "stride of 0"),
    ("3:0", "dilation of 0"),
    ("3@0", "filters"),
    ("3@6g4", "4 groups"),
    ("3q", "'q'"),
    ("3p1same", "not both"),
    ("3@4@5", "twice"),
    ("1x2 1x2x3", "3 axes"),
    ("1x1x1x1", "4 axes"),
    ("max3@4", "pooling"),
    ("99999*3", "More than"),
    ("3/5000000", "above"),
    ("^4/999 ^4/999", "upsampling"),
]


@pytest.mark.parametrize(("text", "told"), BAD, ids=[text for text, _ in BAD])
def test_what_no_layer_can_be_is_refused_with_its_place(text, told):
    with pytest.raises(ExplainError) as caught:
        explain(text)
    assert told in str(caught.value)


def test_a_kernel_larger_than_its_input_names_the_layer():
    with pytest.raises(ExplainError, match=r"layer2.*larger than its input"):
        explain("10/5 100", input_shape=(50,))


def test_words_are_not_layers():
    assert looks_like_layers("10/5 8/4:2 ^4/2@64 max3/2 3*3")
    assert not looks_like_layers("hello world")
    assert not looks_like_layers("nn.Conv1d(1, 2, 3)")


def test_an_input_shape_that_is_none_is_refused():
    for shape in (5, "a"):
        with pytest.raises(ExplainError, match="One input shape"):
            explain("10/5 8/4", input_shape=shape)
