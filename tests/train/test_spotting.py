"""Training to spot expressions: folders as CAS(ME)^2 and SAMM-LV have them, and made clips."""

import cv2
import numpy as np
import openpyxl
import pytest

from voxfield.errors import InputError, RecipeError
from voxfield.train import recipe as recipes
from voxfield.train.data.expressions import Labelled, made, read_videos
from voxfield.train.data.flow_bank import flow_clips
from voxfield.train.loop import train
from voxfield.train.tasks.spotting import split, subject_spots
from voxfield.video.made_faces import Expression, MadeClip, Making

BRIEF = Making(duration_s=1.2, size=(300, 320), expressions=(0, 0), blinks_each_s=0, drift=0, turn_degrees=0, light=0)


def pictures(folder, seed, first=0.4, count=36, name="img{:03d}.jpg"):
    """A folder of pictures of a face that smiles at a known time."""
    folder.mkdir(parents=True)
    clip = MadeClip(seed, BRIEF)
    clip.expressions = (Expression("smile", first, first + 0.2, first + 0.4, 0.025),)
    for number, frame in enumerate(clip.frames(), 1):
        if number <= count:
            cv2.imwrite(str(folder / name.format(number)), frame.grey)


@pytest.fixture(scope="module")
def casme(tmp_path_factory):
    """Two subjects with a video each, laid out as CAS(ME)^2 is."""
    root = tmp_path_factory.mktemp("CASME_sq")
    pictures(root / "cropped" / "s15" / "15_0101disgustingteeth", 1)
    pictures(root / "cropped" / "s16" / "16_0502funnyerrors", 2)
    book = openpyxl.Workbook()
    rows = book.active
    rows.append([1, "disgust1_1", 13, 19, 25, "4", "negative", "micro-expression", "disgust"])
    rows.append([2, "happy2_3", 13, 19, 0, "12", "positive", "micro-expression", "happiness"])  # offset not known
    rows.append([2, "happy2_4", 1, 2, 3, "12", "positive", "macro-expression", "happiness"])
    subjects, names = book.create_sheet(), book.create_sheet()
    subjects.append([None, "s15", 1])
    subjects.append([None, "s16", 2])
    names.append(["0101", "disgust1"])
    names.append(["0502", "happy2"])
    book.save(root / "code_final.xlsx")
    return root


def test_the_layout_of_casme(casme):
    first, second = read_videos(casme, "micro")
    assert (first.subject, first.rate_hz, first.face) == ("s15", 30, "whole")
    assert first.intervals == ((12 / 30, 25 / 30),) and second.intervals == ((12 / 30, 19 / 30),)
    assert len(read_videos(casme)[1].intervals) == 2
    train_clips, valid_clips = split([first, second], "s16")
    assert [clip.subject for clip in train_clips] == ["s15"] and [clip.subject for clip in valid_clips] == ["s16"]
    with pytest.raises(RecipeError, match="two subjects or more"):
        split([first], "s15")


def test_the_layout_of_samm(tmp_path):
    (tmp_path / "SAMM_longvideos" / "006_1").mkdir(parents=True)
    book = openpyxl.Workbook()
    for _ in range(10):
        book.active.append(["a header"])
    book.active.append(["006", "006_1_2", 1, 201, 221, 241, 41, "Micro - 1/2", "AU4", None])
    book.active.append(["006", "006_1_3", 1, 1201, 1221, 1641, 441, "Macro", "AU4", None])
    book.save(tmp_path / "SAMM_LongVideos_V2_Release.xlsx")
    (clip,) = read_videos(tmp_path, "micro")
    assert (clip.subject, clip.rate_hz, clip.face) == ("006", 200, "auto") and clip.intervals == ((1.0, 241 / 200),)


def test_a_table_and_what_is_none(tmp_path):
    with pytest.raises(InputError, match="holds none of"):
        read_videos(tmp_path)
    table = tmp_path / "expressions.csv"
    table.write_text("path,subject,onset_s,offset_s,kind\na.mp4,anna,1,1.4,micro\na.mp4,anna,3,5,macro\nb.mp4,ben,,,\n")
    first, second = read_videos(tmp_path, "micro")
    assert first.intervals == ((1.0, 1.4),) and second.intervals == () and first.path == str(tmp_path / "a.mp4")
    table.write_text("path,subject,onset_s,offset_s\na.mp4,anna,soon,1.4\n")
    with pytest.raises(InputError, match="must be numbers of seconds"):
        read_videos(tmp_path)
    table.write_text("path,subject,onset_s,offset_s\na.mp4,anna,1.4,1\n")
    with pytest.raises(InputError, match=r"a\.mp4 has an expression from 1\.4 to 1 s"):
        read_videos(tmp_path)
    table.write_text("path,subject\na.mp4,anna\n")
    with pytest.raises(InputError, match="has no column 'onset_s'"):
        read_videos(tmp_path)
    table.write_bytes(b"path,subject\na.mp4,\xff")
    with pytest.raises(InputError, match="cannot read"):
        read_videos(tmp_path)
    (tmp_path / "expressions.csv").unlink()
    (tmp_path / "code_final.xlsx").write_bytes(b"no table")
    with pytest.raises(InputError, match="not an Excel table"):
        read_videos(tmp_path)


def test_a_subject_that_is_not_there_cannot_be_left_out():
    clips = [Labelled(str(number), f"s{number}", ()) for number in range(3)]
    assert [clip.subject for clip in split(clips, "s1")[1]] == ["s1"]
    with pytest.raises(RecipeError, match="there is no such subject; there are s0, s1, s2"):
        split(clips, "s9")


def test_pairs_are_labelled_where_they_share_a_frame(casme, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("voxfield.train.log.QUIET_S", 0.0)
    (clip, _) = flow_clips(read_videos(casme, "micro"), 0.4, tmp_path)
    assert "making images of flow of the videos: 1 of 2" in capsys.readouterr().err
    later = clip.frames[clip.labels] / 30
    assert later.min() == pytest.approx(12 / 30, abs=0.02) and later.max() == pytest.approx(25 / 30 + 0.2, abs=0.04)
    moved = np.abs(clip.images.astype(float)).mean(axis=(1, 2, 3))
    assert moved[clip.labels].max() > 1.5 * moved[~clip.labels].mean()
    again = flow_clips(read_videos(casme, "micro"), 0.4, tmp_path)[0]
    assert np.array_equal(again.images, clip.images) and len(list(tmp_path.glob("*.npy"))) == 2


def test_a_network_is_trained_on_such_a_folder(casme, tmp_path):
    overrides = [
        f'mix.videos=["{casme}"]', "mix.left_out=s16", f'data.cache="{tmp_path / "cache"}"', "train.steps=4",
        "train.decay_steps=2", "train.batch=4", "train.validate_items=1", "train.final_items=1",
    ]  # fmt: skip
    given = recipes.load("recipes/spot/mean-spot.toml", overrides)
    path = train(given, tmp_path / "run")
    assert sum(subject_spots(path)) >= 1  # one expression, found or missed


def test_made_clips_are_of_subjects_of_their_own():
    clips = made(2, 7, BRIEF)
    assert [clip.subject for clip in clips] == ["made 7", "made 8"] and clips[0].face == "auto"
