"""Every verb over HTTP gives what its function gives."""

import io
import json
import pkgutil
import urllib.error
import urllib.request
from dataclasses import asdict

import numpy as np
import pytest
import soundfile
import torch
from embedders import exported
from service import MODEL, noise, running, stored

import voxfield as vf
from voxfield.errors import InputError
from voxfield.export import export_network
from voxfield.export.onnx_file import export_parts
from voxfield.models.code_histogram import CodeHistogram, CodeHistogramConfig
from voxfield.models.vqvae2 import Vqvae2, Vqvae2Config
from voxfield.serve import ServiceError
from voxfield.serve.refusal import Refused
from voxfield.serve.verbs import VERBS
from voxfield.tasks.book.speaker_book import SpeakerBook
from voxfield.tasks.diarization.recording import diarize
from voxfield.tasks.noises.timeline import noise as noise_in
from voxfield.tasks.tokens.recording import tokenize

PART = b"--b\r\nContent-Disposition: form-data; name="
KINDS = {"WAV": "PCM_16", "FLAC": "PCM_24", "OGG": "VORBIS", "MP3": "MPEG_LAYER_III"}


@pytest.mark.parametrize("format", KINDS)
def test_enhance_as_python_does_it(service, format):
    content = stored(noise(channels=2, seconds=0.5), 16000, format, KINDS[format])
    given = service.client.enhance(content, limit_db=15)
    whole = vf.enhance(content, model=MODEL, limit_db=15)
    assert given.model == whole.model and given.sample_rate_hz == 16000
    assert given.samples.shape == whole.samples.shape
    assert np.abs(given.samples - whole.samples).max() <= 2**-15


def test_floats_come_back_bit_for_bit(service):
    content = stored(noise(48000, 1, 0.5), 48000, "WAV", "FLOAT")
    assert np.array_equal(service.client.enhance(content).samples, vf.enhance(content, model=MODEL).samples)


def test_a_form_and_a_raw_body_are_the_same(service):
    content = stored(noise(seconds=0.3))
    boundary = b"limit"
    name = b'../../etc/passwd\\"'  # what a file is called on the client's disk plays no part
    form = b"--limit\r\nContent-Disposition: form-data; name=file; filename=" + name + b"\r\n\r\n" + content
    answers = [
        posted(service, "enhance", content, "audio/wav"),
        posted(service, "enhance", content, "application/octet-stream"),
        posted(service, "enhance", form + b"\r\n--limit--\r\n", f"multipart/form-data; boundary={boundary.decode()}"),
    ]
    assert answers[0] == answers[1] == answers[2]


def test_headerless_samples(service):
    samples = noise(seconds=0.3)
    given = posted(service, "enhance?raw=16000,1,f32le", samples.tobytes(), "application/octet-stream")
    assert np.array_equal(np.frombuffer(given, np.float32), vf.enhance(samples, 16000, model=MODEL).samples[0])


def test_json_instead_of_sound(service):
    said = service.client.call("enhance", {"file": stored(noise(seconds=0.3))})
    assert said["count_samples"] == 4937 and said["model"].startswith("crn-tiny") and said["notes"] == []


def test_separate_as_python_does_it(service):
    content = stored(noise(seconds=0.5), subtype="FLOAT")
    assert np.array_equal(service.client.separate(content), vf.separate(content).voices)


def test_speakers_as_python_tells_them(tmp_path, speech):
    model = exported(tmp_path / "embedder.onnx")
    first, second = (stored(speech(1, 56_000, seed=seed)) for seed in (1, 2))
    book = SpeakerBook(tmp_path / "book.voxbook", model=model)
    for name, recording in (("Anna", first), ("王芳", second)):
        book.enroll(name, recording)
    with running(models=(str(model),), book=str(book.path)) as service:
        made = service.client.embed(first)
        assert np.allclose(made["vector"], vf.embed(first, model=model).vector, atol=1e-6)
        found = service.client.verify(first, second, threshold=0.5)
        assert found == vf.verify(first, second, model=model, threshold=0.5).to_dict()
        assert service.client.verify(first, first) == vf.verify(first, first, model=model).to_dict()
        whole = diarize(first, model=model)
        said = service.client.call("diarize", {"file": first}, max_speakers=3)
        assert {key: said[key] for key in whole.to_dict()} == whole.to_dict() and said["model"] == made["model"]
        found = service.client.call("identify", {"file": second}, threshold=0.2)
        assert found == book.identify(second, threshold=0.2).to_dict()
        assert any(card["name"] == made["model"] for card in service.client.models())


