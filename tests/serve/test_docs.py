"""Every snippet of docs/serve.md runs as it is printed, against a service that runs; and the files of deploy/ hold."""

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import numpy as np
import pytest
import soundfile

import voxfield as vf
from voxfield.cli.app import run
from voxfield.serve import server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "serve.md").read_text(encoding="utf-8")
PRINTED = "127.0.0.1:8080"


def snippets(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    voices, rate_hz = soundfile.read(ROOT / "examples" / "two_voices.wav", stop=16000)
    for name in ("noisy.wav", "two_voices.wav"):
        soundfile.write(tmp_path / name, voices, rate_hz)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_shell(service, folder):
    (text,) = snippets("bash")
    text = text.replace("curl ", "curl --silent --show-error --fail ").replace(PRINTED, service.netloc)
    done = subprocess.run(["bash", "-ec", text], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert '"count_samples":16000' in done.stdout and '"rf":' in done.stdout
    assert soundfile.info(folder / "clean.wav").frames == 16000
    assert soundfile.info(folder / "voices.wav").channels == 2


def test_python(service, folder):
    (text,) = snippets("python")
    samples, _ = soundfile.read("noisy.wav", dtype="float32")
    played = []
    names = {"chunks": np.array_split(samples, 37), "play": played.append}
    exec(compile(text.replace(PRINTED, service.netloc), "docs/serve.md", "exec"), names)
    assert np.array_equal(np.concatenate(played, axis=1), vf.enhance(samples, 16000, model="crn-tiny").samples)
    assert names["voices"].shape == (2, 1, 16000) and soundfile.info("clean.wav").frames == 16000


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node here")
def test_javascript(service, folder):
    (text,) = snippets("javascript")
    before = """
      import { readFileSync } from "node:fs";
      const recording = readFileSync("noisy.wav");
      const samples = new Float32Array(16000).map((_, at) => Math.sin(at * at / 1e5) / 4);
      const chunks = Array.from({ length: 50 }, (_, at) => samples.slice(320 * at, 320 * (at + 1)));
      let count = 0;
      const play = (sound) => { count += sound.length; };
    """
    after = 'socket.onclose = ({ code }) => console.log("closed", code, count);'
    Path("snippet.mjs").write_text(before + text.replace(PRINTED, service.netloc) + after)
    flag = ["--experimental-websocket"] if node_version() < 22 else []
    done = subprocess.run(["node", *flag, "snippet.mjs"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert re.search(r"crn-tiny\.v\d+ \d{5}\n", done.stdout) and "closed 1000 16000" in done.stdout


def node_version():
    return int(re.search(r"v(\d+)", subprocess.run(["node", "--version"], capture_output=True, text=True).stdout)[1])


def started(words, monkeypatch):
    """The settings and worker processes that a command line would start."""
    found = []
    monkeypatch.setattr(server, "serve", lambda settings, **more: found.append((settings, more["workers"])))
    assert run(words) == 0
    return found[0]


def test_the_first_commands(monkeypatch):
    install, serve = re.search(r"^```\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1].splitlines()
    assert install == "pip install 'voxfield[serve]'"
    settings, workers = started(serve.split()[1:], monkeypatch)
    assert (settings.host, settings.port, workers) == ("127.0.0.1", 8080, 1)


def test_the_page_names_the_limits_there_are():
    from voxfield.serve.settings import Limits

    limits = Limits()
    assert f"{limits.duration_s / 3600:g} hours" in PAGE and f"at least {limits.least_bytes_per_s} bytes" in PAGE
    assert f"{limits.idle_s:g} s; {limits.first_s:g} s before" in PAGE and f"| {limits.connections} |" in PAGE
    assert f"{limits.text_bytes // 1000} 000 characters" in PAGE and f"beyond {limits.waiting_jobs} requests" in PAGE


def test_deployment_files_start_what_there_is(tmp_path, monkeypatch):
    (tmp_path / "tokens").write_text("a-token-of-some-length\n")
    unit = ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str
    unit.read(ROOT / "deploy" / "voxfield.service")
    words = unit["Service"]["ExecStart"].replace("${CREDENTIALS_DIRECTORY}", str(tmp_path)).split()
    settings, workers = started(words[1:], monkeypatch)
    assert settings.local and settings.tokens and workers == 2
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    entry, extra = (
        re.findall(r'"([^"]+)"', re.search(rf"^{word} (.*)$", text, re.MULTILINE)[1]) for word in ("ENTRYPOINT", "CMD")
    )
    words = [str(tmp_path / "tokens") if word == "/run/tokens" else word for word in (*entry, *extra)]
    settings, workers = started(words[1:], monkeypatch)
    assert settings.host == "0.0.0.0" and settings.tokens and workers == 2
    for source in re.findall(r"^COPY ([^-].*) \S+$", text, re.MULTILINE):
        assert all((ROOT / name).exists() for name in source.split())
