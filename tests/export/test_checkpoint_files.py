"""What a checkpoint file may hold, and that nothing in it is run."""

import os
import pickle
import sys
import types
import zipfile

import numpy as np
import pytest
import torch
from torch.torch_version import TorchVersion

from voxfield.errors import CheckpointError
from voxfield.export.convert import read

TENSORS = {"layer.weight": torch.arange(6.0).reshape(2, 3), "layer.bias": torch.ones(2)}


def saved(path, content, **options):
    torch.save(content, path, **options)
    return path


class Calls:
    """What a hostile pickle would run."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_what_published_files_hold_besides_tensors_is_read(tmp_path, new):
    content = {
        "state_dict": TENSORS,
        "model_args": {
            "n_blocks": np.int64(8),
            "sample_rate": np.float32(8000),
            "threshold": np.float64(-0.1),
            "causal": np.bool_(True),
            "big": np.dtype(">i4").type(7),
        },
        "infos": {"software_versions": {"torch_version": TorchVersion("1.8.1+cu102")}},
    }
    read_back = read(saved(tmp_path / "x.pth", content, _use_new_zipfile_serialization=new))
    assert read_back.settings == {
        "n_blocks": 8, "sample_rate": 8000.0, "threshold": -0.1, "causal": True, "big": 7,
    }  # fmt: skip
    assert {type(value) for value in read_back.settings.values()} == {int, float, bool}
    assert torch.equal(read_back.tensors["layer.weight"], TENSORS["layer.weight"])


def test_numbers_of_an_older_numpy_are_read(tmp_path):
    """Files from before numpy 2 name its module `numpy.core.multiarray`."""

    class Older(pickle._Pickler):
        def save_global(self, obj, name=None):
            if getattr(obj, "__name__", "") == "scalar":
                self.write(b"cnumpy.core.multiarray\nscalar\n")
                return
            super().save_global(obj, name)

    Older.dispatch = {**pickle._Pickler.dispatch, types.BuiltinFunctionType: Older.save_global}
    module = types.SimpleNamespace(Pickler=Older, dump=None, __name__="older")
    content = {"state_dict": TENSORS, "hparams": {"lr": np.float64(1e-3)}}
    path = saved(tmp_path / "x.pth", content, pickle_module=module)
    with zipfile.ZipFile(path) as file:
        assert b"numpy.core.multiarray" in file.read(next(n for n in file.namelist() if n.endswith("data.pkl")))
    assert read(path).settings == {"lr": 1e-3}


@pytest.mark.parametrize(
    "hostile",
    [
        Calls(os.system, "touch RAN"),
        Calls(eval, "open('RAN', 'w')"),
        Calls(getattr, "x", "upper"),
        Calls(np.float64(0).__reduce__()[0], np.dtype("O"), b"x"),
        np.array([1, 2]),
        types.SimpleNamespace(a=1),
    ],
    ids=["system", "eval", "getattr", "object scalar", "array", "namespace"],
)
@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
def test_anything_else_is_refused_and_not_run(tmp_path, monkeypatch, hostile, new):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.pt"
    try:
        saved(path, {"state_dict": TENSORS, "more": hostile}, _use_new_zipfile_serialization=new)
    except TypeError:
        pytest.skip("this numpy does not even write it")
    with pytest.raises(CheckpointError) as caught:
        read(path)
    assert not (tmp_path / "RAN").exists()
    assert "\x1b" not in str(caught.value) and "weights_only" not in str(caught.value)
    assert str(path) in str(caught.value) or "numbers of numpy" in str(caught.value)


def test_the_wrapper_runs_nothing_of_its_class(tmp_path, monkeypatch):
    """Not even a `__setstate__` or `__reduce__` that its class had when it was written."""
    module = types.ModuleType("utils.models")

    class CheckPoint:
        def __setstate__(self, state):
            raise RuntimeError("ran")

    CheckPoint.__module__, CheckPoint.__qualname__, module.CheckPoint = "utils.models", "CheckPoint", CheckPoint
    monkeypatch.setitem(sys.modules, "utils", types.ModuleType("utils"))
    monkeypatch.setitem(sys.modules, "utils.models", module)
    wrapped = CheckPoint()
    wrapped.net_state_dict = TENSORS
    path = saved(tmp_path / "x.pt", wrapped)
    assert read(path).tensors.keys() == TENSORS.keys()  # although the class can be imported here


def test_values_of_other_kinds_become_plain_tensors(tmp_path):
    content = {
        "half": torch.ones(3, dtype=torch.bfloat16),
        "trained": torch.nn.Parameter(torch.ones(3)),
        "double": torch.ones(3, dtype=torch.float64),
        "count": torch.tensor(7),
        "sparse": torch.eye(3).to_sparse(),
        "one": torch.tensor(0.25),
    }
    found = read(saved(tmp_path / "x.pt", content)).tensors
    kinds = {name: (tensor.dtype, tensor.requires_grad) for name, tensor in found.items()}
    assert kinds == {name: (torch.float32, False) for name in content} | {"count": (torch.int64, False)}
    assert not any(tensor.is_sparse for tensor in found.values())


def test_a_flipped_byte_is_noticed(tmp_path):
    path = saved(tmp_path / "x.pt", {"weight": torch.arange(1000.0)})
    content = bytearray(path.read_bytes())
    content[content.index(torch.arange(1000.0).numpy().tobytes()) + 2001] ^= 4
    path.write_bytes(content)
    assert torch.load(path, weights_only=True)["weight"].shape == (1000,)  # torch itself does not look
    with pytest.raises(CheckpointError, match=r"is damaged.*checksum"):
        read(path)


@pytest.mark.filterwarnings("ignore:.torch.jit")
def test_files_that_are_no_checkpoints(tmp_path):
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        read(tmp_path / "none.pt")
    whole = saved(tmp_path / "whole.pt", TENSORS).read_bytes()
    for name, content in {
        "text.pt": b"not weights", "empty.pt": b"", "cut.pt": whole[: len(whole) // 2], "text.safetensors": b"x" * 50,
    }.items():  # fmt: skip
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=f"{name} is not a checkpoint that torch or safetensors wrote") as got:
            read(tmp_path / name)
        assert "\x1b" not in str(got.value)
    with pytest.raises(CheckpointError, match="holds a list"):
        read(saved(tmp_path / "list.pt", [1, 2]))
    with pytest.raises(CheckpointError, match="no named tensors"):
        read(saved(tmp_path / "no.pt", {"a": 1}))
    scripted = torch.jit.script(torch.nn.Linear(2, 2))
    scripted.save(tmp_path / "script.pt")
    with pytest.raises(CheckpointError, match=r"is a TorchScript archive.*state_dict"):
        read(tmp_path / "script.pt")
    named = bytearray(whole)  # the name of a file in its list of contents is no longer text
    named[named.rindex(b"whole/")] = 0xFF
    named[named.rindex(b"PK\x01\x02") + 9] |= 8  # and is said to be UTF-8
    (tmp_path / "named.pt").write_bytes(named)
    with pytest.raises(CheckpointError, match="or is damaged"):
        read(tmp_path / "named.pt")
    with pytest.raises(CheckpointError, match=r"not numbers, in layer\.weight"):
        read(saved(tmp_path / "nan.pt", TENSORS | {"layer.weight": torch.full((2,), torch.nan)}))
