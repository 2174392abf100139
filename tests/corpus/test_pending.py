"""Background responses that servers of an earlier version left unfinished, and that this one finishes.

The folder `pending_m014` has the databases after `kill -9`; `pending.py` has the responses, and wrote them.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from antiphon.wire.json import JSONObject
from tests.corpus.pending import (
    PENDING,
    SCHEMA,
    WORDS,
    Pending,
    PendingBackend,
    schema_in,
    settings_of,
    start,
)
from tests.durable.test_crashes import check_items, texts
from tests.server.client import get, post
from tests.server.following import followed
from tests.support.postgresql import schema
from tests.support.upstream import Upstream, reply
from tests.tools.web_search.searching import RESULT

pytestmark = pytest.mark.slow

DATA = Path(__file__).parent / "pending_m014"
KNOWN: JSONObject = json.loads((DATA / "known.json").read_text("utf-8"))


@dataclass(frozen=True)
class Finished:
    """The responses after this version has finished them."""

    url: str
    """The URL of the server."""
    conversation: str
    known: JSONObject
    """ID of each response, and the events after the first that a client had received."""
    calls: Counter[tuple[str, int]]
    """The model calls that this version made, each as the response's input and the number of tool results."""

    def id_of(self, pending: Pending) -> str:
        """Return the ID of a response."""
        found: str = self.known["responses"][pending.name]["id"]
        return found

    def events(self, pending: Pending) -> list[JSONObject]:
        """Return all events of a response."""
        return followed(self.url, self.id_of(pending)).payloads


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a copy of the database."""
    if request.param == "sqlite":
        yield str(shutil.copy(DATA / "antiphon.db", tmp_path_factory.mktemp("pending") / "antiphon.db"))
        return
    server = request.getfixturevalue("postgresql")
    with schema(server) as url, psycopg.connect(server, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
        dump = (DATA / "antiphon.sql").read_text("utf-8").replace(SCHEMA, schema_in(url))
        connection.execute(dump.encode())
        yield url


@pytest.fixture(scope="module")
def finished(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Finished]:
    """Serve the database until all responses have ended."""
    folder = tmp_path_factory.mktemp("finished")
    known = KNOWN["postgresql" if database.startswith("postgresql") else "sqlite"]
    with PendingBackend() as backend, Upstream() as search:
        search.script(reply({"results": [RESULT]}))
        (folder / "antiphon.toml").write_text(
            settings_of(database, backend, search, ["-m", "tests.mcp_servers.stdio"])
        )
        process, url = start(folder, "log.txt")
        try:
            for response in known["responses"].values():
                assert followed(url, response["id"]).status == 200
            yield Finished(url, known["conversation"], known, Counter(backend.calls))
        finally:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("pending", PENDING, ids=lambda pending: pending.name)
def test_D7_a_pending_response_of_an_older_database_is_finished(finished: Finished, pending: Pending) -> None:
    events = finished.events(pending)
    response = get(finished.url, f"/responses/{finished.id_of(pending)}").json
    assert response["status"] == pending.status
    assert events[-1]["response"] == response
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    read = finished.known["responses"][pending.name]["events"]
    assert events[1 : len(read) + 1] == read
    check_items(events)
    if pending.status == "completed":
        assert "".join(texts(events)) == "".join(WORDS)


@pytest.mark.parametrize("pending", PENDING, ids=lambda pending: pending.name)
def test_finished_calls_are_not_paid_for_again(finished: Finished, pending: Pending) -> None:
    made = {number: count for (name, number), count in finished.calls.items() if name == pending.name}
    expected = range(pending.finished, len(pending.answers)) if pending.status == "completed" else []
    assert made == dict.fromkeys(expected, 1)


def test_a_tool_call_with_an_unknown_outcome_is_not_repeated(finished: Finished) -> None:
    [pending] = [each for each in PENDING if each.tool == "mcp"]
    output = finished.events(pending)[-1]["response"]["output"]
    [call] = [item for item in output if item["type"] == "mcp_call"]
    assert "its outcome is unknown" in json.dumps(call["error"])
    assert call["output"] is None


def test_the_conversation_has_the_response_and_goes_on(finished: Finished) -> None:
    [pending] = [each for each in PENDING if each.in_conversation]
    body = {"model": "up/m", "input": pending.name, "conversation": finished.conversation}
    assert post(finished.url, "/responses", body).json["status"] == "completed"
    items = get(finished.url, f"/conversations/{finished.conversation}/items?order=asc").json["data"]
    kinds = ["message", "web_search_call", "web_search_call", "message"]
    assert [item["type"] for item in items] == [*kinds, "message", "message"]
