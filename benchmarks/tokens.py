"""Memory and time of `voxfield tokenize` on a minute and on an hour, and of `voxfield detokenize` on the minute.

    python benchmarks/tokens.py
    python benchmarks/tokens.py --markdown

Each figure is of a fresh process: the peak resident memory that the system reports for it, and its processor time less
that of a recording of one second, which is what starting takes. The sound is generated.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from enhance_memory import MAXRSS_BYTES
from table import table

VOXFIELD = [sys.executable, "-m", "voxfield"]
RATE_HZ, SECONDS = 16000, (1, 60, 3600)


def cost(*words: str) -> tuple[float, float]:
    """(Peak memory in MB, seconds of processor time) of a command."""
    child = subprocess.Popen([*VOXFIELD, *words, "--quiet"], env={**os.environ, "OMP_NUM_THREADS": "1"})
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{words[0]} failed with exit code {child.returncode}")
    return usage.ru_maxrss * MAXRSS_BYTES / 1e6, usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--markdown", action="store_true")
    chosen = parser.parse_args()
    rows, starts = [], {}
    with tempfile.TemporaryDirectory() as folder:
        for seconds in SECONDS:
            sound, tokens, back = (str(Path(folder) / name) for name in ("in.wav", "t.npz", "out.wav"))
            # in a process of its own: on Linux a child's peak starts at what its parent held when it was forked
            writer = str(Path(__file__).parent / "enhance_memory.py")
            subprocess.run([sys.executable, writer, "--write", sound, str(RATE_HZ), "1", str(seconds)], check=True)
            ways = {"tokenize": (sound, "-o", tokens, "--overwrite")}
            if seconds < max(SECONDS):
                ways["detokenize"] = (tokens, "-o", back, "--overwrite")
            for verb, words in ways.items():
                peak_mb, cpu_s = cost(verb, *words)
                starts.setdefault(verb, cpu_s)
                if seconds > min(SECONDS):
                    took_s = cpu_s - starts[verb]
                    rows.append([verb, f"{seconds / 60:g} min", f"{peak_mb:.0f} MB", f"{took_s:.2f} s",
                                 f"{took_s / seconds:.4f}"])  # fmt: skip
    print(table(["command", "recording", "peak", "CPU time", "CPU time / sound"], rows, markdown=chosen.markdown))


if __name__ == "__main__":
    main()
