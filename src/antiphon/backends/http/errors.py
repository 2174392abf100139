"""Errors of requests to backends."""

import os
import socket
import ssl


class HttpError(Exception):
    """A request without a complete response."""

    begun = False
    """Whether a part of the body has arrived."""


class ConnectError(HttpError):
    """A failure to connect; `cause` is the reason."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(str(cause))
        self.cause = cause


class ConnectTimeout(HttpError):
    """A connection attempt that took too long."""


class ProxyRefused(HttpError):
    """A proxy that doesn't connect to the backend; the text is its status."""


class Silence(HttpError):
    """A timeout because no bytes arrived."""


class Cut(HttpError):
    """A connection that ended before the response was complete."""


class Unanswered(Cut):
    """A connection that ended before the first byte of the response."""

    def __init__(self, *, is_premature: bool = False) -> None:
        super().__init__()
        self.is_premature = is_premature
        """Whether it was closed because data arrived before the request."""


class NotHttp(HttpError):
    """Data that isn't valid HTTP."""


class Undecodable(HttpError):
    """A body with an unsupported or wrong content encoding; the text names it."""


def reason(error: ConnectError) -> str:
    """Return the reason for a failure to connect, for an error message."""
    cause = error.cause
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {cause}"
    if cause.errno and not isinstance(cause, socket.gaierror | ssl.SSLError):
        return os.strerror(cause.errno)
    return cause.strerror or str(cause)
