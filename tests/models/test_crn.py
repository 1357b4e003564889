"""The CRN against a plain transcription of the paper's network, and the facts known of it."""

import pytest
import torch
import torch.nn.functional as F

from voxfield.errors import CheckpointError
from voxfield.models.crn import Crn, CrnConfig, from_tan_wang


def reference_tensors() -> dict[str, torch.Tensor]:
    """Random weights under the names and shapes of the authors' released code."""
    generator = torch.Generator().manual_seed(3)

    def random(*shape):
        return torch.randn(*shape, generator=generator) * 0.1

    filters, tensors = [1, 16, 32, 64, 128, 256], {}
    for i in range(1, 6):
        before, after = filters[i - 1], filters[i]
        sides = {f"conv{i}": ((after, before, 2, 3), after), f"conv{i}_t": ((2 * after, before, 2, 3), before)}
        for name, (shape, out) in sides.items():
            tensors[f"{name}.weight"], tensors[f"{name}.bias"] = random(*shape), random(out)
            norm = name.replace("conv", "bn")
            tensors[f"{norm}.weight"], tensors[f"{norm}.bias"] = 1 + random(out), random(out)
            tensors[f"{norm}.running_mean"], tensors[f"{norm}.running_var"] = random(out), 1 + random(out).abs()
            tensors[f"{norm}.num_batches_tracked"] = torch.tensor(7)
    for layer in range(2):
        for side in ("ih", "hh"):
            tensors[f"lstm.weight_{side}_l{layer}"] = random(4096, 1024) * 0.3
            tensors[f"lstm.bias_{side}_l{layer}"] = random(4096)
    return tensors


def plain_forward(tensors: dict[str, torch.Tensor], magnitudes: torch.Tensor) -> torch.Tensor:
    """(B, T, F) noisy to clean magnitudes, written out layer by layer in the paper's axis order."""

    def norm(x, name):
        t = tensors
        return F.batch_norm(
            x, t[f"{name}.running_mean"], t[f"{name}.running_var"], t[f"{name}.weight"], t[f"{name}.bias"]
        )

    x, skips = magnitudes[:, None], []
    for i in range(1, 6):
        x = F.conv2d(F.pad(x, (0, 0, 1, 0)), tensors[f"conv{i}.weight"], tensors[f"conv{i}.bias"], (1, 2))
        x = F.elu(norm(x, f"bn{i}"))
        skips.append(x)
    lstm = torch.nn.LSTM(1024, 1024, 2, batch_first=True)
    lstm.load_state_dict({name[5:]: tensor for name, tensor in tensors.items() if name.startswith("lstm.")})
    B, C, T, bands = x.shape
    x = lstm(x.permute(0, 2, 1, 3).reshape(B, T, -1))[0].reshape(B, T, C, bands).permute(0, 2, 1, 3)
    for i in range(5, 0, -1):
        uneven = 1 if i == 2 else 0
        x = F.conv_transpose2d(
            torch.cat([x, skips[i - 1]], 1),
            tensors[f"conv{i}_t.weight"],
            tensors[f"conv{i}_t.bias"],
            (1, 2),
            output_padding=(0, uneven),
        )[:, :, :-1]
        x = norm(x, f"bn{i}_t")
        x = F.elu(x) if i > 1 else F.softplus(x)
    return x[:, 0]


@torch.no_grad()
def test_the_authors_checkpoint_gives_the_authors_numbers():
    tensors = reference_tensors()
    net = Crn(CrnConfig()).eval()
    net.load_state_dict(from_tan_wang(tensors))
    magnitudes = torch.rand(2, 20, 161, generator=torch.Generator().manual_seed(4))
    expected = plain_forward(tensors, magnitudes)
    ours = net(magnitudes.transpose(1, 2)[:, None])[0][:, 0].transpose(1, 2)
    assert (ours - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_a_foreign_key_is_named():
    with pytest.raises(CheckpointError, match=r"conv9\.weight"):
        from_tan_wang({"conv9.weight": torch.zeros(1)})


def test_size_of_the_paper_and_of_the_keras_variant():
    def parameters(config):
        with torch.device("meta"):
            return sum(p.numel() for p in Crn(config).parameters())

    assert parameters(CrnConfig()) == 17_579_459
    assert parameters(CrnConfig()) - parameters(CrnConfig.keras()) == 16 * 3 + 32 * 3  # a frame less in two kernels
    assert CrnConfig().bands == (161, 80, 39, 19, 9, 4)


@torch.no_grad()
def test_the_top_two_bins_never_see_the_bottleneck():
    small = CrnConfig(filters=(2, 2, 2, 2, 2))
    net = Crn(small).eval()
    x = torch.rand(1, 1, 161, 3)
    before = net(x)[0]
    for parameter in net.lstm.parameters():
        parameter.add_(0.5)
    changed = (net(x)[0] - before).abs().amax((0, 1, 3)) > 0
    assert changed[:159].all() and not changed[159:].any()
