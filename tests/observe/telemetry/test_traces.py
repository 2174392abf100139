"""Spans of requests to a server in this process."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2
import pytest
from opentelemetry.trace import SpanKind, StatusCode

from antiphon.settings.backends import PRESETS, BackendSettings
from antiphon.testing import serve
from antiphon.testing.server import LocalServer
from antiphon.wire.json import JSON, JSONObject
from tests.mcp_servers.running import servers
from tests.observe.telemetry.spans import Spans, exported
from tests.server.batching import CHAT, RESPONSES, ended, jsonl, line
from tests.server.forms import uploaded
from tests.support.upstream import Upstream, chunk, reply, sse

pytestmark = pytest.mark.slow

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
PARENT = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
USAGE: JSONObject = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def call(name: str, arguments: JSONObject) -> list[JSONObject]:
    function = {"name": name, "arguments": json.dumps(arguments)}
    return [{"index": 0, "id": "call_1", "type": "function", "function": function}]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as opened:
        yield opened


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Spans]:
    with exported(monkeypatch) as found:
        yield found


def server_of(upstream: Upstream, **settings: JSON) -> "Iterator[LocalServer]":
    backend = BackendSettings(
        name="up", base_url=upstream.base_url, kind="openai", capabilities=PRESETS["openai"]
    )
    with serve(None, "live", backends=[backend], **settings) as server:
        yield server


@pytest.fixture
def server(spans: Spans, upstream: Upstream) -> Iterator[LocalServer]:
    upstream.forget()
    yield from server_of(upstream)


def post(server: LocalServer, body: JSONObject, headers: Mapping[str, str] | None = None) -> httpx2.Response:
    return httpx2.post(
        f"{server.url}/responses", json={"model": "up/m", **body}, headers=dict(headers or {}), timeout=30
    )


def values(spans: Spans, name: str) -> dict[str, JSON]:
    return dict(spans.one(name).attributes or {})


def test_a_response_continues_the_clients_trace_into_the_backend(
    server: LocalServer, spans: Spans, upstream: Upstream
) -> None:
    upstream.script(sse(chunk("Hel"), chunk("lo"), chunk(finish="stop"), chunk(usage=USAGE)))
    answer = post(server, {"input": "Hi.", "stream": True, "temperature": 0.5}, PARENT)
    assert answer.status_code == 200
    agent, chat = spans.one("invoke_agent"), spans.one("chat up/m")
    assert f"{agent.context.trace_id:032x}" == f"{chat.context.trace_id:032x}" == TRACE
    assert agent.parent is not None
    assert f"{agent.parent.span_id:016x}" == SPAN
    assert chat.parent is not None
    assert chat.parent.span_id == agent.context.span_id
    assert (agent.kind, chat.kind) == (SpanKind.INTERNAL, SpanKind.CLIENT)
    sent = upstream.chats[0].headers
    assert sent["traceparent"] == f"00-{TRACE}-{chat.context.span_id:016x}-01"
    assert sent["tracestate"] == "vendor=1"
    given = values(spans, "chat up/m")
    assert given.pop("gen_ai.response.time_to_first_chunk") > 0
    assert given == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "up",
        "gen_ai.request.model": "up/m",
        "gen_ai.request.stream": True,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.model": "m",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 3,
    }
    given = values(spans, "invoke_agent")
    assert given["gen_ai.response.status"] == "completed"
    assert str(given["gen_ai.response.id"]).startswith("resp_")
    assert "Hi." not in str([span.to_json() for span in spans.all()])


@pytest.mark.parametrize("stream", [False, True])
def test_content_is_in_traces_only_if_it_is_switched_on(
    spans: Spans, upstream: Upstream, stream: bool
) -> None:
    upstream.forget()
    upstream.script(sse(chunk("Hello."), chunk(finish="stop")))
    for server in server_of(upstream, trace_content="true"):
        post(server, {"input": "Hi.", "instructions": "Be brief.", "stream": stream})
    given = values(spans, "chat up/m")
    assert json.loads(str(given["gen_ai.input.messages"])) == [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {"role": "user", "parts": [{"type": "text", "content": "Hi."}]},
    ]
    assert json.loads(str(given["gen_ai.output.messages"])) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Hello."}], "finish_reason": "stop"}
    ]


def test_a_failed_call_has_its_error_and_no_text_of_it(
    server: LocalServer, spans: Spans, upstream: Upstream
) -> None:
    upstream.script(reply({"error": {"message": "the secret is wrong"}}, status=401))
    assert post(server, {"input": "Hi."}).status_code == 502
    for name in ("chat up/m", "invoke_agent"):
        span = spans.one(name)
        assert span.status.status_code is StatusCode.ERROR
        assert (span.attributes or {})["error.type"] == "upstream_error"
        assert "secret" not in span.to_json()


def test_a_stored_response_that_is_fetched_has_a_span_without_tokens(
    server: LocalServer, spans: Spans, upstream: Upstream
) -> None:
    upstream.script(sse(chunk("Hello."), chunk(finish="stop"), chunk(usage=USAGE)))
    response_id = post(server, {"input": "Hi."}).json()["id"]
    httpx2.get(f"{server.url}/responses/{response_id}", headers=PARENT)
    fetched = spans.one("fetch_response")
    assert f"{fetched.context.trace_id:032x}" == TRACE
    assert dict(fetched.attributes or {}) == {
        "gen_ai.operation.name": "fetch_response",
        "gen_ai.response.id": response_id,
        "gen_ai.response.status": "completed",
    }
    httpx2.get(f"{server.url}/responses/resp_none")
    assert len([span for span in spans.all() if span.name == "fetch_response"]) == 1


def test_a_malformed_trace_of_the_client_begins_a_new_one(
    server: LocalServer, spans: Spans, upstream: Upstream
) -> None:
    upstream.script(sse(chunk("Hello."), chunk(finish="stop")))
    for header in ("00-zz-1-01", "x" * 5000, "00-" + "0" * 32 + "-" + "0" * 16 + "-01"):
        assert post(server, {"input": "Hi."}, {"traceparent": header}).status_code == 200
    assert all(span.parent is None for span in spans.all() if span.name == "invoke_agent")


def test_a_tool_of_an_mcp_server_has_a_span_and_receives_the_trace(
    spans: Spans, upstream: Upstream, tmp_path: Path
) -> None:
    upstream.forget()
    upstream.script(
        sse(chunk(tool_calls=call("get_user_id", {"username": "alice"})), chunk(finish="tool_calls")),
        sse(chunk("Done."), chunk(finish="stop")),
    )
    with servers(tmp_path) as running:
        for server in server_of(upstream, allow_hosts=["127.0.0.1"]):
            tool = {
                "type": "mcp",
                "server_label": "work",
                "server_url": f"{running.url}/workflow/mcp",
                "require_approval": "never",
            }
            answer = post(server, {"input": "Go.", "tools": [tool]}, PARENT)
            assert answer.json()["status"] == "completed", answer.text
        calls = [entry for entry in running.log() if entry["rpc"] == "tools/call"]
    span = spans.one("execute_tool work.get_user_id")
    assert f"{span.context.trace_id:032x}" == TRACE
    assert values(spans, span.name)["gen_ai.tool.name"] == "work.get_user_id"
    assert calls[0]["meta"]["traceparent"].split("-")[1] == TRACE
    assert calls[0]["headers"]["traceparent"].split("-")[1] == TRACE
    assert len([each for each in spans.all() if each.name == "chat up/m"]) == 2


@pytest.mark.parametrize("status", [200, 500])
def test_a_generated_image_has_a_span_without_its_prompt(
    spans: Spans, upstream: Upstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    upstream.forget()
    upstream.script(
        sse(
            chunk(tool_calls=call("image_generation", {"prompt": "A secret cat."})),
            chunk(finish="tool_calls"),
        ),
        sse(chunk("Done."), chunk(finish="stop")),
    )
    monkeypatch.chdir(tmp_path)
    with Upstream() as images:
        images.script(reply({"data": [{"b64_json": "AA=="}]}, status=status))
        (tmp_path / "antiphon.toml").write_text(f'[tools.image_generation]\nbase_url = "{images.base_url}"')
        for server in server_of(upstream):
            answer = post(server, {"input": "Draw.", "tools": [{"type": "image_generation"}]}, PARENT)
            assert answer.json()["status"] == "completed", answer.text
    span = spans.one("execute_tool image_generation")
    assert f"{span.context.trace_id:032x}" == TRACE
    assert values(spans, span.name)["gen_ai.tool.name"] == "image_generation"
    assert (span.status.status_code is StatusCode.ERROR) == (status == 500)
    assert "secret" not in span.to_json()


def test_a_proxied_chat_completion_has_a_span_of_its_own(
    server: LocalServer, spans: Spans, upstream: Upstream
) -> None:
    upstream.script(reply())
    body = {"model": "up/m", "messages": [{"role": "user", "content": "Hi."}]}
    assert httpx2.post(f"{server.url}/chat/completions", json=body, headers=PARENT).status_code == 200
    span = spans.one("chat up/m")
    assert f"{span.context.trace_id:032x}" == TRACE
    assert values(spans, "chat up/m")["gen_ai.usage.output_tokens"] == 2


def test_the_lines_of_a_batch_continue_the_trace_of_its_creation(
    server: LocalServer, spans: Spans, upstream: Upstream
) -> None:
    upstream.script(reply(), reply())
    chat: JSONObject = {"messages": [{"role": "user", "content": "Hi."}]}
    lines = [line("a", model="up/m", input="Hi."), line("b", CHAT, model="up/m", **chat)]
    for number, (each, endpoint) in enumerate(zip(lines, (RESPONSES, CHAT), strict=True)):
        file_id = uploaded(server.url, jsonl([each]), "lines.jsonl", "batch")
        body = {"input_file_id": file_id, "endpoint": endpoint, "completion_window": "24h"}
        made = httpx2.post(f"{server.url}/batches", json=body, headers=PARENT, timeout=30).json()
        assert ended(server.url, made["id"])["request_counts"]["completed"] == 1, number
    agent = spans.one("invoke_agent")
    chats = [span for span in spans.all() if span.name == "chat up/m"]
    submitted = [span for span in spans.all() if span.name == "enqueue_response"]
    assert {f"{span.context.trace_id:032x}" for span in (agent, *chats, *submitted)} == {TRACE}
    assert len(submitted) == 2
    assert agent.parent is not None
    assert agent.parent.span_id in {span.context.span_id for span in submitted}
    assert agent.context.span_id in {span.parent.span_id for span in chats if span.parent is not None}
    assert upstream.chats[0].headers["traceparent"].split("-")[1] == TRACE
