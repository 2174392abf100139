"""Errors in the form of Anthropic's APIs."""

import msgspec
import pytest

from antiphon.dialects.anthropic.errors import failed, messages_error, messages_status
from antiphon.errors import ContextLengthExceeded, UpstreamTimeout
from antiphon.wire.errors import ErrorBody


@pytest.mark.parametrize(
    ("status", "kind", "shown"),
    [
        (400, "invalid_request_error", 400),
        (401, "authentication_error", 401),
        (403, "permission_error", 403),
        (404, "not_found_error", 404),
        (405, "invalid_request_error", 405),
        (413, "request_too_large", 413),
        (429, "rate_limit_error", 429),
        (500, "api_error", 500),
        (502, "api_error", 502),
        (503, "overloaded_error", 529),
        (504, "timeout_error", 504),
    ],
)
def test_the_status_decides_the_type(status: int, kind: str, shown: int) -> None:
    error = messages_error(ErrorBody("No.", "any", None, None), status)
    assert msgspec.to_builtins(error) == {"type": "error", "error": {"type": kind, "message": "No."}}
    assert messages_status(status) == shown


def test_a_long_prompt_has_the_words_that_clients_look_for() -> None:
    error = ContextLengthExceeded("9 tokens are over 8.")
    assert messages_error(error.body(), 400).error.message == "prompt is too long: 9 tokens are over 8."


def test_the_message_has_the_place_of_the_error() -> None:
    named = ErrorBody("Invalid 'a': no.", "t", "a", None)
    other = ErrorBody("Invalid value.", "t", "b[0]", None)
    assert messages_error(named, 400).error.message == "Invalid 'a': no."
    assert messages_error(other, 400).error.message == "b[0]: Invalid value."


def test_a_failed_stream_names_its_request() -> None:
    assert msgspec.to_builtins(failed(UpstreamTimeout("Slow."), "req_1")) == {
        "type": "error",
        "error": {"type": "timeout_error", "message": "Slow."},
        "request_id": "req_1",
    }
