"""What noise was there when: names, levels and ratios, unknown noise, kept noise, and models that do not belong."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch
from scipy.signal import resample_poly

from voxfield.cli.app import run
from voxfield.cli.commands.noise import _lines
from voxfield.errors import InputError
from voxfield.export import export_network
from voxfield.export.onnx_file import export_parts
from voxfield.features.log_mel import LogMel
from voxfield.models.code_histogram import CodeHistogramConfig
from voxfield.models.vqvae2 import Vqvae2, Vqvae2Config
from voxfield.runtime import load_engine
from voxfield.tasks.enhancement.keeping import Keeper
from voxfield.tasks.enhancement.recording import EnhanceOptions, enhance_file
from voxfield.tasks.noises.kinds import KindStream, NoiseKinds
from voxfield.tasks.noises.timeline import Noise, Stretch, noise
from voxfield.train.noise_kinds import calibrate, fit, kind_of, segments, tokens_of

ROOT = Path(__file__).resolve().parents[3]
RATE_HZ = 16000
ABOUT = {"summary": "for a test", "licence": "none", "data": (), "config": {}}


def hiss(seconds, seed=0, level=0.05):
    return (level * np.random.default_rng(seed).standard_normal(round(seconds * RATE_HZ))).astype(np.float32)


def hum(seconds, seed=0):
    return np.convolve(hiss(seconds, seed, 0.3), np.ones(60) / 60, "same").astype(np.float32)


def ring(seconds, seed=0):
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (0.1 * np.sign(np.sin(2 * np.pi * 2500 * time_s)) * (np.sin(12 * time_s) > 0)).astype(np.float32)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A small network of tokens whose codebooks have seen three noises, and a probe fitted to name two of them."""
    folder = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    net = Vqvae2(Vqvae2Config(bands=64, channels=8, block_channels=4, code_size=8, codes=32))
    sounds = {"hiss": hiss, "hum": hum, "other": ring}
    pieces = {name: segments(make(12, 1), LogMel(), 128) for name, make in sounds.items()}
    with torch.no_grad():
        net.train().rebuild(torch.from_numpy(np.concatenate(list(pieces.values()))))
    about = {"name": "tokens-tiny.v1", "task": "tokens", "architecture": "vqvae2", "interface": net.interface()}
    card = export_parts(net, folder / "tokens.onnx", ABOUT | about)
    engine = load_engine(folder / "tokens.onnx")
    tokens = {name: tokens_of(engine, of_name) for name, of_name in pieces.items()}
    labels = [name for name, of_name in tokens.items() for _ in of_name]
    config = CodeHistogramConfig(labels=tuple(sounds), codes=32, tokenizer=card.measured["weights"])
    probe = fit(config, np.concatenate(list(tokens.values())), labels)
    about = {"name": "kinds-tiny.v1", "task": "name-noise", "architecture": "code-histogram"}
    about |= {"interface": probe.interface(), "config": asdict(probe.config)}
    export_network(probe, folder / "kinds.onnx", ABOUT | about)
    return folder / "tokens.onnx", folder / "kinds.onnx"


@pytest.fixture(scope="module")
def kinds(models):
    return NoiseKinds(*models)


def named(models, samples, rate_hz=RATE_HZ):
    return noise(samples, rate_hz, model="crn-tiny", tokenizer=models[0], kinds=models[1])


def test_what_was_there_when(models):
    samples = np.concatenate([hiss(6), hum(6), ring(6)])
    found = named(models, samples)
    at = {round(step.start_s): step.kind for step in found.steps}
    assert [at[second] for second in (2, 8, 14)] == ["hiss", "hum", "unknown"]
    assert found.steps[0].start_s == 0 and found.steps[-1].end_s == pytest.approx(18)
    assert all(a.end_s == b.start_s for a, b in zip(found.steps, found.steps[1:], strict=False))
    assert sum(found.kinds.values()) == pytest.approx(18)
    assert [stretch.kind for stretch in found.stretches if stretch.end_s - stretch.start_s > 3] == [
        "hiss",
        "hum",
        "unknown",
    ]


@pytest.mark.parametrize("decay", [1e-2, 1.0])
def test_a_calibrated_probe_is_as_sure_as_it_is_right(decay):
    """Two sounds whose names are wrong one time in five, and a probe that is too sure or not sure enough for that."""
    config = CodeHistogramConfig(labels=("a", "b"), codes=32)
    tokens = np.repeat(np.array([1, 2] * 50), 40 * 16).reshape(100, 40, 16)
    learnt = ["a", "b"] * 50
    net = fit(config, tokens, learnt, decay)
    heard = [name if at % 10 < 8 else "ab".replace(name, "") for at, name in enumerate(learnt)]
    surprise = calibrate(net, tokens, heard)
    shares = net(torch.from_numpy(tokens[:2])).exp().diagonal()
    assert shares.tolist() == pytest.approx([0.8, 0.8], abs=0.03)
    assert surprise == pytest.approx(-0.8 * np.log(0.8) - 0.2 * np.log(0.2), abs=0.01)


