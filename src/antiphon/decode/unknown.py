"""Fields of a request body that the server doesn't know, anywhere in the body."""

from collections.abc import Mapping, Sequence
from functools import cache, reduce
from operator import or_
from types import GenericAlias
from typing import get_args, get_origin

from msgspec import Raw, Struct, defstruct

from antiphon.decode.annotations import fields_of, options
from antiphon.errors import InvalidRequest
from antiphon.wire.json import JSON, JSONObject

_MOST = 20
"""Unknown fields of one body that are named."""
_PROMISES = {
    "max_infer_iters": "Use 'max_tool_calls' to limit the calls of hosted tools.",
    "max_tokens": "Use 'max_output_tokens'.",
    "max_completion_tokens": "Use 'max_output_tokens'.",
}
"""Parameters of other APIs that promise protection or limits, with the advice for their clients."""


def outline(body_type: type[Struct]) -> type[Struct]:
    """Return a type that all bodies without unknown fields have.

    It skips all values that contain no fields, so that decoding a body as this type costs little.
    """
    return _outline_of_object(body_type)


def unknown_fields(body: JSONObject, body_type: type[Struct]) -> list[str]:
    """Return the paths of the first unknown fields of a decoded valid body, such as `text.zzz`."""
    shape = _Shape(None, None, "", {None: _object(body_type)})
    return [path.removeprefix(".") for path in _unknown(body, shape)]


def unknown_parameter(paths: Sequence[str]) -> InvalidRequest:
    """Return the error for a body with unknown fields, on a server that rejects them."""
    return InvalidRequest(
        f"Unknown parameter: '{paths[0][:200]}'.", code="unknown_parameter", param=paths[0][:200]
    )


def check_promises(body: JSONObject, body_type: type[Struct]) -> None:
    """Check that a body has no parameter of another API that promises protection or a limit.

    Args:
        body: The decoded body.
        body_type: Its type, whose own parameters pass.

    Raises:
        InvalidRequest: It has one with a value; the message names a replacement.
    """
    for name in sorted(_PROMISES.keys() & body.keys() - _object(body_type).known):
        if body[name] not in (None, [], {}):
            raise InvalidRequest(
                f"Unsupported parameter: '{name}' is not supported by this server. {_PROMISES[name]}",
                code="unsupported_parameter",
                param=name,
            )


class _Shape(Struct, frozen=True):
    """The lists, mappings and objects that an annotation permits."""

    entries: "_Shape | None"
    """The entries of a list, if they have fields."""
    values: "_Shape | None"
    """The values of a mapping, if they have fields."""
    tag_field: str
    """The field with the tag of an object; empty if the objects have none."""
    objects: "Mapping[JSON, _Object]"
    """The objects by their tag."""

    def object_of(self, value: JSONObject) -> "_Object | None":
        """Return the description of an object, or None for a mapping."""
        if len(self.objects) == 1:
            return next(iter(self.objects.values()))
        return self.objects.get(value.get(self.tag_field))


class _Object(Struct, frozen=True):
    """The fields of a wire type."""

    known: frozenset[str]
    """Their names, and the tag."""
    deep: Mapping[str, _Shape]
    """The shapes of those that contain fields."""


@cache
def _shape(annotation: object) -> _Shape | None:
    """Return the shape of the values with fields that an annotation permits, if there are any."""
    entries, values, tag_field, objects = None, None, "", dict[JSON, _Object]()
    for option in options(annotation):
        if get_origin(option) is list:
            entries = _shape(get_args(option)[0])
        elif get_origin(option) is dict:
            values = _shape(get_args(option)[1])
        elif isinstance(option, type) and issubclass(option, Struct):
            tag_field = option.__struct_config__.tag_field or ""
            objects[option.__struct_config__.tag] = _object(option)
    return _Shape(entries, values, tag_field, objects) if entries or values or objects else None


@cache
def _object(struct: type[Struct]) -> _Object:
    shapes = {name: _shape(annotation) for name, annotation in fields_of(struct).items()}
    known = frozenset({*shapes, struct.__struct_config__.tag_field or ""})
    return _Object(known, {name: shape for name, shape in shapes.items() if shape is not None})


def _unknown(value: JSON, shape: _Shape) -> list[str]:
    """Return the first paths of unknown fields below a value, each with a leading dot or bracket."""
    found: list[str] = []
    if isinstance(value, list):
        if shape.entries is not None:
            for position, entry in enumerate(value):
                if below := _unknown(entry, shape.entries):
                    found += [f"[{position}]{path}" for path in below]
                    if len(found) >= _MOST:
                        break
    elif isinstance(value, dict):
        described = shape.object_of(value)
        if described is not None:
            found += [f".{name}" for name in value.keys() - described.known]
            within = [(name, described.deep[name]) for name in value.keys() & described.deep.keys()]
        else:
            within = [(name, shape.values) for name in value] if shape.values is not None else []
        for name, inner in within:
            if below := _unknown(value[name], inner):
                found += [f".{name}{path}" for path in below]
    return sorted(found)[:_MOST] if found else found


def _outline(annotation: object) -> object:
    """Return a type for the same values that rejects unknown fields, and skips values without fields."""
    if _shape(annotation) is None:
        return Raw
    outlines = [_outline_of(option) for option in options(annotation)]
    return reduce(or_, outlines[1:], outlines[0])


def _outline_of(option: object) -> object:
    if isinstance(option, type) and issubclass(option, Struct):
        return _outline_of_object(option)
    if get_origin(option) is list:
        return GenericAlias(list, _outline(get_args(option)[0]))
    if get_origin(option) is dict:
        return GenericAlias(dict, (str, _outline(get_args(option)[1])))
    return option


@cache
def _outline_of_object(struct: type[Struct]) -> type[Struct]:
    config = struct.__struct_config__
    # Names on the wire can be keywords of Python, such as `async`, so that the fields are only numbered.
    names = {f"field_{number}": name for number, name in enumerate(fields_of(struct))}
    annotations = zip(names, fields_of(struct).values(), strict=True)
    return defstruct(
        struct.__name__,
        [(field, _outline(annotation), None) for field, annotation in annotations],
        rename=names,
        tag=config.tag,
        tag_field=config.tag_field,
        forbid_unknown_fields=True,
    )
