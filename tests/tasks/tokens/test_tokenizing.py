"""Tokens of recordings and images: round trips, any length, pieces = whole, damaged files, other models."""

import io
import json
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import soundfile as sf
import torch
from PIL import Image

from voxfield.audio import open_source
from voxfield.cli.app import run
from voxfield.errors import InputError, OutputError, UnknownModelError
from voxfield.export.onnx_file import export_parts
from voxfield.features import phases
from voxfield.features.fourier import stft
from voxfield.features.framing import whole
from voxfield.features.log_mel import LogMel
from voxfield.features.phases import griffin_lim
from voxfield.models.vqvae2 import Vqvae2, Vqvae2Config
from voxfield.runtime import load_engine
from voxfield.tasks.tokens import bands
from voxfield.tasks.tokens import recording as tokenizing
from voxfield.tasks.tokens.bands import WaitingBands
from voxfield.tasks.tokens.image import image_of, tokenize_image
from voxfield.tasks.tokens.recording import detokenize, tokenize, tokenize_to
from voxfield.tasks.tokens.token_file import load_tokens, save_tokens

RATE_HZ = 16000
SMALL = {"channels": 8, "block_channels": 4, "code_size": 8, "codes": 32}


def exported(folder, name, seen, **config):
    torch.manual_seed(0)
    net = Vqvae2(Vqvae2Config(**(SMALL | config)))
    with torch.no_grad():
        net.train().rebuild(torch.from_numpy(seen))
    about = {
        "name": f"{name}.v1", "task": "tokens", "architecture": "vqvae2", "interface": net.interface(),
        "summary": "", "licence": "", "data": (), "config": {},
    }  # fmt: skip
    export_parts(net, folder / f"{name}.onnx", about)
    return folder / f"{name}.onnx", folder / f"{name}-decoder.onnx"


def sound(seconds, rate_hz=RATE_HZ):
    rng = np.random.default_rng(0)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    tone = 0.1 * np.sin(2 * np.pi * (200 + 300 * np.sin(3 * time_s)) * time_s) * (np.sin(5 * time_s) > 0)
    return (tone + 0.01 * rng.standard_normal(len(time_s))).astype(np.float32)


@pytest.fixture(scope="module")
def halves(tmp_path_factory):
    features = LogMel()
    seen = features.finished(whole(sound(4.08), features))[None, :, :256]
    return exported(tmp_path_factory.mktemp("sound"), "tokens-tiny", seen, bands=64)


@pytest.fixture(scope="module")
def image_halves(tmp_path_factory):
    seen = np.random.default_rng(0).uniform(-1, 1, (4, 3, 32, 32)).astype(np.float32)
    return exported(tmp_path_factory.mktemp("image"), "images-tiny", seen, image_px=32)


@pytest.mark.parametrize(
    ("count", "rate_hz"), [(1, 16000), (255, 16000), (256, 16000), (2048, 16000), (20001, 44100), (5, 48000)]
)
def test_what_comes_back_is_as_long_as_what_went_in(halves, count, rate_hz):
    samples = sound(count / rate_hz, rate_hz)
    tokens = tokenize(np.stack([samples, samples]), rate_hz, model=halves[0])
    made = detokenize(tokens, model=halves[1], iterations=1)
    assert made.samples.shape == (1, count) and made.sample_rate_hz == rate_hz
    assert np.isfinite(made.samples).all() and np.abs(made.samples).max() <= 1


def test_pieces_give_the_codes_and_the_bands_of_the_whole(halves, monkeypatch):
    samples = sound(12)
    made = tokenize(samples, RATE_HZ, model=halves[0])
    rebuilt = detokenize(made, model=halves[1], iterations=0).samples
    monkeypatch.setattr(tokenizing, "_PIECE_STEPS", 3)
    parts = tokenize(samples, RATE_HZ, model=halves[0])
    assert np.array_equal(parts.codes, made.codes) and len(np.unique(made.codes)) > 8
    np.testing.assert_allclose(detokenize(made, model=halves[1], iterations=0).samples, rebuilt, atol=1e-4)


