"""Hosted tools over HTTP: their limits, servers that refuse, and protection of the client's data."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from antiphon.settings.tools import FileSearchSettings, ToolsSettings
from antiphon.wire.json import JSON, JSONObject
from tests.clients.replies import calls, says
from tests.mcp_servers.running import Servers, servers
from tests.server.client import check_life_cycle, get, post
from tests.server.forms import uploaded
from tests.server.routes.test_embeddings import vectors
from tests.server.sockets import Socket
from tests.support.serving import Serving, backend, backends
from tests.support.upstream import Upstream, reply, silence
from tests.tools.web_search.searching import RESULT, tavily

SECONDS = 0.3
"""The time limit of a tool that hangs; no test waits longer."""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with servers(tmp_path_factory.mktemp("mcp")) as started:
        yield started


@contextmanager
def serving(path: Path, upstream: Upstream, **tools: JSON) -> Iterator[str]:
    """Yield the URL of a server with these settings of tools."""
    settings = ToolsSettings(**tools)
    opened = backends(backend(upstream))
    with Serving(path / "limits.db", opened, tools=settings, allow_hosts=["127.0.0.1"]) as server:
        yield server.url


def ask(url: str, tool: JSONObject, stream: bool) -> JSONObject:
    answer = post(url, "/responses", {"model": "up/m", "input": "?", "tools": [tool], "stream": stream})
    assert answer.status == 200, answer.body
    if stream:
        check_life_cycle(answer.payloads)
    response: JSONObject = answer.last if stream else answer.json
    return response


def told(upstream: Upstream) -> str:
    """Return the result of the model's last call, as the model receives it."""
    content = upstream.chats[-1].json["messages"][-1]["content"]
    return content if isinstance(content, str) else "".join(part["text"] for part in content)


