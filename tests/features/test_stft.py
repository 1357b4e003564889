"""The transform gives back what it was given, in blocks of any size, and is the one that is written down."""

import numpy as np
import pytest

from voxfield.errors import InputError
from voxfield.features import Stft, istft, sqrt_hann, stft, synthesis_window

SHAPES = [(512, 256), (320, 160), (512, 128), (400, 160), (510, 200), (64, 16)]


@pytest.mark.parametrize(("window", "hop"), SHAPES)
@pytest.mark.parametrize("count", [1, 255, 256, 5000])
def test_perfect_reconstruction(speech, window, hop, count):
    samples = speech(2, count)
    assert np.abs(istft(stft(samples, window, hop), count, window, hop) - samples).max() < 1e-6


@pytest.mark.parametrize(("window", "hop"), SHAPES)
def test_blocks_equal_the_whole(speech, window, hop):
    transform, samples = Stft(window, hop), speech(2, 50 * hop)
    whole, _ = transform.analyse(samples)
    back, _ = transform.synthesise(whole)
    analysis = synthesis = None
    spectra, sounds = [], []
    for part in np.split(samples, [hop, 3 * hop, 3 * hop, 20 * hop], axis=1):
        spectrum, analysis = transform.analyse(part, analysis)
        sound, synthesis = transform.synthesise(spectrum, synthesis)
        spectra.append(spectrum)
        sounds.append(sound)
    assert np.abs(np.concatenate(spectra, axis=-1) - whole).max() < 1e-5
    assert np.abs(np.concatenate(sounds, axis=-1) - back).max() < 1e-6
    assert np.abs(back[:, transform.delay_samples :] - samples[:, : -transform.delay_samples]).max() < 1e-6


def test_frames_are_where_the_documentation_says(speech):
    samples = speech(1, 2560)
    spectrum, _ = Stft(512, 256).analyse(samples)
    frame = samples[0, 4 * 256 - 512 : 4 * 256] * sqrt_hann(512)  # frame 3 ends with hop 3
    expected = np.fft.rfft(frame.astype(np.float64))
    assert np.abs(spectrum[0, 0, :, 3] + 1j * spectrum[0, 1, :, 3] - expected).max() < 1e-4


def test_state_in_state_out_and_nothing_changes_underway(speech):
    transform, state = Stft(512, 256), Stft(512, 256).initial_state(1)
    transform.analyse(speech(1, 512), state)
    transform.synthesise(np.ones((1, 2, 257, 2), np.float32), state)
    assert not state.any()


def test_windows_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        sqrt_hann(512)[0] = 1


def test_impossible_hops_are_refused(speech):
    with pytest.raises(InputError, match="at most half of the window"):
        synthesis_window(512, 512)
    with pytest.raises(InputError, match="whole hops of 256 samples"):
        Stft(512, 256).analyse(speech(1, 100))


@pytest.mark.parametrize(("window", "hop"), SHAPES)
def test_a_hamming_window_gives_the_recording_back_too(speech, window, hop):
    transform, samples = Stft(window, hop, "hamming"), speech(2, 40 * hop)
    spectrum, _ = transform.analyse(samples)
    frame = samples[:, 10 * hop - window : 10 * hop]
    wanted = np.fft.rfft(frame * (0.54 - 0.46 * np.cos(2 * np.pi * np.arange(window) / (window - 1))))
    np.testing.assert_allclose(spectrum[:, 0, :, 9] + 1j * spectrum[:, 1, :, 9], wanted, atol=1e-4)
    back, _ = transform.synthesise(spectrum)
    late = transform.delay_samples
    assert np.abs(back[:, late:] - samples[:, : samples.shape[1] - late]).max() < 1e-6


def test_an_unknown_window_is_refused():
    with pytest.raises(InputError, match="no window 'kaiser'; choose one of sqrt-hann, hamming"):
        Stft(512, 256, "kaiser").analyse(np.zeros((1, 256), np.float32))


def test_recordings_of_many_lengths_leave_nothing_behind():
    import tracemalloc

    stft(np.zeros((1, 16000), np.float32))
    tracemalloc.start()
    for extra in range(20):
        stft(np.zeros((1, 160_000 + 256 * extra), np.float32))
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 1_000_000  # a table of positions for one of them would take 5 MB
