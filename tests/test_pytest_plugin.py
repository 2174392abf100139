"""The pytest plugin, in small projects."""

import subprocess
import sys
from collections.abc import Iterator
from typing import get_args

import openai.resources.chat.completions
import openai.resources.responses
import pytest

import antiphon.testing
from antiphon.pytest_plugin import MODES, REPLAY_TOOLS, Rehearsal
from antiphon.recording.collection import read_calls
from antiphon.settings.schema import Mode, ReplayTools
from tests.clients.replies import calls, says
from tests.mcp_servers.running import servers
from tests.support.upstream import Upstream, chunk, sse

pytest_plugins = ["pytester"]

IMPORTED = (openai, antiphon)
"""Modules that are imported here, so that the projects don't import them again."""
OTHER_PLUGINS = "-p no:anyio -p no:hypothesispytest -p no:schemathesis -p no:timeout"
"""Options without the other plugins in this environment, which take time."""

CAPITALS = """
    import pytest
    from openai import OpenAI

    def test_france(antiphon_client):
        response = antiphon_client.responses.create(model="openai/m", input="The capital of France?")
        assert response.output_text == "Paris."

    @pytest.mark.parametrize("country", ["Spain", "Italy"])
    def test_stream(antiphon_url, country):
        with OpenAI(base_url=antiphon_url, api_key="none") as client:
            messages = [{"role": "user", "content": "The capital?"}]
            stream = client.chat.completions.create(model="openai/m", messages=messages, stream=True)
            text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
        assert text == {"Spain": "Madrid.", "Italy": "Rome."}[country]
"""
"""Three tests, of which two send the same request and get different answers."""

BOILING = """
    def test_boiling(antiphon_client):
        response = antiphon_client.responses.create(
            model="openai/m",
            input="When does it boil?",
            tools=[
                {{
                    "type": "mcp",
                    "server_label": "lab",
                    "server_url": "{url}",
                    "require_approval": "never",
                }}
            ],
        )
        assert [item.output for item in response.output if item.type == "mcp_call"] == ["-100"]
"""
"""A test with a tool of an MCP server."""

NETWORK_OFF = """
    import socket
    from urllib.parse import urlsplit

    import pytest

    @pytest.fixture(autouse=True)
    def network_off(monkeypatch, antiphon_server):
        connect, ours = socket.socket.connect, urlsplit(antiphon_server.url).port

        def guarded(self, address):
            assert address[:2] == ("127.0.0.1", ours), f"a connection to {address}"
            return connect(self, address)

        monkeypatch.setattr(socket.socket, "connect", guarded)
        with socket.socket() as probe, pytest.raises(AssertionError, match="a connection to"):
            probe.connect(("127.0.0.1", 9))
"""


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.Pytester]:
    """Yield a project whose warnings are errors, and a backend with answers about capitals."""
    options = f"filterwarnings = ['error']\naddopts = '{OTHER_PLUGINS}'"
    pytester.makepyprojecttoml(f"[tool.pytest.ini_options]\n{options}")
    with Upstream() as upstream:
        monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        monkeypatch.setenv("ANTIPHON_DISCOVER", "false")
        for text in ("Paris.", "Madrid.", "Rome."):
            upstream.script(sse(chunk(text), chunk(finish="stop")))
        yield pytester


@pytest.fixture
def recorded(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Record the project's tests, and return the project without its backend."""
    project.makepyfile(test_capitals=CAPITALS)
    result = project.runpytest("--recording=record")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        ["*= antiphon: record, tests/recordings =*", "hits: 0, misses: 0, recorded: 3"]
    )
    monkeypatch.delenv("OPENAI_BASE_URL")
    monkeypatch.delenv("OPENAI_API_KEY")
    return project


def rename(project: pytest.Pytester, old: str, new: str) -> None:
    """Edit the project's tests."""
    path = project.path / "test_capitals.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_each_test_replays_its_own_recordings_with_the_network_off(recorded: pytest.Pytester) -> None:
    scopes = {call.scope for call in read_calls(recorded.path / "tests" / "recordings", [])}
    assert scopes == {
        f"test_capitals.py::test_{name}" for name in ("france", "stream[Spain]", "stream[Italy]")
    }
    recorded.makeconftest(NETWORK_OFF)
    result = recorded.runpytest()
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        ["*= antiphon: replay, tests/recordings =*", "hits: 3, misses: 0, recorded: 0"]
    )
    result.stdout.no_fnmatch_line("unused: *")


def test_a_changed_prompt_fails_with_the_difference(recorded: pytest.Pytester) -> None:
    rename(recorded, "of France?", "of Spain?")
    result = recorded.runpytest()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        [
            "E * 502 - No recording answers this call to m. The nearest is *france*.json#1 *",
            'E   *messages[[]0].content: requested "The capital of Spain?", recorded "The capital of Fra*',
            "hits: 2, misses: 1, recorded: 0",
            "run pytest --recording=record test_capitals.py::test_france to record the changed test again",
        ]
    )
    result.stdout.no_fnmatch_line("unused: *")
    result.stdout.no_fnmatch_line("*record-missing*")
    # The frames of the client hide the test's own frame.
    result.stdout.no_fnmatch_line("*_base_client.py*")
    result.stdout.fnmatch_lines([">       response = antiphon_client.responses.create(*", "E * 502 - *"])
    recorded.runpytest("--full-trace").stdout.fnmatch_lines(["*_base_client.py*"])


