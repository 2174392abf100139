"""API and start-up errors, and the error tree of the whole project.

Numbers are HTTP statuses. A package in parentheses defines the error.

AntiphonError                           API errors, sent to the client in OpenAI's envelope
├── InvalidRequest                 400  invalid request; `param` names the place
│   ├── MissingParameter           400  missing parameter
│   ├── AddressNotAllowed          400  URL of a host that is not public
│   ├── AddressNotFetched          400  URL that could not be fetched
│   ├── ContextLengthExceeded      400  input larger than the model's context window
│   ├── ConversationLocked         400  another response in progress in the conversation
│   ├── InvalidEncryptedContent    400  encrypted content of another server or owner, or altered
│   ├── PreviousResponseNotFound   400  missing response in a chain (store)
│   ├── ItemAlreadyInConversation  400  item that the conversation contains already (store)
│   ├── DuplicateItem              400  item ID in use for different content (store)
│   ├── NotLatestVersion           400  prompt update based on an outdated version (store)
│   ├── InvalidStreamId            400  name that no WebSocket lane can have (server)
│   ├── StreamLimitReached         400  too many lanes on a WebSocket connection (server)
│   ├── ConnectionExpired          400  WebSocket connection at its maximum age (server)
│   ├── SteerRefused               400  steering input that the client gets back (server)
│   └── KeyNameTaken               400  name in use by another API key (store)
├── IdempotencyKeyReused           400  idempotency key of a different request (service)
├── SecretInRecording              400  apparent secret in a call that was to be recorded
├── InvalidApiKey                  401  missing or invalid API key (service)
├── MissingScope                   403  request that the API key isn't for (service)
├── OriginNotAllowed               403  request from a web page of another site (service)
├── HostNotAllowed                 403  unexpected `Host` header, as in DNS rebinding (service)
├── PageRefused                    403  form of another session, or page for the operator (server)
├── NotFound                       404  missing object, or another owner's
│   ├── ModelNotFound              404  model
│   ├── ObjectNotFound             404  response, conversation, vector store (store)
│   ├── ItemNotFound               404  item (store)
│   ├── CursorNotFound             404  cursor that is not in the list (store)
│   ├── FileNotStored              404  uploaded file (store)
│   ├── AttachedFileNotFound       404  file in a vector store (store)
│   ├── FileBatchNotFound          404  batch of files in a vector store (store)
│   └── PromptNotFound             404  prompt, or a version of it (store)
├── RequestTimeout                 408  request body too slow
├── IdempotencyKeyInUse            409  first request with the key still in progress (service)
├── AnswerNotKept                  409  repeated request whose response was not kept (service)
├── RequestTooLarge                413  request body over the limit
├── UpgradeRequired                426  WebSocket handshake without its upgrade (server)
├── ConnectionBusy                 429  too many requests queued on a WebSocket connection (server)
├── RateLimited                    429  rate limit of the API key exceeded (service)
├── TooManyContainers              429  containers of one owner at their limit (store)
├── UpstreamError                  502  failure of a backend or a tool server
│   ├── UpstreamRefused                 HTTP error from upstream; the status class is kept
│   │   └── SessionExpired         404  unknown MCP session (tools)
│   ├── UpstreamUnreachable        502  failed connection: refused, DNS or TLS
│   ├── UpstreamTimeout            504  no response in time
│   ├── UpstreamBroken             502  invalid or incomplete response
│   │   └── SummaryTooLong         502  summary that the model's limit has cut off (engine)
│   ├── SandboxFailed              502  no answer of the code interpreter's sandbox (tools)
│   └── ToolListFailed             424  failed listing of an MCP server's tools; 401 and 403 are kept
├── RecordingNotFound              502  no recording for a model or tool call
│   └── RecordingNotReadable       500  recording deleted or changed since it was loaded
├── RecordingNotWritten            500  failed write of a recording
├── StoreUnavailable               503  failed read or write of the database
├── CallsItself                    508  backend URL that leads back to this server
├── Overloaded                     503  too many bytes of incomplete request bodies (server)
├── ServerStopping                 503  server shutdown in progress
└── InternalError                  500  bug in this server; its log has the details
ConfigError                             wrong setting, shown to the operator; exit code 2
Failure                                 one-line error of a command; exit code 1 (cli)
└── WrongSetting                        wrong setting or argument; exit code 2 (cli)
HttpError                               exchange without a complete HTTP response (backends)
├── ConnectError                        failed connection
├── ConnectTimeout                      no connection in time
├── ProxyRefused                        proxy that doesn't connect to the backend
├── Silence                             no data within the idle timeout
├── Cut                                 connection closed in the middle of a response
│   └── Unanswered                      connection closed before a response
├── NotHttp                             malformed HTTP
└── Undecodable                         unsupported or wrong content encoding
EventTooLarge                           server-sent event over the size limit (backends)
Fenced                                  write of an execution that another one has replaced (store)
NotSent                                 webhook event that has not arrived (service)
Unsatisfiable                           schema for which the sample model finds no value (backends)
DocumentError                           file without extractable text (documents)
"""

