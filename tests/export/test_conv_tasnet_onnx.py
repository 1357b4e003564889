"""Conv-TasNet as ONNX: the network's own numbers, for every variant, through the runtime that users run."""

import io
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch

from voxfield.errors import CheckpointError
from voxfield.export.convert import convert_checkpoint as convert
from voxfield.export.convert.asteroid import names
from voxfield.export.convert.naming import rows, theirs_from
from voxfield.export.onnx_file import export_network, parity, to_onnx
from voxfield.models.conv_tasnet import ConvTasNet, ConvTasNetConfig
from voxfield.nn.norms import GlobalNorm
from voxfield.runtime import Stream, load_engine
from voxfield.tasks.separation.recording import separate

TINY = ConvTasNetConfig(
    filters=12, kernel_samples=16, stride_samples=4, bottleneck=6, hidden=10, skip=5, blocks=2, repeats=2
)
VARIANTS = {
    "global": TINY,
    "channel": replace(TINY, norm="channel", mask="softmax", sources=3),
    "paper's ends": replace(TINY, padding="paper", kernel_samples=8, last_residual=True, encoder_activation="gelu"),
    "aligned ends": replace(TINY, padding="align", kernel_samples=9, mask="relu", skip=0),
    "no zeros": replace(TINY, padding="none", encoder_activation="relu", bias=False, mask_prelu=False),
    "cumulative": replace(TINY, causal=True, norm="cumulative", first_norm="cumulative", blocks=1),
    "cumulative, no zeros": replace(
        TINY,
        causal=True,
        norm="cumulative",
        first_norm="cumulative",
        padding="none",
        repeats=1,
        encoder_activation="softplus",
        mask="swish",
    ),
    "frame": replace(TINY, causal=True, norm="frame", first_norm="frame"),
    "batch": replace(TINY, causal=True, norm="batch", first_norm="frame", skip=0),
}


def network(config):
    torch.manual_seed(0)
    return ConvTasNet(config).eval()


def about(net, name="tiny-net.v1"):
    return {
        "name": name, "task": "separate", "architecture": "conv-tasnet", "summary": "for a test", "licence": "none",
        "data": [], "config": {}, "interface": net.interface(),
    }  # fmt: skip


@pytest.mark.parametrize("config", VARIANTS.values(), ids=VARIANTS)
def test_onnx_equals_torch(config):
    net = network(config)
    content, names = to_onnx(net, net.interface())
    assert parity(net, content, names, net.interface()) <= 1e-5


@pytest.mark.parametrize("name", ["global", "paper's ends", "aligned ends", "no zeros"])
@torch.no_grad()
def test_every_length_through_the_runtime(tmp_path, name):
    net = network(VARIANTS[name])
    export_network(net, tmp_path / "tiny.onnx", about(net))
    engine = load_engine(tmp_path / "tiny.onnx")
    assert not engine.card.interface.streaming
    for n in (1, 5, 16, 17, 99, 400):
        if name == "no zeros" and n < net.config.kernel_samples:
            continue  # callers fill up to one window
        x = np.random.default_rng(n).standard_normal((1, 1, n)).astype(np.float32)
        wanted = net.separate(torch.from_numpy(x)).numpy()
        got, _ = engine.step(x, ())
        assert np.abs(got - wanted).max() <= 1e-5 * max(np.abs(wanted).max(), 1e-3)


@pytest.mark.parametrize("name", ["cumulative, no zeros", "batch"])
@torch.no_grad()
def test_a_stream_gives_the_recording_separated(tmp_path, name):
    net = network(VARIANTS[name])
    card = export_network(net, tmp_path / "tiny.onnx", about(net))
    assert card.interface.streaming and card.states
    x = np.random.default_rng(0).standard_normal(403).astype(np.float32)
    stream = Stream(load_engine(tmp_path / "tiny.onnx"))
    parts = [stream.feed(piece) for piece in np.split(x, [1, 2, 50, 53, 300])]
    got = np.concatenate([*parts, stream.flush()], axis=1)
    wanted = net.separate(torch.from_numpy(x)[None, None]).numpy()[0]
    assert got.shape == wanted.shape == (2, 403)
    whole = 403 - net.config.kernel_samples if "no zeros" in name else 403  # the stream has the last windows besides
    assert np.abs(got - wanted)[:, :whole].max() <= 1e-5 * np.abs(wanted).max()


def test_a_conversion_runs_by_itself(tmp_path):
    net = network(replace(TINY, sample_rate_hz=8000))
    table = list(rows(net.config, names(causal=False)))
    like = {name: torch.Size([1]) for row in table for name in row.theirs}
    weights = net.state_dict()
    shapes = dict(like)
    for row in table:
        if len(row.theirs) == 1:
            shapes[row.theirs[0]] = weights[row.ours].shape
        else:
            tail = weights[row.ours].shape[1:]
            shapes[row.theirs[0]] = torch.Size([net.config.bottleneck, *tail])
            shapes[row.theirs[1]] = torch.Size([net.config.skip, *tail])
    torch.save(theirs_from(weights, shapes, table), tmp_path / "theirs.pt")
    made = convert(tmp_path / "theirs.pt", "asteroid", tmp_path, ["blocks=2", "stride_samples=4"], onnx=True)
    path = next(path for path in made.files if path.suffix == ".onnx")
    recording = 0.1 * np.random.default_rng(0).standard_normal(9000).astype(np.float32)
    assert separate(recording, 8000, model=path).voices.shape == (2, 1, 9000)


class Drifting(torch.nn.Module):
    """A network whose file gives other numbers than it gives itself: by a little, and only where the input is long."""

    def __init__(self, off, longer_than):
        super().__init__()
        self.off, self.longer_than = off, longer_than

    def forward(self, x):
        if not torch.onnx.is_in_onnx_export():
            return x
        long = torch.arange(x.shape[-1], device=x.device) >= self.longer_than
        return x * (1 + self.off * long)


@pytest.mark.parametrize("longer_than", [0, 100_000], ids=["everywhere", "beyond six seconds"])
def test_a_file_that_differs_is_not_written(tmp_path, longer_than):
    said = about(network(replace(TINY, sources=1, sample_rate_hz=16000)))
    with pytest.raises(CheckpointError, match=r"tiny-net\.v1 differs from the network by \d\.\de-0[45], over 1e-05"):
        export_network(Drifting(1e-4, longer_than), tmp_path / "tiny.onnx", said)
    assert not list(tmp_path.iterdir())


@torch.no_grad()
def test_a_norm_over_everything_is_as_precise_in_the_file_at_ten_seconds():
    """5 million values lie under one mean; the general operator of the runtime is off by some 1e-4 here."""
    torch.manual_seed(0)
    layer = GlobalNorm(512)
    layer.weight.uniform_(0.5, 2)
    layer.bias.normal_()
    content = io.BytesIO()
    torch.onnx.export(
        layer, (torch.randn(1, 512, 9),), content, dynamo=False, opset_version=17, input_names=["input"],
        output_names=["output"], dynamic_axes={"input": {2: "time"}, "output": {2: "time"}},
    )  # fmt: skip
    session = onnxruntime.InferenceSession(content.getvalue(), providers=["CPUExecutionProvider"])
    for offset in (0.3, 30.0):
        x = torch.randn(1, 512, 10_000) + offset * torch.rand(512, 1)
        wanted = layer.double()(x.double())
        (got,) = session.run(None, {"input": x.numpy()})
        assert (torch.from_numpy(got) - wanted).abs().max() <= 2e-6 * wanted.abs().max()
        layer.float()
