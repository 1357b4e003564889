"""A live session says where in the recording sound was dropped, before and after the network."""

import numpy as np
import pytest

import voxfield as vf
from voxfield.audio.pcm import decode, encode
from voxfield.runtime import load_engine, run
from voxfield.serve.protocol import Start
from voxfield.serve.session import Session
from voxfield.serve.settings import Limits

FED = np.linspace(-0.5, 0.5, 24_000, dtype=np.float32)[None]


def work(session):
    while (data := session.take()) is not None:
        made = run(session.begin(decode(data, *session.taken)))
        session.finish(encode(made.reshape(session.given[1], -1), session.given[0]))


@pytest.mark.parametrize("worked_after", [(5, 30), (1, 2, 3, 20, 28), (29,), (8, 9, 10, 11, 12, 30)])
@pytest.mark.parametrize("sent_after", [(), (3, 12, 27)])
def test_what_came_and_what_was_dropped_are_all_that_was_fed(worked_after, sent_after):
    start = Start(type="start", rate=16000, format="f32le", mix=0)  # what comes back is what went in
    session = Session(start, load_engine("crn-tiny"), Limits(queue_s=0.1))
    came = []
    for number in range(30):
        session.push(encode(FED[:, 800 * number : 800 * (number + 1)], "f32le"))
        if number + 1 in worked_after:
            work(session)
        if number + 1 in sent_after:
            came += session.pop()
    session.push_control("stop")
    work(session)
    came += session.pop()
    drops = [item for item in came if isinstance(item, dict) and item["type"] == "dropped"]
    kept = np.ones(FED.shape[1], bool)
    for drop in drops:
        span = slice(drop["at_sample"], drop["at_sample"] + drop["samples"])
        assert kept[span].all()
        kept[span] = False
    sound = decode(b"".join(item for item in came if isinstance(item, bytes)), "f32le", 1)
    np.testing.assert_array_equal(sound, FED[:, kept])
    assert drops and came[-1]["dropped_samples"] == (~kept).sum()
    assert came[-1]["given_samples"] == sound.shape[1]


def test_voices_that_nobody_takes_are_dropped_in_step():
    start = Start(type="start", task="separate", rate=16000, format="f32le")
    session = Session(start, load_engine("crn-separate"), Limits(queue_s=0.1))
    for number in range(30):
        session.push(encode(FED[:, 800 * number : 800 * (number + 1)], "f32le"))
        work(session)
    session.push_control("stop")
    work(session)
    came = session.pop()
    sound = decode(b"".join(item for item in came if isinstance(item, bytes)), "f32le", 2)
    kept = vf.separate(FED, 16000, model="crn-separate").voices[:, 0, came[0]["samples"] :]
    assert came[0]["type"] == "dropped" and came[0]["at_sample"] == 0 and sound.shape[1] <= 0.1 * 16000
    np.testing.assert_array_equal(sound, kept)
    assert came[-1]["given_samples"] == sound.shape[1] == FED.shape[1] - came[-1]["dropped_samples"]


def test_an_empty_frame_is_no_work():
    session = Session(Start(type="start", rate=16000, format="f32le"), load_engine("crn-tiny"), Limits())
    session.push(b"")
    assert session.take() is None and session.counts()["fed_samples"] == 0
