"""Pastes of people who have never seen the command: figures known by hand, sentences that must not be said."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from voxfield.errors import ExplainError
from voxfield.explain import report_on
from voxfield.explain.expect import seen_by
from voxfield.explain.report import Status
from voxfield.explain.zh import translated

MNIST = """
class Net(nn.Module):
    def __init__(self):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, 1)
        self.conv2 = nn.Conv2d(32, 64, 3, 1)
        self.dropout1 = nn.Dropout(0.25)
        self.fc1 = nn.Linear(9216, 128)
        self.fc2 = nn.Linear(128, 10)
    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = torch.flatten(self.dropout1(x), 1)
        return F.log_softmax(self.fc2(F.relu(self.fc1(x))), dim=1)
How many parameters does this have?
"""
TCN = """
class Chomp1d(nn.Module):
    def __init__(self, chomp_size):
        super().__init__()
        self.chomp_size = chomp_size
    def forward(self, x):
        return x[:, :, :-self.chomp_size].contiguous()

class Block(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, padding=2 * dilation, dilation=dilation)
        self.chomp = Chomp1d(2 * dilation)
    def forward(self, x):
        return x + self.chomp(self.conv(x))

net = nn.Sequential(*[Block(16, 2 ** i) for i in range(8)])
"""
RESNET = """
class Block(nn.Module):
    def __init__(self, channels, wide, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, wide, 3, stride, 1)
        self.conv2 = nn.Conv2d(wide, wide, 3, 1, 1)
        self.short = nn.Conv2d(channels, wide, 1, stride)
    def forward(self, x):
        out = self.conv2(F.relu(self.conv1(x)))
        out += self.short(x)
        return F.relu(out)
net = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1), Block(64, 64, 1), Block(64, 128, 2))
How do I add CBAM to this ResNet?
"""
ATTENTION = """
class Attention(nn.Module):
    def __init__(self, d=64):
        super().__init__()
        self.q, self.k, self.v = nn.Conv1d(d, d, 1), nn.Conv1d(d, d, 1), nn.Conv1d(d, d, 1)
    def forward(self, x):
        scores = torch.softmax(self.q(x).transpose(1, 2) @ self.k(x), -1)
        return torch.matmul(self.v(x), scores.transpose(1, 2))
"""
SUMMARY = """
 input_1 (InputLayer)        [(None, 16000, 1)]        0
 conv1d (Conv1D)             (None, 3998, 64)          704
 global_average_pooling1d (G  (None, 64)               0
 dense (Dense)               (None, 10)                650
"""


def said(paste: str, **options: str) -> dict[str, str]:
    """The answers by their keys."""
    return {paragraph.key: paragraph.answer for paragraph in report_on(paste, **options).paragraphs}


@pytest.mark.parametrize(
    ("paste", "params"),
    [
        (MNIST, 1_199_882),  # rates of a Dropout by position; a Linear behind a size that is not known
        ("nn.Sequential(nn.Conv1d(1, 16, 15, stride=4), nn.LeakyReLU(0.2), nn.ELU(1.0, True))", 256),
        ("为什么第一层卷积用64个滤波器：nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3)", 9_472),
        ('layers.Conv2D(16, 3, data_format="channels_first", strides=2, padding="same")(x)', 160),
        ("model = Sequential([Embedding(10000, 128), Conv1D(64, 5), GlobalMaxPooling1D(), Dense(1)])", 1_321_089),
        ("nn.Sequential(nn.Embedding(1000, 64), nn.Linear(64, 10))", 64_650),
        (ATTENTION, 3 * 64 * 65),
        (SUMMARY, 704 + 650),
    ],
)
def test_parameters_are_exact(paste, params):
    costs = report_on(paste).report.costs
    assert (costs.params.value, costs.params.status) == (params, Status.EXACT)


def test_a_chomp_of_an_unknown_length_is_causal():
    field = report_on(TCN).report.field("time")
    assert (field.rf, field.hop, field.ahead, field.latency) == (1 + 2 * 255, 1, 0, 1)


def test_channels_first_puts_frames_and_bins_behind_the_channels():
    found = report_on('layers.Conv2D(16, 3, data_format="channels_first", strides=2, padding="same")(x)')
    assert found.graph.shape("input") == (1, 1, 100, 161)
    assert "No input was given: 100 frames of 161 bins and 1 channel were assumed." in found.report.notes


@pytest.mark.parametrize("text", ["采样率16k", "采样率为 16k", "sampling rate of 16k", "16k采样", "16 kHz"])
def test_the_rate_is_read_however_it_is_written(text):
    assert report_on(f"nn.Conv1d(1, 32, 160, stride=80) {text} 延迟是多少毫秒").report.field("time").rate_hz == 16_000


def test_numbers_inside_words_belong_to_no_list():
    config = '"conv_dim": [512, 512, 512], "conv_kernel": [10, 3, 3], "conv_stride": [5, 2, 2]'
    field = report_on(f"{config} 这个wav2vec2配置一帧是多少毫秒").report.field("time")
    assert (field.rf, field.hop) == (10 + 2 * 5 + 2 * 10, 20)


@pytest.mark.parametrize("space", [" ", "  \n", "\t"])
def test_space_behind_a_layer_is_no_code(space):
    assert report_on(f"nn.Conv1d(1, 32, 160, stride=80){space}").report.field("time").rf == 160


@pytest.mark.parametrize(
    ("paste", "message"),
    [
        ("self.conv1 = nn.Conv1d(1 64, kernel_size=80, stride=4)", "line 1: .*is not Python.*comma"),
        ("nn.Sequential(nn.Conv1d(1, 16, 5), nn.Conv1d(32, 64, 3))", "takes 32 channels, but its input .* has 16"),
        ("x = layers.Conv2D(16, (3, 3), strides=(2, 2)(x)", "line 1"),
    ],
)
def test_broken_code_is_named(paste, message):
    with pytest.raises(ExplainError, match=message):
        report_on(paste)


def test_what_is_asked_is_answered_without_sizes():
    pair = "nn.Sequential(nn.Conv2d(32, 32, 3, 1, 1, groups=32), nn.Conv2d(32, 64, 1))"
    assert "1/64 + 1/9 = 0.1267" in said(f"{pair} What does the depthwise layer save?")["separable"]
    answer = said("nn.ConvTranspose1d(512, 256, 16, stride=8, padding=4) 输出长度怎么算", language="zh")["size"]
    assert "(N - 1) x 8 + 16 - 4 - 4，例如 N = 200 时为 1,600" in answer


def test_sums_that_leave_something_out_are_no_totals():
    paste = MNIST.replace("How many parameters does this have?", "How do I add CBAM residual blocks?")
    found = report_on(paste)
    answer = found.paragraphs[0].answer
    assert "1,199,882 parameters become" in answer and "MACs" not in answer
    assert not [change for change in found.changes[0].changes if change.figure == "macs"]


def test_attention_is_no_norm_and_brings_context():
    answers = said(ATTENTION)
    assert "batch normalisation" not in answers["fix"] and "let attention see the past only" in answers["fix"]
    assert answers["kernel"] == "Along time every output depends on the whole input, through softmax and matmul_1."
    assert "size" not in answers  # kernels of 1 change none


def test_blocks_of_one_class_keep_their_names_and_are_changed_once():
    found = report_on(RESNET)
    assert [op.name for op in found.graph.ops if op.kind == "conv"][-3:] == [
        "net.2.conv1",
        "net.2.conv2",
        "net.2.short",
    ]
    uses = found.paragraphs[0].code.rpartition("\n\n\n")[2]
    assert uses.split("\n") == [
        "self.cbam1 = Cbam(channels)",
        "out = self.cbam1(out)  # behind net.1.conv2 (64), net.2.conv2 (128)",
    ]


def test_a_question_is_not_left_out():
    assert not [note for note in report_on(MNIST).report.notes if "Not Python" in note]


def test_late_layers_are_praised_only_where_their_steps_are_longer():
    net = "nn.Sequential(nn.Conv1d(1, 8, {}, stride=2), nn.Conv1d(8, 4, 3))"
    alike, early = (said(net.format(kernel))["kernel"] for kernel in (5, 9))
    assert "2 x 4 + 1 = 9" in alike and "that of conv1d_1: late layers" in alike and "is 2 samples" in alike
    assert "8 + 4 + 1 = 13" in early and "that of conv1d." in early and "late layers" not in early


UNCALLED = """
class Block(nn.Module):
    def __init__(self, inplanes, planes, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
    def forward(self, x):
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))
"""
LEVELS = """
class Net(nn.Module):
    def __init__(self, num_inputs, num_channels, kernel_size=3):
        super().__init__()
        layers = []
        for i in range(len(num_channels)):
            before = num_inputs if i == 0 else num_channels[i - 1]
            layers += [nn.Conv1d(before, num_channels[i], kernel_size, dilation=2 ** i)]
        self.network = nn.Sequential(*layers)
    def forward(self, x):
        return self.network(x)
