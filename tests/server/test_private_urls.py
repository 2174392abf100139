"""URLs that a backend would fetch for a client; none may lead into the operator's network."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from antiphon.backends.catalogue import Models
from antiphon.engine.ports import ModelCatalogue
from antiphon.recording.collection import Collection
from antiphon.recording.seam.catalogue import RecordingCatalogue
from antiphon.recording.seam.faults import Faults
from antiphon.recording.seam.lookup import RecordingLookup
from antiphon.settings.schema import Mode, Settings
from antiphon.wire.json import JSON, JSONObject
from tests.net.canary import PUBLIC
from tests.server.client import Reply, get, post
from tests.support.serving import Serving, backend, recordings
from tests.support.upstream import Upstream, chunk, sse

PRIVATE = "http://10.0.0.7/cat.png"
PIXEL = "data:image/png;base64,iVBORw0KGgo="


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with Upstream() as upstream:
        upstream.script(sse(chunk("Hi"), chunk(finish="stop")))
        yield upstream


@pytest.fixture
def url(upstream: Upstream, tmp_path: Path) -> Iterator[str]:
    """Yield a server whose backend `up` may fetch public URLs, and whose backend `near` may fetch any."""
    settings = settings_of(upstream)
    with Serving(tmp_path / "state.db", lambda: Models.open(settings)) as server:
        yield server.url


def settings_of(upstream: Upstream) -> Settings:
    near = msgspec.structs.replace(backend(upstream, "near"), private_urls=True)
    return Settings(
        database=":memory:",
        discover=False,
        allow_hosts=("10.1.0.0/16", "pictures.internal"),
        models={"up": backend(upstream), "near": near},
    )


def message(*parts: JSONObject) -> list[JSON]:
    return [{"role": "user", "content": [{"type": "input_text", "text": PRIVATE}, *parts]}]


def image(address: str = PRIVATE) -> JSONObject:
    return {"type": "input_image", "image_url": address}


CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
INPUTS: dict[str, tuple[JSON, str]] = {
    "an image": (message(image(PIXEL), image()), "input[0].content[2].image_url"),
    "a screenshot": (
        message({"type": "computer_screenshot", "image_url": PRIVATE}),
        "input[0].content[1].image_url",
    ),
    "the output of a tool": (
        [CALL, {"type": "function_call_output", "call_id": "c", "output": [image()]}],
        "input[1].output[0].image_url",
    ),
    "a file": (
        message({"type": "input_file", "filename": "a.pdf", "file_data": PRIVATE}),
        "input[0].content[1].file_data",
    ),
    "sound": (
        message({"type": "input_audio", "input_audio": {"data": PRIVATE, "format": "wav"}}),
        "input[0].content[1].input_audio.data",
    ),
}


def refused(answer: Reply, param: str, upstream: Upstream, code: str = "address_not_allowed") -> None:
    assert answer.status == 400, answer.body
    assert (answer.error["type"], answer.error["code"]) == ("invalid_request_error", code)
    assert answer.error["param"] == param
    assert [request for request in upstream.requests if not request.path.endswith("/models")] == []


@pytest.mark.parametrize("more", [{}, {"stream": True}, {"store": False}], ids=["JSON", "stream", "unstored"])
@pytest.mark.parametrize("name", INPUTS)
def test_a_response(name: str, more: JSONObject, url: str, upstream: Upstream) -> None:
    given, param = INPUTS[name]
    answer = post(url, "/responses", {"model": "up/m", "input": given, **more})
    refused(answer, param, upstream)
    assert "10.0.0.7" in answer.error["message"]
    assert get(url, "/responses").json["data"] == []


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/",
        "http://localhost/",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:10.0.0.7]/",
    ],
)
def test_any_private_address(address: str, url: str, upstream: Upstream) -> None:
    given = message(image(address))
    answer = post(url, "/responses", {"model": "up/m", "input": given})
    refused(answer, "input[0].content[1].image_url", upstream)


@pytest.mark.parametrize(
    "address",
    [
        "http://2130706433/",
        "http://0x7f.1/",
        "http://user@10.0.0.7/",
        "http://10.0.0.7\\@example.com/",
        " http://10.0.0.7/",
        "ht\ntp://10.0.0.7/",
        "file:///etc/passwd",
        "gs://bucket/cat.png",
    ],
)
def test_a_url_that_parsers_may_read_differently(address: str, url: str, upstream: Upstream) -> None:
    given = message(image(address))
    answer = post(url, "/responses", {"model": "up/m", "input": given})
    refused(answer, "input[0].content[1].image_url", upstream, "invalid_value")


def test_an_unknown_host(url: str, upstream: Upstream) -> None:
    given = message(image("https://nowhere.invalid/cat.png"))
    answer = post(url, "/responses", {"model": "up/m", "input": given})
    refused(answer, "input[0].content[1].image_url", upstream, "address_not_fetched")


def test_what_a_conversation_has_is_judged_when_it_is_sent(url: str, upstream: Upstream) -> None:
    conversation = post(url, "/conversations", {"items": message(image())}).json["id"]
    body = {"model": "up/m", "input": "Go on.", "conversation": conversation}
    for _ in range(2):  # The conversation isn't locked.
        refused(post(url, "/responses", body), "input.image_url", upstream)
    assert post(url, "/responses", {**body, "model": "near/m"}).status == 200


def test_a_prompt(url: str, upstream: Upstream) -> None:
    prompt = post(url, "/prompts", {"prompt": "See {{picture}}", "variables": ["picture"]}).json
    body = {
        "model": "up/m",
        "input": "Hi",
        "prompt": {"id": prompt["prompt_id"], "variables": {"picture": image()}},
    }
    refused(post(url, "/responses", body), "prompt.variables.picture.image_url", upstream)


@pytest.mark.parametrize("path", ["/responses/input_tokens", "/responses/compact"])
def test_other_requests_with_input(path: str, url: str, upstream: Upstream) -> None:
    answer = post(url, path, {"model": "up/m", "input": message(image())})
    refused(answer, "input[0].content[1].image_url", upstream)


CHAT: list[JSON] = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PRIVATE}}]}]
PROXIED: dict[str, tuple[JSONObject, str]] = {
    "/chat/completions": ({"messages": CHAT}, "messages[0].content[0].image_url.url"),
    "/moderations": (
        {"input": [{"type": "image_url", "image_url": {"url": PRIVATE}}]},
        "input[0].image_url.url",
    ),
    "/embeddings": (
        {"input": ["text"], "messages": CHAT},
        "messages[0].content[0].image_url.url",
    ),
}


@pytest.mark.parametrize("path", PROXIED)
def test_proxied_requests(path: str, url: str, upstream: Upstream) -> None:
    body, param = PROXIED[path]
    refused(post(url, path, {"model": "up/m", **body}), param, upstream)


def test_a_proxied_stream(url: str, upstream: Upstream) -> None:
    body, param = PROXIED["/chat/completions"]
    refused(post(url, "/chat/completions", {"model": "up/m", "stream": True, **body}), param, upstream)


def test_a_proxied_tool_of_the_backend(url: str, upstream: Upstream) -> None:
    tools = [{"type": "mcp", "server_url": PRIVATE}, {"type": "function", "function": {"name": PRIVATE}}]
    body = {"model": "up/m", "messages": [{"role": "user", "content": "Hi"}], "tools": tools}
    refused(post(url, "/chat/completions", body), "tools[0].server_url", upstream)


@pytest.mark.parametrize(
    "address", [f"https://{PUBLIC}/cat.png", "http://10.1.2.3/cat.png", "https://pictures.internal/", PIXEL]
)
def test_public_and_allowed_urls_are_sent(address: str, url: str, upstream: Upstream) -> None:
    assert post(url, "/responses", {"model": "up/m", "input": message(image(address))}).status == 200
    sent = upstream.chats[0].json["messages"][0]["content"][1]
    assert sent == {"type": "image_url", "image_url": {"url": address, "detail": "auto"}}


def test_a_backend_may_fetch_private_urls_by_its_settings(url: str, upstream: Upstream) -> None:
    assert post(url, "/responses", {"model": "near/m", "input": message(image())}).status == 200
    assert post(url, "/chat/completions", {"model": "near/m", "messages": CHAT}).status == 200
    assert [PRIVATE in str(request.json) for request in upstream.chats] == [True, True]


def test_the_sample_model_fetches_nothing(url: str) -> None:
    body = {"model": "antiphon/sample", "input": message(image())}
    assert post(url, "/responses", body).status == 200


@pytest.mark.parametrize("mode", ["record", "record-missing"])
def test_recorded_calls_are_judged_and_replayed_ones_are_not(
    mode: Mode, upstream: Upstream, tmp_path: Path
) -> None:
    """Replay needs no name server."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    body = {"model": "near/m", "input": message(image("https://nowhere.invalid/cat.png"))}

    async def recording() -> ModelCatalogue:
        backends = await Models.open(settings_of(upstream))
        return RecordingCatalogue(backends, RecordingLookup(Collection(folder)), mode, Faults())

    with Serving(tmp_path / "recording.db", recording) as server:
        answer = post(server.url, "/responses", {**body, "model": "up/m"})
        refused(answer, "input[0].content[1].image_url", upstream, "address_not_fetched")
        assert post(server.url, "/responses", body).status == 200
    with Serving(tmp_path / "replaying.db", recordings(folder)) as server:
        assert post(server.url, "/responses", body).status == 200
    assert len(upstream.chats) == 1
