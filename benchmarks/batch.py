"""What a batch costs beyond the work on the audio, and how fast it resumes.

- two processes over one: the same recordings of 3 s done by one process and by two, in turns; median ratio of wall time
- overhead: processor time of a job a file, less that of enhancing the same file in a loop; start-up is subtracted
- resume: a run over a manifest of a million rows that are all done already, and the memory of it

The ratios mean little on a machine that others use as well; the processor times do.

    python benchmarks/batch.py
    python benchmarks/batch.py --files 200 --rows 100000 --rounds 1
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile as sf

from voxfield.batch import load_job, run_job
from voxfield.batch.hashes import row_key
from voxfield.batch.ledger import Ledger
from voxfield.batch.manifest import rows
from voxfield.batch.storage import signature
from voxfield.batch.work import DONE, Outcome, Todo
from voxfield.tasks import enhance_file


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000, help="recordings of 3 s")
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the manifest that is resumed")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--resume", metavar="FOLDER", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.resume:
        _resume(Path(options.resume), options.rows)
        return
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(_throughput(Path(folder), options.files, options.rounds), indent=2), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(_resumed(Path(folder), options.rows), indent=2))


def _throughput(folder: Path, count: int, rounds: int) -> dict[str, float]:
    corpus = folder / "corpus"
    corpus.mkdir()
    rng = np.random.default_rng(0)
    noise = 0.05 * rng.standard_normal(20 * 16000)
    for number in range(count):
        first = int(rng.integers(0, 17 * 16000))
        sf.write(corpus / f"{number:05d}.wav", noise[first : first + 48000] * rng.uniform(0.3, 1), 16000)

    few = folder / "few"
    few.mkdir()
    for path in sorted(corpus.iterdir())[:2]:
        (few / path.name).hardlink_to(path)
    taken = 0

    def job(manifest: Path, processes: int) -> tuple[float, float]:
        """(Wall seconds, processor seconds) of a whole job."""
        nonlocal taken
        taken += 1
        out = folder / f"out{taken}"
        wall_s, cpu_s = time.monotonic(), _cpu_s()
        report = run_job(load_job({"task": "enhance", "manifest": str(manifest), "out": str(out), "jobs": processes}))
        assert report["failed"] == 0
        return time.monotonic() - wall_s, _cpu_s() - cpu_s

    ratios, overheads, audio = [], [], []
    for _ in range(rounds):
        start_wall_s, start_cpu_s = job(few, 1)
        (one_s, one_cpu_s), (two_s, _) = job(corpus, 1), job(corpus, 2)
        ratios.append((one_s - start_wall_s) / (two_s - start_wall_s))
        cpu_s, sample = time.process_time(), sorted(corpus.iterdir())[:: max(count // 200, 1)]
        for path in sample:
            enhance_file(path, folder / "single.wav", overwrite=True)
        audio.append((time.process_time() - cpu_s) / len(sample))
        overheads.append((one_cpu_s - start_cpu_s) / (count - 2) - audio[-1])
    return {
        "files": count,
        "two_processes_over_one": round(statistics.median(ratios), 2),
        "audio_work_ms_a_file": round(1000 * statistics.median(audio), 2),
        "overhead_ms_a_file": round(1000 * statistics.median(overheads), 2),
        "hours_of_audio_per_core_hour": round(3 / (statistics.median(audio) + statistics.median(overheads)), 1),
    }


def _resumed(folder: Path, count: int) -> dict[str, float]:
    """Resume `count` rows, and a hundredth of them, each in a process of its own."""
    facts: dict[str, float] = {"rows": count}
    for rows_there, name in ((count // 100, "hundredth"), (count, "all")):
        place = folder / name
        place.mkdir()
        _prepare(place, rows_there)
        command = [sys.executable, __file__, "--resume", str(place), "--rows", str(rows_there)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        facts |= {f"{key}_{name}": value for key, value in found.items()}
    return facts


def _table(place: Path) -> dict[str, object]:
    return {"task": "enhance", "manifest": str(place / "m.jsonl"), "out": str(place / "out"), "jobs": 1}


def _prepare(place: Path, count: int) -> None:
    """A manifest of segments of a hundred recordings, and the ledger of a run that did them all."""
    out = place / "out"
    out.mkdir()
    for number in range(100):
        sf.write(place / f"{number:02d}.wav", np.full(160, 0.1), 16000)
        (out / f"{number:02d}.done").write_bytes(b"result")
    with (place / "m.jsonl").open("w") as file:
        for number in range(count):
            row = {"audio_filepath": f"{number % 100:02d}.wav", "offset": number // 100, "duration": 1.0}
            file.write(json.dumps({**row, "id": f"u{number}"}) + "\n")
    job = load_job(_table(place))
    marks = {str(place / f"{number:02d}.wav"): signature(str(place / f"{number:02d}.wav")) for number in range(100)}
    with Ledger(out, "enhance") as ledger:
        done = []
        for row in rows(str(place / "m.jsonl")):
            todo = Todo(row_key(row.source, row.name), row)
            files = ((f"{Path(row.path).stem}.done", 6),)
            done.append(Outcome(todo, DONE, job.mark, b"i" * 16, marks[row.path], files, audio_s=1.0))
            if len(done) == 10_000:
                ledger.append(done)
                done = []
        ledger.append(done)


def _resume(place: Path, count: int) -> None:
    wall_s = time.monotonic()
    report = run_job(load_job(_table(place)))
    assert (report["already_done"], report["done"], report["failed"]) == (count, 0, 0), report
    facts = {
        "wall_s": round(time.monotonic() - wall_s, 2),
        "processor_s": round(time.process_time(), 2),
        "memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    }
    print(json.dumps(facts))


def _cpu_s() -> float:
    """Of this process and of those it started and that ended."""
    own, children = os.times()[:2], os.times()[2:4]
    return sum(own) + sum(children)


if __name__ == "__main__":
    main()
