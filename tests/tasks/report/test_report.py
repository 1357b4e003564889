"""The page stands alone and says what is true; the picture is a PNG; memory does not follow the duration."""

import base64
import hashlib
import io
import re
import struct
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from voxfield.cli.app import run
from voxfield.errors import InputError, OutputError
from voxfield.tasks.report.comparison import Comparison, Levels, matching_gains_db
from voxfield.tasks.report.document import check_report, page, write_report
from voxfield.tasks.report.picture import Spectrogram, png, shade, stacked
from voxfield.tasks.report.plots import level_curves, spectrogram


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
        comparison.after(after[..., max(0, start - late) : max(0, start + block - late)])
    return comparison


class Page(HTMLParser):
    """Start tags of a page with their attributes, and the text of its style and script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: dict[str, str] = {}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._open = tag

    def handle_endtag(self, tag):
        self._open = ""

    def handle_data(self, data):
        if self._open:
            self.text[self._open] = self.text.get(self._open, "") + data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


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
    comparison = compared(noise * loud, noise * quieter)
    before, after = (track.meter.levels() for track in comparison.tracks)
    removed = comparison.removed.levels()
    assert before.noise_db == pytest.approx(-40, abs=0.5) and after.noise_db == pytest.approx(-60, abs=0.5)
    assert before.speech_db == pytest.approx(-20, abs=0.5) and len(before.frames_db) == 20
    assert removed.speech_db == pytest.approx(20 * np.log10(0.009), abs=0.5)


def test_levels_are_of_the_channels_and_not_of_their_sum():
    """Channels of opposite sign add up to silence, but are as loud as each of them."""
    tone = 0.1 * np.sign(np.sin(np.arange(16_000) / 20)).astype(np.float32)
    comparison = compared(np.stack([tone, -tone]), np.zeros((2, 16_000), np.float32))
    before, after = (track.meter.levels() for track in comparison.tracks)
    assert before.speech_db == pytest.approx(-20, abs=0.1) and before.peak_db == pytest.approx(-20, abs=0.1)
    assert after.speech_db == -120


def test_matched_levels_are_equal_and_nothing_clips():
    levels = [
        Levels((), -60, -20, -6),
        Levels((), -90, -24, -1),
        Levels((), -120, -120, -120),
        Levels((), -90, -70, -50),
    ]
    gains_db = matching_gains_db(levels)
    assert gains_db[0] + levels[0].speech_db == pytest.approx(gains_db[1] + levels[1].speech_db)
    assert max(gain + level.peak_db for gain, level in zip(gains_db, levels, strict=True)) == pytest.approx(0)
    assert gains_db[2] == gains_db[0] and gains_db[3] - gains_db[0] == 20  # silence, and an output that is nearly empty
    assert matching_gains_db([levels[2], levels[2]]) == [0, 0]


def test_excerpts_are_aligned_and_bounded(speech):
    samples = speech(2, 20_000)
    before, after = (track.excerpt() for track in compared(samples, samples * 0.5, excerpt_s=0.5).tracks)
    assert before.shape == (2, 8000) and np.array_equal(after, before * 0.5)
    assert np.array_equal(before, samples[:, :8000])


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100, 192000])
@pytest.mark.parametrize(("channels", "count"), [(1, 1), (2, 30_000), (8, 5000)])
def test_the_page_stands_alone(speech, rate_hz, channels, count):
    samples = speech(channels, count, rate_hz)
    text = page(
        compared(samples, samples / 2, rate_hz),
        title="<noisy & co>",
        facts={"<Model>": "crn-doc.v1 <script>x</script>"},
    )
    assert "&lt;noisy &amp; co&gt;" in text and "<noisy" not in text and "crn-doc.v1 &lt;script&gt;" in text
    found = Page(text)
    addresses = [value for _, tag in found.tags for name, value in tag.items() if name in {"src", "href"}]
    assert len(addresses) == 4 and all(address.startswith("data:") for address in addresses)
    for address in addresses:
        content = base64.b64decode(address.partition(",")[2])
        if address.startswith("data:image/png"):
            assert unpacked(content).shape[0] <= 256
        else:
            assert sf.info(io.BytesIO(content)).channels == min(channels, 2 if channels == 2 else 1)
    assert "nan" not in re.sub('"data:[^"]*"', "", text.partition("<body>")[2].partition("<script>")[0])


def test_the_policy_lets_nothing_run_but_the_page_s_own_style_and_script(speech):
    text = page(compared(speech(1, 5000), speech(1, 5000)), title="t", facts={})
    found = Page(text)
    policy = next(tag["content"] for tag in found.all("meta") if tag.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules.pop("default-src") == rules.pop("base-uri") == rules.pop("form-action") == "'none'"
    assert rules.pop("img-src") == rules.pop("media-src") == "data:"
    for name in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(found.text[name].encode()).digest()).decode()
        assert rules.pop(f"{name}-src") == f"'sha256-{digest}'" and text.count(f"<{name}>") == 1
    assert not rules
    assert not any(name == "style" or name.startswith("on") for _, tag in found.tags for name in tag)


def test_several_results_have_a_player_and_a_spectrogram_each(speech):
    recording = speech(2, 20_000)
    results = np.stack([recording * 0.5, recording * 0.25, recording * 0])
    names = ["Speaker <1>", "Speaker 2", "Speaker 3"]
    comparison = compared(recording, results, recording="Mixture", results=names)
    assert comparison.removed is None
    text = page(comparison, title="t", facts={})
    found = Page(text)
    assert [tag["aria-label"] for tag in found.all("audio")] == ["Mixture", *names]
    gains = [float(tag["data-gain-db"]) for tag in found.all("input") if tag["type"] == "radio"]
    assert np.diff(gains) == pytest.approx([6.02, 6.02, -12.04], abs=0.02)
    assert "Speaker <1>" not in re.sub('aria-label="[^"]*"', "", text) and "Removed" not in text


def said_along(axis: str, plot: str) -> dict[str, float]:
    """Label -> percent along an axis of a plot."""
    part = re.search(rf'<svg class="{axis}".*?</svg>', plot).group()
    place = {"x": "x", "y": "y"}[axis]
    return {word: float(at) for at, word in re.findall(rf'<text [^>]*?\b{place}="([\d.]+)%"[^>]*>([^<]*)', part)}


def test_axes_say_where_things_are():
    pixels = np.zeros((4, 4), np.uint8)
    plot = spectrogram(pixels, "it", 7.84, 8000)
    assert said_along("y", plot) == {"0": 100, "2": 75, "4": 50, "6": 25, "8": 0}
    times = said_along("x", plot)
    assert list(times) == ["0", "1", "2", "3", "4", "5", "6", "7"] and times["7"] == pytest.approx(700 / 7.84, abs=0.01)
    assert "Frequency (kHz)" in plot and "Time (s)" in plot
    minutes, hours = (spectrogram(pixels, "it", duration_s, 22050) for duration_s in (605.0, 36_000.0))
    assert said_along("x", minutes)["4:00"] == pytest.approx(100 * 240 / 605, abs=0.01) and "Time (min:s)" in minutes
    assert said_along("x", hours)["8:00:00"] == pytest.approx(80) and "Time (h:min:s)" in hours
    assert list(said_along("y", hours)) == ["0", "5", "10", "15", "20"]


def test_curves_are_drawn_against_their_axis():
    plot = level_curves([("it", "c0", [-100.0, -20.0, 5.0, -120.0])], 0.4)
    assert 'points="0.0,100.0 333.3,20.0 666.7,0.0 1000.0,100.0"' in plot
    assert said_along("y", plot)["\N{MINUS SIGN}20"] == 20


def test_silence_and_nothing_have_a_page_too():
    silence = np.zeros((1, 10_000), np.float32)
    text = page(compared(silence, silence), title="silence", facts={})
    assert text.count("<td class=n>silent</td>") == 9 and "0.0 dB in pauses" in text
    assert "0.00 s at 16000 Hz" in page(Comparison(16000, 1), title="nothing", facts={})


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


def test_the_readme_s_picture_is_made_as_its_caption_says(tmp_path, monkeypatch):
    root = Path(__file__).parents[3]
    command = re.search(
        r"`voxfield (enhance \S+ [^`]*--report [^`]*\.png[^`]*)`", (root / "README.md").read_text()
    ).group(1)
    words = command.split()
    picture = words[words.index("--report") + 1]
    for name in (words[1], picture):  # the picture is there already
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((root / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    Path(picture).write_bytes(b"an older one")
    assert run(words) == 0
    assert unpacked(Path(picture).read_bytes()).shape[0] > 256
