"""The main job on bundled recordings: noisy in, enhanced out, scores before and after.

python examples/demo.py
"""

from pathlib import Path

import numpy as np

import voxfield as vf
from voxfield.audio import read
from voxfield.metrics.enhancement import measurable, scores

HERE = Path(__file__).parent
RATE_HZ = 16000


def mono(path: Path) -> np.ndarray:
    """(N,) samples at 16 kHz."""
    return read(path, rate_hz=RATE_HZ, mono=True)[0]


def main() -> None:
    out = Path("demo_output")
    out.mkdir(exist_ok=True)
    measures = [name for name in ("pesq", "estoi", "si_sdr_db") if name in measurable()]
    print(f"{'recording':24}" + "".join(f"{name:>24}" for name in measures))
    pairs = [clean for clean in sorted((HERE / "clean").iterdir()) if (HERE / clean.name).exists()]
    for clean in pairs:
        enhanced = out / f"{clean.stem}_enhance{clean.suffix}"
        vf.enhance(HERE / clean.name).save(enhanced, overwrite=True)
        target = mono(clean)
        before, after = (scores(mono(path), target, measures) for path in (HERE / clean.name, enhanced))
        print(f"{clean.name:24}" + "".join(f"{before[name]:>12.2f} -> {after[name]:<8.2f}" for name in measures))
    print(f"Listen: {out}/")


if __name__ == "__main__":
    main()
