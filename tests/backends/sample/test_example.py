import json
import subprocess
import sys

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from antiphon.backends.sample.example import make_example
from antiphon.backends.sample.scalars import Unsatisfiable
from antiphon.wire.json import JSON, JSONObject


def fits(schema: JSON, value: JSON) -> bool:
    return bool(jsonschema_rs.Draft202012Validator(schema, validate_formats=True).is_valid(value))


def check(schema: JSON) -> JSON:
    value = make_example(schema)
    assert fits(schema, value), (schema, value)
    assert make_example(schema) == value
    return value


_NAMES = st.sampled_from(["city", "unit", "max_items", "a", "b", "c"])
_SMALL = st.integers(-20, 20)
_FORMATS = ["date", "date-time", "time", "email", "uri", "uuid", "ipv4", "ipv6", "hostname", "duration"]
_PATTERNS = [
    "^[A-Z]{3}-[0-9]+$",
    "^a+b*$",
    r"^\d{4}-\d{2}$",
    "x|y",
    "^(foo|bar)[^q]?$",
    r"^[^@\s]+@[^@\s]+$",
    "",
]


@st.composite
def numbers(draw: st.DrawFn) -> JSONObject:
    schema: JSONObject = {"type": draw(st.sampled_from(["integer", "number"]))}
    if draw(st.booleans()):
        low = draw(_SMALL)
        schema[draw(st.sampled_from(["minimum", "exclusiveMinimum"]))] = low
        if draw(st.booleans()):
            schema[draw(st.sampled_from(["maximum", "exclusiveMaximum"]))] = low + draw(st.integers(12, 40))
    elif draw(st.booleans()):
        schema[draw(st.sampled_from(["maximum", "exclusiveMaximum"]))] = draw(_SMALL)
    if draw(st.booleans()):
        schema["multipleOf"] = draw(st.sampled_from([1, 2, 3, 5, 0.5, 2.5]))
    return schema


@st.composite
def strings(draw: st.DrawFn) -> JSONObject:
    kind = draw(st.sampled_from(["lengths", "format", "pattern"]))
    if kind == "format":
        return {"type": "string", "format": draw(st.sampled_from(_FORMATS))}
    if kind == "pattern":
        return {"type": "string", "pattern": draw(st.sampled_from(_PATTERNS))}
    low = draw(st.integers(0, 30))
    return {"type": "string", "minLength": low, "maxLength": low + draw(st.integers(0, 30))}


_VALUES = st.one_of(st.none(), st.booleans(), _SMALL, st.text(max_size=5), st.lists(_SMALL, max_size=2))
_CHOICES = st.one_of(
    st.lists(_VALUES, min_size=1, max_size=4).map(lambda values: {"enum": values}),
    _VALUES.map(lambda value: {"const": value}),
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.just({"type": ["string", "null"]}),
    st.just({"type": ["null", "integer"], "minimum": 3}),
    st.just({}),
    st.just(True),
)
_LEAVES = st.one_of(numbers(), strings(), _CHOICES)


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[JSON]) -> JSONObject:
    properties = draw(st.dictionaries(_NAMES, inner, max_size=4))
    required = draw(st.lists(st.sampled_from(sorted(properties)), unique=True)) if properties else []
    schema: JSONObject = {"type": "object", "properties": properties, "required": required}
    extra = draw(st.sampled_from([None, True, False]))
    if extra is not None:
        schema["additionalProperties"] = extra
    if draw(st.booleans()):
        schema["maxProperties"] = len(required) + draw(st.integers(0, 2))
    elif extra is not False and draw(st.booleans()):
        schema["minProperties"] = draw(st.integers(0, 6))
    return schema


