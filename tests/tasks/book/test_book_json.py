"""A speaker book as JSON: the same book again, and nothing but checked data from a file of unknown origin."""

import json

import numpy as np
import pytest

import voxfield as vf
from voxfield.errors import InputError, OutputError
from voxfield.tasks.book.book_file import Made, Sample, writing

MADE = Made("tiny.v1", "f" * 64, 3, 0.5, {"why": "a test"})


def begun(path, *names, made=MADE, seed=0):
    rng = np.random.default_rng(seed)
    with writing(path) as rows:
        rows.set_made(made)
        for name in names:
            vector = rng.standard_normal(3).astype(np.float32)
            rows.add(Sample(0, name, vector, 5.25, -20.5, 30.25, "x 名.wav", "2026-01-01T00:00:00+00:00"))
    return vf.SpeakerBook(path)


@pytest.fixture
def book(tmp_path):
    return begun(tmp_path / "a.book", "Anna", "Anna", "王芳", "سمیه\u200cجان")


def rows_of(book):
    return [(s.name, s.vector.tobytes(), s.speech_s, s.level_db, s.range_db, s.source, s.added) for s in book.samples()]


def test_out_and_in_again_is_the_same_book(book, tmp_path):
    assert book.export_json(tmp_path / "out" / "a.json") == 4
    other = vf.SpeakerBook(tmp_path / "b.book")
    assert other.import_json(tmp_path / "out" / "a.json") == 4
    assert rows_of(other) == rows_of(book) and other.made() == MADE
    with pytest.raises(OutputError, match="exists already"):
        book.export_json(tmp_path / "out" / "a.json")


def test_names_in_both_books_are_merged_only_when_asked(book, tmp_path):
    book.export_json(tmp_path / "a.json")
    other = begun(tmp_path / "b.book", "Anna", "Ben", seed=1)
    with pytest.raises(InputError, match=r"has Anna already; --merge"):
        other.import_json(tmp_path / "a.json")
    assert len(other.samples()) == 2
    assert other.import_json(tmp_path / "a.json", merge=True) == 4 and len(other.samples("Anna")) == 3
    assert other.import_json(tmp_path / "a.json", merge=True) == 0, "known samples are not added again"


def test_a_book_of_another_model_is_not_mixed_in(book, tmp_path):
    book.export_json(tmp_path / "a.json")
    other = begun(tmp_path / "b.book", "Ben", made=Made("other.v1", "0" * 64, 3))
    with pytest.raises(InputError, match=r"made with tiny\.v1, .* with other\.v1, .*--book FILE"):
        other.import_json(tmp_path / "a.json", merge=True)
    assert other.names() == ["Ben"] and other.made().model == "other.v1"


def changes():
    def head(**values):
        return lambda exported: exported.update(values)

    def first(**values):
        return lambda exported: exported["samples"][0].update(values)

    return {
        "another format": (head(format="x"), 'lacks "format"'),
        "a newer version": (head(version=2), "pip install --upgrade"),
        "no model": (head(model=None), "model must be text"),
        "a threshold of 7": (head(threshold=7), "cosine from -1 to 1"),
        "no list": (head(samples={}), "samples must be a list"),
        "a dimension of 0": (head(dimension=0), "dimension must be"),
        "a huge dimension": (head(dimension=10**17), "dimension must be"),
        "a short vector": (first(vector=[1, 2]), "vector of sample 1 must be 3 numbers"),
        "text in a vector": (first(vector=[1, 2, "3"]), "vector of sample 1 must be 3 numbers"),
        "a zero vector": (first(vector=[0, 0, 0]), "not all 0"),
        "a number too large": (first(vector=[1e39, 0, 0]), "3 numbers"),
        "true for a number": (first(speech_s=True), "speech_s of sample 1 must be a number"),
        "a name that steers": (first(name="\u001b[2J"), "must not hold the invisible character"),
        "no name": (first(name=" "), "1 to 200 characters"),
        "a long source": (first(source="x" * 2000), "source of sample 1 must be text"),
        "a sample that is none": (lambda exported: exported["samples"].append(7), "sample 5 must be a table"),
    }


@pytest.mark.parametrize("change", changes())
def test_what_was_tampered_with_is_refused_whole(change, book, tmp_path):
    book.export_json(tmp_path / "a.json")
    exported = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    alter, message = changes()[change]
    alter(exported)
    (tmp_path / "a.json").write_text(json.dumps(exported), encoding="utf-8")
    other = begun(tmp_path / "b.book", "Ben")
    with pytest.raises(InputError, match=message):
        other.import_json(tmp_path / "a.json")
    assert other.names() == ["Ben"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not the JSON of"),
        (b"\x80\x04\x95pickle", "is not the JSON of"),
        (b"[" * 100_000, "is not the JSON of"),
        (b"[]", 'lacks "format"'),
        (b'{"format": NaN}', "holds NaN"),
        (b'{"format": ' + b"9" * 5000 + b"}", "a number of 5000 digits"),
        (b"\xff\xfe{}", "is not the JSON of"),
    ],
    ids=lambda value: value[:12].decode("latin1") if isinstance(value, bytes) else "",
)
def test_files_that_are_no_export(content, message, tmp_path):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(InputError, match=message):
        vf.SpeakerBook(tmp_path / "b.book").import_json(tmp_path / "a.json")
    with pytest.raises(InputError, match="cannot be read"):
        vf.SpeakerBook(tmp_path / "b.book").import_json(tmp_path / "none.json")
    assert not (tmp_path / "b.book").exists()
