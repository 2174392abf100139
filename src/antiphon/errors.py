"""Every error that a caller or an operator can meet.

AntiphonError                      has status, type, code, param and message: the API's error envelope
├── InvalidRequest                 400  the request is wrong; `param` says where
│   ├── AddressNotAllowed          400  the request names an address of this machine or a private network
│   ├── AddressNotFetched          400  what is at an address that the request names cannot be had
│   ├── ContextLengthExceeded      400  the input does not fit the model's context window
│   ├── ConversationLocked         400  another response is at work in the conversation
│   ├── InvalidEncryptedContent    400  a sealed box is not of this server and caller, or was changed
│   └── ConnectionExpired          400  a WebSocket connection has reached its greatest age
├── NotFound                       404  no such object, or not the caller's
├── RequestTimeout                 408  the body does not come on
├── RequestTooLarge                413  the body is over the limit
├── ConnectionBusy                 429  too many requests wait on one WebSocket connection
├── UpstreamError                  502  the backend or a tool server failed, and its own words are kept
│   ├── UpstreamRefused                 it answered with an HTTP error; the status class is kept
│   ├── UpstreamUnreachable        502  no connection: refused, DNS, TLS
│   ├── UpstreamTimeout            504  it did not answer in time
│   ├── UpstreamBroken             502  it answered, but not with a whole chat completion
│   └── ToolListFailed             424  an MCP server's tools cannot be listed; 401 and 403 are kept
├── RecordingNotFound              502  replay has no answer for this model or tool call
│   └── RecordingNotReadable       500  the file that has it is gone, or another one since it was loaded
├── SecretInRecording              400  the call holds what looks like a secret, so it is not recorded
├── RecordingNotWritten            500  the file of a recording cannot be written
├── StoreUnavailable               503  the database cannot be read or written
├── CallsItself                508  a backend's address leads back to this server
├── ServerStopping                 503  the server is being stopped
└── InternalError                  500  a fault of this server; the details are in its log

ConfigError                        start-up: a setting is wrong (shown to the operator, exit code 2)
"""

from http import HTTPStatus

from antiphon.wire.errors import ErrorBody


class AntiphonError(Exception):
    """The base of all errors that leave the server in OpenAI's envelope (`wire.md` 4).

    `message` is shown to the caller; `headers` are added to the HTTP answer.
    """

    status: int = 500
    type: str = "server_error"
    code: str | None = None
    param: str | None = None

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}
        if code is not None:
            self.code = code
        if param is not None:
            self.param = param

    def body(self) -> ErrorBody:
        """Returns the four keys that every error has on the wire."""
        return ErrorBody(self.message, self.type, self.param, self.code)

    @property
    def response_code(self) -> str:
        """The code for `response.error.code`, which takes only values of the API's own enum."""
        return "server_error"


class InvalidRequest(AntiphonError):
    """The request is wrong, and `param` names the place."""

    status = 400
    type = "invalid_request_error"

    @property
    def response_code(self) -> str:
        return "invalid_prompt"


class AddressNotAllowed(InvalidRequest):
    """The request names an address that callers may not reach through the server.

    `host` is what the request says; what it leads to is not told.
    """

    code = "address_not_allowed"

    def __init__(self, host: str, *, param: str | None) -> None:
        super().__init__(
            f"The host '{host[:253]}' is not allowed: it is of this machine, of a private network or "
            "otherwise not public. Whoever runs the server can allow it with --allow-host HOST or "
            "[security] allow_hosts in antiphon.toml.",
            param=param,
        )


class AddressNotFetched(InvalidRequest):
    """What is at an address that the request names cannot be had: no answer, an error, too much of it."""

    code = "address_not_fetched"


class ContextLengthExceeded(InvalidRequest):
    """The input does not fit the model's context window (text recorded at api.openai.com)."""

    code = "context_length_exceeded"
    param = "input"

    @property
    def response_code(self) -> str:
        return "context_length_exceeded"


class ConversationLocked(InvalidRequest):
    """Another response is at work in the conversation."""

    code = "conversation_locked"
    param = "conversation"

    def __init__(self) -> None:
        super().__init__(
            "Another process is currently operating on this conversation. Please retry in a few seconds."
        )


class ConnectionExpired(InvalidRequest):
    """A WebSocket connection has reached its greatest age (text of OpenAI's guide)."""

    code = "websocket_connection_limit_reached"

    def __init__(self) -> None:
        super().__init__(
            "Responses websocket connection limit reached (60 minutes). Create a new websocket connection to "
            "continue."
        )


class InvalidEncryptedContent(InvalidRequest):
    """A sealed box cannot be opened: it is another server's or another caller's, or it was changed."""

    code = "invalid_encrypted_content"

    def __init__(self, box: str, *, param: str) -> None:
        start = f"{box[:16]}..." if len(box) > 16 else box
        super().__init__(
            f"The encrypted content {start} could not be verified. It was not made by this server for this "
            "caller, or it was changed, or the server's seal_key is another one now.",
            param=param,
        )


class NotFound(AntiphonError):
    """No such object, or it belongs to somebody else."""

    status = 404
    type = "invalid_request_error"


