import json
import logging

import pytest

from antiphon.backends.refusals import speaks
from antiphon.errors import (
    ContextLengthExceeded,
    UpstreamBroken,
    UpstreamRefused,
)
from antiphon.settings.backends import BackendSettings
from antiphon.settings.values import Secret
from antiphon.wire.json import JSON
from tests.backends.calls import (
    KEY,
    REQUEST,
    against,
    backend,
    complete_from,
    envelope,
    in_every_way,
    stream_from,
)
from tests.support.upstream import Answer, Upstream, chunk, completion, html, reply, sse


def refusals(answer: Answer) -> list[UpstreamRefused]:
    with Upstream() as upstream:
        upstream.script(answer)
        errors = in_every_way(backend(upstream.base_url))
        assert len(upstream.chats) == 3
    refused = [error for error in errors if isinstance(error, UpstreamRefused)]
    assert len(refused) == 3
    return refused


def test_F7_400_keeps_message_code_and_param() -> None:
    said = envelope("Unsupported parameter: 'temperature'", "unsupported_parameter", "temperature")
    for error in refusals(reply(said, status=400)):
        assert (error.status, error.type) == (400, "invalid_request_error")
        assert (error.code, error.param) == ("unsupported_parameter", "temperature")
        assert error.message == "house: Unsupported parameter: 'temperature'"


@pytest.mark.parametrize("status", [401, 403])
def test_F8_F9_our_credential_is_not_the_callers(status: int) -> None:
    for error in refusals(reply(envelope(f"Incorrect API key provided: {KEY}."), status=status)):
        assert (error.status, error.upstream_status) == (502, status)
        assert error.message == "house: Incorrect API key provided: ***."


@pytest.mark.parametrize(
    "said",
    [
        envelope("The model 'x' does not exist", "model_not_found", "model"),
        envelope("The model `x` does not exist.", 404, "model", "NotFoundError"),
        envelope("model 'x' not found", None, None, "not_found_error"),
        {"error": 'model "x" not found, try pulling it first'},
    ],
)
def test_F10_404_model(said: JSON) -> None:
    for error in refusals(reply(said, status=404)):
        assert (error.status, error.code, error.param) == (404, "model_not_found", "model")


def test_F10_404_of_a_wrong_path_is_not_about_the_model() -> None:
    for error in refusals(reply({"detail": "Not Found"}, status=404)):
        assert (error.status, error.code) == (404, "upstream_error")
        assert error.message == "house: Not Found"


@pytest.mark.parametrize(("status", "seen"), [(408, 408), (413, 413), (422, 400), (500, 502), (504, 504)])
def test_F11_F12_F13_F16_F19_status_class(status: int, seen: int) -> None:
    for error in refusals(reply(envelope("No."), status=status)):
        assert (error.status, error.message) == (seen, "house: No.")


@pytest.mark.parametrize(
    "message",
    [
        "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj",
        "audio input is not supported",
        'Failed to parse tools: Unsupported tool type: {"type":"custom"}',
        "this model does not support images",
    ],
)
def test_an_input_that_the_model_does_not_support_is_the_clients_mistake(message: str) -> None:
    said = {"error": {"code": 500, "message": message, "type": "server_error"}}
    for error in refusals(reply(said, status=500)):
        assert (error.status, error.type) == (400, "invalid_request_error")
        assert (error.message, error.response_code) == (f"house: {message}", "invalid_prompt")


@pytest.mark.parametrize("message", ["image decoder crashed", "GPU architecture not supported", "No."])
def test_other_failures_remain_the_backends(message: str) -> None:
    for error in refusals(reply(envelope(message), status=500)):
        assert (error.status, error.response_code) == (502, "server_error")


def test_an_endpoint_that_the_model_does_not_support_is_the_clients_mistake() -> None:
    message = "This server does not support embeddings. Start it with `--embeddings`"
    said = {"error": {"code": 501, "message": message, "type": "not_supported_error"}}
    for error in refusals(reply(said, status=501)):
        assert (error.status, error.type) == (400, "invalid_request_error")
        assert (error.code, error.param) == ("model_not_supported", "model")


def test_F13_422_in_fastapis_form() -> None:
    said = {"detail": [{"loc": ["body", "messages"], "msg": "field required"}, {"loc": ["x"], "msg": "odd"}]}
    for error in refusals(reply(said, status=422)):
        assert error.message == "house: body.messages: field required; x: odd"


@pytest.mark.parametrize("wait", ["7", "Wed, 21 Oct 2026 07:28:00 GMT", "3"])
def test_F14_F15_429_keeps_retry_after(wait: str) -> None:
    for error in refusals(reply(envelope("Slow down."), status=429, Retry_After=wait)):
        assert (error.status, error.type, error.code) == (429, "rate_limit_error", "rate_limit_exceeded")
        assert error.headers == {"Retry-After": wait}


def test_F14_quota_keeps_its_code() -> None:
    for error in refusals(reply(envelope("Pay.", "insufficient_quota"), status=429)):
        assert (error.type, error.code) == ("insufficient_quota", "insufficient_quota")