@pytest.mark.parametrize("seconds", [0.1, 3, 20])
def test_a_file_holds_the_codes_that_the_recording_has(halves, tmp_path, monkeypatch, seconds):
    monkeypatch.setattr(bands, "_HELD_BYTES", 100_000)  # six seconds
    wanted = tokenize(sound(seconds), RATE_HZ, model=halves[0])
    with open_source(sound(seconds), RATE_HZ) as source:
        work = tokenize_to(tmp_path / "t.npz", source, load_engine(halves[0]))
    found = load_tokens(tmp_path / "t.npz")
    assert np.array_equal(found.codes, wanted.codes) and found.facts() == wanted.facts()
    assert wanted.to_dict().items() <= work.details.items()
    assert [path.name for path in tmp_path.iterdir()] == ["t.npz"]


def test_memory_does_not_grow_with_the_recording(halves, tmp_path):
    engine, peaks = load_engine(halves[0]), []
    for seconds in (65, 260):
        sf.write(tmp_path / "in.wav", sound(seconds), RATE_HZ)
        with open_source(tmp_path / "in.wav") as source:
            tracemalloc.start()
            tokenize_to(tmp_path / "t.npz", source, engine, overwrite=True)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


def test_a_disk_that_takes_no_more_is_named(halves, tmp_path, monkeypatch):
    class Full(io.BytesIO):
        def write(self, content):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(bands.tempfile, "SpooledTemporaryFile", lambda *_, **__: Full())
    with open_source(sound(1), RATE_HZ) as source, pytest.raises(OutputError, match="No space left"):
        tokenize_to(tmp_path / "t.npz", source, load_engine(halves[0]))
    assert not list(tmp_path.iterdir())


def test_the_level_is_kept_beside_the_codes(halves):
    loud, quiet = (tokenize(gain * sound(3), RATE_HZ, model=halves[0]) for gain in (1, 0.1))
    assert (loud.codes == quiet.codes).mean() > 0.97  # rounding decides between entries that are equally near
    assert loud.level_db - quiet.level_db == pytest.approx(20, abs=1e-3)


def test_a_recording_of_another_rate_sounds_to_its_end(halves):
    made = detokenize(tokenize(sound(2)[::2].copy(), 8000, model=halves[0]), model=halves[1], iterations=1).samples
    assert made.shape == (1, 16_000) and np.abs(made[0, 12_000:]).mean() > 0.3 * np.abs(made[0, :12_000]).mean()


def test_what_would_clip_is_turned_down(halves):
    tokens = tokenize(sound(1), RATE_HZ, model=halves[0])
    made = detokenize(replace(tokens, level_db=tokens.level_db + 60), model=halves[1], iterations=1)
    assert np.abs(made.samples).max() == pytest.approx(1) and "turned down by" in made.notes[-1]


def test_griffin_lim_finds_phases_and_given_ones_are_better():
    samples = sound(2)
    magnitudes = np.hypot(*stft(samples[None])[0])

    def error_db(made):
        found = np.hypot(*stft(made[None])[0])
        return 20 * np.log10(np.linalg.norm(found - magnitudes) / np.linalg.norm(magnitudes))

    none, some = (error_db(griffin_lim(magnitudes, len(samples), iterations=count)) for count in (0, 32))
    given = error_db(griffin_lim(magnitudes, len(samples), phases_of=samples, iterations=0))
    assert none > -12 and some < none - 4 and given < -100
    longer = np.concatenate([samples, samples])  # as a recording at another rate may be by a sample
    assert np.array_equal(
        griffin_lim(magnitudes, len(samples), phases_of=longer, iterations=0),
        griffin_lim(magnitudes, len(samples), phases_of=samples, iterations=0),
    )


def test_momentum_finds_better_phases(monkeypatch):
    samples = sound(1)
    magnitudes = np.hypot(*stft(samples[None])[0])
    errors = []
    for momentum in (0.0, phases.MOMENTUM):
        monkeypatch.setattr(phases, "MOMENTUM", momentum)
        errors.append(np.linalg.norm(np.hypot(*stft(griffin_lim(magnitudes, len(samples))[None])[0]) - magnitudes))
    assert errors[1] < 0.8 * errors[0]


def test_a_level_is_bounded_as_what_a_network_takes(tmp_path):
    features = LogMel(bands=2)
    bands = np.array([[0.0, -200.0], [-10.0, -60.0]], np.float32)  # none counts below -80
    assert features.level_db(bands) == pytest.approx((0 - 80 - 10 - 60) / 4)
    assert features.finished(bands).mean() == pytest.approx(0, abs=1e-6)
    with WaitingBands(features) as waiting:
        waiting.add(bands)
        assert waiting.level_db() == pytest.approx(features.level_db(bands))


