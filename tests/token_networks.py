"""Small networks of tokens, and the parts of them that are exported, for the laws."""

import torch

from voxfield.models.code_histogram import CodeHistogram, CodeHistogramConfig
from voxfield.models.vqvae2 import Vqvae2, Vqvae2Config

SMALL = {"channels": 8, "block_channels": 4, "code_size": 4, "codes": 16}
TOKENIZERS = {
    "vqvae2, image": lambda: Vqvae2(Vqvae2Config(image_px=16, **SMALL)),
    "vqvae2, image, three levels": lambda: Vqvae2(Vqvae2Config(image_px=32, levels=3, **SMALL)),
    "vqvae2, one level": lambda: Vqvae2(Vqvae2Config(image_px=8, image_channels=1, levels=1, **SMALL)),
    "vqvae2, sound": lambda: Vqvae2(Vqvae2Config(bands=16, **SMALL)),
    "vqvae2, sound, gradient": lambda: Vqvae2(Vqvae2Config(bands=16, update="gradient", **SMALL)),
    "vqvae2, sound, one code": lambda: Vqvae2(Vqvae2Config(bands=16, **(SMALL | {"codes": 1}))),
}
PROBES = {
    "code-histogram": lambda: CodeHistogram(CodeHistogramConfig(labels=("rain", "wind", "other"), codes=16, ranges=2)),
}


def made(name):
    """The network in evaluation mode, its codebooks spread over what it sees."""
    torch.manual_seed(0)
    net = TOKENIZERS[name]()
    face = net.interface()
    with torch.no_grad():
        net.train().rebuild(torch.randn(face.block_shape(64, 4)))
    return net.eval()
