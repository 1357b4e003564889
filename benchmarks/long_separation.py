"""A long recording of two people who talk over one another, separated: swaps, SI-SDR gain, memory and speed.

python benchmarks/long_separation.py speaker_a/ speaker_b/ --minutes 60

Sentences are drawn from the two folders in random order, with pauses of up to three seconds between them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soundfile as sf

from voxfield.audio import read
from voxfield.metrics.separation import best_order, count_swaps, separation_scores

RATE_HZ = 16000
SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")
RUN = r"""
import json, pathlib, re, sys
from voxfield.cli import main
try:
    main(["separate", *sys.argv[1:], "--json", "--quiet"])
finally:
    status = pathlib.Path("/proc/self/status").read_text()
    print(int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024)
"""


def talk(paths: Iterable[Path], count_samples: int, rng: np.random.Generator) -> np.ndarray:
    """Sentences of one speaker with pauses between them."""
    sentences = [read(path, rate_hz=RATE_HZ, mono=True)[0] for path in sorted(paths)]
    level = np.sqrt(np.mean(np.square(np.concatenate(sentences))))
    parts: list[np.ndarray] = []
    length = 0
    while length < count_samples:
        pause = np.zeros(int(rng.uniform(0.1, 3.0) * RATE_HZ), np.float32)
        parts += [sentences[int(rng.integers(len(sentences)))] * np.float32(0.03 / level), pause]
        length += len(parts[-2]) + len(pause)
    return np.concatenate(parts)[:count_samples]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("speakers", type=Path, nargs=2, help="folders of sentences of one speaker each")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--model", default="conv-tasnet-small")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    rng = np.random.default_rng(chosen.seed)
    count = round(chosen.minutes * 60 * RATE_HZ)
    files = [[path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES] for folder in chosen.speakers]
    voices = np.stack([talk(paths, count, rng) for paths in files])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sf.write(folder / "talk.wav", voices.sum(0), RATE_HZ, "PCM_16")
        command = [sys.executable, "-c", RUN, str(folder / "talk.wav"), "-o", str(folder), "--model", chosen.model]
        done = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        result = json.loads(done[0])
        estimates = np.stack([sf.read(path, dtype="float32")[0] for path in result["outputs"]])
    order = list(best_order(estimates, voices))
    scores = separation_scores(estimates, voices, voices.sum(0), with_sdr=False)
    rest = voices.sum(0) - estimates.sum(0)
    print(f"minutes                    {chosen.minutes:g}")
    print(f"swaps                      {count_swaps(estimates[order], voices, RATE_HZ)}")
    print(f"joins, doubtful            {result['joins']}, {result['doubtful_joins']}")
    print(f"SI-SDR gain                {scores['si_sdr_gain_db']:.2f} dB")
    print(
        f"sum against the mixture    {10 * np.log10(np.square(rest).mean() / np.square(voices.sum(0)).mean()):.1f} dB"
    )
    print(f"largest sample             {np.abs(estimates).max():.2f} (mixture {np.abs(voices.sum(0)).max():.2f})")
    print(f"memory                     {float(done[-1]):.0f} MiB")
    print(f"real-time factor           {result['real_time_factor']:.4f}")


if __name__ == "__main__":
    main()
