"""Impulse responses of made-up rooms, by the image method of pyroomacoustics: breadth that few measured rooms give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from voxfield.errors import needed
from voxfield.files import written_whole


def simulate_rooms(folder: Path, count: int, sample_rate_hz: int, seed: int = 0) -> Path:
    """Folder with `count` responses as 24-bit FLAC; those already there are kept, and the same seed gives the same
    rooms.

    Shoe boxes of 3 to 9 m by 3 to 7 m by 2.4 to 4 m, reverberation times of 0.15 to 0.8 s, a speaker and a microphone
    at least half a metre apart and from the walls.

    Raises:
        MissingExtraError: pyroomacoustics is not installed.
    """
    pyroomacoustics = needed("pyroomacoustics", "rooms", "simulating rooms")
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        path = folder / f"room-{sample_rate_hz}-{seed}-{number}.flac"
        if path.exists():
            continue
        rng = np.random.default_rng((seed, number))
        size_m = rng.uniform((3, 3, 2.4), (9, 7, 4))
        absorption, order = pyroomacoustics.inverse_sabine(rng.uniform(0.15, 0.8), size_m)
        room = pyroomacoustics.ShoeBox(
            size_m, fs=sample_rate_hz, materials=pyroomacoustics.Material(absorption), max_order=min(order, 20)
        )
        speaker, microphone = rng.uniform(0.5, size_m - 0.5), rng.uniform(0.5, size_m - 0.5)
        while np.linalg.norm(speaker - microphone) < 0.5:
            microphone = rng.uniform(0.5, size_m - 0.5)
        room.add_source(speaker)
        room.add_microphone(microphone)
        room.compute_rir()
        response = np.asarray(room.rir[0][0])
        with written_whole(path) as partial:
            soundfile.write(partial, 0.9 * response / np.abs(response).max(), sample_rate_hz, "PCM_24", format="FLAC")
    return folder
