"""Every layer and function that pasted code may use: those of torch beside torch, those of Keras beside its rules."""

from math import prod

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from voxfield.errors import ExplainError
from voxfield.explain import Graph, explain
from voxfield.explain.readers.layer_kinds import LAYERS
from voxfield.explain.readers.snippet import read_snippet

WAVE, PICTURE, VOLUME = (1, 4, 100), (1, 4, 16, 12), (1, 4, 8, 8, 8)
TORCH = {
    WAVE: """Conv1d(4, 8, 3, stride=2, padding=1, dilation=2)|Conv1d(4, 8, 4, padding="same")|Conv1d(4, 8, 3, groups=2)
        Conv1d(4, 8, 3, padding="valid", bias=False)|ConvTranspose1d(4, 2, 4, stride=2, padding=1, output_padding=1)
        MaxPool1d(2)|MaxPool1d(3, 2, 1, 1, False, True)|AvgPool1d(4, 3)|AdaptiveAvgPool1d(1)|AdaptiveMaxPool1d(7)
        Linear(100, 7)|Linear(100, 7, bias=False)|BatchNorm1d(4)|BatchNorm1d(4, affine=False)|InstanceNorm1d(4)
        InstanceNorm1d(4, affine=True)|GroupNorm(2, 4)|LayerNorm(100)|LayerNorm((4, 100))|PReLU()|PReLU(4)|ReLU()
        LayerNorm(100, elementwise_affine=False)|LSTM(100, 8, 2, batch_first=True, bidirectional=True)|GRU(100, 8)
        RNN(100, 8, bias=False)|LSTM(100, 8, batch_first=True)|Softmax(dim=1)|LogSoftmax(-1)|Flatten()|Flatten(0, 1)
        Flatten(2)|GLU(dim=1)|GLU(2)|Upsample(scale_factor=2)|Upsample(scale_factor=2.0, mode="linear")|ZeroPad1d(2)
        ConstantPad1d((1, 2), 0.0)|ReflectionPad1d(3)|ReplicationPad1d((0, 5))|ZeroPad1d(-1)|Dropout(0.1)|Identity()""",
    PICTURE: """Conv2d(4, 8, (1, 3), stride=(1, 2))|ConvTranspose2d(4, 2, (2, 4), stride=(1, 2))|AvgPool2d((2, 3))
        MaxPool2d(3, stride=2, padding=1, ceil_mode=True)|AdaptiveMaxPool2d((3, None))|BatchNorm2d(4)|InstanceNorm2d(4)
        Upsample(scale_factor=(2, 3), mode="bilinear")|ZeroPad2d((1, 2, 3, 4))|ReflectionPad2d(2)|ReplicationPad2d(1)
        Softmax(dim=-1)|Flatten(1)""",
    VOLUME: "Conv3d(4, 2, 3)|ConvTranspose3d(4, 2, 2, stride=2)|MaxPool3d(2)|AdaptiveAvgPool3d(1)|BatchNorm3d(4)",
    (3, 7): "Embedding(10, 4)",
}
FUNCTIONS = """F.relu(x)|F.softmax(x, dim=1)|torch.softmax(x, -1)|F.glu(x, dim=1)|torch.flatten(x, 1)|torch.flatten(x)
    x.flatten(1, -1)|x.view(1, -1)|x.view(1, 4, 5, -1)|x.view(x.size(0), -1)|x.reshape((1, 400))|x.permute(0, 2, 1)
    x.transpose(1, 2)|x.squeeze(0)|x.squeeze()|x.unsqueeze(1)|torch.unsqueeze(x, dim=-1)|x.mean(dim=2)|x.sum(-1)
    x.mean(dim=(1, 2), keepdim=True)|torch.max(x, dim=1)[0]|x.max(2).values|torch.mean(x)|torch.max(x, x * 2)
    torch.cat([x, x], dim=1)|torch.stack([x, x], dim=1)|torch.stack([x, x])|x.chunk(2, dim=1)[0]|torch.chunk(x, 3, 1)[1]
    torch.split(x, 30, dim=2)[3]|F.pad(x, (1, 2))|F.pad(x, (1, 2, 0, 1))|F.pad(x, (3, 1), mode="reflect")
    torch.einsum("bct,bdt->bcd", x, x)|torch.einsum("bct -> btc", x)|torch.einsum("bct,bct->c", x, 2 * x)
    torch.matmul(x, x.transpose(1, 2))|x @ x.transpose(1, 2)|torch.bmm(x, x.permute(0, 2, 1))|F.max_pool1d(x, 2)
    F.avg_pool1d(x, 3, stride=1, padding=1)|F.adaptive_avg_pool1d(x, 1)|F.adaptive_max_pool1d(x, 5)|x[:, :, 1:-1]
    F.interpolate(x, scale_factor=2)|F.interpolate(x, scale_factor=2, mode="linear")|x[..., ::2]|x[:, 0]|x[:, None]
    x[:, -1:]|x[0, 1]|x + 1|x * x|-x|x ** 2|x - x.mean(dim=2, keepdim=True)|torch.exp(x)|torch.clamp(x, 0, 1)|x.std(1)
    x.contiguous().clone()|x.sigmoid()|torch.abs(x)|torch.var(x, dim=2)|x.amax(dim=-1)|x + torch.zeros(1, 4, 100)
    torch.add(x, x)|torch.sub(x, 1)|F.log_softmax(x, dim=2)"""
