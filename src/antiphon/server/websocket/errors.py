"""Errors of WebSocket mode; the texts are OpenAI's if OpenAI has one."""

from typing import Literal

from antiphon.errors import AntiphonError, InvalidRequest

SteerCode = Literal[
    "response_not_found",
    "invalid_input",
    "steering_not_supported",
    "too_many_pending_steers",
    "response_already_completed",
    "response_not_active",
    "successor_creation_failed",
]


class InvalidStreamId(InvalidRequest):
    """`stream_id` that no lane can have."""

    code = "invalid_stream_id"
    param = "stream_id"

    def __init__(self) -> None:
        super().__init__(
            "The 'stream_id' field must be a non-empty string with at most 256 characters and may only "
            "contain letters, numbers, underscores, hyphens, and periods."
        )


class StreamLimitReached(InvalidRequest):
    """Request for one more named lane than a connection may have."""

    code = "websocket_stream_limit_reached"
    param = "stream_id"

    def __init__(self, most: int) -> None:
        super().__init__(
            "This WebSocket connection has reached its maximum number of distinct stream IDs "
            f"({most}). Reuse an existing stream_id or open a new WebSocket connection."
        )


class ConnectionExpired(InvalidRequest):
    """WebSocket connection at its maximum age."""

    code = "websocket_connection_limit_reached"

    def __init__(self) -> None:
        super().__init__(
            "Responses websocket connection limit reached (60 minutes). Create a new websocket connection to "
            "continue."
        )


class ConnectionBusy(AntiphonError):
    """Too many requests queued on one WebSocket connection."""

    status = 429
    type = "rate_limit_error"
    code = "rate_limit_exceeded"

    def __init__(self, queued: int) -> None:
        super().__init__(
            f"The queue of this connection is full (requests: {queued}). Wait for a response, or open "
            "another connection."
        )


class SteerRefused(InvalidRequest):
    """Steering input that the client gets back, in an event of its own."""

    def __init__(self, code: SteerCode, message: str) -> None:
        super().__init__(message, code=code)


class UpgradeRequired(AntiphonError):
    """Opening handshake of a WebSocket that arrived as a plain request."""

    status = 426
    type = "invalid_request_error"
    code = "upgrade_required"

    def __init__(self) -> None:
        super().__init__(
            "This request opens a WebSocket, but it arrived without the headers 'Connection: Upgrade' and "
            "'Upgrade: websocket' of HTTP/1.1. Configure the proxy to pass them on, or use HTTP.",
            headers={"Upgrade": "websocket", "Connection": "Upgrade"},
        )
