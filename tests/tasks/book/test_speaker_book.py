"""`vf.SpeakerBook`: who is enrolled, who it is, and a book that outlives its writers."""

import itertools
import json

import numpy as np
import pytest
import soundfile as sf

import voxfield as vf
from voxfield.errors import InputError

RATE_HZ = 16000


@pytest.fixture(scope="session")
def others(tmp_path_factory, make_spread_model):
    """Another network of the same name, and the same network under another name."""
    folder = tmp_path_factory.mktemp("others")
    return make_spread_model(folder / "b.onnx", squared=False), make_spread_model(
        folder / "c.onnx", name="other-name.v7"
    )


@pytest.fixture
def book(tmp_path, tiny_embedder):
    return vf.SpeakerBook(tmp_path / "speakers.book", model=tiny_embedder)


@pytest.fixture
def talk(speech):
    """`talk(seed)`: 3 s that differ from seed to seed in pitch and noise."""

    def make(seed, seconds=3.0):
        return speech(1, round(seconds * RATE_HZ), seed=seed)

    return make


def test_a_speaker_is_enrolled_and_found_again(book, talk, tmp_path):
    sf.write(tmp_path / "monday.wav", talk(0).T, RATE_HZ)
    done = book.enroll("Anna", tmp_path / "monday.wav")
    assert done.new and done.name == "Anna" and done.recording.speech.seconds > 1
    assert book.enroll("Anna", talk(1), RATE_HZ, source="array").new
    (first, second) = book.samples("Anna")
    assert (first.source, second.source) == ("monday.wav", "array") and first.number < second.number
    assert np.array_equal(first.vector, done.recording.vector) and first.added.endswith("+00:00")
    assert first.speech_s == pytest.approx(done.recording.speech.seconds) and first.level_db < 0
    found = book.identify(talk(1), RATE_HZ, threshold=0.5)
    assert found.name == "Anna" and found.margin is None and found.recording.model == "tiny-spread.v1"
    assert found.score == pytest.approx(cosine(unit(first.vector) + unit(second.vector), second.vector), abs=1e-6)


def unit(vector):
    return vector / np.linalg.norm(vector)


def cosine(a, b):
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_unknown_is_an_answer_and_the_margin_is_over_the_second_nearest(book):
    axes = np.eye(80, dtype=np.float32)
    enroll_vectors(book, {"Anna": axes[0], "Ben": axes[1], "Cleo": axes[2]})
    vector = axes[0] + 0.5 * axes[1]
    found = book.identify_vector(vector, threshold=0.8)
    assert found.name == "Anna" and found.margin == pytest.approx(found.score - 0.5 / np.sqrt(1.25), abs=1e-6)
    assert [name for name, _ in found.nearest] == ["Anna", "Ben", "Cleo"]
    assert book.identify_vector(vector, threshold=0.9).name is None
    assert book.identify_vector(0 * vector, threshold=-1).score is None
    for wrong in (vector[:3], vector[None], vector * np.nan):
        with pytest.raises(InputError, match="a vector of 80 numbers"):
            book.identify_vector(wrong, threshold=0.5)


def enroll_vectors(book, vectors):
    """Speakers with these vectors, past the network."""
    from voxfield.tasks.book.book_file import Made, Sample, writing
    from voxfield.tasks.book.speaker_book import fingerprint

    with writing(book.path) as rows:
        rows.set_made(rows.made() or Made(book.engine.card.name, fingerprint(book.engine), 80))
        for name, vector in vectors.items():
            rows.add(Sample(0, name, vector, 5.0, -20.0, 30.0, "made up", "2026-01-01T00:00:00+00:00"))


CALIBRATION = {  # one speaker is likelier from 0.5 on, and sure enough from 0.6 on
    "bias": -10.0, "score": 20.0, "speech": 0.0, "score_speech": 0.0, "range": 0.0, "least_s": 0.5, "most_s": 30.0,
    "least_db": 0.0, "most_db": 90.0, "usual_db": 30.0, "threshold": 2.0, "false_accepts": 0.01,
}  # fmt: skip


