"""Every Python and shell snippet of README.md and docs/*.md runs as it is printed, in a folder with the examples.

What a reader has and a test has not is stood in for: recordings by excerpts of the examples, a microphone by one of
them, `train.start` by reading the recipe. Of `pip`, `make` and `python` it is checked that extras, targets and scripts
exist. docs/explain.md is left to tests/explain/test_docs.py, which compares what its commands print, and docs/serve.md
to tests/serve/test_docs.py, where a service runs. A snippet
that cannot run here is preceded by `<!-- not run: why -->`.
"""

import io
import re
import shlex
import shutil
import sys
import tomllib
from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile as sf

from voxfield.cards import resolve
from voxfield.cli.app import run

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    *sorted(page for page in (ROOT / "docs").glob("*.md") if not re.search(r"explain|serve|\.in\.", page.name)),
]
_BLOCK = re.compile(r"(<!-- not run: .+? -->\n+)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Snippet(NamedTuple):
    """One fenced block."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self):
        return f"{self.page.name}:{self.line}"


def snippets():
    """Those that are run: Python, and blocks whose first word is a command; others show what a command printed."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in _BLOCK.finditer(text):
            unrun, language, content = block.groups()
            if not unrun and (language == "python" or (not language and content.split()[0] in COMMANDS)):
                found.append(Snippet(page, text.count("\n", 0, block.start(3)), language or "shell", content))
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What a reader has at hand."""
    for name in ("examples", "recipes", "docs", "benchmarks", "scripts", "constraints.txt", "checkpoints"):
        (tmp_path / name).symlink_to(ROOT / name)
    voices, rate_hz = sf.read(ROOT / "examples" / "two_voices.wav")
    talk, other = voices[: 2 * rate_hz], np.roll(voices[: 2 * rate_hz], rate_hz)
    for name, samples in {
        **dict.fromkeys(["noisy.wav", "two_voices.wav", "talk.wav", "meetings/a.wav", "clean/a.wav"], talk),
        "noisy/a.wav": talk + 0.1 * other,
        "mixtures/mix/a.wav": talk + other,
        "mixtures/s1/a.wav": talk,
        "mixtures/s2/a.wav": other,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        sf.write(tmp_path / name, samples, rate_hz)
    (tmp_path / "runs" / "crn-small").mkdir(parents=True)
    shutil.copy(resolve("crn-small")[1], tmp_path / "runs/crn-small.onnx")
    shutil.copy(
        max((ROOT / "checkpoints").glob("crn-small.*.safetensors")), tmp_path / "runs/crn-small/best.safetensors"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def voxfield(words, given, monkeypatch):
    """What the command writes to standard output."""
    if words[0] == "train":
        import voxfield.train

        monkeypatch.setattr(voxfield.train, "start", lambda recipe, *_, **__: recipe)
    if words[0] == "serve":
        monkeypatch.setattr("voxfield.serve.server.serve", lambda settings, **_: None)
    if words[0] == "listen":
        plug_in(monkeypatch)
    if words[0] == "convert":
        save_foreign_checkpoint(Path(words[1]))
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    monkeypatch.setattr(sys, "stdout", out)
    assert run(words) == 0, words
    out.flush()
    return out.buffer.getvalue()


def plug_in(monkeypatch):
    """A microphone and headphones, and somebody who presses q."""
    from voxfield.audio import device
    from voxfield.cli.commands import listen

    monkeypatch.setattr(device, "rate_for", lambda wanted_hz, *_: wanted_hz)
    monkeypatch.setattr(device, "duplex", lambda *_, **__: nullcontext(device.Duplex("in", "out", 16000, 0.01)))
    monkeypatch.setattr(listen, "keys", lambda: nullcontext(lambda wait_s: "q"))


def save_foreign_checkpoint(path):
    """A small network as Keras stores it, or fairseq, or asteroid."""
    if path.suffix == ".keras":
        shutil.copy(ROOT / "tests" / "export" / "keras" / path.name, path)
        return
    import torch
    from export import foreign_tensors

    if "wav2vec" in path.name:
        with np.load(ROOT / "tests" / "export" / "fairseq_wav2vec.npz") as file:
            names = [name for name in file.files if name.startswith("paper/state/")]
            tensors = {name.removeprefix("paper/state/"): torch.from_numpy(file[name]) for name in names}
        torch.save({"args": None, "model": tensors}, path)
        return
    torch.save({"state_dict": foreign_tensors.asteroid(2)}, path)


def pip(words, *_):
    assert words[0] == "install"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    for word in words[1:]:
        for named in re.findall(r"^(?:voxfield|\.)\[(.+)\]$", word):
            assert set(named.split(",")) <= set(extras), word
    assert "-c" not in words or Path(words[words.index("-c") + 1]).exists()


def make(words, *_):
    assert re.search(rf"^{words[0]}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def python(words, *_):
    assert Path(words[0]).is_file()


def torchrun(words, given, monkeypatch):
    return voxfield(words[words.index("voxfield") + 1 :], given, monkeypatch)


def arecord(*_):
    samples, _ = sf.read(ROOT / "examples" / "rain.wav", dtype="int16", stop=16000)
    return samples.tobytes()


def aplay(words, given, _):
    channels = int(words[words.index("-c") + 1]) if "-c" in words else 1
    assert len(given) == channels * 2 * 16000 and any(given)


COMMANDS = {command.__name__: command for command in (voxfield, pip, make, python, torchrun, arecord, aplay)}


def shell(text, monkeypatch):
    for line in text.replace("\\\n", " ").splitlines():
        given = b""
        tokens = list(shlex.shlex(line, posix=True, punctuation_chars="|>"))
        while tokens:
            ends = next((at for at, token in enumerate(tokens) if token in ("|", ">")), len(tokens))
            command, *words = tokens[:ends]
            given = COMMANDS[command](words, given, monkeypatch) or b""
            if tokens[ends : ends + 1] == [">"]:
                Path(tokens[ends + 1]).write_bytes(given)
                ends += 1
            tokens = tokens[ends + 1 :]


class Speaker:
    def __init__(self):
        self.played = []

    def play(self, samples):
        assert samples.dtype == np.float32 and samples.ndim == 1
        self.played.append(samples)


def python_names(text, monkeypatch):
    names = {}
    if "converted/" in text:  # of the snippet before
        import torch

        voxfield(["convert", "best_model.pth", "--from", "asteroid", "-o", "converted/", "--onnx"], b"", monkeypatch)
        names["mixture"] = torch.randn(1, 1, 4000)
    samples, _ = sf.read(ROOT / "examples" / "rain.wav", dtype="float32", stop=16000)
    chunks, speaker = np.array_split(samples, 37), Speaker()
    return names | {
        "microphone": chunks,
        "speaker": speaker,
        "chunks": chunks,
        "play": speaker.play,
        "samples": np.stack([samples, samples]),
    }


@pytest.mark.parametrize("snippet", snippets(), ids=str)
def test_snippet(snippet, folder, monkeypatch):
    if snippet.language == "shell":
        shell(snippet.text, monkeypatch)
        return
    names = python_names(snippet.text, monkeypatch)
    exec(compile(snippet.text, str(snippet), "exec"), names)
    if "stream" in names:
        played = np.concatenate(names["speaker"].played)
        assert played.any() and 0 <= 16000 - len(played) <= 512
        if "flush" in snippet.text:
            assert len(played) == 16000


def test_every_page_is_looked_at():
    assert {snippet.page.name for snippet in snippets()} >= {"README.md", "streaming.md", "separate.md", "formats.md"}
    assert {snippet.language for snippet in snippets()} == {"python", "shell"}
