"""JSON values for the parts of the API without a fixed shape."""

from typing import Any, TypeAlias

JSON: TypeAlias = Any
"""Decoded JSON value, where the API specifies no more precise type."""

JSONObject: TypeAlias = dict[str, JSON]
"""Decoded JSON object."""