CODE = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv1d(4, 4, 3, padding=1)
    def forward(self, x):
        x = self.c(x)
        y = {}
        return y
"""


def calls(rows: str) -> list[str]:
    return [call.strip() for line in rows.split("\n") for call in line.split("|")]


def made(graph: Graph) -> tuple[int | None, ...]:
    return graph.shape(graph.outputs[0])


def params(graph: Graph) -> int:
    return sum(op.params for op in graph.ops)


@pytest.mark.parametrize(("shape", "call"), [(shape, call) for shape, rows in TORCH.items() for call in calls(rows)])
def test_a_layer_of_torch_is_what_torch_makes_of_it(shape, call):
    module = eval(f"nn.{call}", {"nn": nn}).eval()
    x = torch.zeros(shape, dtype=torch.long if "Embedding" in call else torch.float32)
    y = module(x)
    graph = read_snippet(f"net = nn.Sequential(nn.{call})", shape)
    assert made(graph) == tuple((y[0] if isinstance(y, tuple) else y).shape)
    assert params(graph) == sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize("call", calls(FUNCTIONS))
def test_a_function_of_torch_gives_the_shape_that_torch_gives(call):
    scope = {"nn": nn, "F": F, "torch": torch}
    exec(CODE.format(call), scope)
    y = scope["Net"]()(torch.zeros(WAVE))
    assert made(read_snippet(CODE.format(call), WAVE)) == tuple(y.shape)


C, P = (100, 4), (50, 40, 4)  # frames and channels; frames, bins and channels
KERAS = [
    ("Conv1D(8, 3, strides=2, padding='same')", C, (50, 8), 8 * (3 * 4 + 1)),
    ("Conv1D(8, 3, padding='causal', dilation_rate=2, activation='relu')", C, (100, 8), 8 * (3 * 4 + 1)),
    ("Conv2D(8, (1, 3), strides=(1, 2), activation='softmax')", P, (50, 19, 8), 8 * (3 * 4 + 1)),
    ("Conv2D(8, 3, data_format='channels_first')", P, (8, 38, 2), 8 * (9 * 50 + 1)),
    ("Convolution2D(8, 3, use_bias=False)", P, (48, 38, 8), 8 * 9 * 4),
    ("Conv2DTranspose(8, (2, 3), strides=(1, 2))", P, (51, 81, 8), 8 * (6 * 4 + 1)),
    ("Conv2DTranspose(8, 3, strides=2, padding='same')", P, (100, 80, 8), 8 * (9 * 4 + 1)),
    ("Conv2DTranspose(8, 3, strides=2, padding='same', output_padding=1)", P, (100, 80, 8), 8 * (9 * 4 + 1)),
    ("Conv1DTranspose(8, 2, strides=4)", C, (400, 8), 8 * (2 * 4 + 1)),
    ("DepthwiseConv2D(3, padding='same', depth_multiplier=2)", P, (50, 40, 8), 8 * (9 + 1)),
    ("SeparableConv2D(8, 3, strides=2)", P, (24, 19, 8), 4 * 9 + 8 * (4 + 1)),
    ("SeparableConv1D(8, 3)", C, (98, 8), 4 * 3 + 8 * (4 + 1)),
    ("MaxPooling1D()", C, (50, 4), 0),
    ("AveragePooling2D(3, strides=1, padding='same')", P, (50, 40, 4), 0),
    ("GlobalAveragePooling1D()", C, (4,), 0),
    ("GlobalMaxPooling2D(keepdims=True)", P, (1, 1, 4), 0),
    ("UpSampling1D(3)", C, (300, 4), 0),
    ("UpSampling2D((2, 3), interpolation='bilinear')", P, (100, 120, 4), 0),
    ("ZeroPadding1D((1, 2))", C, (103, 4), 0),
    ("ZeroPadding2D(((1, 2), (3, 4)))", P, (53, 47, 4), 0),
    ("Cropping2D(((1, 1), (2, 2)))", P, (48, 36, 4), 0),
    ("Dense(5, activation='softmax')", C, (100, 5), 5 * (4 + 1)),
    ("LSTM(8)", C, (8,), 4 * 8 * (4 + 8 + 1)),
    ("LSTM(8, return_sequences=True, go_backwards=True)", C, (100, 8), 4 * 8 * (4 + 8 + 1)),
    ("GRU(8, return_sequences=True)", C, (100, 8), 3 * 8 * (4 + 8 + 2)),
    ("GRU(8, return_sequences=True, reset_after=False)", C, (100, 8), 3 * 8 * (4 + 8 + 1)),
    ("SimpleRNN(8, use_bias=False)", C, (8,), 8 * (4 + 8)),
    ("Bidirectional(layers.LSTM(8, return_sequences=True))", C, (100, 16), 2 * 4 * 8 * (4 + 8 + 1)),
    ("Bidirectional(layers.LSTM(8))", C, (16,), 2 * 4 * 8 * (4 + 8 + 1)),
    ("Bidirectional(layers.GRU(8), merge_mode='sum')", C, (8,), 2 * 3 * 8 * (4 + 8 + 2)),
    ("Bidirectional(layers.LSTM(8, return_sequences=True), merge_mode='ave')", C, (100, 8), 2 * 4 * 8 * (4 + 8 + 1)),
    ("TimeDistributed(layers.Dense(3))", P, (50, 40, 3), 3 * (4 + 1)),
    ("TimeDistributed(layers.Conv1D(3, 3))", P, (50, 38, 3), 3 * (3 * 4 + 1)),
    ("TimeDistributed(layers.Flatten())", P, (50, 160), 0),
    ("BatchNormalization()", C, (100, 4), 2 * 4),
    ("BatchNormalization(axis=1, scale=False)", C, (100, 4), 100),
    ("LayerNormalization()", C, (100, 4), 2 * 4),
    ("LayerNormalization(axis=(1, 2))", C, (100, 4), 2 * 400),
    ("GroupNormalization(2)", C, (100, 4), 2 * 4),
    ("GroupNormalization(groups=-1)", C, (100, 4), 2 * 4),
    ("Activation('softmax')", C, (100, 4), 0),
    ("Activation(tf.nn.relu)", C, (100, 4), 0),
    ("Softmax(axis=1)", C, (100, 4), 0),
    ("PReLU()", C, (100, 4), 400),
    ("PReLU(shared_axes=[1])", C, (100, 4), 4),
    ("Flatten()", C, (400,), 0),
    ("Reshape((-1, 8))", C, (50, 8), 0),
    ("Permute((2, 1))", C, (4, 100), 0),
    ("RepeatVector(3)", (4,), (3, 4), 0),
    ("Embedding(10, 6)", (7,), (7, 6), 10 * 6),
    ("GaussianNoise(0.1)", C, (100, 4), 0),
]
FUNCTIONS_OF_KERAS = [
    ("tf.concat([x, x], axis=-1)", (100, 8)),
    ("tf.concat([x, x], 1)", (200, 4)),
    ("tf.reduce_mean(x, axis=1)", (4,)),
    ("tf.reduce_max(x, 2, keepdims=True)", (100, 1)),
    ("tf.transpose(x, perm=[0, 2, 1])", (4, 100)),
    ("tf.reshape(x, [1, -1])", (400,)),
    ("tf.expand_dims(x, axis=1)", (1, 100, 4)),
    ("tf.pad(x, [[0, 0], [1, 2], [0, 0]])", (103, 4)),
    ("tf.stack([x, x], axis=1)", (2, 100, 4)),
    ("tf.maximum(x, x)", (100, 4)),
    ("K.concatenate([x, x])", (100, 8)),
    ("layers.Concatenate(axis=1)([x, x])", (200, 4)),
    ("layers.Average()([x, x])", (100, 4)),
    ("layers.Attention()([x, x])", (100, 4)),
]


@pytest.mark.parametrize(("call", "shape", "out", "count"), KERAS)
def test_a_layer_of_keras_is_what_its_rules_say(call, shape, out, count):
    graph = read_snippet(f"i = Input(shape={shape})\ny = layers.{call}(i)")
    assert (made(graph)[1:], params(graph)) == (out, count)


@pytest.mark.parametrize(("call", "out"), FUNCTIONS_OF_KERAS)
def test_a_function_of_tensorflow_gives_its_shape(call, out):
    graph = read_snippet(f"i = Input(shape=(100, 4))\nx = layers.Dense(4)(i)\ny = {call}")
    assert made(graph)[0] == 1 and (made(graph)[1:] == out or prod(out) == prod(made(graph)[1:]) == 400)


def test_attention_of_keras_counts_its_four_projections():
    graph = read_snippet("i = Input((100, 4))\ny = layers.MultiHeadAttention(2, 3, value_dim=5)(i, i)")
    assert made(graph) == (1, 100, 4)
    assert params(graph) == 2 * (6 * (4 + 1)) + 10 * (4 + 1) + 4 * (10 + 1)


WRONG = [
    ("nn.Conv1d('a', 4, 3)", "in_channels='a'; needed is a whole number"),
    ("nn.Conv1d(4, 8, 3, stride=0)", "a stride of 0"),
    ("nn.Conv1d(4, 8, 3, padding='reflect')", "padding='reflect'; needed is one of valid, same"),
    ("nn.Conv1d(4, 8, 3, stride=2, padding='same')", "no padding='same' for strided"),
    ("nn.MaxPool2d(2)", "it takes 4 dims, batch and channels included; given is (1, 4, 100)"),
    ("nn.Conv1d(4, 6, 3, groups=4)", "6 filters cannot be split into 4 groups"),
    ("nn.BatchNorm1d(5)", "it takes 5 channels, but its input (1, 4, 100) has 4"),
    ("nn.LayerNorm('x')", "the sizes of the last dims"),
    ("nn.LayerNorm(7)", "it takes 7 channels"),
    ("nn.AdaptiveAvgPool1d(0)", "a whole number from 1"),
    ("nn.Softmax(dim=7)", "dim 7 of an array"),
    ("nn.Upsample()", "no scale_factor"),
    ("nn.ReflectionPad1d((1, 2, 3))", "pairs of whole numbers"),
    ("nn.Conv1d(4, 8, 3, 1, 0, 1, 1, True, 'zeros', 5)", "with 10 positional arguments"),
    ("nn.Conv1d(4, 8, 3, in_channels=4)", "is given in_channels twice"),
]
WRONG_KERAS = [
    ("Conv1D(8, 3, padding=1)", "padding=1; needed is one of valid, same, causal"),
    ("Conv1D(8)", "no kernel_size; needed is a whole number"),
    ("ZeroPadding1D((1, -2))", "whole numbers from 0"),
    ("BatchNormalization(axis=9)", "axis=9; needed is a dim of its input"),
    ("Permute((1, 1))", "an order of 1 to 2"),
    ("Reshape('x')", "a tuple of whole numbers"),
    ("RepeatVector(3)", "it takes (batch, features)"),
    ("Bidirectional(layers.Dense(8))", "Bidirectional around Dense"),
    ("TimeDistributed(3)", "layer=3; needed is a layer"),
    ("UpSampling1D(0)", "a number above 0"),
]


@pytest.mark.parametrize(("call", "told"), WRONG)
def test_what_a_layer_of_torch_cannot_have_is_named(call, told):
    with pytest.raises(ExplainError) as error:
        read_snippet(f"net = nn.Sequential({call})", WAVE)
    assert str(error.value).startswith("line 1") and told in str(error.value)


@pytest.mark.parametrize(("call", "told"), WRONG_KERAS)
def test_what_a_layer_of_keras_cannot_have_is_named(call, told):
    with pytest.raises(ExplainError) as error:
        read_snippet(f"i = Input((100, 4))\ny = layers.{call}(i)")
    assert str(error.value).startswith("line 2") and told in str(error.value)


def test_every_class_of_torch_that_is_read_is_a_class_of_torch():
    others = ["Chomp1d", "STFT", "Spectrogram", "MelSpectrogram"]  # of TCN, torch.stft, and two of torchaudio
    assert [name for name in LAYERS["torch"] if not hasattr(nn, name)] == others


ATTENTION = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention = nn.MultiheadAttention(8, 2{})

    def forward(self, x):
        y, weights = self.attention({})
        return x + y
"""


