"""A service that runs while the tests of this folder do."""

import pytest

pytest.importorskip("fastapi", reason="the service needs voxfield[serve]")

from service import running


@pytest.fixture(scope="session")
def service():
    with running() as one:
        yield one


@pytest.fixture(scope="session")
def serving():
    """`with serving(limits={...}, tokens=(...)) as service:`"""
    return running
