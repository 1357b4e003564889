"""What the tasks give out, as any other value of Python: compared, kept in sets, copied, sent to other processes."""

import copy
import dataclasses
import pickle
import pkgutil
from importlib import import_module

import numpy as np

import voxfield as vf
from voxfield import tasks
from voxfield.runtime import load_engine


def test_results_that_hold_arrays_are_equal_to_themselves_alone():
    for found in pkgutil.walk_packages(tasks.__path__, f"{tasks.__name__}."):
        for name, made in vars(import_module(found.name)).items():
            if dataclasses.is_dataclass(made) and not name.startswith("_"):
                arrays = [field.name for field in dataclasses.fields(made) if "ndarray" in str(field.type)]
                assert not arrays or made.__eq__ is object.__eq__, f"{found.name}.{name} compares {arrays}"


def test_an_enhanced_recording_in_a_list(tiny_spectral, speech):
    first, second = (vf.enhance(speech(1, 4000), 16000, model=tiny_spectral) for _ in range(2))
    assert first in [second, first] and first != second and len({first, second}) == 2


def test_what_runs_says_which_network_it_runs():
    assert repr(vf.Stream("crn-tiny", 2, linked=True)).startswith("<Stream crn-tiny.v")
    assert repr(vf.Enhancer("crn-tiny", 8000)).startswith("<Enhancer crn-tiny.v")
    assert repr(vf.Separator("crn-separate", 8000)).startswith("<Separator crn-separate.v")


def test_a_stream_is_copied_where_it_stands(tiny_spectral, tiny_free_batch, speech):
    samples = speech(1, 8000)
    for model in (tiny_spectral, tiny_free_batch):
        stream = vf.Stream(load_engine(model))
        stream.feed(samples[:, :3000])
        copies = [copy.deepcopy(stream), pickle.loads(pickle.dumps(stream))]
        wanted = np.concatenate([stream.feed(samples[:, 3000:]), stream.flush()], axis=1)
        for other in copies:
            assert np.array_equal(np.concatenate([other.feed(samples[:, 3000:]), other.flush()], axis=1), wanted)
    assert copy.deepcopy(load_engine(tiny_spectral)) is load_engine(tiny_spectral)
    assert pickle.loads(pickle.dumps(load_engine("crn-tiny"))).card.name == load_engine("crn-tiny").card.name
