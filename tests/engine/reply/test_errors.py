import pytest

from antiphon.engine.reply.errors import error_inside
from antiphon.errors import ContextLengthExceeded, UpstreamBroken, UpstreamRefused
from antiphon.wire.json import JSON
from tests.engine.replies import assemble, failure_of, raw


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            {"message": "CUDA out of memory", "type": "server_error", "param": None, "code": None},
            "CUDA out of memory",
        ),
        ("CUDA out of memory", "CUDA out of memory"),
        ({"detail": "no slot"}, "no slot"),
        ({"message": {"reason": "no slot"}}, '{"reason":"no slot"}'),
        ({"reason": "no slot"}, '{"reason":"no slot"}'),
        (["no", "slot"], '["no","slot"]'),
        (7, "7"),
        ({"message": "m", "type": ["a"], "code": {"b": 1}, "status": [1]}, "m"),
        ({"message": "m", "code": True}, "m"),
        ({"message": "m", "code": 200}, "m"),
    ],
)
def test_the_words_are_kept(error: JSON, words: str) -> None:
    made = error_inside("backend/model", error)
    assert isinstance(made, UpstreamBroken)
    assert made.message == f"backend/model: {words}"
    assert (made.status, made.code) == (502, "upstream_error")


def test_endless_words_are_cut() -> None:
    assert len(error_inside("b", "x" * 100_000).message) < 2100


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        ({"message": "m", "code": 429}, 429, "rate_limit_exceeded"),
        ({"message": "m", "code": "429"}, 429, "rate_limit_exceeded"),
        ({"message": "m", "status": 429}, 429, "rate_limit_exceeded"),
        ({"message": "m", "type": "rate_limit_error"}, 429, "rate_limit_exceeded"),
        ({"message": "m", "type": "tokens", "code": "rate_limit_exceeded"}, 429, "rate_limit_exceeded"),
        ({"message": "m", "type": "insufficient_quota"}, 429, "insufficient_quota"),
        (
            {"message": "m", "type": "insufficient_quota", "code": "insufficient_quota"},
            429,
            "insufficient_quota",
        ),
        ({"message": "m", "code": 400, "type": "BadRequestError"}, 400, "upstream_error"),
        ({"message": "m", "code": 401}, 502, "upstream_error"),
        ({"message": "m", "code": 503}, 503, "upstream_error"),
    ],
)
def test_the_status_that_an_error_stands_for(error: JSON, status: int, code: str) -> None:
    made = error_inside("backend/model", error)
    assert isinstance(made, UpstreamRefused)
    assert (made.status, made.code, made.message) == (status, code, "backend/model: m")


@pytest.mark.parametrize(
    "error",
    [
        {"message": "m", "code": "context_length_exceeded"},
        {"message": "m", "code": 400, "type": "exceed_context_size_error"},
        {"message": "This model's maximum context length is 10 tokens. However", "code": 400},
    ],
)
def test_a_full_context_is_the_inputs_fault(error: JSON) -> None:
    made = error_inside("backend/model", error)
    assert isinstance(made, ContextLengthExceeded)
    assert made.response_code == "context_length_exceeded"
    assert f"(backend/model: {error['message']})" in made.message


def test_a_rate_limit_is_not_about_the_context() -> None:
    made = error_inside("backend/model", {"message": "maximum context length a minute", "code": 429})
    assert made.status == 429


def test_a_chunk_that_is_itself_an_error_keeps_its_words() -> None:
    message = failure_of(raw({"object": "error", "message": "Out of memory", "code": 500}))
    assert message == "backend/model: Out of memory"


def test_a_choice_without_an_index_is_the_first() -> None:
    body = {"choices": [{"index": None, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}
    assert assemble(raw(body)).texts() == ["Hi"]
