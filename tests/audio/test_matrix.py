"""Any recording to any suffix that can hold it: same length, same place, nothing left behind."""

import numpy as np
import pytest
import soundfile as sf

from voxfield.audio import OutputFormat, Stored, file_sink, load, open_source, save
from voxfield.errors import InputError, OutputError

RATE_HZ, COUNT = 16_000, 8_001  # an odd number, so that what is padded shows
INPUTS = {  # name -> suffix, format, subtype
    "wav-8": (".wav", "WAV", "PCM_U8"),
    "wav-16": (".wav", "WAV", "PCM_16"),
    "wav-24": (".wav", "WAV", "PCM_24"),
    "wav-float": (".wav", "WAV", "FLOAT"),
    "wav-double": (".wav", "WAV", "DOUBLE"),
    "wav-mu-law": (".wav", "WAV", "ULAW"),
    "wav-ima-adpcm": (".wav", "WAV", "IMA_ADPCM"),
    "wav-ms-adpcm": (".wav", "WAV", "MS_ADPCM"),
    "wave": (".wave", "WAV", "PCM_16"),
    "flac": (".flac", "FLAC", "PCM_24"),
    "vorbis": (".ogg", "OGG", "VORBIS"),
    "opus": (".opus", "OGG", "OPUS"),
    "mp3": (".mp3", "MP3", "MPEG_LAYER_III"),
    "aiff": (".aiff", "AIFF", "PCM_16"),
    "au": (".au", "AU", "PCM_16"),
    "caf": (".caf", "CAF", "PCM_24"),
    "w64": (".w64", "W64", "PCM_16"),
    "rf64": (".rf64", "RF64", "PCM_32"),
}
OUTPUTS = ["wav", "wave", "flac", "ogg", "oga", "opus", "mp3", "aiff", "aifc", "au", "caf", "w64", "rf64"]
CONTAINERS = ["m4a", "mp4", "mov", "webm", "mkv"]


def smooth_noise(channels: int, count: int) -> np.ndarray:
    """(C, N) noise below 1.5 kHz: lossy codecs keep it, and it correlates with nothing but itself."""
    rng = np.random.default_rng(5)
    window = np.hanning(25)
    return np.stack(
        [np.convolve(rng.standard_normal(count), window / 30, "same").astype(np.float32) for _ in range(channels)]
    )


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    for name, (suffix, format, subtype) in INPUTS.items():
        save(folder / f"{name}{suffix}", smooth_noise(1, COUNT), RATE_HZ, Stored(suffix, format, subtype))
        assert sf.info(folder / f"{name}{suffix}").subtype == subtype
    return folder


def convert(source_path, target_path, **options):
    with open_source(source_path) as source, file_sink(target_path, source, **options) as sink:
        for block in source.blocks(777):
            sink.write(block)
        sink.commit()
    return sink


def check_same_sound(path, count, rate_hz=RATE_HZ):
    samples, own_hz = load(path)
    assert (own_hz, samples.shape) == (rate_hz, (1, count))
    expected = smooth_noise(1, COUNT)
    if rate_hz != RATE_HZ:
        samples = samples[:, :: rate_hz // RATE_HZ]
    inside = slice(500, COUNT - 500)
    products = [np.dot(expected[0, inside], np.roll(samples[0], shift)[inside]) for shift in range(-40, 41)]
    assert np.argmax(products) == 40, f"shifted by {40 - np.argmax(products)} samples"
    error = np.mean((expected - samples)[:, inside] ** 2) / np.mean(expected[:, inside] ** 2)
    assert error < 0.1


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("name", INPUTS)
def test_every_input_to_every_output(recordings, tmp_path, name, output):
    convert(recordings / f"{name}{INPUTS[name][0]}", tmp_path / f"result.{output}")
    assert [path.name for path in tmp_path.iterdir()] == [f"result.{output}"]
    check_same_sound(tmp_path / f"result.{output}", COUNT)


@pytest.mark.parametrize("output", CONTAINERS)
@pytest.mark.parametrize("name", ["wav-16", "wav-float", "flac", "opus", "mp3"])
def test_every_input_to_every_container_and_back(recordings, tmp_path, name, output):
    pytest.importorskip("av")
    convert(recordings / f"{name}{INPUTS[name][0]}", tmp_path / f"result.{output}")
    factor = 1 if load(tmp_path / f"result.{output}")[1] == RATE_HZ else 3  # Opus is at 48 kHz
    check_same_sound(tmp_path / f"result.{output}", factor * COUNT, factor * RATE_HZ)
    convert(tmp_path / f"result.{output}", tmp_path / "back.wav")
    check_same_sound(tmp_path / "back.wav", factor * COUNT, factor * RATE_HZ)


def test_a_rate_that_a_format_cannot_hold_is_changed_and_said(tmp_path):
    sf.write(tmp_path / "a.wav", smooth_noise(1, 44_100).T, 44_100)
    sink = convert(tmp_path / "a.wav", tmp_path / "a.opus")
    assert sink.notes() == ["Opus cannot hold 44100 Hz, so the result has 48000 Hz"]
    assert (sf.info(tmp_path / "a.opus").samplerate, sf.info(tmp_path / "a.opus").frames) == (48_000, 48_000)
    with pytest.raises(OutputError, match=r"Opus holds 8, 12, 16, 24, 48 kHz, not 44\.1"):
        convert(tmp_path / "a.wav", tmp_path / "b.opus", wanted=OutputFormat(rate_hz=44_100))


def test_a_rate_that_is_asked_for(recordings, tmp_path):
    convert(recordings / "wav-16.wav", tmp_path / "a.flac", wanted=OutputFormat(rate_hz=48_000))
    check_same_sound(tmp_path / "a.flac", 3 * COUNT, 48_000)


def test_a_format_that_is_asked_for(recordings, tmp_path):
    convert(recordings / "wav-24.wav", tmp_path / "noname", wanted=OutputFormat(format="flac"))
    assert (sf.info(tmp_path / "noname").format, sf.info(tmp_path / "noname").subtype) == ("FLAC", "PCM_24")


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": "txt"},
        {"bitrate_kbps": 0},
        {"bitrate_kbps": float("nan")},
        {"rate_hz": 10},
        {"rate_hz": 10**9},
        {"rate_hz": 16_000.5},
    ],
    ids=str,
)
def test_wishes_that_make_no_sense(wrong):
    with pytest.raises(InputError, match=r"format that can be written|must lie between|can be used"):
        OutputFormat(**wrong)


