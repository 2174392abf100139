"""Responses and embeddings of real servers, replayed without them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from openai import OpenAI
from openai.types.responses import Response

from antiphon.settings.backends import PRESETS, BackendSettings
from antiphon.testing import serve
from antiphon.wire.json import JSON, JSONObject
from tests.real_model.asking import ask
from tests.real_model.running import ModelServer
from tests.real_model.test_tools import QUESTION, TIME, WEATHER

SCHEMA: JSONObject = {
    "type": "object",
    "properties": {"legs": {"type": "integer", "maximum": 9}},
    "required": ["legs"],
}
FORMAT: JSONObject = {"format": {"type": "json_schema", "name": "animal", "schema": SCHEMA}}
REQUESTS: dict[str, JSONObject] = {
    "text": {"input": "Say hello."},
    "log probabilities": {
        "input": "Say yes.",
        "include": ["message.output_text.logprobs"],
        "top_logprobs": 2,
    },
    "a schema": {"input": "How many legs has a dog?", "text": FORMAT},
    "a call": {
        "input": QUESTION,
        "tools": [WEATHER, TIME],
        "tool_choice": {"type": "function", "name": "get_time"},
        "temperature": 0,
    },
}


def responses(url_of: Callable[[str], str], *, stream: bool) -> dict[str, JSON]:
    """Return the status, the output and the usage of each request, without ids and times."""
    results: dict[str, JSON] = {}
    for name, request in REQUESTS.items():
        with OpenAI(base_url=url_of(name), api_key="none", max_retries=0, timeout=600) as client:
            response = ask(client, request["input"], tokens=60, stream=stream, **_rest(request))
        assert response.usage is not None
        results[name] = (response.status, _plain(response), response.usage.to_dict())
    return results


def _rest(request: JSONObject) -> JSONObject:
    return {name: value for name, value in request.items() if name != "input"}


def _plain(response: Response) -> list[JSONObject]:
    return [{key: value for key, value in item.to_dict().items() if key != "id"} for item in response.output]


def found(url: str) -> list[str]:
    """Attach two texts to a new vector store, and return the names of the files that match a query."""
    with OpenAI(base_url=url, api_key="none", max_retries=0, timeout=600) as client:
        store = client.vector_stores.create(name="notes")
        for name, text in (("cats.md", "Cats sleep."), ("trains.md", "Trains run.")):
            attached = client.vector_stores.files.upload_and_poll(
                vector_store_id=store.id, file=(name, text.encode())
            )
            assert (attached.status, attached.last_error) == ("completed", None)
        options: JSON = {"hybrid_search": {"embedding_weight": 1, "text_weight": 0}}
        hits = client.vector_stores.search(store.id, query="felines", extra_body={"ranking_options": options})
        return [hit.filename for hit in hits]


def backend(name: str, url: str, kind: JSON) -> BackendSettings:
    return BackendSettings(name=name, base_url=url, kind=kind, capabilities=PRESETS[kind])


@pytest.mark.parametrize("stream", [False, True])
def test_replay_without_servers_equals_the_recorded_run(
    model_server: ModelServer, embedding_port: int, tmp_path: Path, stream: bool
) -> None:
    backends = [
        backend("llamacpp", model_server.url, "llamacpp"),
        backend("e5", f"http://127.0.0.1:{embedding_port}/v1", "other"),
    ]
    with serve(tmp_path, "record", backends=backends) as server:
        recorded = responses(server.url_of, stream=stream)
        assert found(server.url_of("files")) == ["cats.md", "trains.md"]
    with serve(tmp_path, backends=[]) as server:
        assert responses(server.url_of, stream=not stream) == recorded
        assert found(server.url_of("files")) == ["cats.md", "trains.md"]
