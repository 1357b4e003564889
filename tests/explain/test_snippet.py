"""Pasted code: layers, lines, functions and classes, prose around them, and names that nobody defined."""

import pytest

from voxfield.errors import ExplainError
from voxfield.explain import explain
from voxfield.explain.readers.python_lines import looks_like_code
from voxfield.explain.readers.snippet import read_snippet

ENCODER = "\n".join(f"layers.Conv2D(filters={n}, kernel_size=(1, 3), strides=(1, 2))" for n in (16, 32, 64, 128, 256))


def test_the_pasted_encoder_has_the_known_figures():
    report = explain(ENCODER)
    assert {f.axis: (f.rf, f.hop) for f in report.fields} == {"time": (1, 1), "freq": (63, 32)}
    assert [161, *(layer.field("freq").out_size for layer in report.layers)] == [161, 80, 39, 19, 9, 4]
    assert [layer.params for layer in report.layers] == [64, 1568, 6208, 24704, 98560]
    frames = report.field("time").in_size
    assert [layer.macs.value / frames for layer in report.layers] == [3840, 59904, 116736, 221184, 393216]
    assert [layer.values_per_frame.value for layer in report.layers] == [1280, 1248, 1216, 1152, 1024]
    assert any("161 bins" in note and "assumed" in note for note in report.notes)


def test_one_keras_line_and_one_torch_line():
    keras = explain("layers.Conv2D(filters=16, kernel_size=(1, 3), strides=(1, 2))(x)")
    assert keras.field("freq").rf == 3
    assert keras.costs.params.value == 64
    torch = explain("nn.Conv1d(1, 512, 256, bias=False, stride=16)", input_shape=(3200,))
    assert (torch.field("time").rf, torch.field("time").hop, torch.field("time").out_size) == (256, 16, 185)
    assert torch.costs.params.value == 512 * 256


def test_a_torch_line_without_a_length_leaves_costs_open():
    report = explain("nn.Conv1d(1, 512, 256, bias=False, stride=16)")
    assert report.costs.macs.value is None
    assert report.costs.params.value == 512 * 256


KERAS_FUNCTION = '''
下面是编码器和解码器：
```python
import tensorflow as tf
from tensorflow.keras import layers

def conv_block(x, filters, kernel=(2, 3)):
    """卷积 + 归一化 + 激活"""
    x = layers.ZeroPadding2D(((kernel[0] - 1, 0), (0, 0)))(x)   # 只在过去补零
    x = layers.Conv2D(filters, kernel, strides=(1, 2))(x)
    x = layers.BatchNormalization()(x)
    return layers.ELU()(x)

def crn(input_shape=(None, 161, 1)):
    inputs = layers.Input(shape=input_shape)
    x, skips = inputs, []
    for i, f in enumerate([16, 32, 64]):
        x = conv_block(x, f, (1, 3) if i == 0 else (2, 3))
        skips.append(x)
    t = layers.Reshape((-1, 19 * 64))(x)
    t = layers.LSTM(128, return_sequences=True)(t)
    t = layers.Dense(19 * 64)(t)
    x = layers.Reshape((-1, 19, 64))(t)
    for f, skip in zip([32, 16], skips[::-1]):
        x = layers.Concatenate()([x, skip])
        x = layers.Conv2DTranspose(f, (1, 3), strides=(1, 2), output_padding=(0, 0) if f == 32 else (0, 1))(x)
    x = layers.Concatenate()([x, skips[0]])
    outputs = layers.Conv2DTranspose(1, (1, 3), strides=(1, 2), activation='softplus')(x)
    return tf.keras.Model(inputs, outputs)
```
这样时间轴是因果的。
'''


def test_a_whole_function_with_prose_around_it():
    report = explain(KERAS_FUNCTION, input_shape=(50, 161, 1))
    time = report.field("time")
    assert time.unbounded_past
    assert time.ahead == 0
    assert time.local_rf == 3
    assert report.output_shapes[0][1] == (1, 50, 161, 1)
    lstm = next(layer for layer in report.layers if layer.kind == "rnn")
    assert lstm.params == 4 * (128 * (19 * 64 + 128) + 128)
    assert any("left out: line 2" in note for note in report.notes)


