import asyncio

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from antiphon.errors import InvalidRequest, RequestTooLarge, UpstreamRefused
from antiphon.server.answers import (
    error_answer,
    json_answer,
    json_text,
    nobody_there,
    on_disconnect,
    on_error,
    on_fault,
    on_http_exception,
)
from antiphon.wire.json import JSON
from antiphon.wire.lists import Page
from tests.server.asgi import scope


def body(response: Response) -> JSON:
    return msgspec.json.decode(bytes(response.body))


def test_json() -> None:
    page: Page[int] = Page(data=[1], first_id=None, has_more=False, last_id="z")
    answer = json_answer(page, 201, {"x-own": "1"})
    assert (answer.status_code, answer.headers["content-type"]) == (201, "application/json")
    assert answer.headers["x-own"] == "1"
    assert body(answer) == {
        "object": "list",
        "data": [1],
        "first_id": None,
        "has_more": False,
        "last_id": "z",
    }


def test_json_text_is_not_touched() -> None:
    assert json_text(b'{ "a" : 1.0 }').body == b'{ "a" : 1.0 }'


def test_an_error_has_four_keys_its_status_and_its_headers() -> None:
    error = UpstreamRefused("up: slow down", upstream_status=429, headers={"Retry-After": "7"})
    answer = error_answer(error)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert body(answer) == {
        "error": {
            "message": "up: slow down",
            "type": "rate_limit_error",
            "param": None,
            "code": "rate_limit_exceeded",
        }
    }


@pytest.mark.parametrize(
    ("error", "status"), [(InvalidRequest("no", param="a.b[0]"), 400), (RequestTooLarge("big"), 413)]
)
def test_on_error(error: InvalidRequest | RequestTooLarge, status: int) -> None:
    answer = asyncio.run(on_error(Request(scope()), error))
    assert answer.status_code == status
    assert body(answer) == {
        "error": {
            "message": error.message,
            "type": "invalid_request_error",
            "param": error.param,
            "code": error.code,
        }
    }


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (HTTPException(404), "Invalid URL (POST /v1/nope)"),
        (HTTPException(405), "Not allowed to POST on /v1/nope."),
        (HTTPException(400, "Bad host"), "Bad host"),
    ],
)
def test_on_http_exception(error: HTTPException, message: str) -> None:
    asked = {**scope("POST", "/v1/nope"), "app": Starlette()}
    answer = asyncio.run(on_http_exception(Request(asked), error))
    assert answer.status_code == error.status_code
    assert body(answer) == {
        "error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    }


def test_a_long_url_is_cut() -> None:
    answer = asyncio.run(on_http_exception(Request(scope("GET", "/" + "x" * 10_000)), HTTPException(404)))
    assert len(answer.body) < 400


def test_a_fault_tells_nothing_of_itself() -> None:
    answer = asyncio.run(on_fault(Request(scope()), ValueError("secret detail")))
    assert answer.status_code == 500
    error = body(answer)["error"]
    assert "secret" not in error["message"]
    assert (error["type"], error["param"], error["code"]) == ("server_error", None, None)


def test_nobody_is_there() -> None:
    gone = asyncio.run(on_disconnect(Request(scope()), ConnectionError()))
    assert [(each.status_code, each.body) for each in (gone, nobody_there())] == [(499, b"")] * 2