@pytest.fixture(scope="session")
def calibrated(tmp_path_factory, make_spread_model):
    """The network with a calibration on its card."""
    return make_spread_model(tmp_path_factory.mktemp("calibrated") / "d.onnx", calibration=CALIBRATION)


def test_the_calibration_of_the_model_decides_where_the_book_has_no_threshold(tmp_path, calibrated, voice):
    book = vf.SpeakerBook(tmp_path / "a.book", model=calibrated)
    book.enroll("Anna", voice("anna", 0), RATE_HZ)
    found = book.identify(voice("anna", 1), RATE_HZ)
    assert found.name == "Anna" and found.threshold == pytest.approx(0.6, abs=1e-6)
    assert found.ratio == pytest.approx(20 * found.score - 10) and found.to_dict()["probability"] > 0.99
    assert book.identify(voice("ben", 1), RATE_HZ).name is None
    assert book.identify(voice("ben", 1), RATE_HZ, threshold=-1).name == "Anna"
    vector = 0.55 * book.samples()[0].vector / np.linalg.norm(book.samples()[0].vector)
    vector[np.argsort(np.abs(vector))[:40]] = 0  # still a vector of the right size
    assert book.identify_vector(vector).threshold == pytest.approx(0.6, abs=1e-6)
    book.set_threshold(0.2)
    assert book.identify(voice("anna", 1), RATE_HZ).threshold == 0.2


def test_two_voices_in_an_enrolment_are_said(tmp_path, calibrated, voice):
    book = vf.SpeakerBook(tmp_path / "a.book", model=calibrated)
    both = np.concatenate([voice("anna", 1, 64_000), voice("ben", 1, 40_000)])
    assert any("two people seem to speak" in note for note in book.enroll("Both", both, RATE_HZ).notes)
    book.remove("Both")
    for name in ("anna", "ben"):
        assert book.enroll(name, voice(name, 2, 104_000), RATE_HZ).notes == ()
        assert book.enroll(name, voice(name, 3), RATE_HZ).notes == (), "too short to tell"
    turns = [voice(name, at, 48_000) for at in range(3) for name in ("anna", "ben")]
    assert any("two people" in note for note in book.enroll("Turns", np.concatenate(turns), RATE_HZ).notes)


def test_a_sample_that_does_not_fit_is_said(book, voice):
    book.enroll("Anna", voice("anna", 0), RATE_HZ)
    assert book.enroll("Ben", voice("ben", 0), RATE_HZ).notes == ()
    book.set_threshold(0.7)
    first, second = book.enroll("Anna", voice("ben", 1), RATE_HZ).notes
    assert "does not sound like the other samples of Anna (score " in first and "it sounds like Ben" in second
    assert book.enroll("Ben", voice("ben", 2), RATE_HZ).notes == ()


def test_a_stranger_is_compared_with_everybody_which_is_said(tmp_path, calibrated, voice):
    book = vf.SpeakerBook(tmp_path / "a.book", model=calibrated)
    enroll_vectors(book, {f"speaker {at}": axis for at, axis in enumerate(np.eye(80, dtype=np.float32)[:4])})
    assert book.check_threshold() == ""
    enroll_vectors(book, {"Anna": np.ones(80, np.float32)})
    assert "1 % of strangers pass at each comparison, and 5 speakers are compared" in book.check_threshold()
    assert book.check_threshold(0.7) == ""


def test_two_names_for_one_voice_are_said_without_a_threshold_of_the_book(tmp_path, calibrated, voice):
    book = vf.SpeakerBook(tmp_path / "a.book", model=calibrated)
    book.enroll("Anna", voice("anna", 0), RATE_HZ)
    assert "sounds like Anna" in book.enroll("Anne", voice("anna", 1), RATE_HZ).notes[-1]
    assert "does not sound like the other samples of Anna" in book.enroll("Anna", voice("ben", 0), RATE_HZ).notes[-1]


