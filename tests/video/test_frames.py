"""Videos of every kind become grey frames at even times, or an error that says what is wrong."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
import soundfile as sf

from voxfield.errors import InputError
from voxfield.video import open_video
from voxfield.video.frames import _upright


def written(path, times, size=(64, 48), rotation=0, rate=30):
    """A video whose frame n is of grey 8 * n."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height = size
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.bit_rate = 4_000_000
        for number, time_s in enumerate(times):
            image = np.full((size[1], size[0], 3), 8 * number % 256, np.uint8)
            image[: size[1] // 4] = 255  # the upper edge is white
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(1000 * time_s), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def shades(path):
    with open_video(path) as video:
        frames = list(video.frames())
    return [frame.time_s for frame in frames], [round(float(frame.grey[-8:].mean()) / 8) for frame in frames], video


def test_frames_of_an_even_video(tmp_path):
    times, grey, video = shades(written(tmp_path / "a.mp4", np.arange(20) / 30))
    assert np.allclose(times, np.arange(20) / 30, atol=0.002) and video.rate_hz == pytest.approx(30, rel=0.1)
    assert grey == pytest.approx(list(range(20)), abs=1)


def test_a_frame_that_is_missing_is_the_one_before_it(tmp_path):
    own = [number / 30 for number in range(30) if number not in (10, 11)]
    times, grey, _ = shades(written(tmp_path / "a.mkv", own))
    assert len(times) == 30 and np.allclose(np.diff(times), 1 / 30)
    assert grey[9:12] == [grey[9]] * 3


def test_a_fast_video_is_thinned_out(tmp_path):
    times, _, video = shades(written(tmp_path / "a.mp4", np.arange(60) / 120, rate=120))
    assert video.rate_hz == pytest.approx(30, rel=0.1) and len(times) == pytest.approx(15, abs=1)


def test_a_large_frame_is_scaled_down(tmp_path):
    with open_video(written(tmp_path / "a.mp4", [0, 1 / 30], size=(3840, 2160))) as video:
        assert next(video.frames()).grey.shape == (540, 960)


def test_a_folder_of_pictures_is_read_in_the_order_of_its_numbers(tmp_path):
    for number in (1, 2, 10, 9):
        cv2.imwrite(str(tmp_path / f"img{number}.png"), np.full((40, 40), 10 * number, np.uint8))
    with open_video(tmp_path, 25) as video:
        assert [int(frame.grey[0, 0]) for frame in video.frames()] == [10, 20, 90, 100]
    with pytest.raises(InputError, match="frames a second must be given: --fps"):
        open_video(tmp_path)
    (tmp_path / "img11.png").write_bytes(b"")
    with open_video(tmp_path, 25) as video, pytest.raises(InputError, match=r"img11\.png is not a picture"):
        list(video.frames())


def test_what_is_no_video_is_said(tmp_path):
    sound, text, empty = tmp_path / "a.ogg", tmp_path / "a.mp4", tmp_path / "b.mp4"
    sf.write(sound, np.zeros(8000), 16000)
    text.write_text("no video")
    empty.write_bytes(b"")
    (tmp_path / "folder").mkdir()
    for path, message in (
        (sound, "holds no pictures, but audio"),
        (text, "not a video that can be read"),
        (empty, "not a video that can be read"),
        (tmp_path / "none.mp4", "does not exist"),
    ):
        with pytest.raises(InputError, match=message):
            open_video(path)
    with pytest.raises(InputError, match="holds no pictures"):
        open_video(tmp_path / "folder", 25)
    with pytest.raises(InputError, match="carries its own"):
        open_video(text, 25)


def test_of_a_damaged_video_what_can_be_read_is_read(tmp_path):
    path = written(tmp_path / "a.mkv", np.arange(40) / 30)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    times, _, _ = shades(path)
    assert 5 < len(times) < 40
    path.write_bytes(content[:700])
    with pytest.raises(InputError, match=r"not a video|damaged before|no frame"), open_video(path) as video:
        list(video.frames())


@pytest.mark.parametrize(("turned", "corner"), [(0, (0, 0)), (90, (-1, 0)), (-90, (0, -1)), (180, (-1, -1))])
def test_a_frame_is_turned_upright_as_its_file_says(turned, corner):
    class Turned:
        """A frame of a phone held upright: PyAV says by how many degrees to turn it, against the clock."""

        width, height, rotation = 40, 20, turned

        def reformat(self, **_):
            return self

        def to_ndarray(self):
            image = np.zeros((20, 40), np.uint8)
            image[0, 0] = 255
            return image

    upright = _upright(Turned())
    assert upright.shape == ((20, 40) if turned in (0, 180) else (40, 20)) and upright[corner] == 255
