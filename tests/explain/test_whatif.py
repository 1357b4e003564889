"""What-if edits against the network that really has the change, ratios, and edits that cannot be made."""

from random import Random

import pytest
import torch
from torch import nn

from voxfield.errors import ExplainError
from voxfield.explain import explain, read
from voxfield.explain.compare import what_if
from voxfield.explain.what import settled
from voxfield.explain.whatif import edited, layers_of

WAV2VEC = "10/5 8/4 4/2 4/2 4/2"


def graph_of(text, **options):
    return read(settled(text, **options).what)


@pytest.mark.parametrize(
    ("edit", "after", "rf", "hop"),
    [
        ("layer2.stride=2", "10/5 8/2 4/2 4/2 4/2", 255, 80),
        ("layer1.kernel=20", "20/5 8/4 4/2 4/2 4/2", 475, 160),
        ("layer5.dilation=2", "10/5 8/4 4/2 4/2 4/2:2", 705, 160),
        ("drop layer5", "10/5 8/4 4/2 4/2", 225, 80),
        ("layer3.padding=1", "10/5 8/4 4/2p1 4/2 4/2", 465, 160),
        ("layer3.padding=2,0", "10/5 8/4 4/2p2,0 4/2 4/2", 465, 160),
        ("第2层.stride＝2", "10/5 8/2 4/2 4/2 4/2", 255, 80),
    ],
)
def test_an_edit_gives_the_network_that_has_it(edit, after, rf, hop):
    changed = explain(WAV2VEC, edits=[edit])
    other = explain(after)
    assert (changed.field("time").rf, changed.field("time").hop) == (rf, hop)
    assert [f.to_dict() for f in changed.fields] == [f.to_dict() for f in other.fields]


@pytest.mark.parametrize(
    ("edits", "after"),
    [
        (["layer2.filters=16"], "10/5@32b 8/4@16b 4/2@32b"),
        (["layer2.groups=4"], "10/5@32b 8/4@32g4b 4/2@32b"),
        (["layer1.filters=8", "layer3.kernel=6"], "10/5@8b 8/4@32b 6/2@32b"),
        (["drop layer2"], "10/5@32b 4/2@32b"),
        (["drop layer1"], "8/4@32b 4/2@32b"),
    ],
)
def test_costs_follow_the_edit(edits, after):
    shape = (1, 4000)
    changed = explain("10/5@32b 8/4@32b 4/2@32b", input_shape=shape, edits=edits).costs
    expected = explain(after, input_shape=shape).costs
    assert (changed.params, changed.macs, changed.state) == (expected.params, expected.macs, expected.state)
    assert changed.weight_bytes == expected.weight_bytes


@pytest.mark.parametrize(("kernel", "before", "after"), [(3, 75497472, 8978432), (5, 209715200, 10027008)])
def test_a_depthwise_separable_layer_costs_one_over_n_plus_one_over_k_squared(kernel, before, after):
    graph = graph_of(f"{kernel}x{kernel}@128p{kernel // 2}", input_shape=(64, 32, 32))
    change = what_if(graph, ["layer1=depthwise-separable"])
    (one,) = change.separable
    assert (one.macs_before, one.macs_after) == (before, after)
    assert one.ratio == pytest.approx(float(one.formula), abs=1e-15)
    assert float(one.formula) == pytest.approx(1 / 128 + 1 / kernel**2)
    assert change.before.field("time").to_dict() == change.after.field("time").to_dict()


