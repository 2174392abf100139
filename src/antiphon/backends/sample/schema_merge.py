"""Merging of JSON schemas that apply together (`allOf`, or `$ref` with siblings)."""

from fractions import Fraction
from itertools import product
from math import gcd, lcm

import msgspec

from antiphon.wire.json import JSON, JSONObject

_LARGER = frozenset({"minLength", "minItems", "minProperties", "minimum", "exclusiveMinimum"})
_SMALLER = frozenset({"maxLength", "maxItems", "maxProperties", "maximum", "exclusiveMaximum"})
_SUBSCHEMAS = frozenset({"items", "additionalProperties"})
_MAX_ALTERNATIVES = 64


def merge(first: JSON, second: JSON) -> JSON:
    """Return a schema for values that match both; in conflicts `second` wins."""
    if not isinstance(first, dict):
        return second if first is not False else False
    if not isinstance(second, dict):
        return first if second is not False else False
    if ("$ref" in first or "$ref" in second) and first and second:
        return {"allOf": [first, second]}
    merged = dict(first)
    for key, value in second.items():
        merged[key] = _joined(key, merged[key], value) if key in merged else value
    return merged


def types_of(value: JSON) -> list[str]:
    """Return the names in `type`, a name or a list of names."""
    return [name for name in (value if isinstance(value, list) else [value]) if isinstance(name, str)]


def is_number(value: JSON) -> bool:
    """Return whether `value` is a JSON number, which a boolean isn't."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _joined(key: str, first: JSON, second: JSON) -> JSON:
    if key == "type":
        return _common_types(types_of(first), types_of(second))
    if key in _SUBSCHEMAS:
        return merge(first, second)
    if is_number(first) and is_number(second):
        if key in _LARGER:
            return max(first, second)
        if key in _SMALLER:
            return min(first, second)
        if key == "multipleOf":
            return _common_multiple(first, second)
    if isinstance(first, dict) and isinstance(second, dict) and key in ("properties", "$defs", "definitions"):
        return _joined_properties(first, second)
    if isinstance(first, list) and isinstance(second, list):
        return _joined_lists(key, first, second)
    return second


def _joined_properties(first: JSONObject, second: JSONObject) -> JSONObject:
    return first | {name: merge(first.get(name, {}), schema) for name, schema in second.items()}


def _joined_lists(key: str, first: list[JSON], second: list[JSON]) -> list[JSON]:
    if key == "enum":
        allowed = {msgspec.json.encode(value) for value in second}
        return [value for value in first if msgspec.json.encode(value) in allowed]
    if key in ("required", "allOf"):
        return first + [entry for entry in second if entry not in first]
    if key in ("anyOf", "oneOf"):
        return [merge(a, b) for a, b in product(first[:_MAX_ALTERNATIVES], second[:_MAX_ALTERNATIVES])]
    return second


def _common_types(first: list[str], second: list[str]) -> list[str]:
    """Return the common types; `number` and `integer` have `integer` in common."""
    common = [name for name in first if name in second]
    integer = ("integer" in first and "number" in second) or ("number" in first and "integer" in second)
    return common + (["integer"] if integer and "integer" not in common else [])


def _common_multiple(first: float, second: float) -> float:
    a, b = Fraction(str(first)), Fraction(str(second))
    both = Fraction(lcm(a.numerator, b.numerator), gcd(a.denominator, b.denominator))
    return both.numerator if both.denominator == 1 else float(both)
