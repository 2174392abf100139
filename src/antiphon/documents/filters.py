"""Filters on file attributes: comparisons, combined with `and` and `or`.

OpenAI defines the syntax: https://platform.openai.com/docs/guides/retrieval#attribute-filtering. These rules
are our own: a missing key matches only `ne` and `nin`; values of different kinds (a string and a number, a
number and a boolean) are never equal and have no order; booleans have no order.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import ge, gt, le, lt

from antiphon.decode.explain import unsupported_value, wrong_type
from antiphon.errors import InvalidRequest, MissingParameter
from antiphon.wire.json import JSON

Value = str | float | bool
Attributes = Mapping[str, Value]

_MAX_DEPTH = 10
"""The deepest nesting of filters."""
_MAX_COMPARISONS = 500
"""The most comparisons in a filter; each is evaluated for every file of a store."""
_EQUALITIES = ("eq", "ne")
_ORDERS: dict[str, Callable[[Value, Value], bool]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
_MEMBERSHIPS = ("in", "nin")
_JUNCTIONS = ("and", "or")
_TYPES = (*_EQUALITIES, *_ORDERS, *_MEMBERSHIPS, *_JUNCTIONS)


@dataclass(frozen=True)
class Comparison:
    """A comparison of one attribute with a value, or with a list of values."""

    type: str
    """The operator: `eq`, `ne`, `gt`, `gte`, `lt`, `lte`, `in` or `nin`."""
    key: str
    """The name of the attribute."""
    value: Value | tuple[Value, ...]
    """The value; a tuple for `in` and `nin`."""

    def matches(self, attributes: Attributes) -> bool:
        """Return whether a file with these attributes matches."""
        given = attributes.get(self.key)
        values = self.value if isinstance(self.value, tuple) else (self.value,)
        if self.type in _ORDERS:
            return (
                given is not None and _have_order(given, values[0]) and _ORDERS[self.type](given, values[0])
            )
        found = given is not None and any(_equal(given, value) for value in values)
        return found if self.type in ("eq", "in") else not found


@dataclass(frozen=True)
class Compound:
    """A combination of filters; an empty `and` matches every file, an empty `or` none."""

    type: str
    """Either `and` or `or`."""
    filters: "tuple[Comparison | Compound, ...]"
    """The combined filters."""

    def matches(self, attributes: Attributes) -> bool:
        """Return whether a file with these attributes matches."""
        results = (inner.matches(attributes) for inner in self.filters)
        return all(results) if self.type == "and" else any(results)


Filter = Comparison | Compound


def decode_filter(value: JSON, param: str = "filters") -> Filter | None:
    """Return the filter in the request parameter `param`, or None for null.

    Raises:
        InvalidRequest: The filter is invalid; `param` has the path, such as `filters.filters[1].value`.
    """
    if value is None:
        return None
    found = _decode(value, param, _MAX_DEPTH)
    if _comparisons(found) > _MAX_COMPARISONS:
        raise InvalidRequest(
            f"Invalid '{param}': at most {_MAX_COMPARISONS} comparisons are allowed.",
            code="invalid_value",
            param=param,
        )
    return found


def _decode(value: JSON, param: str, depth: int) -> Filter:
    if not isinstance(value, dict):
        raise wrong_type(param, "an object", value)
    kind = value.get("type", "eq" if "key" in value else None)  # A comparison's default is `eq`.
    if kind is None:
        raise MissingParameter(f"{param}.type")
    if not isinstance(kind, str) or kind not in _TYPES:
        raise unsupported_value(f"{param}.type", kind, _TYPES)
    if kind in _JUNCTIONS:
        return _compound(kind, value.get("filters"), f"{param}.filters", depth)
    key = value.get("key")
    if not isinstance(key, str):
        raise MissingParameter(f"{param}.key") if key is None else wrong_type(f"{param}.key", "a string", key)
    if value.get("value") is None:
        raise MissingParameter(f"{param}.value")
    return Comparison(kind, key, _value(kind, value["value"], f"{param}.value"))


def _compound(kind: str, inner: JSON, param: str, depth: int) -> Compound:
    if inner is None:
        raise MissingParameter(param)
    if not isinstance(inner, list):
        raise wrong_type(param, "an array", inner)
    if depth == 0:
        raise InvalidRequest(
            f"Invalid '{param}': filters are nested more than {_MAX_DEPTH} levels deep.",
            code="invalid_value",
            param=param,
        )
    return Compound(kind, tuple(_decode(v, f"{param}[{i}]", depth - 1) for i, v in enumerate(inner)))


def _value(kind: str, value: JSON, param: str) -> Value | tuple[Value, ...]:
    if kind in _MEMBERSHIPS:
        if not isinstance(value, list):
            raise wrong_type(param, "an array", value)
        return tuple(_scalar(element, f"{param}[{i}]") for i, element in enumerate(value))
    scalar = _scalar(value, param)
    if kind in _ORDERS and isinstance(scalar, bool):
        raise wrong_type(param, "a string or a number", value)
    return scalar


def _scalar(value: JSON, param: str) -> Value:
    if isinstance(value, str | int | float):  # A boolean is an int, too.
        return value
    raise wrong_type(param, "a string, a number or a boolean", value)


def _comparisons(found: Filter) -> int:
    if isinstance(found, Comparison):
        return len(found.value) if isinstance(found.value, tuple) else 1
    return sum(_comparisons(inner) for inner in found.filters)


def _equal(left: Value, right: Value) -> bool:
    return left == right and _sort(left) is _sort(right)


def _have_order(left: Value, right: Value) -> bool:
    return _sort(left) is _sort(right) and _sort(left) is not bool


def _sort(value: Value) -> type:
    """Return the kind of a value; integers and floats are one kind, unlike booleans."""
    return type(value) if isinstance(value, str | bool) else float