def test_how_sure_a_name_must_be_can_be_chosen(models, tmp_path, capsys):
    options = {"model": "crn-tiny", "tokenizer": models[0], "kinds": models[1]}

    def kinds_of(samples, share):
        return set(noise(samples, RATE_HZ, least_share=share, **options).kinds)

    assert "unknown" not in kinds_of(hiss(4), 0) and kinds_of(hiss(4), 1) == {"unknown"}
    assert kinds_of(ring(4), 0) == {"unknown"}  # of the labels that belong to no kind
    sf.write(tmp_path / "in.wav", hiss(4), RATE_HZ)
    words = ["noise", str(tmp_path / "in.wav"), "--model", "crn-tiny", "--json"]
    words += ["--tokenizer", str(models[0]), "--kinds", str(models[1])]
    assert run([*words, "--least-share", "1"]) == 0
    assert list(json.loads(capsys.readouterr().out)["kinds"]) == ["unknown"]
    assert run([*words, "--least-share", "1.5"]) == 2
    assert "between 0 and 1, not 1.5" in capsys.readouterr().err


@pytest.mark.parametrize("rate_hz", [8000, 44100])
def test_levels_and_ratio(models, rate_hz):
    """Noise alone: its level is that of the recording, as next to nothing is taken for speech."""
    samples = np.random.default_rng(3).standard_normal(5 * rate_hz).astype(np.float32) * 0.03
    found = named(models, np.stack([samples, samples]), rate_hz)
    levels = [step.level_dbfs for step in found.steps[1:]]
    assert np.abs(np.array(levels) - 20 * np.log10(0.03)).max() < 1.5
    assert all(step.snr_db is None or step.snr_db < -10 for step in found.steps[1:])


