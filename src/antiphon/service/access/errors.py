"""Errors about API keys, web origins, rate limits and idempotency keys.

AntiphonError
├── InvalidApiKey                  401  the API key is missing, unknown or revoked
├── MissingScope                   403  the API key is for the API or for the metrics, but not for this
├── OriginNotAllowed               403  a page of another site sent a request to a server without keys
├── HostNotAllowed                 403  the Host header isn't a name of this machine; the server has no keys
├── RateLimited                    429  the API key has reached its limit of requests, tokens or streams
├── IdempotencyKeyReused           400  the idempotency key belongs to a different request
├── IdempotencyKeyInUse            409  the first request with the idempotency key is still in progress
└── AnswerNotKept                  409  the request was processed, but its response cannot be sent again
"""

import math
from typing import Literal

from antiphon.errors import AntiphonError


class InvalidApiKey(AntiphonError):
    """A missing, unknown or revoked API key; the messages are api.openai.com's.

    Args:
        key: The key in the request, of which the message repeats a few characters; None without a key.
    """

    status = 401
    type = "invalid_request_error"

    def __init__(self, key: str | None) -> None:
        if key is None:
            message = (
                "You didn't provide an API key. You need to provide your API key in an Authorization header "
                "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            )
        else:
            shown = f"{key[:8]}***{key[-4:]}" if len(key) > 16 else "***"
            message = f"Incorrect API key provided: {shown}."
        # RFC 9110, section 11.6.1: a 401 response names the authentication scheme.
        super().__init__(
            message, code=None if key is None else "invalid_api_key", headers={"www-authenticate": "Bearer"}
        )


class MissingScope(AntiphonError):
    """A request that the API key isn't for; the message begins as api.openai.com's.

    Args:
        scope: The scope of the request, `api` or `metrics`.
    """

    status = 403
    type = "invalid_request_error"
    code = "missing_scope"

    def __init__(self, scope: str) -> None:
        way = "antiphon keys create --scope metrics" if scope == "metrics" else "antiphon keys create"
        super().__init__(
            f"You have insufficient permissions for this operation. Missing scopes: {scope}. Create another "
            f"key with `{way}`."
        )


class OriginNotAllowed(AntiphonError):
    """A request to a server without API keys from a web page of another site.

    Browsers let every page send requests to this machine.
    """

    status = 403
    type = "invalid_request_error"
    code = "origin_not_allowed"

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"The origin '{origin[:300]}' is not allowed. Without API keys, only pages of this server may "
            "call it. Create a key with `antiphon keys create`."
        )


class HostNotAllowed(AntiphonError):
    """A request to a server without API keys whose host anyone may point at it.

    Attackers use such names for DNS rebinding.
    """

    status = 403
    type = "invalid_request_error"
    code = "host_not_allowed"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"The host name '{host[:253]}' is not this machine's own. Without API keys, any web page could "
            "send this request. Use localhost or an IP address, or create a key with `antiphon keys create`."
        )


class RateLimited(AntiphonError):
    """A request over the limits of its API key: requests, tokens or open streams.

    Args:
        message: The message for the client.
        what: The limited quantity, which api.openai.com sends as the error's `type`.
        wait: Seconds until the client may retry.
    """

    status = 429
    code = "rate_limit_exceeded"
    response_code = "rate_limit_exceeded"

    def __init__(self, message: str, *, what: Literal["requests", "tokens"], wait: float) -> None:
        super().__init__(
            message,
            headers={"retry-after": str(math.ceil(wait)), "retry-after-ms": str(math.ceil(wait * 1000))},
        )
        self.type = what


class IdempotencyKeyReused(AntiphonError):
    """An idempotency key that belongs to a different request."""

    status = 400
    type = "invalid_request_error"
    code = "idempotency_key_reused"
    param = "idempotency-key"

    def __init__(self) -> None:
        super().__init__(
            "The Idempotency-Key belongs to a request with a different URL or body. Repeat that request "
            "unchanged, or choose another key."
        )


class IdempotencyKeyInUse(AntiphonError):
    """An idempotency key whose first request is still in progress."""

    status = 409
    type = "invalid_request_error"
    code = "idempotency_key_in_use"
    param = "idempotency-key"

    def __init__(self) -> None:
        super().__init__(
            "A request with this Idempotency-Key is still in progress. Please retry in a few seconds.",
            headers={"retry-after": "1"},
        )


class AnswerNotKept(AntiphonError):
    """An idempotency key whose response was too large to store, or is unreadable."""

    status = 409
    type = "invalid_request_error"
    code = "idempotent_answer_not_kept"
    param = "idempotency-key"

    def __init__(self) -> None:
        super().__init__(
            "The server has already processed the request with this Idempotency-Key, but cannot send the "
            "response again: it was too large to store, or can no longer be decrypted. Choose another key to "
            "run the request again.",
            # OpenAI's clients retry after a 409 response unless this header forbids it.
            headers={"x-should-retry": "false"},
        )