TORCH_CLASS = """
class Block(nn.Module):
    def __init__(self, ch, dilation, kernel=3):
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv1d(ch, ch, kernel, dilation=dilation, padding=dilation * (kernel - 1) // 2, groups=ch),
            nn.PReLU(),
            nn.Conv1d(ch, ch, 1),
        )

    def forward(self, x):
        return x + self.conv(x)


class Net(nn.Module):
    def __init__(self, ch=64, repeats=2, causal: bool = False):
        super().__init__()
        self.encoder = nn.Conv1d(1, ch, 16, stride=8, bias=False)
        self.blocks = nn.ModuleList()
        for _ in range(repeats):
            for i in range(3):
                self.blocks.append(Block(ch, 2 ** i))
        self.decoder = nn.ConvTranspose1d(ch, 1, 16, stride=8, bias=False)

    def forward(self, x):
        w = F.relu(self.encoder(x))
        y = w
        for block in self.blocks:
            y = block(y)
        return self.decoder(w * torch.sigmoid(y))
"""


def test_a_whole_torch_class():
    report = explain(TORCH_CLASS, input_shape=(1, 800))
    assert report.costs.params.value == 16 * 64 * 2 + 6 * (3 * 64 + 64 + 1 + 64 * 64 + 64)
    frames = 1 + 2 * 2 * (1 + 2 + 4) + 1  # what the masks see, and one frame more through the decoder's overlap
    assert report.field("time").rf == (frames - 1) * 8 + 16
    assert report.field("time").hop == 1
    assert report.output_shapes[0][1] == (1, 1, 800)


def test_names_come_from_the_code():
    names = [op.name for op in read_snippet(TORCH_CLASS, (1, 800)).ops]
    assert names[0] == "encoder"
    assert "blocks.0.conv.0" in names
    assert names[-1] == "decoder"


@pytest.mark.parametrize(
    "code",
    [
        "model = Sequential()\nmodel.add(layers.Conv1D(8, 4, strides=2, input_shape=(100, 1)))\nmodel.summary()",
        "keras.Sequential([layers.Input((100, 1)), layers.Conv1D(8, 4, strides=2)])",
        "x = inputs = tf.keras.Input(shape=(100, 1))\nx = Conv1D(8, 4, strides=2)(x)\nmodel = Model(inputs, x)",
        "net = nn.Sequential(nn.Conv1d(1, 8, 4, stride=2))\ny = net(torch.randn(1, 1, 100))",
        "self.conv = nn.Conv1d(1, 8, 4, stride=2)\nx = torch.zeros(1, 1, 100)\nx = self.conv(x)",
        "def f(x):\n    return layers.Conv1D(8, 4, 2)(x)\ny = f(layers.Input((100, 1)))",
        ">>> x = torch.rand(1, 1, 100)\n>>> nn.Conv1d(1, 8, 4, 2)(x)",
        "x = layers.Input((100, 1))\nfor k in [4]:\n    x = layers.Conv1D(8, k, strides=k // 2)(x)",
        "layers.Conv1D（8，4，strides＝2，input_shape＝(100, 1)）",
    ],
)
def test_many_ways_to_write_one_layer(code):
    report = explain(code, input_shape=(100, 1) if "input_shape＝" in code else None)
    assert (report.field("time").rf, report.field("time").hop, report.costs.params.value) == (4, 2, 40)
    assert report.field("time").out_size == 49


def test_habits_of_torch_code():
    """Gates, named layers, flags of training and of the machine, exceptions, sizes taken from the input."""
    code = """
class Net(nn.Module):
    def __init__(self, ch=8):
        super().__init__()
        self.body = nn.Sequential(OrderedDict([("conv", nn.Conv1d(1, 2 * ch, 4, 2)), ("gate", nn.GLU(dim=1))]))
        self.register_buffer("scale", torch.ones(1))
        device = "cuda" if torch.cuda.is_available() else "cpu"

    def forward(self, x):
        B, C, N = x.shape
        assert C == 1, "mono only"
        try:
            y = self.body(x)
        except RuntimeError:
            raise
        if self.training:
            y = nn.functional.dropout(y, 0.1)
        y = y.reshape(B, 8, -1)
        return F.glu(y, dim=1)
"""
    report = explain(code, input_shape=(1, 100))
    assert report.output_shapes[0][1] == (1, 4, 49)
    assert report.field("time").rf == 4
    assert report.costs.params.value == 4 * 16 + 16


def test_classes_that_derive_from_one_another():
    code = """
class Base(nn.Module):
    kernel = 3
    def __init__(self, ch, kernel):
        super().__init__()
        self.body = nn.Conv1d(1, ch, kernel)
    def encode(self, x):
        return self.body(x)
    def forward(self, x):
        return self.encode(x)

class Deeper(Base):
    def __init__(self, ch=4, **options):
        super(Deeper, self).__init__(ch, kernel=5)
        self.more = nn.Conv1d(ch, 2, 3, **options)
    def forward(self, x):
        return self.more(super().forward(x))
"""
    report = explain(code, input_shape=(1, 50))
    assert report.field("time").rf == 7
    assert [layer.name for layer in report.table] == ["body", "more"]