def test_the_advice_after_a_changed_prompt_leaves_nothing_unused(
    recorded: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename(recorded, "of France?", "of all of France?")
    with Upstream() as upstream:
        upstream.script(sse(chunk("Paris."), chunk(finish="stop")))
        monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
        recorded.runpytest("--recording=record", "test_capitals.py::test_france").assert_outcomes(passed=1)
    monkeypatch.delenv("OPENAI_BASE_URL")
    result = recorded.runpytest()
    result.assert_outcomes(passed=3)
    result.stdout.no_fnmatch_line("unused: *")


def test_the_advice_about_unused_recordings_removes_them(
    recorded: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename(recorded, "    response = ", "    return\n    response = ")
    monkeypatch.setenv("ANTIPHON_HIT_LOG", "hits.jsonl")
    recorded.runpytest().stdout.fnmatch_lines(
        [
            "unused: *.json#1 of test_capitals.py::test_france",
            "run ANTIPHON_HIT_LOG=hits.jsonl pytest with all tests, and then antiphon recordings prune "
            "tests/recordings --hits hits.jsonl to remove unused recordings",
        ]
    )
    prune = ["antiphon", "recordings", "prune", "tests/recordings", "--hits", "hits.jsonl", "--yes"]
    recorded.run(sys.executable, "-m", *prune).stdout.fnmatch_lines(["1 call removed"])
    result = recorded.runpytest()
    result.assert_outcomes(passed=3)
    result.stdout.no_fnmatch_line("unused: *")


def test_a_new_test_and_a_changed_one_get_different_advice(recorded: pytest.Pytester) -> None:
    rename(recorded, "of France?", "of Spain?")
    with (recorded.path / "test_capitals.py").open("a") as file:
        file.write(
            "\ndef test_new(antiphon_client):\n"
            "    antiphon_client.responses.create(model='openai/m', input='New')\n"
        )
    recorded.runpytest().stdout.fnmatch_lines(
        [
            "run pytest --recording=record test_capitals.py::test_france to record the changed test again",
            "run pytest --recording=record-missing to record the missing calls",
        ]
    )


def test_an_explanation_that_the_test_hides_is_shown_too(recorded: pytest.Pytester) -> None:
    rename(recorded, "of France?", "of Spain?")
    rename(recorded, "    response = antiphon", "    with hiding():\n        response = antiphon")
    with (recorded.path / "test_capitals.py").open("a") as file:
        file.write(HIDING)
    result = recorded.runpytest()
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(
        ["*- antiphon -*", "No recording answers this call to m. *", "  messages[[]0].content: requested *"]
    )


HIDING = """
import contextlib

@contextlib.contextmanager
def hiding():
    try:
        yield
    except Exception:
        raise AssertionError("no answer") from None
"""


def test_what_is_missing_is_recorded_on_demand(
    recorded: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename(recorded, "of France?", "of the whole of France?")
    with Upstream() as upstream:
        upstream.script(sse(chunk("Paris."), chunk(finish="stop")))
        monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
        result = recorded.runpytest("--recording=record-missing")
        assert len(upstream.chats) == 1
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        ["hits: 2, misses: 0, recorded: 1", "unused: *france*.json#1 of test_capitals.py::test_france"]
    )


def test_recordings_of_tests_that_are_gone_are_unused(recorded: pytest.Pytester) -> None:
    rename(recorded, '"Spain", "Italy"', '"Spain"')
    result = recorded.runpytest()
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["unused: *.json#1 of test_capitals.py::test_stream[[]Italy]"])
    # A run of selected tests reports nothing about the other recordings.
    for chosen in ("test_capitals.py::test_france", "--lf"):
        recorded.runpytest(chosen).stdout.no_fnmatch_line("unused: *")


def test_recordings_that_a_test_no_longer_needs_are_unused(recorded: pytest.Pytester) -> None:
    rename(recorded, "    response = ", "    return\n    response = ")
    recorded.runpytest().stdout.fnmatch_lines(["unused: *.json#1 of test_capitals.py::test_france"])


def test_without_recordings_the_tests_say_what_to_do(project: pytest.Pytester) -> None:
    project.makepyfile(test_capitals=CAPITALS)
    result = project.runpytest("--recordings=elsewhere")
    result.assert_outcomes(errors=3)
    result.stdout.fnmatch_lines(
        [
            "antiphon: *elsewhere: the folder of recordings does not exist*",
            "run pytest --recording=record-missing *",
        ]
    )
    result.stdout.no_fnmatch_line("*During handling*")


def test_a_backend_that_is_gone_leaves_no_recordings(project: pytest.Pytester) -> None:
    project.makepyfile(test_capitals=CAPITALS.replace("openai/m", "none/m"))
    result = project.runpytest("--recording=record-missing")
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["*= antiphon: record-missing, tests/recordings =*", "hits: 0, *"])


