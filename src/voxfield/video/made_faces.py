"""Made clips of a face with small, brief movements at known times, over camera noise, head drift, blinks and changing
light: to train and to test on where no recordings can be had. A drawing, not a person: weights trained on it know
motion, not faces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from voxfield.video.face import EYES
from voxfield.video.frames import Video, load_cv2

BROW_Y, MOUTH_Y, NOSE_Y = 0.25, 0.77, 0.56  # of the face's square
_MOVES: dict[str, tuple[tuple[float, float, float, float], ...]] = {  # name -> (x, y, dx, dy) of each place that moves
    "brows up": ((0.31, 0.24, 0, -1), (0.69, 0.24, 0, -1)),
    "brow up": ((0.31, 0.24, 0, -1),),
    "brows down": ((0.35, 0.25, 0.5, 0.9), (0.65, 0.25, -0.5, 0.9)),
    "smile": ((0.36, 0.77, -0.8, -0.6), (0.64, 0.77, 0.8, -0.6)),
    "corner up": ((0.64, 0.77, 0.6, -0.8),),
    "corners down": ((0.36, 0.79, 0, 1), (0.64, 0.79, 0, 1)),
    "lips pressed": ((0.5, 0.73, 0, 0.9), (0.5, 0.83, 0, -0.9)),
}
MOVES = tuple(_MOVES)
_WIDE = 0.09  # standard deviation of a movement in space, of the face's width


class Expression(NamedTuple):
    """A movement: where, when (seconds; its strongest moment is the apex) and how far, of the face's width."""

    move: str
    onset_s: float
    apex_s: float
    offset_s: float
    amount: float

    def share(self, time_s: float) -> float:
        """How much of the movement has happened at a time, 0 to 1."""
        rising = np.clip((time_s - self.onset_s) / (self.apex_s - self.onset_s), 0, 1)
        falling = np.clip((self.offset_s - time_s) / (self.offset_s - self.apex_s), 0, 1)
        return float(0.5 - 0.5 * np.cos(np.pi * min(rising, falling)))


@dataclass(frozen=True)
class Making:
    """What made clips look like."""

    duration_s: float = 6.0
    rate_hz: float = 30.0
    size: tuple[int, int] = (640, 480)
    face_px: int = 250
    expressions: tuple[int, int] = (0, 3)  # how many, from and to
    lasts_s: tuple[float, float] = (0.3, 0.6)
    amount: tuple[float, float] = (0.012, 0.03)  # of the face's width
    blinks_each_s: float = 3.0
    drift: float = 0.02  # standard deviation of the head's place, of its width
    turn_degrees: float = 1.5  # and of its tilt
    light: float = 0.03
    noise: tuple[float, float] = (1.0, 4.0)  # standard deviation of each pixel, of 255


VARIED = Making(  # for training: more of everything than users' videos should hold
    size=(480, 400), amount=(0.008, 0.03), drift=0.03, turn_degrees=2.5, noise=(1.0, 8.0)
)


class MadeClip(Video):
    """A made clip; the same seed gives the same one.

    Attributes:
        expressions: what happens in it, in order.
    """

    def __init__(self, seed: int, making: Making = Making()) -> None:
        count = round(making.duration_s * making.rate_hz)
        super().__init__(f"made clip {seed}", making.rate_hz, count)
        self.making, self._count, self._rng = making, count, np.random.default_rng(seed)
        self.expressions = _expressions(self._rng, making)
        self._face = _drawn(self._rng, making.face_px)
        self._blinks = _times(self._rng, making.duration_s, making.blinks_each_s)

    def _read(self) -> Iterator:  # type: ignore[type-arg]
        making, rng = self.making, self._rng
        drift = [_wander(rng, self._count, making.rate_hz) for _ in range(4)]
        noise = rng.uniform(*making.noise)
        backdrop = _backdrop(rng, making.size)
        for number in range(self._count):
            x, y, turn, light = (curve[number] for curve in drift)
            frame = self._frame(number / making.rate_hz, backdrop, x, y, turn) * (1 + making.light * light)
            frame = frame + noise * rng.standard_normal(frame.shape, np.float32)
            image = frame.clip(0, 255).astype(np.uint8)
            yield number / making.rate_hz, lambda image=image: image

    def _frame(self, time_s: float, backdrop: NDArray[Any], x: float, y: float, turn: float) -> NDArray[Any]:
        cv2 = load_cv2("making clips")
        making, side = self.making, self.making.face_px
        moved = _moved(self._face, [(one, one.share(time_s)) for one in self.expressions])
        closed = max((_closed(time_s - begin) for begin in self._blinks), default=0.0)
        moved = _blink(moved, closed) if closed else moved
        width, height = making.size
        turned = cv2.getRotationMatrix2D((side / 2, side / 2), making.turn_degrees * turn, 1.0)
        turned[:, 2] += (width - side) / 2 + making.drift * side * x, (height - side) / 2 + making.drift * side * y
        placed = cv2.warpAffine(moved, turned, (width, height), flags=cv2.INTER_LINEAR, borderValue=(0, 0))
        image, mask = placed[..., 0], placed[..., 1]
        return backdrop * (1 - mask) + image * mask  # type: ignore[no-any-return]


