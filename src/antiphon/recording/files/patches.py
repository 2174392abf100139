"""Changes from one JSON object to another, by JSON Pointer (RFC 6901).

`{"/choices/0/delta/content": "Hi"}` is easier to read, and shorter, than a JSON Patch (RFC 6902).
"""

import msgspec

from antiphon.wire.json import JSON, JSONObject


def difference(before: JSONObject, after: JSONObject) -> tuple[JSONObject, list[str]]:
    """Return the changes that turn `before` into `after`.

    Returns:
        The values to set, by pointer, and the pointers to remove.
    """
    changed: JSONObject = {}
    removed: list[str] = []
    _compare(before, after, "", (changed, removed))
    return changed, removed


def apply(target: JSONObject, changed: JSONObject, removed: list[str]) -> None:
    """Apply changes to `target` in place.

    Raises:
        ValueError: A pointer leads to no place in `target`.
    """
    for pointer in removed:
        holder, last = locate(target, pointer)
        if not isinstance(holder, dict) or last not in holder:
            raise ValueError(f"nothing to remove at {pointer}")
        del holder[last]
    for pointer, value in changed.items():
        holder, last = locate(target, pointer)
        holder[last] = value


def locate(target: JSON, pointer: str) -> tuple[JSON, str | int]:
    """Return the container of a pointer's place, and the key or position in it.

    The key may be new; a position must exist.

    Raises:
        ValueError: The pointer leads to no place in `target`.
    """
    names = [name.replace("~1", "/").replace("~0", "~") for name in pointer.split("/")[1:]]
    if not names or pointer[0] != "/":
        raise ValueError(f"not a JSON Pointer to a place below the root: {pointer!r}")
    holder = target
    for name in names[:-1]:
        holder = holder[_key(holder, name, pointer)]
    if isinstance(holder, dict):
        return holder, names[-1]
    return holder, _key(holder, names[-1], pointer)


def same(one: JSON, other: JSON) -> bool:
    """Return whether two values are the same JSON; in Python, `1 == 1.0 == True`."""
    return type(one) is type(other) and msgspec.json.encode(one) == msgspec.json.encode(other)


def _key(holder: JSON, name: str, pointer: str) -> str | int:
    if isinstance(holder, dict) and name in holder:
        return name
    if isinstance(holder, list) and name.isascii() and name.isdigit() and int(name) < len(holder):
        return int(name)
    raise ValueError(f"nothing at {pointer}")


def _compare(before: JSON, after: JSON, pointer: str, found: tuple[JSONObject, list[str]]) -> None:
    """Add the differences below a pointer to `found`.

    Lists of scalars, and objects that become empty or were empty, are set as a whole.
    """
    changed, removed = found
    if _both(dict, before, after) and (not pointer or (before and after)):
        removed.extend(f"{pointer}/{_escaped(name)}" for name in before if name not in after)
        for name, value in after.items():
            place = f"{pointer}/{_escaped(name)}"
            if name in before:
                _compare(before[name], value, place, found)
            else:
                changed[place] = value
    elif _both(list, before, after) and len(before) == len(after) and _holds_containers(after):
        for position, value in enumerate(after):
            _compare(before[position], value, f"{pointer}/{position}", found)
    elif not same(before, after):
        changed[pointer] = after


def _both(kind: type, before: JSON, after: JSON) -> bool:
    return isinstance(before, kind) and isinstance(after, kind)


def _holds_containers(values: list[JSON]) -> bool:
    return any(isinstance(value, dict | list) for value in values)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
