"""The whole way of a video: the face is found, its flow scored, and what happens in it comes out as intervals."""

import csv

import av
import cv2
import numpy as np
import pytest

from voxfield.errors import InputError, OutputError
from voxfield.metrics.spotting import Spots, spots
from voxfield.tasks.spotting.report import page
from voxfield.tasks.spotting.video import Tracker, frames_apart, spot, spotting_engine
from voxfield.video import open_video
from voxfield.video.made_faces import Expression, MadeClip, Making

SHORT = Making(duration_s=2.0, expressions=(1, 1), size=(420, 360))


def made(*seeds, making=SHORT):
    """What is spotted in made clips, and the sums of right and wrong."""
    total, found = Spots(0, 0, 0), []
    for seed in seeds:
        clip = MadeClip(seed, making)
        found.append(spot(clip))
        truth = [(one.onset_s, one.offset_s) for one in clip.expressions]
        total += spots(truth, [(one.onset_s, one.offset_s) for one in found[-1].expressions])
    return found, total


def test_expressions_of_fresh_clips_are_found():
    found, total = made(*range(3_000_000, 3_000_006))
    assert total.f1 >= 0.8 and total.found >= 5
    assert all(one.onset_s < one.apex_s < one.offset_s for each in found for one in each.expressions)


def test_a_face_at_rest_shows_nothing_though_it_blinks_and_drifts():
    resting = Making(duration_s=3.0, expressions=(0, 0), size=(420, 360), blinks_each_s=1.0)
    assert made(3_000_100, making=resting)[1] == Spots(0, 0, 0)


def written(path, clip, fps=30):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=fps)
        stream.width, stream.height, stream.bit_rate, stream.pix_fmt = *clip.making.size, 8_000_000, "yuv420p"
        for frame in clip.frames():
            rgb = np.repeat(frame.grey[..., None], 3, axis=2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode())
    return path


def test_a_file_gives_what_its_frames_give_and_is_saved_as_a_table(tmp_path):
    clip = MadeClip(3_000_001, SHORT)
    path = written(tmp_path / "clip.mp4", clip)
    found = spot(path)
    assert len(found.expressions) == 1 and found.duration_s == pytest.approx(2.0, abs=0.05)
    (truth,) = clip.expressions
    assert spots([(truth.onset_s, truth.offset_s)], [found.expressions[0][::2]]) == Spots(1, 0, 0)
    rows = list(csv.reader(found.save(tmp_path / "clip.csv").open()))
    assert rows[0] == ["onset_s", "apex_s", "offset_s", "confidence"] and len(rows) == 2
    with pytest.raises(OutputError, match="exists already"):
        found.save(tmp_path / "clip.csv")
    shown = page(found, title="<clip>")
    assert "&lt;clip&gt;" in shown and f"{found.expressions[0].onset_s:.2f}" in shown


def test_the_place_of_a_face_is_said_in_pixels_of_the_video(tmp_path):
    corner = np.zeros((1080, 1920), np.uint8)
    corner[600:1000, 1200:1600] = 200
    cv2.imwrite(str(tmp_path / "1.png"), corner)
    with open_video(tmp_path, 25) as video:
        (frame,) = video.frames()
        crop, _ = Tracker("1200,600,400,400", 25).crop(frame.grey, video.scale)
        assert crop is not None and crop[4:-4, 4:-4].min() == 200
        with pytest.raises(
            InputError, match="a face at 2000,600,400,400 lies outside the frame, which has 1920 x 1080"
        ):
            Tracker("2000,600,400,400", 25).crop(frame.grey, video.scale)


def test_what_cannot_be_spotted_in_is_said():
    noise = MadeClip(0, Making(duration_s=0.5, face_px=8, size=(320, 240)))
    with pytest.raises(InputError, match="made clip 0 shows no face"):
        spot(noise)
    few = spot(MadeClip(0, Making(duration_s=0.1, size=(300, 320))), face="25,35,250,250")
    assert few.expressions == () and np.isnan(few.scores).all() and any("too few" in note for note in few.notes)
    with pytest.raises(InputError, match="an expression lasts"):
        spot(MadeClip(0, SHORT), lasts_s=60)
    with pytest.raises(InputError, match="is a model to enhance"):
        spotting_engine("crn-tiny")


def test_a_face_that_leaves_is_not_scored_across():
    class Leaving(MadeClip):
        def frames(self):
            for number, frame in enumerate(super().frames()):
                yield frame if number < 30 else frame._replace(grey=np.full_like(frame.grey, 128))

    found = spot(Leaving(3_000_001, SHORT))
    assert np.isnan(found.scores[35:]).all() and any("no face in" in note for note in found.notes)


def test_frames_apart_follow_the_rate():
    assert [frames_apart(0.4, rate_hz) for rate_hz in (25, 30, 40)] == [5, 6, 8]


def test_movements_have_their_course():
    one = Expression("smile", 1.0, 1.2, 1.5, 0.02)
    assert [round(one.share(time_s), 3) for time_s in (0.5, 1.0, 1.1, 1.2, 1.5, 2.0)] == [0, 0, 0.5, 1, 0, 0]
