"""The OpenAPI document describes the frames of a WebSocket."""

import jsonschema_rs
import pytest

from antiphon.wire.json import JSON, JSONObject
from tests.server.client import get
from tests.server.faults import TEXT
from tests.server.sockets import Socket
from tests.support.serving import Serving
from tests.support.upstream import Upstream


def validator(document: JSONObject, side: str) -> jsonschema_rs.Draft202012Validator:
    frames = document["paths"]["/v1/responses"]["get"]["x-websocket"][side]
    return jsonschema_rs.Draft202012Validator({**frames, "components": document["components"]})


def test_frames_of_the_server_are_as_the_document_says(server: Serving, upstream: Upstream) -> None:
    upstream.script(TEXT)
    described = validator(get(server.url, "/openapi.json").json, "server")
    with Socket(server.url) as socket:
        frames = socket.ask(stream_id="a")
        socket.send({"type": "response.steer", "previous_response_id": "resp_1", "input": "Stop"})
        frames.append(socket.receive())
        socket.create(model="none", stream_id="a")
        frames.append(socket.receive())
    assert {frame["type"] for frame in frames} >= {"response.completed", "response.steer.failed", "error"}
    for frame in frames:
        assert described.is_valid(frame), frame
    assert not described.is_valid({"type": "response.steer.accepted"})
    assert not described.is_valid(frames[0] | {"stream_id": 1})


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        ({"type": "response.create", "model": "m", "input": "Hi", "stream_id": "a"}, True),
        ({"type": "response.create", "stream_id": "a b"}, False),
        ({"type": "response.steer", "previous_response_id": "resp_1", "input": "Stop"}, True),
        ({"type": "response.steer", "input": "Stop"}, False),
    ],
)
def test_frames_of_the_client(server: Serving, frame: JSON, expected: bool) -> None:
    assert validator(get(server.url, "/openapi.json").json, "client").is_valid(frame) is expected
