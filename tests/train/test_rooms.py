"""Simulated rooms: the same for the same seed, and they reverberate."""

import numpy as np
import pytest
import soundfile

from voxfield.train.data.rooms import simulate_rooms

pytest.importorskip("pyroomacoustics", reason="simulated rooms need pip install 'voxfield[rooms]'")


def test_rooms_are_made_once_and_reverberate(tmp_path):
    first = simulate_rooms(tmp_path / "a", 2, 16000)
    again = simulate_rooms(tmp_path / "b", 2, 16000)
    names = sorted(path.name for path in first.iterdir())
    assert len(names) == 2
    for name in names:
        response, rate_hz = soundfile.read(first / name)
        assert rate_hz == 16000 and np.abs(response).max() == pytest.approx(0.9, abs=1e-3)
        late = np.abs(response).argmax() + 800
        assert 0 < np.square(response[late:]).sum() < np.square(response).sum()
        assert np.array_equal(response, soundfile.read(again / name)[0])
    before = {path: path.stat().st_mtime_ns for path in first.iterdir()}
    simulate_rooms(first, 2, 16000)
    assert before == {path: path.stat().st_mtime_ns for path in first.iterdir()}
