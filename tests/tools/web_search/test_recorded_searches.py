"""llama-stack's web search scenarios, from the question to the answer, from its recordings alone."""

import json
from functools import cache

import httpx2
import pytest

from antiphon.recording.collection import Collection
from antiphon.recording.seam.catalogue import RecordingCatalogue
from antiphon.recording.seam.faults import Faults
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.wire.json import JSON
from tests.recording.asking import in_scope, payloads, with_client
from tests.support.shared import is_there, shared

pytestmark = pytest.mark.shared

FOLDER = "recordings/llama-stack"
SCENARIO = "streaming_web_search["
"""Part of both names, `test_response_streaming_...` and `test_response_non_streaming_...`."""
SHOWN = ["web_search_call.action.sources", "web_search_call.results"]


@cache
def questions() -> dict[str, JSON]:
    """Return the first request of each scenario, by its test's name."""
    found = {}
    for path in sorted(shared(FOLDER).glob("*.json")) if is_there() else ():
        recorded = json.loads(path.read_text())
        body = recorded["request"].get("body") or {}
        if SCENARIO in str(recorded.get("test_id")) and len(body.get("messages", ())) == 1:
            found[recorded["test_id"]] = body
    return found


@cache
def collection() -> Collection:
    return Collection(shared(FOLDER))


def answered(scope: str, *, stream: bool) -> JSON:
    """Send the question of a scenario over HTTP; return the final response."""
    question = questions()[scope]
    body = {
        "model": question["model"],
        "input": question["messages"][0]["content"],
        "tools": [{"type": "web_search"}],
        "include": SHOWN,
        "stream": stream,
    }

    async def ask(client: httpx2.AsyncClient) -> JSON:
        answer = await client.post("/responses", json=body, headers=in_scope(scope))
        assert answer.status_code == 200, answer.text
        return payloads(answer)[-1]["response"] if stream else answer.json()

    catalogue = RecordingCatalogue(None, RecordingLookup(collection()), "replay", Faults())
    return with_client(catalogue, ask)


@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("scope", questions(), ids=lambda scope: str(scope).partition("test_response_")[2])
def test_a_scenario_runs_to_its_answer(scope: str, stream: bool) -> None:
    response = answered(scope, stream=stream)
    assert response["status"] == "completed"
    *searches, message = response["output"]
    assert searches
    for search in searches:
        assert (search["type"], search["status"]) == ("web_search_call", "completed")
        assert len(search["results"]) == 5
        assert [each["url"] for each in search["action"]["sources"]] == [r["url"] for r in search["results"]]
    said = message["content"][0]["text"]
    assert ("128" if "llama_experts" in scope else "3.1") in said


def test_every_scenario_is_there() -> None:
    shared(FOLDER)
    assert len(questions()) >= 16
