"""Outputs that take nothing more: said in words, and before the work where that can be known."""

import os
import subprocess
import sys

import pytest
import soundfile as sf

from voxfield.cli.app import run


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("words", [["models"], ["embed", "a.wav", "--json"], ["diarize", "a.wav"]])
def test_a_full_standard_output_is_said(tmp_path, voice, words):
    sf.write(tmp_path / "a.wav", voice("anna", 0), 16000)
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = [sys.executable, "-m", "voxfield", *words]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert done.returncode == 1 and "standard output cannot be written: No space left on device" in done.stderr
    assert "Errno" not in done.stderr and "Exception" not in done.stderr and "unexpected" not in done.stderr


def test_vectors_that_cannot_be_written_are_refused_before_the_work(tmp_path, voice, tiny_embedder, capsys):
    sf.write(tmp_path / "a.wav", voice("anna", 0), 16000)
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "e.npz"
    assert run(["embed", str(tmp_path / "a.wav"), "-o", str(out), "--model", str(tiny_embedder)]) == 1
    said = capsys.readouterr().err
    assert "e.npz cannot be written" in said and "of speech" not in said
