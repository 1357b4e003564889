"""docs/images/noise_samples.png: log-mel spectrograms of real noise, of what its codes say, and of noise drawn anew.

python scripts/sample_picture.py
"""

from pathlib import Path

import numpy as np
from PIL import Image

import voxfield as vf
from voxfield.audio import read
from voxfield.features.framing import whole
from voxfield.features.log_mel import LogMel
from voxfield.tasks import detokenize, tokenize

ROOT = Path(__file__).parent.parent
OUT = ROOT / "docs" / "images" / "noise_samples.png"
RATE_HZ, SECONDS, GAP_PX, SCALE = 16000, 3.0, 6, 2
FEATURES = LogMel(RATE_HZ, 64, 512, 512, 256)


def real() -> list[np.ndarray]:
    """Three seconds of each of three recordings, voices and all: (1, N) at 16 kHz."""
    found = []
    for name in ("rain.wav", "dishwasher.wav", "crowd_stereo_48k.flac"):
        mono = read(ROOT / "examples" / name, rate_hz=RATE_HZ, mono=True)
        found.append(mono[:, : round(SECONDS * RATE_HZ)])
    return found


def picture(samples: np.ndarray) -> np.ndarray:
    """(64, T) grey values of the bands around their mean, the highest at the top."""
    bands = FEATURES.finished(whole(samples[0], FEATURES))
    return np.uint8(np.clip(128 + 48 * bands[::-1], 0, 255))


def main() -> None:
    recordings = real()
    rebuilt = [detokenize(tokenize(one, RATE_HZ)).samples for one in recordings]
    drawn = [one.samples for one in vf.sample(seconds=SECONDS, count=6, seed=0)]
    rows = [recordings, rebuilt, drawn[:3], drawn[3:]]
    tiles = [[picture(one) for one in row] for row in rows]
    width = min(tile.shape[1] for row in tiles for tile in row)
    side = [np.full((64, GAP_PX), 255, np.uint8)]
    lines = [np.hstack([part for tile in row for part in (tile[:, :width], *side)][:-1]) for row in tiles]
    gap = np.full((GAP_PX, lines[0].shape[1]), 255, np.uint8)
    whole_picture = np.vstack([part for line in lines for part in (line, gap)][:-1])
    Image.fromarray(whole_picture.repeat(SCALE, 0).repeat(SCALE, 1)).save(OUT, optimize=True)
    print(OUT)


if __name__ == "__main__":
    main()