def test_verify_decides_as_the_card_of_the_model_does(tmp_path, speech):
    calibration = {
        "bias": -2.0, "score": 10.0, "speech": 0.1, "score_speech": 0.0, "range": 0.0, "least_s": 1.0, "most_s": 9.0,
        "least_db": 10.0, "most_db": 60.0, "usual_db": 30.0, "threshold": 0.5, "false_accepts": 0.01,
    }  # fmt: skip
    model = exported(tmp_path / "embedder.onnx", calibration=calibration)
    first, second = (stored(speech(1, 56_000, seed=seed)) for seed in (1, 2))
    with running(models=(str(model),)) as service:
        found = service.client.verify(first, second)
        assert found == vf.verify(first, second, model=model).to_dict()
        assert found["probability"] is not None and found["same"] is not None


def test_noise_and_tokens_as_python_gives_them(tmp_path):
    tokenizer, kinds = tmp_path / "tokens.onnx", tmp_path / "kinds.onnx"
    torch.manual_seed(0)
    net = Vqvae2(Vqvae2Config(bands=64, channels=8, block_channels=4, code_size=8, codes=32))
    with torch.no_grad():
        net.train().rebuild(torch.randn(net.interface().block_shape(64, 4)))
    about = {"summary": "", "licence": "", "data": (), "config": {}, "architecture": "vqvae2"}
    card = export_parts(
        net, tokenizer, about | {"name": "tiny-tokens.v1", "task": "tokens", "interface": net.interface()}
    )
    config = CodeHistogramConfig(labels=("hiss", "hum", "other"), codes=32, tokenizer=card.measured["weights"])
    probe = CodeHistogram(config)
    about |= {"name": "tiny-kinds.v1", "task": "name-noise", "architecture": "code-histogram"}
    export_network(probe, kinds, about | {"interface": probe.interface(), "config": asdict(config)})
    content = stored(noise(seconds=5))
    with running(models=(str(tokenizer), str(kinds))) as service:
        said = service.client.call("noise", {"file": content}, tokenizer="tiny-tokens", kinds="tiny-kinds.v1")
        whole = noise_in(content, model=MODEL, tokenizer=tokenizer, kinds=kinds)
        assert {key: said[key] for key in whole.to_dict()} == whole.to_dict() and said["duration_s"] == 5.009
        codes = service.client.call("tokens", {"file": content}, model="tiny-tokens")["codes"]
        assert codes == tokenize(content, model=tokenizer).codes[0].tolist()


def test_frames_as_python_gives_them(service):
    content = stored(noise(seconds=1.5))
    for layer in (None, "z"):
        said = service.client.call("represent", {"file": content}, layer=layer)
        whole = vf.represent(content, layer=layer)
        assert np.array_equal(np.array(said["frames"], np.float32).T, whole.features)
        assert (said["layer"], said["model"]) == (whole.layer.name, whole.model)
        assert said["count_frames"] == len(said["frames"]) and said["notes"] == []
    with pytest.raises(ServiceError, match="voxfield represent") as caught:
        service.client.call("represent", {"file": stored(noise(seconds=62))})
    assert caught.value.code == "too_long"


