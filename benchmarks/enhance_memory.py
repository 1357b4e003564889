"""Memory of `voxfield enhance` on a minute and on an hour, and how soon the command and the import are there.

Each figure is of a fresh process: the peak resident memory that the system reports for it, the seconds from its start
to the first byte of sound on standard output, the seconds that an import takes inside it. CPU time is what the same
would take on a machine with nothing else to do. The sound is generated.

    python benchmarks/enhance_memory.py
    python benchmarks/enhance_memory.py --long 600 --model crn-tiny --json   # ten minutes in place of an hour
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
from table import table

SHORT_S = 60
CASES = ((16000, 1), (48000, 2))  # rate, channels
MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024  # unit of ru_maxrss
COMMAND = [sys.executable, "-m", "voxfield", "enhance"]
IMPORTS = {
    "import voxfield": "import voxfield",
    "import of all that enhancing needs": "import voxfield; voxfield.enhance",
    "import numpy, for comparison": "import numpy",
}


def write_sound(path: Path, rate_hz: int, channels: int, seconds: int) -> None:
    """Noise that swells and fades four times a second, 16 bits; every minute is the same."""
    count = SHORT_S * rate_hz
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * np.arange(count, dtype=np.float32) / rate_hz)
    noise = np.random.default_rng(0).integers(-4000, 4000, (count, channels), np.int16)
    block = (noise * swell[:, None]).astype(np.int16)
    with soundfile.SoundFile(path, "w", rate_hz, channels, "PCM_16") as file:
        for start in range(0, seconds, SHORT_S):
            file.write(block[: (min(start + SHORT_S, seconds) - start) * rate_hz])


def enhance_file(model: str, rate_hz: int, channels: int, seconds: int) -> dict:
    """Peak memory in MB, and seconds of CPU time a second of sound, of the command on one recording."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "noisy.wav"
        # in a process of its own: on Linux a child's peak starts at what its parent held when it was forked
        arguments = [sys.executable, __file__, "--write", str(path), str(rate_hz), str(channels), str(seconds)]
        subprocess.run(arguments, check=True)
        child = subprocess.Popen(
            [*COMMAND, str(path), "-o", str(Path(folder) / "out.wav"), "--model", model, "--quiet"]
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode or soundfile.info(Path(folder) / "out.wav").frames != seconds * rate_hz:
            raise SystemExit(f"enhancing {seconds} s at {rate_hz} Hz failed with exit code {child.returncode}")
    return {
        "rate_hz": rate_hz,
        "channels": channels,
        "seconds": seconds,
        "peak_mb": usage.ru_maxrss * MAXRSS_BYTES / 1e6,
        "rtf": (usage.ru_utime + usage.ru_stime) / seconds,
    }


def first_sound(model: str) -> tuple[float, float]:
    """Seconds and CPU seconds from starting `voxfield enhance -` to its first sound; half a second of sound waits."""
    began_s = time.perf_counter()
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([*COMMAND, "-", "--raw", "16000", "--model", model], **pipes) as child:
        child.stdin.write(bytes(16000))
        child.stdin.flush()
        first = child.stdout.read(1)
        took_s = time.perf_counter() - began_s
        child.kill()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if not first:
        raise SystemExit("voxfield enhance gave no sound")
    return took_s, usage.ru_utime + usage.ru_stime


def importing(statement: str) -> tuple[float, float]:
    """Seconds and CPU seconds that a statement takes in a fresh interpreter."""
    clocks = "(time.perf_counter(), time.process_time())"
    timed = f"import time; began = {clocks}; {statement}; print(*(b - a for a, b in zip(began, {clocks})))"
    wall_s, cpu_s = subprocess.run([sys.executable, "-c", timed], check=True, capture_output=True).stdout.split()
    return float(wall_s), float(cpu_s)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="crn-small", help="name or .onnx file")
    parser.add_argument("--long", type=int, default=3600, help="seconds of the long recording")
    parser.add_argument("--times", type=int, default=9, help="starts of which the fastest and the median are shown")
    parser.add_argument("--write", nargs=4, help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--markdown", action="store_true")
    arguments = parser.parse_args()
    if arguments.write:
        write_sound(Path(arguments.write[0]), *map(int, arguments.write[1:]))
        return

    memory = []
    for rate_hz, channels in CASES:
        short, long = (enhance_file(arguments.model, rate_hz, channels, s) for s in (SHORT_S, arguments.long))
        memory.append({"short": short, "long": long, "ratio": long["peak_mb"] / short["peak_mb"]})
    starts = {"first sound of voxfield enhance": [first_sound(arguments.model) for _ in range(arguments.times)]}
    starts |= {name: [importing(statement) for _ in range(arguments.times)] for name, statement in IMPORTS.items()}
    if arguments.json:
        print(json.dumps({"memory": memory, "seconds": starts}))
        return
    head = ["recording", "peak, 1 min", f"peak, {arguments.long / 60:g} min", "ratio", "CPU time / sound"]
    cells = [
        [
            f"{pair['long']['rate_hz'] / 1000:g} kHz, {pair['long']['channels']} ch",
            *(f"{pair[which]['peak_mb']:.0f} MB" for which in ("short", "long")),
            f"{pair['ratio']:.3f}",
            f"{pair['long']['rtf']:.4f}",
        ]
        for pair in memory
    ]
    print(table(head, cells, markdown=arguments.markdown), end="\n\n")
    head = ["from a fresh start", "fastest", "median", "CPU time, fastest"]
    cells = []
    for name, found in starts.items():
        wall_s, cpu_s = zip(*found, strict=True)
        cells.append([name, *(f"{value:.3f} s" for value in (min(wall_s), statistics.median(wall_s), min(cpu_s)))])
    print(table(head, cells, markdown=arguments.markdown))


if __name__ == "__main__":
    main()
