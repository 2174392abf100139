"""`/v1/responses/input_tokens`."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from antiphon.settings.backends import PRESETS
from antiphon.wire.json import JSON
from tests.server.client import Reply, get, post
from tests.support.serving import Serving, backend, backends
from tests.support.shared import shared
from tests.support.upstream import Upstream, chunk, reply, sse

PATH = "/responses/input_tokens"
TOOL = {"type": "function", "name": "f", "description": "x" * 400, "parameters": {"type": "object"}}


def counted(url: str, **body: JSON) -> int:
    answer = post(url, PATH, {"model": "m"} | body)
    assert answer.status == 200, answer.body
    assert answer.json == {"object": "response.input_tokens", "input_tokens": answer.json["input_tokens"]}
    number: int = answer.json["input_tokens"]
    return number


def test_everything_that_the_model_reads_counts(url: str, upstream: Upstream) -> None:
    plain = counted(url, input="x" * 400)
    assert 100 <= plain <= 120
    assert counted(url, input="x" * 400, instructions="y" * 400) >= plain + 100
    assert counted(url, input="x" * 400, tools=[TOOL]) >= plain + 100
    text = {"format": {"type": "json_schema", "name": "n", "schema": {"description": "z" * 400}}}
    assert counted(url, input="x" * 400, text=text) >= plain + 100
    assert counted(url, input=[{"role": "user", "content": "x" * 400}], personality="friendly") == plain
    assert upstream.chats == []


@pytest.mark.shared
@pytest.mark.parametrize("name", ["b-responses_count_tokens", "b-responses_count_tokens_with_tools"])
def test_the_estimate_is_within_a_third_of_what_openai_counted(url: str, name: str) -> None:
    recording = shared(f"recordings/openai-responses/{name}.json").read_bytes()
    for exchange in msgspec.json.decode(recording)["exchanges"]:
        recorded = exchange["response"]["body"]["input_tokens"]
        assert recorded <= counted(url, **exchange["request"]["body"] | {"model": "m"}) <= recorded * 4 / 3


def test_earlier_turns_count(url: str, upstream: Upstream, conversation: str) -> None:
    upstream.script(sse(chunk("a" * 400), chunk(finish="stop")))
    first = post(url, "/responses", {"model": "m", "input": "x" * 400}).json
    assert counted(url, input="Go on", previous_response_id=first["id"]) >= 200
    item = {"type": "message", "role": "user", "content": "x" * 800}
    post(url, f"/conversations/{conversation}/items", {"items": [item]})
    assert counted(url, input="Go on", conversation=conversation) >= 200


def test_nothing_is_stored(url: str) -> None:
    before = get(url, "/responses?limit=1").json["data"]
    counted(url, input="Hi")
    assert get(url, "/responses?limit=1").json["data"] == before


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"input": "Hi"}, 400, "model"),
        ({"model": "m"}, 400, "input"),
        ({"model": "m", "input": 1}, 400, "input"),
        ({"model": "none", "input": "Hi"}, 404, "model"),
        ({"model": "m", "input": "Hi", "previous_response_id": "resp_0"}, 400, "previous_response_id"),
        ({"model": "m", "input": "Hi", "conversation": "conv_0"}, 404, None),
        ({"model": "m", "input": "Hi", "tools": [{"type": "nothing"}]}, 400, "tools[0].type"),
    ],
)
def test_errors_are_reported(url: str, body: JSON, status: int, param: str | None) -> None:
    answer: Reply = post(url, PATH, body)
    assert answer.status == status
    if param is not None:
        assert answer.error["param"] == param


@pytest.fixture
def vllm(tmp_path: Path) -> Iterator[tuple[str, Upstream]]:
    """Yield a server whose backend is a vLLM."""
    with Upstream() as upstream:
        settings = msgspec.structs.replace(backend(upstream, capabilities=PRESETS["vllm"]), kind="vllm")
        with Serving(tmp_path / "state.db", backends(settings)) as server:
            yield server.url, upstream


def test_a_backend_that_can_count_is_asked(vllm: tuple[str, Upstream]) -> None:
    url, upstream = vllm
    upstream.script(reply({"count": 4321, "max_model_len": 8000, "tokens": []}))
    assert counted(url, input="Hi", instructions="Be brief.") == 4321
    asked = upstream.requests[-1]
    assert asked.path == "/tokenize"
    assert asked.json == {
        "model": "m",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
    }


def test_openai_counts_images_too(tmp_path: Path) -> None:
    image = {"type": "input_image", "image_url": "https://93.184.215.14/cat.png", "detail": "low"}
    with Upstream() as upstream:
        settings = msgspec.structs.replace(backend(upstream), kind="openai")
        with Serving(tmp_path / "state.db", backends(settings)) as server:
            upstream.script(reply({"object": "response.input_tokens", "input_tokens": 99}))
            assert counted(server.url, input=[{"role": "user", "content": [image]}]) == 99
        asked = upstream.requests[-1]
        assert asked.path == "/v1/responses/input_tokens"
        assert asked.json == {"model": "m", "input": [{"role": "user", "content": [image]}]}


def test_a_backend_that_refuses_to_count_leaves_an_estimate(vllm: tuple[str, Upstream]) -> None:
    url, upstream = vllm
    upstream.script(reply({"detail": "Not Found"}, status=404))
    assert 4 <= counted(url, input="Hi") <= 12
