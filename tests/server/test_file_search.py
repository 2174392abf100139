"""File search, from the upload of a file to the answer that cites it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.settings.tools import FileSearchSettings, ToolsSettings
from antiphon.wire.json import JSON, JSONObject
from tests.server.client import check_life_cycle, post, types
from tests.server.forms import uploaded
from tests.server.routes.test_embeddings import vectors
from tests.support.postgresql import ON_BOTH
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Answer, Upstream, chunk, reply, sse

pytestmark = ON_BOTH

SECRET = "The secret code word is BLUE_FALCON."


def asks(query: str) -> Answer:
    """Return a reply in which the model calls file_search."""
    call = {
        "index": 0,
        "id": "call_1",
        "function": {"name": "file_search", "arguments": f'{{"query": "{query}"}}'},
    }
    return sse(chunk(tool_calls=[call]), chunk(finish="tool_calls"))


def says(text: str) -> Answer:
    return sse(chunk(text), chunk(finish="stop"))


def new_store(url: str, *files: tuple[str, JSONObject], **given: JSON) -> str:
    """Create a vector store of texts with attributes, and return its id."""
    store: str = post(url, "/vector_stores", {"name": "notes", **given}).json["id"]
    for text, attributes in files:
        body = {"file_id": uploaded(url, text), "attributes": attributes}
        attached = post(url, f"/vector_stores/{store}/files", body).json
        assert (attached["status"], attached["last_error"]) == ("completed", None)
    return store


def ask(url: str, *stores: str, include: bool = True, **tool: JSON) -> JSONObject:
    """Request the code word, and return the response."""
    body = {
        "model": "up/m",
        "input": "What is the code word?",
        "tools": [{"type": "file_search", "vector_store_ids": list(stores), **tool}],
        "include": ["file_search_call.results"] if include else [],
    }
    answer = post(url, "/responses", body)
    assert answer.status == 200, answer.body
    response: JSONObject = answer.json
    return response


def results(response: JSONObject) -> list[JSONObject]:
    item = response["output"][0]
    assert (item["type"], item["status"]) == ("file_search_call", "completed")
    found: list[JSONObject] = item["results"]
    return found


def told(upstream: Upstream) -> str:
    """Return the search results in the last request to the model."""
    content = upstream.chats[-1].json["messages"][-1]["content"]
    return "".join(part["text"] for part in content) if isinstance(content, list) else content


def test_a_file_is_found_and_cited(url: str, upstream: Upstream) -> None:
    store = new_store(url, (SECRET, {"region": "eu"}), ("Apples grow on trees.", {}))
    upstream.script(asks("secret code word"), says("It is BLUE_FALCON."))
    response = ask(url, store)
    [found] = results(response)
    assert found["text"] == SECRET
    assert found["filename"] == "notes.txt"
    assert found["attributes"] == {"region": "eu"}
    assert 0 < found["score"] <= 1
    assert response["output"][0]["queries"] == ["secret code word"]
    assert f"cite as <|{found['file_id']}|>\n{SECRET}" in told(upstream)
    assert response["output"][1]["content"][0]["text"] == "It is BLUE_FALCON."
    offered = upstream.chats[0].json["tools"]
    assert [tool["function"]["name"] for tool in offered] == ["file_search"]


def test_the_stream_has_openais_events(url: str, upstream: Upstream) -> None:
    store = new_store(url, (SECRET, {}))
    upstream.script(asks("code word"), says("BLUE_FALCON"))
    tool = {"type": "file_search", "vector_store_ids": [store]}
    answer = post(url, "/responses", {"model": "up/m", "input": "?", "tools": [tool], "stream": True})
    check_life_cycle(answer.payloads)
    names = types(answer.payloads)
    assert names[2:7] == [
        "output_item.added",
        "file_search_call.in_progress",
        "file_search_call.searching",
        "file_search_call.completed",
        "output_item.done",
    ]
    assert answer.payloads[6]["item"]["results"] is None


def test_an_empty_store_gives_nothing_and_the_run_goes_on(url: str, upstream: Upstream) -> None:
    upstream.script(asks("code word"), says("I do not know."))
    response = ask(url, new_store(url))
    assert results(response) == []
    assert told(upstream).startswith("file_search tool found 0 chunks:")
    assert response["status"] == "completed"


def test_several_stores_are_searched_together(url: str, upstream: Upstream) -> None:
    first = new_store(url, ("The code word was RED_OWL in spring.", {}))
    second = new_store(url, (SECRET, {}))
    upstream.script(asks("code word"), says("Two."), asks("code word"), says("One."))
    both = ask(url, first, second)
    assert {found["text"][-9:] for found in results(both)} == {"E_FALCON.", "n spring."}
    one = ask(url, first, second, max_num_results=1)
    assert len(results(one)) == 1


def test_filters_and_options_count(url: str, upstream: Upstream) -> None:
    eu, us = (SECRET, {"region": "eu", "year": 2024}), ("The code word is RED_OWL.", {"region": "us"})
    store = new_store(url, eu, us)
    upstream.script(asks("code word"), says("x"), asks("code word"), says("x"), asks("code word"), says("x"))
    by_region = {"type": "eq", "key": "region", "value": "us"}
    assert [found["attributes"] for found in results(ask(url, store, filters=by_region))] == [us[1]]
    either = {"type": "or", "filters": [{"type": "gte", "key": "year", "value": 2024}, by_region]}
    assert len(results(ask(url, store, filters=either))) == 2
    high = {"ranker": "auto", "score_threshold": 1}
    assert results(ask(url, store, ranking_options=high)) == []


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("tool", "status", "param"),
    [
        ({"vector_store_ids": ["vs_none"]}, 404, "tools[1].vector_store_ids"),
        ({"vector_store_ids": []}, 400, "tools[1].vector_store_ids"),
        ({"filters": {"type": "near", "key": "k", "value": 1}}, 400, "tools[1].filters.type"),
        ({"ranking_options": {"ranker": "best"}}, 400, "tools[1].ranking_options.ranker"),
    ],
    ids=["T17_missing_store", "no_store", "filters", "ranking_options"],
)
def test_errors_are_reported_before_the_response_begins(
    url: str, upstream: Upstream, tool: JSONObject, status: int, param: str, stream: bool
) -> None:
    ids = {} if "vector_store_ids" in tool else {"vector_store_ids": [new_store(url)]}
    function = {"type": "function", "name": "f", "parameters": {}, "strict": False}
    tools = [function, {"type": "file_search", **ids, **tool}]
    answer = post(url, "/responses", {"model": "up/m", "input": "?", "tools": tools, "stream": stream})
    assert (answer.status, answer.error["param"]) == (status, param)
    assert upstream.chats == []


@pytest.fixture
def with_vectors(database: Path | str, upstream: Upstream) -> Iterator[str]:
    """Yield the URL of a server whose stores have vectors unless they state otherwise."""
    tools = ToolsSettings(file_search=FileSearchSettings(embedding_model="up/m"))
    with Serving(database, backends(backend(upstream)), tools=tools) as server:
        yield server.url


def test_with_an_embedding_model_meaning_counts(with_vectors: str, upstream: Upstream) -> None:
    url = with_vectors
    upstream.script(reply(vectors([1, 0])), reply(vectors([0, 1])))
    store = new_store(url, ("Cats sleep.", {}), ("Trains run.", {}))
    # No text has a word of the query; the query's vector is near that of the first text.
    upstream.script(asks("felines"), reply(vectors([0.9, 0.1])), says("They sleep."))
    found = results(ask(url, store))
    assert [each["text"] for each in found] == ["Cats sleep.", "Trains run."]
    assert found[0]["score"] > found[1]["score"]
    asked = [request.json for request in upstream.requests if request.path.endswith("/embeddings")]
    assert [each["input"] for each in asked] == [["Cats sleep."], ["Trains run."], ["felines"]]


def test_the_only_embedding_model_is_chosen(database: Path | str) -> None:
    with Upstream(["chat", "bge-m3"]) as upstream:
        upstream.script(reply(vectors([1, 0])), reply(vectors([1, 0])))
        with Serving(database, backends(backend(upstream))) as server:
            store = new_store(server.url, ("Cats sleep.", {}))
            found = post(server.url, f"/vector_stores/{store}/search", {"query": "felines"}).json["data"]
        assert [hit["content"][0]["text"] for hit in found] == ["Cats sleep."]
        assert [request.json["model"] for request in upstream.requests if request.method == "POST"] == [
            "bge-m3"
        ] * 2


def test_the_setting_none_keeps_the_search_by_words(database: Path | str) -> None:
    settings = ToolsSettings(file_search=FileSearchSettings(embedding_model="none"))
    with Upstream(["chat", "bge-m3"]) as upstream:
        opened = backends(backend(upstream))
        with Serving(database, opened, tools=settings) as server:
            store = new_store(server.url, ("Cats sleep.", {}))
            found = post(server.url, f"/vector_stores/{store}/search", {"query": "cats"}).json["data"]
        assert [hit["content"][0]["text"] for hit in found] == ["Cats sleep."]
        assert [request.path for request in upstream.requests if request.method == "POST"] == []


def test_weights_turn_either_search_off(with_vectors: str, upstream: Upstream) -> None:
    url = with_vectors
    upstream.script(reply(vectors([1, 0])), reply(vectors([0, 1])))
    store = new_store(url, ("Cats sleep.", {}), ("Trains run.", {}))
    upstream.script(asks("trains"), says("x"), asks("trains"), reply(vectors([1, 0])), says("x"))
    words = {"hybrid_search": {"embedding_weight": 0, "text_weight": 1}}
    assert [each["text"] for each in results(ask(url, store, ranking_options=words))] == ["Trains run."]
    meaning = {"hybrid_search": {"embedding_weight": 1, "text_weight": 0}}
    assert results(ask(url, store, ranking_options=meaning))[0]["text"] == "Cats sleep."


def test_an_embedding_model_that_nobody_has_leaves_the_search_by_words(url: str, upstream: Upstream) -> None:
    named = {"embedding_model": "sentence-transformers/nomic-ai/nomic", "embedding_dimension": "768"}
    store = new_store(url, (SECRET, {}), **named)
    upstream.script(asks("code word"), says("x"))
    assert [each["text"] for each in results(ask(url, store))] == [SECRET]


def test_an_embedding_model_that_fails_fails_the_file(with_vectors: str, upstream: Upstream) -> None:
    url = with_vectors
    upstream.script(reply({"error": {"message": "out of memory"}}, status=500))
    store = post(url, "/vector_stores", {}).json["id"]
    attached = post(url, f"/vector_stores/{store}/files", {"file_id": uploaded(url, SECRET)}).json
    assert attached["status"] == "failed"
    assert attached["last_error"]["code"] == "server_error"
    assert "out of memory" in attached["last_error"]["message"]
