"""`vf.diarize`: who speaks when, in recordings of all kinds."""

import json
import sys
from dataclasses import replace
from io import BytesIO, TextIOWrapper
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile as sf
from embedders import embedder

import voxfield as vf
from voxfield.audio import open_source, resample
from voxfield.cards import features_to_embedding
from voxfield.cli.app import run
from voxfield.errors import AudioError, InputError, OutputError
from voxfield.export import export_network
from voxfield.metrics.diarization import Turn, diarization_errors
from voxfield.tasks.diarization import clustering
from voxfield.tasks.diarization.clustering import clustered
from voxfield.tasks.diarization.recording import Diarized, SpeakerCount, _names
from voxfield.tasks.diarization.rttm import read_rttm, save_rttm
from voxfield.tasks.diarization.turns import speaker_turns
from voxfield.tasks.speakers.embedding import unit
from voxfield.tasks.speakers.speech_detector import SpeechDetector
from voxfield.tasks.speakers.speech_windows import SpeechWindows, Windows

EXAMPLES = Path(__file__).parents[3] / "examples" / "clean"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Path of an untrained network, for what does not depend on the weights."""
    net, path = embedder("ds-tdnn"), tmp_path_factory.mktemp("models") / "tiny.onnx"
    about = {
        "name": "tiny-speakers.v1", "task": "embed", "architecture": "ds-tdnn", "summary": "tiny", "config": {},
        "licence": "Apache-2.0", "data": (), "interface": net.interface(),
    }  # fmt: skip
    export_network(net, path, about)
    return path


@pytest.fixture(scope="module")
def engine(model):
    """An engine without weights: the angle of its vector says how much the upper bands vary beside the lower ones."""
    plain = vf.load_engine(model).card

    class Bands:
        card, free_batch = replace(plain, interface=features_to_embedding("kaldi-hamming", 80, 2, 16000)), True

        def initial_state(self, batch=1):
            return ()

        def step(self, x, state):
            spread = x.std(axis=2)
            angles = np.pi / 2 * np.clip(spread[:, 60:].mean(axis=1) / spread[:, :40].mean(axis=1), 0, 1)
            return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32), ()

    return Bands()


@pytest.fixture(scope="module")
def conversation():
    """(Samples (N,) at 16 kHz, turns): two readers take turns; of the second one only what is below 2.5 kHz is left."""
    first, second = (sf.read(EXAMPLES / f"two_voices_{n}.flac", dtype="float32")[0] for n in (1, 2))
    spectrum = np.fft.rfft(second)
    spectrum[round(2500 / 16000 * len(second)) :] = 0
    second = np.fft.irfft(spectrum).astype(np.float32)
    parts = [
        ("a", first[:64_000]),
        ("b", second[:48_000]),
        ("", np.zeros(8000)),
        ("a", first[64_000:]),
        ("b", second[48_000:]),
    ]
    turns, at = [], 0
    for name, part in parts:
        turns += [Turn(at / 16000, (at + len(part)) / 16000, name)] if name else []
        at += len(part)
    noise = 1e-3 * np.random.default_rng(0).standard_normal(at)
    return (np.concatenate([part for _, part in parts]) + noise).astype(np.float32), turns


def of_two(rng, count=60, size=24, spread=0.5, speakers=2):
    """(Vectors (N, D), speakers): turns of five windows."""
    means = unit(rng.standard_normal((speakers, size)))
    truth = np.arange(count) // 5 % speakers
    return unit(means[truth] + spread * rng.standard_normal((count, size)) / np.sqrt(size)).astype(np.float32), truth


def same_partition(found, truth):
    pairs = set(zip(found.tolist(), truth.tolist(), strict=True))
    return len(pairs) == len(set(found.tolist())) == len(set(truth.tolist()))


@pytest.mark.parametrize("speakers", [1, 2, 3, 5, 8])
def test_the_number_of_speakers_is_found(speakers):
    for seed in range(5):
        vectors, truth = of_two(np.random.default_rng(seed), 40 * speakers, speakers=speakers, size=64)
        found, centres = clustered(vectors)
        assert same_partition(found, truth) and centres.shape == (speakers, 64)
        assert np.allclose(np.linalg.norm(centres, axis=1), 1)


def test_parts_of_one_mean_direction_are_one_speaker():
    rng = np.random.default_rng(0)
    voice, halves = rng.standard_normal(64), rng.standard_normal((2, 64))
    moods = unit(unit(voice) + 0.3 * unit(halves))[np.arange(60) // 30]  # of one speaker, first calm and then not
    vectors = unit(moods + 0.1 * rng.standard_normal((60, 64)) / 8).astype(np.float32)
    assert 0.85 < moods[0] @ moods[-1] < 0.95
    assert len(clustered(vectors)[1]) == 1
    assert same_partition(clustered(vectors, 2, 2)[0], np.arange(60) // 30)
    assert len(clustered(vectors, 2, 10)[1]) == 2


@pytest.mark.parametrize(("windows", "spread"), [(6, 1.2), (12, 1.2), (24, 1.1)])
def test_little_speech_of_one_speaker_is_of_one(windows, spread):
    """Neighbours share most of their samples, so the halves of a short recording are unlike one another."""
    found = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        noise = rng.standard_normal((windows + 2, 64))
        shared = (noise[:-2] + noise[1:-1] + noise[2:]) / np.sqrt(3)
        vectors = unit(unit(rng.standard_normal(64)) + spread * shared / 8)
        found.append(len(clustered(vectors.astype(np.float32))[1]))
    assert sum(number == 1 for number in found) >= 19


def test_stray_windows_cost_no_speaker():
    """Twelve windows unlike all four voices, as laughter leaves them, do not make two voices one for them."""
    right = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        common = unit(rng.standard_normal(64))
        voices, truth = unit(common + 0.7 * unit(rng.standard_normal((4, 64)))), np.arange(120) // 5 % 4
        vectors = voices[truth] + rng.standard_normal((120, 64)) / 8
        stray = voices[seed % 4] - 0.6 * common + 0.4 * unit(rng.standard_normal(64))
        stray = stray + 0.5 * rng.standard_normal((12, 64)) / 8
        found = clustered(unit(np.concatenate([vectors, stray])).astype(np.float32), 4, 4)[0][:120]
        right += sum(np.bincount(truth[found == one]).max(initial=0) for one in range(4)) > 0.95 * 120
    assert right >= 8


def test_bounds_for_the_number_are_kept():
    vectors, truth = of_two(np.random.default_rng(0), 90, speakers=3, size=64)
    assert len(clustered(vectors, 1, 2)[1]) == 2
    assert len(clustered(vectors, 5, 5)[1]) == 5
    assert len(clustered(vectors, 4, 9)[1]) >= 4
    assert same_partition(clustered(vectors, 3, 3)[0], truth)
    assert (clustered(vectors, 1, 1)[0] == 0).all()
    for count in range(5):
        found, centres = clustered(vectors[:count], 3, 3)
        assert len(found) == count and len(centres) == min(count, 3) and (found < 3).all()
    assert len(clustered(np.repeat(vectors[:1], 50, axis=0), 4, 4)[1]) <= 4  # nothing tells equal vectors apart


def test_many_windows_are_clustered_in_bounded_memory_and_time(monkeypatch):
    monkeypatch.setattr("voxfield.tasks.diarization.clustering.MOST_NODES", 100)
    vectors, truth = of_two(np.random.default_rng(0), 2003, speakers=3, size=64)
    assert same_partition(clustered(vectors)[0], truth)


def test_who_speaks_only_at_the_end_of_a_long_recording_is_found(monkeypatch):
    monkeypatch.setattr(clustering, "MOST_NODES", 60)
    rng = np.random.default_rng(0)
    vectors = unit(np.repeat(np.eye(16), [80, 40] + [0] * 14, axis=0) + 0.05 * rng.standard_normal((120, 16)))
    found, centres = clustered(vectors.astype(np.float32))
    assert len(centres) == 2 and len(set(found[:80])) == len(set(found[80:])) == 1


def test_a_short_turn_goes_to_the_neighbour_it_is_more_like():
    """Three speakers; in the middle somebody is nearest for a moment, and the one who comes after is next."""
    windows = Windows(np.array([[0, 210]]), np.zeros(3, int), np.array([[0, 100], [100, 110], [110, 210]]), None,
                      np.zeros((0, 2), int))  # fmt: skip
    scores = np.array([[0.9, 0.0, 0.1], [0.1, 0.9, 0.5], [0.1, 0.0, 0.9]])
    assert [(round(end, 2), one) for _, end, one in speaker_turns(windows, scores)] == [(1.0, 0), (2.1, 2)]


def test_of_two_speakers_alike_the_nearer_one_gets_the_name():
    scores = {0: 0.9, 1: 0.6}
    book = SimpleNamespace(
        identify_vector=lambda one, threshold: SimpleNamespace(name="anna", score=scores[int(one[0])])
    )
    vectors = {one: np.array([one]) for one in scores}
    assert _names(vectors, book, None) == {0: "anna", 1: "speaker1"}


def test_turns_follow_the_windows():
    spans = np.array([(0, 150), (75, 225), (150, 300), (225, 375), (500, 520)])
    regions, pauses = np.array([(0, 375), (500, 520)]), np.array([(100, 120), (205, 225), (216, 220)])
    windows = Windows(regions, np.array([0, 0, 0, 0, 1]), spans, np.zeros((5, 2), np.float32), pauses[:1])
    scores = np.array([(1, 0), (1, 0), (0, 1), (0, 1), (0, 1)], float)
    (a, b, first), (c, d, second), (e, f, third) = speaker_turns(windows, scores)
    assert (a, d, e, f) == (0, 3.75, 5.0, 5.2) and b == c == pytest.approx(1.87, abs=0.05)
    assert (first, second, third) == (0, 1, 1)
    jumps = speaker_turns(windows, np.array([(1, 0), (1, 0), (0.99, 1), (1, 0), (1, 0)], float))
    assert jumps == [(0, 3.75, 0), (5.0, 5.2, 0)]
    none = Windows(*np.zeros((1, 0, 2), int), np.zeros(0, int), *np.zeros((2, 0, 2), int), np.zeros((0, 2), int))
    assert speaker_turns(none, np.zeros((0, 0)), np.zeros(0)) == []
    at_once = np.full(520, -1.0)
    at_once[170:200] = 2
    both = speaker_turns(windows, scores, at_once)
    assert both == [(0, 2.0, 0), (1.7, 3.75, 1), (5.0, 5.2, 1)]
    parted = replace(windows, pauses=pauses)
    assert (
        speaker_turns(parted, scores)
        == speaker_turns(parted, scores, at_once)
        == [(0, 2.05, 0), (2.25, 3.75, 1), (5.0, 5.2, 1)]
    )


def test_speech_is_detected_piece_by_piece_as_in_one(conversation, monkeypatch):
    samples = np.concatenate([np.zeros(16_000, np.float32), *[conversation[0]] * 2])
    whole = SpeechDetector()
    wanted = [*whole.feed(samples), *whole.flush()]
    assert wanted[0][0] == pytest.approx(100, abs=10) and wanted[-1][1] == pytest.approx(len(samples) / 160, abs=30)
    parts, found = SpeechDetector(), []
    for part in np.array_split(samples, 41):
        found += parts.feed(part)
    assert [*found, *parts.flush()] == wanted
    monkeypatch.setattr("voxfield.tasks.speakers.speech_detector.PIECE_S", 5.0)
    short, found = SpeechDetector(), []
    for part in np.array_split(samples, 41):
        found += short.feed(part)
        assert all(end <= short.decided_frames for _, end in found)
    found += short.flush()
    frames = np.zeros((2, len(samples) // 160), bool)
    for row, regions in zip(frames, (wanted, found), strict=True):
        for start, end in regions:
            row[start:end] = True
    assert (frames[0] != frames[1]).mean() < 0.03
    assert all(start >= before for (_, before), (start, _) in pairwise(found))
    assert all(any(start < stop and begin < end for start, end in found) for stop, begin in short.pauses)
    assert short.pauses == sorted(short.pauses) and len(short.pauses) == pytest.approx(len(parts.pauses), abs=3)


def test_two_readers_are_told_apart(conversation, engine):
    samples, truth = conversation
    made = vf.diarize(samples, 16000, model=engine, speakers=2)
    assert made.speakers == ("speaker1", "speaker2") and made.duration_s == 16.5
    assert (
        diarization_errors(truth, made.turns, collar_s=0.25).confusion_s < 1.5
    )  # parts of about a second at the ends of his stretches of speech
    assert diarization_errors(truth, made.turns, collar_s=0.25).missed_s < 2.5  # a pause of his
    row = made.to_dict()
    assert sum(speaker["share"] for speaker in row["speakers"]) == pytest.approx(1, abs=1e-3)
    assert json.loads(json.dumps(row))["turns"][0]["speaker"] == "speaker1"
    assert set(made.vectors) == set(made.speakers) and made.model == "tiny-speakers.v1"


def test_rates_channels_and_pieces_do_not_matter(conversation, engine, monkeypatch):
    samples = conversation[0]
    wanted = vf.diarize(samples, 16000, model=engine, speakers=2)
    file = BytesIO()
    sf.write(file, np.stack([samples, samples], axis=1), 16000, format="WAV", subtype="FLOAT")
    assert vf.diarize(file.getvalue(), model=engine, speakers=2).turns == wanted.turns
    other = vf.diarize(resample(samples[None], 16000, 44_100), 44_100, model=engine, speakers=2)
    assert diarization_errors(wanted.turns, other.turns).rate < 0.05
    monkeypatch.setattr("voxfield.tasks.speakers.speech_detector.PIECE_S", 4.0)
    pieces = vf.diarize(samples, 16000, model=engine, speakers=2)
    assert diarization_errors(wanted.turns, pieces.turns).rate < 0.1


def test_windows_cover_all_speech_and_features_do_not_pile_up(conversation, engine, monkeypatch):
    monkeypatch.setattr("voxfield.tasks.speakers.speech_detector.PIECE_S", 2.0)
    gathering = SpeechWindows(engine, 16000)
    for part in np.array_split(np.tile(conversation[0], 3), 200):
        gathering.feed(part)
        assert sum(some.shape[1] for some in gathering._waiting) < 800
    windows = gathering.finish()
    assert np.allclose(np.linalg.norm(windows.vectors, axis=1), 1, atol=1e-5)
    for number, (start, end) in enumerate(windows.regions):
        spans = windows.spans[windows.region == number]
        assert spans[0, 0] == start and end - 3 <= spans[-1, 1] <= end and (np.diff(spans[:, 0]) > 0).all()
        assert (spans[1:, 0] < spans[:-1, 1]).all()


@pytest.mark.parametrize("rate_hz", [1000, 8000, 11_025, 22_050, 48_000, 96_000])
def test_silence_noise_and_moments_hold_nobody(rate_hz, model):
    rng = np.random.default_rng(0)
    silent = vf.diarize(np.zeros(rate_hz, np.float32), rate_hz, model=model)
    assert silent.turns == () and silent.notes == ("the recording is silent",) and silent.rttm() == ""
    noise = vf.diarize(0.1 * rng.standard_normal((2, 2 * rate_hz)).astype(np.float32), rate_hz, model=model)
    assert noise.turns == () and noise.notes == ("no speech was found",)
    for count in (1, rate_hz // 10):
        short = vf.diarize(0.1 * rng.standard_normal(count).astype(np.float32), rate_hz, model=model)
        assert short.turns == () and short.duration_s == count / rate_hz


def test_more_speakers_than_there_can_be_are_said(conversation, model, engine):
    moment = vf.diarize(conversation[0][8000:20_000], 16000, model=model, speakers=5)
    assert "5 speakers were asked for, but in 0.7" in moment.notes[-1] and len(moment.speakers) == 1
    one = vf.diarize(conversation[0][:64_000], 16000, model=engine, speakers=2)
    assert 1 <= len(one.speakers) <= 2 and all(turn.end_s - turn.start_s >= 0.2 for turn in one.turns)


def test_numbers_of_speakers_that_cannot_be(conversation, model):
    for options in (
        {"speakers": 0}, {"speakers": "many"}, {"speakers": 2.0}, {"speakers": True},
        {"min_speakers": 3, "max_speakers": 2}, {"speakers": 2, "max_speakers": 3}, {"min_speakers": 0},
    ):  # fmt: skip
        with pytest.raises(InputError, match="speakers"):
            vf.diarize(conversation[0], 16000, model=model, **options)
    assert SpeakerCount.of("auto", 12) == SpeakerCount(12, 12) and SpeakerCount.of(3) == SpeakerCount(3, 3)


def test_seconds_of_a_speaker():
    turns = (Turn(0, 4, "a"), Turn(3, 6, "b"), Turn(3.5, 3.75, "c"), Turn(6, 8, "a"))
    made = Diarized(turns, {}, 8.0, "m.v1")
    assert made.speech_s("a") == 6


def test_rttm_is_read_as_written(tmp_path):
    turns = [Turn(0.5, 2.25, "anna b"), Turn(2.25, 3.0, "名")]
    save_rttm(tmp_path / "a.rttm", turns, "my talk")
    assert read_rttm(tmp_path / "a.rttm") == {"my_talk": [Turn(0.5, 2.25, "anna_b"), Turn(2.25, 3.0, "名")]}
    with pytest.raises(OutputError, match="exists already"):
        save_rttm(tmp_path / "a.rttm", turns, "my talk")
    save_rttm(tmp_path / "silent.rttm", [], "silent")
    assert read_rttm(tmp_path) == {"my_talk": [Turn(0.5, 2.25, "anna_b"), Turn(2.25, 3.0, "名")], "silent": []}
    (tmp_path / "b").mkdir()
    for text in ("SPEAKER a 1 0.5", "SPEAKER a 1 x 1 <NA> <NA> b", "SPEAKER a 1 0 -1 <NA> <NA> b", "SPEAKER"):
        (tmp_path / "b" / "bad.rttm").write_text(f"; a comment\n\n{text}\n")
        with pytest.raises(InputError, match="line 3 of"):
            read_rttm(tmp_path / "b")
    for path in (tmp_path / "none.rttm", EXAMPLES):
        with pytest.raises(InputError, match=r"cannot be read|holds no"):
            read_rttm(path)


@pytest.fixture
def recordings(tmp_path, conversation):
    sf.write(tmp_path / "a talk.wav", conversation[0], 16000)
    sf.write(tmp_path / "silent.flac", np.zeros(8000), 16000)
    (tmp_path / "broken.wav").write_bytes(b"RIFF nothing")
    (tmp_path / "empty.wav").touch()
    return tmp_path


def test_diarize_command_writes_rttm_and_names_what_failed(recordings, model, capsys):
    arguments = ["diarize", str(recordings), "--model", str(model)]
    assert run([*arguments, "-o", str(recordings / "out"), "--speakers", "2", "--json"]) == 1
    text = capsys.readouterr()
    lines = [json.loads(line) for line in text.out.splitlines()]
    assert [line["status"] for line in lines] == ["done", "failed", "failed", "done"]
    assert "broken.wav" in text.err and "empty.wav" in text.err and "2 of 4 failed" in text.err
    stored = read_rttm(recordings / "out")
    assert [turn.speaker for turn in stored["a_talk"]] == [turn["speaker"] for turn in lines[0]["turns"]]
    assert sorted(path.name for path in (recordings / "out").iterdir()) == [
        "a talk_diarized.rttm", "silent_diarized.rttm",
    ]  # fmt: skip
    assert run([*arguments, "-o", str(recordings / "out"), "-q"]) == 1
    assert "exists already" in capsys.readouterr().err
    assert run([*arguments, "-q"]) == 1
    assert {line.split()[1] for line in capsys.readouterr().out.splitlines()} == {"a_talk"}


def test_diarize_command_reads_pipes_and_refuses_what_cannot_be(recordings, model, capsys, monkeypatch):
    talk = str(recordings / "a talk.wav")
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(Path(talk).read_bytes())))
    assert run(["diarize", "-", "--model", str(model), "-q"]) == 0
    assert capsys.readouterr().out.startswith("SPEAKER ")
    for wrong, said in (
        (["--speakers", "x"], "whole number or auto"), (["--speakers", "2", "--min-speakers", "1"], "leave one out"),
        (["--min-speakers", "3", "--max-speakers", "2"], "cannot be"), (["--report", "a.txt"], ".html"),
        ([str(recordings / "silent.flac"), "-o", "all.rttm"], "name a folder"), (["-o", "a.wav"], "end it in .rttm"),
        (["-o", "a.json"], "end it in .rttm; --json prints JSON"),
    ):  # fmt: skip
        assert run(["diarize", talk, "--model", str(model), *wrong]) == 2
        assert said in capsys.readouterr().err
    truncated = recordings / "truncated.wav"
    truncated.write_bytes(Path(talk).read_bytes()[:200_000])
    assert run(["diarize", talk, "--model", str(model), "-o", str(truncated.with_suffix(".txt"))]) == 0
    assert truncated.with_suffix(".txt").read_text().startswith("SPEAKER ")
    capsys.readouterr()
    assert run(["diarize", str(truncated), "--model", str(model), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["duration_s"] == pytest.approx(6.2, abs=0.1)


def test_a_recording_that_is_none_is_refused(model, tmp_path):
    (tmp_path / "x.wav").write_bytes(b"no sound")
    for given, rate_hz in ((tmp_path / "x.wav", None), (np.zeros(0, np.float32), 16000)):
        with pytest.raises(AudioError):
            vf.diarize(given, rate_hz, model=model)


def test_evaluate_prints_the_error_rate_of_rttm(recordings, model, capsys):
    truth = recordings / "truth"
    save_rttm(truth / "1.rttm", [Turn(0, 4, "a"), Turn(4, 8, "b")], "one")
    save_rttm(truth / "2.rttm", [Turn(0, 2, "a")], "two")
    save_rttm(recordings / "found.rttm", [Turn(0, 5, "x"), Turn(5, 8, "y")], "one")
    assert run(["evaluate", str(recordings / "found.rttm"), str(truth), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["recordings"] == 2 and found["speech_s"] == 10 and found["missed"] == 0.2
    assert found["confusion"] == 0.1 and found["der"] == 0.3 and found["false_alarm"] == 0
    assert run(["evaluate", str(recordings / "found.rttm"), str(truth / "1.rttm")]) == 0
    assert "12.5 %" in capsys.readouterr().out
    save_rttm(truth / "talk.rttm", [Turn(0, 4, "a")], "a talk")
    assert run(["evaluate", str(recordings), str(truth / "talk.rttm"), "--model", str(model), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["recordings"] == 1 and found["model"] == "tiny-speakers.v1" and found["false_alarm"] > 1
    for arguments, said in (
        ([str(truth / "2.rttm"), str(truth / "1.rttm")], "holds no recording of the names"),
        ([str(truth), str(truth), "--measures", "pesq"], "diarization has one measure"),
    ):
        assert run(["evaluate", *arguments]) == 2
        assert said in capsys.readouterr().err


def test_speakers_of_a_book_are_called_by_name(conversation, engine, tmp_path):
    samples = conversation[0]
    book = vf.SpeakerBook(tmp_path / "a.book", model=engine)
    book.enroll("Anna", samples[121_000:158_000], 16000)
    book.set_threshold(0.95)
    made = vf.diarize(samples, 16000, book=book, speakers=2)
    assert set(made.speakers) == {"Anna", "speaker1"} and set(made.vectors) == set(made.speakers)
    assert diarization_errors(conversation[1], made.turns, collar_s=0.25).confusion_s < 1.5
    assert made.turns[0].speaker == "Anna"
    named = vf.diarize(samples, 16000, book=tmp_path / "a.book", model=engine, threshold=-1, speakers=2)
    assert set(named.speakers) == {"Anna", "speaker1"}  # one name, one speaker: the one of the higher score
    with pytest.raises(InputError, match="name the book as well"):
        vf.diarize(samples, 16000, model=engine, threshold=0.5)
    with pytest.raises(InputError, match=r"no book|enroll"):
        vf.diarize(samples, 16000, book=tmp_path / "none.book", model=engine)


def test_the_service_says_who_speaks_when(conversation, engine):
    verbs = pytest.importorskip("voxfield.serve.verbs", reason="the service needs voxfield[serve]")
    verb = next(verb for verb in verbs.VERBS if verb.name == "diarize")

    class Asked:
        catalogue = SimpleNamespace(engine_for=lambda task, name: engine if task == "embed" else None)

        def source(self, name):
            return open_source(conversation[0], 16000)

    answer = verb.work(Asked(), verb.query(speakers=2))
    assert set(answer) == set(verb.example) and json.dumps(answer)
    assert answer["turns"] == vf.diarize(conversation[0], 16000, model=engine, speakers=2).to_dict()["turns"]
    with pytest.raises(InputError, match="leave one out"):
        verb.check(verb.query(speakers=2, max_speakers=3), Asked.catalogue)


def test_the_published_model_finds_the_speakers_of_the_example():
    made = vf.diarize(EXAMPLES.parent / "conversation.ogg")
    truth = read_rttm(EXAMPLES.parent / "conversation.rttm")["conversation"]
    assert len(made.speakers) == 3
    assert diarization_errors(truth, made.turns, collar_s=0.25).rate < 0.12
