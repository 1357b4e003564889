"""Small speaker networks of every architecture and variant, for the laws and the tests."""

from pathlib import Path

import torch

from voxfield.models.ds_tdnn import DsTdnn, DsTdnnConfig
from voxfield.models.ecapa_tdnn import EcapaConfig, EcapaTdnn
from voxfield.models.speaker_resnet import SpeakerResNet, SpeakerResNetConfig

ECAPA = {"channels": 16, "joined": 24, "squeeze": 4, "attention": 5, "embedding": 12}
RESNET = {"channels": 2, "blocks": (1, 2, 1, 1), "embedding": 12}
EMBEDDERS = {
    "ecapa-tdnn": lambda: EcapaTdnn(EcapaConfig(**ECAPA)),
    "ecapa-tdnn, plain": lambda: EcapaTdnn(EcapaConfig(**ECAPA, global_context=False)),
    "ecapa-tdnn, speechbrain": lambda: EcapaTdnn(EcapaConfig(**ECAPA, program="speechbrain")),
    "ecapa-tdnn, taoruijie": lambda: EcapaTdnn(EcapaConfig(**ECAPA, program="taoruijie", embedding_norm=True)),
    "speaker-resnet": lambda: SpeakerResNet(SpeakerResNetConfig(**RESNET)),
    "speaker-resnet, two layers": lambda: SpeakerResNet(SpeakerResNetConfig(**RESNET, second_layer=True)),
    "speaker-resnet, bottleneck, attentive": lambda: SpeakerResNet(
        SpeakerResNetConfig(**RESNET, bottleneck=True, pooling="attentive")
    ),
    "ds-tdnn": lambda: DsTdnn(DsTdnnConfig(channels=8, squeeze=4, joined=12, attention=5, embedding=12)),
}


def seasoned(net: torch.nn.Module) -> torch.nn.Module:
    """The network, ready to run, with statistics and scales that have seen something."""
    for module in net.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            if module.affine:
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
                torch.nn.init.normal_(module.bias, 0, 0.1)
    return net.eval()


def embedder(name: str) -> torch.nn.Module:
    """A network of `EMBEDDERS`, the same at every call."""
    torch.manual_seed(0)
    return seasoned(EMBEDDERS[name]())


def exported(path: Path, name: str = "tiny-speakers.v1", architecture: str = "ecapa-tdnn", **card) -> Path:
    """A network of `EMBEDDERS` as a file, with a card of this name and of other fields that are given."""
    from voxfield.export import export_network

    net = embedder(architecture)
    about = {
        "name": name, "task": "embed", "architecture": "ecapa-tdnn", "summary": "tiny", "config": {},
        "licence": "Apache-2.0", "data": (), "interface": net.interface(), **card,
    }  # fmt: skip
    export_network(net, path, about)
    return path