from http import HTTPStatus

from antiphon.wire.errors import RESPONSE_CODES, ErrorBody


class AntiphonError(Exception):
    """Base of all errors that the server sends in OpenAI's envelope.

    The client receives `message`; `headers` are added to the HTTP response.
    See https://platform.openai.com/docs/guides/error-codes.
    """

    status: int = 500
    """HTTP status of the response."""
    type: str = "server_error"
    """Category of the error, as in OpenAI's API."""
    code: str | None = None
    """Machine-readable code."""
    param: str | None = None
    """Path of the offending parameter, such as `input[0].content`."""
    response_code: str = "server_error"
    """Code for `response.error.code`, which the API limits to an enum."""

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
        self.code = self.code if code is None else code
        self.param = self.param if param is None else param

    def body(self) -> ErrorBody:
        """Return the error as the object that the envelope contains."""
        return ErrorBody(self.message, self.type, self.param, self.code)


class InvalidRequest(AntiphonError):
    """Invalid request; `param` names the place."""

    status = 400
    type = "invalid_request_error"
    response_code = "invalid_prompt"


class MissingParameter(InvalidRequest):
    """Missing parameter that the API requires."""

    code = "missing_required_parameter"

    def __init__(self, param: str) -> None:
        super().__init__(f"Missing required parameter: '{param}'.", param=param)


class AddressNotAllowed(InvalidRequest):
    """URL of a host that is not public; the message hides the host's address."""

    code = "address_not_allowed"

    def __init__(self, host: str, *, param: str | None) -> None:
        super().__init__(
            f"The host '{host[:253]}' is not allowed. Expected a public host. To allow this one, start the "
            "server with --allow-host HOST, or set [security] allow_hosts in antiphon.toml.",
            param=param,
        )


class AddressNotFetched(InvalidRequest):
    """URL in a request that returned no response, an error, or too many bytes."""

    code = "address_not_fetched"


class ContextLengthExceeded(InvalidRequest):
    """Input larger than the model's context window."""

    code = "context_length_exceeded"
    param = "input"
    response_code = "context_length_exceeded"


class ConversationLocked(InvalidRequest):
    """Request for a conversation in which another response is in progress."""

    code = "conversation_locked"
    param = "conversation"

    def __init__(self) -> None:
        super().__init__(
            "Another process is currently operating on this conversation. Please retry in a few seconds."
        )


class InvalidEncryptedContent(InvalidRequest):
    """Encrypted content of another server or owner, or altered content."""

    code = "invalid_encrypted_content"

    def __init__(self, encrypted: str, *, param: str) -> None:
        start = f"{encrypted[:16]}..." if len(encrypted) > 16 else encrypted
        super().__init__(
            f"The encrypted content {start} could not be verified. Expected unaltered content that this "
            "server created for the same owner with its current seal_key. Remove the item.",
            param=param,
        )


class NotFound(AntiphonError):
    """Missing object, or an object of another owner."""

    status = 404
    type = "invalid_request_error"


class ModelNotFound(NotFound):
    """Model of a request that no backend offers."""

    code = "model_not_found"
    param = "model"

    def __init__(self, message: str, model: str) -> None:
        super().__init__(message)
        self.model = model


