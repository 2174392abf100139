"""Translation of msgspec's validation errors into OpenAI's texts, codes and paths.

The texts are those of api.openai.com; see also
https://platform.openai.com/docs/guides/error-codes.
"""

import re
from collections.abc import Iterable
from typing import Literal, get_args, get_origin

import msgspec

from antiphon.decode.annotations import fields_of, options
from antiphon.errors import InvalidRequest, MissingParameter
from antiphon.wire.json import JSON

_PATH = re.compile(r" - at `(?:key in )?\$(.*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|(\[\.\.\.\])")
_MISSING = re.compile(r"Object missing required field `(.+?)`")
_BOUND = re.compile(
    r"Expected `(int|float|str|array|object)` (?:of length )?(>=|<=|matching regex) '?(.*?)'?$"
)

_NAMES = {
    "str": "a string",
    "int": "an integer",
    "float": "a decimal number",
    "bool": "a boolean",
    "array": "an array of items",
    "object": "an object",
    "null": "null",
}


def explain(message: str, body: JSON, body_type: object) -> InvalidRequest:
    """Return the error that api.openai.com sends for a body that msgspec rejected.

    Args:
        message: Text of msgspec's error.
        body: Decoded JSON of the body.
        body_type: Wire type that the body should have had.
    """
    found = _PATH.search(message)
    reason = message[: found.start()] if found else message
    steps = _steps(found.group(1) if found else "")
    missing = _MISSING.match(reason)
    if missing:
        param = _param([*steps, missing.group(1)])
        return MissingParameter(param)
    steps, value = _follow(body, steps)
    param = _param(steps)
    bound = _BOUND.match(reason)
    if bound:
        return _out_of_bounds(param, value, *bound.groups())
    if reason.startswith(("Invalid enum value", "Invalid value")):
        supported = _supported(body_type, body, steps)
        known = f" Supported values are: {supported}." if supported else ""
        return InvalidRequest(f"Invalid value: '{_short(value)}'.{known}", code="invalid_value", param=param)
    if reason.startswith("Expected"):
        return _wrong_body_type(param, reason, value)
    return InvalidRequest(f"Invalid '{param}': {reason}.", code="invalid_value", param=param or None)


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    for key, index, _ in _STEP.findall(path):
        steps.append(int(index) if index else key or "[...]")
    return steps


def _param(steps: list[str | int]) -> str:
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".")


def _follow(body: JSON, steps: list[str | int]) -> tuple[list[str | int], JSON]:
    """Return the exact path and its value.

    msgspec writes `[...]` for some value of an object; it becomes the key of the first value that is wrong.
    """
    value, exact = body, list[str | int]()
    for step in steps:
        if step == "[...]" and isinstance(value, dict):
            step = next((key for key, entry in value.items() if not isinstance(entry, str)), step)
        exact.append(step)
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return exact, None
    return exact, value


def wrong_type(param: str, expected: str, value: JSON) -> InvalidRequest:
    """Return the error for a value of another type than `expected`, such as "a string"."""
    return InvalidRequest(
        f"Invalid type for '{param}': expected {expected}, but got {kind_of(value)} instead.",
        code="invalid_type",
        param=param,
    )


def unsupported_value(param: str, value: JSON, supported: Iterable[str]) -> InvalidRequest:
    """Return the error for a value that isn't one of those that the API lists."""
    known = ", ".join(f"'{each}'" for each in supported)
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return InvalidRequest(
        f"Invalid value: '{text[:100]}'. Supported values are: {known}.", code="invalid_value", param=param
    )


def wrong_prefix(param: str, value: str, prefix: str) -> InvalidRequest:
    """Return the error for an ID that no object of its kind can have."""
    return InvalidRequest(
        f"Invalid '{param}': '{value[:100]}'. Expected an ID that begins with '{prefix}'.",
        code="invalid_value",
        param=param,
    )


def mutually_exclusive(one: str, other: str, *, param: str) -> InvalidRequest:
    """Return the error for two parameters that exclude each other."""
    return InvalidRequest(
        f"Mutually exclusive parameters: '{one}' and '{other}'. Ensure you are only providing one of these "
        "parameters.",
        code="mutually_exclusive_parameters",
        param=param,
    )


