"""Example values for JSON schemas.

The sample model uses them as tool arguments and structured output. Supported keywords: type (also several),
enum, const, properties, required, additionalProperties, minProperties, maxProperties, items, prefixItems,
minItems, maxItems, uniqueItems, the bounds of numbers, multipleOf, minLength, maxLength, pattern, the common
formats, anyOf, oneOf (the first satisfiable alternative), allOf, and $ref within the schema. Recursion ends
at an optional property, an array that may be empty, or another alternative. Ignored: not, if, contains,
patternProperties, dependent*.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import unquote

import msgspec

from antiphon.backends.sample.scalars import Unsatisfiable, make_number, make_string, whole
from antiphon.backends.sample.schema_merge import is_number, merge, types_of
from antiphon.wire.json import JSON, JSONObject

T = TypeVar("T")

_MAX_NODES = 5000
_MAX_DEPTH = 40
_MAX_ITEMS = 1000
_IMPLIED_TYPES = {
    "object": ("properties", "required", "additionalProperties", "minProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
    "string": ("pattern", "minLength", "maxLength", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}


def make_example(schema: JSON, words: Iterable[str] = ()) -> JSON:
    """Return a value that matches `schema`; equal arguments give equal values.

    Args:
        schema: The JSON schema.
        words: Values for plain strings, used as long as they last.

    Raises:
        Unsatisfiable: No value exists, or none is found with reasonable effort.
    """
    return _Maker(schema, words).make(schema)


class _Maker:
    def __init__(self, root: JSON, words: Iterable[str]) -> None:
        self._root = root
        self._words = list(words)
        self._open_refs: list[str] = []
        self._nodes = 0
        self._depth = 0

    def make(self, schema: JSON, name: str = "", salt: int = 0) -> JSON:
        """Return a value for the property `name`; another `salt` gives another value."""
        if schema is True:
            schema = {}
        if not isinstance(schema, dict):
            raise Unsatisfiable("a schema must be an object or true")
        with self._one_deeper():
            if isinstance(schema.get("$ref"), str) or isinstance(schema.get("allOf"), list):
                return self._joined(schema, name, salt)
            for key in ("anyOf", "oneOf"):
                if isinstance(schema.get(key), list):
                    return self._any(schema, key, name, salt)
            if "const" in schema:
                return schema["const"]
            if isinstance(schema.get("enum"), list):
                return _chosen(schema, salt)
            return self._typed(schema, name, salt)

    @contextmanager
    def _one_deeper(self) -> Iterator[None]:
        """Limit the work: schemas may be recursive, or require huge values."""
        self._nodes += 1
        if self._nodes > _MAX_NODES or self._depth >= _MAX_DEPTH:
            raise Unsatisfiable("the schema requires a value that is too large")
        self._depth += 1
        try:
            yield
        finally:
            self._depth -= 1

    def _joined(self, schema: JSONObject, name: str, salt: int) -> JSON:
        """Resolve `$ref` and merge `allOf`; a reference to itself can't be resolved."""
        opened = len(self._open_refs)
        try:
            merged = self._followed(schema)
            parts = merged.pop("allOf", None)
            for part in parts if isinstance(parts, list) else []:
                joined = merge(merged, self._followed(part) if isinstance(part, dict) else part)
                if not isinstance(joined, dict):
                    raise Unsatisfiable("nothing matches false")
                merged = joined
            return self.make(merged, name, salt)
        finally:
            del self._open_refs[opened:]

    def _followed(self, schema: JSONObject) -> JSONObject:
        """Return `schema` with its `$ref` replaced by the referenced schema."""
        while isinstance(ref := schema.get("$ref"), str):
            if ref in self._open_refs:
                raise Unsatisfiable(f"{ref} requires itself")
            self._open_refs.append(ref)
            target = self._target(ref)
            siblings = {key: value for key, value in schema.items() if key != "$ref"}
            if target is True:
                target = {}
            if not isinstance(target, dict):
                raise Unsatisfiable(f"{ref} isn't a schema")
            # `merge` moves a reference with siblings into `allOf`, which calls this method again.
            schema = merge(target, siblings)
        return dict(schema)

    def _target(self, ref: str) -> JSON:
        """Return the target of a JSON pointer within the schema."""
        if not ref.startswith("#"):
            raise Unsatisfiable("references must be within the schema")
        found = self._root
        for step in unquote(ref[1:]).split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(found, dict) and key in found:
                found = found[key]
            elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                raise Unsatisfiable(f"{ref} doesn't exist")
        return found

    def _any(self, schema: JSONObject, key: str, name: str, salt: int) -> JSON:
        base = {other: value for other, value in schema.items() if other != key}
        branches = schema[key]
        for branch in _rotated(branches, salt):
            try:
                return self.make(merge(base, branch), name, salt // len(branches))
            except Unsatisfiable:
                continue
        raise Unsatisfiable(f"no alternative of {key} can be satisfied")

    def _typed(self, schema: JSONObject, name: str, salt: int) -> JSON:
        types = _types(schema)
        for kind in _rotated(types, salt):
            try:
                return self._of_type(kind, schema, name, salt // len(types))
            except Unsatisfiable:
                continue
        raise Unsatisfiable("no type can be satisfied")

    def _of_type(self, kind: str, schema: JSONObject, name: str, salt: int) -> JSON:
        if kind == "object":
            return self._object(schema, salt)
        if kind == "array":
            return self._array(schema, name, salt)
        if kind == "string":
            return make_string(schema, name, self._words, salt)
        if kind in ("integer", "number"):
            return make_number(schema, integer=kind == "integer", salt=salt)
        if kind == "boolean":
            return salt % 2 == 0
        if kind == "null":
            return None
        raise Unsatisfiable(f"the type {kind[:40]!r} doesn't exist")

    def _object(self, schema: JSONObject, salt: int) -> JSONObject:
        """Return an object with the required properties and the satisfiable optional ones."""
        known = schema.get("properties")
        properties: JSONObject = known if isinstance(known, dict) else {}
        required = _names(schema.get("required"))
        extra = schema.get("additionalProperties", True)
        room = whole(schema, "maxProperties", _MAX_NODES) - len(required)
        made: JSONObject = {}
        for at, (key, sub) in enumerate(properties.items()):
            if key in required:
                made[key] = self.make(sub, key, salt >> at)
            elif room > 0:
                try:
                    made[key] = self.make(sub, key, salt >> at)
                    room -= 1
                except Unsatisfiable:
                    continue
        for key in required:
            if key not in made:
                made[key] = self.make(extra, key, salt)
        for number in range(1, whole(schema, "minProperties", 0) + 1):
            if len(made) >= whole(schema, "minProperties", 0):
                break
            made[f"key{number}"] = self.make(extra, f"key{number}", salt)
        return made

    def _array(self, schema: JSONObject, name: str, salt: int) -> list[JSON]:
        prefix, rest = _item_schemas(schema)
        low, high = whole(schema, "minItems", 0), whole(schema, "maxItems", _MAX_ITEMS)
        if low > high or low > _MAX_ITEMS:
            raise Unsatisfiable("no number of items matches")
        wanted = min(high, max(low, len(prefix), 1 if "items" in schema else 0))
        made: list[JSON] = []
        for at in range(wanted):
            item = prefix[at] if at < len(prefix) else rest
            try:
                made.append(self._item(item, name, salt + at, made, unique=bool(schema.get("uniqueItems"))))
            except Unsatisfiable:
                if at < low:
                    raise
                break
        return made

    def _item(self, schema: JSON, name: str, salt: int, others: list[JSON], *, unique: bool) -> JSON:
        """Return a value; if it must be unique, it differs from all of `others`."""
        seen = {msgspec.json.encode(other) for other in others} if unique else set()
        for attempt in range(20 + 4 * len(others)) if unique else (salt, 0):
            try:
                value = self.make(schema, name, attempt)
            except Unsatisfiable:
                continue
            if msgspec.json.encode(value) not in seen:
                return value
        raise Unsatisfiable("there aren't enough different values")


def _types(schema: JSONObject) -> list[str]:
    """Return the allowed types, null last; without `type`, other keys imply them."""
    if "type" in schema:
        types = types_of(schema["type"])
        return [kind for kind in types if kind != "null"] + [kind for kind in types if kind == "null"]
    implied = [kind for kind, keys in _IMPLIED_TYPES.items() if any(key in schema for key in keys)]
    return implied or ["string"]


def _chosen(schema: JSONObject, salt: int) -> JSON:
    """Return a value of `enum` with an allowed type, null last."""
    allowed = types_of(schema["type"]) if "type" in schema else None
    fitting = [value for value in schema["enum"] if allowed is None or _is_any(value, allowed)]
    fitting.sort(key=lambda value: value is None)
    if not fitting:
        raise Unsatisfiable("no value is allowed")
    return fitting[salt % len(fitting)]


def _is_any(value: JSON, types: list[str]) -> bool:
    if isinstance(value, bool):
        return "boolean" in types
    if is_number(value):
        return "number" in types or ("integer" in types and float(value).is_integer())
    names = {str: "string", list: "array", dict: "object", type(None): "null"}
    return names.get(type(value)) in types


def _item_schemas(schema: JSONObject) -> tuple[list[JSON], JSON]:
    """Return the schemas of the first items and of the others.

    Older drafts of JSON Schema have the first ones in `items`.
    """
    items = schema.get("items", True)
    if isinstance(items, list):
        return items, schema.get("additionalItems", True)
    prefix = schema.get("prefixItems")
    return (prefix if isinstance(prefix, list) else []), items


def _names(value: JSON) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []


def _rotated(values: list[T], by: int) -> list[T]:
    start = by % len(values) if values else 0
    return values[start:] + values[:start]
