"""JSON schemas of Python types, and values in both directions.

msgspec describes and decodes dataclasses, Structs, TypedDicts and Python's own types. pydantic models have
their own schemas and validation. Their methods identify them, so that pydantic need not be installed.
"""

from collections.abc import Iterator
from typing import TypeVar

import msgspec

from antiphon.wire.json import JSON, JSONObject

T = TypeVar("T")

_DEFINITION = "#/$defs/"


def schema_of(kind: object) -> JSONObject:
    """Return the JSON schema of a type; an object has its properties at the top.

    Raises:
        TypeError: A type has no schema.
    """
    schema: JSONObject = msgspec.json.schema(kind, schema_hook=_pydantic_schema)
    definitions = schema.pop("$defs", {})
    for nested in list(_nodes({**schema, "$defs": definitions})):
        if nested is not schema and isinstance(inner := nested.pop("$defs", None), dict):
            definitions.update(inner)
    if (reference := schema.pop("$ref", None)) is not None:
        name = str(reference).removeprefix(_DEFINITION)
        schema.update(definitions[name])
        if not any(node.get("$ref") == reference for node in _nodes({"$defs": definitions})):
            del definitions[name]
    return {**schema, "$defs": definitions} if definitions else schema


def close(schema: JSONObject, *, require_all: bool = False) -> bool:
    """Forbid unknown properties, and return whether the schema fits OpenAI's strict mode.

    Args:
        schema: Schema to change.
        require_all: Whether properties with defaults become required, as strict mode demands.
    """
    strict = True
    for node in _nodes(schema):
        if not node or (node.get("type") == "object" and "properties" not in node):
            strict = False  # Any value, or an object with free keys.
        if "properties" not in node:
            continue
        properties: JSONObject = node["properties"]
        if node.setdefault("additionalProperties", False) is not False:
            strict = False
        if require_all:
            node["required"] = list(properties)
            for each in properties.values():
                each.pop("default", None)
        strict = strict and set(node.get("required", ())) == set(properties)
    return strict


def decode(text: str, kind: type[T], *, strict: bool = True) -> T:
    """Return the value of JSON text.

    Raises:
        msgspec.DecodeError: The text isn't JSON, or doesn't fit the type.
    """
    return msgspec.json.decode(text, type=kind, dec_hook=_pydantic_value, strict=strict)


def encode(value: object) -> str:
    """Return a value as text: as it is, or as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=_builtin).decode()


def _nodes(schema: JSON) -> Iterator[JSONObject]:
    """Yield a schema and every schema in it."""
    if not isinstance(schema, dict):
        return
    yield schema
    for keyword in ("items", "additionalProperties"):
        yield from _nodes(schema.get(keyword))
    for keyword in ("anyOf", "allOf", "oneOf", "prefixItems"):
        for each in schema.get(keyword, ()):
            yield from _nodes(each)
    for keyword in ("properties", "$defs"):
        for each in list(schema.get(keyword, {}).values()):
            yield from _nodes(each)


def _pydantic_schema(kind: type) -> JSONObject:
    make = getattr(kind, "model_json_schema", None)
    if not callable(make):
        raise NotImplementedError(kind)
    schema: JSONObject = make()
    return schema


def _pydantic_value(kind: type, value: object) -> object:
    validate = getattr(kind, "model_validate", None)
    if not callable(validate):
        raise NotImplementedError(kind)
    return validate(value)


def _builtin(value: object) -> object:
    dump = getattr(value, "model_dump", None)
    return dump(mode="json", warnings=False) if callable(dump) else str(value)
