"""Traces of servers in processes of their own, as a real receiver gets them."""

import signal
import socket
from pathlib import Path

import pytest

from antiphon.observe.telemetry.export import is_wanted, problem
from tests.durable.processes import ASK, processes
from tests.observe.telemetry.receiver import attributes, receiver
from tests.server.client import get, post

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_background_response_has_one_trace_though_its_server_was_killed(tmp_path: Path) -> None:
    with processes(tmp_path, str(tmp_path / "state.db")) as (servers, backend, _), receiver() as received:
        servers.variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": received.url,
            "OTEL_BSP_SCHEDULE_DELAY": "50",
            "OTEL_METRICS_EXPORTER": "otlp",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test",
            "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Basic%20abc",
        }
        backend.pause = 0.1
        base = servers.server(0).url
        response_id = post(base, "/responses", ASK, headers={"traceparent": PARENT}).json["id"]
        received.wait_for("execute_tool web_search")
        servers.kill(0)
        backend.pause = 0.01
        process, base = servers.server(0)
        agent = received.wait_for("invoke_agent")[0]
        assert get(base, f"/responses/{response_id}").json["status"] == "completed"
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=20)
        assert {span.trace_id.hex() for span in received.spans if span.name != "fetch_response"} == {TRACE}
        enqueued = received.named("enqueue_response")[0]
        assert enqueued.parent_span_id.hex() == PARENT.split("-")[2]
        assert agent.parent_span_id == enqueued.span_id
        given = attributes(list(agent.attributes))
        assert given["gen_ai.response.id"] == response_id
        assert given["gen_ai.response.status"] == "completed"
        tools = [attributes(list(span.attributes)) for span in received.named("execute_tool web_search")]
        assert len({tool["gen_ai.tool.call.id"] for tool in tools}) == 2
        # The model calls that the first server had finished are not repeated, so that each has one span.
        chats = received.named("chat up/m")
        assert len(chats) in (3, 4)
        made = {request.headers["traceparent"] for request in backend.chats}
        assert {f"00-{TRACE}-{chat.span_id.hex()}-01" for chat in chats} <= made
        assert received.resources[0]["service.name"] == "antiphon"
        assert received.resources[0]["deployment.environment.name"] == "test"
        assert received.headers[0]["authorization"] == "Basic abc"
        assert "gen_ai.client.operation.duration" in received.metrics


@pytest.mark.slow
def test_a_receiver_that_does_not_answer_does_not_hold_up_the_end(tmp_path: Path) -> None:
    with processes(tmp_path, str(tmp_path / "state.db")) as (servers, _, _), socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        host, port = silent.getsockname()
        servers.variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{host}:{port}",
            "OTEL_METRICS_EXPORTER": "otlp",
        }
        process, base = servers.server(0)
        assert post(base, "/responses", ASK | {"background": False}).status == 200
        process.send_signal(signal.SIGTERM)
        # The SDK alone would wait for 10 seconds for each of spans and metrics, twice.
        assert process.wait(timeout=12) == 0


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_TRACES_EXPORTER": "console"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, True),
    ],
)
def test_traces_are_on_if_a_variable_names_a_receiver(variables: dict[str, str], wanted: bool) -> None:
    assert is_wanted(variables) is wanted


def test_what_cannot_be_exported_is_said_in_one_line() -> None:
    assert problem({}) is None
    assert problem({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}) == (
        "OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf is supported; traces are off"
    )
    assert problem({"OTEL_TRACES_EXPORTER": "zipkin"}) == (
        "OTEL_TRACES_EXPORTER: use otlp, console or none; traces are off"
    )
