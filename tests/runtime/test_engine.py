"""Model files that are not what they should be are refused with a CardError that says why."""

import os
import pickle
import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest

from voxfield.cards import METADATA_KEY, Card, find
from voxfield.errors import CardError, InputError
from voxfield.runtime import OnnxEngine, load_engine
from voxfield.runtime import engine as runtime_engine

FOUR = onnx.TensorShapeProto.Dimension(dim_value=4)


def altered(source, target, change):
    """A copy of a model file with its card changed."""
    model = onnx.load(source)
    (entry,) = (item for item in model.metadata_props if item.key == METADATA_KEY)
    entry.value = change(entry.value)
    onnx.save(model, target)
    return target


def test_engine_reads_its_card(tiny_spectral):
    engine = OnnxEngine(tiny_spectral)
    assert engine.card.name == "tiny-spectral.v1" and not engine.free_batch
    (state,) = engine.initial_state()
    assert state.shape == (1, 1, 257, 2) and state.dtype == np.float32 and not state.any()


def test_a_step_leaves_the_given_state_as_it_was(tiny_spectral):
    engine = OnnxEngine(tiny_spectral)
    state = engine.initial_state()
    output, later = engine.step(np.ones((1, 2, 257, 4), np.float32), state)
    assert output.shape == (1, 2, 257, 4) and not state[0].any() and later[0].all()


def test_a_free_batch_axis_is_used(tiny_free_batch):
    engine = OnnxEngine(tiny_free_batch)
    assert engine.free_batch and engine.initial_state(5)[0].shape == (5, 1, 257, 2)


@pytest.mark.parametrize(
    "content",
    [b"", b"this is not a network\n" * 50, bytes(range(256)) * 40],
    ids=["empty", "text", "noise"],
)
def test_corrupt_files_are_refused(tmp_path, content):
    path = tmp_path / "corrupt.onnx"
    path.write_bytes(content)
    with pytest.raises(CardError, match="is not an ONNX file"):
        OnnxEngine(path)


def test_a_truncated_file_is_refused(tmp_path, tiny_spectral):
    path = tmp_path / "truncated.onnx"
    path.write_bytes(tiny_spectral.read_bytes()[:300])
    with pytest.raises(CardError):
        OnnxEngine(path)


def test_a_foreign_file_is_refused(tmp_path, tiny_spectral):
    model = onnx.load(tiny_spectral)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "foreign.onnx")
    with pytest.raises(CardError, match="without a card"):
        OnnxEngine(tmp_path / "foreign.onnx")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"past"', '"future"', "disagree about the input"),
        ("[1, 1, 257, 2]", "[1, 1, 257, 3]", "has shape"),
        ('"window_samples": 512', '"window_samples": 320', "window_samples"),
        ('"sample_rate_hz": 16000', '"sample_rate_hz": -1', "sample_rate_hz"),
        ('"licence"', '"license"', "nearest known is 'licence'"),
        ("{", "", "must be JSON"),
    ],
    ids=["state-name", "state-shape", "window", "rate", "unknown-key", "not-json"],
)
def test_a_card_that_does_not_hold_is_refused(tmp_path, tiny_spectral, old, new, message):
    path = altered(tiny_spectral, tmp_path / "m.onnx", lambda text: text.replace(old, new, 1))
    with pytest.raises(CardError, match=message):
        OnnxEngine(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda graph: graph.output.pop(), "has no output 'next.past'"),
        (lambda graph: graph.input[0].type.tensor_type.shape.dim[3].CopyFrom(FOUR), "it must be free"),
    ],
    ids=["output", "time"],
)
def test_a_graph_that_is_not_its_cards_is_refused(tmp_path, tiny_spectral, change, message):
    model = onnx.load(tiny_spectral)
    change(model.graph)
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(CardError, match=message):
        OnnxEngine(tmp_path / "m.onnx")