def _wrong_body_type(param: str, reason: str, value: JSON) -> InvalidRequest:
    expected = re.findall(r"`(.+?)`", reason)
    wanted = [name for name in expected[0].split(" | ") if name != "null"] if expected else []
    names = " or ".join(_NAMES.get(name, name) for name in wanted) or "another type"
    if not param:
        return InvalidRequest(
            f"Invalid body: expected {names}, but got {kind_of(value)} instead.", code="invalid_type"
        )
    return wrong_type(param, names, value)


def _out_of_bounds(param: str, value: JSON, kind: str, sign: str, limit: str) -> InvalidRequest:
    if sign == "matching regex":
        text = f"string does not match pattern. Expected a string that matches the pattern '{limit}'."
        return InvalidRequest(f"Invalid '{param}': {text}", code="invalid_value", param=param)
    below = sign == ">="
    if kind in ("int", "float"):
        noun = "integer" if kind == "int" else "decimal"
        side, code = ("below minimum", "below_min_value") if below else ("above maximum", "above_max_value")
        bound = limit.removesuffix(".0")
        text = f"{noun} {side} value. Expected a value {sign} {bound}, but got {value} instead."
        return InvalidRequest(f"Invalid '{param}': {text}", code=f"{noun}_{code}", param=param)
    if kind != "str" and not below:
        return array_too_long(param, int(limit), len(value))
    noun = "string" if kind == "str" else "array"
    adjective, edge, code = ("short", "minimum", "below_min") if below else ("long", "maximum", "above_max")
    text = (
        f"{noun} too {adjective}. Expected {_NAMES[kind].split()[0]} {noun} with {edge} length {limit}, "
        f"but got {_NAMES[kind].split()[0]} {noun} with length {len(value)} instead."
    )
    return InvalidRequest(f"Invalid '{param}': {text}", code=f"{noun}_{code}_length", param=param)


def array_too_long(param: str, most: int, length: int) -> InvalidRequest:
    """Return the error for an array with more than `most` entries."""
    return InvalidRequest(
        f"Invalid '{param}': array too long. Expected an array with maximum length {most}, but got an array "
        f"with length {length} instead.",
        code="array_above_max_length",
        param=param,
    )


def kind_of(value: JSON) -> str:
    """Return the JSON type of a value with its article, such as "a string"."""
    if isinstance(value, bool):
        return "a boolean"
    for kind, name in ((str, "a string"), (int, "an integer"), (float, "a decimal number")):
        if isinstance(value, kind):
            return name
    if value is None:
        return "null"
    return "an array" if isinstance(value, list) else "an object"


def _short(value: JSON) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= 100 else text[:100] + "..."


def _supported(body_type: object, body: JSON, steps: list[str | int]) -> str:
    """Return the values that a place accepts: literals, or the `type` tags of a union."""
    for step in steps[:-1]:
        body_type = _inner(body_type, body, step)
        body = body[step]
    values: list[str] = []
    last = steps[-1] if steps else ""
    for option in options(body_type):
        config = getattr(option, "__struct_config__", None)
        if config is not None and config.tag_field == last:
            values.append(str(config.tag))
        elif config is not None and config.tag in (None, _tag(body, config.tag_field)):
            values += _literals(_field(option, last))
        elif get_origin(option) is list:
            values += _literals(get_args(option)[0])
    return ", ".join(f"'{value}'" for value in values)


def _literals(annotation: object) -> list[str]:
    return [str(v) for o in options(annotation) if get_origin(o) is Literal for v in get_args(o)]


def _inner(body_type: object, body: JSON, step: str | int) -> object:
    """Return the type one step further down, chosen by the tag of a union."""
    for option in options(body_type):
        config = getattr(option, "__struct_config__", None)
        if isinstance(step, int) and get_origin(option) is list:
            return get_args(option)[0]
        if config is not None and config.tag in (None, _tag(body, config.tag_field)):
            return _field(option, step)
    return None


def _field(struct: object, name: str | int) -> object:
    return fields_of(struct).get(str(name))


def _tag(body: JSON, field: str | None) -> JSON:
    return body.get(field) if isinstance(body, dict) else None