def _expressions(rng: np.random.Generator, making: Making) -> tuple[Expression, ...]:
    made: list[Expression] = []
    for _ in range(int(rng.integers(making.expressions[0], making.expressions[1] + 1))):
        lasts = rng.uniform(*making.lasts_s)
        begin = rng.uniform(0.3, max(0.31, making.duration_s - lasts - 0.3))
        if all(begin > one.offset_s + 0.6 or begin + lasts < one.onset_s - 0.6 for one in made):
            apex = begin + lasts * rng.uniform(0.35, 0.6)
            made.append(Expression(str(rng.choice(MOVES)), begin, apex, begin + lasts, rng.uniform(*making.amount)))
    return tuple(sorted(made, key=lambda one: one.onset_s))


def _times(rng: np.random.Generator, duration_s: float, each_s: float) -> list[float]:
    count = int(rng.poisson(duration_s / each_s)) if each_s else 0
    return list(rng.uniform(0, duration_s, count))


def _closed(since_s: float) -> float:
    """How far the lids are down, 0 to 1: 0.2 s after a blink began they are open again."""
    return float(np.sin(np.pi * since_s / 0.2)) if 0 <= since_s <= 0.2 else 0.0


def _wander(rng: np.random.Generator, count: int, rate_hz: float) -> NDArray[Any]:
    """(count,) slow random movement of standard deviation 1, without anything above about 0.5 Hz."""
    points = max(4, int(count / rate_hz) + 3)
    knots = rng.standard_normal(points)
    smooth = np.interp(np.linspace(0, points - 1, count), np.arange(points), knots)
    kernel = np.hanning(max(3, int(rate_hz * 1.5)))
    kernel /= kernel.sum()
    return np.convolve(np.pad(smooth, len(kernel) // 2, "edge"), kernel, "valid")[:count]


def _texture(rng: np.random.Generator, shape: tuple[int, int], blur: float) -> NDArray[Any]:
    """Smooth noise of standard deviation 1."""
    cv2 = load_cv2("making clips")
    noise = cv2.GaussianBlur(rng.standard_normal(shape).astype(np.float32), (0, 0), blur)
    return noise / noise.std()  # type: ignore[no-any-return]


def _backdrop(rng: np.random.Generator, size: tuple[int, int]) -> NDArray[Any]:
    return (rng.uniform(90, 140) + 8 * _texture(rng, size[::-1], 40)).astype(np.float32)


def _drawn(rng: np.random.Generator, side: int) -> NDArray[Any]:
    """A face as (side, side, 2) float32: grey values, and 1 where the face is."""
    cv2 = load_cv2("making clips")
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    skin = rng.uniform(150, 190)

    def spot(cx: float, cy: float, wide: float, high: float) -> NDArray[Any]:
        return np.exp(-(((x - cx) / wide) ** 2) - ((y - cy) / high) ** 2)  # type: ignore[no-any-return]

    face = skin + 6 * _texture(rng, (side, side), 1.2) + 6 * _texture(rng, (side, side), 4)  # pores and shades
    face -= 30 * ((x - 0.5) ** 2 + (y - 0.5) ** 2) / 0.25
    for ex, ey in EYES:
        face -= 38 * spot(ex, ey - 0.01, 0.13, 0.07)  # the eye's hollow
        face += 70 * spot(ex, ey, 0.065, 0.026)  # its white
        face -= 150 * spot(ex, ey, 0.027, 0.03)
        face -= 80 * spot(ex, ey - 0.032, 0.075, 0.009)  # and its lid
        face -= 75 * spot(ex, BROW_Y + 0.03 * abs(ex - 0.5), 0.11, 0.02) * (1 + 0.25 * _texture(rng, (side, side), 1))
    face += 22 * spot(0.5, NOSE_Y - 0.12, 0.035, 0.14)  # the bridge of the nose
    for nx in (0.455, 0.545):
        face -= 60 * spot(nx, NOSE_Y + 0.03, 0.025, 0.015)
    face -= 60 * spot(0.5, MOUTH_Y, 0.17, 0.014)  # between the lips
    face -= 28 * spot(0.5, MOUTH_Y, 0.16, 0.05)
    face -= 20 * spot(0.5, 0.92, 0.12, 0.03)
    oval = ((x - 0.5) / 0.44) ** 2 + ((y - 0.5) / 0.56) ** 2
    mask = np.clip((1.02 - oval) / 0.04, 0, 1)
    hair = np.clip((0.13 - y) / 0.03, 0, 1)
    face = face * (1 - hair) + hair * (60 + 10 * _texture(rng, (side, side), 1.5))
    return cv2.merge([face.astype(np.float32), mask.astype(np.float32)])  # type: ignore[no-any-return]


def _moved(face: NDArray[Any], now: list[tuple[Expression, float]]) -> NDArray[Any]:
    """The face with its movements, each a smooth push of the places that it names."""
    if not any(share for _, share in now):
        return face
    cv2 = load_cv2("making clips")
    side = len(face)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    push = np.zeros((2, side, side), np.float32)
    for one, share in now:
        for px, py, dx, dy in _MOVES[one.move] if share else ():
            near = np.exp(-(((x / side - px) ** 2 + (y / side - py) ** 2) / (2 * _WIDE**2)))
            push += np.float32(one.amount * share * side) * np.stack([dx * near, dy * near])
    return cv2.remap(face, x - push[0], y - push[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[no-any-return]


def _blink(face: NDArray[Any], closed: float) -> NDArray[Any]:
    """The face with its lids down by a share: skin from above is drawn over the eyes."""
    side, face = len(face), face.copy()
    for ex, ey in EYES:
        left, right = round((ex - 0.085) * side), round((ex + 0.085) * side)
        top, whole = round((ey - 0.04) * side), round(0.08 * side)
        down = max(1, round(whole * closed))
        face[top : top + down, left:right, 0] = face[top - down : top, left:right, 0].mean(axis=0)
    return face