def test_silence_is_nobody(book, talk):
    book.enroll("Anna", talk(0), RATE_HZ)
    found = book.identify(np.zeros((1, RATE_HZ), np.float32), RATE_HZ, threshold=-1)
    assert found.name is None and found.score is None and "is silent" in found.recording.notes[0]


def test_without_a_threshold_there_is_no_answer_and_with_the_books_own_there_is(book, talk):
    book.enroll("Anna", talk(0), RATE_HZ)
    with pytest.raises(InputError, match="`voxfield threshold` chooses a threshold"):
        book.identify(talk(0), RATE_HZ)
    book.set_threshold(0.7, {"why": "a test"})
    assert book.identify(talk(0), RATE_HZ).threshold == 0.7 and book.made().measured == {"why": "a test"}
    with pytest.raises(InputError, match="cosine from -1 to 1"):
        book.set_threshold(3)


def test_a_book_of_other_weights_is_refused_with_the_way_out(book, talk, others):
    same_name, same_weights = others
    book.enroll("Anna", talk(0), RATE_HZ)
    other = vf.SpeakerBook(book.path, model=same_name)
    for refused in (
        lambda: other.enroll("Ben", talk(1), RATE_HZ),
        lambda: other.identify(talk(1), RATE_HZ, threshold=0.5),
        lambda: other.set_threshold(0.5),
    ):
        with pytest.raises(InputError, match=r"made with other weights of tiny-spread.v1.*--model.*--book FILE"):
            refused()
    assert vf.SpeakerBook(book.path, model=same_weights).identify(talk(0), RATE_HZ, threshold=0.5).name == "Anna"
    book.remove("Anna")
    assert other.enroll("Ben", talk(1), RATE_HZ).new and other.names() == ["Ben"]


def test_names_are_any_line_of_visible_text(book):
    names = ["王芳", 'O\'Brien "Bob"; DROP TABLE sample;--', "../../etc/passwd", "C:\\x", "é", "سمیه‌جان", "a" * 200]
    axes = itertools.cycle(np.eye(80, dtype=np.float32))
    for name in names:
        enroll_vectors(book, {vf_name(name): next(axes)})
    assert book.names() == sorted(names) and all(len(book.samples(name)) == 1 for name in names)
    assert len(book.samples("e\u0301")) == 1, "an accent that is written apart is the same name"
    for name in ("", "  ", "a" * 201, "a\nb", "a\x1b[2J", "\u202egnp.exe", "a\u200bb", "\ud800", "a\0b", "Unknown", 7):
        with pytest.raises(InputError, match=r"name|called"):
            book.enroll(name, np.zeros((1, 9), np.float32), RATE_HZ)


def vf_name(name):
    from voxfield.tasks.book.speaker_book import clean_name

    return clean_name(name)


def test_renaming_and_removing(book):
    axes = np.eye(80, dtype=np.float32)
    enroll_vectors(book, {"Anna": axes[0], "Ben": axes[1]})
    enroll_vectors(book, {"Anna": axes[2]})
    book.rename("Anna", "Anne")
    assert book.names() == ["Anne", "Ben"]
    with pytest.raises(InputError, match="Ben is in the book already"):
        book.rename("Anne", "Ben")
    with pytest.raises(InputError, match="nobody called Anna"):
        book.rename("Anna", "X")
    first, second = book.samples("Anne")
    assert book.remove("Anne", first.number) == 1 and [s.number for s in book.samples("Anne")] == [second.number]
    with pytest.raises(InputError, match="no sample 99"):
        book.remove("Anne", 99)
    assert book.remove("Anne") == 1 and book.names() == ["Ben"]
    for missing in (lambda: book.remove("Anne"), lambda: book.samples("Anne")):
        with pytest.raises(InputError, match="nobody called Anne"):
            missing()


