"""A few seconds of made-up speech, noise and rooms on disk, and a recipe small enough to train in a test."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE_HZ = 16000


def voice(seed: int, seconds: float) -> np.ndarray:
    """Harmonics with a moving pitch under syllables of noise-shaped loudness."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    pitch_hz = rng.uniform(90, 240) * (1 + 0.1 * np.sin(2 * np.pi * rng.uniform(0.5, 2) * time_s))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE_HZ
    harmonics = sum(np.sin(k * phase) / k for k in range(1, 12))
    return (0.1 * harmonics * np.clip(np.sin(2 * np.pi * rng.uniform(2, 4) * time_s), 0, 1)).astype(np.float32)


@pytest.fixture(scope="session")
def made_up_speech() -> np.ndarray:
    """Two seconds, (N,) float32 at 16 kHz."""
    return voice(1, 2.0)


@pytest.fixture(scope="session")
def sounds(tmp_path_factory) -> Path:
    """Folder with speech/<speaker>/*.wav, noise/<label>/*.wav and rooms/*.wav."""
    folder = tmp_path_factory.mktemp("sounds")
    rng = np.random.default_rng(0)

    def write(path: Path, samples: np.ndarray) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, RATE_HZ)

    for speaker in range(8):
        for take in range(2):
            write(folder / "speech" / f"s{speaker}" / f"{take}.wav", voice(10 * speaker + take, 0.8))
    for label in ("hiss", "hum"):
        noise = rng.standard_normal(RATE_HZ) * 0.05
        write(folder / "noise" / label / "a.wav", np.convolve(noise, np.ones(1 if label == "hiss" else 40), "same"))
    write(folder / "rooms" / "small.wav", rng.standard_normal(800) * 0.3 * np.exp(-np.arange(800) / 100))
    return folder


@pytest.fixture
def settings(sounds, tmp_path) -> list[str]:
    """Overrides that point the shipped recipe at the made-up sounds and shrink it."""
    return [
        f'data.speech=["{sounds}/speech"]',
        f'data.noise=["{sounds}/noise"]',
        f'data.rooms=["{sounds}/rooms"]',
        f'data.cache="{tmp_path}/cache"',
        "mix.duration_s=0.8",
        "model.channels=6",
        "model.bands=5",
        "model.hidden=6",
        "model.blocks=1",
        "model.level_frames=8",
        "train.steps=6",
        "train.batch=2",
        "train.decay_steps=2",
        "train.epoch_steps=2",
        "train.validate_steps=100",
        "train.validate_items=1",
        "train.final_items=1",
        "train.threads=1",
    ]