def test_every_verb_of_the_command_line_that_takes_one_recording_is_served():
    from voxfield.cli import commands

    files = {"detokenize", "enroll", "evaluate", "listen", "sample", "speakers", "spot", "threshold"}  # no recording in
    programs = {"batch", "convert", "doctor", "explain", "export", "models", "serve", "train"}
    names = {module.name for module in pkgutil.iter_modules(commands.__path__)}
    assert {"tokens" if name == "tokenize" else name for name in names - files - programs} == {v.name for v in VERBS}


def test_without_enrolled_speakers_nobody_is_identified(service):
    with pytest.raises(ServiceError, match="--book"):
        service.client.call("identify", {"file": stored(noise())})


def test_files_are_enhanced_in_pieces(service, tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.wav", noise(seconds=5)[0], 16000)
    monkeypatch.setenv("HOME", str(tmp_path))
    model = service.client.enhance_file("~/a.wav", "~/b.wav")
    assert model.startswith("crn-tiny")
    given, _ = soundfile.read(tmp_path / "b.wav", dtype="float32")
    assert np.abs(given - vf.enhance(tmp_path / "a.wav", model=MODEL).samples[0]).max() <= 2**-15


def test_explain_in_all_its_forms(service):
    question = {"what": "10/5 8/4 4/2", "rate_hz": 16000, "drawings": True, "edits": ["layer2.stride=2"]}
    found = service.client.explain(**question)
    field = vf.explain("10/5 8/4 4/2", rate_hz=16000).field("time")
    assert found["fields"][0]["rf"] == field.rf and found["words"] and found["what_if"]
    assert found["drawings"]["field"].startswith("<svg")
    for kind, begin in (("text/html", b"<!doctype"), ("image/svg+xml", b"<svg"), ("text/plain", b"")):
        body = posted(service, "explain", json.dumps(question).encode(), "application/json", kind)
        assert body.lower().startswith(begin) and len(body) > 100


@pytest.mark.parametrize(
    "what", ["README.md", "/etc/passwd", "pyproject.toml", "src/voxfield/cli/app.py:run", "~/x.onnx"]
)
def test_explain_reads_no_file_of_the_service(service, what):
    with pytest.raises(ServiceError) as caught:
        service.client.explain(what)
    assert caught.value.code == "not_explained" and "voxfield]" not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "body", "kind", "status", "code"),
    [
        ("enhance", b"", "audio/wav", 422, "bad_audio"),
        ("enhance", b"no sound at all", "audio/wav", 422, "bad_audio"),
        ("enhance", b"RIFF\0\0\0\0WAVE", "audio/wav", 422, "bad_audio"),
        ("enhance", b"x", "text/plain", 415, "bad_type"),
        ("enhance", b"x", "multipart/form-data", 400, "bad_form"),
        ("enhance", PART + b"other\r\n\r\nx", "multipart/form-data; boundary=b", 400, "bad_form"),
        ("enhance", PART + b"file\r\n\r\nRIFF", "multipart/form-data; boundary=b", 400, "bad_form"),
        ("enhance?mix=2", b"x", "audio/wav", 422, "bad_request"),
        ("enhance?model=/etc/passwd", b"x", "audio/wav", 404, "unknown_model"),
        ("enhance?model=../../weights.onnx", b"x", "audio/wav", 404, "unknown_model"),
        ("enhance?nonsense=1", b"x", "audio/wav", 422, "bad_request"),
        ("enhance?model=conv-tasnet-small", b"x", "audio/wav", 422, "bad_request"),
        ("represent?layer=x", b"x", "audio/wav", 422, "bad_request"),
        ("separate?speakers=9", b"x", "audio/wav", 422, "bad_request"),
        ("enhance?raw=1000000000", b"x", "audio/wav", 422, "bad_request"),
        ("enhance?raw=16000,999", b"x", "audio/wav", 422, "bad_audio"),
        ("tokenize", b"x", "audio/wav", 404, "http"),
        ("models", b"x", "audio/wav", 405, "http"),
        ("explain", b"{", "application/json", 422, "bad_request"),
        ("explain", b"[" * 100000, "application/json", 400, "bad_request"),
        ("explain", b'{"what": "10/5", "verify": true}', "application/json", 422, "bad_request"),
    ],
)  # fmt: skip
def test_wrong_requests_are_answered_in_words(service, target, body, kind, status, code):
    with pytest.raises(ServiceError) as caught:
        posted(service, target, body, kind)
    assert (caught.value.status, caught.value.code) == (status, code) and len(str(caught.value)) > 15


