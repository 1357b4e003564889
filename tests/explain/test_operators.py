"""Operators that move or combine values: from torch, from ONNX, and as measured on the module."""

import io
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from voxfield.explain import explain

WAVE, PICTURE = (1, 4, 64), (1, 4, 8, 12)
BOTH = {
    WAVE: """x.narrow(2, 5, 40)|x[:, :, 3:60:2]|x[..., -8:]|x.select(1, 2)|x[:, :, 7]|torch.unbind(x, 1)[1]
        x.transpose(1, 2)|x.permute(2, 0, 1)|x.repeat(1, 2, 1)|x.expand(3, -1, -1)
        x.view(1, 4, 16, 4)|x.view(1, 2, 2, 64)|x.unsqueeze(1).squeeze(1)|x.reshape(1, 8, 32)
        torch.cat([x, x + 1], 1)|torch.stack([x, x], 1)|torch.split(x, [10, 54], 2)[1]|x.chunk(2, 1)[1]|x.mean(2)
        x.mean(1, keepdim=True)|x.amax(2, keepdim=True)|torch.cumsum(x, 2)|torch.softmax(x, 2)
        F.log_softmax(x, 1)|F.glu(x, 1)|x * torch.sigmoid(x)|torch.where(x > 0, x, 2 * x)|F.max_pool1d(x, 3, 2, 1)
        F.avg_pool1d(x, 4)|F.adaptive_avg_pool1d(x, 1)|F.pad(x, (2, 1))|F.pad(x, (3, 3), mode="reflect")
        F.pad(x, (-4, 0))
        F.pad(x, (1, 2), mode="replicate")|F.interpolate(x, scale_factor=2)|F.layer_norm(x, (64,))|F.group_norm(x, 2)
        F.interpolate(x, scale_factor=2, mode="linear")|F.instance_norm(x)|x @ x.transpose(1, 2)
        x - x.mean(2, keepdim=True)
        torch.einsum("bct,bdt->bcd", x, x)|x.pow(2).clamp(min=1e-3)""",
    PICTURE: """F.pixel_shuffle(x, 2)|F.max_pool2d(x, (2, 3))|F.adaptive_avg_pool2d(x, (2, 3))|x.mean((2, 3))
        F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=True)|x.permute(0, 2, 3, 1)
        F.pad(x, (1, 0, 2, 1))
        F.interpolate(x, size=(4, 6))|x.view(1, 2, 2, 8, 12).transpose(1, 2).reshape(1, 4, 8, 12)""",
}
TORCH_ONLY = {
    WAVE: """torch.flip(x, [2])|torch.roll(x, 3, 2)|torch.roll(x, 1, 1)|x.unfold(2, 8, 4)|x.movedim(1, 2)|x.mT|x.std(2)
        x.repeat_interleave(2, dim=2)|x.swapaxes(1, 2)|F.scaled_dot_product_attention(x, x, x)
        torch.fft.rfft(x, dim=1).abs()
        torch.stft(x[:, 0], 16, 4, window=torch.ones(16), return_complex=True).abs()|F.conv1d(x, torch.ones(3, 4, 5))
        F.conv1d(x, torch.ones(3, 4, 4), padding="same")|torch.baddbmm(x, x @ x.transpose(1, 2), x)|F.gelu(x)|F.silu(x)
        F.adaptive_max_pool1d(x, 5)|torch.var_mean(x, 2)[0]|x.logsumexp(2)|x.sum((1, 2))|x.mean()""",
    PICTURE: """F.pixel_unshuffle(x, 2)|F.channel_shuffle(x, 2)|F.fold(F.unfold(x, 2), (8, 12), 2)
        F.interpolate(x, scale_factor=2, mode="bicubic")|F.interpolate(x, scale_factor=2, mode="nearest-exact")""",
}


def calls(rows):
    return [
        (shape, call.strip()) for shape, text in rows.items() for row in text.split("\n") for call in row.split("|")
    ]


class Net(nn.Module):
    """A convolution, and an operator on what it gives."""

    def __init__(self, call, axes):
        super().__init__()
        torch.manual_seed(0)
        self.conv = (nn.Conv1d, nn.Conv2d)[axes - 1](4, 4, 3, padding=1)
        self.run = eval(f"lambda x: {call}", {"torch": torch, "F": F})

    def forward(self, x):
        return self.run(self.conv(x))


def facts(report):
    return [(f.axis, f.hop, f.rf, f.local_rf, f.in_size, f.out_size, f.ahead, f.bounded) for f in report.fields]


@pytest.mark.parametrize(("shape", "call"), calls(BOTH))
def test_an_operator_is_the_same_from_torch_and_from_onnx(shape, call):
    net, content = Net(call, len(shape) - 2).eval(), io.BytesIO()
    layout = "BCT" if shape is WAVE else "BCFT"
    report = explain(net, input_shape=shape, layout=layout, verify=True)
    assert report.output_shapes[0][1] == tuple(net(torch.zeros(shape)).shape)
    assert [probe for probe in report.probes if probe.agrees is False] == []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, (torch.zeros(shape),), content, dynamo=False, opset_version=17)
    assert facts(explain(content.getvalue(), input_shape=shape, layout=layout)) == facts(report)


@pytest.mark.parametrize(("shape", "call"), calls(TORCH_ONLY))
def test_an_operator_of_torch_agrees_with_what_is_measured(shape, call):
    net = Net(call, len(shape) - 2).eval()
    report = explain(net, input_shape=shape, layout="BCT" if shape is WAVE else "BCFT", verify=True)
    assert report.output_shapes[0][1] == tuple(net(torch.zeros(shape)).shape)
    assert [probe for probe in report.probes if probe.agrees is False] == []