def test_keras_functions_that_ask_their_backend():
    code = """
def block(x, filters, stride=1, name=None):
    axis = 3 if backend.image_data_format() == "channels_last" else 1
    x = layers.Conv2D(filters, 3, strides=stride, padding="SAME", name=name + "_conv")(x)
    return layers.BatchNormalization(axis=axis, epsilon=1.001e-5, name=name + "_bn")(x)
x = block(layers.Input((56, 56, 64)), 32, name="a")
"""
    report = explain(code)
    assert report.layers[0].name == "a_conv"
    assert report.costs.params.value == 9 * 64 * 32 + 32 + 64


def test_a_layer_without_a_rule_is_listed_and_never_zero():
    report = explain("x = layers.Input((50, 4))\nx = layers.Lambda(loud)(x)\nx = layers.Conv1D(4, 3)(x)")
    assert report.unknown == ("lambda (Lambda)",)
    assert str(report.costs.macs.status) == "partial"


def test_lines_that_share_a_name_are_read_as_a_chain_aloud():
    report = explain("layers.Conv1D(8, 3)(x)\nlayers.Conv1D(8, 3)(x)", input_shape=(100, 1))
    assert report.field("time").rf == 5
    assert any("chain" in note for note in report.notes)


def test_a_function_that_gives_a_layer():
    found = explain("def first():\n    return layers.Conv2D(16, (1, 3), strides=(1, 2))")
    assert (found.field("freq").rf, found.field("freq").hop, found.costs.params.value) == (3, 2, 64)


def test_bidirectional_recurrence_sees_the_whole_input():
    report = explain("x = layers.Input((20, 8))\nx = layers.Bidirectional(layers.LSTM(16, return_sequences=True))(x)")
    field = report.field("time")
    assert [cause.operator for cause in field.whole_input] == ["bidirectional"]
    assert report.costs.params.value == 2 * 4 * (16 * (8 + 16) + 16)
    assert report.costs.macs.value == 20 * 2 * 4 * 16 * (8 + 16)


def test_branches_at_different_rates_are_refused_by_name():
    code = "x = layers.Input((64, 4))\na = layers.Conv1D(4, 2, strides=2, name='fast')(x)\n"
    code += "b = layers.Conv1D(4, 1, name='slow')(x)\nb = layers.Cropping1D((0, 32))(b)\ny = layers.Add()([a, b])"
    with pytest.raises(ExplainError, match="different rates"):
        explain(code)


UNRESOLVED = [
    ("x = layers.Conv2D(n_filters, (1, 3))(x)", 1, "n_filters"),
    ("x = Input((100, 1))\nx = layers.Conv1D(8, 3)(x)\ny = layers.Add()([x, other])", 3, "other"),
    ("x = Input((100, 1))\nx = helper(x)", 2, "helper"),
    ("n = load()\nx = Input((100, 1))\nx = layers.Conv1D(n, 3)(x)", 3, "load"),
    ("x = Input((100, 1))\nx = layers.Conv1D(8, 3.5)(x)", 2, "3.5"),
    ("x = Input((100, 1))\nx = layers.Conv1D(8, 0)(x)", 2, "a kernel of 0"),
    ("x = Input((100, 1))\nx = layers.Conv1D(8, 3, strides=-1)(x)", 2, "-1"),
    ("x = Input((10, 1))\nx = layers.Conv1D(8, 30)(x)", 2, "larger than its input"),
    ("x = Input((10, 1))\nx = layers.Conv9D(8, 30)(x)", 2, "Conv9D"),
    ("nn.Sequential(nn.Conv1d(1, 8, 3), nn.Conv1d(9, 8, 3))", 1, "takes 9 channels"),
    ("x = Input((10, 1))\nwhile True:\n    x = layers.Conv1D(8, 3)(x)", 2, "while"),
    ("x = Input((10, 1))\nif flag:\n    x = layers.Conv1D(8, 3)(x)", 2, "flag"),
    ("x = layers.Conv1D(8, 3(x)", 1, "neither a layer nor a function"),
    ("x = layers.Conv1D(8, kernel=3)(x)", 1, "kernel_size"),
    ("x = layers.Dense(8)(x)", 1, "--input"),
    ("def f(x):\n    y = nn.Conv1d(1, 8, 3)(x)\n    return y.view(1, y.shape[2] * 8)", 3, "--input"),
    ("x = Input((10, 1))\nx = layers.Conv1D(8, 10 ** 9 ** 9)(x)", 2, "too large"),
    ("x = Input((10, 1))\nfor i in range(10 ** 9):\n    x = layers.Conv1D(8, 3)(x)", 2, "range"),
    ("def f(x):\n    return f(x)\ny = f(layers.Input((10, 1)))", 2, "deep"),
    ("__import__('os').system('true')\nlayers.Conv1D(8, 3)(x)", 1, "__import__"),
]


