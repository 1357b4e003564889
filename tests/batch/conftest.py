"""Corpora and jobs of the tests of batches."""

import json

import numpy as np
import pytest
import soundfile as sf
from conftest import write_model
from onnx import helper

from voxfield.batch import load_job, run_job
from voxfield.batch.work import RowWork
from voxfield.cards import example_card, features_to_embedding


@pytest.fixture
def corpus(tmp_path, speech):
    """`corpus(good, bad)`: folder of short recordings 000.wav ..., of which the last `bad` are none."""

    def make(good, bad=0, seconds=0.2):
        folder = tmp_path / "corpus"
        folder.mkdir()
        for number in range(good):
            sf.write(folder / f"{number:03d}.wav", speech(1, int(16000 * seconds), seed=number).T, 16000)
        for number in range(good, good + bad):
            (folder / f"{number:03d}.wav").write_text(f"no sound {number}")
        return folder

    return make


@pytest.fixture
def manifest(tmp_path):
    """`manifest(rows)`: a file of JSON lines; text is written as it is."""

    def make(rows, name="corpus.jsonl"):
        path = tmp_path / name
        path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows))
        return path

    return make


@pytest.fixture
def job(tiny_spectral, tmp_path):
    """`job(manifest, **settings)`: enhance with a small model into out/."""

    def make(manifest, **settings):
        table = {"task": "enhance", "manifest": str(manifest), "out": str(tmp_path / "out"), "jobs": 1}
        return load_job(table | {"model": str(tiny_spectral)} | settings)

    return make


@pytest.fixture
def here(monkeypatch):
    """Rows are done in this process, which saves starting others; gives `run_job`."""

    def work_here(job, todo, processes):
        work = RowWork(job)
        yield from map(work, todo)

    monkeypatch.setattr("voxfield.batch.run.work_locally", work_here)
    return run_job


@pytest.fixture(scope="session")
def tiny_embedder(tmp_path_factory):
    """File of a model whose embedding is the mean of the features over time, scaled."""
    card = example_card(
        name="tiny-mean.v1", task="embed", architecture="mean", interface=features_to_embedding("kaldi-hamming", 80, 80)
    )
    nodes = [
        helper.make_node("Mul", ["input", "input"], ["powers"]),
        helper.make_node("ReduceMean", ["powers"], ["output"], axes=[2], keepdims=0),
    ]
    path = tmp_path_factory.mktemp("models") / "tiny-mean.onnx"
    return write_model(path, card, nodes, {})


@pytest.fixture
def errors(tmp_path):
    """`errors()`: the lines of out/errors.jsonl."""
    return lambda: [json.loads(line) for line in (tmp_path / "out" / "errors.jsonl").read_text().splitlines()]


def samples_of(path):
    """(N,) float32 of a file."""
    return np.asarray(sf.read(path, dtype="float32")[0])