def test_a_bitrate_for_a_lossless_format_is_refused(recordings, tmp_path):
    with pytest.raises(OutputError, match=r"'\.flac' stores every sample"):
        convert(recordings / "wav-16.wav", tmp_path / "a.flac", wanted=OutputFormat(bitrate_kbps=128))


@pytest.mark.parametrize(
    ("suffix", "bitrate_kbps", "channels"),
    [
        *((".mp3", 320, 2), (".mp3", 96, 1), (".mp3", 32, 1), (".opus", 48, 1), (".opus", 160, 2), (".ogg", 64, 1)),
        *((".m4a", 64, 1), (".m4a", 192, 2), (".webm", 48, 1)),
    ],
)
def test_bitrates_are_kept_and_can_be_chosen(tmp_path, suffix, bitrate_kbps, channels):
    if suffix in (".m4a", ".webm"):
        pytest.importorskip("av")
    rng = np.random.default_rng(0)
    noise = (0.1 * rng.standard_normal((channels, 4 * 48_000))).astype(np.float32)
    save(tmp_path / f"a{suffix}", noise, 48_000, wanted=OutputFormat(bitrate_kbps=bitrate_kbps))
    convert(tmp_path / f"a{suffix}", tmp_path / f"b{suffix}")
    tolerance = 0.25 if suffix == ".ogg" else 0.15
    for name in ("a", "b"):
        kbps = (tmp_path / f"{name}{suffix}").stat().st_size * 8 / 4 / 1000
        assert abs(kbps - bitrate_kbps) <= tolerance * bitrate_kbps, (name, kbps)
    with open_source(tmp_path / f"a{suffix}") as source:
        assert source.stored.bitrate is not None
        assert abs(source.stored.bitrate.kbps - bitrate_kbps) <= tolerance * bitrate_kbps
        assert source.stored.bitrate.constant == (suffix == ".mp3")


@pytest.mark.parametrize(("rate_hz", "bitrate_kbps"), [(8_000, 24), (16_000, 64)])
def test_bitrates_of_an_mp3_at_the_rates_of_speech(tmp_path, rate_hz, bitrate_kbps):
    """At these rates an mp3 has frames of half the length, and other bounds."""
    noise = (0.1 * np.random.default_rng(0).standard_normal((1, 2 * rate_hz))).astype(np.float32)
    save(tmp_path / "a.mp3", noise, rate_hz, wanted=OutputFormat(bitrate_kbps=bitrate_kbps))
    assert (tmp_path / "a.mp3").stat().st_size * 8 / 2 / 1000 == pytest.approx(bitrate_kbps, rel=0.15)
    with open_source(tmp_path / "a.mp3") as source:
        assert source.stored.bitrate is not None and source.stored.bitrate.kbps == pytest.approx(bitrate_kbps, rel=0.05)


@pytest.mark.parametrize("suffix", [".mp3", ".ogg"])
def test_long_tags_are_no_sound(tmp_path, suffix):
    bitrates = []
    for count in (1, 50_000):
        save(tmp_path / f"a{count}{suffix}", smooth_noise(1, 9000), 16_000, Stored(tags={"comment": count * "x"}))
        with open_source(tmp_path / f"a{count}{suffix}") as source:
            bitrates.append(source.stored.bitrate.kbps)
    assert bitrates[0] == bitrates[1]


