"""Scores: right on signals whose score is known, and clear where nothing can be scored."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from voxfield import errors
from voxfield.audio import read
from voxfield.errors import InputError, MissingExtraError
from voxfield.metrics import enhancement
from voxfield.metrics.enhancement import estoi, measurable, pesq_wb, scores, si_sdr_db, stoi

CLEAN = Path(__file__).parents[2] / "examples" / "clean" / "rain.wav"


def test_si_sdr_of_orthogonal_noise_is_the_ratio_of_powers():
    target, noise = np.array([3.0, -3, 3, -3]), np.array([1.0, 1, -1, -1])
    assert si_sdr_db(target + noise, target) == pytest.approx(20 * math.log10(3))
    assert si_sdr_db(7 * (target + noise) + 2, target) == pytest.approx(20 * math.log10(3))  # scale and offset are free
    assert si_sdr_db(target, target) == math.inf


@pytest.mark.parametrize("estimate", [[0.0] * 4, [0.1] * 4, [1.0, 1, -1, -1]], ids=["silent", "constant", "orthogonal"])
def test_an_estimate_without_the_target_scores_the_floor(estimate):
    assert si_sdr_db(np.array(estimate), np.array([3.0, -3, 3, -3])) == -100


def test_a_constant_target_is_refused():
    with pytest.raises(InputError, match="constant"):
        si_sdr_db(np.array([1.0, -1, 1, -1]), np.full(4, 0.1))


def test_pesq_of_silence_is_undefined():
    pytest.importorskip("pesq", reason="PESQ needs a C compiler: pip install 'voxfield[pesq]'")
    target = read(CLEAN, rate_hz=16000)[0]
    assert math.isnan(pesq_wb(np.zeros_like(target), target))


@pytest.mark.parametrize("measure", [si_sdr_db, stoi, estoi, pesq_wb])
def test_what_cannot_be_scored(measure):
    with pytest.raises(InputError, match="silent"):
        measure(np.ones(8), np.zeros(8))
    with pytest.raises(InputError, match="one length"):
        measure(np.ones(8), np.ones(9))


@pytest.mark.parametrize("name", ["stoi", "estoi", "pesq"])
def test_more_noise_scores_less(name):
    if name not in measurable():
        pytest.skip("PESQ needs a C compiler: pip install 'voxfield[pesq]'")
    rng = np.random.default_rng(0)
    target = read(CLEAN, rate_hz=16000)[0]
    noise = rng.standard_normal(len(target)).astype(np.float32)
    found = [scores(target + gain * noise, target, [name])[name] for gain in (0.001, 0.01, 0.1)]
    assert found == sorted(found, reverse=True) and found[0] > found[2]


@pytest.mark.parametrize("name", ["pesq", "stoi", "estoi"])
def test_the_packages_are_asked_with_the_clean_recording_as_the_reference(name):
    """Neither score is symmetric, and each has a form for another band or of another paper."""
    package = pytest.importorskip("pesq" if name == "pesq" else "pystoi")
    clean = read(CLEAN, rate_hz=16000)[0, :48000]
    noisy = clean + 0.02 * np.random.default_rng(0).standard_normal(len(clean)).astype(np.float32)
    own = {
        "pesq": lambda: package.pesq(16000, clean, noisy, "wb"),
        "stoi": lambda: package.stoi(clean, noisy, 16000),
        "estoi": lambda: package.stoi(clean, noisy, 16000, extended=True),
    }
    assert scores(noisy, clean, [name])[name] == pytest.approx(own[name](), rel=1e-6)


def test_dnsmos_hears_the_recording_at_its_own_level(monkeypatch):
    """Its package refuses samples beyond full scale, so those alone are turned down."""
    heard, told = [], {"ovrl_mos": 1.0, "sig_mos": 2.0, "bak_mos": 3.0}
    package = SimpleNamespace(run=lambda samples, rate_hz: heard.append(samples) or told)
    monkeypatch.setattr(enhancement, "needed", lambda *_: package)
    quiet, loud = np.float32([0.1, -0.2]), np.float32([0.5, -2.0])
    for samples in (quiet, loud):
        assert enhancement.dnsmos(samples) == {"dnsmos": 1.0, "dnsmos_speech": 2.0, "dnsmos_noise": 3.0}
    assert np.array_equal(heard[0], quiet) and np.array_equal(heard[1], loud / 2)


def test_too_little_speech_is_undefined(speech):
    for count in (1, 300, 2000, 6200):
        assert math.isnan(estoi(speech(1, count)[0], speech(1, count)[0]))


def test_unknown_and_missing_measures(monkeypatch):
    with pytest.raises(InputError, match="no measure 'mos'"):
        scores(np.ones(9), np.ones(9), ["mos"])

    def absent(name):
        raise ImportError(name=name)

    monkeypatch.setattr(errors, "import_module", absent)
    with pytest.raises(MissingExtraError, match=r"voxfield\[pesq\]"):
        pesq_wb(np.ones(9), np.ones(9))
