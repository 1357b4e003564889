"""Turns are fair: each live session one a round, files in turn beside them, and steps are shared."""

import numpy as np
import pytest
from service import MODEL, noise

from voxfield.audio.pcm import encode
from voxfield.runtime import load_engine
from voxfield.serve import scheduler as module
from voxfield.serve.metrics import Metrics
from voxfield.serve.protocol import Start
from voxfield.serve.scheduler import Scheduler
from voxfield.serve.session import STOP, Session
from voxfield.serve.settings import Limits


class Loop:
    """An event loop that does at once what another thread asks for."""

    def call_soon_threadsafe(self, work, *given):
        work(*given)


@pytest.fixture
def rounds(monkeypatch):
    """A scheduler whose rounds are run by hand."""
    monkeypatch.setattr(module.Thread, "start", lambda self: None)
    return Scheduler(Loop(), Metrics())


def session(mode, queue_s=60.0):
    start = Start(type="start", rate=16000, format="f32le", mode=mode, model=MODEL)
    return Session(start, load_engine(MODEL), Limits(queue_s=queue_s))


def test_files_share_what_live_sessions_leave(rounds):
    live, files = [session("live") for _ in range(3)], [session("file") for _ in range(4)]
    for one in (*live, *files):
        rounds.add(one)
        one.push(encode(noise(seconds=20), "f32le"))
        rounds.notify(one)
    for _ in range(12):
        assert rounds._round()
    assert len({one.given_samples for one in live}) == 1 and live[0].given_samples > 11 * 4 * 256
    assert {one.given_samples for one in files} == {3 * 16 * 256 - 256}


def test_files_are_worked_on_together_where_nobody_is_live(rounds):
    files = [session("file") for _ in range(5)]
    for one in files:
        rounds.add(one)
        one.push(encode(noise(seconds=1), "f32le"))
    rounds._round()
    assert {one.given_samples for one in files} == {16 * 256 - 256}
    assert rounds._metrics._turns._sum.get() == 5 and rounds._metrics._step_s._sum.get() > 0


def test_a_session_that_fails_takes_nobody_with_it(rounds):
    good, bad = session("live"), session("live")
    for one in (good, bad):
        rounds.add(one)
        one.push(encode(noise(seconds=0.1), "f32le"))
        one.push_control(STOP)
        rounds.notify(one)
    bad._work = None
    told = []
    bad.on_change = lambda: told.append(bad.error)
    while rounds._round():
        pass
    assert isinstance(bad.error, AttributeError) and told == [bad.error] and good.error is None
    sound, said = good.pop()
    assert len(sound) == 4 * noise(seconds=0.1).shape[1] and said["type"] == "stopped"
    assert np.isfinite(np.frombuffer(sound, np.float32)).all()


def test_results_that_nobody_takes_hold_up_a_file_and_not_a_live_session(rounds):
    for mode in ("file", "live"):
        one = session(mode, queue_s=0.5)
        rounds.add(one)
        for _ in range(12):
            one.push(encode(noise(seconds=0.25), "f32le"))
            rounds.notify(one)
            while rounds._round():
                pass
        assert one._ready_bytes <= (8000 + 16 * 256) * 4
        assert (one.dropped_samples > 0) == (mode == "live") and one.has_room == (mode == "live")
        rounds.remove(one)


def test_a_session_is_due_again_only_where_more_of_it_waits(rounds):
    one = session("live")
    rounds.add(one)
    one.push(encode(noise(seconds=0.1), "f32le"))  # 1600 samples: two turns of at most four hops
    rounds.notify(one)
    assert rounds._round() and list(rounds._due) == [one]
    assert rounds._round() and not rounds._due and not rounds._round()


def test_more_turns_than_a_step_takes_are_shared_out_evenly(rounds, monkeypatch):
    taken = []
    monkeypatch.setattr(rounds._metrics, "step", lambda turns, seconds: taken.append(turns))
    for one in [session("live") for _ in range(module.MOST_TOGETHER + 2)]:
        rounds.add(one)
        one.push(encode(noise(seconds=0.02), "f32le"))
        rounds.notify(one)
    rounds._round()
    assert taken == [17, 17]


def test_what_is_no_whole_hop_waits_unless_a_recording_ends_with_it(rounds):
    one = session("live")
    rounds.add(one)
    for seconds, begun, left_samples in ((0.01, False, 160), (0.01, True, 64), (0.005, False, 144)):
        one.push(encode(noise(seconds=seconds)[:, : int(16000 * seconds)], "f32le"))
        rounds.notify(one)
        assert rounds._round() == begun and len(one._waiting) == 4 * left_samples and one.queued_s == 0
    one.push_control(STOP)
    rounds.notify(one)
    while rounds._round():
        pass
    assert not one._waiting and one.given_samples == one.fed_samples == 400