@pytest.mark.parametrize(
    ("target", "body", "kind", "said"),
    [
        ("enhance?nonsense=1", b"x", "audio/wav", r"query\.nonsense: there is no such key"),
        ("explain", b"{", "application/json", r"it is no JSON"),
        ("explain", b"{}", "application/json", r"body\.what: it is needed"),
        ("explain", b"what=10/5", "application/x-www-form-urlencoded", "a JSON object is needed, sent as"),
    ],
)
def test_what_was_needed_is_said(service, target, body, kind, said):
    with pytest.raises(ServiceError, match=said):
        posted(service, target, body, kind)


def test_an_unknown_path_is_told_from_a_wrong_method(service):
    """The files of the page, which lie below /, answer neither."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{service.address}/v1/enhance")
    assert caught.value.code == 405 and caught.value.headers["Allow"] == "POST"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{service.address}/v1/tokenize")
    assert caught.value.code == 404 and "/v1/tokens" in caught.value.read().decode()
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{service.address}/v1/stream")
    assert caught.value.code == 426 and "is a WebSocket" in caught.value.read().decode()


def test_openapi_describes_every_verb(service):
    from fastapi.openapi.models import OpenAPI

    with urllib.request.urlopen(f"{service.address}/v1/openapi.json") as answer:
        described = json.load(answer)
    OpenAPI.model_validate(described)
    for verb in VERBS:
        post = described["paths"][f"/v1/{verb.name}"]["post"]
        assert post["summary"] == verb.summary
        assert post["responses"]["200"]["content"]["application/json"]["example"] == json.loads(
            json.dumps(verb.example)
        )
        assert set(post["requestBody"]["content"]) >= {"multipart/form-data"}
        assert {item["name"] for item in post["parameters"]} == set(verb.query.model_fields)
        refused = post["responses"]["default"]["content"]["application/json"]["schema"]["$ref"]
        assert set(post["responses"]) == {"200", "default"} and refused == "#/components/schemas/Refused"
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{service.address}/v1/enhance?nonsense=1", b"")
    assert Refused.model_validate_json(caught.value.read()).error.code == "bad_request"


def test_an_unknown_model_is_answered_by_those_that_clients_may_name(service):
    for name, said in (("crn-tinny", r"here; did you mean crn-tiny\?"), ("net.onnx", "here; /v1/models lists those")):
        with pytest.raises(ServiceError, match=f"no model is called '{name}' {said}"):
            service.client.enhance(b"", model=name)


@pytest.mark.parametrize("given", [5, None, np.zeros(3), io.StringIO("text")])
def test_what_is_no_recording_is_not_sent(service, given):
    with pytest.raises(InputError, match="a recording is a path, the bytes of a file, or a binary file object"):
        service.client.enhance(given)


def test_models_and_health(service):
    names = {card["short_name"] for card in service.client.models()}
    assert {"crn-tiny", "crn-small", "conv-tasnet-small"} <= names
    assert service.client.ready()
    for path in ("healthz", "readyz", "metrics"):
        with urllib.request.urlopen(f"{service.address}/{path}") as answer:
            text = answer.read().decode()
    assert "voxfield_sessions 0.0" in text and "voxfield_step_seconds_bucket" in text


def posted(service, target, body, kind, accept="*/*"):
    request = urllib.request.Request(f"{service.address}/v1/{target}", body, {"Content-Type": kind, "Accept": accept})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        found = json.load(io.BytesIO(error.read()))["error"]
        raise ServiceError(error.code, found["code"], found["message"]) from error