def test_what_is_nested_deeper_than_python_reads_is_refused():
    with pytest.raises(ExplainError, match="nested too deeply"):
        explain("why " + "layers.Dense(1)(" * 300 + "x" + ")" * 300 + " 为什么")


@pytest.mark.parametrize(("code", "line", "told"), UNRESOLVED, ids=[told for _, _, told in UNRESOLVED])
def test_what_cannot_be_resolved_is_named_with_its_line(code, line, told):
    with pytest.raises(ExplainError) as caught:
        explain(code)
    assert f"line {line}" in str(caught.value)
    assert told in str(caught.value)


def test_nothing_is_ever_run(tmp_path):
    mark = tmp_path / "ran"
    code = f"open({str(mark)!r}, 'w').write('x')\nnn.Conv1d(1, 2, 3)"
    with pytest.raises(ExplainError, match="never run"):
        explain(code)
    assert not mark.exists()


def test_hostile_nesting_ends_in_a_message():
    for code in ("nn.Conv1d(1, 2, " + "(" * 300 + "3" + ")" * 300 + ")", "nn.Conv1d(1, 2, " + "-" * 20000 + "3)"):
        with pytest.raises(ExplainError):
            explain(code)


def test_code_is_told_from_words():
    assert looks_like_code("x = Conv2D(1, 2)(x)")
    assert looks_like_code("nn.Foo(3)")
    assert not looks_like_code("crn-small")


@pytest.mark.parametrize(
    "code",
    [
        "x = keras.Input((42, 42, 3)); y = keras.ops.max(x, axis=-1, keepdims=True); z = layers.Conv2D(4, 3)(y)",
        "x = torch.zeros(1, 3, 42, 42); y, _ = torch.max(x, 1, keepdim=True); z = nn.Conv2d(1, 4, 3)(y)",
        "x = torch.zeros(1, 3, 42, 42); y = x.max(1, keepdim=True).values; z = nn.Conv2d(1, 4, 3)(y)",
        "x = torch.zeros(1, 3, 42, 42); y = torch.max(x, 1, keepdim=True)[0]; z = nn.Conv2d(1, 4, 3)(y)",
    ],
)
def test_the_largest_along_a_dim(code):
    assert explain(code).costs.params.value == 4 * 9 + 4


def test_code_in_a_file_is_headed_by_its_name_and_every_layer_has_a_field(tmp_path):
    gate = "g = layers.Dense(1)(layers.GlobalAveragePooling2D(keepdims=True)({0}))\n"
    file = tmp_path / "two_gates.py"
    file.write_text(
        "a = layers.Input((8, 8, 1))\n" + gate.format("a") + "x = layers.Multiply()([a, g])\n"
        "b = layers.Input((8, 8, 1))\n" + gate.format("b") + "y = layers.Multiply()([b, g])\n"
        "model = keras.Model([a, b], layers.Add()([x, y]))\n"
    )
    shown = str(explain(file))
    assert shown.startswith("two_gates.py\n") and " ? " not in shown


@pytest.mark.parametrize(
    ("first", "shape"),
    [("x[..., ::2]", (1, 4, 32)), ("x[:, :, 1:-1]", (1, 4, 62)), ("x.chunk(2, dim=1)[0]", (1, 2, 64))],
)
def test_a_forward_may_begin_with_a_piece_of_its_input(first, shape):
    code = f"class N(nn.Module):\n def __init__(self):\n  super().__init__()\n  self.c = nn.Conv1d({shape[1]}, 2, 1)\n"
    code += f" def forward(self, x):\n  x = {first}\n  return self.c(x)"
    report = explain(code, input_shape=(1, 4, 64))
    assert report.output_shapes[0][1] == (1, 2, shape[2])


def test_a_linear_layer_behind_a_transposition_has_a_time_axis():
    code = "class N(nn.Module):\n def __init__(self):\n  super().__init__()\n  self.l = nn.Linear(4, 2)\n"
    code += " def forward(self, x):\n  return self.l(x.transpose(1, 2)).transpose(1, 2)"
    assert explain(code).output_shapes[0][1] == (1, 2, None)
