"""Limits of keys: requests and tokens per minute, and streams at the same time."""

import re
from collections.abc import Iterator
from pathlib import Path

import openai
import pytest

from antiphon.service.access.keys import KeySettings
from antiphon.service.access.limits import Limits
from antiphon.wire.json import JSON
from tests.server.client import SECONDS, Reply, post
from tests.server.faults import TEXT
from tests.server.http.test_disconnect import hanging
from tests.server.keyed import SETTINGS_KEY, Person, keyed, person
from tests.server.sockets import Socket
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Answer, Upstream, chunk, completion, reply, sse

ASK = {"model": "up/m", "input": "Hi"}
USAGE = {"prompt_tokens": 400, "completion_tokens": 200, "total_tokens": 600}
COUNTED = sse(chunk("Hello."), chunk(finish="stop"), chunk(usage=USAGE))
UNCOUNTED = sse(chunk("Hel"), chunk("lo."), chunk(finish="stop"))


@pytest.fixture(scope="module")
def shared_upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        yield upstream


@pytest.fixture
def upstream(shared_upstream: Upstream) -> Upstream:
    """Yield the backend, which gives every client the same answer unless a test changes it."""
    shared_upstream.forget()
    shared_upstream.script(TEXT)
    return shared_upstream


@pytest.fixture(scope="module")
def server(shared_upstream: Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with keyed(tmp_path_factory.mktemp("limits") / "state.db", shared_upstream) as server:
        yield server


def script(upstream: Upstream, answer: Answer) -> None:
    upstream.forget()
    upstream.script(answer)


def refused(reply: Reply, kind: str) -> None:
    assert (reply.status, reply.error["type"], reply.error["code"]) == (429, kind, "rate_limit_exceeded")
    assert int(reply.headers["retry-after"]) >= 1
    assert int(reply.headers["retry-after-ms"]) <= 1000 * int(reply.headers["retry-after"])


def test_requests_per_minute(server: Serving, upstream: Upstream) -> None:
    limited = person(server, "rpm", requests_per_minute=2)
    first = limited.post("/responses", ASK)
    assert first.headers["x-ratelimit-limit-requests"] == "2"
    assert first.headers["x-ratelimit-remaining-requests"] == "1"
    assert re.fullmatch(r"(29|30)(\.\d+)?s", first.headers["x-ratelimit-reset-requests"])
    assert "x-ratelimit-limit-tokens" not in first.headers
    assert limited.post("/responses", ASK | {"stream": True}).headers["x-ratelimit-remaining-requests"] == "0"
    third = limited.post("/responses", ASK)
    refused(third, "requests")
    assert third.headers["x-ratelimit-remaining-requests"] == "0"
    assert len(upstream.chats) == 2
    with Socket(limited.url, limited.headers) as socket:
        error = socket.error()
        assert (error["status"], error["code"], error["type"]) == (429, "rate_limit_exceeded", "requests")
        assert int(error["headers"]["retry-after"]) >= 1
    # Reads and deletions are free, and each client has its own limits.
    stored = first.json["id"]
    assert limited.get(f"/responses/{stored}").status == 200
    assert limited.call("DELETE", f"/responses/{stored}").status == 200
    assert person(server, "another", requests_per_minute=1).post("/responses", ASK).status == 200


def test_openais_client_waits_as_the_headers_advise(server: Serving, upstream: Upstream) -> None:
    limited = person(server, "sdk", requests_per_minute=1)
    with openai.OpenAI(base_url=server.url, api_key=limited.key, max_retries=0) as client:
        client.responses.create(model="up/m", input="Hi")
        with pytest.raises(openai.RateLimitError) as caught:
            client.responses.create(model="up/m", input="Hi")
    assert caught.value.code == "rate_limit_exceeded"


CHAT: dict[str, JSON] = {"model": "up/m", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.mark.parametrize(
    ("name", "path", "body"),
    [
        ("whole", "/responses", ASK),
        ("stream", "/responses", ASK | {"stream": True}),
        ("unstored", "/responses", ASK | {"store": False}),
        ("chat", "/chat/completions", CHAT | {"stream": True}),
    ],
)
def test_tokens_per_minute(server: Serving, upstream: Upstream, name: str, path: str, body: JSON) -> None:
    script(upstream, COUNTED)
    limited = person(server, f"tokens-{name}", tokens_per_minute=1000)
    assert limited.get("/models").headers["x-ratelimit-remaining-tokens"] == "1000"
    assert limited.post(path, body).status == 200
    left = limited.get("/models").headers
    assert left["x-ratelimit-limit-tokens"] == "1000"
    assert 400 <= int(left["x-ratelimit-remaining-tokens"]) < 450
    assert limited.post(path, body).status == 200
    refused(limited.post(path, body), "tokens")


def test_tokens_of_whole_chat_completions_and_of_embeddings(server: Serving, upstream: Upstream) -> None:
    limited = person(server, "tpm-whole", tokens_per_minute=1000)
    answer = completion() | {"usage": USAGE}
    answer["choices"][0] |= {"logprobs": None}
    answer["choices"][0]["message"] |= {"refusal": None}
    script(upstream, reply(answer))
    limited.post("/chat/completions", CHAT)
    vectors = {
        "object": "list",
        "model": "m",
        "data": [{"object": "embedding", "index": 0, "embedding": [1]}],
    }
    script(upstream, reply(vectors | {"usage": {"prompt_tokens": 600, "total_tokens": 600}}))
    assert limited.post("/embeddings", {"model": "up/m", "input": "Hi"}).status == 200
    refused(limited.post("/embeddings", {"model": "up/m", "input": "Hi"}), "tokens")


def test_tokens_that_no_backend_counts_are_estimated(server: Serving, upstream: Upstream) -> None:
    script(upstream, UNCOUNTED)
    limited = person(server, "estimated", tokens_per_minute=1000)
    limited.post("/responses", {"model": "up/m", "input": "x" * 4000})
    refused(limited.post("/responses", ASK), "tokens")


def test_concurrent_streams(server: Serving, upstream: Upstream) -> None:
    limited = person(server, "streams", concurrent_streams=1)
    for _ in range(2):  # A stream that has ended doesn't count.
        assert limited.post("/responses", ASK | {"stream": True}).last["status"] == "completed"
        assert limited.post("/chat/completions", CHAT | {"stream": True}).status == 200
        with Socket(limited.url, limited.headers) as socket:
            socket.response()
            socket.response()
    # A refused request doesn't count, either.
    for _ in range(2):
        assert limited.post("/responses", {"model": "no/m", "input": "x", "stream": True}).status == 404


def test_a_stream_in_flight_counts(server: Serving, upstream: Upstream) -> None:
    script(upstream, hanging(chunk("Hel")))
    limited = person(server, "in-flight", concurrent_streams=1)
    with Socket(limited.url, limited.headers) as socket:
        socket.create()
        assert upstream.hanging.wait(SECONDS)
        over = limited.post("/responses", ASK | {"stream": True})
        refused(over, "requests")
        assert "concurrent streams: Limit 1, Used 1" in over.error["message"]
        script(upstream, TEXT)
        assert limited.post("/responses", ASK).status == 200, "only streams are counted"
    assert upstream.disconnected.wait(SECONDS)


def test_limits_hold_without_keys_too(tmp_path: Path, upstream: Upstream) -> None:
    settings = KeySettings(limits=Limits(requests_per_minute=1))
    with Serving(tmp_path / "state.db", backends(backend(upstream)), keys=settings) as server:
        assert post(server.url, "/responses", ASK).headers["x-ratelimit-remaining-requests"] == "0"
        refused(post(server.url, "/responses", ASK), "requests")


def test_without_limits_there_are_no_such_headers(server: Serving) -> None:
    local = Person(server.url, SETTINGS_KEY)
    assert not any(name.startswith("x-ratelimit") for name in local.get("/models").headers)
