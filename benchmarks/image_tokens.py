"""How near images are to what their tokens say, beside JPEG files of the same size, and how the codebooks are used.

    python benchmarks/image_tokens.py runs/image-vqvae/best.safetensors > scores.json      # needs "voxfield[bench]"

The averaged weights of a training checkpoint are exported in 16 bits, as they are published, and read and rebuild the
whole images of the validation split of the recipe's data, scaled down as in training. The result is what
`voxfield export --measured` takes.
"""

from __future__ import annotations

import argparse
import io
import json
from bisect import bisect_right
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from PIL import Image
from skimage.metrics import structural_similarity

from voxfield.export import export_checkpoint
from voxfield.metrics.images import psnr_db
from voxfield.tasks.tokens.code_maps import split
from voxfield.tasks.tokens.image import image_of, image_tokenizer, tokens_of
from voxfield.tasks.tokens.token_file import CodeUse
from voxfield.train import checkpoint
from voxfield.train.data.images import ImageBank
from voxfield.train.data.split import images_of
from voxfield.train.recipe import from_dict


def ssim(image: np.ndarray, reference: np.ndarray) -> float:
    """Structural similarity (Wang et al. 2004) of the brightness of two images (3, H, W) from 0 to 1."""
    x, y = (np.tensordot((0.299, 0.587, 0.114), one.astype(np.float64), 1) for one in (image, reference))
    return float(structural_similarity(x, y, data_range=1, gaussian_weights=True, use_sample_covariance=False))


def as_jpeg(image: np.ndarray, most_bytes: float) -> np.ndarray:
    """(3, H, W) of the best JPEG file of at most so many bytes; of the worst where none is so small."""
    pixels = Image.fromarray(np.round(255 * image.transpose(1, 2, 0)).astype(np.uint8))

    def file_of(quality: int) -> io.BytesIO:
        file = io.BytesIO()
        pixels.save(file, "JPEG", quality=quality, optimize=True)
        return file

    fitting = bisect_right(range(1, 96), most_bytes, key=lambda quality: len(file_of(quality).getvalue()))
    return np.asarray(Image.open(file_of(max(fitting, 1))), np.float32).transpose(2, 0, 1) / 255


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    chosen = parser.parse_args()
    data = from_dict(checkpoint.load(chosen.checkpoint)[1]["recipe"]).data
    bank = ImageBank(images_of(data, data.valid_split), data.cache)
    rows, top, bottom = [], [], []
    with TemporaryDirectory() as folder:
        model = Path(folder) / "image.onnx"
        export_checkpoint(chosen.checkpoint, model, "image.measured", half=True)
        engine, decoder = image_tokenizer(model), model.with_stem("image-decoder")
        side, columns = int(engine.card.interface.input.shape[1]), int(engine.card.interface.output.shape[1])
        for number in range(len(bank)):
            image = np.asarray(bank[number], np.float32) / 255
            tokens = tokens_of(image, engine)
            rebuilt, jpeg = image_of(tokens, model=decoder), as_jpeg(image, tokens.bits / 8)
            rows.append([psnr_db(rebuilt, image), ssim(rebuilt, image), psnr_db(jpeg, image), ssim(jpeg, image)])
            for codes in tokens.codes:
                for found, part in zip((top, bottom), split(codes, columns), strict=True):
                    found.append(part.ravel())
        means = np.mean(rows, axis=0)
        found = {"images": len(bank), "tile_px": side, "psnr_db": round(means[0], 2), "ssim": round(means[1], 3)}
        found |= {"jpeg_psnr_db": round(means[2], 2), "jpeg_ssim": round(means[3], 3)}
        for name, codes in (("top", top), ("bottom", bottom)):
            use = CodeUse.of(np.concatenate(codes), engine.card.interface.codes)
            found |= {f"used_{name}": round(use.used, 3), f"perplexity_{name}": round(use.perplexity, 1)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
