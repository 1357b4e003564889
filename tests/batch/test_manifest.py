"""Manifests: what each kind gives, and that a broken row is a row with a problem."""

import json
import os
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import soundfile as sf

from voxfield.audio import open_source
from voxfield.batch.manifest import count_rows, rows
from voxfield.batch.segment import Segment
from voxfield.errors import AudioError, InputError


def test_json_lines_name_recordings_segments_and_results(manifest, tmp_path):
    path = manifest(
        [
            {"audio_filepath": "deep/a.wav", "duration": 2.5},
            {"audio_filepath": "/else/where/b.flac", "id": "talk/../1"},
            {"audio_filepath": "a.wav", "offset": 1, "duration": 0.5},
            {"path": f"{tmp_path}/c.mp3", "id": 7},
            {"audio_filepath": "s3://bucket/x/d.wav"},
            "",
            {"audio_filepath": "https://host/e.ogg?token=1"},
        ]
    )
    found = list(rows(str(path)))
    assert [(row.path, row.name) for row in found] == [
        (f"{tmp_path}/deep/a.wav", "deep/a.wav"),
        ("/else/where/b.flac", "talk/1.flac"),
        (f"{tmp_path}/a.wav", "a-1.000-0.500.wav"),
        (f"{tmp_path}/c.mp3", "7.mp3"),
        ("s3://bucket/x/d.wav", "bucket/x/d.wav"),
        ("https://host/e.ogg?token=1", "host/e.ogg"),
    ]
    assert [row.number for row in found] == [1, 2, 3, 4, 5, 7]
    assert (found[0].offset_s, found[0].duration_s) == (None, 2.5) and (found[2].offset_s, found[2].duration_s) == (
        1,
        0.5,
    )


BROKEN = [
    ('{"audio_filepath": "a.wav"', "Expecting"),
    ("[" * 5000, "recursion|Expecting"),
    ('{"duration": 3}', "names no recording"),
    ('{"audio_filepath": "a.wav", "offset": "1"}', "'offset' must be a number of seconds"),
    ('{"audio_filepath": "a.wav", "duration": -1}', "'duration' must be a number of seconds"),
    ('{"audio_filepath": "a.wav", "offset": NaN}', "'offset' must be a number of seconds"),
    ('"a.wav"', "no object"),
    ('{"audio_filepath": "a.wav", "id": "../.."}', "gives no name"),
]


@pytest.mark.parametrize("line, problem", BROKEN)
def test_a_broken_row_is_one_row_of_the_stream(line, problem, manifest):
    found = list(rows(str(manifest([{"audio_filepath": "a.wav"}, line, {"audio_filepath": "b.wav"}]))))
    assert [bool(row.problem) for row in found] == [False, True, False]
    assert re.search(problem, found[1].problem) and found[1].number == 2


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "m.jsonl").write_bytes(b'\xff\xfe\n{"audio_filepath": "a.wav"}\n')
    assert [bool(row.problem) for row in rows(str(tmp_path / "m.jsonl"))] == [True, False]


def test_wav_scp_and_its_commands_which_are_not_run(manifest):
    lines = ["utt1 a/b.wav", "utt2 sph2pipe -f wav x.sph |", "utt3", "utt4\t a b.wav"]
    found = list(rows(str(manifest(lines, "wav.scp"))))
    assert (found[0].name, found[0].problem) == ("utt1.wav", "")
    assert "never run" in found[1].problem and "names no recording" in found[2].problem
    assert (found[3].name, found[3].problem) == ("utt4.wav", "") and found[3].path.endswith("/a b.wav")


def test_parquet_row_groups(tmp_path):
    table = pyarrow.table({"audio_filepath": ["a.wav", None, "c.wav"], "duration": [1.0, 2.0, 3.0], "other": [1, 2, 3]})
    pyarrow.parquet.write_table(table, tmp_path / "m.parquet", row_group_size=1)
    found = list(rows(str(tmp_path / "m.parquet")))
    assert [row.name for row in found] == ["a.wav", "", "c.wav"] and found[1].problem
    (tmp_path / "m.parquet").write_bytes(b"no")
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        list(rows(str(tmp_path / "m.parquet")))


def test_folders_are_walked_without_results_and_leftovers(tmp_path):
    for name in ("b/x.wav", "a.flac", "a_enhance.flac", "c_enhance.wav", "out/z.wav", "notes.txt", "._a.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = list(rows(str(tmp_path), below=str(tmp_path / "out"), ending="enhance"))
    assert [row.name for row in found] == ["a.flac", "c_enhance.wav", "b/x.wav"]


def test_a_name_that_is_not_utf8_is_one_row_of_the_stream(tmp_path, manifest):
    for name in (b"caf\xe9.wav", "café.wav".encode()):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    found = {row.name: row.problem for row in rows(str(tmp_path))}
    assert found.keys() == {"", "café.wav"} and r"caf\udce9.wav is not UTF-8" in found[""]
    (row,) = rows(str(manifest([{"audio_filepath": "a.wav", "id": "\udce9"}])))
    assert "not UTF-8" in row.problem


def test_what_is_no_manifest(tmp_path):
    (tmp_path / "empty").mkdir()
    for given in (tmp_path / "none.jsonl", tmp_path / "x.txt", tmp_path / "empty"):
        with pytest.raises(InputError):
            list(rows(str(given)))


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_a_segment_is_that_part_of_the_recording(suffix, tmp_path, speech):
    sf.write(tmp_path / f"a{suffix}", speech(2, 40_000).T, 16000)
    whole = sf.read(tmp_path / f"a{suffix}", dtype="float32")[0].T
    with Segment(open_source(tmp_path / f"a{suffix}"), 0.75, 0.5) as part:
        blocks = [block for block in part.blocks(3001)]
        assert part.count_samples == 8000 and sum(block.shape[1] for block in blocks) == 8000 and part.notes() == []
    assert np.array_equal(np.concatenate(blocks, axis=1), whole[:, 12_000:20_000])
    with Segment(open_source(tmp_path / f"a{suffix}"), 2.0, 9.0) as part:
        assert sum(block.shape[1] for block in part.blocks()) == 8000
        assert "0.500 s could be read of the 9.000 s" in part.notes()[0]
    with pytest.raises(AudioError, match=r"ends before 2\.5 s"):
        Segment(open_source(tmp_path / f"a{suffix}"), 2.5, None)


def test_a_segment_without_an_end_says_where_the_recording_is_cut_short(tmp_path, speech):
    sf.write(tmp_path / "a.flac", speech(1, 40_000).T, 16000)
    content = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(content[: len(content) // 2])
    with Segment(open_source(tmp_path / "a.flac"), 0.25, None) as part:
        assert sum(block.shape[1] for block in part.blocks()) < 36_000
        assert "could be read of the 2.250 s that were asked for from 0.25 s on" in part.notes()[0]


def test_a_million_rows_take_the_memory_of_one(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text((json.dumps({"audio_filepath": "a.wav", "id": "x" * 50}) + "\n") * 5_000)
    tracemalloc.start()
    for row in rows(str(path)):
        assert row.path
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4e5


def test_rows_are_counted_for_the_bar(manifest, tmp_path):
    (tmp_path / "x.wav").touch()
    assert count_rows(str(manifest([{"audio_filepath": "a.wav"}, "", "broken"]))) == 2
    assert count_rows(str(tmp_path)) == 1 and count_rows("s3://bucket/m.jsonl") is None
