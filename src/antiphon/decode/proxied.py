"""Checks of bodies before the server proxies them to a backend."""

from types import UnionType

from antiphon.decode.bodies import decode_json
from antiphon.decode.bounds import Lengths
from antiphon.decode.explain import wrong_type
from antiphon.errors import InvalidRequest, MissingParameter
from antiphon.wire.json import JSONObject

_LENGTHS = Lengths({"messages": None, "tools": None})


def decode_object(body: bytes, most: int) -> JSONObject:
    """Return a decoded JSON object.

    Args:
        body: The body.
        most: Maximum length of `messages`, `tools` and the content of a message.

    Raises:
        InvalidRequest: The body isn't valid JSON or not an object, or an array is too long.
    """
    if len(body) > 2 * most:  # A shorter body has fewer entries.
        _LENGTHS.check(body, most)
    decoded = decode_json(body)
    if not isinstance(decoded, dict):
        raise InvalidRequest("Invalid body: expected an object.", code="invalid_type")
    return decoded


def require(body: JSONObject, param: str, kind: type | UnionType, expected: str) -> None:
    """Check that a parameter is present and of its type, which `expected` names.

    Raises:
        InvalidRequest: It is missing, null or of another type.
    """
    value = body.get(param)
    if value is None:
        raise MissingParameter(param)
    if not isinstance(value, kind):
        raise wrong_type(param, expected, value)


def is_streamed(body: JSONObject) -> bool:
    """Return whether the client requests a stream.

    Raises:
        InvalidRequest: `stream` isn't a boolean.
    """
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise wrong_type("stream", "a boolean", stream)
    return bool(stream)
