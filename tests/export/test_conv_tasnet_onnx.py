"""Conv-TasNet as ONNX: the network's own numbers, for every variant, through the runtime that users run."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from voxfield.export.convert import convert
from voxfield.export.onnx_file import export_network, parity, to_onnx
from voxfield.models.conv_tasnet import ConvTasNet, ConvTasNetConfig
from voxfield.runtime import Stream, load_engine
from voxfield.tasks.separation import separate

TINY = ConvTasNetConfig(
    filters=12, kernel_samples=16, stride_samples=4, bottleneck=6, hidden=10, skip=5, blocks=2, repeats=2
)
VARIANTS = {
    "global": TINY,
    "channel": replace(TINY, norm="channel", mask="softmax", sources=3),
    "paper's ends": replace(TINY, padding="paper", kernel_samples=8, last_residual=True),
    "aligned ends": replace(TINY, padding="align", kernel_samples=9, mask="relu", skip=0),
    "no zeros": replace(TINY, padding="none", encoder_relu=True, bias=False, mask_prelu=False),
    "cumulative": replace(TINY, causal=True, norm="cumulative", first_norm="cumulative", blocks=1),
    "cumulative, no zeros": replace(
        TINY, causal=True, norm="cumulative", first_norm="cumulative", padding="none", repeats=1
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
    got = np.concatenate([*parts, stream.flush()[0]], axis=1)
    wanted = net.separate(torch.from_numpy(x)[None, None]).numpy()[0]
    assert got.shape == wanted.shape == (2, 403)
    whole = 403 - net.config.kernel_samples if "no zeros" in name else 403  # the stream has the last windows besides
    assert np.abs(got - wanted)[:, :whole].max() <= 1e-5 * np.abs(wanted).max()


def test_a_conversion_runs_by_itself(tmp_path):
    net = network(replace(TINY, sample_rate_hz=8000))
    from voxfield.export.foreign import rows, theirs_from

    table = list(rows(net.config, "asteroid"))
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
