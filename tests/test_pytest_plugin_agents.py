"""Agents in small projects with the pytest plugin, without sockets."""

import openai.resources.chat.completions
import openai.resources.responses
import pytest

import antiphon.testing
from tests.clients.replies import calls, says
from tests.support.upstream import Upstream
from tests.test_pytest_plugin import OTHER_PLUGINS

pytest_plugins = ["pytester"]

IMPORTED = (openai, antiphon)
"""Modules that are imported here, so that the projects don't import them again."""

AGENTS = """
    import asyncio

    from antiphon.agent import Agent, AsyncAgent

    def get_weather(city: str) -> str:
        return f"It is cold in {city}."

    def test_agent(antiphon_in_process_client):
        agent = Agent(antiphon_in_process_client, model="openai/m", tools=[get_weather])
        turn = agent.run("Is it cold in Oslo?", session=agent.create_session("weather"))
        assert str(turn) == "Yes."
        assert len(turn.steps) == 3

    def test_async_agent(antiphon_in_process_async_client):
        agent = AsyncAgent(antiphon_in_process_async_client, model="openai/m", tools=[get_weather])
        assert str(asyncio.run(agent.run("Is it cold in Rome?"))) == "No."
"""
SOCKETS_OFF = """
    import asyncio
    import socket

    import pytest

    asyncio.new_event_loop().close()  # It needs a pair of sockets of its own.

    @pytest.fixture(autouse=True)
    def sockets_off(monkeypatch):
        def refused(*_):
            raise AssertionError("a socket listens or connects")

        for name in ("bind", "listen", "connect", "connect_ex"):
            monkeypatch.setattr(socket.socket, name, refused)
"""


def test_agents_replay_in_process_without_a_socket(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = f"filterwarnings = ['error']\naddopts = '{OTHER_PLUGINS}'"
    pytester.makepyprojecttoml(f"[tool.pytest.ini_options]\n{options}")
    pytester.makepyfile(test_agents=AGENTS)
    monkeypatch.setenv("ANTIPHON_DISCOVER", "false")
    with Upstream() as upstream, monkeypatch.context() as keys:
        keys.setenv("OPENAI_BASE_URL", upstream.base_url)
        keys.setenv("OPENAI_API_KEY", "none")
        upstream.script(
            calls(("call_1", "get_weather", {"city": "Oslo"})),
            says("Yes."),
            calls(("call_2", "get_weather", {"city": "Rome"})),
            says("No."),
        )
        result = pytester.runpytest("--recording=record")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["hits: 0, misses: 0, recorded: 4"])
    pytester.makeconftest(SOCKETS_OFF)
    result = pytester.runpytest()
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["hits: 4, misses: 0, recorded: 0"])