def test_magnitudes_have_the_bands_they_were_made_of():
    features = LogMel()
    bands = whole(sound(2), features)
    found = features.magnitudes(bands)
    power = np.hypot(*stft(sound(2)[None])[0])[:, : bands.shape[1]] ** 2
    assert 10 * np.log10((found[:, : power.shape[1]] ** 2).sum() / power.sum()) == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("samples", [np.zeros(9000, np.float32), np.full(9000, 0.25, np.float32)])
def test_all_equal_input(halves, samples):
    tokens = tokenize(samples, RATE_HZ, model=halves[0])
    made = detokenize(tokens, model=halves[1])
    assert made.samples.shape == (1, 9000) and np.isfinite(made.samples).all()


def stored(halves, tmp_path, **changes):
    """A file of tokens with some of its values changed; None leaves one out."""
    path = tmp_path / "t.npz"
    save_tokens(path, tokenize(sound(2), RATE_HZ, model=halves[0]), overwrite=True)
    with np.load(path) as file:
        values = {**file, **changes}
    np.savez(path, **{key: value for key, value in values.items() if value is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"codes": np.full((1, 40, 4), 32, np.uint16)}, "holds the code 32"),
        ({"codes": np.full((1, 40, 4), -1)}, "holds the code -1"),
        ({"codes": np.full((1, 40, 3), 1)}, "some were cut off or added"),
        ({"codes": np.full((1, 7, 16), 1)}, "tokens of 7 rows"),
        ({"codes": np.zeros((40, 3))}, "not float64"),
        ({"codes": np.zeros((1, 40, 0), int)}, "codes are whole numbers"),
        ({"codes": None}, "it lacks 'codes'"),
        ({"model": np.array([{}], object)}, "no file of tokens"),
        ({"weights": np.array("00000000")}, "is no half of it"),
        ({"codebook": np.array(64)}, "is no half of it"),
        ({"level_db": np.array(np.nan)}, "out of range"),
        ({"level_db": np.array(1e9)}, "out of range"),
        ({"count_samples": np.array(-1)}, "below 0"),
        ({"kind": np.array("video")}, "out of range"),
        ({"kind": np.array("image")}, "tokens of an image"),
        ({"rate_hz": np.array([1, 2])}, "'rate_hz' is int64 of shape"),
    ],
    ids=lambda value: next(iter(value), "") if isinstance(value, dict) else "",
)
def test_token_files_that_cannot_be_used(halves, tmp_path, changes, said):
    with pytest.raises(InputError, match=said):
        detokenize(stored(halves, tmp_path, **changes), model=halves[1])


def test_files_that_are_cut_off_missing_or_something_else(halves, tmp_path):
    path = stored(halves, tmp_path)
    content = path.read_bytes()
    for kept in (0, 10, len(content) // 2, len(content) - 5):
        path.write_bytes(content[:kept])
        with pytest.raises(InputError, match="no file of tokens"):
            load_tokens(path)
    with pytest.raises(InputError, match="there is no file"):
        load_tokens(tmp_path / "none.npz")
    with pytest.raises(InputError, match=r"cannot be read: Is a directory$"):
        load_tokens(tmp_path)


def test_the_decoder_is_found_by_name(halves):
    tokens = tokenize(sound(1), RATE_HZ, model=halves[0])
    with pytest.raises(UnknownModelError, match=r"tokens-tiny-decoder\.v1"):
        detokenize(tokens)


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "LA", "P", "1", "I;16"])
@pytest.mark.parametrize("size", [(32, 32), (33, 65), (1, 1), (100, 7)])
def test_images_of_any_size_grey_and_alpha(image_halves, tmp_path, mode, size):
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 4), np.uint8)
    image = Image.fromarray(pixels, "RGBA") if mode != "I;16" else Image.fromarray(pixels[..., 0].astype(np.uint16))
    image = image.convert("RGB") if mode == "P" else image  # a palette takes the transparency over
    (image.convert(mode) if mode != "I;16" else image).save(tmp_path / "in.png")
    tokens, notes = tokenize_image(tmp_path / "in.png", model=image_halves[0])
    save_tokens(tmp_path / "t.npz", tokens)
    made = image_of(load_tokens(tmp_path / "t.npz"), model=image_halves[1])
    assert made.shape == (1 if mode in ("L", "LA", "1", "I;16") else 3, size[1], size[0])
    assert made.min() >= 0 and made.max() <= 1
    assert bool(notes) == (mode in ("RGBA", "LA"))


