import ast
import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest
from openai.types.responses import ResponseError

from antiphon import errors
from antiphon.errors import (
    AddressNotAllowed,
    AddressNotFetched,
    AntiphonError,
    ContextLengthExceeded,
    ConversationLocked,
    InternalError,
    InvalidRequest,
    NotFound,
    RecordingNotFound,
    RecordingNotReadable,
    RequestTooLarge,
    StoreUnavailable,
    ToolListFailed,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from antiphon.wire.errors import RESPONSE_CODES, ErrorEnvelope
from antiphon.wire.json import JSON
from scripts.tree import modules
from tests.support.schemas import check_error

INVALID, SERVER = "invalid_request_error", "server_error"

EACH: list[tuple[AntiphonError, int, str, str | None, str | None]] = [
    (InvalidRequest("m"), 400, INVALID, None, None),
    (InvalidRequest("m", code="invalid_value", param="tools[0]"), 400, INVALID, "invalid_value", "tools[0]"),
    (AddressNotAllowed("h", param="input"), 400, INVALID, "address_not_allowed", "input"),
    (AddressNotFetched("m", param="input"), 400, INVALID, "address_not_fetched", "input"),
    (ContextLengthExceeded("m"), 400, INVALID, "context_length_exceeded", "input"),
    (ConversationLocked(), 400, INVALID, "conversation_locked", "conversation"),
    (NotFound("m"), 404, INVALID, None, None),
    (NotFound("m", code="model_not_found", param="model"), 404, INVALID, "model_not_found", "model"),
    (RequestTooLarge("m"), 413, INVALID, "request_too_large", None),
    (UpstreamUnreachable("m"), 502, SERVER, "upstream_error", None),
    (UpstreamTimeout("m"), 504, SERVER, "upstream_error", None),
    (UpstreamBroken("m"), 502, SERVER, "upstream_error", None),
    (ToolListFailed("docs", None, "m"), 424, "external_connector_error", "http_error", "tools"),
    (ToolListFailed("docs", 401, "m"), 401, "external_connector_error", "http_error", "tools"),
    (ToolListFailed("docs", 500, "m"), 424, "external_connector_error", "http_error", "tools"),
    (RecordingNotFound("m"), 502, SERVER, "recording_not_found", None),
    (RecordingNotReadable("m"), 500, SERVER, "recording_not_readable", None),
    (StoreUnavailable("m"), 503, SERVER, "store_unavailable", None),
    (InternalError(), 500, SERVER, None, None),
]


@pytest.mark.parametrize(
    ("error", "status", "kind", "code", "param"), EACH, ids=lambda value: type(value).__name__
)
def test_each_error_on_the_wire(
    error: AntiphonError, status: int, kind: str, code: str | None, param: str | None
) -> None:
    body: JSON = msgspec.json.decode(msgspec.json.encode(ErrorEnvelope(error.body())))
    check_error(body)
    assert error.status == status
    assert body == {"error": {"message": error.message, "type": kind, "param": param, "code": code}}


@pytest.mark.parametrize(
    ("upstream", "status", "kind"),
    [
        (400, 400, INVALID),
        (401, 502, SERVER),
        (403, 502, SERVER),
        (404, 404, INVALID),
        (408, 408, INVALID),
        (413, 413, INVALID),
        (422, 400, INVALID),
        (429, 429, "rate_limit_error"),
        (500, 502, SERVER),
        (502, 502, SERVER),
        (503, 503, SERVER),
        (504, 504, SERVER),
    ],
    ids=["F7", "F8", "F9", "F10", "F11", "F12", "F13", "F14", "F16", "F17", "F18", "F19"],
)
def test_F7_to_F19_the_class_of_an_upstream_status_is_kept(upstream: int, status: int, kind: str) -> None:
    error = UpstreamRefused("the backend said so", upstream_status=upstream)
    assert (error.status, error.type, error.upstream_status) == (status, kind, upstream)
    assert error.body().message == "the backend said so"


def test_F14_retry_after_is_kept() -> None:
    error = UpstreamRefused("m", upstream_status=429, headers={"Retry-After": "7"})
    assert (error.headers, error.code) == ({"Retry-After": "7"}, "rate_limit_exceeded")


def test_a_quota_is_not_a_rate_limit() -> None:
    error = UpstreamRefused("m", upstream_status=429, code="insufficient_quota")
    assert (error.type, error.code, error.response_code) == ("insufficient_quota",) * 3


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidRequest("m", code="anything"), "invalid_prompt"),
        (ContextLengthExceeded("m"), "context_length_exceeded"),
        (UpstreamRefused("m", upstream_status=400), "invalid_prompt"),
        (
            UpstreamRefused("m", upstream_status=400, code="context_length_exceeded"),
            "context_length_exceeded",
        ),
        (UpstreamRefused("m", upstream_status=400, param="messages[0]"), "invalid_prompt"),
        (UpstreamRefused("m", upstream_status=400, code="invalid_image_url"), "invalid_image_url"),
        (UpstreamRefused("m", upstream_status=400, code="image_parse_error"), "image_parse_error"),
        (UpstreamRefused("m", upstream_status=400, param="temperature"), "server_error"),
        (UpstreamRefused("m", upstream_status=400, code="unsupported_value"), "server_error"),
        (UpstreamRefused("m", upstream_status=401), "server_error"),
        (UpstreamRefused("m", upstream_status=404), "server_error"),
        (UpstreamRefused("m", upstream_status=408), "server_error"),
        (UpstreamRefused("m", upstream_status=413), "invalid_prompt"),
        (UpstreamRefused("m", upstream_status=429, code="tokens_per_minute"), "rate_limit_exceeded"),
        (UpstreamRefused("m", upstream_status=503), "server_error"),
        (UpstreamBroken("m"), "server_error"),
        (UpstreamTimeout("m"), "server_error"),
        (RecordingNotFound("m"), "server_error"),
        (StoreUnavailable("m"), "server_error"),
    ],
)
def test_response_codes_are_those_of_the_api(error: AntiphonError, code: str) -> None:
    assert error.response_code == code


def test_the_codes_of_responses_are_those_of_openais_types() -> None:
    listed = get_args(ResponseError.model_fields["code"].annotation)
    assert frozenset({*listed, "context_length_exceeded", "insufficient_quota"}) == RESPONSE_CODES


def test_headers_of_one_error_are_not_those_of_another() -> None:
    InvalidRequest("m").headers["X-Test"] = "1"
    assert InvalidRequest("m").headers == {}


def test_the_drawing_shows_every_error_of_the_server() -> None:
    source = Path(errors.__file__).parents[1]
    bases = {
        node.name: {ast.unparse(base).rpartition(".")[2] for base in node.bases}
        for module in modules(source, source)
        if not module.name.startswith("antiphon.agent")  # It runs in clients and has errors of its own.
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    }
    known = {"Exception", "ClickException"}
    while found := {name for name, parents in bases.items() if parents & known} - known:
        known |= found
    drawn = re.findall(r"^[│├└─ ]*([A-Z]\w+)  ", errors.__doc__ or "", re.MULTILINE)
    assert sorted(drawn) == sorted(name for name in known & bases.keys() if not name.startswith("_"))