def test_F17_502_html() -> None:
    page = "<html><head><title>502 Bad Gateway</title></head>\n<body>\n<h1>502</h1><hr>nginx</body></html>"
    for error in refusals(html(page, 502)):
        assert error.status == 502
        assert error.message == "house: HTTP 502 Bad Gateway: 502 Bad Gateway 502 nginx"


def test_an_endless_error_page_is_cut() -> None:
    for error in refusals(Answer([b"x" * 60_000] * 5, 500, {"Content-Type": "text/plain"})):
        assert len(error.message) < 400


def test_an_error_without_a_body() -> None:
    for error in refusals(Answer(status=599)):
        assert error.message == "house: HTTP 599"


def test_F18_503_then_ok(caplog: pytest.LogCaptureFixture) -> None:
    busy = reply(envelope("Loading."), status=503, Retry_After="0")
    with caplog.at_level(logging.WARNING, "antiphon.models"):
        assert json.loads(complete_from(busy, reply())) == completion()
        assert len(stream_from(busy, sse(chunk("a")))) == 1
    assert caplog.text.count("retrying in") == 2


def test_F18_one_retry_at_most() -> None:
    busy = reply(envelope("Loading."), status=503, Retry_After="0")
    with Upstream() as upstream:
        upstream.script(busy, busy, reply())
        with pytest.raises(UpstreamRefused, match=r"house: Loading\."):
            against(upstream, lambda model: model.complete(REQUEST))
        assert len(upstream.chats) == 2


@pytest.mark.parametrize("said", [{}, {"Retry-After": "3"}, {"Retry-After": "-1"}])
def test_F18_no_retry_without_a_short_pause(said: dict[str, str]) -> None:
    with Upstream() as upstream:
        busy = reply(envelope("Busy."), status=503)
        busy.headers.update(said)
        upstream.script(busy, reply())
        with pytest.raises(UpstreamRefused):
            against(upstream, lambda model: model.complete(REQUEST))
        assert len(upstream.chats) == 1


def test_a_redirect_is_not_followed() -> None:
    with Upstream() as upstream:
        upstream.script(Answer(status=307, headers={"Location": "http://127.0.0.1:1/steal"}))
        for error in in_every_way(backend(upstream.base_url)):
            assert isinstance(error, UpstreamBroken)
            assert "redirects (HTTP 307)" in error.message


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, envelope("Too long", "context_length_exceeded", "messages")),
        (
            400,
            envelope(
                "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
                400,
                "input_tokens",
                "BadRequestError",
            ),
        ),
        (400, envelope("The decoder prompt (length 9) is longer than the maximum model length of 8.", 400)),
        (
            400,
            {
                "error": {
                    "code": 400,
                    "message": "the request exceeds the available context size, try increasing it",
                    "type": "exceed_context_size_error",
                }
            },
        ),
        (500, envelope("the input length exceeds the context length", kind="api_error")),
        (
            400,
            {
                "error": "The number of tokens to keep from the initial prompt is greater than the context "
                "length (n_keep: 13055>= n_ctx: 4096)."
            },
        ),
        (
            400,
            {
                "error": "Trying to keep the first 6547 tokens when context the overflows. However, the "
                "model is loaded with context length of only 4096 tokens, which is not enough."
            },
        ),
    ],
    ids=["openai", "vllm", "vllm-decoder", "llamacpp", "ollama", "lmstudio-1", "lmstudio-2"],
)
def test_context_length(status: int, said: JSON) -> None:
    with Upstream() as upstream:
        upstream.script(reply(said, status=status))
        for error in in_every_way(backend(upstream.base_url)):
            assert isinstance(error, ContextLengthExceeded)
            assert (error.status, error.code, error.param) == (400, "context_length_exceeded", "input")
            assert error.message.startswith("Your input exceeds the context window of this model.")
            assert "(house: " in error.message


def test_a_rate_limit_on_tokens_is_not_about_the_context() -> None:
    said = envelope("Request too large: maximum context length per minute reached", "rate_limit_exceeded")
    for error in refusals(reply(said, status=429)):
        assert error.status == 429


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("k", "house: unknown task *** or k2."),
        ("task", "house: unknown *** k or k2."),
        ("a key of words", "house: unknown task k or k2."),
        ("", "house: unknown task k or k2."),
    ],
)
def test_a_short_key_is_masked_as_a_word_only(key: str, shown: str) -> None:
    settings = BackendSettings(name="house", base_url="http://h/v1", api_key=Secret(key))
    assert speaks(settings, "unknown task k or k2.") == shown


def test_the_values_of_headers_are_masked() -> None:
    headers = {"X-Token": Secret("canary-0815"), "X-Short": Secret("on")}
    settings = BackendSettings(name="house", base_url="http://h/v1", headers=headers)
    assert (
        speaks(settings, "No token like Xcanary-0815, done, on.") == "house: No token like X***, done, ***."
    )
