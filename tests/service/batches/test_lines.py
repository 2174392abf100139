"""One line of a batch."""

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from antiphon.engine.request_context import RequestContext
from antiphon.errors import ConversationLocked, UpstreamError, UpstreamRefused, UpstreamUnreachable
from antiphon.service.batches import lines as module
from antiphon.service.batches.input import Line
from antiphon.service.batches.lines import Attempt, BodyLimits, LineSteps
from antiphon.store import Store
from antiphon.wire.batches import BatchEndpoint, BatchUsage
from antiphon.wire.json import JSON, JSONObject
from tests.durable.batching import BatchServers
from tests.server.batching import CHAT, line
from tests.service.world import ME
from tests.store.conftest import Run

NUMBERS = count()
BUSY = UpstreamRefused("busy", upstream_status=429)


@pytest.fixture
def servers(run: Run, tmp_path: Path) -> Iterator[BatchServers]:
    opened = run(Store.open(":memory:"))
    yield BatchServers(opened, tmp_path)
    run(opened.close())


def answer(
    servers: BatchServers, run: Run, request: JSONObject, *, strict: bool = False
) -> tuple[int, JSON, BatchUsage]:
    """Run a line; return status, body and usage."""
    lines = servers.batches._services.lines
    lines.limits = BodyLimits(is_strict=strict)
    endpoint: BatchEndpoint = request["url"]
    attempt = Attempt(
        batch_id=f"batch_{next(NUMBERS)}", endpoint=endpoint, epoch=1, context=RequestContext(owner=ME)
    )
    steps = LineSteps({}, AsyncMock())
    output, usage = run(lines.run(attempt, Line(1, json.dumps(request).encode()), steps))
    assert output.custom_id == request["custom_id"]
    assert output.response is not None
    assert output.response.request_id.startswith("req_")
    return output.response.status_code, json.loads(bytes(output.response.body)), usage


@pytest.mark.parametrize("error", [BUSY, UpstreamUnreachable("gone"), ConversationLocked()])
def test_a_passing_failure_is_repeated(
    servers: BatchServers, run: Run, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(module, "_PAUSES", (0.0, 0.0, 0.0))
    failures = [error, error, error]

    async def hold(_: str) -> None:
        if failures:
            raise failures.pop()

    servers.model.hold = hold
    status, body, _ = answer(servers, run, line("one"))
    assert (status, body["status"]) == (200, "completed")
    assert servers.model.asked == {"one": 4}


@pytest.mark.parametrize(
    ("error", "calls"),
    [
        (BUSY, 3),
        (UpstreamError("broken"), 1),
        (UpstreamRefused("no quota", upstream_status=429, code="insufficient_quota"), 1),
        (UpstreamRefused("bad", upstream_status=400), 1),
    ],
)
def test_other_failures_are_the_result(
    servers: BatchServers, run: Run, monkeypatch: pytest.MonkeyPatch, error: UpstreamError, calls: int
) -> None:
    monkeypatch.setattr(module, "_PAUSES", (0.0, 0.0))

    async def hold(_: str) -> None:
        raise error

    servers.model.hold = hold
    status, body, usage = answer(servers, run, line("one", CHAT))
    assert status == error.status
    assert body == {
        "error": {"message": error.message, "type": error.type, "param": None, "code": error.code}
    }
    assert servers.model.asked == {"one": calls}
    assert usage == BatchUsage()


def test_a_fault_of_the_server_is_the_result(servers: BatchServers, run: Run) -> None:
    async def hold(_: str) -> None:
        raise RuntimeError("a defect")

    servers.model.hold = hold
    status, body, _ = answer(servers, run, line("one", CHAT))
    assert status == 500
    assert body["error"]["type"] == "server_error"
    assert "defect" not in body["error"]["message"]


def test_bodies_have_the_checks_of_http(servers: BatchServers, run: Run) -> None:
    deep: JSON = []
    for _ in range(200):
        deep = [deep]
    status, body, _ = answer(servers, run, line("one", metadata=deep))
    assert (status, body["error"]["code"]) == (400, "invalid_json")
    promised = line("one", max_tokens=5)
    assert answer(servers, run, promised)[0] == 400
    unknown = line("one", unheard=1)
    assert answer(servers, run, unknown)[0] == 200
    status, body, _ = answer(servers, run, unknown, strict=True)
    assert (status, body["error"]["param"]) == (400, "unheard")


def test_the_usage_of_each_endpoint_is_counted() -> None:
    chat = {
        "prompt_tokens": 10,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens": 5,
        "completion_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 15,
    }
    responses = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 15,
    }
    first, second = (module._usage(json.dumps({"usage": each}).encode()) for each in (chat, responses))
    assert first == second
    assert (first.input_tokens, first.output_tokens, first.total_tokens) == (10, 5, 15)
    assert first.input_tokens_details.cached_tokens == 4
    assert first.output_tokens_details.reasoning_tokens == 2
    for odd in (b"{}", b'{"usage": 3}', b'{"usage": null}', b'{"usage": {"prompt_tokens": "3"}}'):
        assert module._usage(odd) == BatchUsage()


def test_a_response_that_is_no_json_is_an_error(servers: BatchServers, run: Run) -> None:
    async def complete(_: object) -> bytes:
        return b"no\njson"

    servers.model.complete = complete  # type: ignore[method-assign,assignment]
    status, body, _ = answer(servers, run, line("one", CHAT))
    assert (status, body["error"]["code"]) == (502, "upstream_error")
