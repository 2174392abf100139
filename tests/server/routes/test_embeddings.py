"""Embeddings, proxied with the errors of chat completions, and replayed."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from openai import OpenAI

from antiphon.engine.ports import ModelCatalogue
from antiphon.recording.collection import Collection
from antiphon.recording.seam.catalogue import RecordingCatalogue
from antiphon.recording.seam.faults import Faults
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.settings.schema import Mode
from antiphon.wire.json import JSON, JSONObject
from tests.server.client import post
from tests.support.schemas import check_openai
from tests.support.serving import OpenCatalogue, Serving, backend, backends
from tests.support.upstream import Upstream, html, reply


def vectors(*given: Sequence[float]) -> JSONObject:
    """Return the answer of a backend."""
    data = [
        {"object": "embedding", "index": index, "embedding": list(vector)}
        for index, vector in enumerate(given)
    ]
    usage = {"prompt_tokens": 3, "total_tokens": 3}
    return {"object": "list", "data": data, "model": "m", "usage": usage}


def test_the_answer_is_the_backends(url: str, upstream: Upstream) -> None:
    answer = vectors([0.5, -1.0], [1.0, 0.0])
    upstream.script(reply(answer))
    body = {"model": "up/m", "input": ["a", "b"], "dimensions": 2, "user": "u", "encoding_format": "float"}
    got = post(url, "/embeddings", body)
    assert (got.status, got.json) == (200, answer)
    check_openai("CreateEmbeddingResponse", got.json)
    [asked] = upstream.requests
    assert asked.path == "/v1/embeddings"
    assert asked.json == body | {"model": "m"}


def test_the_sdk_asks_for_base64(url: str, upstream: Upstream) -> None:
    packed = vectors() | {"data": [{"object": "embedding", "index": 0, "embedding": "AACAPwAAAEA="}]}
    upstream.script(reply(packed))
    with OpenAI(base_url=url, api_key="none", max_retries=0) as client:
        made = client.embeddings.create(model="up/m", input="a")
    assert made.data[0].embedding == [1.0, 2.0]


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ([], None, "invalid_type"),
        ({"input": "a"}, "model", "missing_required_parameter"),
        ({"model": 7, "input": "a"}, "model", "invalid_type"),
        ({"model": "up/m"}, "input", "missing_required_parameter"),
        ({"model": "up/m", "input": 7}, "input", "invalid_type"),
        ({"model": "up/m", "input": ""}, "input", "invalid_value"),
        ({"model": "up/m", "input": []}, "input", "invalid_value"),
        ({"model": "antiphon/sample", "input": "a"}, "model", "model_not_supported"),
    ],
)
def test_what_is_wrong_is_a_400(
    url: str, upstream: Upstream, body: JSON, param: str | None, code: str
) -> None:
    got = post(url, "/embeddings", body)
    assert (got.status, got.error["param"], got.error["code"]) == (400, param, code)
    assert upstream.requests == []


def test_an_unknown_model_is_a_404(url: str) -> None:
    got = post(url, "/embeddings", {"model": "nowhere/x", "input": "a"})
    assert (got.status, got.error["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        (reply({"error": {"message": "too long", "code": "too_long"}}, status=400), 400, "too long"),
        (reply({"error": {"message": "slow down"}}, status=429), 429, "slow down"),
        (reply({"error": {"message": "bad key"}}, status=401), 502, "bad key"),
        (reply({"error": {"message": "inside"}}), 502, "inside"),
        (reply({"object": "list"}), 502, "no data"),
        (reply([1]), 502, "no data"),
        (html("<h1>Hello</h1>"), 502, "text/html"),
    ],
)
def test_faults_have_the_statuses_of_chat(
    url: str, upstream: Upstream, answer: JSON, status: int, says: str
) -> None:
    upstream.script(answer)
    got = post(url, "/embeddings", {"model": "up/m", "input": "a"})
    assert got.status == status
    assert got.error["message"].startswith("up: ")
    assert says in got.error["message"]


def recording(opened: OpenCatalogue | None, directory: Path, mode: Mode) -> OpenCatalogue:
    async def catalogue() -> ModelCatalogue:
        inner = None if opened is None else await opened()
        return RecordingCatalogue(inner, RecordingLookup(Collection(directory)), mode, Faults())

    return catalogue


def test_what_was_recorded_is_replayed_without_a_backend(tmp_path: Path) -> None:
    answer = vectors([0.25, 0.5])
    body = {"model": "up/m", "input": "a"}
    folder = tmp_path / "recordings"
    folder.mkdir()
    with Upstream() as upstream:
        upstream.script(reply(answer))
        opened = backends(backend(upstream))
        with Serving(tmp_path / "1.db", recording(opened, folder, "record")) as server:
            assert post(server.url, "/embeddings", body).json == answer
    assert "embeddings" in "".join(path.read_text() for path in folder.rglob("*.json"))
    with Serving(tmp_path / "2.db", recording(None, folder, "replay")) as server:
        assert post(server.url, "/embeddings", body).json == answer
        missing = post(server.url, "/embeddings", body | {"input": "another"})
    assert missing.error["code"] == "recording_not_found"
    assert json.loads(missing.body)["error"]["message"]