@pytest.mark.parametrize("count", [1, 300, 16384, 20000, 33000, 49152 + 7])
def test_every_second_has_a_step_whatever_the_length(models, kinds, count):
    found = named(models, hiss(count / RATE_HZ))
    assert len(found.steps) == -(-count // kinds.step_samples)
    assert not count or found.steps[-1].end_s == pytest.approx(count / RATE_HZ)


def test_the_ratio_of_a_stretch_is_that_of_its_seconds_with_speech():
    steps = (Stretch(0, 1, "rain", 0.9, -20, None), Stretch(1, 2, "rain", 0.7, -20, 10.0))
    (stretch,) = Noise(steps, ()).stretches
    assert (stretch.end_s, stretch.share, stretch.level_dbfs, stretch.snr_db) == pytest.approx((2, 0.8, -20, 10))


def test_an_offset_is_no_noise(models):
    steps = noise(hiss(3) + np.float32(0.3), RATE_HZ, model="crn-tiny", tokenizer=models[0], kinds=models[1]).steps
    plain = noise(hiss(3), RATE_HZ, model="crn-tiny", tokenizer=models[0], kinds=models[1]).steps
    assert steps[1].level_dbfs == pytest.approx(plain[1].level_dbfs, abs=2)


def test_silence_is_quiet(models):
    found = named(models, np.zeros(40000, np.float32))
    assert {step.kind for step in found.steps} == {"quiet"} and found.steps[0].level_dbfs == -120


def test_any_blocks_give_the_same_shares(kinds):
    samples = np.concatenate([hiss(3), hum(2.5)])
    whole = KindStream(kinds, RATE_HZ)
    wanted = np.concatenate([whole.feed(samples[None]), whole.flush()])
    parts = KindStream(kinds, RATE_HZ)
    made = [parts.feed(part[None]) for part in np.array_split(samples, 31)]
    np.testing.assert_allclose(np.concatenate([*made, parts.flush()]), wanted, atol=1e-5)


class _Nothing:
    """An enhancer that takes everything away, some samples late."""

    def __init__(self, late=700):
        self.held, self.late = np.zeros((1, 0), np.float32), late

    def feed(self, samples):
        self.held = np.concatenate([self.held, samples], axis=1)
        ready = max(0, self.held.shape[1] - self.late)
        made, self.held = np.zeros((1, ready), np.float32), self.held[:, ready:]
        return made

    def flush(self):
        return np.zeros_like(self.held)


def kept(kinds, samples, names, blocks=37, rate_hz=RATE_HZ):
    keeper = Keeper(_Nothing(), kinds, names, rate_hz)
    made = [keeper.feed(part[None]) for part in np.array_split(samples, blocks)]
    return np.concatenate([*made, keeper.flush()], axis=1)[0], keeper


def test_kept_noise_is_the_recording_to_the_sample(kinds):
    samples = np.concatenate([hiss(6), hum(6), hiss(3, 5)])
    made, keeper = kept(kinds, samples, ["hiss"])
    assert made.shape == samples.shape
    assert np.array_equal(made[: 4 * RATE_HZ], samples[: 4 * RATE_HZ])
    assert not made[8 * RATE_HZ : 10 * RATE_HZ].any()
    assert np.array_equal(made[-RATE_HZ:], samples[-RATE_HZ:])
    assert 7 <= float(keeper.notes()[0].split()[3]) <= 11
    again, _ = kept(kinds, samples, ["hiss"], 5)
    np.testing.assert_allclose(again, made, atol=1e-6)
    fast, _ = kept(kinds, resample_poly(samples, 2, 1), ["hiss"], rate_hz=2 * RATE_HZ)
    assert (fast[::2] != 0).tolist()[: 4 * RATE_HZ] == (made != 0).tolist()[: 4 * RATE_HZ]
    assert not fast[16 * RATE_HZ : 20 * RATE_HZ].any() and fast[-2 * RATE_HZ :].any()


@pytest.mark.parametrize("count", [0, 5, 9000, 40000])
def test_kept_noise_of_short_recordings(kinds, count):
    made, _ = kept(kinds, hiss(count / RATE_HZ), ["hiss"], 3)
    assert len(made) == count


def test_enhance_keep_through_a_file(models, tmp_path):
    samples = np.concatenate([hiss(4), hum(4)])
    sf.write(tmp_path / "in.wav", samples, RATE_HZ, subtype="FLOAT")
    options = EnhanceOptions(keep=("hiss",), kinds=models)
    done = enhance_file(tmp_path / "in.wav", tmp_path / "out.wav", model="crn-tiny", options=options)
    made, _ = sf.read(tmp_path / "out.wav", dtype="float32")
    assert len(made) == len(samples) and any("hiss: kept in" in note for note in done.notes)
    np.testing.assert_allclose(made[: 2 * RATE_HZ], samples[: 2 * RATE_HZ], atol=1e-6)
    assert np.square(made[6 * RATE_HZ :]).mean() < 0.1 * np.square(samples[6 * RATE_HZ :]).mean()


def test_names_that_are_not_known(kinds):
    with pytest.raises(InputError, match="no noise called 'rain'; there are: hiss, hum"):
        Keeper(_Nothing(), kinds, ["rain"], RATE_HZ)
    with pytest.raises(InputError, match="name the noise to keep"):
        Keeper(_Nothing(), kinds, [], RATE_HZ)


def test_models_that_do_not_belong_together(models, tmp_path):
    torch.manual_seed(1)
    net = Vqvae2(Vqvae2Config(bands=64, channels=8, block_channels=4, code_size=8, codes=32)).eval()
    about = {"name": "tokens-else.v1", "task": "tokens", "architecture": "vqvae2", "interface": net.interface()}
    export_parts(net, tmp_path / "else.onnx", ABOUT | about)
    with pytest.raises(InputError, match="codes of another network"):
        NoiseKinds(tmp_path / "else.onnx", models[1])
    with pytest.raises(InputError, match="not to tokenize"):
        NoiseKinds("crn-tiny", models[1])


def test_the_command(models, tmp_path, capsys):
    sf.write(tmp_path / "in.wav", np.concatenate([hiss(4), hum(4)]), RATE_HZ)
    words = ["--model", "crn-tiny", "--tokenizer", str(models[0]), "--kinds", str(models[1])]
    page = tmp_path / "noise.html"
    assert run(["noise", str(tmp_path / "in.wav"), *words, "--json", "--report", str(page)]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["stretches"][0]["kind"] == "hiss" and line["status"] == "done" and line["count_samples"] == 8 * RATE_HZ
    text = page.read_text()
    assert "What noise was there when" in text and "<td>hum</td>" in text and text.count("<audio") == 3
    assert run(["noise", str(tmp_path / "in.wav"), *words]) == 0
    assert "hiss (" in capsys.readouterr().out
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    assert run(["noise", str(tmp_path / "bad.wav"), str(tmp_path / "in.wav"), *words, "--json"]) == 1
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["status"], second["status"]) == ("failed", "done")


def test_patterns_of_labels():
    table = {"rain": ["rain", "rain_*"], "horn": ["*_horn"]}
    assert [kind_of(label, table) for label in ("rain_on_tent", "car_horn", "train")] == ["rain", "horn", "other"]


def test_a_ratio_of_nothing_has_no_sign():
    step = Stretch(0.0, 1.0, "rain", 0.9, -30.0, -0.04)
    assert _lines(Noise((step,), ()))[0].endswith("SNR 0 dB")


def test_the_page_says_what_is_heard_in_the_examples():
    rows = re.findall(
        r"^\| `([\w.]+)` \| .+ \| (\w+ [\d.]+.*) \|$", (ROOT / "docs" / "tokens.md").read_text(), re.MULTILINE
    )
    assert len(rows) == 5
    for name, said in rows:
        kinds = noise(ROOT / "examples" / name).kinds
        assert said == ", ".join(f"{kind} {seconds:.1f}" for kind, seconds in kinds.items()), name