@pytest.mark.parametrize(
    ("suffix", "asked", "said"),
    [
        (".mp3", 1, "mp3 has 8 to 160 kbit/s here, so the result has 8"),
        (".mp3", 64, ""),
        (".opus", 900, "has 256"),
        (".ogg", 900, "Vorbis has 24 to 100 kbit/s here, so the result has 100"),
        (".ogg", 64, ""),
    ],
)
def test_a_bitrate_that_a_format_does_not_have_is_said(tmp_path, suffix, asked, said):
    noise = (0.1 * np.random.default_rng(0).standard_normal((1, 16_000))).astype(np.float32)
    notes = save(tmp_path / f"a{suffix}", noise, 16_000, wanted=OutputFormat(bitrate_kbps=asked))
    assert said in " ".join(notes) and bool(notes) == bool(said)


def test_the_bitrate_of_sound_in_memory_is_kept_by_its_description(tmp_path, recordings):
    noise = (0.1 * np.random.default_rng(0).standard_normal((2, 96_000))).astype(np.float32)
    save(tmp_path / "a.mp3", noise, 48_000, wanted=OutputFormat(bitrate_kbps=256))
    with open_source(tmp_path / "a.mp3") as source:
        stored = source.stored
    save(tmp_path / "b.mp3", noise, 48_000, stored)
    assert (tmp_path / "b.mp3").stat().st_size == pytest.approx((tmp_path / "a.mp3").stat().st_size, rel=0.02)


def test_block_codecs_do_not_grow(tmp_path):
    for subtype in ("IMA_ADPCM", "MS_ADPCM", "GSM610"):
        for _ in range(3):
            save(tmp_path / "a.wav", smooth_noise(1, 2468), 8000, Stored("a.wav", "WAV", subtype), overwrite=True)
            assert sf.info(tmp_path / "a.wav").subtype == subtype
            assert load(tmp_path / "a.wav")[0].shape == (1, 2468)
    save(tmp_path / "a.w64", smooth_noise(1, 2468), 8000, Stored("a.w64", "W64", "IMA_ADPCM"))
    assert sf.info(tmp_path / "a.w64").frames == 2468


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".opus", ".mp3", ".aiff", ".caf", ".rf64"])
def test_comments_are_kept(tmp_path, suffix):
    save(tmp_path / f"a{suffix}", smooth_noise(1, 9000), 16_000, Stored(tags={"comment": "a word", "title": "名"}))
    convert(tmp_path / f"a{suffix}", tmp_path / f"b{suffix}")
    with open_source(tmp_path / f"b{suffix}") as source:
        assert source.stored.tags["comment"] == "a word" and source.stored.tags["title"] == "名"


def test_tags_that_cannot_be_kept_are_named(tmp_path):
    tags = {"title": "x", "artist": "y", "_file": "z"}
    assert save(tmp_path / "a.au", smooth_noise(1, 900), 16_000, Stored(tags=tags)) == [
        "AU files hold no title, artist, _file: not kept"
    ]
    assert save(tmp_path / "a.wav", smooth_noise(1, 900), 16_000, Stored(tags=tags)) == [
        "WAV files hold no _file: not kept"
    ]


def test_cover_art_and_broadcast_chunks_are_named_when_they_are_lost(tmp_path):
    save(tmp_path / "a.wav", smooth_noise(1, 900), 16_000)
    content = (tmp_path / "a.wav").read_bytes()
    chunk = b"bext" + (602).to_bytes(4, "little") + bytes(602)
    (tmp_path / "b.wav").write_bytes(content[:36] + chunk + content[36:])
    assert convert(tmp_path / "b.wav", tmp_path / "c.wav").notes() == [
        "the broadcast chunk (bext) of the recording: not kept"
    ]
    save(tmp_path / "long.wav", smooth_noise(1, 90_000), 16_000)
    behind = b"iXML" + (3).to_bytes(4, "little") + b"<a>\0" + chunk  # an odd size is padded
    (tmp_path / "b.wav").write_bytes((tmp_path / "long.wav").read_bytes() + behind)
    assert convert(tmp_path / "b.wav", tmp_path / "d.wav").notes() == [
        "the iXML chunk, the broadcast chunk (bext) of the recording: not kept"
    ]
    save(tmp_path / "a.flac", smooth_noise(1, 900), 16_000)
    content = (tmp_path / "a.flac").read_bytes()
    picture = bytes([6]) + (32).to_bytes(3, "big") + bytes(32)
    (tmp_path / "b.flac").write_bytes(content[:42] + picture + content[42:])
    assert convert(tmp_path / "b.flac", tmp_path / "c.flac").notes() == ["cover art of the recording: not kept"]
