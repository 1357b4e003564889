"""What an enhancing network gives depends neither on how a recording is cut nor on who shares its steps: bit by bit."""

import numpy as np
import pytest

import voxfield as vf
from voxfield.cards import cards
from voxfield.runtime import load_engine, take
from voxfield.tasks import Enhancer

PUBLISHED = [card.name for card in cards() if card.task == "enhance"]
CUTS = ((320,), (1, 7, 1000, 3), (128,))


def noise(rate_hz, channels=1, seconds=1.0, seed=0):
    count = int(rate_hz * seconds) + 137
    return 0.1 * np.random.default_rng(seed).standard_normal((channels, count)).astype(np.float32)


def pieces(samples, cuts):
    at = turn = 0
    while at < samples.shape[1]:
        yield samples[:, at : at + cuts[turn % len(cuts)]]
        at, turn = at + cuts[turn % len(cuts)], turn + 1


@pytest.mark.parametrize("model", PUBLISHED)
@pytest.mark.parametrize(("rate_hz", "channels"), [(16000, 1), (48000, 1), (44100, 2), (8000, 1)])
def test_any_cut_gives_what_the_whole_recording_gives(model, rate_hz, channels):
    recording = noise(rate_hz, channels)
    whole = vf.enhance(recording, rate_hz, model=model).samples
    for cuts in CUTS:
        enhancer = Enhancer(model, rate_hz, channels)
        parts = [enhancer.feed(piece) for piece in pieces(recording, cuts)]
        assert np.array_equal(np.concatenate([*parts, enhancer.flush()], axis=1), whole), cuts


@pytest.mark.parametrize("model", PUBLISHED)
def test_recordings_that_share_steps_get_what_each_gets_alone(model):
    recordings = [noise(16000, seconds=0.5 + 0.05 * seed, seed=seed) for seed in range(7)]
    wholes = [vf.enhance(recording, 16000, model=model).samples for recording in recordings]
    enhancers = [Enhancer(load_engine(model), 16000) for _ in recordings]
    cut = [list(pieces(recording, (256 + seed,))) for seed, recording in enumerate(recordings)]
    made = [[] for _ in recordings]
    for turn in range(max(map(len, cut)) + 1):
        ways = {
            at: enhancer.feeding(cut[at][turn]) if turn < len(cut[at]) else enhancer.flushing()
            for at, enhancer in enumerate(enhancers)
            if turn <= len(cut[at])
        }
        together(ways, made)
    for parts, whole in zip(made, wholes, strict=True):
        assert np.array_equal(np.concatenate(parts, axis=1), whole)


def together(ways, made):
    """Drive all ways to their ends, those with blocks of one size in one step."""
    answers = dict.fromkeys(ways)
    while answers:
        turns = {}
        for at, answer in answers.items():
            try:
                turns[at] = ways[at].send(answer)
            except StopIteration as over:
                made[at].append(over.value)
        answers = {}
        for size in {turn.block.shape[1] for turn in turns.values()}:
            group = [at for at in turns if turns[at].block.shape[1] == size]
            answers |= dict(zip(group, take([turns[at] for at in group]), strict=True))