@pytest.mark.parametrize("way", ["json", "stream", "websocket"])
def test_F45_an_endless_loop_of_calls_ends_with_the_rounds_of_the_settings(
    way: str, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.script(calls(("call_1", "web_search", {"query": "again"})))
    with Upstream() as service:
        service.script(reply({"results": [RESULT]}))
        with serving(tmp_path, upstream, max_rounds=3, web_search=tavily(service)) as url:
            if way == "websocket":
                with Socket(url) as socket:
                    events = socket.ask(tools=[{"type": "web_search"}])
                check_life_cycle(events)
                response = events[-1]["response"]
            else:
                response = ask(url, {"type": "web_search"}, way == "stream")
            assert get(url, f"/responses/{response['id']}").json == response
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert [item["type"] for item in response["output"]] == ["web_search_call"] * 3
    assert (len(upstream.chats), len(service.requests)) == (3, 3)


@pytest.mark.parametrize("stream", [False, True])
def test_T16_a_search_that_hangs_is_left(stream: bool, upstream: Upstream, tmp_path: Path) -> None:
    upstream.script(calls(("call_1", "web_search", {"query": "q"})), says("I do not know."))
    with Upstream() as service:
        service.script(silence())
        with serving(tmp_path, upstream, web_search=tavily(service, timeout=SECONDS)) as url:
            response = ask(url, {"type": "web_search"}, stream)
    assert outcome(response) == ("completed", "failed", "I do not know.")
    assert "no answer within 0.3 s" in told(upstream)


@pytest.mark.parametrize("stream", [False, True])
def test_T9_a_call_of_an_mcp_server_that_hangs_is_left(
    stream: bool, upstream: Upstream, running: Servers, tmp_path: Path
) -> None:
    upstream.script(calls(("call_1", "hang", {})), says("I do not know."))
    tool = {
        "type": "mcp",
        "server_label": "odd",
        "server_url": f"{running.url}/odd/mcp",
        "require_approval": "never",
    }
    with serving(tmp_path, upstream, timeout=SECONDS) as url:
        response = ask(url, tool, stream)
    assert outcome(response) == ("completed", "failed", "I do not know.")
    assert "did not answer within 0.3 s" in told(upstream)


@pytest.mark.parametrize("stream", [False, True])
def test_a_file_search_whose_embedding_model_hangs_is_left(
    stream: bool, upstream: Upstream, tmp_path: Path
) -> None:
    settings = FileSearchSettings(embedding_model="up/m", timeout=SECONDS)
    with serving(tmp_path, upstream, file_search=settings) as url:
        upstream.script(reply(vectors([1, 0])))
        store: str = post(url, "/vector_stores", {}).json["id"]
        body = {"file_id": uploaded(url, "Cats sleep.")}
        assert post(url, f"/vector_stores/{store}/files", body).json["status"] == "completed"
        upstream.script(calls(("call_1", "file_search", {"query": "q"})), silence(), says("I do not know."))
        response = ask(url, {"type": "file_search", "vector_store_ids": [store]}, stream)
    assert outcome(response) == ("completed", "failed", "I do not know.")
    assert "longer than 0.3 seconds" in told(upstream)


def outcome(response: JSONObject) -> tuple[str, str, str]:
    """Return the status of the response, the status of its call, and the model's text."""
    *_, call, message = response["output"]
    return response["status"], call["status"], message["content"][0]["text"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("path", "token", "refusal"),
    [
        (None, None, (424, "http_error")),
        ("/private/basic/mcp", "wrong", (401, "http_error")),
        ("/basic/mcp", None, (400, "address_not_allowed")),
    ],
    ids=["T1_nobody_listens", "T2_a_wrong_token", "S2_an_address_of_this_machine"],
)
def test_an_mcp_server_that_cannot_be_used(
    path: str | None,
    token: str | None,
    refusal: tuple[int, str],
    stream: bool,
    running: Servers,
    tmp_path: Path,
) -> None:
    allowed = () if refusal[1] == "address_not_allowed" else ("127.0.0.1",)
    server_url = "http://127.0.0.1:9/mcp" if path is None else f"{running.url}{path}"
    tool = {"type": "mcp", "server_label": "s", "server_url": server_url, "authorization": token}
    body = {"model": "up/m", "input": "?", "tools": [tool], "stream": stream}
    with Upstream() as upstream:
        opened = backends(backend(upstream))
        with Serving(tmp_path / "refused.db", opened, allow_hosts=allowed) as server:
            answer = post(server.url, "/responses", body)
        assert upstream.chats == [], "the model is not asked"
    if stream:
        failed, error, last = answer.payloads[-4], answer.payloads[-2], answer.payloads[-1]
        assert failed["type"] == "response.mcp_list_tools.failed"
        assert (error["type"], error["error"]["code"]) == ("error", refusal[1])
        assert (last["type"], last["response"]["status"]) == ("response.failed", "failed")
    else:
        assert (answer.status, answer.error["code"]) == refusal


def test_S15_what_authorizes_the_caller_goes_nowhere(
    upstream: Upstream, running: Servers, tmp_path: Path
) -> None:
    secret = "the-callers-own"
    headers = {
        "Authorization": f"Bearer {secret}",
        "Cookie": f"session={secret}",
        "X-Api-Key": secret,
        "OpenAI-Organization": secret,
        "X-LlamaStack-Provider-Data": f'{{"api_key": "{secret}"}}',
    }
    upstream.script(
        calls(
            ("call_1", "web_search", {"query": "q"}),
            ("call_2", "get_boiling_point", {"liquid_name": "myawesomeliquid"}),
        ),
        says("Done."),
    )
    mcp = {"type": "mcp", "server_label": "s", "server_url": f"{running.url}/basic/mcp"}
    tools = [{"type": "web_search"}, mcp | {"require_approval": "never"}]
    before = len(running.log())
    with Upstream() as service:
        service.script(reply({"results": [RESULT]}))
        with serving(tmp_path, upstream, web_search=tavily(service)) as url:
            body = {"model": "up/m", "input": "?", "tools": tools}
            answer = post(url, "/responses", body, headers)
        searched = [str(request) for request in service.requests]
    assert [item["type"] for item in answer.json["output"]] == [
        *("mcp_list_tools", "web_search_call", "mcp_call", "message"),
    ]
    asked = [str(request) for request in upstream.requests]
    listened = [str(entry) for entry in running.log()[before:]]
    assert all((asked, searched, listened))
    assert secret not in "".join([*asked, *searched, *listened])