class ModelNotFound(NotFound):
    """No backend has the `model` of the request."""

    code = "model_not_found"
    param = "model"

    def __init__(self, message: str, model: str) -> None:
        super().__init__(message)
        self.model = model


class RequestTimeout(AntiphonError):
    """The request's body comes too slowly, or not at all."""

    status = 408
    type = "invalid_request_error"
    code = "request_timeout"

    def __init__(self) -> None:
        # RFC 9110, 15.5.9: the connection is of no more use, for the rest of the body may still come.
        super().__init__("The request's body did not come in time.", headers={"connection": "close"})


class RequestTooLarge(AntiphonError):
    """The request body is over the configured limit."""

    status = 413
    type = "invalid_request_error"
    code = "request_too_large"


class ConnectionBusy(AntiphonError):
    """Too many requests wait on one WebSocket connection, which answers one after another."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"

    def __init__(self, most: int) -> None:
        super().__init__(
            f"{most} requests wait on this connection already, which answers one after another. Wait for a "
            "response, or open more connections."
        )


class UpstreamError(AntiphonError):
    """The backend failed. The message names it and keeps what it said."""

    status = 502
    code = "upstream_error"


class UpstreamRefused(UpstreamError):
    """The backend answered with an HTTP error.

    `upstream_status` is what it sent. The caller gets the same class of status, with these exceptions:
    401 and 403 concern the server's credential and not the caller's, so they become 502; 422 becomes 400;
    500 becomes 502, because this server is not the one that broke.
    """

    def __init__(
        self,
        message: str,
        *,
        upstream_status: int,
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message, code=code, param=param, headers=headers)
        self.upstream_status = upstream_status
        self.status = _STATUS.get(upstream_status, upstream_status)
        if self.status == 429:
            self.type = code if code == "insufficient_quota" else "rate_limit_error"
            self.code = code or "rate_limit_exceeded"
        elif 400 <= self.status < 500:
            self.type = "invalid_request_error"

    @property
    def response_code(self) -> str:
        if self.code in _KEPT_CODES:
            return self.code or "server_error"
        if self.status == 429:
            return "rate_limit_exceeded"
        return "invalid_prompt" if 400 <= self.status < 500 else "server_error"


_STATUS = {401: 502, 403: 502, 422: 400, 500: 502}
_KEPT_CODES = frozenset({"context_length_exceeded", "insufficient_quota", "rate_limit_exceeded"})


class UpstreamUnreachable(UpstreamError):
    """No connection to the backend: refused, unknown host, TLS."""


class UpstreamTimeout(UpstreamError):
    """The backend did not connect, answer or go on in time."""

    status = 504


class UpstreamBroken(UpstreamError):
    """The backend's answer is not a whole chat completion: cut, empty, not JSON, an error inside."""


class ToolListFailed(UpstreamError):
    """The tools of an MCP server cannot be listed, so the model cannot be asked.

    The words, type, param and code are those of api.openai.com, which puts the server's 401 and 403 into the
    words only; here they are the status as well, because the token is the caller's. `reason` says more.
    """

    status = 424
    type = "external_connector_error"
    param = "tools"
    code = "http_error"

    def __init__(self, server_label: str, server_status: int | None, reason: str) -> None:
        if server_status in (401, 403):
            self.status = server_status
        super().__init__(
            f"Error retrieving tool list from MCP server: '{server_label}'. "
            f"Http status code: {self.status} ({HTTPStatus(self.status).phrase}). {reason}"
        )


class RecordingNotFound(AntiphonError):
    """Replay has no recording for this model or tool call."""

    status = 502
    code = "recording_not_found"

    def __init__(self, message: str) -> None:
        # OpenAI's clients repeat a call that ends with 502, unless they are told that it is no use.
        super().__init__(message, headers={"x-should-retry": "false"})


class SecretInRecording(AntiphonError):
    """The call holds what looks like a key or a token; nothing is written. The message names the place."""

    status = 400
    type = "invalid_request_error"
    code = "secret_in_recording"


class RecordingNotWritten(AntiphonError):
    """The file of a recording cannot be written."""

    code = "recording_not_written"


class RecordingNotReadable(RecordingNotFound):
    """The file of a recording was there when it was loaded, and now it is gone or another one."""

    status = 500
    code = "recording_not_readable"


class StoreUnavailable(AntiphonError):
    """The database cannot be read or written."""

    status = 503
    code = "store_unavailable"


class ServerStopping(AntiphonError):
    """The server is being stopped, and does not wait for this request any longer."""

    status = 503

    def __init__(self) -> None:
        super().__init__("The server is being stopped. Please try again later.")


class CallsItself(AntiphonError):
    """A backend's address leads to this server: the request is its own, come round in a circle."""

    status = 508
    code = "calls_itself"

    def __init__(self) -> None:
        super().__init__(
            "This server is its own backend: a base_url in antiphon.toml, or OPENAI_BASE_URL, leads "
            "back to it."
        )


class InternalError(AntiphonError):
    """A fault of this server. The log has the details; the caller gets none of them."""

    def __init__(self) -> None:
        super().__init__(
            "The server had an error while processing your request. Sorry about that! "
            "The details are in the server's log."
        )


class ConfigError(Exception):
    """A setting is wrong; the message says which, where it came from and what would be right."""
