"""The recordings of a recipe: what is held out for validation, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

from voxfield.errors import InputError, RecipeError
from voxfield.train.data.mixing import MixConfig
from voxfield.train.data.sources import Clip, read_source, without_held_out
from voxfield.train.data.split import open_banks
from voxfield.train.recipe import DataConfig
from voxfield.train.tasks.enhance import make_mixer


def clips(groups, each):
    return [Clip(f"{group}-{take}.wav", str(group)) for group in range(groups) for take in range(each)]


@pytest.mark.parametrize(
    "groups, each, held_out", [(40, 3, 12), (8, 2, 8), (4, 25, 8), (1, 30, 3), (12, 1, 1), (1, 2, 1)]
)
def test_a_part_is_held_out(groups, each, held_out):
    training, validation = without_held_out(clips(groups, each))
    assert len(validation) == held_out and len(training) + len(validation) == groups * each
    assert not {clip.path for clip in training} & {clip.path for clip in validation}
    if groups == 40:
        assert not {clip.group for clip in training} & {clip.group for clip in validation}


def test_validation_of_folders_is_not_training_data(sounds, tmp_path):
    data = DataConfig((f"{sounds}/speech",), (f"{sounds}/noise",), cache=str(tmp_path))
    banks = [open_banks(data, 16000, split) for split in (data.train_split, data.valid_split)]
    for kind in ("speech", "noise"):
        training, validation = ({clip.path for clip in getattr(bank, kind).clips} for bank in banks)
        assert training and validation and not training & validation
    assert len(open_banks(data, 16000, "").speech) == 16  # no split: everything


def test_a_single_recording_cannot_be_both():
    with pytest.raises(InputError, match="is all that its source holds"):
        without_held_out(clips(1, 1))


def test_one_folder_of_clean_speech_is_enough(tmp_path):
    """Files of no known speaker are one group, from which babble is made as well."""
    rng = np.random.default_rng(0)
    for kind in ("speech", "noise"):
        (tmp_path / kind).mkdir()
        for number in range(3):
            soundfile.write(tmp_path / kind / f"{number}.wav", 0.1 * rng.standard_normal(8000), 16000)
    data = DataConfig((f"{tmp_path}/speech",), (f"{tmp_path}/noise",), cache=str(tmp_path / "cache"))
    mixer = make_mixer(data, replace(MixConfig(duration_s=0.5), babble=1.0), 16000, 0, "train")
    for index in range(10):
        noisy, clean = mixer.mix(0, index)
        assert np.isfinite(noisy).all() and len(noisy) == len(clean) == 8000


def test_missing_data_is_named(sounds, tmp_path):
    data = DataConfig((f"{sounds}/speech",), cache=str(tmp_path))
    with pytest.raises(RecipeError, match=r"data\.noise is empty"):
        make_mixer(data, MixConfig(), 16000, 0, "train")
    with pytest.raises(RecipeError, match=r"data\.speech is empty"):
        open_banks(DataConfig(), 16000, "train")
    (tmp_path / "phone").mkdir()
    (tmp_path / "phone" / "a.m4a").touch()
    with pytest.raises(InputError, match=r"phone holds no speech .* files that end in \.wav"):
        open_banks(DataConfig((str(tmp_path / "phone"),)), 16000, "train")
    wav = next((sounds / "speech").rglob("*.wav"))
    (tmp_path / "list.csv").write_text(f"path,dynamic_db\n{wav},12\n{wav},20\n")
    with pytest.raises(RecipeError, match=r"none of 1 recordings.*min_dynamic_db"):
        open_banks(DataConfig((str(tmp_path / "list.csv"),), cache=str(tmp_path)), 16000, "train")


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.jsonl", b'{"audio_filepath": "a.wav"}\n{"audio_filepath": ', "row 2"),
        ("a.jsonl", b'{"audio_filepath": "a.wav", "offset": "soon"}', "row 1: could not convert"),
        ("a.jsonl", b'[1]', "row 1: it is no object"),
        ("a.jsonl", b'{"audio_filepath": 5}', "row 1: no 'audio_filepath'"),
        ("a.jsonl", b"\xff", "cannot read"),
        ("a.csv", b"path,duration\na.wav,long", "row 1: could not convert"),
        ("a.csv", b"path,offset\na.wav,-1", "row 1: .*an offset of 0 or more"),
        ("a.csv", b"path,duration\na.wav,nan", "row 1: .*a duration above 0"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_read_is_named(name, content, message, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_source(tmp_path / name, "speech")


def test_a_data_folder_of_kaldi_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "wav.scp").write_bytes(b"a \xff.wav")
    with pytest.raises(InputError, match="cannot read"):
        read_source(tmp_path, "speech")
    (tmp_path / "wav.scp").write_text("a a.wav")
    with pytest.raises(InputError, match=r"cannot read .*utt2spk: No such file or directory$"):
        read_source(tmp_path, "speech")


def test_sources_below_the_home_folder_and_files_of_macos(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for path in ("anna/1.wav", "anna/._1.wav"):
        (tmp_path / "speech" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "speech" / path).touch()
    assert [clip.path for clip in read_source("~/speech", "speech")] == [str(tmp_path / "speech/anna/1.wav")]


def test_a_data_folder_of_kaldi_names_speakers_and_cuts(sounds, tmp_path, capsys):
    one = sounds / "speech" / "s0" / "0.wav"
    (tmp_path / "wav.scp").write_text(f"r1 {one}\nr2 {sounds / 'speech' / 's1' / '0.wav'}\n")
    (tmp_path / "utt2spk").write_text("r1 anna\nr2 bo\n")
    first = read_source(tmp_path, "speech")[0]
    assert (first.path, first.group) == (str(one), "anna")
    (tmp_path / "utt2spk").write_text("r2 bo\n")
    assert [clip.group for clip in read_source(tmp_path, "speech")] == ["bo"]
    assert "1 of 2 utterances, such as r1, have no speaker in utt2spk and are left out" in capsys.readouterr().err
    (tmp_path / "utt2spk").write_text("u1 anna\nu2 anna\n")
    (tmp_path / "segments").write_text("u1 r1 0.1 0.3\nu2 r2 0 0.5\n")
    data = DataConfig((str(tmp_path),), valid_split="", cache=str(tmp_path / "cache"))
    bank = open_banks(data, 16000, "").speech
    assert [bank.samples(0), bank.samples(1), len(bank.groups)] == [3200, 8000, 1]
    assert np.array_equal(bank.clip(0), np.float32(soundfile.read(one)[0][1600:4800]))


@pytest.mark.parametrize(
    ("scp", "segments", "message"),
    [
        ("r1 touch {folder}/ran |\n", "", "is not run"),
        ("r2 a.wav\n", "", "no recording r1"),
        ("r1 a.wav\n", "r1 r1 soon 2\n", "no recording, start and end of r1"),
        ("r1 a.wav\n", "r1 r1 2 1\n", r"a\.wav cannot be cut .*a duration above 0"),
    ],
)
def test_a_data_folder_of_kaldi_that_cannot_be_used_is_refused(scp, segments, message, tmp_path):
    (tmp_path / "wav.scp").write_text(scp.format(folder=tmp_path))
    (tmp_path / "utt2spk").write_text("r1 anna\n")
    if segments:
        (tmp_path / "segments").write_text(segments)
    with pytest.raises(InputError, match=message):
        read_source(tmp_path, "speech")
    assert not (tmp_path / "ran").exists()


def test_speakers_are_the_folders_of_a_level(tmp_path):
    path = tmp_path / "id1" / "video" / "1.wav"
    path.parent.mkdir(parents=True)
    soundfile.write(path, np.zeros(800), 16000)
    assert [read_source(tmp_path, "speech", level=level)[0].group for level in (0, 1, 2)] == ["video", "id1", "video"]
    for level in (3, -3):
        with pytest.raises(InputError, match="lies 2 folders below"):
            read_source(tmp_path, "speech", level=level)


def test_a_recording_that_is_listed_twice_is_not_in_both_splits():
    training, validation = without_held_out([*clips(3, 6), *clips(3, 6)])
    assert len(training) == 15 and len(validation) == 3 and not {*training} & {*validation}


def test_rows_of_no_split_are_in_neither_where_others_name_one(tmp_path):
    (tmp_path / "a.csv").write_text("path,split\na.wav,train\nb.wav,valid\nc.wav\nd.wav,test\n")
    (tmp_path / "b.jsonl").write_text('{"audio_filepath": "a.wav", "split": "train"}\n{"audio_filepath": "c.wav"}\n')
    for name in ("a.csv", "b.jsonl"):
        assert [clip.path for clip in read_source(tmp_path / name, "speech", "train")] == [str(tmp_path / "a.wav")]
    with pytest.raises(InputError, match=r"no speech of split 'valid', but of train; set data\.train_split"):
        read_source(tmp_path / "b.jsonl", "speech", "valid")
    (tmp_path / "c.csv").write_text("path,split\na.wav\nb.wav,\n")
    assert len(read_source(tmp_path / "c.csv", "speech", "train")) == 2  # nothing names a split