"""
GATE = """
class Gate(nn.Module):
    def __init__(self, channel, reduction=16):
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Sequential(nn.Linear(channel, channel // reduction), nn.Linear(channel // reduction, channel))
    def forward(self, x):
        b, c, _, _ = x.size()
        y = self.fc(self.pool(x).view(b, c)).view(b, c, 1, 1)
        return x * y.expand_as(x)
"""
FEATURES = """
class Features(nn.Module):
    def __init__(self, conv_layers, dropout):
        super().__init__()
        def block(n_in, n_out, k, stride):
            return nn.Sequential(nn.Conv1d(n_in, n_out, k, stride=stride, bias=False), nn.Dropout(p=dropout), nn.ReLU())
        self.layers = nn.ModuleList()
        n_in = 1
        for n_out, k, stride in conv_layers:
            self.layers.append(block(n_in, n_out, k, stride))
            n_in = n_out
    def forward(self, x):
        x = x.unsqueeze(1)
        for layer in self.layers:
            x = layer(x)
        return x
net = Features([(512, 10, 5), (512, 8, 4), (512, 4, 2), (512, 4, 2), (512, 4, 2)], 0.1)
"""
EEG = """
def EEGNet(nb_classes, Chans, Samples, F1=8):
    inputs = Input(shape=(Chans, Samples, 1))
    x = Conv2D(F1, (1, 64), padding='same', use_bias=False)(inputs)
    x = DepthwiseConv2D((Chans, 1), depth_multiplier=2, use_bias=False)(x)
    return Model(inputs, Dense(nb_classes)(Flatten()(AveragePooling2D((1, 4))(x))))
"""


@pytest.mark.parametrize(
    ("paste", "shape", "params", "assumed"),
    [
        (UNCALLED, (1, 64, None, None), 2 * 9 * 64 * 64, "Block is called nowhere: inplanes = 64, planes = 64 was"),
        (LEVELS, (1, 64, None), 3 * 64 * (3 * 64 + 1), "num_inputs = 64, num_channels = [64, 64, 64] was assumed"),
        (GATE, (1, 64, None, None), 64 * 4 * 2 + 4 + 64, "Gate is called nowhere: channel = 64 was assumed"),
        (EEG, (1, 64, 128, 1), 8 * 64 + 64 * 16 + 32 * 16 * 10 + 10, "nb_classes = 10, Chans = 64, Samples = 128 was"),
    ],
)
def test_sizes_that_a_class_or_function_asks_for_are_assumed_aloud(paste, shape, params, assumed):
    found = report_on(paste)
    assert (found.graph.shape(found.graph.inputs[0]), found.report.costs.params.value) == (shape, params)
    assert [note for note in found.report.notes if assumed in note]


def test_a_function_in_a_method_sees_its_names_and_samples_come_without_channels():
    found = report_on(FEATURES)
    field = found.report.field("time")
    assert (found.graph.shape(found.graph.inputs[0]), field.rf, field.hop) == ((1, None), 465, 160)


def test_which_of_several_networks_was_read_is_said():
    notes = report_on(UNCALLED + GATE).report.notes
    assert "Several networks stand side by side: Gate was read, not Block." in notes


def test_layers_that_nothing_connects_are_read_as_far_as_they_fit():
    paste = "self.conv1 = nn.Conv2d(1, 16, (1,3), stride=(1,2))\nself.lstm = nn.LSTM(1024, 1024)\n"
    found = report_on(paste + "这里 kernel_size=(1,3) 是什么意思", language="zh")
    assert found.report.costs.params.value == 64 and found.paragraphs[0].key == "kernel"
    assert "接不上，已略去：lstm。" in [translated(note, "zh") for note in found.report.notes]


def test_sizes_after_a_question_are_no_filters():
    words = "CRN 每层 kernel_size=(1,3), strides=(1,2), filters 16,32,64，为什么频率维减半？161 -> 80 -> 39 -> 19"
    graph = report_on(words).graph
    assert graph.shape(graph.outputs[0])[1] == 64


RESIDUAL = """
class Bottleneck(nn.Module):
    expansion = 4
    def __init__(self, inplanes, planes, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 1, bias=False)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
        self.conv3 = nn.Conv2d(planes, planes * self.expansion, 1, bias=False)
    def forward(self, x):
        return self.conv3(F.relu(self.conv2(F.relu(self.conv1(x)))))
class Net(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.layer1, self.fc = block(3, 64), nn.Conv2d(64 * block.expansion, 10, 1)
        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                m.weight.data.normal_(0, 0.01)
    def forward(self, x):
        return self.fc(self.layer1(x))
net = Net(Bottleneck)
print(sum(p.numel() for p in net.parameters()))
"""
SETTINGS = """
@dataclass
class Config:
    channels: int = 8
    depth: int = 3
class Net(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv1d(config.channels, config.channels, 5) for _ in range(config.depth))
    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x
net = Net(Config(depth=2))
"""
FOLDED = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.gru = nn.Conv2d(2, 16, 1), nn.GRU(16 * 20, 8, batch_first=True)
    def forward(self, x):
        return self.gru(rearrange(self.conv(x), "b c f t -> b t (c f)"))[0]
"""
EINOPS = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.out = nn.Conv2d(2, 16, (3, 1)), nn.Linear(4, 5)
    def forward(self, x):
        x = rearrange(self.conv(x), "b (g c) f t -> b t f (c g)", g=4)
        return self.out(rearrange(x, "b t f (c g) -> b g t f c", g=4))
"""


@pytest.mark.parametrize(
    ("paste", "params"),
    [
        (
            RESIDUAL,
            3 * 64 + 9 * 64 * 64 + 64 * 256 + 2570,
        ),  # constants of a class; what counts or sets weights is left out
        (SETTINGS, 2 * (8 * 8 * 5 + 8)),
        (EINOPS, 2 * 3 * 16 + 16 + 25),
        (FOLDED, 2 * 16 + 16 + 3 * 8 * (16 * 20 + 8 + 2)),  # the layer says what comes in where the code does not
    ],
)
def test_constants_settings_and_patterns_are_read(paste, params):
    assert report_on(paste).report.costs.params.value == params


def test_a_pattern_takes_dims_apart_and_together():
    graph = report_on(EINOPS, input_shape=(2, 10, 7)).graph
    assert graph.shape(graph.outputs[0]) == (1, 4, 7, 8, 5)
    with pytest.raises(ExplainError, match="takes g c apart; give the size of all but one"):
        report_on(EINOPS.replace(", g=4)\n        return", ")\n        return"))


def test_why_so_many_frames_and_parameters_are_questions():
    assert "size" in said("Why does nn.Conv1d(1, 64, 400, stride=160) give 98 frames?")
    assert "params" in said("nn.Conv2d(1, 32, 3) 为什么参数是320？", language="zh")


DEMUCS = """
class Demucs(nn.Module):
    def __init__(self, chin=1, chout=1, hidden=4, depth=3):
        super().__init__()
        self.encoder, self.decoder = nn.ModuleList(), nn.ModuleList()
        for index in range(depth):
            self.encoder.append(nn.Sequential(nn.Conv1d(chin, hidden, 8, 4), nn.ReLU()))
            decode = [nn.Conv1d(hidden, 2 * hidden, 1), nn.GLU(1), nn.ConvTranspose1d(hidden, chout, 8, 4)]
            self.decoder.insert(0, nn.Sequential(*decode))
            chin = chout = hidden
            hidden = int(2 * hidden)
    def forward(self, x):
        skips = []
        for encode in self.encoder:
            x = encode(x)
            skips.append(x)
        for decode in self.decoder:
            skip = skips.pop(-1)
            x = decode(x + skip[..., :x.shape[-1]])
        return x
net = Demucs()
"""
CAUSAL = """
class CausalConv1d(nn.Conv1d):
    def __init__(self, cin, cout, kernel_size, dilation=1):
        self.pad = (kernel_size - 1) * dilation
        super().__init__(cin, cout, kernel_size, padding=self.pad, dilation=dilation)
    def forward(self, x):
        return super().forward(x)[:, :, :-self.pad]
class Strided(nn.Conv1d):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.before = self.dilation[0] * (self.kernel_size[0] - 1)
    def forward(self, x):
        return self._conv_forward(F.pad(x, [self.before, 0]), self.weight, self.bias)
class Plain(nn.Conv1d):
    def forward(self, x):
        y = F.pad(x, (2, 0))
        return F.conv1d(y, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)
net = nn.Sequential(CausalConv1d(4, 8, 2, dilation=4), Strided(8, 8, kernel_size=6, stride=3), Plain(8, 4, 3, groups=2))
"""
SEQUENTIALS = """
class ConvBNReLU(nn.Sequential):
    def __init__(self, cin, cout, kernel_size=3, stride=1, groups=1):
        pad = (kernel_size - 1) // 2
        conv = nn.Conv1d(cin, cout, kernel_size, stride, pad, groups=groups, bias=False)
        super().__init__(conv, nn.BatchNorm1d(cout))
class Dense(nn.Sequential):
    def __init__(self, cin, growth):
        super(Dense, self).__init__()
        self.add_module('norm1', nn.BatchNorm1d(cin)),
        self.add_module('conv1', nn.Conv1d(cin, growth, 3, padding=1, bias=False)),
    def forward(self, x):
        return torch.cat([x, super(Dense, self).forward(x)], 1)
net = nn.Sequential(ConvBNReLU(4, 8, stride=2), ConvBNReLU(8, 8, 5, groups=8), Dense(8, 4))
net.add_module('last', nn.Conv1d(12, 2, 1))
"""
NORMED = """
class Block(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.act = F.leaky_relu_
        self.conv = weight_norm(nn.Conv1d(dim, dim, 3, padding=1))
    def forward(self, x):
        return x + self.conv(F.relu_(x + 0))
def clones(module, count):
    return nn.ModuleList([copy.deepcopy(module) for _ in range(count)])
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.pos = weight_norm(nn.Conv1d(6, 6, 5, padding=2, groups=2), name="weight", dim=2)
        self.up = weight_norm(nn.ConvTranspose1d(6, 4, 4, 2, padding=1))
        self.out = weight_norm(nn.Conv1d(4, 4, 1), dim=None)
        self.blocks = clones(Block(4), 3)
    def forward(self, x):
        x = self.up(self.pos(x))
        for block in self.blocks:
            x = block(x)
        return self.out(x)
net = Net()
"""
SPECTRUM = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("window", torch.ones(100))
        self.enc = nn.Conv2d(2, 4, (3, 1), padding=(1, 0))
        self.gru, self.mask = nn.GRU(4 * 65, 8, batch_first=True), nn.Linear(8, 65)
    def forward(self, x):
        spec = torch.stft(x, 128, 32, win_length=100, window=self.window, return_complex=True, center=False)
        e = self.enc(torch.stack([spec.real, spec.imag], dim=1))
        b, c, f, t = e.shape
        y, _ = self.gru(e.permute(0, 3, 1, 2).reshape(b, t, c * f))
        return spec.abs() * torch.sigmoid(self.mask(y)).transpose(1, 2)
net = Net()
"""
UNET = """
class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.d1, self.d2 = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 8, 3, padding=1)
        self.up = nn.Upsample(scale_factor=2, mode='bilinear', align_corners=True)
        self.u1 = nn.Conv2d(12, 4, 3, padding=1)
    def forward(self, x):
        a = self.d1(x)
        b = self.up(self.d2(F.max_pool2d(a, 2)))
        diff = a.size()[2] - b.size()[2]
        b = F.pad(b, [0, 0, diff // 2, diff - diff // 2])
        y = F.relu_(self.u1(torch.cat([a, b], dim=1)))
        return y + F.interpolate(F.avg_pool2d(y, 3, 3), size=y.shape[2:], mode='nearest')
net = UNet()
"""
SHUFFLE = "net = nn.Sequential(nn.Conv2d(1, 8, 5, padding=2), nn.Conv2d(8, 9, 3, padding=1), nn.PixelShuffle(3))"


@pytest.mark.parametrize(
    ("paste", "shape"),
    [
        (DEMUCS, (1, 1, 596)),
        (CAUSAL, (1, 4, 120)),
        (SEQUENTIALS, (1, 4, 80)),
        (NORMED, (1, 6, 40)),
        (SPECTRUM, (1, 1024)),
        (UNET, (1, 1, 33, 36)),
        (SHUFFLE, (1, 1, 12, 24)),
    ],
)
def test_what_is_read_is_what_torch_runs(paste, shape):
    names = {"torch": torch, "nn": nn, "F": F, "weight_norm": weight_norm, "copy": copy}
    torch.manual_seed(0)
    exec(paste, names)  # the paste itself, which explain only reads
    net = names["net"].eval()
    inputs = [torch.randn(shape, requires_grad=True) for _ in range(8)]
    outputs = [net(x) for x in inputs]
    y = outputs[0]
    found = report_on(paste, input_shape=shape)
    time = found.report.fields[-1]
    assert found.graph.shape(found.graph.outputs[0]) == tuple(y.shape)
    assert found.report.costs.params.value == sum(one.numel() for one in net.parameters())
    for n in (0, y.shape[-1] // 2, y.shape[-1] // 2 + 1):
        seen = torch.zeros(shape[-1])
        for x, one in zip(inputs, outputs, strict=True):
            weights = torch.randn_like(one[..., n])
            (grad,) = torch.autograd.grad((one[..., n] * weights).sum(), x, retain_graph=True)
            seen += grad.abs().flatten(0, -2).sum(0)
        seen = seen.nonzero()
        assert seen_by(time, n, True) == (seen.min().item(), seen.max().item())


@pytest.mark.parametrize(
    ("sentence", "rf", "hop", "params"),
    [
        ("TCN with kernel size 3, dilations 1,2,4,8 and one conv per level; what is the receptive field?", 31, 1, None),
        ("WaveNet has 10 layers with dilation 1, 2, 4, ..., 512 and kernel size 2. Why is it 1024?", 1024, 1, None),
        ("两层空洞卷积，kernel_size=3，dilation分别为2和4，感受野是多少", 13, 1, None),
        ("Conv with input 224x224, kernel 7, stride 2, padding 3: what is the output size?", 7, 2, None),
        ("输入是 32x32 的图像，卷积核 5x5，步长1，padding=2，输出尺寸多大？", 5, 1, None),
        ("一维卷积 输入通道 40 输出通道 512 卷积核 5，参数量是多少？", 5, 1, 40 * 512 * 5 + 512),
        ("depthwise separable with 64 input channels, 128 filters and 3x3 kernel: parameters?", 3, 1, 576 + 64 * 128),
        ("25ms window 10ms hop 80 mel, 3 conv layers kernel 3 stride 2 each: how far?", 15, 8, None),
        (
            "5 layers with kernel size (2,3), stride (1,2), with 16, 32, 64, 128, 256 filters, 1 input channel",
            63,
            32,
            261712,
        ),
        ("4 conv layers with 64, 64, 128, 128 filters of size 3x3, input 3 channels 32x32. Parameters?", 9, 1, 260160),
        ("感受野怎么算？ conv3x3 s1 -> conv3x3 s1 -> maxpool2x2 s2 -> conv3x3 -> conv3x3 -> maxpool2x2", 16, 4, None),
        ("3x3卷积 步长2 → 2x2最大池化 → 3x3卷积，感受野是多少", 13, 4, None),
        (
            "input 224x224 → 7x7 conv, stride 2, padding 3 → 3x3 max pool, stride 2, padding 1 → conv3-64 p1",
            19,
            4,
            None,
        ),
    ],
)
def test_numbers_of_a_sentence_belong_to_the_word_before_them(sentence, rf, hop, params):
    report = report_on(sentence).report
    field = report.fields[-1]
    assert (field.rf, field.hop, report.costs.params.value) == (rf, hop, params)


def test_an_output_as_large_as_the_input_is_an_answer():
    assert (
        "32 + 2 + 2 - 5 + 1 = 32" in said("输入是 32x32 的图像，卷积核 5x5，步长1，padding=2，输出尺寸多大？")["size"]
    )


@pytest.mark.parametrize(
    ("paste", "message"),
    [
        ("帧移10ms，经过两层stride=2的卷积下采样后，一帧对应多少毫秒？", "gives strides but no kernel"),
        ("Three layers with kernel 3 and max pooling 2: receptive field?", "speaks of 'pool' beside its convolutions"),
        ("kernel 2 with dilations 1, 3, ..., 512: how far?", "does not say which numbers lie in between"),
    ],
)
def test_what_a_sentence_or_a_table_leaves_open_is_no_network(paste, message):
    with pytest.raises(ExplainError, match=message):
        report_on(paste)


def test_settings_of_printed_functions_are_passed_over():
    net = nn.Sequential(nn.Conv1d(1, 4, 3), nn.Softplus(), nn.Threshold(0.1, 20), nn.Hardtanh(-2, 2))
    report = report_on(str(net)).report
    assert (report.field("time").rf, report.costs.params.value) == (3, 16)


def test_dots_in_a_pattern_stand_for_the_other_dims():
    code = "x = nn.Conv2d(4, 8, 3)(torch.randn(1, 4, 30, 20))\nx = rearrange(x, 'b (g c) ... -> b (c g) ...', g=2)"
    report = report_on(code).report
    assert report.output_shapes[0][1] == (1, 8, 28, 18) and [field.rf for field in report.fields] == [3, 3]


def test_printed_words_are_words():
    printed = (
        "(0): Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=same)\n"
        "(1): Upsample(scale_factor=1.5, mode=nearest)\n"
        "(2): Conv2d(8, 12, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), groups=4, padding_mode=reflect)"
    )
    report = report_on(printed, input_shape=(1, 3, 20, 20)).report
    assert report.costs.params.value == 3 * 8 * 9 + 8 + 2 * 12 * 9 + 12
    assert report.output_shapes[0][1] == (1, 12, 30, 30)


def test_two_sizes_that_are_unpacked_are_not_taken_for_samples():
    code = "class N(nn.Module):\n def __init__(self):\n  super().__init__()\n  self.fc = nn.Linear(64, 10)\n"
    code += " def forward(self, x):\n  b, d = x.shape\n  return self.fc(x)"
    found = report_on(code)
    assert (found.graph.shape("input"), found.report.costs.params.value) == ((1, 64), 650)


def test_all_that_upsamples_is_named():
    net = "nn.Sequential(nn.ConvTranspose1d(4, 4, 4, 2, 1), nn.Conv1d(4, 4, 3, 3), nn.Upsample(scale_factor=1.5))"
    assert "with strides down of 3 in all and upsampling by 2 x upsample" in said(net)["stride"]


def test_lengths_that_are_not_counted_are_refused():
    with pytest.raises(ExplainError, match="weight_norm adds to a LSTM are not counted"):
        report_on("net = weight_norm(nn.LSTM(4, 8), 'weight_hh_l0')")


SAID = [  # a sentence, and the field, look-ahead and milliseconds of one output
    ("Five conv layers of kernel 3 with the dilation doubling every layer. Receptive field?", 63, 62, 3.9375),
    ("卷积核大小3，膨胀率每层翻倍，共6层，感受野", 127, 126, 7.9375),
    ("causal conv, kernel size 4, 5 layers, 16kHz. look-ahead?", 16, 0, 1.0),
    ("kernels 7, 5, 3, 3 layers, stride 2; receptive field?", 23, 22, 1.4375),
    ("kernel 3, stride 1, dilation 1 2 4 8, causal padding; 8 kHz", 31, 0, 3.875),
    ("6 conv layers with kernel size 3 and 'same' padding", 13, 6, 0.8125),
    ("3 Conv1d with kernel 8, stride 4 at 48 kHz; latency?", 148, 147, 148 / 48),
    ("sample rate = 44100, conv kernel 1024 stride 512, what latency?", 1024, 1023, 1024 / 44.1),
    ("fs=8000: conv layer kernel 16 stride 8, how long is a frame?", 16, 15, 2.0),
    ("采样率8000，卷积核大小为 10，步长 5，对应多少毫秒？", 10, 9, 1.25),
    ("EEG sampled at 250 Hz: nn.Conv1d(22, 40, 25), how many ms?", 25, 24, 100.0),
    ("80 log-mel bands of 16 kHz audio with a 10 ms hop: nn.Conv1d(80, 256, 5), how many ms?", 5, 4, 50.0),
    ("帧长25ms帧移10ms，3层卷积，卷积核为3，上下文是多少毫秒", 7, 6, 70.0),
    ("layers.Conv2D(16, (3, 5))(x) on a spectrogram of 16 kHz, hop_length=160. how many ms?", 3, 2, 30.0),
    ("layers.Conv2D(16, (3, 5))(x) of 16 kHz audio, how many ms?", 3, 2, None),
    (
        "a stack of 8 dilated convolutions with kernel size 3 and dilations 1, 2, 4, 8, 16, 32, 64, 128",
        511,
        510,
        511 / 16,
    ),
    ("TCN: kernel_size=3, num_layers=8, dilation 2**i, repeated R=3 times, X=8. field?", 1531, 1530, 1531 / 16),
    ("3 stacks of 8 conv layers with kernel 3, dilations 1, 2, 4, 8, 16, 32, 64, 128", 1531, 1530, 1531 / 16),
    ("6 layers, kernel 3, dilation 1, 2, 4 repeated twice", 29, 28, 29 / 16),
    ("层数为6，卷积核3，膨胀率 1,2,4,8,16,32，重复3次，感受野", 379, 378, 379 / 16),
    ("5 stacked conv layers with kernel 3, receptive field?", 11, 10, 11 / 16),
    ("4 dilated convolutions with kernel 3 and dilation 2: field?", 17, 16, 17 / 16),
    ("conv 3, s=2 -> BN -> ReLU -> conv 5, s=2 what is the receptive field?", 11, 10, 11 / 16),
    ("HuBERT的卷积特征提取器一共下采样多少倍？", 400, 399, 25.0),
    ("wav2vec 2.0 的感受野是多少毫秒？", 400, 399, 25.0),
    ("为什么wav2vec的感受野是30ms", 465, 464, 465 / 16),
    ("Why do we use (1, 3) kernels in the first layer of a CRN?", 5, 0, None),
    ("F.pad(x, (2, 0))\nnn.Conv1d(16, 16, 3)", 3, 0, None),
    ("F.pad(x, (2,0)) 然后 nn.Conv1d(16,16,3) 为什么要补零", 3, 0, None),
    ("x = F.pad(x, (4, 0))\nx = nn.Conv1d(16, 16, 3, dilation=2)(x)", 5, 0, None),
]


@pytest.mark.parametrize(("text", "rf", "ahead", "ms"), SAID, ids=[row[0][:32] for row in SAID])
def test_sentences_as_they_are_meant(text, rf, ahead, ms):
    field = report_on(text).report.field("time")
    assert (field.rf, field.ahead) == (rf, ahead)
    assert field.ms(rf) == (None if ms is None else pytest.approx(ms))


UNREAD = [
    ("6 layers, kernel 3, dilation 1, 2, 4 repeated several times", "repeated"),
    ("conv 3x3 -> attention -> conv 3x3", "'attention' between the arrows"),
    ("encoder -> bottleneck -> decoder: what is the receptive field?", "neither layers nor a question"),
    ("why does EfficientNet downsample by 32?", "neither layers nor a question"),
    ("5 conv layers kernel 3, the first with stride 2", "first"),
    ("4 conv layers with kernel 3, each with stride 2 except the last", "except"),
    ("filters double each layer, starting at 16, 4 layers of kernel 3", "double"),
    ("conv1: kernel 11 stride 4; conv2: kernel 5; conv3: kernel 3", "stride"),
    ("三个卷积核大小为5的卷积层，步长为2", "三个卷积核"),
    ("kernel=3, dilation=2**i for i in range(5)", "dilation"),
    ("layers.LSTM(8, proj_size=4)(x)", "proj_size"),
    ("layers.Convolution1D(8, 3, border_mode='same')(x)", "border_mode"),
    ("nn.Sequential(nn.Conv1d(1, 8, 3), nn.LSTM(8, 4, proj_size=2))", "proj_size"),
    ("def f(x, y):\n    a = nn.Conv1d(1, 8, 3)(x)\n    return a[..., a.shape[-1]:]", "not known"),
    (
        "def f(x):\n    a = nn.Conv1d(1, 8, 3)(x)\n    return a if a.shape[-1] == x.shape[-1] else a[..., 1:]",
        "not known",
    ),
    ("def f(x):\n    return build()(nn.Conv1d(1, 8, 3)(x))", "build"),
    ("y = nn.Conv1d(1, 8, 3)(torch.randn(1, 1, 50))\nz = head()(y)", "head"),
    ("i = Input((9, 4))\nh = Dense(8)(i)\ny = LSTM(8)(i, initial_state=[h, h])", "initial_state"),
    ("i = Input((9, 4))\nh = Dense(8)(i)\ny = LSTM(8)([i, h, h])", "state"),
]


@pytest.mark.parametrize(("text", "told"), UNREAD, ids=[row[1] for row in UNREAD])
def test_what_is_not_read_is_refused(text, told):
    with pytest.raises(ExplainError) as caught:
        report_on(text)
    assert told in str(caught.value)
    assert translated(str(caught.value), "zh") != str(caught.value)


PLACES = """
class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(8)
        self.where = nn.Parameter(0.1 * torch.ones(1, 16, 90))
        self.spare = nn.Linear(16, 3)
        for i in range(2):
            setattr(self, f"conv{i}", nn.Conv1d(8 * (i + 1), 16, 5, 2))
    def forward(self, x):
        x = self.norm(x).transpose(1, 2)
        for i in range(2):
            x = getattr(self, f"conv{i}")(x)
        x = F.conv1d(x, self.conv1.weight) + self.where[:, :, :x.size(-1) - 4]
        return x
net = Net()
"""


def test_parameters_names_and_turned_inputs_are_those_of_torch():
    answer = report_on(PLACES.replace(":x.size(-1) - 4", ":x.size(-1)"))
    report = answer.report
    room: dict = {"torch": torch, "nn": nn, "F": F}
    exec(PLACES, room)
    net = room["net"]
    used = sum(p.numel() for name, p in net.named_parameters() if not name.startswith("spare"))
    assert report.costs.params.value == used
    assert any("never used: net.spare" in note for note in report.notes)
    assert report.input_shapes == (("input", (1, None, 8)),)
    field = report.field("time")
    x = torch.randn(1, 60, 8, requires_grad=True)
    net(x)[0, 0, 3].backward()
    seen = torch.nonzero(x.grad[0].abs().sum(-1)).flatten().tolist()
    first = field.phases[0]
    assert (first.start + 3 * field.hop, first.end + 3 * field.hop) == (seen[0], seen[-1])


def test_lambdas_masks_and_scales_of_keras():
    even = report_on("x = Input((None, 64))\nx = Lambda(lambda t: t[:, ::2])(x)\nx = Conv1D(8, 3)(x)").report
    assert (even.field("time").rf, even.field("time").hop) == (5, 2)
    ahead = "x = i = Input((None, 32))\nx = MultiHeadAttention(2, 16)(i, i, use_causal_mask={})"
    assert not report_on(ahead.format(True)).report.field("time").whole_input
    assert report_on(ahead.format(False)).report.field("time").whole_input
    scaled = report_on(
        "i = Input((9, 40))\nx = Attention(use_scale=True)([i, i])\nx = AdditiveAttention()([x, i])"
    ).report
    assert scaled.costs.params.value == 1 + 40
    old = report_on("x = Convolution2D(32, 3, 3, input_shape=(28, 28, 1))\n").report
    assert (old.field("h").rf, old.field("h").hop, old.costs.params.value) == (3, 1, 320)


def test_what_comes_out_of_order_or_of_unknown_layers_is_said_so():
    torn = "def f(x):\n    x = nn.Conv1d(1, 8, 3)(x)\n    return x.view(1, -1, 8)"
    assert report_on(torn).report.field("time").status is Status.UNAVAILABLE
    open_ = report_on("x = Input((None, 8))\nx = Lambda(f)(x)\nx = Conv1D(8, 3)(x)\nreceptive field")
    assert open_.paragraphs[0].asked and "What lambda does is not known here" in open_.paragraphs[0].answer
    dense = report_on("nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10))").report
    assert dense.fields == () and dense.costs.params.value == 203530


@pytest.mark.parametrize(
    ("words", "topics"),
    [
        ("receptive field and latency", {"kernel", "latency"}),
        ("延迟", {"latency"}),
        ("tell me the hop", {"stride"}),
        ("can it stream?", {"streaming"}),
        ("the encoder has 64 filters", set()),
    ],
)
def test_topics_are_asked_for_without_a_question_word(words, topics):
    paragraphs = report_on(f"nn.Sequential(nn.Conv1d(1, 8, 3), nn.Conv1d(8, 8, 3))\n{words}").paragraphs
    assert {paragraph.key for paragraph in paragraphs if paragraph.asked} == topics


@pytest.mark.parametrize(
    ("paste", "key", "answer"),
    [
        ("卷积核大小为3，步长为2的Conv1d，输入长度16000，输出长度是多少？", "size", "(16,000 - 3) / 2 + 1 = 7,999"),
        (
            "conv output size formula? input 224, kernel 7, stride 2, padding 3",
            "size",
            "(224 + 3 + 3 - 7) / 2 + 1 = 112",
        ),
        (
            "mobilenet depthwise separable conv, 32 input channels, 64 filters: 参数量",
            "separable",
            "1/64 + 1/9 = 0.1267",
        ),
        ("nn.Conv1d(512, 512, 3, groups=512) what does depthwise save?", "separable", "1,536 weights where"),
        (
            "nn.Conv1d(64, 128, 3, groups=4): depthwise or not?",
            "separable",
            "each filter reads 16 of the 64 input channels",
        ),
        ("nn.GRU(1024, 1024, 2): how many parameters?", "params", "= 2 x 3 x 1,024 x (1,024 + 1,024) + 12,288"),
        (
            "nn.LSTM(257, 512, num_layers=2, bidirectional=True) 参数量怎么算",
            "params",
            "lstm 9,457,664 = 2 x 4 x 512 x (257 + 512) + 2 x 4 x 512 x (1,024 + 512) + 16,384",
        ),
        (
            "nn.Conv2d(64, 128, kernel_size=3, padding=1) how many FLOPs for a 56x56 input?",
            "macs",
            "conv2d 231 M = 3 x 3 x 64 x 128 x 3,136",
        ),
        ("nn.Conv1d(16, 32, 5) 计算量", "macs", "For each output position: conv1d 2,560 = 5 x 16 x 32"),
        ("why this padding? nn.Conv1d(8, 8, 5)", "padding", "no padding in conv1d: the output is 4 shorter"),
        (
            "why this padding? nn.Conv1d(8, 8, 5, padding=2)",
            "padding",
            "conv1d is 2 before the first position and 2 after the last, 4",
        ),
        ("why padding? nn.Conv1d(8, 8, 5, padding=1)", "padding", "2 less than (kernel - 1) x dilation"),
        ("why padding? nn.Conv1d(8, 8, 5, padding=3)", "padding", "2 more than (kernel - 1) x dilation"),
        ("why padding='causal'? layers.Conv1D(8, 5, padding='causal')(x)", "padding", "output n ends at input n"),
        (
            "why padding 4? nn.Conv1d(8, 8, 5, padding=4)",
            "padding",
            "after the last position (4) only lengthens the output, by 4",
        ),
        ("1x1卷积有什么作用", "kernel", "it mixes the channels of each position"),
        ("为什么第一层用 (1,3) 而后面用 (2,3)？时间维为什么 stride 是 1", "stride", "Along time every stride is 1"),
        ("ResNet-50的感受野是多少", "kernel", "receptive field is 427 pixels"),
        ("ResNet34 说话人识别的感受野", "kernel", "Along frequency the receptive field is"),
        ("为什么卷积层的通道数一般是2的幂次", "powers", "a multiple of 8 leaves none of that idle"),
        ("为什么取2的幂次方 layers.Conv2D(20, (1,3))(x)", "powers", "conv2d (20) is no multiple of 8"),
    ],
)
def test_what_is_asked_is_answered_first(paste, key, answer):
    asked = [one for one in report_on(paste).paragraphs if one.asked]
    assert key in [one.key for one in asked]
    assert answer in next(one.answer for one in asked if one.key == key)


def test_dims_are_those_of_which_the_text_speaks():
    code = "nn.Conv2d(1, 16, kernel_size=(2, 3), stride=(1, 2), padding=(1, 0))"
    on_time, open_ = report_on(f"{code} # causal in time 为什么padding是(1,0)"), report_on(code)
    assert [axis.name for axis in on_time.graph.axes[on_time.graph.main_input]] == ["time", "freq"]
    assert on_time.report.field("time").ahead == 0
    assert any("taken for BCHW" in note for note in open_.graph.notes)


DIGITS = """
self.layer1 = nn.Sequential(
            nn.Conv2d(1, 32, kernel_size=5, stride=1, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=2, stride=2))
self.layer2 = nn.Sequential(
            nn.Conv2d(32, 64, kernel_size=5, stride=1, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(kernel_size=2, stride=2))
self.fc1 = nn.Linear(7 * 7 * 64, 1000)
"""


def test_the_input_is_worked_out_from_the_layer_behind_the_convolutions():
    graph = report_on(DIGITS).graph
    assert (graph.shape(graph.main_input), graph.shape(graph.outputs[0])) == ((1, 1, 28, 28), (1, 1000))
    assert any("1 x 28 x 28 was worked out from fc1" in note for note in graph.notes)
    odd = report_on(DIGITS.replace("7 * 7 * 64", "50 * 64")).graph  # no square: a flattening of unknown sizes
    assert odd.shape(odd.main_input) == (1, 1, None, None)


def test_names_inside_code_are_no_question():
    code = "class N(nn.Conv1d):\n    def __init__(self, in_channels, out_channels):\n"
    code += "        super().__init__(in_channels, out_channels, 3)\nnet = N(4, 4)\nwhat is the receptive field?"
    assert [one.key for one in report_on(code).paragraphs if one.asked] == ["kernel"]


def test_frames_a_second_are_read():
    field = report_on("x = Conv1D(64, 3, padding='causal')(x)\nlatency at 100 frames per second?").report.field("time")
    assert field.ms(field.rf) == pytest.approx(30)


@pytest.mark.parametrize(
    "text", ["为什么用两个3x3卷积代替一个5x5卷积", "two 3x3 convs vs one 5x5 conv: receptive field?"]
)
def test_two_networks_in_a_sentence_are_not_read_as_one(text):
    found = report_on(text)
    assert [field.rf for field in found.report.fields] == [5, 5] and len(found.report.layers) == 2
    assert "18 weights in all, where one kernel of 5 x 5, their receptive field, would have 25" in (
        found.paragraphs[0].answer
    )
    assert any(note.startswith("Left out, as what the text compares with: ") for note in found.report.notes)


def test_a_title_repeats_what_was_written():
    assert report_on("2*3/2 5").report.title == "2*3/2 5"


BARE = [  # a question without code, the paragraph that answers it, and what that says of the example taken
    ("wav2vec的context network感受野210ms是怎么算的", "kernel", "3,345"),
    ("wav2vec large 的感受野是 810 ms 吗", "kernel", "12,945"),
    ("why does wav2vec produce a vector every 10 ms?", "stride", "every 160 samples (10 ms)"),
    ("The encoder network embeds 30 ms of 16 kHz audio with a 10 ms stride; how is that computed?", "stride", "= 160"),
    ("wav2vec 的编码器网络为什么是五层", "depth", "10, 45, 105, 225, 465 samples, and the hop 5, 20, 40, 80, 160"),
    ("为什么encoder有5层", "depth", "3, 7, 15, 31, 63 bins"),
    ("Conv-TasNet encoder 为什么输出是 185 帧", "size", "(3,200 - 256) / 16 + 1 = 185"),
    ("Conv-TasNet 的 TCN 感受野是多少秒", "kernel", "12,256 samples (766 ms)"),
    ("can Conv-TasNet stream?", "streaming", "look-ahead of 6,128 samples"),
    ("深度可分离卷积的参数量为什么少", "separable", "1/64 + 1/9"),
    ("VQ-VAE-2 的编码器下采样多少倍", "stride", "2 x 2 = 4"),
    ("ResNet的block1中为什么用1x1卷积", "kernel", "A kernel of 1, as in layer1 (256 -> 64) and layer3 (64 -> 256)"),
    ("怎么在卷积层后面加CBAM注意力", "cbam", "layer2 + 680"),
    ("CRN的LSTM输入为什么是1024", "filters", "1,024 values"),
    ("为什么输入是161维", "bins", "161 bins are those of 320 samples"),
    ("为什么解码器的滤波器数是256,128,64,32,16", "filters", "4 -> 9 -> 19 -> 39 -> 80 -> 161"),
    ("语音增强中为什么使用转置卷积", "stride", "Along frequency"),
    ("filters=16 是什么意思", "filters", "16 different weighted sums"),
    ("为什么滤波器数量逐层翻倍", "filters", "161 -> 80 -> 39 -> 19 -> 9 -> 4"),
    ("膨胀卷积有什么作用", "kernel", "2 x 4 + 6 + 8"),
    ("padding='causal' 是什么意思", "padding", "is 1 before the first position and none after the last"),
]


@pytest.mark.parametrize(("question", "key", "answer"), BARE, ids=[row[0] for row in BARE])
def test_a_question_without_code_is_answered_by_an_example(question, key, answer):
    found = report_on(question)
    assert any("taken as an example" in note for note in found.graph.notes)
    assert answer in next(one.answer for one in found.paragraphs if one.asked and one.key == key)


def test_layers_in_parentheses_are_repeated():
    report = report_on("16/8 2*(3:1 3:2) 3").report
    assert [layer.field("time").rf for layer in report.layers] == [16, 32, 64, 80, 112, 128]
    assert report.title == "16/8 2*(3:1 3:2) 3"
    with pytest.raises(ExplainError, match="is not understood"):
        report_on("2*(3:1 3:2")


SUMMARY = "Layer (type)  Output Shape  Param #\n=======\nconv1d (Conv1D)  (None, 3998, 16)  80\n"


@pytest.mark.parametrize(
    ("paste", "message"),
    [
        ("def f(x): x = Conv1D(8, 3)(x) return ReLU(0=.)(x) 计算量减少多少", "cannot be put together again"),
        (f"{SUMMARY}max_pooling1d (MaxPooling1D)  (None, 1999, 4, 16)  0\n", "do not follow from"),
        (f"{SUMMARY}max_pooling1d (MaxPooling1D)  (None, 0, 16)  0\n", "do not follow from"),
        ("Layer (type)  Output Shape  Param #\n=======\nconv1d (Conv1D)  (None)  80\n", "Add the input's line"),
        ("[(512, 3x10, 5)] 感受野", "no network in"),
        ("1000000000 dilated conv layers of kernel 3, dilation doubling each layer", "layers in the sentence"),
        ("100*3/1000", "multiply to more than"),
        (f"conv kernel 3 repeated {'9' * 5000} times", "more than 1000 digits"),
        ("9999*(3) " * 1000, "More than 2000 layers"),
    ],
)
def test_mangled_text_is_an_error_in_words(paste, message):
    with pytest.raises(ExplainError, match=message) as caught:
        report_on(paste)
    assert translated(str(caught.value), "zh") != str(caught.value)


PADDLE = """
import paddle.nn as nn
class Net(nn.Layer):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2D(1, 16, (1, 3), stride=(1, 2))
        self.conv2 = nn.Conv2D(16, 32, kernel_size=(2, 3), stride=(1, 2), bias_attr=False)
        self.norm = nn.BatchNorm2D(32)
    def forward(self, x):
        return self.norm(self.conv2(F.relu(self.conv1(x))))
"""
FIRST_TENSORFLOW = """
net = tf.layers.conv2d(inputs=net, filters=64, kernel_size=[3, 3], strides=2, padding='same', activation=tf.nn.relu)
net = tf.layers.max_pooling2d(net, 2, 2)
net = tf.layers.conv2d(net, 128, 3, padding='same')
"""


@pytest.mark.parametrize(
    ("paste", "rf", "hop", "params"),
    [
        (PADDLE, 7, 4, 16 * 3 + 16 + 32 * 16 * 6 + 2 * 32),
        ("self.conv = paddle.nn.Conv2D(1, 16, (1, 3), stride=(1, 2))", 3, 2, 64),
        (FIRST_TENSORFLOW, 13, 4, 9 * 64 + 64 + 9 * 64 * 128 + 128),
        ("h = tf.layers.conv1d(x, 16, 5, strides=2) 为什么步长是2", 5, 2, 96),
    ],
)
def test_layers_of_other_programs_are_read_by_the_names_of_torch_and_keras(paste, rf, hop, params):
    found = report_on(paste)
    field = found.report.fields[-1]
    assert (field.rf, field.hop, found.report.costs.params.value) == (rf, hop, params)
    assert any(translated(note, "zh") != note and "read as" in note for note in found.graph.notes)


def test_long_stretches_of_space_cost_no_more_than_one():
    answers = said(f"why kernel{' ' * 50_000}3 and stride 2?")
    assert "3 taps make a receptive field of 3 samples" in answers["kernel"]
