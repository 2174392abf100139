"""Web search through OpenAI's client and openai-agents, with a scripted backend and search service."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from agents import Agent, OpenAIResponsesModel, RunConfig, Runner, WebSearchTool
from agents.items import ToolCallItem
from openai import AsyncOpenAI, OpenAI
from openai.types.responses import ResponseFunctionWebSearch, ResponseOutputMessage
from openai.types.responses.response_function_web_search import ActionSearch
from openai.types.responses.response_output_text import AnnotationURLCitation

from antiphon.settings.tools import ToolsSettings
from antiphon.wire.json import JSON
from tests.clients.replies import calls, says
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Upstream, reply
from tests.tools.web_search.searching import RESULT, tavily

LINK = f"[A page]({RESULT['url']})"


@pytest.fixture
def service() -> Iterator[Upstream]:
    """Start a search service that always finds one page."""
    with Upstream() as found:
        found.script(reply({"results": [RESULT]}))
        yield found


@pytest.fixture
def searching(tmp_path: Path, upstream: Upstream, service: Upstream) -> Iterator[Serving]:
    """Start the server in front of `upstream`, with that search service."""
    tools = ToolsSettings(web_search=tavily(service))
    with Serving(tmp_path / "state.db", backends(backend(upstream)), tools=tools) as server:
        yield server


def search_then_answer(upstream: Upstream) -> None:
    """Script the model to search, and then to answer with a link."""
    upstream.script(calls(("call_1", "web_search", {"query": "the page"})), says("It is ", LINK, "."))


def told(upstream: Upstream) -> list[JSON]:
    """Return the tool outputs that the last model call received."""
    return [each["content"] for each in upstream.chats[-1].json["messages"] if each["role"] == "tool"]


def test_a_search_is_made_reported_and_cited(searching: Serving, upstream: Upstream) -> None:
    search_then_answer(upstream)
    with OpenAI(base_url=searching.url, api_key="none", max_retries=0) as client:
        response = client.responses.create(
            model="up/m",
            input="Where is it?",
            tools=[{"type": "web_search"}],
            include=["web_search_call.action.sources"],
        )
        search, message = response.output
        assert isinstance(search, ResponseFunctionWebSearch)
        assert isinstance(search.action, ActionSearch)
        assert search.action.sources is not None
        assert [source.url for source in search.action.sources] == [RESULT["url"]]
        assert isinstance(message, ResponseOutputMessage)
        [note] = message.content[0].annotations  # type: ignore[union-attr]
        assert isinstance(note, AnnotationURLCitation)
        assert (note.url, note.title) == (RESULT["url"], "A page")
        assert response.output_text[note.start_index : note.end_index] == LINK
        assert told(upstream) == [json.dumps({"query": "the page", "top_k": [RESULT]})]
        # The next turn still contains the search results.
        upstream.script(says("Yes."))
        client.responses.create(model="up/m", input="Sure?", previous_response_id=response.id)
        assert told(upstream) == [json.dumps({"query": "the page", "top_k": [RESULT]})]


def test_a_search_is_streamed(searching: Serving, upstream: Upstream) -> None:
    search_then_answer(upstream)
    with (
        OpenAI(base_url=searching.url, api_key="none", max_retries=0) as client,
        client.responses.stream(
            model="up/m", input="Where is it?", tools=[{"type": "web_search_preview"}]
        ) as stream,
    ):
        kinds = [event.type for event in stream]
        response = stream.get_final_response()
    assert [kind for kind in kinds if "web_search" in kind] == [
        "response.web_search_call.in_progress",
        "response.web_search_call.searching",
        "response.web_search_call.completed",
    ]
    assert kinds.count("response.output_text.annotation.added") == 1
    assert response.output_text == f"It is {LINK}."


def test_openai_agents_search(searching: Serving, upstream: Upstream, service: Upstream) -> None:
    search_then_answer(upstream)

    async def work() -> tuple[str, list[str]]:
        async with AsyncOpenAI(base_url=searching.url, api_key="none", max_retries=0) as client:
            tool = WebSearchTool(
                search_context_size="low",
                user_location={"type": "approximate", "country": "NL", "city": "Utrecht"},
            )
            helper = Agent(name="Helper", model=OpenAIResponsesModel("up/m", client), tools=[tool])
            ran = await Runner.run(helper, "Where is it?", run_config=RunConfig(tracing_disabled=True))
            called = [item for item in ran.new_items if isinstance(item, ToolCallItem)]
            return ran.final_output, [getattr(item.raw_item, "type", "") for item in called]

    said, items = asyncio.run(work())
    assert said == f"It is {LINK}."
    assert items == ["web_search_call"]
    [request] = service.requests
    assert request.json == {
        "query": "the page",
        "max_results": 3,
        "search_depth": "basic",
        "country": "netherlands",
    }
