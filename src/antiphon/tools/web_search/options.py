"""Validation of the options for web search in a request."""

import re

from msgspec import UNSET

from antiphon.decode.explain import array_too_long, unsupported_value
from antiphon.errors import InvalidRequest
from antiphon.tools.web_search.providers.protocol import Search
from antiphon.wire.json import JSON, JSONObject
from antiphon.wire.tools import WebSearchTool

MAX_DOMAINS = 100
"""The most allowed domains in a request, as at api.openai.com."""
_DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
_COUNTRY = re.compile(r"[A-Z]{2}")
_PLACE = re.compile(r"[^\x00-\x1f\x7f]{1,100}")


def template(tool: WebSearchTool, position: int) -> Search:
    """Return a search with the tool's options and without a query.

    Raises:
        InvalidRequest: An option is invalid; `param` is its path below `tools[position]`.
    """
    options: JSONObject = {}
    filters, where = _object(tool.filters), f"tools[{position}].filters.allowed_domains"
    if (domains := filters.get("allowed_domains")) is not None:
        options["allowed_domains"] = _domains(domains, where)
    location, where = _object(tool.user_location), f"tools[{position}].user_location"
    if location.get("type") not in (None, "approximate"):
        raise unsupported_value(f"{where}.type", location["type"], ["approximate"])
    for name, pattern in (("country", _COUNTRY), ("region", _PLACE), ("city", _PLACE), ("timezone", _PLACE)):
        if (value := location.get(name)) not in (None, ""):
            text = _string(value, f"{where}.{name}").strip()
            options[name] = _matched(text.upper() if name == "country" else text, pattern, f"{where}.{name}")
    if tool.search_context_size:
        options["context_size"] = tool.search_context_size
    return Search(query="", **options)


def _domains(value: JSON, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise InvalidRequest(
            f"Invalid type for '{where}': expected an array of strings.", code="invalid_type", param=where
        )
    if len(value) > MAX_DOMAINS:
        raise array_too_long(where, MAX_DOMAINS, len(value))
    return tuple(_domain(each, f"{where}[{number}]") for number, each in enumerate(value))


def _domain(value: JSON, where: str) -> str:
    """Return a domain in the form that URLs have; the value may be a URL, too."""
    text = _string(value, where).strip().lower()
    text = text.partition("://")[2] if "://" in text else text
    host = text.partition("/")[0].removeprefix("*.").rstrip(".")
    try:
        ascii_host = host.encode("idna").decode()
    except UnicodeError:
        ascii_host = ""
    return _matched(ascii_host, _DOMAIN, where)


def _object(value: JSON) -> JSONObject:
    return value if value is not UNSET and isinstance(value, dict) else {}


def _string(value: JSON, where: str) -> str:
    if isinstance(value, str):
        return value
    raise InvalidRequest(f"Invalid type for '{where}': expected a string.", code="invalid_type", param=where)


def _matched(text: str, pattern: re.Pattern[str], where: str) -> str:
    if pattern.fullmatch(text):
        return text
    raise InvalidRequest(f"Invalid '{where}': {_EXPECTED[pattern]}.", code="invalid_value", param=where)


_EXPECTED = {
    _DOMAIN: "expected a domain such as 'example.com'",
    _COUNTRY: "expected an ISO 3166-1 code of two letters",
    _PLACE: "expected 1 to 100 characters on one line",
}