def test_a_file_that_was_replaced_is_loaded_anew(tmp_path, tiny_spectral):
    """Also by one of the same size; and other threads make another engine."""
    path = tmp_path / "m.onnx"
    for at, name in enumerate(("tiny-spectral.v1", "tiny-spectral.v2"), start=1):
        altered(tiny_spectral, path, lambda text, name=name: text.replace("tiny-spectral.v1", name))
        os.utime(path, (at, at))
        assert load_engine(path).card.name == name
    assert load_engine(path) is load_engine(path) is not load_engine(path, threads=2)


def test_another_process_finds_the_file_from_wherever_it_works(tmp_path, tiny_spectral, monkeypatch):
    shutil.copy(tiny_spectral, tmp_path / "m.onnx")
    monkeypatch.chdir(tmp_path)
    pickled = pickle.dumps(OnnxEngine("m.onnx"))
    monkeypatch.chdir("/")
    assert pickle.loads(pickled).card.name == "tiny-spectral.v1"


def test_a_registry_that_names_another_file_is_said(monkeypatch):
    crn = find("crn-tiny")
    monkeypatch.setattr(runtime_engine, "find", lambda name: replace(crn, name="crn-huge.v1"))
    with pytest.raises(CardError, match=r"crn-huge\.v1 of the registry is a file with the card 'crn-tiny"):
        load_engine("crn-huge")


def test_missing_files_and_threads_are_named(tmp_path, tiny_spectral):
    with pytest.raises(CardError, match="cannot be read"):
        OnnxEngine(tmp_path / "none.onnx")
    with pytest.raises(InputError, match="threads"):
        OnnxEngine(tiny_spectral, threads=0)


@pytest.mark.parametrize("model", [None, 3, b"crn-small", ["crn-small"], OnnxEngine, {}], ids=str)
def test_what_is_no_model_is_named(model):
    with pytest.raises(InputError, match=r"a model is a name .*, the path of an \.onnx file or an engine, not "):
        load_engine(model)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2", None, True, [], 10**6], ids=repr)
def test_threads_are_a_whole_number(tiny_spectral, threads):
    with pytest.raises(InputError, match="threads must be a whole number"):
        load_engine(tiny_spectral, threads=threads)


@pytest.mark.parametrize(
    ("card", "message"),
    [("[" * 100_000, "nested"), ('{"parameters": ' + "9" * 5000 + "}", "5000 digits")],
    ids=["brackets", "digits"],
)
def test_cards_that_exhaust_their_reader(tmp_path, tiny_spectral, card, message):
    path = altered(tiny_spectral, tmp_path / "m.onnx", lambda _: card)
    with pytest.raises(CardError, match=message):
        OnnxEngine(path)


@pytest.mark.parametrize("kind", ["Loop", "If", "Scan"])
def test_subgraphs_are_not_run_whatever_the_card_says(tmp_path, tiny_spectral, kind):
    model = onnx.load(tiny_spectral)
    model.graph.node[-1].attribute.add(name="body", type=onnx.AttributeProto.GRAPH).g.name = "endless"
    model.graph.node[-1].op_type = kind
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(CardError, match=f"holds the operator {kind} with a subgraph"):
        load_engine(tmp_path / "m.onnx")


def test_bytes_that_were_read_before_are_not_read_again(tmp_path, tiny_spectral):
    assert OnnxEngine(tmp_path / "gone.onnx", content=tiny_spectral.read_bytes()).card.name == "tiny-spectral.v1"


def test_nothing_is_logged_about_files_that_do_not_run(tmp_path, tiny_spectral, tiny_free_batch, capfd):
    model = onnx.load(tiny_spectral)
    model.graph.node[0].op_type = "NoSuchOperator"
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(CardError, match="NoSuchOperator"):
        OnnxEngine(tmp_path / "m.onnx")
    engine = OnnxEngine(tiny_free_batch)
    with pytest.raises(CardError, match="failed on a block"):
        engine.step(np.ones((2, 2, 257, 4), np.float32), engine.initial_state(3))
    assert capfd.readouterr() == ("", "")


def test_the_embedded_card_survives(tiny_spectral):
    card = OnnxEngine(tiny_spectral).card
    assert Card.from_json(card.to_json()) == card
