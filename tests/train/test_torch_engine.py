"""A torch network as an engine gives users' tasks the numbers of its ONNX file."""

import numpy as np
import pytest
import torch

from voxfield.errors import InputError
from voxfield.export import export_network
from voxfield.models.crn_band import BandCrn, BandCrnConfig
from voxfield.runtime import OnnxEngine, Stream
from voxfield.tasks import enhance
from voxfield.train.torch_engine import TorchEngine, card_for


@pytest.fixture(params=[256, 128], ids=["half-a-window", "a-quarter"])
def network(request):
    torch.manual_seed(0)
    config = BandCrnConfig(hop_samples=request.param, channels=8, bands=6, hidden=8, blocks=2, level_frames=9)
    return BandCrn(config).eval()


def test_torch_engine_equals_onnx_engine(network, speech, tmp_path):
    ours = TorchEngine(network, card_for(network, "enhance", "crn-band"))
    about = {key: getattr(ours.card, key) for key in ("name", "task", "architecture", "summary", "config", "licence")}
    card = export_network(network, tmp_path / "n.onnx", about | {"data": (), "interface": network.interface()})
    assert card.interface == ours.card.interface and card.interface.hop_samples == network.config.hop_samples
    samples = speech(2, 9000)
    wanted = enhance(samples, 16000, model=OnnxEngine(tmp_path / "n.onnx"), channels="independent").samples
    assert np.abs(enhance(samples, 16000, model=ours, channels="independent").samples - wanted).max() < 1e-5
    stream = Stream(ours)
    parts = [stream.feed(part) for part in np.split(samples[:1], [10, 700, 5000], axis=1)]
    assert np.abs(np.concatenate([*parts, stream.flush()], axis=1) - wanted[:1]).max() < 1e-5


def test_a_network_in_training_mode_is_refused(network):
    engine = TorchEngine(network.train(), card_for(network, "enhance", "crn-band"))
    with pytest.raises(InputError, match="eval"):
        enhance(np.zeros(1000), 16000, model=engine)
