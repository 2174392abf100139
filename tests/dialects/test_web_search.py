"""The search of the first seed, and the effects of `search_context_size`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.settings.tools import ToolsSettings
from antiphon.wire.json import JSONObject
from tests.clients.replies import calls, says
from tests.dialects.asking import (
    EVERY,
    EXPERTS,
    OPENAI,
    SUITE,
    THEIRS,
    THEIRS_2025,
    THEIRS_2026,
    created,
    python,
    scenario,
    streamed,
    types,
)
from tests.support.serving import Serving, backend, backends, recordings
from tests.support.upstream import Upstream, reply
from tests.tools.web_search.searching import RESULT, tavily

QUESTION = "How many experts does the Llama 4 Maverick model have?"
LOW = {"type": "web_search", "search_context_size": "low"}


@pytest.fixture(scope="module")
def replaying(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = scenario(tmp_path_factory.mktemp("search") / "recordings", "web_search[")
    with Serving(directory.parent / "state.db", recordings(directory)) as server:
        yield server.url


@pytest.mark.shared
@pytest.mark.parametrize("name", ["non_streaming_web_search", "streaming_web_search"])
@pytest.mark.parametrize("client", THEIRS)
@pytest.mark.parametrize("stream", [False, True])
def test_the_search_of_the_first_seed_answers_with_a_low_context(
    replaying: str, client: str, stream: bool, name: str
) -> None:
    with python(replaying, client, f"{SUITE}{name}{EXPERTS}") as openai:
        request: JSONObject = {"model": "openai/gpt-4o", "input": QUESTION, "tools": [LOW]}
        request["include"] = ["web_search_call.results"]
        if stream:
            # The SDK's `stream` fails on the events that OGX adds to a search.
            *_, last = openai.responses.create(**request, stream=True)
            assert last.type == "response.completed"
            response: JSONObject = last.response.to_dict()
        else:
            response = openai.responses.create(**request).to_dict()
    search, message = response["output"]
    assert (search["type"], search["status"]) == ("web_search_call", "completed")
    assert len(search["results"]) == 5
    assert (message["type"], message["status"]) == ("message", "completed")
    assert "128" in message["content"][0]["text"]
    assert response["tools"][0]["search_context_size"] == "low"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def service() -> Iterator[Upstream]:
    with Upstream() as service:
        service.script(reply({"results": [RESULT | {"url": f"https://e.example/{n}"} for n in range(8)]}))
        yield service


@pytest.fixture
def url(upstream: Upstream, service: Upstream, tmp_path: Path) -> Iterator[str]:
    """Serve with searches in a scripted service."""
    upstream.script(calls(("call_1", "web_search", {"query": "experts"})), says("128."))
    tools = ToolsSettings(web_search=tavily(service))
    with Serving(tmp_path / "state.db", backends(backend(upstream)), tools=tools) as server:
        yield server.url


@pytest.mark.parametrize("size", ["low", "high"])
@pytest.mark.parametrize("client", EVERY)
def test_the_context_size_counts_for_openais_clients_only(
    url: str, upstream: Upstream, service: Upstream, client: str, size: str
) -> None:
    tool = {"type": "web_search", "search_context_size": size}
    response = created(url, client, {"model": "up/m", "input": QUESTION, "tools": [tool]})
    assert response["status"] == "completed"
    functions = [each["function"]["name"] for each in upstream.chats[0].json["tools"]]
    if client != OPENAI:
        assert service.requests[0].json["max_results"] == 5
        assert functions == ["web_search"]
    elif size == "low":
        assert service.requests[0].json["max_results"] == 3
    else:
        assert service.requests[0].json["max_results"] == 10
        assert functions == ["web_search", "open_page", "find_in_page"]


SEARCHING = ["web_search_call.in_progress", "web_search_call.searching", "web_search_call.completed"]


@pytest.mark.parametrize("client", [*THEIRS_2025, OPENAI])
def test_a_search_has_the_events_of_openai(url: str, client: str) -> None:
    events = streamed(url, client, search())
    assert types(events)[2:7] == ["output_item.added", *SEARCHING, "output_item.done"]


@pytest.mark.parametrize("client", THEIRS_2026)
def test_a_search_has_the_events_of_a_function_too_for_ogx(url: str, client: str) -> None:
    events = streamed(url, client, search())
    assert types(events)[2:9] == [
        "output_item.added",
        "web_search_call.in_progress",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "web_search_call.searching",
        "web_search_call.completed",
        "output_item.done",
    ]
    delta, done, last = events[4], events[5], events[8]
    assert delta["delta"] == done["arguments"] == '{"query": "experts"}'
    assert delta["item_id"] == done["item_id"] == last["item"]["id"]
    assert delta["output_index"] == done["output_index"] == 0
    assert last["item"]["action"]["query"] == "experts"


def search() -> JSONObject:
    return {"model": "up/m", "input": QUESTION, "tools": [{"type": "web_search"}]}
