"""Error envelope."""

from msgspec import Struct


class ErrorBody(Struct):
    """Error object, whose four keys are always present."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorEnvelope(Struct):
    """Body of every HTTP error."""

    error: ErrorBody
