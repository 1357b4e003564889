"""rosinality's PixelSNAIL, written down once more on its own tensors, gives the logits of the converted one."""

import sys
from pathlib import Path

import pytest
import torch

from voxfield.errors import CheckpointError
from voxfield.export.convert import convert_checkpoint
from voxfield.export.convert.conversion import load
from voxfield.export.convert.pixelsnail import tokens_of
from voxfield.runtime import load_engine

sys.path.insert(0, str(Path(__file__).parent))
from plain_pixelsnail import logits, tensors

TOP = {
    "shape": (8, 8),
    "codes": 32,
    "wide": 32,
    "kernel": 5,
    "blocks": 2,
    "res_blocks": 2,
    "inner": 16,
    "out_blocks": 1,
}
BOTTOM = {**TOP, "out_blocks": 0, "attention": False, "hint": (1, 16)}
CASES = {
    "top": TOP,
    "bottom": BOTTOM,
    "bottom, no gated blocks": {**BOTTOM, "kernel": 3, "res_blocks": 0},
    "attention and hint": {**BOTTOM, "shape": (8, 6), "attention": True, "hint": (2, 5)},
}


@torch.no_grad()
@pytest.mark.parametrize("name", CASES)
def test_logits_are_theirs(tmp_path, name):
    options = CASES[name]
    theirs, (height, width) = tensors(**options), options["shape"]
    random = torch.Generator().manual_seed(1)
    codes = torch.randint(32, (2, height, width), generator=random)
    above = torch.randint(32, (2, height // 2, width // 2), generator=random) if "hint" in options else None
    wanted = logits(theirs, codes, above)
    given = {"codes": codes} | ({} if above is None else {"condition": above})
    case = {"input": given, "output": {"logits": wanted}}
    torch.save({"state_dict": theirs, "cases": [case]}, tmp_path / "prior.pt")
    made = convert_checkpoint(tmp_path / "prior.pt", "rosinality", tmp_path / "out", onnx=True)
    assert made.proofs["stored case 0"] < 1e-5 and made.assumed == ("heads=8",)
    net = load(made.files[0])
    assert net.config.blocks == 2 and net.config.rows == height and net.config.columns == width
    tokens = tokens_of(codes, above)
    torch.testing.assert_close(net(tokens)[0].transpose(2, 3), wanted, rtol=1e-4, atol=1e-5)
    engine = load_engine(next(path for path in made.files if path.suffix == ".onnx"))
    found, _ = engine.step(tokens.numpy(), engine.initial_state(2))
    torch.testing.assert_close(torch.from_numpy(found).transpose(2, 3), wanted, rtol=1e-4, atol=1e-5)
    assert bool(engine.card.states) == (above is None) and not engine.card.interface.streaming


def test_what_a_mask_hides_is_not_used(tmp_path):
    theirs = tensors(**TOP)
    torch.save(theirs, tmp_path / "prior.pt")
    theirs["blocks.0.resblocks.0.conv1.conv.conv.weight_v"][:, :, -1, 2:] = 9
    torch.save(theirs, tmp_path / "hidden.pt")
    first, second = (
        load(convert_checkpoint(tmp_path / name, "rosinality", tmp_path / name[:-3]).files[0]).state_dict()
        for name in ("prior.pt", "hidden.pt")
    )
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_case_that_differs_and_what_is_missing_are_named(tmp_path):
    theirs = tensors(**TOP)
    codes = torch.zeros(1, 8, 8, dtype=torch.int64)
    case = {"input": {"codes": codes}, "output": {"logits": torch.zeros(1, 32, 8, 8)}}
    torch.save({"state_dict": theirs, "cases": [case]}, tmp_path / "prior.pt")
    with pytest.raises(CheckpointError, match="differs by"):
        convert_checkpoint(tmp_path / "prior.pt", "rosinality", tmp_path / "out")
    del theirs["blocks.1.causal_attention.key.weight_g"], theirs["blocks.1.causal_attention.key.weight_v"]
    torch.save(theirs, tmp_path / "prior.pt")
    with pytest.raises(CheckpointError, match=r"rows\.blocks\.1\.attention\.key\.weight"):
        convert_checkpoint(tmp_path / "prior.pt", "rosinality", tmp_path / "out")