class Small(nn.Module):
    """Encoder, residual dilated blocks with batch norm, recurrence on merged features, decoder; a skip to the mask."""

    def __init__(self, wide=8, both=True, causal=False, hidden=12):
        super().__init__()
        self.enc = nn.Conv1d(1, wide, 8, stride=4)
        self.pads = [(2 * d, 0) if causal else (d, d) for d in (1, 2)]
        self.convs = nn.ModuleList(nn.Conv1d(wide, wide, 3, dilation=d) for d in (1, 2))
        self.norms = nn.ModuleList(nn.BatchNorm1d(wide) for _ in range(2))
        self.rnn = nn.LSTM(wide, hidden, bidirectional=both, batch_first=True)
        self.out = nn.Linear(hidden * (2 if both else 1), wide)
        self.dec = nn.ConvTranspose1d(wide, 1, 8, stride=4)

    def forward(self, x):
        w = y = self.enc(x)
        for pad, conv, norm in zip(self.pads, self.convs, self.norms, strict=True):
            y = y + torch.relu(norm(conv(nn.functional.pad(y, pad))))
        z, _ = self.rnn(y.transpose(1, 2))
        return self.dec(w * torch.sigmoid(self.out(z).transpose(1, 2)))


def figures(report):
    field = report.field("time")
    costs = report.costs
    return (
        field.rf,
        field.local_rf,
        field.ahead,
        field.past,
        field.latency,
        len(field.whole_input),
        costs.params.value,
        costs.macs.value,
        costs.weight_bytes.value,
        costs.activation_peak.value,
    )


@pytest.mark.parametrize(
    ("edits", "settings"),
    [
        (["rnn.bidirectional=false"], {"both": False}),
        (["rnn.hidden=20"], {"hidden": 20}),
        (["rnn.hidden=5", "rnn.bidirectional=no"], {"both": False, "hidden": 5}),
    ],
)
def test_edits_of_a_traced_module_give_the_module_built_that_way(edits, settings):
    shape = (1, 1, 400)
    changed = explain(Small().eval(), input_shape=shape, edits=edits)
    built = explain(Small(**settings).eval(), input_shape=shape)
    assert figures(changed) == figures(built)


def test_causal_moves_padding_turns_recurrence_and_keeps_sizes():
    shape = (1, 1, 400)
    changed = explain(Small().eval(), input_shape=shape, edits=["causal"])
    built = explain(Small(both=False, causal=True).eval(), input_shape=shape)
    field, other = changed.field("time"), built.field("time")
    assert not field.whole_input
    assert field.lookahead == 0
    assert field.local_rf == other.local_rf
    assert changed.costs.params.value == built.costs.params.value
    assert [layer.out_shape[0] for layer in changed.layers]


def test_causal_leaves_a_causal_network_as_it_is():
    text = "3causal 3:2causal 3:4causal"
    before, after = explain(text, input_shape=(99,)), explain(text, input_shape=(99,), edits=["causal"])
    assert [f.to_dict() for f in before.fields] == [f.to_dict() for f in after.fields]


def test_causal_leaves_the_frequency_axis_alone():
    after = explain("3x3same 2x3same", input_shape=(20, 33), edits=["causal"])
    assert after.field("time").ahead == 0
    assert (after.field("freq").ahead, after.field("freq").past) == (2, 2)
    assert after.field("time").out_size == 20


def test_filters_flow_through_norms_and_depthwise_layers():
    code = "nn.Sequential(nn.Conv1d(1, {0}, 3), nn.BatchNorm1d({0}), nn.Conv1d({0}, {0}, 3, groups={0}), nn.PReLU({0}),"
    code += "nn.GroupNorm(1, {0}), nn.Conv1d({0}, 4, 1))"
    changed = explain(code.format(16), input_shape=(1, 50), edits=["layer1.filters=24"]).costs
    built = explain(code.format(24), input_shape=(1, 50)).costs
    assert (changed.params, changed.macs, changed.weight_bytes) == (built.params, built.macs, built.weight_bytes)


class Similar(nn.Module):
    """A matrix product of what a convolution gives with itself."""

    def __init__(self, filters):
        super().__init__()
        self.conv = nn.Conv1d(1, filters, 3)

    def forward(self, x):
        x = self.conv(x)
        return x @ x.transpose(1, 2)


@pytest.mark.parametrize("filters", [2, 24])
def test_filters_flow_through_a_product_of_activations(filters):
    changed = explain(Similar(4), input_shape=(1, 1, 64), edits=[f"layer1.filters={filters}"])
    built = explain(Similar(filters), input_shape=(1, 1, 64))
    assert changed.output_shapes[0][1] == built.output_shapes[0][1] == (1, filters, filters)
    assert (changed.costs.macs, changed.costs.params) == (built.costs.macs, built.costs.params)


