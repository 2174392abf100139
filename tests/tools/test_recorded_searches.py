"""llama-stack's web search scenarios, from the question to the answer, from its recordings alone."""

import asyncio
import json
from functools import cache

import pytest

from antiphon.config_tools import ToolsSettings
from antiphon.engine.ports import Call, HostedTools
from antiphon.recording.catalogue import RecordingCatalogue
from antiphon.recording.collection import Collection
from antiphon.recording.faults import Faults
from antiphon.recording.replay import Replay
from antiphon.service.responses import Responses
from antiphon.store import Store
from antiphon.tools.context import ToolContext, ToolServices
from antiphon.tools.registry import open_tools
from antiphon.wire.items import Message, WebSearchCall
from antiphon.wire.json import JSON
from antiphon.wire.responses import CreateResponse, Response
from antiphon.wire.tools import WebSearchTool
from tests.shared import is_there, shared

FOLDER = "recordings/llama-stack"
SCENARIO = "streaming_web_search["
"""Stands in the names of both, `test_response_streaming_...` and `test_response_non_streaming_...`."""


@cache
def questions() -> dict[str, JSON]:
    """The first request of each scenario, by its test's name."""
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


async def answered(scope: str, body: JSON) -> tuple[Response, list[str]]:
    """Asks the question of a scenario; the response, and what became of each call."""
    store = await Store.open(":memory:")
    services = await ToolServices.open(ToolsSettings())
    try:
        catalogue = RecordingCatalogue(None, Replay(collection()), "replay", Faults())

        def hosted(owner: str, request: CreateResponse, call: Call) -> HostedTools:
            context = ToolContext(
                services=services,
                owner=owner,
                call=call,
                wrap=lambda calls: catalogue.tool_calls(calls, call),
            )
            return HostedTools(open_tools(request.tools or (), context))

        request = CreateResponse(
            model=body["model"], input=body["messages"][0]["content"], tools=[WebSearchTool()]
        )
        call = Call(scope=scope)
        run = await Responses(store, catalogue, hosted).create("me", request, call)
        return await run.response(), call.notes
    finally:
        await services.close()
        await store.close()


@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize("scope", questions(), ids=lambda scope: str(scope).partition("test_response_")[2])
def test_a_scenario_runs_to_its_answer(scope: str) -> None:
    response, notes = asyncio.run(answered(scope, questions()[scope]))
    assert response.status == "completed"
    *searches, message = response.output
    assert searches
    for search in searches:
        assert isinstance(search, WebSearchCall)
        assert search.status == "completed"
    assert isinstance(message, Message)
    assert all(note.startswith("hit ") for note in notes)
    assert len(notes) == 2 * len(searches) + 1
    said = json.dumps(
        [part.text for part in message.content if not isinstance(part, str) and hasattr(part, "text")]
    )
    assert ("128" if "llama_experts" in scope else "3.1") in said


def test_every_scenario_is_there() -> None:
    shared(FOLDER)
    assert len(questions()) >= 16
