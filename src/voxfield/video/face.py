"""Where the face is: found by OpenCV's cascades, turned and scaled so that the eyes lie where they do in each crop."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxfield.errors import InputError
from voxfield.video.frames import Image, load_cv2

FACE_PX = 128  # side of the crop
EYES = ((0.31, 0.37), (0.69, 0.37))  # of the crop, where the eyes come to lie: x and y of the left and the right one
_SEARCH_PX = 320  # longer side of the image that is searched
_EYE_DISTANCE = (0.25, 0.6)  # of the width of the box; what is found beyond is no pair of eyes


class Box(NamedTuple):
    """A rectangle in pixels of the frame: left, top, width, height."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the rectangle."""
        return self.x + self.width / 2, self.y + self.height / 2

    def near(self, other: Box, share: float) -> bool:
        """Whether two boxes differ by less than a share of their width, in place and size."""
        (ax, ay), (bx, by) = self.centre, other.centre
        return max(abs(ax - bx), abs(ay - by), abs(self.width - other.width)) < share * self.width


class Place(NamedTuple):
    """How a face lies in the frame: the box, and the matrix (2, 3) that turns the frame into the crop."""

    box: Box
    matrix: NDArray[np.float64]

    def crop(self, grey: Image) -> Image:
        """The face, (128, 128) uint8."""
        cv2 = load_cv2("cutting out faces")
        size, edge = (FACE_PX, FACE_PX), cv2.BORDER_REPLICATE
        cut: Image = cv2.warpAffine(grey, self.matrix, size, flags=cv2.INTER_LINEAR, borderMode=edge)
        return cut


class FaceFinder:
    """Finds faces; `found` are the boxes of the last image, the largest first."""

    def __init__(self) -> None:
        cv2 = load_cv2("finding faces")
        if not hasattr(cv2, "CascadeClassifier"):
            raise InputError(
                f"OpenCV {cv2.__version__} has no cascades to find faces with: pip install 'opencv-python-headless<5', "
                "or name the place of the face with --face X,Y,WIDTH,HEIGHT"
            )
        self._faces = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_alt2.xml")
        self._eyes = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_eye_tree_eyeglasses.xml")
        self.found: list[Box] = []

    def place(self, grey: Image) -> Place | None:
        """The largest face of an image (H, W) uint8, or None."""
        cv2 = load_cv2("finding faces")
        scale = min(1.0, _SEARCH_PX / max(grey.shape))
        small = cv2.equalizeHist(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
        least = max(24, round(min(small.shape) * 0.12))
        boxes = self._faces.detectMultiScale(small, 1.1, 4, minSize=(least, least))
        self.found = sorted((Box(*(float(v) / scale for v in box)) for box in boxes), key=lambda box: -box.width)
        if not self.found:
            return None
        box = self.found[0]
        return Place(box, aligned(box, self._pair(grey, box)))

    def _pair(self, grey: Image, box: Box) -> NDArray[np.float64] | None:
        """Middles of the left and the right eye, (2, 2), where the cascade finds one in each half."""
        left, top, side = int(max(box.x, 0)), int(max(box.y, 0)), int(box.width)
        upper = grey[top : top + int(side * 0.6), left : left + side]
        if min(upper.shape) < 24:
            return None
        least = max(8, side // 8)
        boxes = self._eyes.detectMultiScale(upper, 1.1, 3, minSize=(least, least))
        eyes = [(x + w / 2, y + h / 2, w) for x, y, w, h in boxes]
        halves = [[eye for eye in eyes if (eye[0] < side / 2) == first] for first in (True, False)]
        if not all(halves):
            return None
        pair = np.array([max(half, key=lambda eye: eye[2])[:2] for half in halves]) + np.array([left, top])
        apart = float(np.hypot(*(pair[1] - pair[0]))) / side
        level = abs(pair[1][1] - pair[0][1]) < 0.35 * side
        return pair if _EYE_DISTANCE[0] <= apart <= _EYE_DISTANCE[1] and level else None


def aligned(box: Box, eyes: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """The matrix (2, 3) from frame to crop that brings the eyes to their places; without them those of the box."""
    if eyes is None:
        eyes = np.array([[box.x + x * box.width, box.y + y * box.height] for x, y in EYES])
    (ax, ay), (bx, by) = eyes
    (cx, cy), (dx, dy) = np.array(EYES) * FACE_PX
    turn = complex(dx - cx, dy - cy) / complex(bx - ax, by - ay)  # turns and scales
    moved = complex(cx, cy) - turn * complex(ax, ay)
    return np.array([[turn.real, -turn.imag, moved.real], [turn.imag, turn.real, moved.imag]])


def within(box: Box, grey: Image, scale: float) -> Box:
    """The box in the pixels of an image, of which there are `scale` for each of the box's.

    Raises:
        InputError: its middle lies beside the image.
    """
    (x, y), (height, width) = box.centre, np.divide(grey.shape, scale)
    if not (0 <= x <= width and 0 <= y <= height):
        given = ",".join(f"{value:g}" for value in box)
        raise InputError(f"a face at {given} lies outside the frame, which has {width:.0f} x {height:.0f} pixels")
    return Box(*(scale * value for value in box))


def boxed(box: Box) -> Place:
    """The place of a face whose box is known."""
    return Place(box, aligned(box))


def whole_frame(grey: Image) -> Place:
    """The place of a face that fills its image, as in pictures that were cut before."""
    height, width = grey.shape
    matrix = np.array([[FACE_PX / width, 0, 0], [0, FACE_PX / height, 0]])
    return Place(Box(0, 0, width, height), matrix)


def parse_box(text: str) -> Box:
    """The box written as `X,Y,WIDTH,HEIGHT`.

    Raises:
        InputError: it is not.
    """
    try:
        box = Box(*(float(number) for number in text.split(",")))
    except (TypeError, ValueError):
        box = Box(0, 0, 0, 0)
    if not (np.isfinite(box).all() and box.width >= 24 and box.height >= 24):
        raise InputError(f"a face is auto, whole, or X,Y,WIDTH,HEIGHT in pixels, 24 or wider; not '{text}'")
    return box
