"""VQ-VAE-2 of rosinality, and the PixelSNAIL priors of its codes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from voxfield.export.convert.checkpoint import Checkpoint
from voxfield.export.convert.pixelsnail import make_prior
from voxfield.export.convert.program import Made, Program, configured, proved
from voxfield.export.convert.renaming import numbered, renamed
from voxfield.models.vqvae2 import Vqvae2, Vqvae2Config
from voxfield.train.checkpoint import restore

STACKS = {"enc_b": "encoders.0", "enc_t": "encoders.1", "dec_t": "hints.0", "dec": "decoder"}
NAMES = [
    *(
        row
        for theirs, ours in STACKS.items()
        for row in (
            (rf"{theirs}\.blocks\.(\d+)\.conv\.1", f"{ours}.{{0}}.wide"),
            (rf"{theirs}\.blocks\.(\d+)\.conv\.3", f"{ours}.{{0}}.narrow"),
            (rf"{theirs}\.blocks\.(\d+)", f"{ours}.{{0}}"),
        )
    ),
    (r"quantize_conv_b", "joins.0"),
    (r"quantize_conv_t", "joins.1"),
    (r"upsample_t", "ups.0"),
]
CODEBOOK = {"embed": "entries", "embed_avg": "sums", "cluster_size": "counts"}
FAR = 1e3  # from where on an entry is one that was never used: see `voxfield.nn.quantise`


def make(content: Checkpoint, overrides: Sequence[str]) -> Made:
    """The network of a checkpoint, an autoencoder or a prior."""
    return make_prior(content, overrides) if "background" in content.tensors else make_autoencoder(content, overrides)


def make_autoencoder(content: Checkpoint, overrides: Sequence[str]) -> Made:
    """Stored cases are images and what they are rebuilt as."""
    first, codebook = content.tensor("enc_b.blocks.0.weight", 4), content.tensor("quantize_t.embed", 2)
    known = {
        "image_channels": first.shape[1],
        "channels": content.tensor("enc_b.blocks.4.weight", 4).shape[0],
        "blocks": numbered(content.tensors, r"^enc_t\.blocks\.(\d+)\.conv\.") - 3,
        "block_channels": content.tensor("enc_t.blocks.3.conv.1.weight", 4).shape[0],
        "code_size": codebook.shape[0],
        "codes": codebook.shape[1],
    }
    config, assumed = configured(Vqvae2Config, known, {"image_px": Vqvae2Config().image_px}, overrides)
    net = Vqvae2(config).eval()
    restore(net, _ours(content.tensors, net), str(content.path))
    card = {
        "task": "tokens",
        "architecture": "vqvae2",
        "summary": f"images of {config.image_px} x {config.image_px} as codes, VQ-VAE-2 converted from rosinality",
    }
    return Made(net, card, proved(content.pairs("image", "reconstruction"), net), assumed, _notes(content))


def _ours(theirs: dict[str, Tensor], net: Vqvae2) -> dict[str, Tensor]:
    """Their codebooks are turned: (D, K)."""
    plain, codebooks = {}, {}
    for name, tensor in theirs.items():
        layer, _, part = name.rpartition(".")
        if layer in ("quantize_b", "quantize_t") and part in CODEBOOK:
            level = int(layer == "quantize_t")
            codebooks[f"codebooks.{level}.{CODEBOOK[part]}"] = tensor.T.contiguous() if tensor.ndim == 2 else tensor
            codebooks[f"codebooks.{level}.started"] = torch.tensor(True)
        else:
            plain[name] = tensor
    return codebooks | renamed(plain, NAMES, net.state_dict())


def _notes(content: Checkpoint) -> tuple[str, ...]:
    notes = []
    for level in ("t", "b"):
        entries = content.tensor(f"quantize_{level}.embed", 2)
        if far := int((entries.abs().amax(0) > FAR).sum()):
            notes.append(
                f"{far} of {entries.shape[1]} entries of quantize_{level} were never used: they lie beyond {FAR:g}"
            )
    return tuple(notes)


PROGRAM = Program(r"^quantize_[tb]\.embed$|^background$", make)
