"""pytest plugin that records the model calls of tests once and replays them later.

    def test_capital(antiphon_client):
        response = antiphon_client.responses.create(model="openai/gpt-4o", input="The capital of France?")
        assert "Paris" in response.output_text

pytest loads the plugin automatically. Each test has its own scope. The server is imported only when a test
requests a fixture.
"""

import shlex
import sys
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

import pytest

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

    from antiphon.recording.calls.recorded import RecordedCall
    from antiphon.settings.schema import Mode, ReplayTools
    from antiphon.testing import InProcessServer, LocalServer, Outcome

Server = TypeVar("Server", bound="LocalServer")

MODES = ("live", "record", "replay", "record-missing")
"""Choices of `--recording`."""
REPLAY_TOOLS = ("recorded", "live")
"""Choices of `--replay-tools`."""

_LISTED = 10
"""Number of unused recordings, and of changed tests, that the report lists."""
_FILL = "run pytest --recording=record-missing to record the missing calls"
_PRUNE = (
    "run ANTIPHON_HIT_LOG=hits.jsonl pytest with all tests, and then antiphon recordings prune {folder} "
    "--hits hits.jsonl to remove unused recordings"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the plugin's options."""
    group = parser.getgroup("antiphon", "recorded and replayed model calls")
    group.addoption(
        "--recording",
        choices=MODES,
        default="replay",
        help="How model calls are handled: sent to the backends, sent and recorded, replayed from recordings "
        "(the default), or replayed and recorded where a recording is missing.",
    )
    group.addoption(
        "--recordings",
        metavar="DIR",
        default="tests/recordings",
        help="Directory of recordings, relative to the project's root (default: %(default)s).",
    )
    group.addoption(
        "--replay-tools",
        choices=REPLAY_TOOLS,
        help="How tool calls are handled in replay mode: replayed, or made except for web searches with a "
        "recording (default: the setting `replay_tools`).",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the object that tracks the tests."""
    config.pluginmanager.register(Rehearsal(config), "antiphon-rehearsal")


@pytest.fixture(scope="session")
def antiphon_server(pytestconfig: pytest.Config) -> "Iterator[LocalServer]":
    """Provide the server of this run; its `url_of(scope)` returns a scope's base URL."""
    rehearsal = pytestconfig.pluginmanager.get_plugin("antiphon-rehearsal")
    assert isinstance(rehearsal, Rehearsal)
    with rehearsal.serving() as server:
        yield server


@pytest.fixture(scope="session")
def antiphon_in_process(pytestconfig: pytest.Config) -> "Iterator[InProcessServer]":
    """Provide a server of this run that uses no socket; its `client(scope)` returns a client of a scope."""
    rehearsal = pytestconfig.pluginmanager.get_plugin("antiphon-rehearsal")
    assert isinstance(rehearsal, Rehearsal)
    with rehearsal.serving_in_process() as server:
        yield server


@pytest.fixture
def antiphon_scope(request: pytest.FixtureRequest) -> str:
    """Return the scope of a test's model calls; defaults to the test's ID."""
    scope: str = request.node.nodeid
    return scope


@pytest.fixture
def antiphon_url(antiphon_server: "LocalServer", antiphon_scope: str, request: pytest.FixtureRequest) -> str:
    """Return the base URL for the model calls of one test.

    A test that runs again, for example because a plugin repeats failed tests, restarts its scope.
    """
    _begin(antiphon_server, antiphon_scope, request)
    return antiphon_server.url_of(antiphon_scope)


@pytest.fixture
def antiphon_client(antiphon_url: str) -> "Iterator[OpenAI]":
    """Provide a client of the `openai` package for one test, without retries."""
    from openai import OpenAI

    with OpenAI(base_url=antiphon_url, api_key="unused", max_retries=0) as client:
        yield client


@pytest.fixture
def antiphon_in_process_client(
    antiphon_in_process: "InProcessServer", antiphon_scope: str, request: pytest.FixtureRequest
) -> "Iterator[OpenAI]":
    """Provide a client as `antiphon_client` does, without a socket."""
    _begin(antiphon_in_process, antiphon_scope, request)
    with antiphon_in_process.client(antiphon_scope) as client:
        yield client


@pytest.fixture
def antiphon_in_process_async_client(
    antiphon_in_process: "InProcessServer", antiphon_scope: str, request: pytest.FixtureRequest
) -> "AsyncOpenAI":
    """Return an asynchronous client without a socket, which has no connection to close."""
    _begin(antiphon_in_process, antiphon_scope, request)
    return antiphon_in_process.async_client(antiphon_scope)


def _begin(server: "LocalServer", scope: str, request: pytest.FixtureRequest) -> None:
    rehearsal = request.config.pluginmanager.get_plugin("antiphon-rehearsal")
    assert isinstance(rehearsal, Rehearsal)
    if rehearsal.runs_again(f"{request.node.nodeid} {type(server).__name__}", scope):
        server.begin(scope)


class Rehearsal:
    """Tracker of a run's model calls that reports server errors and a summary.

    Results travel in the test reports, so that they also arrive from worker processes.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._mode: Mode = config.getoption("--recording")
        self._replay_tools: ReplayTools | None = config.getoption("--replay-tools")
        self._directory: Path = config.rootpath / config.getoption("--recordings")
        self._servers: list[LocalServer] = []
        self._outcomes: list[Outcome] = []
        self.counts: dict[str, int] = {}
        self.used: set[str] = set()
        self._missed: dict[str, list[str]] = {}
        self._passed: set[str] = set()
        self._users: dict[str, set[str]] = {}
        self._collected: set[str] = set()

    @contextmanager
    def serving(self) -> "Iterator[LocalServer]":
        """Run the server until the block ends, or fail the requesting test."""
        from antiphon.testing import serve

        with self._open(serve(self._directory, self._mode, replay_tools=self._replay_tools)) as server:
            yield server

    @contextmanager
    def serving_in_process(self) -> "Iterator[InProcessServer]":
        """Run the server without a socket until the block ends, or fail the requesting test."""
        from antiphon.testing import in_process

        with self._open(in_process(self._directory, self._mode, replay_tools=self._replay_tools)) as server:
            yield server

    @contextmanager
    def _open(self, serving: "AbstractContextManager[Server]") -> "Iterator[Server]":
        from antiphon.errors import AntiphonError, ConfigError

        problem, server = "", None
        with ExitStack() as stack:
            try:
                server = stack.enter_context(serving)
            except (AntiphonError, ConfigError) as error:
                problem = str(error)
            if server is None:
                pytest.fail(f"antiphon: {problem}\n{_FILL}", pytrace=False)
            self._servers.append(server)
            yield server

    def runs_again(self, test: str, scope: str) -> bool:
        """Return whether a test has used a scope before, and no other test has.

        Tests that share a scope are a sequence, so that a second test continues the scope.
        """
        users = self._users.setdefault(scope, set())
        again = users == {test}
        users.add(test)
        return again

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Note the collected tests before other plugins deselect any."""
        self._collected = {item.nodeid for item in items}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: "pytest.CallInfo[None]"
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the results of a test's model calls to its report, without the frames of the client."""
        if not self._servers:
            return (yield)
        if call.excinfo is not None and not self._config.getoption("fulltrace"):
            _hide_client(call.excinfo)
        report = yield
        for server in self._servers:
            self._outcomes += server.take()
        if report.failed and call.excinfo is not None:
            shown = str(call.excinfo.value)
            told = dict.fromkeys(o.error for o in self._outcomes if o.error and o.error not in shown)
            report.sections += [("antiphon", text) for text in told]
        if report.when == "teardown":
            vars(report)["antiphon"] = _summed(self._outcomes)
            self._outcomes = []
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add the results of a test's model calls to the totals of the run."""
        if report.when == "call" and report.passed:
            self._passed.add(report.nodeid)
        counts, used, missed = getattr(report, "antiphon", ({}, [], []))
        if missed:
            self._missed[report.nodeid] = missed
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        self.used.update(used)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the numbers of hits, misses and new recordings, and unused recordings."""
        if not self.counts:
            return
        terminalreporter.section(f"antiphon: {self._mode}, {self._config.getoption('--recordings')}")
        terminalreporter.line(", ".join(f"{name}: {count}" for name, count in self.counts.items()))
        unused = self._unused() if self._mode in ("replay", "record-missing") else []
        for line in unused[:_LISTED]:
            terminalreporter.line(f"unused: {line}")
        if len(unused) > _LISTED:
            terminalreporter.line(f"and {len(unused) - _LISTED} more unused")
        if unused:
            terminalreporter.line(_PRUNE.format(folder=self._config.getoption("--recordings")))
        for line in self._advice() if self._missed and self._mode == "replay" else []:
            terminalreporter.line(line)

    def _advice(self) -> Iterator[str]:
        """Yield a line about tests whose calls have changed, and one about tests without recordings."""
        recorded = {call.scope for call in self._calls()}
        changed = [test for test, scopes in self._missed.items() if recorded.intersection(scopes)]
        if changed:
            tests = " ".join(shlex.quote(test) for test in changed[:_LISTED])
            more = f" and {len(changed) - _LISTED} more" if len(changed) > _LISTED else ""
            noun = "test" if len(changed) == 1 else "tests"
            yield f"run pytest --recording=record {tests}{more} to record the changed {noun} again"
        if len(changed) < len(self._missed):
            yield _FILL

    def _calls(self) -> "list[RecordedCall]":
        from antiphon.recording.calls.recorded import REPLAYED
        from antiphon.recording.collection import read_calls

        if not self._directory.is_dir():  # No backend responded, so that nothing was recorded.
            return []
        return [call for call in read_calls(self._directory, []) if call.kind in REPLAYED]

    def _unused(self) -> list[str]:
        """Return recordings that their passed tests did not use or whose tests are gone."""
        return [
            f"{call.name} of {call.scope}"
            for call in self._calls()
            if call.name not in self.used and (call.scope in self._passed or self._is_gone(call.scope))
        ]

    def _is_gone(self, scope: str) -> bool:
        """Return whether a scope belongs to a test that its file no longer contains."""
        chosen = any("::" in argument for argument in self._config.args)
        if chosen or self._config.getoption("lf", False):
            return False  # The run did not collect all tests of each file.
        files = {test.partition("::")[0] for test in self._collected}
        return scope not in self._collected and scope.partition("::")[0] in files


def _hide_client(excinfo: "pytest.ExceptionInfo[BaseException]") -> None:
    """Remove the frames of the `openai` package, which hide the test's own frame."""
    client = sys.modules.get("openai")
    if client is None or client.__file__ is None:
        return
    folder = Path(client.__file__).resolve().parent
    kept: list[TracebackType] = []
    step: TracebackType | None = excinfo.tb
    while step is not None:
        if folder not in Path(step.tb_frame.f_code.co_filename).resolve().parents:
            kept.append(step)
        step = step.tb_next
    shown: TracebackType | None = None
    for each in reversed(kept):
        shown = TracebackType(shown, each.tb_frame, each.tb_lasti, each.tb_lineno)
    if shown is not None:
        # pytest cuts its list of entries again, by the links between them. So the links need to change.
        excinfo.traceback = type(excinfo.traceback)(shown)


def _summed(outcomes: "list[Outcome]") -> tuple[dict[str, int], list[str], list[str]]:
    """Return counts, used recordings and scopes with misses as types that a worker process can send."""
    if not outcomes:
        return {}, [], []
    counts = {
        "hits": sum(outcome.hits for outcome in outcomes),
        "misses": sum(outcome.misses for outcome in outcomes),
        "recorded": sum(outcome.recorded for outcome in outcomes),
    }
    used = [name for outcome in outcomes for name in outcome.recordings]
    return counts, used, sorted({outcome.scope for outcome in outcomes if outcome.misses})