def test_images_that_cannot_be_read(halves, image_halves, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(30))
    for path, said in (
        (tmp_path / "bad.png", "is no image: none of"),
        (tmp_path / "none.png", "does not exist"),
    ):
        with pytest.raises(InputError, match=said):
            tokenize_image(path, model=image_halves[0])
    with pytest.raises(InputError, match="not of an image"):
        tokenize_image(tmp_path / "bad.png", model=halves[0])
    with pytest.raises(InputError, match="not of a recording"):
        tokenize(sound(1), RATE_HZ, model=image_halves[0])


def test_tiles_that_are_missing(image_halves, tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "in.png")
    tokens, _ = tokenize_image(tmp_path / "in.png", model=image_halves[0])
    save_tokens(tmp_path / "t.npz", tokens)
    with np.load(tmp_path / "t.npz") as file:
        values = {**file, "codes": file["codes"][:3]}
    np.savez(tmp_path / "t.npz", **values)
    with pytest.raises(InputError, match="4 tiles, and there are 3"):
        image_of(load_tokens(tmp_path / "t.npz"), model=image_halves[1])


def test_the_commands(halves, image_halves, tmp_path, capsys):
    sf.write(tmp_path / "in.wav", sound(2, 22050), 22050)
    tokens = str(tmp_path / "t.npz")
    assert run(["tokenize", str(tmp_path / "in.wav"), "-o", tokens, "--model", str(halves[0]), "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert (
        line["bits_per_second"] > 0
        and 0 < line["used"] <= 1 <= line["perplexity"]
        and "perplexity" in line["notes"][-1]
    )
    out = str(tmp_path / "out.wav")
    words = ["detokenize", tokens, "-o", out, "--model", str(halves[1])]
    assert run([*words, "--phase", str(tmp_path / "in.wav"), "--json"]) == 0
    assert "lost: channels but one, all above 8 kHz" in json.loads(capsys.readouterr().out)["notes"][0]
    assert sf.info(out).frames == sf.info(tmp_path / "in.wav").frames and sf.info(out).samplerate == 22050
    assert run(words) == 1  # it exists
    Image.new("RGB", (40, 30), (200, 30, 10)).save(tmp_path / "in.png")
    picture = [str(tmp_path / "in.png"), "-o", str(tmp_path / "p.npz"), "--model", str(image_halves[0])]
    assert run(["tokenize", *picture]) == 0
    words = ["detokenize", str(tmp_path / "p.npz"), "-o", str(tmp_path / "out.png"), "--model", str(image_halves[1])]
    assert run(words) == 0
    assert Image.open(tmp_path / "out.png").size == (40, 30)
    assert run(["detokenize", tokens, "-o", str(tmp_path / "o.png"), "--model", str(halves[1])]) == 2


def test_tokens_of_one_code(tmp_path):
    seen = np.zeros((1, 64, 16), np.float32)
    halves = exported(tmp_path, "tokens-one", seen, bands=64, codes=1)
    tokens = tokenize(sound(1), RATE_HZ, model=halves[0])
    assert tokens.bits == 0 and tokens.use() == (1, 1) and load_engine(halves[0]).card.measured["bits_per_second"] == 0
    assert detokenize(tokens, model=halves[1]).samples.shape == (1, RATE_HZ)


def test_what_was_rebuilt_is_saved_and_short_phases_are_said(halves, tmp_path):
    made = detokenize(tokenize(sound(2, RATE_HZ), RATE_HZ, model=halves[0]), model=halves[1], iterations=1)
    assert sf.info(made.save(tmp_path / "a.wav")).frames == made.samples.shape[1]
    tokens = tokenize(sound(2, RATE_HZ), RATE_HZ, model=halves[0])
    for seconds, said in [(2, 0), (1, 1)]:
        notes = detokenize(tokens, model=halves[1], phase=sound(seconds, RATE_HZ), phase_rate=RATE_HZ).notes
        assert sum("ends after 1.0 of 2.0 s" in note for note in notes) == said


def test_what_is_no_file_of_tokens_or_image():
    for call in (detokenize, tokenize_image):
        with pytest.raises(InputError, match="a file is named by a str or a path, not by array"):
            call(np.zeros(3))