@st.composite
def arrays(draw: st.DrawFn, inner: st.SearchStrategy[JSON]) -> JSONObject:
    low = draw(st.integers(0, 3))
    schema: JSONObject = {"type": "array", "minItems": low, "maxItems": low + draw(st.integers(0, 2))}
    if draw(st.booleans()):
        schema["items"] = draw(inner)
    if draw(st.booleans()):
        schema["prefixItems"] = draw(st.lists(inner, min_size=1, max_size=3))
    return schema


@st.composite
def combinations(draw: st.DrawFn, inner: st.SearchStrategy[JSON]) -> JSONObject:
    kind = draw(st.sampled_from(["anyOf", "oneOf", "allOf", "$ref"]))
    if kind == "anyOf":
        return {"anyOf": draw(st.lists(inner, min_size=1, max_size=3))}
    if kind == "oneOf":
        return {"oneOf": draw(st.permutations([{"type": "null"}, {"type": "string"}, {"type": "integer"}]))}
    if kind == "allOf":
        # Objects with different properties satisfy both schemas.
        left, right = draw(inner), draw(inner)
        return {
            "allOf": [
                {"type": "object", "properties": {"left": left}, "required": ["left"]},
                {"properties": {"right": right}, "required": ["right"], "minProperties": 1},
            ],
            "description": "both",
        }
    return {"$ref": "#/$defs/leaf", "description": "beside a reference"}


_SCHEMAS = st.recursive(
    _LEAVES, lambda inner: st.one_of(objects(inner), arrays(inner), combinations(inner)), max_leaves=8
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(_SCHEMAS, _LEAVES)
def test_values_fit_their_schemas(schema: JSON, leaf: JSON) -> None:
    root = {"$defs": {"leaf": leaf}} | (schema if isinstance(schema, dict) else {})
    try:
        value = make_example(root)
    except Unsatisfiable:
        assume(False)
    assert fits(root, value), value
    assert make_example(root) == value


@settings(max_examples=200, deadline=None)
@given(st.one_of(numbers(), strings(), st.just({"type": "boolean"}), st.just({})))
def test_leaves_are_never_given_up(schema: JSON) -> None:
    check(schema)


_KEYS = [
    "type",
    "items",
    "properties",
    "required",
    "enum",
    "anyOf",
    "allOf",
    "$ref",
    "minItems",
    "pattern",
    "minLength",
    "minimum",
    "multipleOf",
    "maximum",
    "format",
    "const",
    "prefixItems",
    "uniqueItems",
    "x",
]
_WORDS = st.sampled_from(["object", "array", "string", "number", "#", "#/x", "("])
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS), inner | _WORDS, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(_ANYTHING)
def test_nonsense_is_at_most_unsatisfiable(schema: JSON) -> None:
    try:
        made = make_example(schema)
    except Unsatisfiable:
        made = None
    assert json.dumps(made)


def test_a_narrow_range_may_repeat() -> None:
    schema = {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 2}, "minItems": 4}
    assert len(check(schema)) == 4


@pytest.mark.parametrize(
    "items",
    [
        {"type": "integer"},
        {"type": "integer", "maximum": 3},
        {"type": "number", "minimum": 0, "maximum": 1},
        {"type": "string"},
        {"type": "string", "minLength": 2, "maxLength": 2},
        {"type": "string", "format": "email"},
        {"type": "string", "pattern": "^[A-Z]{3}$"},
        {"enum": ["a", "b", "c", "d"]},
        {"type": ["integer", "string", "boolean"]},
        {"anyOf": [{"const": 1}, {"const": 2}, {"type": "string"}]},
        {
            "type": "object",
            "properties": {"x": {"type": "boolean"}, "y": {"type": "boolean"}},
            "required": ["x", "y"],
        },
    ],
)
def test_unique_items(items: JSON) -> None:
    value = check({"type": "array", "items": items, "uniqueItems": True, "minItems": 4})
    assert len(value) == 4


_NODE: JSONObject = {
    "type": "object",
    "properties": {"value": {"type": "integer"}, "next": {"$ref": "#/$defs/node"}},
    "required": ["value"],
}


