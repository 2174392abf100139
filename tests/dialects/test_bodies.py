"""Differences in bodies and ends of streams: models, deleted items, `[DONE]`, and skipped calls."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from antiphon.settings.tools import ToolsSettings
from antiphon.wire.json import JSONObject
from tests.clients.replies import calls, says
from tests.dialects.asking import (
    EVERY,
    NATIVE_2025,
    OPENAI,
    THEIRS_2025,
    THEIRS_2026,
    asked,
    created,
    streamed,
    types,
)
from tests.server.client import Reply, call
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Upstream, reply
from tests.tools.web_search.searching import RESULT, tavily

EMBEDDINGS = {"model_id": "nomic-ai/nomic-embed-text-v1.5", "provider_id": "up", "model_type": "embedding"}


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def service() -> Iterator[Upstream]:
    with Upstream() as service:
        service.script(reply({"results": [RESULT]}))
        yield service


@pytest.fixture
def url(upstream: Upstream, service: Upstream, tmp_path: Path) -> Iterator[str]:
    tools = ToolsSettings(web_search=tavily(service))
    with Serving(tmp_path / "state.db", backends(backend(upstream)), tools=tools) as server:
        yield server.url


def models(url: str, client: str) -> dict[str, JSONObject]:
    listed = asked(url, client, "GET", "/models").json
    assert listed["object"] == "list"
    return {model["id"]: model for model in listed["data"]}


@pytest.mark.parametrize("client", EVERY)
def test_a_list_of_models_has_the_keys_of_its_era(url: str, client: str) -> None:
    model = models(url, client)["up/m"]
    about = {"model_type": "llm", "provider_id": "up", "provider_resource_id": "m"}
    openai = {"object": "model", "created": model["created"], "owned_by": model["owned_by"]}
    expected = {"id": "up/m", **openai, "custom_metadata": about}
    if client in THEIRS_2025:
        expected |= about | {"identifier": "up/m", "type": "model", "api_model_type": "llm", "metadata": {}}
    assert model == expected


@pytest.mark.parametrize("client", EVERY)
def test_a_model_has_the_keys_of_both_for_llama_stack(url: str, client: str) -> None:
    model = asked(url, client, "GET", "/models/up/m").json
    assert (model["id"], model["object"]) == ("up/m", "model")
    assert model.get("identifier") == (None if client == OPENAI else "up/m")
    assert model.get("provider_id") == (None if client == OPENAI else "up")


@pytest.mark.parametrize("client", [*THEIRS_2026, OPENAI])
def test_only_clients_of_2025_register_models(url: str, client: str) -> None:
    reply = asked(url, client, "POST", "/models", EMBEDDINGS)
    assert (reply.status, reply.headers["allow"]) == (405, "GET, HEAD")
    assert reply.error["message"] == "Not allowed to POST on /v1/models."


@pytest.mark.parametrize("client", THEIRS_2025)
def test_a_registered_model_is_in_the_list_of_2025(url: str, client: str) -> None:
    provider = asked(url, client, "GET", "/providers").json["data"][0]
    assert (provider["api"], provider["provider_id"]) == ("inference", "up")
    body = {**EMBEDDINGS, "metadata": {"embedding_dimension": 768}}
    registered = asked(url, client, "POST", "/models", body)
    assert registered.status == 200, registered.body
    model = registered.json
    name = "up/nomic-ai/nomic-embed-text-v1.5"
    assert (model["identifier"], model["id"], model["type"]) == (name, name, "model")
    assert (model["provider_id"], model["provider_resource_id"]) == ("up", EMBEDDINGS["model_id"])
    assert (model["model_type"], model["api_model_type"]) == ("embedding", "embedding")
    assert model["metadata"] == {"embedding_dimension": 768}
    assert models(url, client)[name] == model
    assert asked(url, client, "GET", f"/models/{name}").json == model
    # Registering it again has the same result, and no other client sees a model that may not exist.
    assert asked(url, client, "POST", "/models", body).json["identifier"] == name
    assert name in models(url, THEIRS_2025[0])
    assert name not in models(url, OPENAI)
    assert name not in models(url, THEIRS_2026[0])


def test_a_model_of_a_backend_is_registered_already(url: str) -> None:
    for body in (
        {"model_id": "m", "provider_id": "up"},
        {"model_id": "up/m", "provider_id": "up", "provider_model_id": "m"},
        {"model_id": "up/m"},
        {"model_id": "m"},
    ):
        reply = asked(url, NATIVE_2025, "POST", "/models", body)
        assert (reply.status, reply.json["identifier"]) == (200, "up/m")
    assert list(models(url, NATIVE_2025)) == list(models(url, OPENAI))


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "model_id"),
        ({"model_id": ""}, 400, "model_id"),
        ({"model_id": "x" * 257}, 400, "model_id"),
        ({"model_id": "mine", "provider_id": "up", "provider_model_id": "m"}, 400, "model_id"),
        ({"model_id": "m", "provider_id": "nowhere"}, 400, "provider_id"),
        ({"model_id": "m", "provider_id": "up", "model_type": "tts"}, 400, "model_type"),
        ({**EMBEDDINGS, "metadata": {"a": "x" * 20_000}}, 400, "metadata"),
    ],
)
def test_a_wrong_registration_is_refused(url: str, body: JSONObject, status: int, param: str) -> None:
    reply = asked(url, NATIVE_2025, "POST", "/models", body)
    assert (reply.status, reply.error["param"]) == (status, param), reply.body


@pytest.mark.parametrize("client", EVERY)
def test_a_deleted_item_is_confirmed_for_llama_stack(url: str, client: str) -> None:
    items = {"items": [{"role": "user", "content": "Hi"}]}
    conversation = asked(url, client, "POST", "/conversations", items).json
    path = f"/conversations/{conversation['id']}/items"
    (item,) = asked(url, client, "GET", path).json["data"]
    deleted = asked(url, client, "DELETE", f"{path}/{item['id']}").json
    if client == OPENAI:
        assert deleted == conversation
    else:
        assert deleted == {"id": item["id"], "object": "conversation.item.deleted", "deleted": True}
    assert asked(url, client, "DELETE", f"{path}/{item['id']}").status == 404


@pytest.mark.parametrize("path", ["/responses", "/chat/completions", "/completions"])
@pytest.mark.parametrize("client", EVERY)
def test_done_ends_all_streams_but_those_of_2025(
    url: str, upstream: Upstream, client: str, path: str
) -> None:
    upstream.script(says("Hel", "lo."))
    body = {"model": "up/m", "stream": True}
    given = {"/responses": {"input": "Hi"}, "/completions": {"prompt": "Hi"}}
    messages = {"messages": [{"role": "user", "content": "Hi"}]}
    reply = asked(url, client, "POST", path, body | given.get(path, messages))
    assert reply.status == 200, reply.body
    assert reply.body.endswith(b"data: [DONE]\n\n") is (client not in THEIRS_2025)
    assert reply.body.endswith(b"}\n\n") is (client in THEIRS_2025)


def test_a_client_of_its_last_version_before_0_6_1_gets_no_done(url: str, upstream: Upstream) -> None:
    for version, is_done in (("0.6.0", False), ("0.6.1", True)):
        upstream.script(says("Hello."))
        body = {"model": "up/m", "input": "Hi", "stream": True}
        agent = {"User-Agent": f"AsyncLlamaStackClient/Python {version}"}
        sent: Reply = call(url, "POST", "/responses", body, agent)
        assert sent.body.endswith(b"data: [DONE]\n\n") is is_done


SEARCHES = calls(("call_1", "web_search", {"query": "a"}), ("call_2", "web_search", {"query": "b"}))


@pytest.mark.parametrize("client", EVERY)
@pytest.mark.parametrize("stream", [False, True])
def test_a_call_beyond_the_limit_leaves_no_item_for_ogx(
    url: str, upstream: Upstream, service: Upstream, client: str, stream: bool
) -> None:
    upstream.script(SEARCHES, says("Enough."))
    body = {"model": "up/m", "input": "?", "tools": [{"type": "web_search"}], "max_tool_calls": 1}
    response = created(url, client, body, stream=stream)
    kinds = [item["type"] for item in response["output"]]
    skipped = [] if client in THEIRS_2026 else ["web_search_call"]
    assert kinds == ["web_search_call", *skipped, "message"]
    assert len(service.requests) == 1
    # The model receives both results for every client.
    asking, *results = upstream.chats[1].json["messages"][1:]
    assert len(asking["tool_calls"]) == 2
    assert json.loads(results[0]["content"])["top_k"] == [RESULT]
    assert results[1]["content"] == "Tool call skipped: maximum tool calls limit (1) reached."
    assert asked(url, OPENAI, "GET", f"/responses/{response['id']}").json == response


@pytest.mark.parametrize("client", THEIRS_2026)
def test_the_items_of_ogx_have_no_gap(url: str, upstream: Upstream, client: str) -> None:
    upstream.script(SEARCHES, says("Enough."))
    body = {"model": "up/m", "input": "?", "tools": [{"type": "web_search"}], "max_tool_calls": 1}
    events = streamed(url, client, body)
    added = [event["output_index"] for event in events if event["type"] == "response.output_item.added"]
    assert added == [0, 1]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert types(events)[-1] == "completed"


def test_an_owner_registers_a_limited_number_of_models(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("antiphon.service.models.MAX_MODELS", 2)
    statuses = [
        asked(url, NATIVE_2025, "POST", "/models", EMBEDDINGS | {"model_id": f"e{n}"}).status
        for n in (1, 2, 3, 2)
    ]
    assert statuses == [200, 200, 400, 200]