@pytest.mark.parametrize("call", ["x, x, x", "query=x, value=x, key=x, need_weights=False"])
@pytest.mark.parametrize("settings", ["", ", bias=False", ", batch_first=True", ", 0.1, False, batch_first=True"])
def test_attention_is_counted_as_the_module_itself_is(settings, call):
    shape = (1, 50, 8) if "batch_first" in settings else (50, 1, 8)
    scope = {"nn": nn}
    exec(ATTENTION.format(settings, call), scope)
    pasted = explain(ATTENTION.format(settings, call), input_shape=shape)
    module = explain(scope["Net"](), input_shape=shape, layout="BTC" if "batch_first" in settings else "TBC")
    assert pasted.costs.params.value == sum(p.numel() for p in scope["Net"]().parameters())
    assert pasted.costs.macs.value == module.costs.macs.value
    assert {cause.kind for cause in pasted.field("time").whole_input} == {"attention"}
    assert pasted.field("time").in_size == module.field("time").in_size == 50
    assert module.field("time").whole_input
    assert pasted.output_shapes[0][1] == module.output_shapes[0][1] == shape


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("8, 3", "8 features cannot be split into 3 heads"),
        ("8, 2, add_zero_attn=True", "add_zero_attn=True"),
        ("8, 2, kdim=4", "it takes 4 channels"),
        ("6, 2", "it takes 6 channels"),
    ],
)
def test_attention_that_cannot_be_is_named(settings, told):
    code = ATTENTION.format("", "x, x, x").replace("8, 2", settings)
    with pytest.raises(ExplainError) as error:
        explain(code, input_shape=(50, 1, 8))
    assert told in str(error.value)
