"""onnxruntime leaves no traces, and files that need not end or that reach for other files are not run."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import voxfield
from voxfield.errors import CardError
from voxfield.ort import count_weights, open_session
from voxfield.ort.inspect import objection

SOURCE = Path(voxfield.__file__).parent
X = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
Y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])


def model(nodes, weights=(), **options) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "g", [X], [Y], list(weights))
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9, **options)


PLAIN = model([helper.make_node("Relu", ["x"], ["y"])])


# Telemetry.


def traces(folder: Path, home: Path, code: str, **environment: str) -> tuple[list[str], str]:
    """The files below a home folder after some code ran there, and what it wrote to standard error."""
    names = ("HOME", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "TMPDIR")
    kept = {key: value for key, value in os.environ.items() if key not in names}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**kept, "HOME": str(home), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return sorted(path.name for path in home.rglob("*")) if home.is_dir() else [], done.stderr


ENHANCE = "import voxfield as vf, numpy as np; vf.enhance(np.zeros(9000, np.float32), 16000)"
OTHERS = [
    "import voxfield.ort",
    "import voxfield.export",
    "from voxfield.explain import explain; import voxfield.cards as c; "
    "explain(c.resolve('crn-tiny')[1], input_shape=(1, 2, 257, 8), verify=True)",
    "import sys, types, numpy as np; fake = types.ModuleType('speechmos'); "
    "fake.dnsmos = types.ModuleType('speechmos.dnsmos'); fake.dnsmos.run = lambda *_: dict(ovrl_mos=1, sig_mos=1, "
    "bak_mos=1); sys.modules.update({'speechmos': fake, 'speechmos.dnsmos': fake.dnsmos}); "
    "from voxfield.metrics.enhancement import dnsmos; dnsmos(np.zeros(9)); import onnxruntime",
]


def test_onnxruntime_by_itself_does_leave_traces(tmp_path):
    """Otherwise the tests below would show nothing."""
    if not traces(tmp_path, tmp_path, "import onnxruntime")[0]:
        pytest.skip("this build of onnxruntime has no telemetry")


@pytest.mark.parametrize("code", [ENHANCE, *OTHERS], ids=["enhance", "ort", "export", "explain-verify", "dnsmos"])
def test_nothing_is_left_in_a_fresh_home(tmp_path, code):
    (tmp_path / "home").mkdir()
    found, error = traces(tmp_path, tmp_path / "home", code)
    assert [name for name in found if "onnx" in name or "Microsoft" in name or "device" in name] == []
    assert error == ""


def test_an_unwritable_home_gives_no_warning(tmp_path):
    found, error = traces(tmp_path, Path("/proc/none"), ENHANCE)
    assert (found, error) == ([], "")


def test_what_the_user_set_is_kept(tmp_path):
    code = "import os, voxfield.ort; assert os.environ['ORT_DISABLE_TELEMETRY'] == '0'"
    traces(tmp_path, tmp_path, code, ORT_DISABLE_TELEMETRY="0")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_the_network_is_never_touched_and_no_file_is_written(tmp_path):
    log = tmp_path / "log"
    words = ["strace", "-f", "-qq", "-e", "trace=network,openat", "-o", str(log), sys.executable, "-B", "-c", ENHANCE]
    kept = {key: value for key, value in os.environ.items() if key not in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")}
    done = subprocess.run(words, env={**kept, "HOME": str(tmp_path)}, capture_output=True, text=True, timeout=300)
    if "Operation not permitted" in done.stderr:
        pytest.skip("strace may not trace here")
    assert done.returncode == 0, done.stderr
    lines = log.read_text().splitlines()
    assert any("openat" in line for line in lines)
    assert [line for line in lines if "socket(" in line or "connect(" in line] == []
    written = [line for line in lines if "O_CREAT" in line and '"/dev/' not in line and '"/sys/' not in line]
    assert written == []


def test_onnxruntime_is_imported_in_one_place():
    places = []
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            places += [path.relative_to(SOURCE).as_posix() for name in names if name.split(".")[0] == "onnxruntime"]
    assert places == ["ort/session.py"]


# Files that are not run.


def endless_loop() -> onnx.ModelProto:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["again"]), helper.make_node("Relu", ["a"], ["b"])],
        "body",
        [
            helper.make_tensor_value_info("at", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("a", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("again", TensorProto.BOOL, []),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, [1]),
        ],
    )
    node = helper.make_node("Loop", ["", "true", "x"], ["y"], body=body)
    return model([node], [numpy_helper.from_array(np.array(True), "true")])


def branch() -> onnx.ModelProto:
    sides = [helper.make_graph([helper.make_node("Relu", ["x"], ["s"])], "side", [], [X]) for _ in range(2)]
    for side in sides:
        side.output[0].name = "s"
    node = helper.make_node("If", ["true"], ["y"], then_branch=sides[0], else_branch=sides[1])
    return model([node], [numpy_helper.from_array(np.array(True), "true")])


def scan() -> onnx.ModelProto:
    body = helper.make_graph(
        [helper.make_node("Relu", ["a"], ["b"])],
        "body",
        [helper.make_tensor_value_info("a", TensorProto.FLOAT, [])],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, [])],
    )
    return model([helper.make_node("Scan", ["x"], ["y"], body=body, num_scan_inputs=1)])


def doubling_functions() -> onnx.ModelProto:
    """Forty levels that each call the one below twice: 2^40 nodes once unfolded."""
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    functions = [helper.make_function("own", "F0", ["a"], ["b"], [helper.make_node("Sin", ["a"], ["b"])], opsets)]
    for level in range(1, 40):
        calls = [helper.make_node(f"F{level - 1}", [a], [b], domain="own") for a, b in (("a", "m"), ("m", "b"))]
        functions.append(helper.make_function("own", f"F{level}", ["a"], ["b"], calls, opsets))
    return model([helper.make_node("F39", ["x"], ["y"], domain="own")], functions=functions)


NOT_RUN = {
    endless_loop: "holds the operator Loop with a subgraph",
    branch: "holds the operator If with a subgraph",
    scan: "holds the operator Scan with a subgraph",
    doubling_functions: "holds functions of its own",
}


@pytest.mark.parametrize(("make", "message"), NOT_RUN.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_files_that_need_not_end_are_not_run(make, message):
    with pytest.raises(CardError, match=f"^x.onnx {message}"):
        open_session(make().SerializeToString(), "x.onnx")


def test_a_plain_file_runs():
    session = open_session(PLAIN.SerializeToString(), "x.onnx", threads=1)
    assert session.run(None, {"x": np.array([-2.0], np.float32)})[0] == [0]


def external(location: str) -> onnx.ModelProto:
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, "offset": "0", "length": "4"}.items():
        weight.external_data.add(key=key, value=value)
    return model([helper.make_node("Add", ["x", "w"], ["y"])], [weight])


def external_constant() -> onnx.ModelProto:
    weight = external("/etc/passwd").graph.initializer[0]
    nodes = [helper.make_node("Constant", [], ["w"], value=weight), helper.make_node("Add", ["x", "w"], ["y"])]
    return model(nodes)


def external_sparse() -> onnx.ModelProto:
    made = PLAIN.__class__()
    made.CopyFrom(PLAIN)
    made.graph.sparse_initializer.add().values.CopyFrom(external("/etc/passwd").graph.initializer[0])
    return made


@pytest.mark.parametrize("make", [lambda: external("w.bin"), external_constant, external_sparse])
def test_bytes_reach_for_no_other_file(tmp_path, monkeypatch, make):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w.bin").write_bytes(np.float32(1).tobytes())
    with pytest.raises(CardError, match=r"keeps weights in another file, '.+'; save it as one file"):
        open_session(make().SerializeToString(), "x.onnx")


@pytest.mark.parametrize("location", ["../w.bin", "/etc/passwd", "link.bin", "a/../../w.bin", ""])
def test_a_path_reaches_for_no_file_outside_its_folder(tmp_path, location):
    (tmp_path / "in").mkdir()
    (tmp_path / "w.bin").write_bytes(np.float32(1).tobytes())
    (tmp_path / "in" / "link.bin").symlink_to(tmp_path / "w.bin")
    path = tmp_path / "in" / "x.onnx"
    path.write_bytes(external(location).SerializeToString())
    with pytest.raises(CardError, match="outside its folder"):
        open_session(path, "x.onnx")


def test_a_path_may_keep_weights_beside_it(tmp_path):
    (tmp_path / "w.bin").write_bytes(np.float32(1).tobytes())
    (tmp_path / "x.onnx").write_bytes(external("w.bin").SerializeToString())
    assert objection((tmp_path / "x.onnx").read_bytes(), tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00", b"\x08", b"\x3a\x05", b"\x3b\x3c", b"\xff" * 20, b"\x18\x00\x00\x00ORTM" + bytes(50), b"\x08\x09"],
    ids=["empty", "field-0", "no-value", "too-short", "group", "endless-number", "ort-format", "no-graph"],
)
def test_bytes_that_are_no_onnx_file(content):
    with pytest.raises(CardError, match=r"^x\.onnx is not an ONNX file"):
        open_session(content, "x.onnx")


@settings(max_examples=300)
@given(st.data())
def test_mutated_files_never_crash_the_inspection(data):
    content = bytearray(endless_loop().SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    objection(bytes(content[: data.draw(st.integers(0, len(content)))]))


@settings(max_examples=300)
@given(st.data())
def test_what_protobuf_reads_as_a_loop_is_seen(data):
    """However a loop is mutated: where the real parser still finds a subgraph, so does the inspection."""
    content = bytearray(endless_loop().SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        parsed = onnx.load_model_from_string(bytes(content))
    except Exception:
        return
    held = [part for node in parsed.graph.node for part in node.attribute if part.HasField("g") or part.graphs]
    if held or parsed.functions:
        assert objection(bytes(content)) is not None


def test_weights_are_counted_wherever_they_stand():
    weights = [
        numpy_helper.from_array(np.zeros((3, 4, 5), np.float32), "w"),
        numpy_helper.from_array(np.zeros(7, np.int64), "shape"),
        helper.make_tensor("listed", TensorProto.FLOAT, [2], [0.0, 1.0]),
    ]
    constant = numpy_helper.from_array(np.zeros((2, 3), np.float32), "c")
    nodes = [helper.make_node("Constant", [], ["c"], value=constant), helper.make_node("Identity", ["x"], ["y"])]
    assert count_weights(model(nodes, weights).SerializeToString()) == 60 + 2 + 6
