"""Embedding servers among the servers that discovery finds."""

import asyncio

import pytest

from antiphon.backends import probing
from antiphon.backends.catalogue import Models
from antiphon.engine.request_context import RequestContext
from antiphon.settings.backends import BackendSettings, Kind
from antiphon.settings.schema import Settings
from antiphon.wire.json import JSONObject
from tests.support.upstream import Answer, Upstream, html, models_list, reply, silence

VECTOR: JSONObject = {"data": [{"embedding": [1.0], "index": 0}]}
NOT_SUPPORTED = reply({"error": {"code": 501, "message": "This server does not support it."}}, status=501)


def types_of(
    upstream: Upstream, kind: Kind = "llamacpp", *, configured: bool = False
) -> tuple[list[str], str | None, int]:
    """Return the types in two lists of models, the chosen model, and the number of embedding requests."""

    async def run() -> tuple[list[str], str | None]:
        backend = BackendSettings(name="house", base_url=upstream.base_url, kind=kind)
        settings = Settings(
            database=":memory:", discover=True, models={"house": backend} if configured else {}
        )
        models = await Models.open(settings, {upstream.port: kind})
        try:
            listed = [*(await models.list_models()).data, *(await models.list_models()).data]
            types: list[str] = [model.custom_metadata.model_type for model in listed if model.custom_metadata]
            return types, await models.embedding_model(RequestContext())
        finally:
            await models.close()

    types, chosen = asyncio.run(run())
    return types, chosen, sum(request.path == "/v1/embeddings" for request in upstream.requests)


def embedding_server(*models: str, owner: str = "llamacpp", answer: Answer | None = None) -> Upstream:
    upstream = Upstream()
    upstream.models_answer = reply(models_list(*models, owned_by=owner))
    upstream.script(answer or reply(VECTOR))
    return upstream


def test_a_found_server_that_computes_embeddings_is_one_of_embeddings() -> None:
    with embedding_server("odd") as upstream:
        assert types_of(upstream) == (["embedding", "llm"] * 2, "llamacpp/odd", 1)


def test_an_unknown_server_is_asked_too() -> None:
    with embedding_server("odd", owner="somebody") as upstream:
        assert types_of(upstream, "vllm")[1] == f"local-{upstream.port}/odd"


@pytest.mark.parametrize("answer", [NOT_SUPPORTED, html("Not here.", 404), reply({"object": "error"})])
def test_a_found_server_that_refuses_embeddings_is_one_of_chats(answer: Answer) -> None:
    with embedding_server("my-embedder", answer=answer) as upstream:
        assert types_of(upstream) == (["llm", "llm"] * 2, None, 1)


def test_a_silent_server_is_judged_by_the_name_of_its_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probing, "_TIMEOUT", 0.05)
    with embedding_server("bge-m3", answer=silence()) as upstream:
        types, chosen, asked = types_of(upstream)
        assert (types, chosen) == (["embedding", "llm"] * 2, "llamacpp/bge-m3")
        assert asked > 1


@pytest.mark.parametrize(("kind", "owner"), [("ollama", "library"), ("lmstudio", "organization_owner")])
def test_a_server_that_would_load_a_model_is_not_asked(kind: Kind, owner: str) -> None:
    with embedding_server("nomic-embed-text", owner=owner) as upstream:
        assert types_of(upstream, kind) == (["embedding", "llm"] * 2, f"{kind}/nomic-embed-text", 0)


def test_a_server_with_several_models_is_not_asked() -> None:
    with embedding_server("chat", "bge-m3") as upstream:
        assert types_of(upstream)[1:] == ("llamacpp/bge-m3", 0)


def test_a_configured_server_is_not_asked() -> None:
    with embedding_server("odd") as upstream:
        assert types_of(upstream, configured=True)[1:] == (None, 0)


def test_no_model_is_chosen_among_two() -> None:
    with embedding_server("text-embedding-3-small", "text-embedding-3-large") as upstream:
        assert types_of(upstream)[1] is None
