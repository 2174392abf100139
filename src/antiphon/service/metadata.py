"""Limits of metadata and file attributes."""

from antiphon.errors import InvalidRequest
from antiphon.wire.responses import Metadata
from antiphon.wire.vector_stores import Attributes

_MAX_PAIRS, _MAX_KEY, _MAX_VALUE = 16, 64, 512


def check_metadata(metadata: Metadata | Attributes | None, param: str = "metadata") -> None:
    """Check the number of pairs and the length of keys and strings.

    Raises:
        InvalidRequest: The metadata exceeds a limit of the API.
    """
    if not metadata:
        return
    if len(metadata) > _MAX_PAIRS:
        raise InvalidRequest(
            f"Invalid '{param}': too many properties. Expected an object with at most {_MAX_PAIRS} "
            f"properties, but got an object with {len(metadata)} properties instead.",
            code="object_above_max_properties",
            param=param,
        )
    for key, value in metadata.items():
        if len(key) > _MAX_KEY:
            raise _too_long(f"{param}.{key[:_MAX_KEY]}...", "property name", _MAX_KEY, len(key))
        if isinstance(value, str) and len(value) > _MAX_VALUE:
            raise _too_long(f"{param}.{key}", "string", _MAX_VALUE, len(value))


def _too_long(param: str, noun: str, limit: int, length: int) -> InvalidRequest:
    code = "property_name_above_max_length" if noun == "property name" else "string_above_max_length"
    return InvalidRequest(
        f"Invalid '{param}': {noun} too long. Expected a string with maximum length {limit}, but got a "
        f"string with length {length} instead.",
        code=code,
        param=param,
    )
