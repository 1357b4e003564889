"""Streaming ONNX files as others write them: states of any name, squeezed axes, slice assignments, weights in nodes."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from voxfield.errors import ExplainError
from voxfield.explain import explain

F = TensorProto.FLOAT


def value(name, *shape):
    return helper.make_tensor_value_info(name, F, list(shape))


def weight(name, *shape):
    return numpy_helper.from_array(np.ones(shape, np.float32), name)


def numbers(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def model(nodes, inputs, outputs, constants=()):
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(constants))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


def one_frame_gru(state="a", after="b"):
    """(1, 1, 40) features of one frame -> GRU with a state -> (1, 1, 40); time is squeezed out and put back."""
    nodes = [
        helper.make_node("Squeeze", ["x", "dim1"], ["flat"]),
        helper.make_node("Unsqueeze", ["flat", "dim0"], ["seq"]),
        helper.make_node("GRU", ["seq", "W", "R", "", "", state], ["y", after], hidden_size=40),
        helper.make_node("Squeeze", ["y", "dim0"], ["z"]),
    ]
    constants = [numbers("dim0", 0), numbers("dim1", 1), weight("W", 1, 120, 40), weight("R", 1, 120, 40)]
    inputs, outputs = [value("x", 1, 1, 40), value(state, 1, 1, 40)], [value("z", 1, 1, 40), value(after, 1, 1, 40)]
    return model(nodes, inputs, outputs, constants)


@pytest.mark.parametrize(("state", "after"), [("h0", "hn"), ("lstm_in", "lstm_out"), ("state", "stateN")])
def test_a_frame_at_a_time_is_no_contraction_and_a_state_carries_the_past(state, after):
    report = explain(one_frame_gru(state, after))
    field = report.field("time")
    assert [name for name, _ in report.input_shapes] == ["x", state]
    assert field.whole_input == ()
    assert [cause.kind for cause in field.unbounded_past] == ["rnn"]
    assert (field.local_rf, field.hop, field.latency) == (1, 1, 1)
    assert report.costs.state.value == 40
    assert report.costs.params.value == 2 * 120 * 40


def test_a_state_of_any_name_is_known_by_its_sizes_and_a_second_signal_is_not_one():
    nodes = [
        helper.make_node("Concat", ["foo", "x"], ["long"], axis=2),
        helper.make_node("Conv", ["long", "w"], ["y"], kernel_shape=[3]),
        helper.make_node("Slice", ["long", "from", "to", "axis"], ["bar"]),
    ]
    constants = [weight("w", 4, 2, 3), numbers("from", 8), numbers("to", 10), numbers("axis", 2)]
    content = model(
        nodes, [value("x", 1, 2, 8), value("foo", 1, 2, 2)], [value("y", 1, 4, 8), value("bar", 1, 2, 2)], constants
    )
    report = explain(content)
    assert report.costs.state.value == 4
    assert [(f.input, f.phases[0].start, f.phases[0].end) for f in report.fields] == [("x", -2, 0)]
    both = [helper.make_node("Add", ["x", "foo"], ["y"]), helper.make_node("Sub", ["x", "foo"], ["bar"])]
    pair = [value("y", 1, 2, 8), value("bar", 1, 2, 8)]
    assert {f.input for f in explain(model(both, [value("x", 1, 2, 8), value("foo", 1, 2, 8)], pair)).fields} == {
        "x",
        "foo",
    }


def test_a_recurrence_written_out_has_no_end_in_the_past_and_an_overlap_has_one():
    worked = [
        helper.make_node("Tanh", ["state"], ["half"]),
        helper.make_node("Add", ["x", "half"], ["y"]),
        helper.make_node("Identity", ["y"], ["state_out"]),
    ]
    ends = [value("y", 1, 3, 1), value("state_out", 1, 3, 1)]
    field = explain(model(worked, [value("x", 1, 3, 1), value("state", 1, 3, 1)], ends)).field("time")
    assert [cause.operator for cause in field.unbounded_past] == ["state"]
    overlap = [
        helper.make_node("ConvTranspose", ["x", "w"], ["full"], strides=[4], kernel_shape=[8]),
        helper.make_node("Pad", ["tail", "pads"], ["long"]),
        helper.make_node("Add", ["full", "long"], ["sum"]),
        helper.make_node("Slice", ["sum", "zero", "four", "axis"], ["y"]),
        helper.make_node("Slice", ["sum", "four", "eight", "axis"], ["tail_out"]),
    ]
    constants = [weight("w", 2, 1, 8), numbers("pads", 0, 0, 0, 0, 0, 4), numbers("zero", 0), numbers("axis", 2)]
    constants += [numbers("four", 4), numbers("eight", 8)]
    ends = [value("y", 1, 1, 4), value("tail_out", 1, 1, 4)]
    field = explain(model(overlap, [value("x", 1, 2, 1), value("tail", 1, 1, 4)], ends, constants)).field("time")
    assert field.unbounded_past == ()


def test_a_slice_written_into_a_buffer_keeps_its_place():
    """Two layers share one buffer: what the first writes must not be taken for what the second reads."""
    index = np.array([[[[0, c, t] for t in range(2)] for c in range(2)]], np.int64)
    nodes = [
        helper.make_node("Slice", ["cache", "zero", "two", "axis"], ["first"]),
        helper.make_node("Concat", ["first", "x"], ["long"], axis=2),
        helper.make_node("Conv", ["long", "w"], ["a"], kernel_shape=[3]),
        helper.make_node("Slice", ["long", "one", "three", "axis"], ["kept"]),
        helper.make_node("ScatterND", ["cache", "index", "kept"], ["cache1"]),
        helper.make_node("Slice", ["cache1", "two", "four", "axis"], ["second"]),
        helper.make_node("Concat", ["second", "a"], ["long2"], axis=2),
        helper.make_node("Conv", ["long2", "w"], ["y"], kernel_shape=[3]),
        helper.make_node("Identity", ["cache1"], ["cache_out"]),
    ]
    constants = [weight("w", 2, 2, 3), numpy_helper.from_array(index, "index"), numbers("axis", 2)]
    constants += [numbers(name, n) for name, n in (("zero", 0), ("one", 1), ("two", 2), ("three", 3), ("four", 4))]
    inputs, outputs = [value("x", 1, 2, 1), value("cache", 1, 2, 4)], [value("y", 1, 2, 1), value("cache_out", 1, 2, 4)]
    field = explain(model(nodes, inputs, outputs, constants)).field("time")
    assert (field.phases[0].start, field.phases[0].end) == (-4, 0)
    assert not field.missing


def test_weights_in_constant_nodes_are_counted_and_scales_are_not():
    nodes = [
        helper.make_node("Constant", [], ["w"], value=weight("w", 4, 2, 3)),
        helper.make_node("Constant", [], ["b"], value=weight("b", 4)),
        helper.make_node("Constant", [], ["sign"], value=weight("sign", 4, 1)),
        helper.make_node("Conv", ["x", "w", "b"], ["y"], kernel_shape=[3]),
        helper.make_node("Mul", ["y", "sign"], ["z"]),
    ]
    report = explain(model(nodes, [value("x", 1, 2, 8)], [value("z", 1, 4, 6)]))
    assert report.costs.params.value == 4 * 2 * 3 + 4


def test_a_branch_chosen_by_the_sample_rate_is_taken_at_16_khz():
    then = helper.make_graph([helper.make_node("Neg", ["x"], ["t"])], "then", [], [value("t", 1, 2, 8)])
    other = helper.make_graph([helper.make_node("Exp", ["x"], ["e"])], "other", [], [value("e", 1, 2, 8)])
    nodes = [
        helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(np.array(16000, np.int64), "k")),
        helper.make_node("Equal", ["sr", "k"], ["same"]),
        helper.make_node("If", ["same"], ["y"], then_branch=then, else_branch=other),
    ]
    rate = helper.make_tensor_value_info("sr", TensorProto.INT64, [])
    report = explain(model(nodes, [value("x", 1, 2, 8), rate], [value("y", 1, 2, 8)]))
    assert "Neg" in {layer.source for layer in report.layers}
    assert any("16000" in note for note in report.notes)


def test_constants_are_evaluated_under_a_limit():
    nodes = [
        helper.make_node("ConstantOfShape", ["huge"], ["zeros"]),
        helper.make_node("ReduceSum", ["zeros"], ["sum"], keepdims=0),
        helper.make_node("Add", ["x", "sum"], ["y"]),
    ]
    report = explain(model(nodes, [value("x", 1, 2, 8)], [value("y", 1, 2, 8)], [numbers("huge", 10**6, 10**6)]))
    assert report.field("time").rf == 1


@pytest.mark.parametrize(
    ("node", "constants"),
    [
        (helper.make_node("Conv", ["x", "w"], ["y"], kernel_shape=[5]), [weight("w", 4, 2, 3)]),
        (helper.make_node("Conv", ["x", "w"], ["y"]), [weight("w", 4, 3, 3)]),
        (
            helper.make_node("GRU", ["x", "W", "R"], ["y"], hidden_size=7),
            [weight("W", 1, 12, 8), weight("R", 1, 12, 4)],
        ),
    ],
    ids=["kernel", "channels", "hidden"],
)
def test_weights_that_contradict_what_is_said_of_them_are_refused(node, constants):
    with pytest.raises(ExplainError, match=r"do not fit|cannot be worked out"):
        explain(model([node], [value("x", 1, 2, 8)], [value("y", 1, 4, 6)], constants))
