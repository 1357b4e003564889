"""Makes examples/expressions.mp4: a drawn face that moves three times in six seconds; the times are printed.

python scripts/example_clip.py
"""

from pathlib import Path

import av
import numpy as np

from voxfield.video.made_faces import MadeClip, Making

OUT = Path(__file__).parent.parent / "examples" / "expressions.mp4"
MAKING = Making(duration_s=6.0, expressions=(3, 3), size=(480, 360), noise=(1.5, 1.5))
SEED = 4_000_001


def main() -> None:
    clip = MadeClip(SEED, MAKING)
    with av.open(str(OUT), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height = MAKING.size
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "20", "preset": "slow"}
        for frame in clip.frames():
            rgb = np.repeat(frame.grey[..., None], 3, axis=2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, format="rgb24")))
        container.mux(stream.encode())
    for one in clip.expressions:
        print(f"{one.move}: {one.onset_s:.2f} to {one.offset_s:.2f} s")


if __name__ == "__main__":
    main()
