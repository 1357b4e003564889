"""Enhance and separate the bundled recordings, score the results against the clean speech, and write two reports.

python examples/demo.py
"""

import sys
from pathlib import Path

import numpy as np

import voxfield as vf
from voxfield.audio import read
from voxfield.metrics.enhancement import measurable, scores
from voxfield.metrics.separation import best_order, si_sdr_db
from voxfield.tasks.report.comparison import Comparison
from voxfield.tasks.report.document import write_report

HERE = Path(__file__).parent
OUT = Path("demo_output")
RATE_HZ = 16000
OPENER = {"darwin": "open", "win32": "start"}.get(sys.platform, "xdg-open")
MEASURES = {
    "pesq": ("PESQ", "speech quality as listeners would rate it, about 1 (bad) to 4.6 (clean)"),
    "estoi": ("ESTOI", "how well the words can be understood, 0 to 1"),
    "si_sdr_db": ("SI-SDR, dB", "power of the speech over that of all else; 10 dB more is a tenth of the error"),
}


def mono(path: Path) -> np.ndarray:
    """(N,) samples at 16 kHz."""
    return read(path, rate_hz=RATE_HZ, mono=True)[0]


def change(before: float, after: float) -> str:
    return f"{before:.2f} -> {after:.2f}"


def report(path: Path, recording: Path, made: np.ndarray, rate_hz: int, names: tuple[str, ...], model: str) -> None:
    """Write a page that compares a recording with (R, C, N) results."""
    before = read(recording, rate_hz=rate_hz)
    comparison = Comparison(rate_hz, before.shape[0], recording="Recording", results=names)
    comparison.before(before)
    comparison.after(made)
    write_report(path, comparison, title=recording.name, facts={"Model": model}, overwrite=True)


def enhance() -> None:
    """Three noisy recordings, each with its clean speech."""
    measures = [name for name in MEASURES if name in measurable()]
    print("Noisy recordings, enhanced: scores before -> after\n")
    print(f"{'recording':24}" + "".join(f"{MEASURES[name][0]:>20}" for name in measures))
    for clean in sorted((HERE / "clean").iterdir()):
        noisy = HERE / clean.name
        if not noisy.exists():
            continue
        enhanced = vf.enhance(noisy)
        saved = enhanced.save(OUT / f"{clean.stem}_enhance{clean.suffix}", overwrite=True)
        before, after = (scores(mono(path), mono(clean), measures) for path in (noisy, saved))
        print(f"{clean.name:24}" + "".join(f"{change(before[name], after[name]):>20}" for name in measures))
        if clean.stem == "rain":
            samples, rate_hz = enhanced.samples[None], enhanced.sample_rate_hz
            report(OUT / "rain.html", noisy, samples, rate_hz, ("Enhanced",), enhanced.model)
    print("\nAll are against the clean speech, and higher is better:")
    print("".join(f"  {MEASURES[name][0]:12}{MEASURES[name][1]}\n" for name in measures))


def separate() -> None:
    """Two people who talk at once, with what each said alone."""
    mixture = HERE / "two_voices.wav"
    separated = vf.separate(mixture)
    separated.save(OUT, overwrite=True)
    voices = separated.voices.mean(axis=1)
    targets = np.stack([mono(HERE / "clean" / f"two_voices_{number}.flac") for number in (1, 2)])
    print("Two people who talk at once, separated: SI-SDR in dB, mixture -> voice\n")
    pairs = sorted(zip(best_order(voices, targets), targets, strict=True), key=lambda pair: pair[0])
    for number, target in pairs:
        change_db = change(si_sdr_db(mono(mixture), target), si_sdr_db(voices[number], target))
        print(f"{f'two_voices_speaker{number + 1}.wav':24}{change_db:>20}")
    names = ("Speaker 1", "Speaker 2")
    report(OUT / "two_voices.html", mixture, separated.voices, separated.sample_rate_hz, names, separated.model)


def main() -> None:
    OUT.mkdir(exist_ok=True)
    enhance()
    separate()
    print("\nListen and look: open a report in a browser, press Space to play and A, B or C to switch:")
    print("".join(f"  {OPENER} {OUT / name}\n" for name in ("rain.html", "two_voices.html")), end="")
    print(f"The results as audio files: {OUT}{'/' if sys.platform != 'win32' else chr(92)}")


if __name__ == "__main__":
    main()
