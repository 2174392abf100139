"""Plain JSON values, for the corners of the API that have no fixed shape (schemas, tool arguments)."""

from typing import Any, TypeAlias

JSON: TypeAlias = Any
"""A decoded JSON value. The alias marks the places where the API itself promises nothing more."""

JSONObject: TypeAlias = dict[str, JSON]
