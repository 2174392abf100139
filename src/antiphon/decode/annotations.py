"""Annotations of the fields of wire types."""

import types
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Union, get_args, get_origin, get_type_hints

from msgspec import Struct


@cache
def fields_of(struct: type[Struct]) -> Mapping[str, object]:
    """Return the annotation of each field of a wire type by its name on the wire, except its tag."""
    hints = get_type_hints(struct, include_extras=True)
    names = dict(zip(struct.__struct_fields__, struct.__struct_encode_fields__, strict=True))
    return {names.get(name, name): annotation for name, annotation in hints.items()}


def options(annotation: object) -> list[object]:
    """Return the members of a nested union, without `Annotated` around them."""
    if get_origin(annotation) is Annotated:
        return options(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [option for member in get_args(annotation) for option in options(member)]
    return [annotation]
