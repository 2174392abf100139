import asyncio
import json
from pathlib import Path

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Message
from starlette.websockets import WebSocket

from antiphon.server.edge.routing import Application
from antiphon.server.edge.state import server_state
from tests.server.asgi import Answer, called, scope, server


async def fixed(request: Request) -> Response:
    return PlainTextResponse(f"fixed {server_state(request).max_body_bytes}")


async def one(request: Request) -> Response:
    return PlainTextResponse(f"one {request.path_params['thing']}")


async def connect(websocket: WebSocket) -> None:
    await websocket.accept()


def application() -> Application:
    routes = [
        Route("/things", fixed, methods=["GET"]),
        Route("/things", fixed, methods=["POST"]),
        Route("/things/fixed", fixed, methods=["POST"]),
        Route("/things/{thing}", one, methods=["GET"]),
        Route("/things/{thing}", one, methods=["DELETE"]),
        Route("/paths/{thing:path}", one, methods=["GET"]),
        WebSocketRoute("/things", connect),
    ]
    return Application(routes, server(limit=7))


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/things", b"fixed 7"),
        ("HEAD", "/things", b"fixed 7"),
        ("POST", "/things", b"fixed 7"),
        ("POST", "/things/fixed", b"fixed 7"),
        ("GET", "/things/fixed", b"one fixed"),
        ("DELETE", "/things/a", b"one a"),
        ("GET", "/paths/a/b", b"one a/b"),
    ],
)
def test_endpoints(method: str, path: str, expected: bytes) -> None:
    answer = called(application(), scope(method, path))
    assert answer.sent[1]["body"] == expected


@pytest.mark.parametrize("path", ["/", "/things/", "/things/a/b", "/thing"])
def test_what_is_not_there(path: str) -> None:
    assert called(application(), scope("GET", path)).status == 404


def _message(answer: Answer) -> str:
    message: str = json.loads(answer.sent[1]["body"])["error"]["message"]
    return message


def in_api() -> Application:
    routes = [
        Route("/v1/things/{thing:path}", one, methods=["GET"]),
        Route("/v1/all", fixed, methods=["POST"]),
    ]
    return Application(routes, server(limit=7))


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/things/a"), ("PUT", "/things/a/b"), ("POST", "/all"), ("GET", "/all")]
)
def test_a_path_without_v1_gets_a_404_with_the_whole_path(method: str, path: str) -> None:
    answer = called(in_api(), scope(method, path))
    assert answer.status == 404
    assert _message(answer) == (
        f"Invalid URL ({method} {path}). The base URL ends with /v1, so that the path is /v1{path}."
    )


@pytest.mark.parametrize("path", ["/", "/other", "/v1/other", "/v1", "/v1/v1/all", "//all"])
def test_another_path_gets_no_advice(path: str) -> None:
    answer = called(in_api(), scope("GET", path))
    assert (answer.status, _message(answer)) == (404, f"Invalid URL (GET {path})")


def test_the_advice_is_short() -> None:
    answer = called(in_api(), scope("GET", "/things/" + "a" * 10_000))
    assert len(_message(answer)) < 500


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/things", "GET, HEAD, POST"),
        ("POST", "/things/a", "DELETE, GET, HEAD"),
        ("PUT", "/things/fixed", "DELETE, GET, HEAD, POST"),
    ],
)
def test_the_methods_of_a_path_are_named(method: str, path: str, allowed: str) -> None:
    answer = called(application(), scope(method, path))
    assert (answer.status, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [("GET", "/static/a.txt", 200), ("HEAD", "/static/a.txt", 200), ("GET", "/static/b.txt", 404)],
)
def test_a_mounted_application_serves_its_paths(
    tmp_path: Path, method: str, path: str, expected: int
) -> None:
    (tmp_path / "a.txt").write_text("a")
    routes = [Route("/things", fixed), Mount("/static", StaticFiles(directory=tmp_path))]
    answer = called(Application(routes, server()), scope(method, path))
    assert answer.status == expected
    if expected == 404:
        assert answer.headers["content-type"] == "application/json"


def test_errors_of_starlette_that_the_api_does_not_have_are_raised() -> None:
    async def refuse(request: Request) -> Response:
        raise HTTPException(418)

    with pytest.raises(HTTPException):
        called(Application([Route("/{thing}", refuse)], server()), scope("GET", "/teapot"))


@pytest.mark.parametrize(("path", "expected"), [("/things", "websocket.accept"), ("/no", "websocket.close")])
def test_websockets(path: str, expected: str) -> None:
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(application()({**scope(path=path), "type": "websocket"}, receive, send))
    assert [message["type"] for message in sent] == [expected]
