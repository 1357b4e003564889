"""docs/images/image_tokens.png: an image, and what its tokens say.

python scripts/image_picture.py
"""

from pathlib import Path

import numpy as np

from voxfield.images import picture
from voxfield.tasks import image_of, tokenize_image

ROOT = Path(__file__).parent.parent
IMAGE, OUT = ROOT / "examples" / "coffee.png", ROOT / "docs" / "images" / "image_tokens.png"
GAP_PX = 6


def main() -> None:
    image, rebuilt = picture.read(IMAGE).values, image_of(tokenize_image(IMAGE)[0])
    gap = np.ones((3, image.shape[1], GAP_PX), np.float32)
    picture.write(OUT, np.concatenate([image, gap, rebuilt], axis=2), overwrite=True)
    print(OUT)


if __name__ == "__main__":
    main()
