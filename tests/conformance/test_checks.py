"""This server passes the checks, and a server with faults does not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.settings.schema import ReasoningEvents
from antiphon.testing import serve
from tests.conformance.checks import CHECKS
from tests.conformance.run import main, outcome
from tests.conformance.target import Target
from tests.server.faults import TEXT
from tests.support.schemas import OPENRESPONSES
from tests.support.serving import Serving, backend, backends
from tests.support.shared import shared
from tests.support.upstream import Upstream, chunk, html, sse

THINKS = sse(
    chunk(reasoning_content="They greet "),
    chunk(reasoning_content="me."),
    chunk("Hello."),
    chunk(finish="stop"),
)


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, upstream: Upstream) -> Iterator[Serving]:
    shared(OPENRESPONSES)
    database = tmp_path_factory.mktemp("server") / "state.db"
    with Serving(database, backends(backend(upstream))) as server:
        yield server


@pytest.mark.shared
@pytest.mark.parametrize("name", CHECKS)
def test_a_check(server: Serving, name: str) -> None:
    with Target(server.url, "antiphon/sample", "unused") as target:
        CHECKS[name](target)


def thinking(upstream: Upstream, names: ReasoningEvents, check: str) -> str | None:
    """Return the problem that each check finds in a server whose backend sends its reasoning."""
    upstream.script(THINKS)
    with (
        serve(mode="live", backends=[backend(upstream)], reasoning_events=names) as server,
        Target(server.url, "up/m") as target,
    ):
        return outcome(target, check)


CALLING = frozenset({"tool-calling", "function-call-roundtrip"})
"""Checks that need a model which calls a function."""
STREAMED = frozenset(
    {
        "streaming-response",
        "websocket-response",
        "websocket-sequential-responses",
        "websocket-continuation",
        "websocket-reconnect-store-false-recovery",
        "websocket-failed-continuation-evicts-cache",
        "websocket-compact-new-chain",
    }
)
"""Checks that receive events of raw reasoning; `docs/conformance.md` describes them."""


@pytest.mark.shared
@pytest.mark.parametrize("check", sorted(CHECKS.keys() - CALLING))
def test_raw_reasoning_has_the_names_that_the_operator_chose(upstream: Upstream, check: str) -> None:
    shared(OPENRESPONSES)
    assert thinking(upstream, "open_responses", check) is None
    fault = thinking(upstream, "openai", check)
    assert (fault is not None) == (check in STREAMED)
    assert fault is None or "response.reasoning_text.delta" in fault


def test_the_page_describes_the_checks_that_fail_by_default() -> None:
    websocket = {check for check in CHECKS if check.startswith("websocket-")}
    assert websocket - STREAMED == {"websocket-previous-response-not-found"}
    assert STREAMED - websocket == {"streaming-response"}
    page = (Path(__file__).parents[2] / "docs" / "conformance.md").read_text()
    assert len(STREAMED) == 7
    assert "seven of the 17 checks" in page


@pytest.mark.shared
def test_the_table_of_a_server_that_passes(server: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["--check", "basic-response", "--check", "compact-missing-model"]
    assert main([server.url, "--model", "antiphon/sample", *chosen]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["basic-response", "pass"],
        ["compact-missing-model", "pass"],
        [],
        ["2", "of", "2", "pass"],
    ]


@pytest.mark.shared
def test_the_table_of_a_server_that_does_not(
    server: Serving, upstream: Upstream, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sample model that always answers with text calls no function."""
    upstream.script(TEXT)
    chosen = ["--check", "basic-response", "--check", "tool-calling"]
    assert main([server.url, "--model", "up/m", *chosen]) == 1
    passed, failed, _, count = capsys.readouterr().out.splitlines()
    assert passed.split() == ["basic-response", "pass"]
    assert failed.split() == ["tool-calling", "FAIL", "no", "function", "is", "called"]
    assert count == "1 of 2 pass"


@pytest.mark.parametrize("name", CHECKS)
def test_what_is_no_such_server_fails(upstream: Upstream, name: str) -> None:
    """A server of chat completions alone has no responses and no WebSocket."""
    upstream.script(html("<h1>Not found</h1>", 404))
    with Target(upstream.base_url, "m") as target:
        assert outcome(target, name) is not None


def test_nobody_is_there() -> None:
    """A host that does not exist by definition (RFC 6761)."""
    with Target("http://models.invalid/v1", "m") as target:
        fault = outcome(target, "basic-response")
    assert fault is not None
    assert fault.startswith("the server does not answer: ")
