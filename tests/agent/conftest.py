"""Agents of both kinds over a scripted server."""

import pytest

from tests.agent.running import KINDS, Kind, Runner
from tests.agent.scripted import Script


@pytest.fixture
def script() -> Script:
    """Return a server that answers as the test scripts it."""
    return Script()


@pytest.fixture(params=KINDS)
def runner(request: pytest.FixtureRequest, script: Script) -> Runner:
    """Return an agent of each kind over the scripted server."""
    kind: Kind = request.param
    return Runner(kind, script.client, script.async_client)
