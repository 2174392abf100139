"""The error envelope."""

from msgspec import Struct


class ErrorBody(Struct):
    """The four keys of every error, always present."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorEnvelope(Struct):
    """The body of every HTTP error."""

    error: ErrorBody
