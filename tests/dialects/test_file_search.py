"""File search: the texts for the model, and the size of vectors."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.clients.replies import calls, says
from tests.dialects.asking import (
    EVERY,
    NATIVE_2025,
    OPENAI,
    THEIRS,
    THEIRS_2025,
    asked,
    created,
    scenario,
)
from tests.server.forms import uploaded
from tests.server.routes.test_embeddings import vectors
from tests.support.serving import Serving, backend, backends, recordings
from tests.support.upstream import Upstream, reply

QUESTION = "How many experts does the Llama 4 Maverick model have?"
ANSWER = "Llama 4 Maverick has 128 experts"


def store(url: str, client: str, *texts: str, **given: JSON) -> str:
    """Create a vector store of texts, and return its id."""
    made = asked(url, client, "POST", "/vector_stores", {"name": "test_vector_store", **given})
    assert made.status == 200, made.body
    store_id: str = made.json["id"]
    for text in texts:
        attached = asked(
            url, client, "POST", f"/vector_stores/{store_id}/files", {"file_id": uploaded(url, text)}
        )
        assert (attached.json["status"], attached.json["last_error"]) == ("completed", None)
    return store_id


def ask(model: str, *stores: str) -> JSONObject:
    tool = {"type": "file_search", "vector_store_ids": list(stores)}
    include = ["file_search_call.results"]
    return {"model": model, "input": QUESTION, "tools": [tool], "include": include}


@pytest.mark.shared
@pytest.mark.parametrize("client", EVERY)
@pytest.mark.parametrize("stream", [False, True])
def test_a_recorded_search_answers_in_the_words_of_its_era(tmp_path: Path, client: str, stream: bool) -> None:
    directory = scenario(tmp_path / "recordings", "non_streaming_file_search[")
    with Serving(tmp_path / "state.db", recordings(directory)) as server:
        body = ask("gpt-4o", store(server.url, client, ANSWER))
        response = created(server.url, client, body, stream=stream)
    search, message = response["output"]
    assert (search["type"], search["status"]) == ("file_search_call", "completed")
    # In both sets of recordings, the model's query has other words.
    ours = (
        "Llama 4 Maverick model number of experts"
        if client in THEIRS_2025
        else "Llama 4 Maverick model experts"
    )
    assert search["queries"] == [ours]
    assert [result["text"] for result in search["results"]] == [ANSWER]
    assert "128" in message["content"][0]["text"]


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def url(upstream: Upstream, tmp_path: Path) -> Iterator[str]:
    with Serving(tmp_path / "state.db", backends(backend(upstream))) as server:
        yield server.url


def function_of(client: str) -> str:
    return "knowledge_search" if client in THEIRS_2025 else "file_search"


@pytest.mark.parametrize("client", EVERY)
def test_the_function_and_its_results_have_the_words_of_the_era(
    url: str, upstream: Upstream, client: str
) -> None:
    name = function_of(client)
    upstream.script(calls(("call_1", name, {"query": "experts"})), says("128."))
    response = created(url, client, ask("up/m", store(url, client, ANSWER)))
    (found,) = response["output"][0]["results"]
    (offered,) = upstream.chats[0].json["tools"]
    call, told = upstream.chats[1].json["messages"][1:]
    texts = [part["text"] for part in told["content"]]
    mark = f"<|{found['file_id']}|>"
    about = f"[1] document_id: {found['file_id']}, score: {found['score']}"
    use = 'The above results were retrieved to help answer the user\'s query: "experts". Use them as '
    use += "supporting information only in answering this query. Cite sources immediately at the end of "
    example = "This is a fact <|file-Cn3MSNn72ENTiiq11Qda4A|>."
    assert call["tool_calls"][0]["function"] == {"name": name, "arguments": '{"query": "experts"}'}
    if name == "knowledge_search":
        assert offered["function"] == function(
            name,
            "Search for information in a database.",
            "The query to search for. Can be a natural language sentence or keywords.",
        )
        hit = f"{about} (cite as {mark})"
        rules = f"(e.g., '{example}'). Do not add extra punctuation. Use only the file IDs provided "
        rules += "(do not invent new ones)."
    else:
        assert offered["function"] == function(
            name, "Search files for relevant information", "The search query"
        )
        hit = f"{about} cite as {mark}"
        rules = f"like '{example}'. Do not add extra punctuation. Use only the file IDs provided, "
        rules += "do not invent new ones."
    assert texts == [
        f"{name} tool found 1 chunks:\nBEGIN of {name} tool results.\n",
        f"{hit}\n{ANSWER}\n",
        f"END of {name} tool results.\n",
        f"{use}sentences before punctuation, using `<|file-id|>` format {rules}\n",
    ]


def function(name: str, description: str, query: str) -> JSONObject:
    properties = {"query": {"type": "string", "description": query}}
    parameters = {"type": "object", "properties": properties, "required": ["query"]}
    return {"name": name, "description": description, "parameters": parameters}


@pytest.mark.parametrize("client", EVERY)
def test_an_empty_store_is_told_in_the_words_of_the_era(url: str, upstream: Upstream, client: str) -> None:
    name = function_of(client)
    upstream.script(calls(("call_1", name, {"query": "experts"})), says("None."))
    created(url, client, ask("up/m", store(url, client)))
    texts = [part["text"] for part in upstream.chats[1].json["messages"][-1]["content"]]
    assert texts[0] == f"{name} tool found 0 chunks:\nBEGIN of {name} tool results.\n"
    assert texts[-1].endswith("query.\n" if name == "knowledge_search" else "query. \n")


def test_a_search_of_either_client_continues_in_the_words_of_the_other(url: str, upstream: Upstream) -> None:
    upstream.script(
        calls(("call_1", "knowledge_search", {"query": "experts"})),
        says("128."),
        says("In all."),
        says("Indeed."),
    )
    body = ask("up/m", store(url, NATIVE_2025, ANSWER))
    first = created(url, NATIVE_2025, body)
    stored = asked(url, OPENAI, "GET", f"/responses/{first['id']}?include=file_search_call.results")
    assert stored.json == first

    second = created(url, OPENAI, body | {"previous_response_id": first["id"]})
    created(url, NATIVE_2025, body | {"previous_response_id": second["id"]})

    mine, theirs = (chat.json["messages"] for chat in upstream.chats[2:])
    assert said(mine) == ("file_search", "file_search tool found 1 chunks:")
    assert said(theirs) == ("knowledge_search", "knowledge_search tool found 1 chunks:")


def said(messages: list[JSONObject]) -> tuple[str, str]:
    """Return the function of the call in a conversation, and the first line of its result."""
    name: str = messages[1]["tool_calls"][0]["function"]["name"]
    return name, messages[2]["content"][0]["text"].split("\n")[0]


@pytest.mark.parametrize("client", THEIRS_2025)
def test_a_choice_of_file_search_names_the_function_of_2025(
    url: str, upstream: Upstream, client: str
) -> None:
    upstream.script(calls(("call_1", "knowledge_search", {"query": "experts"})), says("128."))
    body = ask("up/m", store(url, client, ANSWER)) | {"tool_choice": {"type": "file_search"}}
    response = created(url, client, body)
    assert upstream.chats[0].json["tool_choice"]["function"] == {"name": "knowledge_search"}
    assert response["tool_choice"] == {"type": "file_search"}


@pytest.mark.parametrize("dimension", [768, "768"])
@pytest.mark.parametrize("client", THEIRS)
def test_the_embedding_model_does_not_receive_the_dimension(
    url: str, upstream: Upstream, client: str, dimension: int | str
) -> None:
    upstream.script(
        reply(vectors([0.5, -1.0])),
        calls(("call_1", function_of(client), {"query": "experts"})),
        reply(vectors([0.5, -1.0])),
        says("128."),
    )
    extra = {"embedding_model": "up/m", "embedding_dimension": dimension}
    response = created(url, client, ask("up/m", store(url, client, ANSWER, **extra)))
    embeddings = [each.json for each in upstream.requests if each.path.endswith("/embeddings")]
    assert [each["input"] for each in embeddings] == [[ANSWER], ["experts"]]
    assert all("dimensions" not in each for each in embeddings)
    # Vectors of the size that came are found.
    assert response["output"][0]["results"][0]["text"] == ANSWER


def test_the_embedding_model_receives_the_dimension_for_openais_clients(url: str, upstream: Upstream) -> None:
    upstream.script(reply(vectors([0.5, -1.0])))
    store(url, OPENAI, ANSWER, embedding_model="up/m", embedding_dimension="2")
    (embedded,) = [each.json for each in upstream.requests if each.path.endswith("/embeddings")]
    assert embedded["dimensions"] == 2


@pytest.mark.parametrize("client", EVERY)
def test_a_dimension_that_is_none_is_refused_for_everybody(url: str, client: str) -> None:
    body = {"name": "s", "embedding_model": "up/m", "embedding_dimension": "wide"}
    reply = asked(url, client, "POST", "/vector_stores", body)
    assert (reply.status, reply.error["param"]) == (400, "embedding_dimension")
