"""URLs in request bodies that a backend would fetch."""

import re
from collections.abc import Iterator

from antiphon.wire.json import JSON, JSONObject

_TEXTS = frozenset({"text", "refusal", "type", "filename", "name", "description"})
"""Keys of content parts whose values nobody fetches."""
_IGNORED = re.compile(r"[\x00-\x20]")
"""Characters that parsers of URLs skip."""
_START = 256
"""Characters of a value that are searched for a scheme; it may begin with ignored ones."""
_REMOTE = re.compile(r"https?:|[a-z][a-z0-9+.-]*://")


def urls_in(body: JSONObject) -> Iterator[tuple[str, str]]:
    """Yield the URLs in a body for a backend, and their paths.

    They are in the content parts of `messages`, in the objects of `input` (of moderations and embeddings),
    and in `tools` that aren't functions, such as `mcp`. Text isn't searched: a model only reads it.
    """
    for path, message in _objects(body.get("messages"), "messages"):
        for inner, part in _objects(message.get("content"), f"{path}.content"):
            yield from urls_in_value(part, inner)
    for path, part in _objects(body.get("input"), "input"):
        yield from urls_in_value(part, path)
    for path, tool in _objects(body.get("tools"), "tools"):
        if tool.get("type") not in ("function", "custom"):
            yield from urls_in_value(tool, path)


def is_remote(value: str) -> bool:
    """Return whether a program that gets the value as a file or image may fetch it."""
    return bool(_REMOTE.match(_IGNORED.sub("", value[:_START]).lower()))


def _objects(value: JSON, path: str) -> Iterator[tuple[str, JSONObject]]:
    if isinstance(value, list):
        for index, each in enumerate(value):
            if isinstance(each, dict):
                yield f"{path}[{index}]", each


def urls_in_value(value: JSON, path: str) -> Iterator[tuple[str, str]]:
    """Yield the URLs in a value at a path of the request, and their paths."""
    # Without recursion, because bodies may be nested deeply.
    waiting: list[tuple[JSON, str, str]] = [(value, path, "")]
    while waiting:
        value, path, key = waiting.pop()
        if isinstance(value, dict):
            waiting += [(each, f"{path}.{name}", name) for name, each in value.items() if name not in _TEXTS]
        elif isinstance(value, list):
            waiting += [(each, f"{path}[{index}]", key) for index, each in enumerate(value)]
        elif isinstance(value, str) and ((_is_url_key(key) and not is_inline(value)) or is_remote(value)):
            yield value, path


def _is_url_key(key: str) -> bool:
    return key == "url" or key.endswith("_url")


def is_inline(url: str) -> bool:
    """Return whether a URL has its data in itself."""
    return url[:5].lower() == "data:"
