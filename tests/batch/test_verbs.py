"""Every verb of the table gives what its task gives for one recording."""

from dataclasses import asdict

import numpy as np
import pyarrow.parquet
import pytest
import torch
from token_networks import SMALL

import voxfield as vf
from voxfield.audio import open_source
from voxfield.batch import VERBS
from voxfield.export import export_network
from voxfield.export.onnx_file import export_parts
from voxfield.models.vqvae2 import Vqvae2, Vqvae2Config
from voxfield.models.wav2vec import Wav2Vec, Wav2VecConfig
from voxfield.tasks.diarization.recording import SpeakerCount, diarize_source
from voxfield.tasks.speakers.embedding import embedding_engine
from voxfield.tasks.tokens.recording import tokenize

TESTED_ELSEWHERE = {"enhance", "separate", "embed"}  # test_batch.py, test_parts.py


@pytest.fixture
def rows(tmp_path):
    """`rows()`: name -> row of all parts."""
    return lambda: {
        row["name"]: row
        for path in (tmp_path / "out").glob("part-*")
        for row in pyarrow.parquet.read_table(path).to_pylist()
    }


def about(name, task, net):
    shared = {"architecture": "tiny", "summary": "", "config": {}, "licence": "", "data": ()}
    return {**shared, "name": name, "task": task, "interface": net.interface()}


def test_diarize_writes_the_turns_of_each_recording(corpus, job, here, tiny_embedder, tmp_path):
    folder = corpus(2, seconds=3.0)
    one = job(folder, task="diarize", model=str(tiny_embedder), options={"speakers": 1})
    assert here(one)["done"] == 2 and here(one)["already_done"] == 2
    for name in ("000", "001"):
        with open_source(folder / f"{name}.wav") as source:
            made = diarize_source(source, embedding_engine(tiny_embedder), SpeakerCount(1, 1))[0]
        assert (tmp_path / "out" / f"{name}_diarize.rttm").read_text() == made.rttm()


def test_represent_makes_a_row_of_frames(corpus, job, here, rows, tmp_path):
    torch.manual_seed(0)
    net = Wav2Vec(Wav2VecConfig(channels=6, prediction_steps=1, norm="cumulative", causal=True, padding="zeros")).eval()
    export_network(net, tmp_path / "model.onnx", about("tiny-wav2vec.v1", "represent", net))
    folder = corpus(2, seconds=0.5)
    one = job(folder, task="represent", model=str(tmp_path / "model.onnx"), options={"layer": "z"})
    assert here(one)["done"] == 2
    made, row = vf.represent(folder / "001.wav", model=tmp_path / "model.onnx", layer="z"), rows()["001.wav"]
    frames = np.array(row["features"], np.float32).reshape(row["count_frames"], row["channels"])
    assert np.array_equal(frames.T, made.features) and row["layer"] == "z"


def test_tokenize_makes_a_row_of_codes(corpus, job, here, rows, tmp_path):
    torch.manual_seed(0)
    net = Vqvae2(Vqvae2Config(bands=64, **SMALL))
    with torch.no_grad():
        net.train().rebuild(torch.randn(net.interface().block_shape(64, 4)))
    export_parts(net.eval(), tmp_path / "model.onnx", about("tiny-tokens.v1", "tokens", net))
    folder = corpus(2, seconds=0.5)
    assert here(job(folder, task="tokenize", model=str(tmp_path / "model.onnx")))["done"] == 2
    made, row = tokenize(folder / "001.wav", model=tmp_path / "model.onnx"), rows()["001.wav"]
    assert np.array_equal(np.array(row["codes"]).reshape(1, row["columns"], row["steps"]), made.codes)
    wanted = asdict(made)
    assert {name: row[name] for name in ("model", "weights", "codebook", "level_db", "rate_hz", "count_samples")} == {
        name: wanted[name] for name in ("model", "weights", "codebook", "level_db", "rate_hz", "count_samples")
    }


def test_every_verb_is_tested():
    assert set(VERBS) == TESTED_ELSEWHERE | {"diarize", "represent", "tokenize"}