def test_live_calls_leave_no_recordings(project: pytest.Pytester) -> None:
    project.makepyfile(test_capitals=CAPITALS)
    project.runpytest("--recording=live").assert_outcomes(passed=3)
    assert not (project.path / "tests").exists()


def test_a_project_may_name_its_scopes(project: pytest.Pytester) -> None:
    project.makepyfile(test_capitals=CAPITALS)
    project.makeconftest("import pytest\n@pytest.fixture\ndef antiphon_scope(): return 'capitals'")
    project.runpytest("--recording=record").assert_outcomes(passed=3)
    assert [path.name.partition("-")[0] for path in (project.path / "tests" / "recordings").iterdir()] == [
        "capitals"
    ]
    # The two equal questions are a sequence now.
    project.runpytest().assert_outcomes(passed=3)


def test_a_test_that_runs_again_restarts_its_scope(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makepyfile(test_capitals=CAPITALS)
    # Plugins that repeat failed tests do the same.
    project.makeconftest(
        "from _pytest.runner import runtestprotocol\n"
        "def pytest_runtest_protocol(item, nextitem):\n"
        "    for _ in range(2):\n"
        "        for report in runtestprotocol(item, nextitem=nextitem, log=False):\n"
        "            item.ihook.pytest_runtest_logreport(report=report)\n"
        "    return True\n"
    )
    with Upstream() as upstream:
        upstream.script(*(sse(chunk(t), chunk(finish="stop")) for t in ("Paris.", "Paris.", "Madrid.")))
        upstream.script(*(sse(chunk(t), chunk(finish="stop")) for t in ("Madrid.", "Rome.", "Rome.")))
        monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
        project.runpytest("--recording=record").assert_outcomes(passed=6)
    calls = read_calls(project.path / "tests" / "recordings", [])
    assert [call.name.partition("#")[2] for call in calls] == ["1", "1", "1"]
    monkeypatch.delenv("OPENAI_BASE_URL")
    project.runpytest().assert_outcomes(passed=6)


def test_projects_that_do_not_use_it_are_not_disturbed(project: pytest.Pytester) -> None:
    project.makepyfile("def test_nothing(): pass")
    result = project.runpytest()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*antiphon:*")
    program = "import sys, antiphon.pytest_plugin; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not {"antiphon.testing", "antiphon.settings.schema", "msgspec", "openai", "starlette"} & set(
        done.stdout.split()
    )


def test_the_modes_are_the_servers() -> None:
    assert get_args(Mode) == MODES
    assert get_args(ReplayTools) == REPLAY_TOOLS


def test_tools_can_be_called_while_models_are_replayed(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTIPHON_ALLOW_HOSTS", "127.0.0.1")
    boil = calls(("call_1", "get_boiling_point", {"liquid_name": "myawesomeliquid"}))
    with Upstream() as upstream, servers(project.path) as running:
        upstream.script(boil, says("At -100."))
        monkeypatch.setenv("OPENAI_BASE_URL", upstream.base_url)
        project.makepyfile(test_boiling=BOILING.format(url=f"{running.url}/basic/mcp"))
        project.runpytest("--recording=record").assert_outcomes(passed=1)
        monkeypatch.delenv("OPENAI_BASE_URL")
        monkeypatch.delenv("OPENAI_API_KEY")
        before = len(running.log())
        project.runpytest().assert_outcomes(passed=1)
        assert len(running.log()) == before
        result = project.runpytest("--replay-tools=live")
        result.assert_outcomes(passed=1)
        result.stdout.fnmatch_lines(["hits: 2, misses: 0, recorded: 0"])
        assert running.asked(before)[-2:] == ["tools/list", "tools/call"]
        (project.path / "antiphon.toml").write_text('replay_tools = "live"')
        before = len(running.log())
        project.runpytest().assert_outcomes(passed=1)
        assert running.asked(before)[-2:] == ["tools/list", "tools/call"]
    project.runpytest("--replay-tools=recorded").assert_outcomes(passed=1)
    project.runpytest().assert_outcomes(failed=1)


def test_reports_of_worker_processes_are_counted(pytestconfig: pytest.Config) -> None:
    """The reports have the form in which xdist sends those of its workers."""
    rehearsal = Rehearsal(pytestconfig)
    for name in ("a", "b"):
        report = pytest.TestReport(
            nodeid=f"test_x.py::test_{name}",
            location=("test_x.py", 1, name),
            keywords={},
            outcome="passed",
            longrepr=None,
            when="teardown",
            antiphon=({"hits": 2, "misses": 1}, [f"{name}.json#1"], [f"scope {name}"]),
        )
        hook = pytestconfig.hook
        sent = hook.pytest_report_to_serializable(config=pytestconfig, report=report)
        arrived = hook.pytest_report_from_serializable(config=pytestconfig, data=sent)
        rehearsal.pytest_runtest_logreport(arrived)
    assert rehearsal.counts == {"hits": 4, "misses": 2}
    assert rehearsal.used == {"a.json#1", "b.json#1"}