def test_recursion_ends_at_an_optional_property() -> None:
    schema = {"$defs": {"node": _NODE}, "$ref": "#/$defs/node"}
    assert check(schema) == {"value": 1}


def test_recursion_ends_at_another_alternative() -> None:
    node = {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
        "required": ["next"],
        "additionalProperties": False,
    }
    assert check({"$defs": {"node": node}, "$ref": "#/$defs/node"}) == {"next": None}


def test_recursion_ends_at_an_empty_list() -> None:
    tree = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#"}}}}
    assert check(tree | {"required": ["children"]}) == {"children": [{"children": []}]}


def test_recursion_without_end_is_unsatisfiable() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["next"]}
    with pytest.raises(Unsatisfiable):
        make_example({"$defs": {"node": node}, "$ref": "#/$defs/node"})


def test_schemas_that_double_are_bounded() -> None:
    definitions: JSONObject = {"n0": {"type": "string"}}
    for level in range(1, 40):
        both = {"a": {"$ref": f"#/$defs/n{level - 1}"}, "b": {"$ref": f"#/$defs/n{level - 1}"}}
        definitions[f"n{level}"] = {"type": "object", "properties": both, "required": ["a", "b"]}
    with pytest.raises(Unsatisfiable):
        make_example({"$defs": definitions, "$ref": "#/$defs/n39"})


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"type": "nothing"},
        {"enum": []},
        {"type": "integer", "minimum": 1, "maximum": 0},
        {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        {"type": "string", "minLength": 3, "maxLength": 2},
        {"type": "array", "minItems": 3, "maxItems": 2},
        {"type": "array", "items": {"type": "boolean"}, "uniqueItems": True, "minItems": 3},
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"$ref": "https://example.com/schema"},
        {"$ref": "#/$defs/missing"},
        {"type": "string", "pattern": "("},
        {"type": "string", "pattern": "(((a{9999}){9999}){9999})"},
        {"type": "object", "properties": {"a": False}, "required": ["a"]},
    ],
)
def test_what_cannot_be_filled(schema: JSON) -> None:
    with pytest.raises(Unsatisfiable):
        make_example(schema)


def test_all_of_joins_bounds_and_references() -> None:
    schema = {
        "$defs": {"small": {"type": "integer", "maximum": 9}},
        "allOf": [
            {"$ref": "#/$defs/small"},
            {"minimum": 5, "multipleOf": 2},
            {"multipleOf": 4},
            {"type": "number"},
        ],
    }
    assert check(schema) == 8


def test_escaped_references() -> None:
    schema = {"definitions": {"a/b~c d": {"const": 1}}, "$ref": "#/definitions/a~1b~0c%20d"}
    assert check(schema) == 1


def test_openapi_and_older_drafts() -> None:
    old: JSONObject = {"type": "integer", "minimum": 3, "exclusiveMinimum": True}
    assert make_example(old) == 4
    pair = make_example({"type": "array", "items": [{"const": 1}, {"const": 2}], "additionalItems": False})
    assert pair == [1, 2]


def test_words_are_used_where_they_fit() -> None:
    schema = {
        "type": "object",
        "properties": {
            "when": {"type": "string", "format": "date"},
            "city": {"type": "string", "minLength": 3},
            "country": {"type": "string"},
            "unit": {"type": "string", "enum": ["c", "f"]},
        },
        "required": ["when", "city", "country", "unit"],
    }
    made = make_example(schema, ["x", "Paris"])
    assert made == {"when": "2026-01-01", "city": "Paris", "country": "x", "unit": "c"}
    assert make_example({"type": "object", "properties": {"home_town": {"type": "string"}}}) == {
        "home_town": "home town"
    }


def test_the_same_in_every_process() -> None:
    code = (
        "from antiphon.backends.sample.example import make_example;"
        "print(make_example({'type': 'string', 'pattern': '^[^a-f]{12}.{5}$'}))"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert len(runs) == 1
