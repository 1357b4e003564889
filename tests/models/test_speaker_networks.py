"""Speaker networks have the published sizes, and refuse configurations that do not exist."""

import pytest
import torch

from voxfield.errors import InputError
from voxfield.models.ds_tdnn import DsTdnn, DsTdnnConfig
from voxfield.models.ecapa_tdnn import EcapaConfig, EcapaTdnn
from voxfield.models.speaker_resnet import TRUNKS, SpeakerResNet, SpeakerResNetConfig

SIZES = {  # of WeSpeaker, SpeechBrain and TaoRuijie, but for DS-TDNN
    "ecapa C512 GLOB": (EcapaTdnn, EcapaConfig(), 6_190_720),
    "ecapa C1024 GLOB": (EcapaTdnn, EcapaConfig(channels=1024), 14_657_088),
    "ecapa C512": (EcapaTdnn, EcapaConfig(global_context=False), 5_797_504),
    "ecapa C1024": (EcapaTdnn, EcapaConfig(channels=1024, global_context=False), 14_263_872),
    "ecapa C512, norm": (EcapaTdnn, EcapaConfig(global_context=False, embedding_norm=True), 5_797_888),
    "speechbrain C512": (EcapaTdnn, EcapaConfig(program="speechbrain"), 6_194_048),
    "speechbrain C1024": (EcapaTdnn, EcapaConfig(program="speechbrain", channels=1024, joined=3072), 20_767_552),
    "taoruijie C512": (EcapaTdnn, EcapaConfig(program="taoruijie", attention=256, embedding_norm=True), 6_978_176),
    "resnet18, attentive": (SpeakerResNet, SpeakerResNetConfig.of_depth(18, pooling="attentive"), 4_763_488),
    "resnet34": (SpeakerResNet, SpeakerResNetConfig(), 6_634_336),
    "resnet34, two layers": (SpeakerResNet, SpeakerResNetConfig(second_layer=True), 6_700_128),
    "resnet50": (SpeakerResNet, SpeakerResNetConfig.of_depth(50), 11_131_360),
    "ds-tdnn": (DsTdnn, DsTdnnConfig(), 1_068_480),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_those_published(name):
    network, config, size = SIZES[name]
    with torch.device("meta"):
        assert sum(parameter.numel() for parameter in network(config).parameters()) == size


@pytest.mark.parametrize("depth", TRUNKS)
def test_every_trunk_has_its_layers(depth):
    with torch.device("meta"):
        net = SpeakerResNet(SpeakerResNetConfig.of_depth(depth))
    convolutions = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size != (1, 1)]
    pointwise = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size == (1, 1)]
    shortcuts = 4 if net.config.bottleneck else 3
    assert len(convolutions) + len(pointwise) - shortcuts + 1 == depth


def test_what_does_not_exist_is_refused():
    with pytest.raises(InputError, match="no ECAPA-TDNN of 'kaldi'"):
        EcapaConfig(program="kaldi")
    with pytest.raises(InputError, match="8 groups"):
        EcapaConfig(channels=20)
    with pytest.raises(InputError, match="no ResNet33"):
        SpeakerResNetConfig.of_depth(33)
    with pytest.raises(InputError, match="'mean'"):
        SpeakerResNetConfig(pooling="mean")
