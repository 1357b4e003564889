"""What README.md promises and no other test shows.

Here: the dependencies it lists are all there are; its table of commands and functions runs, and both give the same;
enhance and separate work without a network connection; memory does not grow with duration; input level does not matter;
its scores are those on the cards; training data come with licences; `explain` answers in samples, ms and Hz; links lead
somewhere.

Elsewhere: no torch (tests/laws/test_cards.py), no telemetry (tests/ort), formats, rates, channels, folders, lists and
pipes (tests/audio, tests/cli), live = offline (tests/laws), snippets (tests/test_docs_snippets.py), the caption and the
report (tests/tasks/report), the demo (tests/test_demo.py), figures of speed (docs/benchmarks.md, filled in by its
script).
"""

import re
import shlex
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
import soundfile as sf

import voxfield as vf
from voxfield.audio import read
from voxfield.cards import cards, find
from voxfield.cli.app import run
from voxfield.cli.discovery import installed
from voxfield.metrics.enhancement import si_sdr_db

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def section(title):
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text):
    """Cells of each row of the tables in a text, without the heads."""
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    return lines[2:]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("noisy.wav", "two_voices.wav", "talk.wav"):
        example = "rain.wav" if name == "noisy.wav" else "two_voices.wav"
        (tmp_path / name).write_bytes((ROOT / "examples" / example).read_bytes())
    (tmp_path / "photo.png").write_bytes((ROOT / "examples" / "coffee.png").read_bytes())
    (tmp_path / "corpus.jsonl").write_text('{"audio_filepath": "talk.wav"}\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_dependencies_named_are_all_there_are():
    named = re.search(r"\*\*Light\.\*\* ([a-z, ]+)\.", README).group(1).split(", ")
    assert named == [re.match(r"[a-z]+", line).group() for line in PROJECT["dependencies"]]
    assert PROJECT["requires-python"] == ">=3.11" and "Python 3.11 or later" in README


def test_the_table_of_commands_and_functions_runs_and_both_agree(folder):
    made = {}
    for _, commands, functions in rows(section("What it does")):
        for command in re.findall(r"`(?:voxfield )?([^`]+)`", commands):
            words = shlex.split(command)
            assert words[0] in installed()
            if words[1:]:
                assert run([*words, "-q"] if words[0] in ("enhance", "separate") else words) == 0, command
        for function in re.findall(r"`([^`]+)`", functions):
            if "(" in function:
                made[function] = eval(function, {"vf": vf, "voxfield": vf, "__builtins__": {"__import__": __import__}})
            else:
                assert resolve_name(function)
    enhanced, (voices,) = Path("noisy_enhance.wav"), (one for one in made.values() if isinstance(one, vf.Separated))
    assert enhanced.read_bytes() == Path("clean.wav").read_bytes()
    for number, voice in enumerate(voices.voices, 1):
        written, _ = sf.read(f"voices/two_voices_speaker{number}.wav", dtype="float32")
        np.testing.assert_allclose(written, voice[0], atol=1 / 32000)


def test_no_network_connection_is_needed(folder, monkeypatch):
    class NoNetwork(socket.socket):
        def connect(self, *_):
            raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket, "socket", NoNetwork)
    monkeypatch.setenv("VOXFIELD_CACHE", str(folder / "cache"))
    assert run(["enhance", "noisy.wav", "--offline"]) == 0
    assert run(["separate", "two_voices.wav", "--offline"]) == 0
    assert not (folder / "cache").exists()


def peak_bytes(path):
    """Peak memory of the command on a file, as the system reports it."""
    code = (
        "import re, resource\n"
        "from pathlib import Path\n"
        "from voxfield.cli.app import run\n"
        "status = Path('/proc/self/status')\n"
        "if status.exists(): Path('/proc/self/clear_refs').write_text('5')\n"  # forget the peak of who started us
        f"assert run(['enhance', {str(path)!r}, '--model', 'crn-tiny', '-q', '--overwrite']) == 0\n"
        "own = re.search(r'VmHWM:\\s*(\\d+)', status.read_text()) if status.exists() else None\n"
        "print(own[1] if own else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024)


@pytest.mark.slow
def test_duration_takes_no_memory(tmp_path):
    noise = np.random.default_rng(0).integers(-4000, 4000, 16000 * 20, np.int16)
    peaks = []
    for times in (3, 30):
        sf.write(tmp_path / "noise.wav", np.tile(noise, times), 16000)
        peaks.append(peak_bytes(tmp_path / "noise.wav"))
    assert peaks[1] < 1.05 * peaks[0]  # the further samples alone would be 35 MB, a seventh of it


@pytest.mark.parametrize("name", [card.name for card in cards() if card.task == "enhance"])
@pytest.mark.parametrize("level_db", [-40, 10])
def test_input_level_does_not_matter(name, level_db):
    samples = read(ROOT / "examples" / "rain.wav", rate_hz=16000)[:, :48000]
    gain = np.float32(10 ** (level_db / 20))
    as_it_is, other = (vf.enhance(given, 16000, model=name).samples[0] for given in (samples, gain * samples))
    assert si_sdr_db(other / gain, as_it_is) > 60
    assert other.std() == pytest.approx(gain * as_it_is.std(), rel=1e-3)


def test_the_scores_are_those_on_the_cards():
    scored = [cells for cells in rows(README.split("## What it does")[0]) if cells[0].startswith("crn")]
    assert len(scored) == 3
    for title, pesq, estoi, si_sdr, _, _, weights in scored:
        name, thousands = re.match(r"(\S+), (\d+) k parameters", title).groups()
        card = find(name)
        scores = card.measured["enhanced"]
        assert int(thousands) == round(card.parameters / 1000)
        assert weights == f"{card.file.bytes / 1000:.0f} kB"
        assert [pesq, estoi, si_sdr] == [
            f"{scores['pesq']:.2f}",
            f"{scores['estoi']:.3f}".lstrip("0"),
            f"{scores['si_sdr_db']:.1f}",
        ]
    gain, mixtures, below = re.search(
        r"gains (\S+) dB SI-SDR on (\d+) mixtures .*? in (\d+) of them", README.replace("\n", " ")
    ).groups()
    measured = find("conv-tasnet-small").measured
    assert (gain, int(mixtures)) == (f"{measured['si_sdr_gain_db']:.1f}", measured["mixtures"])
    assert int(below) == round(measured["share_below_1_db"] * measured["mixtures"])


def test_training_data_come_with_licences(capsys):
    for card in cards():
        assert run(["models", card.name]) == 0
        shown = " ".join(capsys.readouterr().out.split())  # however wide the terminal is
        assert card.data and all(data.split(",")[0] in shown for data in card.data)
        for data in card.data:
            assert re.search(r"CC|Apache|MIT|GPL|free for", data), data


def test_explain_answers_in_samples_ms_and_hz(capsys):
    assert run(["explain", "10/5 8/4 4/2 4/2 4/2", "--rate", "16000"]) == 0
    text = capsys.readouterr().out
    assert "465 samples" in text and "29.06 ms" in text and "16,000 Hz" in text


def test_what_a_command_printed_is_what_it_prints(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"^```\n\$ voxfield ([^\n]+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert blocks
    for words, printed in blocks:
        assert run(shlex.split(words)) == 0
        assert capsys.readouterr().out == printed


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md"))]
)
def test_links_lead_somewhere(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)|src=\"([^\"]+)\"", text):
        link = "".join(target)
        assert link.startswith("https://") or ((ROOT / page).parent / link).exists(), link
