"""Model calls in tests: recorded once, replayed in every run after that. Loaded by pytest itself.

    def test_capital(antiphon_client):
        response = antiphon_client.responses.create(model="openai/gpt-4o", input="The capital of France?")
        assert "Paris" in response.output_text

Each test is a scope of its own. Nothing of the server is imported before a test asks for a fixture.
"""

from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from openai import OpenAI

    from antiphon.settings.schema import Mode
    from antiphon.testing import LocalServer, Outcome

MODES = ("live", "record", "replay", "record-missing")

_LISTED = 10
"""Unused recordings that the report names; the rest is counted."""
_FILL = "pytest --recording=record-missing calls the models for what is not recorded"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    group = parser.getgroup("antiphon", "model calls, recorded and replayed")
    group.addoption(
        "--recording",
        choices=MODES,
        default="replay",
        help="What becomes of model calls: made, made and recorded, answered from recordings (the default), "
        "or made and recorded where no recording answers.",
    )
    group.addoption(
        "--recordings",
        metavar="DIR",
        default="tests/recordings",
        help="The folder of recordings, from the root of the project (default: %(default)s).",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Adds what watches the tests."""
    config.pluginmanager.register(Rehearsal(config), "antiphon-rehearsal")


@pytest.fixture(scope="session")
def antiphon_server(pytestconfig: pytest.Config) -> "Iterator[LocalServer]":
    """The server of this run; its `url_of(scope)` is a base URL for any scope."""
    rehearsal = pytestconfig.pluginmanager.get_plugin("antiphon-rehearsal")
    assert isinstance(rehearsal, Rehearsal)
    with rehearsal.serving() as server:
        yield server


@pytest.fixture
def antiphon_scope(request: pytest.FixtureRequest) -> str:
    """The scope of a test's model calls: the test's own id. A project may define another fixture."""
    scope: str = request.node.nodeid
    return scope


@pytest.fixture
def antiphon_url(antiphon_server: "LocalServer", antiphon_scope: str, request: pytest.FixtureRequest) -> str:
    """The base URL for the model calls of one test, for any client: `http://127.0.0.1:PORT/.../v1`.

    A test that runs again, as plugins do with one that failed, begins its scope anew.
    """
    rehearsal = request.config.pluginmanager.get_plugin("antiphon-rehearsal")
    assert isinstance(rehearsal, Rehearsal)
    if rehearsal.runs_again(request.node.nodeid, antiphon_scope):
        antiphon_server.begin(antiphon_scope)
    return antiphon_server.url_of(antiphon_scope)


@pytest.fixture
def antiphon_client(antiphon_url: str) -> "Iterator[OpenAI]":
    """A client of the `openai` package for one test; what fails is not tried again."""
    from openai import OpenAI

    with OpenAI(base_url=antiphon_url, api_key="unused", max_retries=0) as client:
        yield client


class Rehearsal:
    """Watches the tests of a run, shows what the server says about those that fail, and reports at the end.

    What the tests did travels in their reports, so that it arrives from worker processes too.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._mode: Mode = config.getoption("--recording")
        self._directory: Path = config.rootpath / config.getoption("--recordings")
        self._server: LocalServer | None = None
        self._outcomes: list[Outcome] = []
        self.counts: dict[str, int] = {}
        self.used: set[str] = set()
        self._passed: set[str] = set()
        self._users: dict[str, set[str]] = {}
        self._collected: set[str] = set()

    @contextmanager
    def serving(self) -> "Iterator[LocalServer]":
        """Serves until the block ends; fails the test that asks for it if that is not possible."""
        from antiphon.errors import AntiphonError, ConfigError
        from antiphon.testing import serve

        problem = ""
        with ExitStack() as stack:
            try:
                self._server = stack.enter_context(serve(self._directory, self._mode))
            except (AntiphonError, ConfigError) as error:
                problem = str(error)
            if self._server is None:
                pytest.fail(f"antiphon: {problem}\n{_FILL}", pytrace=False)
            yield self._server

    def runs_again(self, test: str, scope: str) -> bool:
        """Tells whether a test has used a scope before, and no other test has: it is a sequence for those."""
        users = self._users.setdefault(scope, set())
        again = users == {test}
        users.add(test)
        return again

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Notes which tests there are, before any are left out."""
        self._collected = {item.nodeid for item in items}

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, call: "pytest.CallInfo[None]"
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Adds to a test's report what became of its model calls."""
        report = yield
        if self._server is None:
            return report
        self._outcomes += self._server.take()
        if report.failed and call.excinfo is not None:
            shown = str(call.excinfo.value)
            told = dict.fromkeys(o.error for o in self._outcomes if o.error and o.error not in shown)
            report.sections += [("antiphon", text) for text in told]
        if report.when == "teardown":
            vars(report)["antiphon"] = _summed(self._outcomes)
            self._outcomes = []
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Takes in what a report says of its test's model calls."""
        if report.when == "call" and report.passed:
            self._passed.add(report.nodeid)
        counts, used = getattr(report, "antiphon", ({}, []))
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        self.used.update(used)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Prints hits, misses, what was recorded, and which recordings no test needs any more."""
        if not self.counts:
            return
        terminalreporter.section(f"antiphon: {self._mode}, {self._config.getoption('--recordings')}")
        terminalreporter.line(", ".join(f"{name}: {count}" for name, count in self.counts.items()))
        unused = self._unused() if self._mode in ("replay", "record-missing") else []
        for line in unused[:_LISTED]:
            terminalreporter.line(f"unused: {line}")
        if len(unused) > _LISTED:
            terminalreporter.line(f"and {len(unused) - _LISTED} more unused")
        if self.counts["misses"] and self._mode == "replay":
            terminalreporter.line(_FILL)

    def _unused(self) -> list[str]:
        """Returns the recordings that tests which passed did not need, and those of tests that are gone."""
        from antiphon.recording.calls.recorded import REPLAYED
        from antiphon.recording.collection import read_calls

        if not self._directory.is_dir():  # Nothing was recorded, for no backend answered.
            return []
        problems: list[str] = []
        calls = [call for call in read_calls(self._directory, problems) if call.kind in REPLAYED]
        return [
            f"{call.name} of {call.scope}"
            for call in calls
            if call.name not in self.used and (call.scope in self._passed or self._is_gone(call.scope))
        ]

    def _is_gone(self, scope: str) -> bool:
        """Tells whether a scope is that of a test which its file does not hold any more."""
        chosen = any("::" in argument for argument in self._config.args)
        if chosen or self._config.getoption("lf", False):
            return False  # Not all tests of a file were looked at.
        files = {test.partition("::")[0] for test in self._collected}
        return scope not in self._collected and scope.partition("::")[0] in files


def _summed(outcomes: "list[Outcome]") -> tuple[dict[str, int], list[str]]:
    """Returns the counts and the recordings used, as types that a worker process can send."""
    if not outcomes:
        return {}, []
    counts = {
        "hits": sum(outcome.hits for outcome in outcomes),
        "misses": sum(outcome.misses for outcome in outcomes),
        "recorded": sum(outcome.recorded for outcome in outcomes),
    }
    return counts, [name for outcome in outcomes for name in outcome.recordings]
