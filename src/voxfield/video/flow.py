"""How a face moved between two frames, as the image that MEAN_Spot takes: horizontal flow, vertical flow, strain.

As in the paper (Liong, See & Chan, 2023) the motion of the nose, which no expression moves, is taken for that of the
head and subtracted; the brows with the eyes, and the mouth, are cut out and stacked; blinks are left out by masking the
eyes. Other than there the flow is OpenCV's DIS, which is as good here and twenty times as fast as TV-L1, and the values
keep their scale: the paper stretches every image to 0 .. 1, which makes a face at rest look like one that moves.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from voxfield.video.face import EYES, FACE_PX
from voxfield.video.frames import Image, load_cv2

Values: TypeAlias = NDArray[Any]
IMAGE_PX = 42
SCALE_PX = 2.0  # flow of so many pixels of the crop is 1
STRAIN_SCALE = 0.5  # strain per pixel that is 1
MOST = 3.0  # larger values are cut off: what moves that fast is no expression
BROWS = (0.12, 0.14, 0.88, 0.48)  # of the crop: left, top, right, bottom
MOUTH = (0.2, 0.62, 0.8, 0.96)
NOSE = (0.42, 0.45, 0.58, 0.62)
EYE_RADII = (0.12, 0.06)  # of the ellipses that are masked


class FlowImages:
    """Makes images (3, 42, 42) of pairs of crops."""

    def __init__(self) -> None:
        cv2 = load_cv2("optical flow")
        self._dis = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        self._dis.setPatchStride(4)
        self._dis.setFinestScale(0)  # to the single pixel: movements of half a pixel count
        y, x = (np.mgrid[:FACE_PX, :FACE_PX] + 0.5) / FACE_PX
        seen = [((x - ex) / EYE_RADII[0]) ** 2 + ((y - ey) / EYE_RADII[1]) ** 2 > 1 for ex, ey in EYES]
        self._seen = np.logical_and(*seen).astype(np.float32)

    def image(self, first: Image, second: Image) -> NDArray[np.float32]:
        """u, v and strain between two crops (128, 128) uint8, as (3, 42, 42) float32."""
        cv2 = load_cv2("optical flow")
        flow = self._dis.calc(first, second, None)
        flow = flow - np.median(_cut(flow, NOSE).reshape(-1, 2), axis=0)
        motion = np.dstack([flow / SCALE_PX, strain(flow) / STRAIN_SCALE]).clip(-MOST, MOST) * self._seen[..., None]
        size = (IMAGE_PX, IMAGE_PX // 2)
        parts = [cv2.resize(_cut(motion, region), size, interpolation=cv2.INTER_AREA) for region in (BROWS, MOUTH)]
        return np.ascontiguousarray(np.concatenate(parts).transpose(2, 0, 1), np.float32)


def strain(flow: Values) -> Values:
    """Magnitude of the optical strain tensor of a flow (H, W, 2): sqrt(xx^2 + yy^2 + 2 xy^2)."""
    (uy, ux), (vy, vx) = np.gradient(flow[..., 0]), np.gradient(flow[..., 1])
    found: Values = np.sqrt(ux**2 + vy**2 + 0.5 * (uy + vx) ** 2)
    return found


def _cut(image: Values, region: tuple[float, float, float, float]) -> Values:
    left, top, right, bottom = (round(share * FACE_PX) for share in region)
    return image[top:bottom, left:right]
