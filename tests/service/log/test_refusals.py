"""Refused requests in the log."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import pytest

from antiphon.errors import InvalidRequest
from antiphon.service.log.entries import Log
from antiphon.service.log.refusals import Refusals
from antiphon.settings.schema import LogContent
from antiphon.store import Store
from antiphon.store.log.rows import LogQuery
from antiphon.testing import serve
from antiphon.wire.json import JSON
from antiphon.wire.log import LogEntry
from tests.service.log.runs import Runs


def noted(runs: Runs, content: LogContent, *messages: str) -> list[LogEntry]:
    """Note a refusal for each message, and return the lines of the log."""

    async def note() -> None:
        refusals = Refusals(runs.store.log, content)
        for number, message in enumerate(messages):
            error = InvalidRequest(message, code="invalid_value", param="input" * 100)
            refusals.note(f"req_{number:05}", "me", "alice", error)
        await runs.store.servers.heartbeat()

    runs.run(note())
    return runs.run(runs.log.page(LogQuery(limit=2000))).data


def test_a_refusal_has_its_error_without_a_body(runs: Runs) -> None:
    (entry,) = noted(runs, "full", "Wrong\x00 " + "x" * 10_000)
    error = entry.summary.error
    assert error is not None
    assert (entry.kind, entry.owner, entry.key, entry.status) == ("refused", "me", "alice", "refused")
    assert (error.type, error.code, error.status) == ("invalid_request_error", "invalid_value", 400)
    assert error.message is not None
    assert (error.message[:7], len(error.message)) == ("Wrong x", 1999)
    assert error.param is not None
    assert len(error.param) == 200


def test_metadata_has_no_message_and_off_has_nothing(runs: Runs) -> None:
    (entry,) = noted(runs, "metadata", "Secret.")
    assert entry.summary.error is not None
    assert (entry.summary.error.message, entry.summary.error.code) == (None, "invalid_value")
    assert len(noted(runs, "off", "Secret.")) == 1


def test_many_refusals_in_a_minute_are_not_written(runs: Runs) -> None:
    assert len(noted(runs, "full", *["No."] * 1000)) == 600


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the database of a server that has refused requests."""
    path = tmp_path_factory.mktemp("refused") / "state.db"
    with serve(None, "live", database=str(path)) as server:
        url = f"{server.url}/responses"
        assert post(url, {"model": "antiphon/nope", "input": "Hi"}) == 404
        assert post(url, {"model": "antiphon/sample", "input": "Hi", "top_p": 7}) == 400
        assert post(f"{server.url}/embeddings", {"model": "antiphon/nope", "input": "Hi"}) == 404
        assert post(url, {"model": "antiphon/sample", "input": "Hi"}) == 200
        headers = {"Origin": "https://example.org", "Authorization": "Bearer sk-secret"}
        assert post(url, {"model": "antiphon/sample", "input": "Hi"}, headers) == 403
    return path


def post(url: str, body: JSON, headers: Mapping[str, str] | None = None) -> int:
    given = {"Content-Type": "application/json", **(headers or {})}
    request = urllib.request.Request(url, json.dumps(body).encode(), given)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_a_server_logs_the_responses_that_it_refuses(served: Path) -> None:
    async def read() -> list[LogEntry]:
        store = await Store.open(str(served))
        page = await Log(store).page(LogQuery())
        await store.close()
        return page.data

    entries = asyncio.run(read())
    codes = [entry.summary.error and entry.summary.error.code for entry in reversed(entries)]
    assert codes == ["model_not_found", "decimal_above_max_value", None, "origin_not_allowed"]
    assert [entry.owner for entry in reversed(entries)] == ["local", "local", "local", ""]
    files = [path for path in served.parent.glob("state.db*") if path.is_file()]
    assert b"sk-secret" not in b"".join(path.read_bytes() for path in files)
