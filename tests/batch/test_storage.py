"""Recordings and results that lie elsewhere, through fsspec."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import soundfile as sf

from voxfield.batch import storage
from voxfield.errors import MissingExtraError


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def host(tmp_path):
    """Address of a web server of the folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_manifest_and_recordings_from_the_web(corpus, manifest, job, here, host, errors, tmp_path):
    corpus(2, 1)
    manifest([{"audio_filepath": f"corpus/{number:03d}.wav"} for number in range(4)])
    report = here(job(f"{host}/corpus.jsonl"))
    assert (report["done"], report["failed"]) == (2, 2)
    assert [line["input"].rpartition("/")[2] for line in errors()] == ["002.wav", "003.wav"]
    assert "voxfield-" not in errors()[0]["error"]  # the name of the copy says nothing to anybody
    assert len(list((tmp_path / "out").rglob("*_enhance.wav"))) == 2
    assert here(job(f"{host}/corpus.jsonl"))["already_done"] == 2


@pytest.mark.parametrize("scheme", ["memory://batch", "local://{folder}"])
def test_results_elsewhere_and_the_ledger_here(scheme, corpus, job, here, tmp_path, tiny_embedder):
    out = scheme.format(folder=f"{tmp_path}/away")
    one = job(corpus(2), out=out, state=str(tmp_path / "state"))
    assert here(one)["done"] == 2 and here(one)["already_done"] == 2
    with storage.opened(f"{out}/001_enhance.wav") as file:
        assert sf.info(file).frames == 3200
    rows = job(
        tmp_path / "corpus", task="embed", model=str(tiny_embedder), out=f"{out}/rows", state=str(tmp_path / "s2")
    )
    assert here(rows)["done"] == 2 and len(storage.matching(f"{out}/rows", "part-*.parquet")) == 1
    assert not (tmp_path / "out").exists()


def test_a_package_that_is_missing_is_named():
    with pytest.raises(MissingExtraError, match=r"pip install 'voxfield\[batch\]'"):
        storage.exists("s3://bucket/a.wav")
