import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import Response

from antiphon.errors import UpstreamRefused
from antiphon.server.edge.answers import (
    error_answer,
    json_answer,
    json_text,
    nobody_there,
    not_allowed,
    not_found,
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
    answer = error_answer(error, {"path": "/v1/responses"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert body(answer) == {
        "error": {
            "message": "up: slow down",
            "type": "rate_limit_error",
            "param": None,
            "code": "rate_limit_exceeded",
        }
    }


@pytest.mark.parametrize("path", ["/v1/decisions", "/v1/live/sessions", "/v1/realtime"])
def test_endpoints_that_only_openai_has_are_named(path: str) -> None:
    message = body(not_found(Request(scope("POST", path))))["error"]["message"]
    name = path.split("/")[2]
    assert (
        message == f"Invalid URL (POST {path}). Antiphon does not have OpenAI's endpoints below /v1/{name}."
    )


def test_an_unknown_url_is_named_and_a_long_one_is_cut() -> None:
    answer = not_found(Request(scope("POST", "/v1/nope")))
    assert answer.status_code == 404
    message = "Invalid URL (POST /v1/nope)"
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    assert body(answer) == {"error": error}
    assert len(not_found(Request(scope("GET", "/" + "x" * 10_000))).body) < 400


def test_the_error_for_an_unknown_method_names_the_known_ones() -> None:
    answer = not_allowed(Request(scope("PUT", "/v1/things")), {"POST", "GET"})
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
    assert body(answer)["error"]["message"] == "Not allowed to PUT on /v1/things."


def test_nobody_is_there() -> None:
    gone = nobody_there()
    assert (gone.status_code, gone.body) == (499, b"")
