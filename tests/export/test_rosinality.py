"""rosinality's VQ-VAE-2, written down once more on its own tensors, gives the codes and images of the converted one."""

import pytest
import torch
import torch.nn.functional as F

from voxfield.errors import CheckpointError
from voxfield.export.convert import convert_checkpoint
from voxfield.export.convert.conversion import load
from voxfield.runtime import load_engine

WIDE, INNER, SIZE, CODES = 8, 4, 6, 16


def tensors(colours=3, blocks=2):
    """A checkpoint with their names and shapes."""
    random = torch.Generator().manual_seed(0)
    made = {}

    def conv(name, out, into, kernel, *, turned=False):
        shape = (into, out, kernel, kernel) if turned else (out, into, kernel, kernel)
        made[f"{name}.weight"] = torch.randn(shape, generator=random) * 2 / (into * kernel**2) ** 0.5
        made[f"{name}.bias"] = torch.randn(out, generator=random) * 0.1

    def residuals(name, first):
        for at in range(first, first + blocks):
            conv(f"{name}.blocks.{at}.conv.1", INNER, WIDE, 3)
            conv(f"{name}.blocks.{at}.conv.3", WIDE, INNER, 1)

    conv("enc_b.blocks.0", WIDE // 2, colours, 4)
    conv("enc_b.blocks.2", WIDE, WIDE // 2, 4)
    conv("enc_b.blocks.4", WIDE, WIDE, 3)
    residuals("enc_b", 5)
    conv("enc_t.blocks.0", WIDE // 2, WIDE, 4)
    conv("enc_t.blocks.2", WIDE, WIDE // 2, 3)
    residuals("enc_t", 3)
    conv("quantize_conv_t", SIZE, WIDE, 1)
    conv("quantize_conv_b", SIZE, SIZE + WIDE, 1)
    for name in ("quantize_t", "quantize_b"):
        made[f"{name}.embed"] = torch.randn(SIZE, CODES, generator=random)
        made[f"{name}.cluster_size"] = torch.rand(CODES, generator=random)
        made[f"{name}.embed_avg"] = torch.randn(SIZE, CODES, generator=random)
    conv("dec_t.blocks.0", WIDE, SIZE, 3)
    residuals("dec_t", 1)
    conv(f"dec_t.blocks.{blocks + 2}", SIZE, WIDE, 4, turned=True)
    conv("upsample_t", SIZE, SIZE, 4, turned=True)
    conv("dec.blocks.0", WIDE, 2 * SIZE, 3)
    residuals("dec", 1)
    conv(f"dec.blocks.{blocks + 2}", WIDE // 2, WIDE, 4, turned=True)
    conv(f"dec.blocks.{blocks + 4}", colours, WIDE // 2, 4, turned=True)
    return made


def plain(t, x, blocks=2):
    """(Top codes, bottom codes, image) as their forward gives them."""

    def conv(name, x, **options):
        return F.conv2d(x, t[f"{name}.weight"], t[f"{name}.bias"], **options)

    def up(name, x):
        return F.conv_transpose2d(x, t[f"{name}.weight"], t[f"{name}.bias"], 2, 1)

    def residuals(name, first, x):
        for at in range(first, first + blocks):
            inner = conv(f"{name}.blocks.{at}.conv.1", F.relu(x), padding=1)
            x = x + conv(f"{name}.blocks.{at}.conv.3", F.relu(inner))
        return F.relu(x)

    def quantise(name, x):
        flat = x.permute(0, 2, 3, 1)
        embed = t[f"{name}.embed"]
        squares = flat.pow(2).sum(-1, keepdim=True) - 2 * flat @ embed + embed.pow(2).sum(0, keepdim=True)
        codes = (-squares).max(-1)[1]
        return codes, F.embedding(codes, embed.T).permute(0, 3, 1, 2)

    y = F.relu(conv("enc_b.blocks.0", x, stride=2, padding=1))
    y = F.relu(conv("enc_b.blocks.2", y, stride=2, padding=1))
    bottom = residuals("enc_b", 5, conv("enc_b.blocks.4", y, padding=1))
    y = F.relu(conv("enc_t.blocks.0", bottom, stride=2, padding=1))
    top = residuals("enc_t", 3, conv("enc_t.blocks.2", y, padding=1))
    top_codes, top = quantise("quantize_t", conv("quantize_conv_t", top))
    hint = residuals("dec_t", 1, conv("dec_t.blocks.0", top, padding=1))
    hint = up(f"dec_t.blocks.{blocks + 2}", hint)
    bottom_codes, bottom = quantise("quantize_b", conv("quantize_conv_b", torch.cat([hint, bottom], 1)))
    y = residuals("dec", 1, conv("dec.blocks.0", torch.cat([up("upsample_t", top), bottom], 1), padding=1))
    y = up(f"dec.blocks.{blocks + 4}", F.relu(up(f"dec.blocks.{blocks + 2}", y)))
    return top_codes, bottom_codes, y


@torch.no_grad()
@pytest.mark.parametrize(("colours", "blocks"), [(3, 2), (1, 1)])
def test_codes_and_images_are_theirs(tmp_path, colours, blocks):
    theirs = tensors(colours, blocks)
    torch.save(theirs, tmp_path / "vqvae.pt")
    x = torch.randn(2, colours, 32, 32, generator=torch.Generator().manual_seed(3))
    made = convert_checkpoint(tmp_path / "vqvae.pt", "rosinality", tmp_path / "out", ["image_px=32"], onnx=True)
    net = load(made.files[0])
    top, bottom, image = plain(theirs, x, blocks)
    found = net.encode(x)
    assert torch.equal(found[0], top) and torch.equal(found[1], bottom)
    torch.testing.assert_close(net(x), image, rtol=1e-4, atol=1e-4)
    onnx = [path for path in made.files if path.suffix == ".onnx"]
    tokens, _ = load_engine(onnx[0]).step(x[:1].numpy(), ())
    rebuilt, _ = load_engine(onnx[1]).step(tokens, ())
    torch.testing.assert_close(torch.from_numpy(rebuilt), image[:1], rtol=1e-4, atol=1e-4)
    assert made.assumed == () and net.config.blocks == blocks


def test_a_stored_case_is_the_proof_and_dead_entries_are_noted(tmp_path):
    theirs = tensors()
    theirs["quantize_t.embed"][:, 3] = 1e5
    x = torch.randn(1, 3, 16, 16)
    case = {"input": {"image": x}, "output": {"reconstruction": plain(theirs, x)[2]}}
    torch.save({"state_dict": theirs, "cases": [case]}, tmp_path / "vqvae.pt")
    made = convert_checkpoint(tmp_path / "vqvae.pt", "rosinality", tmp_path / "out")
    assert made.proofs["stored case 0"] < 1e-5 and made.assumed == ("image_px=256",)
    assert made.notes == ("1 of 16 entries of quantize_t were never used: they lie beyond 1000",)
    case["output"]["reconstruction"] = x
    torch.save({"state_dict": theirs, "cases": [case]}, tmp_path / "vqvae.pt")
    with pytest.raises(CheckpointError, match="differs by"):
        convert_checkpoint(tmp_path / "vqvae.pt", "rosinality", tmp_path / "again")


def test_what_is_missing_is_named(tmp_path):
    theirs = tensors()
    del theirs["upsample_t.bias"]
    torch.save(theirs, tmp_path / "vqvae.pt")
    with pytest.raises(CheckpointError, match=r"ups\.0\.bias"):
        convert_checkpoint(tmp_path / "vqvae.pt", "rosinality", tmp_path / "out")