def test_what_is_exported_can_be_imported_however_long_the_source_is_called(book, talk, tmp_path):
    book.enroll("Anna", talk(0), RATE_HZ, source="a" * 5000)
    book.export_json(tmp_path / "a.json")
    copy = vf.SpeakerBook(tmp_path / "copy.book", model=book.engine)
    assert copy.import_json(tmp_path / "a.json") == 1
    assert copy.samples()[0].source == book.samples()[0].source == "a" * 1000


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda book: vf.SpeakerBook(3), "named by a str or a path"),
        (lambda book: vf.diarize(np.zeros(9, np.float32), RATE_HZ, book=3), "named by a str or a path"),
        (lambda book: book.export_json(3), "named by a str or a path"),
        (lambda book: book.import_json(3), "named by a str or a path"),
        (lambda book: book.enroll("Anna", "a.wav", source=3), "is text, not 3"),
        (lambda book: book.remove("Anna", "1"), "by its number"),
        (lambda book: book.remove("Anna", 10**30), "has no sample"),
        (lambda book: book.set_threshold(0.5, {"a": np.float32(1)}), "plain values"),
        (lambda book: book.set_threshold(0.5, {"a": float("nan")}), "plain values"),
        (lambda book: book.set_threshold(0.5, [1]), "plain values"),
        (lambda book: book.choose_threshold(["1 a.wav b.wav"]), "read_trials"),
        (lambda book: book.choose_threshold([], wanted=2), "between 0 and 1"),
        (lambda book: book.identify_vector(["a"] * 80), "a vector of 80 numbers"),
    ],
)
def test_arguments_of_other_types_are_refused_in_words(call, message, book):
    enroll_vectors(book, {"Anna": np.ones(80, np.float32)})
    with pytest.raises(InputError, match=message):
        call(book)


def test_numbers_of_numpy_are_numbers(book):
    enroll_vectors(book, {"Anna": np.ones(80, np.float32)})
    book.set_threshold(np.float32(0.5))
    assert book.made().threshold == 0.5
    found = book.identify_vector(np.ones(80), threshold=np.float32(0.25))
    assert found.threshold == 0.25 and json.dumps(found.to_dict())


def test_a_recording_is_enrolled_once(book, talk):
    assert book.enroll("Anna", talk(0), RATE_HZ).new
    again = book.enroll("Anna", talk(0), RATE_HZ)
    assert not again.new and "enrolled with this recording before" in again.notes[-1] and len(book.samples()) == 1


def music():
    """Three notes that come and go, half a second each."""
    time_s = np.arange(64_000) / RATE_HZ
    notes = ((440, 0), (554, 1), (659, 2))
    return 0.1 * sum(np.sin(2 * np.pi * f * time_s) * np.clip(np.sin(4 * np.pi * time_s + p), 0, 1) for f, p in notes)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.zeros((1, 48_000)), "is silent"),
        ("music", "of speech, too little|only what sounds like noise, tones or music"),
        (0.1 * np.random.default_rng(0).standard_normal((1, 48_000)), "no speech was found in it"),
        (0.1 * np.sin(np.arange(48_000) / 5)[None], "no speech was found in it"),
        ("0.1 s", "too little to enrol"),
        ("quiet", "too quiet to enrol"),
    ],
    ids=["silence", "music", "noise", "tone", "0.1 s", "quiet"],
)
def test_what_is_not_good_enough_is_refused_and_begins_no_book(samples, message, book, talk):
    given = (
        {"0.1 s": talk(0, 0.1), "quiet": 2e-3 * talk(0), "music": music()}[samples]
        if isinstance(samples, str)
        else samples
    )
    with pytest.raises(InputError, match=message):
        book.enroll("Anna", given.astype(np.float32), RATE_HZ)
    assert not book.path.exists()
    with pytest.raises(InputError, match=r"there is no speaker book .* yet"):
        book.names()


@pytest.mark.parametrize("rate_hz", [4000, 8000, 11_025, 22_050, 44_100, 47_999, 96_000, 192_000])
def test_every_rate_is_enrolled(rate_hz, book, speech):
    samples = speech(2, 3 * rate_hz, rate_hz)
    assert book.enroll("Anna", samples, rate_hz).new
    assert book.identify(samples, rate_hz, threshold=0.9).name == "Anna"
