"""Verbs that make rows: every recording is in the parts once, whatever happened on the way."""

import numpy as np
import pyarrow.parquet
import pytest
import soundfile as sf

from voxfield.batch import parts, run_job
from voxfield.tasks import embed


@pytest.fixture
def table(tmp_path):
    """`table()`: name -> embedding of all parts; no name is there twice."""

    def read():
        rows = [
            row
            for path in sorted((tmp_path / "out").glob("part-*"))
            for row in pyarrow.parquet.read_table(path).to_pylist()
        ]
        names = [row["name"] for row in rows]
        assert len(names) == len(set(names))
        return {
            row["name"]: np.array(row["embedding"], np.float32) for row in sorted(rows, key=lambda row: row["name"])
        }

    return read


@pytest.fixture
def embedding(job, tiny_embedder):
    return lambda manifest, **settings: job(manifest, task="embed", model=str(tiny_embedder), **settings)


def test_rows_are_the_vectors_of_the_task_and_are_made_once(corpus, embedding, here, table, tiny_embedder, monkeypatch):
    monkeypatch.setattr(parts, "PART_ROWS", 2)
    folder = corpus(5, 1, seconds=0.5)
    report = here(embedding(folder))
    assert (report["done"], report["failed"]) == (5, 1)
    made = table()
    assert list(made) == [f"00{number}.wav" for number in range(5)]
    for name, vector in made.items():
        assert np.array_equal(vector, embed(folder / name, model=tiny_embedder).vector)
    assert here(embedding(folder))["already_done"] == 5 and list(table()) == list(made)


def test_a_changed_recording_replaces_its_row(corpus, embedding, here, table, speech):
    folder = corpus(3, seconds=0.5)
    here(embedding(folder))
    before = table()
    sf.write(folder / "001.wav", 0.5 * speech(1, 8000, seed=9).T, 16000)
    assert here(embedding(folder))["done"] == 1
    after = table()
    assert after.keys() == before.keys() and not np.array_equal(after["001.wav"], before["001.wav"])
    assert np.array_equal(after["000.wav"], before["000.wav"])
    (folder / "001.wav").write_text("no sound any more")
    assert here(embedding(folder))["failed"] == 1 and "001.wav" not in table()


def test_a_part_of_a_run_that_was_cut_off_is_made_again(corpus, embedding, here, table, tmp_path, monkeypatch):
    folder = corpus(3, seconds=0.5)

    def cut_off(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # the part is whole, and its entries are not in the ledger
        patch.setattr("voxfield.batch.ledger.Ledger.append", cut_off)
        with pytest.raises(KeyboardInterrupt):
            here(embedding(folder))
    assert len(list((tmp_path / "out").glob("part-*"))) >= 1
    assert here(embedding(folder))["done"] == 3
    assert list(table()) == ["000.wav", "001.wav", "002.wav"]
    next((tmp_path / "out").glob("part-*")).unlink()
    assert here(embedding(folder))["done"] == 3 and len(table()) == 3


def test_what_was_done_before_an_interrupt_is_kept(corpus, embedding, here, table):
    folder = corpus(3, seconds=0.5)

    def interrupt(tally, outcome):
        if tally.done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        here(embedding(folder), watch=interrupt)
    assert list(table()) == ["000.wav", "001.wav"]
    assert here(embedding(folder))["done"] == 1


@pytest.mark.ray
def test_rows_on_ray_are_those_of_local_processes(corpus, embedding, table, tmp_path, tiny_embedder):
    folder = corpus(20, 2, seconds=0.5)
    report = run_job(embedding(folder, engine="ray", jobs=2))
    assert (report["done"], report["failed"]) == (20, 2)
    made = table()
    assert list(made) == [f"{number:03d}.wav" for number in range(20)]
    for name in ("000.wav", "019.wav"):
        assert np.array_equal(made[name], embed(folder / name, model=tiny_embedder).vector)
    assert run_job(embedding(folder, engine="ray", jobs=2))["already_done"] == 20 and len(table()) == 20
    assert not (tmp_path / "out" / "ray").exists()
