"""Damaged recordings, by the thousand: each must be read, or refused with an error of Voxfield's own.

    python benchmarks/fuzz_audio.py --count 10000

Recordings in every format are made, mutated and read as a file, as bytes and through a pipe, in a process with a limit
of memory. A watchdog ends it when one mutation takes too long. Exit code 1 when there was a foreign exception, a crash,
a hang or a want of memory; `--only N` does mutation N alone, in this process, and prints what happens.
"""

import argparse
import io
import multiprocessing
import resource
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from voxfield.audio import Source, Stored, open_pipe, open_source, save
from voxfield.errors import MissingExtraError, VoxfieldError
from voxfield.formats import CONTAINERS

SEEDS = {  # name -> format and subtype where the suffix alone does not say it
    **{f"{subtype.lower()}.wav": ("WAV", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE")},
    **{f"{subtype.lower()}.wav": ("WAV", subtype) for subtype in ("ULAW", "IMA_ADPCM", "MS_ADPCM", "GSM610")},
    **{f"a.{suffix}": ("", "") for suffix in ("flac", "ogg", "opus", "mp3", "aiff", "au", "caf", "w64", "rf64")},
    **{f"a{suffix}": ("", "") for suffix in CONTAINERS},
}
FIELDS = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF]
MOST_SAMPLES = 5_000_000  # of one recording that are read: a small file may hold hours of silence
HANG_S, MEMORY_BYTES = 20.0, 3 << 30


def seeds(folder: Path) -> list[bytes]:
    """Half a second of noise and tones in every format."""
    rng = np.random.default_rng(0)
    time_s = np.arange(8_000) / 16_000
    samples = 0.3 * np.sin(2 * np.pi * 300 * time_s)[None] + 0.05 * rng.standard_normal((2, 8_000))
    found = []
    for name, (format, subtype) in SEEDS.items():
        try:
            save(folder / name, samples.astype(np.float32), 16_000, Stored(name, format, subtype, tags={"title": "x"}))
        except MissingExtraError:
            continue
        found.append((folder / name).read_bytes())
    return found


def mutated(content: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """The content with one to eight faults, most of them near its head, where the structure is."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 9))):
        size = len(data)
        if size < 8:
            break
        at = int(rng.integers(size)) if rng.random() < 0.4 else int(rng.integers(min(size, 400)))
        if rng.random() < 0.2:
            at = max(0, size - 1 - int(rng.integers(min(size, 1500))))  # where an mp4 has its index
        length = int(rng.integers(1, 64))
        match int(rng.integers(7)):
            case 0:
                data[at] ^= 1 << int(rng.integers(8))
            case 1:
                data[at : at + length] = rng.bytes(min(length, size - at))
            case 2:
                width = int(rng.choice([1, 2, 4, 8]))
                order = "little" if rng.random() < 0.5 else "big"
                value = FIELDS[int(rng.integers(len(FIELDS)))] & (256**width - 1)
                data[at : at + width] = value.to_bytes(width, order)
            case 3:
                del data[at : at + length]
            case 4:
                data[at:at] = data[at : at + length]
            case 5:
                del data[int(rng.integers(size)) :]
            case 6:
                data[at : at + length] = other[at : at + length]
    return bytes(data)


def mutation(number: int, contents: list[bytes]) -> bytes:
    """Mutation `number`, always the same."""
    rng = np.random.default_rng(number)
    first, second = contents[number % len(contents)], contents[int(rng.integers(len(contents)))]
    return mutated(first, second, rng)


def opened(number: int, content: bytes, path: Path) -> Source:
    """The recording as a file, as bytes, or from a pipe."""
    if number % 3 == 0:
        path.write_bytes(content)
        return open_source(path)
    return open_source(content) if number % 3 == 1 else open_pipe(io.BytesIO(content))


def outcome(number: int, content: bytes, path: Path) -> str:
    """What came of it: `read`, `refused`, or the name of a foreign exception and its message."""
    try:
        with opened(number, content, path) as source:
            for block in source.blocks():
                if not np.isfinite(block).all() or block.shape[0] != source.channels:
                    return "samples that are no numbers, or too many channels"
                if source.read_samples * source.channels > MOST_SAMPLES:
                    break
            source.notes()
        return "read"
    except VoxfieldError:
        return "refused"
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def work(numbers: range, contents: list[bytes], answers: Connection) -> None:
    """Try the mutations one after the other, and say before and after each which it is."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    with tempfile.TemporaryDirectory() as folder:
        for number in numbers:
            answers.send((number, ""))
            answers.send((number, outcome(number, mutation(number, contents), Path(folder, "x.bin"))))


def watch(numbers: range, contents: list[bytes]) -> dict[int, str]:
    """What came of each; a process that dies or hangs is replaced by one that goes on behind it."""
    context = multiprocessing.get_context("fork")
    found: dict[int, str] = {}
    while numbers:
        mine, theirs = context.Pipe(duplex=False)
        process = context.Process(target=work, args=(numbers, contents, theirs))
        process.start()
        theirs.close()
        current = numbers[0]
        try:
            while mine.poll(HANG_S):
                current, what = mine.recv()
                if what:
                    found[current] = what
            found[current] = f"hang of more than {HANG_S:g} s"
            process.kill()
            process.join()
        except EOFError:
            process.join()
            if process.exitcode:
                found[current] = f"crash, exit code {process.exitcode}"
            else:
                return found
        numbers = range(current + 1, numbers.stop)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", type=int)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        contents = seeds(Path(folder))
    if options.only is not None:
        with tempfile.TemporaryDirectory() as folder:
            print(outcome(options.only, mutation(options.only, contents), Path(folder, "x.bin")))
        return 0
    began = time.perf_counter()
    found = watch(range(options.first, options.first + options.count), contents)
    counts = Counter(what for what in found.values() if what in ("read", "refused"))
    wrong = {number: what for number, what in found.items() if what not in ("read", "refused")}
    print(
        f"{len(found)} mutations of {len(contents)} recordings in {time.perf_counter() - began:.0f} s: {dict(counts)}"
    )
    for number, what in wrong.items():
        print(f"  {number}: {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
