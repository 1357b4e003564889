"""The page stands alone and says what is true; the picture is a PNG; memory does not follow the duration."""

import base64
import io
import re
import struct
import zlib

import numpy as np
import pytest
import soundfile as sf

from voxfield.cli.app import run
from voxfield.errors import InputError, OutputError
from voxfield.tasks.comparison import Comparison
from voxfield.tasks.picture import Spectrogram, png, shade, stacked
from voxfield.tasks.report import check_report, page, write_report


def unpacked(content: bytes) -> np.ndarray:
    """Palette entries of a PNG file; fails where a checksum does not hold."""
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    at, chunks = 8, {}
    while at < len(content):
        (size,), name = struct.unpack_from(">I", content, at), content[at + 4 : at + 8]
        body = content[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", content, at + 8 + size)[0] == zlib.crc32(name + body)
        chunks[name], at = body, at + 12 + size
    columns, rows = struct.unpack_from(">II", chunks[b"IHDR"])
    assert len(chunks[b"PLTE"]) == 768 and b"IEND" in chunks
    return np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(rows, columns + 1)[:, 1:]


def compared(before: np.ndarray, after: np.ndarray, rate_hz: int = 16000, block: int = 1000, **options) -> Comparison:
    comparison = Comparison(rate_hz, before.shape[0], **options)
    late = 300  # results come later than what they came from
    for start in range(0, before.shape[1] + late, block):
        comparison.before(before[:, start : start + block])
        comparison.after(after[:, max(0, start - late) : max(0, start + block - late)])
    return comparison


def test_png_there_and_back():
    pixels = np.arange(256 * 3, dtype=np.uint16).astype(np.uint8).reshape(16, 48)
    assert np.array_equal(unpacked(png(pixels)), pixels)
    assert unpacked(png(stacked([pixels, pixels], 2))).shape == (34, 48)


def test_a_tone_is_bright_where_it_sounds():
    samples = np.zeros(32_000, np.float32)
    samples[16_000:] = np.sin(2 * np.pi * 2000 * np.arange(16_000) / 16000)
    picture = Spectrogram(16000)
    for part in np.split(samples, [5, 7000, 20_000]):
        picture.feed(part)
    power = picture.power()
    shades = shade(power, float(power.max()), rows=64, columns=100)
    row = 63 - int(64 * 2000 / 8000)
    assert shades.shape[0] == 64 and shades[row, -20:].min() > 200 and shades[:, :40].max() == 0
    assert shades[row + 6 :, -20:].max() < 100


def test_long_recordings_keep_a_bounded_number_of_columns():
    picture, noise = (
        Spectrogram(8000, most_columns=50),
        np.random.default_rng(0).standard_normal(8000).astype(np.float32),
    )
    for _ in range(30):
        picture.feed(noise)
        assert picture.power().shape[1] < 50
    power = picture.power().mean(axis=1)
    once = Spectrogram(8000)
    once.feed(noise)
    assert np.allclose(power[5:-5], once.power().mean(axis=1)[5:-5], rtol=0.5)


def test_levels_are_those_of_the_recording():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((1, 32_000)).astype(np.float32)
    loud = np.where(np.arange(32_000) % 8000 < 4000, 0.1, 0.01).astype(np.float32)  # -20 and -40 dBFS
    quieter = np.where(np.arange(32_000) % 8000 < 4000, 0.1, 0.001).astype(np.float32)
    before, after, removed = compared(noise * loud, noise * quieter).levels()
    assert before.noise_db == pytest.approx(-40, abs=0.5) and after.noise_db == pytest.approx(-60, abs=0.5)
    assert before.speech_db == pytest.approx(-20, abs=0.5) and len(before.frames_db) == 20
    assert removed.speech_db == pytest.approx(20 * np.log10(0.009), abs=0.5)


def test_excerpts_are_aligned_and_bounded(speech):
    samples = speech(2, 20_000)
    before, after = compared(samples, samples * 0.5, excerpt_s=0.5).excerpts()
    assert before.shape == (2, 8000) and np.array_equal(after, before * 0.5)
    assert np.array_equal(before, samples[:, :8000])


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100, 192000])
@pytest.mark.parametrize(("channels", "count"), [(1, 1), (2, 30_000), (8, 5000)])
def test_the_page_stands_alone(speech, rate_hz, channels, count):
    samples = speech(channels, count, rate_hz)
    text = page(compared(samples, samples / 2, rate_hz), title="<noisy & co>", facts={"Model": "crn-doc.v1"})
    assert "&lt;noisy &amp; co&gt;" in text and "<noisy" not in text and "crn-doc.v1" in text
    addresses = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert len(addresses) == 4 and all(address.startswith("data:") for address in addresses)
    for address in addresses:
        content = base64.b64decode(address.partition(",")[2])
        if address.startswith("data:image/png"):
            assert unpacked(content).shape[0] <= 256
        else:
            assert sf.info(io.BytesIO(content)).channels == min(channels, 2 if channels == 2 else 1)
    assert "nan" not in text.split("<table>")[1].split("</table>")[0]


def test_silence_has_a_page_too():
    silence = np.zeros((1, 10_000), np.float32)
    text = page(compared(silence, silence), title="silence", facts={})
    assert "-120.0 → -120.0 dBFS" in text and "0.0 dB" in text


def test_reports_are_not_overwritten_and_have_two_kinds(tmp_path, speech):
    comparison = compared(speech(1, 5000), speech(1, 5000))
    for name in ("r.html", "r.png"):
        write_report(tmp_path / "deep" / name, comparison, title="t", facts={})
        with pytest.raises(OutputError, match="exists already"):
            write_report(tmp_path / "deep" / name, comparison, title="t", facts={})
    assert unpacked((tmp_path / "deep/r.png").read_bytes()).shape[0] > 256
    with pytest.raises(InputError, match=r"an \.html page or a \.png picture"):
        check_report(tmp_path / "r.pdf")
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["r.html", "r.png"]


def test_the_command_writes_it(tmp_path, speech, tiny_spectral, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    sf.write("x.wav", speech(2, 30_000, 44100).T, 44100)
    words = ["enhance", "x.wav", "--model", str(tiny_spectral), "--report", "r.html"]
    assert run(words) == 0
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "x.wav enhanced" in text and "tiny-spectral.v1" in text and "works up to 8 kHz" in text
    assert run([*words, "-o", "y.wav"]) == 1 and not (tmp_path / "y.wav").exists()
    assert "r.html exists already" in capsys.readouterr().err
    assert run(["enhance", "x.wav", "y.wav", "--report", "s.html"]) == 2
