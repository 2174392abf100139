"""Who is not let in, what is too much of a caller, and which request is no repetition.

AntiphonError
├── InvalidApiKey                  401  no key, or one that is not valid (any more)
├── OriginNotAllowed               403  a page of another site asks a server without keys
├── HostNotAllowed                 403  the Host header of a request to a server without keys is a stranger's
├── RateLimited                    429  the caller's key has used up what it may use in a minute
├── IdempotencyKeyReused           400  another request was made under the same idempotency key
├── IdempotencyKeyInUse            409  the first request under the idempotency key is still at work
└── AnswerNotKept                  409  the request was answered, but its answer cannot be repeated
"""

import math
from typing import Literal

from antiphon.errors import AntiphonError


class InvalidApiKey(AntiphonError):
    """No key, or one that is not valid (the texts are those of api.openai.com)."""

    status = 401
    type = "invalid_request_error"

    def __init__(self, key: str | None) -> None:
        """`key` is what was sent, of which a little is shown again; None if nothing was."""
        if key is None:
            message = (
                "You didn't provide an API key. You need to provide your API key in an Authorization header "
                "using Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            )
        else:
            shown = f"{key[:8]}***{key[-4:]}" if len(key) > 16 else "***"
            message = f"Incorrect API key provided: {shown}."
        # RFC 9110, 11.6.1: a 401 names the scheme that is wanted.
        super().__init__(
            message, code=None if key is None else "invalid_api_key", headers={"www-authenticate": "Bearer"}
        )


class OriginNotAllowed(AntiphonError):
    """A page of another site asks a server without keys: browsers let every page reach this machine."""

    status = 403
    type = "invalid_request_error"
    code = "origin_not_allowed"

    def __init__(self, origin: str) -> None:
        super().__init__(f"Pages of {origin[:300]} may not use this server.")


class HostNotAllowed(AntiphonError):
    """A request names this machine's server by a name that anybody may give to it (DNS rebinding)."""

    status = 403
    type = "invalid_request_error"
    code = "host_not_allowed"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"The host name '{host[:253]}' is not this machine's own, and no key is needed here, so that any "
            "web page could be behind this request. Use localhost or an address, or make a key with "
            "`antiphon keys create`."
        )


class RateLimited(AntiphonError):
    """The caller's key has used up what it may use in a minute, or has too many streams open.

    As at api.openai.com, `type` says what there is too much of. `wait` counts seconds.
    """

    status = 429
    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, what: Literal["requests", "tokens"], wait: float) -> None:
        super().__init__(
            message,
            headers={"retry-after": str(math.ceil(wait)), "retry-after-ms": str(math.ceil(wait * 1000))},
        )
        self.type = what

    @property
    def response_code(self) -> str:
        return "rate_limit_exceeded"


class IdempotencyKeyReused(AntiphonError):
    """Another request was made under the same idempotency key."""

    status = 400
    type = "invalid_request_error"
    code = "idempotency_key_reused"
    param = "idempotency-key"

    def __init__(self) -> None:
        super().__init__(
            "The Idempotency-Key was used for another request, with another URL or body. Repeat that request "
            "as it was, or choose another key."
        )


class IdempotencyKeyInUse(AntiphonError):
    """The first request under the idempotency key is still at work."""

    status = 409
    type = "invalid_request_error"
    code = "idempotency_key_in_use"
    param = "idempotency-key"

    def __init__(self) -> None:
        super().__init__(
            "A request with this Idempotency-Key is still at work. Please retry in a few seconds.",
            headers={"retry-after": "1"},
        )


class AnswerNotKept(AntiphonError):
    """The request was answered, but its answer was too large to keep, or can be read no more."""

    status = 409
    type = "invalid_request_error"
    code = "idempotent_answer_not_kept"
    param = "idempotency-key"

    def __init__(self) -> None:
        super().__init__(
            "The request with this Idempotency-Key was answered and is not done again, but its answer was "
            "too large to be kept, or cannot be read any more.",
            # OpenAI's clients repeat a call that ends with 409, unless they are told that it is no use.
            headers={"x-should-retry": "false"},
        )
