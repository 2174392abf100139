"""Who is not let in, and what is too much of a caller.

AntiphonError
├── InvalidApiKey                  401  no key, or one that is not valid (any more)
├── OriginNotAllowed               403  a page of another site asks a server without keys
├── HostNotAllowed                 403  the Host header of a request to a server without keys is a stranger's
└── RateLimited                    429  the caller's key has used up what it may use in a minute
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