class RequestTimeout(AntiphonError):
    """Request body that did not arrive in time."""

    status = 408
    type = "invalid_request_error"
    code = "request_timeout"

    def __init__(self) -> None:
        # The rest of the body may still arrive: https://www.rfc-editor.org/rfc/rfc9110#section-15.5.9
        super().__init__("The request body did not arrive in time.", headers={"connection": "close"})


class RequestTooLarge(AntiphonError):
    """Request body over the configured limit."""

    status = 413
    type = "invalid_request_error"
    code = "request_too_large"


class UpstreamError(AntiphonError):
    """Failure of a backend or a tool server, which the message names and quotes."""

    status = 502
    code = "upstream_error"


class UpstreamRefused(UpstreamError):
    """HTTP error from a backend or a tool server.

    The client receives a status of the same class, with exceptions: 422 becomes 400; 401, 403 and 407, which
    concern the server's credentials, 500 and all above 599 become 502. `upstream_status` is the original.
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
        self.status = _STATUS.get(upstream_status, upstream_status if upstream_status < 600 else 502)
        if self.status == 429:
            self.type = code if code == "insufficient_quota" else "rate_limit_error"
            self.code = code or "rate_limit_exceeded"
            self.response_code = "rate_limit_exceeded"
        elif 400 <= self.status < 500:
            self.type = "invalid_request_error"
            in_prompt = param is None or param.startswith(_PROMPT)
            if self.status in (400, 413) and code not in _OF_MODELS and in_prompt:
                self.response_code = "invalid_prompt"
        if code is not None and code in RESPONSE_CODES:
            self.response_code = code


_STATUS = {401: 502, 403: 502, 407: 502, 422: 400, 500: 502}
_PROMPT = ("messages", "input", "prompt", "instructions")
_OF_MODELS = frozenset({"model_not_found", "unsupported_parameter", "unsupported_value"})
"""Codes of errors that another prompt would not avoid."""


class UpstreamUnreachable(UpstreamError):
    """Failed connection to a backend: refused, unknown host or TLS."""


class UpstreamTimeout(UpstreamError):
    """Backend that did not connect, respond or continue in time."""

    status = 504


class UpstreamBroken(UpstreamError):
    """Truncated, empty or malformed response, or one that contains an error."""


class ToolListFailed(UpstreamError):
    """Failed listing of an MCP server's tools; text and code are OpenAI's.

    The MCP server's 401 and 403 are the status as well, because the token is the client's.
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
    """Model or tool call without a recording in replay mode."""

    status = 502
    code = "recording_not_found"

    def __init__(self, message: str, *, has_model: bool = True) -> None:
        # OpenAI's clients retry after a 502 unless this header forbids it.
        super().__init__(message, headers={"x-should-retry": "false"})
        self.has_model = has_model
        """Whether there are other recordings of the model."""


class SecretInRecording(AntiphonError):
    """Apparent key or token in a call to be recorded; the message names the place."""

    status = 400
    type = "invalid_request_error"
    code = "secret_in_recording"


class RecordingNotWritten(AntiphonError):
    """Failed write of a recording."""

    code = "recording_not_written"


class RecordingNotReadable(RecordingNotFound):
    """Recording whose file was deleted or changed after it was loaded."""

    status = 500
    code = "recording_not_readable"


class StoreUnavailable(AntiphonError):
    """Failed read or write of the database."""

    status = 503
    code = "store_unavailable"


class ServerStopping(AntiphonError):
    """Request still in progress when the server shuts down."""

    status = 503

    def __init__(self) -> None:
        super().__init__("The server is shutting down. Please try again later.")


class CallsItself(AntiphonError):
    """Backend URL that leads back to this server, an endless loop."""

    status = 508
    code = "calls_itself"

    def __init__(self) -> None:
        super().__init__("This server is its own backend. Correct its base_url or OPENAI_BASE_URL.")


class InternalError(AntiphonError):
    """Bug in this server; the log has the details, and the client receives none."""

    def __init__(self) -> None:
        apology = "The server had an error while processing your request. Sorry about that!"
        super().__init__(f"{apology} The details are in the server's log.")


class ConfigError(Exception):
    """Wrong setting; the message names it, its source and the fix."""
