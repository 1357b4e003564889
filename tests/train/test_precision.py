"""bfloat16: where the processor has it, for every task."""

from pathlib import Path

import numpy as np
import pytest
import torch

from voxfield.train import load_recipe
from voxfield.train.precision import in_bfloat16
from voxfield.train.tasks.named import task_class

RECIPES = Path(__file__).parents[2] / "recipes"
CPU = torch.device("cpu")


@pytest.mark.parametrize("present", [("avx512_bf16",), ("amx_tile",), ()])
def test_auto_asks_the_processor(present, monkeypatch):
    for name in ("avx512_bf16", "amx_tile"):
        monkeypatch.setattr(torch.cpu, f"_is_{name}_supported", lambda name=name: name in present, raising=False)
    assert in_bfloat16("auto", CPU) == bool(present)
    assert in_bfloat16(True, CPU) and not in_bfloat16(False, CPU)


@pytest.mark.parametrize("recipe", ["enhance/crn-tiny", "separate/conv-tasnet-small"])
@pytest.mark.parametrize("bfloat16", ["true", "false"])
def test_it_reaches_the_network_of_every_task(recipe, bfloat16, sounds, tmp_path):
    data = [f'data.{name}=["{sounds}/{name}"]' for name in ("speech", "noise", "rooms")]
    settings = [*data, f'data.cache="{tmp_path}"', "mix.duration_s=0.8", f"train.bfloat16={bfloat16}"]
    loaded = load_recipe(RECIPES / f"{recipe}.toml", settings)
    task = task_class(loaded.task)(loaded)
    net, dtypes = task.network(), set()
    for module in net.modules():
        if isinstance(module, torch.nn.Conv1d | torch.nn.Conv2d):
            module.register_forward_hook(lambda module, x, y: dtypes.add(y.dtype))
    items = [task.mixer.mix(0, index) for index in range(2)]
    batch = [torch.from_numpy(np.stack(arrays)) for arrays in zip(*items, strict=True)]
    losses = task.losses(net, batch)
    losses["loss"].backward()
    assert (torch.bfloat16 in dtypes) == (bfloat16 == "true")
    assert all(value.dtype == torch.float32 and torch.isfinite(value) for value in losses.values())
    assert all(torch.isfinite(weight.grad).all() for weight in net.parameters() if weight.grad is not None)