def test_layers_are_numbered_without_activations_and_norms():
    graph = graph_of(
        "nn.Sequential(nn.Conv1d(1, 4, 3), nn.ReLU(), nn.BatchNorm1d(4), nn.MaxPool1d(2), nn.Conv1d(4, 2, 1))"
    )
    assert [op.kind for op in layers_of(graph)] == ["conv", "pool", "conv"]
    assert edited(graph, ["layer3.kernel=5"]).ops[-1].windows[0].kernel == 5


BAD = [
    ("layer9.stride=2", "no layer 'layer9'"),
    ("layer2.stride=0", "from 1"),
    ("layer2.stride=-3", "from 1"),
    ("layer2.stride=two", "whole number"),
    ("layer2.speed=2", "no setting"),
    ("stride=2", "no setting"),
    ("faster", "not understood"),
    ("", "not understood"),
    ("layer1.filters=4", "not known"),
    ("layer1=depthwise-separable", "not known"),
    ("layer1.hidden=4", "has no hidden"),
    ("layer1.kernel=3x3", "1 axes"),
    ("layer1.kernel=99999999", "1000000"),
]


@pytest.mark.parametrize(("edit", "told"), BAD, ids=[edit for edit, _ in BAD])
def test_what_cannot_be_edited_says_why(edit, told):
    with pytest.raises(ExplainError) as caught:
        explain(WAV2VEC, edits=[edit])
    assert told in str(caught.value)
    assert f"'{edit}'" in str(caught.value)


def test_nothing_is_left_after_dropping_the_only_layer():
    with pytest.raises(ExplainError, match="No layer would be left"):
        explain("3", edits=["drop layer1"])


def test_an_edit_that_breaks_a_skip_names_the_join():
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv1d(4, 4, 3, padding=1), nn.Conv1d(4, 4, 1)

        def forward(self, x):
            return self.a(x) + self.b(x)

    with pytest.raises(ExplainError, match=r"(?s)layer1\.filters=6.*add.*\(1, 6, 20\) and \(1, 4, 20\)"):
        explain(Skip().eval(), input_shape=(1, 4, 20), edits=["layer1.filters=6"])


def test_random_edits_equal_the_text_written_that_way():
    """Two hundred chains with up to three edits each, against the same chain written with the edits in it."""
    random = Random(7)
    tried = 0
    while tried < 200:
        layers = [
            {
                "k": random.randint(1, 5),
                "s": random.randint(1, 3),
                "d": random.randint(1, 2),
                "f": random.choice((4, 8)),
            }
            for _ in range(random.randint(1, 4))
        ]
        edits = []
        before = written(layers)
        for _ in range(random.randint(1, 3)):
            at = random.randrange(len(layers))
            what, key = random.choice((("kernel", "k"), ("stride", "s"), ("dilation", "d"), ("filters", "f")))
            layers[at][key] = random.choice((4, 12)) if key == "f" else random.randint(1, 4)
            edits.append(f"layer{at + 1}.{what}={layers[at][key]}")
        if len(layers) > 1 and random.random() < 0.3:
            gone = random.randrange(len(layers))
            edits.append(f"drop layer{gone + 1}")
            del layers[gone]
        changed = explain(before, input_shape=(1, 700), rate_hz=100, edits=edits)
        expected = explain(written(layers), input_shape=(1, 700), rate_hz=100)
        assert [f.to_dict() for f in changed.fields] == [f.to_dict() for f in expected.fields], (before, edits)
        for cost in ("params", "macs", "macs_per_second", "state", "weight_bytes", "activation_total"):
            assert getattr(changed.costs, cost) == getattr(expected.costs, cost), (before, edits, cost)
        tried += 1


def written(layers):
    return " ".join(f"{one['k']}/{one['s']}:{one['d']}@{one['f']}b" for one in layers)
