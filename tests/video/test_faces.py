"""Made faces are found and brought to their place; their movements come out of the flow, those of the head do not."""

import cv2
import numpy as np
import pytest

from voxfield.errors import InputError
from voxfield.video import FACE_PX, FaceFinder, FlowImages, boxed, parse_box, whole_frame
from voxfield.video.face import Box, aligned
from voxfield.video.flow import SCALE_PX, strain
from voxfield.video.made_faces import MOVES, Expression, MadeClip, Making

STILL = Making(duration_s=0.2, expressions=(0, 0), blinks_each_s=0, drift=0, turn_degrees=0, light=0, noise=(1, 1))


def first_frame(seed=0, making=STILL):
    return next(MadeClip(seed, making).frames()).grey


def test_the_face_is_found_where_it_is():
    finder = FaceFinder()
    place = finder.place(first_frame())
    assert place is not None and np.allclose(place.box.centre, (320, 240), atol=20) and len(finder.found) == 1
    assert place.crop(first_frame()).shape == (FACE_PX, FACE_PX)


def test_no_face_in_noise_and_the_largest_of_two():
    finder = FaceFinder()
    assert finder.place(np.random.default_rng(0).integers(0, 255, (240, 320), np.uint8)) is None
    small = cv2.resize(first_frame(1), (320, 240))
    both = np.concatenate([first_frame()[:, 100:540], np.pad(small, ((120, 120), (0, 0)), "edge")], axis=1)
    place = finder.place(both)
    assert place is not None and len(finder.found) == 2 and place.box.centre[0] < 440


def test_eyes_come_to_their_place_whatever_the_tilt():
    eyes = np.array([[100.0, 80.0], [160.0, 100.0]])
    matrix = aligned(Box(80, 40, 120, 120), eyes)
    placed = np.c_[eyes, [1, 1]] @ matrix.T / FACE_PX
    assert np.allclose(placed, [(0.31, 0.37), (0.69, 0.37)])


def test_a_face_that_fills_its_frame_and_one_whose_place_is_given():
    grey = first_frame(0, Making(**{**STILL.__dict__, "size": (250, 250)}))
    whole, given = whole_frame(grey).crop(grey), boxed(Box(0, 0, 250, 250)).crop(grey)
    assert np.abs(whole.astype(float) - given).mean() < 2


@pytest.mark.parametrize("text", ["", "1,2,3", "1,2,3,4", "a,b,c,d", "0,0,nan,100", "0,0,1e999,100"])
def test_what_is_no_place(text):
    with pytest.raises(InputError, match="a face is auto, whole, or X,Y,WIDTH,HEIGHT"):
        parse_box(text)


def crops_of(move, amount=0.02):
    """The face at rest and at the height of a movement."""
    clip = MadeClip(3, Making(**{**STILL.__dict__, "duration_s": 0.4, "size": (300, 320)}))
    clip.expressions = (Expression(move, 0.1, 0.3, 0.5, amount),)
    frames = [frame.grey for frame, _ in zip(clip.frames(), range(11), strict=False)]
    place = boxed(Box(25, 35, 250, 250))
    return place.crop(frames[0]), place.crop(frames[9])


@pytest.mark.parametrize("move", MOVES)
def test_a_movement_is_in_the_image_and_rest_is_not(move):
    flow = FlowImages()
    rest, moved = crops_of(move)
    assert np.abs(flow.image(rest, moved)).max() > 2 * np.abs(flow.image(rest, crops_of(move, 0)[1])).max()


def test_the_image_has_the_size_of_the_movement():
    rest, moved = crops_of("brows up")
    up = -flow_of(rest, moved)[1, :21].min() * SCALE_PX
    assert up == pytest.approx(0.02 * 128, rel=0.4)  # less under the mean over 2 x 2 pixels


def test_the_motion_of_the_head_is_taken_off():
    rest, _ = crops_of("smile")
    moved = np.roll(rest, (1, 2), axis=(0, 1))
    assert np.abs(flow_of(rest, moved)[:2, :, 4:-4]).mean() * SCALE_PX < 0.25


def flow_of(first, second):
    return FlowImages().image(first, second)


def test_strain_is_that_of_its_definition():
    y, x = np.mgrid[:8, :8].astype(float)
    flow = np.stack([0.1 * x + 0.3 * y, 0.2 * y], -1)
    assert np.allclose(strain(flow), np.sqrt(0.1**2 + 0.2**2 + 0.5 * 0.3**2))
    assert np.allclose(strain(np.ones((8, 8, 2))), 0)
